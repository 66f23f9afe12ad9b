//! What was judged of a file's readings, and how it would be by another threshold.

use crate::cli::figures::instants::Evaluated;
use crate::report::page::{Figures, Report};
use crate::report::recording::Recording;

/// What was judged of a file's readings.
pub(super) struct FileJudged {
    /// What messages call it.
    pub(super) name: String,
    /// The instants.
    pub(super) evaluated: Evaluated,
    /// The same by another threshold.
    pub(super) rethreshold: Box<dyn Fn(Evaluated, f64) -> Evaluated>,
    /// What a report shows of it, if one is asked for.
    pub(super) report: Option<Shown>,
}

/// What a report shows beside the figures.
pub(super) struct Shown {
    pub(super) recording: Recording,
    pub(super) model: Vec<(String, String)>,
    pub(super) warnings: Vec<String>,
}

impl Shown {
    /// The page.
    pub(super) fn html(self, title: &str, threshold: Option<f64>, figures: Figures) -> String {
        let Self { recording, model, warnings } = self;
        let (recording, figures) = (&recording, Some(figures));
        Report { title, recording, threshold, model, warnings, figures }.html()
    }
}
