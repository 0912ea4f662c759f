//! Pushed events and refused lines.

use std::collections::HashMap;
use std::io::Read;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, QueryRejection};
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::{Extension, Json};
use pipeline::source::mapping::Mapping;
use pipeline::source::{self, Judged};
use serde_json::{Value, json};

use crate::caller::Visitor;
use crate::clock::Clock;
use crate::http::BODY_BYTES_MAX;
use crate::http::problem::Problem;
use crate::http::sql::json_rows;
use crate::server::Server;

/// Takes an NDJSON body: judged, on disk, and only then acknowledged. Refused lines are kept too.
pub(super) async fn push(
    State(server): State<Arc<Server>>,
    query: Result<Query<HashMap<String, String>>, QueryRejection>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Value>, Problem> {
    let Query(query) = query?;
    let body = body.map_err(|error| match error.status() {
        StatusCode::PAYLOAD_TOO_LARGE => {
            Problem::too_large("the body is too large; send it in parts")
        }
        _ => Problem::bad_request(error.body_text()),
    })?;
    let source = query.get("source").map_or("native", String::as_str);
    let well_named = source.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_');
    if !well_named || source.is_empty() {
        return Err(Problem::bad_request("`source` is the name of a mapping in sql/sources"));
    }
    let mapping = Mapping::find(&server.definitions(), source)?;
    let encoding = headers.get(header::CONTENT_ENCODING).and_then(|value| value.to_str().ok());
    let body = decode(&body, encoding)?;
    let view = server.view();
    let zone = view.zone();
    let known_orgs = view.org_ids();
    let worker = Arc::clone(&server);
    let name = source.to_owned();
    let judged = tokio::task::spawn_blocking(move || -> Result<Judged, Problem> {
        let judged = source::judge_ndjson(&mapping, zone, known_orgs, Clock::Machine.now(), &body);
        worker.inbox().put(&name, &body).map_err(|error| Problem::internal(&error))?;
        Ok(judged)
    })
    .await
    .map_err(|error| Problem::internal(&error))??;
    let rejected: Vec<_> = judged
        .rejects
        .iter()
        .map(|reject| {
            json!({
                "line": reject.line,
                "reason": reject.refusal.reason.code(),
                "detail": reject.refusal.detail,
            })
        })
        .collect();
    Ok(Json(json!({ "accepted": judged.accepted, "rejected": rejected })))
}

fn decode(body: &[u8], encoding: Option<&str>) -> Result<Vec<u8>, Problem> {
    let unreadable = |error: std::io::Error| {
        Problem::bad_request(format!("the body cannot be unpacked: {error}"))
    };
    let packed: Box<dyn Read + '_> = match encoding {
        None | Some("identity") => return Ok(body.to_vec()),
        Some("gzip") => Box::new(flate2::bufread::MultiGzDecoder::new(body)),
        Some("zstd") => {
            Box::new(zstd::stream::read::Decoder::with_buffer(body).map_err(unreadable)?)
        }
        Some(other) => {
            return Err(Problem::unsupported(format!(
                "encoding `{other}` is not known; use gzip or zstd"
            )));
        }
    };
    let mut unpacked = Vec::new();
    // One byte more than allowed tells a body at the limit from one over it.
    packed.take(BODY_BYTES_MAX as u64 + 1).read_to_end(&mut unpacked).map_err(unreadable)?;
    if unpacked.len() > BODY_BYTES_MAX {
        return Err(Problem::too_large("the unpacked body is too large; send it in parts"));
    }
    Ok(unpacked)
}

/// The newest refused lines, 1,000 at most.
pub(super) async fn rejects(
    State(server): State<Arc<Server>>,
    Extension(visitor): Extension<Visitor>,
) -> Result<Json<Value>, Problem> {
    const NEWEST: &str = "select landed_at, source, file, line, reason, detail, \
        try_cast(text as varchar) as text from rejects order by landed_at desc, file, line limit 1000";
    let rows = server.door().run(&visitor, server.view(), NEWEST).await?;
    Ok(Json(json!({ "rejects": json_rows(&rows)? })))
}
