//! The catalogue and the numbers.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::{Extension, Json};
use chrono::NaiveDate;
use pipeline::metric::{self, Choice, Grain, Metric, Peers, Period, Request, Sample, Scope};
use pipeline::query::View;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::caller::Visitor;
use crate::explained::Explanation;
use crate::http::problem::Problem;
use crate::http::query::{Day, Exact, Nothing, Query};
use crate::schema::{self, GrainName};
use crate::server::Server;

/// The most buckets that one request may ask for, over all its scopes.
const SAMPLES_MAX: usize = 200_000;

/// Rows behind numbers that an answer shows, and at most.
const EXPLAIN_ROWS: usize = 100;
const EXPLAIN_ROWS_MAX: usize = 10_000;

/// The longest window, in days: a hundred years.
const WINDOW_DAYS_MAX: u32 = 36_525;

/// Every metric that there is.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Metrics {
    metrics: Vec<MetricEntry>,
}

/// A metric: what it means and how it may be asked for.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct MetricEntry {
    id: String,
    title_zh: String,
    title_en: String,
    #[schema(schema_with = schema::group)]
    group: &'static str,
    /// The number of the field's indicator that it is.
    #[schema(required)]
    indicator: Option<u8>,
    /// What is counted, in sentences.
    definition: String,
    /// The law and article, the document, or "defined here".
    source: String,
    unit: String,
    #[schema(schema_with = schema::kind)]
    kind: &'static str,
    /// Which way is better, if any.
    #[schema(schema_with = schema::direction)]
    direction: &'static str,
    /// The grains that it may be asked for.
    #[schema(schema_with = schema::grains)]
    grains: Vec<&'static str>,
    rankable: bool,
    /// Whether the numbers of parts add up to that of the whole.
    additive: bool,
    #[schema(required)]
    thresholds: Option<ThresholdsOfMetric>,
    /// Numbers about fewer persons are withheld.
    #[schema(required)]
    suppress_below: Option<u64>,
    parameters: Vec<ParameterOfMetric>,
    /// The name of its series in `/metrics`.
    prometheus: String,
    #[schema(schema_with = schema::window)]
    prometheus_window: &'static str,
    sql: String,
}

/// Values at which a metric deserves attention, and who says so.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ThresholdsOfMetric {
    #[schema(required)]
    warn: Option<f64>,
    #[schema(required)]
    fail: Option<f64>,
    source: String,
}

/// A parameter of a metric: one of a few values.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ParameterOfMetric {
    name: String,
    values: Vec<String>,
    default: String,
}

/// Every metric: definition, source in law, SQL.
#[utoipa::path(
    get,
    path = "/api/v1/metrics",
    operation_id = "metrics",
    tag = "metrics",
    responses((status = 200, description = "The catalogue.", body = Metrics))
)]
pub(super) async fn catalogue(
    State(server): State<Arc<Server>>,
    _: Query<Nothing>,
) -> Json<Metrics> {
    Json(Metrics { metrics: server.catalogue().iter().map(MetricEntry::of).collect() })
}

impl MetricEntry {
    fn of(metric: &Metric) -> Self {
        let parameter = |(name, parameter): (&String, &metric::Parameter)| ParameterOfMetric {
            name: name.clone(),
            values: parameter.values.clone(),
            default: parameter.default.clone(),
        };
        let thresholds = metric.thresholds().map(|thresholds| ThresholdsOfMetric {
            warn: thresholds.warn,
            fail: thresholds.fail,
            source: thresholds.source.clone(),
        });
        Self {
            id: metric.id().to_owned(),
            title_zh: metric.title_zh().to_owned(),
            title_en: metric.title_en().to_owned(),
            group: metric.group().name(),
            indicator: metric.indicator(),
            definition: metric.definition().to_owned(),
            source: metric.source().to_owned(),
            unit: metric.unit().to_owned(),
            kind: metric.kind().name(),
            direction: metric.direction().name(),
            grains: metric.grains().iter().map(|grain| grain.name()).collect(),
            rankable: metric.is_rankable(),
            additive: metric.is_additive(),
            thresholds,
            suppress_below: metric.suppress_below(),
            parameters: metric.parameters().iter().map(parameter).collect(),
            prometheus: metric.prometheus().name.clone(),
            prometheus_window: metric.prometheus().window.name(),
            sql: metric.sql().to_owned(),
        }
    }
}

/// Which numbers are asked for. What none of these names is a parameter of the metric itself.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct AskedNumbers {
    /// The first local day.
    #[param(inline, example = "2025-01-01")]
    from: Day,
    /// The first local day after the period.
    #[param(inline, example = "2026-01-01")]
    to: Day,
    /// The length of the buckets; left out, the whole period is one. Not every metric has every grain.
    #[param(inline, value_type = Option<GrainName>)]
    grain: Option<Grain>,
    /// What it is about: `district` (the whole tree), `towns`, `departments`, `teams`, `area:NAME`, a unit's id, what is
    /// under a unit as in `UNIT/towns`, or members of one as in `towns/*`; several are separated by commas. Left out, all that
    /// the caller may ask about.
    scope: Option<String>,
    /// Makes each bucket the so many days up to its end.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 36525)]
    window: Option<Exact<u32>>,
    #[serde(flatten)]
    #[param(ignore)]
    parameters: BTreeMap<String, String>,
}

/// What is asked of the numbers of a metric.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct AskedMetric {
    /// Whether to say where the units of each unit's kind stand.
    #[param(value_type = Option<bool>)]
    peers: Option<Exact<bool>>,
    #[serde(flatten)]
    #[param(ignore)]
    numbers: AskedNumbers,
}

/// What is asked about how numbers come about.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct AskedExplanation {
    /// How many of the rows behind the numbers to show; left out, 100.
    #[param(value_type = Option<u32>, minimum = 0, maximum = 10000)]
    rows: Option<Exact<usize>>,
    #[serde(flatten)]
    #[param(ignore)]
    numbers: AskedNumbers,
}

/// What a request asks of a metric.
struct Asked {
    periods: Vec<Period>,
    scopes: Vec<Scope>,
    parameters: BTreeMap<String, String>,
    choices: Vec<Choice>,
    grain: Grain,
    as_of: NaiveDate,
}

impl Asked {
    /// Makes out what is meant.
    fn of(
        server: &Server,
        visitor: &Visitor,
        view: &View,
        metric: &Metric,
        asked: AskedNumbers,
    ) -> Result<Self, Problem> {
        let (Day(from), Day(to)) = (asked.from, asked.to);
        if from >= to {
            return Err(Problem::bad_request("`to` is exclusive and has to lie after `from`"));
        }
        let grain = asked.grain.unwrap_or(Grain::All);
        metric.check_grain(grain)?;
        // Who is kept to a unit means that by everything.
        let own = visitor.caller.scope.as_deref();
        let asked_scope = asked.scope.as_deref().or(own).unwrap_or(view.tree().whole_id());
        let scopes = view.tree().resolve(asked_scope)?;
        server.door().sight().check_scopes(&visitor.caller, view, &scopes)?;
        let mut periods = metric::periods(Period { start: from, end: to }, grain);
        if let Some(Exact(days)) = asked.window {
            if !(1..=WINDOW_DAYS_MAX).contains(&days) {
                return Err(Problem::bad_request(format!(
                    "`window` is a number of days from 1 to {WINDOW_DAYS_MAX}"
                )));
            }
            periods = metric::trailing(&periods, days);
        }
        let parameters = asked.parameters;
        let choices = metric.choices_asked(&parameters)?;
        let samples = periods.len().saturating_mul(scopes.len()).saturating_mul(choices.len());
        if samples > SAMPLES_MAX {
            return Err(Problem::bad_request(
                "too many buckets; choose a coarser grain or a shorter period",
            ));
        }
        Ok(Self { periods, scopes, parameters, choices, grain, as_of: server.today() })
    }

    fn request(&self) -> Request<'_> {
        Request {
            periods: &self.periods,
            scopes: &self.scopes,
            parameters: &self.parameters,
            as_of: self.as_of,
        }
    }
}

/// Where the units of a unit's kind stand.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PeersOfUnit {
    /// The kind that they share.
    kind: String,
    /// How many of them have a value, the unit included.
    units: usize,
    p25: f64,
    median: f64,
    p75: f64,
}

/// A number of a scope and a bucket.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct NumberRow {
    metric: String,
    scope: String,
    #[schema(required)]
    scope_name: Option<String>,
    period_start: NaiveDate,
    /// The day after the bucket.
    period_end: NaiveDate,
    #[schema(required, value_type = Option<f64>)]
    numerator: Value,
    #[schema(required, value_type = Option<f64>)]
    denominator: Value,
    #[schema(required, value_type = Option<f64>)]
    value: Value,
    /// Whether the numbers are hidden, because they are about too few persons.
    withheld: bool,
    /// With `peers=true`, for a unit with enough peers.
    #[serde(skip_serializing_if = "Option::is_none")]
    peers: Option<PeersOfUnit>,
    /// Which values of the parameters it is about, where several were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    parameters: Option<BTreeMap<String, String>>,
}

impl NumberRow {
    fn of(
        metric: &Metric,
        sample: &Sample,
        scope_name: Option<String>,
        peers: Option<&Peers>,
    ) -> Self {
        Self {
            metric: metric.id().to_owned(),
            scope: sample.scope_id.clone(),
            scope_name,
            period_start: sample.period.start,
            period_end: sample.period.end,
            numerator: number(sample.numerator),
            denominator: number(sample.denominator),
            value: number(sample.value),
            withheld: sample.is_withheld,
            peers: peers.map(|peers| PeersOfUnit {
                kind: peers.kind.clone(),
                units: peers.units,
                p25: peers.p25,
                median: peers.median,
                p75: peers.p75,
            }),
            parameters: None,
        }
    }
}

/// The numbers of a metric.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct NumbersOfMetric {
    metric: String,
    #[schema(schema_with = schema::grain)]
    grain: &'static str,
    /// The values of the metric's parameters as asked for, those by default among them.
    parameters: BTreeMap<String, String>,
    lake_version: u64,
    rows: Vec<NumberRow>,
}

/// The numbers of a metric, by scope and bucket.
///
/// Of a parameter several values can be asked for at once, separated by commas: each row says then which it is about.
#[utoipa::path(
    get,
    path = "/api/v1/metrics/{id}",
    operation_id = "metric",
    tag = "metrics",
    params(
        ("id" = String, Path, description = "The metric.", example = "patrols"),
        AskedNumbers,
        AskedMetric,
    ),
    responses(
        (status = 200, description = "The numbers.", body = NumbersOfMetric),
        (status = 404, description = "There is no such metric."),
    )
)]
pub(super) async fn metric(
    State(server): State<Arc<Server>>,
    Extension(visitor): Extension<Visitor>,
    id: Result<Path<String>, PathRejection>,
    Query(asked): Query<AskedMetric>,
) -> Result<Json<NumbersOfMetric>, Problem> {
    let Path(id) = id?;
    let metric = find(&server, &id)?;
    let view = server.view();
    let with_peers = asked.peers == Some(Exact(true));
    let asked = Asked::of(&server, &visitor, &view, metric, asked.numbers)?;
    let request = asked.request();
    let has_several = asked.choices.len() > 1;
    if with_peers && has_several {
        return Err(Problem::bad_request("`peers` goes with one value of each parameter"));
    }
    let answers = metric::evaluate_each(&view, metric, &request, &asked.choices).await?;
    let peers = match answers.first() {
        Some(samples) if with_peers => metric::compare(&view, metric, &request, samples).await?,
        _ => Vec::new(),
    };
    let names: HashMap<&str, &str> =
        asked.scopes.iter().map(|scope| (scope.scope_id.as_str(), scope.name.as_str())).collect();
    let mut rows = Vec::new();
    for (choice, samples) in asked.choices.iter().zip(&answers) {
        rows.extend(samples.iter().enumerate().map(|(place, sample)| {
            let name = names.get(sample.scope_id.as_str()).map(|name| (*name).to_owned());
            let peers = peers.get(place).and_then(Option::as_ref);
            let parameters = has_several.then(|| choice.clone());
            NumberRow { parameters, ..NumberRow::of(metric, sample, name, peers) }
        }));
    }
    let mut parameters = metric.parameter_values(&BTreeMap::new())?;
    parameters.extend(asked.parameters);
    Ok(Json(NumbersOfMetric {
        metric: metric.id().to_owned(),
        grain: asked.grain.name(),
        parameters,
        lake_version: view.version(),
        rows,
    }))
}

fn find<'s>(server: &'s Server, id: &str) -> Result<&'s Metric, Problem> {
    server.catalogue().get(id).map_err(|error| Problem::not_found(error.to_string()))
}

/// How the numbers of a request come about: definition, SQL, coverage, freshness, the rows behind them.
///
/// Persons and parties appear as the caller may see them.
#[utoipa::path(
    get,
    path = "/api/v1/metrics/{id}/explain",
    operation_id = "explain",
    tag = "metrics",
    params(
        ("id" = String, Path, description = "The metric.", example = "patrols"),
        AskedNumbers,
        AskedExplanation,
    ),
    responses(
        (status = 200, description = "How they come about.", body = Explanation),
        (status = 404, description = "There is no such metric."),
    )
)]
pub(super) async fn explain(
    State(server): State<Arc<Server>>,
    Extension(visitor): Extension<Visitor>,
    id: Result<Path<String>, PathRejection>,
    Query(asked): Query<AskedExplanation>,
) -> Result<Json<Explanation>, Problem> {
    let Path(id) = id?;
    let metric = find(&server, &id)?;
    let limit = asked.rows.map_or(EXPLAIN_ROWS, |Exact(rows)| rows);
    if limit > EXPLAIN_ROWS_MAX {
        return Err(Problem::bad_request(format!("`rows` is a number up to {EXPLAIN_ROWS_MAX}")));
    }
    let view = server.view();
    let asked = Asked::of(&server, &visitor, &view, metric, asked.numbers)?;
    let request = asked.request();
    let samples = metric::evaluate(&view, metric, &request).await?;
    let identities = server.door().sight().access(&visitor.caller, &view)?.identities;
    let evidence = metric::explain(&view, metric, &request, &identities, limit).await?;
    let coverage = metric::coverage(&view, &request).await?;
    let told = Explanation::of(metric, &view, &samples, evidence.as_ref(), &coverage);
    Ok(Json(told.map_err(|error| Problem::internal(&error))?))
}

/// Whole numbers without a fraction, so that counts look like counts.
fn number(value: Option<f64>) -> Value {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    match value {
        Some(value) if value.fract() == 0.0 && value.abs() < EXACT => json!(value as i64),
        other => json!(other),
    }
}
