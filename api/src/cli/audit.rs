//! `lawpulse audit`: whether the audit log is as it was written.

use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, Subcommand};
use pipeline::audit::{self, Head};
use pipeline::location::Location;

use super::say;

#[derive(Debug, Subcommand)]
pub(super) enum AuditCommand {
    /// Walk along the log and say where it ends; exit 1 if a row was changed, taken out or added.
    ///
    /// To read it: lawpulse sql --lake DIR 'select * from audit_log'.
    Verify(VerifyArgs),
}

#[derive(Debug, Args)]
pub(super) struct VerifyArgs {
    /// The lake.
    #[arg(long, value_name = "DIR|URL")]
    lake: Location,
    /// The home of the server that writes the log, which has its newest rows [default: the lake's folder, if it is one].
    #[arg(long, value_name = "DIR")]
    home: Option<PathBuf>,
    /// Where the log was noted to end at an earlier time, as this command printed it: it must still hold that row.
    #[arg(long, value_name = "SEQUENCE:HASH")]
    noted: Option<Noted>,
}

#[derive(Debug, Clone)]
struct Noted(Head);

impl FromStr for Noted {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (sequence, hash) = text.split_once(':').ok_or("write SEQUENCE:HASH")?;
        let sequence = sequence.parse().map_err(|_| format!("`{sequence}` is no number"))?;
        let is_hash = hash.len() == 64 && hash.bytes().all(|digit| digit.is_ascii_hexdigit());
        if !is_hash {
            return Err(format!("`{hash}` is not a hash of 64 hexadecimal digits"));
        }
        Ok(Self(Head { sequence, hash: hash.to_lowercase() }))
    }
}

pub(super) async fn run(command: AuditCommand) -> anyhow::Result<()> {
    let AuditCommand::Verify(args) = command;
    let noted = args.noted.map(|noted| noted.0);
    let verified = audit::verify(args.lake.with_home(args.home), noted.as_ref()).await?;
    let Head { sequence, hash } = &verified.head;
    let last = verified.last_started_at.map(|at| format!(", the last of {}", at.to_rfc3339()));
    say(&format!("{} rows are in order{}", verified.rows, last.unwrap_or_default()))?;
    if let Some(breach) = verified.breach {
        anyhow::bail!(
            "row {} of the audit log is not as it was written: {}",
            breach.sequence,
            breach.problem
        );
    }
    say(&format!("{sequence}:{hash}"))?;
    say("keep this line elsewhere; with --noted it shows later that no row before it was cut off")?;
    Ok(())
}
