use std::collections::BTreeSet;
use std::pin::pin;
use std::sync::atomic::AtomicUsize;

use futures::FutureExt as _;
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
    bodies.map(text_of).collect()
}

fn text_of(body: &Body) -> Vec<u8> {
    match &body.bundle {
        None => std::fs::read(&body.path).unwrap(),
        Some((bundle, range)) => {
            std::fs::read(bundle).unwrap()[range.start as usize..range.end as usize].to_vec()
        }
    }
}

/// Pushes bodies, of which no two are the same, that all come while another is written.
fn put_together(inbox: &Inbox, bodies: &[(&str, Vec<u8>, Option<&str>)]) -> Vec<Kept> {
    let turn = inbox.together.hold();
    let over = AtomicUsize::new(0);
    thread::scope(|scope| {
        let mut threads = Vec::new();
        for (source, body, key) in bodies {
            let before = inbox.together.waiting() + over.load(Ordering::SeqCst);
            threads.push(scope.spawn(|| {
                let (body, origin) = (body.clone().into(), Origin { key: *key, name: None });
                let kept = inbox.keep_bytes(body, source, WRITTEN, origin, at(0)).unwrap();
                over.fetch_add(1, Ordering::SeqCst);
                kept
            }));
            while inbox.together.waiting() + over.load(Ordering::SeqCst) == before {
                thread::yield_now();
            }
        }
        drop(turn);
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

fn files(lake: &Path, folder: &str) -> Vec<String> {
    let entries = std::fs::read_dir(lake.join(folder)).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
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

#[tokio::test]
async fn bodies_are_held_back_a_little_while_landing_is_behind() {
    let lake = tempfile::tempdir().unwrap();
    let inbox = open(lake.path());
    let now = |seconds| Clock::Pinned(at(seconds));
    let is_taken_at_once = |clock| inbox.hold_back(clock).now_or_never().is_some();
    assert!(is_taken_at_once(now(0)), "nothing waits");
    put(&inbox, "native", b"{}\n", None).unwrap();
    assert!(is_taken_at_once(now(5)), "landing has begun just now");
    let mut held = pin!(inbox.hold_back(now(6)));
    assert!(held.as_mut().now_or_never().is_none());
    land(&inbox, "native");
    assert!(held.now_or_never().is_some(), "it has caught up");
    put(&inbox, "native", b"{}\n{}\n", None).unwrap();
    inbox.hold_back(now(10)).await;
    assert_eq!(inbox.backlog(at(10)).bodies, 1, "it is taken also when landing has not caught up");
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

fn bundles(lake: &Path, folder: &str) -> Vec<String> {
    let files = files(lake, folder).into_iter();
    let bundles: Vec<_> = files.filter(|name| name.ends_with(".tar")).collect();
    for bundle in &bundles {
        assert!(bundle.starts_with("00000000000000000001-"), "{bundle}");
    }
    bundles
}

#[test]
fn bodies_that_come_at_once_share_a_file_and_each_is_what_it_is_alone() {
    let lake = tempfile::tempdir().unwrap();
    let inbox = open(lake.path());
    let texts = ["{}\n", "{\"n\":1}\n", "{\"n\":2}"].map(|text| text.as_bytes().to_vec());
    let [first, second, third] = texts.clone();
    let kept = put_together(
        &inbox,
        &[("native", first, None), ("native", second, Some("a")), ("native", third, None)],
    );
    assert_eq!(kept, [Kept::New; 3]);
    assert_eq!(bundles(lake.path(), "inbox/native").len(), 1);
    let check = |inbox: &Inbox| {
        assert_eq!(bodies(inbox, "native"), texts);
        assert_eq!(inbox.backlog(at(7)).bodies, 3);
        assert_eq!(inbox.backlog(at(7)).bytes, 3 + 8 + 7);
        for text in &texts {
            assert_eq!(put(inbox, "native", text, None).unwrap(), Kept::Known);
        }
        let other = put(inbox, "native", b"other", Some("a"));
        assert!(matches!(other, Err(Refusal::KeyReused)), "{other:?}");
        let names: Vec<PathBuf> =
            inbox.waiting()["native"].iter().map(|body| body.path.clone()).collect();
        for (number, name) in (1..).zip(&names) {
            let start = format!("{number:020}-");
            assert!(name.file_name().unwrap().to_str().unwrap().starts_with(&start), "{name:?}");
        }
        names
    };
    let names = check(&inbox);
    drop(inbox);
    let inbox = open(lake.path());
    assert_eq!(check(&inbox), names, "they are called the same after a restart");
    assert!(inbox.waiting()["native"].iter().all(|body| body.tried));
    put(&inbox, "native", b"afterwards", None).unwrap();
    assert!(inbox.waiting()["native"][3].path.to_str().unwrap().contains("/00000000000000000004-"));
    land(&inbox, "native");
    assert!(files(lake.path(), "inbox/native").is_empty());
    assert_eq!(inbox.backlog(at(7)), Backlog::default());
}

#[test]
fn bodies_of_several_sources_that_come_at_once_have_a_file_a_source() {
    let lake = tempfile::tempdir().unwrap();
    let inbox = open(lake.path());
    let (one, other) = (b"{}\n".to_vec(), b"{\"n\":1}\n".to_vec());
    put_together(
        &inbox,
        &[("native", one.clone(), None), ("wabo", one.clone(), None), ("native", other, None)],
    );
    assert_eq!(bundles(lake.path(), "inbox/native").len(), 1);
    let [alone] = &*files(lake.path(), "inbox/wabo") else { panic!("not one file") };
    assert!(alone.ends_with(".ndjson"), "{alone}");
    assert_eq!(bodies(&open(lake.path()), "wabo"), [one]);
}

#[test]
fn a_large_body_has_a_file_of_its_own_and_waits_for_no_other() {
    let lake = tempfile::tempdir().unwrap();
    let inbox = open(lake.path());
    let _turn = inbox.together.hold();
    let body = vec![b' '; SMALL_BYTES + 1];
    let kept = inbox.keep_bytes(body.clone().into(), "native", WRITTEN, Origin::default(), at(0));
    assert_eq!(kept.unwrap(), Kept::New);
    assert_eq!(bodies(&inbox, "native"), [body]);
    let [alone] = &*files(lake.path(), "inbox/native") else { panic!("not one file") };
    assert!(alone.ends_with(".ndjson"), "{alone}");
}

#[test]
fn of_a_bundle_what_cannot_be_read_is_set_aside_and_the_rest_lands() {
    let lake = tempfile::tempdir().unwrap();
    let inbox = open(lake.path());
    let texts = ["{}\n", "torn", "{\"n\":2}\n"].map(|text| text.as_bytes().to_vec());
    put_together(&inbox, &texts.clone().map(|text| ("native", text, None)));
    let torn = inbox.waiting()["native"][1].clone();
    let aside = inbox.set_aside(&torn, "it is torn").unwrap();
    assert_eq!(aside.file_name(), torn.path.file_name());
    assert_eq!(std::fs::read(&aside).unwrap(), b"torn");
    assert_eq!(bodies(&inbox, "native"), [texts[0].clone(), texts[2].clone()]);
    assert_eq!(files(lake.path(), "inbox/native").len(), 1, "the others are still in it");
    land(&inbox, "native");
    assert!(files(lake.path(), "inbox/native").is_empty());
    assert_eq!(put(&inbox, "native", b"torn", None).unwrap(), Kept::New);
}

#[test]
fn a_damaged_bundle_is_set_aside_with_what_to_do_and_holds_up_nothing() {
    for damage in ["cut off", "cut off before a body", "overwritten", "a header lost", "all lost"] {
        let lake = tempfile::tempdir().unwrap();
        let inbox = open(lake.path());
        let texts = ["{}\n", "{\"n\":1}\n"].map(|text| text.as_bytes().to_vec());
        put_together(&inbox, &texts.map(|text| ("native", text, None)));
        put(&inbox, "native", b"whole", None).unwrap();
        drop(inbox);
        let [bundle] = &*bundles(lake.path(), "inbox/native") else { panic!("not one bundle") };
        let bundle = lake.path().join("inbox/native").join(bundle);
        let mut bytes = std::fs::read(&bundle).unwrap();
        match damage {
            "cut off" => bytes.truncate(1024 + 512 + 3),
            "cut off before a body" => bytes.truncate(1024),
            "overwritten" => bytes[1024..1100].fill(b'x'),
            "a header lost" => bytes[1024..1536].fill(0),
            _ => bytes.clear(),
        }
        std::fs::write(&bundle, bytes).unwrap();
        let inbox = open(lake.path());
        assert_eq!(bodies(&inbox, "native"), [b"whole".to_vec()], "{damage}");
        let aside = files(lake.path(), "inbox-failed/native");
        let name = bundle.file_name().unwrap().to_str().unwrap();
        assert_eq!(aside, [name.to_owned(), format!("{name}.error.txt")], "{damage}");
        let note = lake.path().join("inbox-failed/native").join(&aside[1]);
        let note = std::fs::read_to_string(note).unwrap();
        assert!(note.contains("tar --extract") && note.contains("--source native"), "{note}");
    }
}

/// What is done to an inbox.
#[derive(Debug, Clone)]
enum Step {
    Push { body: u8, key: Option<u8> },
    PushTogether(BTreeSet<u8>),
    Land,
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..6_u8, proptest::option::of(0..4_u8)).prop_map(|(body, key)| Step::Push { body, key }),
        2 => proptest::collection::btree_set(0..6_u8, 1..4).prop_map(Step::PushTogether),
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
                Step::PushTogether(bodies) => {
                    let texts: Vec<_> =
                        bodies.iter().map(|body| format!("{{\"n\":{body}}}\n").into_bytes()).collect();
                    let pushed: Vec<_> =
                        texts.iter().map(|text| ("native", text.clone(), None)).collect();
                    for (text, kept) in texts.into_iter().zip(put_together(&inbox, &pushed)) {
                        let is_new = acknowledged.insert(text);
                        prop_assert_eq!(kept, if is_new { Kept::New } else { Kept::Known });
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
