//! Whether the server works, and what its lake holds.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::State;
use axum::{Extension, Json};
use chrono::NaiveDate;
use pipeline::metric::{self, ScopeKind};
use pipeline::reference::Org;
use serde::Serialize;
use utoipa::ToSchema;

use crate::caller::Visitor;
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
    /// Of a unit, what sort it is by the newest version of the register: `town`, `department`, `team`, or another word
    /// of the register such as `district`; empty for a unit that only the log knows.
    #[schema(required)]
    org_kind: Option<String>,
}

/// The scopes that the caller may ask about.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Scopes {
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
    let mut versions: Vec<&Org> = view.orgs().iter().collect();
    versions.sort_by_key(|org| org.valid_from);
    // The newest takes the place of those before it.
    let org_kinds: HashMap<&str, &str> =
        versions.iter().map(|org| (org.org_id.as_str(), org.kind.as_str())).collect();
    let scopes = metric::all_scopes(view.orgs())
        .into_iter()
        .filter(|scope| access.as_ref().is_some_and(|access| access.covers(scope.org_ids())))
        .map(|scope| ScopeEntry {
            kind: scope.kind.name(),
            org_kind: (scope.kind == ScopeKind::Org)
                .then(|| org_kinds.get(scope.scope_id.as_str()).map(|kind| (*kind).to_owned()))
                .flatten(),
            scope: scope.scope_id,
            name: scope.name,
            name_en: scope.name_en,
        })
        .collect();
    Json(Scopes { scopes })
}
