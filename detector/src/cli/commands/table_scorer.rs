//! A model and rows of a table in, block after block; the scores of the rows out.

use forest::SamplesError;
use jiff::Timestamp;
use thiserror::Error;

use crate::features::pipeline::Features;
use crate::model::model::Model;

/// How many rows are read and scored at a time.
pub(super) const BLOCK: usize = 1 << 14;

/// A model with the feature `DailyResidual`, and rows.
#[derive(Debug, Error)]
#[error(
    "the model's features must do without the time of the day, which rows do not have, got DailyResidual"
)]
pub struct NoTimes;

/// A model, and the rows that the next one follows.
pub(super) struct TableScorer {
    pub(super) model: Model,
    past: Features,
}

impl TableScorer {
    pub(super) fn new(model: Model) -> Result<Self, NoTimes> {
        if model.recipe().is_daily() {
            return Err(NoTimes);
        }
        Ok(Self { past: model.features().frozen(), model })
    }

    /// The scores of a block of rows; none for those whose past is too short.
    pub(super) fn scores(&mut self, mut block: Vec<f64>) -> Result<Vec<Option<f64>>, SamplesError> {
        if self.model.recipe().memory() == 1 {
            let rows = block.chunks_exact_mut(self.model.columns());
            rows.for_each(|row| self.past.against_level(row));
            return Ok(self.model.scores(block)?.into_iter().map(Some).collect());
        }
        let rows = block
            .chunks_exact(self.model.sensors().len())
            .map(|row| self.past.push(Timestamp::UNIX_EPOCH, row));
        let vectors: Vec<Option<Vec<f64>>> = rows.collect();
        let cells: Vec<f64> = vectors.iter().flatten().flatten().copied().collect();
        let scores = if cells.is_empty() { Vec::new() } else { self.model.scores(cells)? };
        let mut scores = scores.into_iter();
        Ok(vectors.iter().map(|vector| vector.as_ref().and_then(|_| scores.next())).collect())
    }
}
