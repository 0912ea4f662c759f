use std::fs;
use std::os::unix::fs::symlink;

use proptest::prelude::*;

use super::*;
use crate::sources::Kind;

/// A source over a folder of its own, and a server over an empty lake.
struct Watched {
    root: tempfile::TempDir,
    server: Arc<Server>,
    start: Instant,
    done: Done,
}

impl Watched {
    async fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let server = Arc::new(Server::of_empty_lake(&root.path().join("lake")).await);
        fs::create_dir(root.path().join("in")).unwrap();
        let done = Done::Move(root.path().join("in/done"));
        Self { root, server, start: Instant::now(), done }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join("in").join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    /// The source as it is after a start.
    fn open(&self) -> Folder {
        let settings = Settings {
            path: self.path(""),
            pattern: None,
            settle: Duration::from_secs(5),
            done: self.done.clone(),
            failed: self.path("failed"),
        };
        let source = sources::Settings {
            name: "ledgers".to_owned(),
            mapping: "native".to_owned(),
            every: Duration::from_secs(1),
            kind: Kind::Folder(settings.clone()),
        };
        let status = Arc::new(Status::new("ledgers"));
        Folder::new(&source, settings, Arc::clone(&self.server), status)
    }

    fn at(&self, seconds: u64) -> Instant {
        self.start + Duration::from_secs(seconds)
    }

    /// The bodies in the inbox.
    fn bodies(&self) -> Vec<String> {
        let waiting = self.server.inbox().waiting();
        let bodies = waiting.get("native").into_iter().flatten();
        bodies.map(|body| fs::read_to_string(&body.path).unwrap()).collect()
    }

    /// The names of what is in the folder.
    fn names(&self, folder: &str) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.path(folder)) else { return Vec::new() };
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

fn patrol(name: &str) -> String {
    format!(
        "{{\"event_id\":\"{name}\",\"event_type\":\"patrol.recorded\",\"occurred_at\":\"2025-03-05T09:12:33+08:00\",\
         \"org_id\":\"town-1\",\"object_id\":\"{name}\"}}\n"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_lands_once_it_has_settled_and_is_moved() {
    let watched = Watched::new().await;
    let mut folder = watched.open();
    watched.write("a.ndjson", &patrol("1"));
    folder.look(watched.at(0));
    folder.look(watched.at(4));
    assert_eq!(watched.bodies(), Vec::<String>::new());
    let facts = folder.status.facts();
    assert_eq!((facts.waiting, facts.oldest, facts.error), (1, Duration::from_secs(4), None));
    folder.look(watched.at(5));
    assert_eq!(watched.bodies(), [patrol("1")]);
    assert_eq!(
        (watched.names(""), watched.names("done")),
        (vec!["done".into()], vec!["a.ndjson".into()])
    );
    let facts = folder.status.facts();
    assert_eq!((facts.waiting, facts.oldest, facts.failed), (0, Duration::ZERO, 0));
    assert!(facts.landed_at.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_still_written_waits_however_long_it_takes() {
    let watched = Watched::new().await;
    let mut folder = watched.open();
    let mut text = String::new();
    for round in 0..4 {
        text.push_str(&patrol(&round.to_string()));
        watched.write("a.ndjson", &text);
        folder.look(watched.at(4 * round));
        assert_eq!(watched.bodies(), Vec::<String>::new());
    }
    folder.look(watched.at(18));
    assert_eq!(watched.bodies(), [text]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_hidden_or_on_its_way_or_a_link_is_passed_over() {
    let watched = Watched::new().await;
    let mut folder = watched.open();
    let secret = watched.root.path().join("secret.ndjson");
    fs::write(&secret, patrol("secret")).unwrap();
    symlink(&secret, watched.path("link.ndjson")).unwrap();
    for name in [".a.ndjson", "b.ndjson.partial", "c.ndjson.tmp", "~$d.ndjson"] {
        watched.write(name, &patrol(name));
    }
    let before = watched.names("");
    folder.look(watched.at(0));
    folder.look(watched.at(100));
    assert_eq!((watched.names(""), watched.bodies()), (before, Vec::new()));
    // Renaming is how a file comes in whole.
    fs::rename(watched.path("b.ndjson.partial"), watched.path("b.ndjson")).unwrap();
    folder.look(watched.at(101));
    folder.look(watched.at(106));
    assert_eq!(watched.bodies(), [patrol("b.ndjson.partial")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_cannot_be_read_is_set_aside_with_the_reason_and_holds_up_no_other() {
    let watched = Watched::new().await;
    let mut folder = watched.open();
    watched.write("a.csv", "when,where\n1,2\n");
    watched.write("b.pdf", "%PDF");
    watched.write("c.ndjson", &(patrol("1") + "{\n"));
    folder.look(watched.at(0));
    folder.look(watched.at(5));
    assert_eq!(watched.bodies(), [patrol("1") + "{\n"], "a refused line fails no file");
    let failed = ["a.csv", "a.csv.error.txt", "b.pdf", "b.pdf.error.txt"];
    assert_eq!(watched.names("failed"), failed);
    let note = fs::read_to_string(watched.path("failed/a.csv.error.txt")).unwrap();
    assert!(note.contains("needs column") && note.contains("move it back"), "{note}");
    let note = fs::read_to_string(watched.path("failed/b.pdf.error.txt")).unwrap();
    assert!(note.contains("no known format"), "{note}");
    assert_eq!(folder.status.facts().failed, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_between_the_inbox_and_the_move_lands_nothing_twice() {
    let watched = Watched::new().await;
    let mut folder = watched.open();
    watched.write("a.ndjson", &patrol("1"));
    folder.look(watched.at(0));
    let found = folder.list().unwrap().remove(0);
    let file = InputFile::new(&found.path).unwrap();
    let mapping = Mapping::find(&watched.server.definitions(), "native").unwrap();
    folder.keep(&found.name, &mapping, &file, found.stamp).unwrap();
    let mut folder = watched.open();
    folder.look(watched.at(10));
    folder.look(watched.at(15));
    assert_eq!(
        (watched.bodies(), watched.names("done")),
        (vec![patrol("1")], vec!["a.ndjson".into()])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_somebody_goes_on_writing_to_comes_back_and_lands_again() {
    let watched = Watched::new().await;
    let mut folder = watched.open();
    watched.write("a.ndjson", &patrol("1"));
    let mut writer = File::options().append(true).open(watched.path("a.ndjson")).unwrap();
    folder.look(watched.at(0));
    folder.look(watched.at(5));
    writer.write_all(patrol("2").as_bytes()).unwrap();
    // A restart knows it too.
    let mut folder = watched.open();
    folder.look(watched.at(40));
    folder.look(watched.at(45));
    assert_eq!(watched.bodies(), [patrol("1"), patrol("1") + &patrol("2")]);
    assert_eq!(watched.names("done"), ["a.ndjson"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_is_taken_gets_a_number() {
    let watched = Watched::new().await;
    let mut folder = watched.open();
    for round in 0..3 {
        watched.write("day.csv.gz.ndjson", &patrol(&round.to_string()));
        folder.look(watched.at(10 * round));
        folder.look(watched.at(10 * round + 5));
    }
    let expected = ["day (2).csv.gz.ndjson", "day (3).csv.gz.ndjson", "day.csv.gz.ndjson"];
    assert_eq!(
        (watched.names("done"), watched.bodies().len()),
        (expected.map(Into::into).into(), 3)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_stays_lands_once_until_it_is_another() {
    let mut watched = Watched::new().await;
    watched.done = Done::Keep;
    watched.write("a.ndjson", &patrol("1"));
    for start in [0, 10] {
        let mut folder = watched.open();
        for second in [0, 5, 6] {
            folder.look(watched.at(start + second));
        }
        assert_eq!(
            (watched.bodies(), watched.names("")),
            (vec![patrol("1")], vec!["a.ndjson".into()])
        );
        assert_eq!(folder.status.facts().waiting, 0);
    }
    let mut folder = watched.open();
    watched.write("a.ndjson", &(patrol("1") + &patrol("2")));
    folder.look(watched.at(20));
    folder.look(watched.at(25));
    watched.write("a.ndjson", &patrol("3"));
    folder.look(watched.at(30));
    folder.look(watched.at(35));
    assert_eq!(watched.bodies(), [patrol("1"), patrol("1") + &patrol("2"), patrol("3")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_is_not_there_is_told_of_until_it_is() {
    let watched = Watched::new().await;
    let mut folder = watched.open();
    fs::remove_dir(watched.path("")).unwrap();
    folder.look(watched.at(0));
    let error = folder.status.facts().error.unwrap();
    assert!(error.contains("failed to look into the folder"), "{error}");
    fs::create_dir(watched.path("")).unwrap();
    folder.look(watched.at(1));
    assert_eq!(folder.status.facts().error, None);
}

proptest! {
    #[test]
    fn a_numbered_name_is_free_and_found_soon(
        taken in proptest::collection::hash_set(1_u64..5000, 0..300), name in "[a-z.]{1,8}",
    ) {
        let asked = std::cell::Cell::new(0);
        let number = |tried: &str| {
            let (_, number) = tried.rsplit_once(" (").unwrap_or((tried, "1)"));
            number.split(')').next().unwrap().parse::<u64>().unwrap()
        };
        let is_taken = |tried: &str| {
            asked.set(asked.get() + 1);
            taken.contains(&number(tried))
        };
        let free = free_name(&name, is_taken);
        prop_assert!(!taken.contains(&number(&free)), "{free}");
        prop_assert!(asked.get() < 30);
        prop_assert_eq!(free.replace(&format!(" ({})", number(&free)), ""), name);
    }
}
