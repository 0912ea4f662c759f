//! The config file of a server: one typed TOML file, in which everything may be left out.

mod cluster;
mod source;
mod unit;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use pipeline::lake::StorageClass;
use pipeline::location::Location;
use pipeline::maintain::{Age, Archive, LEAST_HISTORY, Policy};
use serde::Deserialize;

use crate::accounts::oidc;
use crate::caller::Role;
use crate::cluster::Settings as Cluster;
use crate::inbox;
use crate::maintenance;
use crate::sources;
use crate::sql_door::Limits;
use crate::tls;

/// What a config file says; `None` where it says nothing. Paths are those of the file, made to start at its folder.
#[derive(Debug, Clone, Default)]
pub struct Config {
    /// Where the lake is.
    pub lake: Option<Location>,
    /// The folder of this machine for what waits to land and for the audit log's journal.
    pub home: Option<PathBuf>,
    /// Whether the server only reads what another process lands.
    pub is_reader: bool,
    /// The folder that replaces or adds to the built-in definitions.
    pub sql: Option<PathBuf>,
    /// The address of the HTTP interface.
    pub http: Option<SocketAddr>,
    /// Connections that the HTTP interface serves at once.
    pub connections: Option<usize>,
    /// How long the server answers on when it is told to stop.
    pub drain: Option<Duration>,
    /// The most units that have series of their own in `/metrics`.
    pub metrics_units: Option<usize>,
    /// The address of the PostgreSQL wire.
    pub postgres: Option<SocketAddr>,
    /// The certificate of both.
    pub tls: Option<tls::Files>,
    /// Whether to listen to other machines without a certificate, since a proxy before the server has one.
    pub allow_plaintext: bool,
    /// The accounts file.
    pub accounts: Option<PathBuf>,
    /// Whose bearer tokens are believed.
    pub oidc: Option<oidc::Settings>,
    /// What queries may use.
    pub limits: LimitsByRole,
    /// What may wait to land.
    pub inbox: inbox::Settings,
    /// What brings lines in by itself.
    pub sources: Vec<sources::Settings>,
    /// How the lake is maintained.
    pub maintenance: maintenance::Settings,
    /// The workers that queries are spread over, and how the nodes know each other.
    pub cluster: Cluster,
    /// What a worker may use.
    pub worker: Worker,
}

pub use cluster::Worker;

/// What queries may use, for each role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LimitsByRole {
    /// Where nothing is said of a role, and for the door as a whole.
    pub general: Limits,
    by_role: [Option<Limits>; Role::ALL.len()],
}

impl LimitsByRole {
    /// The same limits for every role.
    pub fn all(general: Limits) -> Self {
        Self { general, ..Self::default() }
    }

    /// The limits of a role that has some of its own.
    pub fn own(&self, role: Role) -> Option<Limits> {
        self.by_role[role as usize]
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    lake: Option<String>,
    home: Option<PathBuf>,
    #[serde(default)]
    reader: bool,
    sql: Option<PathBuf>,
    accounts: Option<PathBuf>,
    #[serde(default)]
    allow_plaintext: bool,
    #[serde(default)]
    http: Http,
    #[serde(default)]
    postgres: Postgres,
    tls: Option<TlsPaths>,
    #[serde(default)]
    limits: WrittenLimits,
    #[serde(default)]
    inbox: WrittenInbox,
    #[serde(default, rename = "source")]
    sources: Vec<source::Written>,
    #[serde(default)]
    maintenance: WrittenMaintenance,
    #[serde(default)]
    cluster: cluster::WrittenCluster,
    #[serde(default)]
    worker: Worker,
    oidc: Option<oidc::Settings>,
}

/// What may wait to land, and for how long.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenInbox {
    #[serde(default, deserialize_with = "unit::size")]
    bytes: Option<u64>,
    #[serde(default, deserialize_with = "unit::duration")]
    age: Option<Duration>,
    #[serde(default, deserialize_with = "unit::duration")]
    land_every: Option<Duration>,
    #[serde(default, deserialize_with = "unit::size")]
    land_bytes: Option<u64>,
}

impl WrittenInbox {
    fn resolved(&self) -> anyhow::Result<inbox::Settings> {
        let general = inbox::Settings::default();
        let settings = inbox::Settings {
            bytes_max: self.bytes.unwrap_or(general.bytes_max),
            age_max: self.age.unwrap_or(general.age_max),
            land_every: self.land_every.unwrap_or(general.land_every),
            land_bytes: self.land_bytes.unwrap_or(general.land_bytes),
        };
        anyhow::ensure!(
            settings.bytes_max > 0 && !settings.age_max.is_zero() && !settings.land_every.is_zero(),
            "[inbox]: only `land_bytes` may be 0"
        );
        Ok(settings)
    }
}

/// How the lake is maintained, and what is kept.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenMaintenance {
    enabled: Option<bool>,
    #[serde(default, deserialize_with = "unit::duration")]
    every: Option<Duration>,
    #[serde(default, deserialize_with = "unit::duration")]
    history: Option<Duration>,
    small_files: Option<usize>,
    #[serde(default, deserialize_with = "unit::duration")]
    rejects_keep: Option<Duration>,
    #[serde(default, deserialize_with = "unit::age")]
    archive_after: Option<Age>,
    archive_folder: Option<PathBuf>,
    archive_class: Option<StorageClass>,
}

impl WrittenMaintenance {
    fn archive(&self, folder: &Path) -> anyhow::Result<Option<Archive>> {
        let (to, class) = (&self.archive_folder, self.archive_class);
        let Some(after) = self.archive_after else {
            anyhow::ensure!(
                to.is_none() && class.is_none(),
                "[maintenance] `archive_folder` and `archive_class` need `archive_after`, such as \"3 years\""
            );
            return Ok(None);
        };
        anyhow::ensure!(
            to.is_none() || class.is_none(),
            "[maintenance] `archive_folder` is for a lake in a folder and `archive_class` for one in an object store; leave one out"
        );
        Ok(Some(Archive { after, folder: to.as_ref().map(|to| folder.join(to)), class }))
    }

    fn resolved(&self, folder: &Path) -> anyhow::Result<maintenance::Settings> {
        let general = maintenance::Settings::default();
        let policy = Policy {
            history: self.history.unwrap_or(general.policy.history),
            rejects_keep: self.rejects_keep.or(general.policy.rejects_keep),
            small_files: self.small_files.unwrap_or(general.policy.small_files),
            archive: self.archive(folder)?,
        };
        anyhow::ensure!(
            policy.history >= LEAST_HISTORY,
            "[maintenance] `history` is at least \"1h\": queries that run read files that were replaced meanwhile"
        );
        anyhow::ensure!(policy.small_files >= 2, "[maintenance] `small_files` is at least 2");
        anyhow::ensure!(
            self.every.is_none_or(|every| !every.is_zero()),
            "[maintenance] `every` cannot be 0; `enabled = false` turns it off"
        );
        let every = self.every.or(general.every).filter(|_| self.enabled.unwrap_or(true));
        Ok(maintenance::Settings { every, policy })
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Http {
    listen: Option<SocketAddr>,
    connections: Option<usize>,
    #[serde(default, deserialize_with = "unit::duration")]
    drain: Option<Duration>,
    metrics_units: Option<usize>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Postgres {
    listen: Option<SocketAddr>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct TlsPaths {
    certificate: PathBuf,
    key: PathBuf,
}

/// Limits of all roles, and tables with those of one.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenLimits {
    #[serde(default, deserialize_with = "unit::duration")]
    wall_time: Option<Duration>,
    rows: Option<usize>,
    #[serde(default, deserialize_with = "unit::size")]
    bytes: Option<u64>,
    #[serde(default, deserialize_with = "unit::size")]
    memory: Option<u64>,
    #[serde(default, deserialize_with = "unit::size")]
    spill: Option<u64>,
    at_once: Option<usize>,
    waiting: Option<usize>,
    #[serde(default, deserialize_with = "unit::size")]
    statement: Option<u64>,
    #[serde(default)]
    ingest: RoleLimits,
    #[serde(default)]
    viewer: RoleLimits,
    #[serde(default)]
    analyst: RoleLimits,
    #[serde(default)]
    auditor: RoleLimits,
    #[serde(default)]
    admin: RoleLimits,
}

/// Limits of one role: what is not said is that of all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct RoleLimits {
    #[serde(default, deserialize_with = "unit::duration")]
    wall_time: Option<Duration>,
    rows: Option<usize>,
    #[serde(default, deserialize_with = "unit::size")]
    bytes: Option<u64>,
    #[serde(default, deserialize_with = "unit::size")]
    memory: Option<u64>,
    #[serde(default, deserialize_with = "unit::size")]
    spill: Option<u64>,
    at_once: Option<usize>,
    waiting: Option<usize>,
    #[serde(default, deserialize_with = "unit::size")]
    statement: Option<u64>,
}

impl RoleLimits {
    /// These limits, and where they say nothing those of `general`. A query that may use nothing cannot run.
    fn over(self, general: Limits) -> anyhow::Result<Limits> {
        let bytes = |written: Option<u64>, general: usize| -> anyhow::Result<usize> {
            written.map_or(Ok(general), |bytes| Ok(bytes.try_into()?))
        };
        let limits = Limits {
            wall_time: self.wall_time.unwrap_or(general.wall_time),
            rows: self.rows.unwrap_or(general.rows),
            result_bytes: bytes(self.bytes, general.result_bytes)?,
            statement_bytes: bytes(self.statement, general.statement_bytes)?,
            memory_bytes: bytes(self.memory, general.memory_bytes)?,
            spill_bytes: self.spill.unwrap_or(general.spill_bytes),
            at_once: self.at_once.unwrap_or(general.at_once),
            waiting: self.waiting.unwrap_or(general.waiting),
        };
        let is_something = !limits.wall_time.is_zero()
            && limits.rows.min(limits.result_bytes).min(limits.statement_bytes) > 0
            && limits.memory_bytes.min(limits.at_once) > 0;
        anyhow::ensure!(is_something, "only `spill` and `waiting` may be 0");
        Ok(limits)
    }
}

impl WrittenLimits {
    fn resolved(&self) -> anyhow::Result<LimitsByRole> {
        let of_all = RoleLimits {
            wall_time: self.wall_time,
            rows: self.rows,
            bytes: self.bytes,
            memory: self.memory,
            spill: self.spill,
            at_once: self.at_once,
            waiting: self.waiting,
            statement: self.statement,
        };
        let general = of_all.over(Limits::default()).context("[limits]")?;
        let mut limits = LimitsByRole { general, ..LimitsByRole::default() };
        for role in Role::ALL {
            let written = match role {
                Role::Ingest => self.ingest,
                Role::Viewer => self.viewer,
                Role::Analyst => self.analyst,
                Role::Auditor => self.auditor,
                Role::Admin => self.admin,
            };
            if written != RoleLimits::default() {
                let resolved = written.over(general).with_context(|| format!("[limits.{role}]"))?;
                limits.by_role[role as usize] = Some(resolved);
            }
        }
        Ok(limits)
    }
}

/// Where a lake is; a relative path starts at `folder`.
fn location(written: &str, folder: &Path) -> anyhow::Result<Location> {
    let location = written.parse::<Location>();
    let location = location.map_err(anyhow::Error::msg).context("`lake`")?;
    Ok(location.folder().map_or_else(|| location.clone(), |path| folder.join(path).into()))
}

impl Config {
    /// Reads a config file.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read the config file `{}`", path.display()))?;
        let folder = path.parent().unwrap_or(Path::new(""));
        Self::parse(&text, folder)
            .with_context(|| format!("in the config file `{}`", path.display()))
    }

    /// Reads a config file's text; relative paths start at `folder`.
    fn parse(text: &str, folder: &Path) -> anyhow::Result<Self> {
        // The message of the parser shows line, column and what keys there are.
        let written: Written = toml::from_str(text)
            .map_err(|error| anyhow::anyhow!(error.to_string().trim_end().to_owned()))?;
        let at = |path: PathBuf| folder.join(path);
        let config = Self {
            limits: written.limits.resolved()?,
            inbox: written.inbox.resolved()?,
            sources: source::resolved(written.sources, folder)?,
            maintenance: written.maintenance.resolved(folder)?,
            cluster: written.cluster.resolved(folder)?,
            worker: written.worker,
            lake: written.lake.map(|lake| location(&lake, folder)).transpose()?,
            home: written.home.map(at),
            is_reader: written.reader,
            sql: written.sql.map(at),
            http: written.http.listen,
            connections: written.http.connections,
            drain: written.http.drain,
            metrics_units: written.http.metrics_units,
            postgres: written.postgres.listen,
            tls: written
                .tls
                .map(|paths| tls::Files { certificate: at(paths.certificate), key: at(paths.key) }),
            allow_plaintext: written.allow_plaintext,
            accounts: written.accounts.map(at),
            oidc: written.oidc.map(|oidc| oidc::Settings { jwks: at(oidc.jwks.clone()), ..oidc }),
        };
        anyhow::ensure!(config.connections != Some(0), "[http] connections cannot be 0");
        anyhow::ensure!(config.worker.memory != Some(0), "[worker] `memory` cannot be 0");
        anyhow::ensure!(
            config.oidc.is_none() || config.accounts.is_some(),
            "[oidc] needs `accounts = \"FILE\"` too: what cannot ask the identity provider, such as Prometheus, has a \
             token there; `lawpulse account add` makes the file"
        );
        Ok(config)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::WorkerSettings;

    #[track_caller]
    fn check_refused(text: &str, expected: &[&str]) {
        let error = format!("{:#}", Config::parse(text, Path::new("/etc/lawpulse")).unwrap_err());
        for expected in expected {
            assert!(error.contains(expected), "`{error}` does not mention `{expected}`");
        }
    }

    #[test]
    fn the_example_is_a_config_file_and_says_the_defaults() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/lawpulse.toml");
        let config = Config::read(&path).unwrap();
        assert_eq!(
            (config.limits.own(Role::Analyst), config.limits.general),
            (None, Limits::default())
        );
        assert_eq!(config.inbox, inbox::Settings::default());
        assert_eq!(config.maintenance, maintenance::Settings::default());
        assert_eq!(config.http, Some("127.0.0.1:8080".parse().unwrap()));
        assert_eq!(config.postgres, Some("127.0.0.1:15432".parse().unwrap()));
        assert_eq!(config.drain, Some(Duration::ZERO));
        assert_eq!(config.connections, Some(crate::server::Options::CONNECTIONS));
        assert_eq!(config.metrics_units, Some(crate::server::Options::METRICS_UNITS));
        assert!(config.sources.is_empty());
        assert!(config.accounts.is_none() && config.tls.is_none() && config.oidc.is_none());
        assert_eq!(config.cluster.spread_from, Some(Cluster::SPREAD_FROM));
        assert!(config.cluster.workers.is_empty() && !config.cluster.security.allow_plaintext);
        assert_eq!(
            (config.worker.memory, config.worker.spill),
            (Some(WorkerSettings::MEMORY_BYTES), Some(WorkerSettings::SPILL_BYTES))
        );
        // What is only shown works too, once the sign of a comment is taken away.
        let text = std::fs::read_to_string(&path).unwrap();
        let shown: Vec<&str> =
            text.lines().map(|line| line.strip_prefix("#: ").unwrap_or(line)).collect();
        let config = Config::parse(&shown.join("\n"), Path::new("/etc/lawpulse")).unwrap();
        assert_eq!(config.sources.len(), 3);
        assert!(config.accounts.is_some() && config.tls.is_some() && config.oidc.is_some());
        assert_eq!(config.cluster.workers.len(), 2);
        let security = config.cluster.security;
        assert_eq!(security.token.unwrap(), Path::new("/etc/lawpulse/cluster.token"));
        assert!(security.certificate.is_some() && security.authority.is_some());
        assert_eq!(config.worker.listen, Some("10.0.0.11:50051".parse().unwrap()));
    }

    #[test]
    fn an_empty_file_says_nothing() {
        let config = Config::parse("", Path::new("")).unwrap();
        assert!(config.lake.is_none() && config.http.is_none() && !config.allow_plaintext);
        assert_eq!(config.limits, LimitsByRole::default());
    }

    #[test]
    fn paths_start_at_the_folder_of_the_file() {
        let text = "lake = \"lake\"\naccounts = \"/srv/accounts\"\n[tls]\ncertificate = \"a.pem\"\nkey = \"b.pem\"";
        let config = Config::parse(text, Path::new("/etc/lawpulse")).unwrap();
        assert_eq!(config.lake.unwrap(), Location::from(Path::new("/etc/lawpulse/lake")));
        assert_eq!(config.accounts.unwrap(), Path::new("/srv/accounts"));
        assert_eq!(config.tls.unwrap().key, Path::new("/etc/lawpulse/b.pem"));
    }

    #[test]
    fn old_months_go_to_a_folder_or_to_a_storage_class() {
        let archive = |more: &str| {
            let text = format!("[maintenance]\narchive_after = \"3 years\"\n{more}");
            let config = Config::parse(&text, Path::new("/etc/lawpulse")).unwrap();
            config.maintenance.policy.archive.unwrap()
        };
        let after = Age::months(36).unwrap();
        assert_eq!(archive(""), Archive { after, folder: None, class: None });
        let folder = Some("/etc/lawpulse/old".into());
        assert_eq!(archive("archive_folder = \"old\"").folder, folder);
        let class = Some(StorageClass::StandardIa);
        assert_eq!(archive("archive_class = \"STANDARD_IA\"").class, class);
    }

    #[test]
    fn a_role_has_the_limits_of_all_but_for_what_is_said_of_it() {
        let text = "[limits]\nrows = 1000\n[limits.viewer]\nwall_time = \"2m\"\nmemory = \"64MB\"";
        let limits = Config::parse(text, Path::new("")).unwrap().limits;
        let general = Limits { rows: 1000, ..Limits::default() };
        let viewer =
            Limits { wall_time: Duration::from_secs(120), memory_bytes: 64 << 20, ..general };
        assert_eq!(limits.own(Role::Viewer), Some(viewer));
        assert_eq!((limits.own(Role::Admin), limits.general), (None, general));
    }

    #[test]
    fn mistakes_are_told_with_line_column_and_what_there_is() {
        check_refused("lake = \"x\"\nport = 80", &["line 2, column 1", "`port`", "`postgres`"]);
        check_refused("[limits]\nwall_time = 30", &["line 2, column 13", "30s"]);
        check_refused("[limits.viewer]\nmemory = \"lots\"", &["line 2", "512MB"]);
        check_refused("[limits.root]\nrows = 1", &["`root`", "`auditor`"]);
        check_refused("[http]\nlisten = \"8080\"", &["line 2, column 10", "socket address"]);
        check_refused("[limits.viewer]\nat_once = 0", &["[limits.viewer]", "may be 0"]);
        check_refused("[maintenance]\nhistory = \"5m\"", &["[maintenance]", "at least \"1h\""]);
        check_refused("[maintenance]\nsmall_files = 1", &["[maintenance]", "at least 2"]);
        check_refused("[maintenance]\narchive_after = \"3y\"", &["archive_after", "\"3 years\""]);
        check_refused("[maintenance]\narchive_folder = \"a\"", &["need `archive_after`"]);
        let cold = "[maintenance]\narchive_after = \"1 year\"\narchive_class = ";
        check_refused(&format!("{cold}\"DEEP_ARCHIVE\""), &["archive_class", "GLACIER_IR"]);
        check_refused(&format!("{cold}\"GLACIER_IR\"\narchive_folder = \"a\""), &["leave one out"]);
        check_refused("[tls]\ncertificate = \"a\"", &["missing field `key`"]);
        check_refused("[cluster]\ncertificate = \"a\"", &["[cluster]", "all three"]);
        check_refused("[cluster]\nworkers = [\"10.0.0.1\"]", &["line 2"]);
        check_refused("[worker]\nlisten = \"50051\"", &["line 2, column 10", "socket address"]);
        check_refused("[worker]\nmemory = \"0MB\"", &["[worker]", "cannot be 0"]);
        let oidc = "[oidc]\nissuer = \"i\"\naudience = \"a\"\njwks = \"j\"\nrole_claim = \"r\"\nroles = {}";
        check_refused(oidc, &["needs `accounts"]);
    }
}
