//! Arrow Flight SQL, with ADBC's driver.

use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::harness::{Fresh, Server, base64, fresh, patrol, python, repository, succeed, wait_for};
use crate::login::Guarded;
use crate::login_tls::certify;

fn script(name: &str) -> Command {
    let mut command = python();
    command.arg(repository("tests/it/flight").join(name));
    command
}

/// Answers to questions, each `{"rows": …}`, `{"update": …}` or `{"error": …}`, or `{"refused": …}` for whoever is not
/// let in.
#[track_caller]
pub(crate) fn ask(server: &Server, options: &[&str], questions: &Value) -> Value {
    let scheme = if server.url.starts_with("https") { "grpc+tls" } else { "grpc+tcp" };
    let mut child = script("ask.py")
        .arg(format!("{scheme}://{}", server.address()))
        .args(options)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("tests/run makes the Python environment");
    child.stdin.take().unwrap().write_all(questions.to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    serde_json::from_slice(&output.stdout).unwrap()
}

#[track_caller]
fn check_error(answer: &Value, expected: &str) {
    let told = answer["error"].as_str().unwrap_or_else(|| panic!("{answer} is no error"));
    assert!(told.contains(expected), "`{told}` does not say `{expected}`");
}

fn token_option(guarded: &Guarded, role: &str) -> String {
    format!("adbc.flight.sql.authorization_header={}", guarded.token(role))
}

#[test]
fn a_tool_finds_every_table_and_moves_many_rows_in_forms_that_all_clients_read() {
    let Fresh { server, folder: _folder, .. } = fresh();
    server.push(&[], patrol("one").as_bytes());
    wait_for("the patrol is counted", || {
        let rows = server.metric("patrols", "from=2025-01-01&to=2026-01-01");
        (rows[0]["value"] == 1).then_some(())
    });
    let told = succeed(script("browse.py").arg(format!("grpc+tcp://{}", server.address())));
    let told: Value = serde_json::from_slice(&told).unwrap();
    assert_eq!(
        told,
        json!({
            "vendor": "lawpulse",
            "catalogs": ["lawpulse"],
            "schemas": ["events", "metrics", "models", "reference"],
            "kinds": ["BASE TABLE", "VIEW"],
            "kind": {"orgs": "BASE TABLE", "patrols": "VIEW"},
            "filtered": ["org_id", "name"],
            "columns": ["event_id", "officer_ids", "reject"],
            "rows": [300_000, 45_000_150_000_u64, "渝北"],
            "first": true,
            "types": {
                "event_id": "string",
                "occurred_at": "timestamp[us, tz=UTC]",
                "officer_ids": "list<item: string>",
                "event_month": "string",
            },
            "event": told["event"],
            "parameters": ["string", "date32[day]"],
        })
    );
    assert_eq!(told["event"].as_array().unwrap().len(), 2);
}

#[test]
fn parameters_are_bound_as_programs_write_them() {
    let Fresh { server, folder: _folder, .. } = fresh();
    let question = |sql: &str, parameters: Value| json!({"sql": sql, "parameters": parameters});
    let answers = ask(
        &server,
        &[],
        &json!([
            question("select $1 + 1 as a, $2 as b", json!([41, "执法"])),
            question("select ? + 1 as a, ? as b, '?' as c", json!([1, null])),
            {"sql": "select 1 as a where $1 = 'x'", "parameters": ["x"], "way": "prepare"},
            question("select $1", json!([])),
        ]),
    );
    assert_eq!(answers[0]["rows"], json!([{"a": 42, "b": "执法"}]));
    assert_eq!(answers[1]["rows"], json!([{"a": 2, "b": null, "c": "?"}]));
    assert_eq!(answers[2]["rows"], json!([{"a": 1}]));
    assert!(answers[3]["error"].is_string(), "{}", answers[3]);
}

#[test]
fn what_writes_and_what_is_wrong_is_refused_in_words_and_the_server_stays_up() {
    let Fresh { server, folder: _folder, .. } = fresh();
    let giant = format!("select '{}'", "x".repeat(8 << 20));
    let long = format!("select '{}'", "x".repeat(300 << 10));
    let answers = ask(
        &server,
        &[],
        &json!([
            {"sql": "select nope from events"},
            {"sql": "select * from evnts"},
            {"sql": "delete from event_log", "way": "update"},
            {"sql": "event_log", "way": "ingest"},
            {"sql": giant},
            {"sql": long},
            {"sql": "select 1 / (value - value) from generate_series(1, 2)"},
            {"sql": "select 1 as a"},
        ]),
    );
    check_error(&answers[0], "there is no column `nope` (line 1, column 8)");
    check_error(&answers[1], "did you mean `events`?");
    check_error(&answers[2], "lawpulse only reads");
    check_error(&answers[3], "lawpulse only reads");
    check_error(&answers[4], "message length too large");
    check_error(&answers[5], "the statement is longer than");
    check_error(&answers[6], "Divide by zero");
    assert_eq!(answers[7]["rows"], json!([{"a": 1}]));
}

#[test]
fn a_client_that_goes_away_ends_its_query() {
    let Fresh { server, folder: _folder, .. } = fresh();
    let running = |count: &str| {
        let line = format!("lawpulse_sql_running {count}");
        server.get("/metrics").text.lines().any(|one| one == line)
    };
    let endless = "select count(*) from generate_series(1, 10000000) a \
        cross join generate_series(1, 10000000) b";
    let questions = json!([{ "sql": endless }]).to_string();
    let mut client = script("ask.py")
        .arg(format!("grpc+tcp://{}", server.address()))
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    client.stdin.take().unwrap().write_all(questions.as_bytes()).unwrap();
    wait_for("the query runs", || running("1").then_some(()));
    client.kill().unwrap();
    client.wait().unwrap();
    wait_for("the query has ended", || running("0").then_some(()));
}

#[test]
fn passwords_tokens_and_roles_hold_here_as_elsewhere() {
    let guarded = Guarded::new();
    guarded.add("wang", "analyst", "correct horse battery");
    let server = guarded.serve();
    let one = json!([{"sql": "select 1 as a"}]);
    let rows = json!([{"rows": [{"a": 1}]}]);
    // With a password, the client shakes hands and shows the token that it got for it from then on.
    let password = ["username=wang", "password=correct horse battery"];
    assert_eq!(ask(&server, &password, &one), rows);
    let basic = base64(b"wang:correct horse battery", false);
    let basic = format!("adbc.flight.sql.authorization_header=Basic {basic}");
    assert_eq!(ask(&server, &[&basic], &one), rows);
    assert_eq!(ask(&server, &[&token_option(&guarded, "analyst")], &one), rows);
    // Who does not come in hears it in gRPC's words.
    let wrong = ask(&server, &["username=wang", "password=wrong"], &one);
    assert!(wrong["refused"].as_str().is_some_and(|told| told.contains("is wrong")), "{wrong}");
    let forged = "adbc.flight.sql.authorization_header=Bearer lps_d2FuZw.9999999999.00";
    check_error(&ask(&server, &[forged], &one)[0], "the token is wrong, or no longer valid");
    check_error(&ask(&server, &[], &one)[0], "say who you are");
    let ingest = ask(&server, &[&token_option(&guarded, "ingest")], &one);
    check_error(&ingest[0], "accounts of role ingest do not read");
    let rows_and_metrics = json!([
        {"sql": "select * from event_log"},
        {"sql": "select value from metrics.patrols where grain = 'year' and scope = 'district'"},
    ]);
    let viewer = ask(&server, &[&token_option(&guarded, "viewer")], &rows_and_metrics);
    check_error(&viewer[0], "not found");
    assert!(viewer[1]["rows"].is_array(), "{viewer}");
}

#[test]
fn it_comes_by_tls_where_http_does() {
    let guarded = Guarded::new();
    certify(guarded.folder.path(), "server");
    guarded.configure("[tls]\ncertificate = \"server.pem\"\nkey = \"server.key\"\n");
    let server = guarded.spawn(&mut guarded.command());
    let believed = guarded.path("server.pem");
    let believed = format!("adbc.flight.sql.client_option.tls_root_certs=@{}", believed.display());
    let answers = ask(
        &server,
        &[&believed, &token_option(&guarded, "analyst")],
        &json!([{"sql": "select 1 as a"}]),
    );
    assert_eq!(answers, json!([{"rows": [{"a": 1}]}]));
}
