//! A client's bytes in; the same bytes out, with deadlines: on the TLS handshake, on the head of a request,
//! on the client's reading of an answer, and on silence.
//!
//! The HTTP library has a deadline for the first head only, and none for writing. Here each connection has a
//! timer that ticks once a second, which costs requests nothing.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use actix_web::rt::net::TcpStream;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep, sleep_until, timeout};

use super::connections::{Connections, Open};
use super::pipeline::Pipeline;
use super::request_head::RequestHead;
use super::streams::Streams;
use super::transport::Transport;

const TICK: Duration = Duration::from_secs(1);
/// How long a new client has to send a request before it can be evicted to make room for others.
const GRACE: Duration = Duration::from_millis(20);
/// The same for a client whose TLS handshake is not done.
const HANDSHAKE_GRACE: Duration = Duration::from_millis(100);
/// The longest time for the TLS handshake, and for the first bytes.
const FIRST: Duration = Duration::from_secs(10);
/// The first bytes of a client that speaks HTTP/2 without negotiation (RFC 9113, section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// The longest time that a head may take to arrive, ticks.
const HEAD: u32 = 10;
/// The fewest bytes that a client must read in `TAKING` ticks while more are ready for it; else its
/// connection is closed.
const MIN_TAKEN: usize = 64 << 10;
const TAKING: u32 = 10;

const SLOW_HEAD: &[u8] = b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
const LARGE_HEAD: &[u8] =
    b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

/// A client's connection.
pub struct Connection {
    transport: Transport,
    /// The bytes that were read to detect the protocol; later reads return them first.
    ahead: Vec<u8>,
    open: Open,
    accepted: Instant,
    clock: Pin<Box<Sleep>>,
    /// The waker of the task that is woken at the next tick.
    waker: Option<Waker>,
    progress: Progress,
    pipeline: Pipeline,
    /// Ticks since the first byte of the current request.
    request_age: u32,
    /// Set while the client does not read all that is ready for it: the ticks and the bytes read since the
    /// last check.
    blocked: Option<(u32, usize)>,
    /// Ticks since bytes were last received or sent.
    silence: u32,
    longest_silence: u32,
}

/// The progress of a connection's requests.
enum Progress {
    /// One request after the other.
    Http1(RequestHead),
    /// Many requests at once.
    Http2(Rc<Streams>),
}

impl Connection {
    /// Accept a connection; with TLS, do the handshake. `longest_silence` is the longest time without a byte
    /// in either direction.
    ///
    /// # Errors
    /// The handshake failed or took too long, or the connection was evicted to make room for others.
    pub async fn accept(
        stream: TcpStream,
        connections: &Arc<Connections>,
        tls: Option<Arc<ServerConfig>>,
        longest_silence: Duration,
    ) -> io::Result<Self> {
        // Answers are written whole: waiting for more bytes gains nothing.
        let _ = stream.set_nodelay(true);
        let (open, accepted) = (connections.accept(), Instant::now());
        let transport = match tls {
            None => Transport::Plain(stream),
            Some(config) => tokio::select! {
                transport = Transport::accept(stream, config) => transport?,
                () = sleep(FIRST) => return Err(cut("the handshake took too long")),
                () = evicted(&open, accepted + HANDSHAKE_GRACE) => return Err(cut("other clients need the connection")),
            },
        };
        Ok(Self::new(transport, open, accepted, longest_silence))
    }

    fn new(transport: Transport, open: Open, accepted: Instant, longest_silence: Duration) -> Self {
        Self {
            transport,
            ahead: Vec::new(),
            open,
            accepted,
            clock: Box::pin(sleep(TICK)),
            waker: None,
            progress: Progress::Http1(RequestHead::default()),
            pipeline: Pipeline::default(),
            request_age: 0,
            blocked: None,
            silence: 0,
            longest_silence: u32::try_from(longest_silence.as_secs()).unwrap_or(u32::MAX),
        }
    }

    /// Whether the client speaks HTTP/2: as negotiated in the TLS handshake, else by its first bytes.
    ///
    /// # Errors
    /// The first bytes do not arrive in time, or cannot be read.
    pub async fn is_http2(&mut self) -> io::Result<bool> {
        if let Some(agreed) = self.transport.is_http2() {
            return Ok(agreed);
        }
        let mut first = [0; PREFACE.len()];
        let mut length = 0;
        let first_bytes = async {
            while length < PREFACE.len() && first[..length] == PREFACE[..length] {
                match self.read(&mut first[length..]).await? {
                    0 => break,
                    count => length += count,
                }
            }
            Ok(())
        };
        let come = timeout(FIRST, first_bytes).await;
        come.unwrap_or_else(|_| Err(self.refuse(SLOW_HEAD, "no request arrived")))?;
        self.ahead = first[..length].to_vec();
        Ok(first[..length] == *PREFACE)
    }

    /// The same connection for HTTP/2, whose requests `streams` counts.
    #[must_use]
    pub fn into_http2(self, streams: Rc<Streams>) -> Self {
        Self { progress: Progress::Http2(streams), ..self }
    }

    /// Wait because no bytes can be transferred now: check the deadlines, and wake the task at the next tick.
    fn wait<T>(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        let is_set = self.waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker()));
        if is_set && !self.clock.is_elapsed() && self.open.is_answered() {
            return Poll::Pending;
        }
        self.waker = Some(cx.waker().clone());
        loop {
            if self.open.is_evicted(cx.waker()) && !self.has_new_request() {
                if self.accepted.elapsed() >= GRACE {
                    return Poll::Ready(Err(cut("other clients need the connection")));
                }
                let end = self.accepted + GRACE;
                self.clock.as_mut().reset(end);
            }
            ready!(self.clock.as_mut().poll(cx));
            self.clock.as_mut().reset(Instant::now() + TICK);
            self.tick()?;
        }
    }

    /// Whether a request must be answered before the connection can be evicted; in HTTP/1, only a request of
    /// the last second.
    fn has_new_request(&self) -> bool {
        match &self.progress {
            Progress::Http1(head) => head.is_whole() && self.request_age == 0,
            Progress::Http2(streams) => streams.are_under_way(),
        }
    }

    fn tick(&mut self) -> io::Result<()> {
        self.silence += 1;
        if self.silence > self.longest_silence {
            return Err(cut("no data was sent or received"));
        }
        self.request_age += 1;
        let is_arriving = matches!(&self.progress, Progress::Http1(head) if head.is_arriving());
        if is_arriving && self.request_age > HEAD {
            return Err(self.refuse(SLOW_HEAD, "the head of a request did not arrive in time"));
        }
        if let Some((ticks, taken)) = &mut self.blocked {
            *ticks += 1;
            if *ticks >= TAKING {
                if *taken < MIN_TAKEN {
                    return Err(cut("the client did not read the response"));
                }
                (*ticks, *taken) = (0, 0);
            }
        }
        Ok(())
    }

    /// Send an error answer before the connection ends, if the buffer has room. Return the error.
    fn refuse(&mut self, answer: &[u8], why: &str) -> io::Error {
        self.transport.try_write(answer);
        cut(why)
    }

    fn received(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.silence = 0;
        let Progress::Http1(head) = &mut self.progress else { return Ok(()) };
        if head.is_between_requests() {
            self.request_age = 0;
        }
        let head = head.received(bytes);
        let head = head.map_err(|_| self.refuse(LARGE_HEAD, "the head of a request is too large"))?;
        self.pipeline.received(bytes, head).map_err(|_| cut("too many requests wait for their answers"))
    }

    fn sent(&mut self, bytes: &[u8]) {
        self.silence = 0;
        if let Some((_, taken)) = &mut self.blocked {
            *taken += bytes.len();
        }
        match &mut self.progress {
            Progress::Http1(head) => {
                head.answered(bytes);
                self.pipeline.sent(bytes);
            }
            // The settings of HTTP/2 are not an answer.
            Progress::Http2(streams) if !streams.are_answered() => return,
            Progress::Http2(_) => {}
        }
        self.open.answered();
    }
}

/// Resolves when the connection is evicted, but not before `end`.
async fn evicted(open: &Open, end: Instant) {
    poll_fn(|cx| if open.is_evicted(cx.waker()) { Poll::Ready(()) } else { Poll::Pending }).await;
    sleep_until(end).await;
}

fn cut(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, why.to_owned())
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.ahead.is_empty() {
            let length = self.ahead.len().min(buffer.remaining());
            buffer.put_slice(&self.ahead[..length]);
            self.ahead.drain(..length);
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        match Pin::new(&mut self.transport).poll_read(cx, buffer) {
            Poll::Ready(Ok(())) => {
                let bytes = &buffer.filled()[before..];
                if !bytes.is_empty() {
                    self.received(bytes)?;
                }
                Poll::Ready(Ok(()))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => self.wait(cx),
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match Pin::new(&mut self.transport).poll_write(cx, bytes) {
            Poll::Ready(Ok(count)) => {
                self.sent(&bytes[..count]);
                if count == bytes.len() {
                    self.blocked = None;
                }
                Poll::Ready(Ok(count))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => {
                self.blocked.get_or_insert((0, 0));
                self.wait(cx)
            }
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match Pin::new(&mut self.transport).poll_flush(cx) {
            Poll::Ready(result) => {
                self.blocked = None;
                Poll::Ready(result)
            }
            Poll::Pending => {
                self.blocked.get_or_insert((0, 0));
                self.wait(cx)
            }
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.transport).poll_shutdown(cx)
    }
}
