//! Where the simulated district stands: the figures of its report, goals, checks, and how numbers come about.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::harness::{self, Server, command, csv_rows, lawpulse, sql_value, wait_for, yubei};

const README: &str = "sql/README.md";
const TABLE_START: &str = "<!-- figures of 2024: generated, see tests/it/standing.rs -->\n";
const TABLE_END: &str = "<!-- end of the figures -->\n";

fn reconciled() -> harness::Rows {
    let yubei = yubei();
    let lake = yubei.lake.to_str().unwrap();
    csv_rows(&lawpulse(["reconcile", "--year", "2024", "--format", "csv", "--lake", lake]))
}

#[test]
fn every_figure_of_the_2024_report_follows_from_the_events() {
    let rows = reconciled();
    assert!(rows.len() >= 20, "{}", rows.len());
    for row in &rows {
        // Two readings of one sentence contradict each other, and none of them is taken for settled.
        let expected =
            if row["metric"] == "item_transfer_ratio" { "unreconciled" } else { "matched" };
        assert_eq!(row["status"], expected, "{row:?}");
    }
    let readings: Vec<&str> = rows
        .iter()
        .filter(|row| row["metric"] == "item_transfer_ratio")
        .map(|row| row["reported"].as_str())
        .collect();
    assert_eq!(readings.len(), 2, "both readings are shown");
    assert!(readings.iter().any(|reported| reported.contains("1026/1438")), "{readings:?}");
    assert!(readings.iter().any(|reported| reported.contains("732/1026")), "{readings:?}");
}

#[test]
fn the_table_of_figures_in_the_readme_is_what_the_command_writes() {
    let yubei = yubei();
    let lake = yubei.lake.to_str().unwrap();
    let table = lawpulse(["reconcile", "--year", "2024", "--markdown", "--lake", lake]);
    let readme = fs::read_to_string(harness::repository(README)).unwrap();
    let (_, rest) = readme.split_once(TABLE_START).expect(TABLE_START);
    let (written, _) = rest.split_once(TABLE_END).expect(TABLE_END);
    assert_eq!(written.trim(), table.trim(), "put the output of `lawpulse reconcile` there");
}

fn report(arguments: &[&str]) -> String {
    let yubei = yubei();
    let lake = yubei.lake.to_str().unwrap();
    lawpulse(["report", "--lake", lake, "--as-of", "2026-01-01"].iter().chain(arguments))
}

#[test]
fn the_yearly_report_has_the_figures_with_their_origin_the_problems_and_the_plan() {
    let text = report(&["--year", "2024"]);
    for figure in ["3253", "1915", "89", "44", "71.345", "58"] {
        assert!(text.contains(figure), "{figure} is missing");
    }
    for title in ["主要工作", "问题", "打算", "附录"] {
        assert!(text.contains(title), "{title} is missing");
    }
    assert!(text.contains("`lawpulse metric patrols"), "a figure says how it is asked for");
    assert!(!text.contains("officer-0"), "no person is named");
}

#[test]
fn the_report_is_one_page_that_loads_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let page = folder.path().join("report.html");
    report(&["--year", "2024", "--output", page.to_str().unwrap()]);
    let html = fs::read_to_string(&page).unwrap();
    assert!(html.starts_with("<!DOCTYPE html>"));
    for attribute in ["src=\"", "href=\"http", "url(", "@import"] {
        assert!(!html.contains(attribute), "the page has {attribute}");
    }
    // Every link leads to a place of the page.
    for link in html.split("href=\"#").skip(1) {
        let anchor = link.split('"').next().unwrap();
        assert!(html.contains(&format!("id=\"{anchor}\"")), "#{anchor} leads nowhere");
    }
}

#[test]
fn a_month_and_a_unit_have_editions_of_their_own() {
    assert!(report(&["--year", "2025", "--month", "5"]).contains("2025年5月"));
    let unit = report(&["--year", "2025", "--unit", "town-longta"]);
    assert!(unit.contains("龙塔街道"), "{}", &unit[..unit.len().min(300)]);
}

#[test]
fn the_checks_of_our_own_work_hold_and_findings_exit_with_1() {
    let yubei = yubei();
    let lake = yubei.lake.to_str().unwrap();
    let output = command(["check", "--lake", lake, "--format", "csv"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "cases without a notice are a finding");
    let rows = csv_rows(&String::from_utf8(output.stdout).unwrap());
    assert!(rows.len() > 30, "{}", rows.len());
    for row in &rows {
        assert_ne!(row["status"], "unknown", "{row:?}");
        if row["severity"] == "error" {
            assert_eq!(row["status"], "passed", "{row:?}");
        }
    }
    let finding = command(["check", "--lake", lake, "--check", "case_notice_before_decision"])
        .output()
        .unwrap();
    let told = String::from_utf8(finding.stdout).unwrap();
    assert!(told.contains("case-"), "the cases are listed: {told}");
}

/// Everything that the server says about how numbers come about.
fn explanations(server: &Server) -> Vec<(String, Value)> {
    let period = "from=2025-11-01&to=2025-12-01&scope=district,town-longta&rows=500";
    let catalogue = server.get("/api/v1/metrics").json();
    catalogue["metrics"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|metric| metric["grains"].as_array().unwrap().contains(&Value::from("all")))
        .map(|metric| {
            let id = metric["id"].as_str().unwrap();
            (id.to_owned(), server.get(&format!("/api/v1/metrics/{id}/explain?{period}")).json())
        })
        .collect()
}

#[test]
fn every_number_is_explained_and_nobody_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start_as_of(&yubei().copy(folder.path()));
    let explained = explanations(&server);
    assert!(explained.len() > 60, "{}", explained.len());
    let mut with_rows = 0;
    for (id, told) in &explained {
        for key in ["definition", "source", "sql"] {
            assert!(!told[key].as_str().unwrap().is_empty(), "{id} has no {key}");
        }
        assert_eq!(told["coverage"].as_array().unwrap().len(), 2, "{id}");
        assert!(told["freshness"]["newest_event"].is_string(), "{id}");
        with_rows += usize::from(told["rows"].as_array().is_some_and(|rows| !rows.is_empty()));
        let rows = told["rows"].to_string();
        assert!(
            !rows.contains("officer-") && !rows.contains("party-"),
            "{id} names someone: {rows}"
        );
    }
    assert!(with_rows > 40, "{with_rows}");
    let checks = server.get("/api/v1/checks").json().to_string();
    assert!(!checks.contains("\"officer-") && !checks.contains("\"party-"));
}

#[test]
fn units_are_compared_with_their_peers_and_guarded_metrics_are_not() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start_as_of(&yubei().copy(folder.path()));
    let year = "from=2025-01-01&to=2026-01-01&scope=towns/*&peers=true";
    let rows = server.metric("officer_activity_ratio", year);
    assert_eq!(rows.len(), 22);
    for row in &rows {
        assert_eq!(row["peers"]["kind"], "town");
        assert_eq!(row["peers"]["units"], 22);
    }
    let refused = server.get(&format!("/api/v1/metrics/fines_decided?{year}"));
    assert_eq!(refused.status, 400, "{}", refused.text);
    assert!(refused.text.contains("art. 74"), "{}", refused.text);
}

/// Two goals of the shipped file, so that following them takes no time.
fn two_goals() -> String {
    let shipped = fs::read_to_string(harness::repository("sql/goals/2025.toml")).unwrap();
    let mut parts = shipped.split("[[goal]]");
    let head = parts.next().unwrap().to_owned();
    let chosen = ["id = \"scenes_live\"", "id = \"orgs_onboarded\""];
    let goals: Vec<&str> =
        parts.filter(|goal| chosen.iter().any(|chosen| goal.contains(chosen))).collect();
    assert_eq!(goals.len(), 2);
    head + "[[goal]]" + &goals.join("[[goal]]")
}

/// Serves a lake with these goals instead of the shipped ones; gives their file too.
fn serve_two_goals(lake: &Path, folder: &Path) -> (Server, PathBuf) {
    let sql = folder.join("sql");
    fs::create_dir_all(sql.join("goals")).unwrap();
    let file = sql.join("goals/2025.toml");
    fs::write(&file, two_goals()).unwrap();
    let more = ["--as-of", harness::AS_OF, "--sql", sql.to_str().unwrap()];
    (Server::start(lake, &more), file)
}

#[test]
fn a_goal_that_is_edited_holds_without_a_restart_and_the_change_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let lake = yubei().copy(folder.path());
    let (server, file) = serve_two_goals(&lake, folder.path());
    let written = fs::read_to_string(&file).unwrap();
    let goals =
        || server.get("/api/v1/goals?year=2025").json()["goals"].as_array().unwrap().clone();
    let before = goals();
    assert_eq!(before.len(), 2);
    assert!(before.iter().all(|goal| goal["status"] == "met"), "{before:?}");

    let edited = written.replacen("target = 3", "target = 17", 1);
    assert_ne!(edited, written);
    fs::write(&file, edited).unwrap();
    wait_for("the new target holds", || {
        goals()
            .iter()
            .any(|goal| goal["target"] == 17.0 && goal["status"] == "off_course")
            .then_some(())
    });
    let changes = wait_for("the change is recorded", || {
        let query =
            "select change, count(*) as changes from goal_changes group by change order by change";
        let rows = server.sql(query).json();
        let rows = rows["rows"].as_array().unwrap().clone();
        (rows.len() == 2).then_some(rows)
    });
    assert_eq!(changes[0], serde_json::json!({ "change": "added", "changes": 2 }));
    assert_eq!(changes[1], serde_json::json!({ "change": "changed", "changes": 1 }));
}

#[test]
fn every_goal_of_the_shipped_file_stands_somewhere() {
    let folder = tempfile::tempdir().unwrap();
    let lake = yubei().copy(folder.path());
    let arguments =
        ["goals", "--year", "2025", "--format", "csv", "--lake", lake.to_str().unwrap()];
    let rows = csv_rows(&lawpulse(arguments));
    assert!(rows.len() >= 30, "{}", rows.len());
    for row in &rows {
        let known = ["met", "on_course", "at_risk", "off_course"];
        assert!(known.contains(&row["status"].as_str()), "{row:?}");
    }
}

#[test]
fn goals_and_checks_are_series_for_prometheus() {
    let folder = tempfile::tempdir().unwrap();
    let lake = yubei().copy(folder.path());
    let (server, _) = serve_two_goals(&lake, folder.path());
    let text = wait_for("goals and checks are measured", || {
        let text = server.get("/metrics").text;
        text.contains("lawpulse_check_violations").then_some(text)
    });
    assert!(text.contains("goal_status{goal="), "no goal");
    assert!(text.contains("severity=\"finding\""), "no finding");
    assert!(!text.contains("lawpulse_metric_failing"), "a metric fails");
    assert!(!text.contains("lawpulse_check_failing"), "a check fails");
}

/// The members of a scope with any case filed in a month.
fn filing_units(lake: &Path, scope: &str, month: (&str, &str)) -> f64 {
    let (from, to) = month;
    let arguments = format!("cases_filed --from {from} --to {to} --scope {scope}");
    harness::metric(lake, &arguments)[0]["value"].parse().unwrap()
}

#[test]
fn the_abolition_of_the_district_leaves_history_unchanged_and_moves_the_towns() {
    let lake = &yubei().lake;
    let october = ("2025-10-01", "2025-11-01");
    let december = ("2025-12-01", "2026-01-01");
    let of = |scope: &str, month| filing_units(lake, scope, month);
    // Before the day all towns are Yubei's; after it they are in two other districts.
    assert_eq!(of("district-beibei", october), 0.0);
    assert_eq!(of("district-liangjiang", october), 0.0);
    assert_eq!(of("district-yubei", october), of("district", october));
    let moved = of("district-beibei", december) + of("district-liangjiang", december);
    assert_eq!(moved, of("towns", december));
    assert!(moved > 0.0);
    assert_eq!(of("district-yubei", december) + moved, of("district", december));
    let versions =
        "select count(*) from orgs where kind = 'town' and parent_id = 'district-beibei'";
    assert_eq!(sql_value(lake, versions), "5");
}

#[test]
fn a_number_about_few_officers_is_withheld_on_every_surface_and_not_found_by_subtraction() {
    let folder = tempfile::tempdir().unwrap();
    let lake = folder.path().join("lake");
    let officers = |org: &str, count: usize| -> String {
        let posting = |n: usize| format!("{org}-{n},{org},2024-01-01,c{n},2024-01-01\n");
        (0..count).map(posting).collect()
    };
    let register = folder.path().join("officers.csv");
    let header = "officer_id,org_id,certificate_from,certificate_no,onboarded_on\n";
    let units = [("a", 3), ("b", 6), ("c", 9)];
    let rows: String = units.iter().map(|(org, count)| officers(org, *count)).collect();
    fs::write(&register, header.to_owned() + &rows).unwrap();
    let orgs = folder.path().join("orgs.csv");
    fs::write(&orgs, "org_id,kind\na,town\nb,town\nc,town\n").unwrap();
    let log = folder.path().join("log.ndjson");
    let event = |org: &str| {
        format!(
            "{{\"event_type\":\"patrol.recorded\",\"occurred_at\":\"2024-03-05T09:00:00+08:00\",\"org_id\":\"{org}\",\"officer_ids\":[\"{org}-0\"],\"object_id\":\"p-{org}\"}}"
        )
    };
    harness::write_lines(&log, units.iter().map(|(org, _)| event(org)));
    for path in [&orgs, &register] {
        harness::land(&lake, "reference", std::slice::from_ref(path));
    }
    harness::land(&lake, "native", &[log]);

    let server = Server::start(&lake, &["--as-of", "2024-03-20T00:00:00Z"]);
    let asked = "from=2024-03-01&to=2024-04-01&scope=district,towns,a,b,c";
    let rows = server.metric("officer_activity_ratio", asked);
    let told = |scope: &str| {
        let row = rows.iter().find(|row| row["scope"] == scope).unwrap();
        (row["denominator"].as_i64(), row["withheld"] == true)
    };
    assert_eq!(told("district"), (Some(18), false));
    assert_eq!(told("a"), (None, true));
    // With it, the unit of three would be 18 - 9 - 6.
    assert_eq!(told("b"), (None, true));
    assert_eq!(told("c"), (Some(9), false));
    // Asking for one unit alone withholds the same.
    let alone = server.metric("officer_activity_ratio", "from=2024-03-01&to=2024-04-01&scope=b");
    assert_eq!(alone[0]["withheld"], true);
    let explained = server
        .get("/api/v1/metrics/officer_activity_ratio/explain?from=2024-03-01&to=2024-04-01&scope=a,b")
        .json();
    assert_eq!(explained["rows"].as_array().map_or(0, Vec::len), 0);
    let exposition = server.get("/metrics").text;
    for line in exposition.lines().filter(|line| line.starts_with("officer_activity_ratio")) {
        assert!(!line.contains("scope=\"a\"") && !line.contains("scope=\"b\""), "{line}");
    }
}
