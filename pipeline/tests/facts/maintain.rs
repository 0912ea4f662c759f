//! Maintenance changes files and no number.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use pipeline::lake::Lake;
use pipeline::maintain::{self, Done, Policy};
use proptest::prelude::*;
use proptest::test_runner::Config;

use crate::harness::{Line, TestLake, ask, line, native, ndjson, question, time, wait};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// As `lawpulse maintain` does.
pub(crate) const ALL: Policy = Policy {
    history: Duration::from_secs(7 * 24 * 60 * 60),
    rejects_keep: None,
    small_files: 2,
    archive: None,
};

/// A moment long after everything that a test does, for the files' times are those of the machine.
pub(crate) fn later() -> chrono::DateTime<chrono::Utc> {
    time("2200-01-01T00:00:00Z")
}

pub(crate) fn event(number: u32) -> Line {
    let day = format!("2024-{:02}-{:02}", 1 + number % 3, 1 + number % 27);
    let officers = [format!("o-{}", number % 7), format!("o-{}", number % 5)];
    let org = ["longta", "yuehu"][number as usize % 2];
    let kind = ["patrol.recorded", "officer.login", "case.filed"][number as usize % 3];
    line(&format!("e-{number}"), kind, &day, org).officers(&officers).object(&format!("x-{number}"))
}

/// Everything that numbers are made of.
pub(crate) fn numbers(lake: &TestLake) -> BTreeMap<&'static str, Vec<String>> {
    let mut found: BTreeMap<_, _> = [
        ("events", "select * from event_log order by event_id, revision, event_month"),
        (
            "officer_days",
            "select event_date, org_id, level, encode(officers, 'hex') from officer_days order by 1, 2, 3",
        ),
        ("org_days", "select * from org_days order by 1, 2, 3"),
        ("cases", "select * from cases order by 1, 2, 3"),
        ("officer_numbers", "select * from officer_numbers order by 1"),
        ("officers", "select * from officers order by 1, 2"),
    ]
    .into_iter()
    .map(|(name, sql)| (name, lake.rows(sql)))
    .collect();
    for metric in ["officer_activity_ratio", "patrols"] {
        let samples = ask(&lake.view(), &question(metric, "2024-01-01", "2025-01-01"));
        found.insert(metric, vec![format!("{samples:?}")]);
    }
    found
}

pub(crate) fn of<'d>(done: &'d [Done], table: &str) -> &'d Done {
    done.iter().find(|done| done.table == table).expect(table)
}

/// The data files of a folder and everything below it.
pub(crate) fn parquet_files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.ends_with("_delta_log") {
            found.extend(parquet_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "parquet") {
            found.push(path);
        }
    }
    found
}

/// A lake that knows its officers before they act, so that they have the same numbers however they come.
pub(crate) fn registered() -> TestLake {
    let lake = TestLake::new();
    let officers: String = (0..7).map(|number| format!("o-{number},longta\n")).collect();
    lake.reference("officers", &format!("officer_id,org_id\n{officers}"));
    lake
}

/// A lake of many small landings, each with its refresh.
fn landed_in_pieces() -> TestLake {
    let mut lake = TestLake::new();
    for piece in 0..12 {
        lake.land(&[event(2 * piece), event(2 * piece + 1)]);
        lake.refresh();
    }
    lake
}

#[test]
fn a_lake_of_a_later_layout_is_refused() {
    let lake = TestLake::new();
    let commit = lake.root().join("events/_delta_log/00000000000000000000.json");
    let text = std::fs::read_to_string(&commit).unwrap();
    let (of_now, later) = (r#""lawpulse.layout":"1""#, r#""lawpulse.layout":"2""#);
    assert_eq!(text.matches(of_now).count(), 1, "{text}");
    std::fs::write(&commit, text.replace(of_now, later)).unwrap();
    let told = wait(Lake::open(lake.root())).unwrap_err().to_string();
    assert!(told.contains("layout 2"), "{told}");
}

#[test]
fn small_files_become_one_and_all_numbers_stay() {
    let mut lake = landed_in_pieces();
    let before = numbers(&lake);
    let done = lake.maintain(ALL, lake.now).unwrap();
    let events = of(&done, "events");
    assert_eq!((events.files_before > 12, events.files_after), (true, 3), "one file a month");
    assert_eq!(events.merged, events.files_before);
    assert_eq!(of(&done, "rollups/officer_numbers").files_after, 1);
    assert_eq!(numbers(&lake), before);
    // A refresh computes nothing anew, and another round finds nothing to do.
    assert!(lake.refresh().iter().all(|refreshed| refreshed.touched == Some(0)));
    assert_eq!(numbers(&lake), before);
    let again = lake.maintain(ALL, lake.now).unwrap();
    assert!(again.iter().all(Done::is_nothing), "{again:?}");
    // What has landed is still known.
    assert_eq!(lake.land(&[event(1), event(99)]).duplicate, 1);
}

#[test]
fn a_few_small_files_are_left_alone() {
    let mut lake = TestLake::new();
    for number in 0..7 {
        lake.land(&[event(3 * number)]);
    }
    assert_eq!(of(&lake.maintain(Policy::default(), lake.now).unwrap(), "events").merged, 0);
    lake.land(&[event(21)]);
    let done = lake.maintain(Policy::default(), lake.now).unwrap();
    assert_eq!((of(&done, "events").merged, of(&done, "events").files_after), (8, 1));
}

#[test]
fn a_view_reads_what_it_was_made_of_until_the_files_are_swept() {
    let mut lake = landed_in_pieces();
    let (view, sql) = (lake.view(), "select count(*) from event_log");
    let merged = lake.maintain(ALL, lake.now).unwrap();
    assert!(of(&merged, "events").merged > 0);
    assert_eq!(crate::harness::rows(&view, sql), ["24"]);
    assert_eq!(of(&merged, "events").removed_files, 0);
    let swept = lake.maintain(ALL, later()).unwrap();
    assert_eq!(of(&swept, "events").removed_files, of(&merged, "events").merged);
    assert_eq!(parquet_files(&lake.root().join("events")).len(), 3);
    assert_eq!(lake.rows(sql), ["24"]);
}

#[test]
fn files_that_no_commit_names_are_removed_once_they_are_old() {
    let mut lake = landed_in_pieces();
    let left = lake.root().join("events/event_month=2024-01/left-by-a-crash.parquet");
    std::fs::write(&left, b"PAR1").unwrap();
    lake.maintain(ALL, lake.now).unwrap();
    assert!(left.exists(), "somebody may be about to commit it");
    lake.maintain(ALL, later()).unwrap();
    assert!(!left.exists());
}

#[test]
fn a_log_is_shortened_to_what_history_needs_and_the_table_stays_readable() {
    let mut lake = landed_in_pieces();
    let before = numbers(&lake);
    let view = lake.view();
    let entries = |lake: &TestLake| {
        let log = std::fs::read_dir(lake.root().join("events/_delta_log")).unwrap();
        log.filter(|entry| entry.as_ref().unwrap().path().extension().is_some_and(|e| e == "json"))
            .count()
    };
    let many = entries(&lake);
    let done = lake.maintain(ALL, later()).unwrap();
    assert!(of(&done, "events").removed_log_entries > 10, "{done:?}");
    assert!(entries(&lake) < many);
    assert_eq!(numbers(&lake), before);
    // Who has looked at the lake before does not need the log again; the files are another matter.
    assert!(view.version() < lake.view().version());
    lake.land(&[event(77)]);
    lake.refresh();
    assert_eq!(lake.rows("select count(*) from events"), ["25"]);
    assert_eq!(lake.land(&[event(0)]).duplicate, 1);
}

#[test]
fn refused_lines_go_when_they_are_older_than_they_are_kept() {
    let mut lake = TestLake::new();
    lake.now = time("2026-01-01T00:00:00Z");
    lake.land_as(&native(), "old.ndjson", b"{old\n").unwrap();
    lake.now = time("2026-03-01T00:00:00Z");
    lake.land_as(&native(), "new.ndjson", b"{new\n").unwrap();
    lake.land(&[event(1)]);
    lake.refresh();
    let keep = Policy { rejects_keep: Some(100 * DAY), ..ALL };
    let done = lake.maintain(keep, lake.now).unwrap();
    assert_eq!((of(&done, "events").rejects_expired, of(&done, "events").merged), (0, 2));
    let keep = Policy { rejects_keep: Some(30 * DAY), ..ALL };
    assert_eq!(of(&lake.maintain(keep, lake.now).unwrap(), "events").rejects_expired, 1);
    let texts = "select arrow_cast(text, 'Utf8') as text from rejects";
    assert_eq!(lake.rows(texts), ["{new"]);
    // No event was touched by it.
    assert!(lake.refresh().iter().all(|refreshed| refreshed.touched == Some(0)));
}

#[test]
fn a_rehearsal_changes_nothing_and_tells_what_a_round_does() {
    let mut lake = landed_in_pieces();
    let opened = wait(Lake::open(lake.root())).unwrap();
    let before = parquet_files(lake.root()).len();
    let told = wait(maintain::rehearse(&opened, ALL, lake.now)).unwrap();
    assert_eq!(parquet_files(lake.root()).len(), before);
    let done = lake.maintain(ALL, lake.now).unwrap();
    let both = (of(&told, "events"), of(&done, "events"));
    assert_eq!(both.0.merged, both.1.merged);
    assert_eq!(both.0.files_after, both.1.files_after);
}

proptest! {
    #![proptest_config(Config { cases: 3, max_shrink_iters: 8, failure_persistence: None, ..Config::default() })]

    /// Landings and rounds in any order give what one landing of everything gives.
    #[test]
    fn many_small_landings_with_rounds_between_are_one_large_landing(
        steps in proptest::collection::vec((0..40u32, 1..6u32, any::<bool>()), 1..7),
    ) {
        let mut lake = registered();
        let mut whole = Vec::new();
        for (first, n, is_round) in steps {
            let lines: Vec<Line> = (first..first + n).map(event).collect();
            lake.land_as(&native(), "piece.ndjson", &ndjson(&lines)).unwrap();
            whole.extend(lines);
            if is_round {
                lake.maintain(ALL, lake.now).unwrap();
                lake.refresh();
            }
        }
        lake.maintain(ALL, lake.now).unwrap();
        lake.refresh();
        let mut large = registered();
        large.land(&whole);
        large.refresh();
        prop_assert_eq!(numbers(&lake), numbers(&large));
    }
}
