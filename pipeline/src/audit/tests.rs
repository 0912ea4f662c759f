use std::fs;

use super::row::tests::begun;
use super::*;
use crate::lake::Lake;

struct Held {
    folder: tempfile::TempDir,
    lake: Lake,
    lock: Option<WriteLock>,
}

impl Held {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut lake = Lake::open_or_create(folder.path(), None).await.unwrap();
        let lock = Some(lake.lock().await.unwrap());
        Self { folder, lake, lock }
    }

    async fn log(&self) -> AuditLog {
        AuditLog::open(self.lake.location(), self.lock.as_ref().unwrap()).await.unwrap()
    }

    async fn verify(&self) -> Verified {
        verify(self.folder.path(), None).await.unwrap()
    }

    fn journal_files(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.folder.path().join(JOURNAL)).unwrap();
        entries.map(|entry| entry.unwrap().path()).collect()
    }
}

/// What the log tells, in its order: `subject outcome`.
async fn told(provider: Arc<dyn TableProvider>) -> Vec<String> {
    let context = SessionContext::new();
    context.register_table("log", provider).unwrap();
    let sql = "select subject || ' ' || outcome as told from log order by sequence";
    let batches = context.sql(sql).await.unwrap().collect().await.unwrap();
    let mut told = Vec::new();
    for batch in batches {
        let texts = arrow::compute::cast(batch.column(0), &arrow::datatypes::DataType::Utf8);
        told.extend(texts.unwrap().as_string::<i32>().iter().map(|text| text.unwrap().to_owned()));
    }
    told
}

#[tokio::test]
async fn a_row_is_told_at_once_and_is_the_same_after_it_has_moved_to_the_table() {
    let held = Held::new().await;
    let log = held.log().await;
    log.begin(begun("a")).unwrap().end("answered", Some(3), None);
    let under_way = log.begin(begun("b")).unwrap();
    assert_eq!(told(log.provider()).await, ["a answered"]);
    let head = log.head();
    log.move_to_table().await.unwrap();
    assert_eq!((log.waiting(), log.head()), (0, head));
    assert_eq!(told(log.provider()).await, ["a answered"]);
    assert_eq!(held.journal_files().len(), 1);
    drop(under_way);
    log.note(begun("c"), "wrong", None).unwrap();
    assert_eq!(told(log.provider()).await, ["a answered", "b abandoned", "c wrong"]);
    let others = read_only(held.folder.path()).await.unwrap().unwrap();
    assert_eq!(told(others).await, ["a answered", "b abandoned", "c wrong"]);
    let verified = held.verify().await;
    assert_eq!((verified.rows, verified.head, verified.breach), (3, log.head(), None));
}

#[tokio::test]
async fn what_ended_with_the_process_is_known_and_nothing_is_told_twice() {
    let held = Held::new().await;
    let log = held.log().await;
    log.note(begun("a"), "answered", None).unwrap();
    std::mem::forget(log.begin(begun("b")).unwrap());
    log.move_to_table().await.unwrap();
    log.note(begun("c"), "answered", None).unwrap();
    // Half a line: the process was killed while it wrote.
    let journal = held.journal_files().pop().unwrap();
    let mut bytes = fs::read(&journal).unwrap();
    bytes.extend(b"{\"ended\":[9,{\"seq");
    fs::write(&journal, bytes).unwrap();
    let log = held.log().await;
    let expected = ["a answered", "c answered", "b interrupted"];
    assert_eq!(told(log.provider()).await, expected);
    log.note(begun("d"), "answered", None).unwrap();
    drop(log);
    let log = held.log().await;
    let expected = [expected.as_slice(), &["d answered"]].concat();
    assert_eq!(told(log.provider()).await, expected);
    let verified = held.verify().await;
    assert_eq!((verified.rows, verified.breach), (4, None));
}

#[tokio::test]
async fn rows_that_were_moved_before_the_journal_was_cleared_are_not_moved_again() {
    let held = Held::new().await;
    let log = held.log().await;
    log.note(begun("a"), "answered", None).unwrap();
    let journal = held.journal_files().pop().unwrap();
    let bytes = fs::read(&journal).unwrap();
    log.move_to_table().await.unwrap();
    drop(log);
    fs::write(&journal, bytes).unwrap();
    assert_eq!(told(held.log().await.provider()).await, ["a answered"]);
    assert_eq!(held.verify().await.rows, 1);
}

#[tokio::test]
async fn rows_whose_move_was_told_to_have_failed_are_moved_again_only_if_it_had() {
    for has_failed in [false, true] {
        let held = Held::new().await;
        let log = held.log().await;
        log.note(begun("a"), "answered", None).unwrap();
        let (number, tail, moved) = {
            let state = log.state();
            (state.journal.number(), state.tail.clone(), Arc::clone(&state.moved))
        };
        if !has_failed {
            log.move_to_table().await.unwrap();
        }
        {
            let mut state = log.state();
            (state.tail, state.moving, state.moved) = (tail, Some((number, 1)), moved);
        }
        log.note(begun("b"), "answered", None).unwrap();
        for _ in 0..2 {
            assert_eq!(told(log.provider()).await, ["a answered", "b answered"]);
            log.move_to_table().await.unwrap();
        }
        let verified = held.verify().await;
        assert_eq!((verified.rows, verified.breach), (2, None));
    }
}

#[tokio::test]
async fn a_changed_row_and_a_cut_off_end_are_noticed() {
    let held = Held::new().await;
    let log = held.log().await;
    for subject in ["a", "b", "c"] {
        log.note(begun(subject), "answered", None).unwrap();
    }
    let head = log.head();
    let journal = held.journal_files().pop().unwrap();
    let written = fs::read_to_string(&journal).unwrap();
    let verify = async |text: &str, noted: Option<&Head>| {
        fs::write(&journal, text).unwrap();
        verify(held.folder.path(), noted).await.unwrap().breach.map(|breach| breach.problem)
    };
    assert_eq!(verify(&written, Some(&head)).await, None);
    let changed = written.replace("\"rows\":null", "\"rows\":7");
    assert_eq!(verify(&changed, None).await.unwrap(), "the row has been changed");
    let lines: Vec<&str> = written.lines().collect();
    let without_first = lines[2..].join("\n");
    assert_eq!(verify(&without_first, None).await.unwrap(), "rows before it are missing");
    let cut = format!("{}\n", lines[..4].join("\n"));
    assert_eq!(verify(&cut, None).await, None);
    let breach = verify(&cut, Some(&head)).await.unwrap();
    assert_eq!(breach, "the log ends before the noted row 3");
    let other = Head { hash: "f".repeat(64), ..head };
    assert!(verify(&written, Some(&other)).await.unwrap().contains("not the one that was noted"));
    let damaged = written.replacen("ended", "e", 1);
    assert!(verify(&damaged, None).await.is_some());
}

#[tokio::test]
async fn nothing_begins_that_cannot_be_written_down() {
    let held = Held::new().await;
    let log = held.log().await;
    log.note(begun("a"), "answered", None).unwrap();
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    log.state().journal.replace_file(full);
    assert!(log.begin(begun("b")).is_err());
    assert_eq!(told(log.provider()).await, ["a answered"]);
}
