//! A PostgreSQL table as a source, in a PostgreSQL of Debian's package that each test starts for itself.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::harness::{Process, Server, free_port, sql, sql_value, succeed, wait_for};
use crate::login_tls::{certify, certify_with};

const PASSWORD: &str = "correct horse battery";

/// A PostgreSQL that listens by TLS on a port of its own.
struct Database {
    _process: Process,
    port: u16,
    folder: tempfile::TempDir,
}

/// A program of the newest PostgreSQL that is installed. It refuses to run as root.
fn program(name: &str) -> Command {
    let versions = fs::read_dir("/usr/lib/postgresql").expect("tests/run installs postgresql");
    let newest = versions.map(|version| version.unwrap().path()).max().unwrap();
    let path = newest.join("bin").join(name);
    let id = succeed(Command::new("id").arg("-u"));
    if String::from_utf8(id).unwrap().trim() != "0" {
        return Command::new(path);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(path);
    command
}

/// Gives a file to the account that [`program`] runs as, which it has to be itself unless it is root.
fn give(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    // Without root the owner is right already.
    let _ = Command::new("chown").arg("65534:65534").arg(path).status();
}

impl Database {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        fs::create_dir(path("data")).unwrap();
        give(&path("data"), 0o700);
        fs::write(path("password"), PASSWORD).unwrap();
        give(&path("password"), 0o600);
        // The certificate is the database's own, not one that signs others.
        // One that signs itself and no other.
        certify_with(folder.path(), "db", &["-addext", "basicConstraints=critical,CA:FALSE"]);
        certify(folder.path(), "other");
        for file in ["db.key", "db.pem"] {
            give(&path(file), 0o600);
        }
        let data = path("data");
        let data = data.to_str().unwrap();
        let password = format!("--pwfile={}", path("password").display());
        let init = ["-D", data, "-U", "lawpulse", "--auth=scram-sha-256", "--encoding=UTF8"];
        succeed(program("initdb").args(init).args(["--no-locale", "--no-sync", &password]));
        let port = free_port();
        let settings = [
            "listen_addresses=127.0.0.1".to_owned(),
            format!("port={port}"),
            "unix_socket_directories=".to_owned(),
            "fsync=off".to_owned(),
            "ssl=on".to_owned(),
            format!("ssl_cert_file={}", path("db.pem").display()),
            format!("ssl_key_file={}", path("db.key").display()),
        ];
        let mut command = program("postgres");
        command.args(["-D", data]).args(settings.iter().flat_map(|setting| ["-c", setting]));
        let log = fs::File::create(path("log")).unwrap();
        let process = Process(command.stdin(Stdio::null()).stderr(log).spawn().unwrap());
        let database = Self { _process: process, port, folder };
        wait_for("the database answers", || {
            database.psql("select 1").status().unwrap().success().then_some(())
        });
        database
    }

    fn psql(&self, statement: &str) -> Command {
        let mut command = Command::new("psql");
        let url = format!("postgres://lawpulse@127.0.0.1:{}/postgres", self.port);
        command.env("PGPASSWORD", PASSWORD).stdout(Stdio::null()).stderr(Stdio::null());
        command.args([&url, "-v", "ON_ERROR_STOP=1", "-q", "-c", statement]);
        command
    }

    #[track_caller]
    fn execute(&self, statement: &str) {
        succeed(self.psql(statement).stdout(Stdio::piped()).stderr(Stdio::piped()));
    }

    /// A `[[source]]` of this database.
    fn source(&self, name: &str, more: &str) -> String {
        format!(
            "[[source]]\nname = \"{name}\"\nkind = \"postgres\"\nmapping = \"native\"\nevery = \"100ms\"\n\
             url = \"postgres://lawpulse@127.0.0.1:{}/postgres\"\npassword_env = \"PLATFORM_PASSWORD\"\n{more}\n",
            self.port
        )
    }

    fn lake(&self) -> PathBuf {
        self.folder.path().join("lake")
    }

    fn serve(&self, sources: &[String]) -> Server {
        let config = self.folder.path().join("lawpulse.toml");
        fs::write(&config, format!("[inbox]\nland_every = \"100ms\"\n{}", sources.concat()))
            .unwrap();
        let mut command = Server::command(&self.lake(), &["--config", config.to_str().unwrap()]);
        Server::spawn(command.env("PLATFORM_PASSWORD", PASSWORD))
    }
}

const TABLE: &str = "create table acts (id bigserial primary key, event_id text, revision bigint default 1, \
    event_type text default 'patrol.recorded', occurred_at timestamptz default '2025-03-05 09:12:33+08', \
    org_id text default 'town-1', officer_ids text[] default '{officer-1,officer-2}', object_id text, \
    updated_at timestamptz default now())";

fn insert(from: u32, to: u32) -> String {
    format!(
        "insert into acts (event_id, object_id) select 'a-' || n, 'a-' || n from generate_series({from}, {to}) n"
    )
}

#[track_caller]
fn wait_for_events(server: &Server, expected: u64) {
    wait_for(&format!("{expected} events"), || {
        let query = "select count(*) as n from event_log where event_month <> 'rejected'";
        let answer = server.sql(query);
        if answer.status != 200 {
            return None;
        }
        (answer.json()["rows"][0]["n"] == expected).then_some(())
    });
}

#[test]
fn rows_land_once_over_batches_ties_restarts_and_late_commits() {
    let database = Database::start();
    database.execute(TABLE);
    // More rows of one moment than a batch has.
    database.execute(&insert(1, 250));
    let sources = [
        database.source("keyed", "table = \"acts\"\ncursor = \"updated_at\"\nkey = \"id\"\nbatch = 100"),
        // The same rows, told apart by all their columns.
        database.source(
            "keyless",
            "query = \"select *, 'b-' || id as event_id from (select id, revision, event_type, occurred_at, org_id, \
             object_id, updated_at from acts) a\"\ncursor = \"updated_at\"\nbatch = 100",
        ),
    ];
    let server = database.serve(&sources);
    wait_for_events(&server, 500);
    drop(server);
    database.execute(&insert(251, 300));
    let server = database.serve(&sources);
    wait_for_events(&server, 600);
    // A row of before the place that was reached, as one that was committed late.
    database.execute(
        "insert into acts (event_id, object_id, updated_at) values ('late', 'late', now() - interval '20 seconds')",
    );
    database.execute("update acts set revision = 2, org_id = 'town-2', updated_at = now() where event_id = 'a-1'");
    wait_for_events(&server, 604);
    drop(server);
    let lake = database.lake();
    let counts = "select count(*) || ' of ' || count(distinct event_id || ' ' || revision) from event_log \
        where event_month <> 'rejected'";
    assert_eq!(sql_value(&lake, counts), "604 of 604");
    let events = sql(
        &lake,
        "select event_id, org_id, occurred_at from events where event_id in ('a-1', 'late') order by 1",
    );
    let events: Vec<_> = events.iter().map(|row| (&*row["event_id"], &*row["org_id"])).collect();
    assert_eq!(events, [("a-1", "town-2"), ("late", "town-1")]);
    assert_eq!(sql_value(&lake, "select count(*) from rejects"), "0");
}

#[test]
fn a_database_is_believed_by_its_certificate_only_and_what_is_wrong_is_told() {
    let database = Database::start();
    database.execute(TABLE);
    database.execute(&insert(1, 3));
    let ask = "table = \"acts\"\ncursor = \"id\"";
    let sources = [
        database.source("good", &format!("{ask}\ntls = \"db.pem\"")),
        database.source("other", &format!("{ask}\ntls = \"other.pem\"")),
        database
            .source("nameless", &format!("{ask}\ntls = \"db.pem\""))
            .replace("127.0.0.1", "localhost"),
        database.source("absent", "table = \"nothing\"\ncursor = \"id\""),
        database.source("silent", ask).replace("PLATFORM_PASSWORD", "NOT_SET"),
        database.source("refused", ask).replace("PLATFORM_PASSWORD", "HOME"),
    ];
    let log = database.folder.path().join("server.log");
    let config = database.folder.path().join("lawpulse.toml");
    fs::write(&config, format!("[inbox]\nland_every = \"100ms\"\n{}", sources.concat())).unwrap();
    let mut command = Server::command(&database.lake(), &["--config", config.to_str().unwrap()]);
    command
        .env("PLATFORM_PASSWORD", PASSWORD)
        .env("HOME", "wrong")
        .stderr(fs::File::create(&log).unwrap());
    let server = Server::spawn(&mut command);
    wait_for_events(&server, 3);
    let failing = |name: &str| format!("lawpulse_source_failing{{source=\"{name}\"}} 1");
    for name in ["other", "nameless", "absent", "silent", "refused"] {
        wait_for(name, || server.get("/metrics").text.contains(&failing(name)).then_some(()));
    }
    assert!(!server.get("/metrics").text.contains(&failing("good")));
    let log = fs::read_to_string(&log).unwrap();
    for told in
        ["certificate", "does not exist", "check `table` or `query`", "`NOT_SET`", "password_env"]
    {
        assert!(log.contains(told), "{told}: {log}");
    }
    assert!(!log.contains(PASSWORD), "{log}");
}
