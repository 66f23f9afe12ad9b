//! The arguments of `detector score`, and the output that they request for each row.

use std::path::PathBuf;

use clap::Args;

use crate::cli::score_output::RowFormat;
use crate::model::judge::Explain;

/// Score the rows of a table.
///
/// Writes a row for each row of the input, in the same order: the columns of --keep, `score` (0 to 1, higher
/// is more anomalous), `severity` (over 1 is anomalous) and `anomaly` (0 or 1). Where the model needs earlier
/// rows, the first rows have empty cells instead.
#[derive(Debug, Args)]
pub struct ScoreArgs {
    /// The model, as `train` writes it; - for the standard input
    #[arg(long, value_name = "FILE")]
    pub(super) model: PathBuf,

    /// The table: CSV, one JSON object per line, or Parquet in a build with the feature `parquet`; - for the
    /// standard input. It may have more columns than the model
    #[arg(long, value_name = "FILE")]
    pub(super) input: PathBuf,

    /// Where to write the scores; - for the standard output
    #[arg(long, value_name = "FILE", default_value = "-")]
    pub(super) output: PathBuf,

    /// The format of the scores [default: by the extension of --output: .ndjson, .jsonl or .parquet, else
    /// csv]
    #[arg(long, value_enum)]
    pub(super) format: Option<RowFormat>,

    /// The input's columns to score, in the model's order [default: the names of the model's columns]
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub(super) columns: Option<Vec<String>>,

    /// Columns of the input to write before the scores: id,time,label
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub(super) keep: Vec<String>,

    /// Write `contribution_NAME` for each of the model's columns: its share in the score; the shares of a row
    /// add up to 1
    #[arg(long)]
    pub(super) contributions: bool,

    /// Write why a row is anomalous: `sensor`, `feature`, `direction`, `expected_low` and `expected_high` of
    /// the column that contributed most
    #[arg(long)]
    pub(super) reasons: bool,

    /// Instead of the rows, write the importance of each column for the scores of the whole file, the most
    /// important first: `column`, `importance`, its mean contribution over all rows (they add up to 1), and
    /// `importance_anomalies`, its mean contribution over the anomalous rows. Without --format, the standard
    /// output gets a table for people
    #[arg(long, conflicts_with_all = ["keep", "contributions", "reasons", "report"])]
    pub(super) importances: bool,

    /// Also write a report: one HTML page with charts, anomalous rows and a threshold to try, which works
    /// offline. It shows the columns `timestamp` and `label`, if the input has them
    #[arg(long, value_name = "FILE")]
    pub(super) report: Option<PathBuf>,
}

impl ScoreArgs {
    /// The format of `--format`, else that of the output's extension; `None` without both.
    pub(super) fn named_format(&self) -> Option<RowFormat> {
        self.format.or_else(|| RowFormat::of_file(&self.output))
    }

    pub(super) fn format(&self) -> RowFormat {
        self.named_format().unwrap_or(RowFormat::Csv)
    }

    /// Whether only scores are requested, as CSV. A faster code path writes these: scoring a hundred thousand
    /// rows takes no longer than reading them.
    pub(super) fn is_plain(&self) -> bool {
        self.keep.is_empty()
            && !self.contributions
            && !self.reasons
            && self.report.is_none()
            && self.format() == RowFormat::Csv
    }

    /// Which rows need contributions and reasons; `None` where scores are enough.
    pub(super) fn explain(&self) -> Option<Explain> {
        match self {
            Self { contributions: true, .. } => Some(Explain::Always),
            Self { reasons: true, .. } | Self { report: Some(_), .. } => Some(Explain::Anomalies),
            _ => None,
        }
    }
}
