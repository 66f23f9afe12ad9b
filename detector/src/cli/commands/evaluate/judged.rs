//! What was judged of a file's readings, and how it would be by another threshold.

use crate::cli::figures::instants::{Evaluated, Instant};
use crate::model::judgement::severity;
use crate::report::page::{Figures, Report};
use crate::report::recording::Recording;
use crate::scoring::verdict::AlarmState;

/// What was judged of a file's readings.
pub(super) struct FileJudged {
    /// What messages call it.
    pub(super) name: String,
    /// The instants.
    pub(super) evaluated: Evaluated,
    /// The same by another threshold.
    pub(super) rethreshold: Box<dyn Fn(Evaluated, f64) -> Rethresholded>,
    /// What a report shows of it, if one is asked for.
    pub(super) report: Option<Shown>,
}

/// Instants by another threshold.
pub(super) struct Rethresholded {
    pub(super) evaluated: Evaluated,
    /// What each of their verdicts does; none where there was no verdict.
    pub(super) alarm_states: Vec<Option<AlarmState>>,
}

/// What a report shows beside the figures.
pub(super) struct Shown {
    pub(super) recording: Recording,
    pub(super) model: Vec<(String, String)>,
    pub(super) warnings: Vec<String>,
}

impl Shown {
    /// The last instants of the recording, which another threshold judges.
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

    /// The page.
    pub(super) fn html(self, title: &str, threshold: Option<f64>, figures: Figures) -> String {
        let Self { recording, model, warnings } = self;
        let (recording, figures) = (&recording, Some(figures));
        Report { title, recording, threshold, model, warnings, figures }.html()
    }
}
