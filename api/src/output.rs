//! Results as text: a table for people, CSV and JSON for programs.

use std::io::Write;

use anyhow::Context as _;
use arrow::array::{ArrayRef, Date32Array, Float64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use arrow::util::pretty::pretty_format_batches;
use pipeline::metric::{Metric, Sample};
use pipeline::zone::days_of;
use std::sync::Arc;

/// How a result is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// A table with lines.
    Table,
    /// Comma-separated values with a header.
    Csv,
    /// A JSON array of objects.
    Json,
}

/// Writes batches of one result.
pub fn write_batches(
    out: &mut dyn Write,
    batches: &[RecordBatch],
    format: Format,
) -> anyhow::Result<()> {
    match format {
        Format::Table => {
            let table = pretty_format_batches(batches).context("failed to format the table")?;
            writeln!(out, "{table}")?;
        }
        Format::Csv => {
            let mut writer = arrow::csv::WriterBuilder::new().with_header(true).build(&mut *out);
            for batch in batches {
                writer.write(batch).context("failed to write CSV")?;
            }
        }
        Format::Json => {
            let mut writer = arrow::json::ArrayWriter::new(&mut *out);
            for batch in batches {
                writer.write(batch).context("failed to write JSON")?;
            }
            writer.finish().context("failed to write JSON")?;
            writeln!(out)?;
        }
    }
    Ok(())
}

/// The samples of a metric as the columns of `lawpulse metric`: metric, scope, period_start,
/// period_end, numerator, denominator, value.
pub fn sample_batch(metric: &Metric, samples: &[Sample]) -> anyhow::Result<RecordBatch> {
    let texts = |texts: Vec<&str>| -> ArrayRef { Arc::new(StringArray::from(texts)) };
    let dates = |dates: Vec<i32>| -> ArrayRef { Arc::new(Date32Array::from(dates)) };
    let numbers = |numbers: Vec<Option<f64>>| -> ArrayRef { Arc::new(Float64Array::from(numbers)) };
    let columns = vec![
        ("metric", texts(samples.iter().map(|_| metric.id()).collect())),
        ("scope", texts(samples.iter().map(|sample| sample.scope_id.as_str()).collect())),
        (
            "period_start",
            dates(samples.iter().map(|sample| days_of(sample.period.start)).collect()),
        ),
        ("period_end", dates(samples.iter().map(|sample| days_of(sample.period.end)).collect())),
        ("numerator", numbers(samples.iter().map(|sample| sample.numerator).collect())),
        ("denominator", numbers(samples.iter().map(|sample| sample.denominator).collect())),
        ("value", numbers(samples.iter().map(|sample| sample.value).collect())),
    ];
    let field = |(name, column): &(&str, ArrayRef)| {
        Field::new(*name, column.data_type().clone(), column.data_type() == &DataType::Float64)
    };
    let schema = Schema::new(columns.iter().map(field).collect::<Vec<_>>());
    let columns = columns.into_iter().map(|(_, column)| column).collect();
    RecordBatch::try_new(Arc::new(schema), columns).context("failed to build the result")
}
