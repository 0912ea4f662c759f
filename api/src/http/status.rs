//! Whether the server works, and what its lake holds.

use std::sync::Arc;

use axum::extract::State;
use axum::{Extension, Json};
use pipeline::metric;
use serde_json::{Value, json};

use crate::caller::Visitor;
use crate::http::problem::Problem;
use crate::server::Server;

pub(super) async fn healthz() -> &'static str {
    "ok\n"
}

/// Ready means that numbers are there and landing gets on.
pub(super) async fn readyz(State(server): State<Arc<Server>>) -> Result<&'static str, Problem> {
    if let Some(error) = server.landing_error() {
        return Err(Problem::unavailable(format!("landing fails: {error}")));
    }
    if server.measured().at.is_none() {
        return Err(Problem::unavailable("the first measurement is under way"));
    }
    Ok("ready\n")
}

pub(super) async fn status(State(server): State<Arc<Server>>) -> Json<Value> {
    let view = server.view();
    let facts = view.facts();
    Json(json!({
        "as_of": server.clock().now().to_rfc3339(),
        "zone": view.zone().name(),
        "lake_version": view.version(),
        "last_landed_at": facts.last_landed_at.map(|instant| instant.to_rfc3339()),
        "last_event_at": facts.last_event_at.map(|instant| instant.to_rfc3339()),
        "first_event_date": facts.first_event_date,
        "last_event_date": facts.last_event_date,
        "events": facts.events,
        "rejects": facts.rejects,
    }))
}

pub(super) async fn scopes(
    State(server): State<Arc<Server>>,
    Extension(visitor): Extension<Visitor>,
) -> Json<Value> {
    let view = server.view();
    let access = server.door().sight().access(&visitor.caller, &view).ok();
    let scopes: Vec<_> = metric::all_scopes(view.orgs())
        .into_iter()
        .filter(|scope| access.as_ref().is_some_and(|access| access.covers(scope.org_ids())))
        .map(|scope| {
            json!({
                "scope": scope.scope_id,
                "name": scope.name,
                "name_en": scope.name_en,
                "kind": scope.kind.name(),
            })
        })
        .collect();
    Json(json!({ "scopes": scopes }))
}
