//! Whether the server works, and what its lake holds.

use std::sync::Arc;

use axum::extract::State;
use axum::{Extension, Json};
use chrono::NaiveDate;
use pipeline::metric::{Scope, ScopeKind};
use serde::Serialize;
use utoipa::ToSchema;

use crate::caller::Visitor;
use crate::cluster::{Member, Standing};
use crate::http::problem::Problem;
use crate::http::query::{Nothing, Query};
use crate::schema;
use crate::server::Server;

/// Whether the process lives.
#[utoipa::path(
    get,
    path = "/healthz",
    operation_id = "healthz",
    tag = "health",
    responses((status = 200, description = "It does.", body = String, content_type = "text/plain"))
)]
pub(super) async fn healthz() -> &'static str {
    "ok\n"
}

/// Whether numbers are there and landing gets on.
#[utoipa::path(
    get,
    path = "/readyz",
    operation_id = "readyz",
    tag = "health",
    responses(
        (status = 200, description = "They are.", body = String, content_type = "text/plain"),
        (status = 503, description = "Not yet, or landing fails, or the server stops; the detail says why."),
    )
)]
pub(super) async fn readyz(State(server): State<Arc<Server>>) -> Result<&'static str, Problem> {
    if server.is_stopping() {
        return Err(Problem::unavailable("the server stops"));
    }
    if let Some(error) = server.landing_error() {
        return Err(Problem::unavailable(format!("landing fails: {error}")));
    }
    if server.measured().at.is_none() {
        return Err(Problem::unavailable("the first measurement is under way"));
    }
    Ok("ready\n")
}

/// What the lake holds.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Holdings {
    /// The present.
    #[schema(format = DateTime)]
    as_of: String,
    /// The zone whose days are counted in.
    zone: &'static str,
    lake_version: u64,
    #[schema(required, format = DateTime)]
    last_landed_at: Option<String>,
    #[schema(required, format = DateTime)]
    last_event_at: Option<String>,
    #[schema(required)]
    first_event_date: Option<NaiveDate>,
    #[schema(required)]
    last_event_date: Option<NaiveDate>,
    /// Events in their newest revision.
    events: u64,
    /// Refused lines that are kept.
    rejects: u64,
    /// Of a server that only reads: when the one that writes the lake last looked that there is nothing newer than what is
    /// shown here.
    #[schema(required, format = DateTime)]
    published_at: Option<String>,
    /// Of a server with workers: how each was found last.
    #[schema(required)]
    workers: Option<Vec<WorkerEntry>>,
}

/// A worker, as it was found last.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct WorkerEntry {
    url: String,
    /// Whether queries are spread over it.
    answers: bool,
    /// What it said that it is.
    #[schema(required)]
    version: Option<String>,
    /// Why queries are not spread over it.
    #[schema(required)]
    problem: Option<String>,
}

impl From<Member> for WorkerEntry {
    fn from(member: Member) -> Self {
        let (answers, problem) = match member.standing {
            Standing::Answers => (true, None),
            Standing::Unknown => (false, Some("it has not been asked yet".to_owned())),
            Standing::Out(why) => (false, Some(why)),
        };
        Self { url: member.url.to_string(), answers, version: member.version, problem }
    }
}

/// What the lake holds, and how new it is.
#[utoipa::path(
    get,
    path = "/api/v1/status",
    operation_id = "status",
    tag = "about",
    responses((status = 200, description = "What the lake holds.", body = Holdings))
)]
pub(super) async fn status(State(server): State<Arc<Server>>, _: Query<Nothing>) -> Json<Holdings> {
    let view = server.view();
    let facts = view.facts();
    Json(Holdings {
        as_of: server.clock().now().to_rfc3339(),
        zone: view.zone().name(),
        lake_version: view.version(),
        last_landed_at: facts.last_landed_at.map(|instant| instant.to_rfc3339()),
        last_event_at: facts.last_event_at.map(|instant| instant.to_rfc3339()),
        first_event_date: facts.first_event_date,
        last_event_date: facts.last_event_date,
        events: facts.events,
        rejects: facts.rejects,
        published_at: server
            .followed()
            .and_then(|followed| followed.told().published_at)
            .map(|instant| instant.to_rfc3339()),
        workers: server
            .cluster()
            .map(|cluster| cluster.members().into_iter().map(WorkerEntry::from).collect()),
    })
}

/// What numbers can be asked about.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ScopeEntry {
    /// What it is called in requests.
    scope: String,
    name: String,
    #[schema(required)]
    name_en: Option<String>,
    #[schema(schema_with = schema::scope_kind)]
    kind: &'static str,
    /// Of a unit, what sort it is by the newest version of the register: `town`, `department`, `team`, `district`, `municipality`,
    /// `province`, `country`, or another word of the register; empty for a unit that only the log knows.
    #[schema(required)]
    org_kind: Option<String>,
    /// The unit whose kind or area it is, as in `UNIT/towns`; empty for those of the whole tree. Of a unit its district, where
    /// there are several under one top.
    #[schema(required)]
    under: Option<String>,
}

/// The scopes that the caller may ask about.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Scopes {
    /// Everything that the caller may ask about, as one scope: the whole tree, or the account's own unit.
    #[schema(required)]
    whole: Option<String>,
    scopes: Vec<ScopeEntry>,
}

/// The scopes that the caller may ask about.
///
/// Members of one at once (`towns/*`), and several separated by commas, can be asked about as well.
#[utoipa::path(
    get,
    path = "/api/v1/scopes",
    operation_id = "scopes",
    tag = "about",
    responses((status = 200, description = "The scopes.", body = Scopes))
)]
pub(super) async fn scopes(
    State(server): State<Arc<Server>>,
    Extension(visitor): Extension<Visitor>,
    _: Query<Nothing>,
) -> Json<Scopes> {
    let view = server.view();
    let access = server.door().sight().access(&visitor.caller, &view).ok();
    let tree = view.tree();
    let org_kind = |org_id: &str| tree.newest(org_id).map(|org| org.kind.clone());
    let is_theirs =
        |scope: &&Scope| access.as_ref().is_some_and(|access| access.covers(scope.org_ids()));
    let theirs: Vec<&Scope> = tree.all_scopes().iter().filter(is_theirs).collect();
    // The first of the widest: the whole tree before the unit that is its top.
    let whole = theirs.iter().rev().max_by_key(|scope| scope.members.len());
    let whole = whole.map(|scope| scope.scope_id.clone());
    let scopes = theirs
        .into_iter()
        .map(|scope| ScopeEntry {
            scope: scope.scope_id.clone(),
            name: scope.name.clone(),
            name_en: scope.name_en.clone(),
            kind: scope.kind.name(),
            org_kind: (scope.kind == ScopeKind::Org).then(|| org_kind(&scope.scope_id)).flatten(),
            under: match scope.kind {
                ScopeKind::Org => tree.level_above(&scope.scope_id).map(str::to_owned),
                _ => scope.under.clone(),
            },
        })
        .collect();
    Json(Scopes { whole, scopes })
}
