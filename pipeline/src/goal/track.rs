//! Follows goals on a lake: the metric's numbers of this year and the last, then the pure rules.

use std::sync::Arc;
use std::time::Instant;

use chrono::{Days, NaiveDate};
use datafusion::common::runtime::SpawnedTask;
use futures::{StreamExt as _, stream};

use super::backtest::{self, Backtest, Years};
use super::forecast::{self, Ahead, Curve, Forecast, Growth, UNREST_WEEKS};
use super::path::{self, Ends, Path};
use super::status::{self, Nature, Standing, Status};
use super::{Goal, Goals, Measure, Side, StateWindow, Target};
use crate::error::{Error, Result};
use crate::metric::{
    self, Catalogue, Grain, Kind as MetricKind, Metric, Period, Request, Sample, Scope,
};
use crate::query::View;

/// Why there is no value.
const NO_VALUE: &str =
    "没有数值：期间内没有可作分母的记录。there is no value: nothing happened to divide by";
const WITHHELD: &str =
    "人数过少，数值不予显示。the value is withheld, since it is about too few persons";

/// Why there is no forecast.
const NO_FORECAST: &str = "没有预测：记录太少，或不是占比。there is no forecast: too little has happened, or it is no share";

/// How much of a year may be missing at its start for it to be a year to compare with.
const MISSING_DAYS: u64 = 31;

/// How goals stand in one scope.
#[derive(Debug, Clone, PartialEq)]
pub struct Progress {
    /// The goal's id.
    pub goal_id: String,
    /// The scope; that of the goal as it is written when the scope is not known.
    pub scope_id: String,
    /// The number today.
    pub value: Option<f64>,
    /// The numerator of a ratio.
    pub numerator: Option<f64>,
    /// The denominator of a ratio.
    pub denominator: Option<f64>,
    /// The number of the year before.
    pub baseline: Option<f64>,
    /// The target.
    pub target: Option<f64>,
    /// The last day on which the target can be met.
    pub due: NaiveDate,
    /// Where the number should be today.
    pub should_be: Option<f64>,
    /// The path that this is read from: a seasonal one without a last year is walked evenly.
    pub path: &'static str,
    /// Where the number will stand on the due day.
    pub forecast: Option<Forecast>,
    /// The judgement.
    pub status: Status,
    /// Why the status is unknown, or what is missing.
    pub reason: Option<String>,
}

/// Follows every goal as of a day, as many at once as there are processors: one progress for each scope of the goal and of
/// its own targets, in the order of the goals.
///
/// A goal whose metric cannot be computed is unknown and says why. Only a lake that cannot be read is an error.
pub async fn track(
    view: &Arc<View>,
    catalogue: &Catalogue,
    goals: &Goals,
    as_of: NaiveDate,
) -> Result<Vec<Progress>> {
    let year = Year::of(goals.year)?;
    let at_once = std::thread::available_parallelism().map_or(1, usize::from);
    let asked = goals
        .iter()
        .map(|goal| (Arc::clone(view), catalogue.get(&goal.metric).cloned(), goal.clone()));
    let asked: Vec<_> = asked.collect();
    let mut found = stream::iter(asked)
        .map(|(view, metric, goal)| async move {
            // Plans are most of the work, and each is made by one processor.
            SpawnedTask::spawn(async move {
                let started = Instant::now();
                let found = track_goal(&view, metric, &goal, year, as_of).await;
                tracing::debug!(goal = goal.id, took = ?started.elapsed(), "followed");
                found
            })
            .await
        })
        .buffered(at_once);
    let mut progress = Vec::new();
    for goal in goals.iter() {
        match found.next().await {
            Some(Ok(Ok(found))) => progress.extend(found),
            Some(Ok(Err(error))) if is_of_the_lake(&error) => return Err(error),
            Some(Ok(Err(error))) => progress.push(unknown(goal, &goal.scope, error.to_string())),
            Some(Err(ended)) => return Err(Error::internal(ended)),
            None => break,
        }
    }
    Ok(progress)
}

/// Whether the lake cannot be read, as against a goal or metric that is wrong.
fn is_of_the_lake(error: &Error) -> bool {
    matches!(error, Error::Table { .. } | Error::Io { .. } | Error::Internal(_))
}

/// The days of a goal's year and of the year before it.
#[derive(Debug, Clone, Copy)]
struct Year {
    last_start: NaiveDate,
    start: NaiveDate,
    end: NaiveDate,
}

impl Year {
    fn of(year: i32) -> Result<Self> {
        let first = |year: i32| {
            NaiveDate::from_ymd_opt(year, 1, 1)
                .ok_or_else(|| Error::Request(format!("there is no calendar for {year}")))
        };
        Ok(Self { last_start: first(year - 1)?, start: first(year)?, end: first(year + 1)? })
    }

    fn last(self) -> Period {
        Period { start: self.last_start, end: self.start }
    }
}

/// A target in one scope.
#[derive(Debug, Clone, PartialEq)]
struct Aim {
    scope: Scope,
    target: Target,
    path: Path,
    due: NaiveDate,
}

async fn track_goal(
    view: &View,
    metric: Result<Metric>,
    goal: &Goal,
    year: Year,
    as_of: NaiveDate,
) -> Result<Vec<Progress>> {
    let metric = &metric?;
    let aims = aims(view, goal, as_of)?;
    if as_of < year.start {
        let reason = "年度尚未开始。the year has not begun";
        return Ok(aims.iter().map(|aim| unknown_aim(goal, aim, reason.to_owned())).collect());
    }
    let mut progress = Vec::with_capacity(aims.len());
    let mut rest = &aims[..];
    while let Some(first) = rest.first() {
        // Aims of one due day are asked for together.
        let same = rest.iter().take_while(|aim| aim.due == first.due).count();
        let (now, later) = rest.split_at(same);
        let question = Question { view, metric, goal, year, as_of, due: first.due };
        let scopes: Vec<Scope> = now.iter().map(|aim| aim.scope.clone()).collect();
        let numbers = question.numbers(&scopes).await?;
        for (aim, numbers) in now.iter().zip(&numbers) {
            progress.push(judge(goal, metric.kind(), aim, numbers, question));
        }
        rest = later;
    }
    Ok(progress)
}

/// The aims of a goal on a day: its own, then those of scopes with targets of their own, the last one that has
/// begun of each.
fn aims(view: &View, goal: &Goal, as_of: NaiveDate) -> Result<Vec<Aim>> {
    let resolve = |scope: &str| view.tree().resolve(scope);
    let mut aims: Vec<Aim> = Vec::new();
    for scope in resolve(&goal.scope)? {
        aims.push(Aim { scope, target: goal.target, path: goal.path.clone(), due: goal.due });
    }
    for own in &goal.target_for {
        if own.from.is_some_and(|from| as_of < from) {
            continue;
        }
        let last_day = own.until.and_then(|until| until.pred_opt());
        let due = last_day.map_or(goal.due, |last_day| last_day.min(goal.due));
        for scope in resolve(&own.scope)? {
            let aim = Aim { scope, target: own.target, path: own.path.clone(), due };
            match aims.iter_mut().find(|known| known.scope.scope_id == aim.scope.scope_id) {
                Some(known) => *known = aim,
                None => aims.push(aim),
            }
        }
    }
    Ok(aims)
}

fn unknown(goal: &Goal, scope_id: &str, reason: String) -> Progress {
    Progress {
        goal_id: goal.id.clone(),
        scope_id: scope_id.to_owned(),
        value: None,
        numerator: None,
        denominator: None,
        baseline: goal.baseline,
        target: goal.target.resolve(goal.baseline),
        due: goal.due,
        should_be: None,
        path: goal.path.name(),
        forecast: None,
        status: Status::Unknown,
        reason: Some(reason),
    }
}

fn unknown_aim(goal: &Goal, aim: &Aim, reason: String) -> Progress {
    Progress {
        target: aim.target.resolve(goal.baseline),
        due: aim.due,
        path: aim.path.name(),
        ..unknown(goal, &aim.scope.scope_id, reason)
    }
}

/// What a metric says of one scope.
#[derive(Debug, Clone)]
struct Numbers {
    today: Option<Sample>,
    baseline: Option<f64>,
    history: History,
}

/// What a forecast is made from.
#[derive(Debug, Clone)]
enum History {
    Growth {
        this: Sides,
        last: Option<Sides>,
        adds_up: bool,
    },
    /// Weekly values, the newest last.
    Values(Vec<f64>),
}

/// A number that grows, or both sides of a ratio that do.
#[derive(Debug, Clone)]
struct Sides {
    numerators: Curve,
    denominators: Option<Curve>,
}

impl Sides {
    /// The number or the ratio at the end of a day.
    fn at(&self, day: NaiveDate) -> Option<f64> {
        let after = day.succ_opt()?;
        let numerator = self.numerators.before(after);
        match &self.denominators {
            None => Some(numerator),
            Some(denominators) => {
                let denominator = denominators.before(after);
                (denominator > 0.0).then(|| numerator / denominator)
            }
        }
    }
}

/// One metric, asked for the sake of one goal.
#[derive(Debug, Clone, Copy)]
struct Question<'q> {
    view: &'q View,
    metric: &'q Metric,
    goal: &'q Goal,
    year: Year,
    as_of: NaiveDate,
    due: NaiveDate,
}

impl Question<'_> {
    /// The first day that does not count yet: the day after today, or after the due day.
    fn until(&self) -> NaiveDate {
        let last = self.as_of.min(self.due);
        last.succ_opt().unwrap_or(last)
    }

    fn ahead(&self) -> Ahead {
        Ahead { until: self.until(), due: self.due.succ_opt().unwrap_or(self.due) }
    }

    /// Samples of every scope and period, scope by scope.
    async fn ask(&self, scopes: &[Scope], periods: &[Period]) -> Result<Vec<Vec<Sample>>> {
        let request =
            Request { periods, scopes, parameters: &self.goal.parameters, as_of: self.as_of };
        let samples = metric::evaluate(self.view, self.metric, &request).await?;
        Ok(samples.chunks(periods.len().max(1)).map(<[Sample]>::to_vec).collect())
    }

    async fn numbers(&self, scopes: &[Scope]) -> Result<Vec<Numbers>> {
        match self.goal.measure {
            Measure::YearToDate => self.growth(scopes).await,
            Measure::State(window) => self.state(scopes, window).await,
        }
    }

    fn no_baseline(&self) -> String {
        let Period { start, end } = self.year.last();
        format!(
            "the target is relative to the year before, and from {start} to {end} there is no number"
        )
    }

    /// Whether the log reaches back to the start of the year before: else there is none to compare with.
    fn has_last_year(&self) -> bool {
        let first = self.view.facts().first_event_date;
        let latest = self.year.last_start.checked_add_days(Days::new(MISSING_DAYS));
        first.is_some_and(|first| latest.is_some_and(|latest| first < latest))
    }

    async fn growth(&self, scopes: &[Scope]) -> Result<Vec<Numbers>> {
        let this = Period { start: self.year.start, end: self.until() };
        let totals = self.ask(scopes, &[self.year.last(), this]).await?;
        let weeks_before = metric::periods(self.year.last(), Grain::Week);
        let weeks = metric::periods(this, Grain::Week);
        let both = [&weeks_before[..], &weeks[..]].concat();
        let kind = self.metric.kind();
        // Whose every period is a query of its own looks beyond its periods, so that no sum of weeks is its year.
        let (buckets, adds_up) = if self.metric.is_of_one_period() {
            (Vec::new(), false)
        } else {
            let buckets = self.ask(scopes, &both).await?;
            let adds_up = totals.iter().zip(&buckets).all(|(totals, buckets)| {
                let (before, now) = buckets.split_at(weeks_before.len());
                sums_to(kind, before, &totals[0]) && sums_to(kind, now, &totals[1])
            });
            (buckets, adds_up)
        };
        let mut curves: Vec<(Sides, Sides)> = Vec::with_capacity(scopes.len());
        if adds_up {
            for buckets in &buckets {
                let (before, now) = buckets.split_at(weeks_before.len());
                curves.push((
                    from_buckets(kind, self.year.last_start, before),
                    from_buckets(kind, self.year.start, now),
                ));
            }
        } else {
            let before = self.totals_by_month(scopes, self.year.last()).await?;
            let now = self.totals_by_month(scopes, this).await?;
            curves.extend(before.into_iter().zip(now));
        }
        let has_last_year = self.has_last_year();
        Ok(totals
            .into_iter()
            .zip(curves)
            .map(|(mut totals, (before, this))| {
                let today = totals.pop();
                let last = totals.pop().filter(|_| has_last_year);
                Numbers {
                    today,
                    baseline: self.goal.baseline.or(last.and_then(|last| last.value)),
                    history: History::Growth {
                        this,
                        last: has_last_year.then_some(before),
                        adds_up,
                    },
                }
            })
            .collect())
    }

    /// Totals since a period's start at the ends of its months: for numbers of different things, which months do
    /// not add up to.
    async fn totals_by_month(&self, scopes: &[Scope], whole: Period) -> Result<Vec<Sides>> {
        let mut totals: Vec<Vec<Sample>> = vec![Vec::new(); scopes.len()];
        for month in metric::periods(whole, Grain::Month) {
            // Buckets of one request have different starts, so each total is asked for alone.
            let so_far = Period { start: whole.start, end: month.end };
            for (found, of_scope) in totals.iter_mut().zip(self.ask(scopes, &[so_far]).await?) {
                found.extend(of_scope);
            }
        }
        let kind = self.metric.kind();
        Ok(totals.iter().map(|totals| from_totals(kind, whole.start, totals)).collect())
    }

    async fn state(&self, scopes: &[Scope], window: StateWindow) -> Result<Vec<Numbers>> {
        // As on `/metrics`: a trailing window ends with yesterday, since today is not over.
        let until = match window {
            StateWindow::Trailing28Days if self.as_of <= self.due => self.as_of,
            _ => self.until(),
        };
        let ends =
            (0..UNREST_WEEKS as u64).rev().filter_map(|weeks| forecast::weeks_before(until, weeks));
        let first = self.view.facts().first_event_date;
        let mut periods: Vec<Period> = ends
            .filter_map(|end| window.before(end))
            .filter(|period| first.is_some_and(|first| first <= period.start))
            .collect();
        let today = window.before(until);
        // The newest period is asked for in any case: what it lacks, the sample says.
        if periods.last().copied() != today {
            periods.extend(today);
        }
        let before = window.before(self.year.start);
        // A period that is asked for twice would be counted twice.
        let extra = before.filter(|before| !periods.contains(before));
        let asked: Vec<Period> = extra.into_iter().chain(periods).collect();
        let samples = self.ask(scopes, &asked).await?;
        Ok(samples
            .into_iter()
            .map(|samples| {
                let baseline = samples.iter().find(|sample| Some(sample.period) == before);
                let weekly = &samples[usize::from(extra.is_some())..];
                let known = weekly.iter().rev().map_while(|sample| sample.value);
                let mut values: Vec<f64> = known.collect();
                values.reverse();
                Numbers {
                    today: samples.last().cloned(),
                    baseline: self.goal.baseline.or(baseline.and_then(|sample| sample.value)),
                    history: History::Values(values),
                }
            })
            .collect())
    }
}

impl StateWindow {
    /// The period whose last day is the one before `until`.
    fn before(self, until: NaiveDate) -> Option<Period> {
        let days = match self {
            Self::Trailing28Days => 28,
            Self::Now => 1,
        };
        Some(Period { start: until.checked_sub_days(Days::new(days))?, end: until })
    }
}

/// The number of a sample that may be added up: a ratio's numerator.
fn amount(kind: MetricKind, sample: &Sample) -> f64 {
    let number = if kind == MetricKind::Ratio { sample.numerator } else { sample.value };
    number.unwrap_or(0.0)
}

fn sums_to(kind: MetricKind, buckets: &[Sample], total: &Sample) -> bool {
    let is_near = |sum: f64, total: f64| (sum - total).abs() <= 0.005 * total.abs() + 1e-9;
    let denominators: f64 = buckets.iter().filter_map(|bucket| bucket.denominator).sum();
    let amounts: f64 = buckets.iter().map(|bucket| amount(kind, bucket)).sum();
    is_near(amounts, amount(kind, total))
        && (kind != MetricKind::Ratio || is_near(denominators, total.denominator.unwrap_or(0.0)))
}

fn from_buckets(kind: MetricKind, start: NaiveDate, buckets: &[Sample]) -> Sides {
    let curve = |number: &dyn Fn(&Sample) -> f64| {
        Curve::of_buckets(start, buckets.iter().map(|bucket| (bucket.period.end, number(bucket))))
    };
    sides(kind, &curve)
}

fn from_totals(kind: MetricKind, start: NaiveDate, totals: &[Sample]) -> Sides {
    let curve = |number: &dyn Fn(&Sample) -> f64| {
        Curve::of_totals(start, totals.iter().map(|total| (total.period.end, number(total))))
    };
    sides(kind, &curve)
}

/// Reads one number of a sample.
type Pick<'p> = &'p dyn Fn(&Sample) -> f64;

fn sides(kind: MetricKind, curve: &dyn Fn(Pick<'_>) -> Curve) -> Sides {
    Sides {
        numerators: curve(&|sample| amount(kind, sample)),
        denominators: (kind == MetricKind::Ratio)
            .then(|| curve(&|sample| sample.denominator.unwrap_or(0.0))),
    }
}

impl History {
    /// Last year's number at the end of the same day of last year.
    fn last_year(&self, day: NaiveDate) -> Option<f64> {
        match self {
            Self::Growth { last: Some(last), .. } => last.at(forecast::a_year_before(day)),
            _ => None,
        }
    }

    fn forecast(&self, kind: MetricKind, ahead: Ahead) -> Option<Forecast> {
        match self {
            Self::Growth { this, last, adds_up } => {
                let numerators = Growth {
                    this: &this.numerators,
                    last: last.as_ref().map(|last| &last.numerators),
                };
                let Some(denominators) = &this.denominators else {
                    return forecast::count(numerators, ahead);
                };
                let denominators = Growth {
                    this: denominators,
                    last: last.as_ref().and_then(|last| last.denominators.as_ref()),
                };
                if *adds_up {
                    forecast::ratio(numerators, denominators, ahead)
                } else {
                    forecast::coverage(numerators, denominators, ahead)
                }
            }
            Self::Values(values) => {
                let weeks = forecast::weeks(ahead.until, ahead.due);
                forecast::state(values, weeks, bounds(kind, values))
            }
        }
    }
}

/// What a state cannot leave: a share stays one, and a number of things is not negative.
fn bounds(kind: MetricKind, values: &[f64]) -> (f64, f64) {
    let all_in = |low: f64, high: f64| values.iter().all(|value| (low..=high).contains(value));
    match kind {
        MetricKind::Ratio if all_in(0.0, 1.0) => (0.0, 1.0),
        _ if all_in(0.0, f64::INFINITY) => (0.0, f64::INFINITY),
        _ => (f64::NEG_INFINITY, f64::INFINITY),
    }
}

fn judge(
    goal: &Goal,
    kind: MetricKind,
    aim: &Aim,
    numbers: &Numbers,
    question: Question<'_>,
) -> Progress {
    let baseline = numbers.baseline;
    let today = numbers.today.as_ref();
    let value = today.and_then(|sample| sample.value);
    let is_withheld = today.is_some_and(|sample| sample.is_withheld);
    let mut progress = Progress {
        value,
        numerator: today.and_then(|sample| sample.numerator),
        denominator: today.and_then(|sample| sample.denominator),
        baseline,
        target: aim.target.resolve(baseline),
        ..unknown_aim(goal, aim, if is_withheld { WITHHELD } else { NO_VALUE }.to_owned())
    };
    let Some(target) = progress.target else {
        progress.reason = Some(question.no_baseline());
        return progress;
    };
    let nature = Nature::of(goal.measure, kind);
    let ends = ends(goal, aim, nature, baseline, target, question.year.start);
    let last_year = |day: NaiveDate| numbers.history.last_year(day);
    let should_be = path::should_be(&aim.path, ends, question.as_of, last_year);
    progress.should_be = Some(should_be);
    progress.path = path::walked(&aim.path, ends, last_year);
    let Some(value) = value else { return progress };
    let forecast = numbers.history.forecast(kind, question.ahead());
    progress.forecast = forecast;
    progress.reason = forecast.is_none().then(|| NO_FORECAST.to_owned());
    progress.status = status::status(Standing {
        value,
        target,
        side: goal.side,
        kind: goal.kind,
        nature,
        should_be,
        forecast: forecast.map(|forecast| (forecast.value, forecast.low, forecast.high)),
        is_over: question.as_of > aim.due,
    });
    progress
}

/// The ends of the way: a number since 1 January begins at 0, anything else at the baseline. A year that begins
/// beyond its target has only to stay there.
fn ends(
    goal: &Goal,
    aim: &Aim,
    nature: Nature,
    baseline: Option<f64>,
    target: f64,
    start: NaiveDate,
) -> Ends {
    let from = match (nature, goal.side) {
        (Nature::Growing, _) => 0.0,
        (_, Side::AtLeast) => baseline.unwrap_or(target).min(target),
        (_, Side::AtMost) => baseline.unwrap_or(target).max(target),
    };
    let is_cap = nature == Nature::Growing && goal.side == Side::AtMost;
    Ends { start, due: aim.due, from, target, is_cap }
}

/// How the forecasts of one goal's metric would have been.
#[derive(Debug, Clone, PartialEq)]
pub struct Tried {
    /// The goal's id.
    pub goal_id: String,
    /// The metric's id.
    pub metric: String,
    /// What the forecasts came to over all scopes.
    pub backtest: Backtest,
}

/// Tries the forecasts of every goal's metric over its year, in the scopes of a request, as if on many days of
/// the year: what the 80 % of the intervals is worth on this lake. The year must be over. A metric that cannot be
/// computed, or in which nothing happened, has no forecasts.
pub async fn try_forecasts(
    view: &View,
    catalogue: &Catalogue,
    goals: &Goals,
    scopes: &str,
) -> Result<Vec<Tried>> {
    let year = Year::of(goals.year)?;
    let scopes = view.tree().resolve(scopes)?;
    let mut tried = Vec::new();
    for goal in goals.iter() {
        let Ok(metric) = catalogue.get(&goal.metric) else { continue };
        let question = Question {
            view,
            metric,
            goal,
            year,
            as_of: year.end,
            due: year.end.pred_opt().unwrap_or(year.end),
        };
        let backtest = match goal.measure {
            Measure::YearToDate => question.try_growth(&scopes).await,
            Measure::State(window) => question.try_state(&scopes, window).await,
        };
        let backtest = match backtest {
            Err(error) if is_of_the_lake(&error) => return Err(error),
            backtest => backtest.unwrap_or_default(),
        };
        let (goal_id, metric) = (goal.id.clone(), goal.metric.clone());
        tried.push(Tried { goal_id, metric, backtest });
    }
    Ok(tried)
}

impl Question<'_> {
    async fn try_growth(&self, scopes: &[Scope]) -> Result<Backtest> {
        let mut tried = Backtest::default();
        for numbers in self.growth(scopes).await? {
            let History::Growth { this, last, adds_up } = &numbers.history else { continue };
            let numerators =
                Years { this: &this.numerators, last: last.as_ref().map(|last| &last.numerators) };
            let Some(denominators) = &this.denominators else {
                tried.add(&backtest::count(numerators, self.year.end));
                continue;
            };
            let denominators = Years {
                this: denominators,
                last: last.as_ref().and_then(|last| last.denominators.as_ref()),
            };
            tried.add(&backtest::ratio(numerators, denominators, self.year.end, *adds_up));
        }
        Ok(tried)
    }

    async fn try_state(&self, scopes: &[Scope], window: StateWindow) -> Result<Backtest> {
        let first = self.view.facts().first_event_date;
        let mut periods = Vec::new();
        let (mut end, mut of_year) = (self.year.end, 0);
        while let Some(period) = window.before(end)
            && end > self.year.last_start
            && first.is_some_and(|first| first <= period.start)
        {
            periods.push(period);
            of_year += usize::from(end > self.year.start);
            let Some(before) = forecast::weeks_before(end, 1) else { break };
            end = before;
        }
        periods.reverse();
        let mut tried = Backtest::default();
        for samples in self.ask(scopes, &periods).await? {
            let values: Option<Vec<f64>> = samples.iter().map(|sample| sample.value).collect();
            if let Some(values) = values {
                let bounds = bounds(self.metric.kind(), &values);
                tried.add(&backtest::state(&values, values.len() - of_year, bounds));
            }
        }
        Ok(tried)
    }
}
