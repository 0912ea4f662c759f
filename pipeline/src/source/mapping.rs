//! A mapping turns the rows of one kind of log into canonical events.
//!
//! A mapping is a TOML file under `sql/sources/`. It says which column is what, how times and amounts are
//! written, how the log's own steps become event types, what becomes an attribute, what is demanded of a
//! row, and where units and officers can be derived from. [`Mapping::parse`] checks it whole before a line
//! is read.

mod amount;
mod codes;
mod compile;
mod read;
mod rule;
mod spec;
mod times;

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;
use std::path::Path;

use chrono::NaiveDate;
use chrono_tz::Tz;
use encoding_rs::Encoding;
use serde::de;

use self::amount::half_width;
use self::codes::Exchange;
use self::compile::{Aliases, Compiler, Fault};
use self::read::{Condition, Reading, Text, all_hold, short, shown, wrong_type};
use self::rule::Rule;
use self::spec::{Orgs, Rest, Spec};
use self::times::Times;
use crate::definition::Definitions;
use crate::error::{Error, Result};
use crate::event::{Event, Operation, Reason, Refusal};
use crate::zone;

/// The attribute in which a row's warnings land, each as `code:column`.
pub(crate) const WARNINGS: &str = "warnings";

/// The longest name of a table's column, in bytes as JSON.
const NAME_BYTES_MAX: usize = 255;

/// What pseudonyms are made with; zeros where no lake has given its key.
#[derive(Clone, Default)]
struct Key([u8; 32]);

impl fmt::Debug for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("…")
    }
}

/// One value of a source row.
#[derive(Debug, Clone, PartialEq)]
pub enum Value<'a> {
    /// Absent, null or empty.
    Missing,
    /// Text.
    Text(Cow<'a, str>),
    /// JSON text of a number, boolean, object or array.
    Json(&'a str),
    /// A whole number.
    Integer(i64),
    /// An instant, microseconds UTC.
    Micros(i64),
    /// A list of texts.
    Texts(Vec<Cow<'a, str>>),
}

/// One row of a source, its values in the order of [`Mapping::columns`].
#[derive(Debug, Default)]
pub struct Row<'a> {
    /// The values of the columns that the mapping names.
    pub values: Vec<Value<'a>>,
    /// The columns that the mapping does not name.
    pub rest: Vec<(Cow<'a, str>, Value<'a>)>,
}

/// A reference row that a line implies: a unit or an officer that its source knows.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Implied {
    /// A unit.
    Org {
        /// Its id.
        org_id: String,
    },
    /// An officer and the unit in which the source first shows them.
    Officer {
        /// The officer's id.
        officer_id: String,
        /// The unit's id.
        org_id: String,
    },
}

/// A checked mapping, ready to map rows.
#[derive(Debug, Clone)]
pub struct Mapping {
    name: String,
    zone: Option<Tz>,
    time_formats: Vec<String>,
    times: Times,
    empty: Option<HashSet<String>>,
    keep_rest: bool,
    known_orgs: bool,
    max_line_bytes: usize,
    encoding: Option<&'static Encoding>,
    columns: Vec<String>,
    aliases: Aliases,
    required: Vec<String>,
    batch: Option<(Text, Text)>,
    rules: Vec<Rule>,
    events: Vec<Template>,
    implied_org: Option<Text>,
    implied_officer: Option<(Text, Text)>,
    makes_pseudonyms: bool,
    key: Key,
}

/// How one kind of event is made from a row.
#[derive(Debug, Clone)]
struct Template {
    when: Vec<Condition>,
    once: bool,
    event_id: Option<Text>,
    revision: Option<Text>,
    operation: Option<Text>,
    event_type: Text,
    occurred_at: Text,
    received_at: Option<Text>,
    org_id: Text,
    officer_ids: Option<Text>,
    object_id: Option<Text>,
    party_id: Option<Text>,
    item_code: Option<Text>,
    channel: Option<Text>,
    attributes: Attributes,
}

#[derive(Debug, Clone)]
enum Attributes {
    None,
    /// A column that holds a JSON object.
    Object(usize),
    Named(Vec<(String, Text)>),
}

/// What a row's batch says of it.
#[derive(Debug, Clone, Copy)]
struct Batch {
    exchange: Exchange,
    /// The day of the batch.
    date: NaiveDate,
    revision: i64,
}

/// A column's name without what people write differently: case, width, blanks around it, the mark of a demanded cell, and
/// a byte order mark.
fn fold(name: &str) -> String {
    let plain: String = name.chars().map(half_width).collect();
    plain
        .trim_matches(|character: char| {
            character.is_whitespace() || matches!(character, '\u{feff}' | '*')
        })
        .to_lowercase()
}

impl Mapping {
    /// Reads and checks a mapping. `file` names it in errors.
    ///
    /// Fails with [`Error::Definition`], naming the key and what was expected.
    pub fn parse(file: &str, toml: &str) -> Result<Self> {
        let spec: Spec = toml::from_str(toml).map_err(|error| {
            Error::definition(
                file,
                error.to_string().trim_end().to_owned(),
                "see the mapping keys in sql/README.md",
            )
        })?;
        Self::compile(spec).map_err(|(problem, remedy)| Error::definition(file, problem, remedy))
    }

    fn compile(spec: Spec) -> Result<Self, Fault> {
        if spec.event.is_empty() {
            return Err((
                "the mapping has no [[event]]".to_owned(),
                "say how a row becomes an event".to_owned(),
            ));
        }
        let zone = zone_of(spec.zone.as_deref())?;
        let encoding = encoding_of(spec.encoding.as_deref())?;
        let mut compiler = Compiler::new(&spec.columns, spec.lists);
        let batch = match spec.batch {
            None => None,
            Some(batch) => Some((
                compiler.text("batch.number", batch.number)?,
                compiler.text("batch.operation", batch.operation)?,
            )),
        };
        let events = spec
            .event
            .into_iter()
            .map(|event| compiler.event(event, batch.is_some()))
            .collect::<Result<_, _>>()?;
        let rules =
            spec.rule.into_iter().map(|rule| compiler.rule(rule)).collect::<Result<_, _>>()?;
        let implied_org = compiler
            .optional("reference.orgs.org_id", spec.reference.orgs.map(|orgs| orgs.org_id))?;
        let implied_officer = match spec.reference.officers {
            None => None,
            Some(officers) => Some((
                compiler.text("reference.officers.officer_id", officers.officer_id)?,
                compiler.text("reference.officers.org_id", officers.org_id)?,
            )),
        };
        let required = required_columns(spec.required, &compiler.columns)?;
        let aliases = compiler.aliases(&spec.columns)?;
        Ok(Self {
            name: spec.name,
            zone,
            time_formats: spec.time_formats,
            times: spec.times,
            empty: spec.empty.map(|empty| empty.into_iter().collect()),
            keep_rest: spec.rest == Rest::Attributes,
            known_orgs: spec.orgs == Orgs::Known,
            max_line_bytes: spec.max_line_bytes,
            encoding,
            columns: compiler.columns,
            aliases,
            required,
            batch,
            rules,
            events,
            implied_org,
            implied_officer,
            makes_pseudonyms: compiler.makes_pseudonyms,
            key: Key::default(),
        })
    }

    /// Whether names or numbers become pseudonyms.
    pub fn makes_pseudonyms(&self) -> bool {
        self.makes_pseudonyms
    }

    /// The mapping with the key that its pseudonyms are made with: without it, whoever knows an identity number can tell
    /// its pseudonym.
    #[must_use]
    pub fn keyed_by(self, key: [u8; 32]) -> Self {
        Self { key: Key(key), ..self }
    }

    /// The source's name, stored with each event.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The columns that the mapping reads, in the order of [`Row::values`].
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// The place of a column in [`Mapping::columns`], by its name or another that `[columns]` gives it; `guess` is tried
    /// first.
    pub fn place_of(&self, name: &str, guess: usize) -> Option<usize> {
        // Sources write their fields in one order, mostly that of the mapping.
        if self.columns.get(guess).is_some_and(|column| column == name) {
            return Some(guess);
        }
        if self.aliases.lookup.is_empty() {
            return self.columns.iter().position(|column| column == name);
        }
        self.aliases.lookup.get(&fold(name)).copied()
    }

    /// Makes a row of a file that of the mapping: cells that only stand for nothing become empty, and a column that is empty
    /// takes the first filled of its other names.
    pub fn tidy(&self, row: &mut Row<'_>) {
        if let Some(empty) = &self.empty {
            for value in &mut row.values {
                tidy_cell(value, empty);
            }
        }
        for (column, places) in &self.aliases.others {
            if row.values[*column] != Value::Missing {
                continue;
            }
            let filled = places.iter().find(|place| row.values[**place] != Value::Missing);
            if let Some(place) = filled {
                row.values.swap(*column, *place);
            }
        }
    }

    /// Whether columns that the mapping does not name are kept as attributes.
    pub fn keeps_rest(&self) -> bool {
        self.keep_rest
    }

    /// Whether a unit that the reference does not know makes a line a reject.
    pub fn asks_for_known_orgs(&self) -> bool {
        self.known_orgs
    }

    /// The longest line that is read, in bytes.
    pub fn max_line_bytes(&self) -> usize {
        self.max_line_bytes
    }

    /// How text is encoded that has no byte order mark; `None`: UTF-8, or GB 18030 where a CSV header says so.
    pub fn encoding(&self) -> Option<&'static Encoding> {
        self.encoding
    }

    /// Checks a table header; an error names the columns that are not there, or a name that is too long.
    pub fn check_header(&self, file: &str, header: &[String]) -> Result<()> {
        // A name stands once in the file and again in each event that keeps the column.
        if let Some(position) =
            header.iter().position(|name| json_string(name).len() > NAME_BYTES_MAX)
        {
            return Err(Error::definition(
                file,
                format!("the name of column {} has over {NAME_BYTES_MAX} bytes", position + 1),
                "shorten it, or remove the column",
            ));
        }
        let mut present: HashSet<usize> =
            header.iter().filter_map(|name| self.place_of(name, usize::MAX)).collect();
        for (column, places) in &self.aliases.others {
            if places.iter().any(|place| present.contains(place)) {
                present.insert(*column);
            }
        }
        let missing: Vec<_> = self
            .required
            .iter()
            .filter(|name| {
                !self.place_of(name, usize::MAX).is_some_and(|place| present.contains(&place))
            })
            .map(|name| self.names_of(name))
            .collect();
        if missing.is_empty() {
            return Ok(());
        }
        Err(Error::definition(
            file,
            format!("the mapping `{}` needs column {}", self.name, missing.join(", ")),
            format!("the file has {}; correct the mapping or the file", header.join(", ")),
        ))
    }

    /// A column and its other names, for a message.
    fn names_of(&self, name: &str) -> String {
        let place = self.columns.iter().position(|column| column == name);
        let others = self.aliases.others.iter().find(|(column, _)| Some(*column) == place);
        let others = others.map(|(_, places)| places.as_slice()).unwrap_or_default();
        let mut names = format!("`{name}`");
        for other in others {
            names.push_str(&format!(" or `{}`", self.columns[*other]));
        }
        names
    }

    /// Maps one row to its events; `once` events say so, since every row of an object repeats them.
    ///
    /// `zone` applies to times without an offset unless the mapping has a zone of its own, and
    /// `now_micros` is the time of receipt where the row has none. The first refusal refuses the row.
    pub fn map<'r>(
        &self,
        row: &'r Row<'_>,
        zone: Tz,
        now_micros: i64,
        events: &mut Vec<(Event<'r>, bool)>,
    ) -> Result<(), Refusal> {
        let reading = self.reading(zone);
        let batch = self.batch(&reading, row)?;
        if let Some(batch) = batch.filter(|batch| batch.exchange == Exchange::Delete) {
            for template in &self.events {
                let withdrawn = withdrawn(&reading, template, row, batch, now_micros)?;
                events.push((withdrawn, template.once));
            }
            return Ok(());
        }
        let mut warnings = rule::check(&self.rules, &self.columns, &reading, row)?;
        for (position, template) in self.events.iter().enumerate() {
            if all_hold(&template.when, row)? {
                // A row's warnings are told once, with its first event.
                let warnings = std::mem::take(&mut warnings);
                let mut event = self.event(template, &reading, row, now_micros, &warnings)?;
                if let Some(batch) = batch {
                    event.revision = batch.revision;
                }
                event.event_id = match reading_id(&reading, template, row)? {
                    Some(event_id) => event_id,
                    None if batch.is_some() => return Err(missing_id()),
                    None => Cow::Owned(self.derived_id(position, &event)),
                };
                events.push((event, template.once));
            } else if let Some(batch) = batch.filter(|batch| batch.exchange == Exchange::Update) {
                // What an earlier batch said here holds no longer.
                events.push((withdrawn(&reading, template, row, batch, now_micros)?, true));
            }
        }
        Ok(())
    }

    fn reading(&self, zone: Tz) -> Reading<'_> {
        Reading {
            zone: self.zone.unwrap_or(zone),
            formats: &self.time_formats,
            times: self.times,
            key: &self.key.0,
        }
    }

    fn batch(&self, reading: &Reading<'_>, row: &Row<'_>) -> Result<Option<Batch>, Refusal> {
        let Some((number, operation)) = &self.batch else { return Ok(None) };
        let written = |key: &str, source| -> Result<String, Refusal> {
            let text = reading
                .text(key, source, row)?
                .ok_or_else(|| Refusal::new(Reason::MissingValue, format!("{key} is missing")))?;
            Ok(text.trim().to_owned())
        };
        let operation = written("batch.operation", operation)?;
        let exchange = Exchange::parse(&operation)
            .ok_or_else(|| wrong_type("batch.operation", "i, u or d", &operation))?;
        let number = written("batch.number", number)?;
        let (date, revision) = codes::batch(&number, exchange).ok_or_else(|| {
            let detail = format!(
                "batch.number `{}` is not a day as yyyymmdd and a sequence of up to nine digits",
                short(&number)
            );
            Refusal::new(Reason::BadBatch, detail)
        })?;
        Ok(Some(Batch { exchange, date, revision }))
    }

    fn event<'r>(
        &self,
        template: &Template,
        reading: &Reading<'_>,
        row: &'r Row<'_>,
        now_micros: i64,
        warnings: &[String],
    ) -> Result<Event<'r>, Refusal> {
        let text = |key: &str, source: &Option<Text>| match source {
            Some(source) => reading.text(key, source, row),
            None => Ok(None),
        };
        let occurred_micros = reading
            .time("occurred_at", &template.occurred_at, row)?
            .ok_or_else(|| Refusal::new(Reason::MissingTime, "occurred_at is missing"))?;
        let received_micros = match &template.received_at {
            None => now_micros,
            Some(source) => reading.time("received_at", source, row)?.unwrap_or(now_micros),
        };
        let officer_ids = match &template.officer_ids {
            None => Vec::new(),
            Some(source) => reading.texts("officer_ids", source, row)?,
        };
        Ok(Event {
            event_id: Cow::Borrowed(""),
            revision: match &template.revision {
                None => 0,
                Some(source) => whole_number("revision", source, reading, row)?,
            },
            operation: operation(text("operation", &template.operation)?.as_deref())?,
            event_type: event_type(reading, template, row)?,
            occurred_micros,
            received_micros,
            org_id: reading.text("org_id", &template.org_id, row)?,
            officer_ids,
            object_id: text("object_id", &template.object_id)?,
            party_id: text("party_id", &template.party_id)?,
            item_code: text("item_code", &template.item_code)?,
            channel: text("channel", &template.channel)?,
            attributes: self.attributes(&template.attributes, reading, row, warnings)?,
        })
    }

    /// The units and officers that a row implies.
    pub fn implied(&self, row: &Row<'_>, implied: &mut Vec<Implied>) {
        let reading = self.reading(zone::DEFAULT_ZONE);
        let plain =
            |source: &Text| reading.text("", source, row).ok().flatten().map(Cow::into_owned);
        if let Some(org_id) = self.implied_org.as_ref().and_then(plain) {
            implied.push(Implied::Org { org_id });
        }
        if let Some((officer, org)) = &self.implied_officer
            && let (Some(officer_id), Some(org_id)) = (plain(officer), plain(org))
        {
            implied.push(Implied::Officer { officer_id, org_id });
        }
    }

    /// Whether rows imply units or officers at all.
    pub fn implies_reference(&self) -> bool {
        self.implied_org.is_some() || self.implied_officer.is_some()
    }

    fn attributes<'r>(
        &self,
        attributes: &Attributes,
        reading: &Reading<'_>,
        row: &'r Row<'_>,
        warnings: &[String],
    ) -> Result<Option<Cow<'r, str>>, Refusal> {
        let mut object = ObjectWriter::default();
        match attributes {
            Attributes::None => {}
            Attributes::Object(column) => match &row.values[*column] {
                Value::Missing => {}
                Value::Json(json) if json.starts_with('{') => {
                    let is_whole = row.rest.is_empty() && warnings.is_empty();
                    if is_whole && !json[1..json.len() - 1].trim_ascii().is_empty() {
                        return Ok(Some(Cow::Borrowed(json)));
                    }
                    object.spread(json);
                }
                Value::Text(text) if text.trim_start().starts_with('{') => {
                    if serde_json::from_str::<de::IgnoredAny>(text).is_err() {
                        return Err(wrong_type("attributes", "a JSON object", text));
                    }
                    object.spread(text);
                }
                other => return Err(wrong_type("attributes", "a JSON object", &shown(other))),
            },
            Attributes::Named(named) => {
                for (name, source) in named {
                    object.value(name, &reading.value(name, source, row)?);
                }
            }
        }
        if self.keep_rest {
            for (name, value) in &row.rest {
                object.value(name, value);
            }
        }
        if !warnings.is_empty() {
            let texts = warnings.iter().map(|warning| Cow::Borrowed(warning.as_str())).collect();
            object.value(WARNINGS, &Value::Texts(texts));
        }
        Ok(object.finish().map(Cow::Owned))
    }

    /// An id for an event whose source has none: the same content gets the same id.
    fn derived_id(&self, position: usize, event: &Event<'_>) -> String {
        let mut hasher = blake3::Hasher::new();
        let mut field = |text: &str| {
            hasher.update(&(text.len() as u64).to_le_bytes());
            hasher.update(text.as_bytes());
        };
        field(&self.name);
        field(&position.to_string());
        field(&event.event_type);
        field(&event.occurred_micros.to_string());
        for text in [
            &event.org_id,
            &event.object_id,
            &event.party_id,
            &event.item_code,
            &event.channel,
            &event.attributes,
        ] {
            field(text.as_deref().unwrap_or_default());
        }
        for officer_id in &event.officer_ids {
            field(officer_id);
        }
        hasher.finalize().to_hex()[..32].to_owned()
    }
}

/// Writes a JSON object as text, skipping missing values.
#[derive(Debug, Default)]
struct ObjectWriter(String);

impl ObjectWriter {
    fn open(&mut self) {
        self.0.push(if self.0.is_empty() { '{' } else { ',' });
    }

    /// Takes over the members of a JSON object.
    fn spread(&mut self, json: &str) {
        let json = json.trim();
        let members = json[1..json.len() - 1].trim();
        if !members.is_empty() {
            self.open();
            self.0.push_str(members);
        }
    }

    fn value(&mut self, name: &str, value: &Value<'_>) {
        let written = match value {
            Value::Missing => return,
            Value::Text(text) => json_string(text),
            Value::Json(json) => (*json).to_owned(),
            Value::Integer(number) => number.to_string(),
            Value::Micros(micros) => json_string(&zone::micros_to_utc(*micros).to_rfc3339()),
            Value::Texts(texts) => {
                let texts: Vec<_> = texts.iter().map(|text| json_string(text)).collect();
                format!("[{}]", texts.join(","))
            }
        };
        self.open();
        self.0.push_str(&json_string(name));
        self.0.push(':');
        self.0.push_str(&written);
    }

    fn finish(mut self) -> Option<String> {
        if self.0.is_empty() {
            return None;
        }
        self.0.push('}');
        Some(self.0)
    }
}

fn json_string(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// The event that withdraws what earlier batches said under an id. It stands on the day of its batch, and needs no more than
/// the id: those who delete a row often send nothing else.
fn withdrawn<'r>(
    reading: &Reading<'_>,
    template: &Template,
    row: &'r Row<'_>,
    batch: Batch,
    now_micros: i64,
) -> Result<Event<'r>, Refusal> {
    let told = |source: &Text| reading.text("", source, row).ok().flatten();
    Ok(Event {
        event_id: reading_id(reading, template, row)?.ok_or_else(missing_id)?,
        revision: batch.revision,
        operation: Operation::Delete,
        event_type: event_type(reading, template, row)?,
        occurred_micros: zone::start_of_day(reading.zone, batch.date).timestamp_micros(),
        received_micros: now_micros,
        org_id: told(&template.org_id),
        officer_ids: Vec::new(),
        object_id: template.object_id.as_ref().and_then(told),
        party_id: None,
        item_code: None,
        channel: None,
        attributes: None,
    })
}

fn reading_id<'r>(
    reading: &Reading<'_>,
    template: &Template,
    row: &'r Row<'_>,
) -> Result<Option<Cow<'r, str>>, Refusal> {
    match &template.event_id {
        None => Ok(None),
        Some(source) => reading.text("event_id", source, row),
    }
}

fn missing_id() -> Refusal {
    Refusal::new(Reason::MissingValue, "event_id is missing")
}

fn event_type<'r>(
    reading: &Reading<'_>,
    template: &Template,
    row: &'r Row<'_>,
) -> Result<Cow<'r, str>, Refusal> {
    reading
        .text("event_type", &template.event_type, row)?
        .ok_or_else(|| Refusal::new(Reason::MissingType, "event_type is missing"))
}

/// Drops blanks around a text, and a text that stands for an empty cell.
fn tidy_cell(value: &mut Value<'_>, empty: &HashSet<String>) {
    let Value::Text(text) = value else { return };
    let trimmed = match text {
        Cow::Borrowed(text) => Cow::Borrowed(without_blanks(text)),
        Cow::Owned(text) => Cow::Owned(without_blanks(text).to_owned()),
    };
    let stands_for_nothing = trimmed.is_empty() || empty.contains(trimmed.as_ref());
    *value = if stands_for_nothing { Value::Missing } else { Value::Text(trimmed) };
}

fn without_blanks(text: &str) -> &str {
    text.trim_matches(|character: char| {
        character.is_whitespace() || matches!(character, '\u{feff}' | '\u{200b}')
    })
}

/// A count from 0; absent is 0.
fn whole_number(
    key: &str,
    source: &Text,
    reading: &Reading<'_>,
    row: &Row<'_>,
) -> Result<i64, Refusal> {
    let (number, written) = match reading.value(key, source, row)? {
        Value::Missing => return Ok(0),
        Value::Integer(number) => (Some(number), number.to_string()),
        Value::Text(text) => (text.trim().parse().ok(), text.into_owned()),
        other => (shown(&other).trim().parse().ok(), shown(&other)),
    };
    number
        .filter(|number| *number >= 0)
        .ok_or_else(|| wrong_type(key, "a whole number from 0", &written))
}

fn operation(written: Option<&str>) -> Result<Operation, Refusal> {
    match written {
        None | Some("upsert") => Ok(Operation::Upsert),
        Some("delete") => Ok(Operation::Delete),
        Some(other) => Err(wrong_type("operation", "upsert or delete", other)),
    }
}

fn zone_of(name: Option<&str>) -> Result<Option<Tz>, Fault> {
    name.map(zone::parse_zone)
        .transpose()
        .map_err(|error| (format!("key `zone`: {error}"), "mend the zone".to_owned()))
}

fn encoding_of(label: Option<&str>) -> Result<Option<&'static Encoding>, Fault> {
    let Some(label) = label else { return Ok(None) };
    Encoding::for_label(label.as_bytes()).map(Some).ok_or_else(|| {
        (
            format!("key `encoding`: `{label}` is not known"),
            "use utf-8, gb18030 (GBK is a part of it) or another of the Encoding Standard"
                .to_owned(),
        )
    })
}

fn required_columns(
    required: Option<Vec<String>>,
    columns: &[String],
) -> Result<Vec<String>, Fault> {
    let Some(required) = required else { return Ok(columns.to_vec()) };
    match required.iter().find(|column| !columns.contains(column)) {
        None => Ok(required),
        Some(unknown) => Err((
            format!("key `required` names column `{unknown}`, which no other key uses"),
            "remove it or use it".to_owned(),
        )),
    }
}

impl Mapping {
    /// The mapping that a request names: one of `sql/sources/`, or a file whose name ends in `.toml`.
    pub fn find(definitions: &Definitions, source: &str) -> Result<Self> {
        if source.ends_with(".toml") {
            let path = Path::new(source);
            let text = std::fs::read_to_string(path).map_err(Error::io("read", path))?;
            return Self::parse(source, &text);
        }
        let path = format!("sources/{source}.toml");
        match definitions.file(&path) {
            Ok(text) => Self::parse(&format!("sql/{path}"), text),
            Err(_) => {
                let known: Vec<_> =
                    definitions.in_folder("sources", "toml").map(|(name, _)| name).collect();
                Err(Error::Request(format!(
                    "there is no source `{source}`; use {}, reference, or a mapping FILE.toml",
                    known.join(", ")
                )))
            }
        }
    }
}
