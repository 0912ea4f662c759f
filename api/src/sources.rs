//! What brings lines in by itself: folders that are watched, PostgreSQL tables that are asked, lakes of districts that are followed. Each ends as a
//! body in the inbox, as a push does, and waits while the inbox is full.

mod district;
mod folder;
mod postgres;
mod record;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use pipeline::definition::Definitions;
use pipeline::source::mapping::Mapping;
use pipeline::source::{Compression, Format};
use tokio::task::JoinHandle;

use crate::clock::Clock;
use crate::inbox::{Draft, Origin, Refusal};
use crate::server::Server;

pub use district::Settings as DistrictSettings;
pub use folder::{Done, Settings as FolderSettings};
pub use postgres::{Encryption, Overlap, Settings as PostgresSettings, quoted_table};

/// One `[[source]]` of the config file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Its name in gauges and in the log.
    pub name: String,
    /// The mapping of sql/sources by which its lines are read.
    pub mapping: String,
    /// How long it rests between two looks.
    pub every: Duration,
    /// What it is.
    pub kind: Kind,
}

/// What a source is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A folder whose files land.
    Folder(folder::Settings),
    /// A PostgreSQL table or query whose rows land.
    Postgres(Box<postgres::Settings>),
    /// The lake of a district whose events and registers land.
    Lake(district::Settings),
}

/// How long a source that fails is left alone at most.
const BACKOFF_MAX: Duration = Duration::from_secs(300);

/// What is known of a source while it runs.
#[derive(Debug)]
pub struct Status {
    name: String,
    facts: Mutex<Facts>,
}

/// How a source does.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Facts {
    /// Files that are there and have not landed.
    pub waiting: usize,
    /// How long the oldest of them has been there.
    pub oldest: Duration,
    /// When something of it last came into the inbox.
    pub landed_at: Option<DateTime<Utc>>,
    /// When it was last looked at.
    pub looked_at: Option<DateTime<Utc>>,
    /// Files that cannot be read and were set aside since the start.
    pub failed: u64,
    /// Why it does not get on at the moment.
    pub error: Option<String>,
}

impl Status {
    fn new(name: &str) -> Self {
        Self { name: name.to_owned(), facts: Mutex::default() }
    }

    /// The source's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How it does.
    pub fn facts(&self) -> Facts {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Facts> {
        self.facts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes how a look ended; an error is logged when it is another than before.
    fn looked(&self, error: Option<String>) {
        let mut facts = self.lock();
        if facts.error != error {
            match &error {
                Some(error) => {
                    tracing::error!(source = self.name, error, "a source does not get on")
                }
                None => tracing::info!(source = self.name, "the source gets on again"),
            }
        }
        facts.error = error;
        facts.looked_at = Some(Clock::Machine.now());
    }
}

/// Why something did not come into the inbox.
#[derive(Debug)]
enum Trouble {
    /// It is not to be read; a person has to mend it.
    Unreadable(String),
    /// The inbox is full; come back after this time.
    Full(Duration),
    /// It cannot be reached now; trying again later may help.
    Later(String),
}

impl Trouble {
    fn later(error: &anyhow::Error) -> Self {
        Self::Later(format!("{error:#}"))
    }
}

impl From<Refusal> for Trouble {
    fn from(refusal: Refusal) -> Self {
        Self::later(&refusal.into())
    }
}

/// The sources of a server, not started yet. Fails when a mapping is not there.
pub(crate) fn open(
    settings: &[Settings],
    definitions: &Definitions,
) -> anyhow::Result<Vec<Arc<Status>>> {
    for source in settings {
        Mapping::find(definitions, &source.mapping)
            .with_context(|| format!("[[source]] `{}`", source.name))?;
    }
    Ok(settings.iter().map(|source| Arc::new(Status::new(&source.name))).collect())
}

/// Starts the sources, a task each: one that hangs holds up no other.
pub(crate) fn start(server: &Arc<Server>, settings: &[Settings]) -> Vec<JoinHandle<()>> {
    settings
        .iter()
        .zip(server.sources())
        .map(|(source, status)| {
            tracing::info!(source = source.name, mapping = source.mapping, "the source starts");
            let (server, status) = (Arc::clone(server), Arc::clone(status));
            match &source.kind {
                Kind::Folder(folder) => {
                    let folder = folder::Folder::new(source, folder.clone(), server, status);
                    tokio::spawn(folder.watch(source.every))
                }
                Kind::Postgres(table) => {
                    let table = postgres::Table::new(source, (**table).clone(), server, status);
                    tokio::spawn(table.follow(source.every))
                }
                Kind::Lake(lake) => {
                    let district = district::District::new(source, lake.clone(), server, status);
                    tokio::spawn(district.follow(source.every))
                }
            }
        })
        .collect()
}

/// How long a source rests between two looks: longer and longer while it fails.
#[derive(Debug)]
struct Pace {
    every: Duration,
    after_failure: Duration,
}

impl Pace {
    fn new(every: Duration) -> Self {
        Self { every, after_failure: every }
    }

    /// Notes how a look ended. Returns how long to rest.
    fn after(&mut self, looked: Result<(), Trouble>, status: &Status) -> Duration {
        match looked {
            Ok(()) => {
                status.looked(None);
                self.after_failure = self.every;
                self.every
            }
            Err(Trouble::Full(until)) => {
                status.looked(None);
                until
            }
            Err(Trouble::Later(error) | Trouble::Unreadable(error)) => {
                status.looked(Some(error));
                let pause = self.after_failure;
                self.after_failure = (2 * pause).min(BACKOFF_MAX).max(self.every);
                pause
            }
        }
    }
}

/// Brings a draft to disk as a body.
async fn keep(
    server: &Arc<Server>,
    draft: Draft,
    mapping: &str,
    written: (Format, Compression),
    name: &str,
) -> Result<(), Trouble> {
    let (server, mapping, name) = (Arc::clone(server), mapping.to_owned(), name.to_owned());
    let kept = tokio::task::spawn_blocking(move || {
        let origin = Origin { key: None, name: Some(&name) };
        server.inbox().keep(draft, &mapping, written, origin, Clock::Machine.now())
    });
    kept.await.map_err(|error| Trouble::later(&error.into()))??;
    Ok(())
}

/// Where a source keeps how far it has come.
fn record_path(server: &Server, name: &str) -> PathBuf {
    server.home().join("sources").join(format!("{name}.json"))
}
