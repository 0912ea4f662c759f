//! Errors as `application/problem+json` (RFC 9457).

use std::time::Duration;

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

use crate::http::follow;
use crate::sql_door::Refused;

/// What a client may send; the first makes browsers ask for a name and a password.
const CHALLENGE: HeaderValue = HeaderValue::from_static("Basic realm=\"lawpulse\", Bearer");

/// An error answer.
#[derive(Debug)]
pub(super) struct Problem {
    status: StatusCode,
    detail: String,
    /// Members besides those of the standard.
    more: Map<String, Value>,
    hint: Option<Hint>,
}

/// What a header tells the client to do.
#[derive(Debug)]
enum Hint {
    Login,
    WaitSeconds(u64),
}

impl Problem {
    fn new(status: StatusCode, detail: String) -> Self {
        Self { status, detail, more: Map::new(), hint: None }
    }

    pub(super) fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail.into())
    }

    pub(super) fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, detail.into())
    }

    pub(super) fn method_not_allowed() -> Self {
        let detail = "this address does not take this method".to_owned();
        Self::new(StatusCode::METHOD_NOT_ALLOWED, detail)
    }

    pub(super) fn not_acceptable(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_ACCEPTABLE, detail.into())
    }

    pub(super) fn unsupported(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail.into())
    }

    pub(super) fn too_large(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, detail.into())
    }

    pub(super) fn unavailable(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, detail.into())
    }

    pub(super) fn unauthorized(detail: impl Into<String>) -> Self {
        let hint = Some(Hint::Login);
        Self { hint, ..Self::new(StatusCode::UNAUTHORIZED, detail.into()) }
    }

    pub(super) fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, detail.into())
    }

    pub(super) fn too_many_requests(detail: impl Into<String>, retry_after: Duration) -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, detail.into()).retry_after(retry_after)
    }

    pub(super) fn retry_after(self, wait: Duration) -> Self {
        // A part of a second would be too early.
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        Self { hint: Some(Hint::WaitSeconds(seconds)), ..self }
    }

    pub(super) fn status(&self) -> StatusCode {
        self.status
    }

    pub(super) fn into_detail(self) -> String {
        self.detail
    }

    /// A failure of ours: logged here, told without its inside.
    pub(super) fn internal(error: &dyn std::fmt::Display) -> Self {
        tracing::error!(error = format!("{error:#}"), "request failed");
        let detail = "the server failed to answer; its log says why".to_owned();
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, detail)
    }
}

impl From<pipeline::Error> for Problem {
    fn from(error: pipeline::Error) -> Self {
        match error {
            pipeline::Error::Request(detail) => Self::bad_request(detail),
            other => {
                let chain = anyhow::Error::from(other);
                Self::internal(&format!("{chain:#}"))
            }
        }
    }
}

impl From<PathRejection> for Problem {
    fn from(rejection: PathRejection) -> Self {
        Self::bad_request(rejection.body_text())
    }
}

impl From<QueryRejection> for Problem {
    fn from(rejection: QueryRejection) -> Self {
        Self::bad_request(rejection.body_text())
    }
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        let status = match refused {
            Refused::Statement(_) => StatusCode::BAD_REQUEST,
            Refused::Forbidden(_) => StatusCode::FORBIDDEN,
            Refused::Busy(_) => StatusCode::SERVICE_UNAVAILABLE,
            Refused::TooLong(_) => StatusCode::GATEWAY_TIMEOUT,
            Refused::TooManyRows(_) | Refused::TooManyBytes(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Refused::TooMuchMemory(_) | Refused::Failed(_) => StatusCode::UNPROCESSABLE_ENTITY,
        };
        let mut problem = Self::new(status, refused.to_string());
        if let Refused::Statement(mistake) = refused {
            if let Some((line, column)) = mistake.place {
                problem.more.insert("line".to_owned(), json!(line));
                problem.more.insert("column".to_owned(), json!(column));
            }
            if let Some(name) = mistake.suggestion {
                problem.more.insert("suggestion".to_owned(), json!(name));
            }
        }
        problem
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut body = json!({
            "type": "about:blank",
            "title": self.status.canonical_reason().unwrap_or("error"),
            "status": self.status.as_u16(),
            "detail": self.detail,
        });
        for (name, value) in self.more {
            body[name] = value;
        }
        if let Some(request_id) = follow::request_id() {
            body["request_id"] = request_id.into();
        }
        let kind = [(header::CONTENT_TYPE, "application/problem+json")];
        let mut response = (self.status, kind, body.to_string()).into_response();
        response.headers_mut().extend(self.hint.map(|hint| match hint {
            Hint::Login => (header::WWW_AUTHENTICATE, CHALLENGE),
            Hint::WaitSeconds(seconds) => (header::RETRY_AFTER, seconds.into()),
        }));
        response
    }
}
