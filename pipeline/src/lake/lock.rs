//! The right to write: of a lake in a folder a locked file, of one in a bucket a lease and a fence.
//!
//! A bucket has no locks, and a process that had the right may be paused and go on when another has it. So each writer
//! has a *turn*, a number that is greater than those before it. It takes its turn by putting an object where there is
//! none, and renews it by putting it again; a turn that nobody renews is over. Each commit carries the turn of its
//! writer and fails when the table has seen a later one, and whoever takes over a turn that was not given back first
//! commits its own to every table. Defined here, of the conditional put and the transaction identifiers of Delta
//! (protocol, "Transaction Identifiers").

use std::fs::{File, TryLockError};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use chrono::{DateTime, Utc};
use deltalake::DeltaTableError;
use deltalake::logstore::read_commit_entry;
use futures::TryStreamExt as _;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt as _, PutMode, PutPayload};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::task::JoinHandle;

use super::Table;
use crate::error::{Error, Result};
use crate::location::Location;

/// The transaction identifier under which a table keeps the turn of its last writer.
pub(super) const WRITER: &str = "lawpulse.writer";

/// The key of a commit's information that tells it from all others.
pub(super) const COMMIT_ID: &str = "lawpulse.commit";

/// Where the turns are, one object each, by their numbers.
const TURNS: &str = "_writer";

/// How often a turn is renewed.
const RENEW_EVERY: Duration = Duration::from_secs(10);

/// A turn that was not renewed for so long is looked at closer.
const STALE_AFTER: Duration = Duration::from_secs(30);

/// How long a turn is watched, by the clock of whoever wants it, before it is taken over.
const WATCHED_FOR: Duration = Duration::from_secs(15);

/// How long giving a turn back may take.
const RELEASE_WITHIN: Duration = Duration::from_secs(5);

/// The right to write to a lake; given back when dropped. A crash gives back that of a folder at once, and that of a
/// bucket when it is seen that nobody renews it.
#[derive(Debug)]
pub struct WriteLock(Held);

#[derive(Debug)]
enum Held {
    File(#[expect(dead_code, reason = "the open file is the lock")] File),
    Lease(Box<Lease>),
}

impl WriteLock {
    /// Takes the right, and tells whether it was taken from somebody who has not given it back.
    pub(super) async fn take(location: &Location) -> Result<(Self, bool)> {
        if let Some(folder) = location.folder() {
            return Ok((Self(Held::File(lock_in(folder)?)), false));
        }
        let (lease, is_taken_over) = Lease::take(location).await?;
        Ok((Self(Held::Lease(Box::new(lease))), is_taken_over))
    }

    /// Takes the right to write to a folder of this machine that is no lake, such as a server's home.
    pub fn of_folder(folder: &std::path::Path) -> Result<Self> {
        std::fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
        Ok(Self(Held::File(lock_in(folder)?)))
    }

    /// The number of the writer's turn; `None` for a folder, whose lock cannot be lost.
    pub(super) fn turn(&self) -> Option<i64> {
        match &self.0 {
            Held::File(_) => None,
            Held::Lease(lease) => Some(lease.turn),
        }
    }

    /// Notes that every table knows of this turn: whoever comes next need not fence off the writers before it.
    pub(super) fn fenced(&self) {
        if let Held::Lease(lease) = &self.0 {
            lease.owes_fence.store(false, Ordering::Relaxed);
        }
    }

    /// Whether another process has taken the right meanwhile, as far as is known: then every commit fails.
    pub fn is_lost(&self) -> bool {
        match &self.0 {
            Held::File(_) => false,
            Held::Lease(lease) => lease.is_lost.load(Ordering::Relaxed),
        }
    }
}

fn lock_in(folder: &std::path::Path) -> Result<File> {
    let path = folder.join("writer.lock");
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(Error::io("open", &path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Error::Locked(format!("`{}`", folder.display()))),
        Err(TryLockError::Error(source)) => Err(Error::io("lock", &path)(source)),
    }
}

/// A turn in a bucket, which a task renews.
#[derive(Debug)]
struct Lease {
    turn: i64,
    location: Location,
    own: Turn,
    is_lost: Arc<AtomicBool>,
    owes_fence: Arc<AtomicBool>,
    renewing: JoinHandle<()>,
}

/// What the object of a turn says.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Turn {
    /// Tells it from one that another process put under the same number.
    #[serde(default)]
    id: String,
    /// Who has it, for people.
    holder: String,
    /// How often it was renewed.
    renewed: u64,
    /// Whether it was given back.
    is_over: bool,
    /// Whether a writer whose turn was taken over may still commit to a table.
    #[serde(default)]
    owes_fence: bool,
}

impl Turn {
    fn payload(&self) -> Result<PutPayload> {
        Ok(serde_json::to_vec(self).map_err(Error::internal)?.into())
    }
}

impl Lease {
    async fn take(location: &Location) -> Result<(Self, bool)> {
        let store = location.store()?;
        let last = last_turn(location, store.as_ref()).await?;
        let mut is_taken_over = false;
        if let Some(last) = last {
            let before = read(location, store.as_ref(), last).await?;
            if !before.0.is_over {
                if !is_stale(location, store.as_ref(), last, &before).await? {
                    return Err(Error::Locked(format!("`{location}` ({})", before.0.holder)));
                }
                tracing::warn!(%location, turn = last, holder = before.0.holder, "the writer is gone: taking over");
                is_taken_over = true;
            }
            is_taken_over |= before.0.owes_fence;
        }
        let turn = last.unwrap_or_default() + 1;
        let id = uuid::Uuid::new_v4().to_string();
        let own =
            Turn { id, holder: holder(), renewed: 0, is_over: false, owes_fence: is_taken_over };
        put_new(location, store.as_ref(), turn, &own).await?;
        let lease = Self::begin(location, Arc::clone(&store), turn, own);
        // Old turns are removed, so a number that was free once may be so again.
        if last_turn(location, store.as_ref()).await? != Some(turn) {
            return Err(Error::Locked(format!("`{location}`")));
        }
        if let Err(error) = remove_before(location, store.as_ref(), turn - 1).await {
            tracing::warn!(%error, "turns that are over are not removed; the next writer does it");
        }
        Ok((lease, is_taken_over))
    }

    /// A turn that has been taken, from now on renewed.
    fn begin(location: &Location, store: Arc<dyn ObjectStore>, turn: i64, own: Turn) -> Self {
        let is_lost = Arc::new(AtomicBool::new(false));
        let owes_fence = Arc::new(AtomicBool::new(own.owes_fence));
        let (lost, owes) = (Arc::clone(&is_lost), Arc::clone(&owes_fence));
        let renewing = tokio::spawn(renew(location.clone(), store, turn, own.clone(), lost, owes));
        Self { turn, location: location.clone(), own, is_lost, owes_fence, renewing }
    }
}

/// Takes a turn that nobody has had.
///
/// Fails when another process has it, whose name the error tells.
async fn put_new(
    location: &Location,
    store: &dyn ObjectStore,
    turn: i64,
    own: &Turn,
) -> Result<()> {
    let options = PutMode::Create.into();
    let Err(error) = store.put_opts(&path_of(turn), own.payload()?, options).await else {
        return Ok(());
    };
    // The store may have taken it although its answer was an error.
    let found = read(location, store, turn).await;
    if found.as_ref().is_ok_and(|(found, _)| found.id == own.id) {
        return Ok(());
    }
    Err(match (error, found) {
        (object_store::Error::AlreadyExists { .. }, Ok((found, _))) => {
            Error::Locked(format!("`{location}` ({})", found.holder))
        }
        (object_store::Error::AlreadyExists { .. }, Err(_)) => {
            Error::Locked(format!("`{location}`"))
        }
        (error, _) => location.failed("take the right to write to", error),
    })
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.renewing.abort();
        if self.is_lost.load(Ordering::Relaxed) {
            return;
        }
        // The next writer would have to wait. It is done on a runtime of its own, since the caller's may be at its end.
        let (location, turn) = (self.location.clone(), self.turn);
        let owes_fence = self.owes_fence.load(Ordering::Relaxed);
        let over = Turn { is_over: true, owes_fence, ..self.own.clone() };
        let released = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(async {
                let released =
                    tokio::time::timeout(RELEASE_WITHIN, release(&location, turn, &over));
                released.await?.map_err(std::io::Error::other)
            })
        });
        if let Ok(Err(error)) = released.join() {
            let location = &self.location;
            tracing::warn!(%location, %error, "the right to write is not given back; the next writer waits until it is stale");
        }
    }
}

async fn release(location: &Location, turn: i64, over: &Turn) -> Result<()> {
    // Connections belong to the runtime that made them.
    let store = location.fresh_store()?;
    let put = store.put(&path_of(turn), over.payload()?).await;
    put.map(|_| ()).map_err(|error| location.failed("give back the right to write to", error))
}

/// Renews a turn until it is somebody else's.
async fn renew(
    location: Location,
    store: Arc<dyn ObjectStore>,
    turn: i64,
    mut own: Turn,
    is_lost: Arc<AtomicBool>,
    owes_fence: Arc<AtomicBool>,
) {
    loop {
        tokio::time::sleep(RENEW_EVERY).await;
        own.renewed += 1;
        own.owes_fence = owes_fence.load(Ordering::Relaxed);
        let renewed = async {
            if last_turn(&location, store.as_ref()).await? != Some(turn) {
                return Ok(false);
            }
            let put = store.put(&path_of(turn), own.payload()?).await;
            put.map(|_| true).map_err(|error| location.failed("keep the right to write to", error))
        };
        match renewed.await {
            Ok(true) => {}
            Ok(false) => {
                tracing::error!(%location, turn, "another process has taken over the right to write");
                is_lost.store(true, Ordering::Relaxed);
                return;
            }
            // Nobody takes over what is renewed again soon; whoever does fences this process off.
            Err(error) => tracing::warn!(%error, "the right to write is not renewed"),
        }
    }
}

fn path_of(turn: i64) -> Path {
    Path::from(format!("{TURNS}/{turn:012}.json"))
}

async fn turns(location: &Location, store: &dyn ObjectStore) -> Result<Vec<i64>> {
    let listed = store.list(Some(&Path::from(TURNS))).map_ok(|found| found.location);
    let listed: Vec<Path> =
        listed.try_collect().await.map_err(|error| location.failed("list", error))?;
    let number = |path: Path| path.filename()?.strip_suffix(".json")?.parse().ok();
    Ok(listed.into_iter().filter_map(number).collect())
}

async fn last_turn(location: &Location, store: &dyn ObjectStore) -> Result<Option<i64>> {
    Ok(turns(location, store).await?.into_iter().max())
}

async fn remove_before(location: &Location, store: &dyn ObjectStore, kept: i64) -> Result<()> {
    for turn in turns(location, store).await? {
        if turn < kept {
            let removed = store.delete(&path_of(turn)).await;
            removed.map_err(|error| location.failed("clear up", error))?;
        }
    }
    Ok(())
}

async fn read(
    location: &Location,
    store: &dyn ObjectStore,
    turn: i64,
) -> Result<(Turn, DateTime<Utc>)> {
    let failed = |error| location.failed("read who writes to", error);
    let found = store.get(&path_of(turn)).await.map_err(failed)?;
    let modified = found.meta.last_modified;
    let text = found.bytes().await.map_err(failed)?;
    let read = serde_json::from_slice(&text).map_err(|error| {
        let file = location.join(path_of(turn).as_ref()).to_string();
        Error::definition(file, error.to_string(), "remove it when nothing writes to the lake")
    });
    Ok((read?, modified))
}

/// Whether nobody renews a turn any more. Clocks may differ, so that what seems old is watched for a while.
#[expect(
    clippy::disallowed_methods,
    reason = "how long somebody has been silent, which no number reads"
)]
async fn is_stale(
    location: &Location,
    store: &dyn ObjectStore,
    turn: i64,
    before: &(Turn, DateTime<Utc>),
) -> Result<bool> {
    if before.1 + STALE_AFTER > Utc::now() {
        return Ok(false);
    }
    tracing::info!(%location, turn, "the writer has been silent; watching it for {WATCHED_FOR:?}");
    tokio::time::sleep(WATCHED_FOR).await;
    let (now, modified) = read(location, store, turn).await?;
    Ok(now.renewed == before.0.renewed && modified == before.1)
}

/// Who this process is, for people.
fn holder() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    format!("process {} on {}", std::process::id(), host.trim())
}

impl Table {
    /// Refuses to commit when the table has seen a later turn.
    pub(super) async fn check_turn(&mut self, turn: i64) -> Result<()> {
        let seen = self.progress(WRITER).await?;
        if seen.is_some_and(|seen| seen > turn) { Err(self.fenced()) } else { Ok(()) }
    }

    fn fenced(&self) -> Error {
        Error::Fenced(self.location.to_string())
    }

    /// Commits the turn of this process alone, so that whoever had an earlier one cannot commit any more.
    pub(super) async fn fence(&mut self) -> Result<()> {
        self.commit(Vec::new(), Vec::new(), Vec::new(), json!({ "taken_over": true })).await?;
        Ok(())
    }

    /// Finds out what has become of a commit whose answer was an error: the store may have taken it all the same.
    /// Returns its version.
    pub(super) async fn settle(&mut self, id: &str, error: DeltaTableError) -> Result<u64> {
        let before = self.version();
        self.update().await?;
        let store = self.store();
        for version in before + 1..=self.version() {
            let entry = read_commit_entry(store.as_ref(), version)
                .await
                .map_err(Error::table("read", &self.name))?;
            let entry = entry.unwrap_or_default();
            if String::from_utf8_lossy(&entry).contains(id) {
                return Ok(version);
            }
        }
        if self.version() > before {
            return Err(self.fenced());
        }
        Err(Error::table("commit to", &self.name)(error))
    }
}
