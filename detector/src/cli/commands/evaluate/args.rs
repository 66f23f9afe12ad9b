//! The arguments of `detector evaluate`.

use std::path::PathBuf;

use clap::Args;

use crate::cli::figures::choice::Goal;
use crate::cli::format::Format;
use crate::model::judge::Explain;

/// Measure how well a model or a manifest finds labelled anomalies.
///
/// `detector evaluate pump.yaml` trains and replays as `detector run --fast` does, and compares the verdicts
/// with the simulated faults or with the recording's `label`.
/// `detector evaluate --model FILE --input data.csv` scores labelled rows.
///
/// Each figure has a 95 % confidence interval from a bootstrap: 1000 draws of blocks of readings, or of rows
/// where there are no times. An event is a run of consecutive anomalous verdicts; it is correct where one of
/// them is within a labelled span. The delay is the median time from the start of a labelled span to the
/// first anomalous verdict, or alarm, in it. `realised / promised` is the alert rate outside of labelled
/// spans, divided by the rate that the threshold promises: 1 is exactly as promised. The NAB score takes each
/// labelled span as a window and each alarm as a detection.
#[derive(Debug, Args)]
pub struct EvaluateArgs {
    /// The manifest, or data with a column of labels, as `detector run` takes them
    #[arg(value_name = "FILE", required_unless_present = "input")]
    pub(super) manifest: Option<PathBuf>,

    /// The model, as `train` writes it: scores the rows of --input, or judges the manifest's readings without
    /// a training
    #[arg(long, value_name = "FILE", required_unless_present = "manifest")]
    pub(super) model: Option<PathBuf>,

    /// A table with the model's columns, as `score` reads it; - for the standard input
    #[arg(long, value_name = "FILE", requires = "model", conflicts_with = "manifest")]
    pub(super) input: Option<PathBuf>,

    /// The input's column of labels: 0 or false, 1 or true
    #[arg(
        long,
        value_name = "NAME",
        default_value = "label",
        requires = "input",
        conflicts_with = "manifest"
    )]
    pub(super) label: String,

    /// Another table with the labels: one row for each row of the input
    #[arg(long, value_name = "FILE", requires = "input", conflicts_with = "manifest")]
    pub(super) labels: Option<PathBuf>,

    /// The input's column of times; without one, delays are in rows [default: timestamp, if the input has it]
    #[arg(long, value_name = "NAME", requires = "input", conflicts_with = "manifest")]
    pub(super) time: Option<String>,

    /// Choose the threshold for this goal on the first half of the readings, and measure it on the second
    /// half: precision=0.9, recall=0.9, alertsPerDay=5, f1
    #[arg(long, value_name = "GOAL")]
    pub(super) choose: Option<Goal>,

    /// Override a field of the manifest: spec.model.train.trees=200
    #[arg(long, value_name = "PATH=VALUE", requires = "manifest", conflicts_with = "input")]
    pub(super) set: Vec<String>,

    /// The time span of readings to judge [default: a recording to its end, 24h of simulated sensors]
    #[arg(long, value_name = "DURATION", requires = "manifest", conflicts_with = "input")]
    pub(super) duration: Option<crd::Duration>,

    /// Also write a report: one HTML page with charts, labelled spans, events and figures, which works
    /// offline. With --choose it shows the second half, judged by the chosen threshold
    #[arg(long, value_name = "FILE")]
    pub(super) report: Option<PathBuf>,

    /// The format of the result
    #[arg(long, value_enum, default_value_t)]
    pub(super) output: Format,
}

impl EvaluateArgs {
    /// Which verdicts are explained: none without a report, the anomalous ones for a report, and all for a
    /// report with `--choose`, where the threshold that makes verdicts anomalous is not known yet.
    pub(super) fn explain(&self) -> Explain {
        match (&self.report, self.choose) {
            (None, _) => Explain::Never,
            (Some(_), None) => Explain::Anomalies,
            (Some(_), Some(_)) => Explain::Always,
        }
    }
}
