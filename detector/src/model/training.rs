//! Readings in, a model out: their vectors, a forest grown over them, and a threshold, sealed in an artifact.

use crd::Valid;
use crd::model::ExperimentalMode;
use crd::training::{self, ForestMode};
use forest::artifact::{Artifact, Metadata, Training};
use forest::{Ensemble, EnsembleParams, Mode, Params, ParamsError, Samples};
use jiff::Timestamp;

use crate::features::pipeline::{Learning, Pipeline, Recipe};
use crate::ingest::reading::Readings;
use crate::model::model::{Model, ModelError};
use crate::model::threshold::TrainingScores;

/// What to learn from.
#[derive(Clone, Copy)]
pub struct TrainingSet<'a> {
    /// In the order of time. Those with a missing value are left out.
    pub readings: &'a [Readings],
    /// The end of the history that was asked for, if one was: it is kept in the model.
    pub until: Option<Timestamp>,
    /// The model that has served so far: what it called anomalous is no example of the normal.
    pub serving: Option<&'a Model>,
}

/// The share of the vectors that may be left out as anomalous. Where there are more, the world has changed, and the
/// least strange of them are learned from.
pub const MAX_LEFT_OUT: f64 = 0.1;

/// Learn. The model's time is that of the newest reading: the same lesson gives the same artifact, to the bit, on any
/// number of threads. `trees_done` hears the number of trees grown so far.
///
/// The forest is grown from what is not left out; the threshold is made from the scores of everything. Otherwise each
/// training would cut a little off the last, until half of the world was strange.
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
    let columns: Vec<String> = detector.sensors().map(|sensor| sensor.name.to_owned()).collect();
    let Vectors { cells, times, pipeline, incomplete } = Vectors::of(&recipe, training_set.readings)?;
    let all = Samples::new(recipe.columns(columns.len()), cells)?;
    let left_out = training_set.serving.map_or(Vec::new(), |serving| left_out(&all, &recipe, serving));
    let kept = rows(&all, |row| left_out.binary_search(&row).is_err()).ok_or(ModelError::TooFew {
        samples: 0,
        readings: all.len(),
        past: recipe.memory() - 1,
    })?;

    let params = params(train)?;
    let ensemble = Ensemble::fit_with_progress(&kept, &params, trees_done)?;
    let mut scores = TrainingScores::new(&ensemble, &kept, params.seed(), &times);
    if let Some(strange) = rows(&all, |row| left_out.binary_search(&row).is_ok()) {
        scores.add_unseen(&ensemble.scores(&strange));
    }
    let threshold = scores.threshold(detector.cut())?;
    let sensor = |column| columns[recipe.sensor_of(column, columns.len())].clone();
    let warnings = kept.warnings(sensor).into_iter().chain(incomplete).collect();
    let metadata = Metadata {
        columns,
        lags: recipe.lags as u32,
        pipeline: serde_json::to_value(pipeline).expect("a pipeline is JSON"),
        threshold: threshold.score,
        training: Training {
            samples: kept.len() as u64,
            trained_at: times[times.len() - 1].to_string(),
            origin: "trained".to_owned(),
            expected_alerts_per_day: threshold.expected_alerts_per_day,
            until: training_set.until.map(|until| until.to_string()),
            choice: ensemble.choice(&kept),
            central_ranges: kept.central_ranges(),
            warnings,
        },
        recipe: detector.recipe_digest(),
    };
    Model::new(Artifact { ensemble, metadata, scores: Some(scores.kept()) })
}

/// The vectors of complete readings, when each was taken, how they were made, and a doubt where most were not complete.
struct Vectors {
    cells: Vec<f64>,
    times: Vec<Timestamp>,
    pipeline: Pipeline,
    incomplete: Option<String>,
}

impl Vectors {
    fn of(recipe: &Recipe, readings: &[Readings]) -> Result<Self, ModelError> {
        let mut learning = Learning::new(recipe.clone());
        let all = readings.len();
        let (mut cells, mut times, mut complete) = (Vec::new(), Vec::with_capacity(all), 0);
        let mut values = Vec::new();
        for readings in readings {
            values.clear();
            values.extend(readings.values.iter().flatten());
            if values.len() < readings.values.len() {
                continue;
            }
            complete += 1;
            if learning.push_onto(&mut cells, readings.time, &values) {
                times.push(readings.time);
            }
        }
        if times.len() < 2 {
            let past = recipe.memory() - 1;
            return Err(ModelError::TooFew { samples: times.len(), readings: complete, past });
        }
        let incomplete = (complete < all - complete).then(|| {
            format!(
                "{} of {all} readings lacked a sensor's value: nothing was learned from them",
                all - complete
            )
        });
        Ok(Self { cells, times, pipeline: learning.finish(), incomplete })
    }
}

/// The rows that the serving model calls anomalous, in rising order; of too many, the strangest. None where it looks at
/// readings in another way.
fn left_out(all: &Samples, recipe: &Recipe, serving: &Model) -> Vec<usize> {
    if serving.recipe() != recipe || serving.columns() != all.columns() {
        return Vec::new();
    }
    let scores = serving.ensemble().scores(all);
    let mut strange: Vec<usize> =
        (0..scores.len()).filter(|row| scores[*row] > serving.threshold()).collect();
    strange.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]));
    strange.truncate((all.len() as f64 * MAX_LEFT_OUT) as usize);
    strange.sort_unstable();
    strange
}

/// Some of the rows; none where none is wanted.
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

/// How many trees a training grows, those of all members in mode Auto.
pub fn trees_to_grow(train: &training::Training) -> usize {
    params(train).map_or(0, |params| params.total_trees() as usize)
}

/// The same parameters in the API's mode.
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
