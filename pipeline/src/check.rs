//! Checks: queries that must return no rows, and the one check that is not a query.
//!
//! A file of `sql/checks` is a check. Each of its rows is a violation: whose it is, which object it
//! is about, and what shows it.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use arrow::array::{ArrayRef, AsArray, Float64Array, RecordBatch, StringArray};
use arrow::compute::{
    SortColumn, SortOptions, cast, concat_batches, lexsort_to_indices, take_record_batch,
};
use arrow::datatypes::{DataType, Field, Schema};
use chrono::{Datelike, Months, NaiveDate};
use datafusion::prelude::SessionContext;
use futures::StreamExt;
use serde::Deserialize;

use crate::definition::{self, Definitions};
use crate::error::{Error, Result};
use crate::metric::{
    self, Catalogue, Kind, Metric, Period, Request, Sample, Scope, ScopeKind, Tree,
};
use crate::pseudonym::Identities;
use crate::query::{Asked, Footprint, Reads, View};

/// The id of the check of [`run_additivity`].
pub const ADDITIVITY: &str = "metrics_add_up";

/// Whose turn it is when a check finds something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Numbers are wrong: those who run lawpulse or keep the reference tables have to act.
    Error,
    /// The record or the work breaks a rule: the unit has to act.
    Finding,
}

impl Severity {
    /// The name in labels and answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Finding => "finding",
        }
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    title_zh: String,
    title_en: String,
    definition: String,
    source: String,
    severity: Severity,
    remedy: String,
    org: Option<String>,
}

/// One check. What its title says holds when the query returns no rows.
#[derive(Debug, Clone)]
pub struct Check {
    id: String,
    header: Header,
    sql: String,
}

impl Check {
    /// The id: the name of its file.
    pub fn id(&self) -> &str {
        &self.id
    }

    fn what(&self) -> String {
        format!("check `{}`", self.id)
    }

    /// What has to hold, in Chinese.
    pub fn title_zh(&self) -> &str {
        &self.header.title_zh
    }

    /// What has to hold, in English.
    pub fn title_en(&self) -> &str {
        &self.header.title_en
    }

    /// What has to hold, in sentences.
    pub fn definition(&self) -> &str {
        &self.header.definition
    }

    /// The law and article, the document, or "defined here".
    pub fn source(&self) -> &str {
        &self.header.source
    }

    /// Whose turn it is when it does not hold.
    pub fn severity(&self) -> Severity {
        self.header.severity
    }

    /// What to do then.
    pub fn remedy(&self) -> &str {
        &self.header.remedy
    }

    /// Which unit the rows' `org_id` is, where that is not the unit of the object.
    pub fn org(&self) -> Option<&str> {
        self.header.org.as_deref()
    }

    /// The query; empty for the check that is none.
    pub fn sql(&self) -> &str {
        &self.sql
    }

    fn parse(id: &str, text: &str) -> Result<Self> {
        let file = format!("sql/checks/{id}.sql");
        let (header, sql): (Header, String) = definition::split_header(&file, text)?;
        if sql.trim().is_empty() {
            return Err(Error::definition(
                file,
                "there is no query after the header",
                "add one that returns the violations",
            ));
        }
        Ok(Self { id: id.to_owned(), header, sql })
    }

    fn additivity() -> Self {
        let text = |text: &str| text.to_owned();
        let header = Header {
            title_zh: text("可加指标各级之和一致"),
            title_en: text("Additive metrics add up"),
            definition: text(
                "标明可加（additive）的指标，最近一个完整月份全区之数等于镇街、部门、支队及其他单位之和。\
                 For the last complete month, every metric that says it is additive gives the whole tree \
                 the sum of towns, departments, teams and what is none of them.",
            ),
            source: text("defined here"),
            severity: Severity::Error,
            remedy: text(
                "单位在同一天有两个类别的，更正 orgs.csv；否则该指标不可加，在其文件中写 additive = false。\
                 Correct orgs.csv if a unit is of two kinds on one day; otherwise the metric does not add \
                 up: set additive = false in its file.",
            ),
            org: None,
        };
        Self { id: ADDITIVITY.to_owned(), header, sql: String::new() }
    }
}

/// Every check that is a query, in the order of their ids.
#[derive(Debug, Clone)]
pub struct Checks {
    checks: Vec<Check>,
}

impl Checks {
    /// Reads every file of `sql/checks`; one that is not complete is an error.
    pub fn load(definitions: &Definitions) -> Result<Self> {
        let checks = definitions
            .in_folder("checks", "sql")
            .map(|(id, text)| Check::parse(id, text))
            .collect::<Result<_>>()?;
        Ok(Self { checks })
    }

    /// The checks.
    pub fn iter(&self) -> impl Iterator<Item = &Check> {
        self.checks.iter()
    }

    /// One check alone; an unknown id is an error with a suggestion.
    pub fn only(&self, id: &str) -> Result<Self> {
        if let Some(check) = self.checks.iter().find(|check| check.id == id) {
            return Ok(Self { checks: vec![check.clone()] });
        }
        let ids = || self.checks.iter().map(|check| check.id.as_str()).chain([ADDITIVITY]);
        let mut near: Vec<_> =
            ids().filter(|known| known.contains(id) || id.contains(known)).collect();
        if near.is_empty() {
            near = ids().collect();
        }
        let near = near.join(", ");
        Err(Error::Request(format!("there is no check `{id}`; did you mean {near}?")))
    }
}

/// Rows of each check that are remembered.
const ROWS_REMEMBERED: usize = 20;

/// What states of one lake have in common of checks, by their ids.
#[derive(Debug, Default)]
pub(crate) struct Findings(Mutex<HashMap<String, Finding>>);

/// What a check reads, and what it found in the last state that it was run on.
#[derive(Debug)]
struct Finding {
    sql: String,
    reads: Arc<Reads>,
    found: Option<(Footprint, Outcome)>,
}

impl Finding {
    /// What a check reads, unless it has another query now.
    fn reads_of(&self, check: &Check) -> Option<Arc<Reads>> {
        (self.sql == check.sql).then(|| Arc::clone(&self.reads))
    }
}

impl Findings {
    /// What a check reads of a state.
    async fn footprint(
        &self,
        view: &View,
        context: &SessionContext,
        check: &Check,
    ) -> Result<Footprint> {
        let known = self.lock().get(&check.id).and_then(|finding| finding.reads_of(check));
        let reads = match known {
            Some(reads) => reads,
            None => {
                let what = check.what();
                let frame = context.sql(&check.sql).await.map_err(Error::query(&what))?;
                let reads = Arc::new(Reads::of(frame).map_err(Error::query(&what))?);
                let (sql, reads_too) = (check.sql.clone(), Arc::clone(&reads));
                let finding = Finding { sql, reads: reads_too, found: None };
                self.lock().insert(check.id.clone(), finding);
                reads
            }
        };
        Ok(view.footprint(&reads, Asked::NOTHING))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Finding>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the same query found in the same rows, if it is known and was kept with enough of its own.
    fn get(&self, check: &Check, footprint: Footprint, limit: usize) -> Option<Outcome> {
        let known = self.lock();
        let known = known.get(&check.id).filter(|finding| finding.sql == check.sql)?;
        let (found_in, outcome) = known.found.as_ref()?;
        if *found_in != footprint {
            return None;
        }
        let has_enough = limit <= ROWS_REMEMBERED || outcome.rows.num_rows() < ROWS_REMEMBERED;
        // What it is called may have changed since.
        let outcome = has_enough.then(|| Outcome { check: check.clone(), ..outcome.clone() })?;
        Some(first_rows(outcome, limit))
    }

    fn keep(&self, outcome: &Outcome, footprint: Footprint) {
        let mut known = self.lock();
        let known = known.get_mut(&outcome.check.id);
        if let Some(finding) = known.filter(|finding| finding.sql == outcome.check.sql) {
            finding.found = Some((footprint, first_rows(outcome.clone(), ROWS_REMEMBERED)));
        }
    }
}

fn first_rows(outcome: Outcome, limit: usize) -> Outcome {
    let rows = outcome.rows.slice(0, limit.min(outcome.rows.num_rows()));
    Outcome { rows, ..outcome }
}

/// What a check found.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The check.
    pub check: Check,
    /// How many rows it returned.
    pub violations: u64,
    /// The first rows, ordered by their columns: `org_id`, `object_id`, then the evidence.
    pub rows: RecordBatch,
    /// Violations by unit; `None` for those that belong to no unit.
    pub by_org: BTreeMap<Option<String>, u64>,
    /// Why the check could not run, or not wholly: then nothing found means nothing.
    pub failed: Option<String>,
}

impl Outcome {
    /// Whether the check ran and found nothing.
    pub fn holds(&self) -> bool {
        self.violations == 0 && self.failed.is_none()
    }

    /// The same with persons and parties as `identities` shows them.
    pub fn shown_to(self, identities: &Identities) -> Result<Self> {
        Ok(Self { rows: identities.of_rows(&self.rows)?, ..self })
    }
}

/// Runs checks on one state of a lake, keeping at most `limit` rows of each.
///
/// A check that cannot run says so in its outcome and leaves the others alone.
pub async fn run(view: &View, checks: &Checks, limit: usize) -> Result<Vec<Outcome>> {
    let context = view.session()?;
    let mut outcomes = Vec::with_capacity(checks.checks.len());
    for check in &checks.checks {
        let outcome = run_or_find(view, &context, check, limit).await;
        outcomes.push(outcome.unwrap_or_else(|error| Outcome {
            check: check.clone(),
            violations: 0,
            rows: RecordBatch::new_empty(Arc::new(Schema::empty())),
            by_org: BTreeMap::new(),
            failed: Some(error.to_string()),
        }));
    }
    Ok(outcomes)
}

async fn run_or_find(
    view: &View,
    context: &SessionContext,
    check: &Check,
    limit: usize,
) -> Result<Outcome> {
    let footprint = view.findings().footprint(view, context, check).await?;
    if let Some(outcome) = view.findings().get(check, footprint, limit) {
        return Ok(outcome);
    }
    let started = Instant::now();
    let outcome = run_one(context, check, limit.max(ROWS_REMEMBERED)).await?;
    tracing::debug!(check = check.id, took = ?started.elapsed(), "checked");
    view.findings().keep(&outcome, footprint);
    Ok(first_rows(outcome, limit))
}

async fn run_one(context: &SessionContext, check: &Check, limit: usize) -> Result<Outcome> {
    let what = check.what();
    let frame = context.sql(&check.sql).await.map_err(Error::query(&what))?;
    let columns: Vec<&str> =
        frame.schema().fields().iter().map(|field| field.name().as_str()).collect();
    if !columns.starts_with(&["org_id", "object_id"]) {
        return Err(Error::definition(
            format!("sql/checks/{}.sql", check.id),
            format!("the columns are {}", columns.join(", ")),
            "return org_id, object_id and then the evidence",
        ));
    }
    let schema = Arc::new(frame.schema().as_arrow().clone());
    let mut rows = plain(&RecordBatch::new_empty(schema))?;
    let mut stream = frame.execute_stream().await.map_err(Error::query(&what))?;
    let (mut violations, mut by_org) = (0, BTreeMap::new());
    while let Some(batch) = stream.next().await {
        let batch = plain(&batch.map_err(Error::query(&what))?)?;
        violations += batch.num_rows() as u64;
        count_orgs(&batch, &mut by_org)?;
        if limit > 0 {
            rows = first_of(&rows, &batch, limit)?;
        }
    }
    Ok(Outcome { check: check.clone(), violations, rows, by_org, failed: None })
}

/// The same rows in types that every batch of a query has: the parts of a `union` may differ in
/// theirs.
fn plain(batch: &RecordBatch) -> Result<RecordBatch> {
    let (mut fields, mut columns) = (Vec::new(), Vec::new());
    for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
        let data_type = match field.data_type() {
            DataType::Null
            | DataType::Utf8View
            | DataType::LargeUtf8
            | DataType::Dictionary(_, _) => &DataType::Utf8,
            other => other,
        };
        fields.push(Field::new(field.name(), data_type.clone(), true));
        columns.push(cast(column, data_type).map_err(Error::internal)?);
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).map_err(Error::internal)
}

/// The first rows of two batches in the order of all their columns, so that the same lake always
/// shows the same ones. Ordering here keeps `limit` rows in memory however many there are.
fn first_of(kept: &RecordBatch, more: &RecordBatch, limit: usize) -> Result<RecordBatch> {
    let all = concat_batches(&kept.schema(), [kept, more]).map_err(Error::internal)?;
    let options = Some(SortOptions { descending: false, nulls_first: false });
    let columns: Vec<SortColumn> = all
        .columns()
        .iter()
        .map(|values| SortColumn { values: Arc::clone(values), options })
        .collect();
    let first = lexsort_to_indices(&columns, Some(limit)).map_err(Error::internal)?;
    take_record_batch(&all, &first).map_err(Error::internal)
}

fn count_orgs(batch: &RecordBatch, by_org: &mut BTreeMap<Option<String>, u64>) -> Result<()> {
    let ids = batch.column(0).as_string_opt::<i32>();
    let ids = ids.ok_or_else(|| Error::internal("column `org_id` is no text"))?;
    for org_id in ids {
        *by_org.entry(org_id.map(str::to_owned)).or_default() += 1;
    }
    Ok(())
}

/// Checks that every metric that says so is the sum of its parts.
///
/// For the last complete month before `as_of` and the end of the log, the number of the whole tree is
/// compared with those of towns, departments, teams and what is none of them on a day. Numbers about
/// persons, which may be withheld, are not compared. A violation has the metric as its object.
pub async fn run_additivity(
    view: &View,
    catalogue: &Catalogue,
    as_of: NaiveDate,
) -> Result<Outcome> {
    let month = last_complete_month(view, as_of)
        .ok_or_else(|| Error::Request(format!("there is no month before {as_of}")))?;
    let scopes = parts(view.tree())?;
    let parameters = BTreeMap::new();
    let request = Request { periods: &[month], scopes: &scopes, parameters: &parameters, as_of };
    let (mut wrong, mut failures) = (Vec::new(), Vec::new());
    let additive = |metric: &&Metric| metric.is_additive() && metric.suppress_below().is_none();
    for metric in catalogue.iter().filter(additive) {
        match metric::evaluate(view, metric, &request).await {
            Ok(samples) => wrong.extend(differences(metric, &samples)),
            Err(error) => failures.push(error.to_string()),
        }
    }
    let violations = wrong.len() as u64;
    let by_org = if wrong.is_empty() { BTreeMap::new() } else { [(None, violations)].into() };
    Ok(Outcome {
        check: Check::additivity(),
        violations,
        rows: difference_rows(month, &wrong)?,
        by_org,
        failed: (!failures.is_empty()).then(|| failures.join("; ")),
    })
}

fn last_complete_month(view: &View, as_of: NaiveDate) -> Option<Period> {
    let after_log = view.facts().last_event_date.and_then(|day| day.succ_opt());
    let end = after_log.map_or(as_of, |day| day.min(as_of)).with_day(1)?;
    Some(Period { start: end.checked_sub_months(Months::new(1))?, end })
}

/// The whole tree, and the scopes that it consists of.
fn parts(tree: &Tree) -> Result<Vec<Scope>> {
    let mut scopes = tree.resolve(&format!("{},towns,departments,teams", tree.whole_id()))?;
    let [whole, kinds @ ..] = &scopes[..] else {
        return Err(Error::internal("the whole tree is no scope"));
    };
    let members = whole
        .members
        .iter()
        .flat_map(|(org_id, span)| {
            let taken = kinds.iter().flat_map(|kind| &kind.members);
            let taken = taken.filter(|(member, _)| member == org_id).map(|(_, span)| *span);
            without(*span, taken.collect()).into_iter().map(|span| (org_id.clone(), span))
        })
        .collect();
    let others = Scope {
        scope_id: "others".to_owned(),
        kind: ScopeKind::Kind,
        is_level: false,
        members,
        ..whole.clone()
    };
    scopes.push(others);
    Ok(scopes)
}

/// What remains of a span without others.
fn without(whole: Period, mut taken: Vec<Period>) -> Vec<Period> {
    taken.sort();
    let mut free = Vec::new();
    let mut start = whole.start;
    for span in taken {
        if start < span.start {
            free.push(Period { start, end: span.start });
        }
        start = start.max(span.end);
    }
    if start < whole.end {
        free.push(Period { start, end: whole.end });
    }
    free
}

/// A number of which the parts are not the whole.
#[derive(Debug)]
struct Difference {
    metric: String,
    number: &'static str,
    /// The whole tree, then its parts.
    values: Vec<f64>,
}

/// Sums of fractions may differ in their last digits.
const TOLERANCE: f64 = 1e-9;

fn differences(metric: &Metric, samples: &[Sample]) -> Vec<Difference> {
    type Pick = fn(&Sample) -> Option<f64>;
    let picks: &[(&'static str, Pick)] = match metric.kind() {
        Kind::Ratio => &[
            ("numerator", |sample| sample.numerator),
            ("denominator", |sample| sample.denominator),
        ],
        Kind::Count | Kind::Gauge => &[("value", |sample| sample.value)],
    };
    let mut wrong = Vec::new();
    for (number, pick) in picks {
        let values: Vec<f64> =
            samples.iter().map(|sample| pick(sample).unwrap_or_default()).collect();
        let [whole, parts @ ..] = &values[..] else { continue };
        let sum: f64 = parts.iter().sum();
        if (whole - sum).abs() > TOLERANCE * whole.abs().max(sum.abs()) {
            wrong.push(Difference { metric: metric.id().to_owned(), number, values });
        }
    }
    wrong
}

fn difference_rows(month: Period, wrong: &[Difference]) -> Result<RecordBatch> {
    let texts = |texts: Vec<Option<&str>>| -> ArrayRef { Arc::new(StringArray::from(texts)) };
    let label = month.start.format("%Y-%m").to_string();
    let part = |place: usize| -> ArrayRef {
        let values = wrong.iter().map(|found| found.values.get(place).copied());
        Arc::new(values.collect::<Float64Array>())
    };
    let columns = [
        ("org_id", texts(wrong.iter().map(|_| None).collect())),
        ("object_id", texts(wrong.iter().map(|found| Some(found.metric.as_str())).collect())),
        ("number", texts(wrong.iter().map(|found| Some(found.number)).collect())),
        ("month", texts(wrong.iter().map(|_| Some(label.as_str())).collect())),
        ("whole", part(0)),
        ("towns", part(1)),
        ("departments", part(2)),
        ("teams", part(3)),
        ("others", part(4)),
    ];
    let fields: Vec<_> = columns
        .iter()
        .map(|(name, column)| Field::new(*name, column.data_type().clone(), true))
        .collect();
    let columns = columns.into_iter().map(|(_, column)| column).collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).map_err(Error::internal)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = r#"-- title_zh = "x"
-- title_en = "x"
-- definition = "x"
-- source = "x"
-- severity = "error"
-- remedy = "x"
"#;

    #[test]
    fn every_shipped_check_has_a_complete_header() {
        let checks = Checks::load(&Definitions::load(None).unwrap()).unwrap();
        assert!(checks.iter().count() > 30);
        let additivity = Check::additivity();
        for check in checks.iter().chain([&additivity]) {
            let texts = [check.title_zh(), check.title_en(), check.source()];
            assert!(texts.iter().all(|text| !text.is_empty()), "{}", check.id());
            // Both say it in Chinese first and in English after it.
            for text in [check.definition(), check.remedy()] {
                assert!(text.contains('。') && text.ends_with('.'), "{}: {text}", check.id());
            }
        }
    }

    #[test]
    fn a_header_with_an_unknown_key_is_refused_naming_file_and_key() {
        let text = format!("{HEADER}-- unit = \"x\"\nselect 1");
        let error = Check::parse("x", &text).unwrap_err().to_string();
        assert!(error.starts_with("sql/checks/x.sql: "), "{error}");
        assert!(error.contains("unknown field `unit`"), "{error}");
    }

    #[test]
    fn a_check_without_a_query_or_severity_is_refused() {
        assert!(Check::parse("x", HEADER).unwrap_err().to_string().contains("no query"));
        let text = HEADER.replace("severity = \"error\"", "severity = \"bad\"");
        let error = Check::parse("x", &format!("{text}select 1")).unwrap_err().to_string();
        assert!(error.contains("unknown variant `bad`"), "{error}");
    }

    #[test]
    fn an_unknown_check_is_an_error_with_a_suggestion() {
        let checks = Checks::load(&Definitions::load(None).unwrap()).unwrap();
        let error = checks.only("officer").unwrap_err().to_string();
        assert!(error.starts_with("there is no check `officer`; did you mean "), "{error}");
        assert_eq!(checks.only("two_officers").unwrap().iter().count(), 1);
    }

    #[track_caller]
    fn check_without(taken: &[(&str, &str)], expected: &[(&str, &str)]) {
        let span = |(start, end): &(&str, &str)| Period {
            start: start.parse().unwrap(),
            end: end.parse().unwrap(),
        };
        let whole = span(&("2024-01-01", "2025-01-01"));
        let free = without(whole, taken.iter().map(span).collect());
        assert_eq!(free, expected.iter().map(span).collect::<Vec<_>>());
    }

    #[test]
    fn what_remains_of_a_span_is_what_no_other_covers() {
        check_without(&[], &[("2024-01-01", "2025-01-01")]);
        check_without(&[("2023-01-01", "2026-01-01")], &[]);
        check_without(
            &[
                ("2024-06-01", "2024-09-01"),
                ("2023-01-01", "2024-02-01"),
                ("2024-07-01", "2024-08-01"),
            ],
            &[("2024-02-01", "2024-06-01"), ("2024-09-01", "2025-01-01")],
        );
    }
}
