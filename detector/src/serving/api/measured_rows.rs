//! Rows as they were read in; their scores and judgements out, a block at a time.

use std::ops::Range;
use std::sync::Arc;

use super::error::ApiError;
use super::expected::Place;
use crate::model::judge::Explain;
use crate::model::judgement::Judgement;
use crate::scoring::scorer::Scorer;

/// How many rows are judged at once, where they are not explained.
const BLOCK: usize = 2048;

/// Rows as the model measures them.
pub(super) struct MeasuredRows {
    scorer: Arc<Scorer>,
    cells: Vec<f64>,
}

impl MeasuredRows {
    /// Rows as they were read, one after another; `place` says where each stands.
    ///
    /// # Errors
    /// The first that no model can judge.
    pub(super) fn new(
        scorer: Arc<Scorer>,
        mut cells: Vec<f64>,
        place: fn(usize) -> Place,
    ) -> Result<Self, ApiError> {
        for (index, row) in cells.chunks_exact_mut(scorer.model().columns()).enumerate() {
            scorer
                .measure(row)
                .map_err(|error| ApiError::Unprocessable(place(index).to_string(), error.to_string()))?;
        }
        Ok(Self { scorer, cells })
    }

    /// Who judges.
    pub(super) fn scorer(&self) -> &Scorer {
        &self.scorer
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.cells.len() / self.scorer.model().columns()
    }

    /// What they hold, bytes.
    pub(super) fn bytes(&self) -> usize {
        self.cells.capacity() * size_of::<f64>()
    }

    /// The block of rows that begins with this one.
    pub(super) fn block(&self, begin: usize) -> Range<usize> {
        begin..(begin + BLOCK).min(self.len())
    }

    /// The scores of some rows.
    pub(super) fn scores(&self, rows: Range<usize>) -> Vec<f64> {
        if rows.is_empty() {
            return Vec::new();
        }
        let columns = self.scorer.model().columns();
        let block = self.cells[rows.start * columns..rows.end * columns].to_vec();
        self.scorer.model().scores(block).expect("the cells were measured, and are finite")
    }

    /// The judgement of a row, explained.
    pub(super) fn explained(&self, row: usize) -> Judgement {
        let model = self.scorer.model();
        let cells = &self.cells[row * model.columns()..][..model.columns()];
        let judgement = model.judge_by(self.scorer.threshold(), cells, Explain::Always);
        judgement.expect("the cells were measured, and are finite")
    }
}
