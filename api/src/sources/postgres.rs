//! A PostgreSQL table or query that is asked from time to time for the rows that are new, by a column that grows.
//!
//! Rows become JSON lines in the inbox. How far it has come is recorded once they are there: a crash in between asks for
//! the same rows again, and what has landed does not land twice. A row that another transaction makes visible late is
//! found too, as long as its place is within the overlap that each question goes back.

mod tls;

use std::collections::HashSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use futures::{StreamExt as _, pin_mut};
use pipeline::source::{Compression, Format};
use serde::{Deserialize, Serialize};
use tokio_postgres::error::SqlState;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Row, Transaction};

use crate::clock::Clock;
use crate::inbox::Draft;
use crate::server::Server;
use crate::sources::{self, Pace, Status, Trouble, record};

pub use tls::Encryption;

/// How many rows that were sent last are remembered by their hashes, so that the overlap sends none again. Beyond
/// that they are sent again, and are duplicates when they land.
const RECENT_MAX: usize = 50_000;

/// How long beyond its own time limit a question is waited for: the network may have lost the answer.
const GRACE: Duration = Duration::from_secs(30);

const PIECE_BYTES: usize = 1 << 20;

/// What is asked, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Where the database is, and who asks.
    pub database: tokio_postgres::Config,
    /// The environment variable that holds the password.
    pub password_env: Option<String>,
    /// How the connection is protected.
    pub encryption: Encryption,
    /// What stands after `from`: a table, or a query in brackets.
    pub relation: String,
    /// The column that grows.
    pub cursor: String,
    /// A column that tells rows of the same place apart.
    pub key: Option<String>,
    /// How far back each question goes.
    pub overlap: Overlap,
    /// How many rows are asked for at once.
    pub batch: u32,
    /// How long a question may take.
    pub timeout: Duration,
}

/// How far back a question goes before the place that was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overlap {
    /// Of a cursor that is a time.
    Time(Duration),
    /// Of a cursor that is a whole number.
    Number(u64),
    /// What the kind of cursor suggests: a minute, a thousand, nothing for another.
    Default,
}

/// How far a source has come.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
struct Progress {
    /// The place of the last row, as the database writes it.
    cursor: Option<String>,
    /// The hashes of the rows that were sent last.
    recent: Vec<String>,
}

/// A place between rows within one round of questions.
#[derive(Debug, Clone)]
struct Place {
    cursor: String,
    key: Option<String>,
}

/// What one question has brought.
#[derive(Debug)]
struct Page {
    rows: u32,
    new: u32,
    last: Option<Place>,
    hashes: Vec<String>,
    draft: Option<Draft>,
}

/// A table that is followed.
#[derive(Debug)]
pub(super) struct Table {
    name: String,
    mapping: String,
    settings: Settings,
    server: Arc<Server>,
    status: Arc<Status>,
    record: PathBuf,
    progress: Option<Progress>,
}

impl Table {
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

    /// Asks from time to time, for as long as it is polled.
    pub(super) async fn follow(mut self, every: Duration) {
        let mut connection = None;
        let mut pace = Pace::new(every);
        loop {
            let looked = self.round(&mut connection).await;
            if matches!(looked, Err(Trouble::Later(_) | Trouble::Unreadable(_))) {
                connection = None;
            }
            tokio::time::sleep(pace.after(looked, &self.status)).await;
        }
    }

    /// Asks until nothing is new.
    async fn round(&mut self, connection: &mut Option<Connection>) -> Result<(), Trouble> {
        let mut progress = match self.progress.take() {
            Some(progress) => progress,
            None => record::read(&self.record)
                .map_err(|error| Trouble::later(&error))?
                .unwrap_or_default(),
        };
        let outcome = self.pages(connection, &mut progress).await;
        self.progress = Some(progress);
        outcome
    }

    async fn pages(
        &self,
        connection: &mut Option<Connection>,
        progress: &mut Progress,
    ) -> Result<(), Trouble> {
        let open = connection.take().filter(|connection| !connection.client.is_closed());
        let open = match open {
            Some(open) => Ok(open),
            None => self.settings.connect().await,
        };
        let connection = connection.insert(open.map_err(|error| Trouble::later(&error))?);
        let before = progress.recent.clone();
        let mut sent: HashSet<String> = before.iter().cloned().collect();
        let mut seen: Vec<String> = Vec::new();
        let mut after: Option<Place> = None;
        let mut limit = self.settings.batch;
        loop {
            let inbox = self.server.inbox();
            let room = inbox.check_room(Clock::Machine.now());
            room.map_err(|full| Trouble::Full(full.retry_after))?;
            let question = connection.question(&self.settings, progress, after.as_ref(), limit);
            let page = tokio::time::timeout(
                self.settings.timeout + GRACE,
                self.ask(&mut connection.client, &question, &sent),
            )
            .await
            .map_err(|_| Trouble::Later("the database does not answer in time".to_owned()))??;
            let Page { rows, new, last, hashes, draft } = page;
            if let Some(draft) = draft {
                let written = (Format::Json, Compression::None);
                sources::keep(&self.server, draft, &self.mapping, written, &self.name).await?;
                self.status.lock().landed_at = Some(Clock::Machine.now());
                tracing::info!(source = self.name, rows, new, "rows come in");
            }
            sent.extend(hashes.iter().cloned());
            seen.extend(hashes);
            seen.drain(..seen.len().saturating_sub(RECENT_MAX));
            let is_last = rows < limit;
            let has_moved = match (&after, &last) {
                (Some(Place { cursor, .. }), Some(last)) => *cursor != last.cursor,
                _ => true,
            };
            if let Some(last) = last {
                progress.cursor = Some(last.cursor.clone());
                after = Some(last);
            }
            progress.recent.clone_from(&seen);
            if !is_last {
                // What comes later in this round may have been sent by the last one.
                progress.recent.extend(before.iter().cloned());
                progress.recent.truncate(2 * RECENT_MAX);
            }
            if new > 0 {
                record::write(&self.record, progress).map_err(|error| Trouble::later(&error))?;
            }
            if is_last {
                return Ok(());
            }
            // Without a key, rows of one place are told apart only by reading all of them.
            let is_stuck = self.settings.key.is_none() && !has_moved;
            limit = if is_stuck { limit.saturating_mul(2) } else { self.settings.batch };
        }
    }

    /// Asks one question in a transaction that can only read; the rows that are new go into a draft.
    async fn ask(
        &self,
        client: &mut Client,
        question: &Question,
        sent: &HashSet<String>,
    ) -> Result<Page, Trouble> {
        let failed = |error: tokio_postgres::Error| Trouble::Later(self.settings.explained(error));
        let transaction = client.build_transaction().read_only(true).start().await;
        let transaction = transaction.map_err(failed)?;
        let millis = self.settings.timeout.as_millis();
        let set = format!(
            "set local statement_timeout = {millis}; set local timezone = 'UTC'; set local datestyle = 'ISO'; \
             set local extra_float_digits = 1"
        );
        transaction.batch_execute(&set).await.map_err(failed)?;
        let page = self.receive(&transaction, question, sent).await?;
        transaction.commit().await.map_err(failed)?;
        Ok(page)
    }

    async fn receive(
        &self,
        transaction: &Transaction<'_>,
        question: &Question,
        sent: &HashSet<String>,
    ) -> Result<Page, Trouble> {
        let failed = |error: tokio_postgres::Error| Trouble::Later(self.settings.explained(error));
        let values = question.values.iter().map(|value| value as &(dyn ToSql + Sync));
        let rows = transaction.query_raw(question.sql.as_str(), values).await.map_err(failed)?;
        pin_mut!(rows);
        let mut page = Page { rows: 0, new: 0, last: None, hashes: Vec::new(), draft: None };
        let mut piece = String::new();
        while let Some(row) = rows.next().await {
            let row = row.map_err(failed)?;
            let line = line(&row).map_err(failed)?;
            page.rows += 1;
            page.last = Some(Place {
                cursor: row.try_get(1).map_err(failed)?,
                key: row.try_get(2).map_err(failed)?,
            });
            let hash = blake3::hash(line.as_bytes()).to_hex()[..16].to_owned();
            if !sent.contains(&hash) {
                page.new += 1;
                piece.push_str(&line);
                piece.push('\n');
            }
            page.hashes.push(hash);
            if piece.len() >= PIECE_BYTES {
                self.write(&mut page.draft, &mut piece)?;
            }
        }
        if !piece.is_empty() {
            self.write(&mut page.draft, &mut piece)?;
        }
        Ok(page)
    }

    fn write(&self, draft: &mut Option<Draft>, piece: &mut String) -> Result<(), Trouble> {
        let inbox = self.server.inbox();
        if draft.is_none() {
            // A byte order mark: the lines are UTF-8 whatever the mapping says of files.
            piece.insert(0, '\u{feff}');
            *draft = Some(inbox.draft()?);
        }
        if let Some(draft) = draft {
            draft.write_all(piece.as_bytes()).map_err(|error| inbox.refusal(error))?;
        }
        piece.clear();
        Ok(())
    }
}

/// A row as a line. Outside of texts, where they are written as escapes, line ends are spaces.
fn line(row: &Row) -> Result<String, tokio_postgres::Error> {
    let json: &str = row.try_get(0)?;
    Ok(json.replace(['\n', '\r'], " "))
}

/// A connection, and what is known of the columns by which it is asked.
#[derive(Debug)]
struct Connection {
    client: Client,
    cursor: Type,
    key: Option<Type>,
}

/// A statement with its values, all of them texts.
#[derive(Debug, PartialEq, Eq)]
struct Question {
    sql: String,
    values: Vec<String>,
}

impl Connection {
    fn question(
        &self,
        settings: &Settings,
        progress: &Progress,
        after: Option<&Place>,
        limit: u32,
    ) -> Question {
        let key = self.key.as_ref().map(type_name);
        settings.question(&self.cursor, key.as_deref(), progress.cursor.as_deref(), after, limit)
    }
}

impl Settings {
    async fn connect(&self) -> anyhow::Result<Connection> {
        let mut database = self.database.clone();
        if let Some(name) = &self.password_env {
            let password = std::env::var(name).with_context(|| {
                format!("the environment variable `{name}` of `password_env` is not set")
            })?;
            database.password(password);
        }
        let client =
            self.encryption.connect(&database).await.map_err(|error| match error
                .downcast::<tokio_postgres::Error>(
            ) {
                Ok(error) => anyhow::anyhow!(self.explained(error)),
                Err(error) => error,
            })?;
        let (cursor, key) = (quoted(&self.cursor), self.key.as_deref().map(quoted));
        let columns = [Some(cursor), key].into_iter().flatten().collect::<Vec<_>>().join(", ");
        let statement = format!("select {columns} from {} r limit 0", self.relation);
        let prepared = client.prepare(&statement).await;
        let prepared = prepared.map_err(|error| anyhow::anyhow!(self.explained(error)))?;
        let mut types = prepared.columns().iter().map(|column| column.type_().clone());
        let cursor = types.next().context("the question has no columns")?;
        self.check_overlap(&cursor)?;
        Ok(Connection { client, cursor, key: types.next() })
    }

    /// Refuses an overlap that the cursor's type cannot have.
    fn check_overlap(&self, cursor: &Type) -> anyhow::Result<()> {
        let fits = match self.overlap {
            Overlap::Time(_) => is_time(cursor),
            Overlap::Number(_) => is_number(cursor),
            Overlap::Default => true,
        };
        anyhow::ensure!(
            fits,
            "`cursor` is a column of the type {}: `overlap` is a time such as \"1m\" for a time, a number for a number, \
             and is left out for anything else",
            cursor.name()
        );
        Ok(())
    }

    /// What goes before the place that was reached, as it is written in SQL.
    fn overlap_of(&self, cursor: &Type) -> String {
        let time = |time: Duration| format!(" - interval '{} milliseconds'", time.as_millis());
        match self.overlap {
            Overlap::Time(overlap) => time(overlap),
            Overlap::Number(overlap) => format!(" - {overlap}"),
            Overlap::Default if is_time(cursor) => time(Duration::from_secs(60)),
            Overlap::Default if is_number(cursor) => " - 1000".to_owned(),
            Overlap::Default => String::new(),
        }
    }

    /// The question for the next rows: those after a place of this round, those since the place that was reached before
    /// less the overlap, or all.
    fn question(
        &self,
        cursor_type: &Type,
        key_type: Option<&str>,
        reached: Option<&str>,
        after: Option<&Place>,
        limit: u32,
    ) -> Question {
        let cursor = format!("r.{}", quoted(&self.cursor));
        let key = self.key.as_deref().map(|key| format!("r.{}", quoted(key)));
        let of_type = type_name(cursor_type);
        let keyed = after.and_then(|place| place.key.as_ref()).zip(key.as_ref().zip(key_type));
        let (condition, values) = match (after, keyed, reached) {
            (Some(place), Some((of_key, (key, key_type))), _) => {
                let condition =
                    format!("({cursor}, {key}) > ($1::text::{of_type}, $2::text::{key_type})");
                (condition, vec![place.cursor.clone(), of_key.clone()])
            }
            (Some(place), None, _) => {
                (format!("{cursor} >= $1::text::{of_type}"), vec![place.cursor.clone()])
            }
            (None, _, Some(reached)) => {
                let overlap = self.overlap_of(cursor_type);
                (format!("{cursor} >= $1::text::{of_type}{overlap}"), vec![reached.to_owned()])
            }
            (None, _, None) => (format!("{cursor} is not null"), Vec::new()),
        };
        let order = key.as_ref().map(|key| format!(", {key}")).unwrap_or_default();
        let shown = key.map_or("null::text".to_owned(), |key| format!("{key}::text"));
        let sql = format!(
            "select row_to_json(r)::text, {cursor}::text, {shown} from {} r where {condition} \
             order by {cursor}{order} limit {limit}",
            self.relation
        );
        Question { sql, values }
    }

    /// An error of the database, and what to do about it.
    fn explained(&self, error: tokio_postgres::Error) -> String {
        let code = error.code().cloned();
        let remedy = match code {
            Some(SqlState::INVALID_PASSWORD | SqlState::INVALID_AUTHORIZATION_SPECIFICATION) => {
                "check the account in `url` and the password in the variable of `password_env`"
            }
            Some(
                SqlState::UNDEFINED_TABLE | SqlState::UNDEFINED_COLUMN | SqlState::SYNTAX_ERROR,
            ) => "check `table` or `query`, `cursor` and `key`",
            Some(SqlState::INSUFFICIENT_PRIVILEGE) => "grant the account `select` on it",
            Some(SqlState::QUERY_CANCELED) => {
                "it took longer than `timeout`; an index on the cursor and the key makes it quick"
            }
            Some(_) => "the database says why",
            None => "it is tried again; check `url`, `tls` and the network",
        };
        format!("{:#}; {remedy}", anyhow::Error::from(error))
    }
}

fn is_time(cursor: &Type) -> bool {
    matches!(*cursor, Type::TIMESTAMP | Type::TIMESTAMPTZ | Type::DATE)
}

fn is_number(cursor: &Type) -> bool {
    matches!(*cursor, Type::INT2 | Type::INT4 | Type::INT8 | Type::NUMERIC)
}

fn type_name(of: &Type) -> String {
    format!("{}.{}", quoted(of.schema()), quoted(of.name()))
}

/// A name in SQL, whatever its letters are.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A table's name in SQL, maybe with its schema.
pub fn quoted_table(name: &str) -> String {
    name.split('.').map(quoted).collect::<Vec<_>>().join(".")
}

/// Reads certificates in PEM.
fn certificates(path: &Path) -> anyhow::Result<Vec<rustls::pki_types::CertificateDer<'static>>> {
    use rustls::pki_types::CertificateDer;
    use rustls::pki_types::pem::PemObject as _;
    let shown = path.display();
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let read = read.map_err(|error| anyhow::anyhow!("cannot read `{shown}` as PEM: {error}"))?;
    anyhow::ensure!(!read.is_empty(), "`{shown}` holds no certificate in PEM");
    Ok(read)
}

#[cfg(test)]
mod tests;
