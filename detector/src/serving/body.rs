//! A request's body in, as it arrives; its bytes out, within limits of size and time, and the process's
//! budget.

use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::error::PayloadError;
use actix_web::http::header::CONTENT_LENGTH;
use actix_web::web::{Bytes, BytesMut, Payload};
use futures::StreamExt;
use thiserror::Error;
use tokio::time::{Instant, timeout_at};

use super::budget::{Budget, Held};

/// The largest body that needs no room in the budget, bytes: connections are limited, and so are small
/// bodies.
pub const SMALL: usize = 16 << 10;
/// The longest time that a whole body may take to arrive.
const WHOLE: Duration = Duration::from_secs(30);
/// The longest pause between two parts of a body.
const STALL: Duration = Duration::from_secs(10);
/// The step by which a body holds more of the budget if its length is not announced, bytes.
const STEP: usize = 64 << 10;

/// A body, and the memory that it holds.
#[derive(Debug)]
pub struct Body {
    /// The bytes.
    pub bytes: Bytes,
    /// Their part of the budget.
    pub held: Held,
}

/// Why a body could not be read.
#[derive(Debug, Error)]
pub enum BodyError {
    /// The body is longer than this many bytes.
    #[error("expected a body of at most {0} bytes")]
    TooLarge(usize),
    /// The body did not arrive in time.
    #[error("the body has not arrived in time: expected some of it every 10 s and all of it in 30 s")]
    Slow,
    /// Other requests hold the memory that it needs.
    #[error("the detector is busy with other requests")]
    Busy,
    /// The connection broke, or the bytes were not a valid body.
    #[error("the body could not be read: {0}")]
    Unreadable(PayloadError),
}

/// Read the body of a request, at most `most` bytes.
///
/// # Errors
/// The body is too long or too slow, cannot be read, or the budget has no room for it.
pub async fn read(
    request: &HttpRequest,
    mut payload: Payload,
    budget: &Budget,
    most: usize,
) -> Result<Body, BodyError> {
    let mut body = Partial::new(budget, announced(request), most)?;
    let mut times = None;
    loop {
        let next = match at_once(&mut payload).await {
            Some(next) => next,
            None => Box::pin(in_time(&mut payload, &mut times)).await?,
        };
        match next {
            Some(chunk) => body.push(chunk.map_err(BodyError::Unreadable)?)?,
            None => return Ok(body.finish()),
        }
    }
}

/// The next part of the body, if it is there when the task is polled again. The server reads a small body
/// right after the head, so that such a body needs no timer.
async fn at_once(payload: &mut Payload) -> Option<Option<Result<Bytes, PayloadError>>> {
    let mut is_again = false;
    poll_fn(|cx| match payload.poll_next_unpin(cx) {
        Poll::Ready(next) => Poll::Ready(Some(next)),
        Poll::Pending if is_again => Poll::Ready(None),
        Poll::Pending => {
            is_again = true;
            cx.waker().wake_by_ref();
            Poll::Pending
        }
    })
    .await
}

async fn in_time(
    payload: &mut Payload,
    end: &mut Option<Instant>,
) -> Result<Option<Result<Bytes, PayloadError>>, BodyError> {
    let now = Instant::now();
    let end = *end.get_or_insert(now + WHOLE);
    timeout_at(end.min(now + STALL), payload.next()).await.map_err(|_| BodyError::Slow)
}

/// The length of the body that the request announces.
fn announced(request: &HttpRequest) -> Option<usize> {
    request.headers().get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// The part of a body that has arrived.
struct Partial {
    most: usize,
    first: Bytes,
    rest: BytesMut,
    held: Held,
    room: usize,
}

impl Partial {
    fn new(budget: &Budget, announced: Option<usize>, most: usize) -> Result<Self, BodyError> {
        let length = announced.unwrap_or_default();
        if length > most {
            return Err(BodyError::TooLarge(most));
        }
        let mut body =
            Self { most, first: Bytes::new(), rest: BytesMut::new(), held: budget.open(), room: SMALL };
        if length > SMALL {
            body.grow(length)?;
        }
        Ok(body)
    }

    fn grow(&mut self, room: usize) -> Result<(), BodyError> {
        self.held.grow(room - self.room).map_err(|_| BodyError::Busy)?;
        self.room = room;
        Ok(())
    }

    /// Append a chunk. The first chunk is not copied: most bodies have only one.
    fn push(&mut self, chunk: Bytes) -> Result<(), BodyError> {
        if self.first.is_empty() && self.rest.is_empty() {
            self.first = chunk;
            return self.check(self.first.len());
        }
        if self.rest.is_empty() {
            self.rest.reserve(self.room.max(self.first.len() + chunk.len()));
            self.rest.extend_from_slice(&std::mem::take(&mut self.first));
        }
        self.check(self.rest.len() + chunk.len())?;
        self.rest.extend_from_slice(&chunk);
        Ok(())
    }

    fn check(&mut self, length: usize) -> Result<(), BodyError> {
        if length > self.most {
            return Err(BodyError::TooLarge(self.most));
        }
        if length > self.room { self.grow(length.next_multiple_of(STEP)) } else { Ok(()) }
    }

    fn finish(self) -> Body {
        let bytes = if self.rest.is_empty() { self.first } else { self.rest.freeze() };
        Body { bytes, held: self.held }
    }
}
