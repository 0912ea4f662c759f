//! A server that only reads a lake: it shows what the process that writes the lake has published, within seconds.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use pipeline::audit::AuditLog;
use pipeline::definition::Definitions;
use pipeline::lake::{Lake, Published, WriteLock};
use pipeline::location::Location;
use pipeline::query::Reader;

use crate::lander::RELOAD_EVERY;
use crate::server::{Options, Server};

/// How often it is looked whether something new is published.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// A lake that another process writes.
pub(crate) struct Following {
    location: Location,
    published: Published,
    pub(crate) reader: Reader,
    /// What is asked of this server is noted in its home: the lake's own log has one writer, as its tables have.
    pub(crate) audit: AuditLog,
    _home: WriteLock,
}

impl Following {
    /// Opens the lake of a server as it was published last.
    ///
    /// Fails when nothing is published, when the server has no home of its own, and when the rollups are made by other
    /// definitions than it knows.
    pub(crate) async fn begin(
        options: &Options,
        definitions: &Arc<Definitions>,
    ) -> anyhow::Result<Self> {
        let lake = &options.lake;
        let home = lake.home()?;
        anyhow::ensure!(
            lake.folder() != Some(home),
            "a server that only reads needs a folder of its own for its audit log: give --home DIR, or set `home = \"DIR\"`"
        );
        anyhow::ensure!(
            options.sources.is_empty(),
            "a server that only reads brings nothing in: leave out [[source]], or --reader"
        );
        let lock = WriteLock::of_folder(home)?;
        Lake::open(lake).await?;
        let published = Published::read(lake).await?.with_context(|| {
            format!(
                "nothing is published in `{lake}` yet: start the server that writes it first (`lawpulse serve` without \
                 --reader), or land something"
            )
        })?;
        let reader = Reader::following(lake, Arc::clone(definitions), &published).await?;
        let audit = AuditLog::open(&Location::from(home), &lock).await?;
        Ok(Self { location: lake.clone(), published, reader, audit, _home: lock })
    }

    /// Shows what is published, for ever. What cannot be read now is tried again, and what was shown stays.
    pub(crate) async fn run(mut self, server: Arc<Server>, sql: Option<PathBuf>) {
        let mut reloaded = Instant::now();
        loop {
            if let Some(folder) = sql.as_deref().filter(|_| reloaded.elapsed() >= RELOAD_EVERY) {
                server.read_definitions_again(folder);
                reloaded = Instant::now();
            }
            let failure = self.step(&server).await.err().map(|error| format!("{error:#}"));
            if let Some(record) = server.followed() {
                record.note(self.published.at, failure);
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    async fn step(&mut self, server: &Server) -> anyhow::Result<()> {
        let published = Published::read(&self.location).await?.context("nothing is published")?;
        if published.is_outdated_by(&self.published) {
            return Ok(());
        }
        let is_new = !published.is_same_state(&self.published);
        if is_new && self.reader.follow(&published).await? {
            server.show(self.reader.view());
        }
        self.published = published;
        Ok(())
    }
}

/// How a server that only reads gets on.
#[derive(Debug, Default)]
pub struct Record(Mutex<Followed>);

/// As [`Record`], at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Followed {
    /// When the process that writes the lake last looked that there is nothing newer than what is shown here.
    pub published_at: Option<DateTime<Utc>>,
    /// Why nothing newer can be shown, if so.
    pub failure: Option<String>,
}

impl Record {
    /// As it stands.
    pub fn told(&self) -> Followed {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note(&self, published_at: DateTime<Utc>, failure: Option<String>) {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if failure != told.failure {
            match &failure {
                Some(error) => tracing::error!(
                    error,
                    "what is published cannot be followed; the last state stays"
                ),
                None => tracing::info!("what is published can be followed again"),
            }
        }
        *told = Followed { published_at: Some(published_at), failure };
    }
}
