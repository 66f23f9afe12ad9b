//! Outcomes in, the page that `--report` names out.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crd::Valid;
use crd::valid::ThresholdRule;

use super::error::RunError;
use crate::ingest::reading::Readings;
use crate::model::judge::Explain;
use crate::model::model::Model;
use crate::report::model_card;
use crate::report::page::Report;
use crate::report::recording::Recording;
use crate::scoring::scorer::Outcome;

/// The report of a run, which is written at its end.
pub(super) struct ReportFile {
    path: PathBuf,
    title: String,
    threshold_rule: ThresholdRule,
    recording: Recording,
    /// The model that serves, once there is one.
    pub(super) model: Option<Arc<Model>>,
}

impl ReportFile {
    pub(super) fn new(path: &Path, detector: &Valid) -> Self {
        let recording = Recording::of_detector(detector, Explain::Anomalies);
        Self {
            path: path.to_owned(),
            title: detector.name(),
            threshold_rule: detector.threshold_rule(),
            recording,
            model: None,
        }
    }

    pub(super) fn push(&mut self, readings: &Readings, outcome: &Outcome) {
        self.recording.outcome(readings, outcome);
    }

    /// Write the page.
    pub(super) fn write(self) -> Result<(), RunError> {
        let model = self.model.as_deref();
        let threshold = model.filter(|model| !model.follows()).map(Model::threshold);
        let report = Report {
            title: &self.title,
            recording: &self.recording,
            threshold,
            model: model.map_or(Vec::new(), |model| model_card::lines(model, Some(self.threshold_rule))),
            warnings: model.map_or(Vec::new(), |model| model.warnings(self.threshold_rule)),
            figures: None,
        };
        fs::write(&self.path, report.html()).map_err(|source| RunError::Output { path: self.path, source })
    }
}
