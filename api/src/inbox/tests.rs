use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};

use proptest::prelude::*;

use super::*;

const WRITTEN: (Format, Compression) = (Format::Json, Compression::None);

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000 + seconds, 0).unwrap()
}

fn open(lake: &Path) -> Inbox {
    Inbox::open(lake, Settings::default(), at(0)).unwrap()
}

fn put(inbox: &Inbox, source: &str, body: &[u8], key: Option<&str>) -> Result<Kept, Refusal> {
    let mut draft = inbox.draft().unwrap();
    draft.write_all(body).unwrap();
    inbox.keep(draft, source, WRITTEN, Origin { key, name: None }, at(0))
}

fn bodies(inbox: &Inbox, source: &str) -> Vec<Vec<u8>> {
    let waiting = inbox.waiting();
    let bodies = waiting.get(source).into_iter().flatten();
    bodies.map(|body| std::fs::read(&body.path).unwrap()).collect()
}

fn land(inbox: &Inbox, source: &str) {
    inbox.landed(&inbox.waiting()[source], at(0)).unwrap();
}

#[test]
fn a_body_waits_until_it_has_landed_also_over_a_restart() {
    let lake = tempfile::tempdir().unwrap();
    let inbox = open(lake.path());
    put(&inbox, "native", b"{}\n", None).unwrap();
    drop(inbox);
    let inbox = open(lake.path());
    put(&inbox, "native", b"{}\n{}\n", None).unwrap();
    assert_eq!(bodies(&inbox, "native"), [b"{}\n".to_vec(), b"{}\n{}\n".to_vec()]);
    let tried: Vec<bool> = inbox.waiting()["native"].iter().map(|body| body.tried).collect();
    assert_eq!(tried, [true, false], "what a crash may have interrupted may have landed");
    assert_eq!(inbox.backlog(at(7)).bytes, 9);
    land(&inbox, "native");
    assert!(inbox.waiting().is_empty());
    assert_eq!(inbox.backlog(at(7)), Backlog::default());
}

#[test]
fn a_body_that_was_not_whole_is_not_landed_and_is_gone_after_a_restart() {
    let lake = tempfile::tempdir().unwrap();
    let inbox = open(lake.path());
    let mut draft = inbox.draft().unwrap();
    draft.write_all(b"{").unwrap();
    // As a killed process leaves it.
    std::mem::forget(draft);
    assert!(inbox.waiting().is_empty());
    drop(inbox);
    assert!(open(lake.path()).waiting().is_empty());
    assert_eq!(std::fs::read_dir(lake.path().join("inbox")).unwrap().count(), 0);
}

#[test]
fn a_draft_that_is_dropped_leaves_nothing_and_gives_its_room_back() {
    let lake = tempfile::tempdir().unwrap();
    let settings = Settings { bytes_max: 3, ..Settings::default() };
    let inbox = Inbox::open(lake.path(), settings, at(0)).unwrap();
    let mut draft = inbox.draft().unwrap();
    draft.write_all(b"{}\n").unwrap();
    let mut read = String::new();
    draft.reader().unwrap().read_to_string(&mut read).unwrap();
    assert_eq!(read, "{}\n");
    assert!(inbox.check_room(at(0)).is_err());
    drop(draft);
    assert!(inbox.check_room(at(0)).is_ok());
    assert_eq!(std::fs::read_dir(lake.path().join("inbox")).unwrap().count(), 0);
}

#[test]
fn the_same_body_is_known_while_it_waits_after_it_landed_and_after_a_restart() {
    let lake = tempfile::tempdir().unwrap();
    let inbox = open(lake.path());
    assert_eq!(put(&inbox, "native", b"{}\n", None).unwrap(), Kept::New);
    assert_eq!(put(&inbox, "native", b"{}\n", None).unwrap(), Kept::Known);
    assert_eq!(put(&inbox, "wabo", b"{}\n", None).unwrap(), Kept::New, "another source");
    land(&inbox, "native");
    assert_eq!(put(&inbox, "native", b"{}\n", None).unwrap(), Kept::Known);
    drop(inbox);
    let inbox = open(lake.path());
    assert_eq!(put(&inbox, "native", b"{}\n", None).unwrap(), Kept::Known);
    assert_eq!(put(&inbox, "wabo", b"{}\n", None).unwrap(), Kept::Known);
    let later = Inbox::open(lake.path(), Settings::default(), at(8 * 86_400)).unwrap();
    assert_eq!(put(&later, "native", b"{}\n", None).unwrap(), Kept::New, "after a week");
}

#[test]
fn a_key_stands_for_one_body_also_over_a_restart() {
    let lake = tempfile::tempdir().unwrap();
    let inbox = open(lake.path());
    assert_eq!(put(&inbox, "native", b"{}\n", Some("a")).unwrap(), Kept::New);
    let again = |inbox: &Inbox| {
        assert_eq!(put(inbox, "native", b"{}\n", Some("a")).unwrap(), Kept::Known);
        let other = put(inbox, "native", b"{\"b\":1}\n", Some("a"));
        assert!(matches!(other, Err(Refusal::KeyReused)), "{other:?}");
    };
    again(&inbox);
    drop(inbox);
    let inbox = open(lake.path());
    again(&inbox);
    land(&inbox, "native");
    again(&inbox);
    drop(inbox);
    again(&open(lake.path()));
}

#[test]
fn too_much_or_too_old_refuses_more_and_says_when_to_come_back() {
    let lake = tempfile::tempdir().unwrap();
    let settings =
        Settings { bytes_max: 6, age_max: Duration::from_secs(60), ..Settings::default() };
    let inbox = Inbox::open(lake.path(), settings, at(0)).unwrap();
    put(&inbox, "native", b"{}\n", None).unwrap();
    assert!(inbox.check_room(at(60)).is_ok());
    let old = inbox.check_room(at(61)).unwrap_err();
    assert!(old.to_string().contains("landing does not get on"), "{old}");
    put(&inbox, "native", b"{ }", None).unwrap();
    let full = inbox.check_room(at(0)).unwrap_err();
    assert!(!full.retry_after.is_zero() && full.to_string().contains("the limit"), "{full}");
    land(&inbox, "native");
    assert!(inbox.check_room(at(1_000)).is_ok());
}

#[test]
fn a_body_that_cannot_be_read_is_set_aside_with_the_reason_and_may_come_again() {
    let lake = tempfile::tempdir().unwrap();
    let inbox = open(lake.path());
    put(&inbox, "native", b"torn", None).unwrap();
    let body = inbox.waiting()["native"][0].clone();
    let aside = inbox.set_aside(&body, "it is torn").unwrap();
    assert_eq!(std::fs::read(&aside).unwrap(), b"torn");
    let note = format!("{}.error.txt", aside.display());
    assert_eq!(std::fs::read_to_string(note).unwrap(), "it is torn\n");
    assert!(inbox.waiting().is_empty());
    assert_eq!(put(&inbox, "native", b"torn", None).unwrap(), Kept::New);
}

#[test]
fn the_same_body_from_many_at_once_is_kept_once() {
    let lake = tempfile::tempdir().unwrap();
    let inbox = open(lake.path());
    let kept: Vec<Kept> = thread::scope(|scope| {
        let threads: Vec<_> = (0..16)
            .map(|_| scope.spawn(|| put(&inbox, "native", b"{}\n", None).unwrap()))
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(kept.iter().filter(|kept| **kept == Kept::New).count(), 1);
    assert_eq!(bodies(&inbox, "native").len(), 1);
}

/// What is done to an inbox.
#[derive(Debug, Clone)]
enum Step {
    Push { body: u8, key: Option<u8> },
    Land,
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..6_u8, proptest::option::of(0..4_u8)).prop_map(|(body, key)| Step::Push { body, key }),
        1 => Just(Step::Land),
        1 => Just(Step::Restart),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever is pushed, landed and restarted: each body that was acknowledged is handed to the lander once.
    #[test]
    fn every_acknowledged_body_lands_once(steps in proptest::collection::vec(step(), 0..30)) {
        let lake = tempfile::tempdir().unwrap();
        let mut inbox = open(lake.path());
        let mut acknowledged = BTreeSet::new();
        let mut of_key = BTreeMap::new();
        let mut landed: Vec<Vec<u8>> = Vec::new();
        for step in steps.into_iter().chain([Step::Restart, Step::Land]) {
            match step {
                Step::Push { body, key } => {
                    let text = format!("{{\"n\":{body}}}\n").into_bytes();
                    let name = key.map(|key| format!("key-{key}"));
                    let kept = put(&inbox, "native", &text, name.as_deref());
                    match key.and_then(|key| of_key.get(&key)) {
                        Some(other) if *other != body => {
                            prop_assert!(matches!(kept, Err(Refusal::KeyReused)));
                        }
                        _ => {
                            let is_new = acknowledged.insert(text);
                            prop_assert_eq!(kept.unwrap(), if is_new { Kept::New } else { Kept::Known });
                            // A key that came with a body that is known already is not noted: it names nothing new.
                            if is_new && let Some(key) = key {
                                of_key.insert(key, body);
                            }
                        }
                    }
                }
                Step::Land => {
                    landed.extend(bodies(&inbox, "native"));
                    if inbox.waiting().contains_key("native") {
                        land(&inbox, "native");
                    }
                }
                Step::Restart => {
                    drop(inbox);
                    inbox = open(lake.path());
                }
            }
        }
        landed.sort();
        prop_assert_eq!(landed, acknowledged.into_iter().collect::<Vec<_>>());
    }
}
