//! A real foreign log, receipt.csv, against an independent computation.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::harness::{self, land, metric, shared_data, sql_value};

const FIRST_MONTH: &str = "2010-10-01";
const LAST_MONTH: &str = "2012-02-01";
const END: &str = "2012-03-01";

/// Values by metric, scope and month.
type Numbers = BTreeMap<(String, String, String), f64>;

fn numbers(rows: harness::Rows) -> Numbers {
    rows.into_iter()
        .map(|row| {
            let key = |name: &str| row[name].clone();
            let value = row["value"].parse().unwrap_or_else(|_| panic!("no value: {row:?}"));
            ((key("metric"), key("scope"), key("period_start")), value)
        })
        .collect()
}

fn computed_by_duckdb(file: &Path, zone: &str) -> Numbers {
    let script = harness::repository("tests/oracle/receipt.py");
    let arguments = [zone, FIRST_MONTH, LAST_MONTH];
    let printed = harness::succeed(harness::python().arg(script).arg(file).args(arguments));
    numbers(harness::csv_rows(&String::from_utf8(printed).unwrap()))
}

fn computed_by_lawpulse(lake: &Path, folder: &Path) -> Numbers {
    let definitions = harness::unsuppressed(folder, "officers_active");
    let active = format!(
        "officers_active --param level=L2 --scope district/* --sql {}",
        definitions.display()
    );
    let asked = [active.as_str(), "cases_open --scope district/*", "cases_open --scope district"];
    let months = format!("--grain month --from {FIRST_MONTH} --to {END}");
    asked.iter().flat_map(|asked| numbers(metric(lake, &format!("{asked} {months}")))).collect()
}

/// Every month of every unit is the same number in both computations.
#[track_caller]
fn check(file: PathBuf, zone: &str) {
    let folder = tempfile::tempdir().unwrap();
    let lake = folder.path().join("lake");
    let file_name = file.to_str().unwrap();
    let lake_name = lake.to_str().unwrap();
    harness::lawpulse(["land", "--lake", lake_name, "--source", "wabo", "--zone", zone, file_name]);
    let expected = computed_by_duckdb(&file, zone);
    assert_eq!(expected.len(), 17 * (10 + 10 + 1), "months times units");
    assert!(expected.values().sum::<f64>() > 1_000.0);
    let actual = computed_by_lawpulse(&lake, folder.path());
    for (key, value) in &expected {
        assert_eq!(actual.get(key), Some(value), "{key:?}");
    }
    assert_eq!(actual.len(), expected.len());
}

#[test]
fn every_row_of_receipt_lands_once_and_its_cases_officers_and_units_are_counted() {
    let Some(file) = shared_data("receipt.csv") else { return };
    let folder = tempfile::tempdir().unwrap();
    let lake = folder.path().join("lake");
    let first = land(&lake, "wabo", std::slice::from_ref(&file));
    // 1,434 cases were filed and 1,329 of them closed: one derived event each.
    assert_eq!(first, "landed 8577, duplicate 0, rejected 0, derived 2763");
    let counted = "select count(*) || ' cases, ' || count(closed_at) || ' closed' from cases";
    assert_eq!(sql_value(&lake, counted), "1434 cases, 1329 closed");
    let taking_part = "select count(distinct officer_id) from \
        (select unnest(officer_ids) as officer_id from events)";
    assert_eq!(sql_value(&lake, taking_part), "48");
    assert_eq!(sql_value(&lake, "select count(distinct officer_id) from officers"), "48");
    assert_eq!(sql_value(&lake, "select count(distinct org_id) from events"), "10");
    assert_eq!(sql_value(&lake, "select count(distinct org_id) from orgs"), "10");

    let again = land(&lake, "wabo", &[file]);
    assert_eq!(again, "landed 0, duplicate 8577, rejected 0");
    assert_eq!(sql_value(&lake, "select count(*) from event_log"), "11340");
}

#[test]
fn activity_and_open_cases_equal_those_of_duckdb_in_local_days_of_shanghai() {
    let Some(file) = shared_data("receipt.csv") else { return };
    check(file, "Asia/Shanghai");
}

#[test]
fn activity_and_open_cases_equal_those_of_duckdb_in_a_zone_with_summer_time() {
    let Some(file) = shared_data("receipt.csv") else { return };
    check(file, "Europe/Amsterdam");
}
