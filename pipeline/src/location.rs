//! Where a lake, or one of its tables, is: a folder of this machine, or a prefix of a bucket.

pub(crate) mod away;
mod bucket;

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use futures::TryStreamExt as _;
use object_store::ObjectStore;
use object_store::local::LocalFileSystem;
use object_store::prefix::PrefixStore;
use url::Url;

use crate::error::{Error, Result};
use crate::lake::EVENTS;

pub(crate) use bucket::register;

/// A folder of this machine, or a prefix of a bucket of an S3-compatible object store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    at: At,
    home: Option<PathBuf>,
    /// The number of this process's turn to write, of a lake in a bucket that it writes to.
    turn: Option<i64>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum At {
    Folder(PathBuf),
    /// `s3://bucket/prefix`, without a slash at the end.
    Bucket(Url),
}

/// A file of a location.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    /// Its path in the location.
    pub(crate) path: String,
    pub(crate) bytes: u64,
    pub(crate) modified: DateTime<Utc>,
}

impl Location {
    /// The location, with the folder of this machine that keeps what belongs to the machine alone: what was pushed and has
    /// not landed, the journal of the audit log. A lake in a folder keeps it there itself.
    #[must_use]
    pub fn with_home(self, home: Option<PathBuf>) -> Self {
        Self { home: home.or(self.home), ..self }
    }

    /// The folder of this machine that keeps what belongs to the machine alone.
    ///
    /// Fails when nobody has said where that is: a lake in a bucket has none of its own.
    pub fn home(&self) -> Result<&Path> {
        self.home_if_any().ok_or_else(|| {
            Error::Request(format!(
                "`{self}` is no folder of this machine; say with --home DIR (or `home` in the config file) where pushed lines \
                 wait and the audit log's journal is kept"
            ))
        })
    }

    /// As [`Location::home`]; `None` when nobody has said where that is.
    pub fn home_if_any(&self) -> Option<&Path> {
        match &self.at {
            At::Folder(folder) => Some(self.home.as_deref().unwrap_or(folder)),
            At::Bucket(_) => self.home.as_deref(),
        }
    }

    /// The folder, when it is one of this machine.
    pub fn folder(&self) -> Option<&Path> {
        match &self.at {
            At::Folder(folder) => Some(folder),
            At::Bucket(_) => None,
        }
    }

    /// What a path inside it names.
    #[must_use]
    pub fn join(&self, path: &str) -> Self {
        let at = match &self.at {
            At::Folder(folder) => At::Folder(folder.join(path)),
            At::Bucket(url) => {
                let mut url = url.clone();
                url.set_path(&format!("{}/{path}", url.path().trim_end_matches('/')));
                At::Bucket(url)
            }
        };
        Self { at, home: None, turn: self.turn }
    }

    /// The location, for a process whose turn it is to write.
    pub(crate) fn in_turn(self, turn: i64) -> Self {
        Self { turn: Some(turn), ..self }
    }

    /// The number of this process's turn to write; `None` in a folder, and for those who only read.
    pub(crate) fn turn(&self) -> Option<i64> {
        self.turn
    }

    /// The location as it is now, by its full path.
    ///
    /// Fails for a folder that does not exist.
    pub(crate) fn resolved(&self) -> Result<Self> {
        let at = match &self.at {
            At::Folder(folder) => {
                At::Folder(folder.canonicalize().map_err(Error::io("open", folder))?)
            }
            bucket @ At::Bucket(_) => bucket.clone(),
        };
        Ok(Self { at, ..self.clone() })
    }

    /// Makes a folder with those above it. A bucket has none to make.
    pub(crate) fn create(&self) -> Result<()> {
        match &self.at {
            At::Folder(folder) => {
                std::fs::create_dir_all(folder).map_err(Error::io("create", folder))
            }
            At::Bucket(_) => Ok(()),
        }
    }

    /// Its address, which ends with a slash.
    pub(crate) fn url(&self) -> Result<Url> {
        match &self.at {
            At::Folder(folder) => Url::from_directory_path(folder).map_err(|()| {
                Error::Request(format!("`{}` is not an absolute path", folder.display()))
            }),
            At::Bucket(url) => {
                let mut url = url.clone();
                url.set_path(&format!("{}/", url.path().trim_end_matches('/')));
                Ok(url)
            }
        }
    }

    /// A store whose paths are those inside the location.
    pub(crate) fn store(&self) -> Result<Arc<dyn ObjectStore>> {
        let failed = |source| self.failed("open", source);
        match &self.at {
            At::Folder(folder) => {
                Ok(Arc::new(LocalFileSystem::new_with_prefix(folder).map_err(failed)?))
            }
            At::Bucket(url) => self.within(url, bucket::of(url)?),
        }
    }

    /// As [`Location::store`], with connections of its own.
    pub(crate) fn fresh_store(&self) -> Result<Arc<dyn ObjectStore>> {
        match &self.at {
            At::Folder(_) => self.store(),
            At::Bucket(url) => self.within(url, bucket::open(url)?),
        }
    }

    fn within(&self, url: &Url, store: Arc<dyn ObjectStore>) -> Result<Arc<dyn ObjectStore>> {
        let prefix = object_store::path::Path::from_url_path(url.path());
        let prefix = prefix.map_err(|error| self.failed("open", error.into()))?;
        Ok(Arc::new(PrefixStore::new(store, prefix)))
    }

    /// Finds out whether a bucket can be reached; a folder always can.
    ///
    /// Fails with what to do about it.
    pub(crate) async fn reach(&self) -> Result<()> {
        match &self.at {
            At::Folder(_) => Ok(()),
            At::Bucket(url) => bucket::reach(url).await,
        }
    }

    /// Whether there is a lake.
    pub async fn is_lake(&self) -> Result<bool> {
        self.join(EVENTS).is_table().await
    }

    /// The path by which plans of queries name it; empty for a whole bucket.
    pub fn path_in_plans(&self) -> String {
        let path = match &self.at {
            At::Folder(folder) => {
                let folder = folder.canonicalize().unwrap_or_else(|_| folder.clone());
                folder.to_string_lossy().into_owned()
            }
            At::Bucket(url) => url.path().to_owned(),
        };
        path.trim_start_matches('/').to_owned()
    }

    /// Whether there is a Delta table.
    pub(crate) async fn is_table(&self) -> Result<bool> {
        if let At::Folder(folder) = &self.at {
            return Ok(folder.join("_delta_log").is_dir());
        }
        let log = object_store::path::Path::from("_delta_log");
        let first = self.store()?.list(Some(&log)).try_next().await;
        Ok(first.map_err(|source| self.failed("list", source))?.is_some())
    }

    /// The names of what is in one of its folders, in their order; none when there is no such folder.
    pub(crate) async fn names_in(&self, folder: &str) -> Result<Vec<String>> {
        let prefix = object_store::path::Path::from(folder);
        let listed = self.store()?.list_with_delimiter(Some(&prefix)).await;
        let listed = listed.map_err(|source| self.failed("list", source))?;
        let names = listed.common_prefixes.iter().filter_map(|path| path.filename());
        let mut names: Vec<String> = names.map(str::to_owned).collect();
        names.sort();
        Ok(names)
    }

    /// The files in it and below it, in the order of their paths, but those whose names say that they are no data.
    pub(crate) async fn data_files(&self) -> Result<Vec<Found>> {
        let mut found = match &self.at {
            At::Folder(folder) => files_below(folder)?,
            At::Bucket(_) => {
                let listed = self.store()?.list(None).map_ok(|file| Found {
                    path: file.location.to_string(),
                    bytes: file.size,
                    modified: file.last_modified,
                });
                listed.try_collect().await.map_err(|source| self.failed("list", source))?
            }
        };
        found.retain(|file| file.path.split('/').all(is_data));
        found.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(found)
    }

    /// Removes one of its files.
    pub(crate) async fn remove(&self, path: &str) -> Result<()> {
        use object_store::ObjectStoreExt as _;
        let location = object_store::path::Path::parse(path).map_err(Error::internal)?;
        let removed = self.store()?.delete(&location).await;
        removed.map_err(|source| self.join(path).failed("remove", source))
    }

    /// Removes everything in it.
    pub(crate) async fn remove_all(&self) -> Result<()> {
        if let At::Folder(folder) = &self.at {
            return std::fs::remove_dir_all(folder).map_err(Error::io("remove", folder));
        }
        let store = self.store()?;
        let listed = store.list(None).map_ok(|file| file.location);
        let removed: std::result::Result<Vec<_>, _> =
            store.delete_stream(Box::pin(listed)).try_collect().await;
        removed.map(|_| ()).map_err(|source| self.failed("remove", source))
    }

    pub(crate) fn failed(&self, action: &'static str, source: object_store::Error) -> Error {
        Error::Store { action, location: self.to_string(), source: Box::new(source) }
    }
}

/// Whether a file or folder is not one of those whose names say that they are no data.
fn is_data(name: &str) -> bool {
    !name.starts_with(['_', '.'])
}

/// The data files of a folder and below it. What is being written counts as well, which a store would not list.
fn files_below(folder: &Path) -> Result<Vec<Found>> {
    let mut found = Vec::new();
    let mut folders = vec![String::new()];
    while let Some(inner) = folders.pop() {
        let path = folder.join(&inner);
        for entry in std::fs::read_dir(&path).map_err(Error::io("read", &path))? {
            let entry = entry.map_err(Error::io("read", &path))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if !is_data(&name) {
                continue;
            }
            let inner = if inner.is_empty() { name } else { format!("{inner}/{name}") };
            // Not that of a link, which leads to a folder that was moved away.
            let metadata =
                std::fs::metadata(entry.path()).map_err(Error::io("read", &entry.path()))?;
            if metadata.is_dir() {
                folders.push(inner);
                continue;
            }
            let modified = metadata.modified().map_err(Error::io("read", &entry.path()))?;
            found.push(Found { path: inner, bytes: metadata.len(), modified: modified.into() });
        }
    }
    Ok(found)
}

impl fmt::Display for Location {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.at {
            At::Folder(folder) => write!(formatter, "{}", folder.display()),
            At::Bucket(url) => formatter.write_str(url.as_str()),
        }
    }
}

impl FromStr for Location {
    type Err = String;

    /// Reads a path, or the address of a prefix of a bucket.
    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let Some((scheme, _)) = text.split_once("://") else {
            return Ok(Self::from(Path::new(text)));
        };
        if scheme != "s3" {
            return Err(format!("`{scheme}://` is not known; use a folder, or s3://BUCKET/PREFIX"));
        }
        let mut url = Url::parse(text).map_err(|error| error.to_string())?;
        let is_plain = url.username().is_empty()
            && url.password().is_none()
            && url.port().is_none()
            && url.query().is_none()
            && url.fragment().is_none();
        if url.host_str().is_none_or(str::is_empty) || !is_plain {
            return Err(format!(
                "`{text}` is no address of a bucket; write s3://BUCKET/PREFIX and nothing more, the endpoint and the \
                 credentials come from the environment"
            ));
        }
        let path = url.path().trim_end_matches('/').to_owned();
        url.set_path(&path);
        Ok(Self { at: At::Bucket(url), home: None, turn: None })
    }
}

impl From<&Path> for Location {
    fn from(folder: &Path) -> Self {
        Self::from(folder.to_owned())
    }
}

impl From<&PathBuf> for Location {
    fn from(folder: &PathBuf) -> Self {
        Self::from(folder.as_path())
    }
}

impl From<PathBuf> for Location {
    fn from(folder: PathBuf) -> Self {
        Self { at: At::Folder(folder), home: None, turn: None }
    }
}

impl From<&Self> for Location {
    fn from(location: &Self) -> Self {
        location.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_folder_or_a_prefix_of_a_bucket() {
        let folder: Location = "data/lake".parse().unwrap();
        assert_eq!(folder.folder(), Some(Path::new("data/lake")));
        assert_eq!(folder.home().unwrap(), Path::new("data/lake"));
        for text in ["s3://lakes/yubei", "s3://lakes/yubei/"] {
            let bucket: Location = text.parse().unwrap();
            assert_eq!(bucket.folder(), None);
            assert_eq!(bucket.to_string(), "s3://lakes/yubei");
            assert_eq!(bucket.join("events").url().unwrap().as_str(), "s3://lakes/yubei/events/");
        }
        let whole: Location = "s3://lakes".parse().unwrap();
        assert_eq!(whole.join("events").to_string(), "s3://lakes/events");
    }

    #[test]
    fn what_is_no_place_is_refused() {
        for text in [
            "gs://lakes/yubei",
            "s3://",
            "s3:///yubei",
            "s3://key:secret@lakes/yubei",
            "s3://lakes/a?b=c",
        ] {
            text.parse::<Location>().unwrap_err();
        }
    }

    #[test]
    fn a_lake_in_a_bucket_keeps_nothing_on_this_machine_unless_it_is_said_where() {
        let bucket: Location = "s3://lakes/yubei".parse().unwrap();
        assert!(bucket.home().unwrap_err().to_string().contains("--home"));
        let home = PathBuf::from("/var/lib/lawpulse");
        assert_eq!(bucket.with_home(Some(home.clone())).home().unwrap(), home);
    }
}
