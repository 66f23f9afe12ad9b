//! Readings in, a model out: their vectors, a forest grown over them, and a threshold, sealed in an artifact.

use crd::Valid;
use crd::model::ExperimentalMode;
use crd::training::{self, ForestMode};
use crd::valid::{Adaptation, ThresholdRule};
use forest::artifact::{Artifact, Metadata, Training};
use forest::{Ensemble, EnsembleParams, ForestError, Mode, Params, ParamsError, Renewal, Samples};
use jiff::Timestamp;

use crate::features::level_drift::LevelDrift;
use crate::features::pipeline::{Pipeline, Recipe};
use crate::features::reference::TimeScale;
use crate::ingest::reading::Readings;
use crate::model::model::{Model, ModelError};
use crate::model::threshold::{self, Threshold, TrainingScores};
use crate::model::vectors::{Missing, VectorBuilder, Vectors};

/// The readings to learn from, and the model that serves so far.
#[derive(Clone, Copy)]
pub struct TrainingSet<'a> {
    /// The readings in the order of time. Those with a missing value are left out.
    pub readings: &'a [Readings],
    /// The requested end of the history, if any. It is stored in the model.
    pub until: Option<Timestamp>,
    /// The model that has served so far: readings that it calls anomalous are no examples of normal ones.
    pub serving: Option<&'a Model>,
    /// The number of its oldest trees to replace, if it was trained in the same way; `None` replaces all.
    pub renewed_trees: Option<u32>,
}

/// The largest share of the vectors that is left out as anomalous. If more are anomalous, normal operation
/// has changed, and the least anomalous of them are learned from.
pub const MAX_LEFT_OUT: f64 = 0.1;

/// Train a model. Its time is that of the newest reading: the same training set gives the same artifact, to the bit, on any
/// number of threads. `trees_done` receives the number of trees grown so far.
///
/// The forest is grown from the vectors that are not left out; the threshold is made from the scores of all
/// vectors. Otherwise each training would call some more readings anomalous than the one before, until half
/// of all were anomalous.
///
/// # Errors
/// Fewer than two complete readings, or parameters that the data does not allow.
pub fn learn(
    detector: &Valid,
    training_set: TrainingSet<'_>,
    trees_done: &(dyn Fn(usize) + Sync),
) -> Result<Model, ModelError> {
    let train = &detector.train().cloned().unwrap_or_default();
    let recipe = Recipe::from(train);
    let sensors: Vec<String> = detector.sensors().map(|sensor| sensor.name.to_owned()).collect();
    let mut vectors = VectorBuilder::new(recipe.clone(), sensors.len(), Missing::Skip);
    let mut values = Vec::new();
    for readings in training_set.readings {
        values.clear();
        values.extend(readings.values.iter().map(|value| value.unwrap_or(f64::NAN)));
        vectors.push(Some(readings.time), &values);
    }
    let vectors = vectors.finish()?;
    let until = training_set.until.map(|until| until.to_string());
    let scale = vectors.seconds_apart.and_then(|apart| time_scale(detector.adaptation(), apart));
    let cells: Vec<f64> = vectors.samples.cells().iter().copied().map(f64::from).collect();
    let drift =
        scale.and_then(|scale| LevelDrift::new(&recipe, sensors.len(), &cells, &vectors.values, scale));
    if let Some(drift) = drift {
        let renewing = Renewing::new(detector, training_set);
        let following = Following {
            drift,
            sensors,
            params: params(train)?,
            threshold: detector.threshold_rule(),
            renewing,
        };
        let mut artifact = following.artifact(&vectors, training_set.serving, trees_done)?;
        artifact.metadata.recipe = detector.recipe_digest();
        artifact.metadata.training.until = until;
        return Model::new(artifact);
    }
    let Vectors { samples: all, values, newest, seconds_apart, pipeline, warnings } = vectors;
    let left_out = training_set.serving.map_or(Vec::new(), |serving| left_out(&all, &recipe, serving, false));
    let samples = rows(&all, |row| left_out.binary_search(&row).is_err()).ok_or(ModelError::TooFew {
        samples: 0,
        readings: all.len(),
        past: recipe.memory() - 1,
    })?;
    let held_out = rows(&all, |row| left_out.binary_search(&row).is_ok());
    let renewing = Renewing::new(detector, training_set).map(|renewing| {
        let oldest_new = all.len() - renewing.count_new(training_set.readings).min(all.len());
        let known_from = oldest_new - left_out.partition_point(|row| *row < oldest_new);
        let new_held_out = left_out.len() - left_out.partition_point(|row| *row < oldest_new);
        Renewed { renewing, known_from, new_held_out }
    });
    let fit = Fit {
        vectors: Vectors { samples, values, newest, seconds_apart, pipeline, warnings },
        held_out,
        sensors,
        params: params(train)?,
        threshold: detector.threshold_rule(),
        renewing,
    };
    let mut artifact = fit.artifact(trees_done)?;
    artifact.metadata.recipe = detector.recipe_digest();
    artifact.metadata.training.until = until;
    Model::new(artifact)
}

/// A renewal: the serving model whose oldest trees are replaced.
#[derive(Clone, Copy)]
struct Renewing<'a> {
    serving: &'a Model,
    renewal: Renewal,
}

impl<'a> Renewing<'a> {
    /// `None` if all trees are grown: no renewal is requested, or the serving model was trained differently.
    fn new(detector: &Valid, training_set: TrainingSet<'a>) -> Option<Self> {
        let (serving, trees) = (training_set.serving?, training_set.renewed_trees?);
        let recipe = serving.metadata().recipe.as_ref();
        let is_whole = trees >= detector.train()?.trees;
        let renewal = Renewal { trees, number: serving.metadata().training.renewals + 1 };
        (!is_whole && recipe.is_some() && recipe == detector.recipe_digest().as_ref())
            .then_some(Self { serving, renewal })
    }

    /// The number of complete readings that are newer than all that the serving model has learned from.
    fn count_new(&self, readings: &[Readings]) -> usize {
        let learned = self.serving.data_end_time();
        let new = readings.iter().rev().take_while(|readings| readings.time > learned);
        new.filter(|readings| readings.values.iter().all(Option::is_some)).count()
    }
}

/// A renewal, and which of the vectors are new.
struct Renewed<'a> {
    renewing: Renewing<'a>,
    /// The first vector that no older tree has learned from.
    known_from: usize,
    /// The number of held-out vectors that no older tree has learned from.
    new_held_out: usize,
}

/// A training of a model that follows the readings: from vectors as they look when the levels of their
/// sensors have wandered further, with the threshold that a calibration begins with.
struct Following<'a> {
    drift: LevelDrift<'a>,
    sensors: Vec<String>,
    params: EnsembleParams,
    threshold: ThresholdRule,
    renewing: Option<Renewing<'a>>,
}

impl Following<'_> {
    fn artifact(
        self,
        vectors: &Vectors,
        serving: Option<&Model>,
        trees_done: &(dyn Fn(usize) + Sync),
    ) -> Result<Artifact, ModelError> {
        let Self { drift, sensors, params, threshold, renewing } = self;
        let (recipe, columns) = (&vectors.pipeline.recipe, vectors.samples.columns());
        let judged = Samples::new(columns, drift.as_judged())?;
        let left_out = serving.map_or(Vec::new(), |serving| left_out(&judged, recipe, serving, true));
        let kept = drift.rows().enumerate().filter(|(at, _)| left_out.binary_search(at).is_err());
        let kept = Samples::new(columns, drift.for_forest(kept.map(|(_, row)| row)))?;
        let renewed = renewing.map(|Renewing { serving, renewal }| {
            let ensemble = serving.ensemble().renewed(&kept, &params, renewal)?;
            Ok::<_, ForestError>(ensemble.map(|ensemble| (ensemble, renewal.number)))
        });
        let (ensemble, renewals) = match renewed.transpose()?.flatten() {
            Some(renewed) => renewed,
            None => (Ensemble::fit_with_progress(&kept, &params, trees_done)?, 0),
        };
        let seen = ensemble.scores(&Samples::new(columns, drift.for_threshold())?);
        let seconds_apart = vectors.seconds_apart;
        let scores = TrainingScores { seen, unseen: Vec::new(), seconds_apart }.kept();
        let samples = vectors.samples.len() - left_out.len();
        let threshold = threshold::initial(&scores, threshold, samples)?.ok_or(ModelError::NoTimes)?;
        let newest = vectors.newest.unwrap_or(Timestamp::UNIX_EPOCH);
        let pipeline = Pipeline { reference: Some(drift.reference(newest)), ..vectors.pipeline.clone() };
        let sensor = |column| sensors[recipe.sensor_of(column, sensors.len())].clone();
        let training = Training {
            samples: samples as u64,
            trained_at: newest.to_string(),
            renewals,
            choice: ensemble.choice(&kept),
            central_ranges: judged.central_ranges(),
            warnings: vectors.samples.warnings(sensor).into_iter().chain(vectors.warnings.clone()).collect(),
            ..Training::default()
        };
        let metadata = metadata(&pipeline, sensors, &threshold, training);
        Ok(Artifact { ensemble, metadata, scores: Some(scores) })
    }
}

/// The time scale for readings that are `apart` seconds apart; `None` if the level is fixed.
fn time_scale(adaptation: Adaptation, apart: f64) -> Option<TimeScale> {
    /// The fewest readings in the default time scale, because fewer do not give a level.
    const FEWEST: f64 = 500.0;
    const HOUR: f64 = 3600.0;
    let seconds = match adaptation {
        Adaptation::Fixed => return None,
        Adaptation::Follow { time_scale: Some(scale) } => std::time::Duration::from(scale).as_secs_f64(),
        Adaptation::Follow { time_scale: None } => HOUR.max(FEWEST * apart),
    };
    Some(TimeScale { seconds, readings: (seconds / apart).max(1.0) })
}

/// All inputs of a training from vectors to an artifact.
pub struct Fit<'a> {
    /// The vectors that the forest is grown from.
    pub vectors: Vectors,
    /// Vectors that are used to choose the threshold, but not to grow the forest.
    pub held_out: Option<Samples>,
    /// The names of the sensors.
    pub sensors: Vec<String>,
    /// How the forest is grown.
    pub params: EnsembleParams,
    /// How the threshold is chosen.
    pub threshold: ThresholdRule,
    /// The renewal that keeps some trees; `None` if all trees are grown.
    renewing: Option<Renewed<'a>>,
}

impl Fit<'_> {
    /// A training in which all trees are grown.
    pub fn whole(
        vectors: Vectors,
        sensors: Vec<String>,
        params: EnsembleParams,
        threshold: ThresholdRule,
    ) -> Self {
        Self { vectors, held_out: None, sensors, params, threshold, renewing: None }
    }

    /// Grow the forest, choose the threshold, and keep the training scores, so that another threshold needs no training.
    ///
    /// # Errors
    /// Parameters that the data does not allow, or alerts per day from vectors without times.
    pub fn artifact(self, trees_done: &(dyn Fn(usize) + Sync)) -> Result<Artifact, ModelError> {
        let Self { vectors, held_out, sensors, params, threshold, renewing } = self;
        let Vectors { samples, newest, seconds_apart, pipeline, warnings, .. } = vectors;
        let renewed = match &renewing {
            Some(Renewed { renewing: Renewing { serving, renewal }, known_from, .. }) => {
                serving.ensemble().renewed_scored(&samples, &params, *renewal, *known_from)?
            }
            None => None,
        };
        let renewing = renewing.filter(|_| renewed.is_some());
        let (ensemble, scores) = match renewed {
            Some(renewed) => renewed,
            None => Ensemble::fit_scored(&samples, &params, trees_done)?,
        };
        let mut scores = TrainingScores::new(scores, seconds_apart);
        let held_out = held_out.map(|held_out| ensemble.scores(&held_out)).unwrap_or_default();
        let renewals = renewing.as_ref().map_or(0, |renewed| renewed.renewing.renewal.number);
        match renewing {
            Some(Renewed { renewing, new_held_out, .. }) => {
                let before = renewing.serving.training_scores().map(|scores| &scores.unseen);
                scores.add_unseen_lately(&held_out, new_held_out);
                scores.carry_over(before, renewals);
            }
            None => scores.add_unseen(&held_out),
        }
        let threshold = scores.threshold(threshold)?.ok_or(ModelError::NoTimes)?;
        let sensor = |column| sensors[pipeline.recipe.sensor_of(column, sensors.len())].clone();
        let training = Training {
            samples: samples.len() as u64,
            trained_at: newest.unwrap_or(Timestamp::UNIX_EPOCH).to_string(),
            renewals,
            choice: ensemble.choice(&samples),
            central_ranges: samples.central_ranges(),
            warnings: samples.warnings(sensor).into_iter().chain(warnings).collect(),
            ..Training::default()
        };
        let metadata = metadata(&pipeline, sensors, &threshold, training);
        Ok(Artifact { ensemble, metadata, scores: Some(scores.kept()) })
    }
}

/// The metadata of an artifact whose forest was trained here.
fn metadata(
    pipeline: &Pipeline,
    sensors: Vec<String>,
    threshold: &Threshold,
    training: Training,
) -> Metadata {
    let expected_alerts_per_day = threshold.expected_alerts_per_day;
    Metadata {
        lags: pipeline.recipe.lags as u32,
        pipeline: serde_json::to_value(pipeline).expect("a pipeline is JSON"),
        threshold: threshold.score,
        training: Training { origin: "trained".to_owned(), expected_alerts_per_day, ..training },
        columns: sensors,
        ..Metadata::default()
    }
}

/// The indices of the rows that the serving model calls anomalous, in rising order; of too many, the most
/// anomalous. Empty if the serving model makes vectors in another way.
fn left_out(all: &Samples, recipe: &Recipe, serving: &Model, follows: bool) -> Vec<usize> {
    let sees_the_same =
        serving.recipe() == recipe && serving.columns() == all.columns() && serving.preprocessing().is_none();
    if !sees_the_same || serving.follows() != follows {
        return Vec::new();
    }
    let scores = serving.ensemble().scores(all);
    let mut anomalous: Vec<usize> =
        (0..scores.len()).filter(|row| scores[*row] > serving.threshold()).collect();
    anomalous.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]));
    anomalous.truncate((all.len() as f64 * MAX_LEFT_OUT) as usize);
    anomalous.sort_unstable();
    anomalous
}

/// The rows whose index meets the requirements; `None` if there are none.
fn rows(all: &Samples, requirements: impl Fn(usize) -> bool) -> Option<Samples> {
    let rows = all.rows().enumerate().filter(|(row, _)| requirements(*row));
    let mut cells = Vec::new();
    rows.for_each(|(_, row)| cells.extend(row.iter().copied().map(f64::from)));
    Samples::new(all.columns(), cells).ok()
}

fn params(train: &training::Training) -> Result<EnsembleParams, ParamsError> {
    let params = Params::new(train.trees, train.sample_size, train.extension_level, train.seed)?;
    Ok(in_mode(params, train.mode))
}

/// The number of trees that a training grows, including those of all members in mode Auto.
pub fn trees_to_grow(train: &training::Training) -> usize {
    params(train).map_or(0, |params| params.total_trees() as usize)
}

/// Set the mode of the parameters to a mode of the API.
pub fn in_mode(params: Params, mode: ForestMode) -> EnsembleParams {
    let mode = match mode {
        ForestMode::Auto => return EnsembleParams::Auto(params),
        ForestMode::Standard => Mode::Standard,
        ForestMode::Experimental(ExperimentalMode::AveragedGain) => Mode::AveragedGain,
        ForestMode::Experimental(ExperimentalMode::PooledGain) => Mode::PooledGain,
        ForestMode::Experimental(ExperimentalMode::AdjustedDepth) => Mode::AdjustedDepth,
        ForestMode::Experimental(ExperimentalMode::Density) => Mode::Density,
        ForestMode::Experimental(ExperimentalMode::AdjustedDensity) => Mode::AdjustedDensity,
    };
    params.with_mode(mode).into()
}

#[cfg(test)]
mod tests;
