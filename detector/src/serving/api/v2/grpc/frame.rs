//! The body of a call in, its one message out; and the reverse. A frame is a byte that tells whether the
//! message is compressed, the length of the message, and the message.

use actix_web::HttpRequest;
use actix_web::http::header::HeaderName;
use actix_web::web::Bytes;

use super::super::super::error::ApiError;
use super::super::super::push::header;
use super::message::Message;
use crate::serving::body::Body;

/// The length of a frame before its message, bytes.
pub(super) const HEAD: usize = 5;

/// The message in a body, and its compression.
///
/// # Errors
/// The body is not one whole message.
pub(super) fn message(request: &HttpRequest, body: Body) -> Result<(Body, String), ApiError> {
    let Some((&[flag, a, b, c, d], rest)) = body.bytes.split_first_chunk() else {
        return Err(ApiError::Malformed("expected one message of gRPC, got none".to_owned()));
    };
    let length = u32::from_be_bytes([a, b, c, d]) as usize;
    if length != rest.len() {
        let why = format!("expected one message of gRPC, of {length} bytes, got {}", rest.len());
        return Err(ApiError::Malformed(why));
    }
    let encoding = match flag {
        0 => String::new(),
        1 => match header(request, HeaderName::from_static("grpc-encoding")) {
            "" | "identity" => {
                let why = "expected grpc-encoding to say how a message with flag 1 is compressed";
                return Err(ApiError::Malformed(why.to_owned()));
            }
            encoding => encoding.to_owned(),
        },
        _ => {
            return Err(ApiError::Malformed(format!(
                "expected a flag of 0 or 1 before the message, got {flag}"
            )));
        }
    };
    Ok((Body { bytes: body.bytes.slice(HEAD..), held: body.held }, encoding))
}

/// A message in its frame.
pub(super) fn framed(message: &Message) -> Bytes {
    let mut bytes = head(message.bytes().len()).to_vec();
    bytes.extend_from_slice(message.bytes());
    bytes.into()
}

/// The bytes of a frame before a message of this length.
pub(super) fn head(length: usize) -> [u8; HEAD] {
    let [a, b, c, d] = u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes();
    [0, a, b, c, d]
}
