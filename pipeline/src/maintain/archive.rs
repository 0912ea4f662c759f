//! Old months of events: packed as small as they get, and moved to where disk is cheap.
//!
//! To pack takes seconds of a processor and to copy seconds of a disk, so a thread of its own does it while others land. What it has
//! made becomes part of the lake in a step like any other.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use serde_json::Value;
use tokio::sync::oneshot;

use super::{Done, Policy, STEP_FILES};
use crate::error::{Error, Result};
use crate::lake::{DataFile, Lake, Merging, Packing, StorageClass, Table, pack};
use crate::land;
use crate::location::Location;
use crate::location::away::{self, Move};
use crate::zone::{Month, local_date};

/// Rows of a packed file at most, which are in memory while it is made, and bytes of what it is made of.
const FILE_ROWS: u64 = 3 * land::FLUSH_ROWS as u64;
const FILE_BYTES: u64 = 256 << 20;

/// How long a step waits for what a thread does.
const PATIENCE: Duration = Duration::from_millis(50);

/// From then on in a round nothing more is begun where others wait for the next: there are new files to merge.
const SHARE: Duration = Duration::from_secs(5 * 60);

/// An age in whole months of the calendar, at least one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Age(u32);

impl Age {
    /// So many months; `None` for none.
    pub fn months(months: u32) -> Option<Self> {
        (months > 0).then_some(Self(months))
    }
}

impl FromStr for Age {
    type Err = String;

    /// Reads `"3 years"` or `"18 months"`.
    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let read = || {
            let (number, unit) = text.trim().split_once(' ')?;
            let months = match unit.trim() {
                "year" | "years" => 12,
                "month" | "months" => 1,
                _ => return None,
            };
            Self::months(number.parse::<u32>().ok()?.checked_mul(months)?)
        };
        read().ok_or_else(|| {
            format!("`{text}` is no age; write whole years or months, such as \"3 years\"")
        })
    }
}

impl fmt::Display for Age {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0 % 12, self.0 / 12) {
            (0, 1) => formatter.write_str("1 year"),
            (0, years) => write!(formatter, "{years} years"),
            _ if self.0 == 1 => formatter.write_str("1 month"),
            _ => write!(formatter, "{} months", self.0),
        }
    }
}

/// What becomes of old months of events. Numbers stay, and rollups where they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Archive {
    /// A month is old when so many whole months have passed since its end.
    pub after: Age,
    /// The folder that its files are moved to, of a lake in a folder; `None` when they stay.
    pub folder: Option<PathBuf>,
    /// The class of its objects, of a lake in a bucket; `None` for that of the bucket.
    pub class: Option<StorageClass>,
}

impl Archive {
    /// Fails when the lake is in a folder and objects are meant, or the other way round.
    pub fn check(&self, lake: &Location) -> Result<()> {
        match lake.folder() {
            Some(_) if self.class.is_some() => Err(Error::Request(format!(
                "`{lake}` is a folder, and `archive_class` is for lakes in an object store; name a folder on another disk in \
                 `archive_folder`"
            ))),
            None if self.folder.is_some() => Err(Error::Request(format!(
                "`{lake}` is in an object store, and `archive_folder` is for lakes in a folder; name a storage class in \
                 `archive_class`"
            ))),
            _ => Ok(()),
        }
    }
}

/// What would be done to old months.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Rehearsed {
    /// Files that are packed,
    pub(super) packed: u64,
    /// into so many.
    pub(super) made: u64,
    /// Months that are moved.
    pub(super) months: u64,
}

/// Brings old months of a lake into the archive, a file or a month after the other.
#[derive(Debug)]
pub(super) struct Archiver {
    /// Months before it are old.
    before: Month,
    packing: Packing,
    /// Where they go, and the folder of the lake.
    moving: Option<(PathBuf, PathBuf)>,
    is_tidy: bool,
    /// Since when it works in this round.
    since: Option<Instant>,
    /// Whether it goes on until all is done, however long it takes.
    is_thorough: bool,
    job: Option<Job>,
}

/// What a thread does.
#[derive(Debug)]
enum Job {
    Pack { files: Vec<DataFile>, statistics: Value, packed: Working<Vec<u8>> },
    Move { folder: Move, copied: Working<()> },
}

impl Archiver {
    /// `None` when nothing is archived. Fails as [`Archive::check`] does.
    pub(super) fn of(lake: &Lake, policy: &Policy, now: DateTime<Utc>) -> Result<Option<Self>> {
        let Some(archive) = &policy.archive else { return Ok(None) };
        archive.check(lake.location())?;
        let merging = Merging {
            small_files: policy.small_files,
            rows: FILE_ROWS,
            bytes: FILE_BYTES,
            step_files: STEP_FILES,
        };
        let lake_folder = lake.location().folder().map(PathBuf::from);
        Ok(Some(Self {
            before: Month::of(local_date(lake.zone(), now)).before(archive.after.0),
            packing: Packing { merging, class: archive.class },
            moving: archive.folder.clone().zip(lake_folder),
            is_tidy: false,
            since: None,
            is_thorough: false,
            job: None,
        }))
    }

    /// Goes on until all is done.
    pub(super) fn thorough(self) -> Self {
        Self { is_thorough: true, ..self }
    }

    /// Whether a partition is an old month.
    pub(super) fn is_meant(&self, partition: Option<&str>) -> bool {
        partition.and_then(Month::parse).is_some_and(|month| month < self.before)
    }

    /// Gives up what is being made. A later round begins it again.
    pub(super) fn leave_off(&mut self) {
        self.job = None;
    }

    /// Takes the next step; returns whether there are more.
    pub(super) async fn step(&mut self, table: &mut Table, done: &mut Done) -> Result<bool> {
        if let Some((_, lake)) = self.moving.as_ref().filter(|_| !self.is_tidy) {
            if let Some(folder) = table.folder() {
                away::find(folder, lake)?.tidy()?;
            }
            self.is_tidy = true;
        }
        match self.job.take() {
            Some(Job::Move { folder, mut copied }) => match copied.answer().await? {
                Some(()) => {
                    folder.finish()?;
                    done.moved_months += 1;
                }
                None => self.job = Some(Job::Move { folder, copied }),
            },
            Some(Job::Pack { files, statistics, mut packed }) => match packed.answer().await? {
                Some(bytes) => {
                    table.put_packed(&self.packing, &files, bytes, statistics).await?;
                    done.packed += files.len() as u64;
                }
                None => self.job = Some(Job::Pack { files, statistics, packed }),
            },
            None => {
                let since = *self.since.get_or_insert_with(Instant::now);
                if self.is_thorough || since.elapsed() < SHARE {
                    self.job = self.next(table).await?;
                }
                return Ok(self.job.is_some());
            }
        }
        Ok(true)
    }

    /// Begins what comes next. A month is moved before it is packed, so that it is written where it stays.
    async fn next(&self, table: &Table) -> Result<Option<Job>> {
        let months = self.old_months(table)?;
        if let Some((month, (archive, lake))) =
            self.to_move(table, &months)?.first().zip(self.moving.as_ref())
        {
            let folder = Move::begin(month, lake, archive)?;
            let copying = folder.clone();
            let copied = Working::begin(move |is_over| copying.copy(is_over))?;
            return Ok(Some(Job::Move { folder, copied }));
        }
        let Some(files) = months.into_values().find_map(|files| self.packing.next(files)) else {
            return Ok(None);
        };
        let batches = table.read_to_pack(&files).await?;
        let (batches, statistics) = land::sort(&batches).map_err(Error::internal)?;
        let packed = Working::begin(move |_| pack(&batches).map_err(Error::internal))?;
        Ok(Some(Job::Pack { files, statistics, packed }))
    }

    fn old_months(&self, table: &Table) -> Result<BTreeMap<String, Vec<DataFile>>> {
        let mut months: BTreeMap<String, Vec<DataFile>> = BTreeMap::new();
        for file in table.files()? {
            if let Some(month) = file.partition.clone().filter(|month| self.is_meant(Some(month))) {
                months.entry(month).or_default().push(file);
            }
        }
        Ok(months)
    }

    /// The folders of old months that are still where they were.
    fn to_move(
        &self,
        table: &Table,
        months: &BTreeMap<String, Vec<DataFile>>,
    ) -> Result<Vec<PathBuf>> {
        let (Some((_, lake)), Some(folder)) = (&self.moving, table.folder()) else {
            return Ok(Vec::new());
        };
        let away = away::find(folder, lake)?.folders;
        let names = months.values().flatten().filter_map(|file| file.path.split('/').next());
        let mut staying: Vec<PathBuf> = names
            .filter(|name| !away.iter().any(|away| away == name))
            .map(|name| folder.join(name))
            .collect();
        staying.dedup();
        Ok(staying)
    }

    /// What all the steps would do.
    pub(super) fn rehearse(&self, table: &Table) -> Result<Rehearsed> {
        let months = self.old_months(table)?;
        let mut told = Rehearsed {
            months: self.to_move(table, &months)?.len() as u64,
            ..Rehearsed::default()
        };
        for (month, mut files) in months {
            let before = files.len();
            let mut packed = 0;
            while let Some(taken) = self.packing.next(files.clone()) {
                packed += taken.len();
                files.retain(|file| !taken.contains(file));
                files.push(self.packing.like(&month, &taken));
            }
            told.packed += packed as u64;
            told.made += (packed + files.len() - before) as u64;
        }
        Ok(told)
    }
}

/// Something that a thread makes.
#[derive(Debug)]
struct Working<T> {
    answer: oneshot::Receiver<Result<T>>,
    is_over: Arc<AtomicBool>,
}

impl<T: Send + 'static> Working<T> {
    fn begin(work: impl FnOnce(&AtomicBool) -> Result<T> + Send + 'static) -> Result<Self> {
        let (sender, answer) = oneshot::channel();
        let is_over = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&is_over);
        let thread = thread::Builder::new().name("archive".to_owned());
        thread
            .spawn(move || {
                // Nobody may be there any more to hear it.
                let _ = sender.send(work(&told));
            })
            .map_err(Error::internal)?;
        Ok(Self { answer, is_over })
    }

    /// What has come of it; `None` when it is not ready for a while.
    async fn answer(&mut self) -> Result<Option<T>> {
        match tokio::time::timeout(PATIENCE, &mut self.answer).await {
            Err(_) => Ok(None),
            Ok(Ok(answer)) => answer.map(Some),
            Ok(Err(_)) => Err(Error::internal("the archive's thread panicked")),
        }
    }
}

impl<T> Drop for Working<T> {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_is_of_whole_months_or_years() {
        let read = |text: &str| text.parse::<Age>().map(|age| (age.0, age.to_string()));
        assert_eq!(read("3 years"), Ok((36, "3 years".to_owned())));
        assert_eq!(read("1 year"), Ok((12, "1 year".to_owned())));
        assert_eq!(read("18 months"), Ok((18, "18 months".to_owned())));
        assert_eq!(read(" 1 month "), Ok((1, "1 month".to_owned())));
        for wrong in
            ["", "3", "0 years", "3y", "-1 years", "1.5 years", "9999999999 years", "3 days"]
        {
            let told = read(wrong).unwrap_err();
            assert!(told.contains("3 years"), "{told}");
        }
    }
}
