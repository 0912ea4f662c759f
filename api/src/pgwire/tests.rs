//! Logins, TLS and limits, with accounts that exist in memory only. Everything else is tested on the built binary.

use std::collections::HashMap;
use std::io::{Read as _, Write as _};
use std::net::IpAddr;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Mutex;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::login::Open;
use super::*;
use crate::accounts::scram::ScramVerifier;
use crate::caller::{Caller, Role};

/// Accounts by name, and the names that have failed to log in.
#[derive(Debug, Default)]
struct Accounts {
    known: HashMap<String, (ScramVerifier, Role)>,
    failed: Mutex<Vec<String>>,
}

impl Accounts {
    fn with(accounts: &[(&str, &str, Role)]) -> Arc<Self> {
        let known = accounts.iter().map(|(name, password, role)| {
            // As a store would keep it: as text.
            let verifier = ScramVerifier::new(password, b"a salt of 16 byt".to_vec()).to_string();
            ((*name).to_owned(), (verifier.parse().unwrap(), *role))
        });
        Arc::new(Self { known: known.collect(), ..Self::default() })
    }
}

impl Logins for Accounts {
    fn is_open(&self) -> bool {
        false
    }

    fn scram_verifier(&self, user: &str) -> Option<ScramVerifier> {
        self.known.get(user).map(|(verifier, _)| verifier.clone())
    }

    fn caller(&self, user: &str) -> Option<Caller> {
        let (_, role) = self.known.get(user)?;
        Some(Caller { name: user.to_owned(), role: *role, scope: None, is_anonymous: false })
    }

    fn failed(&self, user: &str, _peer: IpAddr) {
        self.failed.lock().unwrap().push(user.to_owned());
    }

    fn succeeded(&self, user: &str, _peer: IpAddr) {
        self.failed.lock().unwrap().retain(|name| name != user);
    }

    fn is_locked_out(&self, user: &str, _peer: IpAddr) -> bool {
        self.failed.lock().unwrap().iter().filter(|name| *name == user).count() >= 3
    }
}

/// A server on a port of its own, until it is dropped.
struct Serving {
    port: u16,
    server: Arc<Server>,
    stop: CancellationToken,
    folder: tempfile::TempDir,
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

async fn serving(
    logins: Arc<dyn Logins>,
    tls: impl FnOnce(&Path) -> Option<TlsAcceptor>,
) -> Serving {
    let folder = tempfile::tempdir().unwrap();
    let server = Arc::new(Server::of_empty_lake(&folder.path().join("lake")).await);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let stop = CancellationToken::new();
    let tls = tls(folder.path());
    tokio::spawn(serve(listener, Arc::clone(&server), logins, tls, stop.clone()));
    Serving { port, server, stop, folder }
}

/// Whether psql gets in, and what it says.
async fn log_in(serving: &Serving, user: &str, password: &str, mode: &str) -> (bool, String) {
    let address =
        format!("host=127.0.0.1 port={} user={user} dbname=lawpulse sslmode={mode}", serving.port);
    let root = serving.folder.path().join("certificate.pem");
    let mut command = Command::new("psql");
    command.args(["-XAtq", &address, "-c", "show session_authorization"]);
    command.env("PGPASSWORD", password).env("PGSSLROOTCERT", root);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let Output { status, stdout, stderr } = output;
    let told = if status.success() { stdout } else { stderr };
    (status.success(), String::from_utf8(told).unwrap().trim_end().to_owned())
}

#[tokio::test]
async fn a_password_lets_in_and_what_is_wrong_is_not_told_apart() {
    let accounts = Accounts::with(&[
        ("anna", "密码 und pencil", Role::Analyst),
        ("pusher", "pencil", Role::Ingest),
    ]);
    let serving = serving(Arc::clone(&accounts) as Arc<dyn Logins>, |_| None).await;
    let log_in =
        async |user: &str, password: &str| log_in(&serving, user, password, "disable").await;
    assert_eq!(log_in("anna", "密码 und pencil").await, (true, "anna".to_owned()));
    let refused =
        |user: &str| format!("FATAL:  password authentication failed for user \"{user}\"");
    for (user, password) in [("anna", "pencil"), ("nobody", "pencil")] {
        let (is_in, told) = log_in(user, password).await;
        assert!(!is_in && told.ends_with(&refused(user)), "{told}");
    }
    let (is_in, told) = log_in("pusher", "pencil").await;
    assert!(!is_in && told.contains("may not query"), "{told}");
    assert_eq!(*accounts.failed.lock().unwrap(), ["anna", "nobody"]);
    for _ in 0..2 {
        log_in("anna", "pencil").await;
    }
    let (is_in, told) = log_in("anna", "密码 und pencil").await;
    assert!(!is_in && told.contains("too many logins have failed"), "{told}");
}

/// A certificate for this machine, made for the test.
fn certificate(folder: &Path) -> Option<TlsAcceptor> {
    let (key, certificate) = (folder.join("key.pem"), folder.join("certificate.pem"));
    let made = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
        ])
        .args(["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2"])
        .arg("-keyout")
        .arg(&key)
        .arg("-out")
        .arg(&certificate)
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let chain = vec![CertificateDer::from_pem_file(certificate).unwrap()];
    let key = PrivateKeyDer::from_pem_file(key).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    config.alpn_protocols = vec![startup::ALPN.to_vec()];
    Some(TlsAcceptor::from(Arc::new(config)))
}

#[tokio::test]
async fn with_a_certificate_nobody_logs_in_without_tls() {
    let accounts = Accounts::with(&[("anna", "pencil", Role::Viewer)]);
    let serving = serving(accounts, certificate).await;
    for mode in ["require", "verify-full"] {
        assert_eq!(log_in(&serving, "anna", "pencil", mode).await, (true, "anna".to_owned()));
    }
    let (is_in, told) = log_in(&serving, "anna", "pencil", "disable").await;
    assert!(!is_in && told.contains("FATAL:  TLS is required"), "{told}");
}

/// Sends bytes and reads until an answer contains the message of a type, or the connection ends.
fn talk(port: u16, bytes: &[u8], until: u8) -> (std::net::TcpStream, Vec<u8>) {
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.write_all(bytes).unwrap();
    let mut body = Vec::new();
    let mut head = [0; 5];
    while stream.read_exact(&mut head).is_ok() {
        let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize;
        body = vec![0; length - 4];
        stream.read_exact(&mut body).unwrap();
        if head[0] == until {
            break;
        }
    }
    (stream, body)
}

#[tokio::test]
async fn one_session_too_many_is_told_so_and_a_huge_packet_is_not_waited_for() {
    let serving = serving(Arc::new(Open), |_| None).await;
    let port = serving.port;
    let startup = b"\0\0\0\x13\0\x03\0\0user\0anna\0\0";
    let talked = tokio::task::spawn_blocking(move || {
        let sessions: Vec<_> = (0..SESSIONS_MAX).map(|_| talk(port, startup, b'Z').0).collect();
        let (_, refused) = talk(port, startup, b'E');
        drop(sessions);
        let (_, huge) = talk(port, b"\x7f\xff\xff\xff\0\x03\0\0", b'E');
        let (_, old) = talk(port, b"\0\0\0\x08\0\x02\0\0", b'E');
        let (_, http) = talk(port, b"GET / HTTP/1.1\r\n\r\n", b'E');
        [refused, huge, old, http].map(|body| String::from_utf8_lossy(&body).into_owned())
    });
    let [refused, huge, old, http] = talked.await.unwrap();
    assert!(refused.contains("53300"), "{refused}");
    assert!(huge.contains("54000") && http.contains("54000"), "{huge} {http}");
    assert!(old.contains("0A000"), "{old}");
    let text = serving.server.telemetry().text().unwrap();
    let line = |outcome: &str, count: usize| {
        format!("lawpulse_postgres_connections_total{{outcome=\"{outcome}\"}} {count}")
    };
    assert!(text.contains(&line("accepted", SESSIONS_MAX)), "{text}");
    assert!(text.contains(&line("refused", 4)), "{text}");
}
