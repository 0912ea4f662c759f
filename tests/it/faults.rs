//! The machine fails under a server: killed at any call that changes a file, a full disk, a slow one, a clock that steps, a
//! damaged file, a lake that cannot be written. Nothing acknowledged is lost, nothing counts twice.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use crate::harness::{
    self, Dice, Server, check_problem, command, files_below, get, land, patrol, post, repository,
    sql_value, succeed, wait_for, write_lines,
};

/// What is loaded before the C library of a server that is to fail.
fn library() -> &'static Path {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let library = Path::new(env!("CARGO_TARGET_TMPDIR"))
            .join(format!("faults-{}.so", std::process::id()));
        let source = repository("tests/faults/faults.c");
        let flags = ["-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror", "-o"];
        succeed(Command::new("cc").args(flags).arg(&library).arg(source).arg("-ldl"));
        library
    })
}

/// What a sender knows of a body.
#[derive(Debug, Clone)]
pub(crate) struct Body {
    text: String,
    key: Option<String>,
    events: Vec<String>,
    broken: Option<String>,
    /// Whether it was acknowledged; otherwise it may have come in or not.
    pub(crate) is_acknowledged: bool,
}

impl Body {
    pub(crate) fn new(number: u64, dice: &mut Dice) -> Self {
        let mut lines = String::new();
        let events: Vec<String> =
            (0..=dice.below(5)).map(|line| format!("event-{number}-{line}")).collect();
        for event in &events {
            lines.push_str(&patrol(event));
        }
        let broken = (dice.below(3) == 0).then(|| format!("broken-{number}"));
        if let Some(broken) = &broken {
            lines.push_str(&format!("{{\"{broken}\"\n"));
        }
        let key = (dice.below(2) == 0).then(|| format!("key-{number}"));
        Self { text: lines, key, events, broken, is_acknowledged: false }
    }

    /// Sends it; returns whether the server can still be reached.
    pub(crate) fn send(&mut self, server: &Server) -> bool {
        let url = format!("{}/api/v1/events?source=native", server.url);
        let headers: Vec<(&str, &str)> =
            self.key.iter().map(|key| ("idempotency-key", key.as_str())).collect();
        match post(&url, &headers, self.text.as_bytes()) {
            Ok(answer) => {
                // What is not acknowledged is refused with a reason that lets the sender come again.
                assert!([200, 429, 500, 503, 507].contains(&answer.status), "{answer:?}");
                self.is_acknowledged |= answer.status == 200;
                true
            }
            Err(_) => false,
        }
    }
}

#[derive(Debug, Clone, Copy)]
struct Fault {
    kind: &'static str,
    at: u64,
    calls: u64,
    is_after: bool,
    clock: i64,
}

impl Fault {
    fn random(dice: &mut Dice) -> Self {
        let kind =
            ["kill", "kill", "kill", "full", "full", "slow", "clock"][dice.below(7) as usize];
        let span = if dice.below(2) == 0 { 60 } else { 500 };
        let at = 1 + dice.below(span);
        let clock = if dice.below(3) == 0 || kind == "clock" {
            [-259_200, -3_600, 3_600, 259_200][dice.below(4) as usize]
        } else {
            0
        };
        Self { kind, at, calls: 20 + dice.below(300), is_after: dice.below(2) == 0, clock }
    }

    /// A server that meets it; `None` when it does not live long enough to be asked.
    fn serve(self, lake: &Path, log: &Path) -> Option<Server> {
        let mut serving = Server::command(lake, &[]);
        serving.env("LD_PRELOAD", library()).env("FAULT_BELOW", lake).env("FAULT_KIND", self.kind);
        serving.env("FAULT_AT", self.at.to_string()).env("FAULT_CALLS", self.calls.to_string());
        serving
            .env("FAULT_CLOCK", self.clock.to_string())
            .env("FAULT_LOG", log.with_extension("calls"));
        if self.is_after {
            serving.env("FAULT_AFTER", "1");
        }
        let errors = fs::File::options().create(true).append(true).open(log).unwrap();
        Server::try_spawn(serving.stderr(errors))
    }
}

/// Sends until the server is gone, or everything is sent.
fn push_through(server: &Server, bodies: &mut [Body], pause: Duration) {
    for body in bodies {
        if !body.send(server) {
            return;
        }
        thread::sleep(pause);
    }
}

/// What is in the lake of bodies that were sent; `of_lake` makes a command of arguments that is about it.
#[track_caller]
pub(crate) fn check_lake(of_lake: &dyn Fn(&[&str]) -> Command, bodies: &[Body], seed: u64) {
    let column = |query: &str| -> Vec<String> {
        let printed = succeed(&mut of_lake(&["sql", "--format", "csv", query]));
        String::from_utf8(printed).unwrap().lines().skip(1).map(str::to_owned).collect()
    };
    let mut events =
        column("select event_id from event_log where event_month <> 'rejected' order by event_id");
    let mut refused = column("select try_cast(text as varchar) as text from rejects order by text");
    for found in [&mut events, &mut refused] {
        let all = found.len();
        found.dedup();
        assert_eq!(found.len(), all, "seed {seed}: something is there twice");
    }
    for body in bodies {
        let all_or_none: Vec<bool> =
            body.events
                .iter()
                .map(|event| events.binary_search(event).is_ok())
                .chain(body.broken.iter().map(|broken| {
                    refused.iter().any(|line| line.contains(&format!("\"{broken}\"")))
                }))
                .collect();
        assert!(
            !body.is_acknowledged || all_or_none.iter().all(|found| *found),
            "seed {seed}: lost of {body:?}: {all_or_none:?}"
        );
        assert!(
            all_or_none.iter().all(|found| *found == all_or_none[0]),
            "seed {seed}: half of {body:?}"
        );
    }
    assert_eq!(
        column("select sum(events) from org_days"),
        [events.len().to_string()],
        "seed {seed}"
    );
    let output = of_lake(&["check", "--format", "csv"]).output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    for id in ["org_days_agree", "acts_agree", "rollup_keys_unique"] {
        let line = told.lines().find(|line| line.contains(id));
        assert!(line.is_some_and(|line| line.contains(",0")), "seed {seed}: {id}: {told}");
    }
}

#[test]
fn whatever_fails_nothing_acknowledged_is_lost_and_nothing_is_there_twice() {
    let seed =
        std::env::var("LAWPULSE_FAULT_SEED").map_or(20_241_128, |seed| seed.parse().unwrap());
    let rounds = std::env::var("LAWPULSE_FAULT_ROUNDS").map_or(8, |rounds| rounds.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let (lake, log) = (folder.path().join("lake"), folder.path().join("errors"));
    let mut dice = Dice(seed);
    let number = AtomicU64::new(0);
    let mut bodies: Vec<Body> = Vec::new();
    let mut faults = Vec::new();
    for _ in 0..rounds {
        let fault = Fault::random(&mut dice);
        faults.push(fault);
        // What was not acknowledged is sent again, and some of what was.
        let mut again: Vec<Body> = Vec::new();
        for position in (0..bodies.len()).rev() {
            let chance = if bodies[position].is_acknowledged { 5 } else { 2 };
            if dice.below(chance) == 0 {
                again.push(bodies.swap_remove(position));
            }
        }
        let mut fresh = |count: u64| -> Vec<Body> {
            (0..count)
                .map(|_| Body::new(number.fetch_add(1, Ordering::Relaxed), &mut dice))
                .collect()
        };
        let (mut one, mut other) = (fresh(10), fresh(10));
        one.append(&mut again);
        if let Some(server) = fault.serve(&lake, &log) {
            let pause = Duration::from_millis(dice.below(120));
            thread::scope(|scope| {
                scope.spawn(|| push_through(&server, &mut one, pause));
                push_through(&server, &mut other, pause);
            });
            thread::sleep(Duration::from_millis(dice.below(3_000)));
        }
        bodies.append(&mut one);
        bodies.append(&mut other);
    }
    let server = Server::start(&lake, &[]);
    for body in bodies.iter_mut().filter(|body| !body.is_acknowledged).step_by(2) {
        assert!(body.send(&server) && body.is_acknowledged, "seed {seed}: {body:?}");
    }
    let inbox = lake.join("inbox");
    wait_for("the inbox has landed", || files_below(&inbox).is_empty().then_some(()));
    drop(server);
    // A start makes up for what a stop has left undone.
    let server = Server::start(&lake, &[]);
    drop(server);
    let of_lake = |arguments: &[&str]| {
        let mut asking = command(arguments);
        asking.arg("--lake").arg(&lake);
        asking
    };
    check_lake(&of_lake, &bodies, seed);
    let errors = fs::read_to_string(&log).unwrap();
    assert!(!errors.contains("panicked"), "seed {seed}: {errors}");
    let met = fs::read_to_string(log.with_extension("calls")).unwrap_or_default();
    assert!(met.lines().count() * 2 >= faults.len(), "seed {seed}: few faults were met: {met}");
}

/// A small disk of its own; `None`, and why on stderr, where none may be mounted.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(folder: &Path, megabytes: u32) -> Option<Self> {
        fs::create_dir_all(folder).unwrap();
        let size = format!("size={megabytes}m");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &size, "lawpulse-test"]).arg(folder);
        let is_mounted = mount.stderr(Stdio::null()).status().is_ok_and(|status| status.success());
        if !is_mounted {
            eprintln!("skipped: a file system cannot be mounted here");
        }
        is_mounted.then(|| Self(folder.to_owned()))
    }

    fn remount(&self, options: &str) {
        let options = format!("remount,{options}");
        succeed(Command::new("mount").args(["-o", &options]).arg(&self.0));
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn a_full_disk_refuses_pushes_and_everything_acknowledged_lands_when_there_is_room() {
    let folder = tempfile::tempdir().unwrap();
    let Some(disk) = SmallDisk::mount(&folder.path().join("disk"), 64) else { return };
    let (lake, ballast) = (disk.0.join("lake"), disk.0.join("ballast"));
    let server = Server::start(&lake, &[]);
    let mut number = 0;
    let mut body = || {
        number += 1;
        let mut dice = Dice(number);
        // Noise, which no compression makes small.
        let noise: String =
            (0..48 << 10).map(|_| format!("{:016x}", dice.below(u64::MAX))).collect();
        patrol(&format!("p-{number}"))
            .replace("\"town-1\"", &format!("\"town-1\",\"attributes\":{{\"noise\":\"{noise}\"}}"))
    };
    let url = format!("{}/api/v1/events?source=native", server.url);
    let mut acknowledged = 0;
    let mut push = |body: String| {
        let answer = post(&url, &[], body.as_bytes()).unwrap();
        acknowledged += u32::from(answer.status == 200);
        (answer, acknowledged)
    };
    assert_eq!(push(body()).0.status, 200);
    fs::write(&ballast, vec![b'x'; 50 << 20]).unwrap();
    let refused = (0..200).find_map(|_| {
        let (answer, _) = push(body());
        (answer.status != 200).then_some(answer)
    });
    let refused = refused.expect("a disk that is full takes no push");
    check_problem(&refused, 507, "disk");
    fs::remove_file(&ballast).unwrap();
    let acknowledged = wait_for("the disk takes pushes again", || {
        let (answer, acknowledged) = push(body());
        (answer.status == 200).then_some(acknowledged)
    });
    wait_for("the inbox has landed", || files_below(&lake.join("inbox")).is_empty().then_some(()));
    wait_for("landing is well", || (server.get("/readyz").status == 200).then_some(()));
    let counts = "select count(*) || ' of ' || count(distinct event_id) from event_log";
    assert_eq!(sql_value(&lake, counts), format!("{acknowledged} of {acknowledged}"));
}

#[test]
fn a_lake_that_cannot_be_written_can_be_read_and_says_why_it_takes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let Some(disk) = SmallDisk::mount(&folder.path().join("disk"), 64) else { return };
    let lake = disk.0.join("lake");
    let log = folder.path().join("log.ndjson");
    write_lines(&log, [patrol("a").trim_end()]);
    land(&lake, "native", std::slice::from_ref(&log));
    disk.remount("ro");
    assert_eq!(sql_value(&lake, "select count(*) from events"), "1");
    let lake = lake.to_str().unwrap();
    let metric =
        ["metric", "patrols", "--lake", lake, "--from", "2025-01-01", "--to", "2026-01-01"];
    assert!(harness::lawpulse(metric).contains('1'));
    let log = log.to_str().unwrap();
    for writing in
        [vec!["land", "--lake", lake, log], vec!["serve", "--lake", lake, "--http", "127.0.0.1:0"]]
    {
        let output = command(&writing).output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{told}");
        assert!(told.contains("Read-only file system") && told.contains(lake), "{told}");
    }
}

#[test]
fn a_second_writer_is_refused_and_told_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let lake = folder.path().join("lake");
    let server = Server::start(&lake, &[]);
    let log = folder.path().join("log.ndjson");
    write_lines(&log, [patrol("a").trim_end()]);
    let (lake_name, log) = (lake.to_str().unwrap(), log.to_str().unwrap());
    let second =
        ["serve", "--lake", lake_name, "--http", "127.0.0.1:0", "--postgres", "127.0.0.1:0"];
    for writing in [
        second.to_vec(),
        vec!["land", "--lake", lake_name, log],
        vec!["rejects", "replay", "--lake", lake_name],
    ] {
        let output = command(&writing).output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{told}");
        assert!(told.contains("another lawpulse process") && told.contains(lake_name), "{told}");
    }
    assert_eq!(server.push(&[], patrol("b").as_bytes()).status, 200);
}

#[test]
fn a_damaged_file_is_named_and_what_was_acknowledged_lands_when_it_is_restored() {
    let folder = tempfile::tempdir().unwrap();
    let lake = folder.path().join("lake");
    let log = folder.path().join("log.ndjson");
    let lines: Vec<String> =
        (0..3_000).map(|number| patrol(&format!("old-{number}")).trim_end().to_owned()).collect();
    write_lines(&log, lines.iter().map(String::as_str));
    land(&lake, "native", std::slice::from_ref(&log));
    let events = files_below(&lake.join("events"));
    let is_data = |path: &PathBuf| path.extension().is_some_and(|kind| kind == "parquet");
    let damaged = events.into_keys().find(is_data).unwrap();
    let name = damaged.file_name().unwrap().to_str().unwrap();
    let whole = fs::read(&damaged).unwrap();
    let damage = |from: usize, to: usize| {
        let mut broken = whole.clone();
        broken[from..to].fill(0xa5);
        fs::write(&damaged, &broken).unwrap();
    };
    // Its end says what is where in it.
    damage(whole.len() - 200, whole.len() - 8);
    let output = Server::command(&lake, &[]).output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains(name) && told.contains("restore it from a backup"), "{told}");

    // Of a column that only landing reads, and whoever asks for it.
    damage(64, 400);
    let server = Server::start(&lake, &[]);
    assert_eq!(server.push(&[], patrol("new").as_bytes()).status, 200);
    let told = wait_for("it is said that landing does not get on", || {
        let answer = get(&format!("{}/readyz", server.url), &[]).unwrap();
        (answer.status == 503).then_some(answer.text)
    });
    assert!(told.contains(name) && told.contains("restore it from a backup"), "{told}");
    assert_eq!(files_below(&lake.join("inbox")).len(), 1, "what was acknowledged waits");
    let answer =
        server.sql("select count(distinct event_id) as n from events where event_id <> 'x'");
    assert!(
        answer.status >= 400 && answer.text.contains("restore it from a backup"),
        "{}",
        answer.text
    );

    fs::write(&damaged, &whole).unwrap();
    wait_for("the inbox has landed", || files_below(&lake.join("inbox")).is_empty().then_some(()));
    wait_for("landing is well", || (server.get("/readyz").status == 200).then_some(()));
    assert_eq!(sql_value(&lake, "select count(distinct event_id) from events"), "3001");
}
