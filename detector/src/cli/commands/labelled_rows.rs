//! The training rows of a model and their labels in, one sentence on how well the model separates them out.

use std::sync::Arc;

use jiff::Timestamp;
use thiserror::Error;

use crate::cli::figures::blocks::NAMES;
use crate::cli::figures::bootstrap::{Estimate, Estimates};
use crate::cli::figures::instants::Evaluated;
use crate::model::model::Model;
use crate::scoring::table_scorer::{TableScorer, TableScorerError};

/// The training rows with their labels and, where they are known, their times.
pub(super) struct LabelledRows {
    /// The column of the labels.
    pub(super) column: String,
    pub(super) labels: Vec<bool>,
    pub(super) times: Option<Vec<Timestamp>>,
    /// The cells of the rows, in row-major order.
    pub(super) cells: Vec<f64>,
}

/// Why the figures of labelled rows cannot be computed.
#[derive(Debug, Error)]
pub enum LabelledRowsError {
    /// The rows cannot be scored.
    #[error(transparent)]
    Rows(#[from] TableScorerError),
    /// No row has a verdict, or all labels are the same: the column and the reason.
    #[error("--label {0}: {1}")]
    Labels(String, String),
}

impl LabelledRows {
    /// Compute the figures and format them:
    /// `label fault, on the training rows: AUC (ROC) 0.981 (0.962 to 0.994), ...`.
    pub(super) fn figures(self, model: Arc<Model>) -> Result<String, LabelledRowsError> {
        let mut scorer = TableScorer::new(model)?;
        let by_row = scorer.scores(self.cells)?;
        let threshold = scorer.model().threshold();
        let evaluated = Evaluated::of_rows(&by_row, &self.labels, self.times.as_deref(), threshold);
        evaluated.check().map_err(|why| LabelledRowsError::Labels(self.column.clone(), why))?;
        let estimates = Estimates::new(&evaluated);
        let figure = |at: usize| {
            let Estimate { value, interval } = estimates.each[at]?;
            let interval = interval.map_or(String::new(), |[low, high]| format!(" ({low:.3} to {high:.3})"));
            Some(format!("{} {value:.3}{interval}", NAMES[at].1))
        };
        let figures: Vec<String> = (0..5).filter_map(figure).collect();
        Ok(format!("label {}, on the training rows: {}", self.column, figures.join(", ")))
    }
}
