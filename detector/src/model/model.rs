//! An artifact in, a model out, with its properties: digest, columns, threshold, origin.

use std::sync::{Arc, OnceLock};

use crd::contract::ModelReport;
use crd::model::Feature;
use crd::status::Origin;
use crd::valid::ThresholdRule;
use forest::artifact::{self, Artifact, ArtifactError, Metadata, Scores, Training};
use forest::threshold::ThresholdError;
use forest::{Ensemble, ForestError, ParamsError, SamplesError};
use interchange::{Imported, Preprocessing};
use jiff::Timestamp;
use thiserror::Error;

use crate::features::column_names::column_names;
use crate::features::daily::Daily;
use crate::features::pipeline::{Features, Pipeline, Recipe};
use crate::features::reference::Reference;
use crate::model::{file_kind, threshold};

/// A forest, the threshold, and how readings become its vectors. Immutable: a new training makes a new model.
#[derive(Debug)]
pub struct Model {
    pub(super) artifact: Artifact,
    pub(super) pipeline: Pipeline,
    pub(super) digest: Arc<str>,
    bytes: Vec<u8>,
    origin: Origin,
    trained_at: Option<Timestamp>,
    column_names: OnceLock<Vec<String>>,
}

/// The result of a change of a model's threshold.
#[derive(Debug)]
pub enum Rethreshold {
    /// The model already has that threshold.
    Same,
    /// The same forest with that threshold.
    Other(Box<Model>),
    /// The training scores that the artifact keeps do not determine the threshold: a new training is needed.
    Unknown,
}

/// Why a model cannot be trained or opened.
#[derive(Debug, Error)]
pub enum ModelError {
    /// Too few samples to learn from.
    #[error(
        "training needs at least 2 samples, got {samples}: the sources gave {readings} complete readings, and a sample looks {past} back"
    )]
    TooFew {
        /// The number of samples.
        samples: usize,
        /// The number of instants at which every sensor gave a reading.
        readings: usize,
        /// The number of earlier readings that a sample needs.
        past: usize,
    },
    /// A reading that the forest cannot hold.
    #[error("a reading cannot be used for training: {0}")]
    Samples(#[from] SamplesError),
    /// Parameters out of range.
    #[error(transparent)]
    Params(#[from] ParamsError),
    /// The forest cannot be grown.
    #[error(transparent)]
    Forest(#[from] ForestError),
    /// No threshold can be found.
    #[error(transparent)]
    Threshold(#[from] ThresholdError),
    /// The threshold is given as alerts per day, but without times the number of readings per day is not
    /// known.
    #[error("a threshold by alerts per day needs the times of the readings, got readings without times")]
    NoTimes,
    /// The artifact cannot be written or read.
    #[error(transparent)]
    Artifact(#[from] ArtifactError),
    /// The file is of another kind.
    #[error("expected a model that `detector train` or a detector wrote, got {0}")]
    NotAModel(&'static str),
    /// The artifact holds a pipeline that this version does not know.
    #[error("the model's pipeline is not one that this version knows: {0}")]
    Pipeline(#[source] serde_json::Error),
    /// The artifact's levels are not valid.
    #[error("the model's reference must have a finite level and a deviation over 0 for each of its sensors")]
    Reference,
    /// The artifact's usual values by time of day are not valid.
    #[error("the model's daily values must be finite, one for each of its sensors in at most 48 half hours")]
    Daily,
    /// The artifact's steps before the forest take another number of columns than its vectors have.
    #[error("the model's steps must take as many columns as its vectors have, {vector}, got {steps}")]
    Steps {
        /// The number of columns of a vector.
        vector: usize,
        /// The number of columns that the steps take.
        steps: usize,
    },
    /// The artifact's forest has another number of columns than its pipeline gives.
    #[error("the model's pipeline must give as many columns as its forest has, {forest}, got {pipeline}")]
    Vectors {
        /// The number of columns of the forest.
        forest: usize,
        /// The number of columns that the pipeline gives.
        pipeline: usize,
    },
}

/// The most warnings of an artifact that are reported, and the most characters of each.
const MAX_WARNINGS: usize = 8;
const MAX_WARNING_CHARS: usize = 500;

impl Model {
    /// Open a model from the bytes of an artifact.
    ///
    /// # Errors
    /// The bytes are not an artifact, or have a pipeline that this version does not know.
    pub fn open(bytes: Vec<u8>) -> Result<Self, ModelError> {
        let artifact = Artifact::from_bytes(&bytes).map_err(|error| match file_kind::describe(&bytes) {
            Some(kind) => ModelError::NotAModel(kind),
            None => error.into(),
        })?;
        Self::sealed(artifact, bytes, Origin::Trained)
    }

    /// Create a model from an artifact.
    ///
    /// # Errors
    /// The artifact cannot be encoded, or has a pipeline that this version does not know.
    pub fn new(artifact: Artifact) -> Result<Self, ModelError> {
        let bytes = artifact.to_bytes()?;
        Self::sealed(artifact, bytes, Origin::Trained)
    }

    /// Create a model from another system's forest over plain readings. Its training data is not known: its
    /// number of samples is that of one tree, and its time is the Unix epoch, so that the same file gives the
    /// same model.
    ///
    /// # Errors
    /// The artifact cannot be encoded, for example because the threshold is not between 0 and 1.
    pub fn imported(imported: Imported, columns: Vec<String>) -> Result<Self, ModelError> {
        let pipeline = plain_pipeline(imported.preprocessing);
        let Imported { ensemble, threshold, origin, warnings, .. } = imported;
        let training = Training {
            samples: u64::from(ensemble.members()[0].sample_size()),
            trained_at: Timestamp::UNIX_EPOCH.to_string(),
            origin,
            warnings,
            ..Training::default()
        };
        let metadata = Metadata { columns, pipeline, threshold, training, ..Metadata::default() };
        Self::new(Artifact { ensemble, metadata, scores: None })
    }

    fn sealed(artifact: Artifact, bytes: Vec<u8>, origin: Origin) -> Result<Self, ModelError> {
        let pipeline: Pipeline =
            serde_json::from_value(artifact.metadata.pipeline.clone()).map_err(ModelError::Pipeline)?;
        let sensors = artifact.metadata.columns.len();
        if pipeline.reference.as_ref().is_some_and(|reference| !reference.is_of(sensors)) {
            return Err(ModelError::Reference);
        }
        if !pipeline.daily.is_of(sensors) {
            return Err(ModelError::Daily);
        }
        let columns = pipeline.recipe.columns(sensors);
        let steps = pipeline.preprocessing.as_ref();
        if let Some(steps) = steps.map(Preprocessing::inputs).filter(|steps| *steps != columns) {
            return Err(ModelError::Steps { vector: columns, steps });
        }
        let columns = steps.map_or(columns, |steps| steps.columns().len());
        if columns != artifact.ensemble.columns() {
            return Err(ModelError::Vectors { forest: artifact.ensemble.columns(), pipeline: columns });
        }
        let trained_at = None;
        let digest = artifact::digest(&bytes).into();
        Ok(Self { digest, artifact, pipeline, bytes, origin, trained_at, column_names: OnceLock::new() })
    }

    /// Set the time at which the training ended, if it is known. The artifact does not have it: an artifact
    /// is a function of its data alone, so that replicas agree on it.
    #[must_use]
    pub fn with_training_end(self, trained_at: Option<Timestamp>) -> Self {
        Self { trained_at, ..self }
    }

    /// The time at which the training ended, if it is known.
    pub fn trained_at(&self) -> Option<Timestamp> {
        self.trained_at
    }

    /// Mark the model as loaded, not trained here.
    #[must_use]
    pub fn loaded(self) -> Self {
        Self { origin: Origin::Loaded, ..self }
    }

    /// Return the same forest with another threshold: the one that a training with the setting `by` would
    /// have found. The artifact equals the one of that training, to the bit.
    ///
    /// # Errors
    /// No threshold can be computed from the training scores.
    pub fn rethreshold(&self, by: ThresholdRule) -> Result<Rethreshold, ModelError> {
        let Some(scores) = &self.artifact.scores else { return Ok(Rethreshold::Unknown) };
        let found = if self.follows() {
            threshold::initial(scores, by, self.samples())?
        } else {
            threshold::rethreshold(scores, by)?
        };
        let Some(threshold) = found else { return Ok(Rethreshold::Unknown) };
        let mut artifact = self.artifact.clone();
        artifact.metadata.threshold = threshold.score;
        artifact.metadata.training.expected_alerts_per_day = threshold.expected_alerts_per_day;
        if artifact.metadata == self.artifact.metadata {
            return Ok(Rethreshold::Same);
        }
        let bytes = artifact.to_bytes()?;
        Ok(Rethreshold::Other(Box::new(Self::sealed(artifact, bytes, Origin::Rethresholded)?)))
    }

    /// Return the same forest with this threshold.
    ///
    /// # Errors
    /// The threshold is not a number that scores can be compared with.
    pub fn with_threshold_score(self, score: f64) -> Result<Self, ModelError> {
        let Self { mut artifact, bytes, origin, trained_at, .. } = self;
        drop(bytes); // freed first: the new bytes are made below
        artifact.metadata.threshold = score;
        artifact.metadata.training.expected_alerts_per_day = None;
        let bytes = artifact.to_bytes()?;
        Ok(Self::sealed(artifact, bytes, origin)?.with_training_end(trained_at))
    }

    /// The steps that turn a vector into the forest's cells; `None` if the forest scores the vector itself.
    pub fn preprocessing(&self) -> Option<&Preprocessing> {
        self.pipeline.preprocessing.as_ref()
    }

    /// The threshold: a higher score is an anomaly.
    pub fn threshold(&self) -> f64 {
        self.artifact.metadata.threshold
    }

    /// The sensors, in the order of a reading's values.
    pub fn sensors(&self) -> &[String] {
        &self.artifact.metadata.columns
    }

    /// The number of values in a vector.
    pub fn columns(&self) -> usize {
        self.pipeline.recipe.columns(self.sensors().len())
    }

    /// The names of a vector's values; the names of the sensors if vectors are plain readings.
    pub fn column_names(&self) -> &[String] {
        self.column_names.get_or_init(|| column_names(self.sensors(), self.recipe()))
    }

    /// Whether its vectors are measured against a level that follows the readings, and its threshold follows the scores.
    pub fn follows(&self) -> bool {
        self.pipeline.reference.is_some()
    }

    /// The level of its sensors at the end of the training; `None` if it does not follow the readings.
    pub fn reference(&self) -> Option<&Reference> {
        self.pipeline.reference.as_ref()
    }

    /// The scores of the training readings, if the artifact keeps them.
    pub fn training_scores(&self) -> Option<&Scores> {
        self.artifact.scores.as_ref()
    }

    /// How readings become vectors.
    pub fn recipe(&self) -> &Recipe {
        &self.pipeline.recipe
    }

    /// Create an empty memory of readings that makes the model's vectors.
    pub fn features(&self) -> Features {
        self.pipeline.features()
    }

    /// The name of this model: `sha256:` and 64 hexadecimal digits.
    pub fn digest(&self) -> &Arc<str> {
        &self.digest
    }

    /// The bytes of the artifact.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The bytes of the artifact, without the rest of the model.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// The number of trees.
    pub fn trees(&self) -> usize {
        self.artifact.ensemble.total_trees()
    }

    /// The number of samples that the model has learned from.
    pub fn samples(&self) -> usize {
        self.artifact.metadata.training.samples as usize
    }

    /// Where the model comes from: `trained`, or the system that it was imported from.
    pub fn origin(&self) -> &str {
        &self.artifact.metadata.training.origin
    }

    /// The number of anomalous verdicts per day to expect on readings like the training readings; `None` if
    /// it is not known.
    pub fn expected_alerts_per_day(&self) -> Option<f64> {
        self.artifact.metadata.training.expected_alerts_per_day
    }

    /// The reasons not to trust the verdicts if the threshold is chosen by `by`, one sentence each.
    pub fn warnings(&self, by: ThresholdRule) -> Vec<String> {
        let training = &self.artifact.metadata.training;
        if self.follows() {
            return bounded(&training.warnings);
        }
        let shortfall = threshold::shortfall(by, training.expected_alerts_per_day, self.samples());
        let seen = self.artifact.scores.as_ref().map(|scores| scores.seen.scores());
        let silence = seen.and_then(|seen| threshold::silence(by, self.threshold(), seen));
        bounded(&training.warnings).into_iter().chain(shortfall).chain(silence).collect()
    }

    /// The ensemble of forests.
    pub fn ensemble(&self) -> &Ensemble {
        &self.artifact.ensemble
    }

    /// The metadata of the artifact.
    pub fn metadata(&self) -> &Metadata {
        &self.artifact.metadata
    }

    /// The time of the newest reading that it has learned from.
    pub fn data_end_time(&self) -> Timestamp {
        self.artifact.metadata.training.trained_at.parse().unwrap_or(Timestamp::UNIX_EPOCH)
    }

    /// Where the model comes from, as words for a sentence: the time of the newest reading that it has
    /// learned from, if known, otherwise the program that trained it, such as `scikit-learn 1.9.1`.
    pub fn provenance(&self) -> String {
        let time = self.data_end_time();
        if time == Timestamp::UNIX_EPOCH { self.metadata().training.origin.clone() } else { time.to_string() }
    }

    /// The requested end of the history; if none was requested, the time of the newest reading in the
    /// training set.
    pub fn until(&self) -> Timestamp {
        let until = self.artifact.metadata.training.until.as_ref();
        until.and_then(|until| until.parse().ok()).unwrap_or_else(|| self.data_end_time())
    }

    /// The report about the model to the operator, if the threshold is chosen by `by`.
    pub fn report(&self, by: ThresholdRule) -> ModelReport {
        let metadata = &self.artifact.metadata;
        ModelReport {
            digest: self.digest.to_string(),
            trained_at: self.trained_at,
            data_end_time: self.data_end_time(),
            samples: self.samples(),
            threshold: self.threshold(),
            origin: Some(self.origin),
            recipe: metadata.recipe.clone(),
            columns: metadata.columns.clone(),
            bytes: self.bytes.len(),
            expected_alerts_per_day: metadata.training.expected_alerts_per_day,
            warnings: self.warnings(by),
        }
    }
}

/// Limit the warnings: an artifact may come from anywhere, and a report has a size limit.
fn bounded(warnings: &[String]) -> Vec<String> {
    let kept = warnings.iter().take(MAX_WARNINGS);
    kept.map(|warning| warning.chars().take(MAX_WARNING_CHARS).collect()).collect()
}

/// The pipeline of a model whose vectors are plain readings, before these steps.
pub fn plain_pipeline(preprocessing: Option<Preprocessing>) -> serde_json::Value {
    let recipe = Recipe { features: vec![Feature::Value], window: 2, lags: 0 };
    let pipeline = Pipeline { recipe, daily: Daily::default(), preprocessing, reference: None };
    serde_json::to_value(pipeline).expect("a pipeline is JSON")
}
