//! Reads the files of small platforms back.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::Path;

use super::*;
use crate::simulate::{Format, Profile, simulate};

fn options(out: &Path, events: u64) -> Options {
    Options {
        profile: Profile::Scale,
        out: out.to_owned(),
        events,
        officers: 500,
        orgs: 24,
        districts: 1,
        seed: 7,
        format: Format::Ndjson,
    }
}

fn lines(out: &Path) -> Vec<String> {
    let text = fs::read_to_string(out.join("events-00000.ndjson")).unwrap();
    text.lines().map(str::to_owned).collect()
}

#[test]
fn the_number_of_lines_is_exact() {
    for events in [1, 99, 100, 101, 3_456] {
        let out = tempfile::tempdir().unwrap();
        let summary = simulate(&options(out.path(), events), &|_| {}).unwrap();
        assert_eq!(summary.events, events);
        assert_eq!(lines(out.path()).len() as u64, events);
    }
}

#[test]
fn one_line_in_a_hundred_is_a_duplicate() {
    let out = tempfile::tempdir().unwrap();
    simulate(&options(out.path(), 5_000), &|_| {}).unwrap();
    let lines = lines(out.path());
    let distinct: HashSet<&String> = lines.iter().collect();
    assert_eq!(lines.len() - distinct.len(), 50);
    let ids: HashSet<&str> = lines.iter().map(|line| &line[13..29]).collect();
    assert_eq!(ids.len(), distinct.len());
}

#[test]
fn a_case_takes_its_steps_in_order_and_once() {
    let out = tempfile::tempdir().unwrap();
    simulate(&options(out.path(), 20_000), &|_| {}).unwrap();
    let mut cases: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut org_of: BTreeMap<String, String> = BTreeMap::new();
    let distinct: HashSet<String> = lines(out.path()).into_iter().collect();
    let mut events: Vec<serde_json::Value> =
        distinct.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    events.sort_by_key(|event| event["occurred_at"].as_str().unwrap().to_owned());
    for event in &events {
        let event_type = event["event_type"].as_str().unwrap();
        if let Some(step) = event_type.strip_prefix("case.") {
            let case = event["object_id"].as_str().unwrap().to_owned();
            let org = event["org_id"].as_str().unwrap().to_owned();
            assert_eq!(org_of.entry(case.clone()).or_insert_with(|| org.clone()), &org);
            cases.entry(case).or_default().push(step.to_owned());
        }
    }
    assert!(cases.len() > 400);
    let order = ["filed", "investigated", "notified", "decided", "closed"];
    let place = |step: &String| order.iter().position(|known| known == step);
    for steps in cases.values() {
        assert_eq!(steps[0], "filed");
        let known: Vec<usize> = steps.iter().filter_map(place).collect();
        assert!(known.is_sorted_by(|left, right| left < right), "{steps:?}");
    }
    let closed = cases.values().filter(|steps| steps.contains(&"closed".to_owned())).count();
    assert!(closed * 10 > cases.len() * 7);
}

#[test]
fn neighbouring_files_share_the_events_without_gap_or_overlap() {
    let out = tempfile::tempdir().unwrap();
    let mut platform = Platform::new(&options(out.path(), 30_000)).unwrap();
    let whole = event::keys_of_slice(&platform, 0, 40_000);
    platform.files = 7;
    let parts = (0..7).flat_map(|file| {
        let keys = event::keys_of_slice(&platform, file, 20_000);
        keys.into_iter().filter(|key| !key.is_filler()).collect::<Vec<_>>()
    });
    let whole = whole.into_iter().filter(|key| !key.is_filler());
    assert!(whole.eq(parts));
}

#[test]
fn the_same_seed_writes_the_same_bytes() {
    for format in [Format::Ndjson, Format::Parquet] {
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let first = simulate(&Options { format, ..options(one.path(), 2_000) }, &|_| {}).unwrap();
        let second = simulate(&Options { format, ..options(two.path(), 2_000) }, &|_| {}).unwrap();
        assert_eq!(first.bytes, second.bytes);
        for (left, right) in first.files.iter().zip(&second.files) {
            assert_eq!(fs::read(left).unwrap(), fs::read(right).unwrap());
        }
    }
}

#[test]
fn event_files_of_another_run_are_refused() {
    let out = tempfile::tempdir().unwrap();
    fs::write(out.path().join("events-00007.ndjson"), "").unwrap();
    assert!(matches!(simulate(&options(out.path(), 10), &|_| {}), Err(Error::Stale(_))));
    let nobody = Options { officers: 0, ..options(out.path(), 10) };
    assert!(matches!(simulate(&nobody, &|_| {}), Err(Error::Options(_))));
}
