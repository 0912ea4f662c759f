//! Plans that other processes run: how they name the lake, what goes along with them, and who may run them.
//!
//! A plan travels when everything that it reads does. Files of the lake are named below `lake://lake/`, and each process
//! knows for itself where that is: a plan can name no other place. Functions are found by their names; what a function
//! knows besides goes along as [`Carried`], or is read from the same lake.

mod codec;
mod journey;
mod station;
mod table;

use std::fmt;
use std::sync::Arc;

use arrow::array::RecordBatch;
use async_trait::async_trait;
use datafusion::common::exec_err;
use datafusion::datasource::object_store::ObjectStoreUrl;
use datafusion::error::DataFusionError;
use datafusion::execution::object_store::ObjectStoreRegistry;
use datafusion::execution::{SessionState, SessionStateBuilder, TaskContext};
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::prelude::{DataFrame, SessionContext};
use object_store::ObjectStore;
use url::Url;

use crate::error::Result;
use crate::location::Location;

pub use codec::{Wrapping, codec_of, lake_codec};
pub use journey::{Carried, Journey};
pub use station::{Station, functions_fingerprint};
pub(crate) use table::{Files, LakeTable, Scan};

type DataResult<T> = datafusion::common::Result<T>;

/// What a plan calls the place where the lake is.
const SCHEME: &str = "lake";

/// Where plans that travel say that files are.
fn lake_url() -> DataResult<ObjectStoreUrl> {
    ObjectStoreUrl::parse("lake://lake")
}

/// What a session knows whose plans travel: the lake that they read.
#[derive(Debug)]
pub(crate) struct Travelling {
    root: Location,
}

impl Travelling {
    pub(crate) fn root(&self) -> &Location {
        &self.root
    }
}

/// The session of a plan that travels: tables of the lake are scanned as files of one version, which every process finds.
///
/// Fails when the lake's store cannot be opened.
pub fn travelling(state: &SessionState, lake: &Location) -> Result<SessionState> {
    let url = lake_url().map_err(crate::error::Error::internal)?;
    state.runtime_env().register_object_store(url.as_ref(), lake.store()?);
    let mut builder = SessionStateBuilder::new_from_existing(state.clone());
    if let Some(config) = builder.config() {
        config.set_extension(Arc::new(Travelling { root: lake.clone() }));
    }
    Ok(builder.build())
}

/// The stores of a process that runs the plans of others: its lake, and nothing else.
#[derive(Debug)]
pub struct LakeOnly(Arc<dyn ObjectStore>);

impl ObjectStoreRegistry for LakeOnly {
    fn register_store(
        &self,
        _url: &Url,
        _store: Arc<dyn ObjectStore>,
    ) -> Option<Arc<dyn ObjectStore>> {
        None
    }

    fn get_store(&self, url: &Url) -> DataResult<Arc<dyn ObjectStore>> {
        if url.scheme() == SCHEME {
            return Ok(Arc::clone(&self.0));
        }
        exec_err!("a worker reads its lake only, not `{url}`")
    }
}

/// A plan that several processes run together, with what this one needs for its part of it.
#[derive(Debug)]
pub struct Spreading {
    /// The plan.
    pub plan: Arc<dyn ExecutionPlan>,
    /// What it runs in.
    pub context: Arc<TaskContext>,
}

/// Spreads queries over several processes.
#[async_trait]
pub trait Spread: fmt::Debug + Send + Sync {
    /// Plans a query for several processes; `None` when this one had better run it alone.
    async fn plan(&self, state: &SessionState, plan: &LogicalPlan) -> Option<Spreading>;

    /// Takes note that a query which was spread failed, and runs again in this process alone.
    fn failed(&self, error: &DataFusionError);
}

/// What a session knows whose queries may be spread.
struct Spreads(Arc<dyn Spread>);

/// Lets the queries of a session be spread.
pub(crate) fn spread_over(context: &SessionContext, spread: &Arc<dyn Spread>) {
    let extension = Arc::new(Spreads(Arc::clone(spread)));
    context.state_ref().write().config_mut().set_extension(extension);
}

/// What spreads the queries of a session; `None` when nothing does.
pub fn spread_of(state: &SessionState) -> Option<Arc<dyn Spread>> {
    Some(Arc::clone(&state.config().get_extension::<Spreads>()?.0))
}

/// Runs a query to its end: spread where that pays, and again in this process alone when that fails.
pub(crate) async fn collect(frame: DataFrame) -> DataResult<Vec<RecordBatch>> {
    let (state, plan) = frame.into_parts();
    if let Some(spread) = spread_of(&state)
        && let Some(Spreading { plan, context }) = spread.plan(&state, &plan).await
    {
        match datafusion::physical_plan::collect(plan, context).await {
            Ok(batches) => return Ok(batches),
            Err(error) => spread.failed(&error),
        }
    }
    DataFrame::new(state, plan).collect().await
}
