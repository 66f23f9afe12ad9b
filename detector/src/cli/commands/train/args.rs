//! The arguments of `detector train`.

use std::path::PathBuf;

use clap::Args;
use crd::contract::SOURCE_CREDENTIALS_DIRECTORY;
use crd::model::Feature;
use crd::training::ForestMode;
use jiff::Timestamp;

/// Train a model on a table or from a manifest, or import one from scikit-learn.
///
/// The CSV file of --input has a header line; it may be gzipped, and its cells are separated by commas,
/// semicolons, tabs or vertical bars. A cell that is empty, NaN, NA or null is missing; every other cell of a
/// column that is read must be a number. The same data and options give the same model, bit for bit.
#[derive(Debug, Args)]
pub struct TrainArgs {
    /// The table: CSV, one JSON object per line, or Parquet in a build with the feature `parquet`; - for the
    /// standard input
    #[arg(long, value_name = "FILE", required_unless_present = "trained_otherwise")]
    pub(super) input: Option<PathBuf>,

    /// Import a scikit-learn IsolationForest instead: a pickle, joblib, skops or ONNX file, which is parsed
    /// as data and never executed
    #[arg(long, value_name = "FILE", group = "trained_otherwise", conflicts_with_all = ["input", "exclude"])]
    pub(super) from_sklearn: Option<PathBuf>,

    /// Train with the settings of this AnomalyDetector, on the history of its sources: the model that
    /// `detector run` starts with. Sensors, features, lags, threshold and all other settings are those of the
    /// manifest. Or a data file, from which the manifest is inferred as by `run`
    #[arg(long, value_name = "FILE", group = "trained_otherwise", conflicts_with_all = ["input", "exclude", "columns", "score", "data_end_time"])]
    pub(super) manifest: Option<PathBuf>,

    /// Override a field of the manifest: spec.model.train.trees=200
    #[arg(long, value_name = "PATH=VALUE", requires = "manifest", conflicts_with_all = ["input", "from_sklearn"])]
    pub(super) set: Vec<String>,

    /// The folder with the Secrets of the manifest's sources: a subfolder with the name of the source for
    /// each, with the Secret's keys as files
    #[arg(long, value_name = "FOLDER", default_value = SOURCE_CREDENTIALS_DIRECTORY, requires = "manifest", conflicts_with_all = ["input", "from_sklearn"])]
    pub(super) source_credentials: PathBuf,

    /// Certificate authorities to trust in addition to the public ones when the manifest's sources are read,
    /// in PEM
    #[arg(long, value_name = "FILE", requires = "manifest", conflicts_with_all = ["input", "from_sklearn"])]
    pub(super) ca_bundle: Option<PathBuf>,

    /// Where to write the model; - for the standard output
    #[arg(long, value_name = "FILE")]
    pub(super) output: PathBuf,

    /// The columns to learn from, in the model's order [default: all but `timestamp` and `label`]. For an
    /// imported forest: the names of its columns
    #[arg(long, value_name = "NAMES", value_delimiter = ',', conflicts_with = "exclude")]
    pub(super) columns: Option<Vec<String>>,

    /// Learn from all columns except these
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub(super) exclude: Option<Vec<String>>,

    /// A column of labels, 0 or 1, that is not learned from: how well the scores separate the two classes is
    /// printed at the end
    #[arg(long, value_name = "NAME", conflicts_with = "trained_otherwise")]
    pub(super) label: Option<String>,

    /// How trees are split and scored: Standard, AveragedGain, PooledGain, AdjustedDepth, Density,
    /// AdjustedDensity or Auto, which also chooses the sample size and the extension; as in an
    /// AnomalyDetector's `model.train`
    #[arg(long, value_name = "MODE", default_value = "Standard", value_parser = mode, conflicts_with = "trained_otherwise")]
    pub(super) mode: ForestMode,

    /// The number of trees, 1 to 10000
    #[arg(long, value_name = "N", default_value_t = 100, conflicts_with = "trained_otherwise")]
    pub(super) trees: u32,

    /// The number of rows that each tree is grown from; all rows where there are fewer
    /// [default: 256]
    #[arg(long, value_name = "N", conflicts_with = "trained_otherwise")]
    pub(super) sample_size: Option<u32>,

    /// The shape of the splits. 0: parallel to an axis. N: hyperplanes over N + 1 columns (Extended Isolation
    /// Forest)
    /// [default: 0]
    #[arg(long, value_name = "N", conflicts_with = "trained_otherwise")]
    pub(super) extension: Option<u32>,

    /// The seed of all random numbers
    #[arg(long, value_name = "N", default_value_t = 0, conflicts_with = "trained_otherwise")]
    pub(super) seed: u64,

    /// The share of the rows to call anomalous, in (0, 0.5], with exactly the meaning that it has in
    /// scikit-learn
    /// [default: 0.01; an imported forest keeps its own]
    #[arg(long, value_name = "SHARE", conflicts_with_all = ["score", "trained_otherwise"])]
    pub(super) contamination: Option<f64>,

    /// The number of anomalous rows per day to expect on ordinary data. The table needs a column `timestamp`
    #[arg(long, value_name = "N", conflicts_with_all = ["contamination", "score", "trained_otherwise"])]
    pub(super) alerts_per_day: Option<f64>,

    /// A fixed threshold, between 0 and 1: a row with a higher score is anomalous
    #[arg(long, value_name = "SCORE")]
    pub(super) score: Option<f64>,

    /// The features of each column that the model sees: Value, Difference, RollingMean, LogStdDev,
    /// DailyResidual; as in an AnomalyDetector's `model.train`. With a feature other than Value, or with
    /// --lags, rows with a missing cell are skipped
    #[arg(long, value_name = "NAMES", value_delimiter = ',', default_value = "Value", value_parser = feature, conflicts_with = "trained_otherwise")]
    pub(super) features: Vec<Feature>,

    /// The number of rows that RollingMean and LogStdDev are computed from, 2 to 1000
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = within(2, 1000), conflicts_with = "trained_otherwise")]
    pub(super) window: usize,

    /// Append the features of this many previous rows to each vector, 0 to 100
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = within(0, 100), conflicts_with = "trained_otherwise")]
    pub(super) lags: usize,

    /// The time of the newest row, as an RFC 3339 time. It is stored in the model instead of the current
    /// time, so that the same data gives the same file
    #[arg(long, value_name = "TIME", default_value = "1970-01-01T00:00:00Z")]
    pub(super) data_end_time: Timestamp,
}

/// Parse a mode by its name in manifests.
fn mode(name: &str) -> Result<ForestMode, String> {
    let known = ForestMode::ALL.into_iter().find(|mode| mode.name() == name);
    known.ok_or_else(|| format!("expected one of {}", ForestMode::ALL.map(ForestMode::name).join(", ")))
}

/// A parser of a number of rows between `least` and `most`, both included.
fn within(least: usize, most: usize) -> impl Fn(&str) -> Result<usize, String> + Clone {
    move |text| {
        let number = text.parse().ok().filter(|number| (least..=most).contains(number));
        number.ok_or_else(|| format!("must be {least} to {most}"))
    }
}

/// Parse a feature by its name in manifests.
fn feature(name: &str) -> Result<Feature, String> {
    serde_json::from_value(name.into()).map_err(|error| error.to_string())
}
