//! Counts the figures of 2024 from the written files alone.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fs;
use std::hash::Hash;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::thread;

use serde_json::Value;
use serde_json::value::RawValue;
use tempfile::TempDir;

use crate::simulate::{Format, Options, Profile, Summary, simulate};

/// One sound line.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Event {
    id: String,
    revision: u64,
    is_deleted: bool,
    event_type: String,
    occurred_at: String,
    received_at: String,
    org: String,
    officers: Vec<String>,
    object: String,
    attributes: String,
}

/// What the files hold, read once for all tests.
struct Written {
    _out: TempDir,
    summary: Summary,
    /// Every sound event in every revision, without repetitions.
    events: Vec<Event>,
    lines: usize,
    broken: usize,
    /// Lines that are received in a later month.
    late: usize,
    repeated: usize,
    officers: Vec<HashMap<String, String>>,
    orgs: Vec<HashMap<String, String>>,
}

fn run(seed: u64) -> (TempDir, Summary) {
    let out = tempfile::tempdir().unwrap();
    let options = Options {
        profile: Profile::Yubei,
        out: out.path().to_owned(),
        events: 0,
        officers: 0,
        orgs: 0,
        seed,
        format: Format::Ndjson,
    };
    let summary = simulate(&options, &|_| {}).unwrap();
    (out, summary)
}

fn written() -> &'static Written {
    static WRITTEN: OnceLock<Written> = OnceLock::new();
    WRITTEN.get_or_init(|| {
        let (out, summary) = run(7);
        let files: Vec<&PathBuf> = summary
            .files
            .iter()
            .filter(|file| file.extension().is_some_and(|extension| extension == "ndjson"))
            .collect();
        let read: Vec<Option<Event>> = thread::scope(|scope| {
            let (first, second) = files.split_at(files.len() / 2);
            let halves = [first, second].map(|files| {
                scope.spawn(|| files.iter().flat_map(|file| read_events(file)).collect::<Vec<_>>())
            });
            halves.into_iter().flat_map(|half| half.join().unwrap()).collect()
        });
        let lines = read.len();
        let mut events: Vec<Event> = read.into_iter().flatten().collect();
        let broken = lines - events.len();
        let is_late = |event: &&Event| event.occurred_at[..7] != event.received_at[..7];
        let late = events.iter().filter(is_late).count();
        events.sort_by(|one, two| (&one.id, one.revision).cmp(&(&two.id, two.revision)));
        let sound = events.len();
        // Only equal lines fall together: an event in two wordings would stay and be counted twice.
        events.dedup();
        Written {
            officers: csv(out.path(), "officers"),
            orgs: csv(out.path(), "orgs"),
            _out: out,
            summary,
            repeated: sound - events.len(),
            events,
            lines,
            broken,
            late,
        }
    })
}

fn csv(out: &Path, name: &str) -> Vec<HashMap<String, String>> {
    let text = fs::read_to_string(out.join(format!("reference/{name}.csv"))).unwrap();
    let mut lines = text.lines().map(|line| line.split(',').map(str::to_owned));
    let header: Vec<String> = lines.next().unwrap().collect();
    lines.map(|line| header.iter().cloned().zip(line).collect()).collect()
}

fn read_events(file: &Path) -> Vec<Option<Event>> {
    let bytes = fs::read(file).unwrap();
    let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines.map(sound_event).collect()
}

fn sound_event(line: &[u8]) -> Option<Event> {
    let fields: HashMap<&str, &RawValue> = serde_json::from_slice(line).ok()?;
    let read = |field: &str| fields.get(field).map(|value| value.get());
    let text = |field: &str| Some(serde_json::from_str::<&str>(read(field)?).ok()?.to_owned());
    let occurred_at = text("occurred_at").filter(|time| time.as_str() < "2027")?;
    chrono::NaiveDate::parse_from_str(&occurred_at[..10], "%Y-%m-%d").ok()?;
    Some(Event {
        id: text("event_id")?,
        revision: read("revision").map_or(0, |number| number.parse().unwrap()),
        is_deleted: text("operation").is_some_and(|operation| operation == "delete"),
        event_type: text("event_type")?,
        occurred_at,
        received_at: text("received_at")?,
        org: text("org_id")?,
        officers: serde_json::from_str(read("officer_ids").unwrap_or("[]")).ok()?,
        object: text("object_id").unwrap_or_default(),
        attributes: read("attributes").unwrap_or("{}").to_owned(),
    })
}

/// Events by type.
type View = HashMap<&'static str, Vec<&'static Event>>;

fn by_type(events: impl Iterator<Item = &'static Event>) -> View {
    let mut view = View::new();
    for event in events {
        view.entry(&event.event_type).or_default().push(event);
    }
    view
}

/// The newest revision of every event that is not deleted.
fn newest() -> &'static View {
    static NEWEST: OnceLock<View> = OnceLock::new();
    NEWEST.get_or_init(|| {
        let versions = written().events.chunk_by(|one, two| one.id == two.id);
        by_type(versions.filter_map(<[Event]>::last).filter(|event| !event.is_deleted))
    })
}

/// Every event as it was first told.
fn originals() -> &'static View {
    static ORIGINALS: OnceLock<View> = OnceLock::new();
    ORIGINALS.get_or_init(|| by_type(written().events.iter().filter(|event| event.revision == 0)))
}

/// Every figure holds with and without corrections and deletes.
#[track_caller]
fn check(expected: usize, count: impl Fn(&View) -> usize) {
    assert_eq!(count(newest()), expected);
    assert_eq!(count(originals()), expected);
}

fn of_type(view: &View, event_type: &str, period: &str) -> Vec<&'static Event> {
    let events = view[event_type].iter().copied();
    events.filter(|event| event.occurred_at.starts_with(period)).collect()
}

/// Events that count as substantive activity.
fn substantive(view: &View) -> impl Iterator<Item = &'static Event> {
    let light = ["officer.", "certificate.", "training.", "case.paid"];
    let is_light = move |event_type: &str| light.iter().any(|start| event_type.starts_with(start));
    view.iter()
        .filter(move |(event_type, _)| !is_light(event_type))
        .flat_map(|(_, events)| events.iter().copied())
}

fn distinct<T: Hash + Eq>(texts: impl Iterator<Item = T>) -> usize {
    texts.collect::<HashSet<_>>().len()
}

fn town_objects(view: &View, event_type: &str) -> usize {
    let events = of_type(view, event_type, "2024-");
    let in_towns = events.iter().filter(|event| event.org.starts_with("town-"));
    distinct(in_towns.map(|event| event.object.as_str()))
}

fn attribute(event: &Event, name: &str) -> Option<String> {
    let attributes: Value = serde_json::from_str(&event.attributes).unwrap();
    attributes[name].as_str().map(str::to_owned)
}

/// Officers on the roster at the end of 2024, with their unit.
fn roster_2024() -> HashMap<&'static str, &'static str> {
    let last_day = "2024-12-31";
    written()
        .officers
        .iter()
        .filter(|row| row["valid_from"].as_str() <= last_day)
        .filter(|row| row["valid_to"].is_empty() || row["valid_to"].as_str() > last_day)
        .filter(|row| row["certificate_to"].is_empty())
        .filter(|row| (1..=10).contains(&row["onboarded_on"].len()))
        .filter(|row| row["onboarded_on"].as_str() <= last_day)
        .map(|row| (row["officer_id"].as_str(), row["org_id"].as_str()))
        .collect()
}

/// Officers of the roster with a substantive act in a period.
fn active(view: &View, period: &str) -> BTreeSet<&'static str> {
    let roster = roster_2024();
    substantive(view)
        .filter(|event| event.occurred_at.starts_with(period))
        .flat_map(|event| event.officers.iter().map(String::as_str))
        .filter(|officer| roster.contains_key(officer))
        .collect()
}

#[test]
fn towns_recorded_3253_patrols_in_2024() {
    check(3_253, |view| town_objects(view, "patrol.recorded"));
}

#[test]
fn towns_closed_1915_cases_in_2024() {
    check(1_915, |view| town_objects(view, "case.closed"));
}

#[test]
fn the_roster_at_the_end_of_2024_is_1600_of_1644() {
    let ids = written().officers.iter().map(|row| row["officer_id"].as_str());
    assert_eq!(distinct(ids), 1_644);
    let roster = roster_2024();
    assert_eq!(roster.len(), 1_600);
    assert_eq!(roster.values().filter(|org| org.starts_with("town-")).count(), 500);
}

#[test]
fn of_1600_officers_1424_were_active_in_2024_and_of_500_in_towns_445() {
    let roster = roster_2024();
    check(1_424, |view| active(view, "2024-").len());
    check(445, |view| {
        let officers = active(view, "2024-");
        officers.iter().filter(|officer| roster[*officer].starts_with("town-")).count()
    });
}

#[test]
fn a_month_sees_far_fewer_active_officers_than_the_year() {
    for month in ["2024-01", "2024-06", "2024-12", "2025-10"] {
        let share = active(newest(), month).len() as f64 / 1_600.0;
        assert!((0.35..0.74).contains(&share), "{month}: {share}");
    }
}

#[test]
fn every_enforcement_subject_logged_in_during_2024() {
    let logins = of_type(newest(), "officer.login", "2024-");
    let logged_in: HashSet<&str> = logins.iter().map(|event| event.org.as_str()).collect();
    let is_subject = |row: &&HashMap<String, String>| row["is_subject"] == "true";
    let subjects = written().orgs.iter().filter(is_subject);
    assert_eq!(subjects.clone().count(), 58);
    for subject in subjects {
        assert!(logged_in.contains(subject["org_id"].as_str()), "{}", subject["org_id"]);
    }
}

#[test]
fn supervision_figures_of_2024_are_those_of_the_report() {
    check(44, |view| of_type(view, "certificate.revoked", "2024-").len());
    check(11, |view| of_type(view, "opinion.issued", "2024-").len());
    check(1, |view| of_type(view, "social_review.held", "2024-").len());
    check(1_600, |view| {
        let trained = of_type(view, "training.completed", "2024-");
        distinct(trained.iter().flat_map(|event| event.officers.iter().map(String::as_str)))
    });
    check(24, |view| {
        let finished = of_type(view, "inspection.finished", "2024-");
        distinct(finished.iter().filter_map(|event| attribute(event, "joint_task_id")))
    });
    let opinions = of_type(newest(), "opinion.issued", "2024-");
    let domains: HashSet<String> =
        opinions.iter().filter_map(|event| attribute(event, "domain")).collect();
    assert!(["城管", "市场监管", "消防"].iter().all(|domain| domains.contains(*domain)));
}

#[test]
fn inspections_fall_in_2025_and_find_problems_more_often() {
    let inspected = |year: &str| {
        let finished = of_type(newest(), "inspection.finished", year);
        let result = |event: &Event| attribute(event, "result").unwrap();
        let results = finished.iter().map(|event| result(event));
        let results: Vec<String> = results.filter(|result| result != "no_entry").collect();
        let problems = results.iter().filter(|result| *result != "no_problem").count();
        (results.len() as f64, problems as f64)
    };
    let ((before, found_before), (after, found_after)) = (inspected("2024-"), inspected("2025-"));
    assert!(found_after / after > found_before / before + 0.15);
    assert!((0.8..0.95).contains(&(after / before)));
}

#[test]
fn a_few_lines_are_repeated_late_revised_or_broken() {
    let written = written();
    assert_eq!(written.lines as u64, written.summary.events);
    let share = |count: usize| count as f64 / written.lines as f64;
    assert!((0.0005..0.0015).contains(&share(written.broken)), "{}", written.broken);
    assert!((0.005..0.010).contains(&share(written.repeated)), "{}", written.repeated);
    assert!((0.001..0.02).contains(&share(written.late)), "{}", written.late);
    let later = written.events.iter().filter(|event| event.revision == 1);
    let (deleted, corrected): (Vec<&Event>, Vec<&Event>) =
        later.partition(|event| event.is_deleted);
    assert!((5..60).contains(&corrected.len()), "{}", corrected.len());
    assert!((9..=18).contains(&deleted.len()), "{}", deleted.len());
    assert!((300_000..500_000).contains(&written.lines), "{}", written.lines);
}

#[test]
fn nobody_acts_before_the_account_is_bound_or_after_the_certificate_ends() {
    let mut limits: HashMap<&str, (&str, &str)> = HashMap::new();
    for row in &written().officers {
        let until = if row["certificate_to"].is_empty() { "9999" } else { &row["certificate_to"] };
        limits.insert(&row["officer_id"], (&row["onboarded_on"], until));
    }
    for event in substantive(originals()) {
        let date = &event.occurred_at[..10];
        for officer in &event.officers {
            let (from, until) = limits[officer.as_str()];
            assert!(from <= date && date < until, "{event:?}");
        }
    }
}

#[test]
fn the_steps_of_a_case_are_in_order() {
    let order = ["filed", "investigated", "notified", "reviewed", "decided", "served", "closed"];
    let mut cases: BTreeMap<&str, Vec<(&str, usize)>> = BTreeMap::new();
    for event in originals().values().flatten() {
        let step = event.event_type.strip_prefix("case.");
        let place = step.and_then(|step| order.iter().position(|known| *known == step));
        if let Some(place) = place {
            cases.entry(&event.object).or_default().push((&event.occurred_at, place));
        }
    }
    for (case, steps) in &mut cases {
        steps.sort_unstable();
        // The filing of a few late cases arrives only in 2026.
        assert!(steps[0].1 == 0 || steps[0].0 > "2025-10", "{case}: {steps:?}");
        assert!(steps.is_sorted_by(|left, right| left.1 < right.1), "{case}: {steps:?}");
    }
}

#[test]
fn two_units_are_silent_when_the_years_end() {
    let last = |org: &str| {
        let acts = substantive(newest()).filter(|event| event.org == org);
        acts.map(|event| &event.occurred_at[..10]).max().unwrap()
    };
    assert!(last("town-dawan") < "2025-11-10");
    assert!(last("dept-commerce") < "2025-12-01");
    assert!(last("town-longta") > "2025-12-20");
}

#[test]
fn the_same_seed_writes_the_same_bytes() {
    let (_out, again) = run(7);
    let first = &written().summary;
    assert_eq!((again.events, again.bytes), (first.events, first.bytes));
    for (one, two) in first.files.iter().zip(&again.files) {
        assert_eq!(one.file_name(), two.file_name());
        assert!(fs::read(one).unwrap() == fs::read(two).unwrap(), "{}", one.display());
    }
}
