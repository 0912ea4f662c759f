//! The real Prometheus: its tools read our files, and it scrapes the real binary.

use std::collections::{BTreeMap, HashSet};
use std::fs::{self, File};
use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::harness::{
    Process, Server, free_port, get, quoted, repository, sql, succeed, wait_for, yubei,
};

/// Values by scope and by the metric's parameters, empty where it has none.
type Samples = BTreeMap<(String, String), f64>;

/// A Prometheus that scrapes one server every second.
pub(crate) struct Prometheus {
    url: String,
    _process: Process,
    _folder: tempfile::TempDir,
}

impl Prometheus {
    pub(crate) fn start(target: &str) -> Self {
        Self::start_with(target, None)
    }

    /// One that hands its alerts to an Alertmanager, without waiting for an hour.
    pub(crate) fn start_with(target: &str, alertmanager: Option<&str>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let shipped = repository("dashboards/prometheus");
        let mut rules = fs::read_to_string(shipped.join("rules.yml")).unwrap();
        if alertmanager.is_some() {
            rules = rules.replace("for: 1h", "for: 1s");
        }
        fs::write(folder.path().join("rules.yml"), rules).unwrap();
        let mut config = fs::read_to_string(shipped.join("prometheus.yml")).unwrap();
        for (from, to) in [
            ("'127.0.0.1:8080'", format!("'{target}'").as_str()),
            ("127.0.0.1:9093", alertmanager.unwrap_or("127.0.0.1:9093")),
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

    /// Where it is.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn try_query(&self, query: &str) -> Option<Vec<Value>> {
        let url = format!("{}/api/v1/query?query={}", self.url, quoted(query));
        let answer = get(&url, &[]).ok()?;
        let found: Value = serde_json::from_str(&answer.text).ok()?;
        Some(found["data"]["result"].as_array()?.clone())
    }

    /// The newest samples of a name in some scopes, by scope and the labels of parameters.
    fn samples(&self, name: &str, parameters: &[&str]) -> Samples {
        // A busy machine may miss its second, and Prometheus then takes every series for gone.
        let found = self.try_query(&format!("last_over_time({name}[1h])")).unwrap();
        let mut samples = Samples::new();
        for sample in &found {
            let text = |label: &str| sample["metric"][label].as_str().unwrap_or("").to_owned();
            assert!(!text("scope_kind").is_empty(), "{sample}");
            if !SCOPES.split(',').any(|scope| scope == text("scope")) {
                continue;
            }
            let labels: Vec<String> = parameters.iter().map(|name| text(name)).collect();
            // Read as the API's numbers are read, whose last bit may be off by the reader.
            let value = serde_json::from_str(sample["value"][1].as_str().unwrap()).unwrap();
            let key = (text("scope"), labels.join(" "));
            assert_eq!(samples.insert(key, value), None, "{sample}");
        }
        samples
    }
}

/// The scopes whose numbers are compared: every sort of scope, a unit that is silent and one that is not.
const SCOPES: &str =
    "district,towns,departments,teams,area:南部,town-dawan,town-longta,dept-justice,team-market";

/// The period that `/metrics` is about, as of the morning of 1 January 2026.
fn period(window: &str, first_day: &str) -> (String, String) {
    let (from, to) = match window {
        "28d" => ("2025-12-04", "2026-01-01"),
        "all" => (first_day, "2026-01-02"),
        "now" | "year" => ("2026-01-01", "2026-01-02"),
        other => panic!("an unknown window {other}"),
    };
    (from.to_owned(), to.to_owned())
}

/// Every combination of the values of a metric's parameters, as parts of a query string.
fn combinations(parameters: &[Value]) -> Vec<Vec<(String, String)>> {
    let mut all = vec![Vec::new()];
    for parameter in parameters {
        let name = parameter["name"].as_str().unwrap();
        let values = parameter["values"].as_array().unwrap();
        all = all
            .iter()
            .flat_map(|chosen| {
                values.iter().map(move |value| {
                    let mut chosen: Vec<(String, String)> = chosen.clone();
                    chosen.push((name.to_owned(), value.as_str().unwrap().to_owned()));
                    chosen
                })
            })
            .collect();
    }
    all
}

/// Every value that Prometheus has of a metric is the value of the API, and the other way round.
#[track_caller]
fn check(prometheus: &Prometheus, server: &Server, metric: &Value, first_day: &str) {
    let text = |key: &str| metric[key].as_str().unwrap();
    let (from, to) = period(text("prometheus_window"), first_day);
    let parameters = metric["parameters"].as_array().unwrap();
    let names: Vec<&str> = parameters.iter().map(|it| it["name"].as_str().unwrap()).collect();
    let columns = [("", "value"), ("_numerator", "numerator"), ("_denominator", "denominator")];
    let columns = &columns[..if text("kind") == "ratio" { 3 } else { 1 }];
    let mut of_api = vec![Samples::new(); columns.len()];
    for chosen in combinations(parameters) {
        let more: String =
            chosen.iter().map(|(name, value)| format!("&{name}={}", quoted(value))).collect();
        let query = format!("from={from}&to={to}&scope={}{more}", quoted(SCOPES));
        let labels: Vec<&str> = chosen.iter().map(|(_, value)| value.as_str()).collect();
        for row in server.metric(text("id"), &query) {
            for ((_, column), samples) in columns.iter().zip(&mut of_api) {
                if let Some(number) = row[*column].as_f64() {
                    let scope = row["scope"].as_str().unwrap().to_owned();
                    samples.insert((scope, labels.join(" ")), number);
                }
            }
        }
    }
    for ((suffix, _), samples) in columns.iter().zip(of_api) {
        let name = format!("{}{suffix}", text("prometheus"));
        assert_eq!(prometheus.samples(&name, &names), samples, "{name}");
    }
}

#[test]
fn what_prometheus_scrapes_is_what_the_api_says_for_every_metric() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start_as_of(&yubei().copy(folder.path()));
    let prometheus = Prometheus::start(server.address());
    let first_day =
        server.get("/api/v1/status").json()["first_event_date"].as_str().unwrap().to_owned();
    let catalogue = server.get("/api/v1/metrics").json();
    let exported: Vec<&Value> = catalogue["metrics"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|metric| metric["prometheus_window"] != "none")
        .collect();
    assert!(exported.len() > 60, "{}", exported.len());
    for metric in exported {
        check(&prometheus, &server, metric, &first_day);
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
