//! What each caller sees: rows of their unit, and pseudonyms instead of persons and parties.

use serde_json::{Value, json};

use crate::harness::{Server, check_problem, get, post, wait_for};
use crate::login::Guarded;

/// A server with a patrol in each of two towns, and the credentials of an analyst who is kept to the first.
pub(crate) struct Towns {
    pub(crate) guarded: Guarded,
    pub(crate) server: Server,
    of_town: String,
}

pub(crate) fn towns() -> Towns {
    let guarded = Guarded::new();
    guarded.account(&["add", "town", "--role", "analyst", "--scope", "town-1", "--password-stdin"]);
    let token = guarded.account(&["token", "town"]);
    let server = guarded.serve();
    let patrol = |number: u8| {
        json!({
            "event_id": format!("patrol-{number}"), "event_type": "patrol.recorded",
            "occurred_at": "2025-03-05T09:12:33+08:00", "org_id": format!("town-{number}"),
            "officer_ids": [format!("officer-{number}")], "party_id": format!("party-{number}"),
            "object_id": format!("patrol-{number}"),
            "attributes": {"result": "none", "note": format!("met Zhang {number}")},
        })
    };
    let body = format!("{}\n{}\nof officer-1\n", patrol(1), patrol(2));
    let headers = [("authorization", guarded.token("admin"))];
    let url = format!("{}/api/v1/events?source=native", server.url);
    assert_eq!(post(&url, &headers, body.as_bytes()).unwrap().status, 200);
    let towns = Towns { guarded, server, of_town: format!("Bearer {}", token.trim()) };
    wait_for("the patrols have landed", || {
        let rows =
            towns.try_ask(towns.guarded.token("admin"), "select count(*) as n from org_days");
        (rows.ok()?[0]["n"] == 2).then_some(())
    });
    towns
}

impl Towns {
    /// The rows, or the refusal.
    fn try_ask(&self, authorization: &str, sql: &str) -> Result<Value, String> {
        self.server.sql_as(authorization, sql)
    }

    #[track_caller]
    fn ask(&self, authorization: &str, sql: &str) -> Value {
        self.try_ask(authorization, sql).unwrap_or_else(|told| panic!("{sql}: {told}"))
    }

    #[track_caller]
    fn refused(&self, authorization: &str, sql: &str, expected: &str) {
        let told = self.try_ask(authorization, sql).unwrap_err();
        assert!(told.contains(expected), "{sql}: {told}");
    }
}

#[test]
fn an_analyst_sees_pseudonyms_and_an_auditor_who_it_was() {
    let towns = towns();
    let analyst = towns.guarded.token("analyst");
    let auditor = towns.guarded.token("auditor");
    let everything = "select * from event_log order by event_id";
    let seen = towns.ask(analyst, everything);
    assert_eq!(seen, towns.ask(analyst, everything), "pseudonyms are stable");
    let text = seen.to_string();
    for name in ["officer-1", "officer-2", "party-1", "Zhang"] {
        assert!(!text.contains(name), "{name} in {text}");
        assert!(towns.ask(auditor, everything).to_string().contains(name));
    }
    assert_eq!(seen[0]["attributes"], r#"{"result":"none"}"#);
    // One pseudonym for one person, in every table.
    let joined = "select count(*) as n from events, officer_numbers, officer_days_flat as flat \
        where array_has(officer_ids, officer_numbers.officer_id) \
        and flat.officer_id = officer_numbers.officer_id and flat.level = 'L2'";
    assert_eq!(towns.ask(analyst, joined)[0]["n"], 2);
    for guess in [
        "select count(*) as n from events where party_id = 'party-1'",
        "select count(*) as n from events where array_has(officer_ids, 'officer-1')",
        "select count(*) as n from events where attributes like '%Zhang%'",
        "select count(*) as n from officer_days_flat where officer_id = 'officer-1'",
        "select count(*) as n from rejects where text is not null or detail is not null",
    ] {
        assert_eq!(towns.ask(analyst, guess)[0]["n"], 0, "{guess}");
        assert_ne!(towns.ask(auditor, guess)[0]["n"], 0, "{guess}");
    }
    for function in
        ["officer_pseudonym", "party_pseudonym", "known_attributes", "withheld", "without_words"]
    {
        let sql = format!("select {function}('officer-1')");
        towns.refused(analyst, &sql, "Invalid function");
    }
    for explain in ["explain", "explain verbose", "explain analyze"] {
        let told = towns.ask(analyst, &format!("{explain} {everything}")).to_string();
        assert!(!told.contains(towns.guarded.folder.path().to_str().unwrap()), "{told}");
        assert!(!told.contains("officer-1"), "{told}");
    }
}

#[test]
fn an_account_of_a_unit_sees_its_rows_however_it_asks() {
    let towns = towns();
    let of_town = towns.of_town.as_str();
    let tables = towns.ask(
        of_town,
        "select table_schema || '.' || table_name as name from information_schema.columns \
         where column_name = 'org_id' and table_schema <> 'metrics' and table_name <> 'orgs'",
    );
    let tables = tables.as_array().unwrap();
    assert!(tables.len() > 15, "{tables:?}");
    for table in tables {
        let sql = format!(
            "select count(*) as n from {} where org_id <> 'town-1'",
            table["name"].as_str().unwrap()
        );
        assert_eq!(towns.ask(of_town, &sql)[0]["n"], 0, "{sql}");
    }
    for one in [
        "select count(*) as n from events",
        "select count(*) as n from events.event_log",
        "select count(*) as n from (select * from events where true or org_id = 'town-2')",
        "with all_events as (select * from events) select count(*) as n from all_events",
        "select count(*) as n from org_days a join org_days b on a.event_date = b.event_date",
        "select (select count(*) from models.inspections) as n",
        "select count(distinct scope) as n from metrics.patrols where value > 0",
        "select cast(value as bigint) as n from metric('patrols', '2025-01-01', '2026-01-01', 'all', 'town-1')",
    ] {
        assert_eq!(towns.ask(of_town, one)[0]["n"], 1, "{one}");
    }
    // Nothing is computed on a row that is not theirs, so that no error tells of it.
    let told = towns
        .try_ask(of_town, "select count(*) from events where cast(substr(org_id, 6) as int) / (2 - cast(substr(org_id, 6) as int)) = 1")
        .unwrap_or_default();
    assert!(!told.to_string().contains("ivide"), "{told}");
    let plan = towns.ask(of_town, "explain analyze select * from events where event_id like 'p%'");
    assert!(!plan.to_string().contains("town-2"), "{plan}");
    towns.refused(of_town, "select * from rejects", "not found");
    towns.refused(
        of_town,
        "select * from metric('patrols', '2025-01-01', '2026-01-01', 'all', 'district')",
        "not within yours",
    );
    let year = "from=2025-01-01&to=2026-01-01";
    let get = |path: &str| {
        get(&format!("{}{path}", towns.server.url), &[("authorization", of_town)]).unwrap()
    };
    let own = get(&format!("/api/v1/metrics/patrols?{year}&scope=town-1")).json();
    assert_eq!(own["rows"][0]["value"], 1);
    for scope in ["district", "town-2", "town-1,town-2"] {
        let answer = get(&format!("/api/v1/metrics/patrols?{year}&scope={scope}"));
        check_problem(&answer, 403, "is not within that of the account");
    }
    for path in ["/metrics", "/api/v1/goals?year=2025", "/api/v1/checks", "/api/v1/rejects"] {
        check_problem(&get(path), 403, "kept to the scope `town-1`");
    }
    let scopes = get("/api/v1/scopes").json();
    assert_eq!(scopes["scopes"].as_array().unwrap().len(), 1, "{scopes}");
}

#[test]
fn a_viewer_asks_for_metrics_and_shared_registers_and_who_delivers_for_nothing() {
    let towns = towns();
    let viewer = towns.guarded.token("viewer");
    let value = "select value from metrics.patrols where grain = 'year' and scope = 'district'";
    assert_eq!(towns.ask(viewer, value)[0]["value"], 2.0);
    towns.ask(viewer, "select * from reference.orgs");
    for table in ["events", "event_log", "rejects", "org_days", "officers", "parties"] {
        towns.refused(viewer, &format!("select * from {table}"), "not found");
    }
    let ingest = towns.guarded.token("ingest");
    let answer = towns.try_ask(ingest, "select 1").unwrap_err();
    assert!(answer.contains("needs the role"), "{answer}");
}
