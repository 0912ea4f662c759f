//! Pushed events and refused lines.

use std::io::{Cursor, Read, Write as _};
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::{Extension, Json};
use bytes::Bytes;
use futures::StreamExt as _;
use pipeline::land::Selection;
use pipeline::source::mapping::Mapping;
use pipeline::source::{self, Compression, Format, Judged, Limits};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use utoipa::openapi::schema::{ObjectBuilder, SchemaType};
use utoipa::openapi::{RefOr, Schema};

use crate::caller::Visitor;
use crate::clock::Clock;
use crate::http::length_of;
use crate::http::problem::Problem;
use crate::http::query::{Nothing, Query};
use crate::http::sql::json_rows;
use crate::inbox::{Draft, Full, Kept, Origin, Refusal};
use crate::server::Server;

/// A body of at most this size is judged in memory; a larger one is written to the inbox piece by piece first.
const PIECE_BYTES: usize = 1 << 20;

/// How much of a body is read that is refused all the same.
const HEARD_OUT_BYTES: usize = 8 << 20;

/// How many refused lines an answer shows.
const SHOWN_MAX: usize = 1000;

/// The letters of an `Idempotency-Key`.
const KEY_LETTERS_MAX: usize = 256;

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
        anything.description(Some("Lines, or elements of an array.")).into()
    }
}

impl ToSchema for Lines {}

/// A line that was refused.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RefusedLine {
    /// Its number in the body, from 1; of an array, the number of the element.
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
    /// The first 1,000 lines that will not; they are kept too.
    rejected: Vec<RefusedLine>,
    /// How many lines will not.
    rejected_count: u64,
    /// Whether this body was here before: it lands once, however often it is sent.
    known: bool,
}

/// Takes events: JSON, an object a line or an array of objects, or CSV with a header.
///
/// The answer comes when they are on disk; they land within seconds. A line that cannot be read is refused and kept,
/// and refuses none of the others. The same body sent again, or one with the same `Idempotency-Key`, is acknowledged
/// and not kept again. A body has any size; it is read piece by piece.
#[utoipa::path(
    post,
    path = "/api/v1/events",
    operation_id = "push",
    tag = "events",
    params(
        Pushed,
        ("Content-Encoding" = inline(Option<Encoding>), Header, description = "How the body is packed."),
        ("Idempotency-Key" = Option<String>, Header, description = "A name for this body, of at most 256 letters: \
            sent again within seven days, and before half a million others, it is acknowledged and not kept again; with another body it is refused.",
            min_length = 1, max_length = 256),
    ),
    request_body(
        description = "JSON, or CSV where the media type says `text/csv`. At most as large as the inbox (4 GB unless set).",
        content((Lines = "application/x-ndjson"), (Lines = "application/json"), (String = "text/csv")),
    ),
    responses(
        (status = 200, description = "What became of the lines.", body = Judgement),
        (status = 413, description = "The body is larger than the whole inbox."),
        (status = 415, description = "The encoding is not known."),
        (status = 421, description = "This server only reads the lake; push to the one that writes it."),
        (status = 422, description = "The key was used for another body."),
        (status = 429, description = "Too much waits to land; nothing of this was kept, come back later."),
        (status = 507, description = "The disk does not take it; nothing of this was kept."),
    )
)]
pub(super) async fn push(
    State(server): State<Arc<Server>>,
    Query(asked): Query<Pushed>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Judgement>, Problem> {
    check_writer(&server)?;
    let source = asked.source.as_deref().unwrap_or("native");
    check_source(source)?;
    let mapping = server.mapping(source)?;
    let push = Push {
        mapping,
        source: source.to_owned(),
        format: format_of(&headers),
        compression: Encoding::of(&headers)?.compression(),
        key: key_of(&headers)?,
    };
    let room = server.inbox().check_room(Clock::Machine.now()).map_err(Problem::from);
    if let Err(problem) = room.and_then(|()| check_length(&server, &headers)) {
        if length_of(&headers).unwrap_or_default() <= HEARD_OUT_BYTES as u64 {
            hear_out(body).await;
        }
        return Err(problem);
    }
    // While landing fails there is nothing to wait for.
    if server.landing_error().is_none() {
        server.inbox().hold_back(Clock::Machine).await;
    }
    let received = receive(&server, body).await?;
    let judging = server.inbox().judging().await;
    let (judged, kept) = blocking(move || {
        let judged = push.judge(&server, received.reader()?)?;
        // The disk is waited for by as many as there are.
        drop(judging);
        Ok((judged, push.keep(&server, received)?))
    })
    .await?;
    let rejected = judged.rejects.into_iter().map(|reject| RefusedLine {
        line: reject.line,
        reason: reject.refusal.reason.code(),
        detail: reject.refusal.detail,
    });
    Ok(Json(Judgement {
        accepted: judged.accepted,
        rejected: rejected.collect(),
        rejected_count: judged.rejected,
        known: kept == Kept::Known,
    }))
}

/// A name, not a way to a file.
fn check_source(source: &str) -> Result<(), Problem> {
    let well_named = source.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_');
    if well_named && !source.is_empty() {
        Ok(())
    } else {
        Err(Problem::bad_request("`source` is the name of a mapping in sql/sources"))
    }
}

/// Does what waits for the processor or the disk beside what answers.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Problem> + Send + 'static,
) -> Result<T, Problem> {
    tokio::task::spawn_blocking(work).await.map_err(|error| Problem::internal(&error))?
}

/// Refuses a body that announces itself as larger than could be kept.
fn check_length(server: &Server, headers: &HeaderMap) -> Result<(), Problem> {
    let bytes_max = server.inbox().settings().bytes_max;
    if length_of(headers).is_some_and(|length| length > bytes_max) {
        return Err(larger_than_inbox());
    }
    Ok(())
}

/// Lets a client speak that sends first and listens then: it would take a closed connection for the answer.
async fn hear_out(body: Body) {
    let mut pieces = body.into_data_stream();
    let mut heard = 0;
    while let Some(Ok(piece)) = pieces.next().await {
        heard += piece.len();
        if heard > HEARD_OUT_BYTES {
            return;
        }
    }
}

fn larger_than_inbox() -> Problem {
    Problem::too_large(
        "the body is larger than the whole inbox; send it in parts, or set [inbox] `bytes` higher",
    )
}

/// A body that has come in whole.
enum Received {
    Small(Bytes),
    Large(Box<Draft>),
}

impl Received {
    fn reader(&self) -> Result<Box<dyn Read + Send>, Problem> {
        Ok(match self {
            Self::Small(bytes) => Box::new(Cursor::new(bytes.clone())),
            Self::Large(draft) => Box::new(draft.reader().map_err(|error| Problem::disk(&error))?),
        })
    }
}

/// Receives a body: a small one in memory, a larger one on disk.
async fn receive(server: &Arc<Server>, body: Body) -> Result<Received, Problem> {
    let mut pieces = body.into_data_stream();
    let mut piece = Vec::new();
    let mut draft = None;
    while let Some(more) = pieces.next().await {
        let more = more.map_err(|error| {
            Problem::bad_request(format!("the body has not come in whole: {error}"))
        })?;
        piece.extend_from_slice(&more);
        if piece.len() > PIECE_BYTES {
            draft = Some(append(server, draft, std::mem::take(&mut piece)).await?);
        }
    }
    match draft {
        None => Ok(Received::Small(piece.into())),
        Some(draft) => {
            append(server, Some(draft), piece).await.map(|draft| Received::Large(Box::new(draft)))
        }
    }
}

async fn append(
    server: &Arc<Server>,
    draft: Option<Draft>,
    piece: Vec<u8>,
) -> Result<Draft, Problem> {
    let server = Arc::clone(server);
    blocking(move || {
        let mut draft = match draft {
            Some(draft) => draft,
            None => server.inbox().draft()?,
        };
        if draft.bytes() + piece.len() as u64 > server.inbox().settings().bytes_max {
            return Err(larger_than_inbox());
        }
        draft.write_all(&piece).map_err(|error| Problem::disk(&error))?;
        Ok(draft)
    })
    .await
}

/// What is to be done with a body.
struct Push {
    mapping: Arc<Mapping>,
    source: String,
    format: Format,
    compression: Compression,
    key: Option<String>,
}

impl Push {
    /// Judges a body as landing will judge it.
    fn judge(&self, server: &Server, body: Box<dyn Read + Send>) -> Result<Judged, Problem> {
        let view = server.view();
        let limits =
            Limits { rejects_shown: SHOWN_MAX, unpacked_bytes: server.inbox().unpacked_max() };
        let (zone, now) = (view.zone(), Clock::Machine.now());
        let written = (self.format, self.compression);
        source::judge(&self.mapping, zone, || view.org_ids(), now, written, body, limits).map_err(
            |error| match error {
                pipeline::Error::Io { source, .. }
                    if source.kind() == std::io::ErrorKind::FileTooLarge =>
                {
                    Problem::too_large(format!("{source}; send it in parts"))
                }
                pipeline::Error::Io { source, .. } => {
                    Problem::bad_request(format!("the body cannot be unpacked: {source}"))
                }
                error @ pipeline::Error::Definition { .. } => {
                    Problem::bad_request(error.to_string())
                }
                error => error.into(),
            },
        )
    }

    /// Puts a body into the inbox.
    fn keep(&self, server: &Server, received: Received) -> Result<Kept, Problem> {
        let (inbox, source) = (server.inbox(), &self.source);
        let (written, now) = ((self.format, self.compression), Clock::Machine.now());
        let origin = Origin { key: self.key.as_deref(), name: None };
        Ok(match received {
            // Of nothing there is nothing to keep.
            Received::Small(bytes) if bytes.is_empty() => Kept::New,
            Received::Small(bytes) => inbox.keep_bytes(bytes, source, written, origin, now)?,
            Received::Large(draft) => inbox.keep(*draft, source, written, origin, now)?,
        })
    }
}

impl From<Full> for Problem {
    fn from(full: Full) -> Self {
        Self::too_many_requests(full.to_string(), full.retry_after)
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::KeyReused => Self::unprocessable(refusal.to_string()),
            Refusal::Disk(_, error) => Self::disk(&error),
        }
    }
}

/// JSON unless CSV is said: whoever pushes JSON often says nothing, or something else.
fn format_of(headers: &HeaderMap) -> Format {
    let named = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let kind = named.and_then(|kind| kind.split(';').next()).unwrap_or_default();
    if kind.trim().eq_ignore_ascii_case("text/csv") { Format::Csv } else { Format::Json }
}

/// Refuses what only the server can do that writes the lake.
fn check_writer(server: &Server) -> Result<(), Problem> {
    if server.followed().is_some() { Err(Problem::reader()) } else { Ok(()) }
}

fn key_of(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let Some(key) = headers.get("idempotency-key") else { return Ok(None) };
    let key = key.to_str().unwrap_or_default().trim();
    if key.is_empty() || key.len() > KEY_LETTERS_MAX {
        return Err(Problem::bad_request(format!(
            "`Idempotency-Key` has 1 to {KEY_LETTERS_MAX} letters of ASCII"
        )));
    }
    Ok(Some(key.to_owned()))
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

    fn compression(self) -> Compression {
        match self {
            Self::Identity => Compression::None,
            Self::Gzip => Compression::Gzip,
            Self::Zstd => Compression::Zstd,
        }
    }
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

/// Which refused lines are tried again.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Replay {
    /// The source whose lines they are; its mapping reads them.
    #[param(example = "native", pattern = "^[A-Za-z0-9_]+$")]
    source: String,
    /// Only those with this reason.
    #[param(example = "unknown_org")]
    reason: Option<String>,
    /// Only those of this file, in full as `rejects` names it.
    file: Option<String>,
}

/// What became of refused lines that were tried again.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Tried {
    /// Lines that were tried.
    tried: u64,
    /// Events that are in the lake now and were not before.
    landed: u64,
    /// Events that the lake had already.
    duplicate: u64,
    /// Lines that are refused again and stay, with what is wrong with them now.
    rejected: u64,
    /// Lines that were not tried since only their beginning was kept: send them again.
    cut: u64,
}

/// Tries refused lines again, after their mapping was mended or their units were registered.
///
/// A line that is accepted now is no longer among the refused; it lands once, however often this is asked.
#[utoipa::path(
    post,
    path = "/api/v1/rejects/replay",
    operation_id = "replay",
    tag = "events",
    params(Replay),
    responses(
        (status = 200, description = "What became of the lines.", body = Tried),
        (status = 421, description = "This server only reads the lake; ask the one that writes it."),
        (status = 503, description = "The server stops; ask again later."),
    )
)]
pub(super) async fn replay(
    State(server): State<Arc<Server>>,
    Query(Replay { source, reason, file }): Query<Replay>,
) -> Result<Json<Tried>, Problem> {
    check_writer(&server)?;
    check_source(&source)?;
    server.mapping(&source)?;
    let replayed = server.orders().replay(source, Selection { reason, file }).await;
    let replayed = replayed.map_err(|stopping| Problem::unavailable(stopping.to_string()))??;
    Ok(Json(Tried {
        tried: replayed.tried,
        landed: replayed.landed,
        duplicate: replayed.duplicate,
        rejected: replayed.rejected,
        cut: replayed.cut,
    }))
}
