//! Values of parameters as clients send them.

use std::sync::Arc;

use ::pgwire::api::Type;
use arrow::datatypes::{DataType, Field, IntervalMonthDayNano, IntervalUnit, TimeUnit};
use bytes::{Buf, Bytes};
use chrono_tz::Tz;
use datafusion::scalar::ScalarValue;

use super::failure::{Failure, code};
use super::types::{kind_of, written_as};
use super::values::{EPOCH_DAYS, EPOCH_MICROSECONDS, is_time_of_day};
use super::wire::Format;

/// The PostgreSQL type `unknown`, by which a client leaves the type to the server.
const UNKNOWN: u32 = 705;

/// What is known of a parameter's type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Parameter {
    pub(super) kind: Type,
    /// The type that the statement wants, where the client has not chosen one.
    wanted: Option<DataType>,
}

impl Parameter {
    /// The client's choice comes before what the statement tells; what neither knows is text.
    pub(super) fn new(chosen: Option<u32>, told: Option<&DataType>) -> Result<Self, Failure> {
        match chosen.filter(|oid| !matches!(*oid, 0 | UNKNOWN)) {
            Some(oid) => {
                match Type::from_oid(oid).filter(|kind| natural(kind, Tz::UTC).is_some()) {
                    Some(kind) => Ok(Self { kind, wanted: None }),
                    None => Err(Failure::error(
                        code::FEATURE_NOT_SUPPORTED,
                        format!("parameters of the type with OID {oid} are not supported"),
                    )),
                }
            }
            None => {
                let told = told.filter(|told| **told != DataType::Null);
                let kind = told.map_or(Type::TEXT, |told| kind_of(&written_as(told)));
                // A parameter of a nested type comes as the text that JSON is, which the engine has to take as such.
                let wanted = told.filter(|_| kind != Type::JSON).cloned();
                Ok(Self { kind, wanted })
            }
        }
    }

    /// Reads a value; `place` is the parameter's number.
    pub(super) fn read(
        &self,
        place: usize,
        format: Format,
        value: Option<&Bytes>,
        zone: Tz,
    ) -> Result<ScalarValue, Failure> {
        let Some(value) = value else { return self.null(zone) };
        let (read, code) = match format {
            Format::Text => (self.read_text(value, zone), code::INVALID_TEXT),
            Format::Binary => (self.read_binary(value, zone), code::INVALID_BINARY),
        };
        read.map_err(|wrong| {
            let message = format!("parameter ${place} is no valid {}: {wrong}", self.kind);
            Failure::error(code, message)
        })
    }

    /// No value, but of the parameter's type.
    pub(super) fn null(&self, zone: Tz) -> Result<ScalarValue, Failure> {
        let arrow =
            self.wanted.clone().or_else(|| natural(&self.kind, zone)).unwrap_or(DataType::Utf8);
        ScalarValue::try_from(&arrow)
            .map_err(|error| Failure::error(code::FEATURE_NOT_SUPPORTED, error.strip_backtrace()))
    }

    fn read_text(&self, value: &Bytes, zone: Tz) -> Result<ScalarValue, String> {
        let text = std::str::from_utf8(value).map_err(|_| "it is not UTF-8".to_owned())?;
        self.as_wanted(text_value(&self.kind, text, zone)?)
    }

    fn read_binary(&self, value: &Bytes, zone: Tz) -> Result<ScalarValue, String> {
        self.as_wanted(binary_value(&self.kind, value.clone(), zone)?)
    }

    fn as_wanted(&self, value: ScalarValue) -> Result<ScalarValue, String> {
        match &self.wanted {
            Some(wanted) if value.data_type() != *wanted => {
                value.cast_to(wanted).map_err(|error| error.strip_backtrace())
            }
            _ => Ok(value),
        }
    }
}

/// The Arrow type of a PostgreSQL type's values; `None` for types that are not supported.
fn natural(kind: &Type, zone: Tz) -> Option<DataType> {
    if let Some(item) = item_of(kind) {
        return Some(DataType::List(Arc::new(Field::new_list_field(natural(&item, zone)?, true))));
    }
    Some(match *kind {
        Type::BOOL => DataType::Boolean,
        Type::INT2 => DataType::Int16,
        Type::INT4 => DataType::Int32,
        Type::INT8 | Type::OID => DataType::Int64,
        Type::FLOAT4 => DataType::Float32,
        Type::FLOAT8 => DataType::Float64,
        // Each value has its own precision; this one is for nulls and for items of arrays.
        Type::NUMERIC => DataType::Decimal128(38, 10),
        Type::TEXT
        | Type::VARCHAR
        | Type::BPCHAR
        | Type::NAME
        | Type::UUID
        | Type::JSON
        | Type::JSONB => DataType::Utf8,
        Type::BYTEA => DataType::Binary,
        Type::DATE => DataType::Date32,
        Type::TIME => DataType::Time64(TimeUnit::Microsecond),
        Type::TIMESTAMP => DataType::Timestamp(TimeUnit::Microsecond, None),
        Type::TIMESTAMPTZ => DataType::Timestamp(TimeUnit::Microsecond, Some(zone.name().into())),
        Type::INTERVAL => DataType::Interval(IntervalUnit::MonthDayNano),
        _ => return None,
    })
}

fn item_of(kind: &Type) -> Option<Type> {
    Some(match *kind {
        Type::BOOL_ARRAY => Type::BOOL,
        Type::INT2_ARRAY => Type::INT2,
        Type::INT4_ARRAY => Type::INT4,
        Type::INT8_ARRAY => Type::INT8,
        Type::FLOAT4_ARRAY => Type::FLOAT4,
        Type::FLOAT8_ARRAY => Type::FLOAT8,
        Type::NUMERIC_ARRAY => Type::NUMERIC,
        Type::TEXT_ARRAY => Type::TEXT,
        Type::VARCHAR_ARRAY => Type::VARCHAR,
        Type::UUID_ARRAY => Type::UUID,
        Type::BYTEA_ARRAY => Type::BYTEA,
        Type::DATE_ARRAY => Type::DATE,
        Type::TIME_ARRAY => Type::TIME,
        Type::TIMESTAMP_ARRAY => Type::TIMESTAMP,
        Type::TIMESTAMPTZ_ARRAY => Type::TIMESTAMPTZ,
        Type::INTERVAL_ARRAY => Type::INTERVAL,
        _ => return None,
    })
}

fn text_value(kind: &Type, text: &str, zone: Tz) -> Result<ScalarValue, String> {
    fn parse<T: std::str::FromStr>(text: &str) -> Result<T, String> {
        text.trim().parse().map_err(|_| format!("`{text}`"))
    }
    if let Some(item) = item_of(kind) {
        let items = array_items(text).ok_or_else(|| format!("`{text}`"))?;
        let items = items
            .into_iter()
            .map(|text| text.map(|text| text_value(&item, &text, zone)).transpose());
        return list(&item, zone, items.collect::<Result<_, _>>()?);
    }
    Ok(match *kind {
        Type::BOOL => match text.trim().to_ascii_lowercase().as_str() {
            "t" | "true" | "y" | "yes" | "on" | "1" => ScalarValue::from(true),
            "f" | "false" | "n" | "no" | "off" | "0" => ScalarValue::from(false),
            _ => return Err(format!("`{text}`")),
        },
        Type::INT2 => ScalarValue::from(parse::<i16>(text)?),
        Type::INT4 => ScalarValue::from(parse::<i32>(text)?),
        Type::INT8 | Type::OID => ScalarValue::from(parse::<i64>(text)?),
        Type::FLOAT4 => ScalarValue::from(parse::<f32>(text)?),
        Type::FLOAT8 => ScalarValue::from(parse::<f64>(text)?),
        Type::NUMERIC => decimal(text.trim())?,
        Type::BYTEA => ScalarValue::Binary(Some(bytes_of_text(text)?)),
        Type::INTERVAL => {
            let interval = DataType::Interval(IntervalUnit::MonthDayNano);
            let text = ScalarValue::from(interval_in_units(text));
            text.cast_to(&interval).map_err(|error| error.strip_backtrace())?
        }
        _ => {
            let text = ScalarValue::from(text);
            match natural(kind, zone) {
                None | Some(DataType::Utf8) => text,
                // A time without an offset is one of the zone that the type names.
                Some(arrow) => text.cast_to(&arrow).map_err(|error| error.strip_backtrace())?,
            }
        }
    })
}

fn binary_value(kind: &Type, mut value: Bytes, zone: Tz) -> Result<ScalarValue, String> {
    if let Some(item) = item_of(kind) {
        let items = binary_items(&item, value, zone)?;
        return list(&item, zone, items);
    }
    let length = match *kind {
        Type::BOOL => Some(1),
        Type::INT2 => Some(2),
        Type::INT4 | Type::OID | Type::FLOAT4 | Type::DATE => Some(4),
        Type::INT8 | Type::FLOAT8 | Type::TIME | Type::TIMESTAMP | Type::TIMESTAMPTZ => Some(8),
        Type::INTERVAL | Type::UUID => Some(16),
        _ => None,
    };
    if length.is_some_and(|length| length != value.len()) {
        return Err(format!("it has {} bytes", value.len()));
    }
    let range = || "it is out of range".to_owned();
    let zone = || Some(zone.name().into());
    Ok(match *kind {
        Type::BOOL => ScalarValue::from(value.get_u8() != 0),
        Type::INT2 => ScalarValue::from(value.get_i16()),
        Type::INT4 => ScalarValue::from(value.get_i32()),
        Type::OID => ScalarValue::from(i64::from(value.get_u32())),
        Type::INT8 => ScalarValue::from(value.get_i64()),
        Type::FLOAT4 => ScalarValue::from(value.get_f32()),
        Type::FLOAT8 => ScalarValue::from(value.get_f64()),
        Type::NUMERIC => decimal(&numeric_text(value)?)?,
        Type::BYTEA => ScalarValue::Binary(Some(value.to_vec())),
        Type::DATE => {
            ScalarValue::Date32(Some(value.get_i32().checked_add(EPOCH_DAYS).ok_or_else(range)?))
        }
        Type::TIME => {
            let time = Some(value.get_i64()).filter(|time| is_time_of_day(*time));
            ScalarValue::Time64Microsecond(Some(time.ok_or_else(range)?))
        }
        Type::TIMESTAMP | Type::TIMESTAMPTZ => {
            let since = value.get_i64().checked_add(EPOCH_MICROSECONDS).ok_or_else(range)?;
            let zone = if *kind == Type::TIMESTAMP { None } else { zone() };
            ScalarValue::TimestampMicrosecond(Some(since), zone)
        }
        Type::INTERVAL => {
            let nanoseconds = value.get_i64().checked_mul(1000).ok_or_else(range)?;
            let (days, months) = (value.get_i32(), value.get_i32());
            let interval = IntervalMonthDayNano { months, days, nanoseconds };
            ScalarValue::IntervalMonthDayNano(Some(interval))
        }
        Type::UUID => ScalarValue::from(uuid::Uuid::from_u128(value.get_u128()).to_string()),
        _ => {
            if *kind == Type::JSONB && value.first() == Some(&1) {
                value.advance(1);
            }
            let text =
                String::from_utf8(value.to_vec()).map_err(|_| "it is not UTF-8".to_owned())?;
            ScalarValue::from(text)
        }
    })
}

fn list(item: &Type, zone: Tz, items: Vec<Option<ScalarValue>>) -> Result<ScalarValue, String> {
    let arrow = natural(item, zone).ok_or_else(|| format!("there are no arrays of {item}"))?;
    let of_item = |value: Option<ScalarValue>| match value {
        Some(value) if value.data_type() == arrow => Ok(value),
        Some(value) => value.cast_to(&arrow),
        None => ScalarValue::try_from(&arrow),
    };
    let items = items.into_iter().map(of_item).collect::<Result<Vec<_>, _>>();
    let items = items.map_err(|error| error.strip_backtrace())?;
    Ok(ScalarValue::List(ScalarValue::new_list_nullable(&items, &arrow)))
}

/// The items of a binary array of one dimension.
fn binary_items(
    item: &Type,
    mut value: Bytes,
    zone: Tz,
) -> Result<Vec<Option<ScalarValue>>, String> {
    let short = || "it ends too early".to_owned();
    let word =
        |value: &mut Bytes| (value.remaining() >= 4).then(|| value.get_i32()).ok_or_else(short);
    let (dimensions, _has_nulls, _item) = (word(&mut value)?, word(&mut value)?, word(&mut value)?);
    if dimensions == 0 {
        return Ok(Vec::new());
    }
    if dimensions != 1 {
        return Err("it has more than one dimension".to_owned());
    }
    let (count, _first) = (word(&mut value)?, word(&mut value)?);
    let mut items = Vec::new();
    for _ in 0..count {
        let Ok(length) = usize::try_from(word(&mut value)?) else {
            items.push(None);
            continue;
        };
        if value.remaining() < length {
            return Err(short());
        }
        items.push(Some(binary_value(item, value.split_to(length), zone)?));
    }
    Ok(items)
}

/// The items of an array of one dimension as text, like `{a,NULL,"b c"}`.
fn array_items(text: &str) -> Option<Vec<Option<String>>> {
    let inner = text.trim().strip_prefix('{')?.strip_suffix('}')?;
    let mut items = Vec::new();
    let mut characters = inner.chars().peekable();
    if inner.trim().is_empty() {
        return Some(items);
    }
    loop {
        while characters.next_if(|character| character.is_whitespace()).is_some() {}
        let mut item = String::new();
        let is_quoted = characters.next_if_eq(&'"').is_some();
        if is_quoted {
            loop {
                match characters.next()? {
                    '"' => break,
                    '\\' => item.push(characters.next()?),
                    other => item.push(other),
                }
            }
            while characters.next_if(|character| character.is_whitespace()).is_some() {}
        } else {
            while let Some(character) = characters.next_if(|character| *character != ',') {
                match character {
                    '{' | '}' | '"' => return None,
                    '\\' => item.push(characters.next()?),
                    other => item.push(other),
                }
            }
            item.truncate(item.trim_end().len());
            if item.is_empty() {
                return None;
            }
        }
        let is_null = !is_quoted && item.eq_ignore_ascii_case("null");
        items.push((!is_null).then_some(item));
        match characters.next() {
            None => return Some(items),
            Some(',') => {}
            Some(_) => return None,
        }
    }
}

fn bytes_of_text(text: &str) -> Result<Vec<u8>, String> {
    let wrong = || "write bytes as \\x and hexadecimal digits".to_owned();
    let digits = text.strip_prefix("\\x").ok_or_else(wrong)?.as_bytes();
    if !digits.len().is_multiple_of(2) {
        return Err(wrong());
    }
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let byte = |two: &[u8]| Some(digit(two[0])? << 4 | digit(two[1])?);
    digits.chunks(2).map(byte).collect::<Option<_>>().ok_or_else(wrong)
}

/// An interval with its time of day in units, as the engine reads it: `3 days -1:30` as `3 days -1 hours -30 mins`.
fn interval_in_units(text: &str) -> String {
    let in_units = |word: &str| {
        let (sign, time) = match word.strip_prefix('-') {
            Some(time) => ("-", time),
            None => ("", word.strip_prefix('+').unwrap_or(word)),
        };
        let units = time.split(':').zip(["hours", "mins", "secs"]);
        let units: Vec<_> = units.map(|(number, unit)| format!("{sign}{number} {unit}")).collect();
        if units.len() > 1 { units.join(" ") } else { word.to_owned() }
    };
    text.split_whitespace().map(in_units).collect::<Vec<_>>().join(" ")
}

/// A decimal number with just the precision and scale that it has, like `-12.50` or `1.2e3`.
fn decimal(text: &str) -> Result<ScalarValue, String> {
    let wrong = || format!("`{text}`");
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().map_err(|_| wrong())?),
        None => (text, 0),
    };
    let (sign, digits) = match mantissa.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", mantissa.strip_prefix('+').unwrap_or(mantissa)),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let mut digits = format!("{whole}{fraction}");
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(wrong());
    }
    let mut scale = i32::try_from(fraction.len()).unwrap_or(i32::MAX).saturating_sub(exponent);
    // What has an exponent this large has no place in a decimal anyway.
    if !(-76..=76).contains(&scale) {
        return Err("it has more than 76 digits".to_owned());
    }
    if scale < 0 {
        digits.push_str(&"0".repeat(scale.unsigned_abs() as usize));
        scale = 0;
    }
    let digits = digits.trim_start_matches('0');
    let precision = digits.len().max(scale.unsigned_abs() as usize).max(1);
    let scale = i8::try_from(scale).map_err(|_| wrong())?;
    let number = format!("{sign}{}", if digits.is_empty() { "0" } else { digits });
    let size = u8::try_from(precision).map_err(|_| wrong())?;
    if size <= 38 {
        let number = number.parse::<i128>().map_err(|_| wrong())?;
        return Ok(ScalarValue::Decimal128(Some(number), size, scale));
    }
    if size > 76 {
        return Err("it has more than 76 digits".to_owned());
    }
    let number = arrow::datatypes::i256::from_string(&number).ok_or_else(wrong)?;
    Ok(ScalarValue::Decimal256(Some(number), size, scale))
}

/// The text of a number in PostgreSQL's binary form: groups of four digits.
fn numeric_text(mut value: Bytes) -> Result<String, String> {
    if value.len() < 8 {
        return Err("it ends too early".to_owned());
    }
    let (groups, weight, sign, scale) =
        (value.get_u16(), value.get_i16(), value.get_u16(), usize::from(value.get_u16()));
    if value.remaining() != usize::from(groups) * 2 {
        return Err("it does not have as many digits as it says".to_owned());
    }
    let sign = match sign {
        0 => "",
        0x4000 => "-",
        _ => return Err("it is not a finite number".to_owned()),
    };
    let groups: Vec<u16> = (0..groups).map(|_| value.get_u16()).collect();
    if groups.iter().any(|group| *group > 9999) || weight.unsigned_abs() > 64 || scale > 256 {
        return Err("it is out of range".to_owned());
    }
    let group = |place: i32| {
        let index = usize::try_from(i32::from(weight) - place).ok();
        index.and_then(|index| groups.get(index)).copied().unwrap_or(0)
    };
    let whole: String =
        (0..=i32::from(weight)).rev().map(|place| format!("{:04}", group(place))).collect();
    let places = i32::try_from(scale.div_ceil(4)).unwrap_or_default();
    let mut fraction: String = (1..=places).map(|place| format!("{:04}", group(-place))).collect();
    fraction.truncate(scale);
    Ok(format!("{sign}{}.{fraction}", if whole.is_empty() { "0" } else { &whole }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ZONE: Tz = Tz::Asia__Shanghai;

    fn chosen(kind: &Type) -> Parameter {
        Parameter::new(Some(kind.oid()), None).unwrap()
    }

    fn text(parameter: &Parameter, text: &str) -> Result<ScalarValue, Failure> {
        parameter.read(3, Format::Text, Some(&Bytes::copy_from_slice(text.as_bytes())), ZONE)
    }

    fn binary(kind: &Type, bytes: &[u8]) -> Result<ScalarValue, Failure> {
        chosen(kind).read(3, Format::Binary, Some(&Bytes::copy_from_slice(bytes)), ZONE)
    }

    fn shanghai(microseconds: i64) -> ScalarValue {
        ScalarValue::TimestampMicrosecond(Some(microseconds), Some("Asia/Shanghai".into()))
    }

    #[test]
    fn texts_become_values_of_the_type_that_the_client_chose() {
        let check = |kind: Type, value: &str, expected: ScalarValue| {
            assert_eq!(text(&chosen(&kind), value).unwrap(), expected, "{kind} {value}");
        };
        check(Type::BOOL, "t", ScalarValue::from(true));
        check(Type::INT2, "-7", ScalarValue::from(-7_i16));
        check(Type::INT8, "7", ScalarValue::from(7_i64));
        check(Type::FLOAT8, "1e3", ScalarValue::from(1000.0));
        check(Type::FLOAT8, "Infinity", ScalarValue::from(f64::INFINITY));
        check(Type::NUMERIC, "-12.50", ScalarValue::Decimal128(Some(-1250), 4, 2));
        check(Type::NUMERIC, "1.2e3", ScalarValue::Decimal128(Some(1200), 4, 0));
        check(Type::NUMERIC, "0.001", ScalarValue::Decimal128(Some(1), 3, 3));
        check(Type::VARCHAR, "渝", ScalarValue::from("渝"));
        check(Type::BYTEA, "\\x00ff", ScalarValue::Binary(Some(vec![0, 255])));
        check(Type::DATE, "2024-03-05", ScalarValue::Date32(Some(19_787)));
        let nine = 1_709_601_153_000_000;
        check(Type::TIMESTAMPTZ, "2024-03-05 09:12:33", shanghai(nine));
        check(Type::TIMESTAMPTZ, "2024-03-05 01:12:33+00", shanghai(nine));
        check(Type::TIMESTAMPTZ, "2024-03-05T01:12:33Z", shanghai(nine));
        let local = ScalarValue::TimestampMicrosecond(Some(nine + 28_800_000_000), None);
        check(Type::TIMESTAMP, "2024-03-05 09:12:33", local);
        let interval = IntervalMonthDayNano::new(14, 3, -5_500_000_000);
        let interval = ScalarValue::IntervalMonthDayNano(Some(interval));
        check(Type::INTERVAL, "1 year 2 mons 3 days -00:00:05.5", interval.clone());
        check(Type::INTERVAL, "14 months 3 days -5.5 seconds", interval);
        let items = text(&chosen(&Type::TEXT_ARRAY), r#"{a,NULL,"b \"c",""}"#).unwrap();
        assert_eq!(items.to_string(), "[a, , b \"c, ]");
    }

    #[test]
    fn bytes_become_the_same_values() {
        let check = |kind: Type, bytes: &[u8], expected: ScalarValue| {
            assert_eq!(binary(&kind, bytes).unwrap(), expected, "{kind}");
        };
        check(Type::BOOL, &[1], ScalarValue::from(true));
        check(Type::INT4, &7_i32.to_be_bytes(), ScalarValue::from(7_i32));
        check(Type::DATE, &0_i32.to_be_bytes(), ScalarValue::Date32(Some(10_957)));
        check(Type::TIMESTAMPTZ, &0_i64.to_be_bytes(), shanghai(EPOCH_MICROSECONDS));
        let numeric: Vec<u8> = [3_u16, 1, 0x4000, 2, 1, 2345, 6700]
            .iter()
            .flat_map(|word| word.to_be_bytes())
            .collect();
        check(Type::NUMERIC, &numeric, ScalarValue::Decimal128(Some(-1_234_567), 7, 2));
        let uuid = 0x1234_u128.to_be_bytes();
        check(Type::UUID, &uuid, ScalarValue::from("00000000-0000-0000-0000-000000001234"));
        let array: Vec<u8> =
            [1, 0, 23, 2, 1, 4, 7, -1].iter().flat_map(|word: &i32| word.to_be_bytes()).collect();
        assert_eq!(binary(&Type::INT4_ARRAY, &array).unwrap().to_string(), "[7, ]");
    }

    #[test]
    fn a_bad_value_is_told_with_the_parameter_s_number() {
        for (kind, value) in [
            (Type::INT4, "seven"),
            (Type::INT2, "70000"),
            (Type::BOOL, "maybe"),
            (Type::NUMERIC, "1.2.3"),
            (Type::NUMERIC, "1e999999999"),
            (Type::DATE, "2024-13-05"),
            (Type::TIMESTAMPTZ, "noon"),
            (Type::BYTEA, "\\x0"),
            (Type::INT4_ARRAY, "{1,x}"),
            (Type::TEXT_ARRAY, "a,b"),
        ] {
            let failure = text(&chosen(&kind), value).unwrap_err();
            assert_eq!(failure.code, code::INVALID_TEXT, "{kind} {value}");
            assert!(failure.message.contains("$3"), "{failure:?}");
        }
        for kind in [Type::INT4, Type::NUMERIC, Type::INT4_ARRAY, Type::TIMESTAMPTZ, Type::UUID] {
            assert_eq!(binary(&kind, &[1, 2, 3]).unwrap_err().code, code::INVALID_BINARY, "{kind}");
        }
        assert_eq!(binary(&Type::TEXT, b"\xff").unwrap_err().code, code::INVALID_BINARY);
        let point = Parameter::new(Some(Type::POINT.oid()), None);
        assert_eq!(point.unwrap_err().code, code::FEATURE_NOT_SUPPORTED);
    }

    #[test]
    fn what_the_client_leaves_open_the_statement_decides_and_else_it_is_text() {
        let told = Parameter::new(Some(0), Some(&DataType::UInt32)).unwrap();
        assert_eq!(told.kind, Type::INT8);
        assert_eq!(text(&told, "7").unwrap(), ScalarValue::UInt32(Some(7)));
        assert_eq!(text(&told, "-7").unwrap_err().code, code::INVALID_TEXT);
        let open = Parameter::new(Some(UNKNOWN), None).unwrap();
        assert_eq!((&open.kind, text(&open, "7").unwrap()), (&Type::TEXT, ScalarValue::from("7")));
        assert_eq!(open.read(1, Format::Text, None, ZONE).unwrap(), ScalarValue::Utf8(None));
        assert_eq!(told.read(1, Format::Text, None, ZONE).unwrap(), ScalarValue::UInt32(None));
    }
}
