//! The HTTP interface: every route on this page, one file a noun below.

mod audited;
mod docs;
mod events;
mod exposition;
mod flight;
mod follow;
mod goals;
mod login;
mod metrics;
mod openapi;
mod problem;
mod query;
mod rows;
mod sql;
mod status;
pub(crate) mod web;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use axum::extract::{DefaultBodyLimit, MatchedPath, Request};
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::{Extension, Router};
use tower_http::compression::CompressionLayer;
use tower_http::set_header::SetResponseHeaderLayer;
use tower_http::timeout::RequestBodyTimeoutLayer;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::caller::Deed;
use crate::server::Server;
use openapi::Contract;
use problem::Problem;

/// The route of a push.
const EVENTS: &str = "/api/v1/events";

/// The largest body that is held in memory, in bytes: the longest statement, and values besides. A push is read piece by
/// piece and knows its own limit.
const BODY_BYTES_MAX: usize = 4 << 20;

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
pub fn routes(server: Arc<Server>) -> anyhow::Result<Router> {
    let (routes, document) = documented(&server).split_for_parts();
    let contract = Contract::of(&document).context("failed to write the contract")?;
    let mut routes = routes
        .layer(Extension(contract))
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
    Ok(routes.with_state(server))
}

/// Every route with what it promises. `routes!` takes both from the handler, so that neither is without the other.
fn documented(server: &Arc<Server>) -> OpenApiRouter<Arc<Server>> {
    let has_accounts = server.accounts().is_some();
    let mut known = known_callers();
    openapi::known_callers(known.get_openapi_mut(), has_accounts);
    OpenApiRouter::with_openapi(openapi::empty(has_accounts)).merge(
        known
            .layer(middleware::from_fn_with_state(Arc::clone(server), audited::audited))
            .layer(middleware::from_fn_with_state(Arc::clone(server), login::recognise))
            // Its calls are described elsewhere, in Arrow's own words.
            .merge(flight::routes(Arc::clone(server)).into())
            .layer(middleware::from_fn(login::same_site))
            // Whether the process lives is asked by whatever starts it again, and tells nothing else.
            .routes(routes!(status::healthz)), // /healthz
    )
}

/// The routes for callers that are known, by what each has to be allowed to do.
fn known_callers() -> OpenApiRouter<Arc<Server>> {
    let reading_metrics = OpenApiRouter::default()
        .routes(routes!(web::overview)) // /
        .routes(routes!(web::page)) // /{page}
        .routes(routes!(web::asset)) // /assets/{file}
        .routes(routes!(status::status)) // /api/v1/status
        .routes(routes!(status::scopes)) // /api/v1/scopes
        .routes(routes!(metrics::catalogue)) // /api/v1/metrics
        .routes(routes!(metrics::metric)) // /api/v1/metrics/{id}
        .routes(routes!(docs::dictionary)) // /api/v1/dictionary
        .routes(routes!(docs::dictionary_page)) // /docs/dictionary
        // The door to SQL decides which tables a caller may read.
        .routes(routes!(sql::get, sql::post)); // /api/v1/sql
    let about_all = OpenApiRouter::default()
        .routes(routes!(exposition::metrics)) // /metrics
        .routes(routes!(goals::goals)) // /api/v1/goals
        .routes(routes!(goals::reconciliation)) // /api/v1/reconciliation
        .routes(routes!(goals::report)); // /api/v1/reports/{year}
    let reading_rows = OpenApiRouter::default().routes(routes!(metrics::explain)); // /api/v1/metrics/{id}/explain
    let rows_about_all = OpenApiRouter::default()
        .routes(routes!(goals::checks)) // /api/v1/checks
        // The refused lines themselves may name persons: the door shows them to whoever may see identities.
        .routes(routes!(events::rejects)); // /api/v1/rejects
    let operating = OpenApiRouter::default().routes(routes!(events::replay)); // /api/v1/rejects/replay
    let pushing = OpenApiRouter::default().routes(routes!(events::push)); // /api/v1/events
    OpenApiRouter::default()
        .merge(needing(Deed::ReadMetrics, reading_metrics.merge(about_whole_lake(about_all))))
        .merge(needing(Deed::ReadRows, reading_rows.merge(about_whole_lake(rows_about_all))))
        .merge(needing(Deed::Push, pushing))
        .merge(needing(Deed::Operate, about_whole_lake(operating)))
        // For every caller: whoever delivers logs wants to know it too.
        .routes(routes!(status::readyz)) // /readyz
        .routes(routes!(openapi::document)) // /api/v1/openapi.json
        .routes(routes!(docs::page)) // /docs
        .routes(routes!(docs::asset)) // /docs/assets/{file}
        .fallback(|| async { Problem::not_found("there is no such page; see /docs") })
}

/// The length that a body announces, if it does.
fn length_of(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Refuses a body by the length that it announces; one that announces none is cut off where it is read.
async fn announced(
    route: Option<MatchedPath>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let is_push = route.is_some_and(|route| route.as_str() == EVENTS);
    if !is_push && length_of(request.headers()).is_some_and(|length| length > BODY_BYTES_MAX as u64)
    {
        let limit = BODY_BYTES_MAX >> 20;
        return Err(Problem::too_large(format!("a body has at most {limit} MB here")));
    }
    Ok(next.run(request).await)
}

fn needing(deed: Deed, mut routes: OpenApiRouter<Arc<Server>>) -> OpenApiRouter<Arc<Server>> {
    openapi::needs(routes.get_openapi_mut(), deed);
    routes.route_layer(middleware::from_fn_with_state(deed, login::allow))
}

fn about_whole_lake(mut routes: OpenApiRouter<Arc<Server>>) -> OpenApiRouter<Arc<Server>> {
    openapi::about_whole_lake(routes.get_openapi_mut());
    routes.route_layer(middleware::from_fn(login::allow_whole_lake))
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn this_page_shows_every_route_with_its_address() {
        let (page, _) = include_str!("http.rs").split_once("#[cfg(test)]").unwrap();
        let routes = page.lines().filter(|line| line.contains("routes(routes!("));
        let shown: BTreeSet<&str> = routes
            .map(|line| line.rsplit_once("// ").map_or(line, |(_, address)| address))
            .collect();
        let mut document = known_callers().into_openapi();
        document
            .merge(OpenApiRouter::<()>::default().routes(routes!(status::healthz)).into_openapi());
        let addresses: BTreeSet<&str> = document.paths.paths.keys().map(String::as_str).collect();
        assert_eq!(shown, addresses);
    }
}
