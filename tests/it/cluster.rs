//! Servers that spread queries over workers: in network namespaces of their own, each with its address, as on several hosts.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{AS_OF, Process, Server, command, succeed, to_nine_digits, wait_for, yubei};

const TOKEN: &str = "a-token-that-all-nodes-share";

/// A worker that does not outlive its test.
#[derive(Debug)]
struct Worker {
    process: Process,
    /// `HOST:PORT`.
    address: String,
}

impl Worker {
    /// Runs a command that works; the last lines of its log when it ends before it listens.
    fn spawn(command: &mut Command) -> Result<Self, String> {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let told = lines.find_map(|line| Some(line.strip_prefix("worker")?.trim().to_owned()));
        let log = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
        let process = Process(child);
        let Some(address) = told else { return Err(log.collect::<Vec<_>>().join("\n")) };
        thread::spawn(move || lines.for_each(drop));
        // Its log is told with the test's.
        thread::spawn(move || log.for_each(|line| eprintln!("worker: {line}")));
        Ok(Self { process, address })
    }

    /// Works on this machine's own address.
    #[track_caller]
    fn start(lake: &Path) -> Self {
        Self::spawn(&mut worker_command(lake, "127.0.0.1:0")).unwrap()
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

fn worker_command(lake: &Path, address: &str) -> Command {
    let mut command = command(["worker", "--lake", lake.to_str().unwrap(), "--listen", address]);
    command.env("LAWPULSE_CLUSTER_TOKEN", TOKEN);
    command
}

/// A config file by which every query is spread.
fn config(folder: &Path, more: &str) -> PathBuf {
    let file = folder.join("cluster.toml");
    fs::write(&file, format!("[cluster]\nspread_from = \"0B\"\n{more}")).unwrap();
    file
}

/// The command that serves a lake with workers.
fn server_command(lake: &Path, config: &Path, workers: &[String]) -> Command {
    let workers = workers.join(",");
    let arguments = ["--as-of", AS_OF, "--config", config.to_str().unwrap(), "--cluster", &workers];
    let mut command = Server::command(lake, &arguments);
    command.env("LAWPULSE_CLUSTER_TOKEN", TOKEN);
    command
}

#[track_caller]
fn serve(lake: &Path, config: &Path, workers: &[String]) -> Server {
    let server = Server::spawn(&mut server_command(lake, config, workers));
    wait_for("the server is ready", || (server.get("/readyz").status == 200).then_some(()));
    server
}

/// What a server says of its workers, by their addresses.
fn workers(server: &Server) -> BTreeMap<String, Value> {
    let told = server.get("/api/v1/status").json();
    let workers = told["workers"].as_array().unwrap().iter();
    workers.map(|it| (it["url"].as_str().unwrap().to_owned(), it.clone())).collect()
}

#[track_caller]
fn wait_for_workers(server: &Server, n: usize) {
    wait_for("the workers answer", || {
        let answering = workers(server).values().filter(|it| it["answers"] == true).count();
        (answering == n).then_some(())
    });
}

/// How many queries went a way.
fn went(server: &Server, way: &str) -> u64 {
    let line = format!("lawpulse_cluster_queries_total{{way=\"{way}\"}} ");
    let exposed = server.get("/metrics").text;
    exposed.lines().find_map(|it| it.strip_prefix(&line)).map_or(0, |it| it.parse().unwrap())
}

/// The rows of an answer, in an order of their own.
#[track_caller]
fn rows(server: &Server, sql: &str) -> Vec<String> {
    let answer = server.sql(sql).json();
    let mut rows: Vec<String> =
        answer["rows"].as_array().unwrap().iter().map(Value::to_string).collect();
    rows.sort_unstable();
    rows
}

const QUERIES: [&str; 8] = [
    "select count(*) as n from events",
    "select org_id, event_type, count(*) as n, count(distinct object_id) as objects from events group by 1, 2",
    "select orgs.name, officer_days.level, count(*) as days, set_count(set_union(officer_days.officers)) as officers \
     from officer_days inner join orgs on officer_days.org_id = orgs.org_id group by 1, 2",
    "select org_id, count(distinct officer) as officers from \
     (select org_id, unnest(officer_ids) as officer from events) group by org_id",
    "select json_texts(attributes, 'result')['result'] as result, count(*) as n from events group by 1",
    "select event_id, event_type || '/' || org_id as label from events order by event_id limit 20",
    "select event_month, count(*) as n from events where event_month in ('2024-03', '2025-11') group by 1",
    "select a.event_type, count(*) as n from events a inner join events b on a.event_id = b.event_id group by 1",
];

#[test]
fn a_cluster_gives_what_one_machine_gives() {
    let folder = tempfile::tempdir().unwrap();
    let yubei = yubei();
    let (own, lake) = (folder.path().join("alone"), yubei.copy(folder.path()));
    crate::harness::copy_folder(&yubei.lake, &own);
    let (first, second) = (Worker::start(&lake), Worker::start(&lake));
    let alone = Server::start_as_of(&own);
    let server = serve(&lake, &config(folder.path(), ""), &[first.url(), second.url()]);
    wait_for_workers(&server, 2);
    let before = went(&server, "spread");
    for sql in QUERIES {
        assert_eq!(rows(&server, sql), rows(&alone, sql), "{sql}");
    }
    assert!(went(&server, "spread") - before >= 7, "{}", server.get("/metrics").text);
    let query = "from=2025-01-01&to=2026-01-01&grain=year&scope=towns/*";
    // All values of their parameters travel in the facts about plans.
    let (expected, found) = (alone.metrics_with(query, 1), server.metrics_with(query, 1));
    for (question, rows) in &expected {
        let (found, rows) = (to_nine_digits(&json!(found[question])), to_nine_digits(&json!(rows)));
        assert_eq!(found, rows, "{question}");
    }
    assert!(went(&server, "spread") > 60, "{}", server.get("/metrics").text);
    assert_eq!(went(&server, "fell_back"), 0, "{}", server.get("/metrics").text);
}

/// Hosts of a test: a network namespace each, on one wire, with an address of its own. Gone with their owner.
#[derive(Debug)]
struct Hosts {
    /// Tells the names of one test from those of another.
    tag: String,
    /// The first three numbers of their addresses.
    network: String,
    n: usize,
}

fn ip(arguments: &str) -> Result<(), String> {
    let output = Command::new("ip").args(arguments.split(' ')).output();
    match output {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(format!("ip {arguments}: {}", String::from_utf8_lossy(&output.stderr))),
        Err(error) => Err(format!("ip: {error}")),
    }
}

impl Hosts {
    /// Makes hosts; `None`, and why on stderr, where nobody may.
    fn new(n: usize) -> Option<Self> {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let process = std::process::id();
        let tag = format!("lp{process:x}{number}");
        let network = format!("10.{}.{}", 100 + process / 250 % 100, (process + number) % 250);
        let hosts = Self { tag, network, n };
        match hosts.make() {
            Ok(()) => Some(hosts),
            Err(error) => {
                eprintln!("skipped: network namespaces cannot be made here ({error})");
                None
            }
        }
    }

    fn make(&self) -> Result<(), String> {
        let Self { tag, network, n } = self;
        ip(&format!("link add {tag} type bridge"))?;
        ip(&format!("addr add {network}.254/24 dev {tag}"))?;
        ip(&format!("link set {tag} up"))?;
        for host in 0..*n {
            let (name, wire) = (format!("{tag}n{host}"), self.wire(host));
            ip(&format!("netns add {name}"))?;
            ip(&format!("link add {wire} type veth peer name eth0 netns {name}"))?;
            ip(&format!("link set {wire} master {tag}"))?;
            ip(&format!("link set {wire} up"))?;
            ip(&format!("-n {name} addr add {}/24 dev eth0", self.address(host)))?;
            ip(&format!("-n {name} link set eth0 up"))?;
            ip(&format!("-n {name} link set lo up"))?;
        }
        Ok(())
    }

    fn wire(&self, host: usize) -> String {
        format!("{}w{host}", self.tag)
    }

    fn address(&self, host: usize) -> String {
        format!("{}.{}", self.network, host + 1)
    }

    /// Cuts a host off, or lets it in again.
    fn connect(&self, host: usize, is_connected: bool) {
        let state = if is_connected { "up" } else { "down" };
        ip(&format!("link set {} {state}", self.wire(host))).unwrap();
    }

    /// A command that runs on a host.
    fn on(&self, host: usize, command: &Command) -> Command {
        let mut there = Command::new("ip");
        there.args(["netns", "exec", &format!("{}n{host}", self.tag)]);
        there.arg(command.get_program()).args(command.get_args()).stdin(Stdio::null());
        for (name, value) in command.get_envs() {
            there.env(name, value.unwrap());
        }
        there
    }

    /// A worker on each host. Between hosts it goes in plain text, which the config file allows.
    fn workers(&self, lake: &Path, config: &Path) -> Vec<Worker> {
        let start = |host| {
            let mut command = worker_command(lake, &format!("{}:50051", self.address(host)));
            command.args(["--config", config.to_str().unwrap()]);
            Worker::spawn(&mut self.on(host, &command)).unwrap()
        };
        (0..self.n).map(start).collect()
    }
}

impl Drop for Hosts {
    fn drop(&mut self) {
        // What has not been made cannot be taken away.
        for host in 0..self.n {
            let _ = ip(&format!("netns del {}n{host}", self.tag));
            let _ = ip(&format!("link del {}", self.wire(host)));
        }
        let _ = ip(&format!("link del {}", self.tag));
    }
}

/// What a process has computed so far, in ticks.
fn computed(worker: &Worker) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{}/stat", worker.process.0.id()));
    let stat = stat.unwrap_or_default();
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    fields.get(11).and_then(|ticks| ticks.parse().ok()).unwrap_or_default()
}

/// Waits until a worker is in the middle of a query.
fn wait_for_work(worker: &Worker) {
    // What it does to stay in touch is less.
    wait_for("the worker computes", || {
        let before = computed(worker);
        thread::sleep(Duration::from_millis(500));
        (computed(worker) > before + 10).then_some(())
    });
}

/// Joins many with many: seconds of computing, and no row before the end.
const LONG: &str = "select count(*) as n, max(a.event_id) as last from events a inner join events b \
    on a.event_id < b.event_id and a.attributes <> b.attributes where a.event_month = '2024-02' and b.event_month = '2024-03'";

const LONG_LIMITS: &str = "allow_plaintext = true\n[limits]\nwall_time = \"10m\"\n";

/// A server over workers on hosts of their own.
struct Far {
    server: Server,
    workers: Vec<Worker>,
    hosts: Hosts,
    _folder: tempfile::TempDir,
}

fn far(n: usize) -> Option<Far> {
    let hosts = Hosts::new(n)?;
    let folder = tempfile::tempdir().unwrap();
    let lake = yubei().copy(folder.path());
    let config = config(folder.path(), LONG_LIMITS);
    let workers = hosts.workers(&lake, &config);
    let urls: Vec<String> = workers.iter().map(Worker::url).collect();
    let server = serve(&lake, &config, &urls);
    wait_for_workers(&server, n);
    Some(Far { server, workers, hosts, _folder: folder })
}

/// Asks a long query, and does something once the first worker is in the middle of it.
fn amid_a_long_query(far: &mut Far, act: impl FnOnce(&mut Far)) -> Vec<String> {
    let url = far.server.url.clone();
    let asking = thread::spawn(move || {
        let body = serde_json::json!({ "sql": LONG }).to_string();
        let headers = [("content-type", "application/json")];
        let url = format!("{url}/api/v1/sql");
        crate::harness::post(&url, &headers, body.as_bytes()).unwrap().json()
    });
    wait_for_work(&far.workers[0]);
    act(far);
    let answer = asking.join().unwrap();
    answer["rows"].as_array().unwrap().iter().map(Value::to_string).collect()
}

#[test]
fn a_worker_that_is_killed_or_cut_off_in_the_middle_of_a_query_costs_time_and_no_answer() {
    let Some(mut far) = far(3) else { return };
    let expected = rows(&far.server, LONG);
    // What the server computes for itself meanwhile counts, too.
    let fell_back = |far: &Far| went(&far.server, "fell_back");
    assert_eq!(fell_back(&far), 0, "{}", far.server.get("/metrics").text);
    let found = amid_a_long_query(&mut far, |far| far.hosts.connect(0, false));
    assert_eq!(found, expected);
    let after_the_first = fell_back(&far);
    assert!(after_the_first > 0);
    wait_for_workers(&far.server, 2);
    far.hosts.connect(0, true);
    wait_for_workers(&far.server, 3);
    let found = amid_a_long_query(&mut far, |far| far.workers[0].process.0.kill().unwrap());
    assert_eq!(found, expected);
    let after_the_second = fell_back(&far);
    assert!(after_the_second > after_the_first);
    wait_for_workers(&far.server, 2);
    // The others go on together.
    let before = went(&far.server, "spread");
    assert_eq!(rows(&far.server, QUERIES[0]).len(), 1);
    assert!(went(&far.server, "spread") > before);
    assert_eq!(fell_back(&far), after_the_second);
    far.workers.clear();
    wait_for_workers(&far.server, 0);
    assert_eq!(rows(&far.server, LONG), expected);
    assert!(went(&far.server, "no_worker") > 0);
}

#[test]
fn a_query_that_nobody_waits_for_ends_on_the_workers_too() {
    use std::io::Write as _;
    let folder = tempfile::tempdir().unwrap();
    let lake = yubei().copy(folder.path());
    let (worker, other) = (Worker::start(&lake), Worker::start(&lake));
    let config = config(folder.path(), "[limits]\nwall_time = \"60m\"\n");
    let server = serve(&lake, &config, &[worker.url(), other.url()]);
    wait_for_workers(&server, 2);
    // Everything with everything takes longer than anybody would wait.
    let endless =
        "select count(*) from events a inner join events b on a.attributes < b.attributes";
    let body = serde_json::json!({ "sql": endless }).to_string();
    let mut asking = std::net::TcpStream::connect(server.address()).unwrap();
    let head = format!(
        "POST /api/v1/sql HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        server.address(),
        body.len()
    );
    asking.write_all(head.as_bytes()).unwrap();
    wait_for_work(&worker);
    drop(asking);
    wait_for("the worker rests", || {
        let before = computed(&worker);
        thread::sleep(Duration::from_secs(1));
        (computed(&worker) <= before + 10).then_some(())
    });
    assert_eq!(rows(&server, QUERIES[0]).len(), 1);
}

/// What a server says is wrong with its only worker, while it answers by itself.
#[track_caller]
fn problem(server: &Server, url: &str) -> String {
    let problem = wait_for("the worker is out", || {
        workers(server).into_values().next()?["problem"].as_str().map(str::to_owned)
    });
    assert_eq!(workers(server).into_values().next().unwrap()["answers"], false, "{url}");
    assert_eq!(rows(server, QUERIES[0]).len(), 1);
    assert!(went(server, "no_worker") > 0 && went(server, "spread") == 0);
    problem
}

#[test]
fn a_worker_with_another_token_or_of_another_version_takes_no_part() {
    let folder = tempfile::tempdir().unwrap();
    let lake = yubei().copy(folder.path());
    let mut command = worker_command(&lake, "127.0.0.1:0");
    command.env("LAWPULSE_CLUSTER_TOKEN", "a-token-that-nobody-else-has");
    let stranger = Worker::spawn(&mut command).unwrap();
    let config = config(folder.path(), "");
    let server = serve(&lake, &config, &[stranger.url()]);
    let told = problem(&server, &stranger.url());
    assert!(told.contains("no token of this cluster"), "{told}");
    drop(server);

    // Another calendar is another version: its functions would count other days.
    let definitions = folder.path().join("sql");
    fs::create_dir_all(definitions.join("reference")).unwrap();
    let calendar = crate::harness::repository("sql/reference/calendar.csv");
    let calendar = fs::read_to_string(calendar).unwrap();
    let shorter: Vec<&str> = calendar.lines().take(30).collect();
    fs::write(definitions.join("reference/calendar.csv"), shorter.join("\n")).unwrap();
    let mut command = worker_command(&lake, "127.0.0.1:0");
    command.args(["--sql", definitions.to_str().unwrap()]);
    let other = Worker::spawn(&mut command).unwrap();
    let server = serve(&lake, &config, &[other.url()]);
    let told = problem(&server, &other.url());
    assert!(told.contains("another version") && told.contains("same --sql"), "{told}");
}

/// An authority, and a certificate of it for nodes on this machine.
fn authority(folder: &Path, name: &str) {
    let file = |kind: &str| folder.join(format!("{name}.{kind}")).to_str().unwrap().to_owned();
    let key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"];
    let (ca, ca_key) = (file("ca.pem"), file("ca.key"));
    let mut openssl = Command::new("openssl");
    openssl.args(["req", "-x509"]).args(key).args(["-subj", "/CN=authority"]);
    succeed(openssl.args(["-keyout", &ca_key, "-out", &ca]));
    let mut openssl = Command::new("openssl");
    openssl.args(["req", "-x509", "-CA", &ca, "-CAkey", &ca_key]).args(key);
    openssl.args(["-subj", "/CN=node", "-addext", "subjectAltName=IP:127.0.0.1"]);
    openssl.args(["-addext", "basicConstraints=critical,CA:FALSE"]);
    succeed(openssl.args(["-keyout", &file("key"), "-out", &file("pem")]));
}

/// A config file with certificates of an authority.
fn certified(folder: &Path, name: &str) -> PathBuf {
    let inner = folder.join(name);
    fs::create_dir_all(&inner).unwrap();
    let certificates = format!(
        "certificate = \"../{name}.pem\"\nkey = \"../{name}.key\"\nauthority = \"../{name}.ca.pem\"\n"
    );
    config(&inner, &certificates)
}

#[test]
fn nodes_with_certificates_of_one_authority_work_together_and_no_others() {
    let folder = tempfile::tempdir().unwrap();
    let lake = yubei().copy(folder.path());
    let configs = ["ours", "theirs"].map(|name| {
        authority(folder.path(), name);
        certified(folder.path(), name)
    });
    let [ours, theirs] = &configs;
    let start = || {
        let mut command = worker_command(&lake, "127.0.0.1:0");
        Worker::spawn(command.args(["--config", ours.to_str().unwrap()])).unwrap()
    };
    let (worker, other) = (start(), start());
    let urls = [&worker, &other].map(|worker| format!("https://{}", worker.address));
    let server = serve(&lake, ours, &urls);
    wait_for_workers(&server, 2);
    assert!(!rows(&server, QUERIES[1]).is_empty());
    assert!(went(&server, "spread") > 0);
    assert_eq!(went(&server, "fell_back"), 0);
    drop(server);
    for (config, url) in [(theirs, &urls[0]), (ours, &worker.url())] {
        let server = serve(&lake, config, std::slice::from_ref(url));
        problem(&server, url);
    }
}

#[test]
fn a_node_that_would_be_open_to_others_does_not_start() {
    let folder = tempfile::tempdir().unwrap();
    let lake = yubei().lake;
    let told = Worker::spawn(&mut worker_command(&lake, "0.0.0.0:0")).unwrap_err();
    assert!(told.contains("plain text") && told.contains("[cluster]"), "{told}");
    let mut command = worker_command(&lake, "127.0.0.1:0");
    let told = Worker::spawn(command.env_remove("LAWPULSE_CLUSTER_TOKEN")).unwrap_err();
    assert!(told.contains("openssl rand -hex 32"), "{told}");
    let missing = folder.path().join("no-lake");
    let told = Worker::spawn(&mut worker_command(&missing, "127.0.0.1:0")).unwrap_err();
    assert!(told.contains("there is no lake"), "{told}");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let told = Worker::spawn(&mut worker_command(&lake, &address)).unwrap_err();
    assert!(told.contains("choose another --listen"), "{told}");
    let config = config(folder.path(), "");
    let mut command =
        server_command(&folder.path().join("lake"), &config, &["http://10.1.2.3:50051".to_owned()]);
    let output = command.output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && told.contains("https://"), "{told}");
}
