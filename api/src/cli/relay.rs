//! `lawpulse relay`: alerts into chats.

use std::path::PathBuf;

use clap::Args;

use super::say;
use crate::relay::{Ready, Settings};

#[derive(Debug, Args)]
pub(super) struct RelayArgs {
    /// The config file; docs/relay.toml says what it may hold.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Only read the config file and what it names, and say who hears of what.
    #[arg(long)]
    check: bool,
}

pub(super) async fn run(args: RelayArgs) -> anyhow::Result<()> {
    let settings = Settings::read(&args.config)?;
    let described = settings.described();
    let ready = Ready::new(settings)?;
    if args.check {
        say(&described)?;
        return Ok(());
    }
    ready.run().await
}
