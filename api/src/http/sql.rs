//! SQL over HTTP, through the one door.

use std::sync::Arc;

use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use datafusion::scalar::ScalarValue;
use serde::Deserialize;
use serde_json::Value;

use crate::caller::Visitor;
use crate::http::problem::Problem;
use crate::http::rows::{Form, send};
use crate::output::{self, Format};
use crate::server::Server;
use crate::sql_door::{Parameters, Rows, Statement};

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
    Extension(visitor): Extension<Visitor>,
    headers: HeaderMap,
    posted: Result<Json<Posted>, JsonRejection>,
) -> Result<Response, Problem> {
    let Json(posted) = posted.map_err(|error| {
        Problem::bad_request(format!("send {{\"sql\": \"select …\"}}: {}", error.body_text()))
    })?;
    let form = Form::asked_for(&headers)?;
    let parameters = read_parameters(posted.parameters)?;
    let statement = Statement { sql: posted.sql, parameters, wall_time: None };
    let answer = server.door().open(&visitor, server.view(), statement).await?;
    send(answer, form)
}

/// The same query on the same state of the lake has the same tag, so that whoever has the answer is spared it.
pub(super) async fn get(
    State(server): State<Arc<Server>>,
    Extension(visitor): Extension<Visitor>,
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
    let statement = Statement { sql: asked.sql, parameters, wall_time: None };
    let answer = server.door().open(&visitor, view, statement).await?;
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

/// The rows as JSON objects.
pub(super) fn json_rows(rows: &Rows) -> Result<Value, Problem> {
    let mut text = Vec::new();
    output::write_batches(&mut text, &rows.batches, Format::Json)
        .map_err(|error| Problem::internal(&error))?;
    serde_json::from_slice(&text).map_err(|error| Problem::internal(&error))
}
