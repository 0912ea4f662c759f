//! The HTTP interface as its clients meet it.

use std::io::Write as _;
use std::path::Path;

use serde_json::json;

use crate::harness::{
    Fresh, Server, check_problem, command, files_below, fresh, patrol, post, quoted, sql, wait_for,
    yubei,
};

fn patrols(server: &Server) -> Option<u64> {
    let rows = server.metric("patrols", "from=2025-01-01&to=2026-01-01");
    rows[0]["value"].as_u64()
}

fn inbox_has_landed(lake: &Path) {
    wait_for("the inbox has landed", || files_below(&lake.join("inbox")).is_empty().then_some(()));
}

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn a_pushed_event_shows_in_a_metric_and_counts_once_however_it_is_packed() {
    let Fresh { server, lake, folder: _folder } = fresh();
    let bodies = [patrol("plain"), patrol("gzip-1") + &patrol("gzip-2"), patrol("zstd")];
    let push = || {
        let accepted = [
            server.push(&[], bodies[0].as_bytes()),
            server.push(&[("content-encoding", "gzip")], &gzip(&bodies[1])),
            server.push(
                &[("content-encoding", "zstd")],
                &zstd::encode_all(bodies[2].as_bytes(), 1).unwrap(),
            ),
        ];
        accepted.map(|answer| answer.json())
    };
    let all = |accepted: u64, known: bool| json!({ "accepted": accepted, "rejected": [], "rejected_count": 0, "known": known });
    assert_eq!(push(), [1, 2, 1].map(|accepted| all(accepted, false)));
    wait_for("the patrols are counted", || (patrols(&server) == Some(4)).then_some(()));
    // Sent again, as after an answer that got lost.
    assert_eq!(push(), [1, 2, 1].map(|accepted| all(accepted, true)));
    inbox_has_landed(&lake);
    assert_eq!(patrols(&server), Some(4));
    // A landed body leaves the inbox a moment before the server shows its new state.
    server.push(&[], patrol("later").as_bytes());
    wait_for("the later patrol is counted", || (patrols(&server) == Some(5)).then_some(()));
    assert_eq!(server.get("/api/v1/status").json()["events"], 5);
}

#[test]
fn a_refused_line_is_answered_with_its_number_and_reason_and_kept() {
    let Fresh { server, lake, folder: _folder } = fresh();
    let no_unit = r#"{"event_type":"patrol.recorded","occurred_at":"2025-03-05T09:12:33+08:00"}"#;
    let bad_time =
        r#"{"event_type":"patrol.recorded","occurred_at":"yesterday","org_id":"town-1"}"#;
    let body = format!("{}{no_unit}\n{}{bad_time}\nnonsense\n", patrol("one"), patrol("two"));
    let answer = server.push(&[], body.as_bytes()).json();
    assert_eq!(answer["accepted"], 2);
    let reasons: Vec<_> = answer["rejected"]
        .as_array()
        .unwrap()
        .iter()
        .map(|reject| (reject["line"].as_u64().unwrap(), reject["reason"].as_str().unwrap()))
        .collect();
    assert_eq!(reasons, [(2, "missing_org"), (4, "bad_time"), (5, "malformed_json")]);

    let kept = wait_for("the rejects are kept", || {
        let kept = server.get("/api/v1/rejects").json()["rejects"].as_array().unwrap().clone();
        (!kept.is_empty()).then_some(kept)
    });
    let kept: Vec<_> = kept
        .iter()
        .map(|reject| {
            // A line may name persons, and without accounts nobody may see those over HTTP.
            assert!(reject["text"].is_null(), "{reject}");
            (reject["line"].as_u64().unwrap(), reject["reason"].as_str().unwrap())
        })
        .collect();
    assert_eq!(kept, [(2, "missing_org"), (4, "bad_time"), (5, "malformed_json")]);
    let query = "select line, try_cast(text as varchar) as text from rejects order by line";
    let owned: Vec<_> =
        sql(&lake, query).iter().map(|row| (row["line"].clone(), row["text"].clone())).collect();
    let words = [("2", no_unit), ("4", bad_time), ("5", "nonsense")];
    assert_eq!(owned, words.map(|(line, text)| (line.to_owned(), text.to_owned())));
    wait_for("the accepted lines are counted", || (patrols(&server) == Some(2)).then_some(()));
}

#[test]
fn errors_are_problem_json_and_say_what_is_wrong() {
    let Fresh { server, folder: _folder, .. } = fresh();
    let year = "from=2025-01-01&to=2026-01-01";
    let cases = [
        ("/api/v1/nonsense".to_owned(), 404, "no such page"),
        (format!("/api/v1/metrics/nonsense?{year}"), 404, "nonsense"),
        (format!("/api/v1/metrics/patrols?{year}&scope=atlantis"), 400, "atlantis"),
        (format!("/api/v1/metrics/patrols?{year}&grain=fortnight"), 400, "fortnight"),
        (format!("/api/v1/metrics/officer_activity_ratio?{year}&level=L9"), 400, "L9"),
        (format!("/api/v1/metrics/patrols?{year}&level=L1"), 400, "level"),
        ("/api/v1/metrics/patrols?to=2026-01-01".to_owned(), 400, "from"),
        ("/api/v1/metrics/patrols?from=soon&to=2026-01-01".to_owned(), 400, "soon"),
        ("/api/v1/metrics/patrols?from=2026-01-01&to=2026-01-01".to_owned(), 400, "exclusive"),
        (
            "/api/v1/metrics/patrols?from=1900-01-01&to=2099-12-31&grain=day&scope=district,towns,departments".to_owned(),
            400,
            "bucket",
        ),
        (
            "/api/v1/metrics/patrols?from=0001-01-01&to=9999-01-01&grain=day".to_owned(),
            400,
            "0001-01-01",
        ),
        (format!("/api/v1/sql?sql={}", quoted("select nonsense from events")), 400, "nonsense"),
        ("/api/v1/sql".to_owned(), 400, "sql"),
        ("/api/v1/sql?sql=select+1&x=1".to_owned(), 400, "sql"),
        (format!("/api/v1/metrics/%FF?{year}"), 400, "UTF-8"),
        (format!("/api/v1/metrics/patrols?{year}&scope=,"), 400, "no scope"),
        ("/assets/nonsense.js".to_owned(), 404, "asset"),
        ("/api/v1/events".to_owned(), 405, "method"),
    ];
    for (path, status, detail) in cases {
        check_problem(&server.get(&path), status, detail);
    }
    let events = format!("{}/api/v1/events", server.url);
    let push = |source: &str, headers: &[(&str, &str)]| {
        post(&format!("{events}?source={source}"), headers, b"{}").unwrap()
    };
    check_problem(&push("nonsense", &[]), 400, "nonsense");
    check_problem(&push("..%2Fnative", &[]), 400, "source");
    check_problem(&push("native", &[("content-encoding", "br")]), 415, "br");
    check_problem(&push("native", &[("content-encoding", "gzip")]), 400, "unpacked");
    check_problem(&push("native", &[("content-encoding", "zstd")]), 400, "unpacked");
    let sql = format!("{}/api/v1/sql", server.url);
    let json = [("content-type", "application/json")];
    check_problem(&post(&sql, &json, b"{\"query\":\"select 1\"}").unwrap(), 400, "sql");
    check_problem(&post(&sql, &json, b"select 1").unwrap(), 400, "sql");
}

#[test]
fn several_values_of_a_parameter_are_answered_at_once_as_each_alone() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start_as_of(&yubei().copy(folder.path()));
    let url = "/api/v1/metrics/officer_activity_ratio?from=2025-01-01&to=2026-01-01&scope=towns/*";
    let together = server.get(&format!("{url}&level=L3,L1")).json();
    assert_eq!(together["parameters"]["level"], "L3,L1");
    let together = together["rows"].as_array().unwrap();
    let mut alone = Vec::new();
    for level in ["L1", "L3"] {
        let rows = server.get(&format!("{url}&level={level}")).json();
        for row in rows["rows"].as_array().unwrap() {
            assert!(row.get("parameters").is_none(), "{row}");
            let mut row = row.clone();
            row["parameters"] = json!({ "level": level });
            alone.push(row);
        }
    }
    assert_eq!(alone.len(), 2 * 22);
    assert_eq!(*together, alone);
    for (more, told) in
        [("level=L1,L9", "L9"), ("level=L1,", "level"), ("level=L1,L2&peers=true", "peers")]
    {
        check_problem(&server.get(&format!("{url}&{more}")), 400, told);
    }
}

#[test]
fn the_server_is_healthy_and_its_answers_carry_security_headers() {
    let Fresh { server, folder: _folder, .. } = fresh();
    assert_eq!(server.get("/healthz").text, "ok\n");
    assert_eq!(server.get("/readyz").text, "ready\n");
    for path in ["/", "/metrics", "/api/v1/metrics", "/api/v1/nonsense", "/assets/page.js"] {
        let answer = server.get(path);
        let policy = answer.header("content-security-policy");
        assert!(policy.contains("default-src 'none'; script-src 'self'"), "{path}: {policy}");
        assert!(!policy.contains("unsafe-eval") && !policy.contains("http"), "{path}: {policy}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(answer.header("x-frame-options"), "DENY", "{path}");
        assert_eq!(answer.header("cross-origin-opener-policy"), "same-origin", "{path}");
        assert_eq!(answer.header("cross-origin-resource-policy"), "same-origin", "{path}");
        assert!(answer.header("permissions-policy").contains("geolocation=()"), "{path}");
        assert_eq!(answer.header("strict-transport-security"), "", "{path}: without TLS");
        assert_eq!(answer.header("referrer-policy"), "no-referrer", "{path}");
        assert_eq!(answer.header("access-control-allow-origin"), "", "{path}");
    }
}

#[test]
fn an_address_that_others_can_reach_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let lake = folder.path().join("lake");
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0"] {
        for (http, postgres) in [(address, "127.0.0.1:0"), ("127.0.0.1:0", address)] {
            let addresses = ["--http", http, "--postgres", postgres];
            let fixed = ["serve", "--lake", lake.to_str().unwrap()];
            let output = command(fixed.into_iter().chain(addresses)).output().unwrap();
            assert_eq!(output.status.code(), Some(1), "{address}");
            let told = String::from_utf8_lossy(&output.stderr);
            assert!(told.contains("not a loopback address"), "{told}");
        }
    }
    assert!(!lake.exists());
}

#[test]
fn a_second_writer_is_told_that_the_lake_is_taken() {
    let Fresh { server, lake, folder: _folder } = fresh();
    let arguments = [
        "serve",
        "--lake",
        lake.to_str().unwrap(),
        "--http",
        "127.0.0.1:0",
        "--postgres",
        "127.0.0.1:0",
    ];
    let output = command(arguments).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(told.starts_with("error: ") && told.contains(lake.to_str().unwrap()), "{told}");
    assert_eq!(server.get("/readyz").status, 200);
}
