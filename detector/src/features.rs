//! Readings of all sensors in, one after another; the vectors that the model sees out.

use std::collections::VecDeque;
use std::sync::Arc;

use crd::model::{Feature, Train};
use serde::{Deserialize, Serialize};

/// How readings become vectors. It travels with the model, so that a model is always fed as it was trained.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Recipe {
    /// The features of each sensor, in order.
    pub features: Vec<Feature>,
    /// How many readings `Spread` is taken over, the newest among them.
    pub window: usize,
    /// How many previous vectors are appended.
    pub lags: usize,
}

impl From<&Train> for Recipe {
    fn from(train: &Train) -> Self {
        Self { features: train.features.clone(), window: train.window as usize, lags: train.lags as usize }
    }
}

impl Recipe {
    /// Columns of a vector for so many sensors.
    pub fn columns(&self, sensors: usize) -> usize {
        sensors * self.features.len() * (1 + self.lags)
    }

    /// Readings needed before the first vector is complete.
    pub fn memory(&self) -> usize {
        let reach = |feature: &Feature| match feature {
            Feature::Value => 1,
            Feature::Difference => 2,
            Feature::Spread => self.window,
        };
        self.features.iter().map(reach).max().unwrap_or(1) + self.lags
    }
}

/// The recent past that the next vector needs.
#[derive(Clone, Debug)]
pub struct Features {
    recipe: Recipe,
    /// Shared, not copied, when the memory is cloned.
    recent: VecDeque<Arc<[f64]>>,
}

/// A standard deviation below this counts as this: the logarithm of 0 is no number.
const STILL: f64 = 1e-9;

impl Features {
    /// Nothing seen yet.
    pub fn new(recipe: Recipe) -> Self {
        Self { recent: VecDeque::with_capacity(recipe.memory()), recipe }
    }

    /// The vector of these readings, one value a sensor, which are remembered; none until the past is long enough.
    pub fn push(&mut self, values: Vec<f64>) -> Option<Vec<f64>> {
        if self.recent.len() == self.recipe.memory() {
            self.recent.pop_front();
        }
        self.recent.push_back(values.into());
        self.vector()
    }

    /// The readings that the next vector looks back on, oldest first.
    pub fn recent(&self) -> impl Iterator<Item = &[f64]> {
        self.recent.iter().map(|values| &**values)
    }

    /// The same memory for vectors that are made in another way.
    #[must_use]
    pub fn by(&self, recipe: Recipe) -> Self {
        let mut features = Self::new(recipe);
        for values in self.recent() {
            features.push(values.to_vec());
        }
        features
    }

    /// The vector of these readings as if they came next. Nothing is remembered.
    pub fn peek(&self, values: Vec<f64>) -> Option<Vec<f64>> {
        self.clone().push(values)
    }

    /// The newest readings' features, then those of the readings before them, `lags` times.
    fn vector(&self) -> Option<Vec<f64>> {
        let newest = self.recent.len().checked_sub(1)?;
        if self.recent.len() < self.recipe.memory() {
            return None;
        }
        let sensors = self.recent[newest].len();
        let mut vector = Vec::with_capacity(self.recipe.columns(sensors));
        for at in (newest - self.recipe.lags..=newest).rev() {
            for sensor in 0..sensors {
                vector.extend(self.recipe.features.iter().map(|feature| self.feature(*feature, sensor, at)));
            }
        }
        Some(vector)
    }

    fn feature(&self, feature: Feature, sensor: usize, at: usize) -> f64 {
        let value = |at: usize| self.recent[at][sensor];
        match feature {
            Feature::Value => value(at),
            Feature::Difference => value(at) - value(at - 1),
            Feature::Spread => {
                let window = (at + 1 - self.recipe.window..=at).map(value);
                libm::log10(standard_deviation(window, self.recipe.window).max(STILL))
            }
        }
    }
}

/// The root of the mean squared distance from the mean, in two passes: exact 0 for equal values.
fn standard_deviation(values: impl Iterator<Item = f64> + Clone, count: usize) -> f64 {
    let first = values.clone().next().unwrap_or(0.0);
    // Distances from the first value keep a flat line at exactly 0, whatever its level.
    let mean = values.clone().map(|value| value - first).sum::<f64>() / count as f64;
    let variance = values.map(|value| (value - first - mean).powi(2)).sum::<f64>() / count as f64;
    variance.sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recipe(features: &[Feature], window: usize, lags: usize) -> Recipe {
        Recipe { features: features.to_vec(), window, lags }
    }

    fn vectors(recipe: Recipe, readings: &[[f64; 2]]) -> Vec<Vec<f64>> {
        let mut features = Features::new(recipe);
        readings.iter().filter_map(|values| features.push(values.to_vec())).collect()
    }

    #[test]
    fn a_value_alone_needs_no_past() {
        let seen = vectors(recipe(&[Feature::Value], 10, 0), &[[1.0, 2.0], [3.0, 4.0]]);
        assert_eq!(seen, [[1.0, 2.0], [3.0, 4.0]]);
    }

    #[test]
    fn lags_append_the_readings_before_newest_first() {
        let seen = vectors(recipe(&[Feature::Value], 10, 1), &[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]);
        assert_eq!(seen, [[3.0, 4.0, 1.0, 2.0], [5.0, 6.0, 3.0, 4.0]]);
    }

    #[test]
    fn a_difference_is_the_reading_minus_the_one_before() {
        let seen = vectors(recipe(&[Feature::Value, Feature::Difference], 10, 0), &[[1.0, 5.0], [3.0, 4.0]]);
        assert_eq!(seen, [[3.0, 2.0, 4.0, -1.0]]);
    }

    #[test]
    fn the_spread_of_a_flat_line_is_the_floor_at_any_level() {
        for level in [0.0, 0.1, -1e-6, 1e9, 123_456.789] {
            let seen = vectors(recipe(&[Feature::Spread], 3, 0), &[[level, 0.0], [level, 1.0], [level, 2.0]]);
            assert!((seen[0][0] + 9.0).abs() < 1e-12, "{level}");
            let expected = (2.0f64 / 3.0).sqrt().log10();
            assert!((seen[0][1] - expected).abs() < 1e-12);
        }
    }

    #[test]
    fn peeking_sees_what_pushing_would_and_remembers_nothing() {
        let mut features = Features::new(recipe(&[Feature::Value, Feature::Spread], 2, 1));
        for value in [1.0, 4.0] {
            assert_eq!(features.push(vec![value]), None);
        }
        let peeked = features.peek(vec![9.0]);
        assert_eq!(peeked, features.peek(vec![9.0]));
        assert_eq!(peeked, features.push(vec![9.0]));
    }
}
