//! The shipped dashboards, held against what dashboards of this project owe their readers.

use std::collections::BTreeSet;

use pipeline::definition::Definitions;

use super::*;

fn shipped() -> Vec<Dashboard> {
    let catalogue = Catalogue::load(&Definitions::load(None).unwrap()).unwrap();
    dashboards(None, &catalogue).unwrap()
}

fn panels(dashboard: &Dashboard) -> impl Iterator<Item = &Value> {
    let panels = dashboard.model["panels"].as_array().unwrap();
    panels.iter().filter(|panel| panel["type"] != "row")
}

fn texts_of(panel: &Value) -> String {
    panel["targets"].to_string()
}

#[test]
fn a_text_is_told_in_one_language_and_other_braces_stay() {
    let text = "up{job=\"a\"} {你好|hello}, ${scope} {{status}} {没|no";
    assert_eq!(Language::Zh.text(text), "up{job=\"a\"} 你好, ${scope} {{status}} {没|no");
    assert_eq!(Language::En.text(text), "up{job=\"a\"} hello, ${scope} {{status}} {没|no");
}

#[test]
fn every_dashboard_is_there_in_both_languages_under_an_address_of_its_own() {
    let shipped = shipped();
    let uids: BTreeSet<&str> =
        shipped.iter().map(|board| board.model["uid"].as_str().unwrap()).collect();
    assert_eq!(uids.len(), shipped.len());
    for topic in
        ["overview", "usage", "inspections", "cases", "supervision", "goals", "unit", "pipeline"]
    {
        for uid in [format!("lawpulse-{topic}"), format!("lawpulse-{topic}-en")] {
            assert!(uids.contains(uid.as_str()), "{uid}");
        }
    }
    for board in &shipped {
        let is_english = board.path.starts_with("en/");
        let told = board.model.to_string();
        assert!(!told.contains("{|") && !told.contains("}|"), "{}", board.path);
        for panel in panels(board) {
            let title = panel["title"].as_str().unwrap();
            let is_chinese = title.chars().any(|letter| ('一'..='鿿').contains(&letter));
            assert!(!(is_english && is_chinese), "{}: {title}", board.path);
        }
    }
}

#[test]
fn every_panel_answers_a_question_has_a_unit_a_known_source_and_says_why_it_may_be_empty() {
    for board in shipped() {
        assert_eq!(board.model["editable"], false);
        let mut ids = BTreeSet::new();
        for panel in panels(&board) {
            let title = format!("{} {}", board.path, panel["title"]);
            assert!(ids.insert(panel["id"].as_u64().unwrap()), "{title}");
            let question = panel["description"].as_str().unwrap();
            assert!(question.contains(['？', '?']), "{title}");
            let defaults = &panel["fieldConfig"]["defaults"];
            assert!(!defaults["unit"].as_str().unwrap().is_empty(), "{title}");
            assert!(defaults["noValue"].as_str().unwrap().len() > 20, "{title}");
            let source = panel["datasource"]["uid"].as_str().unwrap();
            assert!([PROMETHEUS, POSTGRES].contains(&source), "{title}");
            let targets = panel["targets"].as_array().unwrap();
            assert!(!targets.is_empty(), "{title}");
            for target in targets {
                assert_eq!(target["datasource"]["uid"], source, "{title}");
            }
            let counts = texts_of(panel).contains("_total");
            assert!(!counts || texts_of(panel).contains("rate("), "{title}: a counter as it is");
        }
    }
}

#[test]
fn panels_stand_side_by_side_within_the_grid_and_never_on_each_other() {
    for board in shipped() {
        let mut taken = BTreeSet::new();
        for panel in board.model["panels"].as_array().unwrap() {
            let at = |key: &str| panel["gridPos"][key].as_u64().unwrap();
            assert!(at("x") + at("w") <= COLUMNS, "{} {}", board.path, panel["title"]);
            for x in at("x")..at("x") + at("w") {
                for y in at("y")..at("y") + at("h") {
                    assert!(taken.insert((x, y)), "{} {}", board.path, panel["title"]);
                }
            }
        }
    }
}

#[test]
fn every_variable_that_is_used_is_defined_and_every_dashboard_says_until_when_there_are_data() {
    for board in shipped() {
        let defined: BTreeSet<&str> = board.model["templating"]["list"]
            .as_array()
            .unwrap()
            .iter()
            .map(|variable| variable["name"].as_str().unwrap())
            .collect();
        let mut is_fresh = false;
        for panel in panels(&board) {
            let asked = texts_of(panel);
            for used in asked.split("${").skip(1) {
                let name = used.split(['}', ':']).next().unwrap();
                assert!(defined.contains(name), "{} {name}", board.path);
            }
            is_fresh |= asked.contains("last_event_timestamp_seconds");
        }
        assert!(is_fresh, "{}", board.path);
    }
}

#[test]
fn links_lead_to_dashboards_that_are_there() {
    let shipped = shipped();
    let uids: BTreeSet<&str> =
        shipped.iter().map(|board| board.model["uid"].as_str().unwrap()).collect();
    let mut followed = 0;
    for board in &shipped {
        for link in board.model.to_string().split("/d/").skip(1) {
            let uid = link.split(['"', '?', '&']).next().unwrap();
            assert!(uids.contains(uid), "{}: {uid}", board.path);
            followed += 1;
        }
    }
    assert!(followed >= 2 * shipped.len() / 2);
}

/// 行政处罚法 art. 74: what must not be scored must not be ranked.
#[test]
fn units_are_ordered_only_by_what_they_may_be_ranked_by() {
    let catalogue = Catalogue::load(&Definitions::load(None).unwrap()).unwrap();
    let mut ordered = 0;
    for board in shipped() {
        for panel in panels(&board) {
            for target in panel["targets"].as_array().unwrap() {
                let Some(sql) = target["rawSql"].as_str() else { continue };
                let Some((_, order)) = sql.split_once("order by m0.value") else { continue };
                assert!(order.contains("nulls last"));
                let (_, call) = sql.split_once("from metric('").unwrap();
                let metric = catalogue.get(call.split('\'').next().unwrap()).unwrap();
                assert!(metric.is_rankable(), "{} {}", board.path, metric.id());
                ordered += 1;
            }
        }
    }
    assert!(ordered >= 2);
}

#[test]
fn a_file_that_is_wrong_is_named_with_what_is_wrong() {
    let catalogue = Catalogue::load(&Definitions::load(None).unwrap()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    for (text, told) in [
        ("uid = \"x\"\ntitel = \"x\"", "unknown field `titel`"),
        (
            "uid = \"x\"\ntitle = \"x\"\nquestion = \"x\"\n[[row]]\ntitle = \"x\"\n[[row.panel]]\nshow = \"stat\"\n\
             question = \"x\"\nseries = [{ metric = \"patrol\" }]",
            "did you mean patrols?",
        ),
        (
            "uid = \"x\"\ntitle = \"x\"\nquestion = \"x\"\n[[row]]\ntitle = \"x\"\n[[row.panel]]\nshow = \"stat\"\n\
             title = \"empty\"\nquestion = \"x\"",
            "`empty` asks for nothing",
        ),
    ] {
        std::fs::write(folder.path().join("mine.toml"), text).unwrap();
        let error = format!("{:#}", dashboards(Some(folder.path()), &catalogue).unwrap_err());
        assert!(error.contains("`mine.toml`") && error.contains(told), "{error}");
    }
}
