//! Working days of the local calendar, with holidays and make-up days, and the periods of law counted on them. Pure.

use std::collections::BTreeMap;

use chrono::{Datelike, NaiveDate, Weekday};

use crate::error::{Error, Result};
use crate::zone::days_of;

/// A day that is not what its weekday says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exception {
    /// Whether people work on it: a make-up day (调休) if true, a holiday if false.
    pub is_working_day: bool,
    /// The festival.
    pub name: String,
}

/// The working days of the years that it covers; other years are unknown, never guessed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Calendar {
    exceptions: BTreeMap<NaiveDate, Exception>,
}

impl Calendar {
    /// Reads `date,kind,name` lines, where kind is `off` or `work`. A year is covered when it has a line.
    pub fn parse(file: &str, csv_text: &str) -> Result<Self> {
        let mut exceptions = BTreeMap::new();
        let mut reader = csv::Reader::from_reader(csv_text.as_bytes());
        for (position, record) in reader.records().enumerate() {
            let at = |problem: String| {
                Error::definition(
                    format!("{file}:{}", position + 2),
                    problem,
                    "write date,kind,name as in 2024-02-04,work,春节",
                )
            };
            let record = record.map_err(|error| at(error.to_string()))?;
            let field = |column: usize| record.get(column).unwrap_or_default();
            let date: NaiveDate =
                field(0).parse().map_err(|_| at(format!("`{}` is not a date", field(0))))?;
            let is_working_day = match field(1) {
                "off" => false,
                "work" => true,
                other => return Err(at(format!("kind `{other}` is neither off nor work"))),
            };
            exceptions.insert(date, Exception { is_working_day, name: field(2).to_owned() });
        }
        Ok(Self { exceptions })
    }

    /// The years that the calendar covers.
    pub fn years(&self) -> Vec<i32> {
        let mut years: Vec<i32> = self.exceptions.keys().map(Datelike::year).collect();
        years.dedup();
        years
    }

    /// Whether people work on a day; `None` for a year that is not covered.
    pub fn is_working_day(&self, day: NaiveDate) -> Option<bool> {
        if let Some(exception) = self.exceptions.get(&day) {
            return Some(exception.is_working_day);
        }
        self.covers(day.year()).then(|| !matches!(day.weekday(), Weekday::Sat | Weekday::Sun))
    }

    /// Whether a day is a holiday or a make-up day.
    pub fn is_exception(&self, day: NaiveDate) -> bool {
        self.exceptions.contains_key(&day)
    }

    fn covers(&self, year: i32) -> bool {
        let first = NaiveDate::from_ymd_opt(year, 1, 1).unwrap_or_default();
        let next = NaiveDate::from_ymd_opt(year + 1, 1, 1).unwrap_or_default();
        self.exceptions.range(first..next).next().is_some()
    }

    /// Every day of the covered years: the day, whether people work on it, and its festival.
    pub fn days(&self) -> Vec<(NaiveDate, bool, Option<&str>)> {
        let mut days = Vec::new();
        for year in self.years() {
            let first = NaiveDate::from_ymd_opt(year, 1, 1).unwrap_or_default();
            for day in first.iter_days().take_while(|day| day.year() == year) {
                let name = self.exceptions.get(&day).map(|exception| exception.name.as_str());
                days.push((day, self.is_working_day(day) == Some(true), name));
            }
        }
        days
    }
}

/// Counts on the calendar in constant time. Days are those since 1970, as in Arrow's dates.
///
/// A question whose answer depends on a year that the calendar does not cover has no answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WorkingDays {
    first: i32,
    /// For each day from `first`: the working days from `first` up to and including it.
    working_up_to: Vec<u32>,
    /// For each day from `first`: the days of years without a calendar, up to and including it.
    unknown_up_to: Vec<u32>,
    /// The working days in order.
    days: Vec<i32>,
}

impl WorkingDays {
    /// Prepares the counts of a calendar.
    pub fn new(calendar: &Calendar) -> Self {
        let years = calendar.years();
        let (Some(first), Some(last)) = (years.first(), years.last()) else {
            return Self::default();
        };
        let start = NaiveDate::from_ymd_opt(*first, 1, 1).unwrap_or_default();
        let mut counts = Self { first: days_of(start), ..Self::default() };
        let mut unknown = 0;
        for day in start.iter_days().take_while(|day| day.year() <= *last) {
            match calendar.is_working_day(day) {
                Some(true) => counts.days.push(days_of(day)),
                Some(false) => {}
                None => unknown += 1,
            }
            counts.working_up_to.push(counts.days.len() as u32);
            counts.unknown_up_to.push(unknown);
        }
        counts
    }

    fn index(&self, day: i32) -> Option<usize> {
        let index = usize::try_from(i64::from(day) - i64::from(self.first)).ok()?;
        let known = index < self.unknown_up_to.len() && self.is_known(index);
        known.then_some(index)
    }

    fn is_known(&self, index: usize) -> bool {
        let before = index.checked_sub(1).map_or(0, |before| self.unknown_up_to[before]);
        self.unknown_up_to[index] == before
    }

    /// Whether people work on a day.
    pub fn is_working_day(&self, day: i32) -> Option<bool> {
        let index = self.index(day)?;
        let before = index.checked_sub(1).map_or(0, |before| self.working_up_to[before]);
        Some(self.working_up_to[index] > before)
    }

    /// The `count`-th working day after a day, which itself does not count (行政处罚法 art. 85: periods of
    /// days begin on the day after). For a count of 0 or less the day itself.
    pub fn due_after(&self, day: i32, count: i64) -> Option<i32> {
        let index = self.index(day)?;
        if count <= 0 {
            return Some(day);
        }
        let place = i64::from(self.working_up_to[index]) + count - 1;
        let due = *self.days.get(usize::try_from(place).ok()?)?;
        let due_index = self.index(due)?;
        (self.unknown_up_to[due_index] == self.unknown_up_to[index]).then_some(due)
    }

    /// A day, or the first working day after it when it is a day off: where a period of calendar days
    /// ends (民法典 art. 203, 民事诉讼法 art. 85).
    pub fn rolled(&self, day: i32) -> Option<i32> {
        if self.is_working_day(day)? { Some(day) } else { self.due_after(day, 1) }
    }

    /// The working days after `from`, up to and including `to`; 0 when `to` is not later.
    pub fn between(&self, from: i32, to: i32) -> Option<i64> {
        let (from, to) = (self.index(from)?, self.index(to)?);
        if to <= from {
            return Some(0);
        }
        let known = self.unknown_up_to[from] == self.unknown_up_to[to];
        known.then(|| i64::from(self.working_up_to[to]) - i64::from(self.working_up_to[from]))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::zone::date_of;

    fn shipped() -> Calendar {
        let definitions = crate::definition::Definitions::load(None).unwrap();
        let file = "reference/calendar.csv";
        Calendar::parse(file, definitions.file(file).unwrap()).unwrap()
    }

    #[track_caller]
    fn check(day: &str, expected: Option<bool>) {
        assert_eq!(shipped().is_working_day(day.parse().unwrap()), expected, "{day}");
    }

    #[test]
    fn the_shipped_years_have_the_announced_number_of_working_days() {
        let calendar = shipped();
        assert_eq!(calendar.years(), [2024, 2025, 2026]);
        for (year, expected) in [(2024, 251), (2025, 248), (2026, 248)] {
            let days = calendar.days();
            let working =
                days.iter().filter(|(day, works, _)| day.year() == year && *works).count();
            assert_eq!(working, expected, "{year}");
        }
    }

    #[test]
    fn holidays_are_off_make_up_days_are_not_and_other_years_are_unknown() {
        check("2024-02-12", Some(false));
        check("2024-02-04", Some(true));
        check("2024-03-02", Some(false));
        check("2024-03-04", Some(true));
        check("2023-03-01", None);
        check("2027-03-01", None);
    }

    fn counts() -> WorkingDays {
        WorkingDays::new(&shipped())
    }

    fn number(day: &str) -> i32 {
        days_of(day.parse().unwrap())
    }

    #[track_caller]
    fn check_due(from: &str, working_days: i64, expected: Option<&str>) {
        let due = counts().due_after(number(from), working_days);
        assert_eq!(due, expected.map(number), "{from} + {working_days}");
    }

    #[test]
    fn a_period_of_working_days_skips_weekends_and_holidays_and_counts_make_up_days() {
        // Friday to the Friday after.
        check_due("2024-03-01", 5, Some("2024-03-08"));
        // 2024-02-04 is a Sunday that is worked, 02-10 to 02-17 are off, 02-18 is worked.
        check_due("2024-02-02", 7, Some("2024-02-18"));
        check_due("2024-02-29", 1, Some("2024-03-01"));
        // Over New Year.
        check_due("2024-12-27", 3, Some("2025-01-02"));
        // 2027 has no calendar.
        check_due("2026-12-30", 1, Some("2026-12-31"));
        check_due("2026-12-30", 2, None);
        check_due("2023-12-29", 1, None);
    }

    #[test]
    fn a_period_of_calendar_days_that_ends_on_a_day_off_ends_on_the_next_working_day() {
        let rolled = |day: &str| counts().rolled(number(day));
        assert_eq!(rolled("2024-03-08"), Some(number("2024-03-08")));
        assert_eq!(rolled("2024-03-09"), Some(number("2024-03-11")));
        assert_eq!(rolled("2024-10-01"), Some(number("2024-10-08")));
        assert_eq!(rolled("2024-02-04"), Some(number("2024-02-04")));
        assert_eq!(rolled("2027-01-01"), None);
    }

    #[test]
    fn a_year_without_calendar_between_two_with_one_makes_counts_across_it_unknown() {
        let text = "date,kind,name\n2024-01-01,off,元旦\n2026-01-01,off,元旦\n";
        let counts = WorkingDays::new(&Calendar::parse("calendar.csv", text).unwrap());
        assert_eq!(counts.between(number("2024-12-30"), number("2024-12-31")), Some(1));
        assert_eq!(counts.between(number("2024-12-30"), number("2026-01-05")), None);
        assert_eq!(counts.due_after(number("2024-12-31"), 1), None);
        assert_eq!(counts.is_working_day(number("2025-06-03")), None);
    }

    proptest! {
        #[test]
        fn counts_agree_with_walking_the_calendar(from in 19_723..20_800i32, length in 0..200i32) {
            let calendar = shipped();
            let counts = WorkingDays::new(&calendar);
            let to = from + length;
            let walked: Vec<i32> = (from + 1..=to)
                .filter(|day| calendar.is_working_day(date_of(*day)) == Some(true))
                .collect();
            if date_of(to).year() < 2027 {
                prop_assert_eq!(counts.between(from, to), Some(walked.len() as i64));
            }
            for (place, day) in walked.iter().enumerate() {
                prop_assert_eq!(counts.due_after(from, place as i64 + 1), Some(*day));
            }
        }
    }
}
