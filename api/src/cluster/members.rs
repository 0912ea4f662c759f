//! Which workers take part: those that answer, and are of this node's version.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use datafusion::common::DataFusionError;
use datafusion_distributed::{ChannelResolver as _, GetWorkerInfoRequest, WorkerResolver};
use tokio::sync::Notify;
use url::Url;

use super::channels::Channels;
use super::version::Version;

/// How often workers are asked whether they are there.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// How long a worker may take to answer that.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);

/// A worker, as it was found last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Its address.
    pub url: Url,
    /// Whether it takes part.
    pub standing: Standing,
    /// The version that it told last.
    pub version: Option<String>,
}

/// Whether a worker takes part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// It has not been asked yet, or a query has failed since.
    Unknown,
    /// It does.
    Answers,
    /// It does not, for this reason.
    Out(String),
}

/// The workers. Cheap to clone; all clones are the same.
#[derive(Debug, Clone)]
pub(super) struct Members {
    version: Version,
    channels: Channels,
    found: Arc<RwLock<Vec<Member>>>,
    look: Arc<Notify>,
}

impl Members {
    pub(super) fn new(urls: &[Url], version: Version, channels: Channels) -> Self {
        let unknown =
            |url: &Url| Member { url: url.clone(), standing: Standing::Unknown, version: None };
        let found = urls.iter().map(unknown).collect();
        Self { version, channels, found: Arc::new(RwLock::new(found)), look: Arc::default() }
    }

    /// Asks the workers again and again, for ever.
    pub(super) async fn look_after(self) {
        loop {
            let _ = tokio::time::timeout(LOOK_EVERY, self.look.notified()).await;
            self.look().await;
        }
    }

    /// Asks every worker once.
    pub(super) async fn look(&self) {
        let asked = self.told().into_iter().map(|member| self.ask(member));
        let found: Vec<Member> = futures::future::join_all(asked).await;
        for (member, known) in found.iter().zip(&self.told()) {
            tell(member, known);
        }
        *self.found.write().unwrap_or_else(PoisonError::into_inner) = found;
    }

    /// Lets nobody take part until all have been asked again, which happens at once.
    pub(super) fn look_now(&self) {
        for member in self.found.write().unwrap_or_else(PoisonError::into_inner).iter_mut() {
            if member.standing == Standing::Answers {
                member.standing = Standing::Unknown;
            }
        }
        self.look.notify_one();
    }

    async fn ask(&self, member: Member) -> Member {
        let answer = async {
            let mut client = self.channels.get_worker_client_for_url(&member.url).await?;
            client.get_worker_info(GetWorkerInfoRequest {}).await
        };
        let (standing, version) = match tokio::time::timeout(ANSWER_WITHIN, answer).await {
            Ok(Ok(info)) => {
                let standing = match self.version.differs_from(&info.version) {
                    Some(why) => Standing::Out(why),
                    None => Standing::Answers,
                };
                (standing, Some(info.version))
            }
            Ok(Err(error)) => (Standing::Out(told(&error)), member.version),
            Err(_) => {
                let seconds = ANSWER_WITHIN.as_secs();
                (Standing::Out(format!("it does not answer within {seconds} s")), member.version)
            }
        };
        Member { url: member.url, standing, version }
    }

    /// How many take part.
    pub(super) fn answering(&self) -> usize {
        let found = self.found.read().unwrap_or_else(PoisonError::into_inner);
        found.iter().filter(|member| member.standing == Standing::Answers).count()
    }

    pub(super) fn told(&self) -> Vec<Member> {
        self.found.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// An error with those behind it, in one line.
fn told(error: &DataFusionError) -> String {
    let mut text = error.strip_backtrace();
    let mut inner = std::error::Error::source(error);
    while let Some(error) = inner {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        inner = error.source();
    }
    text.lines().collect::<Vec<_>>().join(" ")
}

/// Writes to the log when a worker comes or goes.
fn tell(member: &Member, known: &Member) {
    let url = member.url.as_str();
    match (&member.standing, &known.standing) {
        (new, old) if new == old => {}
        (Standing::Answers, Standing::Unknown) => tracing::debug!(url, "the worker answers"),
        (Standing::Answers, _) => tracing::info!(url, "the worker answers again"),
        (Standing::Out(why), _) => tracing::warn!(url, why, "the worker takes no part"),
        (Standing::Unknown, _) => {}
    }
}

impl WorkerResolver for Members {
    fn get_urls(&self) -> Result<Vec<Url>, DataFusionError> {
        let found = self.found.read().unwrap_or_else(PoisonError::into_inner);
        let answering = found.iter().filter(|member| member.standing == Standing::Answers);
        Ok(answering.map(|member| member.url.clone()).collect())
    }
}
