//! Who may come in: accounts from a file, and the bearer tokens of an identity provider.
//!
//! Every door asks here. What is wrong is told to the log, never to whoever tries: an unknown name, a wrong password,
//! an expired account and a revoked token look and last the same from outside.

pub mod book;
mod lockout;
pub mod oidc;
pub mod scram;
pub mod secret;
mod session;
pub(crate) mod stamp;

use std::collections::HashMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, Weak};
use std::time::{Duration, Instant};

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::caller::Caller;
use crate::clock::Clock;
use book::{Book, is_valid_on};
use lockout::Lockout;
use oidc::Oidc;
use scram::ScramVerifier;
use secret::{SECRET_BYTES_MAX, SecretHash};
use session::Session;
use stamp::Stamp;

pub(crate) use secret::TOKEN_PREFIX;
pub(crate) use session::SESSION_PREFIX;

/// Hashes that are computed at once: each takes about 20 MB and a processor.
const VERIFICATIONS_AT_ONCE: usize = 2;

/// Logins that wait for their turn.
const VERIFICATIONS_WAITING: usize = 64;

/// How long what has been verified need not be verified again. A scrape every 15 s then costs one hash in five minutes.
const REMEMBERED_FOR: Duration = Duration::from_secs(5 * 60);

/// The most verified secrets that are remembered.
const REMEMBERED_MAX: usize = 10_000;

/// When somebody who was sent away for the crowd may come again.
const BUSY_FOR: Duration = Duration::from_secs(1);

/// Why somebody does not come in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// Name and secret do not fit, or are no longer valid.
    #[error("the name, the password or the token is wrong, or no longer valid")]
    Wrong,
    /// Too many have failed from there, or with that name.
    #[error("too many logins have failed; try again in {} s", .retry_after.as_secs().max(1))]
    Locked {
        /// How long it is of no use to try again.
        retry_after: Duration,
    },
    /// Too many log in at once.
    #[error("too many log in at once; try again in {} s", .retry_after.as_secs().max(1))]
    Busy {
        /// When to try again.
        retry_after: Duration,
    },
    /// Nobody can be let in; the log says why.
    #[error("logins cannot be checked; the server's log says why")]
    Failed,
}

/// Everybody who may come in. Cheap to clone; all clones are the same.
#[derive(Debug, Clone)]
pub struct Accounts(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    path: PathBuf,
    stamp: Mutex<Stamp>,
    state: RwLock<Arc<State>>,
    oidc: Option<Oidc>,
    zone: Tz,
    watch: Watch,
    lockout: Mutex<Lockout>,
    /// Verified against when a name is unknown, so that it takes as long.
    dummy: SecretHash,
    /// Of this process only: what it remembers tells nobody anything.
    key: [u8; 32],
    turns: Arc<Semaphore>,
    places: Arc<Semaphore>,
    /// Those who show the same stand in one line, and whoever comes first is verified for all of them.
    lines: Mutex<HashMap<blake3::Hash, Weak<Line>>>,
}

type Line = tokio::sync::Mutex<()>;

/// One reading of the file and what was verified against it: both are replaced together, so that nothing outlives the
/// hash that it was verified against.
#[derive(Debug, Default)]
struct State {
    book: Book,
    verified: Mutex<HashMap<blake3::Hash, Verified>>,
}

/// Whose a secret is.
#[derive(Debug, Clone)]
struct Owner {
    name: String,
    /// When the token expires.
    expires: Option<NaiveDate>,
}

#[derive(Debug, Clone)]
struct Verified {
    owner: Owner,
    until: Instant,
}

/// What time it is.
#[derive(Debug)]
enum Watch {
    Machine,
    #[cfg(test)]
    Held(Mutex<(Instant, DateTime<Utc>)>),
}

impl Watch {
    fn now(&self) -> (Instant, DateTime<Utc>) {
        match self {
            Self::Machine => (Instant::now(), Clock::Machine.now()),
            #[cfg(test)]
            Self::Held(held) => *held.lock().unwrap_or_else(PoisonError::into_inner),
        }
    }
}

/// What somebody shows to prove who they are.
#[derive(Debug, Clone, Copy)]
enum Shown<'request> {
    Password { name: &'request str, password: &'request str },
    Token { id: &'request str, secret: &'request str },
}

impl<'request> Shown<'request> {
    /// What failures are counted by, besides the address.
    fn name(self) -> &'request str {
        match self {
            Self::Password { name, .. } => name,
            Self::Token { id, .. } => id,
        }
    }

    fn secret(self) -> &'request str {
        match self {
            Self::Password { password, .. } => password,
            Self::Token { secret, .. } => secret,
        }
    }

    fn digest(self, key: &[u8; 32]) -> blake3::Hash {
        let kind: &[u8] = match self {
            Self::Password { .. } => b"password",
            Self::Token { .. } => b"token",
        };
        secret::keyed_hash(key, [kind, self.name().as_bytes(), self.secret().as_bytes()])
    }
}

impl Accounts {
    /// Reads the accounts file and, where there is one, the provider's keys. Days are those of `zone`.
    pub fn open(path: &Path, oidc: Option<oidc::Settings>, zone: Tz) -> anyhow::Result<Self> {
        Self::open_at(path, oidc, zone, Watch::Machine)
    }

    fn open_at(
        path: &Path,
        oidc: Option<oidc::Settings>,
        zone: Tz,
        watch: Watch,
    ) -> anyhow::Result<Self> {
        // Looked at before reading: a change in between is then found by the next look.
        let stamp = Stamp::of(path);
        let book = Book::read(path)?;
        let state = State { book, verified: Mutex::default() };
        Ok(Self(Arc::new(Shared {
            path: path.to_owned(),
            stamp: Mutex::new(stamp),
            state: RwLock::new(Arc::new(state)),
            oidc: oidc.map(Oidc::open).transpose()?,
            zone,
            watch,
            lockout: Mutex::default(),
            dummy: SecretHash::of("the secret of nobody")?,
            key: secret::random()?,
            turns: Arc::new(Semaphore::new(VERIFICATIONS_AT_ONCE)),
            places: Arc::new(Semaphore::new(VERIFICATIONS_WAITING)),
            lines: Mutex::default(),
        })))
    }

    /// The accounts as they are now, each change a line, for the audit log.
    pub fn described(&self) -> Vec<String> {
        self.state().book.changes_since(&Book::default())
    }

    /// Reads the files again that have changed, and gives what is different now, each change a line. A broken file leaves
    /// the last accounts in force, and the log says so.
    ///
    /// Blocks for as long as a small file takes to read.
    pub fn reload_if_changed(&self) -> Vec<String> {
        let shared = &self.0;
        if let Some(oidc) = &shared.oidc {
            oidc.reload_if_changed();
        }
        let mut known = lock(&shared.stamp);
        let stamp = Stamp::of(&shared.path);
        if *known == stamp {
            return Vec::new();
        }
        *known = stamp;
        match Book::read(&shared.path) {
            Ok(book) => {
                tracing::info!(accounts = book.accounts().count(), "the accounts changed");
                let changes = book.changes_since(&self.state().book);
                let state = Arc::new(State { book, verified: Mutex::default() });
                *shared.state.write().unwrap_or_else(PoisonError::into_inner) = state;
                changes
            }
            Err(error) => {
                let error = format!("{error:#}");
                tracing::error!(error, "the accounts cannot be read; the last ones hold");
                Vec::new()
            }
        }
    }

    /// The caller who knows an account's password.
    pub async fn caller_of_password(
        &self,
        name: &str,
        password: &str,
        peer: Option<IpAddr>,
    ) -> Result<Caller, Denied> {
        // As it was hashed; a password that cannot be prepared is nobody's, and is checked all the same.
        let prepared = secret::prepare(password).unwrap_or(password.into());
        self.caller_of(Shown::Password { name, password: &prepared }, peer).await
    }

    /// A token that stands for an account's password for a working day, or until the password changes; `None` for an
    /// account without a password.
    pub fn session_token(&self, name: &str) -> Option<String> {
        let (state, today) = (self.state(), self.today());
        let account = state.book.account(name).filter(|account| account.is_valid_on(today))?;
        session::issue(&self.0.key, name, account.password.as_ref()?, self.0.watch.now().1)
    }

    fn caller_of_session(&self, token: &str) -> Option<Caller> {
        let session = Session::read(token)?;
        let (state, today) = (self.state(), self.today());
        let hash = state.book.account(&session.name)?.password.as_ref()?;
        let holds = session.holds(&self.0.key, hash, self.0.watch.now().1);
        state.caller(&session.name, today).filter(|_| holds)
    }

    /// The caller who has a token: one of ours, or one of the identity provider.
    pub async fn caller_of_token(
        &self,
        token: &str,
        peer: Option<IpAddr>,
    ) -> Result<Caller, Denied> {
        if token.starts_with(TOKEN_PREFIX) {
            let (id, secret) = secret::token_parts(token).ok_or(Denied::Wrong)?;
            return self.caller_of(Shown::Token { id, secret }, peer).await;
        }
        // Without counting failures, here and below: a seal or a signature cannot be guessed, and is cheap to check.
        if token.starts_with(SESSION_PREFIX) {
            return self.caller_of_session(token).ok_or(Denied::Wrong);
        }
        let oidc = self.0.oidc.as_ref().ok_or(Denied::Wrong)?;
        oidc.caller(token).map_err(|error| {
            let reason = format!("{error:#}");
            tracing::info!(reason, "a bearer token was not believed");
            Denied::Wrong
        })
    }

    /// The caller of a name, for a door that has checked the password itself.
    pub fn caller(&self, name: &str) -> Option<Caller> {
        self.state().caller(name, self.today())
    }

    /// Whether there is an account of a name.
    pub fn has(&self, name: &str) -> bool {
        self.state().book.account(name).is_some()
    }

    /// What a PostgreSQL client proves a password against; `None` for an account that there is not, that is no longer
    /// valid, or has no password.
    pub fn scram_verifier(&self, name: &str) -> Option<ScramVerifier> {
        let (state, today) = (self.state(), self.today());
        state.book.account(name).filter(|account| account.is_valid_on(today))?.scram.clone()
    }

    /// Whether somebody may try to log in. A door that checks passwords itself asks before, and then says how it went
    /// with [`Accounts::failed`] or [`Accounts::succeeded`].
    pub fn may_try(&self, name: &str, peer: Option<IpAddr>) -> Result<(), Denied> {
        let (now, _) = self.0.watch.now();
        match lock(&self.0.lockout).wait(name, peer, now) {
            None => Ok(()),
            Some(retry_after) => Err(Denied::Locked { retry_after }),
        }
    }

    /// Counts a failed login.
    pub fn failed(&self, name: &str, peer: Option<IpAddr>) {
        let (now, _) = self.0.watch.now();
        lock(&self.0.lockout).failed(name, peer, now);
        let peer = peer.map(tracing::field::display);
        // Without the name: people type passwords into the field for names.
        tracing::warn!(peer, "a login failed");
    }

    /// Forgets the failures of somebody who has logged in.
    pub fn succeeded(&self, name: &str, peer: Option<IpAddr>) {
        lock(&self.0.lockout).succeeded(name, peer);
    }

    fn state(&self) -> Arc<State> {
        Arc::clone(&self.0.state.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn today(&self) -> NaiveDate {
        pipeline::zone::local_date(self.0.zone, self.0.watch.now().1)
    }

    async fn caller_of(&self, shown: Shown<'_>, peer: Option<IpAddr>) -> Result<Caller, Denied> {
        if shown.secret().len() > SECRET_BYTES_MAX || shown.name().len() > SECRET_BYTES_MAX {
            return Err(Denied::Wrong);
        }
        let digest = shown.digest(&self.0.key);
        if let Some(caller) = self.remembered(digest) {
            return Ok(caller);
        }
        self.may_try(shown.name(), peer)?;
        let first_in_line = self.line(digest).lock_owned().await;
        // Many requests of one client come at once; the first of them has perhaps been verified meanwhile.
        if let Some(caller) = self.remembered(digest) {
            return Ok(caller);
        }
        let turn = self.turn().await?;
        // Those that waited with this one may have failed meanwhile.
        self.may_try(shown.name(), peer)?;
        let (state, today) = (self.state(), self.today());
        let (hash, owner) = match state.credential(shown, today) {
            Some((hash, owner)) => (hash, Some(owner)),
            None => (self.0.dummy.clone(), None),
        };
        let (name, secret) = (shown.name().to_owned(), shown.secret().to_owned());
        let accounts = self.clone();
        // Ends on its own when the client goes away, so that nobody fails uncounted; the turn is kept until then.
        let verification = tokio::task::spawn_blocking(move || {
            let _until_the_end = (turn, first_in_line);
            let is_right = hash.matches(&secret);
            match owner.filter(|_| is_right) {
                Some(owner) => {
                    accounts.succeeded(&name, peer);
                    let caller = state.caller(&owner.name, today).ok_or(Denied::Wrong);
                    state.remember(digest, owner, accounts.0.watch.now().0);
                    caller
                }
                None => {
                    accounts.failed(&name, peer);
                    Err(Denied::Wrong)
                }
            }
        });
        verification.await.unwrap_or_else(|error| {
            tracing::error!(%error, "a login could not be checked");
            Err(Denied::Failed)
        })
    }

    fn remembered(&self, digest: blake3::Hash) -> Option<Caller> {
        let ((now, _), today, state) = (self.0.watch.now(), self.today(), self.state());
        let verified = lock(&state.verified).get(&digest).cloned()?;
        let is_valid = now < verified.until && is_valid_on(verified.owner.expires, today);
        state.caller(&verified.owner.name, today).filter(|_| is_valid)
    }

    fn line(&self, digest: blake3::Hash) -> Arc<Line> {
        let mut lines = lock(&self.0.lines);
        if let Some(line) = lines.get(&digest).and_then(Weak::upgrade) {
            return line;
        }
        lines.retain(|_, line| line.strong_count() > 0);
        let line = Arc::new(Line::default());
        lines.insert(digest, Arc::downgrade(&line));
        line
    }

    /// A turn to compute a hash. So many wait for one and no more.
    async fn turn(&self) -> Result<OwnedSemaphorePermit, Denied> {
        let busy = Denied::Busy { retry_after: BUSY_FOR };
        let _place = self.0.places.try_acquire().map_err(|_| busy)?;
        Arc::clone(&self.0.turns).acquire_owned().await.map_err(|_| Denied::Failed)
    }
}

impl State {
    fn caller(&self, name: &str, today: NaiveDate) -> Option<Caller> {
        let account = self.book.account(name)?;
        account.is_valid_on(today).then(|| account.caller())
    }

    /// The hash that a secret has to match, and whose it is.
    fn credential(&self, shown: Shown<'_>, today: NaiveDate) -> Option<(SecretHash, Owner)> {
        let (account, hash, expires) = match shown {
            Shown::Password { name, .. } => {
                let account = self.book.account(name)?;
                (account, account.password.as_ref()?, None)
            }
            Shown::Token { id, .. } => {
                let (account, token) = self.book.token(id)?;
                (account, &token.hash, token.expires)
            }
        };
        if !account.is_valid_on(today) || !is_valid_on(expires, today) {
            return None;
        }
        Some((hash.clone(), Owner { name: account.name.clone(), expires }))
    }

    fn remember(&self, digest: blake3::Hash, owner: Owner, now: Instant) {
        let mut known = lock(&self.verified);
        if known.len() >= REMEMBERED_MAX {
            known.retain(|_, verified| now < verified.until);
        }
        if known.len() >= REMEMBERED_MAX {
            known.clear();
        }
        known.insert(digest, Verified { owner, until: now + REMEMBERED_FOR });
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
