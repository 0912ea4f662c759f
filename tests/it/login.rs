//! Who comes in over HTTP, and how far.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

use crate::harness::{
    Answer, Server, base64, check_problem, command, get, lawpulse, patrol, post, succeed, wait_for,
};

const PASSWORD: &str = "correct horse battery";
pub(crate) const ROLES: [&str; 5] = ["ingest", "viewer", "analyst", "auditor", "admin"];

/// A folder with a config file and an accounts file in which each role has an account of its name, with a token.
pub(crate) struct Guarded {
    pub(crate) folder: tempfile::TempDir,
    tokens: Vec<(&'static str, String)>,
}

impl Guarded {
    pub(crate) fn new() -> Self {
        let mut guarded = Self { folder: tempfile::tempdir().unwrap(), tokens: Vec::new() };
        guarded.configure("");
        for role in ROLES {
            guarded.add(role, role, "");
            let token = guarded.account(&["token", role]);
            guarded.tokens.push((role, format!("Bearer {}", token.trim())));
        }
        guarded
    }

    /// Writes the config file: the accounts, and more.
    pub(crate) fn configure(&self, more: &str) {
        fs::write(self.path("lawpulse.toml"), format!("accounts = \"accounts.toml\"\n{more}"))
            .unwrap();
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs `lawpulse account`, which has to succeed.
    #[track_caller]
    pub(crate) fn account(&self, arguments: &[&str]) -> String {
        let accounts = self.path("accounts.toml");
        let fixed = ["account"].iter().chain(arguments).chain(&["--accounts"]).copied();
        lawpulse(fixed.chain([accounts.to_str().unwrap()]))
    }

    /// Adds an account with a password, or without one.
    #[track_caller]
    pub(crate) fn add(&self, name: &str, role: &str, password: &str) {
        self.add_with(name, &["--role", role], password);
    }

    /// Adds an account with these options.
    #[track_caller]
    pub(crate) fn add_with(&self, name: &str, options: &[&str], password: &str) {
        let output = add(&self.path("accounts.toml"), name, options, password);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// The command that serves an empty lake with these accounts.
    pub(crate) fn command(&self) -> Command {
        Server::command(
            &self.path("lake"),
            &["--config", self.path("lawpulse.toml").to_str().unwrap()],
        )
    }

    /// Serves. It answers at once, though its numbers come later.
    #[track_caller]
    pub(crate) fn serve(&self) -> Server {
        self.spawn(&mut self.command())
    }

    /// Runs a command that serves; what it logs goes to a file.
    #[track_caller]
    pub(crate) fn spawn(&self, command: &mut Command) -> Server {
        Server::spawn(command.stderr(File::create(self.path("log")).unwrap()))
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap()
    }

    #[track_caller]
    pub(crate) fn wait_for_log(&self, text: &str) {
        wait_for(text, || self.log().contains(text).then_some(()));
    }

    /// `Authorization` of a role.
    pub(crate) fn token(&self, role: &str) -> &str {
        &self.tokens.iter().find(|(of, _)| *of == role).unwrap().1
    }

    pub(crate) fn ask(&self, server: &Server, role: &str, path: &str) -> Answer {
        ask(server, path, self.token(role))
    }
}

fn add(accounts: &Path, name: &str, options: &[&str], password: &str) -> Output {
    let fixed = ["account", "add", name, "--password-stdin", "--accounts"];
    let arguments = [&fixed, [accounts.to_str().unwrap()].as_slice(), options].concat();
    let mut child = command(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // It may have refused the rest already.
    let _ = writeln!(child.stdin.take().unwrap(), "{password}");
    child.wait_with_output().unwrap()
}

fn ask(server: &Server, path: &str, authorization: &str) -> Answer {
    get(&format!("{}{path}", server.url), &[("authorization", authorization)]).unwrap()
}

fn basic(name: &str, password: &str) -> String {
    format!("Basic {}", base64(format!("{name}:{password}").as_bytes(), false))
}

/// Asks until the status is this one.
#[track_caller]
fn wait_for_status(server: &Server, authorization: &str, status: u16) {
    let ask = || (ask(server, "/api/v1/status", authorization).status == status).then_some(());
    wait_for("the accounts are followed", ask);
}

#[test]
fn each_role_reaches_what_it_may_and_nothing_else() {
    const ALL: &[&str] = &ROLES;
    const READERS: &[&str] = &["viewer", "analyst", "auditor", "admin"];
    const ROWS: &[&str] = &["analyst", "auditor", "admin"];
    const PUSHERS: &[&str] = &["ingest", "admin"];
    let routes: [(&str, &str, &[&str]); 21] = [
        ("GET", "/readyz", ALL),
        ("GET", "/no/such/page", ALL),
        ("GET", "/", READERS),
        ("GET", "/units", READERS),
        ("GET", "/assets/page.js", READERS),
        ("GET", "/metrics", READERS),
        ("GET", "/api/v1/status", READERS),
        ("GET", "/api/v1/scopes", READERS),
        ("GET", "/api/v1/metrics", READERS),
        ("GET", "/api/v1/metrics/patrols?from=2025-01-01&to=2026-01-01", READERS),
        ("GET", "/api/v1/metrics/patrols/explain?from=2025-01-01&to=2026-01-01", ROWS),
        ("GET", "/api/v1/goals?year=2025", READERS),
        ("GET", "/api/v1/checks", ROWS),
        ("GET", "/api/v1/reconciliation?year=2024", READERS),
        ("GET", "/api/v1/reports/2024", READERS),
        ("GET", "/api/v1/sql?sql=select%201", READERS),
        ("POST", "/api/v1/sql", READERS),
        ("GET", "/api/v1/rejects", ROWS),
        ("POST", "/api/v1/events", PUSHERS),
        ("POST", "/api/v1/rejects/replay?source=native", &["admin"]),
        ("GET", "/healthz", ALL),
    ];
    let guarded = Guarded::new();
    let server = guarded.serve();
    wait_for("the server is ready", || {
        (guarded.ask(&server, "admin", "/readyz").status == 200).then_some(())
    });
    let send = |method: &str, path: &str, authorization: Option<&str>| {
        let url = format!("{}{path}", server.url);
        let mut headers = vec![("content-type", "application/json")];
        headers.extend(authorization.map(|value| ("authorization", value)));
        match (method, path) {
            ("POST", "/api/v1/events") => post(&url, &headers, patrol("one").as_bytes()).unwrap(),
            ("POST", _) => post(&url, &headers, br#"{"sql":"select 1"}"#).unwrap(),
            _ => get(&url, &headers).unwrap(),
        }
    };
    for (method, path, allowed) in routes {
        for role in ROLES {
            let answer = send(method, path, Some(guarded.token(role)));
            if allowed.contains(&role) {
                let expected = if path == "/no/such/page" { 404 } else { 200 };
                assert_eq!(answer.status, expected, "{role} {method} {path}: {}", answer.text);
            } else {
                check_problem(&answer, 403, &format!("the account `{role}` has the role {role}"));
                let told: Value = serde_json::from_str(&answer.text).unwrap();
                let told = told["detail"].as_str().unwrap();
                assert!(
                    told.ends_with(&format!("needs the role {}", allowed.join(" or "))),
                    "{told}"
                );
            }
        }
        let answer = send(method, path, None);
        if path == "/healthz" {
            assert_eq!(answer.status, 200);
        } else {
            check_problem(&answer, 401, "say who you are");
            let challenge = answer.header("www-authenticate");
            assert_eq!(challenge, "Basic realm=\"lawpulse\", Bearer", "{method} {path}");
        }
    }
}

#[test]
fn a_password_lets_in_and_what_is_wrong_is_told_alike() {
    let guarded = Guarded::new();
    guarded.add("李伟", "viewer", PASSWORD);
    let server = guarded.serve();
    assert_eq!(ask(&server, "/api/v1/status", &basic("李伟", PASSWORD)).status, 200);
    let forged = format!("{}x", guarded.token("admin"));
    let wrong = [
        basic("李伟", "a wrong password"),
        basic("nobody", PASSWORD),
        // An account without a password.
        basic("admin", ""),
        forged,
        "Bearer eyJhbGciOiJub25lIn0.e30.".to_owned(),
    ];
    let told = wrong.map(|authorization| {
        let answer = ask(&server, "/api/v1/status", &authorization);
        check_problem(&answer, 401, "wrong, or no longer valid");
        serde_json::from_str::<Value>(&answer.text).unwrap()["detail"].clone()
    });
    assert!(told.iter().all(|one| *one == told[0]));
    check_problem(&ask(&server, "/", "Digest username=\"li\""), 401, "Basic");
}

#[test]
fn accounts_and_tokens_are_followed_without_a_restart() {
    let guarded = Guarded::new();
    let server = guarded.serve();
    let old = guarded.token("viewer").to_owned();
    assert_eq!(ask(&server, "/api/v1/status", &old).status, 200);
    let new = format!("Bearer {}", guarded.account(&["token", "viewer"]).trim());
    wait_for_status(&server, &new, 200);
    let id = old.split('_').nth(1).unwrap();
    guarded.account(&["revoke", "viewer", "--token", id]);
    wait_for_status(&server, &old, 401);
    assert_eq!(ask(&server, "/api/v1/status", &new).status, 200);
    guarded.account(&["revoke", "viewer"]);
    wait_for_status(&server, &new, 401);

    // What cannot be read changes nothing.
    let accounts = guarded.path("accounts.toml");
    let good = fs::read(&accounts).unwrap();
    fs::write(&accounts, "[[account]]\nname = \"half").unwrap();
    guarded.wait_for_log("the last ones hold");
    assert_eq!(guarded.ask(&server, "admin", "/api/v1/status").status, 200);
    fs::write(&accounts, good).unwrap();
    guarded.add("late", "viewer", PASSWORD);
    wait_for_status(&server, &basic("late", PASSWORD), 200);
    let listed = guarded.account(&["list", "--format", "csv"]);
    assert!(listed.contains("late,viewer,,,yes,") && !listed.contains("argon2"), "{listed}");
}

#[test]
fn whoever_fails_too_often_is_told_to_wait_while_a_known_client_goes_on() {
    let guarded = Guarded::new();
    guarded.add("li", "analyst", PASSWORD);
    let server = guarded.serve();
    assert_eq!(guarded.ask(&server, "admin", "/api/v1/status").status, 200);
    for _ in 0..6 {
        let answer = ask(&server, "/api/v1/status", &basic("li", "a wrong password"));
        assert_eq!(answer.status, 401);
    }
    let answer = ask(&server, "/api/v1/status", &basic("li", PASSWORD));
    check_problem(&answer, 429, "too many logins have failed");
    let wait: u64 = answer.header("retry-after").parse().unwrap();
    assert!((1..=30).contains(&wait), "{wait}");
    assert_eq!(guarded.ask(&server, "admin", "/api/v1/status").status, 200);
    assert_eq!(get(&format!("{}/healthz", server.url), &[]).unwrap().status, 200);
}

#[test]
fn a_page_of_another_site_can_make_a_browser_send_nothing() {
    let guarded = Guarded::new();
    let server = guarded.serve();
    let token = guarded.token("admin");
    let host = server.address();
    let push = |more: (&str, &str)| {
        let headers = [("authorization", token), more];
        post(&format!("{}/api/v1/events", server.url), &headers, patrol("one").as_bytes()).unwrap()
    };
    check_problem(&push(("sec-fetch-site", "cross-site")), 403, "another site");
    check_problem(&push(("origin", "https://evil.example")), 403, "another site");
    check_problem(&push(("origin", "null")), 403, "another site");
    assert_eq!(push(("origin", &format!("http://{host}"))).status, 200);
    assert_eq!(push(("sec-fetch-site", "same-origin")).status, 200);
}

#[test]
fn a_request_has_an_id_that_the_answer_the_problem_and_the_log_tell_and_no_secret_is_logged() {
    let guarded = Guarded::new();
    guarded.add("li", "viewer", PASSWORD);
    let mut command = guarded.command();
    let server = guarded.spawn(command.args(["--log-format", "json"]).env("LAWPULSE_LOG", "debug"));
    let url = format!("{}/api/v1/rejects?name=zhangsan", server.url);
    let password = basic("li", PASSWORD);
    let headers = [("authorization", password.as_str()), ("x-request-id", "mine-1")];
    let answer = get(&url, &headers).unwrap();
    check_problem(&answer, 403, "li");
    assert_eq!(answer.header("x-request-id"), "mine-1");
    let told: Value = serde_json::from_str(&answer.text).unwrap();
    assert_eq!(told["request_id"], "mine-1");
    // A malformed one is not taken over.
    let given = get(&url, &[("x-request-id", "a b")]).unwrap();
    assert_eq!(given.header("x-request-id").len(), 36);

    let line = wait_for("the request is logged", || {
        let text = guarded.log();
        let mut lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        lines.find(|line| line["message"] == "answered" && line["span"]["id"] == "mine-1")
    });
    assert_eq!(line["level"], "INFO");
    assert_eq!(line["status"], 403);
    assert!(line["milliseconds"].is_u64() && line["timestamp"].is_string(), "{line}");
    let span = &line["span"];
    let expected = json!({
        "id": "mine-1", "method": "GET", "route": "/api/v1/rejects", "caller": "li", "name": "request",
    });
    assert_eq!(*span, expected);
    let text = guarded.log();
    // What comes after the token's id; the secret itself may have `_` in it.
    let secret = guarded.token("admin").splitn(3, '_').nth(2).unwrap();
    for secret in [secret, PASSWORD, "zhangsan", &password[6..]] {
        assert!(!text.contains(secret), "{secret} is in the log");
    }
}

#[test]
fn a_token_of_the_identity_provider_lets_in_with_the_role_that_its_claim_says() {
    let guarded = Guarded::new();
    let key = guarded.path("provider.pem");
    let key = key.to_str().unwrap();
    succeed(Command::new("openssl").args(["genrsa", "-out", key, "2048"]));
    let modulus = succeed(Command::new("openssl").args(["rsa", "-in", key, "-noout", "-modulus"]));
    let modulus = String::from_utf8(modulus).unwrap();
    let modulus = modulus.trim().strip_prefix("Modulus=").unwrap();
    let modulus: Vec<u8> = (0..modulus.len())
        .step_by(2)
        .map(|place| u8::from_str_radix(&modulus[place..place + 2], 16).unwrap())
        .collect();
    let keys = json!({ "keys": [{
        "kty": "RSA", "kid": "k1", "use": "sig", "alg": "RS256", "e": "AQAB", "n": base64(&modulus, true),
    }] });
    fs::write(guarded.path("jwks.json"), keys.to_string()).unwrap();
    guarded.configure(
        "[oidc]\nissuer = \"https://sso.example\"\naudience = \"lawpulse\"\njwks = \"jwks.json\"\n\
         role_claim = \"groups\"\n[oidc.roles]\nstatistics = \"viewer\"\n",
    );
    let server = guarded.serve();
    let token = |groups: &str| {
        let part = |value: Value| base64(value.to_string().as_bytes(), true);
        let claims = json!({
            "iss": "https://sso.example", "aud": "lawpulse", "sub": "li", "groups": [groups],
            "exp": 4_000_000_000_u64,
        });
        let signed = format!("{}.{}", part(json!({ "alg": "RS256", "kid": "k1" })), part(claims));
        let input = guarded.path("signed");
        fs::write(&input, &signed).unwrap();
        let mut sign = Command::new("openssl");
        sign.args(["dgst", "-sha256", "-sign", key, input.to_str().unwrap()]);
        format!("Bearer {signed}.{}", base64(&succeed(&mut sign), true))
    };
    let viewer = token("statistics");
    assert_eq!(ask(&server, "/api/v1/status", &viewer).status, 200);
    check_problem(&ask(&server, "/api/v1/rejects", &viewer), 403, "`oidc:li` has the role viewer");
    assert_eq!(ask(&server, "/api/v1/status", &token("others")).status, 401);
    // The signature of other claims.
    let (head, signature) = viewer.rsplit_once('.').unwrap();
    let changed = format!("{}x.{signature}", &head[..head.len() - 1]);
    assert_eq!(ask(&server, "/api/v1/status", &changed).status, 401);
}

#[test]
fn a_half_sent_head_is_closed_and_one_connection_too_many_too() {
    let guarded = Guarded::new();
    guarded.configure("[http]\nconnections = 2\n");
    let server = guarded.serve();
    let connect = || {
        let mut stream = TcpStream::connect(server.address()).unwrap();
        stream.write_all(b"GET /healthz HTTP/1.1\r\nHost:").unwrap();
        stream
    };
    let is_closed = |stream: &mut TcpStream| matches!(stream.read(&mut [0; 512]), Ok(0) | Err(_));
    let mut held = [connect(), connect()];
    wait_for("one more is closed", || is_closed(&mut connect()).then_some(()));
    assert!(held.iter_mut().all(is_closed), "a head has to come within seconds");
    wait_for("there is room again", || {
        get(&format!("{}/healthz", server.url), &[])
            .is_ok_and(|answer| answer.status == 200)
            .then_some(())
    });
}

#[track_caller]
fn check_refuses_to_start(guarded: &Guarded, address: &str, expected: &[&str]) {
    let config = guarded.path("lawpulse.toml");
    let lake = guarded.path("lake");
    let arguments =
        ["serve", "--lake", lake.to_str().unwrap(), "--config", config.to_str().unwrap()];
    let output = command(arguments.into_iter().chain(["--http", address])).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let told = String::from_utf8_lossy(&output.stderr);
    for expected in expected {
        assert!(told.contains(expected), "`{told}` does not mention `{expected}`");
    }
}

#[test]
fn what_would_be_open_to_others_or_cannot_be_read_does_not_start() {
    let guarded = Guarded::new();
    check_refuses_to_start(&guarded, "0.0.0.0:0", &["no certificate", "allow_plaintext = true"]);
    guarded.configure("[postgres]\nlisten = \"0.0.0.0:0\"");
    check_refuses_to_start(&guarded, "127.0.0.1:0", &["PostgreSQL on 0.0.0.0:0", "no certificate"]);
    fs::write(guarded.path("lawpulse.toml"), "allow_plaintext = true").unwrap();
    check_refuses_to_start(&guarded, "0.0.0.0:0", &["no accounts", "lawpulse account add"]);
    guarded.configure("prot = 1");
    let config = guarded.path("lawpulse.toml");
    check_refuses_to_start(
        &guarded,
        "127.0.0.1:0",
        &[config.to_str().unwrap(), "line 2", "`prot`", "`http`"],
    );
    guarded.configure("[postgres]\nlisten = \"127.0.0.1:0\"");
    let accounts = guarded.path("accounts.toml");
    succeed(Command::new("chmod").arg("644").arg(&accounts));
    check_refuses_to_start(&guarded, "127.0.0.1:0", &["mode 0644", "chmod 600"]);
    succeed(Command::new("chmod").arg("600").arg(&accounts));
    guarded.configure("allow_plaintext = true\n[postgres]\nlisten = \"127.0.0.1:0\"");
    let lake = guarded.path("lake");
    let arguments = ["serve", "--http", "0.0.0.0:0", "--lake", lake.to_str().unwrap(), "--config"];
    let server = guarded.spawn(command(arguments).arg(&config));
    assert!(server.url.starts_with("http://0.0.0.0:"), "{}", server.url);
}

#[test]
fn an_account_that_cannot_be_is_refused_with_the_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let accounts = folder.path().join("accounts.toml");
    let check = |name: &str, password: &str, expected: &str| {
        let output = add(&accounts, name, &["--role", "viewer"], password);
        assert_eq!(output.status.code(), Some(1));
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(told.contains(expected), "{told}");
    };
    check("li", "short", "12 characters");
    check("l:i", PASSWORD, "cannot be a name");
    check("owner", PASSWORD, "meaning of its own");
    assert!(!accounts.exists());
    assert!(add(&accounts, "li", &["--role", "viewer"], PASSWORD).status.success());
    check("li", PASSWORD, "there already");
}
