//! Pushed events and refused lines.

use std::io::Read;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::{HeaderMap, header};
use axum::{Extension, Json};
use pipeline::source::mapping::Mapping;
use pipeline::source::{self, Judged};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use utoipa::openapi::schema::{ObjectBuilder, SchemaType};
use utoipa::openapi::{RefOr, Schema};

use crate::caller::Visitor;
use crate::clock::Clock;
use crate::http::BODY_BYTES_MAX;
use crate::http::problem::Problem;
use crate::http::query::{Nothing, Query};
use crate::http::sql::json_rows;
use crate::server::Server;

/// What a pushed body is.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Pushed {
    /// The mapping of sql/sources by which the lines are read; left out, `native`.
    source: Option<String>,
}

/// A body: whatever it holds, its lines are accepted or refused one by one.
struct Lines;

impl utoipa::PartialSchema for Lines {
    fn schema() -> RefOr<Schema> {
        let anything = ObjectBuilder::new().schema_type(SchemaType::AnyValue);
        anything.description(Some("One JSON object a line.")).into()
    }
}

impl ToSchema for Lines {}

/// A line that was refused.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RefusedLine {
    /// Its number in the body, from 1.
    line: u64,
    /// The reason's code.
    #[schema(pattern = "^[a-z_]+$")]
    reason: &'static str,
    detail: String,
}

/// What became of a pushed body.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Judgement {
    /// Lines that will land.
    accepted: u64,
    /// Lines that will not; they are kept too.
    rejected: Vec<RefusedLine>,
}

/// Takes events: one JSON object a line.
///
/// The answer comes when they are on disk; they land within seconds. A line that cannot be read is refused and kept,
/// and refuses none of the others. The same lines sent again land nothing.
#[utoipa::path(
    post,
    path = "/api/v1/events",
    operation_id = "push",
    tag = "events",
    params(
        Pushed,
        ("Content-Encoding" = inline(Option<Encoding>), Header, description = "How the body is packed."),
    ),
    request_body(
        description = "Lines of JSON, 256 MiB at most as sent and unpacked. The media type is not looked at.",
        content((Lines = "application/x-ndjson")),
    ),
    responses(
        (status = 200, description = "What became of the lines.", body = Judgement),
        (status = 413, description = "The body is too large, as sent or unpacked."),
        (status = 415, description = "The encoding is not known."),
    )
)]
pub(super) async fn push(
    State(server): State<Arc<Server>>,
    Query(asked): Query<Pushed>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Judgement>, Problem> {
    let body = body?;
    let source = asked.source.as_deref().unwrap_or("native");
    let well_named = source.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_');
    if !well_named || source.is_empty() {
        return Err(Problem::bad_request("`source` is the name of a mapping in sql/sources"));
    }
    let mapping = Mapping::find(&server.definitions(), source)?;
    let body = decode(&body, Encoding::of(&headers)?)?;
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
    let rejected = judged.rejects.into_iter().map(|reject| RefusedLine {
        line: reject.line,
        reason: reject.refusal.reason.code(),
        detail: reject.refusal.detail,
    });
    Ok(Json(Judgement { accepted: judged.accepted, rejected: rejected.collect() }))
}

/// How a body may be packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Encoding {
    /// Not at all.
    Identity,
    /// Gzip.
    Gzip,
    /// Zstandard.
    Zstd,
}

impl Encoding {
    /// Reads the header `Content-Encoding`.
    fn of(headers: &HeaderMap) -> Result<Self, Problem> {
        let Some(named) = headers.get(header::CONTENT_ENCODING) else { return Ok(Self::Identity) };
        match named.as_bytes() {
            b"identity" => Ok(Self::Identity),
            b"gzip" => Ok(Self::Gzip),
            b"zstd" => Ok(Self::Zstd),
            other => Err(Problem::unsupported(format!(
                "encoding `{}` is not known; use gzip or zstd",
                other.escape_ascii()
            ))),
        }
    }
}

fn decode(body: &[u8], encoding: Encoding) -> Result<Vec<u8>, Problem> {
    // Nothing is nothing, however it is said to be packed.
    if body.is_empty() {
        return Ok(Vec::new());
    }
    let unreadable = |error: std::io::Error| {
        Problem::bad_request(format!("the body cannot be unpacked: {error}"))
    };
    let packed: Box<dyn Read + '_> = match encoding {
        Encoding::Identity => return Ok(body.to_vec()),
        Encoding::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(body)),
        Encoding::Zstd => {
            Box::new(zstd::stream::read::Decoder::with_buffer(body).map_err(unreadable)?)
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

/// A refused line that was kept.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "rows of the table `rejects` are passed on; this says how they look")]
pub(super) struct Reject {
    #[schema(format = DateTime)]
    landed_at: String,
    source: String,
    file: String,
    /// Its number in the file, from 1.
    line: u64,
    reason: String,
    /// What is wrong, where more can be said than the reason.
    detail: Option<String>,
    /// The line itself, for those who see identities; left out where it is not shown, or is not text.
    text: Option<String>,
}

/// The newest refused lines.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Rejects {
    #[schema(value_type = Vec<Reject>)]
    rejects: Value,
}

/// The newest refused lines, 1,000 at most.
#[utoipa::path(
    get,
    path = "/api/v1/rejects",
    operation_id = "rejects",
    tag = "events",
    responses(
        (status = 200, description = "The lines, the newest landing first.", body = Rejects),
        (status = 413, description = "The answer would be larger than the role may have."),
        (status = 422, description = "The query needs more memory than the role may use, or fails."),
        (status = 503, description = "Too many queries run and wait; come back later."),
        (status = 504, description = "The query takes longer than the role may let it."),
    )
)]
pub(super) async fn rejects(
    State(server): State<Arc<Server>>,
    Extension(visitor): Extension<Visitor>,
    _: Query<Nothing>,
) -> Result<Json<Rejects>, Problem> {
    const NEWEST: &str = "select landed_at, source, file, line, reason, detail, \
        try_cast(text as varchar) as text from rejects order by landed_at desc, file, line limit 1000";
    let rows = server.door().run(&visitor, server.view(), NEWEST).await?;
    Ok(Json(Rejects { rejects: json_rows(&rows)? }))
}
