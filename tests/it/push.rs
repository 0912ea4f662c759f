//! Pushes as the platform's operators send them: in any form and size, again, too many, and cut off.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::harness::{
    self, Answer, Fresh, Server, check_problem, files_below, fresh, patrol, post, sql, sql_value,
    wait_for,
};

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A server whose inbox is set; the folder holds the config file.
fn with_inbox(folder: &Path, inbox: &str) -> Server {
    let config = folder.join("lawpulse.toml");
    fs::write(&config, format!("[inbox]\n{inbox}\n")).unwrap();
    Server::start(&folder.join("lake"), &["--config", config.to_str().unwrap()])
}

#[track_caller]
fn check_accepted(answer: &Answer, accepted: u64, known: bool) {
    let expected =
        json!({ "accepted": accepted, "rejected": [], "rejected_count": 0, "known": known });
    assert_eq!(answer.json(), expected);
}

fn wait_for_events(lake: &Path, expected: u64) {
    wait_for("the inbox has landed", || files_below(&lake.join("inbox")).is_empty().then_some(()));
    let counts = "select count(*) || ' of ' || count(distinct event_id) from event_log where event_month <> 'rejected'";
    assert_eq!(sql_value(lake, counts), format!("{expected} of {expected}"));
}

#[test]
fn arrays_and_csv_land_as_lines_do() {
    let Fresh { server, lake, folder: _folder } = fresh();
    let line = |name: &str| patrol(name).trim_end().to_owned();
    let array = format!("[\n {},\n {}, 7\n]\n", line("a-1"), line("a-2"));
    let answer = server.push(&[("content-type", "application/json")], array.as_bytes()).json();
    assert_eq!((&answer["accepted"], &answer["rejected_count"]), (&json!(2), &json!(1)));
    assert_eq!(answer["rejected"][0]["line"], 3, "an element is counted as a line: {answer}");

    let csv = "event_id,event_type,occurred_at,org_id,object_id\n\
        c-1,patrol.recorded,2025-03-05T10:00:00+08:00,town-1,c-1\n\
        c-2,patrol.recorded,yesterday,town-1,c-2\n";
    let as_csv = [("content-type", "text/csv; charset=utf-8"), ("content-encoding", "gzip")];
    let answer = server.push(&as_csv, &gzip(csv.as_bytes())).json();
    assert_eq!(answer["accepted"], 1);
    assert_eq!(
        (&answer["rejected"][0]["line"], &answer["rejected"][0]["reason"]),
        (&json!(3), &json!("bad_time"))
    );
    let nameless = server.push(&[("content-type", "text/csv")], b"when,where\n1,2\n");
    check_problem(&nameless, 400, "needs column");

    wait_for_events(&lake, 3);
    let kept = sql(
        &lake,
        "select reason, line, try_cast(text as varchar) as text from rejects order by text",
    );
    let kept: Vec<_> =
        kept.iter().map(|row| (row["line"].as_str(), row["text"].as_str())).collect();
    assert_eq!(kept, [("3", "7"), ("3", "c-2,patrol.recorded,yesterday,town-1,c-2")]);
}

#[test]
fn a_body_without_an_announced_length_is_read_to_its_end_however_large() {
    let Fresh { server, lake, folder: _folder } = fresh();
    const LINES: u64 = 20_000;
    let mut stream = TcpStream::connect(server.address()).unwrap();
    let head = "POST /api/v1/events HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n";
    stream.write_all(head.as_bytes()).unwrap();
    // Larger than what is held in memory, in pieces that do not end with lines.
    let filler = "x".repeat(300);
    let body: String = (0..LINES)
        .map(|number| {
            patrol(&format!("n-{number}")).replacen('{', &format!("{{\"note\":\"{filler}\","), 1)
        })
        .collect();
    assert!(body.len() > 8 << 20);
    for piece in body.as_bytes().chunks(100_003) {
        write!(stream, "{:x}\r\n", piece.len()).unwrap();
        stream.write_all(piece).unwrap();
        stream.write_all(b"\r\n").unwrap();
    }
    stream.write_all(b"0\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.contains(&format!("\"accepted\":{LINES}")), "{answer}");
    wait_for_events(&lake, LINES);
}

#[test]
fn a_body_that_breaks_off_leaves_nothing() {
    let Fresh { server, lake, folder: _folder } = fresh();
    let body = patrol("whole").repeat(20_000);
    let mut stream = TcpStream::connect(server.address()).unwrap();
    write!(
        stream,
        "POST /api/v1/events HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n",
        body.len()
    )
    .unwrap();
    stream.write_all(&body.as_bytes()[..body.len() / 2]).unwrap();
    wait_for("a part of it is on disk", || {
        (!files_below(&lake.join("inbox")).is_empty()).then_some(())
    });
    drop(stream);
    wait_for("the part is gone", || files_below(&lake.join("inbox")).is_empty().then_some(()));
    check_accepted(&server.push(&[], patrol("other").as_bytes()), 1, false);
    wait_for_events(&lake, 1);
}

#[test]
fn the_same_body_or_key_again_is_acknowledged_and_keeps_no_reject_twice() {
    let folder = tempfile::tempdir().unwrap();
    let lake = folder.path().join("lake");
    let body = format!("{}nonsense\n", patrol("once"));
    let key = [("idempotency-key", "delivery-7")];
    let mut server = Server::start(&lake, &[]);
    for round in 0..6 {
        let answer = server.push(&key, body.as_bytes()).json();
        assert_eq!((&answer["accepted"], &answer["rejected_count"]), (&json!(1), &json!(1)));
        assert_eq!(answer["known"], round > 0);
        check_problem(&server.push(&key, patrol("other").as_bytes()), 422, "another body");
        match round {
            1 => wait_for_events(&lake, 1),
            3 => {
                drop(server);
                server = Server::start(&lake, &[]);
            }
            _ => {}
        }
    }
    wait_for_events(&lake, 1);
    assert_eq!(sql_value(&lake, "select count(*) from rejects"), "1");
    let long = "k".repeat(300);
    check_problem(&server.push(&[("idempotency-key", &long)], b"{}"), 400, "Idempotency-Key");
}

#[test]
fn a_full_inbox_tells_to_come_back_and_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let lake = folder.path().join("lake");
    let server =
        with_inbox(folder.path(), "bytes = \"1KB\"\nland_every = \"1h\"\nland_bytes = \"1GB\"");
    let mut accepted = 0;
    let refused = loop {
        let answer = server.push(&[], patrol(&format!("p-{accepted}")).as_bytes());
        if answer.status != 200 {
            break answer;
        }
        accepted += 1;
        assert!(accepted < 20, "the inbox never fills");
    };
    check_problem(&refused, 429, "send it again later");
    assert!(refused.header("retry-after").parse::<u64>().unwrap() > 0);
    assert!(server.get("/metrics").text.contains(&format!("lawpulse_inbox_bodies {accepted}")));
    drop(server);
    let server = with_inbox(folder.path(), "land_every = \"100ms\"");
    check_accepted(&server.push(&[], patrol("after").as_bytes()), 1, false);
    wait_for_events(&lake, accepted + 1);
}

#[test]
fn what_is_larger_than_the_inbox_or_unpacks_without_end_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let server = with_inbox(folder.path(), "bytes = \"2MB\"");
    let spaces = vec![b' '; 9 << 20];
    check_problem(&server.push(&[("content-encoding", "gzip")], &gzip(&spaces)), 413, "unpacked");
    check_problem(&server.push(&[], &spaces[..3 << 20]), 413, "in parts");
    assert!(files_below(&folder.path().join("lake/inbox")).is_empty());
    check_accepted(&server.push(&[], patrol("small").as_bytes()), 1, false);
}

fn bodies(lake: &Path) -> Vec<PathBuf> {
    files_below(&lake.join("inbox")).into_keys().collect()
}

#[test]
fn a_body_that_the_disk_has_torn_is_set_aside_and_the_others_land() {
    let folder = tempfile::tempdir().unwrap();
    let lake = folder.path().join("lake");
    let server = with_inbox(folder.path(), "land_every = \"1h\"");
    let packed = [("content-encoding", "gzip")];
    for name in ["first", "torn", "last"] {
        check_accepted(&server.push(&packed, &gzip(patrol(name).repeat(50).as_bytes())), 50, false);
    }
    drop(server);
    let torn = bodies(&lake)[1].clone();
    let bytes = fs::read(&torn).unwrap();
    fs::write(&torn, &bytes[..bytes.len() / 2]).unwrap();
    let server = with_inbox(folder.path(), "land_every = \"100ms\"");
    wait_for_events(&lake, 2);
    let aside: Vec<PathBuf> = files_below(&lake.join("inbox-failed")).into_keys().collect();
    assert_eq!(fs::read(&aside[0]).unwrap(), bytes[..bytes.len() / 2]);
    let note = fs::read_to_string(&aside[1]).unwrap();
    assert!(note.contains(torn.to_str().unwrap()), "{note}");
    // Whoever still has the body sends it again.
    check_accepted(&server.push(&packed, &bytes), 50, false);
    wait_for_events(&lake, 3);
}

#[test]
fn a_disk_that_takes_nothing_is_told_and_nothing_is_acknowledged() {
    let Fresh { server, lake, folder: _folder } = fresh();
    let inbox = lake.join("inbox");
    // As a full or broken disk: no new file can be made there, not even by root.
    fs::remove_dir(&inbox).unwrap();
    fs::write(&inbox, "").unwrap();
    let url = format!("{}/api/v1/events", server.url);
    let refused = post(&url, &[], patrol("lost?").as_bytes()).unwrap();
    check_problem(&refused, 507, "send it again later");
    fs::remove_file(&inbox).unwrap();
    fs::create_dir(&inbox).unwrap();
    check_accepted(&server.push(&[], patrol("lost?").as_bytes()), 1, false);
    wait_for_events(&lake, 1);
}

#[test]
fn refused_lines_are_tried_again_when_the_mapping_is_mended_without_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let (lake, sql) = (folder.path().join("lake"), folder.path().join("sql"));
    fs::create_dir_all(sql.join("sources")).unwrap();
    let mapping = |formats: &str| {
        let text = format!(
            "name = \"ledger\"\ntime_formats = [{formats}]\n[[event]]\nevent_id = \"no\"\n\
            event_type = {{ value = \"patrol.recorded\" }}\noccurred_at = \"at\"\norg_id = \"org\"\n"
        );
        fs::write(sql.join("sources/ledger.toml"), text).unwrap();
    };
    mapping("\"%Y-%m-%d\"");
    let server = Server::start(&lake, &["--sql", sql.to_str().unwrap()]);
    let url = format!("{}/api/v1/events?source=ledger", server.url);
    let csv = "no,at,org\n1,2024-03-05,town-1\n2,05.03.2024,town-1\n";
    let answer = post(&url, &[("content-type", "text/csv")], csv.as_bytes()).unwrap();
    assert_eq!(answer.json()["rejected_count"], 1);
    wait_for_events(&lake, 1);

    let url = format!("{}/api/v1/rejects/replay?source=ledger", server.url);
    let again = || post(&url, &[], b"").unwrap().json();
    assert_eq!(
        again(),
        json!({ "tried": 1, "landed": 0, "duplicate": 0, "rejected": 1, "cut": 0 })
    );
    let exported = harness::lawpulse(["rejects", "export", "--lake", lake.to_str().unwrap()]);
    assert_eq!(exported, "no,at,org\n2,05.03.2024,town-1\n");

    mapping("\"%Y-%m-%d\", \"%d.%m.%Y\"");
    let landed = wait_for("the mended mapping is read", || {
        let told = again();
        (told["landed"] == 1).then_some(told)
    });
    assert_eq!(landed["rejected"], 0);
    assert_eq!(again()["tried"], 0);
    wait_for("the patrol is counted", || {
        (server.sql("select count(*) as n from events").json()["rows"][0]["n"] == 2).then_some(())
    });
    check_problem(&post(&format!("{url}s"), &[], b"").unwrap(), 400, "ledgers");
}
