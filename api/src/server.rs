//! The serving process: one task lands what was pushed and keeps the numbers fresh, the others answer.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use chrono::{DateTime, NaiveDate, Utc};
use pipeline::definition::Definitions;
use pipeline::lake::{Lake, WriteLock};
use pipeline::metric::Catalogue;
use pipeline::query::{Reader, View};
use pipeline::source::InputFile;
use pipeline::source::mapping::Mapping;
use pipeline::{land, refresh};
use tokio::net::TcpListener;

use crate::clock::Clock;
use crate::exposition;
use crate::http;
use crate::inbox::Inbox;
use crate::measure::{self, Measurement};

/// How often the inbox is emptied: many small commits are what wears a Delta table out.
const LAND_EVERY: Duration = Duration::from_secs(2);

/// How a server runs.
#[derive(Debug, Clone)]
pub struct Options {
    /// The lake's folder.
    pub lake: PathBuf,
    /// The address of the HTTP interface.
    pub http: SocketAddr,
    /// The present.
    pub clock: Clock,
}

/// What the answering tasks share.
#[derive(Debug)]
pub struct Server {
    definitions: Arc<Definitions>,
    catalogue: Catalogue,
    clock: Clock,
    inbox: Inbox,
    view: RwLock<Arc<View>>,
    measured: RwLock<Measured>,
    landing_error: Mutex<Option<String>>,
}

/// The numbers that `/metrics` shows, and when they were computed.
#[derive(Debug, Clone, Default)]
pub struct Measured {
    /// Text in the exposition format.
    pub text: String,
    /// The metrics that could not be computed.
    pub failing: Vec<String>,
    /// When the computation ended.
    pub at: Option<DateTime<Utc>>,
    /// How long it took.
    pub took: Duration,
}

impl Server {
    /// The newest state of the lake.
    pub fn view(&self) -> Arc<View> {
        Arc::clone(&self.view.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The definition files.
    pub fn definitions(&self) -> &Definitions {
        &self.definitions
    }

    /// The metrics.
    pub fn catalogue(&self) -> &Catalogue {
        &self.catalogue
    }

    /// The present.
    pub fn clock(&self) -> Clock {
        self.clock
    }

    /// The newest numbers for `/metrics`.
    pub fn measured(&self) -> Measured {
        self.measured.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Why landing does not get on, if it does not.
    pub fn landing_error(&self) -> Option<String> {
        self.landing_error.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn show(&self, view: Arc<View>) {
        *self.view.write().unwrap_or_else(PoisonError::into_inner) = view;
    }

    fn show_landing_error(&self, failure: Option<String>) {
        *self.landing_error.lock().unwrap_or_else(PoisonError::into_inner) = failure;
    }

    /// Keeps a pushed body durably; it lands within a few seconds.
    pub fn accept(&self, source: &str, body: &[u8]) -> std::io::Result<()> {
        self.inbox.put(source, body)
    }
}

/// Serves a lake until Ctrl-C or SIGTERM.
///
/// Fails when the address is taken, is not loopback, or another process writes to the lake.
pub async fn serve(options: Options, definitions: Arc<Definitions>) -> anyhow::Result<()> {
    anyhow::ensure!(
        options.http.ip().is_loopback(),
        "{} is not a loopback address, and there are no credentials yet; listen on 127.0.0.1 behind a proxy that asks for them",
        options.http
    );
    let listener = TcpListener::bind(options.http)
        .await
        .with_context(|| format!("failed to listen on {}; choose another --http", options.http))?;
    let mut lake = Lake::open_or_create(&options.lake, None).await?;
    let lock = lake.lock()?;
    refresh::refresh(&mut lake, &lock, &definitions).await?;
    let reader = Reader::open(&options.lake, Arc::clone(&definitions)).await?;
    let server = Arc::new(Server {
        catalogue: Catalogue::load(&definitions)?,
        definitions,
        clock: options.clock,
        inbox: Inbox::open(lake.root()).context("failed to open the inbox")?,
        view: RwLock::new(reader.view()),
        measured: RwLock::default(),
        landing_error: Mutex::default(),
    });
    let lander = Lander {
        server: Arc::clone(&server),
        lake,
        lock,
        reader,
        is_fresh: true,
        measured_for: None,
    };
    let landing = tokio::spawn(lander.run());
    announce(listener.local_addr().context("failed to read the address")?, options.clock)?;
    axum::serve(listener, http::routes(server))
        .with_graceful_shutdown(stopped())
        .await
        .context("the HTTP server failed")?;
    landing.abort();
    Ok(())
}

fn announce(address: SocketAddr, clock: Clock) -> std::io::Result<()> {
    use std::io::Write as _;
    let mut out = std::io::stdout().lock();
    writeln!(out, "web pages   http://{address}/")?;
    writeln!(out, "API         http://{address}/api/v1/metrics")?;
    writeln!(out, "Prometheus  http://{address}/metrics")?;
    writeln!(out, "push        POST http://{address}/api/v1/events?source=native")?;
    if let Clock::Pinned(instant) = clock {
        writeln!(out, "the present is taken to be {}", instant.to_rfc3339())?;
    }
    writeln!(out, "no credentials are configured: listening on loopback only; Ctrl-C stops")?;
    out.flush()
}

async fn stopped() {
    let interrupted = tokio::signal::ctrl_c();
    let Ok(mut terminated) =
        tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())
    else {
        let _ = interrupted.await;
        return;
    };
    tokio::select! {
        _ = interrupted => {}
        _ = terminated.recv() => {}
    }
}

/// The one writer: lands the inbox, refreshes the rollups, measures.
struct Lander {
    server: Arc<Server>,
    lake: Lake,
    lock: WriteLock,
    reader: Reader,
    /// Whether rollups and view reflect everything that has landed.
    is_fresh: bool,
    /// The state and the day that the newest measurement is about.
    measured_for: Option<(u64, NaiveDate)>,
}

impl Lander {
    async fn run(mut self) {
        loop {
            let failure = self.step().await.err().map(|error| format!("{error:#}"));
            if let Some(error) = &failure {
                // The bodies stay in the inbox, so the next step tries again.
                tracing::error!(error, "landing failed");
            }
            self.server.show_landing_error(failure);
            tokio::time::sleep(LAND_EVERY).await;
        }
    }

    async fn step(&mut self) -> anyhow::Result<()> {
        for (source, bodies) in self.server.inbox.waiting().context("failed to list the inbox")? {
            // Set before the work, so that a step that fails half-way is made up for by the next.
            self.is_fresh = false;
            self.land(&source, &bodies).await?;
        }
        // Nobody else writes to the lake, so without a landing there is nothing to refresh.
        if !self.is_fresh {
            refresh::refresh(&mut self.lake, &self.lock, &self.server.definitions).await?;
            if self.reader.update().await? {
                self.server.show(self.reader.view());
            }
            self.is_fresh = true;
        }
        self.measure().await;
        Ok(())
    }

    async fn land(&mut self, source: &str, bodies: &[PathBuf]) -> anyhow::Result<()> {
        let mapping = Mapping::find(&self.server.definitions, source)?;
        let inputs =
            bodies.iter().map(|body| InputFile::new(body)).collect::<Result<Vec<_>, _>>()?;
        let now = Clock::Machine.now();
        let outcomes =
            land::land(&mut self.lake, &self.lock, &mapping, &inputs, now, &|_| {}).await?;
        let landed: u64 = outcomes.iter().map(|outcome| outcome.landed).sum();
        tracing::info!(source, bodies = bodies.len(), landed, "landed {landed} events");
        self.server.inbox.remove(bodies).context("failed to empty the inbox")
    }

    async fn measure(&mut self) {
        let view = self.server.view();
        let today = self.server.clock.today(view.zone());
        if self.measured_for == Some((view.version(), today)) {
            return;
        }
        let started = Instant::now();
        let Measurement { families, failures } =
            measure::measure(&view, &self.server.catalogue, today).await;
        for (metric, error) in &failures {
            tracing::error!(metric, error, "metric cannot be computed");
        }
        let measured = Measured {
            text: exposition::render(&families),
            failing: failures.into_iter().map(|(metric, _)| metric).collect(),
            at: Some(Clock::Machine.now()),
            took: started.elapsed(),
        };
        *self.server.measured.write().unwrap_or_else(PoisonError::into_inner) = measured;
        self.measured_for = Some((view.version(), today));
    }
}

/// A folder that disappears with its owner.
#[derive(Debug)]
pub struct TemporaryFolder(PathBuf);

impl TemporaryFolder {
    /// Makes one.
    pub fn create() -> anyhow::Result<Self> {
        let path = std::env::temp_dir().join(format!("lawpulse-demo-{}", std::process::id()));
        std::fs::create_dir_all(&path)
            .with_context(|| format!("failed to create {}", path.display()))?;
        Ok(Self(path))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for TemporaryFolder {
    fn drop(&mut self) {
        // Nothing is left to do about a folder that cannot be removed.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
