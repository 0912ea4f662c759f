//! What keeps a table quick to read and no larger than it has to be: small files are merged, files that nobody reads any
//! more are removed, the log is shortened. None of it changes a row.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use arrow::array::{ArrayRef, RecordBatch, new_null_array};
use arrow::compute::cast;
use arrow::datatypes::{Schema, SchemaRef};
use chrono::{DateTime, Utc};
use deltalake::DeltaTable;
use deltalake::kernel::Add;
use deltalake::protocol::{DeltaOperation, checkpoints};
use futures::TryStreamExt as _;
use object_store::ObjectStoreExt as _;
use object_store::path::Path;
use serde_json::{Map, Value, json};

use super::{DataFile, Table};
use crate::error::{Error, Result};
use crate::location::Found;

/// How old a file is at least that no commit names before it is taken for what a crash left.
const UNCOMMITTED_FOR: Duration = Duration::from_secs(60 * 60);

/// From so many commits on a checkpoint spares readers the commits one by one.
const CHECKPOINT_COMMITS: u64 = 10;

/// Small files differ in kind when one has so many times the rows of the other: a file is not written anew for each
/// handful of rows that comes.
const TIER_FACTOR: u64 = 8;

/// When the small files of a partition become one, and how far one step goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Merging {
    /// As long as a partition has fewer small files than this, they stay.
    pub(crate) small_files: usize,
    /// A file with half as many rows is not small, and no more are put into one.
    pub(crate) rows: u64,
    /// The same for bytes.
    pub(crate) bytes: u64,
    /// Files that are read at once.
    pub(crate) step_files: usize,
}

impl Merging {
    /// Whether a file is far from full.
    pub(super) fn is_small(&self, file: &DataFile) -> bool {
        file.rows < self.rows / 2 && file.bytes < self.bytes / 2
    }
}

/// What a round would merge.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Mergeable {
    /// Files.
    pub(crate) files: u64,
    /// The partitions that they are of.
    pub(crate) partitions: u64,
}

/// What was removed from a table's folder.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Swept {
    /// Data files.
    pub(crate) files: u64,
    /// Their bytes.
    pub(crate) bytes: u64,
    /// Whether there is more to remove.
    pub(crate) is_cut: bool,
}

/// Puts the rows of a merged file into their order; gives the file's statistics too, where they are not those of the
/// files that it is made of.
pub(crate) type Order = fn(Vec<RecordBatch>) -> Result<(Vec<RecordBatch>, Option<Value>)>;

impl Table {
    /// The next small files that become one; `None` when there are too few in every partition.
    ///
    /// Only partitions count of which `is_meant` says so.
    pub(crate) fn mergeable(
        &self,
        merging: &Merging,
        is_meant: impl Fn(Option<&str>) -> bool,
    ) -> Result<Option<Vec<DataFile>>> {
        let small = self.small_files(merging, is_meant)?;
        Ok(small.into_values().find_map(|small| group(small, merging)))
    }

    /// How many files a round would merge.
    pub(crate) fn mergeable_files(
        &self,
        merging: &Merging,
        is_meant: impl Fn(Option<&str>) -> bool,
    ) -> Result<Mergeable> {
        let mut found = Mergeable::default();
        for small in self.small_files(merging, is_meant)?.into_values() {
            if small.len() >= merging.small_files.max(2) {
                found.files += small.len() as u64;
                found.partitions += 1;
            }
        }
        Ok(found)
    }

    /// The files of each partition that are far from full.
    fn small_files(
        &self,
        merging: &Merging,
        is_meant: impl Fn(Option<&str>) -> bool,
    ) -> Result<BTreeMap<Option<String>, Vec<DataFile>>> {
        let mut partitions: BTreeMap<Option<String>, Vec<DataFile>> = BTreeMap::new();
        for file in self.files()? {
            if merging.is_small(&file) && is_meant(file.partition.as_deref()) {
                partitions.entry(file.partition.clone()).or_default().push(file);
            }
        }
        Ok(partitions)
    }

    /// Makes one file of several of a partition, in one commit that says that no row changes.
    pub(crate) async fn merge(&mut self, files: &[DataFile], order: Order) -> Result<()> {
        let batches = self.read_aligned(files).await?;
        let merged = self.statistics_of(files)?;
        let (batches, own) = order(batches)?;
        let partition = files.first().and_then(|file| file.partition.as_deref());
        let statistics = own.unwrap_or(merged);
        let add = self.write_file(partition, &batches, statistics).await?;
        self.put_in_place(files, add, json!({ "merged": files.len() })).await
    }

    /// The rows of files, with the columns of the table as it is now.
    pub(super) async fn read_aligned(&self, files: &[DataFile]) -> Result<Vec<RecordBatch>> {
        let schema = self.file_schema();
        let mut batches = Vec::new();
        for file in files {
            for batch in self.read(file, None).await? {
                batches.push(aligned(&batch, &schema)?);
            }
        }
        Ok(batches)
    }

    /// Puts a file in the place of others that hold the same rows, in one commit that says that no row changes.
    ///
    /// Fails when one of them is not in the table any more.
    pub(super) async fn put_in_place(
        &mut self,
        files: &[DataFile],
        mut add: Add,
        note: Value,
    ) -> Result<()> {
        add.data_change = false;
        let mut removes = self.removals(files)?;
        if removes.len() != files.len() {
            return Err(Error::internal("a file is gone whose rows were to be written anew"));
        }
        for remove in &mut removes {
            remove.data_change = false;
        }
        let operation = DeltaOperation::Optimize { predicate: None, target_size: add.size };
        self.commit_as(operation, vec![add], removes, Vec::new(), note).await?;
        Ok(())
    }

    /// The columns of a data file: those of the table without the partition.
    pub(crate) fn file_schema(&self) -> SchemaRef {
        let fields: Vec<_> = self
            .schema
            .fields()
            .iter()
            .filter(|field| Some(field.name()) != self.partition.as_ref())
            .map(|field| field.as_ref().clone().with_nullable(true))
            .collect();
        SchemaRef::new(Schema::new(fields))
    }

    /// The statistics of the rows of several files together.
    pub(crate) fn statistics_of(&self, files: &[DataFile]) -> Result<Value> {
        let paths: HashSet<&str> = files.iter().map(|file| file.path.as_str()).collect();
        let state = self.delta.snapshot().map_err(Error::table("read", &self.name))?;
        let statistics = state
            .log_data()
            .iter()
            .filter(|file| paths.contains(file.path().as_ref()))
            .map(|file| serde_json::from_str(&file.stats().unwrap_or_default()).unwrap_or_default())
            .collect::<Vec<Value>>();
        Ok(merged_statistics(&statistics))
    }

    /// Sets properties of the table where they are not as they should be.
    pub(crate) async fn set_properties(&mut self, properties: &[(&str, String)]) -> Result<()> {
        let mut different = HashMap::new();
        for (key, value) in properties {
            if self.property(key)?.as_deref() != Some(value) {
                different.insert((*key).to_owned(), value.clone());
            }
        }
        if different.is_empty() {
            return Ok(());
        }
        self.delta = self
            .delta
            .clone()
            .set_tbl_properties()
            .with_properties(different)
            .with_raise_if_not_exists(false)
            .await
            .map_err(Error::table("set the properties of", &self.name))?;
        Ok(())
    }

    /// Removes data files that no version since `kept_since` reads, and what a crash left. At most `most` of them.
    ///
    /// With `is_trial` nothing is removed, only counted.
    pub(crate) async fn sweep(
        &self,
        kept_since: DateTime<Utc>,
        now: DateTime<Utc>,
        most: usize,
        is_trial: bool,
    ) -> Result<Swept> {
        let read: HashSet<String> = self.files()?.into_iter().map(|file| file.path).collect();
        let removed = self.tombstones().await?;
        let mut swept = Swept::default();
        for file in self.location.data_files().await? {
            let is_kept = read.contains(&file.path)
                || match removed.get(&file.path) {
                    Some(at) => *at >= kept_since.timestamp_millis(),
                    None => file.modified + UNCOMMITTED_FOR >= now,
                };
            if is_kept {
                continue;
            }
            if swept.files as usize == most {
                swept.is_cut = true;
                break;
            }
            if !is_trial {
                self.location.remove(&file.path).await?;
            }
            swept.files += 1;
            swept.bytes += file.bytes;
        }
        Ok(swept)
    }

    /// The files in the table's folder that the newest version does not read.
    pub(crate) async fn unread_files(&self) -> Result<Vec<DataFile>> {
        let read: HashSet<String> = self.files()?.into_iter().map(|file| file.path).collect();
        let found = self.location.data_files().await?;
        let unread = found.into_iter().filter(|file| !read.contains(&file.path));
        let file = |Found { path, bytes, .. }| DataFile { path, partition: None, rows: 0, bytes };
        Ok(unread.map(file).collect())
    }

    /// Removes a file that [`Table::unread_files`] found.
    pub(crate) async fn remove_unread(&self, file: &DataFile) -> Result<()> {
        self.location.remove(&file.path).await
    }

    /// The files that were taken out of the table, and when (milliseconds UTC).
    async fn tombstones(&self) -> Result<HashMap<String, i64>> {
        let state = self.delta.snapshot().map_err(Error::table("read", &self.name))?;
        state
            .all_tombstones(self.delta.log_store().as_ref())
            .map_ok(|tombstone| {
                let at = tombstone.deletion_timestamp().unwrap_or_default();
                (tombstone.path().into_owned(), at)
            })
            .try_collect()
            .await
            .map_err(Error::table("read", &self.name))
    }

    /// Writes a checkpoint when there are many commits since the last. Returns whether it did.
    pub(crate) async fn checkpoint(&self) -> Result<bool> {
        if self.version() < self.checkpointed().await + CHECKPOINT_COMMITS {
            return Ok(false);
        }
        checkpoints::create_checkpoint(&self.delta, None)
            .await
            .map_err(Error::table("write a checkpoint of", &self.name))?;
        Ok(true)
    }

    /// The version of the last checkpoint; 0 when there is none.
    async fn checkpointed(&self) -> u64 {
        let hint = match self.store().get(&Path::from("_delta_log/_last_checkpoint")).await {
            Ok(found) => found.bytes().await.ok(),
            Err(_) => None,
        };
        let hint: Value =
            hint.and_then(|hint| serde_json::from_slice(&hint).ok()).unwrap_or_default();
        hint["version"].as_u64().unwrap_or_default()
    }

    /// Removes commits and checkpoints that versions since `kept_since` do not need. Returns how many.
    pub(crate) async fn shorten_log(&mut self, kept_since: DateTime<Utc>) -> Result<u64> {
        let removed = checkpoints::cleanup_expired_logs_for(
            self.version(),
            self.delta.log_store().as_ref(),
            kept_since.timestamp_millis(),
            None,
        )
        .await
        .map_err(Error::table("shorten the log of", &self.name))?;
        if removed > 0 {
            // What this handle knows of the log names files that are gone.
            let mut delta = DeltaTable::new(self.delta.log_store());
            delta.load().await.map_err(Error::table("read", &self.name))?;
            self.delta = delta;
        }
        Ok(removed as u64)
    }
}

/// Of the small files of a partition those that become one file now.
pub(super) fn group(mut small: Vec<DataFile>, merging: &Merging) -> Option<Vec<DataFile>> {
    let least = merging.small_files.max(2);
    if small.len() < least {
        return None;
    }
    small.sort_by(|a, b| (a.rows, &a.path).cmp(&(b.rows, &b.path)));
    // The smallest kind of which, with all that are smaller, there are enough.
    let tier = |file: &DataFile| file.rows.max(1).ilog(TIER_FACTOR);
    let largest = tier(&small[least - 1]);
    let (mut rows, mut bytes) = (0, 0);
    let taken = small
        .iter()
        .take_while(|file| {
            rows += file.rows;
            bytes += file.bytes;
            tier(file) <= largest && rows <= merging.rows && bytes <= merging.bytes
        })
        .take(merging.step_files.max(2))
        .count();
    small.truncate(taken);
    (taken >= 2).then_some(small)
}

/// A batch with the columns of a schema; those that it does not have are NULL.
fn aligned(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    let columns = schema
        .fields()
        .iter()
        .map(|field| match batch.column_by_name(field.name()) {
            Some(column) => cast(column, field.data_type()).map_err(Error::internal),
            None => Ok(new_null_array(field.data_type(), batch.num_rows())),
        })
        .collect::<Result<Vec<ArrayRef>>>()?;
    RecordBatch::try_new(SchemaRef::clone(schema), columns).map_err(Error::internal)
}

/// Bounds hold for a column only when every file has them.
fn merged_statistics(files: &[Value]) -> Value {
    let rows: u64 = files.iter().filter_map(|file| file["numRecords"].as_u64()).sum();
    let mut merged = Map::new();
    merged.insert("numRecords".to_owned(), rows.into());
    let lower = |a: &Value, b: &Value| is_less(a, b).map(|less| if less { a } else { b }.clone());
    let higher = |a: &Value, b: &Value| is_less(a, b).map(|less| if less { b } else { a }.clone());
    let sum = |a: &Value, b: &Value| Some((a.as_u64()? + b.as_u64()?).into());
    type Fold<'f> = &'f dyn Fn(&Value, &Value) -> Option<Value>;
    let folds: [(&str, Fold<'_>); 3] =
        [("minValues", &lower), ("maxValues", &higher), ("nullCount", &sum)];
    for (kind, fold) in folds {
        let mut bounds: Option<Map<String, Value>> = None;
        for file in files {
            let own = file[kind].as_object().cloned().unwrap_or_default();
            bounds = Some(match bounds {
                None => own,
                Some(bounds) => bounds
                    .iter()
                    .filter_map(|(name, bound)| Some((name.clone(), fold(bound, own.get(name)?)?)))
                    .collect(),
            });
        }
        if let Some(bounds) = bounds.filter(|bounds| !bounds.is_empty()) {
            merged.insert(kind.to_owned(), Value::Object(bounds));
        }
    }
    Value::Object(merged)
}

/// Times of one form are texts in their order.
fn is_less(a: &Value, b: &Value) -> Option<bool> {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => match (a.as_i64(), b.as_i64()) {
            (Some(a), Some(b)) => Some(a < b),
            _ => Some(a.as_f64()? < b.as_f64()?),
        },
        (Value::String(a), Value::String(b)) => Some(a < b),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(rows: &[u64]) -> Vec<DataFile> {
        let file = |(number, rows): (usize, &u64)| DataFile {
            path: format!("{number:03}"),
            partition: None,
            rows: *rows,
            bytes: *rows,
        };
        rows.iter().enumerate().map(file).collect()
    }

    #[track_caller]
    fn check(rows: &[u64], small_files: usize, expected: Option<&[u64]>) {
        let merging = Merging { small_files, rows: 1000, bytes: 1000, step_files: 10 };
        let taken = group(files(rows), &merging);
        let taken: Option<Vec<u64>> =
            taken.map(|taken| taken.iter().map(|file| file.rows).collect());
        assert_eq!(taken.as_deref(), expected);
    }

    #[test]
    fn a_large_file_is_not_written_anew_for_a_few_rows() {
        check(&[400, 1, 2, 3], 3, Some(&[1, 2, 3]));
        check(&[400, 1, 2], 3, Some(&[1, 2, 400]));
        check(&[400, 1, 2], 4, None);
        check(&[400], 1, None);
    }

    #[test]
    fn a_merged_file_is_within_its_size_and_a_step_within_its_files() {
        check(&[400, 400, 400], 2, Some(&[400, 400]));
        check(&[700, 700], 2, None);
        check(&[1; 12], 2, Some(&[1; 10]));
    }

    #[test]
    fn bounds_of_a_merged_file_hold_for_all_its_rows() {
        let statistics = |low: i64, high: &str| {
            json!({
                "numRecords": 2,
                "minValues": { "revision": low, "only": 1 },
                "maxValues": { "day": high },
                "nullCount": { "day": 1 },
            })
        };
        let mut second = statistics(-7, "2024-02-01");
        second["minValues"] = json!({ "revision": -7 });
        assert_eq!(
            merged_statistics(&[statistics(3, "2023-12-31"), second]),
            json!({
                "numRecords": 4,
                "minValues": { "revision": -7 },
                "maxValues": { "day": "2024-02-01" },
                "nullCount": { "day": 2 },
            })
        );
        let without = json!({ "numRecords": 1 });
        let merged = merged_statistics(&[statistics(3, "2023-12-31"), without]);
        assert_eq!(merged, json!({ "numRecords": 3 }));
    }
}
