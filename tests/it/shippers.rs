//! Shippers of docs/shippers, as they send the platform's log files.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::harness::{
    Process, Server, command, files_below, free_port, patrol, repository, sql_value, succeed,
    wait_for,
};
use crate::login::Guarded;

/// The server of these accounts on a port that stays the same.
fn serve(guarded: &Guarded, port: u16) -> Server {
    let (lake, config) = (guarded.path("lake"), guarded.path("lawpulse.toml"));
    let (lake, config) = (lake.to_str().unwrap(), config.to_str().unwrap());
    let (http, postgres) = (format!("127.0.0.1:{port}"), "127.0.0.1:0");
    let arguments =
        ["serve", "--lake", lake, "--config", config, "--http", &http, "--postgres", postgres];
    guarded.spawn(&mut command(arguments))
}

/// The shipped config of syslog-ng with what it says is to be changed, and shorter pauses.
fn config(folder: &Path, port: u16, authorization: &str) -> String {
    let shipped = fs::read_to_string(repository("docs/shippers/syslog-ng.conf")).unwrap();
    let folder = folder.to_str().unwrap();
    let mut config = shipped;
    for (shipped, here) in [
        ("/var/log/platform", format!("{folder}/platform")),
        ("/var/lib/syslog-ng/lawpulse", format!("{folder}/buffer")),
        ("https://lawpulse.example:8080", format!("http://127.0.0.1:{port}")),
        ("tls(ca-file(\"/etc/syslog-ng/lawpulse-ca.pem\") peer-verify(yes))", String::new()),
        ("Bearer lp_TOKEN", authorization.to_owned()),
        ("batch-lines(1000)", "batch-lines(20)".to_owned()),
        ("time-reopen(5)", "time-reopen(1)".to_owned()),
    ] {
        assert_eq!(config.matches(shipped).count(), 1, "{shipped}");
        config = config.replace(shipped, &here);
    }
    config
}

fn syslog_ng(folder: &Path) -> Process {
    let mut command = Command::new("syslog-ng");
    command.args(["--foreground", "--no-caps"]);
    for (option, file) in
        [("-f", "syslog-ng.conf"), ("-R", "persist"), ("-p", "pid"), ("-c", "control")]
    {
        command.arg(option).arg(folder.join(file));
    }
    let log = fs::File::create(folder.join("syslog-ng.log")).unwrap();
    let child = command.stdin(Stdio::null()).stderr(log).spawn();
    Process(child.expect("syslog-ng; tests/run installs what the tests need"))
}

#[test]
fn syslog_ng_delivers_each_line_once_through_refusals_and_kills_of_both() {
    const FILES: usize = 4;
    const LINES: usize = 200;
    let guarded = Guarded::new();
    // So small that it is full between two landings.
    guarded.configure("[inbox]\nbytes = \"5KB\"\nland_every = \"500ms\"\n");
    let folder = guarded.folder.path();
    for name in ["platform", "buffer"] {
        fs::create_dir(folder.join(name)).unwrap();
    }
    let port = free_port();
    let text = config(folder, port, guarded.token("ingest"));
    fs::write(folder.join("syslog-ng.conf"), text).unwrap();
    let syntax = folder.join("syslog-ng.conf");
    succeed(Command::new("syslog-ng").args(["--syntax-only", "-f", syntax.to_str().unwrap()]));

    let mut shipper = syslog_ng(folder);
    let mut server = serve(&guarded, port);
    let mut refused = 0;
    for file in 0..FILES {
        let mut log = fs::File::create(folder.join(format!("platform/{file}.ndjson"))).unwrap();
        for line in 0..LINES {
            log.write_all(patrol(&format!("{file}-{line}")).as_bytes()).unwrap();
        }
        let expected = (file * LINES + LINES / 4) as u64;
        wait_for("a part of it has landed", || {
            let query = "select count(*) as n from event_log where event_month <> 'rejected'";
            let rows = server.sql_as(guarded.token("analyst"), query).ok()?;
            (rows[0]["n"].as_u64()? >= expected).then_some(())
        });
        let metrics = guarded.ask(&server, "viewer", "/metrics").text;
        refused += metrics
            .lines()
            .filter(|line| {
                line.starts_with("lawpulse_http_requests_total") && line.contains("status=\"429\"")
            })
            .count();
        if file == 1 {
            drop(server);
            server = serve(&guarded, port);
        }
        if file == 2 {
            drop(shipper);
            shipper = syslog_ng(folder);
        }
    }
    wait_for("everything has landed", || {
        let query = "select count(*) as n from event_log where event_month <> 'rejected'";
        let rows = server.sql_as(guarded.token("analyst"), query).ok()?;
        (rows[0]["n"].as_u64()? >= (FILES * LINES) as u64).then_some(())
    });
    assert!(refused > 0, "the inbox was never full");
    let inbox = folder.join("lake/inbox");
    wait_for("the inbox has landed", || files_below(&inbox).is_empty().then_some(()));
    drop(shipper);
    let counts = "select count(*) || ' of ' || count(distinct event_id) from event_log where event_month <> 'rejected'";
    let lake = folder.join("lake");
    assert_eq!(sql_value(&lake, counts), format!("{0} of {0}", FILES * LINES));
    assert_eq!(sql_value(&lake, "select count(*) from rejects"), "0");
}
