//! The exit codes and first words of the command, as scripts rely on them.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, also in a helper")]

use std::process::{Command, Output};

fn lawpulse(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_lawpulse")).args(arguments).output().unwrap()
}

#[track_caller]
fn check(arguments: &[&str], expected_code: i32, expected_words: &str) {
    let output = lawpulse(arguments);
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8(said).unwrap();
    assert_eq!(output.status.code(), Some(expected_code), "{said}");
    assert!(said.contains(expected_words), "{said}");
}

#[test]
fn help_lists_the_commands() {
    check(&["--help"], 0, "Land files, or a folder that `simulate` wrote");
}

#[test]
fn wrong_usage_exits_with_2() {
    check(&["land"], 2, "--lake");
    check(&["relay"], 2, "--config");
    check(&["no-such-command"], 2, "unrecognized subcommand");
    check(&["metric", "patrols", "--from", "yesterday"], 2, "--from");
}

#[test]
fn failed_work_exits_with_1_and_says_what_to_do() {
    check(&["sql", "--lake", "/no/such/lake", "select 1"], 1, "land something first");
    check(
        &["land", "--lake", "/tmp/unused", "/no/such/file.csv"],
        1,
        "cannot read `/no/such/file.csv`",
    );
    check(
        &["relay", "--config", "/no/such/file"],
        1,
        "cannot read the config file `/no/such/file`",
    );
    check(&["metric", "patrol", "--lake", "/no/such/lake"], 1, "did you mean patrols?");
}

#[test]
fn the_catalogue_needs_no_lake() {
    check(&["metric", "list", "--format", "csv"], 0, "officer_activity_ratio,执法人员活跃度,");
}
