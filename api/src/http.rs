//! The HTTP interface: every route on this page, one file a noun below.

mod events;
mod exposition;
mod goals;
mod metrics;
mod problem;
mod rows;
mod sql;
mod status;
mod web;

use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::extract::{DefaultBodyLimit, MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue, Method, header};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::{get, post};
use tower_http::compression::CompressionLayer;
use tower_http::set_header::SetResponseHeaderLayer;
use tower_http::trace::TraceLayer;

use crate::caller::{Caller, Surface, Visitor};
use crate::server::Server;
use problem::Problem;

/// The largest body that a push may have, in bytes, as sent and unpacked.
const BODY_BYTES_MAX: usize = 256 << 20;

/// Pages load nothing from elsewhere; Plotly sets styles and probes an image format of its own.
const CONTENT_SECURITY_POLICY: &str = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'";

/// Every route of the server.
pub fn routes(server: Arc<Server>) -> Router {
    Router::new()
        .route("/", get(web::page))
        .route("/assets/{file}", get(web::asset))
        .route("/metrics", get(exposition::metrics))
        .route("/healthz", get(status::healthz))
        .route("/readyz", get(status::readyz))
        .route("/api/v1/status", get(status::status))
        .route("/api/v1/scopes", get(status::scopes))
        .route("/api/v1/metrics", get(metrics::catalogue))
        .route("/api/v1/metrics/{id}", get(metrics::metric))
        .route("/api/v1/metrics/{id}/explain", get(metrics::explain))
        .route("/api/v1/goals", get(goals::goals))
        .route("/api/v1/checks", get(goals::checks))
        .route("/api/v1/reconciliation", get(goals::reconciliation))
        .route("/api/v1/reports/{year}", get(goals::report))
        .route("/api/v1/events", post(events::push))
        .route("/api/v1/rejects", get(events::rejects))
        .route("/api/v1/sql", get(sql::get).post(sql::post))
        .fallback(|| async { Problem::not_found("there is no such page; see /api/v1/metrics") })
        .method_not_allowed_fallback(|| async { Problem::method_not_allowed() })
        .layer(middleware::from_fn_with_state(Arc::clone(&server), count))
        .layer(middleware::from_fn(recognise))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(CompressionLayer::new())
        .layer(TraceLayer::new_for_http().on_failure(()))
        .layer(fixed_header(header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY))
        .layer(fixed_header(header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .layer(fixed_header(header::REFERRER_POLICY, "no-referrer"))
        .with_state(server)
}

/// Says who asks.
async fn recognise(mut request: Request, next: Next) -> Response {
    request.extensions_mut().insert(Visitor {
        caller: Caller::anonymous(),
        surface: Surface::Http,
        peer: None,
        request_id: uuid::Uuid::new_v4().to_string(),
    });
    next.run(request).await
}

/// Counts requests by route: addresses themselves are without number.
async fn count(
    State(server): State<Arc<Server>>,
    route: Option<MatchedPath>,
    request: Request,
    next: Next,
) -> Response {
    let started = Instant::now();
    let method = request.method().clone();
    let response = next.run(request).await;
    let route = route.as_ref().map_or("none", MatchedPath::as_str);
    let method = if method.is_safe() || method == Method::POST { method.as_str() } else { "other" };
    let status = response.status().as_u16();
    server.telemetry().count_request(route, method, status, started.elapsed());
    response
}

fn fixed_header(name: HeaderName, value: &'static str) -> SetResponseHeaderLayer<HeaderValue> {
    SetResponseHeaderLayer::overriding(name, HeaderValue::from_static(value))
}
