//! Everything that can be wrong with a request, and the status code and JSON that say so.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, ResponseError};
use serde_json::json;
use thiserror::Error;

/// The largest request body: batches beyond it belong into several requests.
pub const MAX_BYTES: usize = 2 << 20;

/// A request that cannot be answered as asked. The body is `{"error": "…"}`, one sentence.
#[derive(Debug, Error)]
pub enum ApiError {
    /// 400: not JSON, or not the JSON of this path.
    #[error("{0}")]
    Malformed(String),
    /// 422: the right JSON with values that the model cannot take. Field and sentence.
    #[error("{0}: {1}")]
    Unprocessable(String, String),
    /// 413.
    #[error("expected a body of at most {MAX_BYTES} bytes")]
    TooLarge,
    /// 404.
    #[error("no such path: {0}")]
    NoSuchPath(String),
    /// 405.
    #[error("{path} does not take {method}")]
    WrongMethod {
        /// What was asked for.
        path: String,
        /// How.
        method: String,
    },
    /// 503: nobody can answer yet, or any more.
    #[error("{0}")]
    NotReady(String),
}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        match self {
            Self::Malformed(_) => StatusCode::BAD_REQUEST,
            Self::Unprocessable(..) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::NoSuchPath(_) => StatusCode::NOT_FOUND,
            Self::WrongMethod { .. } => StatusCode::METHOD_NOT_ALLOWED,
            Self::NotReady(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status_code());
        if matches!(self, Self::NotReady(_)) {
            response.insert_header(("Retry-After", "1"));
        }
        response.json(json!({ "error": self.to_string() }))
    }
}
