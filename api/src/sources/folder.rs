//! A folder that is watched: a file lands when it is complete, and is moved away then.
//!
//! It is looked at from time to time, which also works on network drives. A file is taken for complete when its size
//! and time have not changed for a while. What a crash interrupts is done again: the inbox knows a body by its bytes.

use std::collections::{BTreeMap, HashMap};
use std::fs::{File, Metadata};
use std::io::{self, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use chrono::{DateTime, TimeDelta, Utc};
use pipeline::source::mapping::Mapping;
use pipeline::source::{self, Compression, Format, InputFile, Limits, workbook};
use serde::{Deserialize, Serialize};

use crate::clock::Clock;
use crate::inbox::Origin;
use crate::server::Server;
use crate::sources::{self, Status, Trouble, record};

/// How many files that have not landed are followed at once; the others get their turn.
const FOLLOWED_MAX: usize = 10_000;

/// An empty file is often one that is about to be written.
const EMPTY_SETTLE: Duration = Duration::from_secs(60);

/// How long, how often and how many files are looked at again that were moved away, since somebody may still write
/// to them.
const DONE_WATCHED: TimeDelta = TimeDelta::days(1);
const DONE_EVERY: Duration = Duration::from_secs(30);
const DONE_MAX: usize = 1_000;

const COPIED_BYTES: usize = 1 << 20;

/// How a folder is watched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The folder.
    pub path: PathBuf,
    /// Which of its files are meant; `None`: all.
    pub pattern: Option<glob::Pattern>,
    /// How long a file has to stay as it is before it is taken for complete.
    pub settle: Duration,
    /// What happens to a file that has landed.
    pub done: Done,
    /// Where files go that cannot be read.
    pub failed: PathBuf,
}

/// What happens to a file that has landed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Done {
    /// It stays; what has landed is kept in a record.
    Keep,
    /// It is moved to this folder.
    Move(PathBuf),
}

/// What tells one state of a file from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Stamp {
    bytes: u64,
    seconds: i64,
    nanos: i64,
    inode: u64,
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        Self {
            bytes: metadata.size(),
            seconds: metadata.mtime(),
            nanos: metadata.mtime_nsec(),
            inode: metadata.ino(),
        }
    }
}

/// A file that has landed: where it is now, by its name there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Landed {
    stamp: Stamp,
    at: DateTime<Utc>,
}

/// A file that is there and has not landed.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Found {
    name: String,
    path: PathBuf,
    stamp: Stamp,
}

/// A file that is followed until it is complete.
#[derive(Debug, Clone, Copy)]
struct Followed {
    stamp: Stamp,
    /// Since when it is as it is.
    since: Instant,
    /// Since when it is there.
    found: Instant,
}

/// A watched folder.
#[derive(Debug)]
pub(super) struct Folder {
    settings: Settings,
    mapping: String,
    server: Arc<Server>,
    status: Arc<Status>,
    record: PathBuf,
    /// What has landed: files of `done`, or of the folder itself where they stay. `None` until it has been read.
    landed: Option<BTreeMap<String, Landed>>,
    followed: HashMap<String, Followed>,
    /// What is in the inbox and could not be moved away yet.
    kept: HashMap<String, Stamp>,
    done_watched: Option<Instant>,
}

impl Folder {
    pub(super) fn new(
        source: &sources::Settings,
        settings: Settings,
        server: Arc<Server>,
        status: Arc<Status>,
    ) -> Self {
        Self {
            record: sources::record_path(&server, &source.name),
            mapping: source.mapping.clone(),
            settings,
            server,
            status,
            landed: None,
            followed: HashMap::new(),
            kept: HashMap::new(),
            done_watched: None,
        }
    }

    /// Looks at the folder from time to time, for as long as it is polled.
    pub(super) async fn watch(mut self, every: Duration) {
        loop {
            let looked = tokio::task::spawn_blocking(move || {
                let pause = self.look(Instant::now());
                (self, pause)
            });
            let Ok((folder, pause)) = looked.await else {
                // It panicked, which is in the log; a restart watches it again.
                return;
            };
            self = folder;
            tokio::time::sleep(every.max(pause)).await;
        }
    }

    /// Looks once and lands what is complete. Returns how long to stay away at least.
    fn look(&mut self, now: Instant) -> Duration {
        let mut pause = Duration::ZERO;
        let looked = match self.land_complete(now) {
            Ok(()) => None,
            Err(Trouble::Full(until)) => {
                pause = until;
                None
            }
            Err(Trouble::Later(error) | Trouble::Unreadable(error)) => Some(error),
        };
        self.status.looked(looked);
        pause
    }

    fn land_complete(&mut self, now: Instant) -> Result<(), Trouble> {
        if self.landed.is_none() {
            let landed = record::read(&self.record).map_err(|error| Trouble::later(&error))?;
            self.landed = Some(landed.unwrap_or_default());
        }
        self.take_back_grown(now).map_err(|error| Trouble::later(&error))?;
        let found = self.list().map_err(|error| Trouble::later(&error))?;
        let complete = self.follow(found, now);
        let mut trouble = Ok(());
        let mut has_changed = false;
        for file in complete {
            match self.land(&file) {
                Ok(()) => {
                    has_changed = true;
                    self.forget(&file.name);
                }
                Err(full @ Trouble::Full(_)) => {
                    trouble = Err(full);
                    break;
                }
                Err(Trouble::Unreadable(why)) => match self.set_aside(&file, &why) {
                    Ok(()) => self.forget(&file.name),
                    Err(error) => trouble = Err(Trouble::later(&error)),
                },
                // One file that cannot be reached holds up no other.
                Err(later @ Trouble::Later(_)) => trouble = Err(later),
            }
        }
        if has_changed {
            record::write(&self.record, &self.landed).map_err(|error| Trouble::later(&error))?;
        }
        trouble
    }

    /// The folder's files that have not landed as they are now, and with them what has gone from the record.
    fn list(&mut self) -> anyhow::Result<Vec<Found>> {
        let path = &self.settings.path;
        let told = || format!("failed to look into the folder `{}`", path.display());
        let keeps = self.settings.done == Done::Keep;
        let mut found = Vec::new();
        let mut here = BTreeMap::new();
        for entry in std::fs::read_dir(path).with_context(told)? {
            let entry = entry.with_context(told)?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if !is_meant(&name, self.settings.pattern.as_ref()) {
                continue;
            }
            // A link is not followed: who may write into this folder need not be one who may read everything.
            let metadata = match entry.metadata() {
                Ok(metadata) if metadata.is_file() => metadata,
                Ok(_) => continue,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error).with_context(told),
            };
            let stamp = Stamp::of(&metadata);
            if keeps && let Some(landed) = self.landed.as_ref().and_then(|all| all.get(&name)) {
                here.insert(name.clone(), *landed);
                if landed.stamp == stamp {
                    continue;
                }
            }
            if found.len() < FOLLOWED_MAX {
                found.push(Found { name, path: entry.path(), stamp });
            }
        }
        if keeps {
            self.landed = Some(here);
        }
        Ok(found)
    }

    /// Follows files and returns those that are complete, the oldest first.
    fn follow(&mut self, found: Vec<Found>, now: Instant) -> Vec<Found> {
        let mut followed = HashMap::with_capacity(found.len());
        let mut complete = Vec::new();
        for Found { name, path, stamp } in found {
            let file = match self.followed.get(&name) {
                Some(known) if known.stamp == stamp => *known,
                Some(known) => Followed { stamp, since: now, found: known.found },
                None => Followed { stamp, since: now, found: now },
            };
            followed.insert(name.clone(), file);
            let settle = match stamp.bytes {
                0 => self.settings.settle.max(EMPTY_SETTLE.min(10 * self.settings.settle)),
                _ => self.settings.settle,
            };
            if now.duration_since(file.since) >= settle {
                complete.push(Found { name, path, stamp });
            }
        }
        complete.sort_by(|left, right| {
            let (earlier, later) = (left.stamp, right.stamp);
            (earlier.seconds, earlier.nanos, &left.name).cmp(&(
                later.seconds,
                later.nanos,
                &right.name,
            ))
        });
        let oldest = followed.values().map(|file| now.duration_since(file.found)).max();
        let mut facts = self.status.lock();
        facts.waiting = followed.len();
        facts.oldest = oldest.unwrap_or_default();
        drop(facts);
        self.followed = followed;
        complete
    }

    fn forget(&mut self, name: &str) {
        self.followed.remove(name);
        let mut facts = self.status.lock();
        facts.waiting = self.followed.len();
        if self.followed.is_empty() {
            facts.oldest = Duration::ZERO;
        }
    }

    /// Brings a file into the inbox, whole, and moves it away.
    fn land(&mut self, found: &Found) -> Result<(), Trouble> {
        let now = Clock::Machine.now();
        if self.kept.get(&found.name) != Some(&found.stamp) {
            self.bring(found, now)?;
            self.kept.insert(found.name.clone(), found.stamp);
        }
        let name = self.move_away(found).map_err(|error| Trouble::later(&error))?;
        self.kept.remove(&found.name);
        if let Some(landed) = &mut self.landed {
            landed.insert(name, Landed { stamp: found.stamp, at: now });
        }
        Ok(())
    }

    fn bring(&self, found: &Found, now: DateTime<Utc>) -> Result<(), Trouble> {
        let Found { name, path, stamp } = found;
        let inbox = self.server.inbox();
        inbox.check_room(now).map_err(|full| Trouble::Full(full.retry_after))?;
        let bytes_max = inbox.settings().bytes_max;
        if stamp.bytes > bytes_max {
            return Err(Trouble::Unreadable(format!(
                "it is larger than the whole inbox, {} MB; split it, set [inbox] `bytes` higher, or stop the server and \
                 use `lawpulse land`",
                bytes_max >> 20
            )));
        }
        let mapping = Mapping::find(&self.server.definitions(), &self.mapping)
            .map_err(|error| Trouble::later(&error.into()))?;
        if path.file_name().is_some_and(|name| name.to_str().is_none()) {
            // As when a program that writes GBK has made it.
            return Err(Trouble::Unreadable("its name is not UTF-8; rename it".to_owned()));
        }
        let file = InputFile::new(path).map_err(|error| Trouble::Unreadable(error.to_string()))?;
        let sheets = file.sheets(&mapping, None);
        let (inputs, sheets) = sheets.map_err(|error| self.trouble_of(path, error))?;
        for (sheet, why) in &sheets.passed_over {
            tracing::warn!(file = %path.display(), sheet, why, "a sheet is passed over");
        }
        // All of them can be read, or nothing lands.
        for input in &inputs {
            self.judge(&mapping, input)?;
        }
        for input in &inputs {
            self.keep(name, &mapping, input, *stamp)?;
        }
        self.status.lock().landed_at = Some(now);
        Ok(())
    }

    /// Finds out whether the file can be read; its refused lines are kept when it lands.
    fn judge(&self, mapping: &Mapping, file: &InputFile) -> Result<(), Trouble> {
        let view = self.server.view();
        let limits =
            Limits { rejects_shown: 0, unpacked_bytes: self.server.inbox().unpacked_max() };
        let now = Clock::Machine.now();
        let judged = source::judge_file(mapping, view.zone(), || view.org_ids(), now, file, limits);
        match judged {
            Ok(judged) => {
                let (path, accepted, rejected) =
                    (file.path().display(), judged.accepted, judged.rejected);
                tracing::info!(file = %path, accepted, rejected, "a file comes in");
                Ok(())
            }
            Err(error) => Err(self.trouble_of(file.path(), error)),
        }
    }

    /// Whether a person has to mend the file, or it may be read later as it is.
    fn trouble_of(&self, path: &Path, error: pipeline::Error) -> Trouble {
        let is_about = error.is_about(path);
        let error = anyhow::Error::from(error);
        if is_about { Trouble::Unreadable(format!("{error:#}")) } else { Trouble::later(&error) }
    }

    /// Copies the file into the inbox; one that changes meanwhile is left for the next look.
    fn keep(
        &self,
        name: &str,
        mapping: &Mapping,
        file: &InputFile,
        stamp: Stamp,
    ) -> Result<(), Trouble> {
        let path = file.path();
        let reading = |error: io::Error| {
            let error = anyhow::Error::from(error);
            Trouble::later(&error.context(format!("failed to read `{}`", path.display())))
        };
        let changed = || Trouble::Later(format!("`{}` changes while it is read", path.display()));
        let opened = File::open(path).map_err(reading)?;
        if Stamp::of(&opened.metadata().map_err(reading)?) != stamp {
            return Err(changed());
        }
        if stamp.bytes == 0 {
            // Of nothing there is nothing to keep.
            return Ok(());
        }
        let (mut input, name, written): (Box<dyn io::Read>, _, _) = match file.sheet() {
            None => (Box::new(&opened), name.to_owned(), file.written()),
            // Its rows wait as lines, so that the workbook is unpacked once.
            Some(sheet) => {
                let text = workbook::text(path, sheet, mapping);
                let text = text.map_err(|error| self.trouble_of(path, error))?;
                (text, format!("{name}:{sheet}"), (Format::Json, Compression::None))
            }
        };
        let inbox = self.server.inbox();
        let mut draft = inbox.draft()?;
        let mut piece = vec![0; COPIED_BYTES];
        loop {
            let read = input.read(&mut piece).map_err(reading)?;
            if read == 0 {
                break;
            }
            let written = draft.write_all(&piece[..read]);
            written.map_err(|error| inbox.refusal(error))?;
        }
        if Stamp::of(&opened.metadata().map_err(reading)?) != stamp {
            return Err(changed());
        }
        let origin = Origin { key: None, name: Some(&name) };
        inbox.keep(draft, &self.mapping, written, origin, Clock::Machine.now())?;
        Ok(())
    }

    /// Moves a file that has landed to where such files go; returns its name there.
    fn move_away(&self, found: &Found) -> anyhow::Result<String> {
        match &self.settings.done {
            Done::Keep => Ok(found.name.clone()),
            Done::Move(folder) => move_into(&found.path, folder, &found.name),
        }
    }

    /// Moves a file that cannot be read to where such files go, with a note that says why.
    fn set_aside(&mut self, found: &Found, why: &str) -> anyhow::Result<()> {
        let Found { name, path, stamp } = found;
        let now = std::fs::symlink_metadata(path)
            .with_context(|| format!("failed to look at `{}`", path.display()))?;
        if Stamp::of(&now) != *stamp {
            // It was not complete after all.
            return Ok(());
        }
        let failed = &self.settings.failed;
        let name = move_into(path, failed, name)?;
        let note = failed.join(format!("{name}.error.txt"));
        let text = format!(
            "{why}\n\nNothing of this file has landed. Mend it, or the mapping `{}`, and move it back to {}\n",
            self.mapping,
            self.settings.path.display()
        );
        let written = std::fs::write(&note, text)
            .and_then(|()| std::fs::set_permissions(&note, now.permissions()));
        // The file is where it belongs; without its note the log still says why.
        if let Err(error) = written {
            tracing::error!(%error, note = %note.display(), "a note cannot be written");
        }
        let (source, file) = (self.status.name(), failed.join(&name));
        tracing::error!(source, file = %file.display(), error = why, "a file cannot be read and is set aside");
        self.status.lock().failed += 1;
        Ok(())
    }

    /// Brings files back that somebody has gone on writing to after they were moved away.
    fn take_back_grown(&mut self, now: Instant) -> anyhow::Result<()> {
        let (Done::Move(done), Some(landed)) = (&self.settings.done, &mut self.landed) else {
            return Ok(());
        };
        if self.done_watched.is_some_and(|at| now.duration_since(at) < DONE_EVERY) {
            return Ok(());
        }
        self.done_watched = Some(now);
        let oldest = Clock::Machine.now() - DONE_WATCHED;
        landed.retain(|_, file| file.at >= oldest);
        while landed.len() > DONE_MAX {
            let first = landed.iter().min_by_key(|(_, file)| file.at).map(|(name, _)| name.clone());
            first.map(|name| landed.remove(&name));
        }
        let grown: Vec<String> = landed
            .iter()
            .filter(|(name, file)| {
                let metadata = std::fs::symlink_metadata(done.join(name));
                metadata.is_ok_and(|metadata| {
                    metadata.is_file() && Stamp::of(&metadata).bytes != file.stamp.bytes
                })
            })
            .map(|(name, _)| name.clone())
            .collect();
        for name in grown {
            tracing::info!(file = name, "a file has changed after it landed, and lands again");
            move_into(&done.join(&name), &self.settings.path, &name)?;
            landed.remove(&name);
        }
        Ok(())
    }
}

/// Whether a file is one of those that land: not hidden, not on its way, and of the pattern.
fn is_meant(name: &str, pattern: Option<&glob::Pattern>) -> bool {
    let lower = name.to_ascii_lowercase();
    // `~$` is how Office marks a workbook that is open.
    let is_passing =
        [".partial", ".tmp", ".part", ".error.txt"].iter().any(|end| lower.ends_with(end))
            || lower.starts_with('.')
            || lower.starts_with("~$");
    !is_passing && pattern.is_none_or(|pattern| pattern.matches(name))
}

/// Moves a file into a folder, under a numbered name where its own is taken; returns the name.
fn move_into(path: &Path, folder: &Path, name: &str) -> anyhow::Result<String> {
    let moved = || -> io::Result<String> {
        if !folder.is_dir() {
            std::fs::create_dir_all(folder)?;
            // Who may put files here may look for them there, whatever the mask of the service is.
            let here = path.parent().unwrap_or(Path::new("")).metadata()?;
            std::fs::set_permissions(folder, here.permissions())?;
        }
        let name = free_name(name, |name| folder.join(name).symlink_metadata().is_ok());
        std::fs::rename(path, folder.join(&name))?;
        Ok(name)
    };
    moved().with_context(|| {
        format!(
            "failed to move `{}` to `{}`, which has to be on the same file system and to be writable",
            path.display(),
            folder.display()
        )
    })
}

/// The name, or the name with a number that is not taken. Asks little more often than the number has digits.
fn free_name(name: &str, is_taken: impl Fn(&str) -> bool) -> String {
    if !is_taken(name) {
        return name.to_owned();
    }
    let dot = name.char_indices().skip(1).find(|(_, letter)| *letter == '.');
    let (stem, ending) = name.split_at(dot.map_or(name.len(), |(place, _)| place));
    let numbered = |number: u64| format!("{stem} ({number}){ending}");
    let (mut taken, mut free) = (1, 2);
    while is_taken(&numbered(free)) {
        (taken, free) = (free, 2 * free);
    }
    while taken + 1 < free {
        let middle = taken.midpoint(free);
        if is_taken(&numbered(middle)) { taken = middle } else { free = middle }
    }
    numbered(free)
}

#[cfg(test)]
mod tests;
