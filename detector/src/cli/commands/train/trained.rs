//! A model, and what is known of it beside: what each way to train gives.

use std::sync::Arc;

use super::error::TrainError;
use crate::cli::commands::labelled_rows::LabelledRows;
use crate::model::model::Model;

/// What a training gives.
pub(super) struct Trained {
    pub(super) model: Arc<Model>,
    /// Why its verdicts may not be trusted, a sentence each.
    pub(super) warnings: Vec<String>,
    pub(super) labelled: Option<LabelledRows>,
}

/// A fixed score that can be a threshold.
///
/// # Errors
/// It is 0 or less, or 1 or more.
pub(super) fn checked(score: f64) -> Result<f64, TrainError> {
    if score > 0.0 && score < 1.0 { Ok(score) } else { Err(TrainError::Score(score)) }
}
