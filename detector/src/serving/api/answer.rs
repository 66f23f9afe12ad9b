//! What is left to do for an answer in; a body out that is made while the client takes it.

use std::time::{Duration, Instant};

use actix_web::web::Bytes;
use actix_web::{HttpResponse, HttpResponseBuilder};
use futures::Stream;
use futures::stream::try_unfold;

use crate::serving::batches::{Batch, Panicked};
use crate::serving::budget::Held;
use crate::serving::pieces::{PIECE, Slices};

/// The header of the Open Inference Protocol that says where the JSON of a body ends and its binary tensors begin.
pub(super) const JSON_LENGTH: &str = "Inference-Header-Content-Length";

/// An answer that is made piece by piece.
pub(super) trait Answer: Send {
    /// Its Content-Type.
    fn content_type(&self) -> &'static str {
        "application/json"
    }

    /// How much of it is JSON, where binary tensors follow.
    fn json_length(&self) -> Option<usize> {
        None
    }

    /// Whether it is made in no time.
    fn is_short(&self) -> bool;

    /// What it holds, bytes.
    fn bytes(&self) -> usize;

    /// Write about a piece of it; false when that was the last.
    fn write(&mut self, out: &mut Vec<u8>) -> bool;
}

/// The whole answer, at once.
pub(super) fn whole(mut answer: Box<dyn Answer>) -> HttpResponse {
    let mut body = Vec::new();
    while answer.write(&mut body) {}
    Head::of(&*answer).response().body(body)
}

/// What is said before an answer.
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

/// How long an answer is made before the first of it is sent: then those wait no longer that others have asked for.
const TURN: Duration = Duration::from_millis(5);
/// As much of an answer is made before the first of it is sent.
pub(super) const AT_ONCE: usize = 256 << 10;

/// An answer that was started: all of it where it is neither long nor slow to make.
pub(super) struct Started {
    head: Head,
    written: Bytes,
    /// What is to come; none where this is all.
    rest: Option<Box<dyn Answer>>,
}

impl Started {
    /// Start this answer.
    pub(super) fn new(mut answer: Box<dyn Answer>) -> Self {
        let (started, mut written) = (Instant::now(), Vec::new());
        let mut goes_on = true;
        while goes_on && written.len() < AT_ONCE && started.elapsed() < TURN {
            goes_on = answer.write(&mut written);
        }
        Self { head: Head::of(&*answer), written: written.into(), rest: goes_on.then_some(answer) }
    }

    /// The response, of which the rest is made in the lane of batches. So much is held for it.
    pub(super) fn response(self, batch: Batch, mut held: Held) -> HttpResponse {
        let Self { head, written, rest } = self;
        if rest.is_some() {
            let answer = BatchAnswer { batch, answer: rest, written, _held: held };
            return head.response().streaming(answer.pieces());
        }
        // It is less than was held for what it was made of.
        let _ = held.hold(written.len());
        head.response().body(Slices::new(written, held))
    }
}

/// An answer that is made in the lane of batches, a piece whenever the client has taken the one before.
struct BatchAnswer {
    batch: Batch,
    answer: Option<Box<dyn Answer>>,
    /// What is made and not sent.
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

    /// Make some more; false where there is no more.
    async fn go_on(&mut self) -> Result<bool, Panicked> {
        let Some(mut answer) = self.answer.take() else { return Ok(false) };
        let work = move || {
            let mut piece = Vec::with_capacity(PIECE + PIECE / 2);
            // Parts of the work write nothing, and an empty piece would say nothing.
            let mut goes_on = true;
            while goes_on && piece.is_empty() {
                goes_on = answer.write(&mut piece);
            }
            (piece, goes_on.then_some(answer))
        };
        let (piece, answer) = self.batch.work(work).await?;
        (self.written, self.answer) = (piece.into(), answer);
        Ok(!self.written.is_empty())
    }
}
