//! The Grafana dashboards, proven without a Grafana: every query of theirs is asked as Grafana asks it, and their JSON is
//! of the types that Grafana gives it.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::harness::{
    Server, cached, lawpulse, node, python, repository, succeed, wait_for, yubei,
};
use crate::prometheus::Prometheus;

/// The dashboards as files.
fn dashboards(folder: &Path) -> PathBuf {
    let out = folder.join("dashboards");
    lawpulse(["dashboards", "--out", out.to_str().unwrap()]);
    out
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let languages = ["zh", "en"].map(|language| folder.join(language));
    let read = |folder: &PathBuf| std::fs::read_dir(folder).unwrap();
    languages.iter().flat_map(read).map(|entry| entry.unwrap().path()).collect()
}

/// What each query of each panel gives, over the year 2025.
fn asked(server: &Server, prometheus: &str, folder: &Path, scope: &str) -> Vec<Value> {
    let script = repository("tests/it/grafana/panels.py");
    let told = succeed(python().arg(script).args([
        server.postgres.as_str(),
        prometheus,
        folder.to_str().unwrap(),
        "2024-12-31T16:00:00Z",
        "2025-12-31T15:59:59.999Z",
        scope,
    ]));
    let told: Value = serde_json::from_slice(&told).unwrap();
    let told = told.as_array().unwrap().clone();
    for query in &told {
        assert!(query["error"].is_null(), "{scope}: {query}");
    }
    told
}

#[test]
fn every_panel_of_every_dashboard_draws_the_district_and_a_unit() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start_as_of(&yubei().copy(folder.path()));
    let prometheus = Prometheus::start(server.address());
    let out = dashboards(folder.path());
    wait_for("the goals and the checks are followed", || {
        let found = prometheus.try_query("goal_info")?;
        (!found.is_empty()).then_some(())
    });
    let told = asked(&server, prometheus.url(), &out, "district");
    assert!(told.len() > 200, "{} queries", told.len());
    for query in &told {
        // Perhaps no alert fires, and lines are refused on the day on which they land, which is no day of 2025.
        let may_be_empty = ["正在响的告警", "Alerts that fire", "拒收率", "Refused"];
        let title = query["panel"].as_str().unwrap();
        let has_values = query["values"].as_u64().unwrap() > 0;
        assert!(has_values || may_be_empty.contains(&title), "nothing to draw: {query}");
        if query["type"] == "timeseries" && query["columns"].to_string().contains("time") {
            assert!(query["rows"].as_u64().unwrap() >= 4, "hardly a course: {query}");
        }
    }
    // A unit has no goals and no districtwide numbers, and is drawn all the same.
    let told = asked(&server, prometheus.url(), &out, "town-longta");
    let of_unit = told.iter().filter(|query| query["board"] == "lawpulse-unit");
    let drawn = of_unit.clone().filter(|query| query["values"].as_u64() > Some(0)).count();
    assert!(drawn * 10 >= of_unit.count() * 9, "{drawn} queries have numbers");
}

#[test]
fn the_dashboards_are_of_the_types_that_grafana_11_and_13_give_them() {
    let folder = tempfile::tempdir().unwrap();
    let files = files(&dashboards(folder.path()));
    assert_eq!(files.len(), 16);
    std::os::unix::fs::symlink(cached("node/node_modules"), folder.path().join("node_modules"))
        .unwrap();
    for schema in ["grafana-schema-11", "@grafana/schema"] {
        let typed = folder.path().join("typed.ts");
        let script = repository("tests/it/grafana/types.mjs");
        succeed(node().arg(script).arg(schema).arg(&typed).args(&files));
        check_types(&typed).unwrap();
        // And a mistake is found.
        let text = std::fs::read_to_string(&typed).unwrap();
        std::fs::write(&typed, text.replacen("\"gridPos\"", "\"gridPosition\"", 1)).unwrap();
        assert!(check_types(&typed).unwrap_err().contains("gridPos"), "{schema}");
    }
}

fn check_types(typed: &Path) -> Result<(), String> {
    let compiler = cached("node/node_modules/typescript/bin/tsc");
    let options = ["--noEmit", "--strict", "--skipLibCheck", "--module", "esnext"];
    let output = Command::new("node")
        .arg(compiler)
        .args(options)
        .args(["--moduleResolution", "bundler", "--target", "es2022"])
        .arg(typed)
        .current_dir(typed.parent().unwrap())
        .output()
        .unwrap();
    if output.status.success() { Ok(()) } else { Err(String::from_utf8(output.stdout).unwrap()) }
}

/// The data sources that the dashboards name are those of the provisioning.
#[test]
fn what_the_dashboards_name_is_provisioned() {
    let folder = tempfile::tempdir().unwrap();
    let provisioned = std::fs::read_to_string(repository(
        "dashboards/grafana/provisioning/datasources/lawpulse.yml",
    ))
    .unwrap();
    for file in files(&dashboards(folder.path())) {
        let text = std::fs::read_to_string(&file).unwrap();
        let board: Value = serde_json::from_str(&text).unwrap();
        for panel in board["panels"].as_array().unwrap().iter().filter(|it| it["type"] != "row") {
            let (uid, kind) = (&panel["datasource"]["uid"], &panel["datasource"]["type"]);
            for line in [
                format!("uid: {}", uid.as_str().unwrap()),
                format!("type: {}", kind.as_str().unwrap()),
            ] {
                assert!(provisioned.contains(&line), "{}: {line}", file.display());
            }
        }
    }
}
