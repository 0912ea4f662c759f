//! Rows on their way out, in the form that was asked for: written as they come, never kept whole.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{Array, ArrayRef, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::json::writer::{JsonArray, LineDelimited};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use axum::body::Body;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use futures::{StreamExt as _, stream};
use parquet::arrow::ArrowWriter;
use parquet::errors::ParquetError;

use crate::http::problem::Problem;
use crate::sql_door::Answer;

/// How rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Json,
    Lines,
    Csv,
    Arrow,
    Parquet,
}

impl Form {
    pub(super) const ALL: [Self; 5] =
        [Self::Json, Self::Lines, Self::Csv, Self::Arrow, Self::Parquet];

    /// Its name in headers.
    pub(super) fn media_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Lines => "application/x-ndjson",
            Self::Csv => "text/csv; charset=utf-8",
            Self::Arrow => "application/vnd.apache.arrow.stream",
            Self::Parquet => "application/vnd.apache.parquet",
        }
    }

    fn is_named(self, name: &str) -> bool {
        self.media_type().split(';').next() == Some(name)
    }

    /// The first form of the Accept header that there is; JSON for whoever takes anything.
    pub(super) fn asked_for(headers: &HeaderMap) -> Result<Self, Problem> {
        let Some(accept) = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()) else {
            return Ok(Self::Json);
        };
        let names = accept.split(',').map(|one| one.split(';').next().unwrap_or(one).trim());
        for name in names {
            if let Some(form) = Self::ALL.into_iter().find(|form| form.is_named(name)) {
                return Ok(form);
            }
            if ["*/*", "application/*", "text/html"].contains(&name) {
                return Ok(Self::Json);
            }
        }
        let names: Vec<_> = Self::ALL.iter().map(|form| form.media_type()).collect();
        Err(Problem::not_acceptable(format!("rows come as {}", names.join(", "))))
    }
}

/// Answers with the rows of a query as they come.
pub(super) fn send(answer: Answer, form: Form) -> Result<Response, Problem> {
    let writer = Writer::new(form, &answer.schema).map_err(|error| Problem::internal(&error))?;
    let body = stream::unfold(Some((answer, writer)), |sending| async move {
        let (mut answer, mut writer) = sending?;
        let written = match answer.next().await {
            Some(Ok(batch)) => writer.write(&batch).map(|()| (writer.take(), Some(writer))),
            // The status has been sent: a body that breaks off is all that can still be said.
            Some(Err(refused)) => Err(io::Error::other(refused)),
            None => writer.end().map(|last| (last, None)),
        };
        Some(match written {
            Ok((bytes, writer)) => (Ok(bytes), writer.map(|writer| (answer, writer))),
            Err(error) => {
                tracing::warn!(%error, "an answer to a query breaks off");
                (Err(error), None)
            }
        })
    });
    // Whoever packs the body asks once more than there is.
    let body = body.fuse();
    let headers = [
        (header::CONTENT_TYPE, form.media_type()),
        (header::CACHE_CONTROL, "private, no-cache"),
        (header::VARY, "accept"),
    ];
    Ok((headers, Body::from_stream(body)).into_response())
}

/// What a writer has written and nobody has taken yet.
#[derive(Debug, Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl Written {
    fn take(&self) -> Vec<u8> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl io::Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes batches in one form.
struct Writer {
    written: Written,
    inner: Inner,
}

enum Inner {
    Json(arrow::json::Writer<Written, JsonArray>),
    Lines(arrow::json::Writer<Written, LineDelimited>),
    Csv(arrow::csv::Writer<Written>),
    Arrow(arrow::ipc::writer::StreamWriter<Written>),
    Parquet(ArrowWriter<Written>),
}

impl Writer {
    fn new(form: Form, schema: &SchemaRef) -> anyhow::Result<Self> {
        let mut written = Written::default();
        let json = arrow::json::WriterBuilder::new().with_explicit_nulls(true);
        let out = written.clone();
        let inner = match form {
            Form::Json => {
                let columns: Vec<_> = schema.fields().iter().map(|field| field.name()).collect();
                let columns = serde_json::to_string(&columns)?;
                io::Write::write_all(
                    &mut written,
                    format!("{{\"columns\":{columns},\"rows\":").as_bytes(),
                )?;
                Inner::Json(json.build(out))
            }
            Form::Lines => Inner::Lines(json.build(out)),
            Form::Csv => {
                let mut writer = arrow::csv::WriterBuilder::new().with_header(true).build(out);
                // Without rows there is a header all the same.
                writer.write(&flat(&RecordBatch::new_empty(Arc::clone(schema)))?)?;
                Inner::Csv(writer)
            }
            Form::Arrow => Inner::Arrow(arrow::ipc::writer::StreamWriter::try_new(out, schema)?),
            Form::Parquet => Inner::Parquet(ArrowWriter::try_new(out, Arc::clone(schema), None)?),
        };
        Ok(Self { written, inner })
    }

    fn write(&mut self, batch: &RecordBatch) -> io::Result<()> {
        match &mut self.inner {
            Inner::Json(writer) => writer.write(batch).map_err(of_arrow),
            Inner::Lines(writer) => writer.write(batch).map_err(of_arrow),
            Inner::Csv(writer) => {
                flat(batch).and_then(|batch| writer.write(&batch)).map_err(of_arrow)
            }
            Inner::Arrow(writer) => writer.write(batch).map_err(of_arrow),
            Inner::Parquet(writer) => writer.write(batch).map_err(of_parquet),
        }
    }

    fn take(&self) -> Vec<u8> {
        self.written.take()
    }

    fn end(mut self) -> io::Result<Vec<u8>> {
        match &mut self.inner {
            Inner::Json(writer) => {
                writer.finish().map_err(of_arrow)?;
                io::Write::write_all(&mut self.written, b"}\n")?;
            }
            Inner::Lines(writer) => writer.finish().map_err(of_arrow)?,
            Inner::Csv(_) => {}
            Inner::Arrow(writer) => writer.finish().map_err(of_arrow)?,
            Inner::Parquet(writer) => {
                writer.finish().map_err(of_parquet)?;
            }
        }
        Ok(self.written.take())
    }
}

fn of_arrow(error: ArrowError) -> io::Error {
    io::Error::other(error)
}

fn of_parquet(error: ParquetError) -> io::Error {
    io::Error::other(error)
}

/// Lists and structs as texts, which is all that a CSV can hold.
fn flat(batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    if !batch.schema().fields().iter().any(|field| field.data_type().is_nested()) {
        return Ok(batch.clone());
    }
    let options = FormatOptions::default();
    let mut fields = Vec::new();
    let mut columns: Vec<ArrayRef> = Vec::new();
    for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
        if !field.data_type().is_nested() {
            fields.push(Arc::clone(field));
            columns.push(Arc::clone(column));
            continue;
        }
        let formatter = ArrayFormatter::try_new(column, &options)?;
        let texts: StringArray = (0..column.len())
            .map(|row| column.is_valid(row).then(|| formatter.value(row).to_string()))
            .collect();
        fields.push(Arc::new(Field::new(field.name(), DataType::Utf8, true)));
        columns.push(Arc::new(texts));
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)
}
