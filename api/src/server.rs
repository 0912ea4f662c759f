//! The serving process: one task lands what was pushed, or follows the process that does, three keep the numbers fresh, the
//! others answer.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use chrono::{DateTime, NaiveDate, Utc};
use pipeline::audit::AuditLog;
use pipeline::definition::Definitions;
use pipeline::location::Location;
use pipeline::metric::Catalogue;
use pipeline::pseudonym::Identities;
use pipeline::query::View;
use pipeline::source::mapping::Mapping;
use tokio_util::sync::CancellationToken;

use crate::accounts::{Accounts, oidc};
use crate::audit::Audit;
use crate::clock::Clock;
use crate::cluster::{self, Cluster};
use crate::config::LimitsByRole;
use crate::exposition;
use crate::following::{self, Following};
use crate::http;
use crate::inbox::{self, Inbox};
use crate::lander::{Lander, Writing};
use crate::listen;
use crate::maintenance;
use crate::measure::{self, Measurement};
use crate::orders::Orders;
use crate::pgwire::{self, login::Logins};
use crate::sources;
use crate::sql_door::{Door, Sight};
use crate::telemetry::Telemetry;
use crate::threads;
use crate::tls::{self, Tls};

/// How long measuring rests at least.
const MEASURE_EVERY: Duration = Duration::from_secs(2);

/// How often accounts, keys and certificate are looked at for changes.
const KEYS_EVERY: Duration = Duration::from_secs(2);

/// How often the audit log is brought to disk: what a power cut may cost.
const AUDIT_SYNC_EVERY: Duration = Duration::from_secs(1);

/// How long the task that lands may take to end when the server stops.
const STOP_WITHIN: Duration = Duration::from_secs(10);

/// How often, and after how many rows, the audit log is moved from its journal to its table: a file each time.
const AUDIT_MOVE_EVERY: Duration = Duration::from_secs(60 * 60);
const AUDIT_WAITING_MAX: usize = 10_000;

/// How long goals and checks rest at least between two computations, and how many times as long as one took.
const WATCH_EVERY: Duration = Duration::from_secs(15);
const WATCH_REST: u32 = 10;

/// When looking ahead begins: who starts a server asks first.
const LOOK_AHEAD_AFTER: Duration = Duration::from_secs(10);

/// How many times as long as it took looking ahead rests.
const LOOK_AHEAD_REST: u32 = 3;

/// How a server runs.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where the lake is, with the folder of this machine for what waits to land.
    pub lake: Location,
    /// The folder that replaces or adds to the built-in definitions.
    pub sql: Option<PathBuf>,
    /// The address of the HTTP interface.
    pub http: SocketAddr,
    /// Connections that it serves at once.
    pub connections: usize,
    /// How long it answers on, without being ready, when it is told to stop: so that whoever balances the load sees it.
    pub drain: Duration,
    /// The most units that have series of their own in `/metrics`. Of a larger tree its levels and kinds have: the whole, the
    /// districts, and what is of one kind in each.
    pub metrics_units: usize,
    /// The address of the PostgreSQL wire.
    pub postgres: SocketAddr,
    /// The certificate of both; without it, both are in plain text.
    pub tls: Option<tls::Files>,
    /// Whether other machines may come in plain text, since a proxy before the server speaks TLS with them.
    pub allow_plaintext: bool,
    /// The accounts file; without it, only this machine may come.
    pub accounts: Option<PathBuf>,
    /// Whose bearer tokens are believed, beside the accounts.
    pub oidc: Option<oidc::Settings>,
    /// What queries may use.
    pub limits: LimitsByRole,
    /// What may wait to land.
    pub inbox: inbox::Settings,
    /// What brings lines in by itself.
    pub sources: Vec<sources::Settings>,
    /// How the lake is maintained.
    pub maintenance: maintenance::Settings,
    /// Whether it only reads what another process lands.
    pub is_reader: bool,
    /// The workers that queries are spread over.
    pub cluster: cluster::Settings,
    /// The present.
    pub clock: Clock,
}

impl Options {
    /// A lake on this machine, for everybody on it.
    #[cfg(test)]
    fn of_lake(lake: &Path) -> Self {
        Self {
            lake: lake.into(),
            sql: None,
            http: Self::HTTP,
            connections: Self::CONNECTIONS,
            drain: Duration::ZERO,
            metrics_units: Self::METRICS_UNITS,
            postgres: Self::POSTGRES,
            tls: None,
            allow_plaintext: false,
            accounts: None,
            oidc: None,
            limits: LimitsByRole::default(),
            inbox: inbox::Settings::default(),
            sources: Vec::new(),
            maintenance: maintenance::Settings::default(),
            is_reader: false,
            cluster: cluster::Settings::default(),
            clock: Clock::Machine,
        }
    }

    /// Where the HTTP interface listens unless something else is said.
    pub const HTTP: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080);
    /// Where the PostgreSQL wire listens unless something else is said.
    pub const POSTGRES: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 15432);
    /// Connections of the HTTP interface unless something else is said.
    pub const CONNECTIONS: usize = 1024;
    /// Units that have series of their own in `/metrics` unless something else is said.
    pub const METRICS_UNITS: usize = 500;

    /// Refuses to be reached from other machines by everybody, or in plain text.
    fn check_exposure(&self) -> anyhow::Result<()> {
        let doors = [("HTTP", self.http), ("PostgreSQL", self.postgres)];
        let reached =
            doors.into_iter().find(|(_, address)| !address.ip().to_canonical().is_loopback());
        let Some((door, address)) = reached else { return Ok(()) };
        anyhow::ensure!(
            self.accounts.is_some(),
            "{door} on {address} is not a loopback address, and there are no accounts, so that everybody who reaches it \
             could read and push: make one with `lawpulse account add NAME --role admin --accounts FILE` and set \
             `accounts = \"FILE\"` in the config file, or listen on 127.0.0.1"
        );
        anyhow::ensure!(
            self.tls.is_some() || self.allow_plaintext,
            "{door} on {address} is not a loopback address, and there is no certificate, so that passwords would cross \
             the network in plain text: set [tls] `certificate` and `key` in the config file, or `allow_plaintext = true` \
             if a proxy before this server speaks TLS, or listen on 127.0.0.1"
        );
        Ok(())
    }
}

/// What the answering tasks share.
#[derive(Debug)]
pub struct Server {
    definitions: RwLock<Arc<Definitions>>,
    mappings: Mutex<Mappings>,
    catalogue: Catalogue,
    clock: Clock,
    accounts: Option<Accounts>,
    tls: Option<Tls>,
    audit: Arc<Audit>,
    inbox: Inbox,
    maintained: maintenance::Record,
    orders: Orders,
    home: PathBuf,
    sources: Vec<Arc<sources::Status>>,
    door: Door,
    telemetry: Telemetry,
    view: RwLock<Arc<View>>,
    metrics_units: usize,
    measured: RwLock<Measured>,
    watched: RwLock<String>,
    looked_ahead: Mutex<Option<Duration>>,
    landing_error: Mutex<Option<String>>,
    /// What has been seen of the process that writes the lake, by one that only reads it.
    followed: Option<following::Record>,
    cluster: Option<Arc<Cluster>>,
    is_stopping: AtomicBool,
}

/// The mappings of some definitions that have been asked for.
#[derive(Debug, Default)]
struct Mappings {
    of: Option<Arc<Definitions>>,
    by_source: HashMap<String, Arc<Mapping>>,
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
    /// Units that have no series of their own, because they are too many.
    pub units_left_out: usize,
}

/// What a server begins with.
struct Known {
    definitions: Arc<Definitions>,
    catalogue: Catalogue,
    accounts: Option<Accounts>,
    tls: Option<Tls>,
    audit: Arc<Audit>,
    view: Arc<View>,
    orders: Orders,
    telemetry: Telemetry,
    cluster: Option<Arc<Cluster>>,
}

/// How a server comes to the newest state of its lake.
enum Begun {
    Writing(Box<Writing>),
    Following(Box<Following>),
}

impl Begun {
    async fn of(
        options: &Options,
        definitions: &Arc<Definitions>,
        catalogue: &Catalogue,
        cluster: Option<&Arc<Cluster>>,
    ) -> anyhow::Result<Self> {
        if options.is_reader {
            return Ok(Self::Following(Following::begin(options, definitions).await?.into()));
        }
        let writing = Writing::begin(options, definitions, catalogue, cluster).await?;
        Ok(Self::Writing(writing.into()))
    }

    /// Spreads queries over workers.
    fn spread_over(&self, cluster: &Arc<Cluster>) {
        let reader = match self {
            Self::Writing(writing) => &writing.reader,
            Self::Following(following) => &following.reader,
        };
        reader.spread_over(Arc::clone(cluster) as _);
    }

    fn view(&self) -> Arc<View> {
        match self {
            Self::Writing(writing) => writing.reader.view(),
            Self::Following(following) => following.reader.view(),
        }
    }

    fn audit(&self) -> AuditLog {
        match self {
            Self::Writing(writing) => writing.audit.clone(),
            Self::Following(following) => following.audit.clone(),
        }
    }
}

impl Server {
    async fn new(known: Known, options: &Options) -> anyhow::Result<Self> {
        let Known {
            definitions,
            catalogue,
            accounts,
            tls,
            audit,
            view,
            orders,
            telemetry,
            cluster,
        } = known;
        let identities = Identities::pseudonyms_of(&options.lake).await?;
        let home = options.lake.home()?.to_owned();
        let sight = Sight::new(identities, catalogue.clone(), options.clock, audit.table());
        let sources = sources::open(&options.sources, &definitions)?;
        Ok(Self {
            catalogue,
            definitions: RwLock::new(definitions),
            mappings: Mutex::default(),
            clock: options.clock,
            accounts,
            tls,
            audit: Arc::clone(&audit),
            is_stopping: AtomicBool::new(false),
            inbox: Inbox::open(&home, options.inbox, Clock::Machine.now())
                .context("failed to open the inbox")?,
            maintained: maintenance::Record::default(),
            orders,
            home,
            sources,
            door: Door::new(&options.limits, sight, telemetry.clone(), audit)?,
            telemetry,
            view: RwLock::new(view),
            metrics_units: options.metrics_units,
            measured: RwLock::default(),
            watched: RwLock::default(),
            looked_ahead: Mutex::default(),
            landing_error: Mutex::default(),
            followed: options.is_reader.then(following::Record::default),
            cluster,
        })
    }

    /// A server over an empty lake, to test what stands in front of it.
    #[cfg(test)]
    pub(crate) async fn of_empty_lake(folder: &Path) -> Self {
        use pipeline::lake::Lake;
        use pipeline::query::Reader;
        let definitions = Arc::new(Definitions::load(None).unwrap());
        Lake::open_or_create(folder, None).await.unwrap();
        let reader = Reader::open(folder, Arc::clone(&definitions)).await.unwrap();
        let known = Known {
            catalogue: Catalogue::load(&definitions).unwrap(),
            definitions,
            accounts: None,
            tls: None,
            audit: Arc::default(),
            view: reader.view(),
            orders: Orders::channel().0,
            telemetry: Telemetry::new().unwrap(),
            cluster: None,
        };
        Self::new(known, &Options::of_lake(folder)).await.unwrap()
    }

    /// The newest state of the lake.
    pub fn view(&self) -> Arc<View> {
        Arc::clone(&self.view.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The definition files. Models and metrics are those of the start, goals, checks and reports the newest.
    pub fn definitions(&self) -> Arc<Definitions> {
        Arc::clone(&self.definitions.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The present local day.
    pub fn today(&self) -> NaiveDate {
        self.clock.today(self.view().zone())
    }

    /// Goals and checks as exposition text.
    pub fn watched(&self) -> String {
        self.watched.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How long it took to look ahead, if that was done.
    pub fn looked_ahead(&self) -> Option<Duration> {
        *self.looked_ahead.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The door to SQL.
    pub fn door(&self) -> &Door {
        &self.door
    }

    /// Who may come in; `None` while that is everybody on this machine.
    pub fn accounts(&self) -> Option<&Accounts> {
        self.accounts.as_ref()
    }

    /// Where it is noted who does what.
    pub fn audit(&self) -> &Audit {
        &self.audit
    }

    /// Whether callers come by TLS.
    pub fn has_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// What is counted of the server's own work.
    pub fn telemetry(&self) -> &Telemetry {
        &self.telemetry
    }

    /// Where pushed bodies wait, durably, to land within a few seconds.
    pub fn inbox(&self) -> &Inbox {
        &self.inbox
    }

    /// What has come of maintenance.
    pub fn maintained(&self) -> &maintenance::Record {
        &self.maintained
    }

    /// What the one writer is asked to do.
    pub fn orders(&self) -> &Orders {
        &self.orders
    }

    /// The folder of this machine for what waits to land and how far sources have come.
    pub fn home(&self) -> &Path {
        &self.home
    }

    /// How the sources do that bring lines in by themselves, in the order of the config file.
    pub fn sources(&self) -> &[Arc<sources::Status>] {
        &self.sources
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

    /// Whether it was told to stop.
    pub fn is_stopping(&self) -> bool {
        self.is_stopping.load(Ordering::Relaxed)
    }

    /// The mapping of a source by the definitions that hold now, read once.
    ///
    /// Fails when there is none of this name, or when it cannot be read.
    pub fn mapping(&self, source: &str) -> pipeline::Result<Arc<Mapping>> {
        let definitions = self.definitions();
        let mut known = self.mappings.lock().unwrap_or_else(PoisonError::into_inner);
        if !known.of.as_ref().is_some_and(|of| Arc::ptr_eq(of, &definitions)) {
            *known = Mappings { of: Some(Arc::clone(&definitions)), ..Mappings::default() };
        }
        if let Some(mapping) = known.by_source.get(source) {
            return Ok(Arc::clone(mapping));
        }
        let mapping = Arc::new(Mapping::find(&definitions, source)?);
        known.by_source.insert(source.to_owned(), Arc::clone(&mapping));
        Ok(mapping)
    }

    /// Reads a folder of definitions again: a goal that is edited holds without a restart.
    pub(crate) fn read_definitions_again(&self, folder: &Path) {
        match Definitions::load(Some(folder)) {
            Ok(definitions) if definitions != *self.definitions() => {
                tracing::info!(folder = %folder.display(), "definitions changed");
                let mut known = self.definitions.write().unwrap_or_else(PoisonError::into_inner);
                *known = Arc::new(definitions);
            }
            Ok(_) => {}
            Err(error) => tracing::error!(%error, "definitions cannot be read; the last ones hold"),
        }
    }

    /// What has been seen of the process that writes the lake; `None` in that process itself.
    pub fn followed(&self) -> Option<&following::Record> {
        self.followed.as_ref()
    }

    /// The workers that queries are spread over, if there are any.
    pub fn cluster(&self) -> Option<&Cluster> {
        self.cluster.as_deref()
    }

    /// Why landing does not get on, if it does not.
    pub fn landing_error(&self) -> Option<String> {
        self.landing_error.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn show(&self, view: Arc<View>) {
        *self.view.write().unwrap_or_else(PoisonError::into_inner) = view;
    }

    pub(crate) fn show_landing_error(&self, failure: Option<String>) {
        *self.landing_error.lock().unwrap_or_else(PoisonError::into_inner) = failure;
    }
}

/// Serves a lake until Ctrl-C or SIGTERM.
///
/// Fails when the address is taken, or reached by whoever should not, when accounts or certificate cannot be read, or
/// when another process writes to the lake.
pub async fn serve(options: Options, definitions: Arc<Definitions>) -> anyhow::Result<()> {
    options.check_exposure()?;
    let tls = options.tls.clone().map(Tls::open).transpose()?;
    let listener = TcpListener::bind(options.http)
        .with_context(|| format!("failed to listen on {}; choose another --http", options.http))?;
    let postgres = tokio::net::TcpListener::bind(options.postgres).await.with_context(|| {
        format!("failed to listen on {}; choose another --postgres", options.postgres)
    })?;
    let (orders, ordered) = Orders::channel();
    let (server, begun) = begin(&options, definitions, tls.clone(), orders).await?;
    let log = begun.audit();
    let landing = match begun {
        Begun::Writing(writing) => {
            tokio::spawn(Lander::new(Arc::clone(&server), *writing, ordered, &options).run())
        }
        Begun::Following(following) => {
            tokio::spawn(following.run(Arc::clone(&server), options.sql.clone()))
        }
    };
    let background = threads::background()?;
    background.spawn_blocking(http::web::prepare);
    let measuring = background.spawn(measure(Arc::clone(&server)));
    let watching = background.spawn(watch(Arc::clone(&server)));
    let looking_ahead = background.spawn(look_ahead(Arc::clone(&server)));
    let keeping = tokio::spawn(keep_keys(Arc::clone(&server)));
    let auditing = tokio::spawn(keep_audit_log(log.clone()));
    let bringing = sources::start(&server, &options.sources);
    let addresses = (listener.local_addr(), postgres.local_addr());
    let (Ok(http_address), Ok(postgres_address)) = addresses else {
        anyhow::bail!("failed to read the addresses");
    };
    announce(&server, http_address, postgres_address)?;
    let stop = CancellationToken::new();
    let logins: Arc<dyn Logins> = match server.accounts() {
        Some(accounts) => Arc::new(accounts.clone()),
        None => Arc::new(pgwire::login::Open),
    };
    let acceptor = tls.as_ref().map(Tls::postgres);
    let sessions =
        tokio::spawn(pgwire::serve(postgres, Arc::clone(&server), logins, acceptor, stop.clone()));
    let (stopping, routes) = (Arc::clone(&server), http::routes(server)?);
    let stopped = listen::stopped();
    listen::serve(listener, routes, tls.as_ref(), options.connections, async move {
        stopped.await;
        stopping.is_stopping.store(true, Ordering::Relaxed);
        tokio::time::sleep(options.drain).await;
        stop.cancel();
    })
    .await
    .context("the HTTP server failed")?;
    sessions.await.context("the PostgreSQL wire failed")??;
    for task in bringing.into_iter().chain([measuring, looking_ahead, watching, keeping, auditing])
    {
        task.abort();
    }
    let moved = log.move_to_table().await.context("the audit log stays in its journal");
    // With the lander goes the right to write, which nobody else could take for a while if it were not given back.
    landing.abort();
    if tokio::time::timeout(STOP_WITHIN, landing).await.is_err() {
        tracing::warn!("landing does not end; the process ends without it");
    }
    moved
}

/// Opens what a server begins with, and finds its workers.
async fn begin(
    options: &Options,
    definitions: Arc<Definitions>,
    tls: Option<Tls>,
    orders: Orders,
) -> anyhow::Result<(Arc<Server>, Begun)> {
    let catalogue = Catalogue::load(&definitions)?;
    let telemetry = Telemetry::new().context("failed to start counting")?;
    let cluster = begin_cluster(options, &definitions, &telemetry).await?;
    let begun = Begun::of(options, &definitions, &catalogue, cluster.as_ref()).await?;
    if let Some(cluster) = &cluster {
        begun.spread_over(cluster);
    }
    let view = begun.view();
    let accounts = options.accounts.as_deref();
    let accounts =
        accounts.map(|file| Accounts::open(file, options.oidc.clone(), view.zone())).transpose()?;
    let audit = Arc::new(Audit::to(begun.audit()));
    let known =
        Known { definitions, catalogue, accounts, tls, audit, view, orders, telemetry, cluster };
    let server = Arc::new(Server::new(known, options).await?);
    if let Some(accounts) = server.accounts() {
        server.audit.accounts(&accounts.described(), "found");
    }
    Ok((server, begun))
}

async fn begin_cluster(
    options: &Options,
    definitions: &Definitions,
    telemetry: &Telemetry,
) -> anyhow::Result<Option<Arc<Cluster>>> {
    let settings = &options.cluster;
    if settings.workers.is_empty() {
        return Ok(None);
    }
    let cluster = Cluster::begin(settings, &options.lake, definitions, telemetry.clone()).await;
    cluster.context("the cluster cannot be used").map(Some)
}

fn announce(server: &Server, address: SocketAddr, postgres: SocketAddr) -> std::io::Result<()> {
    use std::io::Write as _;
    let scheme = if server.has_tls() { "https" } else { "http" };
    let mut out = std::io::stdout().lock();
    writeln!(out, "web pages   {scheme}://{address}/")?;
    writeln!(out, "API         {scheme}://{address}/docs")?;
    writeln!(out, "Prometheus  {scheme}://{address}/metrics")?;
    writeln!(out, "PostgreSQL  postgres://{postgres}/lawpulse")?;
    writeln!(out, "push        POST {scheme}://{address}/api/v1/events?source=native")?;
    if let Clock::Pinned(instant) = server.clock {
        writeln!(out, "the present is taken to be {}", instant.to_rfc3339())?;
    }
    if server.accounts.is_none() {
        writeln!(
            out,
            "no accounts are configured: listening on loopback only, to everybody there"
        )?;
    }
    writeln!(out, "Ctrl-C stops")?;
    out.flush()
}

/// Computes the numbers of `/metrics` whenever something has landed or a day has begun, apart from landing: what is
/// pushed meanwhile does not wait. Rests as long as it took.
async fn measure(server: Arc<Server>) {
    let mut measured_for = None;
    loop {
        let (view, today) = (server.view(), server.today());
        let mut rest = MEASURE_EVERY;
        let state = Some((view.fingerprint().to_owned(), today));
        if measured_for != state {
            let started = Instant::now();
            let Measurement { families, failures, units_left_out } =
                measure::measure(&view, &server.catalogue, today, server.metrics_units).await;
            for (metric, error) in &failures {
                tracing::error!(metric, error, "metric cannot be computed");
            }
            let took = started.elapsed();
            let measured = Measured {
                text: exposition::render(&families),
                failing: failures.into_iter().map(|(metric, _)| metric).collect(),
                at: Some(Clock::Machine.now()),
                took,
                units_left_out,
            };
            *server.measured.write().unwrap_or_else(PoisonError::into_inner) = measured;
            measured_for = state;
            rest = rest.max(took);
        }
        tokio::time::sleep(rest).await;
    }
}

/// Computes the months and years that dashboards show before anybody asks: after a landing those that it has to do with. Rests three
/// times as long as it took.
async fn look_ahead(server: Arc<Server>) {
    until_measured(&server).await;
    tokio::time::sleep(LOOK_AHEAD_AFTER).await;
    let mut known_for = None;
    loop {
        let (view, today) = (server.view(), server.today());
        let state = Some((view.fingerprint().to_owned(), today));
        let mut rest = MEASURE_EVERY;
        if known_for != state {
            let started = Instant::now();
            let newest = || server.view();
            measure::ahead(newest, &server.catalogue, today, server.metrics_units).await;
            let took = started.elapsed();
            *server.looked_ahead.lock().unwrap_or_else(PoisonError::into_inner) = Some(took);
            known_for = state;
            rest = rest.max(took * LOOK_AHEAD_REST);
        }
        tokio::time::sleep(rest).await;
    }
}

/// The numbers of `/metrics` come first.
async fn until_measured(server: &Server) {
    while server.measured().at.is_none() {
        tokio::time::sleep(MEASURE_EVERY / 10).await;
    }
}

/// Follows goals and checks apart from landing: they take longer and may be a little older.
async fn watch(server: Arc<Server>) {
    until_measured(&server).await;
    let mut watched_for = None;
    loop {
        let (view, definitions, today) = (server.view(), server.definitions(), server.today());
        let mut rest = WATCH_EVERY;
        let is_new = watched_for.as_ref().is_none_or(|(version, day, known)| {
            *version != view.version() || *day != today || !Arc::ptr_eq(known, &definitions)
        });
        if is_new {
            let started = Instant::now();
            let mut families = measure::watch(&view, &server.catalogue, &definitions, today).await;
            let took = started.elapsed();
            families.push(exposition::Family {
                name: "lawpulse_watching_seconds".to_owned(),
                help: "How long following the goals and running the checks took.".to_owned(),
                kind: exposition::Kind::Gauge,
                series: vec![exposition::Series { labels: Vec::new(), value: took.as_secs_f64() }],
            });
            *server.watched.write().unwrap_or_else(PoisonError::into_inner) =
                exposition::render(&families);
            rest = rest.max(took * WATCH_REST);
            watched_for = Some((view.version(), today, definitions));
        }
        tokio::time::sleep(rest).await;
    }
}

/// Follows the files that say who may come in and who the server is.
async fn keep_keys(server: Arc<Server>) {
    loop {
        tokio::time::sleep(KEYS_EVERY).await;
        let server = Arc::clone(&server);
        let looked = tokio::task::spawn_blocking(move || {
            if let Some(accounts) = &server.accounts {
                server.audit.accounts(&accounts.reload_if_changed(), "changed");
            }
            if let Some(tls) = &server.tls {
                tls.reload_if_changed();
            }
        });
        if let Err(error) = looked.await {
            tracing::error!(%error, "accounts and certificate could not be looked at");
        }
    }
}

/// Brings the audit log to disk as it grows, and moves it to its table before the journal grows long.
async fn keep_audit_log(log: AuditLog) {
    let mut moved = Instant::now();
    loop {
        tokio::time::sleep(AUDIT_SYNC_EVERY).await;
        let journal = log.clone();
        let synced = tokio::task::spawn_blocking(move || journal.sync()).await;
        let synced = synced.map_err(anyhow::Error::from).and_then(|synced| Ok(synced?));
        if let Err(error) = synced {
            let error = format!("{error:#}");
            tracing::error!(error, "the audit log cannot be brought to disk");
        }
        if moved.elapsed() < AUDIT_MOVE_EVERY && log.waiting() < AUDIT_WAITING_MAX {
            continue;
        }
        moved = Instant::now();
        match log.move_to_table().await {
            // Whoever keeps the server's log elsewhere can show later that no row was cut off.
            Ok(()) => {
                let head = log.head();
                tracing::info!(sequence = head.sequence, hash = head.hash, "the audit log so far");
            }
            Err(error) => tracing::error!(%error, "the audit log stays in its journal"),
        }
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
