//! The audit log: who did what with a lake, from where, when, and how it ended.
//!
//! Each row holds the hash of the one before it. Whoever changes, takes out or adds a row in the middle has to write anew
//! all that follow; and whoever has noted where the log ended at some time notices that too ([`verify()`]). Rows are
//! written as things happen, to a journal, and moved to the Delta table `audit_log` from time to time, so that it does
//! not consist of a file for every question. Nothing here removes a row.

mod journal;
mod row;
mod table;
mod verify;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use arrow::array::AsArray as _;
use arrow::datatypes::Int64Type;
use datafusion::catalog::TableProvider;
use datafusion::prelude::SessionContext;
use serde_json::json;

use crate::error::{Error, Result};
use crate::lake::{Table, WriteLock};
use crate::location::Location;
use journal::Journal;
use table::AuditTable;

pub use row::{Begun, Ended, Head, Row, schema};
pub use verify::{Breach, Verified, verify};

/// The table's name.
pub const AUDIT_LOG: &str = "audit_log";

/// The column by whose values the table's files are kept apart: the month in UTC.
const PARTITION: &str = "audit_month";

/// The folder of the journal.
const JOURNAL: &str = "audit_journal";

/// How what has not ended when the process does is told.
const INTERRUPTED: &str = "interrupted";

/// How what nobody waited for is told.
const ABANDONED: &str = "abandoned";

/// The audit log of a lake, for its one writer. Cheap to clone; all clones are the same.
#[derive(Debug, Clone)]
pub struct AuditLog(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    journal_folder: PathBuf,
    /// Held while rows are moved to the table.
    table: tokio::sync::Mutex<Table>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    journal: Journal,
    next_id: u64,
    /// What has begun and not ended.
    open: BTreeMap<u64, Begun>,
    head: Head,
    /// The rows that the table does not have yet.
    tail: Vec<Row>,
    /// Up to which journal, and how many of these rows, a commit moves, or moved although its answer was an error.
    moving: Option<(i64, usize)>,
    /// The table at the version that has the rows before them.
    moved: Arc<dyn TableProvider>,
}

/// Something that has begun. It ends when it is dropped, if not before.
#[derive(Debug)]
pub struct Open {
    log: AuditLog,
    id: u64,
    started: Instant,
    is_ended: bool,
}

impl AuditLog {
    /// Opens the log of a lake, or begins one. What a process left that did not stop by itself is made up for.
    ///
    /// `at` is where the lake is, or the home of a server that only reads one, whose log is its own. A lake has to have a
    /// home.
    pub async fn open(at: &Location, _lock: &WriteLock) -> Result<Self> {
        let at = at.resolved()?;
        let table = Table::open_or_create(
            &at.join(AUDIT_LOG),
            AUDIT_LOG,
            schema(),
            Some(PARTITION),
            &[("delta.appendOnly", "true")],
        )
        .await?;
        let moved = table.provider().await?;
        let journal_folder = at.home()?.join(JOURNAL);
        let in_table = table.progress(JOURNAL).await?.unwrap_or_default();
        journal::remove(&journal_folder, in_table)?;
        let found = journal::read(&journal_folder, in_table)?;
        for (path, line) in &found.unreadable {
            let path = path.display();
            tracing::error!(%path, line, "a line of the audit log's journal cannot be read");
        }
        let head = match found.rows.last() {
            Some(row) => row.head(),
            None => head_of(&table).await?,
        };
        let state = State {
            journal: Journal::create(&journal_folder, found.last_number + 1)?,
            next_id: found.open.keys().max().map_or(0, |id| id + 1),
            open: found.open,
            head,
            tail: found.rows,
            moving: None,
            moved,
        };
        let log = Self(Arc::new(Shared {
            journal_folder,
            table: tokio::sync::Mutex::new(table),
            state: Mutex::new(state),
        }));
        log.end_what_was_left()?;
        log.move_to_table().await?;
        Ok(log)
    }

    /// Notes that something begins. Fails when that cannot be written down; then it must not be done.
    pub fn begin(&self, begun: Begun) -> Result<Open> {
        let mut state = self.state();
        let id = state.next_id;
        let written = state.journal.begin(id, &begun);
        written.map_err(Error::io("write", &self.0.journal_folder))?;
        state.next_id += 1;
        state.open.insert(id, begun);
        Ok(Open { log: self.clone(), id, started: Instant::now(), is_ended: false })
    }

    /// Notes something that is over as it is told.
    pub fn note(&self, begun: Begun, outcome: &str, detail: Option<String>) -> Result<()> {
        self.begin(begun)?.end(outcome, None, detail);
        Ok(())
    }

    /// Where the log ends now.
    pub fn head(&self) -> Head {
        self.state().head.clone()
    }

    /// Rows that are in the journal only.
    pub fn waiting(&self) -> usize {
        self.state().tail.len()
    }

    /// The log for SQL, always with its newest row.
    pub fn provider(&self) -> Arc<dyn TableProvider> {
        Arc::new(AuditTable::new(self.clone()))
    }

    /// Brings the journal to disk. Blocks for as long as that takes.
    pub fn sync(&self) -> Result<()> {
        let file = {
            let mut state = self.state();
            if !std::mem::take(&mut state.journal.is_unsynced) {
                return Ok(());
            }
            state.journal.file()
        };
        let synced = file.and_then(|file| file.sync_data());
        synced.map_err(Error::io("sync", &self.0.journal_folder))
    }

    /// Moves the rows of the journal to the table. When that fails they stay where they are.
    pub async fn move_to_table(&self) -> Result<()> {
        let mut table = self.0.table.lock().await;
        self.settle(&mut table).await?;
        let (rows, number) = {
            let mut state = self.state();
            if state.tail.is_empty() {
                return Ok(());
            }
            let mut next = state.journal.next()?;
            for (id, begun) in &state.open {
                let written = next.begin(*id, begun);
                written.map_err(Error::io("write", &self.0.journal_folder))?;
            }
            let number = state.journal.number();
            state.journal = next;
            state.moving = Some((number, state.tail.len()));
            (state.tail.clone(), number)
        };
        let mut adds = Vec::new();
        for rows in rows.chunk_by(|a, b| month_of(a) == month_of(b)) {
            adds.push(write_rows(&table, rows).await?);
        }
        let note = json!({ "audit_rows": rows.len() });
        table.commit(adds, Vec::new(), vec![(JOURNAL.to_owned(), number)], note).await?;
        let moved = table.provider().await?;
        {
            let mut state = self.state();
            state.tail.drain(..rows.len());
            state.moving = None;
            state.moved = moved;
        }
        journal::remove(&self.0.journal_folder, number)
    }

    /// Finds out whether the commit before, whose answer was an error, moved its rows all the same.
    async fn settle(&self, table: &mut Table) -> Result<()> {
        let Some((number, rows)) = self.state().moving else { return Ok(()) };
        table.update().await?;
        let is_moved = table.progress(JOURNAL).await?.is_some_and(|moved| moved >= number);
        let moved = table.provider().await?;
        let mut state = self.state();
        state.moving = None;
        if is_moved {
            state.tail.drain(..rows);
            state.moved = moved;
        }
        Ok(())
    }

    /// How many rows of the table name somebody.
    pub(crate) async fn rows_that_name(&self, id: &str) -> Result<u64> {
        let context = SessionContext::new();
        let failed = || Error::query("looking through the audit log");
        context.register_table(AUDIT_LOG, self.provider()).map_err(failed())?;
        let id = id.replace('\'', "''");
        let named = ["account", "subject", "parameters", "detail"]
            .map(|column| format!("strpos(coalesce({column}, ''), '{id}') > 0"))
            .join(" or ");
        let frame = context
            .sql(&format!("select sequence from {AUDIT_LOG} where {named}"))
            .await
            .map_err(failed())?;
        Ok(frame.count().await.map_err(failed())? as u64)
    }

    /// Goes on as the writer of the lake whose turn has come again.
    pub async fn write_in_turn(&self, at: &Location, _lock: &WriteLock) -> Result<()> {
        let mut table = self.0.table.lock().await;
        match Table::open(&at.join(AUDIT_LOG), AUDIT_LOG).await? {
            Some(opened) => *table = opened,
            None => return Err(Error::internal("the audit log is gone")),
        }
        self.show(&table).await
    }

    /// The table, for whoever keeps it in order; no row is moved to it meanwhile.
    pub(crate) async fn table(&self) -> tokio::sync::MutexGuard<'_, Table> {
        self.0.table.lock().await
    }

    /// Shows readers the table as it is now.
    pub(crate) async fn show(&self, table: &Table) -> Result<()> {
        let moved = table.provider().await?;
        self.state().moved = moved;
        Ok(())
    }

    fn end(&self, id: u64, ended: Ended) {
        let mut state = self.state();
        let Some(begun) = state.open.remove(&id) else { return };
        let row = state.head.followed_by(begun, ended);
        state.head = row.head();
        if let Err(error) = state.journal.end(id, &row) {
            // What was given out cannot be taken back; the row is kept here, and nothing new can begin.
            tracing::error!(%error, sequence = row.sequence, "the audit log's journal cannot be written");
        }
        state.tail.push(row);
    }

    /// Ends what was under way when another process ended.
    fn end_what_was_left(&self) -> Result<()> {
        let left: Vec<(u64, Begun)> = self.state().open.clone().into_iter().collect();
        let folder = &self.0.journal_folder;
        for (id, begun) in left {
            self.state().journal.begin(id, &begun).map_err(Error::io("write", folder))?;
            // Nobody knows when it ended.
            let outcome = INTERRUPTED.to_owned();
            self.end(id, Ended { duration_ms: 0, rows: None, outcome, detail: None });
        }
        Ok(())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Open {
    /// Notes how it ended.
    pub fn end(mut self, outcome: &str, rows: Option<u64>, detail: Option<String>) {
        self.write(outcome, rows, detail);
    }

    fn write(&mut self, outcome: &str, rows: Option<u64>, detail: Option<String>) {
        if std::mem::replace(&mut self.is_ended, true) {
            return;
        }
        let duration_ms = i64::try_from(self.started.elapsed().as_millis()).unwrap_or(i64::MAX);
        let rows = rows.map(|rows| i64::try_from(rows).unwrap_or(i64::MAX));
        let ended = Ended { duration_ms, rows, outcome: outcome.to_owned(), detail };
        self.log.end(self.id, ended);
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.write(ABANDONED, None, None);
    }
}

/// The log of a lake as it stands, for a process that does not write it; `None` when there is none.
///
/// Of a lake in a bucket it has the rows of the journal only when the home of the server that writes it is given.
pub async fn read_only(lake: impl Into<Location>) -> Result<Option<Arc<dyn TableProvider>>> {
    Ok(read(&lake.into().resolved()?).await?.map(|(table, _)| table))
}

/// The log of a lake as it stands, and the lines of its journal that cannot be read.
async fn read(lake: &Location) -> Result<Option<(Arc<dyn TableProvider>, Vec<(PathBuf, usize)>)>> {
    // The journal first: what is moved meanwhile is then found twice, and not at all would be worse.
    let found = match lake.home_if_any() {
        Some(home) => journal::read(&home.join(JOURNAL), 0)?,
        None => journal::Found::default(),
    };
    let Some(table) = Table::open(&lake.join(AUDIT_LOG), AUDIT_LOG).await? else {
        return Ok(None);
    };
    let head = head_of(&table).await?;
    let rows = found.rows.into_iter().filter(|row| row.sequence > head.sequence).collect();
    let table = Arc::new(AuditTable::fixed(table.provider().await?, rows));
    Ok(Some((table, found.unreadable)))
}

async fn write_rows(table: &Table, rows: &[Row]) -> Result<deltalake::kernel::Add> {
    let places = rows.iter().map(|row| row.sequence);
    let (first, last) = (places.clone().min(), places.max());
    let month = rows.first().map(month_of);
    let batch = row::batch_of(rows, &schema())?;
    // The partition stands in the file's path.
    let columns: Vec<usize> = (0..batch.num_columns() - 1).collect();
    let batch = batch.project(&columns).map_err(Error::internal)?;
    let statistics = json!({
        "numRecords": rows.len(),
        "minValues": { "sequence": first },
        "maxValues": { "sequence": last },
        "nullCount": { "sequence": 0 },
    });
    table.write_file(month.as_deref(), &[batch], statistics).await
}

/// The month of a row in UTC, as `2026-11`.
fn month_of(row: &Row) -> String {
    row.begun.started_at.format("%Y-%m").to_string()
}

/// The last row of the table.
async fn head_of(table: &Table) -> Result<Head> {
    let context = SessionContext::new();
    let failed = || Error::query("reading the end of the audit log");
    context.register_table(AUDIT_LOG, table.provider().await?).map_err(failed())?;
    let last = format!("select sequence, hash from {AUDIT_LOG} order by sequence desc limit 1");
    let batches = context.sql(&last).await.map_err(failed())?.collect().await.map_err(failed())?;
    let Some(batch) = batches.iter().find(|batch| batch.num_rows() > 0) else {
        return Ok(Head::origin());
    };
    let hash = arrow::compute::cast(batch.column(1), &arrow::datatypes::DataType::Utf8)
        .map_err(Error::internal)?;
    Ok(Head {
        sequence: batch.column(0).as_primitive::<Int64Type>().value(0),
        hash: hash.as_string::<i32>().value(0).to_owned(),
    })
}

#[cfg(test)]
mod tests;
