//! The audit log as auditors read it, by every door.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::flight;
use crate::harness::{Server, check_problem, command, get, lawpulse, patrol, post, sql, wait_for};
use crate::login::Guarded;

const PASSWORD: &str = "correct horse battery";

/// The rows that an auditor finds, as texts; the wait is for queries whose end is noted after their last row.
#[track_caller]
fn rows_of(guarded: &Guarded, server: &Server, condition: &str, rows: usize) -> Vec<Value> {
    let query = format!("select * from audit_log where {condition} order by sequence");
    wait_for(condition, || {
        let told = server.sql_as(guarded.token("auditor"), &query).unwrap();
        let told = told.as_array().unwrap().clone();
        (told.len() == rows).then_some(told)
    })
}

fn psql(server: &Server, user: &str, password: &str, query: &str) -> bool {
    let address = format!("{}?user={user}", server.postgres);
    let told = Command::new("psql")
        .env("PGPASSWORD", password)
        .args(["--no-psqlrc", &address, "-c", query])
        .output()
        .expect("psql; tests/run installs what the tests need");
    told.status.success()
}

#[test]
fn who_asked_what_by_which_door_and_how_it_ended_is_known_at_once_to_auditors_only() {
    let guarded = Guarded::new();
    guarded.add("wang", "analyst", PASSWORD);
    let server = guarded.serve();
    do_it_all(&guarded, &server);
    check_what_is_told(&guarded, &server);
    check_who_is_told(&guarded, &server);
}

const PERIOD: &str = "/api/v1/metrics/patrols?from=2025-01-01&to=2026-01-01";

/// A query whose text holds a token, one that is wrong, a read, one that is refused, a push, logins.
fn do_it_all(guarded: &Guarded, server: &Server) {
    let analyst = guarded.token("analyst");
    let url = |path: &str| format!("{}{path}", server.url);
    let secret = analyst.strip_prefix("Bearer ").unwrap();
    server
        .sql_as(
            analyst,
            &format!("select '{secret}' as mark_http, value from generate_series(1, 7)"),
        )
        .unwrap();
    server.sql_as(analyst, "select mark_wrong").unwrap_err();
    let headers = [("authorization", analyst), ("x-request-id", "the-request")];
    assert_eq!(get(&url(PERIOD), &headers).unwrap().status, 200);
    let viewer = [("authorization", guarded.token("viewer"))];
    check_problem(&get(&url("/api/v1/rejects"), &viewer).unwrap(), 403, "");
    let ingest = [("authorization", guarded.token("ingest"))];
    let pushed = post(&url("/api/v1/events?source=native"), &ingest, patrol("one").as_bytes());
    assert_eq!(pushed.unwrap().status, 200);
    assert!(psql(server, "wang", PASSWORD, "select 'mark_postgres'"));
    assert!(!psql(server, "wang", "wrong", "select 1"));
    let questions = json!([{"sql": "select $1 as mark_flight", "parameters": ["officer-7"]}]);
    flight::ask(server, &["username=wang", &format!("password={PASSWORD}")], &questions);
    // Failures of one address within a second make one row.
    thread::sleep(Duration::from_millis(1_100));
    let nobody = [("authorization", "Basic bXkgcGFzc3dvcmQ6eA==")];
    check_problem(&get(&url("/api/v1/status"), &nobody).unwrap(), 401, "");
}

#[track_caller]
fn check_what_is_told(guarded: &Guarded, server: &Server) {
    let by_http = &rows_of(guarded, server, "subject like '%mark_http%'", 1)[0];
    for (column, expected) in [
        ("account", json!("analyst")),
        ("role", json!("analyst")),
        ("scope", Value::Null),
        ("peer", json!("127.0.0.1")),
        ("door", json!("http")),
        ("deed", json!("query")),
        ("rows", json!(7)),
        ("outcome", json!("answered")),
        ("subject", json!("select '[token]' as mark_http, value from generate_series(1, 7)")),
    ] {
        assert_eq!(by_http[column], expected, "{column}");
    }
    let wrong = &rows_of(guarded, server, "subject = 'select mark_wrong'", 1)[0];
    assert_eq!((&wrong["outcome"], &wrong["rows"]), (&json!("wrong"), &json!(0)));
    assert!(wrong["detail"].as_str().unwrap().contains("no column `mark_wrong`"), "{wrong}");
    let read = &rows_of(guarded, server, "request_id = 'the-request'", 1)[0];
    assert_eq!(read["subject"], format!("GET {PERIOD}"));
    assert_eq!((&read["deed"], &read["outcome"]), (&json!("read"), &json!("answered")));
    let refused = &rows_of(guarded, server, "outcome = 'forbidden'", 1)[0];
    assert_eq!(
        (&refused["account"], &refused["subject"]),
        (&json!("viewer"), &json!("GET /api/v1/rejects"))
    );
    let push = &rows_of(guarded, server, "deed = 'push'", 1)[0];
    assert_eq!(push["account"], "ingest");
    let by_postgres = &rows_of(guarded, server, "door = 'postgres' and deed = 'query'", 1)[0];
    assert_eq!(by_postgres["subject"], "select 'mark_postgres'");
    let logins = rows_of(guarded, server, "door = 'postgres' and deed = 'login'", 2);
    let outcomes: Vec<_> =
        logins.iter().map(|login| (&login["account"], &login["outcome"])).collect();
    let wang = json!("wang");
    assert_eq!(outcomes, [(&wang, &json!("answered")), (&wang, &json!("denied"))]);
    let by_flight = &rows_of(guarded, server, "door = 'flight' and deed = 'query'", 1)[0];
    assert_eq!(by_flight["account"], "wang");
    assert_eq!(by_flight["parameters"], r#"["officer-7"]"#);
    // Somebody typed a password into the field for the name.
    let unknown = &rows_of(guarded, server, "account is null and deed = 'login'", 1)[0];
    assert_eq!(unknown["outcome"], json!("denied"));
    let accounts = rows_of(guarded, server, "deed = 'account'", 11);
    let found = |account: &Value| account["outcome"] == "found";
    assert!(accounts.iter().all(found), "{accounts:?}");
}

#[track_caller]
fn check_who_is_told(guarded: &Guarded, server: &Server) {
    let analyst = guarded.token("analyst");
    let url = |path: &str| format!("{}{path}", server.url);
    guarded.account(&["add", "town", "--role", "auditor", "--scope", "town-1", "--password-stdin"]);
    let of_town = format!("Bearer {}", guarded.account(&["token", "town"]).trim());
    wait_for("the account is known", || server.sql_as(&of_town, "select 1").ok());
    rows_of(guarded, server, "subject like 'town: auditor of town-1, %'", 1);
    rows_of(guarded, server, "subject like 'town: token %' and outcome = 'changed'", 1);
    for authorization in [analyst, guarded.token("viewer"), of_town.as_str()] {
        for table in ["audit_log", "audit.audit_log", "\"audit_log\""] {
            let told = server.sql_as(authorization, &format!("select * from {table}"));
            assert!(told.unwrap_err().contains("not found"), "{table}");
        }
        let schemas =
            "select count(*) as n from information_schema.schemata where schema_name = 'audit'";
        assert_eq!(server.sql_as(authorization, schemas).unwrap()[0]["n"], 0);
    }
    let whole = server.sql_as(guarded.token("admin"), "select * from audit.audit_log").unwrap();
    let whole = whole.to_string();
    let secret = analyst.strip_prefix("Bearer ").unwrap();
    for secret in [secret, PASSWORD, "my password"] {
        assert!(!whole.contains(secret), "{secret}");
    }
    // It is newer than any state of the lake, so that nobody may keep an answer of it.
    let path = "/api/v1/sql?sql=select%20count(*)%20from%20audit_log";
    let answer = get(&url(path), &[("authorization", guarded.token("auditor"))]).unwrap();
    assert_eq!((answer.status, answer.header("etag")), (200, ""));
}

fn journal(lake: &Path) -> PathBuf {
    let entries = fs::read_dir(lake.join("audit_journal")).unwrap();
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    assert_eq!(files.len(), 1, "{files:?}");
    files.remove(0)
}

/// What the log tells of queries, as who has the lake reads it.
fn told(lake: &Path) -> Vec<String> {
    let query = "select sequence, subject || ' ' || outcome as told from audit_log \
        where deed = 'query' order by sequence";
    let rows = sql(lake, query);
    rows.iter().map(|row| row["told"].clone()).collect()
}

fn verify(lake: &Path, more: &[&str]) -> Result<String, String> {
    let fixed = ["audit", "verify", "--lake", lake.to_str().unwrap()];
    let output = command(fixed.iter().chain(more)).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    if output.status.success() { Ok(text(output.stdout)) } else { Err(text(output.stderr)) }
}

#[test]
fn a_killed_server_goes_on_where_it_was_and_whoever_changes_the_log_is_found_out() {
    let folder = tempfile::tempdir().unwrap();
    let lake = folder.path().join("lake");
    let server = Server::start(&lake, &[]);
    server.sql("select 'first'").json();
    let endless = "select count(*) from generate_series(1, 10000000) a \
        cross join generate_series(1, 10000000) b";
    let url = format!("{}/api/v1/sql", server.url);
    let asking = thread::spawn(move || {
        let body = json!({ "sql": endless }).to_string();
        let _ = post(&url, &[("content-type", "application/json")], body.as_bytes());
    });
    wait_for("the query is noted", || {
        fs::read_to_string(journal(&lake)).unwrap().contains("cross join").then_some(())
    });
    drop(server);
    asking.join().unwrap();
    // As it stands in the journal.
    assert_eq!(told(&lake), ["select 'first' answered"]);
    let server = Server::start(&lake, &[]);
    server.sql("select 'second'").json();
    drop(server);
    let interrupted = format!("{endless} interrupted");
    assert_eq!(told(&lake), ["select 'first' answered", &interrupted, "select 'second' answered"]);
    // Two of the three rows are in the table by now, which other engines read.
    let in_table = lake.join("audit_log");
    assert!(fs::read_dir(in_table).unwrap().count() > 1);

    let end = verify(&lake, &[]).unwrap();
    let noted = end.lines().nth(1).unwrap();
    assert!(verify(&lake, &["--noted", noted]).is_ok());
    let journal = journal(&lake);
    let written = fs::read_to_string(&journal).unwrap();
    let changed = written.replace("select 'second'", "select 'nothing'");
    fs::write(&journal, changed).unwrap();
    let told = verify(&lake, &[]).unwrap_err();
    assert!(told.contains("the row has been changed"), "{told}");
    fs::write(&journal, "").unwrap();
    assert!(verify(&lake, &[]).is_ok(), "a cut end shows only to those who have noted it");
    let told = verify(&lake, &["--noted", noted]).unwrap_err();
    assert!(told.contains("the log ends before the noted row"), "{told}");
    let told = verify(&lake, &["--noted", "7"]).unwrap_err();
    assert!(told.contains("write SEQUENCE:HASH"), "{told}");
    let help = lawpulse(["audit", "verify", "--help"]);
    assert!(help.contains("--noted"));
}
