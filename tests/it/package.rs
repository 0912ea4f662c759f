//! The Debian package and the page that leads from the demo to a server: what it says is done, with the package of this build.

use std::process::Command;

use crate::harness::{binary, cached, repository};

/// What run.sh ends with where a machine does not permit a copy of itself.
const SKIPPED: i32 = 77;

/// Installs, follows docs/production.md with a backup under load and its restore, upgrades, removes and purges.
#[test]
fn the_package_does_what_the_page_says_and_nothing_is_lost() {
    // Below the build, for a file system in memory may have no room for two packages.
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let tools = cached("cargo-deb/bin");
    let path = std::env::var("PATH").unwrap();
    let output = Command::new(repository("tests/it/package/run.sh"))
        .arg(binary())
        .arg(cached("venv/bin/python"))
        .arg(folder.path())
        .env("PATH", format!("{}:{path}", tools.display()))
        .output()
        .unwrap();
    let (out, err) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    if output.status.code() == Some(SKIPPED) {
        eprintln!("{err}");
        return;
    }
    assert!(output.status.success(), "{}\n{out}\n{err}", output.status);
    assert!(out.contains("== whole"), "{out}");
}
