//! The command line: parses arguments, runs one command, prints its result.

mod account;
mod audit;
mod check;
mod dashboards;
mod dictionary;
mod erase;
mod goals;
mod maintain;
mod metric;
mod rejects;
mod relay;
mod report;
mod worker;

use std::io::{self, BufWriter, IsTerminal, Write};
use std::mem::ManuallyDrop;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Context as _;
use chrono::{DateTime, NaiveDate, Utc};
use clap::{Args, Parser, Subcommand, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use pipeline::definition::Definitions;
use pipeline::lake::Lake;
use pipeline::land::Outcome;
use pipeline::location::Location;
use pipeline::metric::Catalogue;
use pipeline::past::{self, Moment};
use pipeline::pseudonym::Identities;
use pipeline::query::Reader;
use pipeline::source::mapping::Mapping;
use pipeline::{land, reference, refresh, simulate, source, zone};
use tracing_subscriber::EnvFilter;
use url::Url;

use crate::caller::Visitor;
use crate::clock::Clock;
use crate::config::{Config, LimitsByRole};
use crate::output::{self, Format};
use crate::server::{self, Options as ServerOptions};
use crate::sql_door::{Door, Rows, Sight};
use crate::telemetry::Telemetry;

/// 执法脉动: turns the logs of an administrative enforcement platform into numbers.
#[derive(Debug, Parser)]
#[command(name = "lawpulse", version, about, max_term_width = 100)]
struct Cli {
    /// Folder whose files replace or add to the built-in definitions (models, metrics, sources).
    #[arg(long, global = true, value_name = "DIR")]
    sql: Option<PathBuf>,
    /// How the log is written (to standard error).
    #[arg(long, global = true, value_enum, default_value_t = LogFormat::Text, value_name = "FORMAT")]
    log_format: LogFormat,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum LogFormat {
    /// Lines for people.
    Text,
    /// One JSON object a line.
    Json,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Simulate Yubei 2024-2025, land it, serve everything and print the addresses.
    Demo(DemoArgs),
    /// Serve a lake: web pages, API and /metrics; land what is pushed.
    Serve(ServeArgs),
    /// Compute parts of the queries of servers that name this worker with --cluster.
    Worker(worker::WorkerArgs),
    /// Turn Alertmanager's webhooks into messages, in Chinese, in chats of 企业微信, 钉钉 and 浙政钉.
    Relay(relay::RelayArgs),
    /// Land files, or a folder that `simulate` wrote.
    Land(LandArgs),
    /// Show what was refused and why; try it again.
    #[command(subcommand)]
    Rejects(rejects::RejectsCommand),
    /// Run one read-only query.
    Sql(SqlArgs),
    /// Compute a metric, or `list` the catalogue.
    Metric(MetricArgs),
    /// Show how the goals of a year stand.
    Goals(GoalsArgs),
    /// Hold the figures that reports stated against what the events say.
    Reconcile(ReconcileArgs),
    /// Draft the bureau's report of a year or a month, or of one unit.
    Report(ReportArgs),
    /// Check the data; exit 1 if anything is found.
    Check(CheckArgs),
    /// Say what every table and column means, and who sees it.
    Dictionary(DictionaryArgs),
    /// Write the Grafana dashboards, in Chinese and in English.
    Dashboards(DashboardsArgs),
    /// Merge small files, remove what nobody reads any more, shorten the logs; a server does it by itself.
    Maintain(maintain::MaintainArgs),
    /// Replace a person by a token everywhere, remove what could still tell; numbers stay.
    Erase(erase::EraseArgs),
    /// Write a simulated platform's log and reference files.
    Simulate(SimulateArgs),
    /// Say who may come in: add accounts, make tokens, take them away.
    #[command(subcommand)]
    Account(account::AccountCommand),
    /// Look after the audit log that `serve` writes.
    #[command(subcommand)]
    Audit(audit::AuditCommand),
}

#[derive(Debug, Args)]
struct DemoArgs {
    /// Keep the lake in this folder instead of a temporary one.
    #[arg(long, value_name = "DIR|URL")]
    lake: Option<Location>,
    #[command(flatten)]
    doors: DoorArgs,
}

#[derive(Debug, Args)]
struct ServeArgs {
    /// The lake; it is created if it does not exist.
    #[arg(long, value_name = "DIR|URL", required_unless_present = "config")]
    lake: Option<Location>,
    #[command(flatten)]
    doors: DoorArgs,
    /// Only read the lake, which another process writes: show what it has published, and take no pushes.
    #[arg(long)]
    reader: bool,
    /// Take this instant for the present (RFC 3339), to look at a lake of past years.
    #[arg(long, value_name = "TIME")]
    as_of: Option<DateTime<Utc>>,
}

/// How a server is reached. What is said here wins over the config file.
#[derive(Debug, Args)]
struct DoorArgs {
    /// The config file; docs/lawpulse.toml says what it may hold.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Folder of this machine for what waits to land and for the audit log's journal [default: the lake's, if that is one].
    #[arg(long, value_name = "DIR")]
    home: Option<PathBuf>,
    /// Address of the HTTP interface [default: 127.0.0.1:8080]; others than loopback need accounts and TLS.
    #[arg(long, value_name = "ADDRESS")]
    http: Option<SocketAddr>,
    /// Address of the PostgreSQL wire [default: 127.0.0.1:15432]; others than loopback need accounts and TLS.
    #[arg(long, value_name = "ADDRESS")]
    postgres: Option<SocketAddr>,
    /// Addresses of workers (`lawpulse worker`) over which large queries are spread: http://HOST:PORT or https://HOST:PORT.
    #[arg(long, value_name = "URL", value_delimiter = ',')]
    cluster: Vec<Url>,
}

#[derive(Debug, Args)]
struct LandArgs {
    /// The lake; it is created if it does not exist.
    #[arg(long, value_name = "DIR|URL")]
    lake: Location,
    /// How the rows are to be read: a name from sql/sources, a mapping FILE.toml, or `reference`.
    #[arg(long, default_value = "native", value_name = "NAME|FILE.toml")]
    source: String,
    /// Zone whose days a new lake counts in.
    #[arg(long, value_name = "ZONE")]
    zone: Option<String>,
    /// Of workbooks, only the sheet of this name.
    #[arg(long, value_name = "NAME")]
    sheet: Option<String>,
    /// Files (.ndjson .jsonl .csv, also .gz .zst; .parquet .xlsx) or folders.
    #[arg(required = true, value_name = "FILE|DIR")]
    paths: Vec<PathBuf>,
}

#[derive(Debug, Args)]
struct SqlArgs {
    /// The lake.
    #[arg(long, value_name = "DIR|URL")]
    lake: Location,
    /// The query.
    query: String,
    /// Ask the lake as it was: at a version of the events, or at a time such as 2026-03-01T00:00:00+08:00.
    #[arg(long, value_name = "VERSION|TIME")]
    as_of: Option<Moment>,
    /// Output format.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

#[derive(Debug, Args)]
struct MetricArgs {
    /// The metric's id, or `list`.
    id: String,
    /// The lake.
    #[arg(long, value_name = "DIR|URL")]
    lake: Option<Location>,
    /// First local day.
    #[arg(long, value_name = "DATE")]
    from: Option<NaiveDate>,
    /// First local day after the period.
    #[arg(long, value_name = "DATE")]
    to: Option<NaiveDate>,
    /// Length of the buckets: day, week, month, quarter, year or all.
    #[arg(long, default_value = "all")]
    grain: String,
    /// Make each bucket a window of the last N days up to its end, as in `--grain day --window 30`.
    #[arg(long, value_name = "N")]
    window: Option<u32>,
    /// What it is about: district (the whole tree), towns, departments, teams, area:NAME, a unit, UNIT/towns, or members as
    /// in towns/* and, where there are several, districts/*.
    #[arg(long, default_value = "district")]
    scope: String,
    /// A parameter of the metric as NAME=VALUE, such as level=L1.
    #[arg(long = "param", value_name = "NAME=VALUE")]
    parameters: Vec<String>,
    /// Take this day for today.
    #[arg(long, value_name = "DATE")]
    as_of: Option<NaiveDate>,
    /// Beside each unit, where the units of its kind stand: quartiles of their values.
    #[arg(long)]
    peers: bool,
    /// Say how the numbers come about: definition, source, SQL, coverage, and the rows behind them.
    #[arg(long)]
    explain: bool,
    /// With --explain: rows to show.
    #[arg(long, default_value_t = 20, value_name = "N")]
    rows: usize,
    /// With --explain: show who persons and parties are instead of pseudonyms.
    #[arg(long)]
    identities: bool,
    /// Output format.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

#[derive(Debug, Args)]
struct GoalsArgs {
    /// The lake.
    #[arg(long, value_name = "DIR|URL")]
    lake: Location,
    /// The year whose goals (sql/goals/YEAR.toml) are followed.
    #[arg(long)]
    year: i32,
    /// Take this day for today; without it, today or the day of the newest event.
    #[arg(long, value_name = "DATE")]
    as_of: Option<NaiveDate>,
    /// Instead: how the forecasts would have done in that year, in these scopes.
    #[arg(long, value_name = "SCOPE")]
    backtest: Option<String>,
    /// Instead: every change of the goals that was recorded.
    #[arg(long)]
    changes: bool,
    /// Output format.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

#[derive(Debug, Args)]
struct ReconcileArgs {
    /// The lake.
    #[arg(long, value_name = "DIR|URL")]
    lake: Location,
    /// The year that the figures are about.
    #[arg(long)]
    year: i32,
    /// Write the table in Markdown.
    #[arg(long)]
    markdown: bool,
    /// Output format.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

#[derive(Debug, Args)]
struct ReportArgs {
    /// The lake.
    #[arg(long, value_name = "DIR|URL")]
    lake: Location,
    /// The year.
    #[arg(long)]
    year: i32,
    /// Only this month of it (1 to 12).
    #[arg(long, conflicts_with = "unit")]
    month: Option<u32>,
    /// Only this unit, by its id.
    #[arg(long, value_name = "ORG")]
    unit: Option<String>,
    /// Take this day for today; without it, today or the day of the newest event.
    #[arg(long, value_name = "DATE")]
    as_of: Option<NaiveDate>,
    /// Where to write it: a .html page that needs no other file, or Markdown. Without it, Markdown to standard output.
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct CheckArgs {
    /// The lake.
    #[arg(long, value_name = "DIR|URL")]
    lake: Location,
    /// Only this check, with the rows that it found.
    #[arg(long, value_name = "ID")]
    check: Option<String>,
    /// Rows to show of each check.
    #[arg(long, default_value_t = 20, value_name = "N")]
    rows: usize,
    /// Show who persons and parties are instead of pseudonyms.
    #[arg(long)]
    identities: bool,
    /// Output format.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

#[derive(Debug, Args)]
struct DashboardsArgs {
    /// Folder that receives zh/*.json and en/*.json; created when missing.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Folder of dashboards (*.toml) in the place of those shipped.
    #[arg(long, value_name = "DIR")]
    from: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct DictionaryArgs {
    /// The lake; without it, what a new one has.
    #[arg(long, value_name = "DIR|URL")]
    lake: Option<Location>,
    /// Output format.
    #[arg(long, value_enum, default_value_t = DictionaryFormat::Md)]
    format: DictionaryFormat,
}

/// How the dictionary is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum DictionaryFormat {
    /// Markdown.
    Md,
    /// A page that needs no other file.
    Html,
    /// A row for each column.
    Csv,
    /// Everything, nested.
    Json,
}

#[derive(Debug, Args)]
struct SimulateArgs {
    /// Folder to write to.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// What to simulate.
    #[arg(long, value_enum, default_value_t = ProfileName::Yubei)]
    profile: ProfileName,
    /// Lines to write (profile scale).
    #[arg(long, default_value_t = 1_000_000)]
    events: u64,
    /// Officers (profile scale).
    #[arg(long, default_value_t = 50_000)]
    officers: u32,
    /// Units (profile scale).
    #[arg(long, default_value_t = 58)]
    orgs: u32,
    /// Districts under one municipality that the units are spread over (profile scale); officers move between them.
    #[arg(long, default_value_t = 1)]
    districts: u32,
    /// The same seed gives the same files.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Format of the events.
    #[arg(long, value_enum, default_value_t = FormatName::Ndjson)]
    format: FormatName,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ProfileName {
    /// The district of the 2024 report.
    Yubei,
    /// Any number of events, officers and units.
    Scale,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum FormatName {
    /// One JSON object a line.
    Ndjson,
    /// Parquet, zstd.
    Parquet,
}

/// Runs the command of the process's arguments; returns 0 when done, 1 when the work failed, 2 for wrong usage.
pub fn run() -> ExitCode {
    let cli = Cli::parse();
    start_log(cli.log_format);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        // It ends with the process. To take it down first would break off work that waits for work: Delta's kernel
        // panics then, after all is done.
        Ok(runtime) => ManuallyDrop::new(runtime),
        Err(error) => return failed(&error.into()),
    };
    match runtime.block_on(dispatch(cli)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.is::<check::Found>() => ExitCode::from(1),
        Err(error) => failed(&error),
    }
}

fn start_log(format: LogFormat) {
    let log = tracing_subscriber::fmt().with_writer(io::stderr).with_env_filter(log_filter());
    match format {
        LogFormat::Text => log.with_ansi(io::stderr().is_terminal()).init(),
        LogFormat::Json => log.json().flatten_event(true).with_span_list(false).init(),
    }
}

/// What is logged: `LAWPULSE_LOG`, or else warnings and what lawpulse says itself.
///
/// The Delta kernel logs an error for each table that does not exist yet, which is how it is asked.
fn log_filter() -> EnvFilter {
    const QUIET: &str = "buoyant_kernel=off,delta_kernel=off";
    EnvFilter::try_from_env("LAWPULSE_LOG")
        .and_then(|filter| EnvFilter::try_new(format!("{QUIET},{filter}")).map_err(Into::into))
        .unwrap_or_else(|_| EnvFilter::new(format!("warn,lawpulse=info,{QUIET}")))
}

fn failed(error: &anyhow::Error) -> ExitCode {
    // A reader that has seen enough (`| head`) is no failure of ours.
    let closed = error
        .downcast_ref::<io::Error>()
        .is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe);
    if closed {
        return ExitCode::SUCCESS;
    }
    let _ = writeln!(io::stderr(), "error: {error:#}");
    ExitCode::from(1)
}

async fn dispatch(cli: Cli) -> anyhow::Result<()> {
    let config = match &cli.command {
        Command::Demo(DemoArgs { doors, .. }) | Command::Serve(ServeArgs { doors, .. }) => {
            doors.config.as_deref().map(Config::read).transpose()?.unwrap_or_default()
        }
        Command::Worker(args) => args.config()?,
        _ => Config::default(),
    };
    let config = Config { sql: cli.sql.or(config.sql), ..config };
    let definitions = Arc::new(Definitions::load(config.sql.as_deref())?);
    match cli.command {
        Command::Demo(args) => demo(args, config, definitions).await,
        Command::Serve(args) => serve(args, config, definitions).await,
        Command::Worker(args) => worker::run(args, config, &definitions).await,
        Command::Relay(args) => relay::run(args).await,
        Command::Land(args) => land_paths(args, &definitions).await,
        Command::Rejects(command) => rejects::run(command, definitions).await,
        Command::Sql(args) => run_sql(args, definitions).await,
        Command::Metric(args) => metric::run(args, definitions).await,
        Command::Goals(args) => goals::run(args, definitions).await,
        Command::Reconcile(args) => report::reconcile(args, definitions).await,
        Command::Report(args) => report::run(args, definitions).await,
        Command::Check(args) => check::run(args, definitions).await,
        Command::Dictionary(args) => dictionary::run(args, definitions).await,
        Command::Dashboards(args) => dashboards::run(&args, &definitions),
        Command::Erase(args) => erase::run(args, &definitions).await,
        Command::Maintain(args) => maintain::run(args).await,
        Command::Simulate(args) => run_simulate(&args),
        Command::Account(command) => account::run(command),
        Command::Audit(command) => audit::run(command).await,
    }
}

async fn demo(args: DemoArgs, config: Config, definitions: Arc<Definitions>) -> anyhow::Result<()> {
    let temporary;
    let lake = match args.lake.or_else(|| config.lake.clone()) {
        Some(lake) => lake,
        None => {
            temporary = server::TemporaryFolder::create()?;
            temporary.path().join("lake").into()
        }
    };
    if !lake.is_lake().await? {
        let beside = |lake: &Path| lake.with_extension("log");
        let log =
            lake.folder().map_or_else(|| std::env::temp_dir().join("lawpulse-demo.log"), beside);
        say("simulating the platform of 渝北 for 2024 and 2025 …")?;
        let options = simulate_options(&log, simulate::Profile::Yubei);
        let summary = simulate::simulate(&options, &|_| {}).context("failed to simulate")?;
        say(&format!("landing {} lines …", summary.events))?;
        let paths = [log.clone()];
        let outcomes =
            land_into(&lake, None, "native", (paths.as_slice(), None), &definitions).await?;
        say(&totals(&outcomes))?;
        std::fs::remove_dir_all(&log).context("failed to remove the simulated log")?;
    }
    // The simulated years end here; their dashboards are looked at on the morning after.
    let morning = "2026-01-01T00:30:00Z".parse().context("failed to read the time")?;
    let options = server_options(config, args.doors, lake, Clock::Pinned(morning));
    server::serve(options, definitions).await
}

async fn serve(
    args: ServeArgs,
    config: Config,
    definitions: Arc<Definitions>,
) -> anyhow::Result<()> {
    let clock = args.as_of.map_or(Clock::Machine, Clock::Pinned);
    let lake = args.lake.or_else(|| config.lake.clone());
    let lake =
        lake.context("the config file names no lake; give --lake, or set `lake = \"DIR\"`")?;
    if let Some(archive) = &config.maintenance.policy.archive {
        archive.check(&lake)?;
    }
    let options = server_options(config, args.doors, lake, clock);
    let is_reader = options.is_reader || args.reader;
    server::serve(ServerOptions { is_reader, ..options }, definitions).await
}

fn server_options(config: Config, doors: DoorArgs, lake: Location, clock: Clock) -> ServerOptions {
    ServerOptions {
        lake: lake.with_home(doors.home.or(config.home)),
        sql: config.sql,
        http: doors.http.or(config.http).unwrap_or(ServerOptions::HTTP),
        connections: config.connections.unwrap_or(ServerOptions::CONNECTIONS),
        drain: config.drain.unwrap_or_default(),
        metrics_units: config.metrics_units.unwrap_or(ServerOptions::METRICS_UNITS),
        postgres: doors.postgres.or(config.postgres).unwrap_or(ServerOptions::POSTGRES),
        tls: config.tls,
        allow_plaintext: config.allow_plaintext,
        accounts: config.accounts,
        oidc: config.oidc,
        limits: config.limits,
        inbox: config.inbox,
        sources: config.sources,
        maintenance: config.maintenance,
        is_reader: config.is_reader,
        cluster: config.cluster.with_workers(doors.cluster),
        clock,
    }
}

fn say(line: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()
}

async fn land_paths(args: LandArgs, definitions: &Definitions) -> anyhow::Result<()> {
    let zone = args.zone.as_deref().map(zone::parse_zone).transpose()?;
    if args.source == "reference" {
        let mut lake = Lake::open_or_create(&args.lake, zone).await?;
        let lock = lake.lock().await?;
        for path in &args.paths {
            load_reference(&lake, &lock, path).await?;
        }
        return Ok(());
    }
    let sheet = args.sheet.as_deref();
    let (lake, paths) = (&args.lake, args.paths.as_slice());
    let outcomes = land_into(lake, zone, &args.source, (paths, sheet), definitions).await?;
    for outcome in &outcomes {
        if outcome.landed_before {
            say(&format!("{}: landed before", outcome.path.display()))?;
        }
    }
    say(&totals(&outcomes))?;
    if outcomes.iter().any(|outcome| outcome.rejected > 0 && !outcome.landed_before) {
        writeln!(io::stderr(), "refused lines: lawpulse rejects list --lake {}", args.lake)?;
    }
    Ok(())
}

fn totals(outcomes: &[Outcome]) -> String {
    let sum = |count: fn(&Outcome) -> u64| outcomes.iter().map(count).sum::<u64>();
    let mut line = format!(
        "landed {}, duplicate {}, rejected {}",
        sum(|outcome| outcome.landed),
        sum(|outcome| outcome.duplicate),
        sum(|outcome| outcome.rejected),
    );
    let derived = sum(|outcome| outcome.derived);
    if derived > 0 {
        line.push_str(&format!(", derived {derived}"));
    }
    line
}

async fn load_reference(
    lake: &Lake,
    lock: &pipeline::lake::WriteLock,
    path: &Path,
) -> anyhow::Result<()> {
    for loaded in reference::load(lake, lock, path).await? {
        let reference::Loaded { table, added, changed, same } = loaded;
        say(&format!("{table}: added {added}, changed {changed}, same {same}"))?;
    }
    Ok(())
}

async fn land_into(
    lake: &Location,
    zone: Option<chrono_tz::Tz>,
    source: &str,
    (paths, sheet): (&[PathBuf], Option<&str>),
    definitions: &Definitions,
) -> anyhow::Result<Vec<Outcome>> {
    let mapping = Mapping::find(definitions, source)?;
    let inputs = find_sheets(source::find_inputs(paths)?, &mapping, sheet)?;
    anyhow::ensure!(!inputs.is_empty(), "there is no file of a known format to land");
    let mut lake = Lake::open_or_create(lake, zone).await?;
    let lock = lake.lock().await?;
    for path in paths {
        let reference = path.join("reference");
        if reference.is_dir() {
            load_reference(&lake, &lock, &reference).await?;
        }
    }
    let total = inputs.iter().map(source::InputFile::size).sum::<Result<u64, _>>()?;
    let bar = progress_bar(total);
    let started = Instant::now();
    let now = Clock::Machine.now();
    let told = |bytes| bar.set_position(bytes);
    let outcomes = land::land(&mut lake, &lock, &mapping, &inputs, now, &told).await?;
    bar.finish_and_clear();
    let landed = started.elapsed();
    tracing::info!("landing took {landed:.2?}");
    refresh::refresh(&mut lake, &lock, definitions).await?;
    lake.publish(&lock, Clock::Machine.now()).await?;
    let refreshed = started.elapsed() - landed;
    tracing::info!("refreshing took {refreshed:.2?}");
    Ok(outcomes)
}

/// The inputs with workbooks by their sheets; tells of sheets that are passed over.
fn find_sheets(
    inputs: Vec<source::InputFile>,
    mapping: &Mapping,
    named: Option<&str>,
) -> anyhow::Result<Vec<source::InputFile>> {
    let mut found = Vec::new();
    for input in inputs {
        let path = input.path().display().to_string();
        let (sheets, all) = input.sheets(mapping, named)?;
        for (sheet, why) in all.passed_over {
            writeln!(io::stderr(), "{path}: sheet `{sheet}` is passed over: {why}")?;
        }
        found.extend(sheets);
    }
    Ok(found)
}

fn progress_bar(total_bytes: u64) -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style =
        ProgressStyle::with_template("{bar:30} {bytes}/{total_bytes} {bytes_per_sec} {eta}");
    let bar = ProgressBar::new(total_bytes);
    match style {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

async fn run_sql(args: SqlArgs, definitions: Arc<Definitions>) -> anyhow::Result<()> {
    let Some(moment) = args.as_of else {
        return print_query(&args.lake, &args.query, args.format, definitions).await;
    };
    let scratch = server::TemporaryFolder::create()?;
    let reader = past::open(&args.lake, moment, scratch.path(), Arc::clone(&definitions)).await?;
    let rows = ask_reader(&reader, &args.lake, &args.query, &definitions).await?;
    print_rows(rows, args.format)
}

fn print_batch(batch: arrow::array::RecordBatch, format: Format) -> anyhow::Result<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    output::write_batches(&mut out, &[batch], format)?;
    out.flush()?;
    Ok(())
}

/// The day that numbers of a lake are looked at on: today, but not later than the day after its newest event,
/// so that a lake of past years is not taken for one that fell silent.
fn looked_at_on(view: &pipeline::query::View, asked: Option<NaiveDate>) -> NaiveDate {
    let today = Clock::Machine.today(view.zone());
    let after_newest = view.facts().last_event_date.and_then(|day| day.succ_opt());
    asked.unwrap_or_else(|| after_newest.map_or(today, |day| day.min(today)))
}

/// Asks a lake as its owner.
async fn ask(lake: &Location, query: &str, definitions: Arc<Definitions>) -> anyhow::Result<Rows> {
    let reader = Reader::open(lake, Arc::clone(&definitions)).await?;
    ask_reader(&reader, lake, query, &definitions).await
}

async fn ask_reader(
    reader: &Reader,
    lake: &Location,
    query: &str,
    definitions: &Definitions,
) -> anyhow::Result<Rows> {
    let catalogue = Catalogue::load(definitions)?;
    let audit_log = pipeline::audit::read_only(lake).await?;
    let sight = Sight::new(Identities::Shown, catalogue, Clock::Machine, audit_log);
    let door = Door::new(&LimitsByRole::default(), sight, Telemetry::new()?, Arc::default())?;
    Ok(door.run(&Visitor::owner(), reader.view(), query).await?)
}

async fn print_query(
    lake: &Location,
    query: &str,
    format: Format,
    definitions: Arc<Definitions>,
) -> anyhow::Result<()> {
    print_rows(ask(lake, query, definitions).await?, format)
}

fn print_rows(rows: Rows, format: Format) -> anyhow::Result<()> {
    let mut batches = rows.batches;
    if batches.is_empty() {
        batches.push(arrow::array::RecordBatch::new_empty(rows.schema));
    }
    let mut out = BufWriter::new(io::stdout().lock());
    output::write_batches(&mut out, &batches, format)?;
    out.flush()?;
    Ok(())
}

fn simulate_options(out: &Path, profile: simulate::Profile) -> simulate::Options {
    simulate::Options {
        profile,
        out: out.to_owned(),
        events: 0,
        officers: 0,
        orgs: 0,
        districts: 0,
        seed: 1,
        format: simulate::Format::Ndjson,
    }
}

fn run_simulate(args: &SimulateArgs) -> anyhow::Result<()> {
    let profile = match args.profile {
        ProfileName::Yubei => simulate::Profile::Yubei,
        ProfileName::Scale => simulate::Profile::Scale,
    };
    let format = match args.format {
        FormatName::Ndjson => simulate::Format::Ndjson,
        FormatName::Parquet => simulate::Format::Parquet,
    };
    let options = simulate::Options {
        events: args.events,
        officers: args.officers,
        orgs: args.orgs,
        districts: args.districts,
        seed: args.seed,
        format,
        ..simulate_options(&args.out, profile)
    };
    let summary = simulate::simulate(&options, &|_| {})?;
    say(&format!(
        "wrote {} lines, {} bytes in {} files to {}",
        summary.events,
        summary.bytes,
        summary.files.len(),
        args.out.display()
    ))?;
    Ok(())
}
