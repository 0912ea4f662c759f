//! Maintenance beside landings, older states and erasure, with the real binary.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::harness::{
    self, Server, command, files_below, fresh, land, patrol, sql_value, wait_for, write_lines,
};

/// Pushes, each of which lands in a commit of its own or nearly so.
const PUSHES: usize = 300;

/// What both lakes must hold alike; officers are numbered in the order of their coming.
fn tables(lake: &Path) -> BTreeMap<&'static str, String> {
    let queries = [
        (
            "event_log",
            "select event_id, event_type, occurred_at, org_id, array_to_string(officer_ids, ',') as officers \
             from event_log order by event_id, revision",
        ),
        ("org_days", "select * from org_days order by event_date, org_id, event_type"),
        (
            "officer_days",
            "select event_date, org_id, level, set_count(officers) from officer_days order by 1, 2, 3",
        ),
    ];
    let lake = lake.to_str().unwrap();
    let ask = |query| harness::lawpulse(["sql", "--lake", lake, "--format", "csv", query]);
    queries.into_iter().map(|(name, query)| (name, ask(query))).collect()
}

fn sample(server: &Server, name: &str) -> Option<f64> {
    let text = server.get("/metrics").text;
    text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
}

#[test]
fn a_lake_of_small_pushes_that_is_maintained_and_killed_meanwhile_is_one_of_a_single_landing() {
    let folder = tempfile::tempdir().unwrap();
    let (lake, config) = (folder.path().join("lake"), folder.path().join("lawpulse.toml"));
    let settings = "[inbox]\nland_every = \"20ms\"\nland_bytes = \"0B\"\n\
        [maintenance]\nevery = \"1s\"\nsmall_files = 4\n";
    fs::write(&config, settings).unwrap();
    let start = || Server::start(&lake, &["--config", config.to_str().unwrap()]);
    let lines: Vec<String> = (0..PUSHES).map(|number| patrol(&format!("p-{number}"))).collect();
    for part in lines.chunks(PUSHES / 3) {
        let server = start();
        for line in part {
            assert_eq!(server.push(&[], line.as_bytes()).json()["accepted"], 1);
        }
        // Killed, in the middle of whatever it does.
        drop(server);
    }
    let server = start();
    wait_for("the inbox has landed", || files_below(&lake.join("inbox")).is_empty().then_some(()));
    wait_for("small files have become few", || {
        (sample(&server, "lawpulse_lake_files ")? < 8.0).then_some(())
    });
    wait_for("a round is told of", || sample(&server, "lawpulse_maintenance_timestamp_seconds "));
    assert_eq!(sample(&server, "lawpulse_maintenance_failures_total "), Some(0.0));
    drop(server);
    let (whole, log) = (folder.path().join("whole"), folder.path().join("log.ndjson"));
    write_lines(&log, lines.iter().map(|line| line.trim_end()));
    land(&whole, "native", &[log]);
    assert_eq!(tables(&lake), tables(&whole));
}

#[test]
fn maintain_tells_what_it_did_and_stays_away_from_a_lake_that_is_served() {
    let fresh = fresh();
    let lake = fresh.lake.to_str().unwrap().to_owned();
    let maintain = |more: &[&str]| {
        let fixed = ["maintain", "--lake", lake.as_str(), "--format", "csv"];
        command(fixed.iter().chain(more)).output().unwrap()
    };
    let refused = maintain(&[]);
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(1));
    assert!(told.contains("is in use; a server maintains its lake by itself"), "{told}");
    drop(fresh.server);
    for number in 0..3 {
        let path = fresh.folder.path().join(format!("{number}.ndjson"));
        fs::write(&path, patrol(&format!("p-{number}"))).unwrap();
        land(&fresh.lake, "native", &[path]);
    }
    for (more, files) in [
        (vec!["--dry-run"], "events,3,1,3,0"),
        (vec![], "events,3,1,3,0"),
        (vec![], "events,1,1,0,0"),
    ] {
        let done = maintain(&more);
        let text = String::from_utf8_lossy(&done.stdout).into_owned();
        assert!(text.lines().any(|line| line.starts_with(files)), "{more:?}: {text}");
    }
    assert_eq!(sql_value(&fresh.lake, "select count(*) from events"), "3");
}

#[test]
fn the_command_line_asks_an_older_state_and_erases_a_person() {
    let folder = tempfile::tempdir().unwrap();
    let lake = folder.path().join("lake");
    for name in ["one", "two"] {
        let path = folder.path().join(format!("{name}.ndjson"));
        fs::write(&path, patrol(name)).unwrap();
        land(&lake, "native", &[path]);
    }
    let lake_text = lake.to_str().unwrap();
    let as_of = |moment: &str| {
        let query = "select count(*) as n, max(total) as total from events, (select sum(events) as total from org_days) as d";
        let arguments = ["sql", "--lake", lake_text, "--as-of", moment, "--format", "csv", query];
        command(arguments).output().unwrap()
    };
    assert_eq!(String::from_utf8_lossy(&as_of("1").stdout), "n,total\n1,1\n");
    assert_eq!(String::from_utf8_lossy(&as_of("2200-01-01T00:00:00Z").stdout), "n,total\n2,2\n");
    let future = as_of("77");
    assert_eq!(future.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&future.stderr).contains("the newest is 2"));
    let erased =
        harness::lawpulse(["erase", "--lake", lake_text, "--officer", "officer-1", "--yes"]);
    assert!(erased.starts_with("erased: 2 events"), "{erased}");
    let left = "select count(*) || ' ' || count(distinct o) from \
        (select unnest(officer_ids) as o from events) where o <> 'officer-1'";
    assert_eq!(sql_value(&lake, left), "4 2");
    let told = as_of("1");
    assert!(String::from_utf8_lossy(&told.stderr).contains("erased"), "{told:?}");
}
