//! The attack table: what nobody gets done by any door to SQL, and how each door refuses it.
//!
//! | attack | here, or in |
//! |---|---|
//! | DDL, DML, COPY, several statements, comments, EXPLAIN of what writes, prepared statements | [`no_door_writes_anything`] |
//! | files, functions that read the host, settings, other catalogs, deep brackets | [`no_door_reaches_what_is_not_the_lake_s`] |
//! | cross joins, values that grow, cast bombs, deep nesting, giant literals | [`what_would_exhaust_the_server_ends_at_its_limits`] |
//! | another unit's rows, who persons are, also by explain and by errors | [`no_door_shows_another_unit_or_who_persons_are`] and `sight` |
//! | oversized bodies and messages, half-sent heads | [`what_is_too_large_is_refused_before_it_is_read`], `login`, `api/src/pgwire/tests.rs` |

use std::io::Write as _;
use std::net::TcpStream;
use std::path::Path;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::harness::{
    self, Fresh, Server, base64, files_below, fresh, get, patrol, post, python, quoted, repository,
    wait_for,
};
use crate::login::Guarded;
use crate::{flight, sight};

const PASSWORD: &str = "correct horse battery";

/// A way to ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Door {
    HttpPost,
    HttpGet,
    PostgresSimple,
    PostgresPrepared,
    Flight,
    FlightPrepared,
}

impl Door {
    const ALL: [Self; 6] = [
        Self::HttpPost,
        Self::HttpGet,
        Self::PostgresSimple,
        Self::PostgresPrepared,
        Self::Flight,
        Self::FlightPrepared,
    ];

    /// Asks statement by statement: the rows as text, or what was told instead. A connection that breaks off is neither.
    #[track_caller]
    fn ask(
        self,
        server: &Server,
        user: &str,
        statements: &[String],
    ) -> Vec<Result<String, String>> {
        match self {
            Self::HttpPost | Self::HttpGet => {
                statements.iter().map(|sql| self.ask_http(server, user, sql)).collect()
            }
            Self::PostgresSimple => postgres(server, user, "simple", statements),
            Self::PostgresPrepared => postgres(server, user, "prepared", statements),
            Self::Flight | Self::FlightPrepared => {
                let way = if self == Self::Flight { "execute" } else { "prepare" };
                let questions = statements.iter().map(|sql| json!({"sql": sql, "way": way}));
                let login = [format!("username={user}"), format!("password={PASSWORD}")];
                let options: Vec<&str> =
                    login.iter().map(String::as_str).filter(|_| user != "anybody").collect();
                told(&flight::ask(server, &options, &questions.collect()))
            }
        }
    }

    #[track_caller]
    fn ask_http(self, server: &Server, user: &str, sql: &str) -> Result<String, String> {
        let login = format!("Basic {}", base64(format!("{user}:{PASSWORD}").as_bytes(), false));
        let headers = [("authorization", login.as_str()), ("content-type", "application/json")];
        let url = format!("{}/api/v1/sql", server.url);
        let answer = if self == Self::HttpGet {
            get(&format!("{url}?sql={}", quoted(sql)), &headers[..1])
        } else {
            post(&url, &headers, json!({ "sql": sql }).to_string().as_bytes())
        };
        // A result that exceeds a limit on its way breaks off.
        let Ok(answer) = answer else { return Err("broken off".to_owned()) };
        if answer.status == 200 {
            return Ok(answer.json()["rows"].to_string());
        }
        assert!(answer.status < 500 || answer.status == 504, "{sql}: {}", answer.text);
        Err(format!("{} {}", answer.status, answer.text))
    }
}

#[track_caller]
fn postgres(
    server: &Server,
    user: &str,
    way: &str,
    statements: &[String],
) -> Vec<Result<String, String>> {
    let mut child = python()
        .arg(repository("tests/it/attacks/postgres.py"))
        .args([format!("{}?user={user}", server.postgres), way.to_owned()])
        .env("PGPASSWORD", PASSWORD)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("tests/run makes the Python environment");
    let statements = serde_json::to_string(statements).unwrap();
    child.stdin.take().unwrap().write_all(statements.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    told(&serde_json::from_slice(&output.stdout).unwrap())
}

#[track_caller]
fn told(answers: &Value) -> Vec<Result<String, String>> {
    let answers = answers.as_array().unwrap_or_else(|| panic!("{answers}"));
    let answer = |answer: &Value| match answer.get("error") {
        Some(error) => Err(error.as_str().unwrap().to_owned()),
        None => Ok(answer["rows"].to_string()),
    };
    answers.iter().map(answer).collect()
}

/// A lake with one patrol, a file beside it, and the name of one that is not there.
struct Target {
    server: Server,
    folder: tempfile::TempDir,
    outside: String,
    written: String,
}

fn target() -> Target {
    let Fresh { server, lake, folder } = fresh();
    server.push(&[], patrol("one").as_bytes());
    wait_for("the patrol is counted", || {
        let rows = server.metric("patrols", "from=2025-01-01&to=2026-01-01");
        (rows[0]["value"] == 1).then_some(())
    });
    wait_for("the inbox has landed", || files_below(&lake.join("inbox")).is_empty().then_some(()));
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (outside, written) = (path("outside.csv"), path("written.csv"));
    harness::write_lines(Path::new(&outside), ["secret", "1"]);
    Target { server, folder, outside, written }
}

impl Target {
    /// Every file but the audit log's, which notes each attempt.
    fn files(&self) -> Vec<(std::path::PathBuf, u64)> {
        let files = files_below(self.folder.path()).into_iter();
        files.filter(|(path, _)| !path.to_string_lossy().contains("audit_")).collect()
    }

    /// Asks every statement by every door; each has to be refused, in words that hold one of these, and nothing to
    /// change.
    #[track_caller]
    fn check_refused(&self, statements: &[String], expected: &[&str]) {
        let before = self.files();
        for door in Door::ALL {
            let answers = door.ask(&self.server, "anybody", statements);
            assert_eq!(answers.len(), statements.len(), "{door:?}");
            for (sql, answer) in statements.iter().zip(answers) {
                let told = answer.expect_err(&format!("{door:?} answers `{sql}`"));
                assert!(!told.contains("secret"), "{door:?} {sql}: {told}");
                let is_expected = expected.iter().any(|expected| told.contains(expected));
                assert!(is_expected, "{door:?} refuses `{sql}` with {told}");
            }
        }
        assert_eq!(self.files(), before);
        let left = self.server.sql("select count(*) as n from event_log").json();
        assert_eq!(left, json!({ "columns": ["n"], "rows": [{ "n": 1 }] }));
        let tables = self.server.sql(
            "select count(*) as n from information_schema.tables where table_name in ('t', 'v')",
        );
        assert_eq!(tables.json()["rows"], json!([{ "n": 0 }]));
    }
}

#[test]
fn no_door_writes_anything() {
    let target = target();
    let Target { outside, written, .. } = &target;
    let statements = [
        "create table t as select 1".to_owned(),
        "create view v as select 1".to_owned(),
        format!("create external table t stored as csv location '{outside}'"),
        "create schema s".to_owned(),
        "create function f() returns int return 1".to_owned(),
        "drop table event_log".to_owned(),
        "drop view events".to_owned(),
        "insert into event_log select * from event_log".to_owned(),
        "update event_log set org_id = 'x'".to_owned(),
        "delete from event_log".to_owned(),
        "truncate table event_log".to_owned(),
        "delete from audit.audit_log".to_owned(),
        format!("copy (select 1) to '{written}'"),
        format!("copy event_log to '{written}' stored as parquet"),
        format!("copy event_log from '{outside}'"),
        "select 1; drop table event_log".to_owned(),
        "select 1 /* ; */; drop /* */ table event_log -- ; select 1".to_owned(),
        format!("explain copy (select 1) to '{written}'"),
        format!("explain analyze copy (select 1) to '{written}'"),
        "explain analyze insert into event_log select * from event_log".to_owned(),
        "explain analyze create table t as select 1".to_owned(),
        "with a as (select 1) insert into event_log select * from a".to_owned(),
        "select 1 into t".to_owned(),
    ];
    // In PostgreSQL's words: read-only, a mistake of grammar, a table that this caller has not, what is not there at all.
    let words =
        ["400 ", "25006 ", "42601 ", "42P01 ", "0A000 ", "INVALID_ARGUMENT", "UNAUTHORIZED"];
    target.check_refused(&statements, &words);
}

#[test]
fn no_door_reaches_what_is_not_the_lake_s() {
    let target = target();
    let outside = &target.outside;
    let statements = [
        "set datafusion.execution.batch_size = 1".to_owned(),
        "reset datafusion.execution.batch_size".to_owned(),
        "prepare p as select 1".to_owned(),
        format!("select * from '{outside}'"),
        format!("select * from \"{outside}\""),
        format!("select * from 'file://{outside}'"),
        format!("select * from \"../../{outside}\""),
        "select * from \"../pseudonym.key\"".to_owned(),
        format!("select * from read_csv('{outside}')"),
        format!("select * from read_parquet('{outside}')"),
        format!("select pg_read_file('{outside}')"),
        "select * from information_schema.df_settings".to_owned(),
        "select * from datafusion.public.events".to_owned(),
        "select * from audit_log".to_owned(),
        format!("select {}1{}", "(".repeat(5_000), ")".repeat(5_000)),
    ];
    target.check_refused(
        &statements,
        &["400 ", "42", "54000 ", "0A000 ", "22023 ", "INVALID_ARGUMENT"],
    );
}

/// How doors say that a limit was reached, or that there is no such value.
const LIMITS: &[&str] = &[
    // HTTP
    "broken off",
    "400 ",
    "413 ",
    "422 ",
    "504 ",
    // PostgreSQL: out of memory, over a limit, cancelled, wrong in itself.
    "53200 ",
    "54000 ",
    "57014 ",
    "42601 ",
    "22P02 ",
    "22003 ",
    "0A000 ",
    "2201B ",
    "XX000 ",
    // Flight
    "INVALID_ARGUMENT",
    "TIMEOUT",
    "ResourceExhausted",
    "FailedPrecondition",
];

/// Statements without an end.
fn exhausting() -> Vec<String> {
    let nested = |depth: usize, begin: &str, end: &str| {
        format!("select {}1{}", begin.repeat(depth), end.repeat(depth))
    };
    let doubled = (0..22).fold("select 'a' as v0".to_owned(), |sql, level| {
        format!("select v{level} || v{level} as v{} from ({sql}) as t", level + 1)
    });
    let joined: Vec<String> = (1..25)
        .map(|level| format!("a{level} as (select x.v from a{0} x cross join a{0} y)", level - 1))
        .collect();
    let million = "generate_series(1, 10000000)";
    let statements = [
        format!("select count(*) from {million} a cross join {million} b"),
        format!("select count(*) from {million} a, {million} b where a.value <> b.value"),
        format!(
            "with a0 as (select 1 as v union all select 2), {} select count(*) from a24",
            joined.join(", ")
        ),
        "with recursive r as (select 1 as n union all select n + 1 from r) select count(*) from r"
            .to_owned(),
        "select array_agg(repeat('x', 1000) || value) from generate_series(1, 1000000)".to_owned(),
        format!("select value, count(*) from {million} group by value order by 2 desc"),
        "select value from generate_series(1, 10001)".to_owned(),
        "select repeat('x', 10000) || value from generate_series(1, 10000)".to_owned(),
        "select repeat('x', 1000000000)".to_owned(),
        "select array_repeat(1, 2000000000)".to_owned(),
        "select range(0, 3000000000)".to_owned(),
        doubled,
        "select cast(repeat('9', 100000) as decimal(38, 0))".to_owned(),
        "select cast('1e999999999' as decimal(38, 10))".to_owned(),
        "select regexp_like('a', '((a{1000}){1000}){1000}')".to_owned(),
        nested(2_000, "abs(", ")"),
        nested(2_000, "case when true then ", " end"),
        nested(2_000, "(select ", ")"),
        format!("select {}1", "- ".repeat(60_000)),
        format!("select {}1", "1+".repeat(30_000)),
        format!("select '{}'", "x".repeat(300 << 10)),
    ];
    statements.into()
}

#[test]
fn what_would_exhaust_the_server_ends_at_its_limits() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("lawpulse.toml");
    let limits = "[limits]\nwall_time = \"2s\"\nmemory = \"64MB\"\nspill = \"64MB\"\nrows = 10000\nbytes = \"16MB\"\n";
    std::fs::write(&config, limits).unwrap();
    let lake = folder.path().join("lake");
    let server = Server::start(&lake, &["--config", config.to_str().unwrap()]);
    let statements = exhausting();
    for door in [Door::HttpPost, Door::PostgresPrepared, Door::Flight] {
        let answers = door.ask(&server, "anybody", &statements);
        for (sql, answer) in statements.iter().zip(answers) {
            let begin: String = sql.chars().take(90).collect();
            let told = answer.expect_err(&format!("{door:?} answers `{begin}`"));
            let is_expected = LIMITS.iter().any(|expected| told.contains(expected));
            assert!(is_expected, "{door:?} ends `{begin}` with {told}");
        }
        assert_eq!(server.get("/healthz").status, 200);
    }
    let resident = resident_peak(&server);
    assert!(resident < 1 << 30, "{} MB at the peak", resident >> 20);
}

/// The most memory that the server has had, in bytes, as its own `/metrics` cannot tell.
fn resident_peak(server: &Server) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
}

#[test]
fn no_door_shows_another_unit_or_who_persons_are() {
    let towns = sight::towns();
    towns.guarded.add_with("of_town", &["--role", "analyst", "--scope", "town-1"], PASSWORD);
    towns.guarded.add_with("of_all", &["--role", "analyst"], PASSWORD);
    let server = &towns.server;
    wait_for("the accounts are known", || {
        Door::HttpPost.ask_http(server, "of_town", "select 1").ok()
    });
    let of_town = [
        "select event_id, org_id from events",
        "select * from event_log",
        "select * from (select * from events where true or org_id = 'town-2') as t",
        "with everything as (select * from events) select * from everything",
        "select * from org_days",
        "select * from officer_days",
        "select * from officer_days_flat",
        "explain analyze select * from events where event_id like 'p%'",
        "select scope, value from metrics.patrols where value > 0",
        "select count(*) from events where 1 / (case when org_id = 'town-2' then 0 else 1 end) = 1",
        "select count(*) from events where cast(case when org_id = 'town-2' then 'town-2' else '1' end as int) = 1",
        "select * from metric('patrols', '2025-01-01', '2026-01-01', 'all', 'town-2')",
        "select * from rejects",
    ]
    .map(str::to_owned);
    let of_all = [
        "select * from event_log",
        "select officer_ids, party_id, attributes from events",
        "explain select * from events where party_id = 'x'",
        "explain analyze verbose select * from events",
        "explain analyze verbose select * from officer_days_flat where officer_id > 'a'",
        "select * from officer_days",
        "select * from officer_days_flat",
        "select * from rejects",
        "select cast(party_id as int) from events",
    ]
    .map(str::to_owned);
    for door in Door::ALL {
        let mut seen = 0;
        for (sql, answer) in of_town.iter().zip(door.ask(server, "of_town", &of_town)) {
            seen += usize::from(answer.as_ref().is_ok_and(|rows| rows.contains("town-1")));
            let told = answer.unwrap_or_else(|told| told);
            let of_theirs = told.replace("'town-2'", "");
            for other in ["town-2", "patrol-2", "officer-2", "party-2"] {
                // An error may repeat what was asked.
                assert!(
                    !of_theirs.contains(other) || sql.contains("metric("),
                    "{door:?} {sql}: {told}"
                );
            }
            assert!(!told.contains("ivide"), "{door:?} {sql}: {told}");
        }
        assert!(seen >= 3, "{door:?} shows nothing at all");
        for (sql, answer) in of_all.iter().zip(door.ask(server, "of_all", &of_all)) {
            let told = answer.unwrap_or_else(|told| told);
            for name in ["officer-1", "party-1", "Zhang", "of officer"] {
                assert!(!told.contains(name), "{door:?} {sql}: {told}");
            }
        }
    }
}

#[test]
fn what_is_too_large_is_refused_before_it_is_read() {
    let guarded = Guarded::new();
    let server = guarded.serve();
    // Nobody sends these bytes; their announcement is enough.
    let refused = |head: &str| {
        let mut stream = TcpStream::connect(server.address()).unwrap();
        write!(stream, "{head}\r\n\r\n").unwrap();
        let mut answer = String::new();
        std::io::Read::read_to_string(&mut stream, &mut answer).unwrap();
        answer
    };
    let token = guarded.token("admin");
    let head = |path: &str, length: u64| {
        format!(
            "POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: {token}\r\n\
             Content-Type: application/json\r\nContent-Length: {length}"
        )
    };
    for path in ["/api/v1/sql", "/api/v1/events?source=native"] {
        let answer = refused(&head(path, 1 << 40));
        assert!(answer.starts_with("HTTP/1.1 413"), "{path}: {answer}");
    }
    let giant = "x".repeat(100 << 10);
    let answer = refused(&format!("GET /healthz?{giant} HTTP/1.1\r\nHost: x"));
    assert!(answer.starts_with("HTTP/1.1 4"), "{answer}");
    assert_eq!(get(&format!("{}/healthz", server.url), &[]).unwrap().status, 200);
}
