//! The catalogue and the numbers.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::{Extension, Json};
use chrono::NaiveDate;
use pipeline::metric::{self, Grain, Metric, Period, Request, Scope};
use pipeline::query::View;
use serde_json::{Value, json};

use crate::caller::Visitor;
use crate::explained;
use crate::http::problem::Problem;
use crate::server::Server;

/// The most buckets that one request may ask for, over all its scopes.
const SAMPLES_MAX: usize = 200_000;

/// Rows behind numbers that an answer shows, and at most.
const EXPLAIN_ROWS: usize = 100;
const EXPLAIN_ROWS_MAX: usize = 10_000;

pub(super) async fn catalogue(State(server): State<Arc<Server>>) -> Json<Value> {
    let metrics: Vec<_> = server.catalogue().iter().map(describe).collect();
    Json(json!({ "metrics": metrics }))
}

fn describe(metric: &Metric) -> Value {
    let parameters: Vec<_> = metric
        .parameters()
        .iter()
        .map(|(name, parameter)| {
            json!({ "name": name, "values": parameter.values, "default": parameter.default })
        })
        .collect();
    json!({
        "id": metric.id(),
        "title_zh": metric.title_zh(),
        "title_en": metric.title_en(),
        "group": metric.group().name(),
        "indicator": metric.indicator(),
        "definition": metric.definition(),
        "source": metric.source(),
        "unit": metric.unit(),
        "kind": metric.kind().name(),
        "direction": metric.direction().name(),
        "grains": metric.grains().iter().map(|grain| grain.name()).collect::<Vec<_>>(),
        "rankable": metric.is_rankable(),
        "additive": metric.is_additive(),
        "thresholds": metric.thresholds().map(|thresholds| {
            json!({ "warn": thresholds.warn, "fail": thresholds.fail, "source": thresholds.source })
        }),
        "suppress_below": metric.suppress_below(),
        "parameters": parameters,
        "prometheus": metric.prometheus().name,
        "prometheus_window": metric.prometheus().window.name(),
        "sql": metric.sql(),
    })
}

/// What a request asks of a metric.
struct Asked {
    periods: Vec<Period>,
    scopes: Vec<Scope>,
    parameters: BTreeMap<String, String>,
    grain: Grain,
    as_of: NaiveDate,
}

impl Asked {
    /// Reads a query; what no key names is a parameter of the metric.
    fn read(
        server: &Server,
        visitor: &Visitor,
        view: &View,
        metric: &Metric,
        mut query: HashMap<String, String>,
    ) -> Result<Self, Problem> {
        let from = required_date(&mut query, "from")?;
        let to = required_date(&mut query, "to")?;
        if from >= to {
            return Err(Problem::bad_request("`to` is exclusive and has to lie after `from`"));
        }
        let grain = Grain::parse(query.remove("grain").as_deref().unwrap_or("all"))?;
        metric.check_grain(grain)?;
        let scope = query.remove("scope").unwrap_or_else(|| "district".to_owned());
        let scopes = metric::resolve(view.orgs(), &scope)?;
        server.door().sight().check_scopes(&visitor.caller, view, &scopes)?;
        let window = match query.remove("window") {
            None => None,
            Some(written) => {
                Some(written.parse().ok().filter(|days| *days > 0).ok_or_else(|| {
                    Problem::bad_request(format!("`window` holds `{written}`; write days as in 30"))
                })?)
            }
        };
        let mut periods = metric::periods(Period { start: from, end: to }, grain);
        if let Some(days) = window {
            periods = metric::trailing(&periods, days);
        }
        if periods.len().saturating_mul(scopes.len()) > SAMPLES_MAX {
            return Err(Problem::bad_request(
                "too many buckets; choose a coarser grain or a shorter period",
            ));
        }
        let parameters = query.into_iter().collect();
        Ok(Self { periods, scopes, parameters, grain, as_of: server.today() })
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

pub(super) async fn metric(
    State(server): State<Arc<Server>>,
    Extension(visitor): Extension<Visitor>,
    id: Result<Path<String>, PathRejection>,
    query: Result<Query<HashMap<String, String>>, QueryRejection>,
) -> Result<Json<Value>, Problem> {
    let (Path(id), Query(mut query)) = (id?, query?);
    let metric =
        server.catalogue().get(&id).map_err(|error| Problem::not_found(error.to_string()))?;
    let view = server.view();
    let with_peers = query.remove("peers").is_some_and(|written| written == "true");
    let asked = Asked::read(&server, &visitor, &view, metric, query)?;
    let request = asked.request();
    let samples = metric::evaluate(&view, metric, &request).await?;
    let peers = if with_peers {
        metric::compare(&view, metric, &request, &samples).await?
    } else {
        Vec::new()
    };
    let names: HashMap<&str, &str> =
        asked.scopes.iter().map(|scope| (scope.scope_id.as_str(), scope.name.as_str())).collect();
    let rows: Vec<_> = samples
        .iter()
        .enumerate()
        .map(|(place, sample)| {
            let mut row = json!({
                "metric": metric.id(),
                "scope": sample.scope_id,
                "scope_name": names.get(sample.scope_id.as_str()),
                "period_start": sample.period.start,
                "period_end": sample.period.end,
                "numerator": number(sample.numerator),
                "denominator": number(sample.denominator),
                "value": number(sample.value),
                "withheld": sample.is_withheld,
            });
            if let Some(Some(peers)) = peers.get(place) {
                row["peers"] = json!({
                    "kind": peers.kind,
                    "units": peers.units,
                    "p25": peers.p25,
                    "median": peers.median,
                    "p75": peers.p75,
                });
            }
            row
        })
        .collect();
    Ok(Json(json!({
        "metric": metric.id(),
        "grain": asked.grain.name(),
        "parameters": metric.parameter_values(&asked.parameters)?,
        "lake_version": view.version(),
        "rows": rows,
    })))
}

/// How the numbers of a request come about; persons and parties as the caller may see them.
pub(super) async fn explain(
    State(server): State<Arc<Server>>,
    Extension(visitor): Extension<Visitor>,
    id: Result<Path<String>, PathRejection>,
    query: Result<Query<HashMap<String, String>>, QueryRejection>,
) -> Result<Json<Value>, Problem> {
    let (Path(id), Query(mut query)) = (id?, query?);
    let metric =
        server.catalogue().get(&id).map_err(|error| Problem::not_found(error.to_string()))?;
    let limit = match query.remove("rows") {
        None => EXPLAIN_ROWS,
        Some(written) => {
            written.parse().ok().filter(|rows| *rows <= EXPLAIN_ROWS_MAX).ok_or_else(|| {
                Problem::bad_request(format!("`rows` is a number up to {EXPLAIN_ROWS_MAX}"))
            })?
        }
    };
    let view = server.view();
    let asked = Asked::read(&server, &visitor, &view, metric, query)?;
    let request = asked.request();
    let samples = metric::evaluate(&view, metric, &request).await?;
    let identities = server.door().sight().access(&visitor.caller, &view)?.identities;
    let evidence = metric::explain(&view, metric, &request, &identities, limit).await?;
    let coverage = metric::coverage(&view, &request).await?;
    let told = explained::json(metric, &view, &samples, evidence.as_ref(), &coverage)
        .map_err(|error| Problem::internal(&error))?;
    Ok(Json(told))
}

fn required_date(query: &mut HashMap<String, String>, name: &str) -> Result<NaiveDate, Problem> {
    let written = query.remove(name).ok_or_else(|| {
        Problem::bad_request(format!("`{name}` is missing; write a date as 2024-03-05"))
    })?;
    written.parse().map_err(|_| {
        Problem::bad_request(format!("`{name}` holds `{written}`; write a date as 2024-03-05"))
    })
}

/// Whole numbers without a fraction, so that counts look like counts.
fn number(value: Option<f64>) -> Value {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    match value {
        Some(value) if value.fract() == 0.0 && value.abs() < EXACT => json!(value as i64),
        other => json!(other),
    }
}
