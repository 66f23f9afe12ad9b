//! A request's body in, as it arrives; its bytes out, within a limit, a time and the process' budget.

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

/// A body of so many bytes needs no room in the budget: connections are bounded, and so are these.
pub const SMALL: usize = 16 << 10;
/// The longest that a body may take to arrive.
const WHOLE: Duration = Duration::from_secs(30);
/// The longest that nothing of it may arrive.
const STALL: Duration = Duration::from_secs(10);
/// By how much the budget is asked for more, where nobody has said how long the body is.
const STEP: usize = 64 << 10;

/// A body, and the room that it takes.
#[derive(Debug)]
pub struct Body {
    /// The bytes.
    pub bytes: Bytes,
    /// What they hold of the budget.
    pub held: Held,
}

/// Why there is no body.
#[derive(Debug, Error)]
pub enum BodyError {
    /// It is longer than so many bytes.
    #[error("expected a body of at most {0} bytes")]
    TooLarge(usize),
    /// It did not arrive in time.
    #[error("the body has not arrived in time: expected some of it every 10 s and all of it in 30 s")]
    Slow,
    /// Other requests hold the memory that it needs.
    #[error("the detector is busy with other requests")]
    Busy,
    /// The connection broke, or what came was no body.
    #[error("the body could not be read: {0}")]
    Unreadable(PayloadError),
}

/// The body of a request, at most `most` bytes.
///
/// # Errors
/// It is too long, too slow, or there is no room for it.
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

/// What comes next, if it is there when the task is polled again: the server reads a small body right after the head, and so it
/// needs no clock.
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

/// The length that the request says its body has.
fn announced(request: &HttpRequest) -> Option<usize> {
    request.headers().get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// What has arrived so far.
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

    /// The first chunk is kept as it is: most bodies have no other.
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
