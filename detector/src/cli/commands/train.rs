//! `detector train`: a CSV file or another system's forest in, a model out.

use std::path::{Path, PathBuf};

use clap::Args;
use crd::training::ForestMode;
use crd::valid::Cut;
use forest::artifact::{self, ArtifactError};
use forest::threshold::ThresholdError;
use forest::{
    Artifact, Ensemble, EnsembleParams, ForestError, Metadata, Params, ParamsError, Samples, SamplesError,
    Training,
};
use indicatif::{ProgressBar, ProgressStyle};
use interchange::Imported;
use jiff::Timestamp;
use thiserror::Error;

use super::column_warnings;
use super::model_file::{self, ModelFileError};
use crate::ingest::sources::delimited::CsvError;
use crate::ingest::table::{Selection, Table};
use crate::model::model::as_they_are;
use crate::model::threshold::{self, TrainingScores};
use crate::model::training;

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

    /// A fixed score between 0 and 1 over which a row is anomalous
    #[arg(long, value_name = "SCORE")]
    score: Option<f64>,

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
    /// The data is no data.
    #[error(transparent)]
    Samples(#[from] SamplesError),
    /// Parameters out of range.
    #[error(transparent)]
    Params(#[from] ParamsError),
    /// What is chosen cannot be given.
    #[error("mode Auto chooses --sample-size and --extension: they must be left out")]
    Chosen,
    /// The forest cannot be grown.
    #[error(transparent)]
    Forest(#[from] ForestError),
    /// No threshold can be found.
    #[error(transparent)]
    Threshold(#[from] ThresholdError),
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
    let artifact = match &args.from_sklearn {
        Some(file) => imported(args, file)?,
        None => learned(args)?,
    };
    let bytes = artifact.to_bytes()?;
    model_file::write(&args.output, &bytes)?;
    artifact.metadata.training.warnings.iter().for_each(|warning| eprintln!("warning: {warning}"));
    eprintln!("{}", told(&artifact, &artifact::digest(&bytes)));
    Ok(())
}

/// A forest that is grown from the rows of the input.
fn learned(args: &TrainArgs) -> Result<Artifact, TrainError> {
    let input = args.input.as_deref().expect("clap asks for an input unless there is something to import");
    if args.mode == ForestMode::Auto && (args.sample_size.is_some() || args.extension.is_some()) {
        return Err(TrainError::Chosen);
    }
    let (sample_size, extension) = (args.sample_size.unwrap_or(256), args.extension.unwrap_or(0));
    let params = Params::new(args.trees, sample_size, extension, args.seed)?;
    let params = training::in_mode(params, args.mode);
    let score = args.score.map(checked).transpose()?;
    let mut table = Table::open(input, &selection(args))?.with_missing();
    let cells = table.rest()?;
    let suspicious =
        if args.columns.is_some() { Vec::new() } else { column_warnings::of(table.columns(), &cells) };
    let samples = Samples::with_missing(table.columns().len(), cells)?;
    if samples.len() < 2 {
        return Err(TrainError::TooFew { input: input.to_owned(), rows: samples.len() });
    }
    let ensemble = grown(&samples, &params)?;
    let by = score.map_or(Cut::Contamination(args.contamination.unwrap_or(0.01)), Cut::Score);
    let scores = TrainingScores { seen: ensemble.scores(&samples), unseen: Vec::new(), seconds_apart: 1.0 };
    let threshold = scores.threshold(by)?.score;
    let warnings = samples.warnings(|column| table.columns()[column].clone()).into_iter();
    let warnings =
        warnings.chain(suspicious).chain(threshold::silence(by, threshold, &scores.seen)).collect();
    let training = training(args, samples.len() as u64, "trained".to_owned());
    let (choice, central_ranges) = (ensemble.choice(&samples), samples.central_ranges());
    let training = Training { choice, central_ranges, warnings, ..training };
    Ok(Artifact { ensemble, metadata: metadata(table.columns().to_vec(), threshold, training), scores: None })
}

/// A forest that was grown elsewhere. Its data is not known, so its samples are those of one tree.
fn imported(args: &TrainArgs, path: &Path) -> Result<Artifact, TrainError> {
    let score = args.score.map(checked).transpose()?;
    let refused = |error| TrainError::Import { path: path.to_owned(), source: Box::new(error) };
    let Imported { ensemble, cut, columns, origin } =
        interchange::read(&model_file::bytes(path)?).map_err(refused)?;
    let names = args.columns.clone().or(columns).unwrap_or_else(|| unnamed(ensemble.columns()));
    if names.len() != ensemble.columns() {
        return Err(TrainError::Columns { forest: ensemble.columns(), names: names.len() });
    }
    let training = training(args, u64::from(ensemble.members()[0].sample_size()), origin);
    Ok(Artifact { metadata: metadata(names, score.unwrap_or(cut), training), ensemble, scores: None })
}

fn selection(args: &TrainArgs) -> Selection<'_> {
    match (&args.columns, &args.exclude) {
        (Some(names), _) => Selection::Named(names),
        (_, Some(names)) => Selection::AllBut(names),
        (None, None) => Selection::Measurements,
    }
}

/// A mode by the name that manifests know.
fn mode(name: &str) -> Result<ForestMode, String> {
    let known = ForestMode::ALL.into_iter().find(|mode| mode.name() == name);
    known.ok_or_else(|| format!("expected one of {}", ForestMode::ALL.map(ForestMode::name).join(", ")))
}

fn checked(score: f64) -> Result<f64, TrainError> {
    if score > 0.0 && score < 1.0 { Ok(score) } else { Err(TrainError::Score(score)) }
}

/// indicatif shows the trees that are done on a terminal only.
fn grown(samples: &Samples, params: &EnsembleParams) -> Result<Ensemble, ForestError> {
    let style = ProgressStyle::with_template("growing {wide_bar} {pos}/{len} trees")
        .expect("the template is well-formed: a test trains");
    let bar = ProgressBar::new(u64::from(params.total_trees())).with_style(style);
    let ensemble = Ensemble::fit_with_progress(samples, params, &|_| bar.inc(1));
    bar.finish_and_clear();
    ensemble
}

/// What is known of a forest whose rows are readings as they are.
fn metadata(columns: Vec<String>, threshold: f64, training: Training) -> Metadata {
    Metadata { columns, pipeline: as_they_are(), threshold, training, ..Metadata::default() }
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
fn told(artifact: &Artifact, digest: &str) -> String {
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
