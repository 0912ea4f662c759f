//! The headers of CSV files that had refused rows: without them a row cannot be read again.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit, TimestampMicrosecondType};
use chrono::{DateTime, Utc};
use serde_json::json;

use crate::error::{Error, Result};
use crate::lake::{Lake, Table, WriteLock};
use crate::location::Location;

const NAME: &str = "reject_headers";

/// Where a refused row stood: its file, and when it was kept (microseconds UTC).
pub type Place = (String, i64);

fn schema() -> SchemaRef {
    let text = |name: &str| Field::new(name, DataType::Utf8, true);
    let instant = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    Arc::new(Schema::new(vec![
        text("source"),
        text("file"),
        Field::new("landed_at", instant, true),
        text("header"),
    ]))
}

fn location(lake: &Lake) -> Location {
    lake.location().join(&format!("reference/{NAME}"))
}

/// Keeps the headers of files that have refused rows of this moment.
pub(super) async fn keep(
    lake: &Lake,
    _lock: &WriteLock,
    source: &str,
    headers: &[(String, Arc<Vec<String>>)],
    now: DateTime<Utc>,
) -> Result<()> {
    if headers.is_empty() {
        return Ok(());
    }
    let files: Vec<&str> = headers.iter().map(|(file, _)| file.as_str()).collect();
    let lines =
        headers.iter().map(|(_, header)| csv_line(header)).collect::<Result<Vec<String>>>()?;
    let instants = vec![now.timestamp_micros(); headers.len()];
    let columns: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from(vec![source; headers.len()])),
        Arc::new(StringArray::from(files)),
        Arc::new(TimestampMicrosecondArray::from(instants).with_timezone("UTC")),
        Arc::new(StringArray::from(lines)),
    ];
    let batch = RecordBatch::try_new(schema(), columns).map_err(Error::internal)?;
    let mut table = Table::open_or_create(&location(lake), NAME, schema(), None, &[]).await?;
    let statistics = json!({ "numRecords": headers.len() });
    let add = table.write_file(None, &[batch], statistics).await?;
    table.commit(vec![add], Vec::new(), Vec::new(), json!({ "headers": headers.len() })).await?;
    Ok(())
}

/// The headers, as a line of CSV, of a source's CSV files that had refused rows. Other files have none.
pub async fn headers_of(lake: &Lake, source: &str) -> Result<HashMap<Place, String>> {
    let mut headers = HashMap::new();
    let Some(table) = Table::open(&location(lake), NAME).await? else { return Ok(headers) };
    for file in table.files()? {
        for batch in table.read(&file, None).await? {
            let text = |column: usize| batch.column(column).as_string::<i32>();
            let instants = batch.column(2).as_primitive::<TimestampMicrosecondType>();
            for row in 0..batch.num_rows() {
                if text(0).value(row) == source {
                    let place = (text(1).value(row).to_owned(), instants.value(row));
                    headers.insert(place, text(3).value(row).to_owned());
                }
            }
        }
    }
    Ok(headers)
}

fn csv_line(header: &[String]) -> Result<String> {
    let mut writer = csv::WriterBuilder::new().from_writer(Vec::new());
    writer.write_record(header).map_err(Error::internal)?;
    let line = writer.into_inner().map_err(Error::internal)?;
    String::from_utf8(line).map(|line| line.trim_end().to_owned()).map_err(Error::internal)
}

/// The names in a header that was kept.
pub(super) fn names(line: &str) -> Vec<String> {
    let mut reader =
        csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(line.as_bytes());
    let mut record = csv::StringRecord::new();
    // It was written by `csv_line`.
    let is_read = reader.read_record(&mut record).unwrap_or(false);
    if is_read { record.iter().map(str::to_owned).collect() } else { Vec::new() }
}
