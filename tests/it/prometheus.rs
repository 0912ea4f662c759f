//! The real Prometheus: its tools read our files, and it scrapes the real binary.

use std::collections::{BTreeMap, HashSet};
use std::fs::{self, File};
use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::harness::{
    Process, Server, free_port, get, quoted, repository, sql, succeed, wait_for, yubei,
};

const TRAILING_28_DAYS: (&str, &str) = ("2025-12-04", "2026-01-01");
const NOW: (&str, &str) = ("2026-01-01", "2026-01-02");

/// Values by scope and by the metric's parameter, empty where it has none.
type Samples = BTreeMap<(String, String), f64>;

/// A Prometheus that scrapes one server every second.
struct Prometheus {
    url: String,
    _process: Process,
    _folder: tempfile::TempDir,
}

impl Prometheus {
    fn start(target: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let shipped = repository("dashboards/prometheus");
        fs::copy(shipped.join("rules.yml"), folder.path().join("rules.yml")).unwrap();
        let mut config = fs::read_to_string(shipped.join("prometheus.yml")).unwrap();
        for (from, to) in [
            ("'127.0.0.1:8080'", format!("'{target}'").as_str()),
            ("scrape_interval: 30s", "scrape_interval: 1s"),
            ("scrape_timeout: 10s", "scrape_timeout: 1s"),
            ("evaluation_interval: 30s", "evaluation_interval: 1s"),
        ] {
            assert!(config.contains(from), "prometheus.yml has no `{from}`");
            config = config.replace(from, to);
        }
        let config_file = folder.path().join("prometheus.yml");
        fs::write(&config_file, config).unwrap();
        let address = format!("127.0.0.1:{}", free_port());
        let log = File::create(folder.path().join("log")).unwrap();
        let process = Command::new("prometheus")
            .arg(format!("--config.file={}", config_file.display()))
            .arg(format!("--storage.tsdb.path={}", folder.path().join("data").display()))
            .arg(format!("--web.listen-address={address}"))
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("the package `prometheus` is missing; tests/run installs it");
        let prometheus =
            Self { url: format!("http://{address}"), _process: Process(process), _folder: folder };
        wait_for("Prometheus has scraped", || {
            let samples = prometheus.try_query("up{job=\"lawpulse\"} == 1")?;
            (!samples.is_empty()).then_some(())
        });
        prometheus
    }

    fn try_query(&self, query: &str) -> Option<Vec<Value>> {
        let url = format!("{}/api/v1/query?query={}", self.url, quoted(query));
        let answer = get(&url, &[]).ok()?;
        let found: Value = serde_json::from_str(&answer.text).ok()?;
        Some(found["data"]["result"].as_array()?.clone())
    }

    /// The newest samples of a name, by scope and one more label.
    fn samples(&self, name: &str, label: &str) -> Samples {
        let found = self.try_query(name).unwrap();
        let mut samples = Samples::new();
        for sample in &found {
            let text = |label: &str| sample["metric"][label].as_str().unwrap_or("").to_owned();
            assert!(!text("scope_kind").is_empty(), "{sample}");
            // Read as the API's numbers are read, whose last bit may be off by the reader.
            let value = serde_json::from_str(sample["value"][1].as_str().unwrap()).unwrap();
            assert_eq!(samples.insert((text("scope"), text(label)), value), None, "{sample}");
        }
        samples
    }
}

/// The column of a metric's rows in the JSON API, for every scope and every value of a parameter.
fn samples_of_api(server: &Server, metric: &Exported, column: &str) -> Samples {
    let scopes = server.get("/api/v1/scopes").json();
    let scopes = scopes["scopes"].as_array().unwrap().iter();
    let scopes: Vec<_> = scopes.map(|scope| quoted(scope["scope"].as_str().unwrap())).collect();
    let (from, to) = metric.period;
    let query = format!("from={from}&to={to}&grain=all&scope={}", scopes.join(","));
    let mut samples = Samples::new();
    let values: &[&str] = if metric.values.is_empty() { &[""] } else { metric.values };
    for value in values {
        let parameter = match metric.parameter {
            "" => String::new(),
            name => format!("&{name}={value}"),
        };
        for row in server.metric(metric.id, &format!("{query}{parameter}")) {
            let scope = row["scope"].as_str().unwrap().to_owned();
            if let Some(number) = row[column].as_f64() {
                samples.insert((scope, (*value).to_owned()), number);
            }
        }
    }
    samples
}

/// A metric, its name in Prometheus, and the period that /metrics is about.
struct Exported {
    id: &'static str,
    name: &'static str,
    period: (&'static str, &'static str),
    parameter: &'static str,
    values: &'static [&'static str],
}

const fn plain(
    id: &'static str,
    name: &'static str,
    period: (&'static str, &'static str),
) -> Exported {
    Exported { id, name, period, parameter: "", values: &[] }
}

/// Every value that Prometheus has is the value of the API, and the other way round.
#[track_caller]
fn check(prometheus: &Prometheus, server: &Server, metric: &Exported) {
    let is_ratio = metric.id.ends_with("_ratio");
    let columns = [("", "value"), ("_numerator", "numerator"), ("_denominator", "denominator")];
    for (suffix, column) in columns.into_iter().take(if is_ratio { 3 } else { 1 }) {
        let name = format!("{}{suffix}", metric.name);
        let scraped = prometheus.samples(&name, metric.parameter);
        assert!(scraped.len() > 40, "{name} has {} samples", scraped.len());
        assert_eq!(scraped, samples_of_api(server, metric, column), "{name}");
    }
}

#[test]
fn what_prometheus_scrapes_is_what_the_api_says() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start_as_of(&yubei().copy(folder.path()));
    let prometheus = Prometheus::start(server.address());
    let first =
        server.get("/api/v1/status").json()["first_event_date"].as_str().unwrap().to_owned();
    assert_eq!(first, "2024-01-01");
    let so_far = ("2024-01-01", NOW.1);
    let levels: &[&str] = &["L1", "L2", "L3"];
    for id in ["officer_activity_ratio", "officers_active"] {
        let period = TRAILING_28_DAYS;
        check(
            &prometheus,
            &server,
            &Exported { id, name: id, period, parameter: "level", values: levels },
        );
    }
    for metric in [
        Exported {
            id: "case_days_to_decision",
            name: "case_days_to_decision",
            period: TRAILING_28_DAYS,
            parameter: "statistic",
            values: &["median", "p90"],
        },
        plain("inspection_detection_ratio", "inspection_detection_ratio", TRAILING_28_DAYS),
        plain("cases_open", "cases_open", NOW),
        plain("officers_on_roster", "officers_on_roster", NOW),
        plain("orgs_onboarded_ratio", "orgs_onboarded_ratio", NOW),
        plain("org_silent_working_days", "org_silent_working_days", NOW),
        plain("last_event_timestamp_seconds", "last_event_timestamp_seconds", NOW),
        plain("inspections", "inspections_total", so_far),
        plain("joint_inspections", "joint_inspections_total", so_far),
        plain("patrols", "patrols_total", so_far),
        plain("cases_filed", "cases_filed_total", so_far),
        plain("cases_decided", "cases_decided_total", so_far),
        plain("cases_closed", "cases_closed_total", so_far),
        plain("events_landed", "events_landed_total", so_far),
    ] {
        check(&prometheus, &server, &metric);
    }
    let landed = prometheus.try_query("lawpulse_last_landed_timestamp_seconds > 0").unwrap();
    assert_eq!(landed.len(), 1);
}

#[test]
fn promtool_accepts_the_config_the_rules_and_their_tests() {
    let folder = repository("dashboards/prometheus");
    for arguments in [
        ["check", "config", "prometheus.yml"],
        ["check", "rules", "rules.yml"],
        ["test", "rules", "rules_test.yml"],
    ] {
        succeed(Command::new("promtool").args(arguments).current_dir(&folder));
    }
}

#[test]
fn promtool_accepts_the_exposition_and_no_officer_or_party_is_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let yubei = yubei();
    let server = Server::start_as_of(&yubei.copy(folder.path()));
    let text = server.get("/metrics").text;
    let mut process = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the package `prometheus` is missing; tests/run installs it");
    process.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = process.wait_with_output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    // The only advice not taken: statutory clocks run in days, and a working day has no length in seconds.
    let is_taken = |line: &&str| !line.ends_with("use base unit \"seconds\" instead of \"days\"");
    assert_eq!(told.lines().filter(is_taken).collect::<Vec<_>>(), [""; 0]);
    // 3 is for advice, 1 for errors.
    let expected = if told.is_empty() { 0 } else { 3 };
    assert_eq!(output.status.code(), Some(expected), "{told}");

    let query = "select officer_id as id from officers union select party_id from parties";
    let identities = sql(&yubei.lake, query);
    assert!(identities.len() > 7_000);
    let labels: HashSet<&str> = text.split('"').skip(1).step_by(2).collect();
    assert!(labels.len() > 60);
    assert!(identities.iter().all(|row| !labels.contains(row["id"].as_str())));
}
