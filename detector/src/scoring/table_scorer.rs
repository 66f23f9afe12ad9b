//! A model and rows of a table in, block after block; the scores of the rows out.

use std::sync::Arc;

use forest::SamplesError;
use jiff::Timestamp;
use thiserror::Error;

use crate::features::pipeline::Features;
use crate::ingest::sources::delimited::CsvError;
use crate::ingest::table::Table;
use crate::model::judge::{Explain, InvalidValue};
use crate::model::judgement::Judgement;
use crate::model::model::Model;

/// How many rows are read and scored at a time.
const BLOCK: usize = 1 << 14;

/// Why the rows of a table cannot be scored.
#[derive(Debug, Error)]
pub enum TableScorerError {
    /// The data cannot be read.
    #[error(transparent)]
    Csv(#[from] CsvError),
    /// A vector that the forest cannot hold.
    #[error(transparent)]
    Samples(#[from] SamplesError),
    /// A vector that no model can judge.
    #[error(transparent)]
    InvalidValue(#[from] InvalidValue),
    /// The model has the feature `DailyResidual`, but rows have no times.
    #[error("the model's features must not need the time of day, which rows do not have, got DailyResidual")]
    NoTimes,
}

/// A model, and the last rows, which the next vector needs.
pub struct TableScorer {
    model: Arc<Model>,
    past: Features,
}

/// Read the next rows of a table; `None` after the last.
///
/// # Errors
/// The rows cannot be read.
pub fn block(table: &mut Table) -> Result<Option<Vec<f64>>, TableScorerError> {
    let block = table.block(BLOCK)?;
    Ok(Some(block).filter(|block| !block.is_empty()))
}

impl TableScorer {
    /// Create a scorer for rows in the model's order of columns.
    ///
    /// # Errors
    /// The model needs the time of the day.
    pub fn new(model: impl Into<Arc<Model>>) -> Result<Self, TableScorerError> {
        let model = model.into();
        if model.recipe().is_daily() {
            return Err(TableScorerError::NoTimes);
        }
        Ok(Self { past: model.features().frozen(), model })
    }

    /// The model.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// The scores of a block of rows; `None` for rows with too few rows before them.
    ///
    /// # Errors
    /// A value that the forest cannot hold.
    pub fn scores(&mut self, mut block: Vec<f64>) -> Result<Vec<Option<f64>>, TableScorerError> {
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

    /// The judgements of a block of rows, with reasons; `None` for rows with too few rows before them. Slower
    /// than [`scores`](Self::scores).
    ///
    /// # Errors
    /// A value that the forest cannot hold.
    pub fn judgements(
        &mut self,
        block: &[f64],
        explain: Explain,
    ) -> Result<Vec<Option<Judgement>>, TableScorerError> {
        let mut judge = |row: &[f64]| {
            let Some(vector) = self.past.push(Timestamp::UNIX_EPOCH, row) else { return Ok(None) };
            let mut judgement = self.model.judge(&vector, explain)?;
            judgement.as_read(self.past.newest_levels());
            Ok(Some(judgement))
        };
        block.chunks_exact(self.model.sensors().len()).map(&mut judge).collect()
    }
}
