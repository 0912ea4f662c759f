//! Runs every `.slt` file of `tests/slt`, each on a lake of its own. `SLT=WORD` runs only those whose
//! name contains the word.
//!
//! Besides SQL a file has four commands, written as statements and queries:
//!
//! ```text
//! statement ok
//! events
//! 2024-03-05T09:00 patrol.recorded longta wang,li p-1 result=none
//!
//! statement ok
//! reference orgs
//! org_id,kind
//! longta,town
//!
//! statement ok
//! now 2024-03-08T10:00:00+08:00
//!
//! query TTR
//! metric officers_active 2024-03-01 2024-04-01 month district,towns/* level=L1
//! ----
//! …
//! ```
//!
//! - `events`: lines to land: local time, type, unit, officers, object, then `key=value`: `id`,
//!   `revision`, `operation` and `party` as such, everything else an attribute. `-` stands for
//!   nothing. A line that starts with `{` lands as it is.
//! - `reference TABLE`: rows of a reference table as CSV.
//! - `now`: when later lines land.
//! - `metric ID FROM TO GRAIN SCOPES [key=value]`: the samples as rows of scope, first day and value;
//!   a ratio has its numerator and denominator before the value. `as_of` is a key like a parameter.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use pipeline::query::View;
use sqllogictest::{DB, DBOutput, DefaultColumnType, Runner};

use crate::harness::{Line, TestLake, ask, cells, day, line, native, number, question, time};

#[derive(Debug)]
struct Failed(String);

impl fmt::Display for Failed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for Failed {}

impl From<pipeline::Error> for Failed {
    fn from(error: pipeline::Error) -> Self {
        let mut text = error.to_string();
        let mut cause = std::error::Error::source(&error);
        while let Some(found) = cause {
            text.push_str(&format!(": {found}"));
            cause = found.source();
        }
        Self(text)
    }
}

type Output = DBOutput<DefaultColumnType>;

/// A lake that knows the commands, and the view of what has landed so far.
struct Session {
    lake: TestLake,
    view: Option<Arc<View>>,
    lines: u32,
}

impl Session {
    fn new() -> Self {
        Self { lake: TestLake::new(), view: None, lines: 0 }
    }

    fn view(&mut self) -> Arc<View> {
        if self.view.is_none() {
            self.lake.refresh();
            self.view = Some(self.lake.view());
        }
        Arc::clone(self.view.as_ref().expect("a view"))
    }

    fn land(&mut self, lines: &str) -> Result<Output, Failed> {
        self.view = None;
        let mut body = String::new();
        for written in lines.lines() {
            self.lines += 1;
            if written.starts_with('{') {
                body.push_str(written);
            } else {
                body.push_str(&event(written, self.lines)?.text());
            }
            body.push('\n');
        }
        let outcome = self.lake.land_as(&native(), "events.ndjson", body.as_bytes())?;
        Ok(DBOutput::StatementComplete(outcome.landed))
    }

    fn metric(&mut self, words: &str) -> Result<Output, Failed> {
        let words: Vec<&str> = words.split_whitespace().collect();
        let [metric, from, to, grain, scope, options @ ..] = &words[..] else {
            return Err(Failed("write: metric ID FROM TO GRAIN SCOPES [key=value]".to_owned()));
        };
        let mut asked = question(metric, from, to);
        (asked.grain, asked.scope) = (grain, scope);
        for option in options {
            match option.split_once('=') {
                Some(("as_of", value)) => asked.as_of = day(value),
                Some((key, value)) => {
                    asked.parameters.insert(key.to_owned(), value.to_owned());
                }
                None => return Err(Failed(format!("`{option}` is not key=value"))),
            }
        }
        let (is_ratio, samples) = ask(&self.view(), &asked)?;
        let rows = samples.iter().map(|sample| {
            let numbers = if is_ratio {
                vec![sample.numerator, sample.denominator, sample.value]
            } else {
                vec![sample.value]
            };
            let mut row = vec![sample.scope_id.clone(), sample.period.start.to_string()];
            row.extend(
                numbers.into_iter().map(|value| value.map_or_else(|| "NULL".to_owned(), number)),
            );
            row
        });
        Ok(table(rows.collect()))
    }
}

fn table(rows: Vec<Vec<String>>) -> Output {
    let columns = rows.first().map_or(0, Vec::len);
    DBOutput::Rows { types: vec![DefaultColumnType::Any; columns], rows }
}

/// Reads an event in the short form that the module describes.
fn event(written: &str, number: u32) -> Result<Line, Failed> {
    let words: Vec<&str> = written.split_whitespace().collect();
    let [at, event_type, org_id, officers, object, rest @ ..] = &words[..] else {
        return Err(Failed(format!("`{written}` has no time, type, unit, officers and object")));
    };
    let mut made = line(&format!("e-{number}"), event_type, &format!("{at}:00+08:00"), org_id);
    if *officers != "-" {
        made = made.officers(&officers.split(',').collect::<Vec<_>>());
    }
    if *object != "-" {
        made = made.object(object);
    }
    for word in rest {
        let Some((key, value)) = word.split_once('=') else {
            return Err(Failed(format!("`{word}` is not key=value")));
        };
        made = match key {
            "id" => made.with("event_id", value),
            "revision" => made.revision(value.parse().map_err(|_| Failed(value.to_owned()))?),
            "operation" => made.with("operation", value),
            "party" => made.with("party_id", value),
            _ => made.attribute(key, value),
        };
    }
    Ok(made)
}

impl DB for Session {
    type Error = Failed;
    type ColumnType = DefaultColumnType;

    fn run(&mut self, text: &str) -> Result<Output, Failed> {
        let (first, rest) = text.split_once('\n').unwrap_or((text, ""));
        let (command, words) = first.split_once(' ').unwrap_or((first, ""));
        match command {
            "events" => self.land(rest),
            "reference" => {
                self.view = None;
                self.lake.reference(words, rest);
                Ok(DBOutput::StatementComplete(0))
            }
            "now" => {
                self.lake.now = time(words);
                Ok(DBOutput::StatementComplete(0))
            }
            "metric" => self.metric(words),
            _ => Ok(table(cells(&self.view(), text)?)),
        }
    }
}

#[test]
fn every_slt_file_holds() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/slt");
    let mut files: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    let word = std::env::var("SLT").unwrap_or_default();
    files
        .retain(|file| file.file_name().is_some_and(|name| name.to_string_lossy().contains(&word)));
    files.sort();
    assert!(!files.is_empty());
    // Most of the time goes into planning, which uses one core for each file.
    let next = std::sync::atomic::AtomicUsize::new(0);
    let run = || -> Vec<String> {
        let mut failures = Vec::new();
        while let Some(file) = files.get(next.fetch_add(1, std::sync::atomic::Ordering::Relaxed)) {
            let mut runner = Runner::new(|| async { Ok(Session::new()) });
            if let Err(error) = runner.run_file(file) {
                failures.push(error.display(false).to_string());
            }
        }
        failures
    };
    let failures: Vec<String> = std::thread::scope(|scope| {
        let runs: Vec<_> = (0..2).map(|_| scope.spawn(run)).collect();
        runs.into_iter().flat_map(|run| run.join().expect("a run of files")).collect()
    });
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}
