//! Old months are packed and moved, and no number changes.

use std::fs;
use std::path::{Path, PathBuf};

use pipeline::erase::Person;
use pipeline::lake::Lake;
use pipeline::maintain::{self, Age, Archive, Done, Policy, Round};
use pipeline::past::Moment;
use proptest::prelude::*;
use proptest::test_runner::Config;

use crate::harness::{Line, TestLake, native, ndjson, time, wait};
use crate::maintain::{ALL, event, later, numbers, of, parquet_files, registered};

/// Since the end of January and of February of 2024 whole months have passed, since that of March none.
const NOW: &str = "2024-04-30T15:59:59Z";

fn policy(months: u32, folder: Option<PathBuf>) -> Policy {
    let after = Age::months(months).expect("an age");
    Policy { archive: Some(Archive { after, folder, class: None }), ..ALL }
}

/// A lake of many small landings in three months.
fn landed_in_pieces() -> TestLake {
    let mut lake = registered();
    for piece in 0..6 {
        let lines: Vec<Line> = (4 * piece..4 * piece + 4).map(event).collect();
        lake.land(&lines);
    }
    lake.refresh();
    lake
}

/// The same in one landing.
fn landed_at_once() -> TestLake {
    let mut lake = registered();
    let lines: Vec<Line> = (0..24).map(event).collect();
    lake.land(&lines);
    lake.refresh();
    lake
}

/// An archive beside the lake.
fn archive_of(lake: &TestLake) -> PathBuf {
    let folder = lake.root().with_file_name("archive");
    fs::create_dir_all(&folder).unwrap();
    folder
}

fn month(lake: &TestLake, label: &str) -> PathBuf {
    lake.root().join(format!("events/event_month={label}"))
}

fn is_link(path: &Path) -> bool {
    fs::symlink_metadata(path).unwrap().is_symlink()
}

fn archive(lake: &mut TestLake, policy: &Policy) -> Vec<Done> {
    lake.maintain(policy.clone(), time(NOW)).unwrap()
}

/// How many of the files that a month is made of are packed, and how many there are.
fn packed(lake: &TestLake, label: &str) -> (usize, usize) {
    let opened = wait(Lake::open(lake.root())).unwrap();
    let files = opened.events().files().unwrap();
    let of_month = files.iter().filter(|file| file.partition.as_deref() == Some(label));
    let packed = of_month.clone().filter(|file| file.is_packed());
    (packed.count(), of_month.count())
}

/// The numbers, as they are and when every rollup is computed anew.
fn check_numbers(lake: &mut TestLake, expected: &TestLake) {
    lake.refresh();
    assert_eq!(numbers(lake), numbers(expected));
    fs::remove_dir_all(lake.root().join("rollups")).unwrap();
    lake.refresh();
    assert_eq!(numbers(lake), numbers(expected));
}

#[test]
fn old_months_are_packed_once_and_all_numbers_stay() {
    let (mut lake, expected) = (landed_in_pieces(), landed_at_once());
    let done = archive(&mut lake, &policy(1, None));
    assert!(of(&done, "events").packed > 8, "{done:?}");
    assert_eq!(packed(&lake, "2024-01"), (1, 1));
    assert_eq!(packed(&lake, "2024-02"), (1, 1));
    assert_eq!(packed(&lake, "2024-03"), (0, 1), "April is not over");
    assert!(lake.refresh().iter().all(|refreshed| refreshed.touched == Some(0)));
    let again = archive(&mut lake, &policy(1, None));
    assert!(again.iter().all(Done::is_nothing), "{again:?}");
    check_numbers(&mut lake, &expected);
    assert_eq!(lake.land(&[event(0), event(1)]).duplicate, 2);
}

#[test]
fn a_month_is_old_when_so_many_whole_months_of_the_local_calendar_have_passed() {
    let mut lake = landed_in_pieces();
    archive(&mut lake, &policy(2, None));
    assert_eq!((packed(&lake, "2024-01").0, packed(&lake, "2024-02").0), (1, 0));
    // A second later it is May in the lake's zone.
    lake.maintain(policy(2, None), time("2024-04-30T16:00:00Z")).unwrap();
    assert_eq!((packed(&lake, "2024-02").0, packed(&lake, "2024-03").0), (1, 0));
}

#[test]
fn what_comes_late_to_an_old_month_is_packed_in_the_next_round() {
    let (mut lake, mut expected) = (landed_in_pieces(), landed_at_once());
    archive(&mut lake, &policy(1, None));
    let late = [event(30), event(31).revision(1), event(3).revision(2)];
    for lake in [&mut lake, &mut expected] {
        lake.land(&late);
        lake.refresh();
    }
    assert_eq!(packed(&lake, "2024-01").0, 1);
    assert!(packed(&lake, "2024-01").1 > 1);
    let done = archive(&mut lake, &policy(1, None));
    assert!(of(&done, "events").packed > 0);
    for label in ["2024-01", "2024-02"] {
        let (packed, all) = packed(&lake, label);
        assert_eq!(packed, all, "{label}");
    }
    check_numbers(&mut lake, &expected);
}

#[test]
fn a_rehearsal_tells_what_is_archived() {
    let mut lake = landed_in_pieces();
    let policy = policy(1, Some(archive_of(&lake)));
    let opened = wait(Lake::open(lake.root())).unwrap();
    let told = wait(maintain::rehearse(&opened, policy.clone(), time(NOW))).unwrap();
    assert!(!is_link(&month(&lake, "2024-01")));
    let done = archive(&mut lake, &policy);
    let (told, done) = (of(&told, "events"), of(&done, "events"));
    assert_eq!((told.packed, told.moved_months), (done.packed, done.moved_months));
    assert_eq!((told.files_after, done.moved_months), (done.files_after, 2));
}

#[test]
fn moved_months_are_landed_in_refreshed_swept_and_read_as_of_before() {
    let (mut lake, mut expected) = (landed_in_pieces(), landed_at_once());
    let folder = archive_of(&lake);
    let policy = policy(1, Some(folder.clone()));
    let version = lake.view().version();
    archive(&mut lake, &policy);
    let links = ["2024-01", "2024-02", "2024-03"].map(|label| is_link(&month(&lake, label)));
    assert_eq!(links, [true, true, false]);
    assert!(parquet_files(&folder).len() > 10, "what older versions read went along");
    let before = crate::harness::rows(
        &lake.view_of(Moment::Version(version)).unwrap(),
        "select count(*) from events",
    );
    assert_eq!(before, ["24"]);
    for lake in [&mut lake, &mut expected] {
        assert_eq!(lake.land(&[event(0), event(30), event(3).revision(2)]).duplicate, 1);
        lake.refresh();
    }
    let swept = lake.maintain(policy.clone(), later()).unwrap();
    assert!(of(&swept, "events").removed_files > 10, "{swept:?}");
    archive(&mut lake, &policy);
    lake.maintain(policy, later()).unwrap();
    let there = parquet_files(&folder).len();
    assert_eq!(there, parquet_files(&lake.root().join("events")).len());
    assert_eq!(there, 3, "all months are old by then");
    check_numbers(&mut lake, &expected);
}

#[test]
fn a_person_who_is_erased_is_in_no_file_of_the_archive() {
    let mut lake = landed_in_pieces();
    let folder = archive_of(&lake);
    let policy = policy(1, Some(folder.clone()));
    archive(&mut lake, &policy);
    let distinct = "select count(distinct o) from (select unnest(officer_ids) as o from events)";
    let before = lake.rows(distinct);
    let person = Person::Officer("o-1".to_owned());
    assert!(lake.erase(&person).unwrap().removed_files > 0);
    assert_eq!(lake.rows(distinct), before);
    for file in parquet_files(&folder) {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        let sql = format!("select 1 from '{}' where array_has(officer_ids, 'o-1')", file.display());
        assert!(!reads_a_row(&sql), "{name}");
    }
    assert!(lake.rows("select 1 from events where array_has(officer_ids, 'o-1')").is_empty());
    // What was written anew is packed again.
    archive(&mut lake, &policy);
    assert_eq!(packed(&lake, "2024-01").0, packed(&lake, "2024-01").1);
    assert_eq!(lake.rows(distinct), before);
}

#[test]
fn an_erasure_leaves_no_copy_that_an_interrupted_move_has_made() {
    let mut lake = landed_in_pieces();
    let folder = archive_of(&lake);
    let policy = policy(1, Some(folder.clone()));
    let (opened, lock) = lake.as_writer();
    let mut round = wait(Round::new(opened, policy.clone(), time(NOW))).unwrap();
    while fs::read_dir(&folder).unwrap().count() == 0 {
        wait(round.step(opened, lock, None)).unwrap();
    }
    // Everything of January is copied, and nobody has made use of it.
    while parquet_files(&folder).len() < 6 {
        std::thread::yield_now();
    }
    drop(round);
    lake.erase(&Person::Officer("o-1".to_owned())).unwrap();
    assert!(!is_link(&month(&lake, "2024-01")));
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
    archive(&mut lake, &policy);
    assert!(is_link(&month(&lake, "2024-01")) && is_link(&month(&lake, "2024-02")));
    assert_eq!(lake.rows("select count(*) from events"), ["24"]);
}

/// Asks a file directly.
fn reads_a_row(sql: &str) -> bool {
    use datafusion::prelude::SessionContext;
    wait(async {
        let context = SessionContext::new().enable_url_table();
        let frame = context.sql(sql).await.unwrap();
        frame.count().await.unwrap() > 0
    })
}

#[test]
fn a_round_that_is_broken_off_at_any_step_has_changed_no_number() {
    let (mut lake, expected) = (landed_in_pieces(), landed_at_once());
    let policy = policy(1, Some(archive_of(&lake)));
    const LOG: &str = "select * from event_log order by event_id, revision";
    let log = lake.rows(LOG);
    for steps in 1.. {
        let (opened, lock) = lake.as_writer();
        let mut round = wait(Round::new(opened, policy.clone(), time(NOW))).unwrap();
        for _ in 0..steps {
            // The events come first.
            if round.done().is_empty() {
                wait(round.step(opened, lock, None)).unwrap();
            }
        }
        let is_whole = !round.done().is_empty();
        drop(round);
        assert_eq!(lake.rows(LOG), log, "after {steps} steps");
        if is_whole {
            break;
        }
    }
    archive(&mut lake, &policy);
    assert_eq!(packed(&lake, "2024-01"), (1, 1));
    assert!(is_link(&month(&lake, "2024-01")) && is_link(&month(&lake, "2024-02")));
    check_numbers(&mut lake, &expected);
}

#[test]
fn an_archive_that_is_away_is_told_and_the_newest_month_lands_all_the_same() {
    let mut lake = landed_in_pieces();
    let folder = archive_of(&lake);
    let policy = policy(1, Some(folder.clone()));
    archive(&mut lake, &policy);
    let away = folder.with_file_name("unmounted");
    fs::rename(&folder, &away).unwrap();
    let told = lake.maintain(policy.clone(), time(NOW)).unwrap_err().to_string();
    assert!(told.contains("event_month=2024-0"), "{told}");
    // March; January cannot be landed in, and says so.
    assert_eq!(lake.land(&[event(32)]).landed, 1);
    let january = lake.land_as(&native(), "late.ndjson", &ndjson(&[event(30)]));
    assert!(january.is_err(), "{january:?}");
    fs::rename(&away, &folder).unwrap();
    assert_eq!(lake.land(&[event(30)]).landed, 1);
    lake.refresh();
    archive(&mut lake, &policy);
    assert_eq!(lake.rows("select count(*) from events"), ["26"]);
}

#[test]
fn a_copy_with_the_links_of_another_lake_is_not_written_to() {
    let mut lake = landed_in_pieces();
    let policy = policy(1, Some(archive_of(&lake)));
    archive(&mut lake, &policy);
    let copy = lake.root().with_file_name("copy");
    let cp = |arguments: &[&str]| {
        let mut command = std::process::Command::new("cp");
        assert!(command.args(arguments).arg(lake.root()).arg(&copy).status().unwrap().success());
    };
    cp(&["-a"]);
    let mut opened = wait(Lake::open(&copy)).unwrap();
    let told = wait(opened.lock()).unwrap_err().to_string();
    assert!(told.contains(&lake.root().display().to_string()), "{told}");
    fs::remove_dir_all(&copy).unwrap();
    cp(&["-a", "--dereference"]);
    let mut opened = wait(Lake::open(&copy)).unwrap();
    let lock = wait(opened.lock()).unwrap();
    // It has files of its own, which go to the archive beside those of the other.
    let done = wait(maintain::maintain(&mut opened, &lock, policy, time(NOW))).unwrap();
    assert_eq!(of(&done, "events").moved_months, 2);
    assert_eq!(lake.rows("select count(*) from events"), ["24"]);
}

proptest! {
    #![proptest_config(Config { cases: 3, max_shrink_iters: 8, failure_persistence: None, ..Config::default() })]

    /// Landings and rounds by any policy, in any order, give what one landing of everything gives.
    #[test]
    fn whatever_is_archived_between_landings_they_are_one_large_landing(
        steps in proptest::collection::vec((0..40u32, 1..6u32, 0..5u32, any::<bool>()), 1..7),
    ) {
        let mut lake = registered();
        let folder = archive_of(&lake);
        let mut whole = Vec::new();
        for (first, n, months, is_moved) in steps {
            let lines: Vec<Line> = (first..first + n).map(event).collect();
            lake.land_as(&native(), "piece.ndjson", &ndjson(&lines)).unwrap();
            whole.extend(lines);
            let folder = is_moved.then(|| folder.clone());
            match months {
                0 => {}
                1 => drop(lake.maintain(ALL, lake.now).unwrap()),
                months => drop(archive(&mut lake, &policy(months - 1, folder))),
            }
            lake.refresh();
        }
        let mut large = registered();
        large.land(&whole);
        large.refresh();
        prop_assert_eq!(numbers(&lake), numbers(&large));
    }
}
