//! SQL over HTTP, through the one door.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Query, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::http::problem::Problem;
use crate::output::{self, Format};
use crate::server::Server;
use crate::sql_door::{self, Limits, Rows};

/// A query.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Statement {
    sql: String,
}

pub(super) async fn post(
    State(server): State<Arc<Server>>,
    headers: HeaderMap,
    statement: Result<Json<Statement>, JsonRejection>,
) -> Result<Response, Problem> {
    let Json(statement) = statement.map_err(|error| {
        Problem::bad_request(format!("send {{\"sql\": \"select …\"}}: {}", error.body_text()))
    })?;
    answer(&server, &headers, &statement).await
}

pub(super) async fn get(
    State(server): State<Arc<Server>>,
    headers: HeaderMap,
    statement: Result<Query<Statement>, QueryRejection>,
) -> Result<Response, Problem> {
    let Query(statement) = statement.map_err(|error| {
        Problem::bad_request(format!("send ?sql=select …: {}", error.body_text()))
    })?;
    answer(&server, &headers, &statement).await
}

async fn answer(
    server: &Server,
    headers: &HeaderMap,
    statement: &Statement,
) -> Result<Response, Problem> {
    let rows = sql_door::run(&server.view(), &statement.sql, Limits::default()).await?;
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    if accept.is_some_and(|accept| accept.contains("text/csv")) {
        let mut text = Vec::new();
        let empty = arrow::array::RecordBatch::new_empty(Arc::clone(&rows.schema));
        let batches = if rows.batches.is_empty() { vec![empty] } else { rows.batches };
        output::write_batches(&mut text, &batches, Format::Csv)
            .map_err(|error| Problem::internal(&error))?;
        return Ok(([(header::CONTENT_TYPE, "text/csv; charset=utf-8")], text).into_response());
    }
    let columns: Vec<_> = rows.schema.fields().iter().map(|field| field.name().clone()).collect();
    Ok(Json(json!({ "columns": columns, "rows": json_rows(&rows)? })).into_response())
}

/// The rows as JSON objects.
pub(super) fn json_rows(rows: &Rows) -> Result<Value, Problem> {
    let mut text = Vec::new();
    output::write_batches(&mut text, &rows.batches, Format::Json)
        .map_err(|error| Problem::internal(&error))?;
    serde_json::from_slice(&text).map_err(|error| Problem::internal(&error))
}
