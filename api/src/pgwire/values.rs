//! Values as PostgreSQL writes them, in text and in binary.

use std::fmt::Write as _;
use std::sync::Arc;

use ::pgwire::api::Type;
use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, BooleanArray, Date32Array, Decimal128Array,
    Decimal256Array, Float32Array, Float64Array, Int16Array, Int32Array, Int64Array,
    IntervalMonthDayNanoArray, ListArray, StringArray, Time64MicrosecondArray,
    TimestampMicrosecondArray,
};
use arrow::compute::{CastOptions, can_cast_types, cast_with_options};
use arrow::datatypes::{DataType, Field, IntervalMonthDayNano};
use arrow::error::ArrowError;
use arrow::json::writer::{EncoderOptions, make_encoder};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use bytes::{BufMut, BytesMut};
use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, Offset, TimeZone as _, Timelike};
use chrono_tz::Tz;

use super::failure::{Failure, code};
use super::types::{Shape, is_json};
use super::wire::Format;

/// Microseconds from 1970 to 2000, which PostgreSQL counts from.
pub(super) const EPOCH_MICROSECONDS: i64 = 946_684_800_000_000;

/// Days from 1970 to 2000.
pub(super) const EPOCH_DAYS: i32 = 10_957;

const MICROSECONDS_PER_DAY: i64 = 86_400_000_000;

/// The values of a column within a batch.
#[derive(Debug)]
pub(super) enum Column {
    Boolean(BooleanArray),
    Int2(Int16Array),
    Int4(Int32Array),
    Int8(Int64Array),
    Float4(Float32Array),
    Float8(Float64Array),
    Numeric(Decimal128Array),
    LongNumeric(Decimal256Array),
    Text(StringArray),
    Bytes(BinaryArray),
    Date(Date32Array),
    Time(Time64MicrosecondArray),
    Timestamp(TimestampMicrosecondArray),
    TimestampTz(TimestampMicrosecondArray),
    Interval(IntervalMonthDayNanoArray),
    Array { lists: ListArray, items: Box<Column>, kind: Type },
}

impl Column {
    /// Turns values into those of the column's shape.
    pub(super) fn new(array: &ArrayRef, shape: &Shape) -> Result<Self, Failure> {
        Self::of(array, &shape.arrow).map_err(|error| match error {
            ArrowError::CastError(told) | ArrowError::ComputeError(told) => {
                Failure::error(code::NUMBER_OUT_OF_RANGE, format!("{}: {told}", shape.name))
            }
            error => Failure::error(code::INTERNAL, format!("{}: {error}", shape.name)),
        })
    }

    fn of(array: &ArrayRef, written: &DataType) -> Result<Self, ArrowError> {
        if let DataType::List(item) = written
            && !is_json(item.data_type())
        {
            let array = converted(array, written)?;
            let lists = array.as_list::<i32>().clone();
            let items = Box::new(Self::of(lists.values(), item.data_type())?);
            return Ok(Self::Array { lists, items, kind: super::types::kind_of(item.data_type()) });
        }
        if is_json(written) {
            return Ok(Self::Text(json(array)?));
        }
        let array = converted(array, written)?;
        Ok(match written {
            DataType::Boolean => Self::Boolean(array.as_boolean().clone()),
            DataType::Int16 => Self::Int2(array.as_primitive().clone()),
            DataType::Int32 => Self::Int4(array.as_primitive().clone()),
            DataType::Int64 => Self::Int8(array.as_primitive().clone()),
            DataType::Float32 => Self::Float4(array.as_primitive().clone()),
            DataType::Float64 => Self::Float8(array.as_primitive().clone()),
            DataType::Decimal128(_, _) => Self::Numeric(array.as_primitive().clone()),
            DataType::Decimal256(_, _) => Self::LongNumeric(array.as_primitive().clone()),
            DataType::Binary => Self::Bytes(array.as_binary().clone()),
            DataType::Date32 => Self::Date(array.as_primitive().clone()),
            DataType::Time64(_) => Self::Time(array.as_primitive().clone()),
            DataType::Timestamp(_, None) => Self::Timestamp(array.as_primitive().clone()),
            DataType::Timestamp(_, Some(_)) => Self::TimestampTz(array.as_primitive().clone()),
            DataType::Interval(_) => Self::Interval(array.as_primitive().clone()),
            _ => Self::Text(array.as_string().clone()),
        })
    }

    fn array(&self) -> &dyn Array {
        match self {
            Self::Boolean(array) => array,
            Self::Int2(array) => array,
            Self::Int4(array) => array,
            Self::Int8(array) => array,
            Self::Float4(array) => array,
            Self::Float8(array) => array,
            Self::Numeric(array) => array,
            Self::LongNumeric(array) => array,
            Self::Text(array) => array,
            Self::Bytes(array) => array,
            Self::Date(array) => array,
            Self::Time(array) => array,
            Self::Timestamp(array) | Self::TimestampTz(array) => array,
            Self::Interval(array) => array,
            Self::Array { lists, .. } => lists,
        }
    }

    pub(super) fn is_null(&self, row: usize) -> bool {
        self.array().is_null(row)
    }

    /// Writes a value with its length before it; a null is a length of -1.
    pub(super) fn write(
        &self,
        row: usize,
        format: Format,
        zone: Tz,
        out: &mut BytesMut,
    ) -> Result<(), Failure> {
        if self.is_null(row) {
            out.put_i32(-1);
            return Ok(());
        }
        let start = out.len();
        out.put_i32(0);
        match format {
            Format::Text => self.write_text(row, zone, out)?,
            Format::Binary => self.write_binary(row, out)?,
        }
        let length = i32::try_from(out.len() - start - 4)
            .map_err(|_| Failure::error(code::LIMIT_EXCEEDED, "a value is longer than 2 GB"))?;
        out[start..start + 4].copy_from_slice(&length.to_be_bytes());
        Ok(())
    }

    /// Writes a value that is not null as text.
    pub(super) fn write_text(
        &self,
        row: usize,
        zone: Tz,
        out: &mut BytesMut,
    ) -> Result<(), Failure> {
        // Writing to memory does not fail.
        _ = match self {
            Self::Boolean(array) => out.write_str(if array.value(row) { "t" } else { "f" }),
            Self::Int2(array) => write!(out, "{}", array.value(row)),
            Self::Int4(array) => write!(out, "{}", array.value(row)),
            Self::Int8(array) => write!(out, "{}", array.value(row)),
            Self::Float4(array) => {
                let value = array.value(row);
                write_float(out, value.into(), &format!("{value:e}"), 6)
            }
            Self::Float8(array) => {
                let value = array.value(row);
                write_float(out, value, &format!("{value:e}"), 15)
            }
            Self::Numeric(array) => out.write_str(&array.value_as_string(row)),
            Self::LongNumeric(array) => out.write_str(&array.value_as_string(row)),
            Self::Text(array) => out.write_str(array.value(row)),
            Self::Bytes(array) => write_hex(out, array.value(row)),
            Self::Date(array) => write_date(out, date(array.value(row))?),
            Self::Time(array) => write_time(out, array.value(row)),
            Self::Timestamp(array) => {
                let local = instant(array.value(row))?.naive_utc();
                write_timestamp(out, local, "")
            }
            Self::TimestampTz(array) => {
                let local = zone.from_utc_datetime(&instant(array.value(row))?.naive_utc());
                let offset = offset_text(local.offset().fix().local_minus_utc());
                write_timestamp(out, local.naive_local(), &offset)
            }
            Self::Interval(array) => write_interval(out, array.value(row)),
            Self::Array { lists, items, .. } => return write_array(lists, items, row, zone, out),
        };
        Ok(())
    }

    fn write_binary(&self, row: usize, out: &mut BytesMut) -> Result<(), Failure> {
        match self {
            Self::Boolean(array) => out.put_u8(u8::from(array.value(row))),
            Self::Int2(array) => out.put_i16(array.value(row)),
            Self::Int4(array) => out.put_i32(array.value(row)),
            Self::Int8(array) => out.put_i64(array.value(row)),
            Self::Float4(array) => out.put_f32(array.value(row)),
            Self::Float8(array) => out.put_f64(array.value(row)),
            Self::Numeric(array) => put_numeric(out, &array.value_as_string(row)),
            Self::LongNumeric(array) => put_numeric(out, &array.value_as_string(row)),
            Self::Text(array) => out.put_slice(array.value(row).as_bytes()),
            Self::Bytes(array) => out.put_slice(array.value(row)),
            Self::Date(array) => {
                out.put_i32(array.value(row).checked_sub(EPOCH_DAYS).ok_or_else(out_of_range)?);
            }
            Self::Time(array) => out.put_i64(array.value(row)),
            Self::Timestamp(array) | Self::TimestampTz(array) => {
                let since = array.value(row).checked_sub(EPOCH_MICROSECONDS);
                out.put_i64(since.ok_or_else(out_of_range)?);
            }
            Self::Interval(array) => {
                let value = array.value(row);
                out.put_i64(value.nanoseconds / 1000);
                out.put_i32(value.days);
                out.put_i32(value.months);
            }
            Self::Array { lists, items, kind } => {
                let (start, end) = (bound(lists, row), bound(lists, row + 1));
                out.put_i32(i32::from(end > start));
                out.put_i32(i32::from((start..end).any(|item| items.is_null(item))));
                out.put_u32(kind.oid());
                if end > start {
                    out.put_i32(i32::try_from(end - start).unwrap_or(i32::MAX));
                    out.put_i32(1);
                }
                for item in start..end {
                    // The zone is of no use in binary.
                    items.write(item, Format::Binary, Tz::UTC, out)?;
                }
            }
        }
        Ok(())
    }
}

/// Where the items of a list begin, and those of the one before it end.
fn bound(lists: &ListArray, row: usize) -> usize {
    usize::try_from(lists.value_offsets()[row]).unwrap_or_default()
}

fn out_of_range() -> Failure {
    Failure::error(code::DATETIME_OUT_OF_RANGE, "a date or time is out of range")
}

fn converted(array: &ArrayRef, written: &DataType) -> Result<ArrayRef, ArrowError> {
    if array.data_type() == written {
        return Ok(Arc::clone(array));
    }
    if can_cast_types(array.data_type(), written) {
        let strict = CastOptions { safe: false, ..CastOptions::default() };
        return cast_with_options(array, written, &strict);
    }
    let options = FormatOptions::default();
    let formatter = ArrayFormatter::try_new(array, &options)?;
    let texts =
        (0..array.len()).map(|row| array.is_valid(row).then(|| formatter.value(row).to_string()));
    Ok(Arc::new(texts.collect::<StringArray>()))
}

fn json(array: &ArrayRef) -> Result<StringArray, ArrowError> {
    let field = Arc::new(Field::new("value", array.data_type().clone(), true));
    let options = EncoderOptions::default().with_explicit_nulls(true);
    let mut encoder = make_encoder(&field, array, &options)?;
    let mut text = Vec::new();
    (0..array.len())
        .map(|row| {
            if array.is_null(row) {
                return Ok(None);
            }
            text.clear();
            encoder.encode(row, &mut text);
            let text = std::str::from_utf8(&text)
                .map_err(|error| ArrowError::JsonError(error.to_string()))?;
            Ok(Some(text.to_owned()))
        })
        .collect()
}

/// The shortest digits that give the same number, in PostgreSQL's layout: an exponent from `digits` digits on.
/// `scientific` is Rust's form of it, like `1.5e-7`.
fn write_float(out: &mut BytesMut, value: f64, scientific: &str, digits: i32) -> std::fmt::Result {
    if value.is_nan() {
        return out.write_str("NaN");
    }
    if value.is_infinite() {
        return out.write_str(if value > 0.0 { "Infinity" } else { "-Infinity" });
    }
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..digits).contains(&exponent) {
        let plain = mantissa.replace(['-', '.'], "");
        let sign = if mantissa.starts_with('-') { "-" } else { "" };
        return match usize::try_from(exponent) {
            Err(_) => {
                let zeros = "0".repeat(exponent.unsigned_abs() as usize - 1);
                write!(out, "{sign}0.{zeros}{plain}")
            }
            Ok(whole) if plain.len() <= whole + 1 => {
                write!(out, "{sign}{plain}{}", "0".repeat(whole + 1 - plain.len()))
            }
            Ok(whole) => write!(out, "{sign}{}.{}", &plain[..=whole], &plain[whole + 1..]),
        };
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    write!(out, "{mantissa}e{sign}{:02}", exponent.abs())
}

fn write_hex(out: &mut BytesMut, bytes: &[u8]) -> std::fmt::Result {
    out.write_str("\\x")?;
    bytes.iter().try_for_each(|byte| write!(out, "{byte:02x}"))
}

fn date(days: i32) -> Result<NaiveDate, Failure> {
    NaiveDate::from_epoch_days(days).ok_or_else(out_of_range)
}

fn instant(microseconds: i64) -> Result<DateTime<chrono::Utc>, Failure> {
    DateTime::from_timestamp_micros(microseconds).ok_or_else(out_of_range)
}

/// The year before 1 is 1 BC.
fn year(date: NaiveDate) -> (i32, &'static str) {
    if date.year() > 0 { (date.year(), "") } else { (1 - date.year(), " BC") }
}

fn write_date(out: &mut BytesMut, date: NaiveDate) -> std::fmt::Result {
    let (year, era) = year(date);
    write!(out, "{year:04}-{:02}-{:02}{era}", date.month(), date.day())
}

fn write_timestamp(out: &mut BytesMut, local: NaiveDateTime, offset: &str) -> std::fmt::Result {
    let (year, era) = year(local.date());
    write!(out, "{year:04}-{:02}-{:02} ", local.month(), local.day())?;
    let (time, fraction) = (local.time(), local.nanosecond() / 1000);
    write!(out, "{:02}:{:02}:{:02}", time.hour(), time.minute(), time.second())?;
    write_fraction(out, fraction)?;
    write!(out, "{offset}{era}")
}

fn write_fraction(out: &mut BytesMut, microseconds: u32) -> std::fmt::Result {
    if microseconds == 0 {
        return Ok(());
    }
    let digits = format!("{microseconds:06}");
    write!(out, ".{}", digits.trim_end_matches('0'))
}

fn write_time(out: &mut BytesMut, microseconds: i64) -> std::fmt::Result {
    let seconds = microseconds / 1_000_000;
    write!(out, "{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)?;
    write_fraction(out, u32::try_from(microseconds % 1_000_000).unwrap_or_default())
}

/// `+08`, `+05:30`, and seconds where clocks once went by the sun.
fn offset_text(seconds: i32) -> String {
    let sign = if seconds < 0 { '-' } else { '+' };
    let (hours, minutes, rest) =
        (seconds.abs() / 3600, seconds.abs() / 60 % 60, seconds.abs() % 60);
    let mut text = format!("{sign}{hours:02}");
    if minutes != 0 || rest != 0 {
        _ = write!(text, ":{minutes:02}");
    }
    if rest != 0 {
        _ = write!(text, ":{rest:02}");
    }
    text
}

fn write_interval(out: &mut BytesMut, value: IntervalMonthDayNano) -> std::fmt::Result {
    let start = out.len();
    let mut part = |number: i32, one: &str, many: &str| {
        if number == 0 {
            return Ok(());
        }
        let blank = if out.len() > start { " " } else { "" };
        write!(out, "{blank}{number} {}", if number == 1 { one } else { many })
    };
    part(value.months / 12, "year", "years")?;
    part(value.months % 12, "mon", "mons")?;
    part(value.days, "day", "days")?;
    let microseconds = value.nanoseconds / 1000;
    if microseconds == 0 && out.len() > start {
        return Ok(());
    }
    let blank = if out.len() > start { " " } else { "" };
    let sign = if microseconds < 0 { "-" } else { "" };
    write!(out, "{blank}{sign}")?;
    write_time(out, microseconds.saturating_abs())
}

fn write_array(
    lists: &ListArray,
    items: &Column,
    row: usize,
    zone: Tz,
    out: &mut BytesMut,
) -> Result<(), Failure> {
    out.put_u8(b'{');
    let (start, end) = (bound(lists, row), bound(lists, row + 1));
    let mut item = BytesMut::new();
    for index in start..end {
        if index > start {
            out.put_u8(b',');
        }
        if items.is_null(index) {
            out.put_slice(b"NULL");
            continue;
        }
        item.clear();
        items.write_text(index, zone, &mut item)?;
        let is_plain = !item.is_empty()
            && !item.eq_ignore_ascii_case(b"null")
            && !item.iter().any(|byte| b"{}\",\\ \t\n\r\x0b\x0c".contains(byte));
        if is_plain {
            out.put_slice(&item);
            continue;
        }
        out.put_u8(b'"');
        for byte in &item {
            if b"\"\\".contains(byte) {
                out.put_u8(b'\\');
            }
            out.put_u8(*byte);
        }
        out.put_u8(b'"');
    }
    out.put_u8(b'}');
    Ok(())
}

/// Writes a decimal number in groups of four digits, as PostgreSQL keeps it.
fn put_numeric(out: &mut BytesMut, text: &str) {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (0x4000_u16, digits),
        None => (0, text),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let whole = whole.trim_start_matches('0');
    let before = whole.len().div_ceil(4);
    let padded = format!(
        "{}{whole}{fraction}{}",
        "0".repeat(before * 4 - whole.len()),
        "0".repeat(fraction.len().next_multiple_of(4) - fraction.len())
    );
    let groups: Vec<u16> = padded
        .as_bytes()
        .chunks(4)
        .map(|group| group.iter().fold(0, |value, digit| value * 10 + u16::from(digit - b'0')))
        .collect();
    let leading = groups.iter().take_while(|group| **group == 0).count();
    let used = groups.iter().rposition(|group| *group != 0).map_or(leading, |last| last + 1);
    let groups = &groups[leading..used];
    let weight =
        i16::try_from(before).unwrap_or(i16::MAX) - i16::try_from(leading).unwrap_or(0) - 1;
    out.put_u16(u16::try_from(groups.len()).unwrap_or(u16::MAX));
    out.put_i16(if groups.is_empty() { 0 } else { weight });
    out.put_u16(if groups.is_empty() { 0 } else { sign });
    out.put_u16(u16::try_from(fraction.len()).unwrap_or(u16::MAX));
    groups.iter().for_each(|group| out.put_u16(*group));
}

/// The microseconds of a time of day are less than a day's.
pub(super) fn is_time_of_day(microseconds: i64) -> bool {
    (0..=MICROSECONDS_PER_DAY).contains(&microseconds)
}

#[cfg(test)]
mod tests;
