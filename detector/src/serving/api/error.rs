//! All errors of requests, with their status codes and JSON.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, ResponseError};
use serde_json::json;
use thiserror::Error;

use crate::excerpt::{MAX_EXCERPT, excerpt};
use crate::ingest::sources::http::inlet::Receipt;
use crate::serving::batches::{Busy, Panicked};
use crate::serving::body::BodyError;
use crate::serving::budget::Exhausted;

/// A request that cannot be answered as asked. The body is `{"error": "…"}`, one sentence.
#[derive(Debug, Error)]
pub enum ApiError {
    /// 400: not JSON, or not the JSON of this path.
    #[error("{0}")]
    Malformed(String),
    /// 422: the right JSON with values that the model cannot take. The field, and what is wrong with it.
    #[error("{0}: {1}")]
    Unprocessable(String, String),
    /// 400, 408, 413 or 503: the body could not be read.
    #[error(transparent)]
    Body(#[from] BodyError),
    /// 413: more rows than one request may have.
    #[error("instances: expected at most {0} rows, got more")]
    TooManyRows(usize),
    /// 415: another Content-Type or Content-Encoding.
    #[error("{0}")]
    Unsupported(String),
    /// 404: another path than those of the API.
    #[error("no such path: {}", excerpt(.0, MAX_EXCERPT))]
    NoSuchPath(String),
    /// 404: another model or version than the one that serves here.
    #[error("no such {kind}: {}, expected {expected}", excerpt(name, MAX_EXCERPT))]
    NoSuch {
        /// `model` or `version`.
        kind: &'static str,
        /// The name or version in the request.
        name: String,
        /// The name or version that serves.
        expected: String,
    },
    /// 405: a method that the path does not take.
    #[error(
        "{} does not take {}: expected one of {allowed}",
        excerpt(path, MAX_EXCERPT),
        excerpt(method, MAX_EXCERPT)
    )]
    WrongMethod {
        /// The path of the request.
        path: String,
        /// The method of the request.
        method: String,
        /// The methods that the path takes.
        allowed: &'static str,
    },
    /// 400: some of the pushed items are not readings, or come too late; the others count.
    #[error("{}", lost(receipt, named))]
    Items {
        /// The outcome of the readings.
        receipt: Receipt,
        /// How many items are refused.
        refused: usize,
        /// The first refused items, by index, each with an error message.
        named: Vec<(usize, String)>,
    },
    /// 401: no valid token.
    #[error("{0}")]
    Unauthorized(String),
    /// 404: the detector has no source that is pushed to.
    #[error("the detector has no source of kind http to push readings to")]
    NoInlet,
    /// 429: readings arrive faster than they are judged.
    #[error("{0}")]
    TooMany(String),
    /// 503: no model serves yet, or the program is starting or stopping.
    #[error("{0}")]
    NotReady(String),
    /// 503: other requests hold the memory or the places that this one needs.
    #[error("the detector is busy with other requests")]
    Busy,
    /// 500: a bug; the log has the details.
    #[error("the request could not be answered, the detector's log says why")]
    Panicked,
}

impl From<Busy> for ApiError {
    fn from(_: Busy) -> Self {
        Self::Busy
    }
}

impl From<Exhausted> for ApiError {
    fn from(_: Exhausted) -> Self {
        Self::Busy
    }
}

impl From<Panicked> for ApiError {
    fn from(_: Panicked) -> Self {
        Self::Panicked
    }
}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        match self {
            Self::Malformed(_) | Self::Items { .. } | Self::Body(BodyError::Unreadable(_)) => {
                StatusCode::BAD_REQUEST
            }
            Self::Unprocessable(..) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Body(BodyError::Slow) => StatusCode::REQUEST_TIMEOUT,
            Self::Body(BodyError::TooLarge(_)) | Self::TooManyRows(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Unsupported(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::NoSuchPath(_) | Self::NoSuch { .. } | Self::NoInlet => StatusCode::NOT_FOUND,
            Self::WrongMethod { .. } => StatusCode::METHOD_NOT_ALLOWED,
            Self::NotReady(_) | Self::Busy | Self::Body(BodyError::Busy) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Panicked => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Unauthorized(_) => StatusCode::UNAUTHORIZED,
            Self::TooMany(_) => StatusCode::TOO_MANY_REQUESTS,
        }
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status_code());
        let code = self.status_code();
        if matches!(code, StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS) {
            response.insert_header(("Retry-After", "1"));
        }
        if let Self::Unauthorized(_) = self {
            response.insert_header(("WWW-Authenticate", "Bearer"));
        }
        if let Self::Body(_) = self {
            response.force_close(); // do not wait for the rest of the body
        }
        if let Self::WrongMethod { allowed, .. } = self {
            response.insert_header(("Allow", *allowed));
        }
        let mut body = json!({ "error": self.to_string() });
        if let Self::Items { receipt, named, .. } = self {
            let item = |(item, why): &(usize, String)| json!({ "item": item, "error": why });
            body["accepted"] = json!(receipt.accepted);
            body["refused"] = named.iter().map(item).collect();
            body["dropped"] = json!(receipt.late);
        }
        response.json(body)
    }
}

/// The message of rejected items: the first refused item, the dropped readings, and how many readings count.
fn lost(receipt: &Receipt, named: &[(usize, String)]) -> String {
    let refused = named.first().map(|(item, why)| format!("item {item}: {why}"));
    let accepted = match receipt.accepted {
        1 => "1 reading is accepted".to_owned(),
        count => format!("{count} readings are accepted"),
    };
    let parts = [refused, receipt.dropped(), Some(accepted)];
    parts.into_iter().flatten().collect::<Vec<_>>().join("; ")
}
