//! What holds of whatever bytes come from outside. The fuzz targets and the tests feed these functions, which panic
//! where it does not hold.

mod rows;
#[cfg(test)]
mod tests;
mod workbook;

pub use rows::{CELLS, mapped_rows};
pub use workbook::{workbook, workbook_parts};

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::io::{Cursor, Read};
use std::path::PathBuf;
use std::sync::{Arc, LazyLock};

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::concat_batches;
use arrow::datatypes::Date32Type;
use serde::de::IgnoredAny;

use crate::definition::Definitions;
use crate::error::Result;
use crate::event::{self, Reason, Reject, Rules, SKEW_MICROS};
use crate::goal::Goals;
use crate::source::chunk::Chunk;
use crate::source::mapping::{Implied, Mapping};
use crate::source::{Compression, FileReader, Format, Limits, Packed, Parsed, Parser, Task, judge};
use crate::zone::{DEFAULT_ZONE, Month, date_of, micros_to_utc};

/// 2026-07-01T12:00:00+08:00.
const NOW_MICROS: i64 = 1_782_878_400_000_000;

/// The most memory that is kept of each byte of input: a column's name can stand again in each event.
const KEPT_PER_BYTE: usize = 256;

/// The most memory that is kept of an event or a refused line beside its own bytes.
const KEPT_PER_ROW: usize = 4096;

/// The shipped mappings by name.
static SHIPPED: LazyLock<Vec<Mapping>> = LazyLock::new(|| {
    let definitions = Definitions::load(None).unwrap_or_else(|error| fail(&error));
    definitions
        .in_folder("sources", "toml")
        .map(|(name, text)| Mapping::parse(name, text).unwrap_or_else(|error| fail(&error)))
        .collect()
});

/// Stops at something that does not hold.
#[expect(clippy::panic, reason = "a finding is told by a panic")]
fn fail<T>(problem: &dyn std::fmt::Display) -> T {
    panic!("{problem}")
}

/// The shipped mapping that a number stands for.
fn shipped(choice: u8) -> &'static Mapping {
    &SHIPPED[usize::from(choice) % SHIPPED.len()]
}

/// The shipped mapping of the canonical event.
fn native() -> &'static Mapping {
    SHIPPED.iter().find(|mapping| mapping.name() == "native").unwrap_or_else(|| fail(&"no mapping"))
}

/// Any bytes as lines of JSON, as an array and as CSV through the native mapping.
pub fn native_lines(bytes: &[u8]) {
    check(native(), Format::Json, bytes);
    check(native(), Format::Csv, bytes);
    let mut array = b"[".to_vec();
    array.extend_from_slice(bytes);
    check(native(), Format::Json, &array);
    let mut rows = b"event_id,event_type,occurred_at,org_id,officer_ids,attributes,more\n".to_vec();
    rows.extend_from_slice(bytes);
    check(native(), Format::Csv, &rows);
}

/// Any bytes as a file for a shipped mapping, which the first byte stands for; CSV gets the mapping's header.
pub fn mapped_bytes(bytes: &[u8]) {
    let [choice, bytes @ ..] = bytes else { return };
    let mapping = shipped(*choice);
    check(mapping, Format::Json, bytes);
    let mut rows = mapping.columns().join(",").into_bytes();
    rows.push(b'\n');
    rows.extend_from_slice(bytes);
    check(mapping, Format::Csv, &rows);
}

/// Any text as the definition of a mapping: one that is accepted reads any row.
pub fn mapping_file(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let read = |text| Mapping::parse("fuzz.toml", text).map_err(|error| error.to_string());
    let mapping = match (read(text), read(text)) {
        (Ok(mapping), Ok(_)) => mapping,
        (first, second) => {
            assert_eq!(first.err(), second.err(), "a mapping is read in one way");
            return;
        }
    };
    let names = mapping.columns();
    for shift in 0..4 {
        let cells = (0..names.len()).map(|column| CELLS[(column + shift) % CELLS.len()]);
        let object: serde_json::Map<String, serde_json::Value> =
            names.iter().cloned().zip(cells.map(serde_json::Value::from)).collect();
        let line = serde_json::Value::Object(object).to_string();
        check(&mapping, Format::Json, line.as_bytes());
        check(&mapping, Format::Csv, line.as_bytes());
    }
}

/// Any text as a file of goals.
pub fn goals_file(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let read = || Goals::parse("fuzz.toml", text).map_err(|error| error.to_string());
    let (first, second) = (read(), read());
    assert_eq!(first.err(), second.err(), "goals are read in one way");
}

/// What reading a file came to.
#[derive(Debug, PartialEq)]
struct Outcome {
    accepted: u64,
    rejects: Vec<Reject>,
    lines: u64,
    implied: BTreeSet<Implied>,
    months: BTreeMap<Month, Events>,
}

/// The events of a month, in one batch once all are read.
#[derive(Debug, Default, PartialEq)]
struct Events {
    batches: Vec<RecordBatch>,
    identities: Vec<u128>,
    once: Vec<bool>,
}

impl Outcome {
    fn events(&self) -> usize {
        self.months.values().map(|events| events.identities.len()).sum()
    }

    fn has_too_long(&self) -> bool {
        self.rejects.iter().any(|reject| reject.refusal.reason == Reason::LineTooLong)
    }

    /// The bytes that are held until they are written.
    fn kept_bytes(&self) -> usize {
        let size = |column: &arrow::array::ArrayRef| {
            column.to_data().get_slice_memory_size().unwrap_or_else(|error| fail(&error))
        };
        let batches = self.months.values().flat_map(|events| &events.batches);
        let events: usize = batches.flat_map(RecordBatch::columns).map(size).sum();
        let rejects = self.rejects.iter();
        events
            + rejects.map(|reject| reject.text.len() + reject.refusal.detail.len()).sum::<usize>()
    }
}

/// Gives its bytes a few at a time.
struct Dribble {
    bytes: Cursor<Vec<u8>>,
    piece: usize,
}

impl Read for Dribble {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let room = buffer.len().min(self.piece);
        self.bytes.read(&mut buffer[..room])
    }
}

fn parser(mapping: &Mapping) -> Parser<'_> {
    let rules = Rules { now_micros: NOW_MICROS, skew_micros: SKEW_MICROS };
    let known_orgs = mapping.asks_for_known_orgs().then(|| Arc::new(known_orgs()));
    Parser::new(mapping, DEFAULT_ZONE, rules, known_orgs)
}

fn known_orgs() -> HashSet<String> {
    CELLS.iter().map(|cell| (*cell).to_owned()).collect()
}

/// Reads a file in chunks of so many bytes.
fn read(mapping: &Mapping, format: Format, bytes: &[u8], chunk_bytes: usize) -> Result<Outcome> {
    let input = Dribble { bytes: Cursor::new(bytes.to_vec()), piece: chunk_bytes };
    let compression = Compression::None;
    let packed = Packed { input, format, compression, unpacked_max: u64::MAX, chunk_bytes };
    let reader = FileReader::of_text(PathBuf::from("fuzz"), packed, mapping)?;
    read_all(mapping, reader)
}

fn read_all(mapping: &Mapping, mut reader: FileReader) -> Result<Outcome> {
    let mut parser = parser(mapping);
    let (mut accepted, mut lines) = (0, reader.header_lines());
    let (mut rejects, mut implied) = (Vec::new(), BTreeSet::new());
    let mut months: BTreeMap<Month, Events> = BTreeMap::new();
    while let Some(task) = reader.next_task()? {
        let parsed = parser.parse(task);
        accepted += parsed.accepted;
        implied.extend(parsed.implied);
        let numbered = |reject: Reject| Reject { line: lines + reject.line, ..reject };
        rejects.extend(parsed.rejects.into_iter().map(numbered));
        lines += parsed.lines;
        for (month, part) in parsed.months {
            let events = months.entry(month).or_default();
            events.batches.push(part.columns.finish().unwrap_or_else(|error| fail(&error)));
            events.identities.extend(part.identities);
            events.once.extend(part.once);
        }
    }
    for events in months.values_mut() {
        let batch = concat_batches(&event::file_schema(), &events.batches);
        events.batches = vec![batch.unwrap_or_else(|error| fail(&error))];
    }
    Ok(Outcome { accepted, rejects, lines, implied, months })
}

/// Reads bytes whole and in small chunks, and checks what came of them. `None` when they are no file of the format.
fn check(mapping: &Mapping, format: Format, bytes: &[u8]) -> Option<Outcome> {
    let whole = read(mapping, format, bytes, bytes.len() + 16);
    let cut = read(mapping, format, bytes, 16 + bytes.len() % 61);
    let outcome = match (whole, cut) {
        (Ok(whole), Ok(cut)) => {
            // A line over the limit is whole or only begun, as it came.
            if !whole.has_too_long() && !cut.has_too_long() {
                assert_eq!(whole, cut, "chunks do not change what is read");
            }
            whole
        }
        (whole, cut) => {
            let told = |outcome: Result<Outcome>| outcome.err().map(|error| error.to_string());
            assert_eq!(told(whole), told(cut), "chunks do not change what is told");
            return None;
        }
    };
    check_events(&outcome);
    check_rejects(mapping, format, bytes, &outcome);
    check_counts(mapping, format, bytes, &outcome);
    check_judge(mapping, format, bytes, &outcome);
    Some(outcome)
}

/// Events are whole, stand in their month, and have attributes that are an object.
fn check_events(outcome: &Outcome) {
    for (month, Events { batches, identities, once }) in &outcome.months {
        assert_eq!(identities.len(), once.len(), "each event has its marks");
        assert_eq!(batches[0].num_rows(), once.len(), "each event has its marks");
        let column = |name: &str| batches[0].column_by_name(name).unwrap_or_else(|| fail(&name));
        for day in column("event_date").as_primitive::<Date32Type>().values() {
            assert_eq!(Month::of(date_of(*day)), *month, "an event stands in its month");
        }
        for attributes in column("attributes").as_string::<i32>().iter().flatten() {
            let read: Result<BTreeMap<String, IgnoredAny>, _> = serde_json::from_str(attributes);
            assert!(read.is_ok(), "attributes are an object: {attributes:?}");
        }
    }
    assert!(outcome.events() as u64 >= outcome.accepted, "an accepted row has an event");
}

/// Refused lines stand in order, are what stood in the file, and are refused alike when they are tried again.
fn check_rejects(mapping: &Mapping, format: Format, bytes: &[u8], outcome: &Outcome) {
    let mut last_line = 0;
    let header = match format {
        Format::Csv => header(mapping, bytes),
        _ => None,
    };
    for Reject { line, refusal, text } in &outcome.rejects {
        assert!((last_line..=outcome.lines + 1).contains(line), "lines are told in order");
        last_line = *line;
        let mut text = text.clone();
        text.push(b'\n');
        let chunk = Chunk { bytes: text, overlong: None };
        let task = match &header {
            Some(header) => Task::Csv(chunk, Arc::clone(header)),
            None => Task::Json(chunk),
        };
        if refusal.reason == Reason::LineTooLong {
            continue;
        }
        let Parsed { accepted, rejects, .. } = parser(mapping).parse(task);
        let again: Vec<Reason> = rejects.iter().map(|reject| reject.refusal.reason).collect();
        assert_eq!((accepted, again), (0, vec![refusal.reason]), "a line is refused as before");
    }
    let rows = outcome.rejects.len() + outcome.events();
    let most = KEPT_PER_BYTE * bytes.len() + KEPT_PER_ROW * rows;
    assert!(outcome.kept_bytes() <= most, "memory is bounded by the input");
}

fn header(mapping: &Mapping, bytes: &[u8]) -> Option<Arc<Vec<String>>> {
    let (format, compression) = (Format::Csv, Compression::None);
    let (input, chunk_bytes) = (Cursor::new(bytes.to_vec()), bytes.len() + 16);
    let packed = Packed { input, format, compression, unpacked_max: u64::MAX, chunk_bytes };
    FileReader::of_text(PathBuf::from("fuzz"), packed, mapping).ok()?.header()
}

/// Whether text is read byte for byte: it is not in another encoding, nor an array.
fn is_plain(mapping: &Mapping, bytes: &[u8]) -> bool {
    let is_utf_16 = bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff");
    mapping.encoding().is_none() && !is_utf_16
}

/// Each line is an event or a refused line, and none is lost.
fn check_counts(mapping: &Mapping, format: Format, bytes: &[u8], outcome: &Outcome) {
    let told = outcome.accepted + outcome.rejects.len() as u64;
    if !is_plain(mapping, bytes) || format != Format::Json || outcome.has_too_long() {
        return;
    }
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    if text.trim_ascii_start().first() == Some(&b'[') {
        let elements: Result<Vec<&serde_json::value::RawValue>, _> = serde_json::from_slice(text);
        if let Ok(elements) = elements {
            assert_eq!(told, elements.len() as u64, "each element is a line");
        }
        return;
    }
    let lines: Vec<&[u8]> = text.split(|byte| *byte == b'\n').collect();
    let filled = lines.iter().filter(|line| !line.trim_ascii().is_empty()).count();
    assert_eq!(told, filled as u64, "each line is an event or is refused");
    for Reject { line, text, .. } in &outcome.rejects {
        let there = lines[*line as usize - 1];
        assert_eq!(there.strip_suffix(b"\r").unwrap_or(there), text, "a refused line is kept");
    }
}

/// What is told of a body beforehand is what becomes of it.
fn check_judge(mapping: &Mapping, format: Format, bytes: &[u8], outcome: &Outcome) {
    let limits = Limits { rejects_shown: 3, unpacked_bytes: bytes.len() as u64 };
    let (body, now) = (Cursor::new(bytes.to_vec()), micros_to_utc(NOW_MICROS));
    let written = (format, Compression::None);
    let judged = judge(mapping, DEFAULT_ZONE, known_orgs, now, written, body, limits);
    let judged = judged.unwrap_or_else(|error| fail(&error));
    let counts = (outcome.accepted, outcome.rejects.len() as u64);
    assert_eq!((judged.accepted, judged.rejected), counts, "a body is judged as it lands");
    let shown = &outcome.rejects[..outcome.rejects.len().min(limits.rejects_shown)];
    assert_eq!(judged.rejects, shown, "the first refused lines are told");
}
