//! An HTTP answer in; the gRPC answer out: a success unchanged, anything else as a status with its message.
//!
//! <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>

use actix_web::HttpResponse;
use actix_web::body::{BoxBody, to_bytes_limited};
use actix_web::http::StatusCode;
use actix_web::http::header::CONTENT_TYPE;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde_json::Value;

/// The Content-Type of gRPC requests and answers.
pub const CONTENT: &str = "application/grpc";
/// The header with the gRPC status code.
const STATUS: &str = "grpc-status";
const MESSAGE: &str = "grpc-message";
/// The trailer that follows a successful answer.
pub const SUCCESS: (&str, &str) = (STATUS, "0");
/// The longest error body that is read, bytes.
const MAX_BYTES: usize = 8 << 10;
/// The characters that are percent-encoded in a message.
const ESCAPED: &AsciiSet = &CONTROLS.add(b'%');

/// Whether a Content-Type is gRPC's, with any encoding of the messages.
pub fn is_grpc(content_type: Option<&http::HeaderValue>) -> bool {
    content_type.is_some_and(|value| has_prefix(value.as_bytes()))
}

fn has_prefix(value: &[u8]) -> bool {
    let rest = value.strip_prefix(CONTENT.as_bytes());
    rest.is_some_and(|rest| matches!(rest, [] | [b'+' | b';', ..]))
}

/// Turn an HTTP answer into the answer to a gRPC request. An answer that already is gRPC stays unchanged.
pub async fn of(answered: actix_http::Response<BoxBody>) -> actix_http::Response<BoxBody> {
    let kind = answered.headers().get(CONTENT_TYPE);
    if kind.is_some_and(|kind| has_prefix(kind.as_bytes())) {
        return answered;
    }
    let status = answered.status();
    let body =
        to_bytes_limited(answered.into_body(), MAX_BYTES).await.ok().and_then(Result::ok).unwrap_or_default();
    let sentence = serde_json::from_slice::<Value>(&body).ok();
    let sentence = sentence.as_ref().and_then(|body| body["error"].as_str()).unwrap_or_default();
    HttpResponse::Ok()
        .content_type(CONTENT)
        .insert_header((STATUS, code(status).to_string()))
        .insert_header((MESSAGE, utf8_percent_encode(sentence, ESCAPED).to_string()))
        .finish()
        .into()
}

/// The gRPC status code that corresponds to an HTTP status code.
fn code(status: StatusCode) -> u8 {
    match status {
        StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY => 3, // INVALID_ARGUMENT
        StatusCode::REQUEST_TIMEOUT => 4,                                // DEADLINE_EXCEEDED
        StatusCode::NOT_FOUND => 5,
        StatusCode::PAYLOAD_TOO_LARGE | StatusCode::TOO_MANY_REQUESTS => 8, // RESOURCE_EXHAUSTED
        StatusCode::METHOD_NOT_ALLOWED | StatusCode::UNSUPPORTED_MEDIA_TYPE | StatusCode::NOT_IMPLEMENTED => {
            12
        }
        StatusCode::SERVICE_UNAVAILABLE => 14, // UNAVAILABLE
        StatusCode::UNAUTHORIZED => 16,        // UNAUTHENTICATED
        _ => 13,                               // INTERNAL
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[actix_web::test]
    async fn an_error_is_a_status_with_the_same_sentence() {
        let body = "{\"error\":\"100 %: zu heiß\"}";
        let error = HttpResponse::UnprocessableEntity().content_type("application/json").body(body);
        let answered = of(error.into()).await;
        assert_eq!(answered.status(), StatusCode::OK);
        assert_eq!(answered.headers().get(STATUS).unwrap(), "3");
        assert_eq!(answered.headers().get(MESSAGE).unwrap(), "100 %25: zu hei%C3%9F");
        assert_eq!(answered.headers().get(CONTENT_TYPE).unwrap(), CONTENT);
    }

    #[test]
    fn the_kind_of_a_message_counts_for_nothing() {
        for (kind, expected) in [
            ("application/grpc", true),
            ("application/grpc+proto", true),
            ("application/grpc-web", false),
            ("text/plain", false),
        ] {
            assert_eq!(is_grpc(Some(&http::HeaderValue::from_static(kind))), expected, "{kind}");
        }
    }
}
