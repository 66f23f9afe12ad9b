//! `detector train`: a CSV file or another system's forest in, a model out.

use std::path::{Path, PathBuf};

use clap::Args;
use crd::model::Feature;
use crd::training::ForestMode;
use crd::valid::Cut;
use forest::artifact::{self, ArtifactError};
use forest::{Artifact, EnsembleParams, Metadata, Params, ParamsError, Training};
use indicatif::{ProgressBar, ProgressStyle};
use interchange::Imported;
use jiff::Timestamp;
use thiserror::Error;

use super::column_warnings;
use super::labelled_rows::{LabelledRows, LabelledRowsError};
use super::model_file::{self, ModelFileError};
use crate::cli::stdout::note;
use crate::features::pipeline::Recipe;
use crate::ingest::sources::delimited::CsvError;
use crate::ingest::table::{Selection, Table};
use crate::model::model::{ModelError, as_they_are};
use crate::model::threshold;
use crate::model::training::{self, Fit, Missing, VectorBuilder, Vectors};

/// Train an isolation forest on the rows of a CSV file, or import one that was trained elsewhere.
///
/// The file has a header line; it may be gzipped, and its cells separated by commas, semicolons or tabs. A cell that is
/// empty, NaN, NA or null is missing, any other that is read must be a number. The same data and options give the same model, to the bit.
#[derive(Debug, Args)]
pub struct TrainArgs {
    /// The CSV file; - for the standard input
    #[arg(long, value_name = "FILE", required_unless_present = "from_sklearn")]
    input: Option<PathBuf>,

    /// Import a scikit-learn IsolationForest instead: a pickle, joblib, skops or ONNX file, which is read as data
    /// and never run
    #[arg(long, value_name = "FILE", conflicts_with_all = ["input", "exclude"])]
    from_sklearn: Option<PathBuf>,

    /// Where to write the model; - for the standard output
    #[arg(long, value_name = "FILE")]
    output: PathBuf,

    /// The columns to learn from, in the model's order [default: all but `timestamp` and `label`]. For an
    /// imported forest: the names of its columns
    #[arg(long, value_name = "NAMES", value_delimiter = ',', conflicts_with = "exclude")]
    columns: Option<Vec<String>>,

    /// Learn from all columns but these
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    exclude: Option<Vec<String>>,

    /// A column of labels, 0 or 1, that is not learned from: how well the model separates its rows is printed at the end
    #[arg(long, value_name = "NAME", conflicts_with = "from_sklearn")]
    label: Option<String>,

    /// How trees are split and what their leaves say: Standard, AveragedGain, PooledGain, AdjustedDepth, Density,
    /// AdjustedDensity or Auto, which chooses sample size and extension too; as in an AnomalyDetector's `model.train`
    #[arg(long, value_name = "MODE", default_value = "Standard", value_parser = mode, conflicts_with = "from_sklearn")]
    mode: ForestMode,

    /// The number of trees, 1 to 10000
    #[arg(long, value_name = "N", default_value_t = 100, conflicts_with = "from_sklearn")]
    trees: u32,

    /// How many rows each tree is grown from; all of them where there are fewer
    /// [default: 256]
    #[arg(long, value_name = "N", conflicts_with = "from_sklearn")]
    sample_size: Option<u32>,

    /// 0: splits parallel to an axis. N: hyperplanes over N + 1 columns (Extended Isolation Forest)
    /// [default: 0]
    #[arg(long, value_name = "N", conflicts_with = "from_sklearn")]
    extension: Option<u32>,

    /// The seed of all randomness
    #[arg(long, value_name = "N", default_value_t = 0, conflicts_with = "from_sklearn")]
    seed: u64,

    /// The share of the rows to call anomalous, in (0, 0.5]: scikit-learn's meaning, to the digit
    /// [default: 0.01; an imported forest keeps its own]
    #[arg(long, value_name = "SHARE", conflicts_with_all = ["score", "from_sklearn"])]
    contamination: Option<f64>,

    /// How many anomalous rows a day to expect on ordinary data. The file needs a column `timestamp`
    #[arg(long, value_name = "N", conflicts_with_all = ["contamination", "score", "from_sklearn"])]
    alerts_per_day: Option<f64>,

    /// A fixed score between 0 and 1 over which a row is anomalous
    #[arg(long, value_name = "SCORE")]
    score: Option<f64>,

    /// What the model sees of each column: Value, Difference, RollingMean, LogStdDev, DailyResidual; as in an
    /// AnomalyDetector's `model.train`. Features of more than a row leave out rows with a missing cell
    #[arg(long, value_name = "NAMES", value_delimiter = ',', default_value = "Value", value_parser = feature, conflicts_with = "from_sklearn")]
    features: Vec<Feature>,

    /// How many rows RollingMean and LogStdDev are taken over, 2 to 1000
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = within(2, 1000), conflicts_with = "from_sklearn")]
    window: usize,

    /// Append the features of this many previous rows to each vector, 0 to 100
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = within(0, 100), conflicts_with = "from_sklearn")]
    lags: usize,

    /// The time of the newest row, as an RFC 3339 time. It is kept in the model; the clock is not asked, so that the
    /// same data gives the same file
    #[arg(long, value_name = "TIME", default_value = "1970-01-01T00:00:00Z")]
    data_end_time: Timestamp,
}

/// Why there is no model.
#[derive(Debug, Error)]
pub enum TrainError {
    /// The data cannot be read.
    #[error(transparent)]
    Csv(#[from] CsvError),
    /// Too little to learn from.
    #[error("{}: expected at least 2 rows to learn from, got {rows}", input.display())]
    TooFew {
        /// The file.
        input: PathBuf,
        /// Its rows.
        rows: usize,
    },
    /// Parameters out of range.
    #[error(transparent)]
    Params(#[from] ParamsError),
    /// What is chosen cannot be given.
    #[error("mode Auto chooses --sample-size and --extension: they must be left out")]
    Chosen,
    /// The data allows no forest, or no threshold.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// Times are needed that the file does not have.
    #[error("{0} needs the times of the rows: expected a column \"timestamp\", got none")]
    NoTimes(&'static str),
    /// A rate that is none.
    #[error("alerts per day must be greater than 0, got {0}")]
    AlertsPerDay(f64),
    /// A fixed score that is none.
    #[error("score must be greater than 0 and less than 1, got {0}")]
    Score(f64),
    /// Another system's file that holds no forest.
    #[error("{}: {source}", path.display())]
    Import {
        /// The file.
        path: PathBuf,
        /// Why.
        source: Box<interchange::Error>,
    },
    /// Names that are not as many as the imported forest's columns.
    #[error("columns must be as many as the imported forest's, {forest}, got {names}")]
    Columns {
        /// The forest's columns.
        forest: usize,
        /// The names given.
        names: usize,
    },
    /// The labels have no figures.
    #[error(transparent)]
    Labels(#[from] LabelledRowsError),
    /// The label is one of the columns.
    #[error("--label {0} must not be one of --columns: the model would learn the answer")]
    LearnedLabel(String),
    /// The model has no bytes.
    #[error(transparent)]
    Artifact(#[from] ArtifactError),
    /// A file cannot be read or written.
    #[error(transparent)]
    File(#[from] ModelFileError),
}

/// Train or import, write the model, and say on the standard error what it is.
///
/// # Errors
/// The input is refused, or a file cannot be written.
pub fn run(args: &TrainArgs) -> Result<(), TrainError> {
    let inputs: Vec<&Path> = args.input.iter().chain(&args.from_sklearn).map(PathBuf::as_path).collect();
    model_file::check_output(&args.output, &inputs)?;
    let (artifact, labelled) = match &args.from_sklearn {
        Some(file) => (imported(args, file)?, None),
        None => learned(args)?,
    };
    let bytes = artifact.to_bytes()?;
    model_file::write(&args.output, &bytes)?;
    for warning in warnings(args, &artifact) {
        note(format_args!("warning: {warning}"));
    }
    note(summary(&artifact, &artifact::digest(&bytes)));
    if let Some(labelled) = labelled {
        note(labelled.figures(artifact)?);
    }
    Ok(())
}

/// Why its verdicts may not be trusted: what the artifact says, and what its threshold cannot keep.
fn warnings(args: &TrainArgs, artifact: &Artifact) -> Vec<String> {
    let Training { warnings, expected_alerts_per_day, samples, .. } = &artifact.metadata.training;
    let (Some(scores), Ok(by)) = (&artifact.scores, threshold_by(args)) else { return warnings.clone() };
    let shortfall = threshold::shortfall(by, *expected_alerts_per_day, *samples as usize);
    let silence = threshold::silence(by, artifact.metadata.threshold, scores.seen.scores());
    warnings.iter().cloned().chain(shortfall).chain(silence).collect()
}

/// A forest that is grown from the rows of the input, as `training` grows that of a detector.
fn learned(args: &TrainArgs) -> Result<(Artifact, Option<LabelledRows>), TrainError> {
    let params = params(args)?;
    let by = threshold_by(args)?;
    let Rows { sensors, vectors, labelled } = rows(args)?;
    let trained = Fit { vectors, held_out: None, sensors, params, threshold: by };
    let mut artifact = with_bar(&params, |trees_done| trained.artifact(trees_done))?;
    artifact.metadata.training.trained_at = args.data_end_time.to_string();
    Ok((artifact, labelled))
}

/// The vectors of the rows, and the names of the columns that they are made of.
struct Rows {
    sensors: Vec<String>,
    vectors: Vectors,
    labelled: Option<LabelledRows>,
}

fn rows(args: &TrainArgs) -> Result<Rows, TrainError> {
    let input = args.input.as_deref().expect("clap asks for an input unless there is something to import");
    let recipe = Recipe { features: args.features.clone(), window: args.window, lags: args.lags };
    let missing =
        if recipe.features == [Feature::Value] && recipe.lags == 0 { Missing::Keep } else { Missing::Skip };
    if let Some(label) =
        args.label.iter().find(|label| args.columns.iter().flatten().any(|name| name == *label))
    {
        return Err(TrainError::LearnedLabel(label.clone()));
    }
    let excluded = excluded(args);
    let mut table = Table::open(input, &selection(args, &excluded))?.with_missing().with_times();
    if let Some(label) = &args.label {
        table = table.with_label(label)?;
    }
    let cells = table.rest()?;
    let sensors = table.columns().to_vec();
    let suspicious = if args.columns.is_some() { Vec::new() } else { column_warnings::of(&sensors, &cells) };
    let count = cells.len() / sensors.len();
    if count < 2 {
        return Err(TrainError::TooFew { input: input.to_owned(), rows: count });
    }
    let times = times(args, &mut table)?;
    let mut vectors = VectorBuilder::new(recipe, sensors.len(), missing);
    for (row, values) in cells.chunks_exact(sensors.len()).enumerate() {
        vectors.push(times.as_ref().map(|times| times[row]), values);
    }
    let mut vectors = vectors.finish()?;
    vectors.warnings.extend(suspicious);
    let label = args.label.clone();
    let labelled = label.map(|column| LabelledRows { column, labels: table.labels(), times, cells });
    Ok(Rows { sensors, vectors, labelled })
}

/// The times of the rows. Where nothing depends on them, a column that is no times is not refused.
fn times(args: &TrainArgs, table: &mut Table) -> Result<Option<Vec<Timestamp>>, TrainError> {
    let by = args.alerts_per_day.map(|_| "--alerts-per-day");
    let needed = by.or_else(|| args.features.contains(&Feature::DailyResidual).then_some("DailyResidual"));
    match (table.times(), needed) {
        (Ok(None), Some(by)) => Err(TrainError::NoTimes(by)),
        (Err(error), Some(_)) => Err(error.into()),
        (times, _) => Ok(times.ok().flatten()),
    }
}

fn params(args: &TrainArgs) -> Result<EnsembleParams, TrainError> {
    if args.mode == ForestMode::Auto && (args.sample_size.is_some() || args.extension.is_some()) {
        return Err(TrainError::Chosen);
    }
    let (sample_size, extension) = (args.sample_size.unwrap_or(256), args.extension.unwrap_or(0));
    let params = Params::new(args.trees, sample_size, extension, args.seed)?;
    Ok(training::in_mode(params, args.mode))
}

fn threshold_by(args: &TrainArgs) -> Result<Cut, TrainError> {
    match (args.score, args.alerts_per_day) {
        (Some(score), _) => Ok(Cut::Score(checked(score)?)),
        (None, Some(alerts)) if alerts > 0.0 && alerts.is_finite() => Ok(Cut::alerts_per_day(alerts)),
        (None, Some(alerts)) => Err(TrainError::AlertsPerDay(alerts)),
        (None, None) => Ok(Cut::Contamination(args.contamination.unwrap_or(0.01))),
    }
}

/// A forest that was grown elsewhere. Its data is not known, so its samples are those of one tree.
fn imported(args: &TrainArgs, path: &Path) -> Result<Artifact, TrainError> {
    let score = args.score.map(checked).transpose()?;
    let refused = |error| TrainError::Import { path: path.to_owned(), source: Box::new(error) };
    let imported = interchange::read(&model_file::bytes(path)?).map_err(refused)?;
    let inputs = imported.inputs();
    let Imported { ensemble, preprocessing, threshold, columns, origin } = imported;
    let names = args.columns.clone().or(columns).unwrap_or_else(|| unnamed(inputs));
    if names.len() != inputs {
        return Err(TrainError::Columns { forest: inputs, names: names.len() });
    }
    let training = training(args, u64::from(ensemble.members()[0].sample_size()), origin);
    let metadata = Metadata {
        pipeline: as_they_are(preprocessing),
        ..metadata(names, score.unwrap_or(threshold), training)
    };
    Ok(Artifact { metadata, ensemble, scores: None })
}

/// What the model does not learn from, where columns are left out by name.
fn excluded(args: &TrainArgs) -> Vec<String> {
    args.exclude.iter().flatten().chain(&args.label).cloned().collect()
}

fn selection<'a>(args: &'a TrainArgs, excluded: &'a [String]) -> Selection<'a> {
    match (&args.columns, &args.exclude) {
        (Some(names), _) => Selection::Named(names),
        (_, Some(_)) => Selection::AllBut(excluded),
        (None, None) => Selection::MeasurementsBut(excluded),
    }
}

/// A mode by the name that manifests know.
fn mode(name: &str) -> Result<ForestMode, String> {
    let known = ForestMode::ALL.into_iter().find(|mode| mode.name() == name);
    known.ok_or_else(|| format!("expected one of {}", ForestMode::ALL.map(ForestMode::name).join(", ")))
}

/// A number of rows.
fn within(least: usize, most: usize) -> impl Fn(&str) -> Result<usize, String> + Clone {
    move |text| {
        let number = text.parse().ok().filter(|number| (least..=most).contains(number));
        number.ok_or_else(|| format!("must be {least} to {most}"))
    }
}

fn checked(score: f64) -> Result<f64, TrainError> {
    if score > 0.0 && score < 1.0 { Ok(score) } else { Err(TrainError::Score(score)) }
}

/// indicatif shows the trees that are done on a terminal only.
fn with_bar<T>(params: &EnsembleParams, train: impl FnOnce(&(dyn Fn(usize) + Sync)) -> T) -> T {
    let style = ProgressStyle::with_template("growing {wide_bar} {pos}/{len} trees")
        .expect("the template is well-formed: a test trains");
    let bar = ProgressBar::new(u64::from(params.total_trees())).with_style(style);
    let trained = train(&|_| bar.inc(1));
    bar.finish_and_clear();
    trained
}

/// A feature by the name that manifests know.
fn feature(name: &str) -> Result<Feature, String> {
    serde_json::from_value(name.into()).map_err(|error| error.to_string())
}

/// What is known of a forest whose rows are readings as they are.
fn metadata(columns: Vec<String>, threshold: f64, training: Training) -> Metadata {
    Metadata { columns, pipeline: as_they_are(None), threshold, training, ..Metadata::default() }
}

fn training(args: &TrainArgs, samples: u64, origin: String) -> Training {
    Training { samples, trained_at: args.data_end_time.to_string(), origin, ..Training::default() }
}

/// `value`, which `POST /predict` knows, or `x0`, `x1` and so on.
fn unnamed(columns: usize) -> Vec<String> {
    match columns {
        1 => vec!["value".to_owned()],
        _ => (0..columns).map(|column| format!("x{column}")).collect(),
    }
}

/// One line for the person who waits.
fn summary(artifact: &Artifact, digest: &str) -> String {
    let Artifact { ensemble, metadata, .. } = artifact;
    let Metadata { columns, training, threshold, .. } = metadata;
    format!(
        "{}: {} trees over {} ({} samples), threshold {threshold:.4}, {digest}",
        training.origin,
        ensemble.total_trees(),
        columns.join(", "),
        training.samples
    )
}
