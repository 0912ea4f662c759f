//! The relay: Alertmanager's webhooks become messages, in Chinese, in the chats of 企业微信, 钉钉 and 浙政钉.
//!
//! A process of its own, which works while the server is down. Modules are listed in the order a webhook meets them.

mod ask;
mod config;
mod counters;
mod door;
mod form;
mod lately;
mod names;
mod robot;
mod webhook;
mod wording;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use anyhow::Context as _;
use chrono_tz::Tz;

pub use config::Settings;

use crate::listen;
use crate::tls::Tls;
use config::{Route, Secret};
use counters::Counters;
use names::{Names, Source};
use robot::{Delivery, Robot};
use webhook::{Alert, Notification};
use wording::Wording;

/// Connections that are served at once: Alertmanager's, and whoever looks at the counters.
const CONNECTIONS: usize = 64;

/// What answering a webhook takes.
#[derive(Debug)]
struct Relay {
    token: Option<Secret>,
    zone: Tz,
    runbook: Option<String>,
    routes: BTreeMap<String, Route>,
    robots: Vec<Arc<Robot>>,
    names: Arc<Names>,
    counters: Counters,
}

/// A relay that is ready to listen.
#[derive(Debug)]
pub struct Ready {
    relay: Arc<Relay>,
    source: Option<Source>,
    tls: Option<Tls>,
    listen: SocketAddr,
}

impl Ready {
    /// Gets everything that the settings name. Fails when a certificate cannot be read.
    pub fn new(settings: Settings) -> anyhow::Result<Self> {
        let robots = settings.robots.into_iter().map(|robot| Ok(Arc::new(Robot::new(robot)?)));
        let relay = Relay {
            token: settings.token,
            zone: settings.zone,
            runbook: settings.runbook,
            routes: settings.routes,
            robots: robots.collect::<anyhow::Result<_>>()?,
            names: Arc::default(),
            counters: Counters::new().context("failed to start counting")?,
        };
        Ok(Self {
            relay: Arc::new(relay),
            source: settings.server.map(Source::new).transpose()?,
            tls: settings.tls.map(Tls::open).transpose()?,
            listen: settings.listen,
        })
    }

    /// Relays until Ctrl-C or SIGTERM. What is being sent then is sent to its end.
    pub async fn run(self) -> anyhow::Result<()> {
        let Self { relay, source, tls, listen } = self;
        let listener = TcpListener::bind(listen)
            .with_context(|| format!("failed to listen on {listen}; choose another `listen`"))?;
        let following = match source {
            // Once before the first message, so that it has the name.
            Some(source) => {
                let is_failing = source.refresh(&relay.names, false).await;
                let names = Arc::clone(&relay.names);
                Some(tokio::spawn(source.follow(names, is_failing)))
            }
            None => None,
        };
        announce(&relay, tls.is_some(), listener.local_addr()?)?;
        let routes = door::routes(Arc::clone(&relay));
        listen::serve(listener, routes, tls.as_ref(), CONNECTIONS, listen::stopped())
            .await
            .context("the HTTP server failed")?;
        for robot in &relay.robots {
            robot.finish().await;
        }
        if let Some(task) = following {
            task.abort();
        }
        Ok(())
    }
}

fn announce(relay: &Relay, has_tls: bool, address: SocketAddr) -> std::io::Result<()> {
    let scheme = if has_tls { "https" } else { "http" };
    let mut out = std::io::stdout().lock();
    for path in relay.routes.keys() {
        writeln!(out, "Alertmanager  {scheme}://{address}{path}")?;
    }
    writeln!(out, "Prometheus    {scheme}://{address}/metrics")?;
    writeln!(out, "Ctrl-C stops")?;
    out.flush()
}

impl Relay {
    /// Sends a notification to every robot that is to hear of it; what each has to say, by its name.
    ///
    /// A robot that fails keeps no other from hearing. What has begun goes on when nobody waits for it any more: a message
    /// that was taken has to be remembered, or it would be sent again.
    async fn relay(&self, notification: &Notification, route: &Route) -> Vec<(String, Delivery)> {
        let names = self.names.now();
        let mut sending = Vec::new();
        for (place, alerts) in addressed(notification, route) {
            let Some(robot) = self.robots.get(place) else { continue };
            let wording = Wording {
                names: &names,
                zone: self.zone,
                runbook: self.runbook.as_deref(),
                markup: robot.form().markup(),
            };
            let message = wording.message(&alerts, notification.truncated_alerts);
            let key = notification.key(alerts.iter().copied());
            let robot = Arc::clone(robot);
            let name = robot.name().to_owned();
            sending.push((name, tokio::spawn(async move { robot.deliver(&message, key).await })));
        }
        let mut told = Vec::new();
        for (name, delivering) in sending {
            let broken = |_| Delivery::Failed("sending broke off".to_owned());
            told.push((name, delivering.await.unwrap_or_else(broken)));
        }
        told
    }
}

/// The alerts that each robot is to hear of, by its place.
fn addressed<'n>(notification: &'n Notification, route: &Route) -> BTreeMap<usize, Vec<&'n Alert>> {
    let mut addressed: BTreeMap<usize, Vec<&Alert>> = BTreeMap::new();
    for alert in &notification.alerts {
        for robot in route.robots(alert.label("scope")) {
            addressed.entry(*robot).or_default().push(alert);
        }
    }
    addressed
}
