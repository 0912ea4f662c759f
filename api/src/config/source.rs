//! `[[source]]`: what brings lines in by itself.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use serde::Deserialize;

use super::unit;
use crate::sources::{Done, FolderSettings, Kind, Settings};

/// One `[[source]]`.
#[derive(Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub(super) enum Written {
    /// A folder that is watched.
    Folder(Folder),
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

/// Checks the sources; relative paths start at `folder`.
pub(super) fn resolved(written: Vec<Written>, folder: &Path) -> anyhow::Result<Vec<Settings>> {
    let mut sources = Vec::new();
    let mut names = HashSet::new();
    for source in written {
        let Written::Folder(written) = source;
        let name = written.name.clone();
        let source = written.resolved(folder).with_context(|| format!("[[source]] `{name}`"))?;
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
    let Kind::Folder(added_folder) = &added.kind;
    for other in sources {
        let Kind::Folder(folder) = &other.kind;
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
        let Kind::Folder(read) = &sources[0].kind;
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
        let Kind::Folder(read) = &sources[0].kind;
        assert_eq!(read.done, Done::Keep);
        assert!(read.pattern.as_ref().unwrap().matches("a.csv"));
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
