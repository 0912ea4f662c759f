//! Local time: instants to local days and months, and text to instants.

use std::str::FromStr;

use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, Offset, TimeZone, Utc};
use chrono_tz::Tz;

use crate::error::{Error, Result};

const MICROS_PER_SECOND: i64 = 1_000_000;
/// Offsets of every zone change on multiples of this, so one look-up serves the whole quarter.
const QUARTER_MICROS: i64 = 15 * 60 * MICROS_PER_SECOND;
const DAY_MICROS: i64 = 86_400 * MICROS_PER_SECOND;
const CACHED_QUARTERS: usize = 1024;

/// The zone that lawpulse uses unless a lake says otherwise.
pub const DEFAULT_ZONE: Tz = Tz::Asia__Shanghai;

/// Reads an IANA zone name.
pub fn parse_zone(name: &str) -> Result<Tz> {
    Tz::from_str(name).map_err(|_| {
        Error::Request(format!(
            "`{name}` is not a time zone; write an IANA name such as Asia/Shanghai"
        ))
    })
}

/// A month of the local calendar, ordered in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Month(i32);

impl Month {
    /// The month that contains `day`.
    pub fn of(day: NaiveDate) -> Self {
        Self(day.year() * 12 + day.month0().cast_signed())
    }

    /// `YYYY-MM`, the value of the partition column.
    pub fn label(self) -> String {
        format!("{:04}-{:02}", self.0.div_euclid(12), self.0.rem_euclid(12) + 1)
    }

    /// The month of a label; `None` for a text that is none.
    pub fn parse(label: &str) -> Option<Self> {
        let day = NaiveDate::parse_from_str(&format!("{label}-01"), "%Y-%m-%d").ok()?;
        let month = Self::of(day);
        (month.label() == label).then_some(month)
    }

    /// The month that was so many months before.
    #[must_use]
    pub fn before(self, months: u32) -> Self {
        Self(self.0.saturating_sub_unsigned(months))
    }
}

/// Converts instants of one zone, remembering offsets: a look-up costs a few nanoseconds.
#[derive(Debug, Clone)]
pub struct LocalClock {
    zone: Tz,
    offsets: Vec<(i64, i64)>,
}

impl LocalClock {
    /// A clock of `zone`.
    pub fn new(zone: Tz) -> Self {
        Self { zone, offsets: vec![(i64::MIN, 0); CACHED_QUARTERS] }
    }

    fn offset_micros(&mut self, instant_micros: i64) -> i64 {
        let quarter = instant_micros.div_euclid(QUARTER_MICROS);
        let slot = quarter.rem_euclid(CACHED_QUARTERS as i64) as usize;
        let (cached, offset) = self.offsets[slot];
        if cached == quarter {
            return offset;
        }
        let utc = micros_to_utc(instant_micros);
        let seconds = self.zone.offset_from_utc_datetime(&utc.naive_utc()).fix().local_minus_utc();
        let offset = i64::from(seconds) * MICROS_PER_SECOND;
        self.offsets[slot] = (quarter, offset);
        offset
    }

    /// Days since 1970-01-01 of the local day that contains the instant (microseconds UTC).
    pub fn local_day(&mut self, instant_micros: i64) -> i32 {
        (instant_micros + self.offset_micros(instant_micros)).div_euclid(DAY_MICROS) as i32
    }
}

/// The instant of a count of microseconds since 1970; out of range becomes the epoch.
pub fn micros_to_utc(micros: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(micros).unwrap_or_default()
}

/// The date of a count of days since 1970-01-01.
pub fn date_of(days: i32) -> NaiveDate {
    NaiveDate::from_epoch_days(days).unwrap_or_default()
}

/// Days since 1970-01-01 of a date.
pub fn days_of(date: NaiveDate) -> i32 {
    date.to_epoch_days()
}

/// The instant at which a local day begins; where the clocks skip midnight, the first instant after it.
pub fn start_of_day(zone: Tz, day: NaiveDate) -> DateTime<Utc> {
    let midnight = day.and_time(chrono::NaiveTime::MIN);
    local_to_utc(zone, midnight)
}

/// The local day that contains an instant.
pub fn local_date(zone: Tz, instant: DateTime<Utc>) -> NaiveDate {
    instant.with_timezone(&zone).date_naive()
}

pub(crate) fn local_to_utc(zone: Tz, local: NaiveDateTime) -> DateTime<Utc> {
    match zone.from_local_datetime(&local) {
        chrono::LocalResult::Single(time) | chrono::LocalResult::Ambiguous(time, _) => {
            time.with_timezone(&Utc)
        }
        // The clocks skipped this time: an hour later always exists.
        chrono::LocalResult::None => zone
            .from_local_datetime(&(local + chrono::TimeDelta::hours(1)))
            .earliest()
            .map_or_else(|| local.and_utc(), |time| time.with_timezone(&Utc)),
    }
}

/// Reads a time: ISO 8601 with `T` or a space, with or without fraction and offset, or a date alone.
///
/// A time without an offset is local time of `zone`. Returns microseconds since 1970 UTC, or `None`
/// when the text is not such a time.
pub fn parse_time(text: &str, zone: Tz) -> Option<i64> {
    parse_iso(text.as_bytes(), zone)
        .or_else(|| DateTime::parse_from_rfc3339(text).ok().map(|time| time.timestamp_micros()))
}

/// Reads a time in a `strftime` pattern; one without an offset is local time of `zone`.
pub fn parse_time_as(text: &str, pattern: &str, zone: Tz) -> Option<i64> {
    if let Ok(time) = DateTime::parse_from_str(text, pattern) {
        return Some(time.timestamp_micros());
    }
    if let Ok(local) = NaiveDateTime::parse_from_str(text, pattern) {
        return Some(local_to_utc(zone, local).timestamp_micros());
    }
    let day = NaiveDate::parse_from_str(text, pattern).ok()?;
    Some(start_of_day(zone, day).timestamp_micros())
}

fn parse_iso(text: &[u8], zone: Tz) -> Option<i64> {
    let day = parse_iso_day(text.get(..10)?)?;
    if text.len() == 10 {
        return Some(start_of_day(zone, day).timestamp_micros());
    }
    if !matches!(text[10], b'T' | b't' | b' ') {
        return None;
    }
    let clock = text.get(11..19)?;
    if clock[2] != b':' || clock[5] != b':' {
        return None;
    }
    let (hour, minute, second) =
        (digits(&clock[..2])?, digits(&clock[3..5])?, digits(&clock[6..])?);
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let seconds_of_day = hour * 3600 + minute * 60 + second;
    let (fraction_micros, rest) = parse_fraction(&text[19..])?;
    let local_micros =
        i64::from(days_of(day)) * DAY_MICROS + seconds_of_day * MICROS_PER_SECOND + fraction_micros;
    match rest {
        [] => Some(local_to_utc(zone, micros_to_utc(local_micros).naive_utc()).timestamp_micros()),
        [b'Z' | b'z'] => Some(local_micros),
        [sign @ (b'+' | b'-'), offset @ ..] => {
            let (hours, minutes) = match offset {
                [h1, h2] => (digits(&[*h1, *h2])?, 0),
                [h1, h2, b':', m1, m2] | [h1, h2, m1, m2] => {
                    (digits(&[*h1, *h2])?, digits(&[*m1, *m2])?)
                }
                _ => return None,
            };
            if hours > 18 || minutes > 59 {
                return None;
            }
            let offset_micros = (hours * 3600 + minutes * 60) * MICROS_PER_SECOND;
            Some(if *sign == b'+' {
                local_micros - offset_micros
            } else {
                local_micros + offset_micros
            })
        }
        _ => None,
    }
}

fn parse_iso_day(text: &[u8]) -> Option<NaiveDate> {
    if text[4] != b'-' || text[7] != b'-' {
        return None;
    }
    let (year, month, day) = (digits(&text[..4])?, digits(&text[5..7])?, digits(&text[8..10])?);
    NaiveDate::from_ymd_opt(year as i32, month as u32, day as u32)
}

fn parse_fraction(text: &[u8]) -> Option<(i64, &[u8])> {
    let Some(fraction) = text.strip_prefix(b".") else { return Some((0, text)) };
    let length = fraction.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if length == 0 {
        return None;
    }
    let mut micros = 0;
    for position in 0..6 {
        let digit = fraction.get(position).filter(|_| position < length);
        micros = micros * 10 + digit.map_or(0, |byte| i64::from(byte - b'0'));
    }
    Some((micros, &fraction[length..]))
}

fn digits(text: &[u8]) -> Option<i64> {
    text.iter().try_fold(0, |number, byte| {
        byte.is_ascii_digit().then(|| number * 10 + i64::from(byte - b'0'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, zone: Tz, expected: Option<&str>) {
        let actual = parse_time(text, zone).map(|micros| micros_to_utc(micros).to_rfc3339());
        assert_eq!(actual.as_deref(), expected, "{text}");
    }

    #[test]
    fn a_time_with_an_offset_ignores_the_zone() {
        check("2024-03-05T09:12:33+08:00", Tz::UTC, Some("2024-03-05T01:12:33+00:00"));
        check(
            "2011-10-11 13:45:40.276000+02:00",
            DEFAULT_ZONE,
            Some("2011-10-11T11:45:40.276+00:00"),
        );
        check("2024-03-05T09:12:33Z", DEFAULT_ZONE, Some("2024-03-05T09:12:33+00:00"));
        check("2024-03-05T09:12:33-0530", DEFAULT_ZONE, Some("2024-03-05T14:42:33+00:00"));
    }

    #[test]
    fn a_time_without_an_offset_is_local() {
        check("2024-03-05 09:12:33", DEFAULT_ZONE, Some("2024-03-05T01:12:33+00:00"));
        check("2024-03-05", DEFAULT_ZONE, Some("2024-03-04T16:00:00+00:00"));
        check("2024-07-05 09:12:33", Tz::Europe__Amsterdam, Some("2024-07-05T07:12:33+00:00"));
    }

    #[test]
    fn what_is_not_a_time_is_refused() {
        for text in [
            "",
            "2024",
            "2024-02-30T00:00:00Z",
            "2024-03-05T25:00:00Z",
            "2024-03-05T09:12",
            "yesterday",
            "2024-03-05T09:12:33+99:00",
            "2024-03-05T09:12:33.Z",
        ] {
            check(text, DEFAULT_ZONE, None);
        }
    }

    #[test]
    fn local_days_follow_the_zone_through_summer_time() {
        let mut clock = LocalClock::new(Tz::Europe__Amsterdam);
        for hour in 0..24 * 366 {
            let micros = 1_704_067_200_000_000 + hour * 3_600_000_000;
            let expected = local_date(Tz::Europe__Amsterdam, micros_to_utc(micros));
            assert_eq!(date_of(clock.local_day(micros)), expected);
        }
    }
}
