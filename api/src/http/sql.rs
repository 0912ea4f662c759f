//! SQL over HTTP, through the one door.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use datafusion::scalar::ScalarValue;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, OneOfBuilder, SchemaType, Type};
use utoipa::openapi::{
    ContentBuilder, Header, HeaderBuilder, RefOr, Required, Response as Described, ResponseBuilder,
    Schema,
};
use utoipa::{IntoResponses, PartialSchema as _, ToSchema};

use crate::caller::Visitor;
use crate::http::problem::Problem;
use crate::http::query::Query;
use crate::http::rows::{Form, send};
use crate::output::{self, Format};
use crate::server::Server;
use crate::sql_door::{Parameters, Rows, Statement};

/// A query as a body.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Posted {
    /// One query, in the dialect of PostgreSQL as far as DataFusion knows it.
    #[schema(example = "select $1 as answer")]
    sql: String,
    #[serde(default)]
    #[schema(schema_with = parameters_schema)]
    parameters: Value,
}

/// A query in an address; parameters are JSON text.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    sql: String,
    parameters: Option<String>,
}

impl utoipa::IntoParams for Asked {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let asked = |name: &str, about: &str| {
            let parameter = ParameterBuilder::new().name(name).parameter_in(ParameterIn::Query);
            parameter.description(Some(about))
        };
        let sql =
            asked("sql", "One query, in the dialect of PostgreSQL as far as DataFusion knows it.");
        let parameters =
            asked("parameters", "What stands for $1, $2 … or for $name, as JSON text.");
        let json = ContentBuilder::new().schema(Some(parameters_schema()));
        vec![
            sql.required(Required::True)
                .schema(Some(String::schema()))
                .example(Some(json!("select $1 as answer")))
                .build(),
            parameters.required(Required::False).content("application/json", json.build()).build(),
        ]
    }
}

/// A list for $1, $2 …, or an object for $name.
fn parameters_schema() -> RefOr<Schema> {
    let scalar = || {
        let types = [Type::String, Type::Number, Type::Boolean, Type::Null];
        ObjectBuilder::new().schema_type(SchemaType::from_iter(types)).build()
    };
    OneOfBuilder::new()
        .item(ArrayBuilder::new().items(scalar()))
        .item(
            ObjectBuilder::new()
                .schema_type(Type::Object)
                .additional_properties(Some(Schema::from(scalar()))),
        )
        .item(ObjectBuilder::new().schema_type(Type::Null))
        .examples([json!([42])])
        .into()
}

/// Rows as JSON.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "rows are written as they come; this says how the whole looks")]
pub(super) struct RowsAsJson {
    /// The names of the columns, in their order.
    columns: Vec<String>,
    /// Each row by the names of its columns.
    #[schema(value_type = Vec<Object>)]
    rows: Vec<Value>,
}

/// How the rows of a query are sent, and why they may not be.
#[derive(Debug)]
pub(super) struct RowsOrNot;

impl IntoResponses for RowsOrNot {
    fn responses() -> BTreeMap<String, RefOr<Described>> {
        let text = |about: &str| {
            let text = ObjectBuilder::new().schema_type(Type::String).description(Some(about));
            ContentBuilder::new().schema(Some(text)).build()
        };
        let bytes = |kind: &str| {
            let bytes = ObjectBuilder::new().schema_type(SchemaType::AnyValue);
            ContentBuilder::new().schema(Some(bytes.content_media_type(kind))).build()
        };
        let mut rows = ResponseBuilder::new()
            .description("The rows. The connection breaks off with a result that does.")
            .header("ETag", tag());
        for form in Form::ALL {
            let kind = form.media_type().split(';').next().unwrap_or_default();
            let content = match form {
                Form::Json => ContentBuilder::new().schema(Some(RowsAsJson::schema())).build(),
                Form::Lines => text("A JSON object a line."),
                Form::Csv => text("Comma-separated values with a header."),
                Form::Arrow | Form::Parquet => bytes(kind),
            };
            rows = rows.content(kind, content);
        }
        let refused = [
            ("406", "None of the accepted media types is one that rows come in."),
            ("413", "The result is larger than the role may have."),
            ("422", "The query needs more memory than the role may use, or fails on its rows."),
            ("503", "Too many queries run and wait; come back later."),
            ("504", "The query takes longer than the role may let it."),
        ];
        let refused = refused.into_iter().map(|(status, about)| {
            (status.to_owned(), ResponseBuilder::new().description(about).build().into())
        });
        refused.chain([("200".to_owned(), rows.build().into())]).collect()
    }
}

/// The header that a query in the address is answered with when its answer stays the same.
fn tag() -> Header {
    let about = "Stays the same as long as the answer does; only for a query in the address.";
    HeaderBuilder::new().schema(Some(String::schema())).description(Some(about)).build()
}

/// Answers a query, read-only.
///
/// Rows come in the form of the first media type in `Accept` that there is, JSON unless another is asked for.
#[utoipa::path(
    post,
    path = "/api/v1/sql",
    operation_id = "sql_post",
    tag = "sql",
    request_body(content = Posted, description = "The query."),
    responses(
        RowsOrNot,
        (status = 413, description = "The result is larger than the role may have, or the body than 4 MiB."),
        (status = 415, description = "The body is not said to be JSON."),
    )
)]
pub(super) async fn post(
    State(server): State<Arc<Server>>,
    Extension(visitor): Extension<Visitor>,
    headers: HeaderMap,
    posted: Result<Json<Posted>, JsonRejection>,
) -> Result<Response, Problem> {
    let Json(posted) = posted.map_err(|rejection| {
        Problem::from(rejection).with_advice("send {\"sql\": \"select …\"}")
    })?;
    let form = Form::asked_for(&headers)?;
    let parameters = read_parameters(posted.parameters)?;
    let statement = Statement { sql: posted.sql, parameters, wall_time: None };
    let answer = server.door().open(&visitor, server.view(), statement).await?;
    send(answer, form)
}

/// Answers a query in the address, read-only.
///
/// The same query on the same state of the lake has the same `ETag`: whoever has the answer is spared it.
#[utoipa::path(
    get,
    path = "/api/v1/sql",
    operation_id = "sql_get",
    tag = "sql",
    params(
        Asked,
        ("If-None-Match" = Option<String>, Header, description = "The tag of the answer that one has."),
    ),
    responses(RowsOrNot, (status = 304, description = "The answer is the one that one has."))
)]
pub(super) async fn get(
    State(server): State<Arc<Server>>,
    Extension(visitor): Extension<Visitor>,
    headers: HeaderMap,
    Query(asked): Query<Asked>,
) -> Result<Response, Problem> {
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
