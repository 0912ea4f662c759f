//! Counts the figures of 2024 from the written files alone.

mod cases;
mod delivery;
mod figures;
mod follow_up;
mod register;

use std::collections::{BTreeSet, HashMap, HashSet};
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
    party: String,
    item: String,
    channel: String,
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
    tables: HashMap<&'static str, Vec<Record>>,
}

/// A row of a reference table by column.
type Record = HashMap<String, String>;

/// Every reference table.
const TABLES: [&str; 11] = [
    "orgs",
    "officers",
    "leaves",
    "parties",
    "items",
    "plans",
    "inspection_caps",
    "declarations",
    "scenes",
    "feeds",
    "reported",
];

fn run(seed: u64) -> (TempDir, Summary) {
    let out = tempfile::tempdir().unwrap();
    let options = Options {
        profile: Profile::Yubei,
        out: out.path().to_owned(),
        events: 0,
        officers: 0,
        orgs: 0,
        districts: 0,
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
            tables: TABLES.into_iter().map(|name| (name, csv(out.path(), name))).collect(),
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

fn csv(out: &Path, name: &str) -> Vec<Record> {
    let text = fs::read_to_string(out.join(format!("reference/{name}.csv"))).unwrap();
    let mut lines = text.lines().map(|line| line.split(',').map(str::to_owned));
    let header: Vec<String> = lines.next().unwrap().collect();
    let rows = lines.map(|line| {
        let line: Vec<String> = line.collect();
        assert_eq!(line.len(), header.len(), "{name}: {line:?}");
        header.iter().cloned().zip(line).collect()
    });
    rows.collect()
}

fn table(name: &str) -> &'static [Record] {
    &written().tables[name]
}

/// Rows of a table that are in force on a day.
fn in_force(name: &str, day: &str) -> Vec<&'static Record> {
    let holds = |row: &&Record| {
        let until = row["valid_to"].as_str();
        row["valid_from"].as_str() <= day && (until.is_empty() || until > day)
    };
    table(name).iter().filter(holds).collect()
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
        party: text("party_id").unwrap_or_default(),
        item: text("item_code").unwrap_or_default(),
        channel: text("channel").unwrap_or_default(),
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

/// Beginnings of the types that are no substantive activity of an officer.
const LIGHT: [&str; 13] = [
    "officer.",
    "certificate.",
    "training.",
    "inspection.published",
    "task.assigned",
    "case.hearing_requested",
    "case.uploaded",
    "case.paid",
    "case.cash_handed_in",
    "remedy.",
    "licence.published",
    "complaint.received",
    "feed.delivered",
];

/// Events that count as substantive activity.
fn substantive(view: &View) -> impl Iterator<Item = &'static Event> {
    let is_light = |event_type: &str| LIGHT.iter().any(|start| event_type.starts_with(start));
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

fn attributes(event: &Event) -> Value {
    serde_json::from_str(&event.attributes).unwrap()
}

fn attribute(event: &Event, name: &str) -> Option<String> {
    attributes(event)[name].as_str().map(str::to_owned)
}

/// Officers on the roster at the end of 2024, with their unit.
fn roster_2024() -> HashMap<&'static str, &'static str> {
    let last_day = "2024-12-31";
    in_force("officers", last_day)
        .into_iter()
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

/// A fact about the written files: its name, and what fails when it is none.
type Fact = (&'static str, fn());

/// The files are written and read once for all facts: each test would do it again in a process of its own.
#[test]
fn every_fact_about_the_simulated_district_holds() {
    let files = [cases::FACTS, delivery::FACTS, figures::FACTS, follow_up::FACTS, register::FACTS];
    let broken: Vec<&str> = files
        .into_iter()
        .flatten()
        .filter(|(_, fact)| std::panic::catch_unwind(fact).is_err())
        .map(|(name, _)| *name)
        .collect();
    assert!(broken.is_empty(), "{broken:?}");
}
