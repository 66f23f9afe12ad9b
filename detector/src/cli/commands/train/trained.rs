//! The result that each way to train has: a model, its warnings, and its labelled rows.

use std::sync::Arc;

use super::error::TrainError;
use crate::cli::commands::labelled_rows::LabelledRows;
use crate::model::model::Model;

/// The result of a training.
pub(super) struct Trained {
    pub(super) model: Arc<Model>,
    /// The reasons why the model's verdicts may not be trusted, one sentence each.
    pub(super) warnings: Vec<String>,
    pub(super) labelled: Option<LabelledRows>,
}

/// Check that a fixed score can be a threshold.
///
/// # Errors
/// The score is 0 or less, or 1 or more.
pub(super) fn checked(score: f64) -> Result<f64, TrainError> {
    if score > 0.0 && score < 1.0 { Ok(score) } else { Err(TrainError::Score(score)) }
}
