//! The built-in page in a real browser.

use serde_json::Value;

use crate::harness::{self, Server, artefact, yubei};

/// What a person sees on the page; tests/oracle/page.py says what it holds.
fn seen(server: &Server, query: &str, screenshot: &str) -> Value {
    let script = harness::repository("tests/oracle/page.py");
    let url = format!("{}/{query}", server.url);
    let printed =
        harness::succeed(harness::python().arg(script).arg(url).arg(artefact(screenshot)));
    serde_json::from_slice(&printed).unwrap()
}

fn grouped(number: &Value) -> String {
    let digits = number.as_u64().unwrap().to_string();
    let mut text = String::new();
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A ratio as the page writes it: one decimal, a tie goes up, none for nothing and for all.
fn percent(row: &Value) -> String {
    let [numerator, denominator] =
        ["numerator", "denominator"].map(|part| row[part].as_u64().unwrap());
    if numerator == 0 || numerator == denominator {
        return format!("{}%", 100 * numerator / denominator);
    }
    let thousandths = (2_000 * numerator + denominator) / (2 * denominator);
    format!("{}.{}%", thousandths / 10, thousandths % 10)
}

/// The page in a language shows, for a year, the numbers of the API, and nothing goes wrong on it.
#[track_caller]
fn check(server: &Server, query: &str, lang: &str, year: i32) {
    let page = seen(server, query, &format!("page-{lang}-{year}.png"));
    assert_eq!(page["lang"], lang);
    let heading = page["heading"].as_str().unwrap();
    assert!(heading.contains(&year.to_string()), "{heading}");
    let period = format!("from={year}-01-01&to={}-01-01", year + 1);
    for (id, unit) in [
        ("officer_activity_ratio", ""),
        ("orgs_onboarded_ratio", ""),
        ("patrols", "次"),
        ("inspections", "次"),
        ("cases_closed", "件"),
        ("cases_open", "件"),
    ] {
        let lines = page["tiles"][format!("tile-{id}")].as_array().unwrap();
        let row = &server.metric(id, &period)[0];
        let unit = if lang == "en" { "" } else { unit };
        let (value, share) = if id.ends_with("_ratio") {
            let share =
                format!("{} / {}", grouped(&row["numerator"]), grouped(&row["denominator"]));
            (percent(row), share)
        } else {
            (grouped(&row["value"]) + unit, String::new())
        };
        assert_eq!(lines[1], value, "{id}");
        assert!(lines[2].as_str().unwrap().starts_with(&share), "{id}: {lines:?}");
    }
    check_quiet_units(server, &page, year);
    assert_eq!(page["charts"], 3);
    assert_eq!(page["scrolls_sideways"], false);
    assert_eq!(page["problems"], serde_json::json!([]));
    assert_eq!(page["errors"], serde_json::json!([]));
    let requests = page["requests"].as_array().unwrap();
    assert!(requests.len() > 10);
    for request in requests {
        let request = request.as_str().unwrap();
        let is_own = request.starts_with(&format!("{}/", server.url));
        assert!(is_own || request.starts_with("data:"), "asks {request}");
    }
}

/// The table of quiet units has every unit's December, the lowest first.
#[track_caller]
fn check_quiet_units(server: &Server, page: &Value, year: i32) {
    let december = format!("from={year}-12-01&to={}-01-01&scope=district/*&level=L2", year + 1);
    let mut rows = server.metric("officer_activity_ratio", &december);
    // Units that ended before have nobody on the roster.
    rows.retain(|row| !row["denominator"].is_null());
    let quiet = page["quiet"].as_array().unwrap();
    assert_eq!(quiet.len(), rows.len());
    let mut last = 0.0;
    for line in quiet {
        let row = rows.iter().find(|row| row["scope_name"] == line[0]).unwrap();
        let value = row["value"].as_f64().unwrap();
        assert!(value >= last, "{line}");
        last = value;
        assert_eq!(line[1], percent(row), "{line}");
        let officers = line[3].as_str().unwrap().replace(',', "");
        assert_eq!(officers, format!("{} / {}", row["numerator"], row["denominator"]));
    }
}

#[test]
fn the_page_shows_the_numbers_of_the_api_in_chinese_and_in_english() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start_as_of(&yubei().copy(folder.path()));
    check(&server, "", "zh-CN", 2025);
    check(&server, "?period=2024", "zh-CN", 2024);
    check(&server, "?lang=en", "en", 2025);
}
