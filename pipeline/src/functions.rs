//! SQL functions: the local day of an instant, periods of law on the calendar, fields of JSON objects.

use std::borrow::Cow;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{
    ArrayRef, AsArray, BooleanArray, Date32Array, Int64Array, StringBuilder, StructArray,
};
use arrow::compute::cast;
use arrow::datatypes::{
    DataType, Date32Type, Field, FieldRef, Fields, Int64Type, TimestampMicrosecondType,
};
use chrono_tz::Tz;
use datafusion::common::{exec_err, plan_err};
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    TypeSignature, Volatility,
};
use datafusion::prelude::SessionContext;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::calendar::WorkingDays;
use crate::zone::LocalClock;

/// Registers every function of this module.
pub(crate) fn register(context: &SessionContext, zone: Tz, calendar: &Arc<WorkingDays>) {
    context.register_udf(ScalarUDF::from(LocalDate::new(zone)));
    context.register_udf(ScalarUDF::from(JsonTexts::new()));
    context.register_udf(ScalarUDF::from(JsonShape::new()));
    for question in Question::ALL {
        context.register_udf(ScalarUDF::from(OnCalendar::new(question, Arc::clone(calendar))));
    }
}

/// `local_date(instant)`: the local day of the lake's zone that contains an instant.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct LocalDate {
    zone: Tz,
    signature: Signature,
}

impl LocalDate {
    pub(crate) fn new(zone: Tz) -> Self {
        let signature = TypeSignature::Any(1);
        Self { zone, signature: Signature::new(signature, Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for LocalDate {
    fn name(&self) -> &str {
        "local_date"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> datafusion::common::Result<DataType> {
        Ok(DataType::Date32)
    }

    fn invoke_with_args(
        &self,
        arguments: ScalarFunctionArgs,
    ) -> datafusion::common::Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&arguments.args)?;
        let instants = cast(
            &arrays[0],
            &DataType::Timestamp(arrow::datatypes::TimeUnit::Microsecond, Some("UTC".into())),
        )?;
        let mut clock = LocalClock::new(self.zone);
        let days: Date32Array = instants
            .as_primitive::<TimestampMicrosecondType>()
            .iter()
            .map(|micros| micros.map(|micros| clock.local_day(micros)))
            .collect();
        Ok(ColumnarValue::Array(Arc::new(days)))
    }
}

/// What a function asks the calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Question {
    /// `due_working_days(day, n)`: the n-th working day after a day.
    DueWorkingDays,
    /// `due_calendar_days(day, n)`: n days after a day, or the next working day if that is a day off.
    DueCalendarDays,
    /// `working_days_between(from, to)`: working days after `from`, up to and including `to`.
    WorkingDaysBetween,
    /// `is_working_day(day)`.
    IsWorkingDay,
}

impl Question {
    const ALL: [Self; 4] =
        [Self::DueWorkingDays, Self::DueCalendarDays, Self::WorkingDaysBetween, Self::IsWorkingDay];

    fn name(self) -> &'static str {
        match self {
            Self::DueWorkingDays => "due_working_days",
            Self::DueCalendarDays => "due_calendar_days",
            Self::WorkingDaysBetween => "working_days_between",
            Self::IsWorkingDay => "is_working_day",
        }
    }

    fn signature(self) -> Signature {
        use DataType::{Date32, Int64};
        let arguments = match self {
            Self::DueWorkingDays | Self::DueCalendarDays => vec![Date32, Int64],
            Self::WorkingDaysBetween => vec![Date32, Date32],
            Self::IsWorkingDay => vec![Date32],
        };
        Signature::new(TypeSignature::Exact(arguments), Volatility::Immutable)
    }
}

/// A function over days and the calendar; a day without a calendar gives NULL.
#[derive(Debug)]
struct OnCalendar {
    question: Question,
    calendar: Arc<WorkingDays>,
    signature: Signature,
}

impl PartialEq for OnCalendar {
    fn eq(&self, other: &Self) -> bool {
        self.question == other.question && Arc::ptr_eq(&self.calendar, &other.calendar)
    }
}

impl Eq for OnCalendar {}

impl Hash for OnCalendar {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.question.hash(state);
    }
}

impl OnCalendar {
    fn new(question: Question, calendar: Arc<WorkingDays>) -> Self {
        Self { question, calendar, signature: question.signature() }
    }

    fn due(&self, day: Option<i32>, count: Option<i64>) -> Option<i32> {
        let (day, count) = (day?, count?);
        match self.question {
            Question::DueWorkingDays => self.calendar.due_after(day, count),
            _ => self.calendar.rolled(i32::try_from(i64::from(day) + count).ok()?),
        }
    }
}

impl ScalarUDFImpl for OnCalendar {
    fn name(&self) -> &str {
        self.question.name()
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> datafusion::common::Result<DataType> {
        Ok(match self.question {
            Question::DueWorkingDays | Question::DueCalendarDays => DataType::Date32,
            Question::WorkingDaysBetween => DataType::Int64,
            Question::IsWorkingDay => DataType::Boolean,
        })
    }

    fn invoke_with_args(
        &self,
        arguments: ScalarFunctionArgs,
    ) -> datafusion::common::Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&arguments.args)?;
        let days = arrays[0].as_primitive::<Date32Type>();
        let answer: ArrayRef = match self.question {
            Question::DueWorkingDays | Question::DueCalendarDays => {
                let counts = arrays[1].as_primitive::<Int64Type>();
                let pairs = days.iter().zip(counts);
                Arc::new(pairs.map(|(day, count)| self.due(day, count)).collect::<Date32Array>())
            }
            Question::WorkingDaysBetween => {
                let ends = arrays[1].as_primitive::<Date32Type>();
                let between =
                    |(from, to): (Option<i32>, Option<i32>)| self.calendar.between(from?, to?);
                Arc::new(days.iter().zip(ends).map(between).collect::<Int64Array>())
            }
            Question::IsWorkingDay => {
                let works = |day: Option<i32>| self.calendar.is_working_day(day?);
                Arc::new(days.iter().map(works).collect::<BooleanArray>())
            }
        };
        Ok(ColumnarValue::Array(answer))
    }
}

/// `json_texts(object, 'key', 'other', …)`: fields of a JSON object as a struct of texts, found in one
/// pass. A string is its content, another value its JSON; what is missing or null is NULL, and so is
/// every field of a text that is no object.
#[derive(Debug, PartialEq, Eq, Hash)]
struct JsonTexts {
    signature: Signature,
}

impl JsonTexts {
    fn new() -> Self {
        Self { signature: Signature::variadic_any(Volatility::Immutable) }
    }
}

fn text_fields<'k>(keys: impl Iterator<Item = &'k str>) -> Fields {
    keys.map(|key| Field::new(key, DataType::Utf8, true)).collect()
}

impl ScalarUDFImpl for JsonTexts {
    fn name(&self) -> &str {
        "json_texts"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> datafusion::common::Result<DataType> {
        plan_err!("json_texts needs its keys to know its type")
    }

    fn return_field_from_args(
        &self,
        arguments: ReturnFieldArgs<'_>,
    ) -> datafusion::common::Result<FieldRef> {
        let keys: Option<Vec<&str>> = arguments
            .scalar_arguments
            .iter()
            .skip(1)
            .map(|key| key.and_then(|key| key.try_as_str()).flatten())
            .collect();
        match keys {
            Some(keys) if !keys.is_empty() => {
                let fields = text_fields(keys.into_iter());
                Ok(Arc::new(Field::new(self.name(), DataType::Struct(fields), true)))
            }
            _ => plan_err!(
                "json_texts takes a text and then keys, as in json_texts(attributes, 'kind')"
            ),
        }
    }

    fn invoke_with_args(
        &self,
        arguments: ScalarFunctionArgs,
    ) -> datafusion::common::Result<ColumnarValue> {
        let DataType::Struct(fields) = arguments.return_field.data_type().clone() else {
            return exec_err!("json_texts gives a struct");
        };
        let objects = arguments.args[0].to_array(arguments.number_rows)?;
        let objects = cast(&objects, &DataType::Utf8)?;
        let keys: Vec<&str> = fields.iter().map(|field| field.name().as_str()).collect();
        let mut columns: Vec<StringBuilder> = keys.iter().map(|_| StringBuilder::new()).collect();
        let mut found: Vec<Option<Cow<'_, str>>> = vec![None; keys.len()];
        for object in objects.as_string::<i32>() {
            found.fill(None);
            if let Some(object) = object {
                let mut reader = serde_json::Deserializer::from_str(object);
                // What is no object has no field.
                let _ = FieldsOf { keys: &keys, found: &mut found }.deserialize(&mut reader);
            }
            for (column, text) in columns.iter_mut().zip(&found) {
                column.append_option(text.as_deref());
            }
        }
        let columns = columns.iter_mut().map(|column| -> ArrayRef { Arc::new(column.finish()) });
        let columns = columns.collect();
        Ok(ColumnarValue::Array(Arc::new(StructArray::try_new(fields, columns, None)?)))
    }
}

/// Reads an object and keeps the texts of some fields.
struct FieldsOf<'k, 'f, 'de> {
    keys: &'k [&'k str],
    found: &'f mut [Option<Cow<'de, str>>],
}

impl<'de> DeserializeSeed<'de> for FieldsOf<'_, '_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for FieldsOf<'_, '_, 'de> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<Cow<'de, str>>()? {
            match self.keys.iter().position(|wanted| *wanted == key) {
                Some(place) => {
                    let raw = map.next_value::<&'de RawValue>()?;
                    self.found[place] = text_of(raw.get());
                }
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }
}

/// `json_shape(object)`: the filled fields of a JSON object and what each looks like, in the order of their names, as in
/// `attributes.fine_fen:number,attributes.kind:text`; NULL where nothing is filled.
///
/// A text that reads as a number, a day or a flag counts as one, since CSV knows texts only. What is null or empty is not
/// filled. Numbers in a name become `#`, so that names which hold an id are one name.
#[derive(Debug, PartialEq, Eq, Hash)]
struct JsonShape {
    signature: Signature,
}

/// More fields of one object than these are not told of.
const SHAPE_FIELDS_MAX: usize = 200;

impl JsonShape {
    fn new() -> Self {
        Self { signature: Signature::new(TypeSignature::Any(1), Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for JsonShape {
    fn name(&self) -> &str {
        "json_shape"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> datafusion::common::Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn invoke_with_args(
        &self,
        arguments: ScalarFunctionArgs,
    ) -> datafusion::common::Result<ColumnarValue> {
        let objects = arguments.args[0].to_array(arguments.number_rows)?;
        let objects = cast(&objects, &DataType::Utf8)?;
        let mut shapes = StringBuilder::new();
        let mut fields = Vec::new();
        for object in objects.as_string::<i32>() {
            fields.clear();
            if let Some(object) = object {
                let mut reader = serde_json::Deserializer::from_str(object);
                // What is no object has no field.
                let _ = ShapeOf(&mut fields).deserialize(&mut reader);
            }
            fields.sort_unstable();
            fields.dedup();
            shapes.append_option((!fields.is_empty()).then(|| fields.join(",")));
        }
        Ok(ColumnarValue::Array(Arc::new(shapes.finish())))
    }
}

/// Reads an object and says of each field what it looks like.
struct ShapeOf<'f>(&'f mut Vec<String>);

impl<'de> DeserializeSeed<'de> for ShapeOf<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for ShapeOf<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<Cow<'de, str>>()? {
            let raw = map.next_value::<&'de RawValue>()?;
            if let Some(kind) = kind_of(raw.get())
                && self.0.len() < SHAPE_FIELDS_MAX
            {
                self.0.push(format!("attributes.{}:{kind}", plain_name(&key)));
            }
        }
        Ok(())
    }
}

/// A name without what separates names and kinds, and with numbers of three digits and more as `#`.
fn plain_name(key: &str) -> String {
    let mut name = String::with_capacity(key.len());
    let mut digits = 0;
    for letter in key.chars().take(100) {
        let letter = if matches!(letter, ',' | ':') { '_' } else { letter };
        digits = if letter.is_ascii_digit() { digits + 1 } else { 0 };
        match digits {
            0..=2 => name.push(letter),
            3 => {
                name.truncate(name.len() - 2);
                name.push('#');
            }
            _ => {}
        }
    }
    name
}

/// What a JSON value looks like; `None` when it is null or empty.
fn kind_of(raw: &str) -> Option<&'static str> {
    match raw.as_bytes().first()? {
        b'"' => kind_of_text(raw[1..raw.len() - 1].trim()),
        b'[' => Some("list"),
        b'{' => Some("object"),
        b't' | b'f' => Some("boolean"),
        b'n' => None,
        _ => Some("number"),
    }
}

fn kind_of_text(text: &str) -> Option<&'static str> {
    let bytes = text.as_bytes();
    let is_day = bytes.len() >= 8
        && bytes[..4].iter().all(u8::is_ascii_digit)
        && matches!(bytes[4], b'-' | b'/')
        && bytes[5].is_ascii_digit();
    let is_number = || {
        let unsigned = text.strip_prefix('-').unwrap_or(text);
        let is_digits =
            |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        let (whole, rest) = unsigned.split_once('.').unwrap_or((unsigned, "0"));
        is_digits(whole) && is_digits(rest)
    };
    match text {
        "" => None,
        "true" | "false" => Some("boolean"),
        _ if is_day => Some("date"),
        _ if is_number() => Some("number"),
        _ => Some("text"),
    }
}

fn text_of(raw: &str) -> Option<Cow<'_, str>> {
    match raw.as_bytes().first() {
        Some(b'"') if !raw.contains('\\') => Some(Cow::Borrowed(&raw[1..raw.len() - 1])),
        Some(b'"') => serde_json::from_str::<String>(raw).ok().map(Cow::Owned),
        _ if raw == "null" => None,
        _ => Some(Cow::Borrowed(raw)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(object: &str, expected: [Option<&str>; 3]) {
        let keys = ["kind", "n", "list"];
        let mut found = vec![None; 3];
        let mut reader = serde_json::Deserializer::from_str(object);
        let _ = FieldsOf { keys: &keys, found: &mut found }.deserialize(&mut reader);
        let found: Vec<Option<&str>> = found.iter().map(Option::as_deref).collect();
        assert_eq!(found, expected, "{object}");
    }

    #[test]
    fn a_shape_says_what_is_filled_and_what_it_looks_like() {
        let shape = |object: &str| {
            let mut fields = Vec::new();
            let mut reader = serde_json::Deserializer::from_str(object);
            let _ = ShapeOf(&mut fields).deserialize(&mut reader);
            fields.sort_unstable();
            fields.join(",").replace("attributes.", "")
        };
        let object = r#"{"b":"1.50","a":-2,"day":"2024/3/5","at":"2024-03-05T09:00:00","no":null,"none":" ","yes":"true",
            "list":[],"part":{},"text":"1.5万元","case-20240001:x":1,"a,b":"5-1"}"#;
        assert_eq!(
            shape(object),
            "a:number,a_b:text,at:date,b:number,case-#_x:number,day:date,list:list,part:object,text:text,yes:boolean"
        );
        assert_eq!(shape("[1]"), "");
        assert_eq!(shape(""), "");
    }

    #[test]
    fn fields_are_texts_whatever_they_were_in_json() {
        check(
            r#"{"other":{"n":1},"kind":"routine","n":2,"list":["罚款"]}"#,
            [Some("routine"), Some("2"), Some(r#"["罚款"]"#)],
        );
        check(r#"{"kind":"a\"b","n":null,"list":true}"#, [Some("a\"b"), None, Some("true")]);
        check("[1]", [None, None, None]);
        check("", [None, None, None]);
    }
}
