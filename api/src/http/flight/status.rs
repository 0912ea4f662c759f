//! Errors as gRPC tells them.

use std::fmt::Display;

use axum::http::StatusCode;
use tonic::{Code, Status};

use crate::http::problem::Problem;
use crate::sql_door::Refused;

/// A failure of ours: logged here, told without its inside.
pub(super) fn failed(error: impl Display) -> Status {
    tracing::error!(error = format!("{error:#}"), "a call of Flight failed");
    Status::internal("the server failed to answer; its log says why")
}

impl From<Refused> for Status {
    fn from(refused: Refused) -> Self {
        let code = match refused {
            Refused::Statement(_) => Code::InvalidArgument,
            Refused::Forbidden(_) => Code::PermissionDenied,
            Refused::Busy(_) => Code::Unavailable,
            Refused::TooLong(_) => Code::DeadlineExceeded,
            Refused::TooManyRows(_) | Refused::TooManyBytes(_) | Refused::TooMuchMemory(_) => {
                Code::ResourceExhausted
            }
            Refused::Failed(_) => Code::FailedPrecondition,
        };
        Self::new(code, refused.to_string())
    }
}

/// Who is not let in hears of it in gRPC's own words.
impl From<Problem> for Status {
    fn from(problem: Problem) -> Self {
        let code = match problem.status() {
            StatusCode::UNAUTHORIZED => Code::Unauthenticated,
            StatusCode::FORBIDDEN => Code::PermissionDenied,
            StatusCode::TOO_MANY_REQUESTS => Code::ResourceExhausted,
            StatusCode::SERVICE_UNAVAILABLE => Code::Unavailable,
            _ => Code::Internal,
        };
        Self::new(code, problem.into_detail())
    }
}
