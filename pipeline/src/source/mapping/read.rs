//! Reads one value of an event out of a row.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use chrono_tz::Tz;

use super::amount::{self, Unit, half_width};
use super::times::{self, Times};
use super::{Row, Value, codes};
use crate::event::{Reason, Refusal};
use crate::zone;

/// Hexadecimal digits of a pseudonym: 96 bits, so that a million persons never share one.
const PSEUDONYM_DIGITS: usize = 24;

/// Where a text comes from.
#[derive(Debug, Clone)]
pub(super) enum Text {
    Constant(String),
    Column(usize),
    Template(Vec<Part>),
    Converted(Box<Conversion>),
    /// The first that is filled.
    First(Vec<Text>),
}

#[derive(Debug, Clone)]
pub(super) enum Part {
    Literal(String),
    Column(usize),
}

/// What is made of a text, in the order of the fields.
#[derive(Debug, Clone)]
pub(super) struct Conversion {
    pub(super) source: Text,
    pub(super) document_no: bool,
    /// Only this many characters from the start.
    pub(super) first: Option<usize>,
    /// What parts a text that is a list.
    pub(super) separators: Vec<String>,
    pub(super) values: HashMap<String, String>,
    /// Whether a text that is not among the values is dropped.
    pub(super) drops_others: bool,
    /// For texts that are missing or not among the values.
    pub(super) default: Option<String>,
    /// For any text that is there.
    pub(super) filled: Option<String>,
    pub(super) pseudonym: Option<Pseudonym>,
    pub(super) number: Option<Number>,
}

#[derive(Debug, Clone)]
pub(super) struct Pseudonym {
    pub(super) prefix: String,
    /// Whether a right 统一社会信用代码, which is no secret, stays as it is.
    pub(super) keeps_uscc: bool,
}

/// What is read out of a text.
#[derive(Debug, Clone, Copy)]
pub(super) enum Number {
    /// Whole 分.
    Amount(Unit),
    /// A local day as `2024-03-05`.
    Day,
    /// A time as seconds since 1970.
    EpochSeconds,
}

impl Conversion {
    pub(super) fn changes_nothing(&self) -> bool {
        self.only_splits() && self.separators.is_empty()
    }

    fn only_splits(&self) -> bool {
        !self.document_no
            && self.first.is_none()
            && self.values.is_empty()
            && !self.drops_others
            && self.default.is_none()
            && self.filled.is_none()
            && self.pseudonym.is_none()
            && self.number.is_none()
    }
}

/// A column that is filled, and with what.
#[derive(Debug, Clone)]
pub(super) struct Condition {
    pub(super) column: usize,
    pub(super) is: Option<HashSet<String>>,
    pub(super) is_not: Option<HashSet<String>>,
}

/// Whether all conditions hold in a row.
pub(super) fn all_hold(conditions: &[Condition], row: &Row<'_>) -> Result<bool, Refusal> {
    for condition in conditions {
        let value = &row.values[condition.column];
        if *value == Value::Missing {
            return Ok(false);
        }
        if condition.is.is_none() && condition.is_not.is_none() {
            continue;
        }
        let text = column_text("when", value)?.unwrap_or_default();
        let among = |codes: &Option<HashSet<String>>| {
            codes.as_ref().map(|codes| codes.contains(text.as_ref()))
        };
        if among(&condition.is) == Some(false) || among(&condition.is_not) == Some(true) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// How the rows of a source are read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reading<'m> {
    pub(super) zone: Tz,
    pub(super) formats: &'m [String],
    pub(super) times: Times,
    /// What pseudonyms are made with.
    pub(super) key: &'m [u8; 32],
}

impl Reading<'_> {
    /// The text of an event's value; absent where its column is empty.
    pub(super) fn text<'r>(
        &self,
        key: &str,
        source: &Text,
        row: &'r Row<'_>,
    ) -> Result<Option<Cow<'r, str>>, Refusal> {
        match source {
            Text::Constant(constant) => Ok(Some(Cow::Owned(constant.clone()))),
            Text::Column(column) => column_text(key, &row.values[*column]),
            Text::Template(parts) => filled(key, parts, row),
            Text::First(sources) => {
                for source in sources {
                    if let Some(text) = self.text(key, source, row)? {
                        return Ok(Some(text));
                    }
                }
                Ok(None)
            }
            Text::Converted(conversion) => match self.converted(key, conversion, row)? {
                Value::Missing => Ok(None),
                Value::Text(text) => Ok(Some(text)),
                Value::Integer(number) => Ok(Some(Cow::Owned(number.to_string()))),
                other => Err(wrong_type(key, "a text", &shown(&other))),
            },
        }
    }

    /// The value of an attribute, in the type that it has in the row or is read as.
    pub(super) fn value<'r>(
        &self,
        key: &str,
        source: &Text,
        row: &'r Row<'_>,
    ) -> Result<Value<'r>, Refusal> {
        match source {
            Text::Column(column) => Ok(row.values[*column].clone()),
            Text::Converted(conversion) => self.converted(key, conversion, row),
            Text::First(sources) => {
                for source in sources {
                    let value = self.value(key, source, row)?;
                    if value != Value::Missing {
                        return Ok(value);
                    }
                }
                Ok(Value::Missing)
            }
            Text::Constant(_) | Text::Template(_) => {
                Ok(self.text(key, source, row)?.map_or(Value::Missing, Value::Text))
            }
        }
    }

    /// The texts of a list: those of a JSON array, or of a text that its separator parts.
    pub(super) fn texts<'r>(
        &self,
        key: &str,
        source: &Text,
        row: &'r Row<'_>,
    ) -> Result<Vec<Cow<'r, str>>, Refusal> {
        match self.value(key, source, row)? {
            Value::Missing => Ok(Vec::new()),
            Value::Texts(texts) => Ok(texts),
            Value::Json(json) if json.starts_with('[') => {
                json_texts(json).ok_or_else(|| wrong_type(key, "a list of texts", json))
            }
            Value::Text(text) => Ok(vec![text]),
            Value::Json(json) if !json.starts_with('{') => Ok(vec![Cow::Borrowed(json)]),
            Value::Integer(number) => Ok(vec![Cow::Owned(number.to_string())]),
            Value::Micros(micros) => Ok(vec![Cow::Owned(zone::micros_to_utc(micros).to_rfc3339())]),
            Value::Json(json) => Err(wrong_type(key, "a text", &short(json))),
        }
    }

    /// The instant of a time, microseconds UTC; absent where its column is empty.
    pub(super) fn time(
        &self,
        key: &str,
        source: &Text,
        row: &Row<'_>,
    ) -> Result<Option<i64>, Refusal> {
        if let Text::First(sources) = source {
            for source in sources {
                if let Some(micros) = self.time(key, source, row)? {
                    return Ok(Some(micros));
                }
            }
            return Ok(None);
        }
        if let Text::Column(column) = source
            && let Value::Micros(micros) = row.values[*column]
        {
            return Ok(Some(micros));
        }
        let Some(written) = self.text(key, source, row)? else { return Ok(None) };
        self.parse_time(key, &written).map(Some)
    }

    fn parse_time(&self, key: &str, written: &str) -> Result<i64, Refusal> {
        let written = written.trim();
        self.formats
            .iter()
            .find_map(|format| zone::parse_time_as(written, format, self.zone))
            .or_else(|| zone::parse_time(written, self.zone))
            .or_else(|| times::parse(written, self.times, self.zone))
            .ok_or_else(|| {
                let detail = format!("{key} `{}` is not a time", short(written));
                Refusal::new(Reason::BadTime, detail)
            })
    }

    /// Whether the time of one column lies before that of another; of days, where one of them is a day alone. Times that
    /// are missing or cannot be read are before nothing.
    pub(super) fn is_before(&self, column: usize, other: usize, row: &Row<'_>) -> bool {
        let time = |column| self.time("", &Text::Column(column), row).ok().flatten();
        let (Some(time), Some(other)) = (time(column), time(other)) else { return false };
        let day = |micros| zone::local_date(self.zone, zone::micros_to_utc(micros));
        let is_day =
            |micros| zone::start_of_day(self.zone, day(micros)).timestamp_micros() == micros;
        if is_day(time) || is_day(other) { day(time) < day(other) } else { time < other }
    }

    fn converted<'r>(
        &self,
        key: &str,
        conversion: &Conversion,
        row: &'r Row<'_>,
    ) -> Result<Value<'r>, Refusal> {
        let is_list = !conversion.separators.is_empty();
        let listed = match &conversion.source {
            Text::Column(column) if is_list => match &row.values[*column] {
                Value::Texts(texts) => Some(texts.clone()),
                Value::Json(json) if json.starts_with('[') => {
                    Some(json_texts(json).ok_or_else(|| wrong_type(key, "a list of texts", json))?)
                }
                _ => None,
            },
            _ => None,
        };
        if let Some(mut texts) = listed {
            if !conversion.only_splits() {
                texts = texts.into_iter().filter_map(|text| self.made(conversion, text)).collect();
            }
            return Ok(Value::Texts(texts));
        }
        let Some(written) = self.text(key, &conversion.source, row)? else {
            return Ok(conversion.default.clone().map_or(Value::Missing, |text| {
                if is_list { Value::Texts(vec![text.into()]) } else { Value::Text(text.into()) }
            }));
        };
        if is_list {
            let texts: Vec<_> = split(&written, &conversion.separators)
                .into_iter()
                .filter_map(|part| self.made(conversion, Cow::Owned(part.to_owned())))
                .collect();
            return Ok(if texts.is_empty() { Value::Missing } else { Value::Texts(texts) });
        }
        let Some(text) = self.made(conversion, written) else { return Ok(Value::Missing) };
        match conversion.number {
            None => Ok(Value::Text(text)),
            Some(number) => self.number(key, number, &text),
        }
    }

    /// One text as the conversion makes it.
    fn made<'r>(&self, conversion: &Conversion, written: Cow<'r, str>) -> Option<Cow<'r, str>> {
        if let Some(filled) = &conversion.filled {
            return Some(Cow::Owned(filled.clone()));
        }
        let mut text = written;
        if conversion.document_no {
            text = Cow::Owned(codes::document_no(&text));
        }
        if let Some(length) = conversion.first {
            text = Cow::Owned(text.chars().take(length).collect());
        }
        match conversion.values.get(text.as_ref()).or(conversion.default.as_ref()) {
            Some(mapped) => text = Cow::Owned(mapped.clone()),
            None if conversion.drops_others => return None,
            None => {}
        }
        match &conversion.pseudonym {
            Some(pseudonym) => Some(Cow::Owned(self.pseudonym(pseudonym, &text))),
            None => Some(text),
        }
    }

    /// The pseudonym of a name or number, however its width, case and blanks are written.
    fn pseudonym(&self, pseudonym: &Pseudonym, text: &str) -> String {
        let plain: String = text
            .chars()
            .map(half_width)
            .filter(|character| !character.is_whitespace())
            .flat_map(char::to_uppercase)
            .collect();
        // A number that might be a person's is one, whatever else it might be.
        if pseudonym.keeps_uscc && codes::is_uscc(&plain) && !codes::is_id_card(&plain) {
            return plain;
        }
        let mut hasher = blake3::Hasher::new_keyed(self.key);
        // Apart from what readers see instead of ids, which is made with the same key.
        hasher.update(b"landed").update(&[0]);
        hasher.update(pseudonym.prefix.as_bytes()).update(&[0]).update(plain.as_bytes());
        format!("{}-{}", pseudonym.prefix, &hasher.finalize().to_hex()[..PSEUDONYM_DIGITS])
    }

    fn number<'r>(&self, key: &str, number: Number, text: &str) -> Result<Value<'r>, Refusal> {
        match number {
            Number::Amount(unit) => {
                amount::fen(text, unit).map(Value::Integer).map_err(|problem| {
                    Refusal::new(Reason::BadAmount, format!("{key} `{}` {problem}", short(text)))
                })
            }
            Number::Day => {
                let micros = self.parse_time(key, text)?;
                let day = zone::local_date(self.zone, zone::micros_to_utc(micros));
                Ok(Value::Text(Cow::Owned(day.to_string())))
            }
            Number::EpochSeconds => {
                Ok(Value::Integer(self.parse_time(key, text)?.div_euclid(1_000_000)))
            }
        }
    }
}

fn filled<'r>(key: &str, parts: &[Part], row: &Row<'_>) -> Result<Option<Cow<'r, str>>, Refusal> {
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

/// The parts of a text between separators, without blanks and empty ones; the whole where there are none.
pub(super) fn split<'t>(text: &'t str, separators: &[String]) -> Vec<&'t str> {
    let mut parts = vec![text];
    for separator in separators {
        parts = parts.into_iter().flat_map(|part| part.split(separator.as_str())).collect();
    }
    if separators.is_empty() {
        return parts;
    }
    parts.into_iter().map(str::trim).filter(|part| !part.is_empty()).collect()
}

/// The beginning of a text for a message.
pub(super) fn short(text: &str) -> String {
    let mut shown: String = text.chars().take(60).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown
}

/// A value for a message.
pub(super) fn shown(value: &Value<'_>) -> String {
    match value {
        Value::Missing => "nothing".to_owned(),
        Value::Text(text) => short(text),
        Value::Json(json) => short(json),
        Value::Integer(number) | Value::Micros(number) => number.to_string(),
        Value::Texts(texts) => short(&texts.join(", ")),
    }
}

pub(super) fn wrong_type(key: &str, expected: &str, found: &str) -> Refusal {
    Refusal::new(Reason::WrongType, format!("{key} should be {expected}, found `{}`", short(found)))
}

pub(super) fn column_text<'r>(
    key: &str,
    value: &'r Value<'_>,
) -> Result<Option<Cow<'r, str>>, Refusal> {
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

/// The members of a JSON array of strings, borrowed where they have no escapes.
fn json_texts(json: &str) -> Option<Vec<Cow<'_, str>>> {
    if let Ok(texts) = serde_json::from_str::<Vec<&str>>(json) {
        return Some(texts.into_iter().map(Cow::Borrowed).collect());
    }
    let texts: Vec<String> = serde_json::from_str(json).ok()?;
    Some(texts.into_iter().map(Cow::Owned).collect())
}
