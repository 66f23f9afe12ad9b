//! Readings in, a trained model out; then vectors in, judgements out. The only file that names both the API and the
//! forest.

use std::sync::Arc;

use crd::Valid;
use crd::contract::ModelReport;
use crd::model::{self, Train};
use crd::status::Origin;
use forest::artifact::{self, Artifact, ArtifactError, Metadata, Training};
use forest::params::{Params, ParamsError};
use forest::samples::{Samples, SamplesError, cell};
use forest::threshold::ThresholdError;
use forest::{Forest, ForestError, Mode};
use jiff::Timestamp;
use thiserror::Error;

use crate::cut::TrainingScores;
use crate::features::{Features, Recipe};
use crate::reading::Readings;
use crate::verdict::{Judgement, severity};

/// A forest, the cut, and how readings become its vectors. Immutable: a new training makes a new model.
#[derive(Debug)]
pub struct Model {
    forest: Forest,
    metadata: Metadata,
    recipe: Recipe,
    digest: Arc<str>,
    bytes: Vec<u8>,
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
    /// No cut can be found.
    #[error(transparent)]
    Threshold(#[from] ThresholdError),
    /// The artifact cannot be written or read.
    #[error(transparent)]
    Artifact(#[from] ArtifactError),
    /// The artifact holds a pipeline that this version does not know.
    #[error("the model's pipeline is not one that this version knows: {0}")]
    Pipeline(#[source] serde_json::Error),
}

/// A vector that no model can judge.
#[derive(Clone, Copy, Debug, PartialEq, Error)]
#[error("expected a finite number within the range of 32-bit floats, got {0}")]
pub struct Unjudgeable(pub f64);

impl Model {
    /// Learn from readings in the order of time. Readings with a missing value are left out. The model's time is that
    /// of the newest reading, so the same readings give the same artifact, to the bit. `trees_done` hears the number of
    /// trees grown so far.
    ///
    /// # Errors
    /// Fewer than two complete readings, or parameters that the data does not allow.
    pub fn train(
        detector: &Valid,
        history: impl IntoIterator<Item = Readings>,
        trees_done: &(dyn Fn(usize) + Sync),
    ) -> Result<Self, ModelError> {
        let train = &detector.train().cloned().unwrap_or_default();
        let recipe = Recipe::from(train);
        let mut features = Features::new(recipe.clone());
        let columns: Vec<String> = detector.sensors().map(|sensor| sensor.name.to_owned()).collect();
        let (mut cells, mut times, mut complete) = (Vec::new(), Vec::new(), 0);
        for readings in history {
            let Some(values) = readings.values.into_iter().collect::<Option<Vec<f64>>>() else { continue };
            complete += 1;
            if let Some(vector) = features.push(values) {
                cells.extend(vector);
                times.push(readings.time);
            }
        }
        if times.len() < 2 {
            let past = recipe.memory() - 1;
            return Err(ModelError::TooFew { samples: times.len(), readings: complete, past });
        }
        let samples = Samples::new(recipe.columns(columns.len()), cells)?;
        let params = params(train)?;
        let forest = Forest::fit_with_progress(&samples, &params, trees_done)?;
        let border = TrainingScores::new(&forest, &samples, &params, &times).border(detector.cut())?;
        let metadata = Metadata {
            columns,
            lags: recipe.lags as u32,
            pipeline: serde_json::to_value(&recipe).expect("a recipe is JSON"),
            threshold: border.cut,
            training: Training {
                samples: samples.len() as u64,
                trained_at: times[times.len() - 1].to_string(),
                origin: "trained".to_owned(),
                expected_alerts_per_day: border.expected_alerts_per_day,
                ..Training::default()
            },
            recipe: None,
        };
        Self::new(Artifact { forest, metadata, scores: None })
    }

    /// The model that an artifact's bytes hold.
    ///
    /// # Errors
    /// The bytes are no artifact, or of a pipeline that this version does not know.
    pub fn open(bytes: &[u8]) -> Result<Self, ModelError> {
        Self::new(Artifact::from_bytes(bytes)?)
    }

    fn new(artifact: Artifact) -> Result<Self, ModelError> {
        let bytes = artifact.to_bytes()?;
        let recipe =
            serde_json::from_value(artifact.metadata.pipeline.clone()).map_err(ModelError::Pipeline)?;
        let digest = artifact::digest(&bytes).into();
        Ok(Self { forest: artifact.forest, metadata: artifact.metadata, recipe, digest, bytes })
    }

    /// The judgement of one vector. Contributions cost about as much as the score: `explain` asks for them.
    ///
    /// # Errors
    /// A value that is not finite as a 32-bit float.
    ///
    /// # Panics
    /// When the vector has not as many values as the model has columns.
    pub fn judge(&self, vector: &[f64], explain: Explain) -> Result<Judgement, Unjudgeable> {
        let row: Vec<f32> =
            vector.iter().map(|value| cell(*value).ok_or(Unjudgeable(*value))).collect::<Result<_, _>>()?;
        let score = self.forest.score(&row);
        let anomalous = score > self.cut();
        let contributions = match (explain, anomalous) {
            (Explain::Always, _) | (Explain::Anomalies, true) => {
                self.by_sensor(&self.forest.contributions(&row))
            }
            (Explain::Never, _) | (Explain::Anomalies, false) => Vec::new(),
        };
        let severity = severity(score, self.cut());
        Ok(Judgement { score, severity, anomalous, contributions, model: self.digest.clone() })
    }

    /// The judgement of a missing reading that counts as an anomaly: the highest, shared by the sensors that are missing.
    pub fn judge_missing(&self, values: &[Option<f64>]) -> Judgement {
        let missing = values.iter().filter(|value| value.is_none()).count().max(1) as f64;
        let share = |value: &Option<f64>| if value.is_none() { 1.0 / missing } else { 0.0 };
        let contributions = values.iter().map(share).collect();
        Judgement { score: 1.0, severity: 2.0, anomalous: true, contributions, model: self.digest.clone() }
    }

    /// Shares of columns -> shares of sensors: the columns of a sensor are its features, now and before.
    fn by_sensor(&self, columns: &[f64]) -> Vec<f64> {
        let (sensors, features) = (self.metadata.columns.len(), self.recipe.features.len());
        let mut shares = vec![0.0; sensors];
        for (column, share) in columns.iter().enumerate() {
            shares[column / features % sensors] += share;
        }
        shares
    }

    /// A score over this is an anomaly.
    pub fn cut(&self) -> f64 {
        self.metadata.threshold
    }

    /// The sensors, in the order of a reading's values.
    pub fn sensors(&self) -> &[String] {
        &self.metadata.columns
    }

    /// Values in a whole vector.
    pub fn columns(&self) -> usize {
        self.forest.columns()
    }

    /// How readings become vectors.
    pub fn recipe(&self) -> &Recipe {
        &self.recipe
    }

    /// `sha256:` and 64 hexadecimal digits: the name of this very model.
    pub fn digest(&self) -> &Arc<str> {
        &self.digest
    }

    /// The artifact.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The number of trees.
    pub fn trees(&self) -> usize {
        self.forest.trees().len()
    }

    /// Where the model comes from: `trained`, or the system that it was imported from.
    pub fn origin(&self) -> &str {
        &self.metadata.training.origin
    }

    /// How many anomalous verdicts a day to expect on readings like those that it was trained on; none where nothing is
    /// known of that.
    pub fn expected_alerts_per_day(&self) -> Option<f64> {
        self.metadata.training.expected_alerts_per_day
    }

    /// What the operator is told of it.
    pub fn report(&self) -> ModelReport {
        ModelReport {
            digest: self.digest.to_string(),
            trained_at: self.metadata.training.trained_at.parse().unwrap_or(Timestamp::UNIX_EPOCH),
            samples: self.metadata.training.samples as usize,
            threshold: self.cut(),
            origin: Some(Origin::Trained),
            recipe: None,
            columns: self.metadata.columns.clone(),
            bytes: self.bytes.len(),
            expected_alerts_per_day: self.expected_alerts_per_day(),
        }
    }
}

/// Whose contributions are worth their cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Explain {
    /// Every verdict's.
    Always,
    /// Those of anomalies.
    Anomalies,
    /// Nobody's.
    Never,
}

fn params(train: &Train) -> Result<Params, ParamsError> {
    let (trees, sample_size) = (train.trees as u32, train.sample_size as u32);
    let params = Params::new(trees, sample_size, train.extension as u32, train.seed as u64)?;
    Ok(params.with_mode(mode(train.mode)))
}

/// The forest's name for the API's mode.
pub fn mode(mode: model::Mode) -> Mode {
    match mode {
        model::Mode::Standard => Mode::Standard,
        model::Mode::AveragedGain => Mode::AveragedGain,
        model::Mode::PooledGain => Mode::PooledGain,
        model::Mode::AdjustedDepth => Mode::AdjustedDepth,
        model::Mode::Density => Mode::Density,
        model::Mode::AdjustedDensity => Mode::AdjustedDensity,
    }
}
