//! Other engines on the files of a lake: delta-rs, Polars, DuckDB and Sail (a Spark), by the words of docs/lake.md.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::{Value, json};

use crate::harness::{
    self, Process, Rows, csv_rows, files_below, land, lawpulse, metric, repository, sql, sql_value,
    unsuppressed, write_lines, yubei,
};

/// Values by question and first day.
type Numbers = BTreeMap<(String, String), String>;

/// How many of the answers to one question and period are independent of each other.
const ENGINES: usize = 8;

const YEAR: [&str; 2] = ["2024-01-01", "2025-01-01"];
const QUARTERS: [&str; 5] = ["2024-01-01", "2024-04-01", "2024-07-01", "2024-10-01", "2025-01-01"];

fn open_py(command: &str, lake: &Path) -> std::process::Command {
    let mut python = harness::python();
    python.arg(repository("tests/oracle/open.py")).arg(command);
    python.arg(repository("docs/lake.md")).arg(lake);
    python
}

#[track_caller]
fn rows_of(command: &mut std::process::Command) -> Rows {
    csv_rows(&String::from_utf8(harness::succeed(command)).unwrap())
}

/// What lawpulse says of the year, cut by a grain.
fn numbers_of_lawpulse(lake: &Path, folder: &Path, grain: &str) -> Numbers {
    let mut numbers = Numbers::new();
    let definitions = |id: &str| unsuppressed(folder, id).display().to_string();
    let period = format!("--from {} --to {} --grain {grain}", YEAR[0], YEAR[1]);
    let mut ask = |question: &str, column: &str, asked: &str| {
        for row in metric(lake, &format!("{asked} {period}")) {
            let value = row[column].parse::<f64>().unwrap_or_default();
            let key = (question.to_owned(), row["period_start"].clone());
            numbers.insert(key, value.to_string());
        }
    };
    for level in ["L1", "L2"] {
        let asked = format!("officers_active --param level={level}");
        let sql = definitions("officers_active");
        ask(&format!("officers_active {level}"), "value", &format!("{asked} --sql {sql}"));
    }
    let ratio = format!("officer_activity_ratio --sql {}", definitions("officer_activity_ratio"));
    for part in ["numerator", "denominator"] {
        ask(&format!("officer_activity_ratio {part}"), part, &ratio);
    }
    for question in ["patrols", "cases_closed", "cases_open"] {
        ask(question, "value", question);
    }
    for days in days(grain).windows(2) {
        // No metric is about this level alone.
        let field_work = format!(
            "select set_count(set_union(officers)) from officer_days \
             where level = 'FW' and event_date >= '{}' and event_date < '{}'",
            days[0], days[1]
        );
        let key = ("officers_active FW".to_owned(), days[0].to_owned());
        numbers.insert(key, sql_value(lake, &field_work));
    }
    numbers
}

/// The first days of the periods of the year, and the day after it.
fn days(grain: &str) -> &'static [&'static str] {
    if grain == "year" { &YEAR } else { &QUARTERS }
}

/// Every engine computes from the files what lawpulse says, and changes none of them.
#[track_caller]
fn check(lake: &Path, grain: &str) -> Numbers {
    let folder = tempfile::tempdir().unwrap();
    let expected = numbers_of_lawpulse(lake, folder.path(), grain);
    let before = files_below(lake);
    let mut command = open_py("numbers", lake);
    command.arg(repository("sql/reference/event_types.csv"));
    for days in days(grain).windows(2) {
        command.args(days);
    }
    let mut answered: BTreeMap<(String, String), usize> = BTreeMap::new();
    for row in rows_of(&mut command) {
        let key = (row["question"].clone(), row["first"].clone());
        assert_eq!(expected.get(&key), Some(&row["value"]), "{row:?}");
        *answered.entry(key).or_default() += 1;
    }
    assert_eq!(answered.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
    let of_officers = answered.iter().filter(|((question, _), _)| question.contains("active "));
    assert!(of_officers.into_iter().all(|(_, engines)| *engines == ENGINES), "{answered:?}");
    assert_eq!(files_below(lake), before);
    expected
}

#[test]
fn other_engines_compute_from_the_files_of_yubei_what_lawpulse_says_of_2024() {
    let numbers = check(&yubei().lake, "year");
    let of_year = |question: &str| numbers[&(question.to_owned(), YEAR[0].to_owned())].as_str();
    assert_eq!(of_year("officer_activity_ratio numerator"), "1424");
    assert_eq!(of_year("officer_activity_ratio denominator"), "1600");
}

/// A lake of a few units, landed in a dozen files.
fn lake_of_landings(folder: &Path) -> PathBuf {
    let (log, lake) = (folder.join("log"), folder.join("lake"));
    let size = ["--events", "6000", "--officers", "60", "--orgs", "6", "--seed", "7"];
    let out = ["simulate", "--profile", "scale", "--out", log.to_str().unwrap()];
    lawpulse(out.iter().chain(&size));
    land(&lake, "reference", &[log.join("reference")]);
    let leaves = folder.join("leaves.csv");
    fs::write(&leaves, "officer_id,from_date,to_date\nofficer-3,2024-02-01,2024-12-01\n").unwrap();
    land(&lake, "reference", &[leaves]);
    let mut lines = Vec::new();
    for file in
        files_below(&log).keys().filter(|path| path.extension().is_some_and(|e| e == "ndjson"))
    {
        lines.extend(fs::read_to_string(file).unwrap().lines().map(str::to_owned));
    }
    for (number, part) in lines.chunks(lines.len().div_ceil(12)).enumerate() {
        let path = folder.join(format!("{number}.ndjson"));
        write_lines(&path, part);
        land(&lake, "native", &[path]);
    }
    lake
}

/// The first event of a type in the year, as a line.
fn an_event(lake: &Path, event_type: &str) -> Value {
    let query = format!(
        "select event_id, event_type, occurred_at, org_id, object_id, officer_ids[1] as officer_id \
         from events where event_type = '{event_type}' and event_date between '2024-05-01' and '2024-05-31' \
         order by event_id limit 1"
    );
    let row = sql(lake, &query).remove(0);
    json!({
        "event_id": row["event_id"], "event_type": row["event_type"], "org_id": row["org_id"],
        "occurred_at": "2024-05-15T12:00:00+08:00", "object_id": row["object_id"],
        "officer_ids": [row["officer_id"]], "revision": 1,
    })
}

/// Moves a patrol to the other half of the year and to somebody else, and withdraws the end of a case.
fn revise(lake: &Path, folder: &Path) {
    let mut patrol = an_event(lake, "patrol.recorded");
    patrol["occurred_at"] = "2024-11-11T12:00:00+08:00".into();
    patrol["officer_ids"] = json!(["somebody-new"]);
    let mut closed = an_event(lake, "case.closed");
    closed["operation"] = "delete".into();
    let path = folder.join("revisions.ndjson");
    write_lines(&path, [patrol.to_string(), closed.to_string()]);
    let told = land(lake, "native", &[path]);
    assert_eq!(told, "landed 2, duplicate 0, rejected 0");
}

/// Removes the commits before the checkpoints of every table. Returns how many.
fn shorten_logs(lake: &Path) -> usize {
    let files = files_below(lake);
    let mut removed = 0;
    for hint in files.keys().filter(|path| path.ends_with("_last_checkpoint")) {
        let told: Value = serde_json::from_slice(&fs::read(hint).unwrap()).unwrap();
        let checkpoint = format!("{:020}.json", told["version"].as_u64().unwrap());
        for commit in files.keys().filter(|path| path.parent() == hint.parent()) {
            let name = commit.file_name().unwrap().to_str().unwrap();
            if name.len() == checkpoint.len() && name < checkpoint.as_str() {
                fs::remove_file(commit).unwrap();
                removed += 1;
            }
        }
    }
    removed
}

#[test]
fn they_do_after_many_landings_revisions_maintenance_and_an_erasure() {
    let folder = tempfile::tempdir().unwrap();
    let lake = lake_of_landings(folder.path());
    let before = check(&lake, "quarter");
    revise(&lake, folder.path());
    let revised = check(&lake, "quarter");
    let value = |numbers: &Numbers, question: &str, quarter: usize| -> f64 {
        numbers[&(question.to_owned(), QUARTERS[quarter].to_owned())].parse().unwrap()
    };
    for (question, quarter, change) in [
        ("patrols", 1, -1.0),
        ("patrols", 3, 1.0),
        ("cases_closed", 1, -1.0),
        ("cases_open", 3, 1.0),
    ] {
        let changed = value(&revised, question, quarter) - value(&before, question, quarter);
        assert_eq!(changed, change, "{question} {quarter}");
    }
    let lake_name = lake.to_str().unwrap();
    lawpulse(["maintain", "--lake", lake_name]);
    // What maintenance does when the history that is kept is over: then the checkpoints are all that tells.
    assert!(shorten_logs(&lake) > 12);
    assert_eq!(check(&lake, "quarter"), revised);
    lawpulse(["erase", "--lake", lake_name, "--officer", "somebody-new", "--yes"]);
    assert_eq!(check(&lake, "quarter"), revised);
}

#[test]
fn they_do_when_old_months_are_in_an_archive() {
    let folder = tempfile::tempdir().unwrap();
    let lake = lake_of_landings(folder.path());
    let before = check(&lake, "quarter");
    let archive = folder.path().join("archive");
    fs::create_dir(&archive).unwrap();
    let config = folder.path().join("lawpulse.toml");
    fs::write(
        &config,
        "[maintenance]\narchive_after = \"1 month\"\narchive_folder = \"archive\"\n",
    )
    .unwrap();
    let maintain = ["maintain", "--lake", lake.to_str().unwrap(), "--format", "csv", "--config"];
    let told = csv_rows(&lawpulse(maintain.iter().copied().chain([config.to_str().unwrap()])));
    assert_eq!(told[0]["table"], "events");
    assert!(told[0]["moved_months"].parse::<u64>().unwrap() >= 12, "{told:?}");
    assert!(told[0]["packed_files"].parse::<u64>().unwrap() >= 12, "{told:?}");
    assert_eq!(check(&lake, "quarter"), before);
    // What comes late is written to the archive.
    revise(&lake, folder.path());
    check(&lake, "quarter");
}

#[test]
fn what_was_opened_before_maintenance_and_landings_is_read_to_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let lake = lake_of_landings(folder.path());
    let mut command = open_py("held", &lake);
    let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut held = Process(child);
    let mut told = BufReader::new(held.0.stdout.take().unwrap());
    let mut line = String::new();
    told.read_line(&mut line).unwrap();
    assert_eq!(line, "opened\n");
    let tables = ["event_log", "officer_days", "officer_days_flat", "cases", "orgs"];
    let counts =
        |lake: &Path| tables.map(|table| sql_value(lake, &format!("select count(*) from {table}")));
    let opened = counts(&lake);
    lawpulse(["maintain", "--lake", lake.to_str().unwrap()]);
    revise(&lake, folder.path());
    assert_ne!(counts(&lake), opened);
    held.0.stdin.take().unwrap().write_all(b"\n").unwrap();
    let rows = csv_rows(&std::io::read_to_string(told).unwrap());
    assert!(held.0.wait().unwrap().success());
    for (table, expected) in tables.iter().zip(&opened) {
        let name = if *table == "event_log" { "events" } else { *table };
        let read: Vec<_> = rows
            .iter()
            .filter(|row| row["table"].rsplit('/').next() == Some(name))
            .map(|row| &row["rows"])
            .collect();
        assert_eq!(read, [expected; 3], "{table}");
    }
}

#[test]
fn the_page_names_every_column_of_every_table_with_its_type() {
    for row in rows_of(&mut open_py("columns", &yubei().lake)) {
        assert_eq!(row["type"], row["written"], "{} {}", row["table"], row["column"]);
    }
}
