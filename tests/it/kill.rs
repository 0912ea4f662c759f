//! `kill -9` at any moment: nothing is lost and nothing is counted twice.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use crate::harness::{
    self, Dice, PATIENCE, Process, Server, command, files_below, land, sql_value, wait_for,
    write_lines,
};

const EVENTS: usize = 12_000;
/// As many files as kills, so that each meets a landing with something new to do.
const PARTS: usize = 12;

/// Lines that are refused; each stands in two parts.
const BROKEN: [&str; PARTS / 2] = [
    "{\"event_id\":\"broken-0\"",
    "{\"event_type\":\"patrol.recorded\",\"org_id\":\"org-0001\"}",
    "{\"event_type\":\"patrol.recorded\",\"org_id\":\"org-0001\",\"occurred_at\":\"yesterday\"}",
    "{\"event_type\":\"patrol.recorded\",\"occurred_at\":\"2024-03-05T09:12:33+08:00\"}",
    "{\"event_type\":\"patrol.recorded\",\"org_id\":\"org-0001\",\"occurred_at\":\"1989-03-05T09:12:33+08:00\"}",
    "not even JSON",
];

/// A simulated log in several files that overlap, with revisions and broken lines.
pub(crate) struct Log {
    pub(crate) folder: PathBuf,
    pub(crate) parts: Vec<PathBuf>,
}

pub(crate) fn simulate(folder: &Path, events: usize) -> Log {
    let simulated = folder.join("log");
    let sizes =
        [("--events", events.to_string()), ("--officers", "90".into()), ("--orgs", "6".into())];
    let sizes = sizes.iter().flat_map(|(name, value)| [*name, value.as_str()]);
    let fixed =
        ["simulate", "--profile", "scale", "--seed", "9", "--out", simulated.to_str().unwrap()];
    harness::lawpulse(fixed.into_iter().chain(sizes));
    let mut lines = Vec::new();
    for file in files_below(&simulated).into_keys() {
        if file.extension().is_some_and(|extension| extension == "ndjson") {
            let text = fs::read_to_string(&file).unwrap();
            lines.extend(text.lines().map(str::to_owned));
        }
    }
    assert!(lines.len() >= events);
    let share = lines.len().div_ceil(PARTS);
    let mut parts = Vec::new();
    for number in 0..PARTS {
        // Each part begins with the end of the one before.
        let start = (number * share).saturating_sub(share / 10);
        let end = ((number + 1) * share).min(lines.len());
        let revised = lines[start].replacen('{', "{\"revision\":1,", 1);
        let path = folder.join(format!("part-{number}.ndjson"));
        let more = [revised.as_str(), BROKEN[number / 2]];
        write_lines(&path, lines[start..end].iter().map(String::as_str).chain(more));
        parts.push(path);
    }
    Log { folder: simulated, parts }
}

/// When a landing is killed.
#[derive(Debug)]
enum Moment {
    After(Duration),
    /// When the lake has this many files more than before.
    NewFiles(usize),
}

/// Lands, and kills that at a moment; returns whether the landing was still running.
fn land_and_kill(lake: &Path, source: &str, paths: &[PathBuf], moment: &Moment) -> bool {
    let before = files_below(lake).len();
    let start = Instant::now();
    let arguments = ["land", "--source", source, "--lake", lake.to_str().unwrap()];
    let mut landing = command(arguments);
    landing.args(paths).stdout(Stdio::null()).stderr(Stdio::null());
    let mut process = Process(landing.spawn().unwrap());
    loop {
        if let Some(status) = process.0.try_wait().unwrap() {
            assert!(status.success(), "a landing after a kill fails: {status}");
            return false;
        }
        let is_now = match moment {
            Moment::After(delay) => start.elapsed() >= *delay,
            Moment::NewFiles(files) => files_below(lake).len() >= before + files,
        };
        if is_now {
            process.0.kill().unwrap();
            process.0.wait().unwrap();
            return true;
        }
        assert!(start.elapsed() < PATIENCE, "the landing neither ends nor comes to {moment:?}");
        thread::sleep(Duration::from_micros(300));
    }
}

/// What is asked of every table: its rows, but for the time of landing and the numbers that officers got in passing.
pub(crate) const TABLES: [(&str, &str); 10] = [
    (
        "event_log",
        "select event_id, revision, operation, event_type, occurred_at, event_date, received_at, source, org_id, \
         array_to_string(officer_ids, ',') as officers, object_id, party_id, item_code, channel, attributes, \
         event_month from event_log where event_month <> 'rejected' \
         order by event_id, revision, event_type, occurred_at",
    ),
    (
        "rejects",
        "select source, file, line, reason, detail, try_cast(text as varchar) as text from rejects \
         order by file, line, reason",
    ),
    ("cases", "select * from cases order by case_id"),
    ("inspections", "select * from inspections order by inspection_id"),
    ("org_days", "select * from org_days order by event_date, org_id, event_type"),
    (
        "officer_days",
        "select event_date, org_id, level, event_month, set_count(officers) as size from officer_days \
         order by event_date, org_id, level",
    ),
    (
        "officer_days, officer by officer",
        "select event_date, org_id, level, officer_id from officer_days cross join \
         (select officer_id, set_of(officer_no) as own from officer_numbers group by officer_id) \
         where set_count(set_intersect(officers, own)) > 0 order by event_date, org_id, level, officer_id",
    ),
    ("officer_numbers", "select officer_id from officer_numbers order by officer_id"),
    ("orgs", "select * from orgs order by org_id, valid_from"),
    ("officers", "select * from officers order by officer_id, valid_from"),
];

fn tables(lake: &Path) -> BTreeMap<&'static str, String> {
    let lake = lake.to_str().unwrap();
    TABLES
        .into_iter()
        .map(|(name, query)| {
            (name, harness::lawpulse(["sql", "--lake", lake, "--format", "csv", query]))
        })
        .collect()
}

/// Everything that can be seen of a lake, in parts with a name.
fn seen(lake: &Path) -> BTreeMap<String, Vec<String>> {
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    let mut seen = BTreeMap::new();
    for (name, text) in tables(lake) {
        seen.insert(name.to_owned(), lines(&text));
    }
    let server = Server::start_as_of(lake);
    // Every metric for every scope; goals are measured a little later, by the same metrics.
    let mut exposed = lines(&server.get("/metrics").text);
    exposed.retain(|line| line.contains("scope=") && !line.starts_with("goal_"));
    seen.insert("/metrics".to_owned(), exposed);
    seen
}

#[track_caller]
fn assert_same(actual: &BTreeMap<String, Vec<String>>, expected: &BTreeMap<String, Vec<String>>) {
    for (name, expected) in expected {
        let actual = &actual[name];
        let differing = actual.iter().zip(expected).find(|(actual, expected)| actual != expected);
        assert_eq!(differing, None, "{name}");
        assert_eq!(actual.len(), expected.len(), "{name}");
        assert!(expected.len() > 1, "{name} is empty");
    }
}

#[test]
fn a_landing_that_is_killed_at_random_moments_and_repeated_gives_the_tables_of_an_undisturbed_one()
{
    let folder = tempfile::tempdir().unwrap();
    let log = simulate(folder.path(), EVENTS);
    let reference = [log.folder.join("reference")];
    let undisturbed = folder.path().join("undisturbed");
    land(&undisturbed, "reference", &reference);
    let whole = land(&undisturbed, "native", &log.parts);
    assert!(whole.ends_with(&format!("rejected {PARTS}")), "{whole}");

    // How long the landing of one part takes and how many files it makes spans the moments to choose from.
    let first = folder.path().join("first");
    land(&first, "reference", &reference);
    let (before, start) = (files_below(&first).len(), Instant::now());
    land(&first, "native", &log.parts[..1]);
    let (files, length) = (files_below(&first).len() - before, start.elapsed());

    let killed = folder.path().join("killed");
    let mut dice = Dice(20_241_124);
    let mut hits = 0;
    land_and_kill(&killed, "reference", &reference, &Moment::NewFiles(3));
    land(&killed, "reference", &reference);
    for round in 0..PARTS {
        // What earlier rounds began is there in part: nothing, data files without a commit, a commit
        // without rollups, some rollups.
        let moment = if round % 3 == 2 {
            Moment::After(length.mul_f64(dice.below(1_000) as f64 / 1_000.0))
        } else {
            Moment::NewFiles(1 + dice.below(files as u64 - 1) as usize)
        };
        hits += usize::from(land_and_kill(&killed, "native", &log.parts[..=round], &moment));
    }
    assert!(hits >= PARTS / 2, "only {hits} of {PARTS} kills met a running landing");
    land(&killed, "native", &log.parts);
    let expected = seen(&undisturbed);
    assert_same(&seen(&killed), &expected);
    let again = land(&killed, "native", &log.parts);
    assert!(again.starts_with("landed 0, "), "{again}");
    assert_same(&seen(&killed), &expected);
}

fn patrol(number: u64) -> String {
    format!(
        "{{\"event_id\":\"pushed-{number}\",\"event_type\":\"patrol.recorded\",\
         \"occurred_at\":\"2025-03-05T09:12:33+08:00\",\"org_id\":\"town-1\",\"object_id\":\"patrol-{number}\"}}\n"
    )
}

#[test]
fn what_a_server_acknowledged_is_there_once_after_kill_9() {
    let folder = tempfile::tempdir().unwrap();
    let lake = folder.path().join("lake");
    let mut dice = Dice(7);
    let (mut bodies, mut events) = (Vec::new(), 0);
    for _ in 0..4 {
        let server = Server::start(&lake, &[]);
        for _ in 0..=dice.below(12) {
            let size = 1 + dice.below(5);
            let body: String = (events..events + size).map(patrol).collect();
            let answer = server.push(&[], body.as_bytes()).json();
            assert_eq!(answer["accepted"], size);
            events += size;
            bodies.push(body);
            // Some pushes land before the kill, some after it, some meet it.
            thread::sleep(Duration::from_millis(dice.below(400)));
        }
        drop(server);
    }
    let server = Server::start(&lake, &[]);
    let patrols = || server.metric("patrols", "from=2025-01-01&to=2026-01-01")[0]["value"].as_u64();
    wait_for("every acknowledged event is counted", || (patrols() == Some(events)).then_some(()));
    for body in &bodies {
        server.push(&[], body.as_bytes());
    }
    let inbox = lake.join("inbox");
    wait_for("the inbox has landed", || files_below(&inbox).is_empty().then_some(()));
    assert_eq!(patrols(), Some(events));
    drop(server);
    let counts = "select count(*) || ' of ' || count(distinct event_id) from event_log";
    assert_eq!(sql_value(&lake, counts), format!("{events} of {events}"));
}
