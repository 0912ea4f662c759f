//! `lawpulse worker`: runs parts of the plans of servers on a lake, and nothing else.
//!
//! Connections live on threads of their own: those that compute would not answer in time whether the worker is still there.

use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use anyhow::Context as _;
use datafusion::common::DataFusionError;
use datafusion::execution::SessionState;
use datafusion::execution::memory_pool::FairSpillPool;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion_distributed::{
    DistributedExt as _, ExecuteTaskRequest, ProducerHead, TaskKey, Worker, WorkerQueryContext,
};
use futures::future::BoxFuture;
use http::HeaderMap;
use pipeline::definition::Definitions;
use pipeline::location::Location;
use pipeline::travel::{Station, codec_of, lake_codec};
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::task::JoinSet;
use tonic::Status;
use tonic::body::Body;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;

use super::channels::{Channels, VERSION};
use super::security::Secrets;
use super::version::Version;
use super::{HEADER_BYTES_MAX, Security, carried};
use crate::listen;
use crate::sql_door::SlicesExec;
use crate::threads;

/// The call by which a server asks what a worker is, which any version may.
const INFO_CALL: &str = "/worker.WorkerService/GetWorkerInfo";

/// How often a worker lets go of what queries that are over have left.
const TIDY_EVERY: Duration = Duration::from_secs(1);

/// How often a server is asked whether it is still there.
const PING_EVERY: Duration = Duration::from_secs(5);

/// How a worker runs.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Its address.
    pub listen: SocketAddr,
    /// The lake that it reads.
    pub lake: Location,
    /// How the nodes know each other.
    pub security: Security,
    /// Memory of all queries together; what can spills to disk beyond it, the rest ends with an error.
    pub memory_bytes: u64,
    /// Disk that they may spill to.
    pub spill_bytes: u64,
}

impl Settings {
    /// Memory of all queries together unless something else is said.
    pub const MEMORY_BYTES: u64 = 4 << 30;
    /// Disk for what spills unless something else is said.
    pub const SPILL_BYTES: u64 = 16 << 30;
}

/// Works until Ctrl-C or SIGTERM.
///
/// Fails when there is no lake, the address is taken or reached by others in plain text, or the secrets cannot be read.
pub async fn serve(settings: Settings, definitions: &Definitions) -> anyhow::Result<()> {
    settings.security.check_listening(settings.listen)?;
    let secrets = Secrets::read(&settings.security)?;
    let version = Version::of(definitions)?;
    let station = Arc::new(Station::open(&settings.lake, definitions).await?);
    let runtime = RuntimeEnvBuilder::new()
        .with_object_store_registry(Arc::new(station.stores()?))
        .with_memory_pool(Arc::new(FairSpillPool::new(usize::try_from(settings.memory_bytes)?)))
        .with_max_temp_directory_size(settings.spill_bytes)
        .build_arc()
        .context("failed to set up memory and disk")?;
    let channels = Channels::new(secrets.clone(), &version)?;
    let worker = Worker::from_session_builder(move |query| {
        session(query, Arc::clone(&station), channels.clone())
    })
    .with_version(version.to_string())
    .with_runtime_env(runtime);
    tokio::spawn(tidy(worker.clone()));
    let listener = TcpListener::bind(settings.listen).await.with_context(|| {
        format!("failed to listen on {}; choose another --listen", settings.listen)
    })?;
    let computing = threads::computing("compute")?;
    let guard = Guard { secrets: secrets.clone(), version };
    let threads = computing.handle().clone();
    let mut server = Server::builder()
        .http2_max_header_list_size(HEADER_BYTES_MAX)
        .http2_keepalive_interval(Some(PING_EVERY));
    if let Some(tls) = secrets.server_tls() {
        server = server.tls_config(tls).context("the certificates of [cluster] cannot be used")?;
    }
    announce(listener.local_addr()?, &settings.lake)?;
    let served = server
        .layer(tower::layer::layer_fn(move |inner| Guarded {
            inner,
            guard: guard.clone(),
            threads: threads.clone(),
        }))
        .add_service(worker.into_worker_server())
        .serve_with_incoming_shutdown(TcpIncoming::from(listener), listen::stopped())
        .await;
    computing.shutdown_background();
    served.context("the worker failed")
}

fn announce(address: SocketAddr, lake: &Location) -> std::io::Result<()> {
    use std::io::Write as _;
    let mut out = std::io::stdout().lock();
    writeln!(out, "worker      {address}")?;
    writeln!(out, "lake        {lake}")?;
    writeln!(out, "Ctrl-C stops")?;
    out.flush()
}

/// The session of a part of a plan.
async fn session(
    query: WorkerQueryContext,
    station: Arc<Station>,
    channels: Channels,
) -> Result<SessionState, DataFusionError> {
    let carried = carried(&query.headers)?;
    let mut state = query
        .builder
        .with_distributed_channel_resolver(channels)
        .with_distributed_user_codec(lake_codec())
        .with_distributed_user_codec(codec_of::<SlicesExec>())
        .build();
    station.equip(&mut state, &carried).await?;
    Ok(state)
}

/// Lets go of what queries that are over have left. The engine does so only when it is asked for something: an idle worker
/// would compute to the end what nobody waits for.
async fn tidy(worker: Worker) {
    let mut tick = tokio::time::interval(TIDY_EVERY);
    loop {
        tick.tick().await;
        let nothing = ExecuteTaskRequest {
            task_key: TaskKey { query_id: uuid::Uuid::nil(), stage_id: 0, task_number: 0 },
            target_partition_start: 0,
            target_partition_end: 0,
            producer_head: ProducerHead::None,
        };
        let asked = worker.execute_task(nothing);
        let _ = tokio::time::timeout(Duration::from_millis(1), asked).await;
    }
}

/// Who may ask a worker for something.
#[derive(Debug, Clone)]
struct Guard {
    secrets: Secrets,
    version: Version,
}

impl Guard {
    /// Why a request is refused.
    fn refusal(&self, call: &str, headers: &HeaderMap) -> Option<Status> {
        if !self.secrets.is_shown_in(headers.get(http::header::AUTHORIZATION)) {
            let told = "the request shows no token of this cluster; give the nodes the same one";
            return Some(Status::unauthenticated(told));
        }
        if call == INFO_CALL {
            return None;
        }
        let version = headers.get(VERSION).and_then(|value| value.to_str().ok());
        let why = self.version.differs_from(version.unwrap_or("unknown"))?;
        Some(Status::failed_precondition(format!("the worker refuses the server: {why}")))
    }
}

/// Serves requests of those who may ask, on the threads that compute.
#[derive(Clone)]
struct Guarded<S> {
    inner: S,
    guard: Guard,
    threads: Handle,
}

impl<S> tower::Service<http::Request<Body>> for Guarded<S>
where
    S: tower::Service<http::Request<Body>, Response = http::Response<Body>>
        + Clone
        + Send
        + 'static,
    S::Future: Send,
    S::Error: Send,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<S::Response, S::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        if let Some(refusal) = self.guard.refusal(request.uri().path(), request.headers()) {
            return Box::pin(async move { Ok(refusal.into_http()) });
        }
        let next = self.inner.clone();
        let mut ready = std::mem::replace(&mut self.inner, next);
        // A set of tasks ends with its owner: who hangs up ends the work.
        let mut tasks = JoinSet::new();
        tasks.spawn_on(async move { ready.call(request).await }, &self.threads);
        Box::pin(async move {
            match tasks.join_next().await {
                Some(Ok(answer)) => answer,
                _ => Ok(Status::internal("the task ended unexpectedly").into_http()),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use tonic::Code;

    use super::*;

    fn guard(folder: &std::path::Path) -> Guard {
        let file = folder.join("token");
        std::fs::write(&file, "a-token-of-the-cluster").unwrap();
        let security = Security { token: Some(file), ..Security::default() };
        let version = Version::of(&Definitions::load(None).unwrap()).unwrap();
        Guard { secrets: Secrets::read(&security).unwrap(), version }
    }

    #[test]
    fn a_server_without_the_token_or_of_another_version_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let guard = guard(folder.path());
        let mut headers = HeaderMap::new();
        let code = |headers: &HeaderMap, call| guard.refusal(call, headers).map(|it| it.code());
        assert_eq!(code(&headers, INFO_CALL), Some(Code::Unauthenticated));
        headers.insert("authorization", HeaderValue::from_static("Bearer another-token-of-some"));
        assert_eq!(code(&headers, INFO_CALL), Some(Code::Unauthenticated));
        headers.insert("authorization", guard.secrets.bearer().unwrap());
        let call = "/worker.WorkerService/ExecuteTask";
        assert_eq!(
            (code(&headers, INFO_CALL), code(&headers, call)),
            (None, Some(Code::FailedPrecondition))
        );
        headers.insert(VERSION, HeaderValue::from_static("lawpulse 0.0.1, plans 0"));
        let told = guard.refusal(call, &headers).unwrap().message().to_owned();
        assert!(
            told.contains("lawpulse 0.0.1, plans 0") && told.contains("same program"),
            "{told}"
        );
        headers.insert(VERSION, HeaderValue::try_from(guard.version.as_str()).unwrap());
        assert_eq!(code(&headers, call), None);
    }
}
