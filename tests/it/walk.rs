//! The whole walk on the simulated Yubei: the figures of the 2024 report, the rejects, and landing again.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::harness::{self, Server, command, csv_rows, land, metric, sql_value, succeed, yubei};

const YEAR: &str = "--from 2024-01-01 --to 2025-01-01";
const IN_YEAR: &str = "event_date >= '2024-01-01' and event_date < '2025-01-01'";

/// The metric has this value over 2024; a ratio is given as `numerator/denominator`.
#[track_caller]
fn check(asked: &str, expected: &str) {
    let rows = metric(&yubei().lake, &format!("{asked} {YEAR}"));
    assert_eq!(rows.len(), 1, "{asked}");
    let number = |column: &str| rows[0][column].parse::<f64>().ok();
    let Some((numerator, denominator)) = expected.split_once('/') else {
        assert_eq!(number("value"), expected.parse().ok(), "{asked}");
        return;
    };
    let (numerator, denominator): (f64, f64) =
        (numerator.parse().unwrap(), denominator.parse().unwrap());
    assert_eq!(number("numerator"), Some(numerator), "{asked}");
    assert_eq!(number("denominator"), Some(denominator), "{asked}");
    assert_eq!(number("value"), Some(numerator / denominator), "{asked}");
}

#[track_caller]
fn check_sql(query: &str, expected: &str) {
    assert_eq!(sql_value(&yubei().lake, &format!("{query} and {IN_YEAR}")), expected);
}

#[test]
fn the_towns_recorded_3253_patrols() {
    check("patrols --scope towns", "3253");
}

#[test]
fn the_towns_closed_1915_cases() {
    check("cases_closed --scope towns", "1915");
}

#[test]
fn officer_activity_is_89_percent_in_the_district_and_in_the_towns() {
    check("officer_activity_ratio --param level=L2", "1424/1600");
    check("officer_activity_ratio --scope towns", "445/500");
}

#[test]
fn all_58_enforcement_subjects_are_onboarded() {
    check("orgs_onboarded_ratio", "58/58");
}

#[test]
fn joint_inspections_are_more_than_20_and_fewer_than_30() {
    let rows = metric(&yubei().lake, &format!("joint_inspections {YEAR}"));
    let value: f64 = rows[0]["value"].parse().unwrap();
    assert!(value > 20.0 && value < 30.0, "{value}");
}

#[test]
fn certificates_opinions_reviews_and_training_are_those_of_the_report() {
    check_sql("select count(*) from events where event_type = 'certificate.revoked'", "44");
    check_sql("select count(*) from events where event_type = 'opinion.issued'", "11");
    check_sql("select count(*) from events where event_type = 'social_review.held'", "1");
    check_sql(
        "select count(distinct officer_id) from (select unnest(officer_ids) as officer_id, event_type, \
         event_date from events) where event_type = 'training.completed'",
        "1600",
    );
}

#[test]
fn every_line_is_landed_a_duplicate_or_kept_as_a_reject() {
    let yubei = yubei();
    let counts: Vec<usize> = yubei
        .summary
        .split(|letter: char| !letter.is_ascii_digit())
        .filter_map(|digits| digits.parse().ok())
        .collect();
    let [landed, duplicate, rejected] = counts[..] else { panic!("{}", yubei.summary) };
    let expected = format!("landed {landed}, duplicate {duplicate}, rejected {rejected}");
    assert_eq!(yubei.summary, expected);
    assert!(duplicate > 0 && rejected > 0, "{expected}");
    let mut lines = HashSet::new();
    let mut total = 0;
    for file in harness::files_below(&yubei.log).into_keys() {
        if file.extension().is_some_and(|extension| extension == "ndjson") {
            let text = fs::read(&file).unwrap();
            let written = text.strip_suffix(b"\n").unwrap_or(&text).split(|byte| *byte == b'\n');
            total += written.clone().count();
            lines.extend(written.map(<[u8]>::to_vec));
        }
    }
    assert_eq!(total, landed + duplicate + rejected);

    let lake = yubei.lake.to_str().unwrap();
    let listed = harness::lawpulse(["rejects", "list", "--lake", lake, "--format", "csv"]);
    let listed = csv_rows(&listed);
    assert_eq!(listed.len(), rejected);
    assert!(listed.iter().all(|row| !row["reason"].is_empty() && !row["line"].is_empty()));
    let exported = succeed(&mut command(["rejects", "export", "--lake", lake]));
    let exported: Vec<_> =
        exported.strip_suffix(b"\n").unwrap().split(|byte| *byte == b'\n').collect();
    assert_eq!(exported.len(), rejected);
    assert!(exported.iter().all(|line| lines.contains(*line)), "a reject is not its original line");
    let reason = &listed[0]["reason"];
    let of_reason = ["rejects", "export", "--lake", lake, "--reason", reason];
    let of_reason = succeed(&mut command(of_reason));
    let count = listed.iter().filter(|row| &row["reason"] == reason).count();
    assert_eq!(of_reason.iter().filter(|byte| **byte == b'\n').count(), count);
}

#[test]
fn landing_the_folder_again_lands_nothing_and_changes_no_metric() {
    let yubei = yubei();
    let folder = tempfile::tempdir().unwrap();
    let lake = yubei.copy(folder.path());
    let before = numbers(&lake);
    let again = land(&lake, "native", &[yubei.log]);
    assert!(again.starts_with("landed 0, "), "{again}");
    assert_eq!(numbers(&lake), before);
    let rejects = "select count(*) from rejects";
    assert_eq!(sql_value(&lake, rejects), sql_value(&yubei.lake, rejects));
}

/// Every metric of the catalogue over both years.
fn numbers(lake: &Path) -> BTreeMap<String, Vec<Value>> {
    let server = Server::start_as_of(lake);
    server.all_metrics("from=2024-01-01&to=2026-01-01&grain=year&scope=district")
}
