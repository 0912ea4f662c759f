//! Lakes for tests: made from lines and reference files in a folder that goes with the test.

use std::collections::BTreeMap;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use arrow::array::{Array, AsArray};
use arrow::datatypes::{DataType, Float64Type};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use chrono::{DateTime, NaiveDate, Utc};
use pipeline::Result;
use pipeline::definition::Definitions;
use pipeline::erase::{self, Erased, Person};
use pipeline::lake::Lake;
use pipeline::land::{self, Outcome};
use pipeline::maintain::{self, Done, Policy};
use pipeline::metric::{self, Catalogue, Grain, Period, Request, Sample};
use pipeline::past::{self, Moment};
use pipeline::query::{Reader, View};
use pipeline::reference::{self, Loaded};
use pipeline::refresh::{self, Refreshed};
use pipeline::simulate;
use pipeline::source::InputFile;
use pipeline::source::mapping::Mapping;
use pipeline::zone;
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

/// When everything lands and is asked, unless a test says otherwise.
pub(crate) const NOW: &str = "2026-07-01T12:00:00+08:00";

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime")
});

pub(crate) static DEFINITIONS: LazyLock<Arc<Definitions>> =
    LazyLock::new(|| Arc::new(Definitions::load(Some(&sql())).expect("the shipped definitions")));

/// The folder of definitions: read when the tests run, so that a changed file needs no build.
fn sql() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../sql")
}

static CATALOGUE: LazyLock<Catalogue> =
    LazyLock::new(|| Catalogue::load(&DEFINITIONS).expect("the shipped metrics"));

/// The shipped metrics.
pub(crate) fn catalogue() -> &'static Catalogue {
    &CATALOGUE
}

/// Runs a future of the library to its end.
pub(crate) fn wait<F: Future>(future: F) -> F::Output {
    RUNTIME.block_on(future)
}

pub(crate) fn time(text: &str) -> DateTime<Utc> {
    DateTime::parse_from_rfc3339(text).expect("a time").to_utc()
}

pub(crate) fn day(text: &str) -> NaiveDate {
    text.parse().expect("a day")
}

/// The shipped mapping of the canonical event.
pub(crate) fn native() -> Mapping {
    shipped("native")
}

/// A shipped mapping.
pub(crate) fn shipped(source: &str) -> Mapping {
    Mapping::find(&DEFINITIONS, source).expect("a shipped mapping")
}

/// The mapping of the canonical event with other keys before its events.
pub(crate) fn native_with(keys: &str) -> Mapping {
    let shipped = DEFINITIONS.file("sources/native.toml").expect("the native mapping");
    Mapping::parse("native.toml", &format!("{keys}\n{shipped}")).expect("a mapping")
}

/// A native line in the making. Only what a test sets is written.
#[derive(Debug, Clone)]
pub(crate) struct Line(serde_json::Map<String, serde_json::Value>);

/// A line of `event_type` by `org_id`; a `day` without a time of day means nine in the morning there.
pub(crate) fn line(event_id: &str, event_type: &str, day: &str, org_id: &str) -> Line {
    let occurred_at =
        if day.len() == 10 { format!("{day}T09:00:00+08:00") } else { day.to_owned() };
    Line(serde_json::Map::new())
        .with("event_id", event_id)
        .with("event_type", event_type)
        .with("occurred_at", occurred_at)
        .with("org_id", org_id)
}

impl Line {
    pub(crate) fn with(mut self, key: &str, value: impl Into<serde_json::Value>) -> Self {
        self.0.insert(key.to_owned(), value.into());
        self
    }

    pub(crate) fn officers<S: AsRef<str>>(self, officer_ids: &[S]) -> Self {
        let ids: Vec<&str> = officer_ids.iter().map(AsRef::as_ref).collect();
        self.with("officer_ids", ids)
    }

    pub(crate) fn object(self, object_id: &str) -> Self {
        self.with("object_id", object_id)
    }

    pub(crate) fn attribute(mut self, key: &str, value: &str) -> Self {
        let attributes = self.0.entry("attributes").or_insert_with(|| serde_json::json!({}));
        attributes[key] = value.into();
        self
    }

    pub(crate) fn revision(self, revision: i64) -> Self {
        self.with("revision", revision)
    }

    pub(crate) fn delete(self) -> Self {
        self.with("operation", "delete")
    }

    /// What makes the event the same in another file: its id and revision.
    pub(crate) fn identity(&self) -> String {
        format!("{} {}", self.0["event_id"], self.0.get("revision").unwrap_or(&0.into()))
    }

    pub(crate) fn text(&self) -> String {
        serde_json::Value::Object(self.0.clone()).to_string()
    }
}

/// Lines as the bytes of a file.
pub(crate) fn ndjson(lines: &[Line]) -> Vec<u8> {
    lines.iter().flat_map(|line| (line.text() + "\n").into_bytes()).collect()
}

/// A lake in a folder of its own.
#[derive(Debug)]
pub(crate) struct TestLake {
    folder: TempDir,
    lake: Lake,
    lock: pipeline::lake::WriteLock,
    files: u32,
    pub(crate) now: DateTime<Utc>,
}

impl TestLake {
    pub(crate) fn new() -> Self {
        let folder = TempDir::new().expect("a folder");
        let mut lake =
            wait(Lake::open_or_create(&folder.path().join("lake"), None)).expect("a lake");
        let lock = wait(lake.lock()).expect("the only writer");
        Self { folder, lake, lock, files: 0, now: time(NOW) }
    }

    pub(crate) fn root(&self) -> &Path {
        self.lake.location().folder().expect("a folder")
    }

    /// Writes a file to land, outside the lake.
    pub(crate) fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, bytes).expect("a file");
        path
    }

    /// Lands files as one call does.
    pub(crate) fn land_files(
        &mut self,
        mapping: &Mapping,
        paths: &[PathBuf],
    ) -> Result<Vec<Outcome>> {
        let inputs = paths.iter().map(|path| InputFile::new(path)).collect::<Result<Vec<_>>>()?;
        self.land_inputs(mapping, &inputs)
    }

    pub(crate) fn land_inputs(
        &mut self,
        mapping: &Mapping,
        inputs: &[InputFile],
    ) -> Result<Vec<Outcome>> {
        let (lake, lock, now) = (&mut self.lake, &self.lock, self.now);
        wait(land::land(lake, lock, mapping, inputs, now, &|_| {}))
    }

    /// Lands one file of this content; `name` tells its format.
    pub(crate) fn land_as(
        &mut self,
        mapping: &Mapping,
        name: &str,
        bytes: &[u8],
    ) -> Result<Outcome> {
        self.files += 1;
        let path = self.file(&format!("{}-{name}", self.files), bytes);
        let mut outcomes = self.land_files(mapping, &[path])?;
        assert_eq!(outcomes.len(), 1, "one file has one outcome");
        Ok(outcomes.remove(0))
    }

    /// Lands native lines that are all good.
    pub(crate) fn land(&mut self, lines: &[Line]) -> Outcome {
        let outcome = self.land_as(&native(), "events.ndjson", &ndjson(lines)).expect("landed");
        assert_eq!(outcome.rejected, 0, "a refused line: {:?}", self.rows(REJECTS));
        outcome
    }

    /// What the library's writing functions take.
    pub(crate) fn as_writer(&mut self) -> (&mut Lake, &pipeline::lake::WriteLock) {
        (&mut self.lake, &self.lock)
    }

    /// Loads one reference table.
    pub(crate) fn reference(&self, table: &str, csv: &str) -> Loaded {
        let path = self.file(&format!("{table}.csv"), csv.as_bytes());
        let mut loaded =
            wait(reference::load(&self.lake, &self.lock, &path)).expect("a reference file");
        loaded.remove(0)
    }

    pub(crate) fn refresh(&mut self) -> Vec<Refreshed> {
        self.refresh_by(&DEFINITIONS)
    }

    /// Makes the rollups, going over so many events at once.
    pub(crate) fn refresh_in_passes(&mut self, most: u64) {
        let made = refresh::refresh_in_passes(&mut self.lake, &self.lock, &DEFINITIONS, most);
        wait(made).expect("refreshed");
    }

    pub(crate) fn refresh_by(&mut self, definitions: &Definitions) -> Vec<Refreshed> {
        wait(refresh::refresh(&mut self.lake, &self.lock, definitions)).expect("a refresh")
    }

    pub(crate) fn maintain(&mut self, policy: Policy, now: DateTime<Utc>) -> Result<Vec<Done>> {
        wait(maintain::maintain(&mut self.lake, &self.lock, policy, now))
    }

    pub(crate) fn erase(&mut self, person: &Person) -> Result<Erased> {
        wait(erase::erase(&mut self.lake, &self.lock, &DEFINITIONS, person, self.now))
    }

    /// The lake as it was.
    pub(crate) fn view_of(&self, moment: Moment) -> Result<Arc<View>> {
        let scratch = TempDir::new_in(self.folder.path()).expect("a folder").keep();
        let reader = past::open(self.lake.location(), moment, &scratch, Arc::clone(&DEFINITIONS));
        Ok(wait(reader)?.view())
    }

    pub(crate) fn reader(&self) -> Reader {
        wait(Reader::open(self.lake.location(), Arc::clone(&DEFINITIONS))).expect("a reader")
    }

    pub(crate) fn view(&self) -> Arc<View> {
        self.reader().view()
    }

    pub(crate) fn rows(&self, sql: &str) -> Vec<String> {
        rows(&self.view(), sql)
    }
}

/// The lake of the simulated district.
pub(crate) fn simulated_district() -> TestLake {
    let mut lake = TestLake::new();
    let out = lake.root().with_file_name("log");
    let options = simulate::Options {
        profile: simulate::Profile::Yubei,
        out: out.clone(),
        events: 0,
        officers: 0,
        orgs: 0,
        districts: 0,
        seed: 2024,
        format: simulate::Format::Parquet,
    };
    let summary = simulate::simulate(&options, &|_| {}).expect("a log");
    let (reference, events): (Vec<_>, Vec<_>) =
        summary.files.into_iter().partition(|file| file.starts_with(out.join("reference")));
    for file in reference {
        let table = file.file_stem().expect("a name").to_string_lossy().into_owned();
        lake.reference(&table, &std::fs::read_to_string(file).expect("a table"));
    }
    lake.land_files(&native(), &events).expect("landed");
    lake.refresh();
    lake
}

pub(crate) const REJECTS: &str =
    "select line, reason, arrow_cast(text, 'Utf8') as text, detail from rejects order by line";

/// A query's rows, each with its cells joined by a space.
pub(crate) fn rows(view: &View, sql: &str) -> Vec<String> {
    cells(view, sql).expect(sql).into_iter().map(|row| row.join(" ")).collect()
}

/// A query's cells as text.
pub(crate) fn cells(view: &View, sql: &str) -> Result<Vec<Vec<String>>> {
    let mut found = Vec::new();
    for batch in wait(view.collect("a test's query", sql))? {
        for row in 0..batch.num_rows() {
            found.push(batch.columns().iter().map(|column| cell(column.as_ref(), row)).collect());
        }
    }
    Ok(found)
}

fn cell(column: &dyn Array, row: usize) -> String {
    if column.is_null(row) {
        return "NULL".to_owned();
    }
    if column.data_type() == &DataType::Float64 {
        return number(column.as_primitive::<Float64Type>().value(row));
    }
    let options = FormatOptions::default();
    let formatter = ArrayFormatter::try_new(column, &options).expect("a cell can be shown");
    formatter.value(row).to_string()
}

/// A number with at most four digits behind the point.
pub(crate) fn number(value: f64) -> String {
    let text = format!("{value:.4}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// What a metric is asked for in a test.
#[derive(Debug, Clone)]
pub(crate) struct Question<'q> {
    pub(crate) metric: &'q str,
    pub(crate) from: &'q str,
    pub(crate) to: &'q str,
    pub(crate) grain: &'q str,
    pub(crate) scope: &'q str,
    pub(crate) parameters: BTreeMap<String, String>,
    pub(crate) as_of: NaiveDate,
}

pub(crate) fn question<'q>(metric: &'q str, from: &'q str, to: &'q str) -> Question<'q> {
    Question {
        metric,
        from,
        to,
        grain: "all",
        scope: "district",
        parameters: BTreeMap::new(),
        as_of: zone::local_date(zone::DEFAULT_ZONE, time(NOW)),
    }
}

/// Computes a metric and says whether it is a ratio.
pub(crate) fn ask(view: &View, question: &Question<'_>) -> Result<(bool, Vec<Sample>)> {
    ask_of(&CATALOGUE, view, question)
}

/// The catalogue in which a metric withholds nothing.
pub(crate) fn unsuppressed(metric: &str) -> Catalogue {
    let path = format!("metrics/{metric}.sql");
    let shipped = DEFINITIONS.file(&path).expect("the metric");
    let text: Vec<&str> =
        shipped.lines().filter(|line| !line.starts_with("-- suppress_below")).collect();
    assert!(text.len() < shipped.lines().count(), "{metric} withholds nothing anyway");
    let folder = TempDir::new().expect("a folder");
    std::fs::create_dir(folder.path().join("metrics")).expect("a folder");
    std::fs::write(folder.path().join(path), text.join("\n")).expect("a file");
    let definitions = Definitions::load(Some(folder.path())).expect("definitions");
    Catalogue::load(&definitions).expect("a catalogue")
}

/// Computes a metric of a catalogue and says whether it is a ratio.
pub(crate) fn ask_of(
    catalogue: &Catalogue,
    view: &View,
    question: &Question<'_>,
) -> Result<(bool, Vec<Sample>)> {
    let metric = catalogue.get(question.metric)?;
    let whole = Period { start: day(question.from), end: day(question.to) };
    let periods = metric::periods(whole, Grain::parse(question.grain)?);
    let scopes = view.tree().resolve(question.scope)?;
    let request = Request {
        periods: &periods,
        scopes: &scopes,
        parameters: &question.parameters,
        as_of: question.as_of,
    };
    let samples = wait(metric::evaluate(view, metric, &request))?;
    Ok((metric.kind() == metric::Kind::Ratio, samples))
}
