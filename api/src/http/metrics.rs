//! The catalogue and the numbers.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use chrono::NaiveDate;
use pipeline::metric::{self, Grain, Metric, Period, Request};
use serde_json::{Value, json};

use crate::http::problem::Problem;
use crate::server::Server;

/// The most buckets that one request may ask for, over all its scopes.
const SAMPLES_MAX: usize = 200_000;

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
        "definition": metric.definition(),
        "source": metric.source(),
        "unit": metric.unit(),
        "kind": metric.kind().name(),
        "direction": metric.direction().name(),
        "grains": metric.grains().iter().map(|grain| grain.name()).collect::<Vec<_>>(),
        "rankable": metric.is_rankable(),
        "suppress_below": metric.suppress_below(),
        "parameters": parameters,
        "prometheus": metric.prometheus().name,
        "sql": metric.sql(),
    })
}

pub(super) async fn metric(
    State(server): State<Arc<Server>>,
    id: Result<Path<String>, PathRejection>,
    query: Result<Query<HashMap<String, String>>, QueryRejection>,
) -> Result<Json<Value>, Problem> {
    let Path(id) = id?;
    let Query(mut query) = query?;
    let metric =
        server.catalogue().get(&id).map_err(|error| Problem::not_found(error.to_string()))?;
    let from = required_date(&mut query, "from")?;
    let to = required_date(&mut query, "to")?;
    if from >= to {
        return Err(Problem::bad_request("`to` is exclusive and has to lie after `from`"));
    }
    let grain = Grain::parse(query.remove("grain").as_deref().unwrap_or("all"))?;
    let view = server.view();
    let scope = query.remove("scope").unwrap_or_else(|| "district".to_owned());
    let scopes = metric::resolve(view.orgs(), &scope)?;
    let periods = metric::periods(Period { start: from, end: to }, grain);
    if periods.len().saturating_mul(scopes.len()) > SAMPLES_MAX {
        return Err(Problem::bad_request(
            "too many buckets; choose a coarser grain or a shorter period",
        ));
    }
    let parameters: BTreeMap<String, String> = query.into_iter().collect();
    let as_of = server.clock().today(view.zone());
    let request = Request { periods: &periods, scopes: &scopes, parameters: &parameters, as_of };
    let samples = metric::evaluate(&view, metric, &request).await?;
    let names: HashMap<&str, &str> =
        scopes.iter().map(|scope| (scope.scope_id.as_str(), scope.name.as_str())).collect();
    let rows: Vec<_> = samples
        .iter()
        .map(|sample| {
            json!({
                "metric": metric.id(),
                "scope": sample.scope_id,
                "scope_name": names.get(sample.scope_id.as_str()),
                "period_start": sample.period.start,
                "period_end": sample.period.end,
                "numerator": number(sample.numerator),
                "denominator": number(sample.denominator),
                "value": number(sample.value),
            })
        })
        .collect();
    Ok(Json(json!({
        "metric": metric.id(),
        "grain": grain.name(),
        "parameters": metric.parameter_values(&parameters)?,
        "lake_version": view.version(),
        "rows": rows,
    })))
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
