//! Districts under a municipality, through the server: each sees itself, whoever is above sees all.

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::harness::{
    Server, artefact, check_problem, get, land, lawpulse, python, repository, succeed, wait_for,
};
use crate::login::Guarded;

const YEAR: &str = "from=2025-01-01&to=2026-01-01";

/// Lands three districts of eight units each into the lake of a guarded server.
fn land_city(guarded: &Guarded) -> PathBuf {
    let (log, lake) = (guarded.path("simulated"), guarded.path("lake"));
    let sizes = ["--districts", "3", "--orgs", "24", "--officers", "2400", "--events", "40000"];
    let out = ["simulate", "--profile", "scale", "--out", log.to_str().unwrap()];
    lawpulse(out.into_iter().chain(sizes));
    land(&lake, "reference", &[log.join("reference")]);
    land(&lake, "native", &[log.join("events-00000.ndjson")]);
    lake
}

fn scopes(answer: &Value) -> Vec<&str> {
    answer["scopes"].as_array().unwrap().iter().map(|it| it["scope"].as_str().unwrap()).collect()
}

#[test]
fn a_district_sees_itself_and_the_municipality_sees_all_of_them() {
    let guarded = Guarded::new();
    land_city(&guarded);
    let add = ["add", "second", "--role", "analyst", "--scope", "district-002", "--password-stdin"];
    guarded.account(&add);
    let token = format!("Bearer {}", guarded.account(&["token", "second"]).trim());
    let server = guarded.serve();
    let own =
        |path: &str| get(&format!("{}{path}", server.url), &[("authorization", &token)]).unwrap();
    let all = |path: &str| guarded.ask(&server, "analyst", path);
    let told = own("/api/v1/scopes").json();
    assert_eq!(told["whole"], "district-002");
    let seen = scopes(&told);
    assert!(seen.contains(&"district-002/towns") && seen.contains(&"org-0009"), "{seen:?}");
    assert!(!seen.contains(&"municipality") && !seen.contains(&"towns"), "{seen:?}");
    assert!(!seen.iter().any(|scope| scope.starts_with("district-001")), "{seen:?}");
    assert_eq!(all("/api/v1/scopes").json()["whole"], "municipality");

    // Left out, the scope is everything of one's own.
    let patrols = format!("/api/v1/metrics/patrols?{YEAR}");
    let of_second = own(&patrols).json();
    assert_eq!(of_second["rows"][0]["scope"], "district-002");
    let of_all = all(&format!("{patrols}&scope=municipality,districts/*")).json();
    let values: Vec<f64> = of_all["rows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["value"].as_f64().unwrap())
        .collect();
    assert_eq!(values.len(), 4);
    assert_eq!(values[0], values[1] + values[2] + values[3]);
    assert_eq!(of_second["rows"][0]["value"].as_f64(), Some(values[2]));
    for scope in ["municipality", "district", "towns", "district-001", "districts/*", "org-0001"] {
        let answer = own(&format!("{patrols}&scope={scope}"));
        check_problem(&answer, 403, "is not within that of the account");
    }
    let foreign =
        "select count(*) as n from events where org_id < 'org-0009' or org_id > 'org-0016'";
    assert_eq!(server.sql_as(&token, foreign).unwrap()[0]["n"], 0);

    // Officers move at the end of 2024: each counts in both districts, and once above them.
    let active = "/api/v1/metrics/officers_active?from=2024-01-01&to=2026-01-01&level=L1";
    let counted = all(&format!("{active}&scope=municipality,districts/*")).json();
    let counted: Vec<f64> = counted["rows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["value"].as_f64().unwrap())
        .collect();
    let distinct = server
        .sql_as(
            guarded.token("auditor"),
            "select count(distinct officer_id) as n from (select unnest(officer_ids) as officer_id \
             from events where event_type = 'officer.login')",
        )
        .unwrap();
    assert_eq!(Some(counted[0]), distinct[0]["n"].as_f64());
    assert!(counted[1] + counted[2] + counted[3] > counted[0], "{counted:?}");
}

#[test]
fn of_a_large_tree_metrics_has_the_districts_and_no_single_unit() {
    let guarded = Guarded::new();
    land_city(&guarded);
    guarded.configure("[http]\nmetrics_units = 20\n");
    let server = guarded.serve();
    let text = wait_for("the numbers are computed", || {
        let text = guarded.ask(&server, "viewer", "/metrics").text;
        text.contains("patrols_total{").then_some(text)
    });
    assert!(text.contains("lawpulse_measured_units_left_out 24"));
    for scope in ["municipality", "district-003", "district-003/towns", "towns"] {
        assert!(text.contains(&format!("scope=\"{scope}\"")), "{scope}");
    }
    assert!(!text.contains("scope=\"org-0001\""));
}

#[test]
fn the_pages_go_down_from_the_municipality_to_a_district_and_its_units() {
    let guarded = Guarded::new();
    let lake = land_city(&guarded);
    let server = Server::start_as_of(&lake);
    let artefacts = artefact("page.png");
    let mut drive = python();
    drive.arg(repository("tests/oracle/districts.py")).arg(&server.url);
    drive.arg(artefacts.parent().unwrap()).arg("district-002");
    let told: Value = serde_json::from_slice(&succeed(&mut drive)).unwrap();
    assert_eq!(told["problems"], json!([]));
    assert!(told["heading"].as_str().unwrap().starts_with("全市"), "{}", told["heading"]);
    let names = |rows: &Value| -> Vec<String> {
        let rows = rows.as_array().unwrap().iter();
        rows.map(|row| row[0].as_str().unwrap().to_owned()).collect()
    };
    let mut districts = names(&told["districts"]);
    districts.sort();
    assert_eq!(districts, ["第1区", "第2区", "第3区"]);
    let address = told["down"][1].as_str().unwrap();
    assert!(address.starts_with("/units?scope=district-00"), "{address}");
    assert_eq!(told["units"].as_array().unwrap().len(), 8);
    // What is offered: on the whole no unit of a district, within one its own only.
    let groups = |of: &str| -> Vec<String> {
        let groups = told["offered"][of].as_array().unwrap().iter();
        groups.map(|group| group[0].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(groups("whole"), ["全部", "单位类型", "区县", "市"]);
    let within = told["offered"]["district"].to_string();
    assert!(within.contains("第2区镇街") && within.contains("第9镇街"), "{within}");
    assert!(!within.contains("第1区镇街") && !within.contains("第1镇街"), "{within}");
    // A unit stands beside those of its own district.
    assert!(told["unit"][1].as_str().unwrap().starts_with("/unit?scope=org-"), "{}", told["unit"]);
    assert_eq!(told["beside"], 8);
}
