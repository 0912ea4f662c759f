//! Where the district stands: goals, checks and reconciled figures, as answers and reports tell them.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Context as _;
use chrono::{Datelike, NaiveDate};
use pipeline::check::{self, Checks, Outcome};
use pipeline::definition::Definitions;
use pipeline::goal::{self, Goal, Goals, Progress};
use pipeline::metric::Catalogue;
use pipeline::query::View;
use pipeline::report::{self, CheckLine, Edition, GoalLine, Report};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::{explained, schema};

/// The goals of a year and how each stands on a day.
pub async fn goals(
    view: &Arc<View>,
    catalogue: &Catalogue,
    definitions: &Definitions,
    year: i32,
    as_of: NaiveDate,
) -> pipeline::Result<Vec<(Goal, Progress)>> {
    let goals = Goals::load(definitions, catalogue, year)?;
    let progress = goal::track(view, catalogue, &goals, as_of).await?;
    let with_goal = |progress: Progress| Some((goals.get(&progress.goal_id)?.clone(), progress));
    Ok(progress.into_iter().filter_map(with_goal).collect())
}

/// The year whose goals a lake is held to on a day: that of the day, or the newest before it that has goals.
pub fn goal_year(definitions: &Definitions, as_of: NaiveDate) -> Option<i32> {
    let years = definitions.in_folder("goals", "toml").filter_map(|(name, _)| name.parse().ok());
    // On the first days of a year last year's goals are still what people look at.
    let recent = as_of.pred_opt().unwrap_or(as_of).year();
    years.filter(|year: &i32| *year <= recent).max()
}

/// Runs every check, the sums of additive metrics among them; keeps at most `limit` rows of each.
pub async fn checks(
    view: &View,
    catalogue: &Catalogue,
    checks: &Checks,
    as_of: NaiveDate,
    limit: usize,
) -> pipeline::Result<Vec<Outcome>> {
    let mut outcomes = check::run(view, checks, limit).await?;
    outcomes.push(check::run_additivity(view, catalogue, as_of).await?);
    Ok(outcomes)
}

/// Drafts a report with the goals of the year after it, or else its own, and every check.
pub async fn report(
    view: &Arc<View>,
    catalogue: &Catalogue,
    definitions: &Definitions,
    edition: &Edition,
    as_of: NaiveDate,
) -> pipeline::Result<Report> {
    let (Edition::Year(year) | Edition::Month(year, _) | Edition::Unit(year, _)) = edition;
    let has_goals = |year: &i32| definitions.file(&format!("goals/{year}.toml")).is_ok();
    let standing = match [year + 1, *year].into_iter().find(has_goals) {
        Some(year) => goals(view, catalogue, definitions, year, as_of).await?,
        None => Vec::new(),
    };
    let goals = goal_lines(view, catalogue, &standing);
    let outcomes = checks(view, catalogue, &Checks::load(definitions)?, as_of, 0).await?;
    let checks = check_lines(&outcomes);
    report::draft(view, catalogue, definitions, edition, as_of, &goals, &checks).await
}

/// The name of a scope for people.
pub fn scope_name(view: &View, scope_id: &str) -> String {
    view.tree()
        .resolve(scope_id)
        .ok()
        .and_then(|scopes| scopes.into_iter().next())
        .map_or_else(|| scope_id.to_owned(), |scope| scope.name)
}

/// Goals as lines of a report.
pub fn goal_lines(view: &View, catalogue: &Catalogue, goals: &[(Goal, Progress)]) -> Vec<GoalLine> {
    goals
        .iter()
        .map(|(goal, progress)| GoalLine {
            goal_id: goal.id.clone(),
            title: goal.title_zh.clone(),
            task: goal.task.title_zh().to_owned(),
            owner: goal.owner.clone(),
            metric: goal.metric.clone(),
            scope: scope_name(view, &progress.scope_id),
            unit: catalogue.get(&goal.metric).map_or("", |metric| metric.unit()).to_owned(),
            baseline: progress.baseline,
            value: progress.value,
            should_be: progress.should_be,
            target: progress.target,
            forecast: progress.forecast.map(|forecast| forecast.value),
            forecast_low: progress.forecast.map(|forecast| forecast.low),
            forecast_high: progress.forecast.map(|forecast| forecast.high),
            due: Some(progress.due),
            status: progress.status.name().to_owned(),
            note: progress.reason.clone().or_else(|| goal.note.clone()),
        })
        .collect()
}

/// Checks as lines of a report.
pub fn check_lines(outcomes: &[Outcome]) -> Vec<CheckLine> {
    outcomes
        .iter()
        .map(|outcome| CheckLine {
            check_id: outcome.check.id().to_owned(),
            title: outcome.check.title_zh().to_owned(),
            status: status_of(outcome).to_owned(),
            rows: outcome.failed.is_none().then_some(outcome.violations),
            note: outcome
                .failed
                .clone()
                .or_else(|| (!outcome.holds()).then(|| outcome.check.remedy().to_owned())),
        })
        .collect()
}

/// `passed`, `failed`, or `unknown` for a check that could not run.
pub fn status_of(outcome: &Outcome) -> &'static str {
    match (outcome.failed.is_some(), outcome.violations) {
        (true, _) => "unknown",
        (false, 0) => "passed",
        (false, _) => "failed",
    }
}

/// Where a number will stand on the due day.
#[derive(Debug, Serialize, ToSchema)]
pub struct ForecastOfGoal {
    value: f64,
    /// The lower end of the interval that holds it with a probability of 80 %.
    low: f64,
    /// The upper end.
    high: f64,
    #[schema(schema_with = schema::method)]
    method: &'static str,
}

/// How a goal stands in a scope.
#[derive(Debug, Serialize, ToSchema)]
pub struct StandingGoal {
    /// The id within the year.
    goal: String,
    #[schema(schema_with = schema::task)]
    task: &'static str,
    task_zh: &'static str,
    task_en: &'static str,
    title_zh: String,
    title_en: String,
    metric: String,
    /// The metric's chosen parameters.
    parameters: BTreeMap<String, String>,
    unit: String,
    scope: String,
    scope_name: String,
    #[schema(schema_with = schema::goal_kind)]
    kind: &'static str,
    #[schema(schema_with = schema::side)]
    side: &'static str,
    #[schema(schema_with = schema::measure)]
    measure: &'static str,
    /// The unit that answers for it.
    owner: String,
    /// The last day on which the target can be met.
    due: NaiveDate,
    /// The number of the year before.
    #[schema(required)]
    baseline: Option<f64>,
    /// The number today.
    #[schema(required)]
    value: Option<f64>,
    #[schema(required)]
    numerator: Option<f64>,
    #[schema(required)]
    denominator: Option<f64>,
    /// Where the number should be today.
    #[schema(required)]
    should_be: Option<f64>,
    #[schema(required)]
    target: Option<f64>,
    #[schema(schema_with = schema::path)]
    path: &'static str,
    #[schema(required)]
    forecast: Option<ForecastOfGoal>,
    #[schema(schema_with = schema::goal_status)]
    status: &'static str,
    /// Why the status is unknown, or what is missing.
    #[schema(required)]
    reason: Option<String>,
    /// Where the target comes from.
    source: String,
    #[schema(required)]
    note: Option<String>,
}

impl StandingGoal {
    /// Tells how goals stand.
    pub fn all(view: &View, catalogue: &Catalogue, goals: &[(Goal, Progress)]) -> Vec<Self> {
        goals.iter().map(|(goal, progress)| Self::of(view, catalogue, goal, progress)).collect()
    }

    fn of(view: &View, catalogue: &Catalogue, goal: &Goal, progress: &Progress) -> Self {
        let forecast = progress.forecast.map(|forecast| ForecastOfGoal {
            value: forecast.value,
            low: forecast.low,
            high: forecast.high,
            method: forecast.method.name(),
        });
        Self {
            goal: goal.id.clone(),
            task: goal.task.name(),
            task_zh: goal.task.title_zh(),
            task_en: goal.task.title_en(),
            title_zh: goal.title_zh.clone(),
            title_en: goal.title_en.clone(),
            metric: goal.metric.clone(),
            parameters: goal.parameters.clone(),
            unit: catalogue.get(&goal.metric).map_or("", |metric| metric.unit()).to_owned(),
            scope: progress.scope_id.clone(),
            scope_name: scope_name(view, &progress.scope_id),
            kind: goal.kind.name(),
            side: goal.side.name(),
            measure: goal.measure.name(),
            owner: goal.owner.clone(),
            due: progress.due,
            baseline: progress.baseline,
            value: progress.value,
            numerator: progress.numerator,
            denominator: progress.denominator,
            should_be: progress.should_be,
            target: progress.target,
            path: progress.path,
            forecast,
            status: progress.status.name(),
            reason: progress.reason.clone(),
            source: goal.source.clone(),
            note: goal.note.clone(),
        }
    }
}

/// How many violations a unit has.
#[derive(Debug, Serialize, ToSchema)]
pub struct ViolationsOfUnit {
    /// Null for those that belong to no unit.
    #[schema(required)]
    org: Option<String>,
    violations: u64,
}

/// What a check found.
#[derive(Debug, Serialize, ToSchema)]
pub struct CheckOutcome {
    check: String,
    title_zh: String,
    title_en: String,
    definition: String,
    source: String,
    #[schema(schema_with = schema::severity)]
    severity: &'static str,
    /// What to do about it.
    remedy: String,
    #[schema(schema_with = schema::check_status)]
    status: &'static str,
    violations: u64,
    /// Why the check could not run, or not wholly.
    #[schema(required)]
    failed: Option<String>,
    by_org: Vec<ViolationsOfUnit>,
    /// The first violations, with the columns that the check's query gives.
    #[schema(value_type = Vec<Object>)]
    rows: Value,
}

impl CheckOutcome {
    /// Tells an outcome.
    pub fn of(outcome: &Outcome) -> anyhow::Result<Self> {
        let check = &outcome.check;
        let by_org = outcome.by_org.iter().map(|(org, violations)| ViolationsOfUnit {
            org: org.clone(),
            violations: *violations,
        });
        Ok(Self {
            check: check.id().to_owned(),
            title_zh: check.title_zh().to_owned(),
            title_en: check.title_en().to_owned(),
            definition: check.definition().to_owned(),
            source: check.source().to_owned(),
            severity: check.severity().name(),
            remedy: check.remedy().to_owned(),
            status: status_of(outcome),
            violations: outcome.violations,
            failed: outcome.failed.clone(),
            by_org: by_org.collect(),
            rows: explained::rows_json(&outcome.rows).context("failed to tell a check's rows")?,
        })
    }
}
