//! The metadata of a forest: its columns, its threshold, its training, as JSON in the header of every file.
//!
//! The JSON keys belong to the format: a field may get another name, but its key must stay.

use super::error::ArtifactError;
use super::text::{check_name, check_sentence};
use serde::{Deserialize, Serialize};

/// The columns, the threshold and the training of a forest.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Metadata {
    /// The names of the sensors, in the order of the reading that becomes a row.
    pub columns: Vec<String>,
    /// How many earlier readings follow the current one in a row.
    pub lags: u32,
    /// The other settings that turn readings into rows, in the form of the detector that trained the forest.
    pub pipeline: serde_json::Value,
    /// A row is anomalous when its score is greater: 0 to 1.
    pub threshold: f64,
    /// Where the forest comes from.
    pub training: Training,
    /// A name for all settings that shaped the forest. Models with the same recipe can replace each other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recipe: Option<String>,
}

/// Where a forest comes from.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Training {
    /// How many rows it was trained on.
    pub samples: u64,
    /// The time of the training, in RFC 3339.
    pub trained_at: String,
    /// The origin of the forest: `trained`, or the system that it was imported from.
    pub origin: String,
    /// The requested end of the history, in RFC 3339, where there is one: every row is older.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// The expected number of rows a day that exceed the threshold, if rows are like the training rows and as
    /// many a day; `None` where it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_alerts_per_day: Option<f64>,
    /// The number of renewals, which replace the oldest trees, since the forest was trained as a whole: see
    /// [`Ensemble::renewed`](crate::Ensemble::renewed).
    #[serde(default, skip_serializing_if = "is_zero")]
    pub renewals: u64,
    /// The reason for several forests, and how much they agree; `None` for a single one: see
    /// [`Ensemble::choice`](crate::Ensemble::choice).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub choice: Option<String>,
    /// The central range of each column, in which 98 in 100 of the training rows were, as
    /// [`Samples::central_ranges`](crate::Samples::central_ranges) gives it; empty where that is not known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub central_ranges: Vec<[f32; 2]>,
    /// The reasons why the forest's scores may not be trusted, a sentence each: see
    /// [`Samples::warnings`](crate::Samples::warnings).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_zero(renewals: &u64) -> bool {
    *renewals == 0
}

impl Metadata {
    /// Checks that the threshold is from 0 to 1, and that all texts are safe in logs and reports.
    pub(super) fn check(&self) -> Result<(), ArtifactError> {
        if !(0.0..=1.0).contains(&self.threshold) {
            return Err(ArtifactError::Threshold(self.threshold));
        }
        self.columns.iter().try_for_each(|name| check_name("columns", name))?;
        self.recipe.iter().try_for_each(|recipe| check_name("recipe", recipe))?;
        self.training.check()
    }
}

impl Training {
    fn check(&self) -> Result<(), ArtifactError> {
        check_name("trainedAt", &self.trained_at)?;
        check_name("origin", &self.origin)?;
        self.until.iter().try_for_each(|until| check_name("until", until))?;
        self.choice.iter().try_for_each(|choice| check_sentence("choice", choice))?;
        self.warnings.iter().try_for_each(|warning| check_sentence("warnings", warning))
    }
}
