//! The SQL door as its clients meet it over HTTP.

use std::fs;
use std::io::Read as _;

use serde_json::{Value, json};

use crate::harness::{
    Answer, Fresh, Server, check_problem, fresh, get, patrol, post, python, quoted, succeed,
    wait_for,
};

fn ask(server: &Server, query: &str, headers: &[(&str, &str)]) -> Answer {
    get(&format!("{}/api/v1/sql?sql={}", server.url, quoted(query)), headers).unwrap()
}

fn send(server: &Server, body: &Value) -> Answer {
    let headers = [("content-type", "application/json")];
    post(&format!("{}/api/v1/sql", server.url), &headers, body.to_string().as_bytes()).unwrap()
}

#[test]
fn one_request_is_one_statement() {
    let Fresh { server, folder: _folder, .. } = fresh();
    for statement in ["begin", "select 1; select 2", ""] {
        check_problem(&server.sql(statement), 400, "");
        check_problem(&ask(&server, statement, &[]), 400, "");
    }
}

#[test]
fn rows_come_in_the_form_that_is_asked_for() {
    let Fresh { server, folder: _folder, .. } = fresh();
    let query = "select 1 as a, 'x,y' as b union all select 2, null order by a";
    let rows = json!([{ "a": 1, "b": "x,y" }, { "a": 2, "b": null }]);
    assert_eq!(server.sql(query).json(), json!({ "columns": ["a", "b"], "rows": rows }));
    let form = |accept: &str| ask(&server, query, &[("accept", accept)]);
    let csv = form("text/csv");
    assert_eq!(csv.text, "a,b\n1,\"x,y\"\n2,\n");
    assert_eq!(csv.header("content-type"), "text/csv; charset=utf-8");
    let lines = form("application/x-ndjson");
    assert_eq!(lines.text, "{\"a\":1,\"b\":\"x,y\"}\n{\"a\":2,\"b\":null}\n");
    assert_eq!(form("text/html, */*;q=0.8").header("content-type"), "application/json");
    check_problem(&form("image/png"), 406, "application/vnd.apache.parquet");
    let nothing = "select event_id, officer_ids from events";
    let empty = |accept: &str| ask(&server, nothing, &[("accept", accept)]);
    assert_eq!(empty("text/csv").text, "event_id,officer_ids\n");
    let columns = json!(["event_id", "officer_ids"]);
    assert_eq!(empty("*/*").json(), json!({ "columns": columns, "rows": [] }));
    assert_eq!(empty("application/x-ndjson").text, "");
    let list = ask(&server, "select make_array('a', 'b') as l", &[("accept", "text/csv")]);
    assert_eq!(list.text, "l\n\"[a, b]\"\n");
}

#[test]
fn pyarrow_reads_the_rows_that_json_has() {
    let Fresh { server, folder, .. } = fresh();
    let query = "select value as n, cast(value as varchar) || '号' as name, \
        case when value % 3 = 0 then null else make_array(value, 1) end as list, \
        date '2025-01-01' + cast(value as int) as day from generate_series(1, 20000) order by n";
    let expected = server.sql(query).json();
    let save = |accept: &str, name: &str| {
        let path = folder.path().join(name);
        let url = format!("{}/api/v1/sql?sql={}", server.url, quoted(query));
        let response = ureq::get(&url).header("accept", accept).call().unwrap();
        let mut bytes = Vec::new();
        response.into_body().into_reader().read_to_end(&mut bytes).unwrap();
        fs::write(&path, bytes).unwrap();
        path
    };
    let arrow = save("application/vnd.apache.arrow.stream", "rows.arrow");
    let parquet = save("application/vnd.apache.parquet", "rows.parquet");
    let script = "
import json, sys, pyarrow, pyarrow.parquet
tables = [pyarrow.ipc.open_stream(sys.argv[1]).read_all(), pyarrow.parquet.read_table(sys.argv[2])]
print(json.dumps([t.to_pylist() for t in tables], default=str, ensure_ascii=False))";
    let read = succeed(python().args(["-c", script]).args([&arrow, &parquet]));
    let read: Value = serde_json::from_slice(&read).unwrap();
    for table in read.as_array().unwrap() {
        assert!(*table == expected["rows"], "pyarrow reads other rows");
    }
    assert_eq!(expected["rows"].as_array().unwrap().len(), 20_000);
}

#[test]
fn parameters_are_values_and_never_text_of_the_statement() {
    let Fresh { server, folder: _folder, .. } = fresh();
    let by_position =
        json!({ "sql": "select $1 as a, $2 + 1 as b", "parameters": ["'; drop table events", 41] });
    let rows = json!([{ "a": "'; drop table events", "b": 42 }]);
    assert_eq!(send(&server, &by_position).json()["rows"], rows);
    let by_name = json!({
        "sql": "select count(*) as n from generate_series(1, 10) where value > $least",
        "parameters": { "least": 7 },
    });
    assert_eq!(send(&server, &by_name).json()["rows"], json!([{ "n": 3 }]));
    let day = quoted("select $1 = date '2025-03-05' as is_it");
    let url = format!("/api/v1/sql?sql={day}&parameters={}", quoted("[\"2025-03-05\"]"));
    assert_eq!(server.get(&url).json()["rows"], json!([{ "is_it": true }]));
    check_problem(&send(&server, &json!({ "sql": "select $1 as a", "parameters": [] })), 400, "$1");
    check_problem(
        &send(&server, &json!({ "sql": "select 1", "parameters": [[1]] })),
        400,
        "parameter",
    );
    check_problem(&send(&server, &json!({ "sql": "select 1", "parameters": 7 })), 400, "list");
}

#[test]
fn an_answer_is_asked_for_again_for_free_until_something_lands() {
    let Fresh { server, folder: _folder, .. } = fresh();
    let query = "select count(*) as n from events";
    let first = ask(&server, query, &[]);
    let tag = first.header("etag").to_owned();
    assert!(tag.starts_with("W/\""), "`{tag}`");
    let again = |tag: &str| ask(&server, query, &[("if-none-match", tag)]);
    assert_eq!((again(&tag).status, again(&tag).text), (304, String::new()));
    assert_eq!(again("W/\"other\"").status, 200);
    let as_csv = ask(&server, query, &[("if-none-match", &tag), ("accept", "text/csv")]);
    assert_eq!(as_csv.status, 200);
    server.push(&[], patrol("one").as_bytes());
    let newer = wait_for("the answer is another", || {
        Some(again(&tag)).filter(|answer| answer.status == 200)
    });
    assert_eq!(newer.json()["rows"], json!([{ "n": 1 }]));
    assert_ne!(newer.header("etag"), tag);
    for moving in ["select now() as t", "select random() as r", "explain analyze select 1"] {
        assert_eq!(ask(&server, moving, &[]).header("etag"), "", "{moving}");
    }
}

#[test]
fn a_wrong_statement_is_told_its_place_and_the_name_that_was_meant() {
    let Fresh { server, folder: _folder, .. } = fresh();
    let problem = |query: &str| {
        let answer = server.sql(query);
        check_problem(&answer, 400, "");
        serde_json::from_str::<Value>(&answer.text).unwrap()
    };
    let column = problem("select event_id,\n  orgid from events");
    assert_eq!((&column["line"], &column["column"]), (&json!(2), &json!(3)), "{column}");
    assert_eq!(column["suggestion"], "org_id");
    let table = problem("select * from evnts");
    assert_eq!(table["suggestion"], "events", "{table}");
    assert_eq!(problem("select * from zzzzzzzz")["suggestion"], Value::Null);
    let parse = problem("select 1 +\n from events");
    assert_eq!(parse["line"], 2, "{parse}");
    assert_eq!(problem("select coumt(*) from events")["suggestion"], "count");
}

#[test]
fn the_server_counts_its_requests_and_queries() {
    let Fresh { server, folder: _folder, .. } = fresh();
    server.sql("select value from generate_series(1, 7)").json();
    check_problem(&server.sql("select nonsense"), 400, "nonsense");
    server.get("/api/v1/metrics/nonsense?from=2025-01-01&to=2026-01-01");
    server.get("/nowhere/at/all");
    let series = [
        "lawpulse_sql_queries_total{outcome=\"answered\"} 1",
        "lawpulse_sql_queries_total{outcome=\"wrong\"} 1",
        "lawpulse_sql_query_seconds_count{outcome=\"answered\"} 1",
        "lawpulse_sql_rows_total 7",
        "lawpulse_sql_running 0",
        "lawpulse_inbox_bodies 0",
        "lawpulse_http_requests_total{method=\"POST\",route=\"/api/v1/sql\",status=\"200\"} 1",
        "lawpulse_http_requests_total{method=\"GET\",route=\"/api/v1/metrics/{id}\",status=\"404\"} 1",
        "lawpulse_http_requests_total{method=\"GET\",route=\"none\",status=\"404\"} 1",
    ];
    for line in series {
        wait_for(line, || server.get("/metrics").text.lines().any(|one| one == line).then_some(()));
    }
}

#[test]
fn explain_shows_the_plan() {
    let Fresh { server, folder: _folder, .. } = fresh();
    let plan = server.sql("explain select count(*) from events where org_id = 'x'").json();
    assert!(plan["rows"].to_string().contains("event_log"), "{plan}");
}

#[test]
fn a_result_over_the_limit_breaks_off_and_the_server_stays() {
    let Fresh { server, folder: _folder, .. } = fresh();
    let url = |query: &str| format!("{}/api/v1/sql?sql={}", server.url, quoted(query));
    let too_many = ureq::get(url("select value from generate_series(1, 1000001)")).call().unwrap();
    let mut text = String::new();
    let broken = too_many.into_body().into_reader().read_to_string(&mut text);
    assert!(broken.is_err(), "a result that is not whole looks whole");
    let greedy = "select array_agg(repeat('x', 1000) || value) from generate_series(1, 1000000)";
    check_problem(&server.sql(greedy), 422, "memory");
    check_problem(&server.sql(&format!("select '{}'", "x".repeat(300_000))), 400, "longer");
    assert_eq!(server.get("/healthz").status, 200);
}
