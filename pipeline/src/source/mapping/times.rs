//! Times as people and spreadsheets write them.

use chrono::{Days, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta};
use chrono_tz::Tz;
use serde::Deserialize;

use super::amount::half_width;
use crate::zone;

/// The longest text that is read as a time, in bytes.
const WRITTEN_BYTES_MAX: usize = 64;
/// The serial number of 9999-12-31, the last day that a spreadsheet knows.
const LAST_SERIAL: u64 = 2_958_465;
/// The serial number of 1900-02-29, a day that never was: the 1900 system took 1900 for a leap year.
const NO_DAY_SERIAL: u64 = 60;
const MILLIS_PER_DAY: u128 = 86_400_000;

/// Which ways of writing a time a source has, beside the mapping's patterns and ISO 8601.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Times {
    /// None.
    #[default]
    Iso,
    /// 2024-3-5, 2024/3/5, 2024.3.5, 20240305, 2024年3月5日, with or without a time of day.
    Loose,
    /// Those, and serial numbers of a spreadsheet of the 1900 system, its fraction being the time of day.
    Excel,
}

/// Reads a time in local time of `zone`; a date alone is its midnight. Microseconds UTC.
pub(super) fn parse(written: &str, times: Times, zone: Tz) -> Option<i64> {
    if times == Times::Iso || written.len() > WRITTEN_BYTES_MAX {
        return None;
    }
    let plain: String = written.trim().chars().map(half_width).collect();
    let local = compact(&plain)
        .or_else(|| separated(&plain))
        .or_else(|| if times == Times::Excel { serial(&plain) } else { None })?;
    Some(zone::local_to_utc(zone, local).timestamp_micros())
}

/// 20240305, 202403050912 or 20240305091233.
fn compact(plain: &str) -> Option<NaiveDateTime> {
    if !matches!(plain.len(), 8 | 12 | 14) || !plain.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number =
        |from: usize, to: usize| plain.get(from..to).map_or(Some(0), |text| text.parse().ok());
    let day = NaiveDate::from_ymd_opt(plain[..4].parse().ok()?, number(4, 6)?, number(6, 8)?)?;
    day.and_hms_opt(number(8, 10)?, number(10, 12)?, number(12, 14)?)
}

/// Year, month and day between signs or characters, and maybe a time of day.
fn separated(plain: &str) -> Option<NaiveDateTime> {
    let (year, rest) = number(plain)?;
    if year < 1000 {
        return None;
    }
    let (rest, ends): (&str, &[char]) = match rest.chars().next()? {
        '年' => (rest.strip_prefix('年')?, &['月']),
        '-' => (rest.strip_prefix('-')?, &['-']),
        '/' => (rest.strip_prefix('/')?, &['/']),
        '.' => (rest.strip_prefix('.')?, &['.']),
        _ => return None,
    };
    let (month, rest) = number(rest.trim_start())?;
    let (day, rest) = number(rest.strip_prefix(ends)?.trim_start())?;
    let rest =
        if ends == ['月'] { rest.strip_prefix(['日', '号']).unwrap_or(rest) } else { rest };
    let day = NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, month, day)?;
    let time = rest.strip_prefix(['T', 't']).unwrap_or(rest).trim();
    if time.is_empty() {
        return rest.trim().is_empty().then(|| day.and_time(NaiveTime::MIN));
    }
    // A clock that follows the day without any sign would run into it: 2024-3-512:00.
    let is_apart = rest.starts_with(['T', 't', ' ']) || ends == ['月'];
    if is_apart { Some(day.and_time(time_of_day(time)?)) } else { None }
}

/// 9:12, 09:12:33, 09:12:33.250 or 9时12分33秒.
fn time_of_day(text: &str) -> Option<NaiveTime> {
    let (hour, rest) = number(text)?;
    let (minute, rest) = number(rest.strip_prefix([':', '时', '点'])?)?;
    let rest = rest.strip_suffix('秒').unwrap_or(rest);
    let rest = rest.strip_suffix('分').unwrap_or(rest);
    if rest.is_empty() {
        return NaiveTime::from_hms_opt(hour, minute, 0);
    }
    let (second, rest) = number(rest.strip_prefix([':', '分'])?)?;
    let time = NaiveTime::from_hms_opt(hour, minute, second)?;
    let Some(fraction) = rest.strip_prefix('.') else {
        return rest.is_empty().then_some(time);
    };
    let is_fraction = !fraction.is_empty() && fraction.bytes().all(|byte| byte.is_ascii_digit());
    let micros: i64 = format!("{fraction:0<6}").get(..6)?.parse().ok()?;
    is_fraction.then(|| time + TimeDelta::microseconds(micros))
}

/// The number at the beginning of a text, of at most four digits, and what follows it.
fn number(text: &str) -> Option<(u32, &str)> {
    let length = text.bytes().take_while(u8::is_ascii_digit).count();
    if !(1..=4).contains(&length) {
        return None;
    }
    let (digits, rest) = text.split_at(length);
    Some((digits.parse().ok()?, rest))
}

/// Days since 1899-12-31, the day that never was among them; the fraction is read to the millisecond, the finest that a
/// spreadsheet shows.
fn serial(plain: &str) -> Option<NaiveDateTime> {
    let (whole, fraction) = plain.split_once('.').unwrap_or((plain, ""));
    let are_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !are_digits(whole) || !are_digits(fraction) {
        return None;
    }
    // Four digits are a year rather than a day before 1928.
    if whole.len() == 4 && fraction.is_empty() {
        return None;
    }
    let serial: u64 = whole.parse().ok()?;
    if !(1..=LAST_SERIAL).contains(&serial) || serial == NO_DAY_SERIAL {
        return None;
    }
    let days = if serial > NO_DAY_SERIAL { serial - 1 } else { serial };
    let fraction = fraction.get(..18).unwrap_or(fraction);
    let scale = 10_u128.pow(u32::try_from(fraction.len()).ok()?);
    let part: u128 = if fraction.is_empty() { 0 } else { fraction.parse().ok()? };
    let millis = (part * MILLIS_PER_DAY + scale / 2) / scale;
    let day = NaiveDate::from_ymd_opt(1899, 12, 31)?.checked_add_days(Days::new(days))?;
    Some(day.and_time(NaiveTime::MIN) + TimeDelta::milliseconds(i64::try_from(millis).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::Datelike;
    use proptest::prelude::*;

    use crate::zone::DEFAULT_ZONE;

    fn local(written: &str, times: Times) -> Option<String> {
        let micros = parse(written, times, DEFAULT_ZONE)?;
        let local = zone::micros_to_utc(micros).with_timezone(&DEFAULT_ZONE).naive_local();
        Some(local.to_string())
    }

    #[track_caller]
    fn check(written: &str, expected: &str) {
        assert_eq!(local(written, Times::Excel).as_deref(), Some(expected), "{written}");
    }

    #[test]
    fn a_day_is_read_as_people_write_it() {
        for written in [
            "2024-03-05",
            "2024-3-5",
            "2024/3/5",
            "2024/03/05",
            "2024.3.5",
            "20240305",
            "2024年3月5日",
            "2024年03月05日",
            "2024年3月5号",
            "2024年3月5",
            "２０２４年３月５日",
            " 2024-3-5 ",
            "45356",
        ] {
            check(written, "2024-03-05 00:00:00");
        }
    }

    #[test]
    fn a_time_of_day_is_read_as_people_write_it() {
        for written in [
            "2024-3-5 9:12",
            "2024/3/5 09:12:00",
            "2024/3/5T9:12",
            "202403050912",
            "20240305091200",
            "2024年3月5日 9时12分",
            "2024年3月5日9:12",
            "2024年3月5日 9点12分00秒",
            "2024/3/5  9:12",
            "2024-3-5 9：12",
        ] {
            check(written, "2024-03-05 09:12:00");
        }
        check("2024/3/5 9:12:33.25", "2024-03-05 09:12:33.250");
        check("45356.383333333331", "2024-03-05 09:12:00");
        check("45356.5", "2024-03-05 12:00:00");
    }

    #[test]
    fn what_is_no_time_is_not_read() {
        for written in [
            "",
            "2024",
            "2024-13-1",
            "2024-2-30",
            "20240230",
            "2024-3-5 25:00",
            "2024-3-5 9",
            "2024-3-5x",
            "24-3-5",
            "2024-3-512:00",
            "2024年3月",
            "5.3.2024",
            "2024-3/5",
            "0",
            "60",
            "2958466",
            "-1",
            "45356.5.1",
            "1e5",
            "2024-3-5 9:12:33.",
            "昨天",
        ] {
            assert_eq!(local(written, Times::Excel), None, "{written}");
        }
        assert_eq!(local("45356", Times::Loose), None);
        assert_eq!(local("2024/3/5", Times::Iso), None);
    }

    #[test]
    fn the_day_that_never_was_moves_no_other() {
        check("1", "1900-01-01 00:00:00");
        check("59", "1900-02-28 00:00:00");
        check("61", "1900-03-01 00:00:00");
        check("2958465", "9999-12-31 00:00:00");
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn every_day_comes_back_from_every_way_of_writing_it(days in 10_000_u64..60_000) {
            // From 1927 on, so that no change of the zone in between skips a midnight that it is compared with.
            let day = NaiveDate::from_ymd_opt(1899, 12, 30).unwrap() + Days::new(days);
            let expected = zone::start_of_day(DEFAULT_ZONE, day).timestamp_micros();
            let (y, m, d) = (day.year(), day.month(), day.day());
            for written in [
                format!("{y}-{m:02}-{d:02}"), format!("{y}/{m}/{d}"), format!("{y}.{m}.{d}"), format!("{y}{m:02}{d:02}"),
                format!("{y}年{m}月{d}日"), days.to_string(),
            ] {
                prop_assert_eq!(parse(&written, Times::Excel, DEFAULT_ZONE), Some(expected), "{}", written);
            }
        }

        #[test]
        fn every_second_of_a_day_comes_back_from_a_spreadsheet(second in 0_u32..86_400) {
            let serial = 45_356.0 + f64::from(second) / 86_400.0;
            let day = zone::start_of_day(DEFAULT_ZONE, NaiveDate::from_ymd_opt(2024, 3, 5).unwrap());
            let expected = day.timestamp_micros() + i64::from(second) * 1_000_000;
            prop_assert_eq!(parse(&serial.to_string(), Times::Excel, DEFAULT_ZONE), Some(expected));
        }

        #[test]
        fn any_text_is_read_without_a_crash(written in "\\PC{0,30}") {
            let read = parse(&written, Times::Excel, DEFAULT_ZONE);
            prop_assert!(read.is_none() || written.chars().any(char::is_numeric));
        }
    }
}
