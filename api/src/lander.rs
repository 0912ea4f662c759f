//! The one writer: lands the inbox, refreshes the rollups, maintains the lake.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use pipeline::audit::AuditLog;
use pipeline::definition::Definitions;
use pipeline::goal::{self, Goals};
use pipeline::lake::{Lake, Published, WriteLock};
use pipeline::land::Selection;
use pipeline::metric::Catalogue;
use pipeline::query::Reader;
use pipeline::reference::gathered;
use pipeline::{land, refresh};
use tokio::sync::mpsc;

use crate::clock::Clock;
use crate::cluster::Cluster;
use crate::inbox::Body;
use crate::maintenance::Keeper;
use crate::orders::Order;
use crate::server::{Options, Server};

/// How often the definitions of a folder are read again.
pub(crate) const RELOAD_EVERY: Duration = Duration::from_secs(10);

/// How often those who follow are told that there is nothing newer.
const PUBLISH_EVERY: Duration = Duration::from_secs(10);

/// A lake that this process writes, with everything in the rollups that has landed.
pub(crate) struct Writing {
    pub(crate) lake: Lake,
    pub(crate) lock: WriteLock,
    pub(crate) reader: Reader,
    pub(crate) audit: AuditLog,
}

impl Writing {
    /// Takes the right to write to the lake of a server, which is created when there is none.
    pub(crate) async fn begin(
        options: &Options,
        definitions: &Arc<Definitions>,
        catalogue: &Catalogue,
        cluster: Option<&Arc<Cluster>>,
    ) -> anyhow::Result<Self> {
        // Before the lake is made, which would be for nothing.
        options.lake.home()?;
        let mut lake = Lake::open_or_create(&options.lake, None).await?;
        if let Some(cluster) = cluster {
            lake.spread_over(Arc::clone(cluster) as _);
        }
        let lock = lake.lock().await?;
        refresh::refresh(&mut lake, &lock, definitions).await?;
        // Before the first answer, which would otherwise be of a state that is over at once.
        record_goals(&lake, &lock, definitions, catalogue, options.clock).await;
        let reader = Reader::open(&options.lake, Arc::clone(definitions)).await?;
        let audit = AuditLog::open(lake.location(), &lock).await?;
        Ok(Self { lake, lock, reader, audit })
    }
}

/// Lands what waits, and answers orders in between.
pub(crate) struct Lander {
    server: Arc<Server>,
    ordered: mpsc::Receiver<Order>,
    lake: Lake,
    lock: WriteLock,
    reader: Reader,
    audit: AuditLog,
    keeper: Keeper,
    /// The folder of definitions that is read again from time to time.
    sql: Option<PathBuf>,
    reloaded: Instant,
    /// What was published last, and when.
    published: Option<(Published, Instant)>,
    /// The definitions whose goals are recorded.
    recorded: Option<Arc<Definitions>>,
    /// Whether rollups and view reflect everything that has landed.
    is_fresh: bool,
}

impl Lander {
    pub(crate) fn new(
        server: Arc<Server>,
        writing: Writing,
        ordered: mpsc::Receiver<Order>,
        options: &Options,
    ) -> Self {
        let Writing { lake, lock, reader, audit } = writing;
        Self {
            recorded: Some(server.definitions()),
            server,
            ordered,
            lake,
            lock,
            reader,
            audit,
            keeper: Keeper::new(options.maintenance.clone()),
            sql: options.sql.clone(),
            reloaded: Instant::now(),
            published: None,
            is_fresh: true,
        }
    }

    pub(crate) async fn run(mut self) {
        loop {
            let failure = self.step().await.err().map(|error| format!("{error:#}"));
            if let Some(error) = &failure {
                // The bodies stay in the inbox, so the next step tries again.
                tracing::error!(error, "landing failed");
            }
            self.server.show_landing_error(failure);
            self.maintain().await;
            tokio::select! {
                () = self.server.inbox().wait() => {}
                Some(order) = self.ordered.recv() => self.obey(order).await,
            }
        }
    }

    async fn step(&mut self) -> anyhow::Result<()> {
        if self.lock.is_lost() {
            self.take_turn_again().await?;
        }
        if let Some(folder) =
            self.sql.as_deref().filter(|_| self.reloaded.elapsed() >= RELOAD_EVERY)
        {
            self.server.read_definitions_again(folder);
            self.reloaded = Instant::now();
        }
        self.record_changed_goals().await;
        let mut landed = Ok(());
        for (source, bodies) in self.server.inbox().waiting() {
            // Set before the work, so that a step that fails half-way is made up for by the next.
            self.is_fresh = false;
            // One source does not wait for another to be mended.
            landed = landed.and(self.land(&source, bodies).await);
        }
        // Nobody else writes to the lake, so without a landing there is nothing to refresh.
        if !self.is_fresh {
            let definitions = self.server.definitions();
            refresh::refresh(&mut self.lake, &self.lock, &definitions).await?;
            if self.reader.update().await? {
                self.server.show(self.reader.view());
            }
            self.is_fresh = true;
            self.published = None;
        }
        landed.and(self.publish().await)
    }

    /// Tells those who follow what there is, and now and then that it is the newest still.
    async fn publish(&mut self) -> anyhow::Result<()> {
        let now = Clock::Machine.now();
        let published = match self.published.take() {
            Some((published, at)) if at.elapsed() < PUBLISH_EVERY => {
                self.published = Some((published, at));
                return Ok(());
            }
            Some((mut published, _)) => {
                published.at = now;
                self.lake.publish_again(&self.lock, &published).await?;
                published
            }
            None => self.lake.publish(&self.lock, now).await?,
        };
        self.published = Some((published, Instant::now()));
        Ok(())
    }

    /// Takes the right to write again that another process has taken over, once that has given it back. What was pushed
    /// meanwhile waits.
    async fn take_turn_again(&mut self) -> anyhow::Result<()> {
        let lock = self.lake.lock().await?;
        // When this fails the turn is given back, and all of it is tried again.
        self.audit.write_in_turn(self.lake.location(), &lock).await?;
        self.lock = lock;
        self.is_fresh = false;
        Ok(())
    }

    /// Uses the time until there is something to land, and takes a little of it in any case.
    async fn maintain(&mut self) {
        let server = &self.server;
        let nothing_waits = || server.inbox().is_empty();
        let (lake, lock, record) = (&mut self.lake, &self.lock, server.maintained());
        if self.keeper.work(lake, lock, &self.audit, record, nothing_waits).await {
            // Readers see the new files before the old ones go.
            self.is_fresh = false;
        }
    }

    async fn obey(&mut self, order: Order) {
        match order {
            Order::Replay { source, selection, answer } => {
                let replayed = self.replay(&source, &selection).await;
                // Who has gone away finds the lines landed.
                let _ = answer.send(replayed);
            }
            Order::TakeOver { district, registers, answer } => {
                self.is_fresh = false;
                let taken_over = gathered::take_over(&self.lake, &self.lock, &district, registers);
                // Who has gone away asks again.
                let _ = answer.send(taken_over.await);
            }
        }
    }

    async fn replay(
        &mut self,
        source: &str,
        selection: &Selection,
    ) -> pipeline::Result<land::Replayed> {
        let mapping = self.server.mapping(source)?;
        self.is_fresh = false;
        let now = Clock::Machine.now();
        land::replay(&mut self.lake, &self.lock, &mapping, selection, now).await
    }

    /// Lands bodies of one source. One that cannot be read is set aside, so that it does not hold up the others.
    async fn land(&mut self, source: &str, mut bodies: Vec<Body>) -> anyhow::Result<()> {
        let mapping = self.server.mapping(source)?;
        while !bodies.is_empty() {
            let inputs = bodies.iter().map(Body::input).collect::<pipeline::Result<Vec<_>>>()?;
            self.server.inbox().trying(&bodies);
            let now = Clock::Machine.now();
            let landing = land::land(&mut self.lake, &self.lock, &mapping, &inputs, now, &|_| {});
            let error = match landing.await {
                Ok(outcomes) => {
                    let landed: u64 = outcomes.iter().map(|outcome| outcome.landed).sum();
                    tracing::info!(source, bodies = bodies.len(), landed, "landed {landed} events");
                    return self
                        .server
                        .inbox()
                        .landed(&bodies, now)
                        .context("failed to empty the inbox");
                }
                Err(error) => error,
            };
            let Some(unreadable) = bodies.iter().position(|body| error.is_about(&body.path)) else {
                return Err(error.into());
            };
            let body = bodies.swap_remove(unreadable);
            // Of many, some may have landed.
            bodies.iter_mut().for_each(|body| body.tried = true);
            let error = format!("{:#}", anyhow::Error::from(error));
            let aside = self
                .server
                .inbox()
                .set_aside(&body, &error)
                .context("failed to set a body aside")?;
            tracing::error!(source, error, aside = %aside.display(), "a pushed body cannot be read and is set aside");
        }
        Ok(())
    }

    async fn record_changed_goals(&mut self) {
        let definitions = self.server.definitions();
        if self.recorded.as_ref().is_some_and(|recorded| Arc::ptr_eq(recorded, &definitions)) {
            return;
        }
        let (catalogue, clock) = (self.server.catalogue(), self.server.clock());
        if record_goals(&self.lake, &self.lock, &definitions, catalogue, clock).await {
            self.is_fresh = false;
        }
        self.recorded = Some(definitions);
    }
}

/// Keeps every change of the goals with its date. Returns whether there was one.
async fn record_goals(
    lake: &Lake,
    lock: &WriteLock,
    definitions: &Definitions,
    catalogue: &Catalogue,
    clock: Clock,
) -> bool {
    let years =
        definitions.in_folder("goals", "toml").filter_map(|(name, _)| name.parse::<i32>().ok());
    let mut is_changed = false;
    for year in years {
        let recorded = match Goals::load(definitions, catalogue, year) {
            Ok(goals) => goal::record(lake, lock, &goals, clock.today(lake.zone())).await,
            Err(error) => Err(error),
        };
        match recorded {
            Ok(changes) if changes.is_empty() => {}
            Ok(changes) => {
                tracing::info!(year, changes = changes.len(), "recorded changes of goals");
                is_changed = true;
            }
            Err(error) => tracing::error!(year, %error, "goals cannot be recorded"),
        }
    }
    is_changed
}
