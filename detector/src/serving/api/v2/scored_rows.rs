//! Rows in; the numbers of each tensor that an answer can have out: first all rows are scored, a block at a
//! time, then each number can be read.

use std::ops::Range;

use super::super::measured_rows::MeasuredRows;
use super::output::Tensor;
use crate::model::judgement::severity;
use crate::scoring::scorer::Scorer;

/// The bytes of an element.
const WIDTH: usize = 8;
/// The most rows that are judged on the thread that received them: without explanations, and with them.
const FEW_ROWS: usize = 100;
const FEW_EXPLAINED: usize = 10;

/// Rows with their scores and contributions.
pub(super) struct ScoredRows {
    rows: MeasuredRows,
    is_explained: bool,
    scores: Vec<f64>,
    shares: Vec<f64>,
}

impl ScoredRows {
    /// Rows before the first is scored. If `is_explained`, the contributions of the sensors are kept too.
    pub(super) fn new(rows: MeasuredRows, is_explained: bool) -> Self {
        let shares = if is_explained { rows.len() * rows.scorer().model().sensors().len() } else { 0 };
        let (scores, shares) = (Vec::with_capacity(rows.len()), Vec::with_capacity(shares));
        Self { rows, is_explained, scores, shares }
    }

    /// Score the next rows. Return false if all are scored.
    pub(super) fn score(&mut self) -> bool {
        let begin = self.scores.len();
        if begin == self.rows.len() {
            return false;
        }
        if self.is_explained {
            let end = (begin + FEW_EXPLAINED).min(self.rows.len());
            for row in begin..end {
                let judgement = self.rows.explained(row);
                self.scores.push(judgement.score);
                self.shares.extend(judgement.contributions);
            }
        } else {
            let block = self.rows.block(begin);
            self.scores.extend(self.rows.scores(block));
        }
        true
    }

    /// The scorer that judges.
    pub(super) fn scorer(&self) -> &Scorer {
        self.rows.scorer()
    }

    /// How many rows there are.
    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    /// How many numbers a tensor has.
    pub(super) fn length(&self, tensor: Tensor) -> usize {
        match tensor {
            Tensor::Threshold => 1,
            Tensor::FeatureScore => self.rows.len() * self.rows.scorer().model().sensors().len(),
            _ => self.rows.len(),
        }
    }

    /// A number of a tensor, once all rows are scored.
    pub(super) fn number(&self, tensor: Tensor, element: usize) -> f64 {
        let threshold = self.rows.scorer().threshold();
        let anomalous = |score: f64| score > threshold;
        match tensor {
            Tensor::IsOutlier => f64::from(u8::from(anomalous(self.scores[element]))),
            Tensor::Predict if anomalous(self.scores[element]) => -1.0,
            Tensor::Predict => 1.0,
            Tensor::InstanceScore => self.scores[element],
            Tensor::Severity => severity(self.scores[element], threshold),
            Tensor::Threshold => threshold,
            Tensor::FeatureScore => self.shares[element],
        }
    }

    /// Append some numbers of a tensor, once all rows are scored, as little-endian bytes.
    pub(super) fn binary_numbers(&self, out: &mut Vec<u8>, tensor: Tensor, elements: Range<usize>) {
        let threshold = self.rows.scorer().threshold();
        match tensor {
            Tensor::IsOutlier => {
                put(out, &self.scores[elements], |score| i64::from(score > threshold).to_le_bytes());
            }
            Tensor::Predict => {
                let label = |score| if score > threshold { -1_i64 } else { 1 };
                put(out, &self.scores[elements], |score| label(score).to_le_bytes());
            }
            Tensor::InstanceScore => put(out, &self.scores[elements], f64::to_le_bytes),
            Tensor::Severity => {
                put(out, &self.scores[elements], |score| severity(score, threshold).to_le_bytes());
            }
            Tensor::Threshold => put(out, &[threshold][elements], f64::to_le_bytes),
            Tensor::FeatureScore => put(out, &self.shares[elements], f64::to_le_bytes),
        }
    }

    /// Whether the rows are few enough to be judged on the thread that received them.
    pub(super) fn are_few(&self) -> bool {
        self.rows.are_few(if self.is_explained { FEW_EXPLAINED } else { FEW_ROWS })
    }

    /// The memory of the rows, bytes.
    pub(super) fn bytes(&self) -> usize {
        self.rows.bytes() + (self.scores.capacity() + self.shares.capacity()) * size_of::<f64>()
    }
}

/// Append the bytes of numbers.
fn put(out: &mut Vec<u8>, numbers: &[f64], bytes: impl Fn(f64) -> [u8; WIDTH]) {
    let begin = out.len();
    out.resize(begin + numbers.len() * WIDTH, 0);
    let (places, _) = out[begin..].as_chunks_mut();
    for (place, number) in places.iter_mut().zip(numbers) {
        *place = bytes(*number);
    }
}
