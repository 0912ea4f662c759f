//! The lake of a district that is followed: its registers are taken over, and its new data files come into the inbox.
//!
//! How far it has come is recorded once everything of a state is there: a crash in between brings some of it once more, and
//! what has landed does not land twice.

use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt as _, pin_mut};
use pipeline::gather::{self, Progress};
use pipeline::lake::DataFile;
use pipeline::location::Location;
use pipeline::source::{Compression, Format};

use crate::clock::Clock;
use crate::server::Server;
use crate::sources::{self, Pace, Status, Trouble, record};

/// Whose lake is followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The lake, which is only read.
    pub lake: Location,
    /// The unit, in the register of the lake that it comes into, under which everything of it goes.
    pub district: String,
}

/// A lake that is followed.
#[derive(Debug)]
pub(super) struct District {
    name: String,
    mapping: String,
    settings: Settings,
    server: Arc<Server>,
    status: Arc<Status>,
    record: PathBuf,
    progress: Option<Progress>,
}

impl District {
    pub(super) fn new(
        source: &sources::Settings,
        settings: Settings,
        server: Arc<Server>,
        status: Arc<Status>,
    ) -> Self {
        let record = sources::record_path(&server, &source.name);
        let (name, mapping) = (source.name.clone(), source.mapping.clone());
        Self { name, mapping, settings, server, status, record, progress: None }
    }

    /// Looks from time to time, for as long as it is polled.
    pub(super) async fn follow(mut self, every: Duration) {
        let mut pace = Pace::new(every);
        loop {
            let looked = self.look().await;
            tokio::time::sleep(pace.after(looked, &self.status)).await;
        }
    }

    /// Brings in what its writer has published since the last look.
    async fn look(&mut self) -> Result<(), Trouble> {
        let mut progress = match self.progress.take() {
            Some(progress) => progress,
            None => record::read(&self.record)
                .map_err(|error| Trouble::later(&error))?
                .unwrap_or_default(),
        };
        let looked = self.bring(&mut progress).await;
        self.progress = Some(progress);
        looked
    }

    async fn bring(&self, progress: &mut Progress) -> Result<(), Trouble> {
        let lake = &self.settings.lake;
        let opened = gather::District::open(lake).await.map_err(later)?;
        let district = opened.ok_or_else(|| {
            Trouble::Later(format!(
                "`{lake}` does not say yet which of its tables belong together: land something there, or serve it"
            ))
        })?;
        // Units first: events of units that nobody knows have no place in the tree.
        let registers = district.registers_since(progress).await.map_err(later)?;
        if !registers.is_empty() {
            let asked = self.server.orders().take_over(self.settings.district.clone(), registers);
            let loaded = asked.await.map_err(|stopping| Trouble::later(&stopping.into()))?;
            for it in loaded.map_err(later)?.iter().filter(|it| it.added + it.changed > 0) {
                let (table, added, changed) = (it.table, it.added, it.changed);
                tracing::info!(
                    source = self.name,
                    table,
                    added,
                    changed,
                    "rows of a register come in"
                );
            }
            progress.registers_came(&district);
            self.note(progress)?;
        }
        let files = district.files_since(progress).await.map_err(later)?;
        for file in &files {
            let room = self.server.inbox().check_room(Clock::Machine.now());
            room.map_err(|full| Trouble::Full(full.retry_after))?;
            self.take(&district, file).await?;
            self.status.lock().landed_at = Some(Clock::Machine.now());
        }
        if progress.files_came(&district) {
            self.note(progress)?;
        }
        Ok(())
    }

    /// Copies a data file into the inbox.
    async fn take(&self, district: &gather::District, file: &DataFile) -> Result<(), Trouble> {
        let inbox = self.server.inbox();
        let mut draft = inbox.draft()?;
        let pieces = district.bytes(file).await.map_err(later)?;
        pin_mut!(pieces);
        while let Some(piece) = pieces.next().await {
            let written = draft.write_all(&piece.map_err(later)?);
            written.map_err(|error| inbox.refusal(error))?;
        }
        let (path, rows) = (&file.path, file.rows);
        tracing::info!(source = self.name, file = path, rows, "a data file comes in");
        let name = path.rsplit('/').next().unwrap_or(path);
        let written = (Format::Parquet, Compression::None);
        sources::keep(&self.server, draft, &self.mapping, written, name).await
    }

    fn note(&self, progress: &Progress) -> Result<(), Trouble> {
        record::write(&self.record, progress).map_err(|error| Trouble::later(&error))
    }
}

fn later(error: pipeline::Error) -> Trouble {
    Trouble::later(&error.into())
}
