//! Maintenance: small files become few, what nobody reads any more goes, and the logs of the tables stay short.
//!
//! A round goes through the tables of a lake in steps, each of which is short, commits by itself and may be the last: a
//! crash leaves at most files that no commit names, which a later round removes. No step changes a number.

mod archive;

use std::collections::VecDeque;
use std::time::Duration;

use arrow::array::{AsArray as _, BooleanArray};
use arrow::compute::filter_record_batch;
use arrow::datatypes::TimestampMicrosecondType;
use chrono::{DateTime, Utc};
use serde_json::json;

use crate::audit::{AUDIT_LOG, AuditLog};
use crate::error::{Error, Result};
use crate::event;
use crate::lake::{DataFile, EVENTS, Lake, Merging, Order, Table, WriteLock};
use crate::land;
use crate::location::Location;

use archive::Archiver;
pub use archive::{Age, Archive};

/// How long the files of rollups stay after they were replaced: they can be computed again, and no query reads them for
/// longer. They are also the least that is kept of any table.
pub const LEAST_HISTORY: Duration = Duration::from_secs(60 * 60);

/// Rows and bytes of a merged file at most: those of a file that a large landing writes.
const FILE_ROWS: u64 = land::FLUSH_ROWS as u64;
const FILE_BYTES: u64 = 64 << 20;

/// Files that one step reads, and that one step removes, at most.
const STEP_FILES: usize = 2_000;

/// What is kept, and when files are merged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// How far back tables can be read as of a time; at least [`LEAST_HISTORY`].
    pub history: Duration,
    /// How long refused lines are kept; `None` for ever.
    pub rejects_keep: Option<Duration>,
    /// From so many small files of a partition on they are merged; at least 2.
    pub small_files: usize,
    /// What becomes of old months; `None` when they stay as they are.
    pub archive: Option<Archive>,
}

impl Default for Policy {
    fn default() -> Self {
        let history = Duration::from_secs(7 * 24 * 60 * 60);
        Self { history, rejects_keep: None, small_files: 8, archive: None }
    }
}

/// What a round did to one table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Done {
    /// The table, by its folder in the lake.
    pub table: String,
    /// Data files before.
    pub files_before: u64,
    /// Data files after.
    pub files_after: u64,
    /// Files that became parts of others.
    pub merged: u64,
    /// Refused lines that were older than they are kept.
    pub rejects_expired: u64,
    /// Files removed from the disk.
    pub removed_files: u64,
    /// Their bytes.
    pub removed_bytes: u64,
    /// Entries removed from the table's log.
    pub removed_log_entries: u64,
    /// Files of old months that were packed.
    pub packed: u64,
    /// Months that were moved to the archive.
    pub moved_months: u64,
}

impl Done {
    /// Whether nothing had to be done.
    pub fn is_nothing(&self) -> bool {
        let Self { merged, rejects_expired, removed_files, removed_log_entries, .. } = self;
        let Self { packed, moved_months, .. } = self;
        let changed = merged + rejects_expired + removed_files + removed_log_entries;
        changed + packed + moved_months == 0
    }
}

/// What comes next for a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Begin,
    Merge,
    Shorten,
    Sweep,
    Archive,
    End,
}

/// One round through the tables of a lake.
#[derive(Debug)]
pub struct Round {
    policy: Policy,
    now: DateTime<Utc>,
    archiver: Option<Archiver>,
    waiting: VecDeque<String>,
    phase: Phase,
    current: Done,
    done: Vec<Done>,
}

impl Round {
    /// Plans a round; nothing is done yet.
    ///
    /// Fails when old months are to be archived in a way that this lake does not know.
    pub async fn new(lake: &Lake, policy: Policy, now: DateTime<Utc>) -> Result<Self> {
        Ok(Self {
            archiver: Archiver::of(lake, &policy, now)?,
            policy,
            now,
            waiting: tables(lake.location()).await?.into(),
            phase: Phase::Begin,
            current: Done::default(),
            done: Vec::new(),
        })
    }

    /// What was done so far to each table that is finished.
    pub fn done(&self) -> &[Done] {
        &self.done
    }

    /// Takes the next step; returns whether there are more.
    ///
    /// `audit` is the log of a process that writes it. After an error the round goes on with the next table.
    pub async fn step(
        &mut self,
        lake: &mut Lake,
        _lock: &WriteLock,
        audit: Option<&AuditLog>,
    ) -> Result<bool> {
        let Some(name) = self.waiting.front().cloned() else { return Ok(false) };
        let taken = match (name.as_str(), audit) {
            (EVENTS, _) => {
                let table = lake.events_mut();
                match table.update().await {
                    Ok(()) => self.work(table).await,
                    Err(error) => Err(error),
                }
            }
            (AUDIT_LOG, Some(log)) => {
                let mut table = log.table().await;
                match self.work(&mut table).await {
                    Ok(()) => log.show(&table).await,
                    Err(error) => Err(error),
                }
            }
            (name, _) => self.work_in(&lake.location().join(name), name).await,
        };
        if taken.is_err() || self.phase == Phase::End {
            self.waiting.pop_front();
            self.done.push(std::mem::take(&mut self.current));
            self.phase = Phase::Begin;
            if let Some(archiver) = &mut self.archiver {
                archiver.leave_off();
            }
        }
        taken.map(|()| !self.waiting.is_empty())
    }

    async fn work_in(&mut self, location: &Location, name: &str) -> Result<()> {
        match Table::open(location, name).await? {
            Some(mut table) => self.work(&mut table).await,
            // A rollup whose definition is gone, or that is computed anew.
            None => {
                self.current.table = name.to_owned();
                self.phase = Phase::End;
                Ok(())
            }
        }
    }

    async fn work(&mut self, table: &mut Table) -> Result<()> {
        match self.phase {
            Phase::Begin => {
                name_of(&self.waiting).clone_into(&mut self.current.table);
                self.current.files_before = table.files()?.len() as u64;
                table.set_properties(&properties(self.kept_for())).await?;
                if let (EVENTS, Some(keep)) =
                    (self.current.table.as_str(), self.policy.rejects_keep)
                {
                    self.current.rejects_expired = expire_rejects(table, self.now - keep).await?;
                }
                self.phase = Phase::Merge;
            }
            Phase::Merge => match self.mergeable(table)? {
                Some(files) => {
                    table.merge(&files, order_of(&self.current.table, &files)).await?;
                    self.current.merged += files.len() as u64;
                }
                None => self.phase = Phase::Shorten,
            },
            Phase::Shorten => {
                table.checkpoint().await?;
                let kept_since = self.now - self.kept_for();
                self.current.removed_log_entries = table.shorten_log(kept_since).await?;
                self.phase = Phase::Sweep;
            }
            Phase::Sweep => {
                let kept_since = self.now - self.kept_for();
                let swept = table.sweep(kept_since, self.now, STEP_FILES, false).await?;
                self.current.removed_files += swept.files;
                self.current.removed_bytes += swept.bytes;
                if !swept.is_cut {
                    self.phase = Phase::Archive;
                }
            }
            // After all else, which does not wait for a disk that is full or away.
            Phase::Archive => {
                let archiver = self.archiver.as_mut().filter(|_| self.current.table == EVENTS);
                let more = match archiver {
                    Some(archiver) => archiver.step(table, &mut self.current).await?,
                    None => false,
                };
                if !more {
                    self.phase = Phase::End;
                }
            }
            Phase::End => {}
        }
        self.current.files_after = table.files()?.len() as u64;
        Ok(())
    }

    /// The next files of a table to merge. Old months of events are packed instead.
    fn mergeable(&self, table: &Table) -> Result<Option<Vec<DataFile>>> {
        let is_events = self.current.table == EVENTS;
        let archiver = self.archiver.as_ref().filter(|_| is_events);
        table.mergeable(&merging(&self.policy), |month| {
            archiver.is_none_or(|archiver| !archiver.is_meant(month))
        })
    }

    /// How far back the table can be read.
    fn kept_for(&self) -> Duration {
        kept_for(name_of(&self.waiting), &self.policy)
    }
}

/// Goes through the tables of a lake to the end, for a process that does nothing else.
pub async fn maintain(
    lake: &mut Lake,
    lock: &WriteLock,
    policy: Policy,
    now: DateTime<Utc>,
) -> Result<Vec<Done>> {
    let mut round = Round::new(lake, policy, now).await?;
    round.archiver = round.archiver.map(Archiver::thorough);
    while round.step(lake, lock, None).await? {}
    Ok(round.done)
}

/// What a round would do, as far as it can be told beforehand; nothing is changed.
pub async fn rehearse(lake: &Lake, policy: Policy, now: DateTime<Utc>) -> Result<Vec<Done>> {
    let mut done = Vec::new();
    let archiver = Archiver::of(lake, &policy, now)?;
    for name in tables(lake.location()).await? {
        let Some(table) = Table::open(&lake.location().join(&name), &name).await? else { continue };
        let files_before = table.files()?.len() as u64;
        let archiver = archiver.as_ref().filter(|_| name == EVENTS);
        let merged = table.mergeable_files(&merging(&policy), |month| {
            archiver.is_none_or(|archiver| !archiver.is_meant(month))
        })?;
        let archived = match archiver {
            Some(archiver) => archiver.rehearse(&table)?,
            None => archive::Rehearsed::default(),
        };
        let kept_since = now - kept_for(&name, &policy);
        let swept = table.sweep(kept_since, now, usize::MAX, true).await?;
        done.push(Done {
            table: name,
            files_before,
            files_after: files_before - merged.files - archived.packed
                + merged.partitions
                + archived.made,
            merged: merged.files,
            packed: archived.packed,
            moved_months: archived.months,
            removed_files: swept.files,
            removed_bytes: swept.bytes,
            ..Done::default()
        });
    }
    Ok(done)
}

fn name_of(waiting: &VecDeque<String>) -> &str {
    waiting.front().map_or("", String::as_str)
}

fn kept_for(table: &str, policy: &Policy) -> Duration {
    let kept = if table.starts_with("rollups/") { LEAST_HISTORY } else { policy.history };
    kept.max(LEAST_HISTORY)
}

fn merging(policy: &Policy) -> Merging {
    Merging {
        small_files: policy.small_files,
        rows: FILE_ROWS,
        bytes: FILE_BYTES,
        step_files: STEP_FILES,
    }
}

/// What other engines are told of what is kept, and how long checkpoints know of removed files.
fn properties(kept_for: Duration) -> [(&'static str, String); 3] {
    let interval = format!("interval {} seconds", kept_for.as_secs());
    [
        ("delta.deletedFileRetentionDuration", interval.clone()),
        ("delta.logRetentionDuration", interval),
        ("delta.enableExpiredLogCleanup", "false".to_owned()),
    ]
}

/// The folders of a lake's tables, in their order.
pub(crate) async fn tables(lake: &Location) -> Result<Vec<String>> {
    let mut names: Vec<String> = [EVENTS, AUDIT_LOG].map(str::to_owned).to_vec();
    for group in ["reference", "rollups"] {
        let inside = lake.names_in(group).await?;
        names.extend(inside.into_iter().map(|name| format!("{group}/{name}")));
    }
    let mut found = Vec::new();
    for name in names {
        if lake.join(&name).is_table().await? {
            found.push(name);
        }
    }
    Ok(found)
}

/// In which order the rows of a merged file stand.
fn order_of(table: &str, files: &[DataFile]) -> Order {
    let partition = files.first().and_then(|file| file.partition.as_deref());
    if table == EVENTS && partition != Some(event::REJECTED) {
        |batches| {
            let (sorted, statistics) = land::sort(&batches).map_err(Error::internal)?;
            Ok((sorted, Some(statistics)))
        }
    } else {
        |batches| Ok((batches, None))
    }
}

/// Removes refused lines that landed before a time. Returns how many.
async fn expire_rejects(table: &mut Table, before: DateTime<Utc>) -> Result<u64> {
    let (mut replaced, mut adds, mut expired) = (Vec::new(), Vec::new(), 0);
    for file in table.files()? {
        if file.partition.as_deref() != Some(event::REJECTED) {
            continue;
        }
        let mut kept = Vec::new();
        for batch in table.read(&file, None).await? {
            let landed = batch.column_by_name("landed_at");
            let landed = landed.ok_or_else(|| Error::internal("no column `landed_at`"))?;
            let is_kept: BooleanArray = landed
                .as_primitive::<TimestampMicrosecondType>()
                .iter()
                .map(|landed| Some(landed.is_none_or(|at| at >= before.timestamp_micros())))
                .collect();
            kept.push(filter_record_batch(&batch, &is_kept).map_err(Error::internal)?);
        }
        let rows: u64 = kept.iter().map(|batch| batch.num_rows() as u64).sum();
        if rows == file.rows {
            continue;
        }
        expired += file.rows - rows;
        if rows > 0 {
            adds.push(land::write_rejects(table, &kept).await?);
        }
        replaced.push(file);
    }
    if expired > 0 {
        let removes = table.removals(&replaced)?;
        table.commit(adds, removes, Vec::new(), json!({ "rejects_expired": expired })).await?;
    }
    Ok(expired)
}
