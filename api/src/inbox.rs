//! Pushed bodies on their way to the lake: on disk before they are acknowledged, gone once they have landed.

mod draft;
mod receipts;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use chrono::{DateTime, Utc};
use pipeline::source::{Compression, Format, InputFile};
use tokio::sync::{Notify, Semaphore, SemaphorePermit};

pub use draft::Draft;
use receipts::{Key, Receipts};

/// How many times as large as the whole inbox a body may be that has been unpacked.
const UNPACKED_TIMES: u64 = 4;

/// What may wait, and for how long, before it lands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// How many bytes wait at most; beyond that pushes are told to come back.
    pub bytes_max: u64,
    /// How long the oldest body waits at most; beyond that pushes are told to come back.
    pub age_max: Duration,
    /// How long a body waits for others to land with: many small commits are what wears a Delta table out.
    pub land_every: Duration,
    /// How many bytes land without waiting for more.
    pub land_bytes: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            bytes_max: 4 << 30,
            age_max: Duration::from_secs(60 * 60),
            land_every: Duration::from_secs(2),
            land_bytes: 64 << 20,
        }
    }
}

/// A folder of bodies: `inbox/SOURCE/NUMBER-DIGEST[-KEY][.NAME].ndjson`, with `inbox/*.partial` for those that are coming in.
///
/// Only the process that holds the lake's write lock opens it, so that what waits is known without looking.
#[derive(Debug)]
pub struct Inbox {
    folder: PathBuf,
    settings: Settings,
    receiving: Arc<AtomicU64>,
    state: Mutex<State>,
    /// Up to which number the names in a folder are on disk. Taken before the state, never after it.
    synced: Mutex<HashMap<PathBuf, u64>>,
    kept: Condvar,
    enough: Notify,
    judging: Semaphore,
}

#[derive(Debug)]
struct State {
    next: u64,
    waiting: BTreeMap<u64, Body>,
    bytes: u64,
    /// What has been acknowledged, or is about to be, by digest and by the client's key.
    known: HashMap<Key, Known>,
    receipts: Receipts,
}

/// A body that waits to land.
#[derive(Debug, Clone)]
pub struct Body {
    /// The source by whose mapping its lines are read.
    pub source: String,
    /// Where it is.
    pub path: PathBuf,
    /// Whether it was tried to be landed before, maybe with success.
    pub tried: bool,
    bytes: u64,
    since: DateTime<Utc>,
    keys: Vec<Key>,
    digest: Digest,
}

/// The first half of the hash of a body's bytes.
pub type Digest = [u8; 16];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Known {
    digest: Digest,
    /// Whether it is on its way to disk only.
    is_coming: bool,
}

/// What became of a body that was handed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// It is on disk and will land.
    New,
    /// The same body was there, or had landed, before.
    Known,
}

/// What is known of a body before it is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Origin<'o> {
    /// The client's key for it.
    pub key: Option<&'o str>,
    /// What it is called where it comes from.
    pub name: Option<&'o str>,
}

/// Why a body was not kept.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// The key was sent with another body.
    #[error("this Idempotency-Key was used for another body; a key stands for one body")]
    KeyReused,
    /// The disk does not take it.
    #[error("cannot write to the inbox `{}`", .0.display())]
    Disk(PathBuf, #[source] io::Error),
}

/// The inbox takes nothing at the moment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{why}; nothing of this was kept, send it again later")]
pub struct Full {
    why: String,
    /// When to come back.
    pub retry_after: Duration,
}

/// How much waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Backlog {
    /// Bodies.
    pub bodies: usize,
    /// Their bytes.
    pub bytes: u64,
    /// How long the oldest has been waiting.
    pub oldest: Duration,
}

impl Inbox {
    /// Opens the inbox of a lake; what a crash left in it is still there, but for what was not whole.
    pub fn open(lake: &Path, settings: Settings, now: DateTime<Utc>) -> io::Result<Self> {
        let folder = lake.join("inbox");
        std::fs::create_dir_all(&folder)?;
        let receipts = Receipts::open(&lake.join("receipts"), now)?;
        let mut state =
            State { next: 1, waiting: BTreeMap::new(), bytes: 0, known: HashMap::new(), receipts };
        for (key, digest) in state.receipts.known() {
            state.known.insert(key, Known { digest, is_coming: false });
        }
        for entry in std::fs::read_dir(&folder)? {
            let path = entry?.path();
            if path.is_dir() {
                state.find_bodies(&path)?;
            } else if path.extension().is_some_and(|extension| extension == "partial") {
                // It was never acknowledged.
                std::fs::remove_file(&path)?;
            }
        }
        Ok(Self {
            folder,
            settings,
            receiving: Arc::default(),
            state: Mutex::new(state),
            synced: Mutex::default(),
            kept: Condvar::new(),
            enough: Notify::new(),
            judging: Semaphore::new(2 * thread::available_parallelism().map_or(1, usize::from)),
        })
    }

    /// How it was set.
    pub fn settings(&self) -> Settings {
        self.settings
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether another body is taken.
    pub fn check_room(&self, now: DateTime<Utc>) -> Result<(), Full> {
        let backlog = self.backlog(now);
        let bytes = backlog.bytes + self.receiving.load(Ordering::Relaxed);
        if bytes >= self.settings.bytes_max {
            let why = format!(
                "{} MB wait to land, the limit is {} MB",
                bytes >> 20,
                self.settings.bytes_max >> 20
            );
            return Err(Full { why, retry_after: 5 * self.settings.land_every });
        }
        if backlog.oldest > self.settings.age_max {
            let why = format!(
                "landing does not get on: the oldest push has been waiting for {} minutes",
                backlog.oldest.as_secs() / 60
            );
            return Err(Full { why, retry_after: Duration::from_secs(60) });
        }
        Ok(())
    }

    /// Waits for a turn to judge a body: a few at once keep the processors busy, and memory is for no more.
    pub async fn judging(&self) -> Option<SemaphorePermit<'_>> {
        self.judging.acquire().await.ok()
    }

    /// How large a body may be that has been unpacked.
    pub fn unpacked_max(&self) -> u64 {
        UNPACKED_TIMES.saturating_mul(self.settings.bytes_max)
    }

    /// Begins a body that is written piece by piece.
    pub fn draft(&self) -> Result<Draft, Refusal> {
        Draft::create(&self.folder, Arc::clone(&self.receiving))
            .map_err(|error| self.refusal(error))
    }

    /// What is told of a disk that does not take a body.
    pub fn refusal(&self, error: io::Error) -> Refusal {
        Refusal::Disk(self.folder.clone(), error)
    }

    /// Keeps a body; it survives a crash and a power cut once this returns. Blocks while the disk writes.
    ///
    /// The same bytes again, or bytes with a key that was used for them before, are known: nothing is kept twice.
    /// What a source calls them becomes a part of the body's name, which rejects show.
    pub fn keep(
        &self,
        draft: Draft,
        source: &str,
        (format, compression): (Format, Compression),
        origin: Origin<'_>,
        now: DateTime<Utc>,
    ) -> Result<Kept, Refusal> {
        let digest = draft.digest();
        let keys: Vec<Key> =
            [Some(Key::of_body(source, digest)), origin.key.map(|key| Key::of_client(source, key))]
                .into_iter()
                .flatten()
                .collect();
        if self.claim(&keys, digest)? == Kept::Known {
            return Ok(Kept::Known);
        }
        let name = receipts::body_name(digest, keys.get(1));
        let ending = format!(".{}{}", format.extension(), compression.suffix());
        let called = origin.name.map(|called| called.strip_suffix(&ending).unwrap_or(called));
        let name = format!("{name}{}{ending}", called.map(receipts::plain).unwrap_or_default());
        let kept = self.write(draft, source, &name, digest, &keys, now);
        let mut state = self.state();
        for key in &keys {
            match &kept {
                Ok(()) => {
                    state.known.insert(*key, Known { digest, is_coming: false });
                }
                Err(_) => {
                    state.known.remove(key);
                }
            }
        }
        if state.bytes >= self.settings.land_bytes {
            self.enough.notify_one();
        }
        drop(state);
        self.kept.notify_all();
        kept.map(|()| Kept::New).map_err(|error| self.refusal(error))
    }

    /// Marks the keys as coming in, or finds them known. Waits for another who brings the same.
    fn claim(&self, keys: &[Key], digest: Digest) -> Result<Kept, Refusal> {
        let mut state = self.state();
        loop {
            let found: Vec<Known> =
                keys.iter().filter_map(|key| state.known.get(key).copied()).collect();
            if found.iter().any(|known| known.digest != digest) {
                return Err(Refusal::KeyReused);
            }
            if found.iter().any(|known| !known.is_coming) {
                return Ok(Kept::Known);
            }
            if found.is_empty() {
                break;
            }
            state = self.kept.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        for key in keys {
            state.known.insert(*key, Known { digest, is_coming: true });
        }
        Ok(Kept::New)
    }

    fn write(
        &self,
        draft: Draft,
        source: &str,
        name: &str,
        digest: Digest,
        keys: &[Key],
        now: DateTime<Utc>,
    ) -> io::Result<()> {
        let folder = self.folder.join(source);
        if !folder.is_dir() {
            std::fs::create_dir_all(&folder)?;
            File::open(&self.folder)?.sync_all()?;
        }
        let bytes = draft.bytes();
        let partial = draft.sync()?;
        let number = {
            let mut state = self.state();
            let number = state.next;
            let path = folder.join(format!("{number:020}-{name}"));
            partial.become_file(&path)?;
            state.next += 1;
            state.bytes += bytes;
            let source = source.to_owned();
            let keys = keys.to_vec();
            let body = Body { source, path, tried: false, bytes, since: now, keys, digest };
            state.waiting.insert(number, body);
            number
        };
        // It may land before the folder is on disk: the commit holds it then.
        self.sync_folder(&folder, number)
    }

    /// Brings the name of a body to disk, and those of all that wait for the same with it.
    fn sync_folder(&self, folder: &Path, number: u64) -> io::Result<()> {
        let mut synced = self.synced.lock().unwrap_or_else(PoisonError::into_inner);
        if synced.get(folder).is_some_and(|last| *last >= number) {
            return Ok(());
        }
        let last = self.state().next - 1;
        File::open(folder)?.sync_all()?;
        synced.insert(folder.to_owned(), last);
        Ok(())
    }

    /// Returns when there is enough to land, or when what there is has waited for others.
    pub async fn wait(&self) {
        // What is enough before anybody waits is seen at once.
        let _ = tokio::time::timeout(self.settings.land_every, self.enough.notified()).await;
    }

    /// The bodies that wait, of each source in the order of their arrival.
    pub fn waiting(&self) -> BTreeMap<String, Vec<Body>> {
        let mut waiting: BTreeMap<String, Vec<Body>> = BTreeMap::new();
        for body in self.state().waiting.values() {
            waiting.entry(body.source.clone()).or_default().push(body.clone());
        }
        waiting
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.state().waiting.is_empty()
    }

    /// How much waits.
    pub fn backlog(&self, now: DateTime<Utc>) -> Backlog {
        let state = self.state();
        let oldest = state.waiting.values().next().map(|body| body.since);
        Backlog {
            bodies: state.waiting.len(),
            bytes: state.bytes,
            // A clock that was set back makes nothing old.
            oldest: oldest
                .map_or(Duration::ZERO, |since| (now - since).to_std().unwrap_or_default()),
        }
    }

    /// Notes that bodies are about to be landed: if that is not heard to succeed, they may have landed all the same.
    pub fn trying(&self, bodies: &[Body]) {
        let mut state = self.state();
        let tried: HashSet<&Path> = bodies.iter().map(|body| body.path.as_path()).collect();
        for body in state.waiting.values_mut() {
            body.tried |= tried.contains(body.path.as_path());
        }
    }

    /// Forgets bodies that have landed, but not that they were here.
    pub fn landed(&self, bodies: &[Body], now: DateTime<Utc>) -> io::Result<()> {
        let receipts =
            bodies.iter().flat_map(|body| body.keys.iter().map(|key| (*key, body.digest)));
        let forgotten = self.state().receipts.add(receipts.collect(), now)?;
        for body in bodies {
            std::fs::remove_file(&body.path)?;
        }
        let mut state = self.state();
        for key in forgotten {
            state.known.remove(&key);
        }
        state.forget(bodies);
        Ok(())
    }

    /// Sets a body aside that cannot be read, to `inbox-failed`; returns where it is now. It may be sent again.
    pub fn set_aside(&self, body: &Body, why: &str) -> io::Result<PathBuf> {
        let folder = self.folder.with_file_name("inbox-failed").join(&body.source);
        std::fs::create_dir_all(&folder)?;
        let name = body.path.file_name().unwrap_or_default();
        let aside = folder.join(name);
        std::fs::rename(&body.path, &aside)?;
        let mut note = aside.clone().into_os_string();
        note.push(".error.txt");
        std::fs::write(note, format!("{why}\n"))?;
        File::open(&folder)?.sync_all()?;
        let mut state = self.state();
        for key in &body.keys {
            state.known.remove(key);
        }
        state.forget(std::slice::from_ref(body));
        Ok(aside)
    }
}

impl State {
    /// Finds what a crash, or a stop, left of one source.
    fn find_bodies(&mut self, folder: &Path) -> io::Result<()> {
        let Some(source) = folder.file_name().and_then(|name| name.to_str()) else { return Ok(()) };
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
            let Some((number, _)) = name.split_once(['-', '.']) else { continue };
            let Ok(number) = number.parse::<u64>() else { continue };
            if InputFile::new(&path).is_err() {
                continue;
            }
            let (digest, key) = receipts::read_body_name(name);
            let metadata = std::fs::metadata(&path)?;
            let mut keys = Vec::new();
            if let Some(digest) = digest {
                keys.extend([Some(Key::of_body(source, digest)), key].into_iter().flatten());
            }
            let digest = digest.unwrap_or_default();
            for key in &keys {
                self.known.insert(*key, Known { digest, is_coming: false });
            }
            self.next = self.next.max(number + 1);
            self.bytes += metadata.len();
            // Two sources may have the same number after a restore.
            let mut place = number;
            while self.waiting.contains_key(&place) {
                place += 1;
            }
            self.next = self.next.max(place + 1);
            let source = source.to_owned();
            let since = DateTime::from(metadata.modified()?);
            let bytes = metadata.len();
            self.waiting
                .insert(place, Body { source, path, tried: true, bytes, since, keys, digest });
        }
        Ok(())
    }

    fn forget(&mut self, bodies: &[Body]) {
        let gone: HashSet<&Path> = bodies.iter().map(|body| body.path.as_path()).collect();
        self.waiting.retain(|_, body| !gone.contains(body.path.as_path()));
        self.bytes = self.waiting.values().map(|body| body.bytes).sum();
    }
}

#[cfg(test)]
mod tests;
