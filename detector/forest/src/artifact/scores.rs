//! The scores of training rows in, tensors of the greatest of them out, and back.

use super::counts::Counts;
use super::error::ArtifactError;
use super::tensors::{Numbers, Tensor};
use safetensors::Dtype;
use safetensors::tensor::SafeTensors;

/// How many scores of each kind a file keeps, at most: the greatest, since thresholds are chosen among them.
pub const MAX_SCORES: usize = 8192;

/// The scores of the training rows: with them another threshold can be chosen without another training.
#[derive(Debug, Clone, PartialEq)]
pub struct Scores {
    /// The scores of rows in all trees.
    pub seen: Greatest,
    /// The scores of rows in the trees that were grown without the row.
    pub unseen: Greatest,
    /// The mean time from one row to the next, in seconds; `None` where the rows have no times.
    pub seconds_apart: Option<f64>,
}

/// The greatest of some scores, in descending order, and the number of all of them.
#[derive(Debug, Clone, PartialEq)]
pub struct Greatest {
    scores: Vec<f64>,
    count: u64,
}

impl Greatest {
    /// Keeps the greatest [`MAX_SCORES`] of these scores.
    pub fn of(scores: &[f64]) -> Self {
        let mut falling = scores.to_vec();
        falling.sort_unstable_by(|a, b| b.total_cmp(a));
        falling.truncate(MAX_SCORES);
        Self { scores: falling, count: scores.len() as u64 }
    }

    /// The scores, in descending order.
    pub fn scores(&self) -> &[f64] {
        &self.scores
    }

    /// The number of scores, including those that were left out.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Whether no score was left out.
    pub fn is_whole(&self) -> bool {
        self.count == self.scores.len() as u64
    }

    fn open(tensors: &SafeTensors, name: &'static str, count: u64) -> Result<Self, ArtifactError> {
        let mut numbers = Numbers::<8>::of(tensors, name, Dtype::F64)?;
        let mut scores = Vec::with_capacity(numbers.left());
        while numbers.left() > 0 {
            scores.push(f64::from_le_bytes(numbers.next()?));
        }
        let kept = count.min(MAX_SCORES as u64) == scores.len() as u64;
        let falling =
            scores.is_sorted_by(|a, b| a >= b) && scores.iter().all(|score| *score > 0.0 && *score <= 1.0);
        let rule = "falling scores, greater than 0 and at most 1, as many as the header says";
        if kept && falling { Ok(Self { scores, count }) } else { Err(ArtifactError::Tensor { name, rule }) }
    }

    fn tensor(&self, name: &'static str) -> Tensor {
        Tensor::new(name, Dtype::F64, self.scores.iter().map(|score| score.to_le_bytes()))
    }
}

impl Scores {
    pub(super) fn counts(&self) -> Counts {
        Counts { seen: self.seen.count, unseen: self.unseen.count, seconds_apart: self.seconds_apart }
    }

    pub(super) fn tensors(&self) -> [Tensor; 2] {
        [self.seen.tensor("scores.seen"), self.unseen.tensor("scores.unseen")]
    }

    pub(super) fn open(tensors: &SafeTensors, counts: Counts) -> Result<Self, ArtifactError> {
        Ok(Self {
            seen: Greatest::open(tensors, "scores.seen", counts.seen)?,
            unseen: Greatest::open(tensors, "scores.unseen", counts.unseen)?,
            seconds_apart: counts.seconds_apart,
        })
    }
}
