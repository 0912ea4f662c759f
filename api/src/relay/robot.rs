//! A robot: sends it messages one after the other, each once.

use std::fmt;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use reqwest::{Client, Url, header};
use tokio::sync::Mutex;

use super::ask::{self, ANSWER_WITHIN};
use super::config::{self, Secret};
use super::form::{Form, Verdict, signed};
use super::lately::Lately;
use super::wording::Message;
use crate::clock::Clock;

/// How long a message may wait for others to the same robot; then Alertmanager is to try again.
const TURN_WITHIN: Duration = Duration::from_secs(15);

/// The largest answer of a robot.
const ANSWER_BYTES_MAX: usize = 64 << 10;

/// The shortest part of an address that is taken for a key.
const KEY_BYTES_MIN: usize = 6;

/// A robot of a chat.
pub(super) struct Robot {
    name: String,
    form: Form,
    client: Client,
    url: Url,
    secret: Option<Secret>,
    /// Held while something is sent: a message and its repetition cannot be under way at once.
    lately: Mutex<Lately>,
}

/// Without the address: that holds the key.
impl fmt::Debug for Robot {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Robot").field("name", &self.name).finish_non_exhaustive()
    }
}

/// How it went. In all cases but the first two the message is to be sent again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Delivery {
    /// It is in the chat.
    Delivered,
    /// It was there before.
    Repeated,
    /// It has to wait: the robot has had too much.
    Held(String),
    /// It did not arrive, or nobody can tell.
    Failed(String),
}

impl Delivery {
    /// The word in the counters.
    pub(super) fn outcome(&self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Repeated => "repeated",
            Self::Held(_) => "held",
            Self::Failed(_) => "failed",
        }
    }

    /// Why the message is to be sent again.
    pub(super) fn failure(&self) -> Option<&str> {
        match self {
            Self::Delivered | Self::Repeated => None,
            Self::Held(why) | Self::Failed(why) => Some(why),
        }
    }
}

impl Robot {
    /// Gets ready to send to a robot.
    pub(super) fn new(robot: config::Robot) -> anyhow::Result<Self> {
        let client =
            ask::client(&robot.target).with_context(|| format!("robot `{}`", robot.name))?;
        Ok(Self {
            client,
            name: robot.name,
            form: robot.form,
            url: robot.target.url,
            secret: robot.secret,
            lately: Mutex::new(Lately::new(robot.per_minute)),
        })
    }

    /// What it is called in the config file and the log.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Its form.
    pub(super) fn form(&self) -> Form {
        self.form
    }

    /// Sends a message, unless the robot has taken it before. `key` is the same for a message that is sent again.
    pub(super) async fn deliver(&self, message: &Message, key: blake3::Hash) -> Delivery {
        let Ok(mut lately) = tokio::time::timeout(TURN_WITHIN, self.lately.lock()).await else {
            return Delivery::Held("other messages to it take long".to_owned());
        };
        let now = Instant::now();
        if lately.has_taken(&key, now) {
            return Delivery::Repeated;
        }
        if let Some(wait) = lately.wait(now) {
            let seconds = wait.as_secs() + 1;
            return Delivery::Held(format!("it takes no more messages for {seconds} s"));
        }
        lately.send(now);
        match self.send(message).await {
            Ok(Verdict::Taken) => {
                lately.take(key, Instant::now());
                Delivery::Delivered
            }
            Ok(Verdict::Throttled(rest, why)) => {
                lately.rest(rest, Instant::now());
                Delivery::Failed(self.without_keys(&why))
            }
            Ok(Verdict::Refused(why)) => Delivery::Failed(self.without_keys(&why)),
            Err(error) => Delivery::Failed(self.without_keys(&format!("{error:#}"))),
        }
    }

    /// Waits until nothing is being sent.
    pub(super) async fn finish(&self) {
        // What takes longer has been given up by then.
        let _ = tokio::time::timeout(ANSWER_WITHIN, self.lately.lock()).await;
    }

    async fn send(&self, message: &Message) -> anyhow::Result<Verdict> {
        let url = match &self.secret {
            Some(secret) => {
                signed(&self.url, secret.text(), Clock::Machine.now().timestamp_millis())
            }
            None => self.url.clone(),
        };
        let request = self
            .client
            .post(url)
            .header(header::CONTENT_TYPE, "application/json; charset=utf-8")
            .body(self.form.body(message));
        let (status, body) = ask::ask(request, ANSWER_BYTES_MAX).await?;
        Ok(self.form.verdict(status, &body))
    }

    /// A text of the robot or about it that may be logged: should it repeat a key, that is taken out.
    fn without_keys(&self, text: &str) -> String {
        let values = self.url.query_pairs().map(|(_, value)| value.into_owned());
        let secret = self.secret.iter().map(|secret| secret.text().to_owned());
        let keys = values.chain(secret).filter(|key| key.len() >= KEY_BYTES_MIN);
        keys.fold(text.to_owned(), |text, key| text.replace(&key, "…"))
    }
}
