//! Tables as they were: versions, when they were committed, and whether their files are still there.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use deltalake::kernel::Action;
use deltalake::logstore::{get_actions, read_commit_entry};
use futures::TryStreamExt as _;
use object_store::ObjectStore as _;
use object_store::path::Path;

use super::Table;
use crate::error::{Error, Result};

impl Table {
    /// The oldest version that the log still tells of.
    async fn oldest_in_log(&self) -> Result<u64> {
        let log = Path::from("_delta_log");
        let listed = self.store().list(Some(&log)).map_ok(|entry| entry.location);
        let listed: Vec<Path> =
            listed.try_collect().await.map_err(|error| self.location.failed("list", error))?;
        let version = |path: Path| path.filename()?.strip_suffix(".json")?.parse().ok();
        let oldest = listed.into_iter().filter_map(version).min();
        Ok(oldest.unwrap_or(u64::MAX).min(self.version()))
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
        let (mut low, mut high) = (self.oldest_in_log().await?, self.version() + 1);
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
        Self::open_at(&self.location, &self.name, version).await
    }

    /// Whether every data file of this version is still there.
    pub(crate) async fn is_whole(&self) -> Result<bool> {
        let there: HashSet<String> =
            self.location.data_files().await?.into_iter().map(|file| file.path).collect();
        Ok(self.files()?.iter().all(|file| there.contains(&file.path)))
    }

    /// The oldest version of which the log tells and every file is there.
    pub(crate) async fn oldest_whole(&self) -> Result<u64> {
        let (mut low, mut high) = (self.oldest_in_log().await?, self.version());
        // A file that is gone was taken out of the table early: what is whole once stays so.
        while low < high {
            let middle = low + (high - low) / 2;
            let is_whole = match self.at_version(middle).await {
                Ok(table) => table.is_whole().await?,
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
