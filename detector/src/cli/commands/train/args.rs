//! The arguments of `detector train`.

use std::path::PathBuf;

use clap::Args;
use crd::contract::SOURCE_CREDENTIALS_DIRECTORY;
use crd::model::Feature;
use crd::training::ForestMode;
use jiff::Timestamp;

/// Train an isolation forest on the rows of a file or as a manifest says, or import one that was trained elsewhere.
///
/// The file of --input has a header line; it may be gzipped, and its cells separated by commas, semicolons or tabs. A cell that is
/// empty, NaN, NA or null is missing, any other that is read must be a number. The same data and options give the same model, to the bit.
#[derive(Debug, Args)]
pub struct TrainArgs {
    /// The table: CSV, or a JSON object a line, or Parquet where the program is built with it; - for the standard input
    #[arg(long, value_name = "FILE", required_unless_present = "trained_otherwise")]
    pub(super) input: Option<PathBuf>,

    /// Import a scikit-learn IsolationForest instead: a pickle, joblib, skops or ONNX file, which is read as data
    /// and never run
    #[arg(long, value_name = "FILE", group = "trained_otherwise", conflicts_with_all = ["input", "exclude"])]
    pub(super) from_sklearn: Option<PathBuf>,

    /// Train as this AnomalyDetector says, on the history of its sources: the model that `detector run` begins with. Sensors,
    /// features, lags, threshold and all else are the manifest's. Or data, of which the manifest is inferred as by `run`
    #[arg(long, value_name = "FILE", group = "trained_otherwise", conflicts_with_all = ["input", "exclude", "columns", "score", "data_end_time"])]
    pub(super) manifest: Option<PathBuf>,

    /// Change a field of the manifest first: spec.model.train.trees=200
    #[arg(long, value_name = "PATH=VALUE", requires = "manifest", conflicts_with_all = ["input", "from_sklearn"])]
    pub(super) set: Vec<String>,

    /// The folder with a folder for each source of the manifest that has a Secret, by the source's name, with the Secret's keys
    #[arg(long, value_name = "FOLDER", default_value = SOURCE_CREDENTIALS_DIRECTORY, requires = "manifest", conflicts_with_all = ["input", "from_sklearn"])]
    pub(super) source_credentials: PathBuf,

    /// Certificate authorities to trust beside the public ones when the manifest's sources are read, in PEM
    #[arg(long, value_name = "FILE", requires = "manifest", conflicts_with_all = ["input", "from_sklearn"])]
    pub(super) ca_bundle: Option<PathBuf>,

    /// Where to write the model; - for the standard output
    #[arg(long, value_name = "FILE")]
    pub(super) output: PathBuf,

    /// The columns to learn from, in the model's order [default: all but `timestamp` and `label`]. For an
    /// imported forest: the names of its columns
    #[arg(long, value_name = "NAMES", value_delimiter = ',', conflicts_with = "exclude")]
    pub(super) columns: Option<Vec<String>>,

    /// Learn from all columns but these
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub(super) exclude: Option<Vec<String>>,

    /// A column of labels, 0 or 1, that is not learned from: how well the model separates its rows is printed at the end
    #[arg(long, value_name = "NAME", conflicts_with = "trained_otherwise")]
    pub(super) label: Option<String>,

    /// How trees are split and what their leaves say: Standard, AveragedGain, PooledGain, AdjustedDepth, Density,
    /// AdjustedDensity or Auto, which chooses sample size and extension too; as in an AnomalyDetector's `model.train`
    #[arg(long, value_name = "MODE", default_value = "Standard", value_parser = mode, conflicts_with = "trained_otherwise")]
    pub(super) mode: ForestMode,

    /// The number of trees, 1 to 10000
    #[arg(long, value_name = "N", default_value_t = 100, conflicts_with = "trained_otherwise")]
    pub(super) trees: u32,

    /// How many rows each tree is grown from; all of them where there are fewer
    /// [default: 256]
    #[arg(long, value_name = "N", conflicts_with = "trained_otherwise")]
    pub(super) sample_size: Option<u32>,

    /// 0: splits parallel to an axis. N: hyperplanes over N + 1 columns (Extended Isolation Forest)
    /// [default: 0]
    #[arg(long, value_name = "N", conflicts_with = "trained_otherwise")]
    pub(super) extension: Option<u32>,

    /// The seed of all randomness
    #[arg(long, value_name = "N", default_value_t = 0, conflicts_with = "trained_otherwise")]
    pub(super) seed: u64,

    /// The share of the rows to call anomalous, in (0, 0.5]: scikit-learn's meaning, to the digit
    /// [default: 0.01; an imported forest keeps its own]
    #[arg(long, value_name = "SHARE", conflicts_with_all = ["score", "trained_otherwise"])]
    pub(super) contamination: Option<f64>,

    /// How many anomalous rows a day to expect on ordinary data. The file needs a column `timestamp`
    #[arg(long, value_name = "N", conflicts_with_all = ["contamination", "score", "trained_otherwise"])]
    pub(super) alerts_per_day: Option<f64>,

    /// A fixed score between 0 and 1 over which a row is anomalous
    #[arg(long, value_name = "SCORE")]
    pub(super) score: Option<f64>,

    /// What the model sees of each column: Value, Difference, RollingMean, LogStdDev, DailyResidual; as in an
    /// AnomalyDetector's `model.train`. Features of more than a row leave out rows with a missing cell
    #[arg(long, value_name = "NAMES", value_delimiter = ',', default_value = "Value", value_parser = feature, conflicts_with = "trained_otherwise")]
    pub(super) features: Vec<Feature>,

    /// How many rows RollingMean and LogStdDev are taken over, 2 to 1000
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = within(2, 1000), conflicts_with = "trained_otherwise")]
    pub(super) window: usize,

    /// Append the features of this many previous rows to each vector, 0 to 100
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = within(0, 100), conflicts_with = "trained_otherwise")]
    pub(super) lags: usize,

    /// The time of the newest row, as an RFC 3339 time. It is kept in the model; the clock is not asked, so that the
    /// same data gives the same file
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
