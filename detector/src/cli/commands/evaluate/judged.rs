//! The judged instants of a file in; the same instants by another threshold, and the page of a report, out.

use crate::cli::figures::instants::{Evaluated, Instant};
use crate::model::judgement::severity;
use crate::report::page::{Figures, Report};
use crate::report::recording::Recording;
use crate::scoring::verdict::AlarmState;

/// The judged instants of a file.
pub(super) struct FileJudged {
    /// The name of the file in messages.
    pub(super) name: String,
    /// The judged instants.
    pub(super) evaluated: Evaluated,
    /// Judges the instants again by another threshold.
    pub(super) rethreshold: Box<dyn Fn(Evaluated, f64) -> Rethresholded>,
    /// The content of the report, if a report is requested.
    pub(super) report: Option<ReportContent>,
}

/// Instants that were judged again by another threshold.
pub(super) struct Rethresholded {
    pub(super) evaluated: Evaluated,
    /// The alarm state of each instant; `None` where there was no verdict.
    pub(super) alarm_states: Vec<Option<AlarmState>>,
}

/// The content of a report, except the figures.
pub(super) struct ReportContent {
    pub(super) recording: Recording,
    pub(super) model: Vec<(String, String)>,
    pub(super) warnings: Vec<String>,
}

impl ReportContent {
    /// Keep the last instants of the recording, with the verdicts by another threshold.
    #[must_use]
    pub(super) fn rejudged(self, later: &Rethresholded, threshold: f64) -> Self {
        let instants = later.evaluated.instants.iter().zip(&later.alarm_states);
        let verdict = |(instant, state): (&Instant, &Option<AlarmState>)| {
            let score = instant.verdict?.score;
            Some((severity(score, threshold), score > threshold, (*state)?))
        };
        let verdicts: Vec<_> = instants.map(verdict).collect();
        Self { recording: self.recording.rejudged(&verdicts), ..self }
    }

    /// The page of the report as HTML.
    pub(super) fn html(self, title: &str, threshold: Option<f64>, figures: Figures) -> String {
        let Self { recording, model, warnings } = self;
        let (recording, figures) = (&recording, Some(figures));
        Report { title, recording, threshold, model, warnings, figures }.html()
    }
}
