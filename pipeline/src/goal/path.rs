//! The way to a target: where a number should be on each day. Pure.

use chrono::NaiveDate;

/// A number to have reached by a day.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Step {
    /// The last day on which it may be reached.
    pub by: NaiveDate,
    /// The number.
    pub value: f64,
}

/// The shape of the way.
#[derive(Debug, Clone, PartialEq)]
pub enum Path {
    /// Evenly by days, from where the year begins to the target.
    Linear,
    /// In the shape of the year before: the target times the share that last year had by the same day.
    Seasonal,
    /// Stairs, in the order of their days.
    Steps(Vec<Step>),
}

impl Path {
    /// The name in files and answers.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Linear => "linear",
            Self::Seasonal => "seasonal",
            Self::Steps(_) => "steps",
        }
    }
}

/// The ends of a way.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Ends {
    /// The first day.
    pub(super) start: NaiveDate,
    /// The last day on which the target can be met.
    pub(super) due: NaiveDate,
    /// Where the number stands before the first day: 0 for a number since 1 January, else the baseline.
    pub(super) from: f64,
    /// The target.
    pub(super) target: f64,
    /// Whether the number only grows and must stay below: a stair then holds until its day, not from it.
    pub(super) is_cap: bool,
}

/// Where the number should be at the end of a day.
///
/// `last_year` gives last year's number at the end of the same day of last year. A seasonal way without a last
/// year, or with one that came to nothing, is walked evenly; [`walked`] says so.
pub(super) fn should_be(
    path: &Path,
    ends: Ends,
    day: NaiveDate,
    last_year: impl Fn(NaiveDate) -> Option<f64>,
) -> f64 {
    if day >= ends.due {
        return ends.target;
    }
    match path {
        Path::Linear => linear(ends, day),
        Path::Seasonal => seasonal(ends, day, last_year).unwrap_or_else(|| linear(ends, day)),
        Path::Steps(steps) if ends.is_cap => {
            steps.iter().find(|step| day <= step.by).map_or(ends.target, |step| step.value)
        }
        Path::Steps(steps) => {
            steps.iter().rev().find(|step| step.by <= day).map_or(ends.from, |step| step.value)
        }
    }
}

/// The way that is really walked: seasonal takes a last year.
pub(super) fn walked(
    path: &Path,
    ends: Ends,
    last_year: impl Fn(NaiveDate) -> Option<f64>,
) -> &'static str {
    match path {
        Path::Seasonal if seasonal(ends, ends.start, last_year).is_none() => Path::Linear.name(),
        path => path.name(),
    }
}

fn linear(ends: Ends, day: NaiveDate) -> f64 {
    let days = |until: NaiveDate| ((until - ends.start).num_days() + 1).max(0) as f64;
    let share = (days(day) / days(ends.due).max(1.0)).clamp(0.0, 1.0);
    ends.from + (ends.target - ends.from) * share
}

fn seasonal(
    ends: Ends,
    day: NaiveDate,
    last_year: impl Fn(NaiveDate) -> Option<f64>,
) -> Option<f64> {
    let whole = last_year(ends.due).filter(|whole| *whole > 0.0)?;
    Some(ends.target * last_year(day)? / whole)
}

#[cfg(test)]
mod tests {
    use chrono::{Datelike, Days};
    use proptest::prelude::*;

    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn ends(from: f64, target: f64) -> Ends {
        Ends { start: day("2025-01-01"), due: day("2025-12-31"), from, target, is_cap: false }
    }

    fn stairs() -> Path {
        let step = |by: &str, value| Step { by: day(by), value };
        Path::Steps(vec![step("2025-06-30", 30.0), step("2025-09-30", 60.0)])
    }

    /// Last year came to 40, a quarter of it in each quarter.
    fn last_year(day: NaiveDate) -> Option<f64> {
        Some(f64::from(day.month0() / 3 + 1) * 10.0)
    }

    #[track_caller]
    fn check(path: &Path, ends: Ends, on: &str, expected: f64) {
        let found = should_be(path, ends, day(on), last_year);
        assert!((found - expected).abs() < 1e-9, "{} on {on}: {found}", path.name());
    }

    #[test]
    fn a_linear_path_goes_by_days_from_where_the_year_begins_to_the_target() {
        check(&Path::Linear, ends(0.0, 365.0), "2025-01-01", 1.0);
        check(&Path::Linear, ends(0.0, 365.0), "2025-12-31", 365.0);
        check(&Path::Linear, ends(0.6, 0.8), "2025-07-02", 0.6 + 0.2 * 183.0 / 365.0);
        check(&Path::Linear, ends(0.10, 0.05), "2025-12-30", 0.10 - 0.05 * 364.0 / 365.0);
        check(&Path::Linear, ends(0.0, 10.0), "2026-02-01", 10.0);
    }

    #[test]
    fn a_seasonal_path_has_the_share_that_last_year_had_by_the_same_day() {
        check(&Path::Seasonal, ends(0.0, 100.0), "2025-03-31", 25.0);
        check(&Path::Seasonal, ends(0.0, 100.0), "2025-10-01", 100.0);
    }

    #[test]
    fn a_seasonal_path_without_a_last_year_is_walked_evenly_and_says_so() {
        let none = |_| None;
        let nothing = |_| Some(0.0);
        let on = day("2025-12-30");
        let expected = should_be(&Path::Linear, ends(0.0, 9.0), on, none);
        assert_eq!(should_be(&Path::Seasonal, ends(0.0, 9.0), on, none), expected);
        assert_eq!(should_be(&Path::Seasonal, ends(0.0, 9.0), on, nothing), expected);
        assert_eq!(walked(&Path::Seasonal, ends(0.0, 9.0), none), "linear");
        assert_eq!(walked(&Path::Seasonal, ends(0.0, 9.0), last_year), "seasonal");
        assert_eq!(walked(&stairs(), ends(0.0, 9.0), none), "steps");
    }

    #[test]
    fn a_stair_holds_from_its_day_and_a_cap_until_its_day() {
        check(&stairs(), ends(5.0, 90.0), "2025-06-29", 5.0);
        check(&stairs(), ends(5.0, 90.0), "2025-06-30", 30.0);
        check(&stairs(), ends(5.0, 90.0), "2025-12-30", 60.0);
        check(&stairs(), ends(5.0, 90.0), "2025-12-31", 90.0);
        let cap = Ends { is_cap: true, ..ends(0.0, 90.0) };
        check(&stairs(), cap, "2025-06-30", 30.0);
        check(&stairs(), cap, "2025-07-01", 60.0);
        check(&stairs(), cap, "2025-10-01", 90.0);
    }

    proptest! {
        #[test]
        fn every_path_to_a_higher_target_only_rises_and_ends_there(
            from in 0.0..1.0f64,
            rise in 0.0..1.0f64,
            due in 30..365u64,
            monthly in prop::collection::vec(0.0..50.0f64, 12),
        ) {
            let start = day("2025-01-01");
            let due = start + Days::new(due);
            let ends = Ends { start, due, from, target: from + rise, is_cap: false };
            let totals = |day: NaiveDate| {
                let known = &monthly[..=day.month0() as usize];
                Some(known.iter().sum::<f64>())
            };
            let steps = [0.3, 0.7].map(|share| Step {
                by: start + Days::new((share * (due - start).num_days() as f64) as u64),
                value: from + share * rise,
            });
            for path in [Path::Linear, Path::Seasonal, Path::Steps(steps.to_vec())] {
                let mut before = f64::NEG_INFINITY;
                for day in start.iter_days().take_while(|day| *day <= due) {
                    let now = should_be(&path, ends, day, totals);
                    prop_assert!(now >= before - 1e-9, "{} on {day}", path.name());
                    before = now;
                }
                prop_assert!((before - ends.target).abs() < 1e-9);
            }
        }
    }
}
