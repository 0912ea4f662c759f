//! The runbook: it has a section for each alert, and its commands run.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use crate::harness::{binary, repository, yubei};

fn shipped(path: &str) -> String {
    fs::read_to_string(repository("dashboards").join(path)).unwrap()
}

/// The words that follow a mark at the beginning of lines, as of `- alert: NAME`.
fn after<'t>(text: &'t str, mark: &str) -> BTreeSet<&'t str> {
    let lines = text.lines().map(str::trim_start);
    let named = lines.filter_map(|line| line.strip_prefix(mark));
    named.map(|name| name.trim_end_matches(", exp_alerts: [] }").trim()).collect()
}

#[test]
fn alerts_their_tests_and_the_runbook_have_the_same_names() {
    let (rules, tests) = (shipped("prometheus/rules.yml"), shipped("prometheus/rules_test.yml"));
    let runbook = shipped("runbook.md");
    let alerts = after(&rules, "- alert: ");
    assert!(alerts.len() >= 18, "{alerts:?}");
    assert_eq!(after(&runbook, "## "), alerts);
    // Each has a case in which it fires, and one in which it does not.
    assert_eq!(after(&tests, "alertname: "), alerts);
    let silent = tests.split("alertname: ").filter(|case| {
        case.lines().next().is_some_and(|line| line.ends_with(", exp_alerts: [] }"))
    });
    let silent: BTreeSet<&str> = silent.filter_map(|case| case.split(',').next()).collect();
    let spoken = BTreeSet::from(["RejectsRising"]);
    assert_eq!(alerts.difference(&silent).copied().collect::<BTreeSet<_>>(), spoken);
    for alert in &alerts {
        let link = format!("dashboards/runbook.md#{}", alert.to_lowercase());
        assert!(rules.contains(&link), "{link}");
        for part in ["**Meaning.**", "**Impact.**", "**Diagnosis.**", "**Action.**"] {
            let (_, section) = runbook.split_once(&format!("\n## {alert}\n")).unwrap();
            let section = section.split("\n## ").next().unwrap();
            assert!(section.contains(part), "{alert} has no {part}");
        }
    }
}

/// The commands of the runbook that are ours, each with the lines that it goes on in.
fn commands(runbook: &str) -> Vec<String> {
    let mut commands: Vec<String> = Vec::new();
    let mut is_open = false;
    for line in runbook.lines().filter(|line| line.starts_with("    ")) {
        let line = line.trim();
        if is_open {
            let command = commands.last_mut().unwrap();
            command.push(' ');
            command.push_str(line);
        } else if line.starts_with("lawpulse ") {
            commands.push(line.to_owned());
        } else {
            continue;
        }
        is_open = commands.last().unwrap().matches('"').count() % 2 == 1;
    }
    commands
}

#[test]
fn every_command_of_the_runbook_runs_on_the_lake_of_the_district() {
    let folder = tempfile::tempdir().unwrap();
    let lake = yubei().copy(folder.path());
    std::os::unix::fs::symlink(repository("sql"), folder.path().join("sql")).unwrap();
    let commands = commands(&shipped("runbook.md"));
    assert!(commands.len() > 25, "{} commands", commands.len());
    for command in commands {
        let mut script =
            "Q=$(grep -v '^-- [a-z_]* = ' sql/checks/two_officers.sql)\n".to_owned() + &command;
        for (word, value) in [
            ("LAKE", lake.to_str().unwrap()),
            ("UNIT", "town-longta"),
            ("CHECK", "two_officers"),
            ("METRIC", "patrols"),
            ("'ID'", "'item-1'"),
            ("OBJECT", "case-1"),
            ("lawpulse ", &format!("{} ", binary().display())),
        ] {
            script = script.replace(word, value);
        }
        let output =
            Command::new("sh").args(["-c", &script]).current_dir(folder.path()).output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        // `check` ends with 1 when it finds something.
        let may_find = command.starts_with("lawpulse check") && output.status.code() == Some(1);
        assert!(output.status.success() || may_find, "{command}: {told}");
    }
}
