//! An HTTP/2 connection in; the answers of the routes to its requests out, within limits of streams, heads,
//! windows and time (RFC 9113, sections 5.1.2, 6.5.2 and 10.5).
//!
//! The library implements the protocol. It has no limit for answers that clients do not read and for requests
//! that clients cancel, and does not know how much memory there is: `Streams` and a budget add these
//! limits.

use std::convert::Infallible;
use std::error::Error;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use actix_http::{BoxedPayloadStream, Payload};
use actix_service::Service;
use actix_web::HttpResponse;
use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::http::{Method, Uri, Version};
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use hyper::rt::Executor;
use hyper::server::conn::http2::Builder;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::time::interval;

use super::budget::{Budget, Held};
use super::connection::Connection;
use super::connections::Connections;
use super::grpc_status::{self, SUCCESS};
use super::pieces::PIECE;
use super::request_body::RequestBody;
use super::streams::{self, Streams};

/// The time between two checks of a connection's deadlines.
const TICK: Duration = Duration::from_secs(1);
/// How long a connection may be open without a request before the first.
const FIRST: Duration = Duration::from_secs(10);
/// How long a client has to close the connection after it is asked to, and running requests have to be
/// answered.
const LEAVE: Duration = Duration::from_secs(30);
/// The most bytes that a client may send before they are read: for one request, and for the whole connection.
const WINDOW: u32 = 64 << 10;
/// The largest head, bytes, counted by its fields (RFC 9113, section 6.5.2): the same as for HTTP/1.
const HEAD: u32 = 16 << 10;
/// The least memory that a request holds, bytes: its head, its task, a short answer.
const REQUEST: usize = 16 << 10;
/// The longest answer that holds no further memory, bytes.
const SHORT: u64 = 4 << 10;

/// The answer of a route, for any version of HTTP.
type Answered = actix_http::Response<BoxBody>;

/// The limits within which requests are answered.
#[derive(Clone)]
pub struct Http2 {
    /// Memory for the requests of all connections.
    pub budget: Budget,
    /// All connections of the server.
    pub connections: std::sync::Arc<Connections>,
    /// How long a connection may be idle.
    pub keep_alive: Duration,
}

impl Http2 {
    /// Answer the requests of a connection until it ends. `stopping` resolves when no more requests are to be
    /// accepted.
    pub async fn serve<S>(&self, connection: Connection, app: Rc<S>, stopping: impl Future<Output = ()>)
    where
        S: Service<actix_http::Request, Response = Answered, Error = actix_web::Error> + 'static,
    {
        let streams = Streams::new();
        let connection = connection.into_http2(streams.clone());
        let (this, shared) = (self.clone(), streams.clone());
        let answer = service_fn(move |request| {
            let (this, app, stream) = (this.clone(), app.clone(), shared.begin());
            async move { Ok::<_, Infallible>(this.answer(&*app, request, stream).await) }
        });
        let connection = builder().serve_connection(TokioIo::new(connection), answer);
        let (mut connection, mut stopping) = (pin!(connection), pin!(stopping));
        let (mut tick, mut leaving) = (interval(TICK), None);
        loop {
            tokio::select! {
                _ = connection.as_mut() => return,
                () = &mut stopping, if leaving.is_none() => {}
                () = streams.closing.notified(), if leaving.is_none() => {}
                _ = tick.tick() => match streams.overdue(FIRST, self.keep_alive) {
                    None if leaving.is_none_or(|since: std::time::Instant| since.elapsed() < LEAVE) => continue,
                    Some(streams::Overdue::Idle) if leaving.is_none() => {}
                    _ => return, // dropping the connection closes it and ends its requests
                },
            }
            leaving = Some(std::time::Instant::now());
            connection.as_mut().graceful_shutdown();
        }
    }

    async fn answer<S>(
        &self,
        app: &S,
        request: http::Request<Incoming>,
        stream: streams::Request,
    ) -> http::Response<Outgoing>
    where
        S: Service<actix_http::Request, Response = Answered, Error = actix_web::Error>,
    {
        let is_grpc = grpc_status::is_grpc(request.headers().get(http::header::CONTENT_TYPE));
        let is_head = request.method() == http::Method::HEAD;
        let request = request.map(RequestBody::new);
        let body = request.body().clone();
        let mut held = self.budget.open();
        let answered = match held.grow(REQUEST) {
            Ok(()) => app.call(converted(request)).await.unwrap_or_else(Into::into),
            Err(_) => busy(),
        };
        if answered.status().is_client_error() || answered.status().is_server_error() {
            body.clone().discard().await;
        }
        let mut answered = if is_grpc { grpc_status::of(answered).await } else { answered };
        let is_long = !matches!(answered.body().size(), BodySize::Sized(0..=SHORT) | BodySize::None);
        if is_long && held.grow(PIECE).is_err() {
            answered = if is_grpc { grpc_status::of(busy()).await } else { busy() };
        }
        if self.connections.is_closing() {
            stream.close();
        }
        outgoing(answered, is_head, body, stream, held)
    }
}

fn builder() -> Builder<Local> {
    let mut builder = Builder::new(Local);
    builder
        .max_concurrent_streams(streams::MAX_STREAMS)
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(WINDOW)
        .max_header_list_size(HEAD)
        .max_send_buf_size(PIECE);
    builder
}

/// Spawns tasks on the connection's own thread.
#[derive(Clone, Copy)]
struct Local;

impl<F: Future<Output = ()> + 'static> Executor<F> for Local {
    fn execute(&self, task: F) {
        actix_web::rt::spawn(task);
    }
}

fn busy() -> Answered {
    let error = r#"{"error":"the detector is busy with other requests"}"#;
    let mut response = HttpResponse::ServiceUnavailable();
    response.insert_header((header::RETRY_AFTER, "1")).content_type("application/json").body(error).into()
}

/// Convert the library's request into the routes' type.
fn converted(request: http::Request<RequestBody>) -> actix_http::Request {
    let (parts, body) = request.into_parts();
    let payload: BoxedPayloadStream = Box::pin(body);
    let mut request = actix_http::Request::with_payload(Payload::from(payload));
    let head = request.head_mut();
    head.version = Version::HTTP_2;
    head.method = Method::from_bytes(parts.method.as_str().as_bytes()).unwrap_or(Method::GET);
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    head.uri = path.parse().unwrap_or_else(|_| Uri::from_static("/"));
    for (name, value) in &parts.headers {
        let name = HeaderName::from_bytes(name.as_str().as_bytes());
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_bytes(value.as_bytes())) {
            head.headers.append(name, value);
        }
    }
    let host = parts.uri.authority().and_then(|authority| HeaderValue::from_str(authority.as_str()).ok());
    if let Some(host) = host {
        head.headers.insert(header::HOST, host);
    }
    request
}

/// Convert the routes' answer into the library's type.
fn outgoing(
    answered: Answered,
    is_head: bool,
    request: RequestBody,
    stream: streams::Request,
    held: Held,
) -> http::Response<Outgoing> {
    let (parts, body) = answered.into_parts();
    let mut response = http::Response::new(());
    *response.status_mut() = http::StatusCode::from_u16(parts.status().as_u16()).unwrap_or_default();
    copy(parts.headers(), response.headers_mut());
    let length = match body.size() {
        BodySize::Sized(length) => Some(length),
        BodySize::None | BodySize::Stream => None,
    };
    let has_body = !is_head && !matches!(body.size(), BodySize::None | BodySize::Sized(0));
    if let Some(length) = length.filter(|_| !response.status().is_informational()) {
        response.headers_mut().insert(http::header::CONTENT_LENGTH, length.into());
    }
    let kind = response.headers().get(http::header::CONTENT_TYPE);
    let is_grpc = has_body && grpc_status::is_grpc(kind);
    let (body, trailers) = (has_body.then_some(body), is_grpc.then(grpc_trailers));
    response.map(|()| Outgoing {
        body,
        trailers,
        length: length.filter(|_| has_body),
        stream,
        _request: request,
        _held: held,
    })
}

fn grpc_trailers() -> http::HeaderMap {
    [(http::HeaderName::from_static(SUCCESS.0), http::HeaderValue::from_static(SUCCESS.1))]
        .into_iter()
        .collect()
}

/// Copy all headers except those of a connection, which HTTP/2 does not have (RFC 9113, section 8.2.2).
fn copy(from: &HeaderMap, to: &mut http::HeaderMap) {
    for (name, value) in from {
        if [header::CONNECTION, header::TRANSFER_ENCODING, header::UPGRADE].contains(name) {
            continue;
        }
        let name = http::HeaderName::from_bytes(name.as_str().as_bytes());
        if let (Ok(name), Ok(value)) = (name, http::HeaderValue::from_bytes(value.as_bytes())) {
            to.append(name, value);
        }
    }
}

/// The body of an answer. Its end is announced when it is polled, not by its length: so it keeps its memory
/// until the client has taken all of it.
struct Outgoing {
    body: Option<BoxBody>,
    trailers: Option<http::HeaderMap>,
    length: Option<u64>,
    stream: streams::Request,
    _request: RequestBody,
    _held: Held,
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = Box<dyn Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        self.stream.taken();
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        match ready!(Pin::new(body).poll_next(cx)) {
            Some(Ok(piece)) => {
                self.stream.given();
                Poll::Ready(Some(Ok(Frame::data(piece))))
            }
            Some(Err(error)) => Poll::Ready(Some(Err(error.to_string().into()))),
            None => {
                self.body = None;
                self.stream.answered();
                Poll::Ready(self.trailers.take().map(|trailers| Ok(Frame::trailers(trailers))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        if self.body.is_none() && self.trailers.is_none() {
            self.stream.answered();
            return true;
        }
        false
    }

    fn size_hint(&self) -> SizeHint {
        match self.length {
            Some(length) if self.trailers.is_none() => SizeHint::with_exact(length),
            _ => SizeHint::default(),
        }
    }
}
