//! The catalogue as families of series: what `/metrics` says about the district.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use chrono::{Datelike, Days, NaiveDate};
use pipeline::check::{Checks, Outcome};
use pipeline::definition::Definitions;
use pipeline::goal::{Goal, Progress, Status};
use pipeline::metric::{
    self, Catalogue, Choice, Grain, Metric, Period, PrometheusType, Request, Sample, Scope,
    ScopeKind, Window,
};
use pipeline::query::View;
use tokio::task::JoinSet;

use crate::exposition::{Family, Kind, Series};
use crate::standing;

/// What a measurement found.
#[derive(Debug, Clone, Default)]
pub struct Measurement {
    /// The series of every metric that could be computed.
    pub families: Vec<Family>,
    /// The metrics that could not, each with the reason: one wrong definition must not silence the others.
    pub failures: Vec<(String, String)>,
    /// Units that have no series of their own, because they are too many.
    pub units_left_out: usize,
}

/// Computes every metric that is exported, for every scope that exists today; where there are more than `most_units` units,
/// for no unit but districts and what is above them.
///
/// Ratios come with their numerators and denominators as series of their own, so that they can be
/// put together again over time; ratios without a value are absent.
pub async fn measure(
    view: &Arc<View>,
    catalogue: &Catalogue,
    today: NaiveDate,
    most_units: usize,
) -> Measurement {
    let mut questions = Vec::new();
    for metric in catalogue.iter() {
        let Some(period) = period_of(metric.prometheus().window, view, today) else { continue };
        let choices = metric.choices(|_, _| true);
        questions.extend(metric.by_query(&choices).map(|choices| Question {
            metric: metric.clone(),
            period,
            choices: choices.to_vec(),
        }));
    }
    let (scopes, units_left_out) = scopes_since(view, today, most_units);
    let scopes: Arc<[Scope]> = scopes.into();
    let questions: Arc<[Question]> = questions.into();
    let answers = answer_all(view, &questions, &scopes, today).await;
    let answered: Vec<_> = questions.iter().zip(answers).collect();
    let mut measurement = Measurement { units_left_out, ..Measurement::default() };
    for of_metric in answered.chunk_by(|one, next| one.0.metric.id() == next.0.metric.id()) {
        let metric = &of_metric[0].0.metric;
        let values: Result<Vec<Values>, &String> = of_metric
            .iter()
            .map(|(question, answer)| {
                let samples = answer.as_ref()?.iter().map(Vec::as_slice);
                Ok(question.choices.iter().zip(samples).collect())
            })
            .collect();
        match values {
            Ok(values) => {
                let values = values.concat();
                measurement.families.extend(families_of(metric, &scopes, &values));
            }
            Err(error) => measurement.failures.push((metric.id().to_owned(), error.clone())),
        }
    }
    measurement
}

/// The samples of each choice.
type Values<'v> = Vec<(&'v Choice, &'v [Sample])>;

/// One evaluation of a metric.
#[derive(Debug)]
struct Question {
    metric: Metric,
    period: Period,
    /// What one query computes.
    choices: Vec<Choice>,
}

/// The samples of each choice of a question, or why there are none.
type Answer = Result<Vec<Vec<Sample>>, String>;

/// Answers questions in their order, as many at once as there are processors: most of the work of a small
/// question is its plan, which one processor makes.
async fn answer_all(
    view: &Arc<View>,
    questions: &Arc<[Question]>,
    scopes: &Arc<[Scope]>,
    today: NaiveDate,
) -> Vec<Answer> {
    let at_once = std::thread::available_parallelism().map_or(1, usize::from);
    let next = Arc::new(AtomicUsize::new(0));
    let mut workers = JoinSet::new();
    for _ in 0..at_once {
        let (view, questions, scopes, next) =
            (Arc::clone(view), Arc::clone(questions), Arc::clone(scopes), Arc::clone(&next));
        workers.spawn(async move {
            let mut answers = Vec::new();
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                let Some(Question { metric, period, choices }) = questions.get(index) else {
                    return answers;
                };
                let (periods, parameters) = (&[*period], &Choice::new());
                let request = Request { periods, scopes: &scopes, parameters, as_of: today };
                let started = Instant::now();
                let answer = metric::evaluate_each(&view, metric, &request, choices).await;
                let milliseconds = started.elapsed().as_millis();
                tracing::debug!(metric = metric.id(), ?choices, milliseconds, "measured");
                answers.push((index, answer.map_err(|error| error.to_string())));
            }
        });
    }
    // Of a worker that panics the answers are missing; the log has the panic.
    let missing = || Err("its computation ended unexpectedly; the log says why".to_owned());
    let mut answers: Vec<_> = questions.iter().map(|_| missing()).collect();
    while let Some(worker) = workers.join_next().await {
        for (index, answer) in worker.unwrap_or_default() {
            answers[index] = answer;
        }
    }
    answers
}

/// Numbers that are computed ahead: a part of what is remembered, so that there is room for what people ask.
const AHEAD_MAX: usize = 500_000;

/// Values of a parameter that dashboards show side by side, and so are computed ahead.
const VALUES_AHEAD: usize = 5;

/// What is computed before anybody asks.
#[derive(Debug)]
struct Ahead<'a> {
    metric: &'a Metric,
    choices: &'a [Choice],
    grain: Grain,
    periods: &'a [Period],
    /// Whether it is worth it only where it outlives the next landing.
    is_long: bool,
}

/// Computes, so that they are remembered when somebody asks, the whole months of last year and this one, the two last whole
/// years, and of states the last days of the last whole month and year: by each value of parameters with few, and for every scope
/// that `/metrics` has, and units that ended in those years. Where that is too much, by default values, and for the whole tree and districts. `view` gives the newest state:
/// what lands meanwhile does not wait.
pub async fn ahead(
    view: impl Fn() -> Arc<View>,
    catalogue: &Catalogue,
    today: NaiveDate,
    most_units: usize,
) {
    let (asked, ends) = (whole_months_and_years(today), last_days(today));
    let (mut scopes, _) = scopes_since(&view(), two_years_back(today), most_units);
    let metrics = catalogue.iter().map(|metric| (metric, side_by_side(metric)));
    let mut metrics: Vec<(&Metric, Vec<Choice>)> = metrics.collect();
    let size = |metrics: &[(&Metric, Vec<Choice>)]| {
        let of_scope = metrics.iter().flat_map(|(metric, choices)| {
            questions_ahead(metric, choices, &asked, &ends)
                .map(|it| it.periods.len() * choices.len())
        });
        of_scope.sum::<usize>()
    };
    if scopes.len() * size(&metrics) > AHEAD_MAX {
        for (_, choices) in &mut metrics {
            *choices = vec![Choice::new()];
        }
    }
    if scopes.len() * size(&metrics) > AHEAD_MAX {
        scopes.retain(|scope| matches!(scope.kind, ScopeKind::Tree(_)));
    }
    for (metric, choices) in &metrics {
        for question in questions_ahead(metric, choices, &asked, &ends) {
            let started = Instant::now();
            let answer = compute_ahead(&view(), &question, &scopes, today).await;
            let milliseconds = started.elapsed().as_millis();
            let (metric, grain) = (metric.id(), question.grain.name());
            match answer {
                Ok(()) => tracing::debug!(metric, grain, milliseconds, "ahead"),
                // It has been told of, for the metric has failed for `/metrics` too.
                Err(error) => tracing::debug!(metric, grain, %error, "ahead"),
            }
        }
    }
}

async fn compute_ahead(
    view: &View,
    question: &Ahead<'_>,
    scopes: &[Scope],
    today: NaiveDate,
) -> pipeline::Result<()> {
    let Ahead { metric, choices, periods, is_long, .. } = *question;
    let mut lasting = Vec::with_capacity(choices.len());
    for choice in choices {
        if !is_long || metric::outlives_landings(view, metric, choice).await? {
            lasting.push(choice.clone());
        }
    }
    let request = Request { periods, scopes, parameters: &Choice::new(), as_of: today };
    metric::compute_ahead(view, metric, &request, &lasting).await
}

/// The choices of a metric by every value of parameters with few, and by the default of others.
fn side_by_side(metric: &Metric) -> Vec<Choice> {
    metric.choices(|name, value| {
        metric.parameters().get(name).is_some_and(|parameter| {
            parameter.values.len() <= VALUES_AHEAD || parameter.default == value
        })
    })
}

fn questions_ahead<'a>(
    metric: &'a Metric,
    choices: &'a [Choice],
    asked: &'a [(Grain, Vec<Period>)],
    ends: &'a [Period],
) -> impl Iterator<Item = Ahead<'a>> {
    let grains = asked.iter().filter(|(grain, _)| metric.grains().contains(grain));
    let long = grains.map(move |(grain, periods)| Ahead {
        metric,
        choices,
        grain: *grain,
        periods,
        is_long: true,
    });
    // What `/metrics` shows of no day are mostly states by more choices than it has room for.
    let is_state = matches!(metric.prometheus().window, Window::Now | Window::None);
    let state = Ahead { metric, choices, grain: Grain::Day, periods: ends, is_long: false };
    long.chain(is_state.then_some(state))
}

/// The first day of the two last whole years.
fn two_years_back(today: NaiveDate) -> NaiveDate {
    NaiveDate::from_ymd_opt(today.year() - 2, 1, 1).unwrap_or(today)
}

/// The last days of the last whole year and of the last whole month, which may be the same.
fn last_days(today: NaiveDate) -> Vec<Period> {
    let ends = [NaiveDate::from_ymd_opt(today.year(), 1, 1), today.with_day(1)];
    let days =
        ends.into_iter().flatten().filter_map(|end| Some(Period { start: end.pred_opt()?, end }));
    let mut days: Vec<Period> = days.collect();
    days.dedup();
    days
}

/// The whole months since the start of last year, and the two years before this one.
fn whole_months_and_years(today: NaiveDate) -> [(Grain, Vec<Period>); 2] {
    let of = |grain: Grain, years_ago: i32, end: Option<NaiveDate>| {
        let start = NaiveDate::from_ymd_opt(today.year() - years_ago, 1, 1);
        let whole = start.zip(end).map(|(start, end)| Period { start, end });
        (grain, whole.map_or(Vec::new(), |whole| metric::periods(whole, grain)))
    };
    let (this_month, this_year) = (today.with_day(1), NaiveDate::from_ymd_opt(today.year(), 1, 1));
    [of(Grain::Month, 1, this_month), of(Grain::Year, 2, this_year)]
}

/// Follows the goals of the year and runs every check: families of series apart from those of the catalogue.
///
/// What cannot be computed is absent, and logged.
pub async fn watch(
    view: &Arc<View>,
    catalogue: &Catalogue,
    definitions: &Definitions,
    today: NaiveDate,
) -> Vec<Family> {
    let mut families = Vec::new();
    if let Some(year) = standing::goal_year(definitions, today) {
        match standing::goals(view, catalogue, definitions, year, today).await {
            Ok(goals) => families.extend(goal_families(&goals)),
            Err(error) => tracing::error!(year, %error, "goals cannot be followed"),
        }
    }
    let outcomes = match Checks::load(definitions) {
        Ok(checks) => standing::checks(view, catalogue, &checks, today, 0).await,
        Err(error) => Err(error),
    };
    match outcomes {
        Ok(outcomes) => families.extend(check_families(&outcomes)),
        Err(error) => tracing::error!(%error, "checks cannot be run"),
    }
    families
}

type Number = fn(&Progress) -> Option<f64>;

fn goal_families(goals: &[(Goal, Progress)]) -> Vec<Family> {
    let labels = |goal: &Goal, progress: &Progress| {
        vec![("goal".to_owned(), goal.id.clone()), ("scope".to_owned(), progress.scope_id.clone())]
    };
    let numbers: [(&str, &str, Number); 6] = [
        ("goal_value", "The goal's number today.", |it| it.value),
        ("goal_should_be", "Where the number should be today.", |it| it.should_be),
        ("goal_target", "The target by the due day.", |it| it.target),
        ("goal_forecast", "Where the number will be on the due day if things go on.", |it| {
            it.forecast.map(|forecast| forecast.value)
        }),
        ("goal_forecast_low", "Lower end of the forecast's 80 % interval.", |it| {
            it.forecast.map(|forecast| forecast.low)
        }),
        ("goal_forecast_high", "Upper end of the forecast's 80 % interval.", |it| {
            it.forecast.map(|forecast| forecast.high)
        }),
    ];
    let mut families: Vec<Family> = numbers
        .into_iter()
        .map(|(name, help, pick)| Family {
            name: name.to_owned(),
            help: help.to_owned(),
            kind: Kind::Gauge,
            series: goals
                .iter()
                .filter_map(|(goal, progress)| {
                    Some(Series { labels: labels(goal, progress), value: pick(progress)? })
                })
                .collect(),
        })
        .collect();
    let mut standings = Vec::new();
    for (goal, progress) in goals {
        for status in Status::ALL {
            let mut labels = labels(goal, progress);
            labels.push(("status".to_owned(), status.name().to_owned()));
            let value = f64::from(u8::from(status == progress.status));
            standings.push(Series { labels, value });
        }
    }
    let named = goals.iter().map(|(goal, progress)| {
        let mut labels = labels(goal, progress);
        labels.extend(
            [
                ("title_zh", goal.title_zh.clone()),
                ("title_en", goal.title_en.clone()),
                ("owner", goal.owner.clone()),
                ("due", progress.due.to_string()),
            ]
            .map(|(name, text)| (name.to_owned(), text)),
        );
        Series { labels, value: 1.0 }
    });
    families.push(Family {
        name: "goal_info".to_owned(),
        help: "1 for each goal: what it is called, who owns it, by when it is due.".to_owned(),
        kind: Kind::Gauge,
        series: named.collect(),
    });
    families.push(Family {
        name: "goal_status".to_owned(),
        help: "1 for how the goal stands, 0 for how it does not.".to_owned(),
        kind: Kind::Gauge,
        series: standings,
    });
    families
}

fn check_families(outcomes: &[Outcome]) -> Vec<Family> {
    let labels = |outcome: &Outcome| {
        vec![
            ("check".to_owned(), outcome.check.id().to_owned()),
            ("severity".to_owned(), outcome.check.severity().name().to_owned()),
        ]
    };
    let violations = outcomes
        .iter()
        .filter(|outcome| outcome.failed.is_none())
        .map(|outcome| Series { labels: labels(outcome), value: outcome.violations as f64 });
    let failing = outcomes
        .iter()
        .filter(|outcome| outcome.failed.is_some())
        .map(|outcome| Series { labels: labels(outcome), value: 1.0 });
    vec![
        Family {
            name: "lawpulse_check_violations".to_owned(),
            help: "What a check found; 0 when all is well.".to_owned(),
            kind: Kind::Gauge,
            series: violations.collect(),
        },
        Family {
            name: "lawpulse_check_failing".to_owned(),
            help: "1 for a check that cannot run.".to_owned(),
            kind: Kind::Gauge,
            series: failing.collect(),
        },
    ]
}

/// The scopes that exist on a day or later, and how many units are left out of them because they are more than `most_units`.
fn scopes_since(view: &View, day: NaiveDate, most_units: usize) -> (Vec<Scope>, usize) {
    let tree = view.tree();
    let ended = |org_id: &str| {
        let mut versions = tree.versions(org_id);
        versions.all(|org| org.valid_to.is_some_and(|end| end <= day))
    };
    let is_there = |scope: &&Scope| scope.kind != ScopeKind::Org || !ended(&scope.scope_id);
    let mut scopes: Vec<Scope> = tree.all_scopes().iter().filter(is_there).cloned().collect();
    let is_unit = |scope: &Scope| scope.kind == ScopeKind::Org && !scope.is_level;
    let units = scopes.iter().filter(|scope| is_unit(scope)).count();
    let left_out = if units > most_units { units } else { 0 };
    scopes.retain(|scope| left_out == 0 || !is_unit(scope));
    (scopes, left_out)
}

fn period_of(window: Window, view: &View, today: NaiveDate) -> Option<Period> {
    let tomorrow = today.succ_opt()?;
    match window {
        Window::None => None,
        Window::Now => Some(Period { start: today, end: tomorrow }),
        Window::Year => {
            Some(Period { start: NaiveDate::from_ymd_opt(today.year(), 1, 1)?, end: tomorrow })
        }
        Window::Trailing28Days => {
            Some(Period { start: today.checked_sub_days(Days::new(28))?, end: today })
        }
        Window::All => {
            let start = view.facts().first_event_date?.min(today);
            Some(Period { start, end: tomorrow })
        }
    }
}

fn families_of(metric: &Metric, scopes: &[Scope], values: &Values<'_>) -> Vec<Family> {
    let prometheus = metric.prometheus();
    let kind = match prometheus.kind {
        PrometheusType::Gauge => Kind::Gauge,
        PrometheusType::Counter => Kind::Counter,
    };
    let window = match prometheus.window {
        Window::Trailing28Days => "trailing 28 local days before today",
        Window::All => "cumulative since the first event; withdrawn events lower it",
        Window::Now => "as of now",
        Window::Year => "calendar year up to today",
        Window::None => "",
    };
    let not_additive = "do not sum over scopes";
    let help = format!("{} {} ({window}; {not_additive})", metric.title_zh(), metric.title_en());
    let family = |suffix: &str, what: &str, pick: fn(&Sample) -> Option<f64>| Family {
        name: format!("{}{suffix}", prometheus.name),
        help: format!("{help}{what}"),
        kind,
        series: series(scopes, values, pick),
    };
    let mut families = vec![family("", "", |sample| sample.value)];
    if metric.kind() == metric::Kind::Ratio {
        families.push(family("_numerator", ": numerator", |sample| sample.numerator));
        families.push(family("_denominator", ": denominator", |sample| sample.denominator));
    }
    families
}

fn series(scopes: &[Scope], values: &Values<'_>, pick: fn(&Sample) -> Option<f64>) -> Vec<Series> {
    let mut series = Vec::new();
    for (parameters, samples) in values {
        for (scope, sample) in scopes.iter().zip(*samples) {
            let Some(value) = pick(sample) else { continue };
            let mut labels = vec![
                ("scope".to_owned(), scope.scope_id.clone()),
                ("scope_kind".to_owned(), scope.kind.name().to_owned()),
            ];
            labels.extend((*parameters).clone());
            series.push(Series { labels, value });
        }
    }
    series
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ahead_are_the_months_since_last_january_and_two_whole_years() {
        let day = |text: &str| text.parse::<NaiveDate>().unwrap();
        let ahead = |today: &str| {
            whole_months_and_years(day(today))
                .map(|(_, periods)| (periods.len(), periods[0].start, periods.last().unwrap().end))
        };
        let years = (2, day("2024-01-01"), day("2026-01-01"));
        assert_eq!(ahead("2026-03-15"), [(14, day("2025-01-01"), day("2026-03-01")), years]);
        assert_eq!(ahead("2026-01-01"), [(12, day("2025-01-01"), day("2026-01-01")), years]);
    }

    #[test]
    fn states_are_computed_ahead_for_the_last_days_of_a_year_and_a_month_once_each() {
        let ahead = |today: &str| {
            let starts =
                last_days(today.parse().unwrap()).into_iter().map(|day| day.start.to_string());
            starts.collect::<Vec<_>>()
        };
        assert_eq!(ahead("2026-03-15"), ["2025-12-31", "2026-02-28"]);
        assert_eq!(ahead("2026-01-20"), ["2025-12-31"]);
    }

    #[test]
    fn parameters_with_few_values_are_computed_ahead_by_each_and_others_by_their_default() {
        let catalogue = Catalogue::load(&Definitions::load(None).unwrap()).unwrap();
        let choices = |id: &str| side_by_side(catalogue.get(id).unwrap());
        assert_eq!(choices("officer_activity_ratio").len(), 3);
        let due = choices("clocks_due");
        assert_eq!(due.len(), 4);
        assert!(due.iter().all(|choice| choice["clock"] == "all"), "{due:?}");
    }
}
