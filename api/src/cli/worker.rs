//! `lawpulse worker`: computes parts of the queries of servers.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use pipeline::definition::Definitions;
use pipeline::location::Location;

use crate::cluster::{self, WorkerSettings};
use crate::config::Config;

/// What is said here wins over the config file.
#[derive(Debug, Args)]
pub(super) struct WorkerArgs {
    /// The lake, which the servers read too; as this machine reaches it.
    #[arg(long, value_name = "DIR|URL", required_unless_present = "config")]
    lake: Option<Location>,
    /// Address to listen on; others than loopback need certificates.
    #[arg(long, value_name = "ADDRESS", required_unless_present = "config")]
    listen: Option<SocketAddr>,
    /// The config file: its `lake`, `[worker]` and `[cluster]`. docs/lawpulse.toml says what they may hold.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl WorkerArgs {
    /// The config file, or what holds without one.
    pub(super) fn config(&self) -> anyhow::Result<Config> {
        Ok(self.config.as_deref().map(Config::read).transpose()?.unwrap_or_default())
    }
}

/// Works until it is told to stop.
pub(super) async fn run(
    args: WorkerArgs,
    config: Config,
    definitions: &Definitions,
) -> anyhow::Result<()> {
    let lake = args.lake.or(config.lake);
    let lake =
        lake.context("the config file names no lake; give --lake, or set `lake = \"DIR\"`")?;
    let listen = args.listen.or(config.worker.listen);
    let listen = listen
        .context("the config file names no address; give --listen, or set `listen` of [worker]")?;
    let settings = WorkerSettings {
        listen,
        lake,
        security: config.cluster.security,
        memory_bytes: config.worker.memory.unwrap_or(WorkerSettings::MEMORY_BYTES),
        spill_bytes: config.worker.spill.unwrap_or(WorkerSettings::SPILL_BYTES),
    };
    cluster::serve(settings, definitions).await
}
