//! What a session does with the messages of its client.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use ::pgwire::api::Type;
use bytes::Bytes;
use datafusion::scalar::ScalarValue;

use super::command::{self, Command, Count, Query};
use super::copy::CopyForm;
use super::failure::{Failure, Severity, code};
use super::parameters::Parameter;
use super::rows::{self, Formats, Rows, lost};
use super::settings::Settings;
use super::transaction::{End, Transaction};
use super::types::Shape;
use super::wire::{Bind, Format, Message, Output, Status, Target};
use crate::caller::Visitor;
use crate::server::Server;
use crate::sql_door::{Described, Parameters, Statement};

/// Prepared statements, and also portals and cursors, that a session may have at once.
const NAMES_MAX: usize = 1024;

/// Bytes that the prepared statements of a session, and also the values of its portals, may have together.
const KEPT_BYTES_MAX: usize = 16 << 20;

/// A session: nothing of it is shared with another.
pub(super) struct Session {
    server: Arc<Server>,
    visitor: Visitor,
    transaction: Transaction,
    /// What the client has been told of the settings that it hears of.
    reported: BTreeMap<&'static str, String>,
    statements: HashMap<String, Prepared>,
    portals: HashMap<String, Portal>,
    cursors: HashMap<String, Cursor>,
    /// After an error in the extended protocol, everything up to the next Sync is passed over.
    skips_to_sync: bool,
}

/// A statement that waits for values.
struct Prepared {
    command: Arc<Command>,
    types: Vec<u32>,
    described: Option<Told>,
    bytes: usize,
}

/// What a client has been told of a prepared statement.
#[derive(Clone)]
struct Told {
    parameters: Arc<[Parameter]>,
    shapes: Option<Arc<[Shape]>>,
}

/// A statement with its values, and as much of its result as has been taken.
struct Portal {
    command: Arc<Command>,
    values: Vec<ScalarValue>,
    formats: Formats,
    told: Option<Arc<[Shape]>>,
    rows: Option<Rows>,
    bytes: usize,
}

impl Portal {
    /// A statement of the simple protocol.
    fn plain(command: Arc<Command>) -> Self {
        Self {
            command,
            values: Vec::new(),
            formats: Formats::text(),
            told: None,
            rows: None,
            bytes: 0,
        }
    }
}

/// What DECLARE has opened.
struct Cursor {
    rows: Rows,
    is_held: bool,
    /// Whether its transaction has been committed.
    is_kept: bool,
}

/// How far a portal has got.
enum Progress {
    Complete(String),
    Suspended,
    Empty,
}

impl Session {
    pub(super) fn new(server: Arc<Server>, visitor: Visitor, settings: Settings) -> Self {
        Self {
            server,
            visitor,
            transaction: Transaction::new(settings),
            reported: BTreeMap::new(),
            statements: HashMap::new(),
            portals: HashMap::new(),
            cursors: HashMap::new(),
            skips_to_sync: false,
        }
    }

    /// The time that a statement may take, where the client has set one.
    pub(super) fn timeout(&self) -> Option<Duration> {
        self.transaction.settings().statement_timeout()
    }

    /// The time that may pass until the next message.
    pub(super) fn idle_timeout(&self) -> Option<Duration> {
        let is_idle = self.transaction.status() == Status::Idle;
        if is_idle { None } else { self.transaction.settings().idle_in_transaction_timeout() }
    }

    /// Tells the client what has changed of the settings that it hears of.
    pub(super) fn report(&mut self, output: &mut Output) {
        for (name, value) in self.transaction.settings().reported() {
            if self.reported.get(name).is_none_or(|told| told != value) {
                output.parameter_status(name, value);
                self.reported.insert(name, value.to_owned());
            }
        }
    }

    pub(super) fn ready(&self, output: &mut Output) {
        output.ready(self.transaction.status());
    }

    /// Answers a message. May be dropped at any moment: what is at work then ends with it.
    pub(super) async fn answer(
        &mut self,
        message: Message,
        output: &mut Output,
    ) -> Result<(), Failure> {
        if self.skips_to_sync && message != Message::Sync {
            return Ok(());
        }
        match message {
            Message::Query(sql) => self.query(&sql, output).await?,
            Message::Parse { name, sql, types } => self.parse(name, &sql, types, output)?,
            Message::Bind(bind) => self.bind(bind, output).await?,
            Message::Describe(Target::Statement(name)) => {
                self.describe_statement(&name, output).await?;
            }
            Message::Describe(Target::Portal(name)) => self.describe_portal(&name, output).await?,
            Message::Execute { portal, rows_max } => {
                self.execute_portal(&portal, rows_max, output).await?;
            }
            Message::Close(Target::Statement(name)) => {
                self.statements.remove(&name);
                output.bare(b'3');
            }
            Message::Close(Target::Portal(name)) => {
                if self.portals.remove(&name).is_none() {
                    self.cursors.remove(&name);
                }
                output.bare(b'3');
            }
            Message::Sync => self.sync(output),
            Message::Password(_) => return Err(Failure::protocol("the login is over")),
            Message::Unreadable { failure, .. } => return Err(failure),
            // What is asked for here, the loop around does: it sends everything, or ends.
            Message::Flush | Message::Terminate | Message::CopyIn => {}
        }
        Ok(())
    }

    /// Tells that the answer to a message has failed.
    pub(super) fn fail(&mut self, failure: &Failure, is_simple: bool, output: &mut Output) {
        output.failure(failure);
        self.transaction.fail();
        // Their results would otherwise be kept at work for nobody.
        self.portals.clear();
        if failure.severity == Severity::Fatal {
            return;
        }
        if is_simple {
            self.ready(output);
        } else {
            self.skips_to_sync = true;
        }
    }

    fn sync(&mut self, output: &mut Output) {
        self.skips_to_sync = false;
        if self.transaction.status() == Status::Idle {
            self.portals.clear();
        }
        self.ready(output);
    }

    async fn query(&mut self, sql: &str, output: &mut Output) -> Result<(), Failure> {
        self.portals.remove("");
        let commands = command::read_all(sql)?;
        if commands.is_empty() {
            output.bare(b'I');
        }
        for command in commands {
            self.transaction.check(&command)?;
            let mut portal = Portal::plain(command);
            if let Some(shapes) = self.columns(&mut portal).await? {
                rows::describe(&shapes, &portal.formats, output);
            }
            if let Progress::Complete(tag) = self.execute(&mut portal, None, output).await? {
                output.complete(&tag);
            }
            self.report(output);
        }
        self.ready(output);
        Ok(())
    }

    fn parse(
        &mut self,
        name: String,
        sql: &str,
        types: Vec<u32>,
        output: &mut Output,
    ) -> Result<(), Failure> {
        let mut commands = command::read_all(sql)?;
        if commands.len() > 1 {
            let message = "cannot insert multiple commands into a prepared statement";
            return Err(Failure::error(code::SYNTAX, message));
        }
        let command = commands.pop().unwrap_or_else(|| Arc::new(Command::Empty));
        self.transaction.check(&command)?;
        if !name.is_empty() && self.statements.contains_key(&name) {
            let message = format!("prepared statement \"{name}\" already exists");
            return Err(Failure::error(code::STATEMENT_EXISTS, message));
        }
        let bytes = sql.len();
        let kept = self.statements.values().map(|prepared| prepared.bytes);
        check_room(kept.chain([bytes]), "prepared statements")?;
        self.statements.insert(name, Prepared { command, types, described: None, bytes });
        output.bare(b'1');
        Ok(())
    }

    async fn bind(&mut self, bind: Bind, output: &mut Output) -> Result<(), Failure> {
        let prepared = self.prepared(&bind.statement)?;
        let command = Arc::clone(&prepared.command);
        self.transaction.check(&command)?;
        let told = self.prepared(&bind.statement)?.described.clone();
        let parameters = self.parameters(&bind.statement).await?;
        if bind.parameters.len() != parameters.len() {
            let (given, needed) = (bind.parameters.len(), parameters.len());
            let message = format!("{given} parameters are given, but the statement needs {needed}");
            return Err(Failure::error(code::PROTOCOL_VIOLATION, message));
        }
        let formats = &bind.parameter_formats;
        if formats.len() > 1 && formats.len() != parameters.len() {
            let message = "there are neither one nor as many formats as parameters";
            return Err(Failure::error(code::PROTOCOL_VIOLATION, message));
        }
        let zone = self.transaction.settings().zone();
        let values = parameters.iter().zip(&bind.parameters).enumerate();
        let values = values.map(|(index, (parameter, value))| {
            let format = formats.get(if formats.len() == 1 { 0 } else { index });
            let format = format.copied().unwrap_or(Format::Text);
            parameter.read(index + 1, format, value.as_ref(), zone)
        });
        let portal = Portal {
            command,
            values: values.collect::<Result<_, _>>()?,
            formats: Formats::new(bind.result_formats),
            told: told.and_then(|told| told.shapes),
            rows: None,
            bytes: bind.parameters.iter().flatten().map(Bytes::len).sum(),
        };
        let kept = self.portals.values().map(|portal| portal.bytes);
        check_room(kept.chain([portal.bytes]), "portals")?;
        self.portals.insert(bind.portal, portal);
        output.bare(b'2');
        Ok(())
    }

    async fn describe_statement(&mut self, name: &str, output: &mut Output) -> Result<(), Failure> {
        let command = Arc::clone(&self.prepared(name)?.command);
        self.transaction.check(&command)?;
        let told = self.tell(name).await?;
        let types: Vec<Type> = told.parameters.iter().map(|one| one.kind.clone()).collect();
        output.parameter_description(&types);
        let shapes = match &*command {
            Command::Query { .. } => told.shapes,
            _ => self.columns(&mut Portal::plain(command)).await?,
        };
        match shapes {
            Some(shapes) => rows::describe(&shapes, &Formats::text(), output),
            None => output.bare(b'n'),
        }
        Ok(())
    }

    async fn describe_portal(&mut self, name: &str, output: &mut Output) -> Result<(), Failure> {
        // A cursor is a portal of that name, which drivers describe after DECLARE.
        if let Some(cursor) = self.cursors.get(name)
            && !self.portals.contains_key(name)
        {
            rows::describe(cursor.rows.shapes(), &Formats::text(), output);
            return Ok(());
        }
        let mut portal = self.take_portal(name)?;
        self.transaction.check(&portal.command)?;
        match self.columns(&mut portal).await? {
            Some(shapes) => rows::describe(&shapes, &portal.formats, output),
            None => output.bare(b'n'),
        }
        self.portals.insert(name.to_owned(), portal);
        Ok(())
    }

    async fn execute_portal(
        &mut self,
        name: &str,
        rows_max: i32,
        output: &mut Output,
    ) -> Result<(), Failure> {
        // Taken out, so that its result ends with this when the client cancels.
        let mut portal = self.take_portal(name)?;
        self.transaction.check(&portal.command)?;
        let rows_max = u64::try_from(rows_max).ok().filter(|most| *most > 0);
        match self.execute(&mut portal, rows_max, output).await? {
            Progress::Complete(tag) => output.complete(&tag),
            Progress::Suspended => output.bare(b's'),
            Progress::Empty => output.bare(b'I'),
        }
        let is_over = matches!(*portal.command, Command::Commit | Command::Rollback);
        if !is_over {
            self.portals.insert(name.to_owned(), portal);
        }
        self.report(output);
        Ok(())
    }

    fn prepared(&self, name: &str) -> Result<&Prepared, Failure> {
        self.statements.get(name).ok_or_else(|| {
            let message = format!("prepared statement \"{name}\" does not exist");
            Failure::error(code::NO_SUCH_STATEMENT, message)
        })
    }

    fn take_portal(&mut self, name: &str) -> Result<Portal, Failure> {
        self.portals.remove(name).ok_or_else(|| {
            Failure::error(code::NO_SUCH_CURSOR, format!("portal \"{name}\" does not exist"))
        })
    }

    /// The types of a statement's parameters; the door is asked only for what the client leaves open.
    async fn parameters(&mut self, name: &str) -> Result<Arc<[Parameter]>, Failure> {
        let prepared = self.prepared(name)?;
        let count = query_of(&prepared.command).map_or(0, |query| query.placeholders);
        let count = count.max(prepared.types.len());
        let types = &prepared.types;
        let are_chosen = types.len() == count && types.iter().all(|oid| *oid != 0);
        if prepared.described.is_none() && are_chosen {
            return types.iter().map(|oid| Parameter::new(Some(*oid), None)).collect();
        }
        Ok(self.tell(name).await?.parameters)
    }

    /// Finds out what to tell of a prepared statement, once.
    async fn tell(&mut self, name: &str) -> Result<Told, Failure> {
        let prepared = self.prepared(name)?;
        if let Some(told) = &prepared.described {
            return Ok(told.clone());
        }
        let (command, types) = (Arc::clone(&prepared.command), prepared.types.clone());
        let query = query_of(&command);
        let count = query.map_or(0, |query| query.placeholders).max(types.len());
        let is_open = |index: usize| types.get(index).is_none_or(|oid| *oid == 0);
        let mut described = None;
        if let Some(query) = query
            && (count == 0 || (0..count).any(is_open))
        {
            described = Some(self.ask(query, &[]).await?);
        }
        let parameter = |index: usize| {
            let told = described.as_ref().and_then(|described| described.parameters.get(index));
            Parameter::new(types.get(index).copied(), told.and_then(Option::as_ref))
        };
        let parameters = (0..count).map(parameter).collect::<Result<Arc<[_]>, _>>()?;
        // Only with the types of all parameters are those of the columns certain.
        if let Some(query) = query
            && count > 0
        {
            let zone = self.transaction.settings().zone();
            let nulls = parameters.iter().map(|parameter| parameter.null(zone));
            described = Some(self.ask(query, &nulls.collect::<Result<Vec<_>, _>>()?).await?);
        }
        let shapes = described.map(|described| Shape::of_schema(&described.schema));
        let told = Told { parameters, shapes };
        if let Some(prepared) = self.statements.get_mut(name) {
            prepared.described = Some(told.clone());
        }
        Ok(told)
    }

    /// What the door knows of a query before it runs.
    async fn ask(&mut self, query: &Query, values: &[ScalarValue]) -> Result<Described, Failure> {
        let view = self.transaction.view(self.server.view());
        let statement = statement(query, values);
        let door = self.server.door();
        let described = door.describe(&self.visitor, view, statement).await;
        described.map_err(|refused| Failure::of_refused(&refused, &query.sql, query.start))
    }

    /// Starts a query at the door.
    async fn open(
        &mut self,
        query: &Query,
        values: &[ScalarValue],
        told: Option<&Arc<[Shape]>>,
    ) -> Result<Rows, Failure> {
        if query.placeholders > values.len() {
            let message = format!("there is no parameter ${}", query.placeholders);
            return Err(Failure::error(code::NO_SUCH_PARAMETER, message));
        }
        let view = self.transaction.view(self.server.view());
        let answer = self.server.door().open(&self.visitor, view, statement(query, values)).await;
        let answer =
            answer.map_err(|refused| Failure::of_refused(&refused, &query.sql, query.start))?;
        Rows::of_answer(answer, told)
    }

    /// The columns of a statement's result, if it has one. A query starts: only then are its columns certain.
    async fn columns(&mut self, portal: &mut Portal) -> Result<Option<Arc<[Shape]>>, Failure> {
        match &*Arc::clone(&portal.command) {
            Command::Query { .. } | Command::Show(_) => {
                self.start(portal).await?;
                Ok(portal.rows.as_ref().map(|rows| Arc::clone(rows.shapes())))
            }
            Command::Fetch { cursor, .. } => {
                Ok(Some(Arc::clone(self.cursor(cursor)?.rows.shapes())))
            }
            _ => Ok(None),
        }
    }

    /// Starts a portal's query, unless that has been done.
    async fn start(&mut self, portal: &mut Portal) -> Result<(), Failure> {
        if portal.rows.is_some() {
            return Ok(());
        }
        portal.rows = Some(match &*Arc::clone(&portal.command) {
            Command::Show(name) => self.show(name.as_deref())?,
            command => match query_of(command) {
                Some(query) => self.open(query, &portal.values, portal.told.as_ref()).await?,
                None => return Ok(()),
            },
        });
        Ok(())
    }

    /// Runs a portal on: to its end, or until it has sent so many rows.
    async fn execute(
        &mut self,
        portal: &mut Portal,
        rows_max: Option<u64>,
        output: &mut Output,
    ) -> Result<Progress, Failure> {
        let command = Arc::clone(&portal.command);
        match &*command {
            Command::Empty => Ok(Progress::Empty),
            Command::Query { .. } | Command::Show(_) => {
                self.start(portal).await?;
                let zone = self.transaction.settings().zone();
                let Some(rows) = &mut portal.rows else { return Ok(Progress::Empty) };
                let sent = rows.send(output, &portal.formats, zone, rows_max).await?;
                if !rows.is_ended() {
                    return Ok(Progress::Suspended);
                }
                Ok(Progress::Complete(match &*command {
                    Command::Show(_) => "SHOW".to_owned(),
                    Command::Query { is_explain: true, .. } => "EXPLAIN".to_owned(),
                    _ => format!("SELECT {sent}"),
                }))
            }
            Command::Copy { query, form } => self.copy(query, &portal.values, form, output).await,
            Command::Declare { cursor, query, is_held } => {
                self.declare(cursor, query, &portal.values, *is_held).await
            }
            Command::Fetch { cursor, count } => {
                self.fetch(cursor, *count, &portal.formats, output).await
            }
            Command::Move { cursor, count } => self.move_on(cursor, *count).await,
            command => self.command(command, output),
        }
    }

    async fn copy(
        &mut self,
        query: &Query,
        values: &[ScalarValue],
        form: &CopyForm,
        output: &mut Output,
    ) -> Result<Progress, Failure> {
        let mut rows = self.open(query, values, None).await?;
        let zone = self.transaction.settings().zone();
        let sent = rows.copy(output, form, zone).await?;
        Ok(Progress::Complete(format!("COPY {sent}")))
    }

    fn show(&self, name: Option<&str>) -> Result<Rows, Failure> {
        let settings = self.transaction.settings();
        match name {
            Some(name) => {
                let (name, value) = settings.get(name)?;
                Rows::of_texts(Shape::texts(&[name]), vec![vec![value]])
            }
            None => {
                let mut columns = vec![Vec::new(), Vec::new(), Vec::new()];
                for (name, value, about) in settings.all() {
                    columns[0].push(name);
                    columns[1].push(value);
                    columns[2].push(about);
                }
                Rows::of_texts(Shape::texts(&["name", "setting", "description"]), columns)
            }
        }
    }
}

/// Cursors.
impl Session {
    fn cursor(&self, name: &str) -> Result<&Cursor, Failure> {
        self.cursors.get(name).ok_or_else(|| no_cursor(name))
    }

    async fn declare(
        &mut self,
        name: &str,
        query: &Query,
        values: &[ScalarValue],
        is_held: bool,
    ) -> Result<Progress, Failure> {
        if !is_held && self.transaction.status() == Status::Idle {
            let message = "DECLARE CURSOR can only be used in transaction blocks";
            return Err(Failure::error(code::NO_TRANSACTION, message));
        }
        if self.cursors.contains_key(name) {
            let message = format!("cursor \"{name}\" already exists");
            return Err(Failure::error(code::CURSOR_EXISTS, message));
        }
        check_room(self.cursors.values().map(|_| 0).chain([0]), "cursors")?;
        let rows = self.open(query, values, None).await?;
        let is_kept = is_held && self.transaction.status() == Status::Idle;
        self.cursors.insert(name.to_owned(), Cursor { rows, is_held, is_kept });
        Ok(Progress::Complete("DECLARE CURSOR".to_owned()))
    }

    async fn fetch(
        &mut self,
        name: &str,
        count: Count,
        formats: &Formats,
        output: &mut Output,
    ) -> Result<Progress, Failure> {
        // Taken out, so that it ends with this when the client cancels: it would not be known how far it had got.
        let mut cursor = self.cursors.remove(name).ok_or_else(|| no_cursor(name))?;
        let zone = self.transaction.settings().zone();
        let sent = cursor.rows.send(output, formats, zone, rows_of(count)).await?;
        self.cursors.insert(name.to_owned(), cursor);
        Ok(Progress::Complete(format!("FETCH {sent}")))
    }

    async fn move_on(&mut self, name: &str, count: Count) -> Result<Progress, Failure> {
        let mut cursor = self.cursors.remove(name).ok_or_else(|| no_cursor(name))?;
        let passed = cursor.rows.skip(rows_of(count)).await?;
        self.cursors.insert(name.to_owned(), cursor);
        Ok(Progress::Complete(format!("MOVE {passed}")))
    }
}

/// Statements that concern the session only.
impl Session {
    fn command(&mut self, command: &Command, output: &mut Output) -> Result<Progress, Failure> {
        let (tag, warning) = match command {
            Command::Begin { modes, tag } => (*tag, self.transaction.begin(modes)?),
            Command::Commit => {
                let (end, warning) = self.transaction.commit();
                (self.end(&end), warning)
            }
            Command::Rollback => {
                let (end, warning) = self.transaction.rollback();
                (self.end(&end), warning)
            }
            Command::Savepoint(name) => {
                self.transaction.savepoint(name)?;
                ("SAVEPOINT", None)
            }
            Command::Release(name) => {
                self.transaction.release(name)?;
                ("RELEASE", None)
            }
            Command::RollbackTo(name) => {
                self.transaction.rollback_to(name)?;
                ("ROLLBACK", None)
            }
            Command::Set { settings, lasting, tag } => {
                (*tag, self.transaction.set(settings, *lasting)?)
            }
            Command::ResetAll => {
                self.transaction.reset_all()?;
                ("RESET", None)
            }
            Command::DiscardAll => {
                self.discard_all()?;
                ("DISCARD ALL", None)
            }
            Command::Deallocate(name) => (self.deallocate(name.as_deref())?, None),
            Command::CloseCursor(name) => (self.close(name.as_deref())?, None),
            Command::Unlisten => ("UNLISTEN", None),
            _ => return Ok(Progress::Empty),
        };
        if let Some(warning) = warning {
            output.failure(&warning);
        }
        Ok(Progress::Complete(tag.to_owned()))
    }

    /// Drops what does not outlive a transaction.
    fn end(&mut self, end: &End) -> &'static str {
        self.portals.clear();
        match end {
            End::Committed => {
                self.cursors.retain(|_, cursor| cursor.is_held);
                self.cursors.values_mut().for_each(|cursor| cursor.is_kept = true);
                "COMMIT"
            }
            End::RolledBack => {
                self.cursors.retain(|_, cursor| cursor.is_kept);
                "ROLLBACK"
            }
        }
    }

    fn discard_all(&mut self) -> Result<(), Failure> {
        if self.transaction.status() != Status::Idle {
            let message = "DISCARD ALL cannot run inside a transaction block";
            return Err(Failure::error(code::WARNING_ACTIVE_TRANSACTION, message));
        }
        self.statements.clear();
        self.portals.clear();
        self.cursors.clear();
        self.transaction.reset_all()
    }

    fn deallocate(&mut self, name: Option<&str>) -> Result<&'static str, Failure> {
        let Some(name) = name else {
            self.statements.clear();
            return Ok("DEALLOCATE ALL");
        };
        self.prepared(name)?;
        self.statements.remove(name);
        Ok("DEALLOCATE")
    }

    fn close(&mut self, name: Option<&str>) -> Result<&'static str, Failure> {
        let Some(name) = name else {
            self.cursors.clear();
            return Ok("CLOSE CURSOR ALL");
        };
        self.cursors.remove(name).ok_or_else(|| no_cursor(name))?;
        Ok("CLOSE CURSOR")
    }
}

/// A query as the door takes it. Its time is limited by the door; the client's own limit is on each message.
fn statement(query: &Query, values: &[ScalarValue]) -> Statement {
    let parameters = match values {
        [] => Parameters::None,
        values => Parameters::ByPosition(values.to_vec()),
    };
    Statement { sql: query.sql.clone(), parameters, wall_time: None }
}

/// The query within a statement.
fn query_of(command: &Command) -> Option<&Query> {
    match command {
        Command::Query { query, .. }
        | Command::Declare { query, .. }
        | Command::Copy { query, .. } => Some(query),
        _ => None,
    }
}

fn rows_of(count: Count) -> Option<u64> {
    match count {
        Count::Rows(rows) => Some(rows),
        Count::All => None,
    }
}

fn no_cursor(name: &str) -> Failure {
    Failure::error(code::NO_SUCH_CURSOR, format!("cursor \"{name}\" does not exist"))
}

/// `kept` are the bytes of everything of a kind, with the new one.
fn check_room(kept: impl Iterator<Item = usize>, what: &str) -> Result<(), Failure> {
    let (count, bytes) = kept.fold((0, 0), |(count, bytes), one| (count + 1, bytes + one));
    if count > NAMES_MAX || bytes > KEPT_BYTES_MAX {
        let message =
            format!("a session keeps no more than {NAMES_MAX} {what}, of {KEPT_BYTES_MAX} bytes");
        return Err(Failure::error(code::LIMIT_EXCEEDED, message));
    }
    Ok(())
}

/// Sends what is buffered when the client waits for it.
pub(super) async fn flush(output: &mut Output) -> Result<(), Failure> {
    output.flush().await.map_err(|error| lost(&error))
}
