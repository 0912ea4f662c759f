//! How good the forecasts would have been: made on many days of a year that is over, compared with what came. Pure.

use chrono::{Days, NaiveDate};

use super::forecast::{self, Ahead, Curve, Forecast, Growth};

/// Forecasts start when this many days of the year have gone.
const FIRST_DAYS: u64 = 56;
const FIRST_WEEKS: usize = 8;

/// Forecasts are this many days apart, or as far as the ends of buckets are.
const EVERY_DAYS: u64 = 14;
const EVERY_WEEKS: usize = 2;

/// The year that a forecast is tried on, and the year before it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Years<'c> {
    /// The whole year.
    pub(super) this: &'c Curve,
    /// The whole year before.
    pub(super) last: Option<&'c Curve>,
}

/// What forecasts came to. Those of several series are put together with [`Backtest::add`].
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Backtest {
    errors: Vec<f64>,
    covered: usize,
}

impl Backtest {
    /// How many forecasts were made.
    pub fn forecasts(&self) -> usize {
        self.errors.len()
    }

    /// The share of them whose interval held what came.
    pub fn coverage(&self) -> Option<f64> {
        (!self.errors.is_empty()).then(|| self.covered as f64 / self.errors.len() as f64)
    }

    /// The median absolute error: of numbers relative to what came, of ratios and states as such.
    pub fn median_error(&self) -> Option<f64> {
        let mut errors = self.errors.clone();
        (!errors.is_empty()).then(|| forecast::median(&mut errors))
    }

    /// Adds the forecasts of another series.
    pub fn add(&mut self, other: &Self) {
        self.errors.extend(&other.errors);
        self.covered += other.covered;
    }

    fn judge(&mut self, forecast: Option<Forecast>, came: f64, scale: f64) {
        let Some(forecast) = forecast else { return };
        let slack = 1e-9 * came.abs().max(1.0);
        if forecast.low <= came + slack && came <= forecast.high + slack {
            self.covered += 1;
        }
        self.errors.push((forecast.value - came).abs() / scale);
    }
}

/// The days on which forecasts are tried: ends of buckets, once the year has a course.
fn as_of_days(curve: &Curve, due: NaiveDate) -> Vec<NaiveDate> {
    let mut days = Vec::new();
    let mut next = curve.start().checked_add_days(Days::new(FIRST_DAYS));
    for end in curve.ends().take_while(|end| *end < due) {
        if next.is_some_and(|next| end >= next) {
            days.push(end);
            next = end.checked_add_days(Days::new(EVERY_DAYS));
        }
    }
    days
}

/// Tries forecasts of a number that grows over the year. Where nothing happened in it there is nothing to try.
pub(super) fn count(years: Years<'_>, due: NaiveDate) -> Backtest {
    let came = years.this.before(due);
    let mut backtest = Backtest::default();
    if came <= 0.0 {
        return backtest;
    }
    for until in as_of_days(years.this, due) {
        let known = years.this.up_to(until);
        let growth = Growth { this: &known, last: years.last };
        let forecast = forecast::count(growth, Ahead { until, due });
        backtest.judge(forecast, came, came);
    }
    backtest
}

/// Tries forecasts of a ratio since the year began: of what happened, where weeks add up, else of what is covered.
/// One that was none or all throughout is not tried.
pub(super) fn ratio(
    numerators: Years<'_>,
    denominators: Years<'_>,
    due: NaiveDate,
    adds_up: bool,
) -> Backtest {
    let mut backtest = Backtest::default();
    let all = denominators.this.before(due);
    if all <= 0.0 {
        return backtest;
    }
    let came = numerators.this.before(due) / all;
    if came == 0.0 || came == 1.0 {
        return backtest;
    }
    for until in as_of_days(denominators.this, due) {
        let (hits, all) = (numerators.this.up_to(until), denominators.this.up_to(until));
        let hits = Growth { this: &hits, last: numerators.last };
        let all = Growth { this: &all, last: denominators.last };
        let forecast = if adds_up { forecast::ratio } else { forecast::coverage };
        let forecast = forecast(hits, all, Ahead { until, due });
        backtest.judge(forecast, came, 1.0);
    }
    backtest
}

/// Tries forecasts of a state from its weekly values, the newest last; the year begins with that at `first`. One that
/// never moved is not tried: it would be foreseen by anyone.
pub(super) fn state(values: &[f64], first: usize, bounds: (f64, f64)) -> Backtest {
    let mut backtest = Backtest::default();
    let Some(came) = values.last() else { return backtest };
    if values.iter().all(|value| value == came) {
        return backtest;
    }
    for known in (first + FIRST_WEEKS..values.len()).step_by(EVERY_WEEKS) {
        let weeks_ahead = (values.len() - known) as f64;
        let forecast = forecast::state(&values[..known], weeks_ahead, bounds);
        backtest.judge(forecast, *came, 1.0);
    }
    backtest
}

#[cfg(test)]
mod tests {
    use chrono::Days;

    use super::*;

    fn weeks(start: &str, weekly: f64) -> Curve {
        let start: NaiveDate = start.parse().unwrap();
        Curve::of_buckets(start, (1..=52).map(|week| (start + Days::new(7 * week), weekly)))
    }

    #[test]
    fn a_year_like_the_last_is_foreseen_on_every_day_that_is_tried() {
        let (before, now) = (weeks("2024-01-01", 40.0), weeks("2025-01-01", 40.0));
        let due = "2025-12-31".parse().unwrap();
        let years = Years { this: &now, last: Some(&before) };
        let backtest = count(years, due);
        assert_eq!(backtest.forecasts(), 22);
        assert_eq!(backtest.coverage(), Some(1.0));
        assert!(backtest.median_error().unwrap() < 0.01);
        let (half_before, half_now) = (weeks("2024-01-01", 20.0), weeks("2025-01-01", 20.0));
        let half = Years { this: &half_now, last: Some(&half_before) };
        assert_eq!(ratio(half, years, due, true).coverage(), Some(1.0));
        assert_eq!(ratio(years, years, due, true).coverage(), None);
    }

    #[test]
    fn a_year_that_stops_is_not_foreseen_before_it_does() {
        let before = weeks("2024-01-01", 40.0);
        let start: NaiveDate = "2025-01-01".parse().unwrap();
        let stops = |week: u64| if week <= 30 { 40.0 } else { 0.0 };
        let now = Curve::of_buckets(
            start,
            (1..=52).map(|week| (start + Days::new(7 * week), stops(week))),
        );
        let backtest =
            count(Years { this: &now, last: Some(&before) }, "2025-12-31".parse().unwrap());
        assert!(backtest.coverage().unwrap() < 0.6);
    }

    #[test]
    fn nothing_tried_has_no_coverage_and_results_add_up() {
        let mut all = Backtest::default();
        assert_eq!((all.coverage(), all.median_error()), (None, None));
        let mut values = [0.5; 30];
        assert_eq!(state(&values, 5, (0.0, 1.0)).coverage(), None);
        values[3] = 0.6;
        let one = state(&values, 5, (0.0, 1.0));
        all.add(&one);
        all.add(&one);
        assert_eq!(all.forecasts(), 2 * one.forecasts());
        assert_eq!(all.coverage(), Some(1.0));
    }
}
