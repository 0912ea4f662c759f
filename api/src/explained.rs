//! How numbers of a metric come about, as answers tell it.

use std::sync::Arc;

use anyhow::Context as _;
use arrow::array::{ArrayRef, Date32Array, Int64Array, RecordBatch, StringArray};
use chrono::NaiveDate;
use pipeline::metric::{Coverage, Evidence, Metric, Sample};
use pipeline::query::View;
use pipeline::zone::days_of;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::schema;

/// When the newest event happened and the newest line landed.
pub fn freshness(view: &View) -> [(&'static str, Option<String>); 2] {
    let facts = view.facts();
    [
        ("newest event", facts.last_event_at.map(|instant| instant.to_rfc3339())),
        ("newest landing", facts.last_landed_at.map(|instant| instant.to_rfc3339())),
    ]
}

/// The coverage of scopes as a table.
pub fn coverage_batch(coverage: &[Coverage]) -> anyhow::Result<RecordBatch> {
    let number = |pick: &dyn Fn(&Coverage) -> Option<u64>| -> ArrayRef {
        let numbers = coverage.iter().map(|scope| pick(scope).map(u64::cast_signed));
        Arc::new(numbers.collect::<Int64Array>())
    };
    let scopes: StringArray = coverage.iter().map(|scope| Some(scope.scope_id.as_str())).collect();
    let last: Date32Array =
        coverage.iter().map(|scope| scope.last_event_date.map(days_of)).collect();
    RecordBatch::try_from_iter_with_nullable([
        ("scope", Arc::new(scopes) as ArrayRef, false),
        ("units", number(&|scope| Some(scope.units)), true),
        ("units_with_events", number(&|scope| Some(scope.units_with_events)), true),
        ("working_days", number(&|scope| scope.working_days), true),
        ("working_days_with_events", number(&|scope| Some(scope.working_days_with_events)), true),
        ("events", number(&|scope| Some(scope.events)), true),
        ("last_event_date", Arc::new(last) as ArrayRef, true),
    ])
    .context("failed to build the coverage")
}

/// Rows of a result as JSON objects.
pub fn rows_json(rows: &RecordBatch) -> anyhow::Result<Value> {
    let mut writer = arrow::json::ArrayWriter::new(Vec::new());
    writer.write(rows).context("failed to write the rows")?;
    writer.finish().context("failed to write the rows")?;
    let text = writer.into_inner();
    if text.is_empty() {
        return Ok(json!([]));
    }
    serde_json::from_slice(&text).context("failed to read the rows back")
}

/// A number of a metric.
#[derive(Debug, Serialize, ToSchema)]
pub struct Number {
    scope: String,
    period_start: NaiveDate,
    /// The day after the period.
    period_end: NaiveDate,
    #[schema(required)]
    numerator: Option<f64>,
    #[schema(required)]
    denominator: Option<f64>,
    #[schema(required)]
    value: Option<f64>,
    /// Whether the numbers are hidden, because they are about too few persons.
    withheld: bool,
}

/// How much of a scope the events cover.
#[derive(Debug, Serialize, ToSchema)]
pub struct CoverageOfScope {
    scope: String,
    units: u64,
    units_with_events: u64,
    /// Up to today; null where the calendar ends.
    #[schema(required)]
    working_days: Option<u64>,
    working_days_with_events: u64,
    events: u64,
    #[schema(required)]
    last_event_date: Option<NaiveDate>,
}

/// How new the events are.
#[derive(Debug, Serialize, ToSchema)]
pub struct Freshness {
    #[schema(required, format = DateTime)]
    newest_event: Option<String>,
    #[schema(required, format = DateTime)]
    newest_landing: Option<String>,
    lake_version: u64,
}

/// A metric's numbers with definition, source, query, coverage and the rows behind them.
#[derive(Debug, Serialize, ToSchema)]
pub struct Explanation {
    metric: String,
    title_zh: String,
    title_en: String,
    /// What is counted, in sentences.
    definition: String,
    /// The law and article, the document, or "defined here".
    source: String,
    unit: String,
    /// Which way is better.
    #[schema(schema_with = schema::direction)]
    direction: &'static str,
    sql: String,
    numbers: Vec<Number>,
    coverage: Vec<CoverageOfScope>,
    freshness: Freshness,
    /// How many rows there are behind the numbers; null for a metric that has none to show.
    #[schema(required)]
    rows_total: Option<u64>,
    /// The first of them, with the columns that the metric's query gives.
    #[schema(required, value_type = Option<Vec<Object>>)]
    rows: Option<Value>,
}

impl Explanation {
    /// Tells it.
    pub fn of(
        metric: &Metric,
        view: &View,
        samples: &[Sample],
        evidence: Option<&Evidence>,
        coverage: &[Coverage],
    ) -> anyhow::Result<Self> {
        let [(_, newest_event), (_, newest_landing)] = freshness(view);
        let rows = evidence.map(|evidence| rows_json(&evidence.rows)).transpose()?;
        Ok(Self {
            metric: metric.id().to_owned(),
            title_zh: metric.title_zh().to_owned(),
            title_en: metric.title_en().to_owned(),
            definition: metric.definition().to_owned(),
            source: metric.source().to_owned(),
            unit: metric.unit().to_owned(),
            direction: metric.direction().name(),
            sql: metric.sql().to_owned(),
            numbers: samples.iter().map(Number::of).collect(),
            coverage: coverage.iter().map(CoverageOfScope::of).collect(),
            freshness: Freshness { newest_event, newest_landing, lake_version: view.version() },
            rows_total: evidence.map(|evidence| evidence.total),
            rows,
        })
    }
}

impl Number {
    fn of(sample: &Sample) -> Self {
        Self {
            scope: sample.scope_id.clone(),
            period_start: sample.period.start,
            period_end: sample.period.end,
            numerator: sample.numerator,
            denominator: sample.denominator,
            value: sample.value,
            withheld: sample.is_withheld,
        }
    }
}

impl CoverageOfScope {
    fn of(coverage: &Coverage) -> Self {
        Self {
            scope: coverage.scope_id.clone(),
            units: coverage.units,
            units_with_events: coverage.units_with_events,
            working_days: coverage.working_days,
            working_days_with_events: coverage.working_days_with_events,
            events: coverage.events,
            last_event_date: coverage.last_event_date,
        }
    }
}
