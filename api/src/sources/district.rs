//! The lake of a district that is followed: its registers are taken over, and its new data files come into the inbox.
//!
//! How far it has come is recorded once everything of a state is there: a crash in between brings some of it once more, and
//! what has landed does not land twice.

use std::collections::HashSet;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt as _, pin_mut};
use pipeline::gather::{self, Progress};
use pipeline::lake::{DataFile, Published};
use pipeline::location::Location;
use pipeline::source::{Compression, Format};
use serde::{Deserialize, Serialize};

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

/// What is on record of a lake that is followed.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Record {
    /// The district under which what has come was put.
    district: String,
    progress: Progress,
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
    known: Option<Record>,
    /// The state of which everything has come.
    seen: Option<Published>,
    /// Files that are in the inbox of a state that has not come as a whole: a look that was broken off does not begin anew.
    taken: HashSet<String>,
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
        Self {
            name,
            mapping,
            settings,
            server,
            status,
            record,
            known: None,
            seen: None,
            taken: HashSet::new(),
        }
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
        let lake = &self.settings.lake;
        let published = Published::read(lake).await.map_err(later)?.ok_or_else(|| {
            Trouble::Later(format!(
                "`{lake}` does not say yet which of its tables belong together: land something there, or serve it"
            ))
        })?;
        if self.seen.as_ref().is_some_and(|seen| seen.is_same_state(&published)) {
            return Ok(());
        }
        let mut known = match self.known.take() {
            Some(known) => known,
            None => self.read_record()?,
        };
        let brought = self.bring(&published, &mut known).await;
        self.known = Some(known);
        brought?;
        self.seen = Some(published);
        Ok(())
    }

    fn read_record(&self) -> Result<Record, Trouble> {
        let record: Option<Record> =
            record::read(&self.record).map_err(|error| Trouble::later(&error))?;
        // What was put under another district comes again, to be put under this one.
        let record = record.filter(|record| record.district == self.settings.district);
        let district = self.settings.district.clone();
        Ok(record.unwrap_or_else(|| Record { district, ..Record::default() }))
    }

    async fn bring(&mut self, published: &Published, known: &mut Record) -> Result<(), Trouble> {
        let opened = gather::District::open(&self.settings.lake, published).await;
        let district = opened.map_err(later)?;
        // Units first: events of units that nobody knows have no place in the tree.
        let registers = district.registers_since(&known.progress).await.map_err(later)?;
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
            known.progress.registers_came(&district);
            self.note(known)?;
        }
        for file in district.files_since(&known.progress).await.map_err(later)? {
            if self.taken.contains(&file.path) {
                continue;
            }
            let room = self.server.inbox().check_room(Clock::Machine.now());
            room.map_err(|full| Trouble::Full(full.retry_after))?;
            self.take(&district, &file).await?;
            self.taken.insert(file.path);
            self.status.lock().landed_at = Some(Clock::Machine.now());
            self.status.looked(None);
        }
        self.taken.clear();
        if known.progress.files_came(&district) {
            self.note(known)?;
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

    fn note(&self, known: &Record) -> Result<(), Trouble> {
        record::write(&self.record, known).map_err(|error| Trouble::later(&error))
    }
}

fn later(error: pipeline::Error) -> Trouble {
    Trouble::later(&error.into())
}
