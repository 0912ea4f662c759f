//! Maintenance while a server runs: rounds of short steps between landings, on the lander's own task.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use pipeline::audit::AuditLog;
use pipeline::lake::{Lake, WriteLock};
use pipeline::maintain::{Policy, Round};

use crate::clock::Clock;

/// Steps follow each other for so long before it is looked again whether something is to land.
const SLICE: Duration = Duration::from_secs(1);

/// How a server maintains its lake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// How long it rests between two rounds; `None` for never.
    pub every: Option<Duration>,
    /// What is kept, and when files are merged.
    pub policy: Policy,
}

impl Default for Settings {
    fn default() -> Self {
        Self { every: Some(Duration::from_secs(10 * 60)), policy: Policy::default() }
    }
}

/// What has come of it, for `/metrics`.
#[derive(Debug, Default)]
pub struct Record(Mutex<Told>);

/// What has come of maintenance since the server started.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Told {
    /// When the last round ended in which nothing failed.
    pub succeeded_at: Option<DateTime<Utc>>,
    /// Why the last round failed, if it did.
    pub failure: Option<String>,
    /// Tables that could not be maintained.
    pub failures: u64,
    /// Files that became parts of others.
    pub merged_files: u64,
    /// Files that were removed from the disk.
    pub removed_files: u64,
    /// Their bytes.
    pub removed_bytes: u64,
    /// Files of old months that were packed.
    pub packed_files: u64,
    /// Months that were moved to the archive.
    pub moved_months: u64,
}

impl Record {
    /// As it stands.
    pub fn told(&self) -> Told {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn change(&self, change: impl FnOnce(&mut Told)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// Keeps a lake in order, round after round.
#[derive(Debug)]
pub(crate) struct Keeper {
    settings: Settings,
    round: Option<Round>,
    rested_since: Instant,
    failure: Option<String>,
}

impl Keeper {
    /// Begins with a rest: a server that starts has other things to do.
    pub(crate) fn new(settings: Settings) -> Self {
        Self { settings, round: None, rested_since: Instant::now(), failure: None }
    }

    /// Takes a step if a round is due, and more for a moment while `is_free`. Returns whether a round has ended that changed
    /// files.
    ///
    /// One step at least, since where there is always something to land there would never be time for maintenance.
    pub(crate) async fn work(
        &mut self,
        lake: &mut Lake,
        lock: &WriteLock,
        audit: &AuditLog,
        record: &Record,
        is_free: impl Fn() -> bool,
    ) -> bool {
        let started = Instant::now();
        loop {
            let mut round = match self.round.take() {
                Some(round) => round,
                None if self.is_due() => {
                    match Round::new(lake, self.settings.policy.clone(), Clock::Machine.now()).await
                    {
                        Ok(round) => round,
                        Err(error) => {
                            self.fail(record, error);
                            self.rest(record);
                            return false;
                        }
                    }
                }
                None => return false,
            };
            let more = match round.step(lake, lock, Some(audit)).await {
                Ok(more) => more,
                Err(error) => {
                    self.fail(record, error);
                    true
                }
            };
            if !more {
                let changed = tell(&round, record);
                self.rest(record);
                return changed;
            }
            self.round = Some(round);
            if started.elapsed() >= SLICE || !is_free() {
                return false;
            }
        }
    }

    fn is_due(&self) -> bool {
        self.settings.every.is_some_and(|every| self.rested_since.elapsed() >= every)
    }

    fn fail(&mut self, record: &Record, error: pipeline::Error) {
        let error = format!("{:#}", anyhow::Error::from(error));
        tracing::error!(error, "a table cannot be maintained");
        record.change(|told| told.failures += 1);
        self.failure = Some(error);
    }

    fn rest(&mut self, record: &Record) {
        let failure = self.failure.take();
        record.change(|told| {
            if failure.is_none() {
                told.succeeded_at = Some(Clock::Machine.now());
            }
            told.failure = failure;
        });
        self.rested_since = Instant::now();
    }
}

/// Adds what a round did to the record. Returns whether it did anything.
fn tell(round: &Round, record: &Record) -> bool {
    let mut changed = false;
    for done in round.done().iter().filter(|done| !done.is_nothing()) {
        changed = true;
        let (table, merged, removed) = (&done.table, done.merged, done.removed_files);
        let (packed, moved) = (done.packed, done.moved_months);
        tracing::info!(
            table,
            merged,
            removed,
            packed,
            moved,
            "maintained {table}: {merged} files merged, {removed} removed, {packed} packed, {moved} months moved"
        );
        record.change(|told| {
            told.merged_files += merged;
            told.removed_files += removed;
            told.removed_bytes += done.removed_bytes;
            told.packed_files += packed;
            told.moved_months += moved;
        });
    }
    changed
}

#[cfg(test)]
mod tests {
    use pipeline::source::InputFile;
    use pipeline::source::mapping::Mapping;
    use pipeline::{definition::Definitions, land};

    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn a_round_comes_to_its_end_also_where_there_is_always_something_to_land() {
        let folder = tempfile::tempdir().unwrap();
        let mut lake = Lake::open_or_create(&folder.path().join("lake"), None).await.unwrap();
        let lock = lake.lock().await.unwrap();
        let mapping = Mapping::find(&Definitions::load(None).unwrap(), "native").unwrap();
        let now = "2025-06-01T00:00:00Z".parse().unwrap();
        for number in 0..4 {
            let file = folder.path().join(format!("{number}.ndjson"));
            let line = format!(
                r#"{{"event_id":"{number}","event_type":"patrol.recorded","occurred_at":"2025-03-01T08:00:00Z","org_id":"a"}}"#
            );
            std::fs::write(&file, line).unwrap();
            let inputs = [InputFile::new(&file).unwrap()];
            land::land(&mut lake, &lock, &mapping, &inputs, now, &|_| {}).await.unwrap();
        }
        let policy = Policy { small_files: 2, ..Policy::default() };
        let settings = Settings { every: Some(Duration::ZERO), policy };
        let (mut keeper, record) = (Keeper::new(settings), Record::default());
        let audit = AuditLog::open(lake.location(), &lock).await.unwrap();
        let mut steps = 0;
        while record.told().succeeded_at.is_none() {
            keeper.work(&mut lake, &lock, &audit, &record, || false).await;
            steps += 1;
            assert!(steps < 1_000, "{keeper:?}");
        }
        assert_eq!(record.told().merged_files, 4);
    }
}
