//! Connections from node to node.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use async_trait::async_trait;
use datafusion::common::{DataFusionError, exec_datafusion_err};
use datafusion_distributed::{ChannelResolver, WorkerChannel, grpc};
use http::HeaderValue;
use tokio::runtime::Handle;
use tonic::body::Body;
use tonic::transport::Endpoint;
use tower::ServiceExt as _;
use url::Url;

use super::HEADER_BYTES_MAX;
use super::security::Secrets;
use super::version::Version;

/// The header by which a worker knows the caller's version.
pub(super) const VERSION: &str = "x-lawpulse-version";

/// How long a connection may take to come about.
const CONNECT_WITHIN: Duration = Duration::from_secs(2);

/// How often a node is asked whether it lives while something is wanted of it, and how long it may take to say so. A node that
/// is cut off is lost after both.
const PING_EVERY: Duration = Duration::from_secs(2);
const PONG_WITHIN: Duration = Duration::from_secs(5);

/// The connections of this node to workers. Cheap to clone; all clones are the same.
#[derive(Clone)]
pub(super) struct Channels {
    secrets: Secrets,
    bearer: HeaderValue,
    version: HeaderValue,
    /// Where connections live: on threads that never compute, or a busy node would not answer.
    threads: Handle,
    open: Arc<Mutex<HashMap<Url, grpc::BoxCloneSyncChannel>>>,
}

impl std::fmt::Debug for Channels {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Channels").finish_non_exhaustive()
    }
}

/// Lets a connection live on the threads of a runtime.
#[derive(Clone)]
struct On(Handle);

type Work = Pin<Box<dyn Future<Output = ()> + Send>>;

impl hyper::rt::Executor<Work> for On {
    fn execute(&self, work: Work) {
        drop(self.0.spawn(work));
    }
}

impl Channels {
    /// Connections that live on the runtime in which this is called.
    pub(super) fn new(secrets: Secrets, version: &Version) -> anyhow::Result<Self> {
        Ok(Self {
            bearer: secrets.bearer()?,
            version: HeaderValue::try_from(version.as_str())?,
            secrets,
            threads: Handle::current(),
            open: Arc::default(),
        })
    }

    fn channel(&self, url: &Url) -> anyhow::Result<grpc::BoxCloneSyncChannel> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(channel) = open.get(url) {
            return Ok(channel.clone());
        }
        let mut endpoint = Endpoint::from_shared(url.to_string())?
            .connect_timeout(CONNECT_WITHIN)
            .http2_keep_alive_interval(PING_EVERY)
            .keep_alive_timeout(PONG_WITHIN)
            .http2_max_header_list_size(HEADER_BYTES_MAX)
            .executor(On(self.threads.clone()));
        if url.scheme() == "https" {
            let tls = self.secrets.client_tls().context("there are no certificates")?;
            endpoint = endpoint.tls_config(tls)?;
        }
        let (bearer, version) = (self.bearer.clone(), self.version.clone());
        // It connects when it is used, and again when the connection is lost.
        let channel =
            endpoint.connect_lazy().map_request(move |mut request: http::Request<Body>| {
                let headers = request.headers_mut();
                headers.insert(http::header::AUTHORIZATION, bearer.clone());
                headers.insert(VERSION, version.clone());
                request
            });
        let channel = grpc::BoxCloneSyncChannel::new(channel);
        open.insert(url.clone(), channel.clone());
        Ok(channel)
    }
}

#[async_trait]
impl ChannelResolver for Channels {
    async fn get_worker_client_for_url(
        &self,
        url: &Url,
    ) -> Result<Box<dyn WorkerChannel>, DataFusionError> {
        let channel =
            self.channel(url).map_err(|error| exec_datafusion_err!("{url}: {error:#}"))?;
        Ok(grpc::create_worker_client(channel))
    }
}
