//! A mapping turns the rows of one kind of log into canonical events.
//!
//! A mapping is a TOML file under `sql/sources/`. It says which column is what, how times are
//! written, how the log's own steps become event types, what becomes an attribute, and where units
//! and officers can be derived from. [`Mapping::parse`] checks it whole before a line is read.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::path::Path;

use chrono_tz::Tz;
use encoding_rs::Encoding;
use serde::Deserialize;
use serde::de::{self, Deserializer, MapAccess, Visitor};

use crate::definition::Definitions;
use crate::error::{Error, Result};
use crate::event::{Event, Operation, Reason, Refusal};
use crate::zone;

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
    keep_rest: bool,
    known_orgs: bool,
    max_line_bytes: usize,
    encoding: Option<&'static Encoding>,
    columns: Vec<String>,
    required: Vec<String>,
    events: Vec<Template>,
    implied_org: Option<Text>,
    implied_officer: Option<(Text, Text)>,
}

/// How one kind of event is made from a row.
#[derive(Debug, Clone)]
struct Template {
    when: Option<usize>,
    once: bool,
    event_id: Option<Text>,
    revision: Option<Text>,
    operation: Option<Text>,
    event_type: Text,
    occurred_at: Text,
    received_at: Option<Text>,
    org_id: Text,
    officer_ids: Option<(Text, Option<String>)>,
    object_id: Option<Text>,
    party_id: Option<Text>,
    item_code: Option<Text>,
    channel: Option<Text>,
    attributes: Attributes,
}

#[derive(Debug, Clone)]
enum Text {
    Constant(String),
    Column(usize),
    Values { column: usize, values: HashMap<String, String>, default: Option<String> },
    Template(Vec<Part>),
}

#[derive(Debug, Clone)]
enum Part {
    Literal(String),
    Column(usize),
}

#[derive(Debug, Clone)]
enum Attributes {
    None,
    /// A column that holds a JSON object.
    Object(usize),
    Named(Vec<(String, Text)>),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Spec {
    name: String,
    #[serde(default)]
    #[expect(dead_code, reason = "for the people who read the file")]
    title: Option<String>,
    zone: Option<String>,
    #[serde(default)]
    time_formats: Vec<String>,
    #[serde(default)]
    rest: Rest,
    #[serde(default)]
    orgs: Orgs,
    #[serde(default = "default_max_line_bytes")]
    max_line_bytes: usize,
    encoding: Option<String>,
    required: Option<Vec<String>>,
    event: Vec<EventSpec>,
    #[serde(default)]
    reference: ReferenceSpec,
}

fn default_max_line_bytes() -> usize {
    1 << 20
}

#[derive(Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Rest {
    #[default]
    Attributes,
    Ignore,
}

#[derive(Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Orgs {
    #[default]
    Any,
    Known,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct ReferenceSpec {
    orgs: Option<OrgSpec>,
    officers: Option<OfficerSpec>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct OrgSpec {
    org_id: TextSpec,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct OfficerSpec {
    officer_id: TextSpec,
    org_id: TextSpec,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct EventSpec {
    when: Option<String>,
    #[serde(default)]
    once: bool,
    event_id: Option<TextSpec>,
    revision: Option<TextSpec>,
    operation: Option<TextSpec>,
    event_type: TextSpec,
    occurred_at: TextSpec,
    received_at: Option<TextSpec>,
    org_id: TextSpec,
    officer_ids: Option<TextSpec>,
    object_id: Option<TextSpec>,
    party_id: Option<TextSpec>,
    item_code: Option<TextSpec>,
    channel: Option<TextSpec>,
    attributes: Option<AttributesSpec>,
}

/// `"column"`, or a table with one of `column`, `value` and `template`.
#[derive(Debug)]
enum TextSpec {
    Column(String),
    Table(TextTable),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct TextTable {
    column: Option<String>,
    value: Option<String>,
    template: Option<String>,
    #[serde(default)]
    values: HashMap<String, String>,
    default: Option<String>,
    separator: Option<String>,
}

#[derive(Debug)]
enum AttributesSpec {
    Object(String),
    Named(BTreeMap<String, TextSpec>),
}

impl<'de> Deserialize<'de> for TextSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextVisitor;
        impl<'de> Visitor<'de> for TextVisitor {
            type Value = TextSpec;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter
                    .write_str("a column name, or a table with `column`, `value` or `template`")
            }

            fn visit_str<E: de::Error>(self, column: &str) -> Result<TextSpec, E> {
                Ok(TextSpec::Column(column.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<TextSpec, A::Error> {
                TextTable::deserialize(de::value::MapAccessDeserializer::new(map))
                    .map(TextSpec::Table)
            }
        }
        deserializer.deserialize_any(TextVisitor)
    }
}

impl<'de> Deserialize<'de> for AttributesSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AttributesVisitor;
        impl<'de> Visitor<'de> for AttributesVisitor {
            type Value = AttributesSpec;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(
                    "the name of a column with a JSON object, or a table of attribute = column",
                )
            }

            fn visit_str<E: de::Error>(self, column: &str) -> Result<AttributesSpec, E> {
                Ok(AttributesSpec::Object(column.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<AttributesSpec, A::Error> {
                BTreeMap::deserialize(de::value::MapAccessDeserializer::new(map))
                    .map(AttributesSpec::Named)
            }
        }
        deserializer.deserialize_any(AttributesVisitor)
    }
}

/// Numbers the columns that a mapping names.
#[derive(Debug, Default)]
struct Compiler {
    columns: Vec<String>,
}

impl Compiler {
    fn column(&mut self, name: &str) -> usize {
        if let Some(position) = self.columns.iter().position(|column| column == name) {
            return position;
        }
        self.columns.push(name.to_owned());
        self.columns.len() - 1
    }

    fn text(&mut self, key: &str, spec: TextSpec) -> Result<Text, (String, String)> {
        let table = match spec {
            TextSpec::Column(column) => return Ok(Text::Column(self.column(&column))),
            TextSpec::Table(table) => table,
        };
        match table {
            TextTable { value: Some(value), column: None, template: None, .. } => {
                Ok(Text::Constant(value))
            }
            TextTable { template: Some(template), column: None, value: None, .. } => {
                self.template(key, &template).map(Text::Template)
            }
            TextTable {
                column: Some(column),
                value: None,
                template: None,
                values,
                default,
                ..
            } => {
                let column = self.column(&column);
                if values.is_empty() && default.is_none() {
                    return Ok(Text::Column(column));
                }
                Ok(Text::Values { column, values, default })
            }
            _ => Err((
                format!("key `{key}` has none or several of `column`, `value` and `template`"),
                "keep exactly one of them".to_owned(),
            )),
        }
    }

    fn optional(
        &mut self,
        key: &str,
        spec: Option<TextSpec>,
    ) -> Result<Option<Text>, (String, String)> {
        spec.map(|spec| self.text(key, spec)).transpose()
    }

    fn template(&mut self, key: &str, template: &str) -> Result<Vec<Part>, (String, String)> {
        let mut parts = Vec::new();
        let mut rest = template;
        while let Some((literal, after)) = rest.split_once('{') {
            let Some((column, after)) = after.split_once('}') else {
                return Err((
                    format!("key `{key}` has a template with an unclosed `{{`"),
                    "write columns as {column}".to_owned(),
                ));
            };
            parts.push(Part::Literal(literal.to_owned()));
            parts.push(Part::Column(self.column(column)));
            rest = after;
        }
        parts.push(Part::Literal(rest.to_owned()));
        Ok(parts)
    }

    fn event(&mut self, spec: EventSpec) -> Result<Template, (String, String)> {
        let separator = match &spec.officer_ids {
            Some(TextSpec::Table(table)) => table.separator.clone(),
            _ => None,
        };
        let officer_ids = self.optional("officer_ids", spec.officer_ids)?;
        let attributes = match spec.attributes {
            None => Attributes::None,
            Some(AttributesSpec::Object(column)) => Attributes::Object(self.column(&column)),
            Some(AttributesSpec::Named(named)) => Attributes::Named(
                named
                    .into_iter()
                    .map(|(name, spec)| Ok((name.clone(), self.text(&name, spec)?)))
                    .collect::<Result<_, (String, String)>>()?,
            ),
        };
        if spec.once && spec.event_id.is_none() {
            return Err((
                "an event with `once = true` has no key `event_id`".to_owned(),
                "give it an id that is the same in every row of its object".to_owned(),
            ));
        }
        Ok(Template {
            when: spec.when.map(|column| self.column(&column)),
            once: spec.once,
            event_id: self.optional("event_id", spec.event_id)?,
            revision: self.optional("revision", spec.revision)?,
            operation: self.optional("operation", spec.operation)?,
            event_type: self.text("event_type", spec.event_type)?,
            occurred_at: self.text("occurred_at", spec.occurred_at)?,
            received_at: self.optional("received_at", spec.received_at)?,
            org_id: self.text("org_id", spec.org_id)?,
            officer_ids: officer_ids.map(|text| (text, separator)),
            object_id: self.optional("object_id", spec.object_id)?,
            party_id: self.optional("party_id", spec.party_id)?,
            item_code: self.optional("item_code", spec.item_code)?,
            channel: self.optional("channel", spec.channel)?,
            attributes,
        })
    }
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

    fn compile(spec: Spec) -> Result<Self, (String, String)> {
        if spec.event.is_empty() {
            return Err((
                "the mapping has no [[event]]".to_owned(),
                "say how a row becomes an event".to_owned(),
            ));
        }
        let zone = match spec.zone.as_deref().map(zone::parse_zone) {
            Some(Err(error)) => {
                return Err((format!("key `zone`: {error}"), "mend the zone".to_owned()));
            }
            Some(Ok(zone)) => Some(zone),
            None => None,
        };
        let encoding = match spec.encoding {
            None => None,
            Some(label) => Some(Encoding::for_label(label.as_bytes()).ok_or_else(|| {
                (
                    format!("key `encoding`: `{label}` is not known"),
                    "use utf-8, gb18030 (GBK is a part of it) or another of the Encoding Standard"
                        .to_owned(),
                )
            })?),
        };
        let mut compiler = Compiler::default();
        let events =
            spec.event.into_iter().map(|event| compiler.event(event)).collect::<Result<_, _>>()?;
        let implied_org = compiler
            .optional("reference.orgs.org_id", spec.reference.orgs.map(|orgs| orgs.org_id))?;
        let implied_officer = match spec.reference.officers {
            None => None,
            Some(officers) => Some((
                compiler.text("reference.officers.officer_id", officers.officer_id)?,
                compiler.text("reference.officers.org_id", officers.org_id)?,
            )),
        };
        let required = match spec.required {
            None => compiler.columns.clone(),
            Some(required) => {
                if let Some(unknown) =
                    required.iter().find(|column| !compiler.columns.contains(column))
                {
                    return Err((
                        format!("key `required` names column `{unknown}`, which no other key uses"),
                        "remove it or use it".to_owned(),
                    ));
                }
                required
            }
        };
        Ok(Self {
            name: spec.name,
            zone,
            time_formats: spec.time_formats,
            keep_rest: spec.rest == Rest::Attributes,
            known_orgs: spec.orgs == Orgs::Known,
            max_line_bytes: spec.max_line_bytes,
            encoding,
            columns: compiler.columns,
            required,
            events,
            implied_org,
            implied_officer,
        })
    }

    /// The source's name, stored with each event.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The columns that the mapping reads, in the order of [`Row::values`].
    pub fn columns(&self) -> &[String] {
        &self.columns
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

    /// Checks a table header; an error names the columns that are not there.
    pub fn check_header(&self, file: &str, header: &[String]) -> Result<()> {
        let present: HashSet<&str> = header.iter().map(String::as_str).collect();
        let missing: Vec<_> = self
            .required
            .iter()
            .filter(|column| !present.contains(column.as_str()))
            .map(|column| format!("`{column}`"))
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
        let zone = self.zone.unwrap_or(zone);
        for (position, template) in self.events.iter().enumerate() {
            if template.when.is_some_and(|column| row.values[column] == Value::Missing) {
                continue;
            }
            let event = self.map_event(position, template, row, zone, now_micros)?;
            events.push((event, template.once));
        }
        Ok(())
    }

    fn map_event<'r>(
        &self,
        position: usize,
        template: &Template,
        row: &'r Row<'_>,
        zone: Tz,
        now_micros: i64,
    ) -> Result<Event<'r>, Refusal> {
        let occurred_micros = self
            .time("occurred_at", &template.occurred_at, row, zone)?
            .ok_or_else(|| Refusal::new(Reason::MissingTime, "occurred_at is missing"))?;
        let received_micros = match &template.received_at {
            None => now_micros,
            Some(text) => self.time("received_at", text, row, zone)?.unwrap_or(now_micros),
        };
        let event_type =
            required_text("event_type", &template.event_type, row, Reason::MissingType)?;
        let mut event = Event {
            event_id: Cow::Borrowed(""),
            revision: whole_number("revision", template.revision.as_ref(), row)?,
            operation: operation(template.operation.as_ref(), row)?,
            event_type,
            occurred_micros,
            received_micros,
            org_id: text("org_id", Some(&template.org_id), row)?,
            officer_ids: officer_ids(template.officer_ids.as_ref(), row)?,
            object_id: text("object_id", template.object_id.as_ref(), row)?,
            party_id: text("party_id", template.party_id.as_ref(), row)?,
            item_code: text("item_code", template.item_code.as_ref(), row)?,
            channel: text("channel", template.channel.as_ref(), row)?,
            attributes: self.attributes(&template.attributes, row)?,
        };
        event.event_id = match text("event_id", template.event_id.as_ref(), row)? {
            Some(event_id) => event_id,
            None => Cow::Owned(self.derived_id(position, &event)),
        };
        Ok(event)
    }

    /// The units and officers that a row implies.
    pub fn implied(&self, row: &Row<'_>, implied: &mut Vec<Implied>) {
        let plain = |source: &Text| text("", Some(source), row).ok().flatten().map(Cow::into_owned);
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

    fn time(
        &self,
        key: &str,
        source: &Text,
        row: &Row<'_>,
        zone: Tz,
    ) -> Result<Option<i64>, Refusal> {
        if let Text::Column(column) = source
            && let Value::Micros(micros) = row.values[*column]
        {
            return Ok(Some(micros));
        }
        let Some(written) = text(key, Some(source), row)? else { return Ok(None) };
        let written = written.trim();
        let read = self
            .time_formats
            .iter()
            .find_map(|format| zone::parse_time_as(written, format, zone))
            .or_else(|| zone::parse_time(written, zone));
        match read {
            Some(micros) => Ok(Some(micros)),
            None => Err(Refusal::new(
                Reason::BadTime,
                format!("{key} `{}` is not a time", short(written)),
            )),
        }
    }

    fn attributes<'r>(
        &self,
        attributes: &Attributes,
        row: &'r Row<'_>,
    ) -> Result<Option<Cow<'r, str>>, Refusal> {
        let mut object = ObjectWriter::default();
        match attributes {
            Attributes::None => {}
            Attributes::Object(column) => match &row.values[*column] {
                Value::Missing => {}
                Value::Json(json) if json.starts_with('{') => {
                    if row.rest.is_empty() && !json[1..json.len() - 1].trim_ascii().is_empty() {
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
                    if let Text::Column(column) = source {
                        object.value(name, &row.values[*column]);
                    } else if let Some(text) = text(name, Some(source), row)? {
                        object.value(name, &Value::Text(text));
                    }
                }
            }
        }
        if self.keep_rest {
            for (name, value) in &row.rest {
                object.value(name, value);
            }
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

fn short(text: &str) -> String {
    let mut shown: String = text.chars().take(60).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown
}

fn shown(value: &Value<'_>) -> String {
    match value {
        Value::Missing => "nothing".to_owned(),
        Value::Text(text) => short(text),
        Value::Json(json) => short(json),
        Value::Integer(number) | Value::Micros(number) => number.to_string(),
        Value::Texts(texts) => short(&texts.join(", ")),
    }
}

fn wrong_type(key: &str, expected: &str, found: &str) -> Refusal {
    Refusal::new(Reason::WrongType, format!("{key} should be {expected}, found `{}`", short(found)))
}

fn column_text<'r>(key: &str, value: &'r Value<'_>) -> Result<Option<Cow<'r, str>>, Refusal> {
    match value {
        Value::Missing => Ok(None),
        Value::Text(text) => Ok(Some(Cow::Borrowed(text))),
        Value::Integer(number) => Ok(Some(Cow::Owned(number.to_string()))),
        Value::Micros(micros) => Ok(Some(Cow::Owned(zone::micros_to_utc(*micros).to_rfc3339()))),
        // Numbers are common as ids; what has an inside is not a text.
        Value::Json(json) if !json.starts_with(['{', '[']) => Ok(Some(Cow::Borrowed(json))),
        Value::Json(_) | Value::Texts(_) => Err(wrong_type(key, "a text", &shown(value))),
    }
}

fn text<'r>(
    key: &str,
    source: Option<&Text>,
    row: &'r Row<'_>,
) -> Result<Option<Cow<'r, str>>, Refusal> {
    let Some(source) = source else { return Ok(None) };
    match source {
        Text::Constant(constant) => Ok(Some(Cow::Owned(constant.clone()))),
        Text::Column(column) => column_text(key, &row.values[*column]),
        Text::Values { column, values, default } => {
            let Some(written) = column_text(key, &row.values[*column])? else {
                return Ok(default.clone().map(Cow::Owned));
            };
            match values.get(written.as_ref()).or(default.as_ref()) {
                Some(mapped) => Ok(Some(Cow::Owned(mapped.clone()))),
                None => Ok(Some(written)),
            }
        }
        Text::Template(parts) => {
            let mut filled = String::new();
            for part in parts {
                match part {
                    Part::Literal(literal) => filled.push_str(literal),
                    Part::Column(column) => match column_text(key, &row.values[*column])? {
                        Some(text) => filled.push_str(&text),
                        None => return Ok(None),
                    },
                }
            }
            Ok(Some(Cow::Owned(filled)))
        }
    }
}

/// The members of a JSON array of strings, borrowed where they have no escapes.
fn json_texts(json: &str) -> Option<Vec<Cow<'_, str>>> {
    if let Ok(texts) = serde_json::from_str::<Vec<&str>>(json) {
        return Some(texts.into_iter().map(Cow::Borrowed).collect());
    }
    let texts: Vec<String> = serde_json::from_str(json).ok()?;
    Some(texts.into_iter().map(Cow::Owned).collect())
}

fn required_text<'r>(
    key: &str,
    source: &Text,
    row: &'r Row<'_>,
    reason: Reason,
) -> Result<Cow<'r, str>, Refusal> {
    text(key, Some(source), row)?.ok_or_else(|| Refusal::new(reason, format!("{key} is missing")))
}

/// A count from 0; absent is 0.
fn whole_number(key: &str, source: Option<&Text>, row: &Row<'_>) -> Result<i64, Refusal> {
    let (number, written) = match source {
        Some(Text::Column(column)) if let Value::Integer(number) = row.values[*column] => {
            (Some(number), Cow::Owned(number.to_string()))
        }
        _ => match text(key, source, row)? {
            None => return Ok(0),
            Some(written) => (written.trim().parse().ok(), written),
        },
    };
    number
        .filter(|number| *number >= 0)
        .ok_or_else(|| wrong_type(key, "a whole number from 0", &written))
}

fn operation(source: Option<&Text>, row: &Row<'_>) -> Result<Operation, Refusal> {
    match text("operation", source, row)?.as_deref() {
        None | Some("upsert") => Ok(Operation::Upsert),
        Some("delete") => Ok(Operation::Delete),
        Some(other) => Err(wrong_type("operation", "upsert or delete", other)),
    }
}

fn officer_ids<'r>(
    source: Option<&(Text, Option<String>)>,
    row: &'r Row<'_>,
) -> Result<Vec<Cow<'r, str>>, Refusal> {
    let Some((source, separator)) = source else { return Ok(Vec::new()) };
    if let Text::Column(column) = source {
        match &row.values[*column] {
            Value::Texts(texts) => return Ok(texts.clone()),
            Value::Json(json) if json.starts_with('[') => {
                return json_texts(json)
                    .ok_or_else(|| wrong_type("officer_ids", "a list of texts", json));
            }
            _ => {}
        }
    }
    let Some(written) = text("officer_ids", Some(source), row)? else { return Ok(Vec::new()) };
    match separator {
        None => Ok(vec![written]),
        Some(separator) => Ok(written
            .split(separator.as_str())
            .map(str::trim)
            .filter(|officer_id| !officer_id.is_empty())
            .map(|officer_id| Cow::Owned(officer_id.to_owned()))
            .collect()),
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
