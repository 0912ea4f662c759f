//! How numbers of a metric come about, as answers tell it.

use std::sync::Arc;

use anyhow::Context as _;
use arrow::array::{ArrayRef, Date32Array, Int64Array, RecordBatch, StringArray};
use pipeline::metric::{Coverage, Evidence, Metric, Sample};
use pipeline::query::View;
use pipeline::zone::days_of;
use serde_json::{Value, json};

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

/// A metric's numbers with definition, source, query, coverage and the rows behind them.
pub fn json(
    metric: &Metric,
    view: &View,
    samples: &[Sample],
    evidence: Option<&Evidence>,
    coverage: &[Coverage],
) -> anyhow::Result<Value> {
    let numbers: Vec<Value> = samples
        .iter()
        .map(|sample| {
            json!({
                "scope": sample.scope_id,
                "period_start": sample.period.start,
                "period_end": sample.period.end,
                "numerator": sample.numerator,
                "denominator": sample.denominator,
                "value": sample.value,
                "withheld": sample.is_withheld,
            })
        })
        .collect();
    let [(_, newest_event), (_, newest_landing)] = freshness(view);
    Ok(json!({
        "metric": metric.id(),
        "title_zh": metric.title_zh(),
        "title_en": metric.title_en(),
        "definition": metric.definition(),
        "source": metric.source(),
        "unit": metric.unit(),
        "direction": metric.direction().name(),
        "sql": metric.sql(),
        "numbers": numbers,
        "coverage": rows_json(&coverage_batch(coverage)?)?,
        "freshness": { "newest_event": newest_event, "newest_landing": newest_landing, "lake_version": view.version() },
        "rows_total": evidence.map(|evidence| evidence.total),
        "rows": evidence.map(|evidence| rows_json(&evidence.rows)).transpose()?,
    }))
}
