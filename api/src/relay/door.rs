//! The relay's routes.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};

use super::Relay;
use super::webhook::Notification;

/// The largest webhook, in bytes: thousands of alerts.
const BODY_BYTES_MAX: usize = 8 << 20;

/// Every route of the relay.
pub(super) fn routes(relay: Arc<Relay>) -> Router {
    Router::new()
        .route("/metrics", get(metrics))
        .route("/{*path}", post(receive))
        .layer(middleware::from_fn_with_state(Arc::clone(&relay), known))
        .route("/healthz", get(|| async { "ok\n" }))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(relay)
}

/// Lets nobody in but who has the token, if there is one, and no page of a browser.
async fn known(State(relay): State<Arc<Relay>>, request: Request, next: Next) -> Response {
    let headers = request.headers();
    let refusal = if headers.contains_key(header::ORIGIN) {
        Some((StatusCode::FORBIDDEN, "no page of a browser writes to the chats\n"))
    } else if !relay.lets_in(headers) {
        Some((StatusCode::UNAUTHORIZED, "send the token: Authorization: Bearer …\n"))
    } else {
        None
    };
    let Some((status, told)) = refusal else { return next.run(request).await };
    tracing::warn!(status = status.as_u16(), "refused a caller");
    relay.counters.count_webhook(status.as_u16());
    (status, told).into_response()
}

impl Relay {
    fn lets_in(&self, headers: &HeaderMap) -> bool {
        let Some(token) = &self.token else { return true };
        let shown = headers
            .get(header::AUTHORIZATION)
            .and_then(|shown| shown.as_bytes().strip_prefix(b"Bearer "));
        // Hashes of this kind are compared in constant time.
        shown.is_some_and(|shown| blake3::hash(shown) == blake3::hash(token.text().as_bytes()))
    }
}

async fn metrics(State(relay): State<Arc<Relay>>) -> Response {
    const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";
    match relay.counters.text() {
        Ok(text) => ([(header::CONTENT_TYPE, TEXT)], text).into_response(),
        Err(error) => {
            tracing::error!(%error, "the counters cannot be written");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

async fn receive(State(relay): State<Arc<Relay>>, uri: Uri, body: Bytes) -> Response {
    let (status, told) = answer(&relay, uri.path(), &body).await;
    relay.counters.count_webhook(status.as_u16());
    (status, format!("{told}\n")).into_response()
}

/// 200 when every robot has the message, 503 when Alertmanager is to try again, 4xx when that is of no use.
async fn answer(relay: &Relay, path: &str, body: &[u8]) -> (StatusCode, String) {
    let Some(route) = relay.routes.get(path) else {
        let known: Vec<&str> = relay.routes.keys().map(String::as_str).collect();
        let known = known.join(", ");
        tracing::error!(
            known,
            "a webhook came to a path that has no [[route]]; look at alertmanager.yml and the config file"
        );
        return (StatusCode::NOT_FOUND, format!("there is no such route, only {known}"));
    };
    let notification = match Notification::read(body) {
        Ok(notification) => notification,
        Err(error) => {
            tracing::error!(route = path, error, "a webhook cannot be read");
            return (StatusCode::BAD_REQUEST, error);
        }
    };
    let alerts = notification.alerts.len();
    let mut failures = Vec::new();
    for (robot, delivery) in relay.relay(&notification, route).await {
        let outcome = delivery.outcome();
        relay.counters.count_message(&robot, outcome);
        match delivery.failure() {
            None => tracing::info!(robot, route = path, alerts, outcome, "told a chat"),
            Some(error) => {
                tracing::warn!(robot, route = path, alerts, outcome, error, "a chat was not told");
                failures.push(format!("{robot}: {error}"));
            }
        }
    }
    if failures.is_empty() {
        return (StatusCode::OK, "told".to_owned());
    }
    (StatusCode::SERVICE_UNAVAILABLE, failures.join("\n"))
}
