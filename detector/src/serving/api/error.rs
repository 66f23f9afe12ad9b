//! Everything that can be wrong with a request, and the status code and JSON that say so.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, ResponseError};
use serde_json::{Value, json};
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
    /// 400: some of what was pushed is no reading; the rest counts.
    #[error("item {}; {accepted} readings count", first(refused))]
    Items {
        /// How many readings count.
        accepted: usize,
        /// The first items that are none, by their place, each with a sentence.
        refused: Vec<Value>,
    },
    /// 401.
    #[error("{0}")]
    Unauthorized(String),
    /// 404: nothing is pushed to this detector.
    #[error("the detector has no source of kind http to push readings to")]
    NoInlet,
    /// 429: more arrives than is judged.
    #[error("{0}")]
    TooMany(String),
    /// 503: nobody can answer yet, or any more.
    #[error("{0}")]
    NotReady(String),
}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        match self {
            Self::Malformed(_) | Self::Items { .. } => StatusCode::BAD_REQUEST,
            Self::Unprocessable(..) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::NoSuchPath(_) | Self::NoInlet => StatusCode::NOT_FOUND,
            Self::WrongMethod { .. } => StatusCode::METHOD_NOT_ALLOWED,
            Self::NotReady(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Unauthorized(_) => StatusCode::UNAUTHORIZED,
            Self::TooMany(_) => StatusCode::TOO_MANY_REQUESTS,
        }
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status_code());
        if matches!(self, Self::NotReady(_) | Self::TooMany(_)) {
            response.insert_header(("Retry-After", "1"));
        }
        if let Self::Unauthorized(_) = self {
            response.insert_header(("WWW-Authenticate", "Bearer"));
        }
        let mut body = json!({ "error": self.to_string() });
        if let Self::Items { accepted, refused } = self {
            body["accepted"] = json!(accepted);
            body["refused"] = json!(refused);
        }
        response.json(body)
    }
}

/// `2: what is wrong with it`, of the first item that is.
fn first(refused: &[Value]) -> String {
    refused.first().map_or_else(String::new, |item| {
        format!("{}: {}", item["item"], item["error"].as_str().unwrap_or_default())
    })
}
