//! Notes in the audit log what was asked of the HTTP interface.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::Response;

use crate::audit::Deed;
use crate::caller::Visitor;
use crate::http::problem::Problem;
use crate::server::Server;

/// Routes of which only refusals are noted: they tell what is for everybody who may read at all, all day long, or the door
/// to SQL notes what they ask.
const UNNOTED: [&str; 12] = [
    "/",
    "/assets/{file}",
    "/docs",
    "/docs/assets/{file}",
    "/docs/dictionary",
    "/metrics",
    "/readyz",
    "/api/v1/dictionary",
    "/api/v1/openapi.json",
    "/api/v1/status",
    "/api/v1/sql",
    "/api/v1/rejects",
];

/// Notes who asks for what before it is answered, and how it was answered.
pub(super) async fn audited(
    State(server): State<Arc<Server>>,
    Extension(visitor): Extension<Visitor>,
    route: Option<MatchedPath>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let is_noted = route.as_ref().is_some_and(|route| !UNNOTED.contains(&route.as_str()));
    let deed = match (request.method(), route.as_ref().map(MatchedPath::as_str)) {
        (&Method::POST, Some("/api/v1/events")) => Deed::Push,
        (&Method::POST, _) => Deed::Operate,
        _ => Deed::Read,
    };
    let address = request.uri().path_and_query().map_or("/", |address| address.as_str());
    let subject = format!("{} {address}", request.method());
    let begin = || {
        let begun = server.audit().begin(&visitor, deed, &subject, None);
        begun.map_err(|_| Problem::unavailable("the audit log cannot be written; try again later"))
    };
    let begun = if is_noted { begin()? } else { None };
    let response = next.run(request).await;
    let status = response.status();
    let begun = match begun {
        None if status == StatusCode::FORBIDDEN => begin()?,
        begun => begun,
    };
    if let Some(begun) = begun {
        begun.end(outcome(status), None, None);
    }
    Ok(response)
}

/// In the words by which the door's queries end.
fn outcome(status: StatusCode) -> &'static str {
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => "forbidden",
        status if status.is_client_error() => "wrong",
        status if status.is_server_error() => "failed",
        _ => "answered",
    }
}
