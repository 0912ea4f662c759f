//! What units are called: asked of the server now and then. The last answer holds while it is down.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use anyhow::Context as _;
use reqwest::{Client, Url};
use serde::Deserialize;

use super::ask;
use super::config::{Secret, Server};
use super::wording;

/// How often the server is asked, and how often while it does not answer.
const EVERY: Duration = Duration::from_secs(600);
const AGAIN_AFTER: Duration = Duration::from_secs(15);

/// The largest answer.
const BYTES_MAX: usize = 8 << 20;

/// The names that are known.
#[derive(Debug, Default)]
pub(super) struct Names(RwLock<Arc<wording::Names>>);

impl Names {
    /// The names now.
    pub(super) fn now(&self) -> Arc<wording::Names> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn set(&self, names: wording::Names) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(names);
    }
}

/// The server that knows names.
#[derive(Debug)]
pub(super) struct Source {
    client: Client,
    url: Url,
    token: Option<Secret>,
}

#[derive(Debug, Deserialize)]
struct Answer {
    scopes: Vec<Scope>,
}

#[derive(Debug, Deserialize)]
struct Scope {
    scope: String,
    name: String,
}

impl Source {
    /// Gets ready to ask a server.
    pub(super) fn new(server: Server) -> anyhow::Result<Self> {
        let client = ask::client(&server.target).context("[server]")?;
        let url = server.target.url.join("/api/v1/scopes").context("[server] `url`")?;
        Ok(Self { client, url, token: server.token })
    }

    async fn ask(&self) -> anyhow::Result<wording::Names> {
        let mut request = self.client.get(self.url.clone());
        if let Some(token) = &self.token {
            request = request.bearer_auth(token.text());
        }
        let (status, body) = ask::ask(request, BYTES_MAX).await?;
        anyhow::ensure!(status == 200, "HTTP {status}; role viewer may ask for names");
        let answer: Answer = serde_json::from_slice(&body).context("its answer holds no scopes")?;
        Ok(answer.scopes.into_iter().map(|scope| (scope.scope, scope.name)).collect())
    }

    /// Asks once; what fails is logged, unless it was failing before.
    pub(super) async fn refresh(&self, names: &Names, was_failing: bool) -> bool {
        match self.ask().await {
            Ok(asked) => {
                tracing::debug!(names = asked.len(), "asked for the names of units");
                names.set(asked);
                false
            }
            Err(error) => {
                if !was_failing {
                    let error = format!("{error:#}");
                    let known = names.now().len();
                    tracing::warn!(error, known, "the server does not tell the names of units");
                }
                true
            }
        }
    }

    /// Asks on and on.
    pub(super) async fn follow(self, names: Arc<Names>, mut is_failing: bool) {
        loop {
            tokio::time::sleep(if is_failing { AGAIN_AFTER } else { EVERY }).await;
            is_failing = self.refresh(&names, is_failing).await;
        }
    }
}
