//! Where a number will stand on the day that a goal is due, with an 80 % interval. Pure.
//!
//! Three methods, each standard and small enough to check by hand:
//!
//! - A **number that grows over the year** is carried on in the shape of the year before: a gamma-Poisson
//!   (negative binomial) prediction with quasi-Poisson overdispersion. Without a year before, evenly by days.
//! - A **ratio of what happened since 1 January** keeps what is already in it, and expects of the rest the rate
//!   of this year so far, moved by the drift of the year before: empirical Bayes on the log odds, delta method.
//! - A **state** follows the Theil–Sen line through its last weekly values, damped after Gardner and McKenzie
//!   (1985).
//!
//! The constants that no data of one year can tell (how far a year's shape or rate may drift from that of the
//! year before) were set on the simulated years of one seed, so that the nominal 80 % covers about that, and checked
//! on those of another; `lawpulse goals --backtest` repeats it on any lake. What no past knows no interval holds: a
//! register that is rewritten, a duty that begins in the middle of the year.

use chrono::{Datelike, Days, NaiveDate};

/// The quantile of the normal distribution that leaves 10 % on each side.
const Z80: f64 = 1.2816;

/// How many events the expectation weighs that this year runs at the level of the last: with a handful of events
/// this year's level is not known yet, and with many it speaks for itself.
const SAME_LEVEL_EVENTS: f64 = 2.0;

/// Half-life, in days, of what a bucket tells about this year's level: the level moves within a year.
const LEVEL_HALF_LIFE_DAYS: f64 = 28.0;

/// Standard deviation, relative to what is still to come, of how a year's shape differs from another's.
const SHAPE_DRIFT: f64 = 0.10;

/// The same without a year before: an even pace knows nothing of seasons.
const EVEN_DRIFT: f64 = 0.2;

/// Standard deviation on the log odds of how far a rate moves between what was and what is to come.
const RATE_DRIFT: f64 = 0.12;

/// The least number of expected events in a group of buckets whose scatter is judged (the rule for chi-squared).
const GROUP_EVENTS: f64 = 5.0;

/// Without a year before, a pace needs this many days to be one.
const PACE_DAYS: i64 = 28;

/// The weekly values that a state's trend is read from, at most and at least.
const TREND_WEEKS: usize = 13;
const TREND_WEEKS_LEAST: usize = 6;

/// The weekly values that a state's unrest is read from, at most.
pub(super) const UNREST_WEEKS: usize = 53;

/// The lags, in weeks, whose differences tell noise from a walk. A value over 28 days shares no day with the one
/// four weeks on.
const NEAR_LAG: usize = 4;
const FAR_LAG: usize = 12;

/// By how much the variance of the trend's test grows because values over 28 days repeat days of one another.
const OVERLAP: f64 = 4.0;

/// What a week's trend is worth in the next: 1 would carry it on for ever.
const DAMPING: f64 = 0.90;

/// By how much the variance of a state is understated by what its past shows, as the backtest has it.
const STATE_INFLATION: f64 = 1.5;

/// How the number for the due day was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// In the shape of the year before.
    Seasonal,
    /// Evenly by days.
    Linear,
    /// Along the trend of the last weeks.
    Trend,
}

impl Method {
    /// The name in answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Seasonal => "seasonal",
            Self::Linear => "linear",
            Self::Trend => "trend",
        }
    }
}

/// A number for a day to come, and the interval that holds it with 80 % probability.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Forecast {
    /// The number.
    pub value: f64,
    /// The lower end of the interval.
    pub low: f64,
    /// The upper end of the interval.
    pub high: f64,
    /// How it was found.
    pub method: Method,
}

/// A number that grows over a year: what it had come to by the end of each bucket.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Curve {
    start: NaiveDate,
    /// The first day after a bucket, and the total before it.
    points: Vec<(NaiveDate, f64)>,
}

impl Curve {
    /// A curve from totals: each with the first day after it.
    pub(super) fn of_totals(
        start: NaiveDate,
        totals: impl IntoIterator<Item = (NaiveDate, f64)>,
    ) -> Self {
        Self { start, points: totals.into_iter().collect() }
    }

    /// A curve from what each bucket adds.
    pub(super) fn of_buckets(
        start: NaiveDate,
        buckets: impl IntoIterator<Item = (NaiveDate, f64)>,
    ) -> Self {
        let mut total = 0.0;
        let add = |(end, value): (NaiveDate, f64)| {
            total += value;
            (end, total)
        };
        Self { start, points: buckets.into_iter().map(add).collect() }
    }

    /// What it had come to before `day`; within a bucket by the share of its days.
    pub(super) fn before(&self, day: NaiveDate) -> f64 {
        let (mut from, mut total) = (self.start, 0.0);
        for &(end, next) in &self.points {
            if day < end {
                let share = days(from, day).max(0.0) / days(from, end).max(1.0);
                return total + (next - total) * share;
            }
            (from, total) = (end, next);
        }
        total
    }

    /// The part up to the bucket that ends with `until`.
    pub(super) fn up_to(&self, until: NaiveDate) -> Self {
        let points = self.points.iter().copied().take_while(|(end, _)| *end <= until).collect();
        Self { start: self.start, points }
    }

    /// Its first day.
    pub(super) fn start(&self) -> NaiveDate {
        self.start
    }

    /// The first days after its buckets.
    pub(super) fn ends(&self) -> impl Iterator<Item = NaiveDate> {
        self.points.iter().map(|(end, _)| *end)
    }

    /// Its buckets up to `until`, as first day, first day after, and what was added.
    fn buckets(&self, until: NaiveDate) -> Vec<(NaiveDate, NaiveDate, f64)> {
        let (mut from, mut total) = (self.start, 0.0);
        let mut buckets = Vec::with_capacity(self.points.len());
        for &(end, next) in self.points.iter().take_while(|(end, _)| *end <= until) {
            buckets.push((from, end, next - total));
            (from, total) = (end, next);
        }
        buckets
    }
}

/// The span that is still to come: from `until` (what is known ends before it) to `due` (exclusive).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ahead {
    /// The first day that is not known yet.
    pub(super) until: NaiveDate,
    /// The first day after the goal is due.
    pub(super) due: NaiveDate,
}

/// This year's curve so far, and the whole curve of the year before.
#[derive(Debug, Clone, Copy)]
pub(super) struct Growth<'c> {
    /// This year's.
    pub(super) this: &'c Curve,
    /// Last year's, if there is one.
    pub(super) last: Option<&'c Curve>,
}

impl<'c> Growth<'c> {
    fn last_with_events(&self, ahead: Ahead) -> Option<&'c Curve> {
        self.last.filter(|last| last.before(a_year_before(ahead.due)) > 0.0)
    }
}

/// The same day of the year before; for 29 February the 28th.
pub(super) fn a_year_before(day: NaiveDate) -> NaiveDate {
    let year = day.year() - 1;
    day.with_year(year)
        .or_else(|| NaiveDate::from_ymd_opt(year, day.month(), 28))
        .unwrap_or_default()
}

fn days(from: NaiveDate, until: NaiveDate) -> f64 {
    (until - from).num_days() as f64
}

/// What is still to come of a number that grows.
#[derive(Debug, Clone, Copy)]
struct Rest {
    value: f64,
    variance: f64,
    method: Method,
}

/// With `y` and `l` the events so far this year and by the same day of last year, both discounted with their age by
/// [`LEVEL_HALF_LIFE_DAYS`], and `m` last year's from then to the due day:
///
///   level   g = (y + k) / (l + k),  k = [`SAME_LEVEL_EVENTS`] (a gamma prior around 1)
///   rest    R = g · m
///   Var R     = φ · (R + R² · (1/(y + k) + 1/(l + k) + 1/m)) + (δ R)²,  δ = [`SHAPE_DRIFT`]
///
/// The first term is the noise of what is to come, the second that of this year's level and of last year's shape
/// (delta method), the last how years differ. φ is the overdispersion of this year's buckets against last year's
/// shape. Without a last year, with `e` of `t` days gone, R = y · (t - e) / e undiscounted, and δ is [`EVEN_DRIFT`].
fn rest(growth: Growth<'_>, ahead: Ahead) -> Option<Rest> {
    let this = growth.this;
    let so_far = this.before(ahead.until);
    if let Some(last) = growth.last_with_events(ahead) {
        let by_now = last.before(a_year_before(ahead.until));
        let to_come = (last.before(a_year_before(ahead.due)) - by_now).max(0.0);
        let (recent, before) = recent(this, last, ahead.until);
        let level = (recent + SAME_LEVEL_EVENTS) / (before + SAME_LEVEL_EVENTS);
        let value = level * to_come;
        let dispersion = dispersion_by_shape(this, last, ahead.until);
        // A rest of less than one event still may bring one.
        let scale = level * to_come.max(1.0);
        let relative = 1.0 / (recent + SAME_LEVEL_EVENTS)
            + 1.0 / (before + SAME_LEVEL_EVENTS)
            + 1.0 / to_come.max(1.0);
        let variance =
            dispersion * (scale + scale * scale * relative) + (SHAPE_DRIFT * value).powi(2);
        return Some(Rest { value, variance, method: Method::Seasonal });
    }
    if (ahead.until - this.start).num_days() < PACE_DAYS {
        return None;
    }
    let value = so_far * days(ahead.until, ahead.due) / days(this.start, ahead.until);
    let dispersion = dispersion_by_days(this, ahead.until);
    let scale = value.max(1.0);
    let variance =
        dispersion * (scale + scale * scale / so_far.max(1.0)) + (EVEN_DRIFT * value).powi(2);
    Some(Rest { value, variance, method: Method::Linear })
}

/// This year's events and last year's of the same days, discounted with their age.
fn recent(this: &Curve, last: &Curve, until: NaiveDate) -> (f64, f64) {
    let (mut found, mut expected) = (0.0, 0.0);
    for (from, end, events) in this.buckets(until) {
        let before = last.before(a_year_before(end)) - last.before(a_year_before(from));
        let weight = 0.5_f64.powf(days(end, until) / LEVEL_HALF_LIFE_DAYS);
        found += weight * events;
        expected += weight * before;
    }
    (found, expected)
}

/// φ against last year's shape, whose own noise is part of what is expected: Var(y - c·l) = φ (c·l + c²·l).
fn dispersion_by_shape(this: &Curve, last: &Curve, until: NaiveDate) -> f64 {
    let so_far = this.before(until);
    let level = so_far / last.before(a_year_before(until)).max(1.0);
    let groups = this.buckets(until).into_iter().map(|(from, end, found)| {
        let before = last.before(a_year_before(end)) - last.before(a_year_before(from));
        (found, level * before)
    });
    dispersion(&groups.collect::<Vec<_>>(), 1.0 + level)
}

fn dispersion_by_days(this: &Curve, until: NaiveDate) -> f64 {
    let pace = this.before(until) / days(this.start, until).max(1.0);
    let groups =
        this.buckets(until).into_iter().map(|(from, end, found)| (found, pace * days(from, end)));
    dispersion(&groups.collect::<Vec<_>>(), 1.0)
}

/// Pearson's chi-squared per degree of freedom over groups of enough expected events; at least 1.
///
/// Where there are too few events for that, their variance over their mean (the index of dispersion): it sees
/// whether they come in clumps.
fn dispersion(buckets: &[(f64, f64)], variance_per_expected: f64) -> f64 {
    let (mut statistic, mut groups) = (0.0, 0_u32);
    let (mut found, mut expected) = (0.0, 0.0);
    for bucket in buckets {
        found += bucket.0;
        expected += bucket.1;
        if expected >= GROUP_EVENTS {
            let off: f64 = found - expected;
            statistic += off * off / (expected * variance_per_expected);
            groups += 1;
            (found, expected) = (0.0, 0.0);
        }
    }
    if groups >= 2 {
        return (statistic / f64::from(groups - 1)).max(1.0);
    }
    let sum: f64 = buckets.iter().map(|(found, _)| found).sum();
    let squares: f64 = buckets.iter().map(|(found, _)| found * found).sum();
    if sum > 0.0 { (squares / sum - sum / buckets.len() as f64).max(1.0) } else { 1.0 }
}

/// Forecasts a number that grows over the year. `None` when there is too little to go by.
///
/// The interval is log-normal in what is still to come, so it never falls below what already is; for a number
/// of whole things it is widened to whole numbers.
pub(super) fn count(growth: Growth<'_>, ahead: Ahead) -> Option<Forecast> {
    let so_far = growth.this.before(ahead.until);
    if ahead.until >= ahead.due {
        return Some(certain(so_far, growth, ahead));
    }
    let rest = rest(growth, ahead)?;
    let (low, high) = rest_interval(rest);
    let (mut low, mut high) = (so_far + low, so_far + high);
    if growth.this.points.iter().all(|(_, total)| total.fract() == 0.0) {
        (low, high) = (low.floor(), high.ceil());
    }
    Some(Forecast { value: so_far + rest.value, low, high, method: rest.method })
}

fn certain(value: f64, growth: Growth<'_>, ahead: Ahead) -> Forecast {
    let method = growth.last_with_events(ahead).map_or(Method::Linear, |_| Method::Seasonal);
    Forecast { value, low: value, high: value, method }
}

fn rest_interval(rest: Rest) -> (f64, f64) {
    let deviation = rest.variance.sqrt();
    if rest.value <= 0.0 {
        return (0.0, Z80 * deviation);
    }
    let log_deviation = (1.0 + rest.variance / rest.value.powi(2)).ln().sqrt();
    let factor = (Z80 * log_deviation).exp();
    // With few events the log-normal is too long; the plain normal bounds it.
    (rest.value / factor, (rest.value * factor).min(rest.value + 2.0 * Z80 * deviation))
}

/// Forecasts a ratio of what happened since the year began, `numerators` being a part of `denominators`.
///
/// With N of D so far, and a rest of D expected as in [`count`], the rate of the rest has the log odds
///
///   θ = ln(N / (D - N)) + w·d,   w = τ² / (τ² + v)
///   Var θ = φ (1/N + 1/(D - N)) + τ² (2 - w) + φ / (R r (1 - r))
///
/// where d is by how much last year's log odds moved between the same two spans, v the sampling variance of d,
/// τ = [`RATE_DRIFT`], and φ the overdispersion of this year's buckets against the binomial. The ratio at the
/// due day is (N + r·R) / (D + R): what is already in it is certain, and what is to come is whole cases. `None` when nothing has happened yet, or
/// the numerators are no part of the denominators, as in a growth rate.
pub(super) fn ratio(
    numerators: Growth<'_>,
    denominators: Growth<'_>,
    ahead: Ahead,
) -> Option<Forecast> {
    let hits = numerators.this.before(ahead.until);
    let all = denominators.this.before(ahead.until);
    if all <= 0.0 {
        return None;
    }
    if ahead.until >= ahead.due {
        return Some(certain(hits / all, denominators, ahead));
    }
    if !is_part(numerators, denominators, ahead.until) {
        return None;
    }
    let rest = rest(denominators, ahead)?;
    let misses = all - hits;
    let dispersion = binomial_dispersion(numerators.this, denominators.this, ahead.until);
    let (drift, weight) = drift(numerators, denominators, ahead, dispersion);
    let odds = log_odds(hits, misses) + weight * drift;
    let rate = 1.0 / (1.0 + (-odds).exp());
    let to_come = rest.value.max(1.0);
    let variance = dispersion * (1.0 / (hits + 0.5) + 1.0 / (misses + 0.5))
        + RATE_DRIFT.powi(2) * (2.0 - weight)
        + dispersion / (to_come * rate * (1.0 - rate));
    let reach = Z80 * variance.sqrt();
    let share = |log_odds: f64| rest.value / (1.0 + (-log_odds).exp());
    let whole = all + rest.value;
    // Without a hit or a miss so far the best guess is that it stays so; the interval knows better.
    let is_pure = hits == 0.0 || misses == 0.0;
    let value = if is_pure { hits / all } else { (hits + share(odds)) / whole };
    // Cases are whole: the last one to come may be a hit or a miss.
    let more_hits = share(odds - reach).floor();
    let more_misses = share(-odds - reach).floor();
    Some(Forecast {
        value,
        low: ((hits + more_hits) / whole).min(value),
        high: (1.0 - (misses + more_misses) / whole).max(value),
        method: rest.method,
    })
}

/// Whether the numerator of every bucket is a part of its denominator.
fn is_part(numerators: Growth<'_>, denominators: Growth<'_>, until: NaiveDate) -> bool {
    let both = numerators.this.buckets(until).into_iter().zip(denominators.this.buckets(until));
    let mut shares = both.map(|((_, _, hits), (_, _, all))| (hits, all));
    shares.all(|(hits, all)| (-1e-9..=all + 1e-9).contains(&hits))
}

/// The log odds, with half a case added to each side so that none is infinite (Haldane and Anscombe).
fn log_odds(hits: f64, misses: f64) -> f64 {
    ((hits + 0.5) / (misses + 0.5)).ln()
}

/// By how much last year's log odds moved between the spans, and how much of that to believe.
fn drift(
    numerators: Growth<'_>,
    denominators: Growth<'_>,
    ahead: Ahead,
    dispersion: f64,
) -> (f64, f64) {
    let (Some(hits), Some(all)) = (numerators.last, denominators.last_with_events(ahead)) else {
        return (0.0, 0.0);
    };
    let (now, due) = (a_year_before(ahead.until), a_year_before(ahead.due));
    let (hits_before, all_before) = (hits.before(now), all.before(now));
    let (hits_after, all_after) = (hits.before(due) - hits_before, all.before(due) - all_before);
    let (misses_before, misses_after) =
        ((all_before - hits_before).max(0.0), (all_after - hits_after).max(0.0));
    let (hits_before, hits_after) = (hits_before.max(0.0), hits_after.max(0.0));
    let moved = log_odds(hits_after, misses_after) - log_odds(hits_before, misses_before);
    let noise: f64 = [hits_before, misses_before, hits_after, misses_after]
        .iter()
        .map(|cases| dispersion / (cases + 0.5))
        .sum();
    let believed = RATE_DRIFT.powi(2);
    (moved, believed / (believed + noise))
}

/// Pearson's chi-squared per degree of freedom of the buckets' numerators around the common rate; at least 1.
fn binomial_dispersion(numerators: &Curve, denominators: &Curve, until: NaiveDate) -> f64 {
    let all = denominators.before(until);
    let rate = if all > 0.0 { numerators.before(until) / all } else { 0.0 };
    let rare = rate.min(1.0 - rate);
    if rare <= 0.0 {
        return 1.0;
    }
    // Groups are judged on the rarer side, and the binomial's variance is that of it times the other.
    let groups = numerators.buckets(until).into_iter().zip(denominators.buckets(until)).map(
        |((_, _, hits), (_, _, all))| {
            let found = if rate < 0.5 { hits } else { all - hits };
            (found, all * rare)
        },
    );
    dispersion(&groups.collect::<Vec<_>>(), 1.0 - rare)
}

/// Forecasts a ratio whose numerator is a number of different things that grows towards a bound, such as items
/// used or officers with their hours done: both sides are carried on as in [`count`].
///
/// Var ln(N/D) = Var N / N² + Var D / D² (delta method). `None` when there is too little to go by.
pub(super) fn coverage(
    numerators: Growth<'_>,
    denominators: Growth<'_>,
    ahead: Ahead,
) -> Option<Forecast> {
    let (hits, all) = (numerators.this.before(ahead.until), denominators.this.before(ahead.until));
    if all <= 0.0 {
        return None;
    }
    if ahead.until >= ahead.due {
        return Some(certain(hits / all, denominators, ahead));
    }
    let more_hits = rest(numerators, ahead)?;
    // The bound is a state: it may move, but without a last year it is taken to stay.
    let more = denominators
        .last_with_events(ahead)
        .and_then(|_| rest(denominators, ahead))
        .map_or(0.0, |rest| rest.value);
    let whole = (all + more).max(1.0);
    let (low, high) = rest_interval(more_hits);
    // A numerator that was within its bound all last year is a part of it, and stays so.
    let is_part = hits <= all
        && numerators.last.is_none_or(|last| {
            let due = a_year_before(ahead.due);
            last.before(due) <= denominators.last.map_or(f64::INFINITY, |last| last.before(due))
        });
    let most = if is_part { 1.0 } else { f64::INFINITY };
    let share = |more_hits: f64| ((hits + more_hits) / whole).min(most);
    Some(Forecast {
        value: share(more_hits.value),
        low: share(low),
        high: share(high),
        method: more_hits.method,
    })
}

/// Forecasts a state from its weekly values, the newest last, some weeks ahead. `None` with fewer than six.
///
/// The line through the last thirteen is Theil and Sen's: the median of all slopes, through the median of what is
/// left. A slope that does not differ from 0 at 80 % (Mann and Kendall) counts as none. It is damped: after h weeks it
/// has moved the state by s·w(h), w(h) = φ(1 - φ^h)/(1 - φ), φ = [`DAMPING`] (Gardner and McKenzie). The variance is
///
///   c · (noise + walk · h) + (s · (h - w(h)))²,  c = [`STATE_INFLATION`]
///
/// with the noise of single values, the walk of the level, and the doubt whether the trend really wears off. The
/// result is kept between the bounds.
pub(super) fn state(values: &[f64], weeks_ahead: f64, bounds: (f64, f64)) -> Option<Forecast> {
    let newest = *values.last()?;
    if weeks_ahead <= 0.0 {
        let value = newest;
        return Some(Forecast { value, low: value, high: value, method: Method::Trend });
    }
    if values.len() < TREND_WEEKS_LEAST {
        return None;
    }
    let unrest = unrest(&values[values.len().saturating_sub(UNREST_WEEKS)..]);
    let recent = &values[values.len().saturating_sub(TREND_WEEKS)..];
    let (level, slope) = line(recent);
    let worth = DAMPING * (1.0 - DAMPING.powf(weeks_ahead)) / (1.0 - DAMPING);
    let value = (level + slope * worth).clamp(bounds.0, bounds.1);
    let undamped = slope * (weeks_ahead - worth);
    let variance = STATE_INFLATION * (unrest.noise + unrest.walk * weeks_ahead) + undamped.powi(2);
    let deviation = variance.sqrt();
    Some(Forecast {
        value,
        low: (value - Z80 * deviation).max(bounds.0),
        high: (value + Z80 * deviation).min(bounds.1),
        method: Method::Trend,
    })
}

/// Theil and Sen's line: where it stands at the newest value, and its slope a week.
fn line(values: &[f64]) -> (f64, f64) {
    let mut slopes = Vec::with_capacity(values.len() * values.len() / 2);
    for (position, value) in values.iter().enumerate() {
        for (later, next) in values.iter().enumerate().skip(position + 1) {
            slopes.push((next - value) / (later - position) as f64);
        }
    }
    let slope = if is_trend(&slopes, values.len()) { median(&mut slopes) } else { 0.0 };
    let ago = |position: usize| (values.len() - 1 - position) as f64;
    let to_now = |(position, value): (usize, &f64)| value + slope * ago(position);
    let mut levels: Vec<f64> = values.iter().enumerate().map(to_now).collect();
    (median(&mut levels), slope)
}

/// Variances of a state: of a value around its level, and of what the level moves in a week.
#[derive(Debug, Clone, Copy)]
struct Unrest {
    noise: f64,
    walk: f64,
}

/// Tells noise from a walk by the method of moments: differences over k weeks have the variance 2·noise + k·walk.
fn unrest(values: &[f64]) -> Unrest {
    let far = FAR_LAG.min(values.len() / 2);
    let near = NEAR_LAG.min(far.saturating_sub(1)).max(1);
    let moved = |lag: usize| {
        let differences = values.iter().zip(&values[lag..]).map(|(one, other)| other - one);
        let count = (values.len() - lag) as f64;
        differences.map(|difference| difference * difference).sum::<f64>() / count
    };
    let (near_moved, far_moved) = (moved(near), moved(far));
    let walk = ((far_moved - near_moved) / (far - near) as f64).max(0.0);
    let noise = ((near_moved - near as f64 * walk) / 2.0).max(0.0);
    Unrest { noise, walk }
}

/// Whether the slopes have a common sign, by Mann and Kendall's test at 80 %.
fn is_trend(slopes: &[f64], count: usize) -> bool {
    let score: f64 = slopes
        .iter()
        .map(|slope| slope.partial_cmp(&0.0).map_or(0.0, |order| order as i8 as f64))
        .sum();
    let count = count as f64;
    let variance = count * (count - 1.0) * (2.0 * count + 5.0) / 18.0;
    score.abs() > Z80 * (OVERLAP * variance).sqrt()
}

/// The median; of nothing it is 0.
pub(super) fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => 0.0,
        length if length % 2 == 1 => values[middle],
        _ => f64::midpoint(values[middle - 1], values[middle]),
    }
}

/// Weeks from one day to another.
pub(super) fn weeks(from: NaiveDate, until: NaiveDate) -> f64 {
    days(from, until) / 7.0
}

/// The day some weeks before another.
pub(super) fn weeks_before(day: NaiveDate, weeks: u64) -> Option<NaiveDate> {
    day.checked_sub_days(Days::new(7 * weeks))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    /// A year of weeks from 1 January, the last one cut.
    fn year(start: NaiveDate, weekly: impl Fn(usize) -> f64) -> Curve {
        let end = start.with_year(start.year() + 1).unwrap();
        let ends = (1..).map(|week| (start + Days::new(7 * week)).min(end));
        let mut over = false;
        let ends = ends.take_while(|week_end| !std::mem::replace(&mut over, *week_end == end));
        Curve::of_buckets(start, ends.enumerate().map(|(week, end)| (end, weekly(week))))
    }

    fn last(weekly: impl Fn(usize) -> f64) -> Curve {
        year(day("2024-01-01"), weekly)
    }

    fn this(weekly: impl Fn(usize) -> f64) -> Curve {
        year(day("2025-01-01"), weekly)
    }

    fn ahead(until: &str) -> Ahead {
        Ahead { until: day(until), due: day("2026-01-01") }
    }

    fn total(curve: &Curve) -> f64 {
        curve.before(day("2026-01-01"))
    }

    #[track_caller]
    fn near(found: f64, expected: f64) {
        assert!(
            (found - expected).abs() < 0.005 * expected.abs().max(1.0),
            "{found}, not {expected}"
        );
    }

    #[test]
    fn the_same_day_of_last_year_is_there_for_every_day() {
        assert_eq!(a_year_before(day("2025-03-01")), day("2024-03-01"));
        assert_eq!(a_year_before(day("2024-02-29")), day("2023-02-28"));
        assert_eq!(a_year_before(day("2026-01-01")), day("2025-01-01"));
    }

    #[test]
    fn a_curve_is_read_within_its_buckets_by_days() {
        let curve = Curve::of_totals(
            day("2025-01-01"),
            [(day("2025-02-01"), 31.0), (day("2025-03-01"), 87.0)],
        );
        let found = ["2025-01-01", "2025-01-11", "2025-02-15", "2025-03-01", "2025-09-01"]
            .map(|on| curve.before(day(on)));
        assert_eq!(found, [0.0, 10.0, 59.0, 87.0, 87.0]);
    }

    #[test]
    fn a_number_goes_on_in_last_years_shape_at_this_years_level() {
        // From August on last year was twice as busy, and this year has half of it all.
        let busy = |week: usize| if week < 30 { 100.0 } else { 200.0 };
        let (before, now) = (last(busy), this(|week| busy(week) / 2.0));
        let growth = Growth { this: &now, last: Some(&before) };
        let forecast = count(growth, ahead("2025-07-02")).unwrap();
        near(forecast.value, total(&now));
        assert_eq!(forecast.method, Method::Seasonal);
        assert!(forecast.low < total(&now) && total(&now) < forecast.high);
    }

    #[test]
    fn without_a_last_year_a_number_goes_on_evenly_once_it_has_a_pace() {
        let now = this(|_| 10.0);
        let growth = Growth { this: &now, last: None };
        let forecast = count(growth, ahead("2025-07-02")).unwrap();
        near(forecast.value, 260.0 * 365.0 / 182.0);
        assert_eq!(forecast.method, Method::Linear);
        assert_eq!(count(growth, ahead("2025-01-20")), None);
        let nothing = last(|_| 0.0);
        let growth = Growth { this: &now, last: Some(&nothing) };
        assert_eq!(count(growth, ahead("2025-07-02")).unwrap().method, Method::Linear);
    }

    #[test]
    fn scatter_beyond_that_of_chance_widens_the_interval() {
        let before = last(|_| 100.0);
        let calm = this(|_| 100.0);
        let wild = this(|week| if week % 2 == 0 { 20.0 } else { 180.0 });
        let width = |this: &Curve| {
            let forecast =
                count(Growth { this, last: Some(&before) }, ahead("2025-07-02")).unwrap();
            forecast.high - forecast.low
        };
        assert!(width(&wild) > 2.0 * width(&calm));
    }

    #[test]
    fn a_ratio_keeps_what_is_in_it_and_follows_last_years_drift() {
        let all = last(|_| 100.0);
        let rising = last(|week| if week < 26 { 30.0 } else { 40.0 });
        let (all_now, now) = (this(|_| 100.0), this(|_| 50.0));
        let flat = last(|_| 30.0);
        let forecast = |before: &Curve| {
            let hits = Growth { this: &now, last: Some(before) };
            let all = Growth { this: &all_now, last: Some(&all) };
            ratio(hits, all, ahead("2025-07-02")).unwrap()
        };
        near(forecast(&flat).value, 0.5);
        let drifted = forecast(&rising);
        assert!(drifted.value > 0.52 && drifted.value < 0.56, "{drifted:?}");
        assert!(drifted.low < drifted.value && drifted.value < drifted.high);
    }

    #[test]
    fn a_perfect_ratio_is_expected_to_stay_perfect_and_may_not() {
        let (all, hits) = (this(|_| 5.0), this(|_| 5.0));
        let growth = |this| Growth { this, last: None };
        let forecast = ratio(growth(&hits), growth(&all), ahead("2025-07-02")).unwrap();
        assert_eq!((forecast.value, forecast.high), (1.0, 1.0));
        assert!(forecast.low < 1.0 && forecast.low > 0.9);
        let nothing = this(|_| 0.0);
        assert_eq!(ratio(growth(&nothing), growth(&nothing), ahead("2025-07-02")), None);
    }

    #[test]
    fn a_coverage_grows_as_last_year_and_not_beyond_all() {
        // Last year's first uses came early: four fifths of them in the first half.
        let first_uses = |week: usize| if week < 26 { 8.0 } else { 2.0 };
        let held = |start: &str| Curve::of_totals(day(start), [(day(start) + Days::new(7), 400.0)]);
        let (before, now) = (last(first_uses), this(first_uses));
        let (all_before, all_now) = (held("2024-01-01"), held("2025-01-01"));
        let hits = Growth { this: &now, last: Some(&before) };
        let all = Growth { this: &all_now, last: Some(&all_before) };
        let forecast = coverage(hits, all, ahead("2025-07-02")).unwrap();
        near(forecast.value, total(&now) / 400.0);
        let few = Curve::of_totals(day("2025-01-01"), [(day("2025-01-08"), 209.0)]);
        let all = Growth { this: &few, last: None };
        assert_eq!(coverage(hits, all, ahead("2025-07-02")).unwrap().high, 1.0);
    }

    #[test]
    fn a_state_follows_a_trend_that_is_one_and_damps_it() {
        let rising: Vec<f64> = (0..13).map(|week| 0.5 + 0.01 * f64::from(week)).collect();
        let forecast = state(&rising, 20.0, (0.0, 1.0)).unwrap();
        assert!(forecast.value > 0.69 && forecast.value < 0.71, "{forecast:?}");
        let noise: Vec<f64> = (0..13).map(|week| if week % 2 == 0 { 0.5 } else { 0.6 }).collect();
        let forecast = state(&noise, 20.0, (0.0, 1.0)).unwrap();
        assert_eq!(forecast.value, 0.5);
        assert_eq!(state(&rising[..5], 20.0, (0.0, 1.0)), None);
    }

    #[test]
    fn one_wild_week_does_not_move_a_state() {
        let mut values = vec![0.7; 13];
        values[12] = 0.1;
        let forecast = state(&values, 10.0, (0.0, 1.0)).unwrap();
        assert_eq!(forecast.value, 0.7);
    }

    /// A year of weekly numbers, the year before, and a day in between.
    fn any_years() -> impl Strategy<Value = (Curve, Curve, NaiveDate)> {
        let weekly = || prop::collection::vec(0..40u32, 53);
        (weekly(), weekly(), 1..52u64).prop_map(|(before, now, week)| {
            let of = |weekly: Vec<u32>| move |week: usize| f64::from(weekly[week]);
            (last(of(before)), this(of(now)), day("2025-01-01") + Days::new(7 * week))
        })
    }

    proptest! {
        #[test]
        fn at_the_end_of_the_year_a_forecast_is_what_came((before, now, _) in any_years()) {
            let end = ahead("2026-01-01");
            let growth = Growth { this: &now, last: Some(&before) };
            let forecast = count(growth, end).unwrap();
            prop_assert_eq!((forecast.low, forecast.high), (total(&now), total(&now)));
            prop_assert_eq!(forecast.value, total(&now));
        }

        #[test]
        fn an_interval_holds_its_number_and_never_undoes_what_happened(
            (before, now, until) in any_years(),
            with_last in any::<bool>(),
        ) {
            let known = now.up_to(until);
            let growth = Growth { this: &known, last: with_last.then_some(&before) };
            let ahead = Ahead { until, due: day("2026-01-01") };
            if let Some(forecast) = count(growth, ahead) {
                prop_assert!(forecast.low <= forecast.value && forecast.value <= forecast.high);
                prop_assert!(forecast.low >= total(&known));
                prop_assert!(forecast.high.is_finite());
            }
        }

        #[test]
        fn a_share_stays_one((before, now, until) in any_years(), share in 0.0..=1.0f64) {
            let part = |curve: &Curve| {
                let buckets = curve.buckets(day("2026-01-01"));
                let hits = buckets.into_iter().map(|(_, end, all)| (end, (all * share).round()));
                Curve::of_buckets(curve.start, hits)
            };
            let (known, hits, hits_before) = (now.up_to(until), part(&now).up_to(until), part(&before));
            let numerators = Growth { this: &hits, last: Some(&hits_before) };
            let denominators = Growth { this: &known, last: Some(&before) };
            let ahead = Ahead { until, due: day("2026-01-01") };
            for forecast in [ratio(numerators, denominators, ahead), coverage(numerators, denominators, ahead)] {
                let Some(forecast) = forecast else { continue };
                prop_assert!(forecast.low >= 0.0 && forecast.high <= 1.0 + 1e-12, "{forecast:?}");
                prop_assert!(forecast.low <= forecast.value && forecast.value <= forecast.high, "{forecast:?}");
            }
        }

        #[test]
        fn a_state_stays_within_its_bounds(
            values in prop::collection::vec(0.0..=1.0f64, 6..30),
            weeks in 0.0..52.0f64,
        ) {
            let forecast = state(&values, weeks, (0.0, 1.0)).unwrap();
            prop_assert!(0.0 <= forecast.low && forecast.high <= 1.0);
            prop_assert!(forecast.low <= forecast.value && forecast.value <= forecast.high);
        }
    }
}
