//! The state of a lake that its writer has finished, for servers elsewhere that only read it.
//!
//! A landing is several commits: the events, then the registers, then each rollup. Whoever reads the newest version of each
//! table in the middle of it sees numbers of two states at once. So the writer says which versions belong together, and
//! when it last looked that they are the newest.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use object_store::path::Path;
use object_store::{ObjectStore as _, ObjectStoreExt as _};
use serde::{Deserialize, Serialize};

use super::{Lake, WriteLock};
use crate::error::{Error, Result};
use crate::location::Location;
use crate::maintain;

/// The file that says it, in the lake.
const FILE: &str = "_published.json";

/// Tables whose logs are looked at at once.
const AT_ONCE: usize = 8;

/// Versions of a lake's tables that belong together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Published {
    /// When its writer last looked that the lake has nothing newer.
    pub at: DateTime<Utc>,
    /// The turn of the writer, in a bucket: what an earlier one says later is not believed.
    #[serde(default)]
    turn: i64,
    /// The version of each table, by its folder in the lake.
    pub(crate) tables: BTreeMap<String, u64>,
}

impl Published {
    /// What a lake's writer has published last; `None` before the first time.
    pub async fn read(lake: &Location) -> Result<Option<Self>> {
        let text = match lake.store()?.get(&Path::from(FILE)).await {
            Ok(found) => found.bytes().await,
            Err(object_store::Error::NotFound { .. }) => return Ok(None),
            Err(error) => Err(error),
        };
        let text = text.map_err(|error| lake.join(FILE).failed("read", error))?;
        serde_json::from_slice(&text).map(Some).map_err(|error| {
            let remedy = "remove it; the lake's writer writes it again";
            Error::definition(lake.join(FILE).to_string(), error.to_string(), remedy)
        })
    }

    /// Whether it is what an earlier writer says that does not know yet that its turn is over.
    pub fn is_outdated_by(&self, other: &Self) -> bool {
        self.turn < other.turn
    }

    /// Whether it is the same state of the lake.
    pub fn is_same_state(&self, other: &Self) -> bool {
        self.tables == other.tables
    }
}

impl Lake {
    /// Says that the newest versions of all tables belong together: when everything that has landed is in the rollups.
    pub async fn publish(&self, lock: &WriteLock, now: DateTime<Utc>) -> Result<Published> {
        let location = self.location();
        let newest = async |name: String| Ok((name.clone(), newest(&location.join(&name)).await?));
        let tables = stream::iter(maintain::tables(location).await?)
            .map(newest)
            .buffered(AT_ONCE)
            .try_collect()
            .await?;
        let published = Published { at: now, turn: location.turn().unwrap_or_default(), tables };
        self.publish_again(lock, &published).await?;
        Ok(published)
    }

    /// Says that the lake has nothing newer still.
    pub async fn publish_again(&self, _lock: &WriteLock, published: &Published) -> Result<()> {
        let text = serde_json::to_vec(published).map_err(Error::internal)?;
        let put = self.location().store()?.put(&Path::from(FILE), text.into()).await;
        put.map(|_| ()).map_err(|error| self.location().join(FILE).failed("write", error))
    }
}

/// The newest version that a table's log tells of.
async fn newest(table: &Location) -> Result<u64> {
    // Checkpoints are older than the newest commit, which is never cleaned away.
    let listed =
        table.store()?.list(Some(&Path::from("_delta_log"))).map_ok(|entry| entry.location);
    let listed: Vec<Path> =
        listed.try_collect().await.map_err(|error| table.failed("list", error))?;
    let version = |path: &Path| path.filename()?.strip_suffix(".json")?.parse().ok();
    listed
        .iter()
        .filter_map(version)
        .max()
        .ok_or_else(|| Error::internal(format!("the log of `{table}` has no commit")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_earlier_writer_says_later_is_not_believed() {
        let said = |turn, version| Published {
            at: DateTime::UNIX_EPOCH,
            turn,
            tables: BTreeMap::from([("events".to_owned(), version)]),
        };
        let known = said(2, 7);
        assert!(said(1, 9).is_outdated_by(&known));
        assert!(!said(2, 8).is_outdated_by(&known) && !said(2, 8).is_same_state(&known));
        // Whoever takes over begins with what is there.
        assert!(!said(3, 7).is_outdated_by(&known) && said(3, 7).is_same_state(&known));
    }
}
