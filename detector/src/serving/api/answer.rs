//! What is left to do for an answer in; a body out that is made while the client takes it.

use actix_web::HttpResponse;
use actix_web::web::Bytes;
use futures::Stream;
use futures::stream::try_unfold;

use crate::serving::batches::{Batch, Panicked};
use crate::serving::budget::Held;
use crate::serving::pieces::PIECE;

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
    head(&*answer).body(body)
}

fn head(answer: &dyn Answer) -> actix_web::HttpResponseBuilder {
    let mut response = HttpResponse::Ok();
    response.content_type(answer.content_type());
    if let Some(length) = answer.json_length() {
        response.insert_header((JSON_LENGTH, length));
    }
    response
}

/// An answer that is made in the lane of batches, a piece whenever the client has taken the one before.
pub(super) struct BatchAnswer {
    batch: Batch,
    answer: Option<Box<dyn Answer>>,
    _held: Held,
}

impl BatchAnswer {
    /// This answer, for which so much is held.
    pub(super) fn new(batch: Batch, answer: Box<dyn Answer>, held: Held) -> Self {
        Self { batch, answer: Some(answer), _held: held }
    }

    /// The response.
    pub(super) fn response(self) -> HttpResponse {
        let mut response = head(self.answer.as_deref().expect("nothing was written yet"));
        response.streaming(self.pieces())
    }

    fn pieces(self) -> impl Stream<Item = Result<Bytes, Panicked>> {
        try_unfold(self, |mut batch| async {
            let Some(mut answer) = batch.answer.take() else { return Ok(None) };
            let work = move || {
                let mut piece = Vec::with_capacity(PIECE + PIECE / 2);
                // Parts of the work write nothing, and an empty piece would say nothing.
                let mut goes_on = true;
                while goes_on && piece.is_empty() {
                    goes_on = answer.write(&mut piece);
                }
                (piece, goes_on.then_some(answer))
            };
            let (piece, answer) = batch.batch.work(work).await?;
            batch.answer = answer;
            Ok(Some((Bytes::from(piece), batch)))
        })
    }
}
