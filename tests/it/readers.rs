//! Servers that only read a lake which another one writes.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::harness::{
    Fresh, Process, Server, binary, check_problem, fresh, get, lawpulse, patrol, wait_for,
};

/// The command that reads a lake on ports of its own, with a home in `folder`.
fn command(lake: &Path, folder: &Path, more: &[&str]) -> Command {
    let home = folder.join("reader");
    Server::command(lake, &[&["--reader", "--home", home.to_str().unwrap()], more].concat())
}

/// A server that reads a lake, and is ready.
fn reading(lake: &Path, folder: &Path) -> Server {
    let published = lake.join("_published.json");
    wait_for("the writer has published", || published.is_file().then_some(()));
    let server = Server::spawn(&mut command(lake, folder, &[]));
    wait_for("the reader is ready", || (server.get("/readyz").status == 200).then_some(()));
    server
}

/// Events that a server shows.
fn events(server: &Server) -> u64 {
    server.get("/api/v1/status").json()["events"].as_u64().unwrap()
}

#[test]
fn a_reader_shows_what_the_writer_lands_and_takes_nothing_itself() {
    let Fresh { server: writer, lake, folder } = fresh();
    let reader = reading(&lake, folder.path());
    let body: String = (0..7).map(|number| patrol(&format!("patrol-{number}"))).collect();
    assert_eq!(writer.push(&[], body.as_bytes()).json()["accepted"], 7);
    wait_for("the reader shows what was pushed", || (events(&reader) == 7).then_some(()));
    for metric in ["patrols", "officer_activity_ratio", "data_collection_ratio"] {
        let period = "from=2025-03-01&to=2025-04-01";
        assert_eq!(reader.metric(metric, period), writer.metric(metric, period), "{metric}");
    }
    let told = reader.get("/api/v1/status").json();
    assert!(told["published_at"].is_string(), "{told}");
    assert!(writer.get("/api/v1/status").json()["published_at"].is_null());
    let exposed = reader.get("/metrics").text;
    assert!(exposed.contains("\nlawpulse_published_timestamp_seconds 1"), "{exposed}");
    assert!(exposed.contains("\nlawpulse_following_failing 0\n"), "{exposed}");
    check_problem(&reader.push(&[], b"{}"), 421, "only reads the lake");
    // What was asked of the reader is noted in its own home, and the lake's log goes on as it was.
    let home = folder.path().join("reader");
    assert!(lawpulse(["audit", "verify", "--lake", home.to_str().unwrap()]).contains("in order"));
}

/// Events, and what the rollup says of them, in one answer.
const BOTH: &str = "select (select count(*) from events) as in_log, \
    (select coalesce(sum(events), 0) from org_days) as in_rollup";

#[test]
fn a_reader_never_shows_a_state_between_two_landings() {
    let Fresh { server: writer, lake, folder } = fresh();
    let reader = reading(&lake, folder.path());
    let is_over = AtomicBool::new(false);
    let seen = thread::scope(|scope| {
        let asking = scope.spawn(|| {
            let mut seen = Vec::new();
            while !is_over.load(Ordering::Relaxed) {
                let row = reader.sql(BOTH).json()["rows"][0].clone();
                assert_eq!(row["in_log"], row["in_rollup"]);
                seen.push(row["in_log"].as_u64().unwrap());
            }
            seen
        });
        for number in 0..6 {
            writer.push(&[], patrol(&format!("patrol-{number}")).as_bytes()).json();
            wait_for("it shows", || (events(&reader) > number).then_some(()));
        }
        is_over.store(true, Ordering::Relaxed);
        asking.join().unwrap()
    });
    assert!(seen.is_sorted(), "{seen:?}");
    let states: std::collections::BTreeSet<&u64> = seen.iter().collect();
    assert!(states.len() > 3, "{seen:?}");
}

#[test]
fn a_reader_keeps_what_it_shows_while_nobody_writes_and_follows_whoever_writes_next() {
    let Fresh { server: writer, lake, folder } = fresh();
    let reader = reading(&lake, folder.path());
    writer.push(&[], patrol("first").as_bytes()).json();
    wait_for("the first shows", || (events(&reader) == 1).then_some(()));
    drop(writer);
    assert_eq!((events(&reader), reader.get("/readyz").status), (1, 200));
    let file = folder.path().join("second.ndjson");
    fs::write(&file, patrol("second")).unwrap();
    // A command publishes as a server does.
    lawpulse(["land", "--lake", lake.to_str().unwrap(), file.to_str().unwrap()]);
    wait_for("the second shows", || (events(&reader) == 2).then_some(()));
}

/// What a command that should not work says.
fn refused(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(!output.status.success());
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn a_reader_that_cannot_read_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let lake = folder.path().join("lake");
    let told = refused(&mut command(&lake, folder.path(), &[]));
    assert!(told.contains("there is no lake"), "{told}");
    let writer = Server::start(&lake, &[]);
    let told = refused(&mut Server::command(&lake, &["--reader"]));
    assert!(told.contains("give --home DIR"), "{told}");
    let _reader = reading(&lake, folder.path());
    let told = refused(&mut command(&lake, folder.path(), &[]));
    assert!(told.contains("another lawpulse process"), "{told}");
    // Rollups of other definitions have other columns.
    let sql = folder.path().join("sql");
    fs::create_dir_all(sql.join("models")).unwrap();
    let model = include_str!("../../sql/models/org_days.sql");
    fs::write(sql.join("models/org_days.sql"), format!("{model}\n-- Of tomorrow.\nlimit 5\n"))
        .unwrap();
    let other = folder.path().join("other");
    let told = refused(&mut command(&lake, &other, &["--sql", sql.to_str().unwrap()]));
    assert!(told.contains("`org_days` is made by another definition"), "{told}");
    drop(writer);
}

/// An HTTP load balancer in front of servers, on a port of its own.
struct Balancer {
    url: String,
    _process: Process,
}

impl Balancer {
    fn of(servers: &[&str], folder: &Path) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut config = format!(
            "defaults\n mode http\n timeout connect 5s\n timeout client 60s\n timeout server 60s\n\
             timeout check 10s\n option redispatch 1\n\
             frontend all\n bind 127.0.0.1:{port}\n stats enable\n stats uri /balancer\n default_backend readers\n\
             backend readers\n option httpchk GET /readyz\n default-server check inter 100ms fall 1 rise 1\n"
        );
        for (number, address) in servers.iter().enumerate() {
            config.push_str(&format!(" server reader{number} {address}\n"));
        }
        let file = folder.join("haproxy.cfg");
        fs::write(&file, config).unwrap();
        let mut haproxy = Command::new("haproxy");
        haproxy.arg("-db").arg("-f").arg(&file).stdout(Stdio::null()).stderr(Stdio::null());
        let process = Process(haproxy.spawn().expect("haproxy; tests/run installs it"));
        let url = format!("http://127.0.0.1:{port}");
        wait_for("the balancer answers", || get(&format!("{url}/healthz"), &[]).ok());
        Self { url, _process: process }
    }

    /// Waits until it sends requests to so many servers.
    fn wait_for_servers(&self, expected: usize) {
        let url = format!("{}/balancer;csv", self.url);
        wait_for("the balancer knows all servers", || {
            let table = get(&url, &[]).ok()?.text;
            let servers = table.lines().filter(|line| line.starts_with("readers,reader"));
            (servers.filter(|line| line.contains(",UP,")).count() == expected).then_some(())
        });
    }
}

/// A reader on an address that stays when it is started again.
struct Steady {
    lake: PathBuf,
    folder: PathBuf,
    address: String,
    server: Option<Server>,
}

impl Steady {
    fn start(lake: &Path, folder: PathBuf) -> Self {
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let mut steady =
            Self { lake: lake.to_owned(), folder, address: free.to_string(), server: None };
        fs::create_dir_all(&steady.folder).unwrap();
        fs::write(steady.folder.join("lawpulse.toml"), "[http]\ndrain = \"3s\"\n").unwrap();
        steady.start_again();
        steady
    }

    fn start_again(&mut self) {
        let config = self.folder.join("lawpulse.toml");
        let home = self.folder.join("home");
        let mut command = Command::new(binary());
        command.args(["serve", "--reader", "--http", &self.address, "--postgres", "127.0.0.1:0"]);
        command.arg("--config").arg(config).arg("--lake").arg(&self.lake);
        let server = Server::spawn(command.arg("--home").arg(home).stderr(Stdio::null()));
        wait_for("the reader is ready", || (server.get("/readyz").status == 200).then_some(()));
        self.server = Some(server);
    }

    /// Stops it as a service manager does, and starts it again.
    fn restart(&mut self) {
        let server = self.server.take().unwrap();
        let pid = server.pid().to_string();
        assert!(Command::new("kill").arg(&pid).status().unwrap().success());
        let is_told = || (server.get("/readyz").status == 503).then_some(());
        wait_for("it is told that the server stops", is_told);
        check_problem(&server.get("/readyz"), 503, "the server stops");
        assert_eq!(events(&server), 3, "what is under way is answered while it drains");
        server.wait();
        self.start_again();
    }
}

#[test]
fn readers_behind_a_load_balancer_are_restarted_without_a_failed_request() {
    let Fresh { server: writer, lake, folder } = fresh();
    let body: String = (0..3).map(|number| patrol(&format!("patrol-{number}"))).collect();
    writer.push(&[], body.as_bytes()).json();
    wait_for("the writer shows them", || (events(&writer) == 3).then_some(()));
    let published = lake.join("_published.json");
    wait_for("the writer has published", || published.is_file().then_some(()));
    let mut readers = ["a", "b"].map(|name| Steady::start(&lake, folder.path().join(name)));
    let addresses: Vec<&str> = readers.iter().map(|reader| reader.address.as_str()).collect();
    let balancer = Balancer::of(&addresses, folder.path());
    balancer.wait_for_servers(2);
    let is_over = AtomicBool::new(false);
    let answered = thread::scope(|scope| {
        let asking: Vec<_> = (0..3)
            .map(|_| {
                scope.spawn(|| {
                    let mut answered = 0;
                    while !is_over.load(Ordering::Relaxed) {
                        let url = format!("{}/api/v1/status", balancer.url);
                        let told: Value = get(&url, &[]).unwrap().json();
                        assert_eq!(told["events"], 3);
                        answered += 1;
                        thread::sleep(Duration::from_millis(5));
                    }
                    answered
                })
            })
            .collect();
        for reader in &mut readers {
            reader.restart();
            balancer.wait_for_servers(2);
        }
        is_over.store(true, Ordering::Relaxed);
        asking.into_iter().map(|asking| asking.join().unwrap()).collect::<Vec<u32>>()
    });
    assert!(answered.iter().all(|answered| *answered > 10), "{answered:?}");
}
