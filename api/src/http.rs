//! The HTTP interface: every route on this page, one file a noun below.

mod audited;
mod events;
mod exposition;
mod flight;
mod follow;
mod goals;
mod login;
mod metrics;
mod problem;
mod rows;
mod sql;
mod status;
mod web;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, MatchedPath, Request};
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::{get, post};
use tower_http::compression::CompressionLayer;
use tower_http::set_header::SetResponseHeaderLayer;
use tower_http::timeout::RequestBodyTimeoutLayer;

use crate::caller::Deed;
use crate::server::Server;
use problem::Problem;

/// The largest body that a push may have, in bytes, as sent and unpacked.
const BODY_BYTES_MAX: usize = 256 << 20;

/// The route of the door to SQL.
const SQL: &str = "/api/v1/sql";

/// The largest body that a query may have, in bytes: the longest statement, and values besides.
const QUERY_BYTES_MAX: usize = 4 << 20;

/// How long a body may pause. One that comes slowly but steadily is taken.
const BODY_PAUSE_MAX: Duration = Duration::from_secs(30);

/// Pages load nothing from elsewhere; Plotly sets styles and probes an image format of its own.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
    img-src 'self' data:; connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'self'; \
    frame-ancestors 'none'";

/// What browsers are told with every answer.
const SECURITY_HEADERS: [(HeaderName, &str); 7] = [
    (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    (
        HeaderName::from_static("permissions-policy"),
        "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    ),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

/// Once a browser has come by TLS, it comes by nothing else for a year.
const TRANSPORT_SECURITY: &str = "max-age=31536000";

/// Every route of the server.
pub fn routes(server: Arc<Server>) -> Router {
    let mut routes = known_callers()
        .layer(middleware::from_fn_with_state(Arc::clone(&server), audited::audited))
        .layer(middleware::from_fn_with_state(Arc::clone(&server), login::recognise))
        .merge(flight::routes(Arc::clone(&server)))
        .layer(middleware::from_fn(login::same_site))
        // Whether the process lives is asked by whatever starts it again, and tells nothing else.
        .route("/healthz", get(status::healthz))
        .method_not_allowed_fallback(|| async { Problem::method_not_allowed() })
        .layer(middleware::from_fn(announced))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(RequestBodyTimeoutLayer::new(BODY_PAUSE_MAX))
        .layer(CompressionLayer::new())
        .layer(middleware::map_response(not_stored))
        .layer(middleware::from_fn_with_state(Arc::clone(&server), follow::follow));
    for (name, value) in SECURITY_HEADERS {
        routes = routes.layer(fixed_header(name, value));
    }
    if server.has_tls() {
        routes = routes.layer(fixed_header(header::STRICT_TRANSPORT_SECURITY, TRANSPORT_SECURITY));
    }
    routes.with_state(server)
}

/// The routes for callers that are known, by what each has to be allowed to do.
fn known_callers() -> Router<Arc<Server>> {
    let reading_metrics = Router::new()
        .route("/", get(web::page))
        .route("/assets/{file}", get(web::asset))
        .route("/api/v1/status", get(status::status))
        .route("/api/v1/scopes", get(status::scopes))
        .route("/api/v1/metrics", get(metrics::catalogue))
        .route("/api/v1/metrics/{id}", get(metrics::metric))
        // The door to SQL decides which tables a caller may read.
        .route(SQL, get(sql::get).post(sql::post).layer(DefaultBodyLimit::max(QUERY_BYTES_MAX)));
    let about_all = Router::new()
        .route("/metrics", get(exposition::metrics))
        .route("/api/v1/goals", get(goals::goals))
        .route("/api/v1/reconciliation", get(goals::reconciliation))
        .route("/api/v1/reports/{year}", get(goals::report))
        .route_layer(middleware::from_fn(login::allow_whole_lake));
    let reading_rows = Router::new().route("/api/v1/metrics/{id}/explain", get(metrics::explain));
    let rows_about_all = Router::new()
        .route("/api/v1/checks", get(goals::checks))
        // The refused lines themselves may name persons: the door shows them to whoever may see identities.
        .route("/api/v1/rejects", get(events::rejects))
        .route_layer(middleware::from_fn(login::allow_whole_lake));
    let pushing = Router::new().route("/api/v1/events", post(events::push));
    Router::new()
        .merge(needing(Deed::ReadMetrics, reading_metrics.merge(about_all)))
        .merge(needing(Deed::ReadRows, reading_rows.merge(rows_about_all)))
        .merge(needing(Deed::Push, pushing))
        // For every caller: whoever delivers logs wants to know it too.
        .route("/readyz", get(status::readyz))
        .fallback(|| async { Problem::not_found("there is no such page; see /api/v1/metrics") })
}

/// Refuses a body by the length that it announces; one that announces none is cut off where it is read.
async fn announced(
    route: Option<MatchedPath>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let is_query = route.is_some_and(|route| route.as_str() == SQL);
    let bytes_max = if is_query { QUERY_BYTES_MAX } else { BODY_BYTES_MAX };
    let length = request.headers().get(header::CONTENT_LENGTH);
    let length = length.and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if length.is_some_and(|length| length > bytes_max as u64) {
        return Err(Problem::too_large(format!("a body has at most {} MB here", bytes_max >> 20)));
    }
    Ok(next.run(request).await)
}

fn needing(deed: Deed, routes: Router<Arc<Server>>) -> Router<Arc<Server>> {
    routes.route_layer(middleware::from_fn_with_state(deed, login::allow))
}

/// What says nothing else is kept by no cache: it is about persons, or about this moment.
async fn not_stored(mut response: Response) -> Response {
    let headers = response.headers_mut();
    if !headers.contains_key(header::CACHE_CONTROL) {
        let has_tag = headers.contains_key(header::ETAG);
        let kept = if has_tag { "private, no-cache" } else { "no-store" };
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(kept));
    }
    response
}

fn fixed_header(name: HeaderName, value: &'static str) -> SetResponseHeaderLayer<HeaderValue> {
    SetResponseHeaderLayer::overriding(name, HeaderValue::from_static(value))
}
