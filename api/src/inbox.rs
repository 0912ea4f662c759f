//! Pushed bodies on their way to the lake: on disk before they are acknowledged, gone once they have landed.

mod bundle;
mod draft;
mod receipts;
mod together;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::File;
use std::io::{self, Cursor, Read as _, Seek as _, SeekFrom, Write as _};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use pipeline::error::may_pass;
use pipeline::source::{Compression, Format, InputFile};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

use crate::clock::Clock;

pub use draft::Draft;
use receipts::{Key, Receipts};
use together::{Small, Together};

/// Up to which size a body shares a file with others: the disk takes larger ones as fast alone.
const SMALL_BYTES: usize = 64 << 10;
/// How many bodies wait at most: each takes memory, whatever it holds.
const BODIES_MAX: usize = 1_000_000;
/// By how much longer than `land_every` a body may wait before those that come are taken more slowly: what is acknowledged is to
/// show soon, also when more comes than lands.
const PACED_AFTER: Duration = Duration::from_secs(3);
/// How long a body is held back at most: whoever sends one after the other sends two a second then.
const HELD_BACK_MAX: Duration = Duration::from_millis(500);

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
/// `inbox/SOURCE/NUMBER-DIGEST.tar` has several that came at once, `DIGEST[-KEY].ndjson` each; they are numbered on from its number.
///
/// Only the process that holds the lake's write lock opens it, so that what waits is known without looking.
#[derive(Debug)]
pub struct Inbox {
    folder: PathBuf,
    settings: Settings,
    receiving: Arc<AtomicU64>,
    state: Mutex<State>,
    /// On disk before what they are for leaves it. Never taken with the state.
    receipts: Mutex<Receipts>,
    /// Up to which number the names in a folder are on disk. Taken before the state, never after it.
    synced: Mutex<HashMap<PathBuf, u64>>,
    kept: Condvar,
    together: Together,
    enough: Notify,
    landed: Notify,
    judging: Arc<Semaphore>,
}

#[derive(Debug)]
struct State {
    next: u64,
    waiting: BTreeMap<u64, Body>,
    bytes: u64,
    /// What has been acknowledged, or is about to be, by digest and by the client's key.
    known: HashMap<Key, Known>,
}

/// A body that waits to land.
#[derive(Debug, Clone)]
pub struct Body {
    /// The source by whose mapping its lines are read.
    pub source: String,
    /// Where it is, or would be were it not in a bundle.
    pub path: PathBuf,
    /// The bundle that holds it, and where.
    bundle: Option<(Arc<Path>, Range<u64>)>,
    /// Its place among all that wait.
    place: u64,
    /// Whether it was tried to be landed before, maybe with success.
    pub tried: bool,
    bytes: u64,
    since: DateTime<Utc>,
    keys: Vec<Key>,
    digest: Digest,
}

impl Body {
    /// The body as a file to land.
    pub fn input(&self) -> pipeline::Result<InputFile> {
        let input = InputFile::new(&self.path)?.pushed(self.tried);
        Ok(match &self.bundle {
            Some((bundle, range)) => input.within(Arc::clone(bundle), range.clone()),
            None => input,
        })
    }
}

/// A body that is not on disk yet.
#[derive(Debug, Clone)]
struct Coming {
    source: String,
    /// What its file is called, but for the number.
    name: String,
    digest: Digest,
    keys: Vec<Key>,
    since: DateTime<Utc>,
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
            State { next: 1, waiting: BTreeMap::new(), bytes: 0, known: HashMap::new() };
        for (key, digest) in receipts.known() {
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
            receipts: Mutex::new(receipts),
            synced: Mutex::default(),
            kept: Condvar::new(),
            together: Together::default(),
            enough: Notify::new(),
            landed: Notify::new(),
            judging: Arc::new(Semaphore::new(
                2 * thread::available_parallelism().map_or(1, usize::from),
            )),
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
        if backlog.bodies >= BODIES_MAX {
            let why = format!("{} bodies wait to land, the limit is {BODIES_MAX}", backlog.bodies);
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

    /// Waits a little while landing is behind, and until it has caught up at most.
    pub async fn hold_back(&self, clock: Clock) {
        let paced_after = self.settings.land_every + PACED_AFTER;
        let is_behind = || self.backlog(clock.now()).oldest > paced_after;
        let caught_up = async {
            loop {
                // Asked for first, so that no landing between the question and the wait is missed.
                let landed = self.landed.notified();
                if !is_behind() {
                    return;
                }
                landed.await;
            }
        };
        // Whether it has or not, the body is taken then.
        let _ = tokio::time::timeout(HELD_BACK_MAX, caught_up).await;
    }

    /// Waits for a turn to judge a body: a few at once keep the processors busy, and memory is for no more.
    pub async fn judging(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.judging).acquire_owned().await.ok()
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
        written: (Format, Compression),
        origin: Origin<'_>,
        now: DateTime<Utc>,
    ) -> Result<Kept, Refusal> {
        let coming = Coming::new(draft.digest(), source, written, origin, now);
        self.keep_once(coming, |coming| self.write(draft, coming))
    }

    /// Keeps a body that is in memory, as [`keep`](Self::keep) does: small ones that come at once are written together.
    pub fn keep_bytes(
        &self,
        body: Bytes,
        source: &str,
        written: (Format, Compression),
        origin: Origin<'_>,
        now: DateTime<Utc>,
    ) -> Result<Kept, Refusal> {
        if body.len() > SMALL_BYTES {
            let mut draft = self.draft()?;
            draft.write_all(&body).map_err(|error| self.refusal(error))?;
            return self.keep(draft, source, written, origin, now);
        }
        let coming = Coming::new(draft::digest_of(&body), source, written, origin, now);
        self.keep_once(coming, |coming| {
            self.together.write(coming, body, |bodies| self.write_small(bodies))
        })
    }

    /// Keeps a body by `write`, unless it is known.
    fn keep_once(
        &self,
        coming: Coming,
        write: impl FnOnce(Coming) -> io::Result<()>,
    ) -> Result<Kept, Refusal> {
        let (keys, digest) = (coming.keys.clone(), coming.digest);
        if self.claim(&keys, digest)? == Kept::Known {
            return Ok(Kept::Known);
        }
        let kept = write(coming);
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

    fn write(&self, draft: Draft, coming: Coming) -> io::Result<()> {
        let folder = self.folder_of(&coming.source)?;
        let bytes = draft.bytes();
        let partial = draft.sync()?;
        let number = {
            let mut state = self.state();
            let number = state.next;
            let path = path_of(&folder, number, &coming.name);
            partial.become_file(&path)?;
            state.next += 1;
            state.add(number, coming.into_body(path, None, bytes));
            number
        };
        // It may land before the folder is on disk: the commit holds it then.
        self.sync_folder(&folder, number)
    }

    /// Writes bodies of one source, several in a bundle.
    fn write_small(&self, bodies: &[Small]) -> io::Result<()> {
        let Some(first) = bodies.first() else { return Ok(()) };
        let folder = self.folder_of(&first.coming.source)?;
        let mut draft = Draft::create(&self.folder, Arc::clone(&self.receiving))?;
        if let [body] = bodies {
            draft.write_all(&body.bytes)?;
            return self.write(draft, body.coming.clone());
        }
        let named = bodies.iter().map(|body| (&*body.coming.name, &*body.bytes));
        let bundle = bundle::write(named, first.coming.since)?;
        let members = bundle::members(Cursor::new(&bundle))?;
        draft.write_all(&bundle)?;
        let name = format!("{}.{}", receipts::body_name(draft.digest(), None), bundle::EXTENSION);
        let partial = draft.sync()?;
        let number = {
            let mut state = self.state();
            let number = state.next;
            let path: Arc<Path> = path_of(&folder, number, &name).into();
            partial.become_file(&path)?;
            state.next += bodies.len() as u64;
            for ((number, body), member) in (number..).zip(bodies).zip(members) {
                let label = path_of(&folder, number, &body.coming.name);
                let bytes = body.bytes.len() as u64;
                let place = Some((Arc::clone(&path), member.range));
                state.add(number, body.coming.clone().into_body(label, place, bytes));
            }
            number
        };
        self.sync_folder(&folder, number)
    }

    /// The folder of a source's bodies.
    fn folder_of(&self, source: &str) -> io::Result<PathBuf> {
        let folder = self.folder.join(source);
        std::fs::create_dir_all(&folder)?;
        Ok(folder)
    }

    /// Brings the name of a body to disk, and those of all that wait for the same with it.
    fn sync_folder(&self, folder: &Path, number: u64) -> io::Result<()> {
        let mut synced = self.synced.lock().unwrap_or_else(PoisonError::into_inner);
        if synced.get(folder).is_some_and(|last| *last >= number) {
            return Ok(());
        }
        if !synced.contains_key(folder) {
            // It may be new.
            File::open(&self.folder)?.sync_all()?;
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
        for body in bodies {
            if let Some(waiting) = state.waiting.get_mut(&body.place) {
                waiting.tried = true;
            }
        }
    }

    /// Forgets bodies that have landed, but not that they were here.
    pub fn landed(&self, bodies: &[Body], now: DateTime<Utc>) -> io::Result<()> {
        let receipts =
            bodies.iter().flat_map(|body| body.keys.iter().map(|key| (*key, body.digest)));
        let mut kept = self.receipts.lock().unwrap_or_else(PoisonError::into_inner);
        let forgotten = kept.add(receipts.collect(), now)?;
        drop(kept);
        let bundles = self.state().bundles_without(bodies);
        let own = bodies.iter().filter(|body| body.bundle.is_none()).map(|body| &*body.path);
        for file in own.chain(bundles.iter().map(|bundle| &**bundle)) {
            match std::fs::remove_file(file) {
                // As when the last attempt came to half of them.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                removed => removed?,
            }
        }
        let mut state = self.state();
        for key in forgotten {
            state.known.remove(&key);
        }
        state.forget(bodies);
        drop(state);
        self.landed.notify_waiters();
        Ok(())
    }

    /// Sets a body aside that cannot be read, to `inbox-failed`; returns where it is now. It may be sent again.
    pub fn set_aside(&self, body: &Body, why: &str) -> io::Result<PathBuf> {
        let aside = place_aside(&self.folder, &body.source, &body.path)?;
        match &body.bundle {
            None => std::fs::rename(&body.path, &aside)?,
            // The bundle goes when all others have landed; found again after a crash, it is set aside again.
            Some((bundle, range)) => {
                let mut bundle = File::open(bundle)?;
                bundle.seek(SeekFrom::Start(range.start))?;
                let mut file = File::create(&aside)?;
                io::copy(&mut bundle.take(range.end - range.start), &mut file)?;
                file.sync_all()?;
            }
        }
        note_why(&aside, why)?;
        let mut state = self.state();
        for key in &body.keys {
            state.known.remove(key);
        }
        let bundles = state.bundles_without(std::slice::from_ref(body));
        state.forget(std::slice::from_ref(body));
        drop(state);
        for bundle in bundles {
            std::fs::remove_file(bundle)?;
        }
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
            if path.extension().is_some_and(|extension| extension == bundle::EXTENSION) {
                self.find_bundle(source, folder, &path, number)?;
            } else {
                let metadata = std::fs::metadata(&path)?;
                let (since, bytes) = (DateTime::from(metadata.modified()?), metadata.len());
                self.find(number, Found { source, path, bundle: None, bytes, since });
            }
        }
        Ok(())
    }

    /// Finds the bodies of a bundle; one that is damaged is set aside whole.
    fn find_bundle(
        &mut self,
        source: &str,
        folder: &Path,
        path: &Path,
        number: u64,
    ) -> io::Result<()> {
        let members = match bundle::members_of(path) {
            Ok(members) => members,
            Err(error) if may_pass(&error) => return Err(error),
            Err(error) => {
                let why = format!(
                    "the bundle of bodies cannot be read: {error}; land what `tar --extract` gets out of it by \
                     `lawpulse land --source {source}`, what has landed does not land again"
                );
                let inbox = folder.parent().unwrap_or(folder);
                let aside = place_aside(inbox, source, path)?;
                std::fs::rename(path, &aside)?;
                note_why(&aside, &why)?;
                tracing::error!(source, why, aside = %aside.display(), "a bundle of pushed bodies is set aside");
                return Ok(());
            }
        };
        let bundle: Arc<Path> = path.into();
        for (number, member) in (number..).zip(members) {
            let path = path_of(folder, number, &member.name);
            let bytes = member.range.end - member.range.start;
            let (bundle, since) = (Some((Arc::clone(&bundle), member.range)), member.since);
            self.find(number, Found { source, path, bundle, bytes, since });
        }
        Ok(())
    }

    fn find(&mut self, number: u64, found: Found<'_>) {
        let Found { source, path, bundle, bytes, since } = found;
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if InputFile::new(&path).is_err() {
            return;
        }
        let (digest, key) = receipts::read_body_name(name);
        let mut keys = Vec::new();
        if let Some(digest) = digest {
            keys.extend([Some(Key::of_body(source, digest)), key].into_iter().flatten());
        }
        let digest = digest.unwrap_or_default();
        for key in &keys {
            self.known.insert(*key, Known { digest, is_coming: false });
        }
        // Two sources may have the same number after a restore.
        let mut place = number;
        while self.waiting.contains_key(&place) {
            place += 1;
        }
        self.next = self.next.max(place + 1);
        let source = source.to_owned();
        let body = Body { source, path, bundle, place, tried: true, bytes, since, keys, digest };
        self.add(place, body);
    }

    fn add(&mut self, place: u64, body: Body) {
        self.bytes += body.bytes;
        self.waiting.insert(place, Body { place, ..body });
    }

    fn forget(&mut self, bodies: &[Body]) {
        for body in bodies {
            if let Some(body) = self.waiting.remove(&body.place) {
                self.bytes -= body.bytes;
            }
        }
    }

    /// The bundles that hold nothing that waits when these bodies do not.
    fn bundles_without(&self, bodies: &[Body]) -> HashSet<Arc<Path>> {
        let bundle = |body: &Body| body.bundle.as_ref().map(|(bundle, _)| Arc::clone(bundle));
        let mut bundles: HashSet<Arc<Path>> = bodies.iter().filter_map(bundle).collect();
        if bundles.is_empty() {
            return bundles;
        }
        let gone: HashSet<u64> = bodies.iter().map(|body| body.place).collect();
        for body in self.waiting.values().filter(|body| !gone.contains(&body.place)) {
            if let Some((bundle, _)) = &body.bundle {
                bundles.remove(bundle);
            }
        }
        bundles
    }
}

/// A body that was left in the inbox.
struct Found<'f> {
    source: &'f str,
    path: PathBuf,
    bundle: Option<(Arc<Path>, Range<u64>)>,
    bytes: u64,
    since: DateTime<Utc>,
}

impl Coming {
    fn new(
        digest: Digest,
        source: &str,
        (format, compression): (Format, Compression),
        origin: Origin<'_>,
        since: DateTime<Utc>,
    ) -> Self {
        let of_client = origin.key.map(|key| Key::of_client(source, key));
        let name = receipts::body_name(digest, of_client.as_ref());
        let ending = format!(".{}{}", format.extension(), compression.suffix());
        let called = origin.name.map(|called| called.strip_suffix(&ending).unwrap_or(called));
        let name = format!("{name}{}{ending}", called.map(receipts::plain).unwrap_or_default());
        let keys = [Some(Key::of_body(source, digest)), of_client].into_iter().flatten().collect();
        Self { source: source.to_owned(), name, digest, keys, since }
    }

    fn into_body(self, path: PathBuf, bundle: Option<(Arc<Path>, Range<u64>)>, bytes: u64) -> Body {
        let Self { source, digest, keys, since, .. } = self;
        Body { source, path, bundle, place: 0, tried: false, bytes, since, keys, digest }
    }
}

/// Where a file of the inbox is set aside.
fn place_aside(inbox: &Path, source: &str, path: &Path) -> io::Result<PathBuf> {
    let folder = inbox.with_file_name("inbox-failed").join(source);
    std::fs::create_dir_all(&folder)?;
    Ok(folder.join(path.file_name().unwrap_or_default()))
}

/// Says beside a file why it was set aside, and brings both names to disk.
fn note_why(aside: &Path, why: &str) -> io::Result<()> {
    let mut note = aside.to_owned().into_os_string();
    note.push(".error.txt");
    std::fs::write(note, format!("{why}\n"))?;
    File::open(aside.parent().unwrap_or(aside))?.sync_all()
}

fn path_of(folder: &Path, number: u64, name: &str) -> PathBuf {
    folder.join(format!("{number:020}-{name}"))
}

#[cfg(test)]
mod tests;
