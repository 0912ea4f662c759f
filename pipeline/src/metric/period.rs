//! Periods: half-open spans of local days. Pure.

use chrono::{Datelike, Days, Months, NaiveDate};
use serde::Deserialize;

use crate::error::{Error, Result};

/// A half-open span of local days: `start <= day < end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Period {
    /// The first day.
    pub start: NaiveDate,
    /// The first day after it.
    pub end: NaiveDate,
}

impl Period {
    /// Its calendar months with what is left at both ends, where the whole ones are neither few nor very many; else itself. Who
    /// asks for a month, a quarter and a year asks for the same months.
    pub(crate) fn parts(self) -> Vec<Self> {
        const DAYS_MAX: i64 = 10 * 366;
        if (self.end - self.start).num_days() > DAYS_MAX {
            return vec![self];
        }
        let months = periods(self, Grain::Month);
        let whole = months.iter().filter(|month| Grain::Month.is_whole(**month)).count();
        if whole < 3 { vec![self] } else { months }
    }
}

/// The length of the buckets that a period is cut into.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Grain {
    /// Local days.
    Day,
    /// Weeks from Monday.
    Week,
    /// Calendar months.
    Month,
    /// Calendar quarters.
    Quarter,
    /// Calendar years.
    Year,
    /// The whole period in one piece.
    All,
}

impl Grain {
    /// Every grain, shortest first.
    pub const ALL: [Self; 6] =
        [Self::Day, Self::Week, Self::Month, Self::Quarter, Self::Year, Self::All];

    /// Reads a grain's name.
    pub fn parse(name: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|grain| grain.name() == name).ok_or_else(|| {
            let names: Vec<_> = Self::ALL.iter().map(|grain| grain.name()).collect();
            Error::Request(format!("`{name}` is not a grain; use {}", names.join(", ")))
        })
    }

    /// The grain's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
            Self::Quarter => "quarter",
            Self::Year => "year",
            Self::All => "all",
        }
    }

    /// The first day of the next bucket after `day`; `None` where the grain has one bucket only.
    fn next(self, day: NaiveDate) -> Option<NaiveDate> {
        let months = |count: u32, first_month: u32| {
            NaiveDate::from_ymd_opt(day.year(), first_month, 1)?
                .checked_add_months(Months::new(count))
        };
        match self {
            Self::Day => day.succ_opt(),
            Self::Week => {
                let days = 7 - u64::from(day.weekday().num_days_from_monday());
                day.checked_add_days(Days::new(days))
            }
            Self::Month => months(1, day.month()),
            Self::Quarter => months(3, day.month0() / 3 * 3 + 1),
            Self::Year => months(12, 1),
            Self::All => None,
        }
    }
}

impl Grain {
    /// The first day of the calendar's bucket that holds `day`.
    pub(crate) fn start_of(self, day: NaiveDate) -> NaiveDate {
        let first_of = |month: u32| NaiveDate::from_ymd_opt(day.year(), month, 1);
        let start = match self {
            Self::Day | Self::All => Some(day),
            Self::Week => {
                day.checked_sub_days(Days::new(day.weekday().num_days_from_monday().into()))
            }
            Self::Month => first_of(day.month()),
            Self::Quarter => first_of(day.month0() / 3 * 3 + 1),
            Self::Year => first_of(1),
        };
        start.unwrap_or(day)
    }

    /// Whether a bucket is one of the calendar's, from its first day to its last.
    fn is_whole(self, bucket: Period) -> bool {
        self.start_of(bucket.start) == bucket.start && self.next(bucket.start) == Some(bucket.end)
    }

    /// The calendar's bucket that begins like `bucket`, to its end.
    pub(crate) fn whole(self, bucket: Period) -> Period {
        Period { end: self.next(bucket.start).unwrap_or(bucket.end), ..bucket }
    }
}

/// Cuts a period into buckets of the calendar; the first and last end where the period does.
pub fn periods(whole: Period, grain: Grain) -> Vec<Period> {
    let mut buckets = Vec::new();
    let mut start = whole.start;
    while start < whole.end {
        let end = grain.next(start).map_or(whole.end, |next| next.min(whole.end));
        buckets.push(Period { start, end });
        start = end;
    }
    buckets
}

/// Makes each bucket a trailing window: the `days` local days that end with the bucket's last day.
pub fn trailing(buckets: &[Period], days: u32) -> Vec<Period> {
    buckets
        .iter()
        .map(|bucket| Period {
            start: bucket.end.checked_sub_days(Days::new(days.into())).unwrap_or(bucket.start),
            end: bucket.end,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    #[track_caller]
    fn check(from: &str, to: &str, grain: Grain, expected: &[&str]) {
        let buckets = periods(Period { start: day(from), end: day(to) }, grain);
        let starts: Vec<_> = buckets.iter().map(|bucket| bucket.start.to_string()).collect();
        assert_eq!(starts, expected);
        assert_eq!(buckets.last().map(|bucket| bucket.end), Some(day(to)));
    }

    #[test]
    fn buckets_are_those_of_the_calendar_and_clipped_to_the_period() {
        check(
            "2024-01-15",
            "2024-03-10",
            Grain::Month,
            &["2024-01-15", "2024-02-01", "2024-03-01"],
        );
        check(
            "2024-02-27",
            "2024-03-02",
            Grain::Day,
            &["2024-02-27", "2024-02-28", "2024-02-29", "2024-03-01"],
        );
        check("2024-11-01", "2025-02-01", Grain::Quarter, &["2024-11-01", "2025-01-01"]);
        check("2024-12-30", "2025-01-08", Grain::Week, &["2024-12-30", "2025-01-06"]);
        check("2024-01-01", "2026-01-01", Grain::Year, &["2024-01-01", "2025-01-01"]);
        check("2024-01-01", "2026-01-01", Grain::All, &["2024-01-01"]);
    }

    #[test]
    fn a_period_is_put_together_of_its_months_from_three_whole_ones_on() {
        let parts = |from: &str, to: &str| Period { start: day(from), end: day(to) }.parts().len();
        assert_eq!(parts("2024-01-15", "2024-04-30"), 1, "February and March alone are whole");
        assert_eq!(parts("2024-01-15", "2024-05-01"), 4);
        assert_eq!(parts("2024-01-01", "2025-01-01"), 12);
        assert_eq!(parts("2024-01-01", "2024-01-01"), 1);
        assert_eq!(parts("0024-03-05", "2025-01-01"), 1, "of a mistyped year nothing depends");
    }

    #[test]
    fn a_trailing_window_ends_where_its_bucket_does() {
        let whole = Period { start: day("2024-03-01"), end: day("2024-03-03") };
        let windows = trailing(&periods(whole, Grain::Day), 30);
        let spans: Vec<_> =
            windows.iter().map(|it| (it.start.to_string(), it.end.to_string())).collect();
        let span = |start: &str, end: &str| (start.to_owned(), end.to_owned());
        assert_eq!(spans, [span("2024-02-01", "2024-03-02"), span("2024-02-02", "2024-03-03")]);
    }

    proptest! {
        #[test]
        fn buckets_tile_the_period(from in 0..20_000i32, length in 1..2000i32, grain in 0..6usize) {
            let start = NaiveDate::from_epoch_days(from).unwrap();
            let end = NaiveDate::from_epoch_days(from + length).unwrap();
            let buckets = periods(Period { start, end }, Grain::ALL[grain]);
            prop_assert_eq!(buckets[0].start, start);
            prop_assert_eq!(buckets[buckets.len() - 1].end, end);
            for pair in buckets.windows(2) {
                prop_assert_eq!(pair[0].end, pair[1].start);
                prop_assert!(pair[0].start < pair[0].end);
            }
            let whole = Period { start, end };
            let parts = whole.parts();
            prop_assert!(parts == [whole] || parts == periods(whole, Grain::Month));
        }
    }
}
