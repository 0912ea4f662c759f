//! A lake in a bucket has the numbers of one in a folder, whatever the object store does meanwhile.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::faults::{Body, check_lake};
use crate::harness::{
    Dice, Process, Server, command, csv_rows, files_below, free_port, get, patrol, python,
    repository, succeed, wait_for, write_lines,
};
use crate::kill::{self, TABLES};
use crate::login_tls::{certify, certify_with};

/// An object store with one bucket, at an address where it is sound and at one where it fails by a seed.
struct Store {
    _process: Process,
    sound: String,
    faulty: String,
}

impl Store {
    fn start(seed: u64) -> Self {
        let store = Self::without_bucket(seed, &[]);
        store.make_bucket(&[]);
        store
    }

    fn without_bucket(seed: u64, certificate: &[&Path]) -> Self {
        let mut serving = python();
        serving.arg(repository("tests/oracle/store.py")).arg(seed.to_string()).args(certificate);
        // It ends with its input, so also when the test is killed.
        let mut child = serving.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let told: Value = serde_json::from_str(&line).expect("the addresses of the store");
        let address = |name: &str| told[name].as_str().unwrap().to_owned();
        Self { _process: Process(child), sound: address("sound"), faulty: address("faulty") }
    }

    fn make_bucket(&self, more: &[&str]) {
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--show-error", "--fail", "--request", "PUT"]).args(more);
        succeed(curl.arg(format!("{}/lakes", self.sound)));
    }

    /// A lake in the bucket, reached where the store is sound.
    fn lake(&self, name: &str) -> Place {
        Place::in_bucket(name, &self.sound)
    }

    /// The same where it fails.
    fn faulty_lake(&self, name: &str) -> Place {
        Place::in_bucket(name, &self.faulty)
    }

    /// How often each kind of fault was met; `taken` are commits and turns that were made although the answer was an error.
    fn met(&self) -> BTreeMap<String, u64> {
        let told = get(&format!("{}/_faults", self.faulty), &[]).unwrap().text;
        serde_json::from_str(&told).unwrap()
    }

    fn begin_outage(&self, seconds: u32) {
        get(&format!("{}/_faults?outage={seconds}", self.faulty), &[]).unwrap();
    }
}

/// Where a lake is, and how it is reached.
struct Place {
    lake: PathBuf,
    environment: Vec<(String, String)>,
}

impl Place {
    fn folder(lake: PathBuf) -> Self {
        Self { lake, environment: Vec::new() }
    }

    fn in_bucket(name: &str, endpoint: &str) -> Self {
        let said = [
            ("AWS_ACCESS_KEY_ID", "key"),
            ("AWS_SECRET_ACCESS_KEY", "secret"),
            ("AWS_ENDPOINT_URL", endpoint),
        ];
        let environment = said.map(|(name, value)| (name.to_owned(), value.to_owned()));
        Self { lake: format!("s3://lakes/{name}").into(), environment: environment.into() }
    }

    fn with(mut self, name: &str, value: &str) -> Self {
        self.environment.retain(|(known, _)| known != name);
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    fn reached(&self, mut command: Command) -> Command {
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("AWS_")) {
            command.env_remove(name);
        }
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    /// A command about the lake.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = command(arguments);
        command.arg("--lake").arg(&self.lake);
        self.reached(command)
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// What a command prints, which has to succeed.
    #[track_caller]
    fn told(&self, arguments: &[&str]) -> String {
        String::from_utf8(succeed(&mut self.command(arguments))).unwrap()
    }

    /// What a command says when it fails, which it has to.
    #[track_caller]
    fn refusal(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{told}");
        told
    }

    #[track_caller]
    fn value(&self, query: &str) -> String {
        let rows = csv_rows(&self.told(&["sql", "--format", "csv", query]));
        assert_eq!((rows.len(), rows[0].len()), (1, 1), "{query}");
        rows[0].values().next().unwrap().clone()
    }

    #[track_caller]
    fn land(&self, source: &str, path: &Path) -> String {
        self.told(&["land", "--source", source, path.to_str().unwrap()])
    }

    /// Lands until it succeeds; returns how often it failed. It is no defect that a store which fails is told of.
    #[track_caller]
    fn land_at_last(&self, source: &str, paths: &[PathBuf]) -> usize {
        let mut failed = 0;
        let paths = paths.iter().map(|path| path.to_str().unwrap());
        let arguments: Vec<&str> = ["land", "--source", source].into_iter().chain(paths).collect();
        wait_for("a landing succeeds", || {
            let output = self.run(&arguments);
            let told = String::from_utf8_lossy(&output.stderr);
            assert!(!told.contains("panicked") && !told.contains("internal error"), "{told}");
            failed += usize::from(!output.status.success());
            output.status.success().then_some(())
        });
        failed
    }

    /// The command that serves it.
    fn serving(&self, home: &Path, more: &[&str]) -> Command {
        let home = ["--home", home.to_str().unwrap()];
        self.reached(Server::command(&self.lake, &[home.as_slice(), more].concat()))
    }

    #[track_caller]
    fn serve(&self, home: &Path) -> Server {
        let server = Server::spawn(&mut self.serving(home, &[]));
        wait_for("the server is ready", || (server.get("/readyz").status == 200).then_some(()));
        server
    }

    /// Every table.
    #[track_caller]
    fn tables(&self) -> Vec<(&'static str, String)> {
        let rows = |query: &str| self.told(&["sql", "--format", "csv", query]);
        TABLES.iter().map(|(name, query)| (*name, rows(query))).collect()
    }

    #[track_caller]
    fn check_same(&self, expected: &Self) {
        for ((name, actual), (_, expected)) in self.tables().into_iter().zip(expected.tables()) {
            assert!(expected.lines().count() > 1, "{name} is empty");
            let mut lines = actual.lines().zip(expected.lines());
            assert_eq!(lines.find(|(actual, expected)| actual != expected), None, "{name}");
            assert_eq!(actual.len(), expected.len(), "{name}");
        }
    }
}

/// A mapping that refuses what another will take.
fn ledger(folder: &Path, formats: &str) -> PathBuf {
    let path = folder.join("ledger.toml");
    let text = format!(
        "name = \"ledger\"\ntime_formats = [{formats}]\n[[event]]\nevent_id = \"no\"\n\
         event_type = {{ value = \"patrol.recorded\" }}\noccurred_at = \"at\"\nreceived_at = \"at\"\n\
         org_id = \"org\"\n"
    );
    fs::write(&path, text).unwrap();
    path
}

#[test]
fn a_lake_in_a_bucket_shows_what_one_in_a_folder_shows() {
    let folder = tempfile::tempdir().unwrap();
    let log = kill::simulate(folder.path(), 2_000);
    let store = Store::start(0);
    let places = [Place::folder(folder.path().join("lake")), store.lake("whole")];
    let both = |arguments: &[&str]| {
        let [ours, theirs] = places.each_ref().map(|place| {
            let output = place.run(arguments);
            let (out, err) = (output.stdout, output.stderr);
            let text = [out, err].map(|text| String::from_utf8(text).unwrap()).concat();
            // What is random, and what names the lake.
            let text = text.split(" stands ").next().unwrap().to_owned();
            (output.status.code(), text.replace(place.lake.to_str().unwrap(), "LAKE"))
        });
        let mut lines = ours.1.lines().zip(theirs.1.lines());
        assert_eq!(lines.find(|(ours, theirs)| ours != theirs), None, "{arguments:?}");
        assert_eq!((ours.0, ours.1.len()), (theirs.0, theirs.1.len()), "{arguments:?}");
        // Checks find something in a simulated log.
        let is_told = ours.0 == Some(0) || arguments == ["check"];
        assert!(is_told && !ours.1.is_empty(), "{arguments:?}: {ours:?}");
        ours.1
    };
    let reference = log.folder.join("reference");
    both(&["land", "--source", "reference", reference.to_str().unwrap()]);
    for part in &log.parts[..3] {
        let told = both(&["land", part.to_str().unwrap()]);
        assert!(told.contains("rejected 1"), "{told}");
    }
    let rest: Vec<&str> = log.parts[3..].iter().map(|part| part.to_str().unwrap()).collect();
    both(&[&["land"], rest.as_slice()].concat());
    let again = both(&["land", log.parts[0].to_str().unwrap()]);
    assert!(again.contains("landed 0,"), "{again}");

    let csv = folder.path().join("ledger.csv");
    fs::write(&csv, "no,at,org\n1,2024-03-05,town-1\n2,05.03.2024,town-1\n").unwrap();
    let mapping = ledger(folder.path(), "\"%Y-%m-%d\"");
    let mapping = mapping.to_str().unwrap();
    both(&["land", "--source", mapping, csv.to_str().unwrap()]);
    both(&["rejects", "list", "--format", "csv"]);
    both(&["rejects", "export", "--source", "ledger"]);
    ledger(folder.path(), "\"%Y-%m-%d\", \"%d.%m.%Y\"");
    let replayed = both(&["rejects", "replay", "--source", mapping]);
    assert!(replayed.contains("landed 1"), "{replayed}");

    for (_, query) in TABLES {
        both(&["sql", "--format", "csv", query]);
    }
    for metric in ["officer_activity_ratio", "patrols", "inspections"] {
        let period = ["--from", "2024-01-01", "--to", "2025-01-01", "--grain", "month"];
        both(&[&["metric", metric, "--scope", "district/*,district"], &period[..]].concat());
    }
    both(&["goals", "--year", "2025"]);
    both(&["report", "--year", "2024"]);
    both(&["check"]);
    let as_of = both(&["sql", "--as-of", "2", "--format", "csv", "select count(*) from events"]);
    let now = both(&["sql", "--format", "csv", "select count(*) from events"]);
    assert_ne!(as_of, now);
    both(&["maintain", "--dry-run", "--format", "csv"]);
    both(&["maintain", "--format", "csv"]);
    both(&["sql", "--format", "csv", TABLES[0].1]);
    let officer = places[0].value("select min(officer_id) from officer_numbers");
    // Of a server that has stopped.
    let home = folder.path().join("home");
    fs::create_dir(&home).unwrap();
    let erase = ["erase", "--yes", "--officer", &officer, "--home", home.to_str().unwrap()];
    let erased = both(&erase);
    assert!(erased.starts_with("erased: ") && !erased.starts_with("erased: 0 "), "{erased}");
    both(&["sql", "--format", "csv", "select org_id, count(*) from events group by 1 order by 1"]);
    both(&["metric", "patrols", "--from", "2024-01-01", "--to", "2025-01-01"]);
}

#[test]
fn old_months_are_kept_in_the_class_that_the_policy_names_and_no_number_changes() {
    let folder = tempfile::tempdir().unwrap();
    let log = kill::simulate(folder.path(), 2_000);
    let (store, expected) = (Store::start(1), Place::folder(folder.path().join("lake")));
    let lake = store.lake("classed");
    for place in [&lake, &expected] {
        place.land("reference", &log.folder.join("reference"));
        assert_eq!(place.land_at_last("native", &log.parts), 0);
    }
    let config = folder.path().join("lawpulse.toml");
    fs::write(
        &config,
        "[maintenance]\narchive_after = \"1 month\"\narchive_class = \"GLACIER_IR\"\n",
    )
    .unwrap();
    let maintain = ["maintain", "--format", "csv", "--config", config.to_str().unwrap()];
    let told = csv_rows(&lake.told(&maintain));
    assert!(told[0]["packed_files"].parse::<u64>().unwrap() > 0, "{told:?}");
    let listed = get(&format!("{}/lakes?list-type=2&prefix=classed/", store.sound), &[]).unwrap();
    let classes = |is_packed: bool| -> Vec<&str> {
        let objects = listed.text.split("<Contents>").skip(1);
        let objects = objects.filter(|object| object.contains("/archive.glacier_ir-") == is_packed);
        let mut classes: Vec<_> = objects
            .filter_map(|object| object.split("<StorageClass>").nth(1)?.split('<').next())
            .collect();
        classes.sort_unstable();
        classes.dedup();
        classes
    };
    assert_eq!((classes(true), classes(false)), (vec!["GLACIER_IR"], vec!["STANDARD"]));
    lake.check_same(&expected);
    let again = csv_rows(&lake.told(&maintain));
    assert_eq!(again[0]["packed_files"], "0");
    // A folder knows no classes, and a bucket no folders.
    let told = expected.refusal(&maintain);
    assert!(told.contains("archive_folder"), "{told}");
}

#[test]
fn landing_through_a_store_that_fails_and_repeating_it_gives_the_tables_of_an_undisturbed_one() {
    let folder = tempfile::tempdir().unwrap();
    let log = kill::simulate(folder.path(), 2_000);
    let undisturbed = Place::folder(folder.path().join("undisturbed"));
    let reference = [log.folder.join("reference")];
    // One file, then another, then all that is left.
    let landings = [("reference", &reference[..]), ("native", &log.parts[..1])];
    let landings = [&landings[..], &[("native", &log.parts[1..2]), ("native", &log.parts[2..])]];
    let landings = landings.concat();
    for (source, paths) in &landings {
        assert_eq!(undisturbed.land_at_last(source, paths), 0);
    }
    for seed in seeds() {
        let store = Store::start(seed);
        let lake = store.faulty_lake("disturbed");
        let land = |(source, paths): &(&str, &[PathBuf])| lake.land_at_last(source, paths);
        let failed: usize = landings.iter().map(land).sum();
        // A few more, until each kind of fault was met.
        wait_for("every kind of fault was met", || {
            land(&("native", &log.parts[..1]));
            store.met().values().all(|times| *times > 0).then_some(())
        });
        eprintln!("seed {seed}: {failed} landings failed; {:?}", store.met());
        store.lake("disturbed").check_same(&undisturbed);
    }
}

/// What the faults are thrown by.
fn seeds() -> Vec<u64> {
    match std::env::var("LAWPULSE_FAULT_SEED") {
        Ok(seed) => vec![seed.parse().unwrap()],
        Err(_) => vec![20_241_128],
    }
}

/// Asks a server to stop, and waits until it has.
fn stop(server: &Server) {
    succeed(Command::new("kill").arg(server.pid().to_string()));
    let process = PathBuf::from(format!("/proc/{}/status", server.pid()));
    wait_for("the server has stopped", || {
        let status = fs::read_to_string(&process).unwrap_or_default();
        (status.is_empty() || status.contains("State:\tZ")).then_some(())
    });
}

#[test]
fn whatever_the_store_does_nothing_acknowledged_by_a_server_is_lost_and_nothing_is_there_twice() {
    for seed in seeds() {
        let folder = tempfile::tempdir().unwrap();
        let (home, log) = (folder.path().join("home"), folder.path().join("errors"));
        let store = Store::start(seed);
        let lake = store.faulty_lake("served");
        let mut dice = Dice(seed);
        let mut bodies: Vec<Body> = Vec::new();
        let inbox = home.join("inbox");
        let is_landed =
            || wait_for("the inbox has landed", || files_below(&inbox).is_empty().then_some(()));
        let start = || {
            wait_for("a server starts", || {
                let errors = fs::File::options().create(true).append(true).open(&log).unwrap();
                Server::try_spawn(lake.serving(&home, &[]).stderr(errors))
            })
        };
        for round in 0..3 {
            let server = start();
            for number in 0..25 {
                let mut body = Body::new(100 * round + number, &mut dice);
                body.send(&server);
                bodies.push(body);
                thread::sleep(Duration::from_millis(dice.below(200)));
            }
            // Nobody can write while the store is away, and everybody can push.
            if round == 1 {
                store.begin_outage(20);
                let mut body = Body::new(100 * round + 99, &mut dice);
                assert!(body.send(&server) && body.is_acknowledged);
                bodies.push(body);
                is_landed();
            }
            // What was not acknowledged, and some of what was, is sent again.
            for body in bodies.iter_mut().rev().take(10) {
                body.send(&server);
            }
            thread::sleep(Duration::from_millis(dice.below(3_000)));
            if round == 2 {
                // Killed: its turn is over when it is seen that nobody renews it.
                drop(server);
            } else {
                stop(&server);
            }
        }
        let server = start();
        for body in bodies.iter_mut().filter(|body| !body.is_acknowledged) {
            assert!(body.send(&server) && body.is_acknowledged, "seed {seed}: {body:?}");
        }
        is_landed();
        stop(&server);
        let met = store.met();
        assert!(met.values().all(|times| *times > 0), "seed {seed}: {met:?}");
        // A start makes up for what a stop has left undone.
        let sound = store.lake("served");
        stop(&sound.serve(&home));
        check_lake(&|arguments| sound.command(arguments), &bodies, seed);
        sound.told(&["audit", "verify"]);
        let errors = fs::read_to_string(&log).unwrap();
        assert!(!errors.contains("panicked"), "seed {seed}: {errors}");
    }
}

#[test]
fn landings_that_are_killed_and_repeated_leave_nothing_out_and_nothing_twice() {
    let folder = tempfile::tempdir().unwrap();
    let log = kill::simulate(folder.path(), 2_000);
    let undisturbed = Place::folder(folder.path().join("undisturbed"));
    let reference = log.folder.join("reference");
    undisturbed.land("reference", &reference);
    undisturbed.land("native", &log.parts[0]);
    let store = Store::start(0);
    // Each is killed after so many more requests than the one before, in a lake of its own.
    let lakes: Vec<Place> =
        (0..4).map(|number| store.faulty_lake(&format!("killed-{number}"))).collect();
    for lake in &lakes {
        lake.land_at_last("reference", std::slice::from_ref(&reference));
    }
    let mut hits = 0;
    for (number, lake) in lakes.iter().enumerate() {
        let before = store.met()["requests"];
        let part = log.parts[0].to_str().unwrap();
        let mut landing = lake.command(&["land", part]);
        let landing = landing.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let mut process = Process(landing);
        wait_for("the moment has come", || {
            let is_over = process.0.try_wait().unwrap().is_some();
            let is_now = store.met()["requests"] >= before + 20 + 25 * number as u64;
            hits += usize::from(is_now && !is_over);
            (is_now || is_over).then_some(())
        });
    }
    assert!(hits >= 2, "only {hits} kills met a running landing");
    // The turns of the killed end at about the same time.
    for lake in &lakes {
        lake.land_at_last("native", &log.parts[..1]);
    }
    for number in 0..lakes.len() {
        store.lake(&format!("killed-{number}")).check_same(&undisturbed);
    }
}

#[test]
fn a_second_writer_is_refused_and_told_who_writes() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::start(0);
    let lake = store.lake("shared");
    let log = folder.path().join("log.ndjson");
    write_lines(&log, [patrol("a").trim_end()]);
    let log = log.to_str().unwrap();
    let server = lake.serve(&folder.path().join("home"));
    let holder = format!("process {} on ", server.pid());
    for writing in [vec!["land", log], vec!["rejects", "replay"], vec!["maintain"]] {
        let told = lake.refusal(&writing);
        assert!(told.contains("another lawpulse process") && told.contains(&holder), "{told}");
        assert!(told.contains("s3://lakes/shared"), "{told}");
    }
    stop(&server);
    // Who stops gives the right back at once.
    assert!(lake.told(&["land", log]).contains("landed 1,"));
}

#[test]
fn of_landings_at_once_each_commits_all_of_its_own_or_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let log = kill::simulate(folder.path(), 2_000);
    let store = Store::start(0);
    let lake = store.lake("raced");
    let mut waiting: Vec<&PathBuf> = log.parts[..4].iter().collect();
    let mut refused = 0;
    while !waiting.is_empty() {
        let landings: Vec<_> = waiting
            .iter()
            .map(|part| {
                let mut landing = lake.command(&["land", part.to_str().unwrap()]);
                landing.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
            })
            .collect();
        let mut again = Vec::new();
        for (part, landing) in waiting.into_iter().zip(landings) {
            let output = landing.wait_with_output().unwrap();
            if !output.status.success() {
                let told = String::from_utf8_lossy(&output.stderr).into_owned();
                assert!(told.contains("another lawpulse process"), "{told}");
                again.push(part);
            }
        }
        refused += again.len();
        waiting = again;
    }
    assert!(refused > 0, "the landings did not meet");
    let alone = Place::folder(folder.path().join("alone"));
    for part in &log.parts[..4] {
        alone.land("native", part);
    }
    let rows = "select count(*) || ' of ' || count(distinct event_id) || ' and ' || \
                count(*) filter (where event_month = 'rejected') from event_log";
    assert_eq!(lake.value(rows), alone.value(rows));
}

#[test]
fn a_store_with_a_private_authority_is_believed_when_its_certificate_is_named() {
    let folder = tempfile::tempdir().unwrap();
    certify(folder.path(), "authority");
    let file = |name: &str| folder.path().join(name);
    let (authority, its_key) = (file("authority.pem"), file("authority.key"));
    let authority = authority.to_str().unwrap();
    let signed = ["-CA", authority, "-CAkey", its_key.to_str().unwrap(), "-subj", "/CN=store"];
    let signed = [&signed[..], &["-addext", "basicConstraints=critical,CA:FALSE"]].concat();
    certify_with(folder.path(), "store", &signed);
    let store = Store::without_bucket(0, &[&file("store.pem"), &file("store.key")]);
    store.make_bucket(&["--cacert", authority]);
    let log = folder.path().join("log.ndjson");
    write_lines(&log, [patrol("a").trim_end()]);
    let told = store.lake("tls").refusal(&["land", log.to_str().unwrap()]);
    assert!(told.contains("certificate") && told.contains("AWS_CA_BUNDLE"), "{told}");
    let believing = store.lake("tls").with("AWS_CA_BUNDLE", authority);
    assert!(believing.land("native", &log).contains("landed 1,"));
    assert_eq!(believing.value("select count(*) from events"), "1");
}

#[test]
fn a_bucket_that_cannot_be_reached_is_told_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log.ndjson");
    write_lines(&log, [patrol("a").trim_end()]);
    let log = log.to_str().unwrap();
    let check = |lake: &Place, expected: &[&str]| {
        for arguments in [&["land", log], &["sql", "select 1"]] {
            let told = lake.refusal(arguments);
            for words in expected {
                assert!(told.contains(words), "`{words}`: {told}");
            }
        }
    };
    let store = Store::without_bucket(0, &[]);
    let nobody = format!("http://127.0.0.1:{}", free_port());
    let unnamed = Place { environment: Vec::new(), ..store.lake("unnamed") };
    check(&unnamed, &["AWS_ACCESS_KEY_ID", "`lakes`"]);
    check(&Place::in_bucket("nobody", &nobody), &["AWS_ENDPOINT_URL", &nobody]);
    check(&store.lake("none"), &["there is no bucket `lakes`", "create it"]);
    store.make_bucket(&[]);
    let told = store.lake("none").refusal(&["sql", "select 1"]);
    assert!(told.contains("there is no lake at `s3://lakes/none`"), "{told}");
    let refused = store.lake("home").run(&["serve", "--http", "127.0.0.1:0"]);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("--home DIR"));
}

#[test]
fn a_writer_that_was_stopped_until_another_took_over_commits_nothing_says_so_and_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (home, errors) = (folder.path().join("home"), folder.path().join("errors"));
    let store = Store::start(0);
    let lake = store.lake("taken-over");
    let log = folder.path().join("log.ndjson");
    write_lines(&log, [patrol("landed-by-another").trim_end()]);
    let server = {
        let errors = fs::File::create(&errors).unwrap();
        Server::spawn(lake.serving(&home, &[]).stderr(errors))
    };
    let push = |server: &Server, name: &str| {
        assert_eq!(server.push(&[], patrol(name).as_bytes()).status, 200);
    };
    push(&server, "before");
    wait_for("it has landed", || files_below(&home.join("inbox")).is_empty().then_some(()));
    push(&server, "meanwhile");
    let signal = |name: &str| {
        succeed(Command::new("kill").args([name, &server.pid().to_string()]));
    };
    signal("-STOP");
    let refused = lake.land_at_last("native", std::slice::from_ref(&log));
    assert!(refused > 0, "a turn that was renewed a moment ago is not taken over");
    assert_eq!(lake.value("select count(*) from events where event_id like 'landed%'"), "1");
    signal("-CONT");
    push(&server, "afterwards");
    wait_for("it says that another has taken over", || {
        fs::read_to_string(&errors).unwrap().contains("taken over").then_some(())
    });
    stop(&server);
    let server = lake.serve(&home);
    wait_for("the inbox has landed", || files_below(&home.join("inbox")).is_empty().then_some(()));
    stop(&server);
    let events = "select string_agg(event_id, ' ' order by event_id) from event_log";
    assert_eq!(lake.value(events), "afterwards before landed-by-another meanwhile");
    lake.told(&["audit", "verify"]);
}
