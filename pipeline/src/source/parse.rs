//! Turns pieces of a file into judged events, in parallel and without I/O.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt;
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Int64Type, TimeUnit, TimestampMicrosecondType};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use chrono_tz::Tz;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::event::{self, Event, EventColumns, Reason, Refusal, Reject, Rules};
use crate::source::chunk::{Chunk, Overlong};
use crate::source::files::Task;
use crate::source::mapping::{Implied, Mapping, Row, Value};
use crate::source::rows::{Fields, Rows};
use crate::source::workbook;
use crate::zone::{LocalClock, Month, date_of};

/// The accepted events of one month in one piece of a file.
#[derive(Debug, Default)]
pub(crate) struct MonthPart {
    pub(crate) columns: EventColumns,
    /// The identity of each event.
    pub(crate) identities: Vec<u128>,
    /// Whether the event is one that every row of its object repeats.
    pub(crate) once: Vec<bool>,
}

/// What pieces of a file hold, one after the other. Line numbers count from 1 within them.
#[derive(Debug, Default)]
pub(crate) struct Parsed {
    pub(crate) months: BTreeMap<Month, MonthPart>,
    pub(crate) rejects: Vec<Reject>,
    pub(crate) implied: BTreeSet<Implied>,
    /// Rows that were accepted.
    pub(crate) accepted: u64,
    /// Line feeds so far, to number the lines of what follows.
    pub(crate) lines: u64,
}

/// Parses pieces of one source.
#[derive(Debug)]
pub(crate) struct Parser<'m> {
    mapping: &'m Mapping,
    zone: Tz,
    rules: Rules,
    known_orgs: Option<Arc<HashSet<String>>>,
    clock: LocalClock,
    last_month: Option<(i32, Month)>,
}

impl<'m> Parser<'m> {
    pub(crate) fn new(
        mapping: &'m Mapping,
        zone: Tz,
        rules: Rules,
        known_orgs: Option<Arc<HashSet<String>>>,
    ) -> Self {
        Self { mapping, zone, rules, known_orgs, clock: LocalClock::new(zone), last_month: None }
    }

    pub(crate) fn parse(&mut self, task: Task) -> Parsed {
        let mut parsed = Parsed::default();
        self.parse_onto(&mut parsed, task);
        parsed
    }

    /// Adds a piece to what has been parsed.
    pub(crate) fn parse_onto(&mut self, parsed: &mut Parsed, task: Task) {
        match task {
            Task::Json(chunk) => self.parse_json(chunk, parsed),
            Task::Csv(chunk, header) => self.parse_csv(chunk, &header, parsed),
            Task::Parquet(batch) => self.parse_parquet(&batch, parsed),
        }
    }

    fn parse_json(&mut self, chunk: Chunk, parsed: &mut Parsed) {
        // One check for the whole chunk is far cheaper than one for each line.
        let whole = std::str::from_utf8(&chunk.bytes).ok();
        let mut row = empty_row(self.mapping);
        let mut start = 0;
        while start < chunk.bytes.len() {
            let end = memchr::memchr(b'\n', &chunk.bytes[start..])
                .map_or(chunk.bytes.len(), |length| start + length);
            let raw = &chunk.bytes[start..end];
            parsed.lines += 1;
            let line = match whole {
                Some(whole) => Ok(&whole[start..end]),
                None => std::str::from_utf8(raw),
            };
            let outcome = match line {
                Ok(line) if line.trim_ascii().is_empty() => Ok(()),
                Ok(line) => self.judge_json(line, &mut row, parsed),
                Err(error) => Err(Refusal::new(
                    Reason::InvalidUtf8,
                    format!("byte {} is not UTF-8", error.valid_up_to() + 1),
                )),
            };
            if let Err(refusal) = outcome {
                let text = without_line_end(raw).to_vec();
                parsed.rejects.push(Reject { line: parsed.lines, refusal, text });
            }
            start = end + 1;
        }
        self.refuse_overlong(chunk.overlong, parsed);
    }

    /// Judges a line, in a row that is used again for the next: making one for each is a good part of the work.
    fn judge_json<'a>(
        &mut self,
        line: &'a str,
        row: &mut Row<'a>,
        parsed: &mut Parsed,
    ) -> Result<(), Refusal> {
        if line.len() > self.mapping.max_line_bytes() {
            return Err(self.too_long(line.len()));
        }
        if let Some(refusal) = workbook::refusal(line) {
            return Err(refusal);
        }
        json_row(line, self.mapping, row)?;
        self.judge_row(row, parsed)
    }

    fn parse_csv(&mut self, chunk: Chunk, header: &[String], parsed: &mut Parsed) {
        let places = csv_places(header, self.mapping);
        let mut fields = Fields::new();
        for row in Rows::new(&chunk.bytes) {
            let outcome = if row.is_broken {
                Err(Refusal::new(Reason::MalformedRow, "a quote does not close"))
            } else {
                self.judge_csv(fields.part(row.bytes), header, &places, parsed)
            };
            if let Err(refusal) = outcome {
                let text = without_line_end(row.bytes).to_vec();
                parsed.rejects.push(Reject { line: parsed.lines + row.line, refusal, text });
            }
        }
        parsed.lines += memchr::memchr_iter(b'\n', &chunk.bytes).count() as u64;
        self.refuse_overlong(chunk.overlong, parsed);
    }

    fn judge_csv(
        &mut self,
        fields: &Fields,
        header: &[String],
        places: &[Place],
        parsed: &mut Parsed,
    ) -> Result<(), Refusal> {
        if fields.total_bytes() > self.mapping.max_line_bytes() {
            return Err(self.too_long(fields.total_bytes()));
        }
        if fields.len() != header.len() {
            let detail = format!("{} fields, the header has {}", fields.len(), header.len());
            return Err(Refusal::new(Reason::MalformedRow, detail));
        }
        let mut row = empty_row(self.mapping);
        for ((place, name), field) in places.iter().zip(header).zip(fields.iter()) {
            let text = std::str::from_utf8(field).map_err(|_| {
                Refusal::new(Reason::InvalidUtf8, format!("column `{name}` is not UTF-8"))
            })?;
            let value =
                if text.is_empty() { Value::Missing } else { Value::Text(Cow::Borrowed(text)) };
            place.put(&mut row, name, value);
        }
        self.judge_row(&mut row, parsed)
    }

    fn parse_parquet(&mut self, batch: &RecordBatch, parsed: &mut Parsed) {
        let header: Vec<String> =
            batch.schema().fields().iter().map(|field| field.name().clone()).collect();
        let places = csv_places(&header, self.mapping);
        for position in 0..batch.num_rows() {
            parsed.lines += 1;
            let outcome = parquet_row(batch, position, &header, &places, self.mapping)
                .and_then(|mut row| self.judge_row(&mut row, parsed));
            if let Err(refusal) = outcome {
                let text = parquet_row_text(batch, position);
                parsed.rejects.push(Reject { line: parsed.lines, refusal, text });
            }
        }
    }

    fn judge_row(&mut self, row: &mut Row<'_>, parsed: &mut Parsed) -> Result<(), Refusal> {
        self.mapping.tidy(row);
        let row = &*row;
        let mut events = Vec::with_capacity(1);
        self.mapping.map(row, self.zone, self.rules.now_micros, &mut events)?;
        // A row lands whole or not at all.
        for (event, _) in &events {
            event::judge(event, &self.rules)?;
            self.check_org(event)?;
        }
        parsed.accepted += 1;
        for (event, once) in events {
            let event_date = self.clock.local_day(event.occurred_micros);
            let part = parsed.months.entry(self.month(event_date)).or_default();
            part.identities.push(event::identity(&event.event_id, event.revision));
            part.once.push(once);
            part.columns.push(&event, self.mapping.name(), event_date, self.rules.now_micros);
        }
        if self.mapping.implies_reference() {
            let mut implied = Vec::new();
            self.mapping.implied(row, &mut implied);
            parsed.implied.extend(implied);
        }
        Ok(())
    }

    fn check_org(&self, event: &Event<'_>) -> Result<(), Refusal> {
        let (Some(known), Some(org_id)) = (&self.known_orgs, &event.org_id) else { return Ok(()) };
        if known.contains(org_id.as_ref()) {
            return Ok(());
        }
        Err(Refusal::new(Reason::UnknownOrg, format!("unit `{org_id}` is not in the reference")))
    }

    fn month(&mut self, event_date: i32) -> Month {
        if let Some((day, month)) = self.last_month
            && day == event_date
        {
            return month;
        }
        let month = Month::of(date_of(event_date));
        self.last_month = Some((event_date, month));
        month
    }

    fn too_long(&self, length: usize) -> Refusal {
        Refusal::new(
            Reason::LineTooLong,
            format!("{length} bytes, the limit is {}", self.mapping.max_line_bytes()),
        )
    }

    fn refuse_overlong(&self, overlong: Option<Overlong>, parsed: &mut Parsed) {
        let Some(Overlong { prefix, length }) = overlong else { return };
        parsed.lines += 1;
        let mut refusal = self.too_long(length);
        refusal.detail.push_str(event::ONLY_BEGINNING_KEPT);
        parsed.rejects.push(Reject { line: parsed.lines, refusal, text: prefix });
    }
}

fn without_line_end(raw: &[u8]) -> &[u8] {
    let raw = raw.strip_suffix(b"\n").unwrap_or(raw);
    raw.strip_suffix(b"\r").unwrap_or(raw)
}

fn empty_row<'a>(mapping: &Mapping) -> Row<'a> {
    Row { values: vec![Value::Missing; mapping.columns().len()], rest: Vec::new() }
}

/// Where a field of the source goes.
#[derive(Debug, Clone, Copy)]
enum Place {
    Column(usize),
    Rest,
    Nowhere,
}

impl Place {
    fn of(name: &str, guess: usize, mapping: &Mapping) -> Self {
        match mapping.place_of(name, guess) {
            Some(position) => Self::Column(position),
            None if mapping.keeps_rest() => Self::Rest,
            None => Self::Nowhere,
        }
    }

    fn put<'a>(self, row: &mut Row<'a>, name: &'a str, value: Value<'a>) {
        match self {
            Self::Column(column) => row.values[column] = value,
            Self::Rest => row.rest.push((Cow::Borrowed(name), value)),
            Self::Nowhere => {}
        }
    }
}

fn csv_places(header: &[String], mapping: &Mapping) -> Vec<Place> {
    header.iter().enumerate().map(|(guess, name)| Place::of(name, guess, mapping)).collect()
}

/// Reads the fields of a line into a row.
fn json_row<'a>(line: &'a str, mapping: &Mapping, row: &mut Row<'a>) -> Result<(), Refusal> {
    let mut read = |texts| {
        row.values.fill(Value::Missing);
        row.rest.clear();
        let mut json = serde_json::Deserializer::from_str(line);
        json.deserialize_map(RowVisitor { mapping, line, texts, row: &mut *row })?;
        json.end()
    };
    // Half of a surrogate pair is no text, but the rest of its line is as good as any.
    read(Texts::Whole)
        .or_else(|_| read(Texts::Raw))
        .map_err(|error| Refusal::new(Reason::MalformedJson, error.to_string()))
}

/// How the texts of a line are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Texts {
    /// In one go.
    Whole,
    /// Like other values first, so that one that cannot be unescaped is kept as it is written.
    Raw,
}

struct RowVisitor<'v, 'de> {
    mapping: &'v Mapping,
    line: &'de str,
    texts: Texts,
    row: &'v mut Row<'de>,
}

impl<'de> Visitor<'de> for RowVisitor<'_, 'de> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Self { mapping, line, texts, row } = self;
        let mut guess = 0;
        while let Some(Text(key)) = map.next_key::<Text<'de>>()? {
            let value = if texts == Texts::Whole && is_text_next(line, &key) {
                let Text(text) = map.next_value::<Text<'de>>()?;
                if text.is_empty() { Value::Missing } else { Value::Text(text) }
            } else {
                json_value(map.next_value::<&'de RawValue>()?.get())
            };
            match Place::of(&key, guess, mapping) {
                Place::Column(column) => {
                    row.values[column] = value;
                    guess = column + 1;
                }
                Place::Rest => row.rest.push((key, value)),
                Place::Nowhere => {}
            }
        }
        Ok(())
    }
}

/// Whether the value after a key is a text: serde tells it only to those who do not want the others as they are written.
fn is_text_next(line: &str, key: &str) -> bool {
    // A key with escapes is not a part of the line.
    let start = (key.as_ptr() as usize).wrapping_sub(line.as_ptr() as usize);
    let after_key = line.as_bytes().get(start.saturating_add(key.len() + 1)..).unwrap_or_default();
    after_key.trim_ascii_start().strip_prefix(b":").unwrap_or_default().trim_ascii_start().first()
        == Some(&b'"')
}

/// A text, borrowed unless it has escapes.
struct Text<'de>(Cow<'de, str>);

impl<'de> serde::Deserialize<'de> for Text<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextVisitor;
        impl<'de> Visitor<'de> for TextVisitor {
            type Value = Text<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a text")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(TextVisitor)
    }
}

fn json_value(raw: &str) -> Value<'_> {
    if raw == "null" || raw == "\"\"" {
        return Value::Missing;
    }
    let Some(inner) = raw.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else {
        return Value::Json(raw);
    };
    if !inner.contains('\\') {
        return Value::Text(Cow::Borrowed(inner));
    }
    // The raw value has been checked as JSON; a lone surrogate is the one thing that fails here.
    match serde_json::from_str::<String>(raw) {
        Ok(text) => Value::Text(Cow::Owned(text)),
        Err(_) => Value::Text(Cow::Borrowed(inner)),
    }
}

fn parquet_row<'a>(
    batch: &'a RecordBatch,
    position: usize,
    header: &'a [String],
    places: &[Place],
    mapping: &Mapping,
) -> Result<Row<'a>, Refusal> {
    let mut row = empty_row(mapping);
    for ((place, name), column) in places.iter().zip(header).zip(batch.columns()) {
        place.put(&mut row, name, array_value(column.as_ref(), position, name)?);
    }
    Ok(row)
}

fn array_value<'a>(
    array: &'a dyn Array,
    position: usize,
    name: &str,
) -> Result<Value<'a>, Refusal> {
    if array.is_null(position) {
        return Ok(Value::Missing);
    }
    let text = |text: &'a str| {
        if text.is_empty() { Value::Missing } else { Value::Text(Cow::Borrowed(text)) }
    };
    Ok(match array.data_type() {
        DataType::Utf8 => text(array.as_string::<i32>().value(position)),
        DataType::LargeUtf8 => text(array.as_string::<i64>().value(position)),
        DataType::Utf8View => text(array.as_string_view().value(position)),
        DataType::Int64 => Value::Integer(array.as_primitive::<Int64Type>().value(position)),
        // A timestamp without a zone is local time: it is read from its text like any other.
        DataType::Timestamp(TimeUnit::Microsecond, Some(_)) => {
            Value::Micros(array.as_primitive::<TimestampMicrosecondType>().value(position))
        }
        DataType::List(field) if field.data_type() == &DataType::Utf8 => {
            let list = array.as_list::<i32>();
            let (from, to) = (list.value_offsets()[position], list.value_offsets()[position + 1]);
            let texts = list.values().as_string::<i32>();
            Value::Texts((from..to).map(|item| Cow::Borrowed(texts.value(item as usize))).collect())
        }
        _ => Value::Text(Cow::Owned(shown(array, position).map_err(|detail| {
            Refusal::new(Reason::WrongType, format!("column `{name}`: {detail}"))
        })?)),
    })
}

fn shown(array: &dyn Array, position: usize) -> Result<String, String> {
    let options = FormatOptions::default();
    let formatter = ArrayFormatter::try_new(array, &options).map_err(|error| error.to_string())?;
    formatter.value(position).try_to_string().map_err(|error| error.to_string())
}

/// A refused Parquet row as text, so that it can be read and sent again.
fn parquet_row_text(batch: &RecordBatch, position: usize) -> Vec<u8> {
    let mut object = serde_json::Map::new();
    for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
        if column.is_valid(position) {
            let text = shown(column.as_ref(), position).unwrap_or_default();
            object.insert(field.name().clone(), text.into());
        }
    }
    serde_json::Value::Object(object).to_string().into_bytes()
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use proptest::prelude::*;

    use super::*;
    use crate::definition::Definitions;

    static NATIVE: LazyLock<Mapping> =
        LazyLock::new(|| Mapping::find(&Definitions::load(None).unwrap(), "native").unwrap());

    /// A text as JSON, each character by its number.
    fn by_numbers(text: &str) -> String {
        let units: String = text.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
        format!("\"{units}\"")
    }

    proptest! {
        #[test]
        fn a_text_is_the_same_however_it_and_its_key_are_written(
            text in any::<String>(),
            by_number in any::<[bool; 2]>(),
            blank in "[ \t]{0,2}",
        ) {
            let written = |text: &str, by_number: bool| {
                if by_number { by_numbers(text) } else { serde_json::to_string(text).unwrap() }
            };
            let (key, value) = (written("org_id", by_number[0]), written(&text, by_number[1]));
            let line = format!("{{{blank}{key}{blank}:{blank}{value}{blank},\"channel\":7}}");
            let mut row = empty_row(&NATIVE);
            json_row(&line, &NATIVE, &mut row).unwrap();
            let place = |name| NATIVE.place_of(name, 0).unwrap();
            let expected = if text.is_empty() { Value::Missing } else { Value::Text(text.into()) };
            prop_assert_eq!(&row.values[place("org_id")], &expected);
            prop_assert_eq!(&row.values[place("channel")], &Value::Json("7"));
        }
    }
}
