//! Goals, checks and figures of reports.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use chrono::NaiveDate;
use pipeline::check::Checks;
use pipeline::reconcile::{self, Comparison, Reconciled, Status};
use pipeline::report::Edition;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::caller::Visitor;
use crate::http::problem::Problem;
use crate::http::query::{Exact, Nothing, Query, Year};
use crate::schema;
use crate::server::Server;
use crate::standing::{self, CheckOutcome, StandingGoal};

/// Rows that an answer shows of each check.
const CHECK_ROWS: usize = 20;

/// Which goals.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct YearOfGoals {
    /// The year; left out, the newest whose goals hold today.
    #[param(inline, example = 2025)]
    year: Option<Year>,
}

/// How the goals of a year stand.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct GoalsOfYear {
    year: i32,
    /// The day that they are looked at on.
    as_of: NaiveDate,
    lake_version: u64,
    goals: Vec<StandingGoal>,
}

/// How the goals of a year stand: today, should be, target, forecast with its interval, status.
#[utoipa::path(
    get,
    path = "/api/v1/goals",
    operation_id = "goals",
    tag = "standing",
    params(YearOfGoals),
    responses(
        (status = 200, description = "One entry for each goal and scope.", body = GoalsOfYear),
        (status = 404, description = "The year has no goals."),
    )
)]
pub(super) async fn goals(
    State(server): State<Arc<Server>>,
    Query(asked): Query<YearOfGoals>,
) -> Result<Json<GoalsOfYear>, Problem> {
    let view = server.view();
    let as_of = server.today();
    let definitions = server.definitions();
    let year = asked.year.map(|Year(year)| year);
    let year = year.or_else(|| standing::goal_year(&definitions, as_of)).ok_or_else(no_goals)?;
    if definitions.file(&format!("goals/{year}.toml")).is_err() {
        return Err(no_goals());
    }
    let goals = standing::goals(&view, server.catalogue(), &definitions, year, as_of).await?;
    let goals = StandingGoal::all(&view, server.catalogue(), &goals);
    Ok(Json(GoalsOfYear { year, as_of, lake_version: view.version(), goals }))
}

fn no_goals() -> Problem {
    Problem::not_found("there are no goals for that year; see sql/goals")
}

/// What the checks found.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct CheckOutcomes {
    lake_version: u64,
    checks: Vec<CheckOutcome>,
}

/// What the checks of data quality and lawful order find now.
#[utoipa::path(
    get,
    path = "/api/v1/checks",
    operation_id = "checks",
    tag = "standing",
    responses((status = 200, description = "One entry for each check.", body = CheckOutcomes))
)]
pub(super) async fn checks(
    State(server): State<Arc<Server>>,
    Extension(visitor): Extension<Visitor>,
    _: Query<Nothing>,
) -> Result<Json<CheckOutcomes>, Problem> {
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
    let checks = outcomes.iter().map(CheckOutcome::of).collect::<anyhow::Result<_>>();
    let checks = checks.map_err(|error| Problem::internal(&error))?;
    Ok(Json(CheckOutcomes { lake_version: view.version(), checks }))
}

/// Which figures.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct YearOfFigures {
    /// The year that the figures are about.
    #[param(inline, example = 2024)]
    year: Year,
}

/// Numbers as a report states them, or as the events give them; a ratio is the fraction itself.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Numbers {
    #[schema(required)]
    numerator: Option<f64>,
    #[schema(required)]
    denominator: Option<f64>,
    #[schema(required)]
    value: Option<f64>,
    /// Of a stated number, the value that is not reached, for `at_least_below`.
    #[serde(skip_serializing_if = "Option::is_none")]
    upper: Option<f64>,
}

/// A figure of a report beside what the events say.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Figure {
    figure_id: String,
    report: String,
    /// The sentence that states it.
    wording: String,
    /// What the sentence is taken to mean, where it can mean several things.
    #[schema(required)]
    reading: Option<String>,
    metric: String,
    parameters: BTreeMap<String, String>,
    scope: String,
    from_date: NaiveDate,
    /// The day after the window.
    to_date: NaiveDate,
    #[schema(required)]
    window_note: Option<String>,
    #[schema(schema_with = schema::comparison)]
    comparison: Comparison,
    /// The decimals of the stated value.
    decimals: u32,
    is_ratio: bool,
    reported: Numbers,
    recomputed: Numbers,
    /// What the stated terms give, less the stated value.
    #[schema(required)]
    own_delta: Option<f64>,
    /// What the events say, less the stated value.
    #[schema(required)]
    delta: Option<f64>,
    #[schema(schema_with = schema::figure_status)]
    status: Status,
    /// Why, in a sentence (Chinese).
    reason: String,
}

impl From<Reconciled> for Figure {
    fn from(row: Reconciled) -> Self {
        let (reported, recomputed) = (row.reported, row.recomputed);
        Self {
            figure_id: row.figure_id,
            report: row.report,
            wording: row.wording,
            reading: row.reading,
            metric: row.metric,
            parameters: row.parameters,
            scope: row.scope,
            from_date: row.from_date,
            to_date: row.to_date,
            window_note: row.window_note,
            comparison: row.comparison,
            decimals: row.decimals,
            is_ratio: row.is_ratio,
            reported: Numbers {
                numerator: reported.numerator,
                denominator: reported.denominator,
                value: reported.value,
                upper: reported.upper,
            },
            recomputed: Numbers {
                numerator: recomputed.numerator,
                denominator: recomputed.denominator,
                value: recomputed.value,
                upper: None,
            },
            own_delta: row.own_delta,
            delta: row.delta,
            status: row.status,
            reason: row.reason,
        }
    }
}

/// Stated figures of a year beside the events.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Figures {
    year: i32,
    lake_version: u64,
    figures: Vec<Figure>,
}

/// Figures that reports stated, beside what the events say.
#[utoipa::path(
    get,
    path = "/api/v1/reconciliation",
    operation_id = "reconciliation",
    tag = "standing",
    params(YearOfFigures),
    responses((status = 200, description = "The figures of the year.", body = Figures))
)]
pub(super) async fn reconciliation(
    State(server): State<Arc<Server>>,
    Query(asked): Query<YearOfFigures>,
) -> Result<Json<Figures>, Problem> {
    let Year(year) = asked.year;
    let period = Edition::Year(year).period()?;
    let view = server.view();
    let rows =
        reconcile::reconcile(&view, server.catalogue(), period.start, period.end, server.today())
            .await?;
    let figures = rows.into_iter().map(Figure::from).collect();
    Ok(Json(Figures { year, lake_version: view.version(), figures }))
}

/// What of a year, and in which form.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct AskedReport {
    /// Only this month of it. Not together with `unit`.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 12)]
    month: Option<Exact<u32>>,
    /// Only this unit, by its id. Not together with `month`.
    unit: Option<String>,
    /// A page, or Markdown.
    #[serde(default)]
    #[param(inline, required = false)]
    format: ReportFormat,
}

/// How a report is written.
#[derive(Debug, Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum ReportFormat {
    /// A page that needs no other file.
    #[default]
    Html,
    /// Markdown.
    Markdown,
}

/// The bureau's report of a year.
///
/// `month` and `unit` narrow it.
#[utoipa::path(
    get,
    path = "/api/v1/reports/{year}",
    operation_id = "report",
    tag = "standing",
    params(("year" = inline(Year), Path, description = "The year.", example = 2024), AskedReport),
    responses(
        (status = 200, description = "The report.", content(
            (String = "text/html"),
            (String = "text/markdown"),
        )),
    )
)]
pub(super) async fn report(
    State(server): State<Arc<Server>>,
    year: Result<Path<String>, PathRejection>,
    Query(asked): Query<AskedReport>,
) -> Result<Response, Problem> {
    let Path(year) = year?;
    let Year(year) = Year::read(&year).map_err(Problem::bad_request)?;
    let edition = match (asked.month, asked.unit) {
        (Some(_), Some(_)) => {
            return Err(Problem::bad_request("choose `month` or `unit`, not both"));
        }
        (Some(Exact(month)), None) => Edition::Month(year, month),
        (None, Some(unit)) => Edition::Unit(year, unit),
        (None, None) => Edition::Year(year),
    };
    let view = server.view();
    let definitions = server.definitions();
    let (catalogue, today) = (server.catalogue(), server.today());
    let report = standing::report(&view, catalogue, &definitions, &edition, today).await?;
    let (kind, text) = match asked.format {
        ReportFormat::Html => ("text/html; charset=utf-8", report.html()),
        ReportFormat::Markdown => ("text/markdown; charset=utf-8", report.markdown),
    };
    Ok(([(header::CONTENT_TYPE, kind)], text).into_response())
}
