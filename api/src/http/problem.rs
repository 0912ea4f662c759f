//! Errors as `application/problem+json` (RFC 9457).

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

use crate::sql_door::Refused;

/// An error answer.
#[derive(Debug)]
pub(super) struct Problem {
    status: StatusCode,
    detail: String,
    /// Members besides those of the standard.
    more: Map<String, Value>,
}

impl Problem {
    fn new(status: StatusCode, detail: String) -> Self {
        Self { status, detail, more: Map::new() }
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
            Refused::TooManyRows(_) => StatusCode::PAYLOAD_TOO_LARGE,
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
        let kind = [(header::CONTENT_TYPE, "application/problem+json")];
        (self.status, kind, body.to_string()).into_response()
    }
}
