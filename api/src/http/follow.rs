//! Follows a request through the server: its id, its line in the log, its place in the counters.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue, Method};
use axum::middleware::Next;
use axum::response::Response;
use tracing::Instrument as _;
use tracing::field::Empty;

use crate::server::Server;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The longest id that is taken from a client.
const ID_BYTES_MAX: usize = 64;

tokio::task_local! {
    static CURRENT: String;
}

/// The id of the request that this task answers.
pub(super) fn request_id() -> Option<String> {
    CURRENT.try_with(Clone::clone).ok()
}

/// Gives the request an id, or keeps the client's, and logs and counts how it was answered.
///
/// What is logged is the route and never the address: that may hold a query, and a query a name.
pub(super) async fn follow(
    State(server): State<Arc<Server>>,
    route: Option<MatchedPath>,
    request: Request,
    next: Next,
) -> Response {
    let started = Instant::now();
    let given = request.headers().get(REQUEST_ID).and_then(|id| id.to_str().ok());
    let id = given.filter(|id| is_id(id)).map_or_else(new_id, str::to_owned);
    let method = name_of(request.method());
    // By the route: addresses themselves are without number.
    let route = route.as_ref().map_or("none", MatchedPath::as_str);
    let span = tracing::info_span!("request", id, method, route, caller = Empty);
    let header = HeaderValue::from_str(&id).ok();
    let answer = CURRENT.scope(id, next.run(request).instrument(span.clone()));
    let mut response = answer.await;
    if let Some(id) = header {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    let (status, took) = (response.status().as_u16(), started.elapsed());
    server.telemetry().count_request(route, method, status, took);
    let milliseconds = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    span.in_scope(|| match route {
        // Asked by machines all day long.
        "/healthz" | "/readyz" => tracing::debug!(status, milliseconds, "answered"),
        _ => tracing::info!(status, milliseconds, "answered"),
    });
    response
}

fn new_id() -> String {
    uuid::Uuid::new_v4().to_string()
}

fn is_id(id: &str) -> bool {
    (1..=ID_BYTES_MAX).contains(&id.len())
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}

/// Clients can make up methods without number too.
fn name_of(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        Method::TRACE => "TRACE",
        Method::POST => "POST",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_short_plain_id_is_taken_from_a_client() {
        assert!(is_id("4bf92f35-77b3.4da6_A"));
        assert!(is_id(&new_id()));
        for bad in ["", "a b", "a\nb", "名", &"x".repeat(65)] {
            assert!(!is_id(bad), "{bad}");
        }
    }
}
