//! From a silent unit to a message: the real Prometheus with the shipped rules, the real Alertmanager with the shipped
//! routes, and something in the place of the relay that writes down what it is sent.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, Receiver};

use serde_json::Value;

use crate::harness::{Process, Server, free_port, repository, succeed, wait_for, yubei};
use crate::prometheus::Prometheus;

/// Listens for JSON over HTTP: what comes is answered with a status and a body, and handed on with its path.
pub(crate) fn hook(
    mut answer: impl FnMut(&str, &Value) -> (u16, &'static str) + Send + 'static,
) -> (u16, Receiver<(String, Value)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (sender, messages) = mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = BufReader::new(stream.unwrap());
            let mut line = String::new();
            stream.read_line(&mut line).unwrap();
            let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
            let mut length = 0;
            loop {
                let mut line = String::new();
                stream.read_line(&mut line).unwrap();
                let Some((name, value)) = line.split_once(':') else { break };
                if name.eq_ignore_ascii_case("content-length") {
                    length = value.trim().parse().unwrap();
                }
            }
            let mut body = vec![0; length];
            stream.read_exact(&mut body).unwrap();
            let message = serde_json::from_slice(&body).unwrap();
            let (status, text) = answer(&path, &message);
            let length = text.len();
            let head = format!(
                "HTTP/1.1 {status} -\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
            );
            // Before the answer, so that it is known of to whoever waits for that.
            if sender.send((path, message)).is_err() {
                return;
            }
            // Whoever asked may have gone.
            let _ = stream.get_mut().write_all((head + text).as_bytes());
        }
    });
    (port, messages)
}

/// An Alertmanager with the shipped config, but for waiting times and the gateway's port.
pub(crate) fn alertmanager(folder: &std::path::Path, gateway: u16) -> (String, Process) {
    let mut config =
        fs::read_to_string(repository("dashboards/alertmanager/alertmanager.yml")).unwrap();
    for (from, to) in [
        ("group_wait: 1m", "group_wait: 1s".to_owned()),
        ("group_interval: 15m", "group_interval: 1s".to_owned()),
        ("127.0.0.1:9095", format!("127.0.0.1:{gateway}")),
    ] {
        assert!(config.contains(from), "alertmanager.yml has no `{from}`");
        config = config.replace(from, &to);
    }
    let file = folder.join("alertmanager.yml");
    fs::write(&file, config).unwrap();
    let address = format!("127.0.0.1:{}", free_port());
    let process = Command::new("prometheus-alertmanager")
        .arg(format!("--config.file={}", file.display()))
        .arg(format!("--storage.path={}", folder.join("alertmanager").display()))
        .arg(format!("--web.listen-address={address}"))
        .arg("--cluster.listen-address=")
        .stdout(Stdio::null())
        .stderr(File::create(folder.join("alertmanager.log")).unwrap())
        .spawn()
        .expect("the package `prometheus-alertmanager` is missing; tests/run installs it");
    (address, Process(process))
}

#[test]
fn a_unit_that_is_silent_is_told_so_in_its_words_and_leadership_is_not_yet() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start_as_of(&yubei().copy(folder.path()));
    let silent =
        server.metric("org_silent_working_days", "from=2026-01-01&to=2026-01-02&scope=town-dawan");
    assert!(silent[0]["value"].as_f64().unwrap() >= 5.0, "{silent:?}");
    let (port, messages) = hook(|_, _| (200, ""));
    let (address, _alertmanager) = alertmanager(folder.path(), port);
    let _prometheus = Prometheus::start_with(server.address(), Some(&address));
    let mut others = Vec::new();
    let message = wait_for("the unit is told", || {
        let (path, message) = messages.try_recv().ok()?;
        let labels = &message["groupLabels"];
        let is_it = path == "/unit"
            && labels["alertname"] == "OrgSilent"
            && labels["scope"] == "town-dawan";
        if is_it {
            return Some(message);
        }
        others.push(path);
        None
    });
    let alert = &message["alerts"][0];
    assert_eq!(alert["status"], "firing");
    let told = alert["annotations"]["description"].as_str().unwrap();
    assert!(told.starts_with("单位 town-dawan 已连续"), "{told}");
    assert!(told.contains("个工作日没有业务活动"), "{told}");
    assert_eq!(alert["annotations"]["runbook_url"], "dashboards/runbook.md#orgsilent");
    // Leadership hears of units after two weeks.
    assert!(others.iter().all(|path| path != "/leadership"), "{others:?}");
}

#[test]
fn amtool_accepts_the_config_and_every_audience_of_the_rules_is_routed() {
    let config = repository("dashboards/alertmanager/alertmanager.yml");
    succeed(Command::new("amtool").arg("check-config").arg(&config));
    for (labels, receivers) in [
        ("audience=unit", "unit,leadership"),
        ("audience=supervision", "supervision"),
        ("audience=operators", "operators"),
    ] {
        let told = succeed(
            Command::new("amtool")
                .args(["config", "routes", "test", labels])
                .arg(format!("--config.file={}", config.display())),
        );
        assert_eq!(String::from_utf8(told).unwrap().trim(), receivers, "{labels}");
    }
    let rules = fs::read_to_string(repository("dashboards/prometheus/rules.yml")).unwrap();
    let audiences = rules.split("audience: ").skip(1);
    for audience in audiences.map(|rest| rest.split([' ', ',', '}']).next().unwrap()) {
        assert!(["unit", "supervision", "operators"].contains(&audience), "{audience}");
    }
}
