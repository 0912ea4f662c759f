//! The relay: from a silent unit to a message in chats, and what happens when a chat does not take it.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::Receiver;
use std::thread;
use std::time::{Duration, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::alerting::{alertmanager, hook};
use crate::harness::{
    Answer, PATIENCE, Process, Server, base64, command, free_port, get, post, python, succeed,
    wait_for, yubei,
};
use crate::prometheus::Prometheus;

const OK: (u16, &str) = (200, r#"{"errcode":0,"errmsg":"ok"}"#);
const BUSY: (u16, &str) = (200, r#"{"errcode":-1,"errmsg":"系统繁忙"}"#);
const BROKEN: (u16, &str) = (500, "");

/// What must stand in no log.
const KEYS: [&str; 2] = ["key-of-a-robot", "SECret-of-a-robot"];

/// A robot that answers its first messages about silence in this way, and takes all others.
fn robot(first: &[(u16, &'static str)]) -> (u16, Receiver<(String, Value)>) {
    let mut first = first.to_vec();
    first.reverse();
    hook(move |_, message| {
        let is_it = text(message).contains("五个工作日没有业务活动");
        if is_it { first.pop().unwrap_or(OK) } else { OK }
    })
}

/// The text of a message, whatever its form.
fn text(message: &Value) -> &str {
    let markdown = &message["markdown"];
    [&markdown["content"], &markdown["text"], &message["text"]]
        .iter()
        .find_map(|text| text.as_str())
        .unwrap_or_default()
}

/// The messages that have come since the last time and are about silence.
fn heard(messages: &Receiver<(String, Value)>) -> Vec<(String, Value)> {
    let about = |(_, message): &(String, Value)| text(message).contains("五个工作日没有业务活动");
    messages.try_iter().filter(about).collect()
}

/// `lawpulse relay`; stopped when dropped.
struct Relay {
    process: Process,
    url: String,
    log: PathBuf,
}

impl Relay {
    /// Writes the config file and starts. Everything that can be logged is.
    #[track_caller]
    fn start(folder: &Path, config: &str) -> Self {
        let file = folder.join("relay.toml");
        fs::write(&file, format!("listen = \"127.0.0.1:0\"\n{config}")).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        let log = folder.join("relay.log");
        let mut process = command(["relay", "--config", file.to_str().unwrap()])
            .env("LAWPULSE_LOG", "trace")
            .stdout(Stdio::piped())
            .stderr(File::create(&log).unwrap())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let url = lines.by_ref().map_while(Result::ok).find_map(|line| {
            let url = line.strip_prefix("Prometheus")?.trim().strip_suffix("/metrics")?;
            Some(url.to_owned())
        });
        let url = url.unwrap_or_else(|| panic!("{}", fs::read_to_string(&log).unwrap()));
        // Someone has to read on, or the relay would write into a pipe that is closed.
        thread::spawn(move || lines.for_each(drop));
        Self { process: Process(process), url, log }
    }

    #[track_caller]
    fn post(&self, path: &str, body: &Value) -> Answer {
        post(&format!("{}{path}", self.url), &[], body.to_string().as_bytes()).unwrap()
    }

    /// What it has counted, by name and labels.
    fn counted(&self) -> BTreeMap<String, f64> {
        let text = get(&format!("{}/metrics", self.url), &[]).unwrap().text;
        let samples = text.lines().filter_map(|line| line.rsplit_once(' '));
        let samples = samples.map(|(name, value)| (name.to_owned(), value.parse().unwrap_or(0.0)));
        samples.collect()
    }

    fn messages(&self, robot: &str, outcome: &str) -> f64 {
        let series =
            format!("lawpulse_relay_messages_total{{outcome=\"{outcome}\",robot=\"{robot}\"}}");
        self.counted().get(&series).copied().unwrap_or(0.0)
    }

    /// The log so far, which holds no key.
    #[track_caller]
    fn log(&self) -> String {
        let log = fs::read_to_string(&self.log).unwrap();
        for key in KEYS {
            assert!(!log.contains(key), "the log holds {key}");
        }
        log
    }
}

/// A robot in the config file.
fn robot_entry(name: &str, kind: &str, port: u16, more: &str) -> String {
    format!(
        "[[robot]]\nname = \"{name}\"\nkind = \"{kind}\"\nper_minute = 1000\n\
         url = \"http://127.0.0.1:{port}/send?access_token=key-of-a-robot\"\n{more}\n"
    )
}

/// A webhook about a silent unit.
fn webhook(scope: &str) -> Value {
    json!({
        "version": "4", "receiver": "unit", "groupKey": format!("group of {scope}"), "truncatedAlerts": 0,
        "alerts": [{
            "status": "firing",
            "labels": {"alertname": "OrgSilent", "scope": scope, "severity": "warning"},
            "annotations": {"summary": "单位连续五个工作日没有业务活动。"},
            "startsAt": "2026-01-01T00:30:00Z", "endsAt": "0001-01-01T00:00:00Z", "fingerprint": scope,
        }],
    })
}

/// A path is signed as 钉钉 wants it, which OpenSSL computes too.
#[track_caller]
fn check_signature(path: &str, relay: &Relay) {
    let value = |name: &str| {
        let (_, rest) = path.split_once(&format!("&{name}=")).unwrap_or_else(|| panic!("{path}"));
        rest.split('&').next().unwrap().to_owned()
    };
    let (timestamp, sign) = (value("timestamp"), value("sign"));
    let mut openssl = Command::new("openssl")
        .args(["dgst", "-sha256", "-hmac", KEYS[1], "-binary"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let signed = format!("{timestamp}\n{}", KEYS[1]);
    openssl.stdin.take().unwrap().write_all(signed.as_bytes()).unwrap();
    let expected = base64(&openssl.wait_with_output().unwrap().stdout, false);
    let shown = sign.replace("%2B", "+").replace("%2F", "/").replace("%3D", "=");
    assert_eq!(shown, expected);
    let at = UNIX_EPOCH + Duration::from_millis(timestamp.parse().unwrap());
    let logged = fs::metadata(&relay.log).unwrap().modified().unwrap();
    let apart = logged.duration_since(at).unwrap_or_else(|error| error.duration());
    assert!(apart < Duration::from_secs(600), "{apart:?}");
}

#[test]
fn a_silent_unit_is_told_by_name_in_each_chat_once_though_two_of_them_fail_at_first() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start_as_of(&yubei().copy(folder.path()));
    let (wecom_port, wecom) = robot(&[BROKEN]);
    let (dingtalk_port, dingtalk) = robot(&[BUSY]);
    let (zhezhengding_port, zhezhengding) = robot(&[]);
    let (others_port, others) = robot(&[]);
    let signed = format!("secret = \"{}\"", KEYS[1]);
    let config = [
        format!("[server]\nurl = \"{}\"", server.url),
        robot_entry("wecom", "wecom", wecom_port, ""),
        robot_entry("dingtalk", "dingtalk", dingtalk_port, &signed),
        robot_entry("zhezhengding", "zhezhengding", zhezhengding_port, &signed),
        robot_entry("others", "plain", others_port, ""),
        "[[route]]\npath = \"/unit\"\nrobots = [\"others\"]".to_owned(),
        "scopes.\"town-dawan\" = [\"wecom\", \"dingtalk\", \"zhezhengding\"]".to_owned(),
        ["leadership", "supervision", "operators"]
            .map(|path| format!("[[route]]\npath = \"/{path}\"\nrobots = [\"others\"]"))
            .join("\n"),
    ];
    let relay = Relay::start(folder.path(), &config.join("\n"));
    let port = relay.url.rsplit_once(':').unwrap().1.parse().unwrap();
    let (address, _alertmanager) = alertmanager(folder.path(), port);
    let _prometheus = Prometheus::start_with(server.address(), Some(&address));

    let mut told: BTreeMap<&str, Vec<(String, Value)>> = BTreeMap::new();
    wait_for("every chat has the message, and 浙政钉 was not sent it again", || {
        for (name, messages) in
            [("wecom", &wecom), ("dingtalk", &dingtalk), ("zhezhengding", &zhezhengding)]
        {
            told.entry(name).or_default().extend(heard(messages));
        }
        let counts = ["wecom", "dingtalk", "zhezhengding"].map(|name| told[name].len());
        (counts == [2, 2, 1] && relay.messages("zhezhengding", "repeated") >= 1.0).then_some(())
    });
    // Alertmanager would try again within a second or two, if it had been told to.
    thread::sleep(Duration::from_secs(5));
    for messages in [&wecom, &dingtalk, &zhezhengding] {
        assert_eq!(heard(messages), []);
    }
    let (path, message) = &told["wecom"][1];
    assert_eq!(path, "/send?access_token=key-of-a-robot");
    assert_eq!(message["msgtype"], "markdown");
    let content = text(message);
    let lines: Vec<&str> = content.lines().collect();
    assert_eq!(lines[0], "### 执法脉动【提醒】大湾镇：单位连续五个工作日没有业务活动");
    assert!(lines[1].starts_with("> 情况：单位 大湾镇 已连续 "), "{content}");
    assert!(lines[1].ends_with(" 个工作日没有业务活动（检查、巡查、案件步骤等）。"), "{content}");
    assert!(lines[2].starts_with("> 开始：20"), "{content}");
    assert_eq!(lines[3..], ["> 处理：见运行手册 OrgSilent 一节"]);
    for (path, message) in [&told["dingtalk"][1], &told["zhezhengding"][0]] {
        check_signature(path, &relay);
        assert_eq!(message["msgtype"], "markdown");
        assert_eq!(
            message["markdown"]["title"],
            "执法脉动【提醒】大湾镇：单位连续五个工作日没有业务活动"
        );
    }
    // Other units' messages went where others are sent, and none of this unit's.
    let others: Vec<(String, Value)> = others.try_iter().collect();
    assert!(others.iter().all(|(_, message)| !text(message).contains("大湾镇")));
    let log = relay.log();
    assert!(log.contains("a chat was not told") && log.contains("errcode -1: 系统繁忙"), "{log}");
}

#[test]
fn without_the_server_the_id_is_told_and_a_chat_that_fails_keeps_no_other_from_hearing() {
    let folder = tempfile::tempdir().unwrap();
    let (good_port, good) = robot(&[]);
    let config = [
        format!("[server]\nurl = \"http://127.0.0.1:{}\"", free_port()),
        robot_entry("down", "wecom", free_port(), ""),
        robot_entry("good", "plain", good_port, ""),
        robot_entry("few", "plain", good_port, "").replace("= 1000", "= 1"),
        "[[route]]\npath = \"/unit\"\nrobots = [\"down\", \"good\"]".to_owned(),
        "[[route]]\npath = \"/few\"\nrobots = [\"few\"]".to_owned(),
    ];
    let relay = Relay::start(folder.path(), &config.join("\n"));
    assert_eq!(get(&format!("{}/healthz", relay.url), &[]).unwrap().status, 200);
    for _ in 0..3 {
        let answer = relay.post("/unit", &webhook("town-x"));
        assert_eq!(answer.status, 503, "{}", answer.text);
        assert!(
            answer.text.starts_with("down: ") && !answer.text.contains("good"),
            "{}",
            answer.text
        );
    }
    let messages = heard(&good);
    assert_eq!(messages.len(), 1);
    assert_eq!(
        messages[0].1,
        json!({
            "title": "执法脉动【提醒】town-x：单位连续五个工作日没有业务活动",
            "text": "执法脉动【提醒】town-x：单位连续五个工作日没有业务活动\n开始：2026-01-01 08:30",
        })
    );
    assert_eq!((relay.messages("good", "repeated"), relay.messages("down", "failed")), (2.0, 3.0));
    // One a minute is taken; a second one has to wait, the first one again does not.
    assert_eq!(relay.post("/few", &webhook("town-x")).status, 200);
    let held = relay.post("/few", &webhook("town-y"));
    assert_eq!(
        (held.status, held.text.contains("no more messages for")),
        (503, true),
        "{}",
        held.text
    );
    assert_eq!(relay.post("/few", &webhook("town-x")).status, 200);
    let log = relay.log();
    assert!(log.contains("the server does not tell the names of units"), "{log}");
}

#[test]
fn what_is_no_webhook_is_refused_and_so_is_who_has_no_token() {
    let folder = tempfile::tempdir().unwrap();
    let (port, messages) = robot(&[]);
    let config = |token: &str| {
        let route = "[[route]]\npath = \"/unit\"\nrobots = [\"a\"]";
        format!("{token}\n{}{route}", robot_entry("a", "wecom", port, ""))
    };
    let relay = Relay::start(folder.path(), &config(""));
    assert_eq!(relay.post("/unit", &json!({"version": "4"})).status, 400);
    let unknown = relay.post("/units", &webhook("town-x"));
    assert_eq!(
        (unknown.status, unknown.text.as_str()),
        (404, "there is no such route, only /unit\n")
    );
    assert_eq!(get(&format!("{}/unit", relay.url), &[]).unwrap().status, 405);
    let body = webhook("town-x").to_string();
    let ask = |relay: &Relay, headers: &[(&str, &str)]| {
        post(&format!("{}/unit", relay.url), headers, body.as_bytes()).unwrap().status
    };
    assert_eq!(ask(&relay, &[("origin", "https://evil.example")]), 403);
    drop(relay);
    let relay = Relay::start(folder.path(), &config("token = \"SECret-of-a-robot\""));
    assert_eq!(ask(&relay, &[]), 401);
    assert_eq!(ask(&relay, &[("authorization", "Bearer SECret-of-a-robo")]), 401);
    assert_eq!(get(&format!("{}/metrics", relay.url), &[]).unwrap().status, 401);
    assert_eq!(get(&format!("{}/healthz", relay.url), &[]).unwrap().status, 200);
    assert_eq!(heard(&messages), []);
    assert_eq!(ask(&relay, &[("authorization", "Bearer SECret-of-a-robot")]), 200);
    assert_eq!(heard(&messages).len(), 1);
    relay.log();
}

#[test]
fn a_wrong_config_file_is_told_with_its_line_and_check_tells_a_right_one() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("relay.toml");
    let run = |config: &str| {
        fs::write(&file, config).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        let output = command(["relay", "--check", "--config", file.to_str().unwrap()])
            .env("LAWPULSE_TEST_ROBOT", "https://robot.example/?key=key-of-a-robot")
            .output()
            .unwrap();
        let said = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8(said).unwrap())
    };
    let robot =
        "[[robot]]\nname = \"a\"\nkind = \"wecom\"\nurl = { env = \"LAWPULSE_TEST_ROBOT\" }\n";
    let route = "[[route]]\npath = \"/unit\"\nrobots = [\"a\"]\n";
    let (code, said) = run(&format!("{robot}{route}"));
    assert_eq!((code, said.as_str()), (Some(0), "/unit -> a\n"));
    let (code, said) = run(&format!("{robot}{}", route.replace("\"a\"", "\"b\"")));
    assert_eq!(code, Some(1));
    let expected = ["relay.toml`: line 7", "`b`", "only: a"];
    assert!(expected.iter().all(|part| said.contains(part)), "{said}");
    let (code, said) = run(&format!("listen = \"0.0.0.0:9095\"\n{robot}{route}"));
    assert!(code == Some(1) && said.contains("no `token`"), "{said}");
    let (code, said) = run(&format!("{robot}ca = \"none.pem\"\n{route}"));
    assert!(code == Some(1) && said.contains("none.pem"), "{said}");
}

/// A CA, and a certificate of it for 127.0.0.1.
fn certify(folder: &Path) {
    let make = |name: &str, more: &[&str]| {
        let (key, pem) = (format!("{name}.key"), format!("{name}.pem"));
        let mut openssl = Command::new("openssl");
        openssl.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]);
        openssl.args(["-nodes", "-days", "2", "-keyout", &key, "-out", &pem]);
        succeed(openssl.args(["-subj", &format!("/CN={name}")]).args(more).current_dir(folder));
    };
    make("ca", &[]);
    let leaf =
        ["-CA", "ca.pem", "-CAkey", "ca.key", "-addext", "basicConstraints=critical,CA:FALSE"];
    make("robot", &[&leaf[..], &["-addext", "subjectAltName=IP:127.0.0.1"]].concat());
}

/// A robot behind TLS.
fn tls_robot(folder: &Path) -> (Process, u16) {
    const SCRIPT: &str = "
import http.server, ssl
class Robot(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers['content-length']))
        self.send_response(200)
        self.send_header('content-length', '13')
        self.end_headers()
        self.wfile.write(b'{\"errcode\":0}')
server = http.server.HTTPServer(('127.0.0.1', 0), Robot)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain('robot.pem', 'robot.key')
server.socket = context.wrap_socket(server.socket, server_side=True)
print(server.server_port, flush=True)
server.serve_forever()
";
    let mut child: Child = python()
        .args(["-c", SCRIPT])
        .current_dir(folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    (Process(child), line.trim().parse().unwrap())
}

#[test]
fn a_robot_behind_tls_is_believed_by_the_certificates_that_are_named_and_by_no_others() {
    let folder = tempfile::tempdir().unwrap();
    certify(folder.path());
    let (_robot, port) = tls_robot(folder.path());
    let entry = |name: &str, more: &str| {
        let entry = robot_entry(name, "zhezhengding", port, more);
        entry.replace("http://", "https://")
    };
    let config = [
        entry("named", "ca = \"ca.pem\""),
        entry("unknown", ""),
        "[[route]]\npath = \"/named\"\nrobots = [\"named\"]".to_owned(),
        "[[route]]\npath = \"/unknown\"\nrobots = [\"unknown\"]".to_owned(),
    ];
    let relay = Relay::start(folder.path(), &config.join("\n"));
    let answer = relay.post("/named", &webhook("town-x"));
    assert_eq!(answer.status, 200, "{}", answer.text);
    let answer = relay.post("/unknown", &webhook("town-x"));
    assert_eq!(answer.status, 503, "{}", answer.text);
    assert!(answer.text.contains("certificate"), "{}", answer.text);
    relay.log();
}

#[test]
fn a_message_whose_sender_has_hung_up_is_sent_to_the_end_and_not_again() {
    let folder = tempfile::tempdir().unwrap();
    let (began, begin) = std::sync::mpsc::channel();
    let (port, messages) = hook(move |_, _| {
        began.send(()).unwrap();
        thread::sleep(Duration::from_secs(1));
        OK
    });
    let route = "[[route]]\npath = \"/unit\"\nrobots = [\"a\"]";
    let config = format!("{}{route}", robot_entry("a", "wecom", port, ""));
    let relay = Relay::start(folder.path(), &config);
    let body = webhook("town-x").to_string();
    let mut stream = TcpStream::connect(relay.url.trim_start_matches("http://")).unwrap();
    write!(
        stream,
        "POST /unit HTTP/1.1\r\nhost: relay\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    begin.recv_timeout(PATIENCE).unwrap();
    drop(stream);
    assert_eq!(relay.post("/unit", &webhook("town-x")).status, 200);
    assert_eq!((heard(&messages).len(), relay.messages("a", "repeated")), (1, 1.0));
}

#[test]
fn a_relay_that_is_told_to_stop_sends_to_the_end_what_it_is_sending() {
    let folder = tempfile::tempdir().unwrap();
    let (began, begin) = std::sync::mpsc::channel();
    let (port, messages) = hook(move |_, _| {
        began.send(()).unwrap();
        thread::sleep(Duration::from_secs(2));
        OK
    });
    let route = "[[route]]\npath = \"/unit\"\nrobots = [\"a\"]";
    let config = format!("{}{route}", robot_entry("a", "wecom", port, ""));
    let mut relay = Relay::start(folder.path(), &config);
    let url = format!("{}/unit", relay.url);
    let asking =
        thread::spawn(move || post(&url, &[], webhook("town-x").to_string().as_bytes()).unwrap());
    begin.recv_timeout(PATIENCE).unwrap();
    succeed(Command::new("kill").args(["-TERM", &relay.process.0.id().to_string()]));
    assert_eq!(asking.join().unwrap().status, 200);
    assert_eq!(relay.process.0.wait().unwrap().code(), Some(0));
    assert_eq!(heard(&messages).len(), 1);
}
