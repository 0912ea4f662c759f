//! The one door to SQL for people: read-only and bounded.
//!
//! Every query of a user goes through [`Door::open`], whatever surface it came by. A plan that writes,
//! changes settings or reads files of the host is refused before it runs. What passes runs on threads of its
//! own, within limits that hold for queueing, planning, running and sending together, and ends when nobody
//! waits for its rows any longer.

mod explain;
mod mistake;
mod numbered;
mod placed;
mod postgres;
mod sight;
mod size;
mod slices;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arrow::array::{Array as _, ArrayRef, RecordBatch};
use arrow::datatypes::{DataType, SchemaRef};
use datafusion::common::plan_datafusion_err;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::error::DataFusionError;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{Expr, LogicalPlan, Volatility};
use datafusion::physical_plan::coop::CooperativeExec;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    EmptyRecordBatchStream, ExecutionPlan, execute_stream, replace_children_if_necessary,
};
use datafusion::prelude::DataFrame;
use datafusion::scalar::ScalarValue;
use futures::StreamExt;
use pipeline::audit::{AUDIT_LOG, Open};
use pipeline::query::{Guarded, View};
use pipeline::travel::{Spreading, Wrapping as _, spread_of};
use tokio::runtime::Runtime;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::task::AbortHandle;
use tokio::time::Instant;

use crate::audit::{self, Audit, Deed};
use crate::caller::{Role, Visitor};
use crate::config::LimitsByRole;
use crate::telemetry::{Stage, Telemetry};
use crate::threads;

pub use mistake::Mistake;
pub use numbered::numbered;
pub(crate) use placed::{Placed, place};
pub(crate) use slices::SlicesExec;

pub(crate) use postgres::{SERVER_VERSION, SERVER_VERSION_NUM, TABLE_KINDS, table_kind, type_name};
pub use sight::Sight;

/// Batches that wait for a reader; a slow one holds no more.
const BATCHES_AHEAD: usize = 2;

/// What queries may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Wall time of a query for queueing, planning, running and sending together.
    pub wall_time: Duration,
    /// Rows of a result.
    pub rows: usize,
    /// Bytes of a result as the engine holds it.
    pub result_bytes: usize,
    /// Bytes of a statement's text.
    pub statement_bytes: usize,
    /// Memory of a query; what can spills to disk beyond it, the rest ends with an error.
    pub memory_bytes: usize,
    /// Disk that a query may spill to.
    pub spill_bytes: u64,
    /// Queries that run at once.
    pub at_once: usize,
    /// Queries that wait for their turn.
    pub waiting: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            wall_time: Duration::from_secs(30),
            rows: 1_000_000,
            result_bytes: 1 << 30,
            statement_bytes: 256 << 10,
            memory_bytes: 512 << 20,
            spill_bytes: 4 << 30,
            at_once: 4,
            waiting: 128,
        }
    }
}

/// Why a query gave no result.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// The statement is wrong, or does what a reader may not do.
    #[error("{0}")]
    Statement(Mistake),
    /// The caller's role may not do it.
    #[error("{0}")]
    Forbidden(String),
    /// Too many queries run and wait.
    #[error("{0} queries run and wait already; try again in a moment")]
    Busy(usize),
    /// The query took too long.
    #[error("the query took longer than {} s; narrow its period or its scope", .0.as_secs())]
    TooLong(Duration),
    /// The result is too large.
    #[error("the result has more than {0} rows; aggregate, or add a limit")]
    TooManyRows(usize),
    /// The result is too large, though its rows are not too many.
    #[error("the result has more than {} MB; ask for fewer columns, aggregate, or add a limit", .0 >> 20)]
    TooManyBytes(usize),
    /// The query needed more memory than it may use.
    #[error("the query needs more than {} MB of memory; aggregate earlier, or narrow its period or its scope", .0 >> 20)]
    TooMuchMemory(usize),
    /// The engine failed.
    #[error("{0}")]
    Failed(String),
}

impl Refused {
    /// The name by which refusals are counted.
    fn outcome(&self) -> &'static str {
        match self {
            Self::Statement(_) => "wrong",
            Self::Forbidden(_) => "forbidden",
            Self::Busy(_) => "busy",
            Self::TooLong(_) => "too_long",
            Self::TooManyRows(_) => "too_many_rows",
            Self::TooManyBytes(_) => "too_many_bytes",
            Self::TooMuchMemory(_) => "too_much_memory",
            Self::Failed(_) => "failed",
        }
    }
}

/// A query with the values of its parameters.
#[derive(Debug, Clone, Default)]
pub struct Statement {
    /// The text; parameters are `$1`, `$2` … or `$name`.
    pub sql: String,
    /// The values.
    pub parameters: Parameters,
    /// The time that the query may take, where that is to be less than the limit.
    pub wall_time: Option<Duration>,
}

impl Statement {
    /// A query without parameters.
    pub fn new(sql: impl Into<String>) -> Self {
        Self { sql: sql.into(), ..Self::default() }
    }
}

/// Values of parameters.
#[derive(Debug, Clone, Default)]
pub enum Parameters {
    /// There are none.
    #[default]
    None,
    /// `$1`, `$2` …
    ByPosition(Vec<ScalarValue>),
    /// `$name`
    ByName(Vec<(String, ScalarValue)>),
}

/// What is known of a query before it runs.
#[derive(Debug, Clone)]
pub struct Described {
    /// The types of `$1`, `$2` …; `None` where the statement does not tell.
    pub parameters: Vec<Option<DataType>>,
    /// The columns of the result.
    pub schema: SchemaRef,
}

/// A result whose rows are still to come.
#[derive(Debug)]
pub struct Answer {
    /// The columns, also when there are no rows.
    pub schema: SchemaRef,
    /// Whether the same query gives the same rows as long as the lake stays the same.
    pub is_stable: bool,
    batches: mpsc::Receiver<Result<RecordBatch, Refused>>,
    _query: Running,
}

impl Answer {
    /// The next rows; `None` after the last. After an error nothing more comes.
    pub async fn next(&mut self) -> Option<Result<RecordBatch, Refused>> {
        self.batches.recv().await
    }

    /// All rows.
    pub async fn collect(mut self) -> Result<Rows, Refused> {
        let mut batches = Vec::new();
        while let Some(batch) = self.next().await {
            batches.push(batch?);
        }
        Ok(Rows { schema: Arc::clone(&self.schema), batches })
    }
}

/// A query that ends with its owner: whoever does not wait for the rows does not want them computed.
#[derive(Debug)]
struct Running(AbortHandle);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The result of a query.
#[derive(Debug, Clone)]
pub struct Rows {
    /// The columns, also when there are no rows.
    pub schema: SchemaRef,
    /// The rows.
    pub batches: Vec<RecordBatch>,
}

/// Where the queries of some roles run and wait.
#[derive(Debug, Clone)]
struct Lane {
    limits: Limits,
    turns: Arc<Semaphore>,
    /// For queries that run or wait.
    places: Arc<Semaphore>,
}

impl Lane {
    fn new(limits: Limits) -> Self {
        Self {
            limits,
            turns: Arc::new(Semaphore::new(limits.at_once)),
            places: Arc::new(Semaphore::new(limits.at_once + limits.waiting)),
        }
    }

    /// A place among the queries that run and wait.
    fn place(&self, sql: &str) -> Result<OwnedSemaphorePermit, Refused> {
        let limits = self.limits;
        if sql.len() > limits.statement_bytes {
            let message = format!("the statement is longer than {} bytes", limits.statement_bytes);
            return Err(Refused::Statement(Mistake { message, ..Mistake::default() }));
        }
        Arc::clone(&self.places)
            .try_acquire_owned()
            .map_err(|_| Refused::Busy(limits.at_once + limits.waiting))
    }
}

/// Where queries come in.
#[derive(Debug)]
pub struct Door {
    sight: Arc<Sight>,
    telemetry: Telemetry,
    audit: Arc<Audit>,
    /// In the order of [`Role::ALL`].
    lanes: [Lane; Role::ALL.len()],
    /// Threads of their own, so that heavy queries keep nobody else from answering.
    runtime: Option<Runtime>,
}

impl Door {
    /// Opens a door with as many threads as there are processors.
    pub fn new(
        limits: &LimitsByRole,
        sight: Sight,
        telemetry: Telemetry,
        audit: Arc<Audit>,
    ) -> anyhow::Result<Self> {
        let general = Lane::new(limits.general);
        Ok(Self {
            sight: Arc::new(sight),
            telemetry,
            audit,
            lanes: Role::ALL
                .map(|role| limits.own(role).map_or_else(|| general.clone(), Lane::new)),
            runtime: Some(threads::computing("sql")?),
        })
    }

    /// What callers see.
    pub fn sight(&self) -> &Sight {
        &self.sight
    }

    /// Runs a query to its end.
    pub async fn run(
        &self,
        visitor: &Visitor,
        view: Arc<View>,
        sql: &str,
    ) -> Result<Rows, Refused> {
        self.open(visitor, view, Statement::new(sql)).await?.collect().await
    }

    /// Plans and starts a query on a state of the lake.
    ///
    /// Refused are statements other than queries: DDL, DML, COPY, SET and several statements at once.
    pub async fn open(
        &self,
        visitor: &Visitor,
        view: Arc<View>,
        statement: Statement,
    ) -> Result<Answer, Refused> {
        let lane = self.lane(visitor.caller.role);
        let mut limits = lane.limits;
        limits.wall_time = statement.wall_time.unwrap_or(limits.wall_time).min(limits.wall_time);
        let mut counted = self.count(visitor, &statement)?;
        let place = lane.place(&statement.sql).map_err(|refused| counted.refused(refused))?;
        let Some(runtime) = &self.runtime else { return Err(counted.refused(stopping())) };
        let (announce, announced) = oneshot::channel();
        let (rows, mut batches) = mpsc::channel(BATCHES_AHEAD);
        let turns = Arc::clone(&lane.turns);
        let deadline = Instant::now() + limits.wall_time;
        let (visitor, sight) = (visitor.clone(), Arc::clone(&self.sight));
        let query = runtime.spawn(async move {
            let (telemetry, sent) = (counted.telemetry.clone(), Arc::clone(&counted.sent));
            let job = Job { visitor, sight, view, limits, telemetry, sent, sending: rows.clone() };
            let running = job.serve(&statement, &turns, announce);
            let ended = match tokio::time::timeout_at(deadline, running).await {
                Ok(ended) => ended,
                Err(_) => Err(Refused::TooLong(limits.wall_time)),
            };
            drop(place);
            match ended {
                Ok(taken) => counted.taken(taken),
                // Nobody is left to tell when the receiver is gone.
                Err(refused) => {
                    let refused = counted.refused(refused);
                    // Counted now: a slow reader may take the news late.
                    drop(counted);
                    _ = rows.send(Err(refused)).await;
                }
            }
        });
        let query = Running(query.abort_handle());
        match announced.await {
            Ok((schema, is_stable)) => Ok(Answer { schema, is_stable, batches, _query: query }),
            Err(_) => Err(match batches.recv().await {
                Some(Err(refused)) => refused,
                _ => ended_unexpectedly(),
            }),
        }
    }
}

impl Door {
    /// Begins to count a query, and notes it in the audit log.
    fn count(&self, visitor: &Visitor, statement: &Statement) -> Result<Counted, Refused> {
        let mut counted = Counted::new(&self.telemetry);
        let values = audit::values(&statement.parameters);
        match self.audit.begin(visitor, Deed::Query, &statement.sql, values) {
            Ok(begun) => counted.begun = begun,
            Err(_) => {
                let unwritten = "the audit log cannot be written; the server's log says why";
                return Err(counted.refused(Refused::Failed(unwritten.to_owned())));
            }
        }
        Ok(counted)
    }

    /// Plans a query without running it: what it takes and what it gives. Parameters that have values are not told.
    pub async fn describe(
        &self,
        visitor: &Visitor,
        view: Arc<View>,
        statement: Statement,
    ) -> Result<Described, Refused> {
        let lane = self.lane(visitor.caller.role);
        let limits = lane.limits;
        let place = lane.place(&statement.sql)?;
        let Some(runtime) = &self.runtime else { return Err(stopping()) };
        let (caller, sight) = (visitor.caller.clone(), Arc::clone(&self.sight));
        let planning = runtime.spawn(async move {
            let _place = place;
            let seen = sight.of(&caller, &view).await?;
            let refuse = |error: DataFusionError| refused(&error, &seen.guarded, limits);
            let frame = seen.plan(&caller, limits, &statement).await.map_err(refuse)?;
            let types = frame.logical_plan().get_parameter_types().map_err(refuse)?;
            let parameters = (1..=types.len())
                .map(|place| types.get(&format!("${place}")).cloned().flatten())
                .collect();
            Ok(Described { parameters, schema: Arc::new(frame.schema().as_arrow().clone()) })
        });
        let _planning = Running(planning.abort_handle());
        match tokio::time::timeout(limits.wall_time, planning).await {
            Ok(Ok(described)) => described,
            Ok(Err(_)) => Err(ended_unexpectedly()),
            Err(_) => Err(Refused::TooLong(limits.wall_time)),
        }
    }

    /// The lane of a role: roles without limits of their own share one.
    fn lane(&self, role: Role) -> &Lane {
        &self.lanes[role as usize]
    }
}

fn stopping() -> Refused {
    Refused::Failed("the server stops".to_owned())
}

fn ended_unexpectedly() -> Refused {
    Refused::Failed("the query ended unexpectedly; the log says why".to_owned())
}

impl Drop for Door {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

type Announce = oneshot::Sender<(SchemaRef, bool)>;

/// Counts a query, and notes it in the audit log, when it has ended, however that was; abandoned, unless something else is known.
#[derive(Debug)]
struct Counted {
    telemetry: Telemetry,
    started: Instant,
    outcome: &'static str,
    /// Rows that have been sent.
    sent: Arc<AtomicU64>,
    /// What the caller was told instead of rows.
    told: Option<String>,
    begun: Option<Open>,
}

impl Counted {
    fn new(telemetry: &Telemetry) -> Self {
        let outcome = Taken::InPart.name();
        Self {
            telemetry: telemetry.clone(),
            started: Instant::now(),
            outcome,
            sent: Arc::default(),
            told: None,
            begun: None,
        }
    }

    fn taken(&mut self, taken: Taken) {
        self.outcome = taken.name();
    }

    fn refused(&mut self, refused: Refused) -> Refused {
        self.outcome = refused.outcome();
        self.told = Some(audit::detail(&refused.to_string()));
        refused
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.telemetry.count_query(self.outcome, self.started.elapsed());
        if let Some(begun) = self.begun.take() {
            begun.end(self.outcome, Some(self.sent.load(Ordering::Relaxed)), self.told.take());
        }
    }
}

/// How far a result was wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Taken {
    Whole,
    InPart,
}

impl Taken {
    fn name(self) -> &'static str {
        match self {
            Self::Whole => "answered",
            Self::InPart => "abandoned",
        }
    }
}

/// A query at work.
#[derive(Debug)]
struct Job {
    visitor: Visitor,
    sight: Arc<Sight>,
    view: Arc<View>,
    limits: Limits,
    telemetry: Telemetry,
    sent: Arc<AtomicU64>,
    sending: mpsc::Sender<Result<RecordBatch, Refused>>,
}

impl Job {
    /// Waits for a turn, plans, announces the columns and sends the rows.
    async fn serve(
        &self,
        statement: &Statement,
        turns: &Semaphore,
        announce: Announce,
    ) -> Result<Taken, Refused> {
        let waiting = self.telemetry.at(Stage::Waiting);
        let Ok(_turn) = turns.acquire().await else { return Ok(Taken::InPart) };
        drop(waiting);
        let _running = self.telemetry.at(Stage::Running);
        let seen = self.sight.of(&self.visitor.caller, &self.view).await?;
        let refuse = |error: DataFusionError| refused(&error, &seen.guarded, self.limits);
        let frame =
            seen.plan(&self.visitor.caller, self.limits, statement).await.map_err(refuse)?;
        let unfilled = frame.logical_plan().get_parameter_names().map_err(refuse)?;
        if let Some(name) = unfilled.into_iter().min() {
            return Err(refuse(plan_datafusion_err!("no value is given for the parameter {name}")));
        }
        let is_stable = is_stable(frame.logical_plan());
        let is_explained =
            matches!(frame.logical_plan(), LogicalPlan::Explain(_) | LogicalPlan::Analyze(_));
        let folder = is_explained.then(|| explain::Folder::of(&self.view));
        let (begun, is_spread) = begin(frame).await.map_err(refuse)?;
        let Begun { mut stream, first: mut next } = begun;
        // What has been sent cannot be sent again by this machine alone.
        let refuse = |error: DataFusionError| match refuse(error) {
            Refused::Failed(problem) if is_spread => Refused::Failed(format!(
                "the cluster failed after the first rows were sent; ask again ({problem})"
            )),
            refused => refused,
        };
        if announce.send((stream.schema(), is_stable)).is_err() {
            return Ok(Taken::InPart);
        }
        let (mut rows, mut bytes) = (0, 0);
        while let Some(mut batch) = next {
            if let Some(folder) = &folder {
                batch = folder.hidden_in(&batch).map_err(|error| refuse(error.into()))?;
            }
            rows += batch.num_rows();
            bytes += bytes_of(&batch);
            if rows > self.limits.rows {
                return Err(Refused::TooManyRows(self.limits.rows));
            }
            if bytes > self.limits.result_bytes {
                return Err(Refused::TooManyBytes(self.limits.result_bytes));
            }
            self.telemetry.count_rows(batch.num_rows());
            self.sent.fetch_add(batch.num_rows() as u64, Ordering::Relaxed);
            if self.sending.send(Ok(batch)).await.is_err() {
                return Ok(Taken::InPart);
            }
            next = stream.next().await.transpose().map_err(refuse)?;
        }
        Ok(Taken::Whole)
    }
}

/// Rows that may be all that there are.
const FEW_ROWS: usize = 1024;

/// A query that runs.
struct Begun {
    stream: SendableRecordBatchStream,
    /// The first rows, which come before the columns are announced: most failures come with them, and are told whole.
    first: Option<RecordBatch>,
}

impl Begun {
    async fn new(
        plan: Arc<dyn ExecutionPlan>,
        context: Arc<TaskContext>,
    ) -> Result<Self, DataFusionError> {
        let mut stream = execute_stream(plan, context)?;
        let first = stream.next().await.transpose()?;
        Ok(Self { stream, first })
    }

    /// Waits for what follows a few rows: mostly that is the end, and until it has come another machine can still run the query.
    async fn settled(self) -> Result<Self, DataFusionError> {
        let Self { mut stream, first } = self;
        if first.as_ref().is_none_or(|batch| batch.num_rows() >= FEW_ROWS) {
            return Ok(Self { stream, first });
        }
        let schema = stream.schema();
        let rest: SendableRecordBatchStream = match stream.next().await.transpose()? {
            Some(next) => {
                let rest = futures::stream::iter([Ok(next)]).chain(stream);
                Box::pin(RecordBatchStreamAdapter::new(schema, rest))
            }
            None => Box::pin(EmptyRecordBatchStream::new(schema)),
        };
        Ok(Self { stream: rest, first })
    }
}

/// Starts a query: spread over several machines where that pays, and here when it does not, or when that fails. Returns
/// whether it is spread.
async fn begin(frame: DataFrame) -> Result<(Begun, bool), DataFusionError> {
    let (state, plan) = frame.into_parts();
    if let Some(spread) = spread_of(&state)
        && let Some(Spreading { plan, context }) = spread.plan(&state, &plan).await
    {
        let begun = match Begun::new(plan, context).await {
            Ok(begun) => begun.settled().await,
            failed => failed,
        };
        match begun {
            Ok(begun) => return Ok((begun, true)),
            Err(error) => spread.failed(&error),
        }
    }
    let context = state.task_ctx();
    let plan = interruptible(state.create_physical_plan(&plan).await?)?;
    Ok((Begun::new(plan, context).await?, false))
}

/// The size of the rows themselves: a batch may be a window on a larger one.
fn bytes_of(batch: &RecordBatch) -> usize {
    let of = |column: &ArrayRef| column.to_data().get_slice_memory_size().unwrap_or_default();
    batch.columns().iter().map(of).sum()
}

/// Joins that hold one side against every row of a batch of the other before they pause.
const JOINS: [&str; 3] = ["NestedLoopJoinExec", "HashJoinExec", "CrossJoinExec"];

/// Makes whatever can turn few rows into many pause between batches: the engine pauses only where rows are read, so
/// that a join of everything with everything would hear of no deadline for hours.
pub(crate) fn interruptible(
    plan: Arc<dyn ExecutionPlan>,
) -> Result<Arc<dyn ExecutionPlan>, DataFusionError> {
    let paused = plan.transform_up(|node| {
        let multiplies = node.children().len() > 1 || node.name() == "UnnestExec";
        Ok(if JOINS.contains(&node.name()) {
            let mut sides: Vec<_> = node.children().into_iter().map(Arc::clone).collect();
            // The other side is gathered before the first row of this one is asked for.
            if let Some(asked) = sides.last_mut() {
                *asked = Arc::new(SlicesExec::over(Arc::clone(asked)));
            }
            let sliced = replace_children_if_necessary(node, sides)?;
            Transformed::yes(Arc::new(CooperativeExec::new(sliced)) as Arc<dyn ExecutionPlan>)
        } else if multiplies {
            Transformed::yes(Arc::new(CooperativeExec::new(node)) as Arc<dyn ExecutionPlan>)
        } else {
            Transformed::no(node)
        })
    });
    paused.map(|paused| paused.data)
}

/// Whether a plan asks neither for the time nor for chance.
fn is_stable(plan: &LogicalPlan) -> bool {
    let mut is_stable = !matches!(plan, LogicalPlan::Explain(_) | LogicalPlan::Analyze(_));
    let visited = plan.apply_with_subqueries(|node| {
        // The audit log is newer than any state of the lake.
        if let LogicalPlan::TableScan(scan) = node
            && scan.table_name.table() == AUDIT_LOG
        {
            is_stable = false;
            return Ok(TreeNodeRecursion::Stop);
        }
        node.apply_expressions(|expression| {
            expression.apply(|part| {
                if let Expr::ScalarFunction(call) = part
                    && call.func.signature().volatility != Volatility::Immutable
                {
                    is_stable = false;
                    return Ok(TreeNodeRecursion::Stop);
                }
                Ok(TreeNodeRecursion::Continue)
            })
        })
    });
    visited.is_ok() && is_stable
}

fn refused(error: &DataFusionError, guarded: &Guarded, limits: Limits) -> Refused {
    let root = error.find_root();
    match root {
        DataFusionError::Plan(_)
        | DataFusionError::SQL(_, _)
        | DataFusionError::SchemaError(_, _)
        | DataFusionError::Diagnostic(_, _)
        | DataFusionError::NotImplemented(_) => Refused::Statement(Mistake::of(error, guarded)),
        DataFusionError::ResourcesExhausted(_) => Refused::TooMuchMemory(limits.memory_bytes),
        _ => Refused::Failed(pipeline::error::problem_of(error)),
    }
}

#[cfg(test)]
mod tests {
    use pipeline::definition::Definitions;
    use pipeline::lake::Lake;
    use pipeline::metric::Catalogue;
    use pipeline::pseudonym::Identities;
    use pipeline::query::Reader;

    use super::*;
    use crate::clock::Clock;

    /// A door to an empty lake.
    async fn door(limits: Limits) -> (Door, Arc<View>, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let definitions = Arc::new(Definitions::load(None).unwrap());
        Lake::open_or_create(folder.path(), None).await.unwrap();
        let reader = Reader::open(folder.path(), Arc::clone(&definitions)).await.unwrap();
        let catalogue = Catalogue::load(&definitions).unwrap();
        let sight = Sight::new(Identities::Shown, catalogue, Clock::Machine, None);
        let (limits, telemetry) = (LimitsByRole::all(limits), Telemetry::new().unwrap());
        let door = Door::new(&limits, sight, telemetry, Arc::default()).unwrap();
        (door, reader.view(), folder)
    }

    async fn empties(door: &Door) {
        let lane = door.lane(Role::Admin);
        let places = lane.limits.at_once + lane.limits.waiting;
        while lane.places.available_permits() < places {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// The queries that have ended are these, by outcome; the last of them may take a moment to be counted.
    async fn check_counted(door: &Door, expected: &[(&str, u64)]) {
        let line = |(outcome, count): &(&str, u64)| {
            format!("lawpulse_sql_queries_total{{outcome=\"{outcome}\"}} {count}")
        };
        let expected: Vec<String> = expected.iter().map(line).collect();
        for _ in 0..1000 {
            let text = door.telemetry.text().unwrap();
            let mut counted =
                text.lines().filter(|line| line.starts_with("lawpulse_sql_queries_total"));
            if counted.by_ref().eq(expected.iter().map(String::as_str)) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("{expected:?} are not counted, but {}", door.telemetry.text().unwrap());
    }

    const FOREVER: &str = "select count(*) from generate_series(1, 10000000) a cross join generate_series(1, 10000000) b";
    const MANY_ROWS: &str = "select value from generate_series(1, 900000)";

    #[tokio::test]
    async fn a_query_over_its_time_ends_its_work_too() {
        let limits = Limits { wall_time: Duration::from_millis(300), ..Limits::default() };
        let (door, view, _folder) = door(limits).await;
        // The first has its deadline while it gathers one side, the others while they multiply.
        let few = FOREVER.replacen("10000000", "10000", 1);
        let nested = few.replace("cross join", "join") + " on a.value <> -b.value";
        // Conditions that never hold give no row at which to pause.
        let never = |on: &str| {
            FOREVER.replace("10000000", "1000000").replace("cross join", "join") + " on " + on
        };
        let hopeless = never("a.value * b.value < 0");
        let hashed = never("a.value % 2 = b.value % 2 and a.value * b.value < 0");
        for query in [FOREVER, &few, &nested, &hopeless, &hashed] {
            let refused = door.run(&Visitor::owner(), Arc::clone(&view), query).await.unwrap_err();
            assert!(matches!(refused, Refused::TooLong(_)), "{refused}");
        }
        empties(&door).await;
        check_counted(&door, &[("too_long", 5)]).await;
    }

    #[tokio::test]
    async fn whoever_does_not_wait_for_the_rows_ends_the_query() {
        let (door, view, _folder) = door(Limits::default()).await;
        let owner = Visitor::owner();
        let asked = door.open(&owner, Arc::clone(&view), Statement::new(FOREVER));
        assert!(tokio::time::timeout(Duration::from_millis(200), asked).await.is_err());
        let answer = door.open(&Visitor::owner(), view, Statement::new(MANY_ROWS)).await.unwrap();
        drop(answer);
        empties(&door).await;
        check_counted(&door, &[("abandoned", 2)]).await;
    }

    #[tokio::test]
    async fn more_queries_than_may_wait_are_sent_away_and_a_slow_reader_s_time_runs_out() {
        let limits = Limits {
            at_once: 1,
            waiting: 0,
            wall_time: Duration::from_millis(700),
            ..Limits::default()
        };
        let (door, view, _folder) = door(limits).await;
        let mut slow = door
            .open(&Visitor::owner(), Arc::clone(&view), Statement::new(MANY_ROWS))
            .await
            .unwrap();
        let refused = door.run(&Visitor::owner(), Arc::clone(&view), "select 1").await.unwrap_err();
        assert!(matches!(refused, Refused::Busy(1)), "{refused}");
        // Nobody reads, so the query cannot go on; its time ends it, and the next one gets in.
        empties(&door).await;
        assert_eq!(
            door.run(&Visitor::owner(), view, "select 1").await.unwrap().batches[0].num_rows(),
            1
        );
        let mut last = None;
        while let Some(next) = slow.next().await {
            last = Some(next);
        }
        assert!(matches!(last, Some(Err(Refused::TooLong(_)))), "{last:?}");
        check_counted(&door, &[("answered", 1), ("busy", 1), ("too_long", 1)]).await;
    }

    #[tokio::test]
    async fn a_result_with_too_many_rows_or_too_much_memory_is_refused() {
        let limits = Limits { rows: 10_000, memory_bytes: 8 << 20, ..Limits::default() };
        let (door, view, _folder) = door(limits).await;
        let refused = door.run(&Visitor::owner(), Arc::clone(&view), MANY_ROWS).await.unwrap_err();
        assert!(matches!(refused, Refused::TooManyRows(10_000)), "{refused}");
        let greedy = "select array_agg(repeat('x', 1000) || value) from generate_series(1, 100000)";
        let refused = door.run(&Visitor::owner(), view, greedy).await.unwrap_err();
        assert!(matches!(refused, Refused::TooMuchMemory(_)), "{refused}");
        check_counted(&door, &[("too_many_rows", 1), ("too_much_memory", 1)]).await;
    }

    #[tokio::test]
    async fn a_result_of_few_rows_with_too_many_bytes_is_refused() {
        let limits = Limits { result_bytes: 1 << 20, ..Limits::default() };
        let (door, view, _folder) = door(limits).await;
        let wide = "select repeat('x', 1000) || value from generate_series(1, 10000)";
        let refused = door.run(&Visitor::owner(), Arc::clone(&view), wide).await.unwrap_err();
        assert!(matches!(refused, Refused::TooManyBytes(_)), "{refused}");
        let few = format!("{wide} limit 900");
        assert!(door.run(&Visitor::owner(), view, &few).await.is_ok());
        check_counted(&door, &[("answered", 1), ("too_many_bytes", 1)]).await;
    }
}
