//! Errors as `application/problem+json` (RFC 9457).

use std::time::Duration;

use axum::Json;
use axum::extract::rejection::{BytesRejection, JsonRejection, PathRejection, QueryRejection};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::follow;
use crate::sql_door::{Mistake, Refused};

/// What a client may send; the first makes browsers ask for a name and a password.
const CHALLENGE: HeaderValue = HeaderValue::from_static("Basic realm=\"lawpulse\", Bearer");

/// How an error answer looks.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub(super) struct ProblemDetails {
    /// Always `about:blank`: the status says what sort of error it is.
    r#type: &'static str,
    title: &'static str,
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    /// What is wrong, and what to do.
    detail: String,
    /// The line of a query's text where it is, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<u64>,
    /// The column, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    column: Option<u64>,
    /// The name that was perhaps meant.
    #[serde(skip_serializing_if = "Option::is_none")]
    suggestion: Option<String>,
    /// The id of the request, by which the log knows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<String>,
}

/// An error answer.
#[derive(Debug)]
pub(super) struct Problem {
    status: StatusCode,
    detail: String,
    mistake: Option<Mistake>,
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
        Self { status, detail, mistake: None, hint: None }
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

    /// This server only reads the lake.
    pub(super) fn reader() -> Self {
        let detail = "this server only reads the lake; ask the one that writes it";
        Self::new(StatusCode::MISDIRECTED_REQUEST, detail.to_owned())
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

    pub(super) fn unprocessable(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, detail.into())
    }

    /// The disk does not take what was sent: full, or not writable. Told, since the sender keeps what it has meanwhile.
    pub(super) fn disk(error: &std::io::Error) -> Self {
        tracing::error!(%error, "the inbox cannot be written to");
        let detail = format!(
            "the server's disk does not take it ({error}); nothing of this was kept, send it again later"
        );
        Self::new(StatusCode::INSUFFICIENT_STORAGE, detail).retry_after(Duration::from_secs(60))
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

    /// The same, with what would be right before it.
    pub(super) fn with_advice(self, advice: &str) -> Self {
        Self { detail: format!("{advice}: {}", self.detail), ..self }
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

impl From<BytesRejection> for Problem {
    fn from(rejection: BytesRejection) -> Self {
        match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => {
                Self::too_large("the body is too large; send it in parts")
            }
            _ => Self::bad_request(rejection.body_text()),
        }
    }
}

impl From<JsonRejection> for Problem {
    fn from(rejection: JsonRejection) -> Self {
        match rejection {
            JsonRejection::MissingJsonContentType(_) => {
                Self::unsupported("send JSON, and say so: Content-Type: application/json")
            }
            JsonRejection::BytesRejection(rejection) => rejection.into(),
            other => Self::bad_request(other.body_text()),
        }
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
            problem.mistake = Some(mistake);
        }
        problem
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (place, suggestion) =
            self.mistake.map_or((None, None), |mistake| (mistake.place, mistake.suggestion));
        let (line, column) = place.unzip();
        let body = ProblemDetails {
            r#type: "about:blank",
            title: self.status.canonical_reason().unwrap_or("error"),
            status: self.status.as_u16(),
            detail: self.detail,
            line,
            column,
            suggestion,
            request_id: follow::request_id(),
        };
        let kind = [(header::CONTENT_TYPE, "application/problem+json")];
        let mut response = (self.status, kind, Json(body)).into_response();
        response.headers_mut().extend(self.hint.map(|hint| match hint {
            Hint::Login => (header::WWW_AUTHENTICATE, CHALLENGE),
            Hint::WaitSeconds(seconds) => (header::RETRY_AFTER, seconds.into()),
        }));
        response
    }
}
