//! Brings lines in and says how far they have come.

mod chunk;
mod files;
pub mod mapping;
mod parse;

pub(crate) use files::{FileReader, Task};
pub use files::{InputFile, find_inputs};
pub(crate) use parse::{MonthPart, Parsed, Parser};

use std::collections::HashSet;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use crate::event::{Reject, Rules, SKEW_MICROS};
use mapping::Mapping;

/// What would become of the lines of a body.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Judged {
    /// Lines that are accepted; some may turn out to be duplicates when they land.
    pub accepted: u64,
    /// Lines that are refused.
    pub rejects: Vec<Reject>,
}

/// Judges an NDJSON body as landing will judge it.
pub fn judge_ndjson(
    mapping: &Mapping,
    zone: Tz,
    known_orgs: HashSet<String>,
    now: DateTime<Utc>,
    body: &[u8],
) -> Judged {
    let known_orgs = mapping.asks_for_known_orgs().then(|| Arc::new(known_orgs));
    let rules = Rules { now_micros: now.timestamp_micros(), skew_micros: SKEW_MICROS };
    let mut parser = Parser::new(mapping, zone, rules, known_orgs);
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    let parsed = parser.parse(Task::of_ndjson(body));
    Judged { accepted: parsed.accepted, rejects: parsed.rejects }
}
