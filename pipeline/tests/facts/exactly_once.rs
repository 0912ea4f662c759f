//! Whatever is landed again, in whatever files and order, counts once.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use pipeline::Error;
use pipeline::lake::Lake;
use pipeline::land::Outcome;
use pipeline::source::InputFile;
use proptest::prelude::*;
use proptest::test_runner::Config;

use crate::harness::{Line, REJECTS, TestLake, line, native, ndjson, wait};

const LOG: &str = "select event_id, revision, operation, event_type, occurred_at, event_date, \
    event_month, org_id, array_to_string(officer_ids, ',') as officer_ids, object_id, attributes \
    from event_log where event_month <> 'rejected' order by event_id, revision";

const EVENTS: &str = "select event_id, revision, event_date, org_id from events order by event_id";

/// Up to 20 events in up to three revisions, spread over four months; some are withdrawn.
fn lines() -> impl Strategy<Value = Vec<Line>> {
    let revision = (0..4u32, 1..29u32, 0..3usize, prop::bool::weighted(0.2));
    proptest::collection::vec(proptest::collection::vec(revision, 1..4), 1..20).prop_map(|events| {
        let mut lines = Vec::new();
        for (id, revisions) in events.into_iter().enumerate() {
            for (revision, (month, day, org, is_delete)) in revisions.into_iter().enumerate() {
                let day = format!("2024-{:02}-{day:02}", month + 1);
                let org = ["longta", "yuehu", "market"][org];
                let made = line(&format!("e-{id}"), "patrol.recorded", &day, org)
                    .officers(&["wang", "li"])
                    .object(&format!("p-{id}"))
                    .revision(revision as i64);
                lines.push(if is_delete && revision > 0 { made.delete() } else { made });
            }
        }
        lines
    })
}

/// Lines, and files that together hold each of them at least once, in any order.
fn lines_in_files() -> impl Strategy<Value = (Vec<Line>, Vec<Vec<usize>>)> {
    lines().prop_flat_map(|lines| {
        let n_lines = lines.len();
        let all: Vec<usize> = (0..n_lines).collect();
        let files = proptest::collection::vec(
            proptest::sample::subsequence(all.clone(), 0..=n_lines).prop_shuffle(),
            1..4,
        );
        (Just(all).prop_shuffle(), files, any::<prop::sample::Index>()).prop_map(
            move |(all, mut files, cut)| {
                let cut = cut.index(n_lines + 1);
                files.push(all[..cut].to_vec());
                files.insert(0, all[cut..].to_vec());
                (lines.clone(), files)
            },
        )
    })
}

/// The content of a small file: good lines, some of them of other files too, broken and blank ones; an array; or CSV.
fn small_file() -> impl Strategy<Value = (&'static str, Vec<u8>)> {
    // An event is of one month, as it is wherever it lands once.
    let text = prop_oneof![
        4 => (0..12u32, 1..4u32).prop_map(|(id, month)| {
            line(&format!("e-{month}-{id}"), "patrol.recorded", &format!("2024-0{month}-05"), "longta").text()
        }),
        1 => Just("{broken".to_owned()),
        1 => Just(String::new()),
    ];
    let lines = proptest::collection::vec(text, 0..4);
    let csv_row = prop_oneof![
        3 => (0..12u32).prop_map(|id| format!("e-3-{id},patrol.recorded,2024-03-05T09:00:00+08:00,yuehu")),
        1 => Just("too,few".to_owned()),
    ];
    prop_oneof![
        4 => (lines, any::<bool>()).prop_map(|(lines, ends)| {
            ("ndjson", (lines.join("\n") + if ends { "\n" } else { "" }).into_bytes())
        }),
        1 => (0..12u32).prop_map(|id| {
            let made = line(&format!("e-3-{id}"), "patrol.recorded", "2024-03-06", "longta").text();
            ("ndjson", format!("[{made},\n7,\n{made}]").into_bytes())
        }),
        1 => proptest::collection::vec(csv_row, 0..3).prop_map(|rows| {
            let header = "event_id,event_type,occurred_at,org_id".to_owned();
            ("csv", [vec![header], rows].concat().join("\n").into_bytes())
        }),
    ]
}

proptest! {
    #![proptest_config(Config { cases: 10, failure_persistence: None, ..Config::default() })]

    #[test]
    fn overlapping_files_in_any_order_land_the_same_events((lines, files) in lines_in_files()) {
        let mut at_once = TestLake::new();
        prop_assert_eq!(at_once.land(&lines).landed, lines.len() as u64);

        let mut apart = TestLake::new();
        let mut landed = 0;
        for (position, file) in files.iter().enumerate() {
            let picked: Vec<Line> = file.iter().map(|line| lines[*line].clone()).collect();
            let outcome = apart.land(&picked);
            prop_assert_eq!(outcome.landed + outcome.duplicate, picked.len() as u64);
            landed += outcome.landed;
            // A file is sent again while others are still to come.
            if position % 2 == 0 {
                prop_assert_eq!(apart.land(&picked).landed, 0);
            }
        }
        prop_assert_eq!(landed, lines.len() as u64);
        prop_assert_eq!(apart.rows(LOG), at_once.rows(LOG));
        prop_assert_eq!(apart.rows(EVENTS), at_once.rows(EVENTS));
    }

    #[test]
    fn small_files_that_land_together_become_what_each_does_alone(
        files in proptest::collection::vec(small_file(), 1..12),
    ) {
        const LINES: &str = "select regexp_replace(file, '^.*/', '') as file, line, reason, \
            arrow_cast(text, 'Utf8') as text from rejects order by file, line";
        let named = |outcomes: &[Outcome]| -> Vec<Outcome> {
            let name = |path: &Path| PathBuf::from(path.file_name().unwrap());
            outcomes.iter().map(|it| Outcome { path: name(&it.path), ..it.clone() }).collect()
        };
        let name = |number: usize, ending: &str| format!("{number:04}.{ending}");
        let mut alone = TestLake::new();
        let mut of_each = Vec::new();
        for (number, (ending, bytes)) in files.iter().enumerate() {
            let path = alone.file(&name(number, ending), bytes);
            of_each.extend(alone.land_files(&native(), &[path]).unwrap());
        }

        let mut together = TestLake::new();
        let paths: Vec<PathBuf> = (0..).zip(&files)
            .map(|(number, (ending, bytes))| together.file(&name(number, ending), bytes))
            .collect();
        let outcomes = together.land_files(&native(), &paths).unwrap();
        prop_assert_eq!(named(&outcomes), named(&of_each));
        prop_assert_eq!(together.rows(LINES), alone.rows(LINES));
        prop_assert_eq!(together.rows(LOG), alone.rows(LOG));

        // As parts of one file, after something else.
        let mut within = TestLake::new();
        let mut all = b"something else".to_vec();
        let mut ranges = Vec::new();
        for (_, bytes) in &files {
            let start = all.len() as u64;
            all.extend(bytes);
            ranges.push(start..all.len() as u64);
        }
        let file: Arc<Path> = within.file("all.bin", &all).into();
        let inputs: Vec<InputFile> = (0..).zip(&files).zip(ranges)
            .map(|((number, (ending, _)), range)| {
                let path = file.with_file_name(name(number, ending));
                InputFile::new(&path).unwrap().within(Arc::clone(&file), range)
            })
            .collect();
        let outcomes = within.land_inputs(&native(), &inputs).unwrap();
        prop_assert_eq!(named(&outcomes), named(&of_each));
        prop_assert_eq!(within.rows(LINES), alone.rows(LINES));
        prop_assert_eq!(within.rows(LOG), alone.rows(LOG));
    }

    #[test]
    fn events_are_the_newest_revisions_that_are_not_withdrawn(lines in lines()) {
        let mut newest = std::collections::BTreeMap::new();
        for line in &lines {
            let read: serde_json::Value = serde_json::from_str(&line.text()).unwrap();
            let text = |key: &str| read[key].as_str().unwrap_or_default().to_owned();
            let row = (read["operation"] != "delete").then(|| {
                let day = text("occurred_at")[..10].to_owned();
                format!("{} {} {day} {}", text("event_id"), read["revision"], text("org_id"))
            });
            newest.insert(text("event_id"), row);
        }
        let expected: Vec<String> = newest.into_values().flatten().collect();
        let mut lake = TestLake::new();
        lake.land(&lines);
        prop_assert_eq!(lake.rows(EVENTS), expected);
    }
}

#[test]
fn a_file_landed_again_says_so_and_keeps_its_rejects_once() {
    let mut lake = TestLake::new();
    let good = line("a", "patrol.recorded", "2024-03-05", "longta").text();
    let bytes = format!("{good}\n{{broken\n{good}\n");
    let path = lake.file("events.ndjson", bytes.as_bytes());
    let copy = lake.file("copy.ndjson", bytes.as_bytes());
    let first = lake.land_files(&native(), std::slice::from_ref(&path)).unwrap().remove(0);
    assert_eq!((first.landed, first.duplicate, first.rejected), (1, 1, 1));
    assert!(!first.landed_before);
    // Again, twice in one call, and under another name.
    for paths in [vec![path.clone()], vec![path.clone(), path], vec![copy]] {
        for again in lake.land_files(&native(), &paths).unwrap() {
            assert_eq!((again.landed, again.duplicate, again.rejected), (0, 2, 1));
            assert!(again.landed_before);
        }
    }
    assert_eq!(lake.rows("select count(*) from event_log"), ["2"]);
    assert_eq!(lake.rows("select line, reason from rejects"), ["2 malformed_json"]);
}

#[test]
fn a_file_twice_in_its_first_call_keeps_its_rejects_once() {
    let mut lake = TestLake::new();
    let path = lake.file("events.ndjson", b"{broken\n");
    let outcomes = lake.land_files(&native(), &[path.clone(), path]).unwrap();
    let before: Vec<bool> = outcomes.iter().map(|outcome| outcome.landed_before).collect();
    assert_eq!(before, [false, true]);
    assert_eq!(lake.rows(REJECTS).len(), 1);
}

#[test]
fn one_event_in_two_files_of_a_call_lands_once() {
    let mut lake = TestLake::new();
    let both = line("a", "patrol.recorded", "2024-03-05", "longta");
    let other = line("b", "patrol.recorded", "2024-03-05", "longta");
    let left = lake.file("left.ndjson", &ndjson(&[both.clone(), other]));
    let right = lake.file("right.ndjson", &ndjson(&[both]));
    let outcomes = lake.land_files(&native(), &[left, right]).unwrap();
    let landed: Vec<(u64, u64)> =
        outcomes.iter().map(|outcome| (outcome.landed, outcome.duplicate)).collect();
    assert_eq!(landed, [(2, 0), (0, 1)]);
    assert_eq!(lake.rows(EVENTS).len(), 2);
}

#[test]
fn files_of_one_call_become_one_commit() {
    let mut lake = TestLake::new();
    let before = lake.view().version();
    let paths: Vec<_> = (0..4)
        .map(|number| {
            let id = format!("e-{number}");
            let made = line(&id, "patrol.recorded", &format!("2024-0{}-05", number + 1), "longta");
            lake.file(&format!("{id}.ndjson"), &ndjson(&[made]))
        })
        .collect();
    lake.land_files(&native(), &paths).unwrap();
    assert_eq!(lake.view().version(), before + 1);
    assert_eq!(lake.rows(EVENTS).len(), 4);
}

#[test]
fn nothing_of_a_call_is_visible_when_one_of_its_files_cannot_be_read() {
    let mut lake = TestLake::new();
    let good =
        lake.file("good.ndjson", &ndjson(&[line("a", "patrol.recorded", "2024-03-05", "longta")]));
    // A gzip file that was cut off while it was copied.
    let damaged = lake.file("damaged.ndjson.gz", &[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 1, 9]);
    let before = lake.view().version();
    let error = lake.land_files(&native(), &[good.clone(), damaged]).unwrap_err().to_string();
    assert!(error.contains("damaged.ndjson.gz"), "{error}");
    assert_eq!(lake.view().version(), before);
    assert_eq!(lake.rows("select count(*) from event_log"), ["0"]);
    let again = lake.land_files(&native(), &[good]).unwrap().remove(0);
    assert_eq!((again.landed, again.landed_before), (1, false));
}

#[test]
fn a_second_writer_is_refused_until_the_first_has_gone() {
    let folder = tempfile::TempDir::new().unwrap();
    let root = folder.path().join("lake");
    let mut first = wait(Lake::open_or_create(&root, None)).unwrap();
    let mut second = wait(Lake::open(&root)).unwrap();
    let lock = wait(first.lock()).unwrap();
    let error = wait(second.lock()).unwrap_err();
    assert!(matches!(error, Error::Locked(_)), "{error}");
    assert!(error.to_string().contains("another lawpulse process is writing"), "{error}");
    drop(lock);
    wait(second.lock()).unwrap();
}

#[test]
fn the_days_of_a_lake_cannot_change_their_zone() {
    let folder = tempfile::TempDir::new().unwrap();
    let root = folder.path().join("lake");
    wait(Lake::open_or_create(&root, Some(chrono_tz::Tz::Asia__Tokyo))).unwrap();
    let lake = wait(Lake::open_or_create(&root, None)).unwrap();
    assert_eq!(lake.zone(), chrono_tz::Tz::Asia__Tokyo);
    let error = wait(Lake::open_or_create(&root, Some(chrono_tz::Tz::UTC))).unwrap_err();
    assert!(error.to_string().contains("Asia/Tokyo, not of UTC"), "{error}");
}
