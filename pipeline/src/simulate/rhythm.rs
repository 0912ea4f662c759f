//! Days, working hours and seasons of the simulated years 2024 and 2025.
//!
//! A moment is a number of local seconds since 2024-01-01T00:00+08:00, a day a number of days since then.
//! Asia/Shanghai keeps one offset all through these years, so local time is plain arithmetic.

use std::sync::LazyLock;

use chrono::{Datelike, NaiveDate};

use crate::calendar::Calendar;
use crate::definition::Definitions;

/// Seconds since 2024-01-01T00:00+08:00.
pub(super) type Moment = i64;

/// Days since 2024-01-01; before that it is negative.
pub(super) type Day = i32;

/// Seconds of a day.
pub(super) const DAY: Moment = 86_400;

/// Days of 2024, which is also the first day of 2025.
pub(super) const DAYS_2024: Day = 366;

/// Days of both years, which is also the first day after them.
pub(super) const DAYS: Day = 731;

/// The first moment after both years.
pub(super) const END: Moment = DAYS as Moment * DAY;

/// Unix time of moment zero.
pub(super) const UNIX_START: i64 = 1_704_038_400;

/// Unix days of day zero.
const UNIX_START_DAY: Day = 19_723;

/// The calendar that is shipped with the definitions.
static CALENDAR: LazyLock<Calendar> = LazyLock::new(|| {
    let definitions = Definitions::load(None);
    let file = "reference/calendar.csv";
    let text = definitions.as_ref().ok().and_then(|definitions| definitions.file(file).ok());
    // The files are compiled in, and a test parses this one.
    text.and_then(|text| Calendar::parse(file, text).ok()).unwrap_or_default()
});

/// Relative business of the twelve months.
const SEASON: [f64; 12] = [0.88, 0.72, 0.98, 1.0, 1.02, 1.06, 1.02, 0.98, 1.04, 0.96, 1.12, 1.08];

/// Relative business of the hours of an office day.
pub(super) const OFFICE_HOURS: [u32; 24] =
    [0, 0, 0, 0, 0, 0, 0, 1, 18, 95, 130, 80, 12, 18, 92, 128, 100, 40, 8, 3, 2, 1, 0, 0];

/// Relative business of the hours of an evening on the street.
pub(super) const EVENING_HOURS: [u32; 24] =
    [1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 30, 75, 110, 95, 45, 12];

fn date(day: Day) -> NaiveDate {
    crate::zone::date_of(day + UNIX_START_DAY)
}

/// Returns year, month and day of a day.
pub(super) fn civil(day: Day) -> (i32, u32, u32) {
    let date = date(day);
    (date.year(), date.month(), date.day())
}

/// Returns the day of a date from 2023 to 2026.
pub(super) const fn day(year: i32, month: u32, date: u32) -> Day {
    const BEFORE_MONTH: [Day; 12] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];
    let year_start = match year {
        2023 => -365,
        2024 => 0,
        2025 => DAYS_2024,
        _ => DAYS,
    };
    let leap = if year == 2024 && month > 2 { 1 } else { 0 };
    year_start + BEFORE_MONTH[month as usize - 1] + leap + date as Day - 1
}

/// Returns the day of a moment.
pub(super) fn day_of(at: Moment) -> Day {
    at.div_euclid(DAY) as Day
}

/// Writes a day as `2024-03-05`.
pub(super) fn date_text(day: Day) -> String {
    date(day).to_string()
}

/// Says whether a day of 2024 or 2025 is worked.
pub(super) fn is_working(day: Day) -> bool {
    CALENDAR.is_working_day(date(day)) == Some(true)
}

/// Says whether a day off is one because of a festival, and not only a plain weekend.
fn is_holiday(day: Day) -> bool {
    CALENDAR.is_exception(date(day)) && !is_working(day)
}

/// Returns the relative business of a day: 1 for a plain working day, much less for days off and around long holidays.
pub(super) fn day_weight(day: Day) -> f64 {
    let (_, month, _) = civil(day);
    let base = match (is_working(day), is_holiday(day)) {
        (true, _) => 1.0,
        (false, true) => 0.07,
        (false, false) => 0.13,
    };
    base * SEASON[month as usize - 1] * holiday_shadow(day)
}

/// The days around Spring Festival and National Day are slow.
fn holiday_shadow(today: Day) -> f64 {
    let festivals = [
        (day(2024, 2, 10), day(2024, 2, 18), 8, 4),
        (day(2025, 1, 28), day(2025, 2, 5), 8, 4),
        (day(2024, 10, 1), day(2024, 10, 8), 2, 2),
        (day(2025, 10, 1), day(2025, 10, 9), 2, 2),
    ];
    let is_near = |(first, after, before_days, after_days): &(Day, Day, Day, Day)| {
        first - before_days <= today && today < after + after_days
    };
    if festivals.iter().any(is_near) { 0.6 } else { 1.0 }
}

/// A clock that runs fast when the platform is busy and slow at night and on days off.
///
/// Things spread evenly over busy time have the rhythm of the calendar when their busy time is read as a moment.
#[derive(Debug)]
pub(super) struct BusyClock {
    /// Weight of each hour of the two years, at least one.
    weights: Vec<u64>,
    /// Busy time at the start of each hour; one entry more than hours.
    starts: Vec<u64>,
}

impl BusyClock {
    /// Busy time of a plain working day.
    pub(super) const WORKING_DAY: u64 = 3600 * 1000;

    /// Builds the clock over both years.
    pub(super) fn new() -> Self {
        let office: u32 = OFFICE_HOURS.iter().sum();
        let evening: u32 = EVENING_HOURS.iter().sum();
        let mut weights = Vec::with_capacity(DAYS as usize * 24);
        for day in 0..DAYS {
            let growth = 0.8 + 0.4 * f64::from(day) / f64::from(DAYS);
            for hour in 0..24 {
                let share = 0.94 * f64::from(OFFICE_HOURS[hour]) / f64::from(office)
                    + 0.06 * f64::from(EVENING_HOURS[hour]) / f64::from(evening);
                weights.push(1 + (1000.0 * day_weight(day) * growth * share) as u64);
            }
        }
        let mut starts = vec![0];
        let mut total = 0;
        for weight in &weights {
            total += weight * 3600;
            starts.push(total);
        }
        Self { weights, starts }
    }

    /// Busy time of both years.
    pub(super) fn total(&self) -> u64 {
        self.starts.last().copied().unwrap_or(0)
    }

    /// Reads busy time as a moment; later busy time is never an earlier moment.
    pub(super) fn moment(&self, busy: u64) -> Moment {
        let hour = self.starts.partition_point(|start| *start <= busy).saturating_sub(1);
        let hour = hour.min(self.weights.len() - 1);
        let second = (busy - self.starts[hour]) / self.weights[hour];
        hour as Moment * 3600 + second.min(3599) as Moment
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_and_days_are_inverse() {
        for number in -365..DAYS + 60 {
            let (year, month, date) = civil(number);
            assert_eq!(day(year, month, date), number);
        }
        assert_eq!(date_text(day(2024, 2, 29)), "2024-02-29");
        assert_eq!(date_text(DAYS_2024), "2025-01-01");
    }

    #[test]
    fn the_busy_clock_runs_forward_through_both_years() {
        let clock = BusyClock::new();
        let moments: Vec<Moment> =
            (0..=1000).map(|part| clock.moment(clock.total() * part / 1000)).collect();
        assert!(moments.is_sorted());
        assert_eq!(moments[0], 0);
        assert!(moments[1000] < END && moments[1000] >= END - 3600);
    }
}
