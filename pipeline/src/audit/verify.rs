//! Whether the audit log is as it was written.

use chrono::{DateTime, Utc};
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::prelude::{SessionConfig, SessionContext};
use futures::StreamExt as _;

use super::{AUDIT_LOG, Head, row};
use crate::error::{Error, Result};
use crate::location::Location;

/// Memory for bringing the rows into their order; beyond it they are sorted on disk.
const SORT_BYTES: usize = 512 << 20;

/// What a walk along the log found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// Rows that were found in their order, each sealed to the one before it.
    pub rows: u64,
    /// Where the log ends, or its part that is in order.
    pub head: Head,
    /// When what the last of these rows tells began.
    pub last_started_at: Option<DateTime<Utc>>,
    /// The first row that is not in order.
    pub breach: Option<Breach>,
}

/// Where a log is not as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Breach {
    /// The row's place.
    pub sequence: i64,
    /// What is wrong.
    pub problem: String,
}

/// Walks along the log of a lake, the rows of the journal included.
///
/// With `noted`, where the log was once noted to end, it is also checked that it still holds that row: the end of a log
/// can be cut off without a trace in what is left. Fails when the lake has no log, or it cannot be read.
pub async fn verify(lake: impl Into<Location>, noted: Option<&Head>) -> Result<Verified> {
    let lake = lake.into().resolved()?;
    let Some((table, unreadable)) = super::read(&lake).await? else {
        return Err(Error::Request(format!(
            "there is no audit log in `{lake}`; `lawpulse serve` writes one"
        )));
    };
    let failed = || Error::query("reading the audit log");
    let runtime = RuntimeEnvBuilder::new().with_memory_limit(SORT_BYTES, 1.0).build_arc();
    let context =
        SessionContext::new_with_config_rt(SessionConfig::new(), runtime.map_err(failed())?);
    context.register_table(AUDIT_LOG, table).map_err(failed())?;
    let sql = format!("select * from {AUDIT_LOG} order by sequence");
    let mut batches =
        context.sql(&sql).await.map_err(failed())?.execute_stream().await.map_err(failed())?;
    let mut walk = Walk { noted, ..Walk::default() };
    while let Some(batch) = batches.next().await {
        for row in row::rows_of(&batch.map_err(failed())?)? {
            if !walk.step(&row) {
                return Ok(walk.verified);
            }
        }
    }
    Ok(walk.end(
        unreadable
            .first()
            .map(|(path, line)| format!("line {line} of `{}` cannot be read", path.display())),
    ))
}

#[derive(Debug)]
struct Walk<'noted> {
    verified: Verified,
    noted: Option<&'noted Head>,
    is_noted_found: bool,
}

impl Default for Walk<'_> {
    fn default() -> Self {
        let verified =
            Verified { rows: 0, head: Head::origin(), last_started_at: None, breach: None };
        Self { verified, noted: None, is_noted_found: false }
    }
}

impl Walk<'_> {
    /// Goes on to a row; false when it is not in order.
    fn step(&mut self, row: &super::Row) -> bool {
        let mut problem = self.verified.head.breach(row).map(str::to_owned);
        if let Some(noted) = self.noted.filter(|noted| noted.sequence == row.sequence) {
            self.is_noted_found = true;
            if noted.hash != row.hash {
                problem =
                    problem.or_else(|| Some("its hash is not the one that was noted".to_owned()));
            }
        }
        if let Some(problem) = problem {
            self.verified.breach = Some(Breach { sequence: row.sequence, problem });
            return false;
        }
        self.verified.rows += 1;
        self.verified.head = row.head();
        self.verified.last_started_at = Some(row.begun.started_at);
        true
    }

    fn end(mut self, unreadable: Option<String>) -> Verified {
        let sequence = self.verified.head.sequence + 1;
        let cut = self.noted.filter(|noted| noted.sequence > 0 && !self.is_noted_found);
        let cut = cut.map(|noted| format!("the log ends before the noted row {}", noted.sequence));
        self.verified.breach = cut.or(unreadable).map(|problem| Breach { sequence, problem });
        self.verified
    }
}
