//! A TCP stream in; the same stream out, with deadlines: on the head of a request, on the client that takes an answer, and
//! on silence.
//!
//! The HTTP library has a deadline for the first head only, and none for writing. A clock that ticks once a second for each
//! connection costs requests nothing.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use actix_web::rt::net::TcpStream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

use super::connections::{Connections, Open};
use super::request_head::RequestHead;

const TICK: Duration = Duration::from_secs(1);
/// How long a new client has to say what it wants before it makes room for others.
const GRACE: Duration = Duration::from_millis(20);
/// The longest that a head may take to arrive, ticks.
const HEAD: u32 = 10;
/// A client that takes less than so many bytes in so many ticks, while there are more for it, is cut off.
const LEAST_TAKEN: usize = 64 << 10;
const TAKING: u32 = 10;

const SLOW_HEAD: &[u8] = b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
const LARGE_HEAD: &[u8] =
    b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

/// A client's connection.
pub struct Connection {
    stream: TcpStream,
    open: Open,
    accepted: Instant,
    clock: Pin<Box<Sleep>>,
    head: RequestHead,
    /// Ticks since the first byte of the request that is under way.
    request_age: u32,
    /// Since when the client does not take what is there for it: ticks, and what it has taken since.
    blocked: Option<(u32, usize)>,
    /// Ticks since anything came or went.
    silence: u32,
    longest_silence: u32,
}

impl Connection {
    /// A connection that was just accepted. `longest_silence`: how long nothing may come or go.
    pub fn new(stream: TcpStream, connections: &Arc<Connections>, longest_silence: Duration) -> Self {
        // Answers are written whole: nothing is gained by waiting for more.
        let _ = stream.set_nodelay(true);
        Self {
            stream,
            open: connections.accept(),
            accepted: Instant::now(),
            clock: Box::pin(sleep(TICK)),
            head: RequestHead::default(),
            request_age: 0,
            blocked: None,
            silence: 0,
            longest_silence: u32::try_from(longest_silence.as_secs()).unwrap_or(u32::MAX),
        }
    }

    /// Nothing can be done now: look at the clock, which wakes the task at its next tick.
    fn wait<T>(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        loop {
            if self.open.is_evicted(cx.waker()) && !self.has_new_request() {
                if self.accepted.elapsed() >= GRACE {
                    return Poll::Ready(Err(cut("others need the place")));
                }
                let end = self.accepted + GRACE;
                self.clock.as_mut().reset(end);
            }
            ready!(self.clock.as_mut().poll(cx));
            self.clock.as_mut().reset(Instant::now() + TICK);
            self.tick()?;
        }
    }

    /// Whether a request was made within the last second: it is answered first, however many others come after it.
    fn has_new_request(&self) -> bool {
        self.head.is_whole() && self.request_age == 0
    }

    fn tick(&mut self) -> io::Result<()> {
        self.silence += 1;
        if self.silence > self.longest_silence {
            return Err(cut("nothing came or went"));
        }
        self.request_age += 1;
        if self.head.is_arriving() && self.request_age > HEAD {
            return Err(self.refuse(SLOW_HEAD, "the head of a request did not arrive in time"));
        }
        if let Some((ticks, taken)) = &mut self.blocked {
            *ticks += 1;
            if *ticks >= TAKING {
                if *taken < LEAST_TAKEN {
                    return Err(cut("the answer was not taken"));
                }
                (*ticks, *taken) = (0, 0);
            }
        }
        Ok(())
    }

    /// Say why before the end, if there is room for it.
    fn refuse(&self, answer: &[u8], why: &str) -> io::Error {
        let _ = self.stream.try_write(answer);
        cut(why)
    }

    fn received(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.silence = 0;
        if self.head.is_between_requests() {
            self.request_age = 0;
        }
        self.head.received(bytes).map_err(|_| self.refuse(LARGE_HEAD, "the head of a request is too large"))
    }

    fn sent(&mut self, bytes: &[u8]) {
        self.silence = 0;
        if let Some((_, taken)) = &mut self.blocked {
            *taken += bytes.len();
        }
        self.head.answered(bytes);
        self.open.answered();
    }
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
        let before = buffer.filled().len();
        match Pin::new(&mut self.stream).poll_read(cx, buffer) {
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
        match Pin::new(&mut self.stream).poll_write(cx, bytes) {
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
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
