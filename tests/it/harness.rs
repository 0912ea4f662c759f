//! Runs the built binary and its clients: what every test shares.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant, UNIX_EPOCH};

use serde_json::Value;

/// How long anything may take before a test gives up on it. Generous: it bounds a hang, and measures nothing.
pub(crate) const PATIENCE: Duration = Duration::from_secs(300);

/// The morning after the simulated years.
pub(crate) const AS_OF: &str = "2026-01-01T00:30:00Z";

/// The rows of a CSV text, each by column name.
pub(crate) type Rows = Vec<BTreeMap<String, String>>;

/// A folder of the repository.
pub(crate) fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

/// A file of `../shared/data` beside the repository; `None`, and why on stderr, when it is not there.
pub(crate) fn shared_data(name: &str) -> Option<PathBuf> {
    let path = repository("../shared/data").join(name);
    let found = path.canonicalize().ok();
    if found.is_none() {
        eprintln!("skipped: {} is not there", path.display());
    }
    found
}

/// The built binary.
pub(crate) fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        let test = std::env::current_exe().unwrap();
        let path = test.ancestors().nth(2).unwrap().join("lawpulse");
        assert!(
            path.is_file(),
            "{} is not built; use tests/run, or `cargo build -p lawpulse` first",
            path.display()
        );
        path
    })
}

/// Something that tests/run keeps in its cache.
#[track_caller]
pub(crate) fn cached(name: &str) -> PathBuf {
    let home = std::env::var_os("HOME").unwrap_or_default();
    let cache = std::env::var_os("LAWPULSE_CACHE")
        .map_or_else(|| Path::new(&home).join(".cache/lawpulse"), PathBuf::from);
    let path = cache.join(name);
    assert!(path.exists(), "{} is not there; tests/run makes it", path.display());
    path
}

/// The Python of tests/run, which has what tests/oracle needs.
pub(crate) fn python() -> Command {
    Command::new(cached("venv/bin/python"))
}

/// Node.js with the modules of tests/node.
pub(crate) fn node() -> Command {
    let mut command = Command::new("node");
    command.env("NODE_PATH", cached("node/node_modules"));
    command
}

/// Runs a command to its end, which has to be a success; returns its standard output.
#[track_caller]
pub(crate) fn succeed(command: &mut Command) -> Vec<u8> {
    let output = command.output().unwrap_or_else(|error| {
        panic!("{command:?} does not start ({error}); tests/run installs what the tests need")
    });
    assert!(output.status.success(), "{command:?}: {}", told(&output));
    output.stdout
}

fn told(output: &Output) -> String {
    let (out, err) = (&output.stdout, &output.stderr);
    format!("{}\n{}{}", output.status, String::from_utf8_lossy(out), String::from_utf8_lossy(err))
}

/// The binary with arguments, ready to run.
pub(crate) fn command<I: AsRef<OsStr>>(arguments: impl IntoIterator<Item = I>) -> Command {
    let mut command = Command::new(binary());
    command.args(arguments).env("LAWPULSE_LOG", "warn").stdin(Stdio::null());
    command
}

/// Runs the binary, which has to succeed; returns its standard output as text.
#[track_caller]
pub(crate) fn lawpulse<I: AsRef<OsStr>>(arguments: impl IntoIterator<Item = I>) -> String {
    String::from_utf8(succeed(&mut command(arguments))).unwrap()
}

/// Lands paths, which has to succeed; returns the summary line.
#[track_caller]
pub(crate) fn land(lake: &Path, source: &str, paths: &[PathBuf]) -> String {
    let mut arguments = vec![OsStr::new("land"), OsStr::new("--lake"), lake.as_os_str()];
    arguments.extend([OsStr::new("--source"), OsStr::new(source)]);
    arguments.extend(paths.iter().map(|path| path.as_os_str()));
    lawpulse(arguments).lines().last().unwrap_or_default().to_owned()
}

/// The rows of a query by the command line.
#[track_caller]
pub(crate) fn sql(lake: &Path, query: &str) -> Rows {
    csv_rows(&lawpulse(["sql", "--lake", lake.to_str().unwrap(), "--format", "csv", query]))
}

/// The one value of a query by the command line.
#[track_caller]
pub(crate) fn sql_value(lake: &Path, query: &str) -> String {
    let rows = sql(lake, query);
    assert_eq!((rows.len(), rows[0].len()), (1, 1), "{query}");
    rows[0].values().next().unwrap().clone()
}

/// The rows of `lawpulse metric`; `arguments` are separated by blanks.
#[track_caller]
pub(crate) fn metric(lake: &Path, arguments: &str) -> Rows {
    let lake = ["--lake", lake.to_str().unwrap(), "--format", "csv"];
    csv_rows(&lawpulse(["metric"].into_iter().chain(arguments.split(' ')).chain(lake)))
}

/// A folder of definitions in which a metric withholds nothing, to compare small numbers too.
pub(crate) fn unsuppressed(folder: &Path, metric: &str) -> PathBuf {
    let shipped = fs::read_to_string(repository(&format!("sql/metrics/{metric}.sql"))).unwrap();
    let kept: Vec<&str> =
        shipped.lines().filter(|line| !line.starts_with("-- suppress_below")).collect();
    assert!(kept.len() < shipped.lines().count(), "{metric} withholds nothing anyway");
    let definitions = folder.join("unsuppressed");
    fs::create_dir_all(definitions.join("metrics")).unwrap();
    fs::write(definitions.join(format!("metrics/{metric}.sql")), kept.join("\n")).unwrap();
    definitions
}

/// The rows of a CSV text.
#[track_caller]
pub(crate) fn csv_rows(text: &str) -> Rows {
    csv::Reader::from_reader(text.as_bytes()).deserialize().map(Result::unwrap).collect()
}

/// Asks until there is an answer; fails with `what` when there is none for too long.
#[track_caller]
pub(crate) fn wait_for<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    while start.elapsed() < PATIENCE {
        if let Some(answer) = ask() {
            return answer;
        }
        thread::sleep(Duration::from_millis(20));
    }
    panic!("{what}: not after {} s", PATIENCE.as_secs());
}

/// Copies a folder with everything in it.
pub(crate) fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Every file below a folder with its length, by path; a file that goes away meanwhile is left out.
pub(crate) fn files_below(folder: &Path) -> BTreeMap<PathBuf, u64> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let Ok(metadata) = entry.metadata() else { continue };
        if metadata.is_dir() {
            found.extend(files_below(&entry.path()));
        } else {
            found.insert(entry.path(), metadata.len());
        }
    }
    found
}

/// The simulated Yubei, made once for each build of the binary and shared by all test processes.
#[derive(Debug)]
pub(crate) struct Yubei {
    /// What `simulate` wrote.
    pub(crate) log: PathBuf,
    /// The lake that it landed in. Only for reading; [`Yubei::copy`] gives one to change.
    pub(crate) lake: PathBuf,
    /// What `land` printed last.
    pub(crate) summary: String,
}

impl Yubei {
    /// A lake of one's own in `folder`.
    pub(crate) fn copy(&self, folder: &Path) -> PathBuf {
        let lake = folder.join("lake");
        copy_folder(&self.lake, &lake);
        lake
    }
}

/// The shared Yubei; the first who asks makes it while the others wait.
pub(crate) fn yubei() -> Yubei {
    let shared = Path::new(env!("CARGO_TARGET_TMPDIR"));
    fs::create_dir_all(shared).unwrap();
    let lock = File::create(shared.join("yubei.lock")).unwrap();
    lock.lock().unwrap();
    let built = fs::metadata(binary()).unwrap().modified().unwrap();
    let key = built.duration_since(UNIX_EPOCH).unwrap().as_nanos();
    let folder = shared.join(format!("yubei-{key}"));
    let (log, lake) = (folder.join("log"), folder.join("lake"));
    let summary_file = folder.join("summary");
    if !summary_file.is_file() {
        // What an older build, or a run that was stopped, has left.
        for entry in fs::read_dir(shared).unwrap().flatten() {
            if entry.file_name().to_string_lossy().starts_with("yubei-") {
                fs::remove_dir_all(entry.path()).unwrap();
            }
        }
        lawpulse(["simulate", "--profile", "yubei", "--out", log.to_str().unwrap()]);
        let summary = land(&lake, "native", std::slice::from_ref(&log));
        fs::write(&summary_file, summary).unwrap();
    }
    Yubei { log, lake, summary: fs::read_to_string(summary_file).unwrap() }
}

/// An answer over HTTP.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The status code.
    pub(crate) status: u16,
    headers: BTreeMap<String, String>,
    /// The body.
    pub(crate) text: String,
}

impl Answer {
    /// A header, empty when it is not there.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    /// The body as JSON, for a success.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        assert_eq!(self.status, 200, "{}", self.text);
        serde_json::from_str(&self.text).unwrap()
    }
}

fn agent() -> ureq::Agent {
    let config = ureq::Agent::config_builder().http_status_as_error(false);
    config.timeout_global(Some(PATIENCE)).build().into()
}

fn answer(response: ureq::http::Response<ureq::Body>) -> Result<Answer, ureq::Error> {
    let (head, mut body) = response.into_parts();
    let headers = head.headers.iter();
    let headers = headers
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
        .collect();
    let text = body.with_config().limit(1 << 30).read_to_string()?;
    Ok(Answer { status: head.status.as_u16(), headers, text })
}

/// Gets an address.
pub(crate) fn get(url: &str, headers: &[(&str, &str)]) -> Result<Answer, ureq::Error> {
    let mut request = agent().get(url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    answer(request.call()?)
}

/// Posts a body to an address.
pub(crate) fn post(
    url: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Result<Answer, ureq::Error> {
    let mut request = agent().post(url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    answer(request.send(body)?)
}

/// A text as a part of a query string.
pub(crate) fn quoted(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

/// A process that does not outlive its test.
#[derive(Debug)]
pub(crate) struct Process(pub(crate) Child);

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// `lawpulse serve` on a port of its own; killed when dropped, without a chance to tidy up.
#[derive(Debug)]
pub(crate) struct Server {
    process: Process,
    /// `http://127.0.0.1:PORT`.
    pub(crate) url: String,
    /// `postgres://127.0.0.1:PORT/lawpulse`.
    pub(crate) postgres: String,
}

impl Server {
    /// Serves a lake; `more` are further arguments. Returns when it is ready.
    #[track_caller]
    pub(crate) fn start(lake: &Path, more: &[&str]) -> Self {
        let server = Self::spawn(&mut Self::command(lake, more));
        wait_for("the server is ready", || (server.get("/readyz").status == 200).then_some(()));
        server
    }

    /// The command that serves a lake on ports of its own.
    pub(crate) fn command(lake: &Path, more: &[&str]) -> Command {
        let addresses = ["--http", "127.0.0.1:0", "--postgres", "127.0.0.1:0"];
        let fixed = [&["serve", "--lake", lake.to_str().unwrap()], addresses.as_slice()].concat();
        command(fixed.iter().chain(more))
    }

    /// Runs a command that serves. Returns when it listens; it may be ready later.
    #[track_caller]
    pub(crate) fn spawn(command: &mut Command) -> Self {
        Self::try_spawn(command).expect("serve stopped before it told its addresses")
    }

    /// The same, for a server that may end before it listens.
    pub(crate) fn try_spawn(command: &mut Command) -> Option<Self> {
        let mut child = command.stdout(Stdio::piped()).spawn().expect("serve");
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let process = Process(child);
        let mut told = |label: &str| {
            lines
                .by_ref()
                .map_while(Result::ok)
                .find_map(|line| Some(line.strip_prefix(label)?.trim().to_owned()))
        };
        let (url, postgres) = (told("web pages")?, told("PostgreSQL")?);
        let url = url.trim_end_matches('/').to_owned();
        // Someone has to read on, or the server would wait for room in the pipe.
        thread::spawn(move || lines.for_each(drop));
        Some(Self { process, url, postgres })
    }

    /// Serves a lake as if it were the morning after the simulated years.
    #[track_caller]
    pub(crate) fn start_as_of(lake: &Path) -> Self {
        Self::start(lake, &["--as-of", AS_OF])
    }

    /// Waits until it has stopped.
    #[track_caller]
    pub(crate) fn wait(mut self) {
        let stopped = || self.process.0.try_wait().unwrap();
        assert!(wait_for("the server has stopped", stopped).success());
    }

    /// The process's number.
    pub(crate) fn pid(&self) -> u32 {
        self.process.0.id()
    }

    /// `127.0.0.1:PORT`.
    pub(crate) fn address(&self) -> &str {
        self.url.split_once("://").unwrap().1
    }

    /// Gets a path.
    #[track_caller]
    pub(crate) fn get(&self, path: &str) -> Answer {
        get(&format!("{}{path}", self.url), &[]).unwrap()
    }

    /// Pushes a body of native events.
    #[track_caller]
    pub(crate) fn push(&self, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        post(&format!("{}/api/v1/events?source=native", self.url), headers, body).unwrap()
    }

    /// Asks the SQL door.
    #[track_caller]
    pub(crate) fn sql(&self, query: &str) -> Answer {
        let body = serde_json::json!({ "sql": query }).to_string();
        let headers = [("content-type", "application/json")];
        post(&format!("{}/api/v1/sql", self.url), &headers, body.as_bytes()).unwrap()
    }

    /// Asks the SQL door as somebody: the rows, or the refusal.
    #[track_caller]
    pub(crate) fn sql_as(&self, authorization: &str, query: &str) -> Result<Value, String> {
        let body = serde_json::json!({ "sql": query }).to_string();
        let headers = [("content-type", "application/json"), ("authorization", authorization)];
        let url = format!("{}/api/v1/sql", self.url);
        let answer = post(&url, &headers, body.as_bytes()).unwrap();
        if answer.status == 200 { Ok(answer.json()["rows"].clone()) } else { Err(answer.text) }
    }

    /// The rows of a metric; `query` is the query string.
    #[track_caller]
    pub(crate) fn metric(&self, id: &str, query: &str) -> Vec<Value> {
        let answer = self.get(&format!("/api/v1/metrics/{id}?{query}")).json();
        answer["rows"].as_array().unwrap().clone()
    }

    /// The rows of every metric of the catalogue, for every value of its parameters; the whole period for a
    /// metric that is not asked for by years.
    #[track_caller]
    pub(crate) fn all_metrics(&self, query: &str) -> BTreeMap<String, Vec<Value>> {
        self.metrics_with(query, usize::MAX)
    }

    /// As [`Self::all_metrics`], with so many values of each parameter.
    pub(crate) fn metrics_with(&self, query: &str, most: usize) -> BTreeMap<String, Vec<Value>> {
        let catalogue = self.get("/api/v1/metrics").json();
        let mut all = BTreeMap::new();
        for each in catalogue["metrics"].as_array().unwrap() {
            let id = each["id"].as_str().unwrap();
            let has_years = each["grains"].as_array().unwrap().contains(&Value::from("year"));
            let query =
                if has_years { query.to_owned() } else { query.replace("grain=year", "grain=all") };
            let mut queries = vec![query];
            for parameter in each["parameters"].as_array().unwrap() {
                let name = parameter["name"].as_str().unwrap();
                let values = parameter["values"].as_array().unwrap();
                queries = queries
                    .iter()
                    .flat_map(|query| {
                        let values = values.iter().take(most);
                        values.map(move |value| (query, value.as_str().unwrap()))
                    })
                    .map(|(query, value)| format!("{query}&{name}={value}"))
                    .collect();
            }
            for query in queries {
                all.insert(format!("{id}?{query}"), self.metric(id, &query));
            }
        }
        assert!(all.len() >= 100, "the catalogue has shrunk");
        all
    }
}

/// An answer with its numbers to nine digits: sums of amounts in yuan may differ in their last ones, where rows come in another
/// order.
pub(crate) fn to_nine_digits(value: &Value) -> Value {
    match value {
        Value::Number(number) if number.is_f64() => {
            format!("{:.9e}", number.as_f64().unwrap()).into()
        }
        Value::Array(values) => values.iter().map(to_nine_digits).collect(),
        Value::Object(fields) => {
            fields.iter().map(|(name, value)| (name.clone(), to_nine_digits(value))).collect()
        }
        other => other.clone(),
    }
}

/// A server over a lake that is empty at first, and the folder around that.
#[derive(Debug)]
pub(crate) struct Fresh {
    /// It serves.
    pub(crate) server: Server,
    /// The lake.
    pub(crate) lake: PathBuf,
    /// What goes with its owner.
    pub(crate) folder: tempfile::TempDir,
}

/// Starts a server over an empty lake.
pub(crate) fn fresh() -> Fresh {
    let folder = tempfile::tempdir().unwrap();
    let lake = folder.path().join("lake");
    Fresh { server: Server::start(&lake, &[]), lake, folder }
}

/// A patrol as a line of the native format.
pub(crate) fn patrol(name: &str) -> String {
    let event = serde_json::json!({
        "event_id": name, "event_type": "patrol.recorded", "occurred_at": "2025-03-05T09:12:33+08:00",
        "org_id": "town-1", "officer_ids": ["officer-1", "officer-2"], "object_id": name,
    });
    format!("{event}\n")
}

/// The answer is an error of this status, said the standard way; the detail contains a text.
#[track_caller]
pub(crate) fn check_problem(answer: &Answer, status: u16, detail: &str) {
    assert_eq!(answer.status, status, "{}", answer.text);
    assert_eq!(answer.header("content-type"), "application/problem+json");
    let problem: Value = serde_json::from_str(&answer.text).unwrap();
    assert_eq!(problem["status"], status);
    assert!(problem["type"].is_string() && problem["title"].is_string(), "{problem}");
    let told = problem["detail"].as_str().unwrap();
    assert!(told.contains(detail), "`{told}` does not mention `{detail}`");
}

/// Bytes in base 64: with the alphabet of headers, or with that of tokens and without padding.
pub(crate) fn base64(bytes: &[u8], is_for_tokens: bool) -> String {
    let last = if is_for_tokens { b"-_" } else { b"+/" };
    let alphabet: Vec<u8> =
        (b'A'..=b'Z').chain(b'a'..=b'z').chain(b'0'..=b'9').chain(*last).collect();
    let mut text = String::new();
    for part in bytes.chunks(3) {
        let bits = part.iter().fold(0, |bits, byte| bits << 8 | u32::from(*byte))
            << (8 * (3 - part.len()));
        for place in 0..4 {
            if place <= part.len() {
                text.push(alphabet[(bits >> (18 - 6 * place) & 63) as usize].into());
            } else if !is_for_tokens {
                text.push('=');
            }
        }
    }
    text
}

/// A port that nobody listens on at this moment.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A file for someone to look at after the run: in `$LAWPULSE_ARTEFACTS`, or beside the build.
pub(crate) fn artefact(name: &str) -> PathBuf {
    let folder = std::env::var_os("LAWPULSE_ARTEFACTS")
        .map_or_else(|| Path::new(env!("CARGO_TARGET_TMPDIR")).join("artefacts"), PathBuf::from);
    fs::create_dir_all(&folder).unwrap();
    folder.join(name)
}

/// Writes lines to a file.
pub(crate) fn write_lines<L: AsRef<[u8]>>(path: &Path, lines: impl IntoIterator<Item = L>) {
    let mut text = Vec::new();
    for line in lines {
        text.extend_from_slice(line.as_ref());
        text.push(b'\n');
    }
    File::create(path).unwrap().write_all(&text).unwrap();
}

/// A repeatable sequence of numbers that look random (SplitMix64).
#[derive(Debug)]
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    /// A number below `end`.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }
}
