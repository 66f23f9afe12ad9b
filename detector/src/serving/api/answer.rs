//! The remaining work for an answer in; a body out that is produced while the client reads it.

use std::time::{Duration, Instant};

use actix_web::web::Bytes;
use actix_web::{HttpResponse, HttpResponseBuilder};
use futures::Stream;
use futures::stream::try_unfold;

use crate::serving::batches::{Batch, Panicked};
use crate::serving::budget::Held;
use crate::serving::pieces::{PIECE, Slices};

/// The header of the Open Inference Protocol with the length of a body's JSON, after which binary tensors
/// follow.
pub(super) const JSON_LENGTH: &str = "Inference-Header-Content-Length";

/// An answer that is produced piece by piece.
pub(super) trait Answer: Send {
    /// Its Content-Type.
    fn content_type(&self) -> &'static str {
        "application/json"
    }

    /// The length of its JSON, if binary tensors follow.
    fn json_length(&self) -> Option<usize> {
        None
    }

    /// Whether it is cheap enough to be produced at once, on the thread that received the request.
    fn is_short(&self) -> bool;

    /// The memory that it holds, bytes.
    fn bytes(&self) -> usize;

    /// Write about one piece of it. Return false if it was the last.
    fn write(&mut self, out: &mut Vec<u8>) -> bool;
}

/// Produce the whole answer at once.
pub(super) fn whole(mut answer: Box<dyn Answer>) -> HttpResponse {
    let mut body = Vec::new();
    while answer.write(&mut body) {}
    Head::of(&*answer).response().body(body)
}

/// The head of an answer.
struct Head {
    content_type: &'static str,
    json_length: Option<usize>,
}

impl Head {
    fn of(answer: &dyn Answer) -> Self {
        Self { content_type: answer.content_type(), json_length: answer.json_length() }
    }

    fn response(&self) -> HttpResponseBuilder {
        let mut response = HttpResponse::Ok();
        response.content_type(self.content_type);
        if let Some(length) = self.json_length {
            response.insert_header((JSON_LENGTH, length));
        }
        response
    }
}

/// How long an answer is produced before its first piece is sent, so that other answers need not wait longer.
const TURN: Duration = Duration::from_millis(5);
/// How many bytes of an answer are produced before its first piece is sent.
pub(super) const AT_ONCE: usize = 256 << 10;

/// An answer that was started. It is complete if it is neither long nor slow to produce.
pub(super) struct Started {
    head: Head,
    written: Bytes,
    /// The rest of the answer; none if it is complete.
    rest: Option<Box<dyn Answer>>,
}

impl Started {
    /// Start this answer.
    pub(super) fn new(mut answer: Box<dyn Answer>) -> Self {
        let (started, mut written) = (Instant::now(), Vec::new());
        let mut is_open = true;
        while is_open && written.len() < AT_ONCE && started.elapsed() < TURN {
            is_open = answer.write(&mut written);
        }
        Self { head: Head::of(&*answer), written: written.into(), rest: is_open.then_some(answer) }
    }

    /// The response. Its rest is produced in the batch pool. `held` is the memory that it holds.
    pub(super) fn response(self, batch: Batch, mut held: Held) -> HttpResponse {
        let Self { head, written, rest } = self;
        if rest.is_some() {
            let answer = BatchAnswer { batch, answer: rest, written, _held: held };
            return head.response().streaming(answer.pieces());
        }
        // The answer is smaller than the memory that was held to produce it.
        let _ = held.hold(written.len());
        head.response().body(Slices::new(written, held))
    }
}

/// An answer that is produced in the batch pool: a piece each time that the client has read the one before.
struct BatchAnswer {
    batch: Batch,
    answer: Option<Box<dyn Answer>>,
    /// The bytes that are produced and not sent.
    written: Bytes,
    _held: Held,
}

impl BatchAnswer {
    fn pieces(self) -> impl Stream<Item = Result<Bytes, Panicked>> {
        try_unfold(self, |mut batch| async {
            if batch.written.is_empty() && !batch.go_on().await? {
                return Ok(None);
            }
            let piece = batch.written.split_to(batch.written.len().min(PIECE));
            Ok(Some((piece, batch)))
        })
    }

    /// Produce the next bytes. Return false if there are none.
    async fn go_on(&mut self) -> Result<bool, Panicked> {
        let Some(mut answer) = self.answer.take() else { return Ok(false) };
        let work = move || {
            let mut piece = Vec::with_capacity(PIECE + PIECE / 2);
            // Some steps write nothing, but an empty piece would mean the end.
            let mut is_open = true;
            while is_open && piece.is_empty() {
                is_open = answer.write(&mut piece);
            }
            (piece, is_open.then_some(answer))
        };
        let (piece, answer) = self.batch.work(work).await?;
        (self.written, self.answer) = (piece.into(), answer);
        Ok(!self.written.is_empty())
    }
}
