//! An artifact in, a model out; and what the model is: digest, columns, threshold, origin.

use std::sync::{Arc, OnceLock};

use crd::contract::ModelReport;
use crd::model::Feature;
use crd::status::Origin;
use crd::valid::Cut;
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

/// A model and another threshold.
#[derive(Debug)]
pub enum Rethreshold {
    /// It has that threshold already.
    Same,
    /// The same forest with that threshold.
    Other(Box<Model>),
    /// What the artifact keeps of the training scores does not determine the threshold: it takes another training.
    Unknown,
}

/// Why there is no model.
#[derive(Debug, Error)]
pub enum ModelError {
    /// Too little to learn from.
    #[error(
        "training needs at least 2 samples, got {samples}: the sources gave {readings} complete readings, and a sample looks {past} back"
    )]
    TooFew {
        /// Vectors that could be made.
        samples: usize,
        /// Instants at which every sensor gave a reading.
        readings: usize,
        /// Readings before its own that a vector needs.
        past: usize,
    },
    /// A reading that the forest cannot hold.
    #[error("a reading cannot be learned from: {0}")]
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
    /// Alerts per day are asked for, and nothing says how many readings a day there are.
    #[error("a threshold by alerts per day needs the times of the readings, got readings without times")]
    NoTimes,
    /// The artifact cannot be written or read.
    #[error(transparent)]
    Artifact(#[from] ArtifactError),
    /// Another kind of file.
    #[error("expected a model that `detector train` or a detector wrote, got {0}")]
    NotAModel(&'static str),
    /// The artifact holds a pipeline that this version does not know.
    #[error("the model's pipeline is not one that this version knows: {0}")]
    Pipeline(#[source] serde_json::Error),
    /// The artifact holds levels that no reading can be measured against.
    #[error("the model's reference must have a finite level and a deviation over 0 for each of its sensors")]
    Reference,
    /// The artifact holds usual values of a day that are none.
    #[error("the model's daily values must be finite, one for each of its sensors in at most 48 half hours")]
    Daily,
    /// The artifact's steps before the forest are of other columns.
    #[error("the model's steps must take as many columns as its vectors have, {vector}, got {steps}")]
    Steps {
        /// What a vector has.
        vector: usize,
        /// What the steps take.
        steps: usize,
    },
    /// The artifact's forest does not take what its pipeline gives.
    #[error("the model's pipeline must give as many columns as its forest has, {forest}, got {pipeline}")]
    Vectors {
        /// The forest's columns.
        forest: usize,
        /// What the pipeline gives.
        pipeline: usize,
    },
}

/// How many warnings of an artifact are reported, and how much of each.
const MAX_WARNINGS: usize = 8;
const MAX_WARNING_CHARS: usize = 500;

impl Model {
    /// The model that an artifact's bytes hold.
    ///
    /// # Errors
    /// The bytes are no artifact, or of a pipeline that this version does not know.
    pub fn open(bytes: Vec<u8>) -> Result<Self, ModelError> {
        let artifact = Artifact::from_bytes(&bytes).map_err(|error| match file_kind::describe(&bytes) {
            Some(kind) => ModelError::NotAModel(kind),
            None => error.into(),
        })?;
        Self::sealed(artifact, bytes, Origin::Trained)
    }

    /// The model that an artifact is.
    ///
    /// # Errors
    /// It has no bytes, or is of a pipeline that this version does not know.
    pub fn new(artifact: Artifact) -> Result<Self, ModelError> {
        let bytes = artifact.to_bytes()?;
        Self::sealed(artifact, bytes, Origin::Trained)
    }

    /// Another system's forest over readings as they are. Its data is not known, so its samples are those of one tree,
    /// and its time is the beginning of time: the same file gives the same model.
    ///
    /// # Errors
    /// A threshold that no score can be compared with.
    pub fn imported(imported: Imported, columns: Vec<String>) -> Result<Self, ModelError> {
        let pipeline = as_they_are(imported.preprocessing);
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

    /// The same model, whose training ended then, if that is known. The artifact does not say: it is a function of its data
    /// alone, so that replicas agree on it.
    #[must_use]
    pub fn with_training_end(self, trained_at: Option<Timestamp>) -> Self {
        Self { trained_at, ..self }
    }

    /// When its training ended, where that is known.
    pub fn trained_at(&self) -> Option<Timestamp> {
        self.trained_at
    }

    /// The same model, which was not trained here.
    #[must_use]
    pub fn loaded(self) -> Self {
        Self { origin: Origin::Loaded, ..self }
    }

    /// The same forest with the threshold that a training with this threshold would have found: the same artifact, to the bit.
    ///
    /// # Errors
    /// The training scores are none that a threshold can be made of.
    pub fn rethreshold(&self, by: Cut) -> Result<Rethreshold, ModelError> {
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

    /// The same forest with this threshold.
    ///
    /// # Errors
    /// No score can be compared with it.
    pub fn with_threshold_score(self, score: f64) -> Result<Self, ModelError> {
        let Self { mut artifact, bytes, origin, trained_at, .. } = self;
        drop(bytes); // they are made again, and need not be there twice
        artifact.metadata.threshold = score;
        artifact.metadata.training.expected_alerts_per_day = None;
        let bytes = artifact.to_bytes()?;
        Ok(Self::sealed(artifact, bytes, origin)?.with_training_end(trained_at))
    }

    /// What is done to a vector before the forest sees it; none where it sees the vector.
    pub fn preprocessing(&self) -> Option<&Preprocessing> {
        self.pipeline.preprocessing.as_ref()
    }

    /// A score over this is an anomaly.
    pub fn threshold(&self) -> f64 {
        self.artifact.metadata.threshold
    }

    /// The sensors, in the order of a reading's values.
    pub fn sensors(&self) -> &[String] {
        &self.artifact.metadata.columns
    }

    /// Values in a whole vector.
    pub fn columns(&self) -> usize {
        self.pipeline.recipe.columns(self.sensors().len())
    }

    /// What the values of a vector are called: the sensors where it sees readings as they are.
    pub fn column_names(&self) -> &[String] {
        self.column_names.get_or_init(|| column_names(self.sensors(), self.recipe()))
    }

    /// Whether its vectors are measured against a level that follows the readings, and its threshold follows the scores.
    pub fn follows(&self) -> bool {
        self.pipeline.reference.is_some()
    }

    /// The level of its sensors at the end of the training; none where it does not follow.
    pub fn reference(&self) -> Option<&Reference> {
        self.pipeline.reference.as_ref()
    }

    /// What the readings that it has learned from score, where it is kept.
    pub fn training_scores(&self) -> Option<&Scores> {
        self.artifact.scores.as_ref()
    }

    /// How readings become vectors.
    pub fn recipe(&self) -> &Recipe {
        &self.pipeline.recipe
    }

    /// The memory of readings that its vectors are made of, empty.
    pub fn features(&self) -> Features {
        self.pipeline.features()
    }

    /// `sha256:` and 64 hexadecimal digits: the name of this very model.
    pub fn digest(&self) -> &Arc<str> {
        &self.digest
    }

    /// The artifact.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The artifact, by itself.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// The number of trees.
    pub fn trees(&self) -> usize {
        self.artifact.ensemble.total_trees()
    }

    /// How many samples it has learned from.
    pub fn samples(&self) -> usize {
        self.artifact.metadata.training.samples as usize
    }

    /// Where the model comes from: `trained`, or the system that it was imported from.
    pub fn origin(&self) -> &str {
        &self.artifact.metadata.training.origin
    }

    /// How many anomalous verdicts a day to expect on readings like those that it was trained on; none where nothing is
    /// known of that.
    pub fn expected_alerts_per_day(&self) -> Option<f64> {
        self.artifact.metadata.training.expected_alerts_per_day
    }

    /// Why its verdicts may not be trusted where the threshold is chosen by `by`, a sentence each.
    pub fn warnings(&self, by: Cut) -> Vec<String> {
        let training = &self.artifact.metadata.training;
        if self.follows() {
            return bounded(&training.warnings);
        }
        let shortfall = threshold::shortfall(by, training.expected_alerts_per_day, self.samples());
        let seen = self.artifact.scores.as_ref().map(|scores| scores.seen.scores());
        let silence = seen.and_then(|seen| threshold::silence(by, self.threshold(), seen));
        bounded(&training.warnings).into_iter().chain(shortfall).chain(silence).collect()
    }

    /// The forests themselves.
    pub fn ensemble(&self) -> &Ensemble {
        &self.artifact.ensemble
    }

    /// What is known of the forest.
    pub fn metadata(&self) -> &Metadata {
        &self.artifact.metadata
    }

    /// The time of the newest reading that it has learned from.
    pub fn data_end_time(&self) -> Timestamp {
        self.artifact.metadata.training.trained_at.parse().unwrap_or(Timestamp::UNIX_EPOCH)
    }

    /// Where it comes from, for a sentence: the time of the newest reading that it has learned from where that is known, else what
    /// trained it, such as `scikit-learn 1.9.1`.
    pub fn provenance(&self) -> String {
        let time = self.data_end_time();
        if time == Timestamp::UNIX_EPOCH { self.metadata().training.origin.clone() } else { time.to_string() }
    }

    /// The end of the history that was asked for; without one, the time of the newest reading in the training set.
    pub fn until(&self) -> Timestamp {
        let until = self.artifact.metadata.training.until.as_ref();
        until.and_then(|until| until.parse().ok()).unwrap_or_else(|| self.data_end_time())
    }

    /// The report to the operator, where the threshold is chosen by `by`.
    pub fn report(&self, by: Cut) -> ModelReport {
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

/// An artifact may come from anywhere, and a report has its bounds.
fn bounded(warnings: &[String]) -> Vec<String> {
    let kept = warnings.iter().take(MAX_WARNINGS);
    kept.map(|warning| warning.chars().take(MAX_WARNING_CHARS).collect()).collect()
}

/// The pipeline of a model whose vectors are readings as they are, before these steps.
pub fn as_they_are(preprocessing: Option<Preprocessing>) -> serde_json::Value {
    let recipe = Recipe { features: vec![Feature::Value], window: 2, lags: 0 };
    let pipeline = Pipeline { recipe, daily: Daily::default(), preprocessing, reference: None };
    serde_json::to_value(pipeline).expect("a pipeline is JSON")
}
