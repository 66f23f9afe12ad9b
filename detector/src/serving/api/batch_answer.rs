//! Whole rows in; `{"predictions":[…]}` out, judged and written piece by piece as the client takes it.

use std::sync::Arc;

use actix_web::HttpResponse;
use actix_web::web::Bytes;
use futures::Stream;
use futures::stream::try_unfold;

use super::error::ApiError;
use super::judgement_json::{Bare, Detailed};
use crate::model::model::Explain;
use crate::scoring::scorer::Scorer;
use crate::serving::batches::{Batch, Panicked};
use crate::serving::budget::Held;
use crate::serving::pieces::PIECE;

/// How many rows are judged at once, where they are not explained.
const BLOCK: usize = 2048;

/// Rows as the model measures them, and how far they are judged.
pub(super) struct Rows {
    scorer: Arc<Scorer>,
    detail: bool,
    cells: Vec<f64>,
    next: usize,
}

impl Rows {
    /// Rows as they were read, one after another.
    ///
    /// # Errors
    /// The first that no model can judge.
    pub(super) fn new(scorer: Arc<Scorer>, detail: bool, mut cells: Vec<f64>) -> Result<Self, ApiError> {
        for (index, row) in cells.chunks_exact_mut(scorer.model().columns()).enumerate() {
            scorer
                .measure(row)
                .map_err(|error| ApiError::Unprocessable(format!("instances[{index}]"), error.to_string()))?;
        }
        Ok(Self { scorer, detail, cells, next: 0 })
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.cells.len() / self.scorer.model().columns()
    }

    /// What they hold.
    pub(super) fn bytes(&self) -> usize {
        self.cells.capacity() * size_of::<f64>()
    }

    /// The whole answer.
    pub(super) fn whole(mut self) -> Vec<u8> {
        let mut answer = Vec::new();
        while self.write(&mut answer) {}
        answer
    }

    /// Judge some more rows and write their part of the answer; false when that was the last part.
    fn write(&mut self, answer: &mut Vec<u8>) -> bool {
        if self.next == 0 {
            answer.extend_from_slice(b"{\"predictions\":[");
        }
        let end = if self.detail { self.explained(answer) } else { self.bare(answer) };
        self.next = end;
        let is_last = end == self.len();
        if is_last {
            answer.extend_from_slice(b"]}");
        }
        !is_last
    }

    fn bare(&self, answer: &mut Vec<u8>) -> usize {
        let end = (self.next + BLOCK).min(self.len());
        let (columns, threshold) = (self.scorer.model().columns(), self.scorer.threshold());
        let block = self.cells[self.next * columns..end * columns].to_vec();
        let scores = if block.is_empty() { Ok(Vec::new()) } else { self.scorer.model().scores(block) };
        let scores = scores.expect("the cells were measured, and are finite");
        for (row, score) in (self.next..).zip(scores) {
            push(answer, row, &Bare::new(score > threshold));
        }
        end
    }

    fn explained(&self, answer: &mut Vec<u8>) -> usize {
        let (model, threshold) = (self.scorer.model(), self.scorer.threshold());
        let mut row = self.next;
        while row < self.len() && answer.len() < PIECE {
            let cells = &self.cells[row * model.columns()..][..model.columns()];
            let judgement = model.judge_by(threshold, cells, Explain::Always);
            let judgement = judgement.expect("the cells were measured, and are finite");
            push(answer, row, &Detailed::new(model.sensors(), threshold, &judgement));
            row += 1;
        }
        row
    }
}

fn push(answer: &mut Vec<u8>, row: usize, prediction: &impl serde::Serialize) {
    if row > 0 {
        answer.push(b',');
    }
    serde_json::to_writer(answer, prediction).expect("numbers and names are JSON");
}

/// An answer that is made while it is sent.
pub(super) struct BatchAnswer {
    batch: Batch,
    rows: Option<Rows>,
    _held: Held,
}

impl BatchAnswer {
    /// The answer on these rows, which hold so much.
    pub(super) fn new(batch: Batch, rows: Rows, held: Held) -> Self {
        Self { batch, rows: Some(rows), _held: held }
    }

    /// With a body that makes a piece whenever the client has taken the one before.
    pub(super) fn response(self) -> HttpResponse {
        HttpResponse::Ok().content_type("application/json").streaming(self.pieces())
    }

    fn pieces(self) -> impl Stream<Item = Result<Bytes, Panicked>> {
        try_unfold(self, |mut answer| async {
            let Some(mut rows) = answer.rows.take() else { return Ok(None) };
            let work = move || {
                let mut piece = Vec::with_capacity(PIECE + PIECE / 2);
                let goes_on = rows.write(&mut piece);
                (piece, goes_on.then_some(rows))
            };
            let (piece, rows) = answer.batch.work(work).await?;
            answer.rows = rows;
            Ok(Some((Bytes::from(piece), answer)))
        })
    }
}
