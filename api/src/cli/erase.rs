//! `lawpulse erase`: a person leaves the lake, the numbers stay.

use std::io::{self, Write as _};
use std::path::PathBuf;

use clap::Args;
use pipeline::definition::Definitions;
use pipeline::erase::{self, Person};
use pipeline::lake::Lake;
use pipeline::location::Location;

use super::{maintain, say};
use crate::clock::Clock;

#[derive(Debug, Args)]
#[command(group(clap::ArgGroup::new("person").required(true).args(["officer", "party"])))]
pub(super) struct EraseArgs {
    /// The lake; no server may run on it meanwhile.
    #[arg(long, value_name = "DIR|URL")]
    lake: Location,
    /// The home of the server that serves the lake [default: the lake's folder, if it is one].
    #[arg(long, value_name = "DIR")]
    home: Option<PathBuf>,
    /// The officer to erase.
    #[arg(long, value_name = "ID")]
    officer: Option<String>,
    /// The party to erase.
    #[arg(long, value_name = "ID")]
    party: Option<String>,
    /// Do not ask whether it is meant.
    #[arg(long)]
    yes: bool,
}

pub(super) async fn run(args: EraseArgs, definitions: &Definitions) -> anyhow::Result<()> {
    let person = match (args.officer, args.party) {
        (Some(id), _) => Person::Officer(id),
        (None, Some(id)) => Person::Party(id),
        (None, None) => anyhow::bail!("name who is to be erased: --officer or --party"),
    };
    let mut lake = Lake::open(args.lake.with_home(args.home)).await?;
    let lock = maintain::lock(&mut lake, "stop the server to erase somebody").await?;
    anyhow::ensure!(args.yes || is_meant(&person)?, "nothing was erased");
    let now = Clock::Machine.now();
    let erased = erase::erase(&mut lake, &lock, definitions, &person, now).await?;
    lake.publish(&lock, now).await?;
    say(&format!(
        "erased: {} events and refused lines, {} rows of registers, {} older files; in the place of the id stands {}",
        erased.events, erased.register_rows, erased.removed_files, erased.token
    ))?;
    if erased.audit_rows > 0 {
        say(&format!(
            "{} rows of the audit log name the id in what was asked; they cannot be changed",
            erased.audit_rows
        ))?;
    }
    for path in &erased.aside {
        say(&format!("look at this yourself, it could not be landed: {}", path.display()))?;
    }
    say("backups and copies of the lake still hold the person")?;
    Ok(())
}

fn is_meant(person: &Person) -> anyhow::Result<bool> {
    let mut out = io::stdout().lock();
    write!(out, "this cannot be undone; type the id again to erase it: ")?;
    out.flush()?;
    let mut typed = String::new();
    io::stdin().read_line(&mut typed)?;
    Ok(typed.trim_end_matches(['\r', '\n']) == person.id())
}
