//! SQL over HTTP, through the one door: rows go out as they come, in the form that was asked for.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::json::writer::{JsonArray, LineDelimited};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use axum::Json;
use axum::body::Body;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use datafusion::scalar::ScalarValue;
use futures::stream;
use parquet::arrow::ArrowWriter;
use parquet::errors::ParquetError;
use serde::Deserialize;
use serde_json::Value;

use crate::http::problem::Problem;
use crate::output::{self, Format};
use crate::server::Server;
use crate::sql_door::{Answer, Parameters, Rows, Statement};

/// A query as a body.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Posted {
    sql: String,
    #[serde(default)]
    parameters: Value,
}

/// A query in an address; parameters are JSON text.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    sql: String,
    parameters: Option<String>,
}

pub(super) async fn post(
    State(server): State<Arc<Server>>,
    headers: HeaderMap,
    posted: Result<Json<Posted>, JsonRejection>,
) -> Result<Response, Problem> {
    let Json(posted) = posted.map_err(|error| {
        Problem::bad_request(format!("send {{\"sql\": \"select …\"}}: {}", error.body_text()))
    })?;
    let form = Form::asked_for(&headers)?;
    let parameters = read_parameters(posted.parameters)?;
    let statement = Statement { sql: posted.sql, parameters };
    let answer = server.door().open(server.view(), statement).await?;
    send(answer, form)
}

/// The same query on the same state of the lake has the same tag, so that whoever has the answer is spared it.
pub(super) async fn get(
    State(server): State<Arc<Server>>,
    headers: HeaderMap,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Result<Response, Problem> {
    let Query(asked) = asked.map_err(|error| {
        Problem::bad_request(format!("send ?sql=select …: {}", error.body_text()))
    })?;
    let form = Form::asked_for(&headers)?;
    let view = server.view();
    let tag = tag_of(&asked, form, view.fingerprint());
    // Only an answer that stays the same was ever given a tag.
    let known = headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    if known.is_some_and(|known| known.split(',').any(|one| one.trim() == tag)) {
        return Ok((StatusCode::NOT_MODIFIED, [(header::ETAG, tag)]).into_response());
    }
    let parameters = match asked.parameters.as_deref().map(serde_json::from_str) {
        None => Parameters::None,
        Some(Ok(values)) => read_parameters(values)?,
        Some(Err(error)) => {
            return Err(Problem::bad_request(format!("parameters are JSON text: {error}")));
        }
    };
    let statement = Statement { sql: asked.sql, parameters };
    let answer = server.door().open(view, statement).await?;
    let tag = answer.is_stable.then_some(tag);
    let mut response = send(answer, form)?;
    let tag = tag.and_then(|tag| HeaderValue::from_str(&tag).ok());
    if let Some(tag) = tag {
        response.headers_mut().insert(header::ETAG, tag);
    }
    Ok(response)
}

fn tag_of(asked: &Asked, form: Form, fingerprint: &str) -> String {
    let mut hasher = blake3::Hasher::new();
    for part in [&asked.sql, asked.parameters.as_deref().unwrap_or(""), form.media_type()] {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    format!("W/\"{fingerprint}-{}\"", &hasher.finalize().to_hex()[..16])
}

fn read_parameters(values: Value) -> Result<Parameters, Problem> {
    let scalar = |value: Value| -> Result<ScalarValue, Problem> {
        match value {
            Value::Null => Ok(ScalarValue::Null),
            Value::Bool(value) => Ok(ScalarValue::from(value)),
            Value::String(value) => Ok(ScalarValue::from(value)),
            Value::Number(number) => match number.as_i64() {
                Some(whole) => Ok(ScalarValue::from(whole)),
                None => Ok(ScalarValue::Float64(number.as_f64())),
            },
            Value::Array(_) | Value::Object(_) => {
                Err(Problem::bad_request("a parameter is a text, a number, true, false or null"))
            }
        }
    };
    match values {
        Value::Null => Ok(Parameters::None),
        Value::Array(values) => {
            Ok(Parameters::ByPosition(values.into_iter().map(scalar).collect::<Result<_, _>>()?))
        }
        Value::Object(values) => {
            let named = values.into_iter().map(|(name, value)| Ok((name, scalar(value)?)));
            Ok(Parameters::ByName(named.collect::<Result<_, Problem>>()?))
        }
        _ => {
            Err(Problem::bad_request("parameters are a list for $1, $2 …, or an object for $name"))
        }
    }
}

/// How rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Json,
    Lines,
    Csv,
    Arrow,
    Parquet,
}

impl Form {
    const ALL: [Self; 5] = [Self::Json, Self::Lines, Self::Csv, Self::Arrow, Self::Parquet];

    fn media_type(self) -> &'static str {
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
    fn asked_for(headers: &HeaderMap) -> Result<Self, Problem> {
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

fn send(answer: Answer, form: Form) -> Result<Response, Problem> {
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
    Csv { writer: arrow::csv::Writer<Written>, schema: SchemaRef, has_header: bool },
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
            Form::Csv => Inner::Csv {
                writer: arrow::csv::WriterBuilder::new().with_header(true).build(out),
                schema: Arc::clone(schema),
                has_header: false,
            },
            Form::Arrow => Inner::Arrow(arrow::ipc::writer::StreamWriter::try_new(out, schema)?),
            Form::Parquet => Inner::Parquet(ArrowWriter::try_new(out, Arc::clone(schema), None)?),
        };
        Ok(Self { written, inner })
    }

    fn write(&mut self, batch: &RecordBatch) -> io::Result<()> {
        match &mut self.inner {
            Inner::Json(writer) => writer.write(batch).map_err(of_arrow),
            Inner::Lines(writer) => writer.write(batch).map_err(of_arrow),
            Inner::Csv { writer, has_header, .. } => {
                *has_header = true;
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
            Inner::Csv { writer, schema, has_header } => {
                if !*has_header {
                    let empty = RecordBatch::new_empty(Arc::clone(schema));
                    flat(&empty).and_then(|empty| writer.write(&empty)).map_err(of_arrow)?;
                }
            }
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

/// The rows as JSON objects.
pub(super) fn json_rows(rows: &Rows) -> Result<Value, Problem> {
    let mut text = Vec::new();
    output::write_batches(&mut text, &rows.batches, Format::Json)
        .map_err(|error| Problem::internal(&error))?;
    serde_json::from_slice(&text).map_err(|error| Problem::internal(&error))
}
