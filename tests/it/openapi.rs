//! The HTTP interface against what it promises of itself.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::harness::{
    AS_OF, Fresh, Server, artefact, check_problem, fresh, get, land, lawpulse, post, python,
    quoted, repository, succeed, wait_for,
};
use crate::login::{Guarded, ROLES};

/// Lands a small simulated log: every sort of answer has rows, and none takes long.
fn land_small(folder: &Path, lake: &Path) {
    let log = folder.join("simulated");
    let size = ["--profile", "scale", "--events", "2000", "--officers", "40", "--orgs", "4"];
    lawpulse(["simulate", "--out", log.to_str().unwrap()].iter().chain(&size));
    land(lake, "native", &[log]);
}

/// Has schemathesis look for anything that the document does not say, or says otherwise.
#[track_caller]
fn check_contract(server: &Server, token: Option<&str>) {
    let headers = token.map(|token| ("authorization", token));
    wait_for("goals and checks are computed, so that asking for them takes no time", || {
        let told = get(&format!("{}/metrics", server.url), headers.as_slice()).unwrap().text;
        told.contains("lawpulse_check_violations").then_some(())
    });
    let token = token.and_then(|token| token.strip_prefix("Bearer "));
    let script = repository("tests/oracle/contract.py");
    let told = succeed(python().arg(script).arg(&server.url).args(token));
    let told = String::from_utf8(told).unwrap();
    // Both runs: everything but pushing, and pushing.
    for operations in ["Tested: 23", "Tested: 1\n"] {
        assert!(told.contains(operations), "{operations}: {told}");
    }
}

#[test]
fn schemathesis_finds_nothing_where_everybody_may_come() {
    let folder = tempfile::tempdir().unwrap();
    let lake = folder.path().join("lake");
    land_small(folder.path(), &lake);
    check_contract(&Server::start_as_of(&lake), None);
}

#[test]
fn schemathesis_finds_nothing_where_callers_have_to_be_known() {
    let guarded = Guarded::new();
    land_small(guarded.folder.path(), &guarded.path("lake"));
    let server = guarded.spawn(guarded.command().args(["--as-of", AS_OF]));
    check_contract(&server, Some(guarded.token("admin")));
}

/// The operations of a document: method, path and what is said of it.
fn operations(document: &Value) -> Vec<(String, String, Value)> {
    let paths = document["paths"].as_object().unwrap().iter();
    let of_path = |(path, item): (&String, &Value)| -> Vec<(String, String, Value)> {
        let operations = item.as_object().unwrap().iter();
        operations.map(|(method, told)| (method.clone(), path.clone(), told.clone())).collect()
    };
    paths.flat_map(of_path).collect()
}

/// The address of an operation, with what the document gives as an example.
fn example_of(path: &str, told: &Value) -> String {
    let (mut path, mut query) = (path.to_owned(), String::new());
    for parameter in told["parameters"].as_array().into_iter().flatten() {
        let Some(example) = parameter.get("example") else { continue };
        let example = example.as_str().map_or_else(|| example.to_string(), str::to_owned);
        let name = parameter["name"].as_str().unwrap();
        match parameter["in"].as_str() {
            Some("path") => path = path.replace(&format!("{{{name}}}"), &example),
            Some("query") => query.push_str(&format!("&{name}={}", quoted(&example))),
            _ => {}
        }
    }
    format!("{path}?{query}")
}

#[test]
fn the_document_says_which_roles_an_operation_needs_and_the_others_are_refused() {
    let guarded = Guarded::new();
    let server = guarded.serve();
    let document = guarded.ask(&server, "ingest", "/api/v1/openapi.json").json();
    for (method, path, told) in operations(&document) {
        let is_known_caller_needed = path != "/healthz";
        assert_eq!(told["security"].is_array(), is_known_caller_needed, "{path}");
        let description = told["description"].as_str().unwrap_or_default();
        let Some((_, roles)) = description.split_once("Needs one of the roles ") else {
            let for_everybody =
                ["/healthz", "/readyz", "/docs", "/docs/assets/{file}", "/api/v1/openapi.json"];
            assert!(for_everybody.contains(&path.as_str()), "{path} is for everybody");
            continue;
        };
        let roles: BTreeSet<&str> = roles.split('.').next().unwrap().split(", ").collect();
        assert!(roles.is_subset(&ROLES.into()) && roles.contains("admin"), "{path}: {roles:?}");
        let url = format!("{}{}", server.url, example_of(&path, &told));
        for role in ROLES.into_iter().filter(|role| !roles.contains(role)) {
            let headers = [("authorization", guarded.token(role))];
            let answer =
                if method == "get" { get(&url, &headers) } else { post(&url, &headers, b"") };
            check_problem(&answer.unwrap(), 403, role);
        }
    }
}

#[test]
fn what_an_operation_does_not_know_or_is_told_twice_is_refused() {
    let Fresh { server, folder: _folder, .. } = fresh();
    let document = server.get("/api/v1/openapi.json").json();
    let mut asked = 0;
    for (method, path, told) in operations(&document) {
        if method != "get" || !path.starts_with("/api/") {
            continue;
        }
        let address = example_of(&path, &told);
        check_problem(&server.get(&format!("{address}&nonsense=1")), 400, "nonsense");
        check_problem(&server.get(&format!("{address}&twice=1&twice=1")), 400, "twice");
        asked += 1;
    }
    assert!(asked > 10, "{asked}");
    let events = format!("{}/api/v1/events", server.url);
    check_problem(&post(&format!("{events}?nonsense=1"), &[], b"").unwrap(), 400, "nonsense");
    check_problem(&server.get("/api/v1/goals?year=1999"), 404, "no goals");
    check_problem(&server.get("/api/v1/sql?sql=select+%241"), 400, "$1");
    let text = [("content-type", "text/plain")];
    check_problem(&post(&format!("{}/api/v1/sql", server.url), &text, b"").unwrap(), 415, "JSON");
}

/// Rows are written as they come, and packed on their way: the two have to agree about the end.
#[test]
fn rows_come_whole_to_whoever_takes_them_packed() {
    let Fresh { server, folder: _folder, .. } = fresh();
    let url = format!("{}/api/v1/sql?sql=select+1+as+one", server.url);
    for (accept, expected) in [
        ("application/json", "{\"columns\":[\"one\"],\"rows\":[{\"one\":1}]}\n"),
        ("text/csv", "one\n1\n"),
        ("application/x-ndjson", "{\"one\":1}\n"),
    ] {
        let accept = format!("Accept: {accept}");
        let curl = ["--silent", "--fail", "--compressed", "--header", &accept, &url];
        let told = succeed(Command::new("curl").args(curl));
        assert_eq!(String::from_utf8(told).unwrap(), expected, "{accept}");
    }
}

/// What a person sees on a page, and what the page asks for.
#[track_caller]
fn seen(server: &Server, path: &str, kind: &str) -> Value {
    let script = repository("tests/oracle/page.py");
    let url = format!("{}{path}", server.url);
    let picture = artefact(&format!("page-{kind}.png"));
    let printed = succeed(python().arg(script).arg(url).arg(picture).arg(kind));
    let seen: Value = serde_json::from_slice(&printed).unwrap();
    assert_eq!(seen["problems"], serde_json::json!([]), "{path}");
    for request in seen["requests"].as_array().unwrap() {
        let request = request.as_str().unwrap();
        let is_own = request.starts_with(&format!("{}/", server.url));
        assert!(is_own || request.starts_with("data:"), "{path} asks {request}");
    }
    seen
}

#[test]
fn the_page_of_the_interface_shows_every_operation_and_tries_one_and_asks_nobody_else() {
    let Fresh { server, folder: _folder, .. } = fresh();
    let page = seen(&server, "/docs", "docs");
    let shown: BTreeSet<&str> =
        page["operations"].as_array().unwrap().iter().map(|row| row.as_str().unwrap()).collect();
    let document = server.get("/api/v1/openapi.json").json();
    let promised: BTreeSet<String> = operations(&document)
        .into_iter()
        .map(|(method, path, _)| format!("{} {path}", method.to_uppercase()))
        .collect();
    assert_eq!(shown, promised.iter().map(String::as_str).collect());
    let tried = page["tried"].as_str().unwrap();
    assert!(tried.contains("200") && tried.contains("lake_version"), "{tried}");
}

#[test]
fn the_page_of_the_dictionary_shows_every_table_in_both_languages() {
    let Fresh { server, folder: _folder, .. } = fresh();
    let page = seen(&server, "/docs/dictionary", "dictionary");
    let tables = page["tables"].as_array().unwrap();
    for table in ["metrics.patrols", "models.cases", "events.events", "reference.orgs"] {
        assert!(tables.iter().any(|shown| shown == table), "{table}");
    }
    let text = page["text"].as_str().unwrap();
    for words in ["执法单位及沿革", "enforcement units and their versions", "法定工作日历", "巡查"]
    {
        assert!(text.contains(words), "{words}");
    }
}
