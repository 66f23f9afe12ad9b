//! Readings of all sensors in, one after another; the vectors that the model sees out.

use std::collections::VecDeque;
use std::sync::Arc;

use crd::model::Feature;
use crd::training::Training;
use interchange::Preprocessing;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::features::daily::{Daily, Days};
use crate::features::reference::Reference;

/// How readings become vectors. It is stored in the model, so that scoring makes the same vectors as
/// training.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", try_from = "Unchecked")]
pub struct Recipe {
    /// The features of each sensor, in order.
    pub features: Vec<Feature>,
    /// The number of readings that `RollingMean` and `LogStdDev` cover, including the newest.
    pub window: usize,
    /// How many previous vectors are appended.
    pub lags: usize,
}

/// A recipe as read from a file, before it is checked.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Unchecked {
    features: Vec<Feature>,
    window: usize,
    lags: usize,
}

/// A recipe beyond the limits of the spec. It could need more memory than there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum RecipeError {
    /// No features, or more than 5.
    #[error("features must be 1 to 5, got {0}")]
    Features(usize),
    /// A rolling window outside the limits of the API.
    #[error("window must be between 2 and 1000, got {0}")]
    Window(usize),
    /// More previous vectors than the limits of the API allow.
    #[error("lags must be at most 100, got {0}")]
    Lags(usize),
}

/// Check the limits of `model.train`: a file may come from anywhere.
impl TryFrom<Unchecked> for Recipe {
    type Error = RecipeError;

    fn try_from(Unchecked { features, window, lags }: Unchecked) -> Result<Self, RecipeError> {
        if !(1..=5).contains(&features.len()) {
            return Err(RecipeError::Features(features.len()));
        }
        if !(2..=1000).contains(&window) {
            return Err(RecipeError::Window(window));
        }
        if lags > 100 {
            return Err(RecipeError::Lags(lags));
        }
        Ok(Self { features, window, lags })
    }
}

impl From<&Training> for Recipe {
    fn from(training: &Training) -> Self {
        Self { features: training.features.clone(), window: training.window, lags: training.lags }
    }
}

impl Recipe {
    /// The number of columns of a vector for this many sensors.
    pub fn columns(&self, sensors: usize) -> usize {
        sensors * self.features.len() * (1 + self.lags)
    }

    /// The index of the sensor that a column of a vector belongs to, given the number of sensors.
    pub fn sensor_of(&self, column: usize, sensors: usize) -> usize {
        column / self.features.len() % sensors
    }

    /// Whether a column follows the level of its sensor.
    pub fn is_level(&self, column: usize) -> bool {
        matches!(self.features[column % self.features.len()], Feature::Value | Feature::RollingMean)
    }

    /// The number of readings that a vector needs.
    pub fn memory(&self) -> usize {
        let reach = |feature: &Feature| match feature {
            Feature::Value | Feature::DailyResidual => 1,
            Feature::Difference => 2,
            Feature::RollingMean | Feature::LogStdDev => self.window,
        };
        self.features.iter().map(reach).max().unwrap_or(1) + self.lags
    }

    /// Whether vectors depend on the time of the day.
    pub fn is_daily(&self) -> bool {
        self.features.contains(&Feature::DailyResidual)
    }
}

/// The value of a feature in the unit of its sensor; for `LogStdDev`, the standard deviation itself.
pub fn in_sensor_unit(feature: Feature, value: f64) -> f64 {
    match feature {
        Feature::LogStdDev => libm::exp10(value),
        Feature::Value | Feature::Difference | Feature::RollingMean | Feature::DailyResidual => value,
    }
}

/// How readings become vectors, and what the training has learned about days and levels, as stored in an
/// artifact.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pipeline {
    /// How vectors are made.
    #[serde(flatten)]
    pub recipe: Recipe,
    /// The usual values by time of day; empty if no feature needs them.
    #[serde(default, skip_serializing_if = "Daily::is_empty")]
    pub daily: Daily,
    /// The steps that turn a vector into the forest's cells; `None` if the forest scores the vector itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preprocessing: Option<Preprocessing>,
    /// The level of each sensor at the end of the training; `None` if vectors are not measured against it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<Reference>,
}

impl Pipeline {
    /// Create an empty memory of readings that makes these vectors.
    pub fn features(&self) -> Features {
        let features = Features::new(self.recipe.clone(), Arc::new(self.daily.clone()));
        Features { reference: self.reference.clone(), ..features }
    }
}

/// The recent readings that the next vector needs.
#[derive(Clone, Debug)]
pub struct Features {
    recipe: Recipe,
    daily: Arc<Daily>,
    reference: Option<Reference>,
    /// Whether the levels are fixed instead of following the readings.
    is_frozen: bool,
    /// The levels that the newest vector was measured against.
    measured: Vec<f64>,
    recent: VecDeque<Instant>,
}

/// The readings of one instant, one value per sensor. They are shared, not copied, when the memory is cloned.
#[derive(Clone, Debug)]
struct Instant {
    time: Timestamp,
    values: Arc<[f64]>,
}

/// The smallest standard deviation; a lower one counts as this, because the logarithm of 0 is not finite.
const STILL: f64 = 1e-9;

impl Features {
    /// Create a memory without readings, with the usual values by time of day.
    pub fn new(recipe: Recipe, daily: Arc<Daily>) -> Self {
        Self {
            recent: VecDeque::with_capacity(recipe.memory()),
            recipe,
            daily,
            reference: None,
            is_frozen: false,
            measured: Vec::new(),
        }
    }

    /// Keep these readings, one value per sensor, and return their vector; `None` while there are too few.
    pub fn push(&mut self, time: Timestamp, values: &[f64]) -> Option<Vec<f64>> {
        let mut vector = Vec::with_capacity(self.recipe.columns(values.len()));
        self.push_onto(&mut vector, time, values).then_some(vector)
    }

    /// As [`Features::push`], but append the vector to `vectors`. Return whether there was a vector.
    pub fn push_onto(&mut self, vectors: &mut Vec<f64>, time: Timestamp, values: &[f64]) -> bool {
        let is_full = self.recent.len() == self.recipe.memory();
        let oldest = self.recent.pop_front_if(|_| is_full);
        let values = in_place_of(oldest.map(|oldest| oldest.values), values);
        self.recent.push_back(Instant { time, values });
        let is_complete = self.put_vector(vectors, &Past { recent: &self.recent, skipped: 0, next: None });
        if let (Some(reference), Some(newest)) = (&mut self.reference, self.recent.back()) {
            reference.levels().clone_into(&mut self.measured);
            if !self.is_frozen {
                reference.follow(time, &newest.values);
            }
        }
        is_complete
    }

    /// The same memory with fixed levels, for rows that have no times.
    #[must_use]
    pub fn frozen(self) -> Self {
        Self { is_frozen: true, ..self }
    }

    /// The levels that the next vector is measured against; `None` if there are none.
    pub fn reference(&self) -> Option<&Reference> {
        self.reference.as_ref()
    }

    /// Replace the levels that vectors are measured against, if they are measured against levels.
    pub fn set_reference(&mut self, reference: Reference) {
        if self.reference.is_some() {
            self.reference = Some(reference);
        }
    }

    /// For each sensor, the level that the newest vector was measured against, and the newest reading. Empty
    /// if vectors are not measured against levels.
    pub fn newest_levels(&self) -> impl Iterator<Item = (f64, f64)> {
        let newest = self.recent.back().into_iter().flat_map(|newest| newest.values.iter().copied());
        self.measured.iter().copied().zip(newest)
    }

    /// Measure a complete vector against the levels: subtract them from the columns that follow a level.
    pub fn against_level(&self, vector: &mut [f64]) {
        let Some(reference) = &self.reference else { return };
        let sensors = vector.len() / (self.recipe.features.len() * (1 + self.recipe.lags));
        let levels = vector.iter_mut().enumerate().filter(|(column, _)| self.recipe.is_level(*column));
        levels.for_each(|(column, cell)| *cell -= reference.centre(self.recipe.sensor_of(column, sensors)));
    }

    /// The readings that the next vector looks back on, oldest first.
    pub fn recent(&self) -> impl Iterator<Item = (Timestamp, &[f64])> {
        self.recent.iter().map(|instant| (instant.time, &*instant.values))
    }

    /// Return `empty`, which makes other vectors, with the readings of this memory added.
    #[must_use]
    pub fn replayed_into(&self, empty: Self) -> Self {
        let mut features = empty;
        for (time, values) in self.recent() {
            features.push(time, values);
        }
        features
    }

    /// Return the vector of these readings as if they came next, at the time of the newest reading. Nothing
    /// is kept. `None` if there are too few readings, or no newest reading and the vector depends on the time
    /// of the day.
    pub fn peek(&self, values: &[f64]) -> Option<Vec<f64>> {
        let newest = self.recent.back().map(|instant| instant.time);
        let time = if self.recipe.is_daily() { newest? } else { newest.unwrap_or_default() };
        let skipped = usize::from(self.recent.len() == self.recipe.memory());
        let past = Past { recent: &self.recent, skipped, next: Some((time, values)) };
        let mut vector = Vec::with_capacity(self.recipe.columns(values.len()));
        self.put_vector(&mut vector, &past).then_some(vector)
    }

    /// For each sensor, the level that the next vector is measured against; empty if there are none.
    pub fn levels(&self) -> &[f64] {
        self.reference.as_ref().map_or(&[], Reference::levels)
    }

    /// Append the features of the newest readings, then those of the `lags` readings before them. Return
    /// false if there are too few readings.
    fn put_vector(&self, vectors: &mut Vec<f64>, past: &Past) -> bool {
        if past.len() < self.recipe.memory() {
            return false;
        }
        let newest = past.len() - 1;
        let start = vectors.len();
        let sensors = past.at(newest).1.len();
        for at in (newest - self.recipe.lags..=newest).rev() {
            for sensor in 0..sensors {
                vectors.extend(
                    self.recipe.features.iter().map(|feature| self.feature(*feature, sensor, past, at)),
                );
            }
        }
        self.against_level(&mut vectors[start..]);
        true
    }

    fn feature(&self, feature: Feature, sensor: usize, past: &Past, at: usize) -> f64 {
        let value = |at: usize| past.at(at).1[sensor];
        let window = || (at + 1 - self.recipe.window..=at).map(value);
        match feature {
            Feature::Value => value(at),
            Feature::Difference => value(at) - value(at - 1),
            Feature::LogStdDev => libm::log10(standard_deviation(window(), self.recipe.window).max(STILL)),
            Feature::RollingMean => mean(window(), self.recipe.window),
            Feature::DailyResidual => {
                self.daily.usual(past.at(at).0, sensor).map_or(0.0, |usual| value(at) - usual)
            }
        }
    }
}

/// The readings that a vector is made of, oldest first.
struct Past<'a> {
    recent: &'a VecDeque<Instant>,
    /// The number of oldest readings that are skipped.
    skipped: usize,
    /// The readings that come after the newest.
    next: Option<(Timestamp, &'a [f64])>,
}

impl Past<'_> {
    fn len(&self) -> usize {
        self.recent.len() - self.skipped + usize::from(self.next.is_some())
    }

    fn at(&self, index: usize) -> (Timestamp, &[f64]) {
        let remembered =
            self.recent.get(self.skipped + index).map(|instant| (instant.time, &*instant.values));
        remembered.or(self.next).expect("an index is below the length")
    }
}

/// Features during a training. The usual values are learned as the days pass, so that each reading is
/// compared with the days before it, as when the model serves.
#[derive(Clone, Debug)]
pub struct Learning {
    features: Features,
    days: Days,
}

impl Learning {
    /// Create features without readings.
    pub fn new(recipe: Recipe) -> Self {
        Self { features: Features::new(recipe, Arc::default()), days: Days::default() }
    }

    /// Learn from these readings, and append their vector to `vectors` as [`Features::push_onto`] does.
    /// Return whether there was a vector.
    pub fn push_onto(&mut self, vectors: &mut Vec<f64>, time: Timestamp, values: &[f64]) -> bool {
        if self.features.recipe.is_daily()
            && let Some(usual) = self.days.add(time, values)
        {
            Arc::make_mut(&mut self.features.daily).set(usual);
        }
        self.features.push_onto(vectors, time, values)
    }

    /// Return how the vectors were made, with the usual values by time of day.
    pub fn finish(self) -> Pipeline {
        let mut daily = Arc::unwrap_or_clone(self.features.daily);
        self.days.finish().into_iter().for_each(|usual| daily.set(usual));
        Pipeline { recipe: self.features.recipe, daily, preprocessing: None, reference: None }
    }
}

/// Store the values, in the memory of `others` if that is not shared.
fn in_place_of(others: Option<Arc<[f64]>>, values: &[f64]) -> Arc<[f64]> {
    let Some(mut place) = others else { return values.into() };
    match Arc::get_mut(&mut place) {
        Some(others) if others.len() == values.len() => {
            others.copy_from_slice(values);
            place
        }
        _ => values.into(),
    }
}

/// The mean: the first value, and the mean distance from it, so that a flat line is exactly at its level.
fn mean(values: impl Iterator<Item = f64> + Clone, count: usize) -> f64 {
    let first = values.clone().next().unwrap_or(0.0);
    first + values.map(|value| value - first).sum::<f64>() / count as f64
}

/// The standard deviation (the root of the mean squared distance from the mean), in two passes: exactly 0 for
/// equal values.
fn standard_deviation(values: impl Iterator<Item = f64> + Clone, count: usize) -> f64 {
    let first = values.clone().next().unwrap_or(0.0);
    // Distances from the first value keep a flat line at exactly 0, whatever its level.
    let mean = values.clone().map(|value| value - first).sum::<f64>() / count as f64;
    let variance = values.map(|value| (value - first - mean).powi(2)).sum::<f64>() / count as f64;
    variance.sqrt()
}

#[cfg(test)]
mod tests;
