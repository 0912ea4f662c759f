//! The catalogue as families of series: what `/metrics` says about the district.

use std::collections::BTreeMap;

use chrono::{Days, NaiveDate};
use pipeline::metric::{
    self, Catalogue, Metric, Period, PrometheusType, Request, Sample, Scope, ScopeKind, Window,
};
use pipeline::query::View;

use crate::exposition::{Family, Kind, Series};

/// What a measurement found.
#[derive(Debug, Clone, Default)]
pub struct Measurement {
    /// The series of every metric that could be computed.
    pub families: Vec<Family>,
    /// The metrics that could not, each with the reason: one wrong definition must not silence the others.
    pub failures: Vec<(String, String)>,
}

/// Computes every metric that is exported, for every scope that exists today.
///
/// Ratios come with their numerators and denominators as series of their own, so that they can be
/// put together again over time; ratios without a value are absent.
pub async fn measure(view: &View, catalogue: &Catalogue, today: NaiveDate) -> Measurement {
    let scopes = scopes_of_today(view, today);
    let mut measurement = Measurement::default();
    for metric in catalogue.iter() {
        match measure_one(view, metric, &scopes, today).await {
            Ok(families) => measurement.families.extend(families),
            Err(error) => {
                measurement.failures.push((metric.id().to_owned(), error.to_string()));
            }
        }
    }
    measurement
}

async fn measure_one(
    view: &View,
    metric: &Metric,
    scopes: &[Scope],
    today: NaiveDate,
) -> pipeline::Result<Vec<Family>> {
    let Some(period) = period_of(metric.prometheus().window, view, today) else {
        return Ok(Vec::new());
    };
    let mut values = Vec::new();
    for parameters in combinations(metric) {
        let request = Request { periods: &[period], scopes, parameters: &parameters, as_of: today };
        let samples = metric::evaluate(view, metric, &request).await?;
        values.push((parameters, samples));
    }
    Ok(families_of(metric, scopes, &values))
}

fn scopes_of_today(view: &View, today: NaiveDate) -> Vec<Scope> {
    let ended = |org_id: &str| {
        let mut versions = view.orgs().iter().filter(|org| org.org_id == org_id);
        versions.all(|org| org.valid_to.is_some_and(|end| end <= today))
    };
    metric::all_scopes(view.orgs())
        .into_iter()
        .filter(|scope| scope.kind != ScopeKind::Org || !ended(&scope.scope_id))
        .collect()
}

fn period_of(window: Window, view: &View, today: NaiveDate) -> Option<Period> {
    let tomorrow = today.succ_opt()?;
    match window {
        Window::None => None,
        Window::Now => Some(Period { start: today, end: tomorrow }),
        Window::Trailing28Days => {
            Some(Period { start: today.checked_sub_days(Days::new(28))?, end: today })
        }
        Window::All => {
            let start = view.facts().first_event_date?.min(today);
            Some(Period { start, end: tomorrow })
        }
    }
}

/// Every combination of the metric's parameters.
fn combinations(metric: &Metric) -> Vec<BTreeMap<String, String>> {
    let mut combinations = vec![BTreeMap::new()];
    for (name, parameter) in metric.parameters() {
        combinations = combinations
            .iter()
            .flat_map(|chosen| {
                parameter.values.iter().map(move |value| {
                    let mut chosen = chosen.clone();
                    chosen.insert(name.clone(), value.clone());
                    chosen
                })
            })
            .collect();
    }
    combinations
}

fn families_of(
    metric: &Metric,
    scopes: &[Scope],
    values: &[(BTreeMap<String, String>, Vec<Sample>)],
) -> Vec<Family> {
    let prometheus = metric.prometheus();
    let kind = match prometheus.kind {
        PrometheusType::Gauge => Kind::Gauge,
        PrometheusType::Counter => Kind::Counter,
    };
    let window = match prometheus.window {
        Window::Trailing28Days => "trailing 28 local days before today",
        Window::All => "cumulative since the first event; withdrawn events lower it",
        Window::Now => "as of now",
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

fn series(
    scopes: &[Scope],
    values: &[(BTreeMap<String, String>, Vec<Sample>)],
    pick: fn(&Sample) -> Option<f64>,
) -> Vec<Series> {
    let mut series = Vec::new();
    for (parameters, samples) in values {
        for (scope, sample) in scopes.iter().zip(samples) {
            let Some(value) = pick(sample) else { continue };
            let mut labels = vec![
                ("scope".to_owned(), scope.scope_id.clone()),
                ("scope_kind".to_owned(), scope.kind.name().to_owned()),
            ];
            labels.extend(parameters.clone());
            series.push(Series { labels, value });
        }
    }
    series
}
