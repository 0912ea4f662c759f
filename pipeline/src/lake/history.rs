//! Tables as they were: versions, when they were committed, and whether their files are still there.

use chrono::{DateTime, Utc};
use deltalake::kernel::Action;
use deltalake::logstore::{get_actions, read_commit_entry};

use super::{Table, url_of};
use crate::error::{Error, Result};

impl Table {
    /// The oldest version that the log still tells of.
    fn oldest_in_log(&self) -> Result<u64> {
        let log = self.folder.join("_delta_log");
        let mut oldest = self.version();
        for entry in std::fs::read_dir(&log).map_err(Error::io("read", &log))? {
            let name = entry.map_err(Error::io("read", &log))?.file_name();
            let version = name.to_str().and_then(|name| name.strip_suffix(".json")?.parse().ok());
            oldest = version.map_or(oldest, |version: u64| version.min(oldest));
        }
        Ok(oldest)
    }

    /// When a version was committed; `None` when the log no longer tells.
    pub(crate) async fn committed_at(&self, version: u64) -> Result<Option<DateTime<Utc>>> {
        let store = self.store();
        let entry = read_commit_entry(store.as_ref(), version)
            .await
            .map_err(Error::table("read", &self.name))?;
        let Some(bytes) = entry else { return Ok(None) };
        let actions = get_actions(version, &bytes).map_err(Error::table("read", &self.name))?;
        Ok(actions.into_iter().find_map(|action| match action {
            Action::CommitInfo(info) => DateTime::from_timestamp_millis(info.timestamp?),
            _ => None,
        }))
    }

    /// The newest version of a time; `None` when the log tells of none.
    pub(crate) async fn version_at(&self, time: DateTime<Utc>) -> Result<Option<u64>> {
        let (mut low, mut high) = (self.oldest_in_log()?, self.version() + 1);
        let first = low;
        // Versions before `low` were committed by then, those from `high` on were not.
        while low < high {
            let middle = low + (high - low) / 2;
            match self.committed_at(middle).await? {
                Some(at) if at > time => high = middle,
                _ => low = middle + 1,
            }
        }
        Ok((low > first).then(|| low - 1))
    }

    /// The table as it was at a version, which it keeps whatever is committed later.
    pub(crate) async fn at_version(&self, version: u64) -> Result<Self> {
        let delta = deltalake::open_table_with_version(url_of(&self.folder)?, version)
            .await
            .map_err(Error::table("read an older version of", &self.name))?;
        let state = delta.snapshot().map_err(Error::table("read", &self.name))?;
        let schema = state.snapshot().arrow_schema();
        Ok(Self { delta, schema, is_pinned: true, ..self.clone() })
    }

    /// Whether every data file of this version is still there.
    pub(crate) fn is_whole(&self) -> Result<bool> {
        Ok(self.files()?.iter().all(|file| self.folder.join(&file.path).is_file()))
    }

    /// The oldest version of which the log tells and every file is there.
    pub(crate) async fn oldest_whole(&self) -> Result<u64> {
        let (mut low, mut high) = (self.oldest_in_log()?, self.version());
        // A file that is gone was taken out of the table early: what is whole once stays so.
        while low < high {
            let middle = low + (high - low) / 2;
            let is_whole = match self.at_version(middle).await {
                Ok(table) => table.is_whole()?,
                Err(_) => false,
            };
            if is_whole {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        Ok(low)
    }
}
