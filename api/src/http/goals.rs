//! Goals, checks and figures of reports.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use pipeline::check::Checks;
use pipeline::reconcile;
use pipeline::report::Edition;
use serde_json::{Value, json};

use crate::caller::Visitor;
use crate::http::problem::Problem;
use crate::server::Server;
use crate::standing;

/// Rows that an answer shows of each check.
const CHECK_ROWS: usize = 20;

pub(super) async fn goals(
    State(server): State<Arc<Server>>,
    query: Result<Query<HashMap<String, String>>, QueryRejection>,
) -> Result<Json<Value>, Problem> {
    let Query(mut query) = query?;
    let view = server.view();
    let as_of = server.today();
    let definitions = server.definitions();
    let year = match query.remove("year") {
        Some(written) => number(&written, "year")?,
        None => standing::goal_year(&definitions, as_of)
            .ok_or_else(|| Problem::not_found("no year has goals; see sql/goals"))?,
    };
    let goals = standing::goals(&view, server.catalogue(), &definitions, year, as_of).await?;
    Ok(Json(json!({
        "year": year,
        "as_of": as_of,
        "lake_version": view.version(),
        "goals": standing::goals_json(&view, server.catalogue(), &goals),
    })))
}

pub(super) async fn checks(
    State(server): State<Arc<Server>>,
    Extension(visitor): Extension<Visitor>,
) -> Result<Json<Value>, Problem> {
    let view = server.view();
    let definitions = server.definitions();
    let checks = Checks::load(&definitions)?;
    let today = server.today();
    let identities = server.door().sight().access(&visitor.caller, &view)?.identities;
    let outcomes = standing::checks(&view, server.catalogue(), &checks, today, CHECK_ROWS).await?;
    let outcomes = outcomes
        .into_iter()
        .map(|outcome| outcome.shown_to(&identities))
        .collect::<Result<Vec<_>, _>>()?;
    let told = standing::checks_json(&outcomes).map_err(|error| Problem::internal(&error))?;
    Ok(Json(json!({ "lake_version": view.version(), "checks": told })))
}

pub(super) async fn reconciliation(
    State(server): State<Arc<Server>>,
    query: Result<Query<HashMap<String, String>>, QueryRejection>,
) -> Result<Json<Value>, Problem> {
    let Query(query) = query?;
    let written = query
        .get("year")
        .ok_or_else(|| Problem::bad_request("`year` is missing; write it as 2024"))?;
    let year: i32 = number(written, "year")?;
    let period = Edition::Year(year).period()?;
    let view = server.view();
    let rows =
        reconcile::reconcile(&view, server.catalogue(), period.start, period.end, server.today())
            .await?;
    Ok(Json(json!({ "year": year, "lake_version": view.version(), "figures": rows })))
}

/// The report of a year as a page, or as Markdown with `format=markdown`; `month` and `unit` narrow it.
pub(super) async fn report(
    State(server): State<Arc<Server>>,
    year: Result<Path<String>, PathRejection>,
    query: Result<Query<HashMap<String, String>>, QueryRejection>,
) -> Result<Response, Problem> {
    let (Path(year), Query(query)) = (year?, query?);
    let year: i32 = number(&year, "year")?;
    let edition = match (query.get("month"), query.get("unit")) {
        (Some(_), Some(_)) => {
            return Err(Problem::bad_request("choose `month` or `unit`, not both"));
        }
        (Some(month), None) => Edition::Month(year, number(month, "month")?),
        (None, Some(unit)) => Edition::Unit(year, unit.clone()),
        (None, None) => Edition::Year(year),
    };
    let view = server.view();
    let report = standing::report(
        &view,
        server.catalogue(),
        &server.definitions(),
        &edition,
        server.today(),
    )
    .await?;
    match query.get("format").map_or("html", String::as_str) {
        "html" => {
            let kind = [(header::CONTENT_TYPE, "text/html; charset=utf-8")];
            Ok((kind, report.html()).into_response())
        }
        "markdown" => {
            let kind = [(header::CONTENT_TYPE, "text/markdown; charset=utf-8")];
            Ok((kind, report.markdown).into_response())
        }
        other => Err(Problem::bad_request(format!("`format` is html or markdown, not `{other}`"))),
    }
}

fn number<N: std::str::FromStr>(written: &str, name: &str) -> Result<N, Problem> {
    written.parse().map_err(|_| {
        Problem::bad_request(format!("`{name}` holds `{written}`, which is no number"))
    })
}
