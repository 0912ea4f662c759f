//! TLS as clients meet it.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use crate::harness::{Server, succeed, wait_for};
use crate::login::Guarded;

/// Makes a certificate for 127.0.0.1 that signs itself, and its key.
pub(crate) fn certify(folder: &Path, name: &str) {
    certify_with(folder, name, &[]);
}

/// The same with more that `openssl req` is told.
pub(crate) fn certify_with(folder: &Path, name: &str, more: &[&str]) {
    let file = |kind: &str| folder.join(format!("{name}.{kind}")).to_str().unwrap().to_owned();
    let mut openssl = Command::new("openssl");
    openssl.args([
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=lawpulse",
        "-addext",
        "subjectAltName=IP:127.0.0.1",
        "-keyout",
        &file("key"),
        "-out",
        &file("pem"),
    ]);
    succeed(openssl.args(more));
}

/// A server with the certificate `server`.
fn guarded() -> Guarded {
    let guarded = Guarded::new();
    certify(guarded.folder.path(), "server");
    guarded.configure("[tls]\ncertificate = \"server.pem\"\nkey = \"server.key\"\n");
    guarded
}

/// Asks whether the process lives, believing one certificate.
fn curl(server: &Server, believed: &Path, more: &[&str]) -> Output {
    let url = format!("{}/healthz", server.url);
    Command::new("curl")
        .args(["--silent", "--show-error", "--cacert", believed.to_str().unwrap()])
        .args(more)
        .arg(url)
        .output()
        .expect("curl; tests/run installs what the tests need")
}

#[test]
fn clients_come_by_http_2_or_1_over_tls_and_are_told_to_stay_with_it() {
    let guarded = guarded();
    let server = guarded.spawn(&mut guarded.command());
    assert!(server.url.starts_with("https://127.0.0.1:"), "{}", server.url);
    let believed = guarded.path("server.pem");
    let heads = ["--http2", "--http1.1", "--tls-max 1.2"].map(|version| {
        let arguments: Vec<&str> = version.split(' ').chain(["--include"]).collect();
        let output = curl(&server, &believed, &arguments);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().to_lowercase()
    });
    assert!(heads[0].starts_with("http/2 200"), "{}", heads[0]);
    assert!(heads[1].starts_with("http/1.1 200"), "{}", heads[1]);
    assert!(heads.iter().all(|head| head.contains("strict-transport-security: max-age=31536000")));
    // Whoever believes another certificate, or speaks plain text, gets nothing.
    certify(guarded.folder.path(), "other");
    assert!(!curl(&server, &guarded.path("other.pem"), &[]).status.success());
    let plain = format!("http://{}/healthz", server.address());
    assert!(!Command::new("curl").args(["--silent", &plain]).output().unwrap().status.success());
}

#[test]
fn a_new_certificate_is_taken_without_a_restart_and_a_broken_one_is_not() {
    let guarded = guarded();
    let server = guarded.spawn(&mut guarded.command());
    let old = guarded.path("old.pem");
    fs::copy(guarded.path("server.pem"), &old).unwrap();
    assert!(curl(&server, &old, &[]).status.success());
    // Half of a change: the certificate is new, the key is old.
    certify(guarded.folder.path(), "new");
    fs::copy(guarded.path("new.pem"), guarded.path("server.pem")).unwrap();
    guarded.wait_for_log("the new certificate cannot be used");
    assert!(curl(&server, &old, &[]).status.success(), "the last pair is in force");
    fs::copy(guarded.path("new.key"), guarded.path("server.key")).unwrap();
    wait_for("the new certificate is shown", || {
        curl(&server, &guarded.path("new.pem"), &[]).status.success().then_some(())
    });
    assert!(!curl(&server, &old, &[]).status.success());
}

#[test]
fn a_certificate_that_cannot_be_used_stops_the_start_and_is_named() {
    let guarded = guarded();
    certify(guarded.folder.path(), "other");
    let check = |file: &str, content: Option<&[u8]>, expected: &str| {
        let path = guarded.path(file);
        let good = fs::read(&path).unwrap();
        match content {
            Some(content) => fs::write(&path, content).unwrap(),
            None => fs::remove_file(&path).unwrap(),
        }
        let output = guarded.command().output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(told.contains(path.to_str().unwrap()) && told.contains(expected), "{told}");
        assert!(!guarded.path("lake").exists(), "nothing was done before");
        fs::write(&path, good).unwrap();
    };
    check("server.pem", None, "cannot read the certificate");
    check("server.pem", Some(b"nonsense"), "no certificate");
    check("server.key", None, "cannot read the private key");
    check("server.key", Some(b"nonsense"), "cannot read the private key");
    let other = fs::read(guarded.path("other.key")).unwrap();
    check("server.key", Some(&other), "do not make a pair");
}
