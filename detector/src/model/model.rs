//! An artifact in, a model out; then vectors in, judgements out.

use std::sync::{Arc, OnceLock};

use crd::contract::ModelReport;
use crd::model::Feature;
use crd::status::Origin;
use crd::valid::Cut;
use forest::artifact::{self, Artifact, ArtifactError, Metadata, Scores, Training};
use forest::threshold::ThresholdError;
use forest::{
    Contribution, Ensemble, Explained, ForestError, ParamsError, Samples, SamplesError, Side, cell,
};
use interchange::{Imported, Preprocessing};
use jiff::Timestamp;
use thiserror::Error;

use crate::features::column_names::column_names;
use crate::features::daily::Daily;
use crate::features::pipeline::{Features, Pipeline, Recipe, in_sensor_unit};
use crate::features::reference::Reference;
use crate::model::judgement::{Direction, Judgement, SensorReason, severity};
use crate::model::{file_kind, threshold};

/// A forest, the threshold, and how readings become its vectors. Immutable: a new training makes a new model.
#[derive(Debug)]
pub struct Model {
    artifact: Artifact,
    pipeline: Pipeline,
    digest: Arc<str>,
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

/// A vector that no model can judge.
#[derive(Clone, Copy, Debug, PartialEq, Error)]
#[error("expected a finite number within the range of 32-bit floats, got {0}")]
pub struct Unjudgeable(pub f64);

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
        let Imported { ensemble, threshold, origin, .. } = imported;
        let training = Training {
            samples: u64::from(ensemble.members()[0].sample_size()),
            trained_at: Timestamp::UNIX_EPOCH.to_string(),
            origin,
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

    /// The judgement of one vector by the model's own threshold. With contributions it costs two to four times as much:
    /// `explain` asks for them.
    ///
    /// # Errors
    /// A value that is not finite as a 32-bit float.
    ///
    /// # Panics
    /// When the vector has not as many values as the model has columns.
    pub fn judge(&self, vector: &[f64], explain: Explain) -> Result<Judgement, Unjudgeable> {
        self.judge_by(self.threshold(), vector, explain)
    }

    /// The same by another threshold.
    ///
    /// # Errors
    /// As [`Model::judge`].
    ///
    /// # Panics
    /// As [`Model::judge`].
    pub fn judge_by(
        &self,
        threshold: f64,
        vector: &[f64],
        explain: Explain,
    ) -> Result<Judgement, Unjudgeable> {
        assert_eq!(
            vector.len(),
            self.columns(),
            "a vector must have as many values as the model has columns"
        );
        let row = self.row(vector)?;
        let forest = &self.artifact.ensemble;
        let (score, mut columns) = match explain {
            Explain::Always => {
                let Explained { score, contributions } = forest.score_and_explain(&row);
                (score, contributions)
            }
            Explain::Anomalies | Explain::Never => (forest.score(&row), Vec::new()),
        };
        let anomalous = score > threshold;
        if anomalous && explain == Explain::Anomalies {
            columns = forest.explain(&row);
        }
        let explained = !columns.is_empty();
        Ok(Judgement {
            score,
            severity: severity(score, threshold),
            anomalous,
            contributions: if explained { self.by_sensor(&columns) } else { Vec::new() },
            reasons: if explained { self.reasons(&columns, vector) } else { Vec::new() },
            model: self.digest.clone(),
        })
    }

    /// What the forest sees of a vector.
    fn row(&self, vector: &[f64]) -> Result<Vec<f32>, Unjudgeable> {
        let cell = |value: &f64| cell_or_missing(*value).ok_or(Unjudgeable(*value));
        let row = vector.iter().map(cell).collect::<Result<_, _>>()?;
        let Some(steps) = self.preprocessing() else { return Ok(row) };
        Ok(steps.apply(vector).into_iter().map(|cell| cell as f32).collect())
    }

    /// What is done to a vector before the forest sees it; none where it sees the vector.
    pub fn preprocessing(&self) -> Option<&Preprocessing> {
        self.pipeline.preprocessing.as_ref()
    }

    /// The column of a vector that one of the forest's is made from.
    fn source(&self, column: usize) -> usize {
        self.preprocessing().map_or(column, |steps| steps.source(column))
    }

    /// The judgement of a missing reading that counts as an anomaly: the highest, shared by the sensors that are missing.
    pub fn judge_missing(&self, values: &[Option<f64>]) -> Judgement {
        let missing = values.iter().filter(|value| value.is_none()).count().max(1) as f64;
        let share = |value: &Option<f64>| if value.is_none() { 1.0 / missing } else { 0.0 };
        let contributions = values.iter().map(share).collect();
        let (reasons, model) = (Vec::new(), self.digest.clone());
        Judgement { score: 1.0, severity: 2.0, anomalous: true, contributions, reasons, model }
    }

    /// Shares of columns -> shares of sensors: the columns of a sensor are its features, now and before.
    fn by_sensor(&self, columns: &[Contribution]) -> Vec<f64> {
        let mut shares = vec![0.0; self.sensors().len()];
        for (column, contribution) in columns.iter().enumerate() {
            shares[self.sensor_of(self.source(column))] += contribution.share;
        }
        shares
    }

    fn sensor_of(&self, column: usize) -> usize {
        self.pipeline.recipe.sensor_of(column, self.sensors().len())
    }

    /// Of each sensor's columns the one that contributed most, the first of equals.
    fn reasons(&self, columns: &[Contribution], vector: &[f64]) -> Vec<SensorReason> {
        let (sensors, features) = (self.sensors().len(), self.pipeline.recipe.features.len());
        if vector.iter().any(|cell| cell.is_nan()) {
            return Vec::new(); // a sensor that is missing has none to give, and there is one a sensor
        }
        let top_contributor = |sensor: usize| {
            let own = 0..columns.len();
            let own = own.filter(move |column| self.sensor_of(self.source(*column)) == sensor);
            own.rev().max_by(|a, b| columns[*a].share.total_cmp(&columns[*b].share))
        };
        let reason = |column: usize, feature: Feature| SensorReason {
            feature,
            lag: column / (features * sensors),
            direction: match columns[column].side {
                Side::High => Direction::High,
                Side::Low => Direction::Low,
            },
            value: in_sensor_unit(feature, vector[self.source(column)]),
            expected: self.expected(column).map(|range| range.map(|end| in_sensor_unit(feature, end))),
        };
        let feature = |column: usize| self.pipeline.recipe.features[column % features];
        (0..sensors).filter_map(top_contributor).map(|column| reason(column, feature(column))).collect()
    }

    /// Between which values 98 in 100 of the training readings were, of what a column is.
    fn expected(&self, column: usize) -> Option<[f64; 2]> {
        self.metadata().training.central_ranges.get(column).map(|range| range.map(f64::from))
    }

    /// Make the newest readings of some sensors missing in a vector.
    pub fn hide(&self, vector: &mut [f64], is_missing: impl Fn(usize) -> bool) {
        let newest = self.sensors().len() * self.pipeline.recipe.features.len();
        let columns = vector[..newest].iter_mut().enumerate();
        columns
            .filter(|(column, _)| is_missing(self.sensor_of(*column)))
            .for_each(|(_, cell)| *cell = f64::NAN);
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

    /// The scores of whole vectors, one after another.
    ///
    /// # Errors
    /// No vector, or a value that is neither finite as a 32-bit float nor NaN: missing.
    pub fn scores(&self, vectors: Vec<f64>) -> Result<Vec<f64>, SamplesError> {
        let Some(steps) = self.preprocessing() else {
            return Ok(self.artifact.ensemble.scores(&Samples::with_missing(self.columns(), vectors)?));
        };
        check(&vectors, self.columns())?;
        let cells = Samples::with_missing(steps.columns().len(), steps.apply(&vectors))?;
        Ok(self.artifact.ensemble.scores(&cells))
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

/// Refuses rows that are not whole, or have a value that is neither finite as a 32-bit float nor missing.
fn check(rows: &[f64], columns: usize) -> Result<(), SamplesError> {
    if !rows.len().is_multiple_of(columns) {
        return Err(SamplesError::Ragged { columns, cells: rows.len() });
    }
    match rows.iter().position(|value| cell_or_missing(*value).is_none()) {
        Some(at) => Err(SamplesError::Cell { row: at / columns, column: at % columns, value: rows[at] }),
        None => Ok(()),
    }
}

/// A finite number as the forest has it, or NaN: missing.
fn cell_or_missing(value: f64) -> Option<f32> {
    if value.is_nan() { Some(f32::NAN) } else { cell(value) }
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

/// Which verdicts are explained.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Explain {
    /// Every verdict's.
    Always,
    /// Those of anomalies.
    Anomalies,
    /// Nobody's.
    Never,
}
