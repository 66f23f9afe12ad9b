//! A stream to a detector and a request in; the answer, complete or as a stream, out.

use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::{HeaderValue, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::handshake;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::error::CommandError;

/// A stream to a detector.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// A request to a detector.
#[derive(Clone, Debug)]
pub struct DetectorRequest {
    /// The path and the query.
    pub path: String,
    /// The body of a POST request; none: a GET request.
    pub body: Option<Vec<u8>>,
    /// The Content-Type of the body; empty for GET.
    pub content_type: &'static str,
}

impl DetectorRequest {
    /// GET a path.
    pub fn get(path: impl Into<String>) -> Self {
        Self { path: path.into(), body: None, content_type: "" }
    }

    /// POST JSON to a path.
    pub fn post(path: impl Into<String>, body: Vec<u8>) -> Self {
        Self { path: path.into(), body: Some(body), content_type: "application/json" }
    }

    fn into_http(self, authorization: Option<HeaderValue>) -> Request<Full<Bytes>> {
        let method = if self.body.is_some() { Method::POST } else { Method::GET };
        let mut request = Request::new(Full::new(self.body.unwrap_or_default().into()));
        *request.method_mut() = method;
        *request.uri_mut() = self.path.parse().expect("paths are made of names that the API server takes");
        let headers = request.headers_mut();
        headers.insert("host", "detector".parse().expect("a name is a header's value"));
        headers.insert("accept", "application/json".parse().expect("a media type is one"));
        if !self.content_type.is_empty() {
            headers.insert("content-type", self.content_type.parse().expect("a media type is one"));
        }
        headers.extend(authorization.map(|value| (AUTHORIZATION, value)));
        request
    }
}

/// Send a request on this stream, with an optional token, and return the answer's body as a stream.
///
/// # Errors
/// The stream breaks, or the detector refuses.
pub async fn send(
    stream: impl Stream + 'static,
    request: DetectorRequest,
    authorization: Option<HeaderValue>,
) -> Result<Incoming, CommandError> {
    let (mut sender, connection) = handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let response = sender.send_request(request.into_http(authorization)).await?;
    let status = response.status();
    let body = response.into_body();
    if status.is_success() { Ok(body) } else { Err(refused(status, &read_body(body).await?)) }
}

/// Read a body to its end.
///
/// # Errors
/// The stream breaks.
pub async fn read_body(body: Incoming) -> Result<Bytes, CommandError> {
    Ok(body.collect().await?.to_bytes())
}

fn refused(status: StatusCode, body: &[u8]) -> CommandError {
    let json: Option<Value> = serde_json::from_slice(body).ok();
    let sentence = json.as_ref().and_then(|json| json["error"].as_str());
    let message = sentence.map_or_else(|| String::from_utf8_lossy(body).into_owned(), ToOwned::to_owned);
    CommandError::Refused { status: status.as_u16(), message }
}
