//! Working days of the local calendar, with holidays and make-up days. Pure.

use std::collections::BTreeMap;

use chrono::{Datelike, NaiveDate, Weekday};

use crate::error::{Error, Result};

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

#[cfg(test)]
mod tests {
    use super::*;

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
}
