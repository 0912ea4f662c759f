//! Queries that several machines run together: `serve --cluster` plans and gathers, `worker` computes.
//!
//! datafusion-distributed splits a plan into stages and moves rows between them. What is ours is who takes part: nodes of one
//! version with one token and certificates of one authority, which are asked every few seconds whether they are there. What
//! fails among them is run again by this process alone, so that a cluster makes queries faster and never fewer.

mod channels;
mod members;
mod security;
mod version;
mod worker;

use std::sync::Arc;

use anyhow::Context as _;
use async_trait::async_trait;
use datafusion::common::{DataFusionError, exec_datafusion_err};
use datafusion::execution::{SessionState, SessionStateBuilder};
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::ExecutionPlan;
use datafusion_distributed::{DistributedExec, DistributedExt as _, SessionStateBuilderExt as _};
use http::{HeaderMap, HeaderValue};
use pipeline::definition::Definitions;
use pipeline::location::Location;
use pipeline::travel::{Carried, Journey, Spread, Spreading, codec_of, lake_codec, travelling};
use url::Url;

use crate::sql_door::{SlicesExec, interruptible};
use crate::telemetry::Telemetry;

use channels::Channels;
use members::Members;
use security::Secrets;

pub use members::{Member, Standing};
pub use security::Settings as Security;
pub use version::Version;
pub use worker::{Settings as WorkerSettings, serve};

/// What a plan may take along in memory: each stage is sent to each worker.
const MEMORY_BYTES_MAX: u64 = 16 << 20;

/// With fewer there is nothing to divide: the engine leaves everything to the server.
const WORKERS_MIN: usize = 2;

/// Heads of requests: the periods of a request are in them.
const HEADER_BYTES_MAX: u32 = 1 << 20;

/// The header in which the state of a plan's functions goes along.
const CARRIED: &str = "x-lawpulse-carried";

/// Which workers there are, and what they are for.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// The addresses of the workers.
    pub workers: Vec<Url>,
    /// How the nodes know each other.
    pub security: Security,
    /// The size of the files that a query reads from which on it is spread.
    pub spread_from: Option<u64>,
}

impl Settings {
    /// The size of the files from which on a query is spread, unless something else is said. Below it one machine answers
    /// about as soon as several have agreed on who does what.
    pub const SPREAD_FROM: u64 = 256 << 20;

    /// The settings with other workers, where there are some.
    #[must_use]
    pub fn with_workers(self, workers: Vec<Url>) -> Self {
        if workers.is_empty() { self } else { Self { workers, ..self } }
    }
}

/// How a query was run, for the count of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// By several machines.
    Spread,
    /// Here: it reads little.
    Small,
    /// Here: it reads what only this process has, or cannot be split.
    Unfit,
    /// Here: fewer workers answered than it takes.
    NoWorker,
    /// By several machines, which failed, and then here.
    FellBack,
}

impl Way {
    fn name(self) -> &'static str {
        match self {
            Self::Spread => "spread",
            Self::Small => "small",
            Self::Unfit => "unfit",
            Self::NoWorker => "no_worker",
            Self::FellBack => "fell_back",
        }
    }
}

/// The machines that run queries together, seen from the one that plans them.
#[derive(Debug)]
pub struct Cluster {
    lake: Location,
    channels: Channels,
    members: Members,
    spread_from: u64,
    telemetry: Telemetry,
}

impl Cluster {
    /// Makes ready to ask workers, and begins to look after them.
    ///
    /// Fails when certificates or token cannot be read, or would cross the network in plain text.
    pub async fn begin(
        settings: &Settings,
        lake: &Location,
        definitions: &Definitions,
        telemetry: Telemetry,
    ) -> anyhow::Result<Arc<Self>> {
        for url in &settings.workers {
            settings.security.check_worker(url)?;
        }
        let version = Version::of(definitions)?;
        let channels = Channels::new(Secrets::read(&settings.security)?, &version)?;
        let cluster = Arc::new(Self {
            lake: lake.clone(),
            members: Members::new(&settings.workers, version, channels.clone()),
            channels,
            spread_from: settings.spread_from.unwrap_or(Settings::SPREAD_FROM),
            telemetry,
        });
        // What is computed first may be the rollups.
        cluster.members.look().await;
        tokio::spawn(cluster.members.clone().look_after());
        Ok(cluster)
    }

    /// The workers, as they were found last.
    pub fn members(&self) -> Vec<Member> {
        self.members.told()
    }

    fn count(&self, way: Way) {
        self.telemetry.count_spread(way.name());
    }

    /// Splits a plan; `None` when nothing of it can be done elsewhere.
    async fn split(
        &self,
        state: &SessionState,
        plan: &LogicalPlan,
        carried: &Carried,
        workers: usize,
    ) -> anyhow::Result<Option<Spreading>> {
        let state = travelling(state, &self.lake)?;
        let partitions = state.config().target_partitions().max(1);
        // A query of just the size that is spread keeps every worker busy.
        let share = usize::try_from(self.spread_from)? / (partitions * workers.max(1));
        let state = SessionStateBuilder::new_from_existing(state)
            .with_distributed_worker_resolver(self.members.clone())
            .with_distributed_channel_resolver(self.channels.clone())
            .with_distributed_planner()
            .with_distributed_user_codec(lake_codec())
            .with_distributed_user_codec(codec_of::<SlicesExec>())
            .with_distributed_file_scan_config_bytes_per_partition(share.max(1))?
            .with_distributed_partial_reduce(true)?
            .with_distributed_passthrough_headers(headers(carried)?)?
            .build();
        let plan = state.create_physical_plan(plan).await?;
        if plan.downcast_ref::<DistributedExec>().is_none() {
            return Ok(None);
        }
        // Over all stages: a query that is over ends on the workers, too.
        let plan: Arc<dyn ExecutionPlan> = interruptible(plan)?;
        Ok(Some(Spreading { plan, context: state.task_ctx() }))
    }
}

fn headers(carried: &Carried) -> anyhow::Result<HeaderMap> {
    let carried = serde_json::to_string(carried).context("failed to write a header")?;
    let mut headers = HeaderMap::new();
    headers.insert(CARRIED, HeaderValue::try_from(carried).context("failed to write a header")?);
    Ok(headers)
}

/// What goes along with a plan, as a worker reads it.
fn carried(headers: &HeaderMap) -> Result<Carried, DataFusionError> {
    let Some(value) = headers.get(CARRIED) else { return Ok(Carried::default()) };
    serde_json::from_slice(value.as_bytes())
        .map_err(|error| exec_datafusion_err!("{CARRIED}: {error}"))
}

#[async_trait]
impl Spread for Cluster {
    async fn plan(&self, state: &SessionState, plan: &LogicalPlan) -> Option<Spreading> {
        let journey = Journey::of(state, plan, &self.lake);
        let Some(journey) = journey.filter(|it| it.memory_bytes <= MEMORY_BYTES_MAX) else {
            self.count(Way::Unfit);
            return None;
        };
        if journey.file_bytes < self.spread_from {
            self.count(Way::Small);
            return None;
        }
        let workers = self.members.answering();
        if workers < WORKERS_MIN {
            self.count(Way::NoWorker);
            return None;
        }
        match self.split(state, plan, &journey.carried, workers).await {
            Ok(Some(spreading)) => {
                self.count(Way::Spread);
                Some(spreading)
            }
            Ok(None) => {
                self.count(Way::Unfit);
                None
            }
            Err(error) => {
                let error = format!("{error:#}");
                tracing::debug!(error, "a query cannot be spread");
                self.count(Way::Unfit);
                None
            }
        }
    }

    fn failed(&self, error: &DataFusionError) {
        self.count(Way::FellBack);
        let error = pipeline::error::problem_of(error);
        tracing::warn!(error, "the cluster failed; the query runs again on this machine alone");
        self.members.look_now();
    }
}
