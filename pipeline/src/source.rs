//! Brings lines in and says how far they have come.

mod array;
pub(crate) mod chunk;
mod files;
pub mod mapping;
mod parse;
mod rows;
mod text;
pub mod workbook;

pub(crate) use files::{Before, FileReader, Packed, Task};
pub use files::{Compression, Format, InputFile, find_inputs};
pub(crate) use parse::{MonthPart, Parsed, Parser};

use std::collections::HashSet;
use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use crate::error::Result;
use crate::event::{Reject, Rules, SKEW_MICROS};
use chunk::CHUNK_BYTES;
use mapping::Mapping;

/// What would become of the lines of a body.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Judged {
    /// Lines that are accepted; some may turn out to be duplicates when they land.
    pub accepted: u64,
    /// How many lines are refused.
    pub rejected: u64,
    /// The first of them.
    pub rejects: Vec<Reject>,
}

/// How far judging a body goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How many refused lines are kept.
    pub rejects_shown: usize,
    /// How large the unpacked body may be.
    pub unpacked_bytes: u64,
}

/// Judges a body as landing will judge it, in bounded memory: only the first refused lines are kept. The units of the
/// reference are asked for only if the mapping wants them known.
///
/// Fails when the body cannot be unpacked, is too large unpacked ([`std::io::ErrorKind::FileTooLarge`]), or is CSV without the columns that the mapping needs.
pub fn judge(
    mapping: &Mapping,
    zone: Tz,
    known_orgs: impl FnOnce() -> HashSet<String>,
    now: DateTime<Utc>,
    (format, compression): (Format, Compression),
    body: impl Read + Send + 'static,
    limits: Limits,
) -> Result<Judged> {
    let name = PathBuf::from("the body");
    let text = Packed {
        input: body,
        format,
        compression,
        unpacked_max: limits.unpacked_bytes,
        chunk_bytes: CHUNK_BYTES,
    };
    let reader = FileReader::of_text(name, text, mapping)?;
    judge_lines(mapping, zone, known_orgs, now, reader, limits)
}

/// Judges a file as landing will judge it, as [`judge`] does a body.
///
/// An error that [`Error::is_about`](crate::error::Error::is_about) the file says why it cannot land.
pub fn judge_file(
    mapping: &Mapping,
    zone: Tz,
    known_orgs: impl FnOnce() -> HashSet<String>,
    now: DateTime<Utc>,
    file: &InputFile,
    limits: Limits,
) -> Result<Judged> {
    let reader = FileReader::open_bounded(file, mapping, limits.unpacked_bytes)?;
    judge_lines(mapping, zone, known_orgs, now, reader, limits)
}

fn judge_lines(
    mapping: &Mapping,
    zone: Tz,
    known_orgs: impl FnOnce() -> HashSet<String>,
    now: DateTime<Utc>,
    mut reader: FileReader,
    limits: Limits,
) -> Result<Judged> {
    let known_orgs = mapping.asks_for_known_orgs().then(|| Arc::new(known_orgs()));
    let rules = Rules { now_micros: now.timestamp_micros(), skew_micros: SKEW_MICROS };
    let mut parser = Parser::new(mapping, zone, rules, known_orgs);
    let mut judged = Judged::default();
    let mut lines = reader.header_lines();
    while let Some(task) = reader.next_task()? {
        let parsed = parser.parse(task);
        judged.accepted += parsed.accepted;
        judged.rejected += parsed.rejects.len() as u64;
        let room = limits.rejects_shown - judged.rejects.len();
        let rejects = parsed.rejects.into_iter().take(room);
        judged.rejects.extend(rejects.map(|reject| Reject { line: lines + reject.line, ..reject }));
        lines += parsed.lines;
    }
    Ok(judged)
}
