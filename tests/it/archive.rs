//! Old months on another disk, with the real server, its readers and its backups.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::harness::{
    Server, land, lawpulse, patrol, repository, sql_value, succeed, wait_for, write_lines,
};

const COUNT: &str = "select count(*) from events";
/// Asks the events and a rollup of them.
const BOTH: &str =
    "select (select count(*) from events) || ' ' || (select sum(events) from org_days)";

/// A folder with a lake of three patrols in March 2025, and the config file that archives them.
struct Archiving {
    folder: tempfile::TempDir,
    lake: PathBuf,
    archive: PathBuf,
    config: PathBuf,
}

impl Archiving {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().canonicalize().unwrap();
        let (lake, archive) = (path.join("lake"), path.join("archive"));
        let config = path.join("lawpulse.toml");
        fs::create_dir(&archive).unwrap();
        let text = "[inbox]\nland_every = \"20ms\"\n[maintenance]\nevery = \"1s\"\n\
            archive_after = \"1 month\"\narchive_folder = \"archive\"\n";
        fs::write(&config, text).unwrap();
        for name in ["one", "two", "three"] {
            let log = path.join(format!("{name}.ndjson"));
            write_lines(&log, [patrol(name).trim_end()]);
            land(&lake, "native", &[log]);
        }
        Self { folder, lake, archive, config }
    }

    fn maintain(&self, lake: &Path) -> String {
        let lake = lake.to_str().unwrap();
        lawpulse(["maintain", "--lake", lake, "--config", self.config.to_str().unwrap()])
    }

    fn month(&self) -> PathBuf {
        self.lake.join("events/event_month=2025-03")
    }

    fn serve(&self, more: &[&str]) -> Server {
        let config = ["--config", self.config.to_str().unwrap()];
        Server::start(&self.lake, &[&config, more].concat())
    }
}

fn sample(server: &Server, name: &str) -> Option<f64> {
    let text = server.get("/metrics").text;
    text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
}

fn is_link(path: &Path) -> bool {
    fs::symlink_metadata(path).unwrap().is_symlink()
}

#[test]
fn a_server_archives_by_itself_and_lands_what_comes_late_where_its_month_is() {
    let archiving = Archiving::new();
    let server = archiving.serve(&[]);
    wait_for("the month is in the archive", || {
        (sample(&server, "lawpulse_lake_archived_months ")? == 1.0).then_some(())
    });
    assert!(is_link(&archiving.month()));
    assert_eq!(sample(&server, "lawpulse_maintenance_moved_months_total "), Some(1.0));
    assert_eq!(sample(&server, "lawpulse_maintenance_failures_total "), Some(0.0));
    assert!(sample(&server, "lawpulse_lake_archived_bytes ") > Some(100.0));
    let home = archiving.folder.path().join("reader");
    let reading = ["--reader", "--home", home.to_str().unwrap()];
    let reader = Server::spawn(&mut Server::command(&archiving.lake, &reading));
    let packed = sample(&server, "lawpulse_maintenance_packed_files_total ").unwrap();
    assert_eq!(server.push(&[], patrol("late").as_bytes()).json()["accepted"], 1);
    for server in [&server, &reader] {
        wait_for("what came late is there", || {
            let answer = server.sql(BOTH);
            (answer.status == 200 && answer.text.contains("4 4")).then_some(())
        });
    }
    wait_for("it is packed", || {
        let now = sample(&server, "lawpulse_maintenance_packed_files_total ")?;
        (now > packed).then_some(())
    });
    drop((server, reader));
    assert_eq!(sql_value(&archiving.lake, BOTH), "4 4");
}

#[test]
fn a_backup_holds_the_archive_and_is_restored_without_it() {
    let archiving = Archiving::new();
    archiving.maintain(&archiving.lake);
    assert!(is_link(&archiving.month()));
    let root = archiving.folder.path();
    let (copy, restored) = (root.join("snapshot"), root.join("restored"));
    let server = archiving.serve(&[]);
    let snapshot = Command::new(repository("packaging/snapshot"))
        .args([&archiving.lake, &copy])
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&snapshot.stderr).into_owned();
    assert!(snapshot.status.success() && told.contains("tar --dereference"), "{told}");
    drop(server);
    fs::create_dir(&restored).unwrap();
    let tar = root.join("backup.tar");
    succeed(Command::new("tar").args(["--create", "--dereference", "--file"]).arg(&tar).args([
        "--directory",
        copy.to_str().unwrap(),
        ".",
    ]));
    succeed(
        Command::new("tar")
            .args(["--extract", "--file"])
            .arg(&tar)
            .arg("--directory")
            .arg(&restored),
    );
    // Lost with the lake.
    fs::remove_dir_all(&archiving.archive).unwrap();
    fs::remove_dir_all(&archiving.lake).unwrap();
    assert_eq!(sql_value(&restored, COUNT), "3");
    fs::create_dir(&archiving.archive).unwrap();
    archiving.maintain(&restored);
    assert!(is_link(&restored.join("events/event_month=2025-03")));
    assert_eq!(sql_value(&restored, COUNT), "3");
}

#[test]
fn a_purge_takes_a_lake_whose_events_are_all_in_the_archive_for_one_that_holds_records() {
    let archiving = Archiving::new();
    archiving.maintain(&archiving.lake);
    let postrm = fs::read_to_string(repository("packaging/debian/postrm")).unwrap();
    let (asking, _) = postrm.split_once("\nif [ \"$1\" = purge ]").unwrap();
    let asking = asking
        .replace("lake=/var/lib/lawpulse/lake", &format!("lake='{}'", archiving.lake.display()));
    // All that a package could take for its own.
    fs::remove_dir_all(archiving.lake.join("reference")).ok();
    let has_records = || {
        let script = format!("{asking}\nhas_records");
        Command::new("sh").args(["-c", &script]).status().unwrap().success()
    };
    assert!(has_records());
    fs::remove_file(archiving.month()).unwrap();
    assert!(!has_records(), "it was the link");
}

#[test]
fn a_server_does_not_start_with_an_archive_of_another_kind_of_lake() {
    let archiving = Archiving::new();
    let text = "[maintenance]\narchive_after = \"1 month\"\narchive_class = \"STANDARD_IA\"\n";
    fs::write(&archiving.config, text).unwrap();
    let config = ["--config", archiving.config.to_str().unwrap()];
    let output = Server::command(&archiving.lake, &config).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(told.contains("archive_folder"), "{told}");
}
