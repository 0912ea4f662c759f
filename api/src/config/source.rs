//! `[[source]]`: what brings lines in by itself.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use serde::Deserialize;

use super::unit;
use crate::sources::{
    DistrictSettings, Done, Encryption, FolderSettings, Kind, Overlap, PostgresSettings, Settings,
    quoted_table,
};

/// One `[[source]]`.
#[derive(Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub(super) enum Written {
    /// A folder that is watched.
    Folder(Folder),
    /// A PostgreSQL table or query that is followed.
    Postgres(Box<Table>),
    /// The lake of a district that is followed.
    Lake(District),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Folder {
    name: String,
    mapping: String,
    #[serde(default, deserialize_with = "unit::duration")]
    every: Option<Duration>,
    path: PathBuf,
    pattern: Option<String>,
    #[serde(default, deserialize_with = "unit::duration")]
    settle: Option<Duration>,
    done: Option<PathBuf>,
    failed: Option<PathBuf>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Table {
    name: String,
    mapping: String,
    #[serde(default, deserialize_with = "unit::duration")]
    every: Option<Duration>,
    url: String,
    password_env: Option<String>,
    tls: Option<String>,
    table: Option<String>,
    query: Option<String>,
    cursor: String,
    key: Option<String>,
    overlap: Option<WrittenOverlap>,
    batch: Option<u32>,
    #[serde(default, deserialize_with = "unit::duration")]
    timeout: Option<Duration>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct District {
    name: String,
    #[serde(default, deserialize_with = "unit::duration")]
    every: Option<Duration>,
    lake: String,
    district: String,
}

/// A number, or a time with its unit.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum WrittenOverlap {
    Number(u64),
    Time(#[serde(deserialize_with = "unit::duration")] Option<Duration>),
}

/// Checks the sources; relative paths start at `folder`.
pub(super) fn resolved(written: Vec<Written>, folder: &Path) -> anyhow::Result<Vec<Settings>> {
    let mut sources = Vec::new();
    let mut names = HashSet::new();
    for source in written {
        let (name, source) = match source {
            Written::Folder(written) => (written.name.clone(), written.resolved(folder)),
            Written::Postgres(written) => (written.name.clone(), written.resolved(folder)),
            Written::Lake(written) => (written.name.clone(), written.resolved(folder)),
        };
        let source = source.with_context(|| format!("[[source]] `{name}`"))?;
        anyhow::ensure!(
            is_name(&name),
            "[[source]] `{name}`: a name has small letters, digits and `_` only"
        );
        anyhow::ensure!(
            is_name(&source.mapping),
            "[[source]] `{name}`: `mapping` is the name of a mapping in sql/sources, such as \"native\""
        );
        anyhow::ensure!(names.insert(name.clone()), "[[source]] `{name}`: another has this name");
        check_apart(&sources, &source)?;
        sources.push(source);
    }
    Ok(sources)
}

fn is_name(name: &str) -> bool {
    let is_letter = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    !name.is_empty() && name.chars().all(is_letter)
}

/// Two sources may watch one folder only where each says which files it means.
fn check_apart(sources: &[Settings], added: &Settings) -> anyhow::Result<()> {
    let Kind::Folder(added_folder) = &added.kind else { return Ok(()) };
    for other in sources {
        let Kind::Folder(folder) = &other.kind else { continue };
        anyhow::ensure!(
            folder.path != added_folder.path
                || folder.pattern.is_some() && added_folder.pattern.is_some(),
            "[[source]] `{}` and `{}` watch one folder: give each a `pattern`, and none that both match",
            other.name,
            added.name
        );
    }
    Ok(())
}

impl Folder {
    fn resolved(self, config: &Path) -> anyhow::Result<Settings> {
        let path = config.join(&self.path);
        let done = self.done.unwrap_or_else(|| "done".into());
        let done = match done.to_str() {
            Some("keep") => Done::Keep,
            _ => Done::Move(path.join(done)),
        };
        let failed = path.join(self.failed.unwrap_or_else(|| "failed".into()));
        let moves_to = match &done {
            Done::Move(done) => vec![done, &failed],
            Done::Keep => vec![&failed],
        };
        anyhow::ensure!(
            moves_to.iter().all(|folder| folder.components().ne(path.components())),
            "`done` and `failed` are folders other than `path`; `done = \"keep\"` leaves files where they are"
        );
        let pattern = self.pattern.as_deref().map(glob::Pattern::new).transpose();
        let pattern =
            pattern.context("`pattern` is one such as \"*.csv\" or \"ledger-[0-9]*.ndjson.gz\"")?;
        let (every, settle) = (
            self.every.unwrap_or(Duration::from_secs(2)),
            self.settle.unwrap_or(Duration::from_secs(5)),
        );
        anyhow::ensure!(
            !every.is_zero() && !settle.is_zero(),
            "`every` and `settle` cannot be 0: a file that is still written would land in part"
        );
        let folder = FolderSettings { path, pattern, settle, done, failed };
        Ok(Settings { name: self.name, mapping: self.mapping, every, kind: Kind::Folder(folder) })
    }
}

impl District {
    fn resolved(self, config: &Path) -> anyhow::Result<Settings> {
        let every = self.every.unwrap_or(Duration::from_secs(30));
        anyhow::ensure!(!every.is_zero(), "`every` cannot be 0");
        anyhow::ensure!(
            !self.district.is_empty(),
            "`district` is the unit of this lake under which everything of the other goes"
        );
        let lake = super::location(&self.lake, config)?;
        let kind = Kind::Lake(DistrictSettings { lake, district: self.district });
        // Data files are written as canonical events are.
        Ok(Settings { name: self.name, mapping: "native".to_owned(), every, kind })
    }
}

impl Table {
    fn resolved(self, config: &Path) -> anyhow::Result<Settings> {
        // The parser's own words would repeat the address, and a password in it.
        let mut database: tokio_postgres::Config = self.url.parse().map_err(|_| {
            anyhow::anyhow!("`url` is one such as \"postgres://USER@HOST:5432/DATABASE\"")
        })?;
        anyhow::ensure!(
            database.get_password().is_none(),
            "`url` holds a password, which a file does not keep: name the environment variable that has it with \
             `password_env`"
        );
        anyhow::ensure!(
            database.get_user().is_some() && !database.get_hosts().is_empty(),
            "`url` names a user and a host"
        );
        let relation = match (&self.table, &self.query) {
            (Some(table), None) => quoted_table(table),
            (None, Some(query)) => format!("({})", query.trim().trim_end_matches(';')),
            _ => anyhow::bail!("either `table` or `query` says what is asked for"),
        };
        let encryption = encryption(self.tls.as_deref(), &database, config);
        let overlap = match self.overlap {
            None | Some(WrittenOverlap::Time(None)) => Overlap::Default,
            Some(WrittenOverlap::Number(overlap)) => Overlap::Number(overlap),
            Some(WrittenOverlap::Time(Some(overlap))) => Overlap::Time(overlap),
        };
        let every = self.every.unwrap_or(Duration::from_secs(30));
        let timeout = self.timeout.unwrap_or(Duration::from_secs(60));
        let batch = self.batch.unwrap_or(10_000);
        anyhow::ensure!(
            !every.is_zero() && !timeout.is_zero() && batch > 0,
            "`every`, `timeout` and `batch` cannot be 0"
        );
        database.application_name("lawpulse").connect_timeout(Duration::from_secs(10));
        let table = PostgresSettings {
            database,
            password_env: self.password_env,
            encryption,
            relation,
            cursor: self.cursor,
            key: self.key,
            overlap,
            batch,
            timeout,
        };
        let kind = Kind::Postgres(Box::new(table));
        Ok(Settings { name: self.name, mapping: self.mapping, every, kind })
    }
}

/// What `tls` means; left out, a database on another machine is asked by TLS only.
fn encryption(
    written: Option<&str>,
    database: &tokio_postgres::Config,
    config: &Path,
) -> Encryption {
    use tokio_postgres::config::Host;
    let is_here = |host: &Host| match host {
        Host::Tcp(name) => matches!(name.as_str(), "localhost" | "127.0.0.1" | "::1"),
        Host::Unix(_) => true,
    };
    match written {
        None if database.get_hosts().iter().all(is_here) => Encryption::Off,
        None | Some("require") => Encryption::Machine,
        Some("off") => Encryption::Off,
        Some(file) => Encryption::Authority(config.join(file)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    struct File {
        source: Vec<Written>,
    }

    fn read(text: &str) -> anyhow::Result<Vec<Settings>> {
        let file: File = toml::from_str(text)?;
        resolved(file.source, Path::new("/etc/lawpulse"))
    }

    fn folder(more: &str) -> String {
        format!(
            "[[source]]\nname = \"a\"\nkind = \"folder\"\nmapping = \"native\"\npath = \"in\"\n{more}\n"
        )
    }

    #[track_caller]
    fn check_refused(text: &str, expected: &str) {
        let error = format!("{:#}", read(text).unwrap_err());
        assert!(error.contains(expected), "`{error}` does not mention `{expected}`");
    }

    #[test]
    fn paths_start_at_the_config_and_those_of_files_that_are_moved_at_the_folder() {
        let sources = read(&folder("failed = \"/srv/failed\"")).unwrap();
        let Kind::Folder(read) = &sources[0].kind else { panic!() };
        assert_eq!(read.path, Path::new("/etc/lawpulse/in"));
        assert_eq!(read.done, Done::Move("/etc/lawpulse/in/done".into()));
        assert_eq!(read.failed, Path::new("/srv/failed"));
        assert_eq!(
            (read.settle, sources[0].every),
            (Duration::from_secs(5), Duration::from_secs(2))
        );
    }

    #[test]
    fn a_file_that_has_landed_can_stay_where_it_is() {
        let sources = read(&folder("done = \"keep\"\npattern = \"*.csv\"")).unwrap();
        let Kind::Folder(read) = &sources[0].kind else { panic!() };
        assert_eq!(read.done, Done::Keep);
        assert!(read.pattern.as_ref().unwrap().matches("a.csv"));
    }

    fn table(more: &str) -> String {
        format!(
            "[[source]]\nname = \"a\"\nkind = \"postgres\"\nmapping = \"native\"\n\
             url = \"postgres://me@db.example/platform\"\ncursor = \"updated_at\"\n{more}\n"
        )
    }

    fn of_table(text: &str) -> PostgresSettings {
        match read(text).unwrap().remove(0).kind {
            Kind::Postgres(table) => *table,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_district_has_a_lake_and_the_unit_that_everything_goes_under() {
        let written = |more: &str| format!("[[source]]\nname = \"a\"\nkind = \"lake\"\n{more}\n");
        let source = read(&written("lake = \"lakes/a\"\ndistrict = \"east\"")).unwrap().remove(0);
        let Kind::Lake(district) = &source.kind else { panic!("{source:?}") };
        assert_eq!(district.lake.folder(), Some(Path::new("/etc/lawpulse/lakes/a")));
        assert_eq!(district.district, "east");
        assert_eq!((source.mapping.as_str(), source.every), ("native", Duration::from_secs(30)));
        check_refused(&written("lake = \"a\"\ndistrict = \"\""), "`district` is the unit");
        check_refused(
            &written("lake = \"a\"\ndistrict = \"b\"\nevery = \"0s\""),
            "`every` cannot be 0",
        );
        check_refused(&written("lake = \"a\""), "district");
    }

    #[test]
    fn a_database_on_another_machine_is_asked_by_tls_unless_it_is_said_otherwise() {
        let elsewhere = table("table = \"public.acts\"");
        let read = of_table(&elsewhere);
        assert_eq!(read.encryption, Encryption::Machine);
        assert_eq!(read.relation, "\"public\".\"acts\"");
        assert_eq!(read.overlap, Overlap::Default);
        let here = elsewhere.replace("db.example", "127.0.0.1");
        assert_eq!(of_table(&here).encryption, Encryption::Off);
        let own = of_table(&table("table = \"a\"\ntls = \"ca.pem\"\noverlap = \"2m\""));
        assert_eq!(own.encryption, Encryption::Authority("/etc/lawpulse/ca.pem".into()));
        assert_eq!(own.overlap, Overlap::Time(Duration::from_secs(120)));
        let query = of_table(&table("query = \"select * from a;\"\ntls = \"off\"\noverlap = 10"));
        assert_eq!((query.encryption, query.overlap), (Encryption::Off, Overlap::Number(10)));
        assert_eq!(query.relation, "(select * from a)");
    }

    #[test]
    fn a_password_is_not_kept_in_the_file_nor_repeated() {
        let text = table("table = \"a\"").replace("me@", "me:secret@");
        let error = format!("{:#}", read(&text).unwrap_err());
        assert!(error.contains("password_env") && !error.contains("secret"), "{error}");
        check_refused(&table(""), "either `table` or `query`");
        check_refused(&table("table = \"a\"\nquery = \"b\""), "either `table` or `query`");
        check_refused(&table("table = \"a\"").replace("me@", ""), "names a user");
    }

    #[test]
    fn what_cannot_work_is_refused_with_what_to_do() {
        check_refused(&folder("settle = \"0s\""), "cannot be 0");
        check_refused(&folder("done = \".\""), "done = \"keep\"");
        check_refused(&folder("pattern = \"[\""), "pattern");
        check_refused(&folder("url = \"x\""), "unknown field `url`");
        check_refused(&folder("").replace("name = \"a\"", "name = \"A b\""), "small letters");
        check_refused(&folder("").replace("\"native\"", "\"x.toml\""), "sql/sources");
        check_refused(&(folder("") + &folder("")), "another has this name");
        let other = folder("").replace("name = \"a\"", "name = \"b\"");
        check_refused(&(folder("") + &other), "give each a `pattern`");
    }
}
