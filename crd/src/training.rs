//! The training part of a spec in, a `Training` out: every field has its value or its default.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};

use crate::Duration;
use crate::model::{Experimental, ExperimentalMode, Feature, Mode, Train};

/// How a forest is trained: the values of the spec, and defaults for the fields that it leaves out.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Training {
    /// How many readings to learn from, 2 to 1000000.
    pub samples: usize,
    /// How trees are split and scored.
    pub mode: ForestMode,
    /// The number of trees, 1 to 10000.
    pub trees: u32,
    /// How many of the samples each tree is grown from, 2 to 65536.
    pub sample_size: u32,
    /// The number of columns of a split's hyperplane, minus one: 0 to 1023.
    pub extension_level: u32,
    /// The seed of all randomness.
    pub seed: u64,
    /// What the model sees of each sensor.
    pub features: Vec<Feature>,
    /// How many readings rolling features are taken over, 2 to 1000.
    pub window: usize,
    /// How many previous vectors are appended, 0 to 100.
    pub lags: usize,
    /// The end of the history to learn from; none: now. It is not part of the recipe.
    #[serde(skip)]
    pub data_end_time: Option<Timestamp>,
}

/// How trees are split and scored: `mode` and `experimental.mode` of the spec in one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub enum ForestMode {
    /// The original forest, and the Extended Isolation Forest.
    Standard,
    /// Three forests that judge together.
    Auto,
    /// A mode from research.
    #[serde(untagged)]
    Experimental(ExperimentalMode),
}

impl ForestMode {
    /// All modes.
    pub const ALL: [Self; 7] = [
        Self::Standard,
        Self::Auto,
        Self::Experimental(ExperimentalMode::AveragedGain),
        Self::Experimental(ExperimentalMode::PooledGain),
        Self::Experimental(ExperimentalMode::AdjustedDepth),
        Self::Experimental(ExperimentalMode::Density),
        Self::Experimental(ExperimentalMode::AdjustedDensity),
    ];

    /// The mode's name in the API.
    pub fn name(self) -> String {
        match self {
            Self::Experimental(mode) => format!("{mode:?}"),
            mode => format!("{mode:?}"),
        }
    }

    fn new(mode: Option<Mode>, experimental: Option<Experimental>) -> Self {
        match (mode, experimental) {
            (_, Some(experimental)) => Self::Experimental(experimental.mode),
            (Some(Mode::Auto), None) => Self::Auto,
            (Some(Mode::Standard) | None, None) => Self::Standard,
        }
    }
}

impl Default for Training {
    fn default() -> Self {
        Self {
            samples: 4096,
            mode: ForestMode::Standard,
            trees: 100,
            sample_size: 256,
            extension_level: 0,
            seed: 0,
            features: vec![Feature::Value],
            window: 10,
            lags: 0,
            data_end_time: None,
        }
    }
}

impl Training {
    /// Fill in the defaults of a spec whose readings are `interval` apart. The schema's bounds keep every
    /// number within its type.
    pub fn of(train: &Train, interval: Duration) -> Self {
        let default = Self::default();
        let of_history =
            train.history.map(|history| (history.as_nanos() / interval.as_nanos().max(1)) as usize);
        let samples = train.samples.map(|samples| samples as usize).or(of_history);
        Self {
            samples: samples.unwrap_or(default.samples),
            mode: ForestMode::new(train.mode, train.experimental),
            trees: train.trees.map_or(default.trees, |trees| trees as u32),
            sample_size: train.sample_size.map_or(default.sample_size, |size| size as u32),
            extension_level: train.extension_level.map_or(default.extension_level, |level| level as u32),
            seed: train.seed.map_or(default.seed, |seed| seed as u64),
            features: train.features.clone().unwrap_or(default.features),
            window: train.window.map_or(default.window, |window| window as usize),
            lags: train.lags.map_or(default.lags, |lags| lags as usize),
            data_end_time: train.data_end_time,
        }
    }

    /// The number of columns of a vector: every feature of every sensor, now and `lags` readings back.
    pub fn columns(&self, sensors: usize) -> usize {
        sensors * self.features.len() * (1 + self.lags)
    }

    /// The fields that differ from their defaults, as JSON. Recipes are compared by these, so that a release
    /// with new fields does not retrain.
    pub fn changed_fields(&self) -> Value {
        let (mut fields, defaults) = (json!(self), json!(Self::default()));
        if let Value::Object(fields) = &mut fields {
            fields.retain(|name, value| defaults.get(name) != Some(value));
        }
        fields
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_set_to_its_default_is_the_same_recipe_as_what_is_left_out() {
        let set: Train = serde_json::from_value(json!({"mode": "Standard", "trees": 100, "sampleSize": 256,
            "extensionLevel": 0, "features": ["Value"], "samples": 4096, "dataEndTime": "2026-11-22T00:00:00Z"}))
        .unwrap();
        let second = Duration::from_secs(1);
        assert_eq!(Training::of(&set, second).changed_fields(), json!({}));
        let other: Train =
            serde_json::from_value(json!({"experimental": {"mode": "Density"}, "lags": 2})).unwrap();
        assert_eq!(Training::of(&other, second).changed_fields(), json!({"mode": "Density", "lags": 2}));
    }

    #[test]
    fn a_history_is_as_many_samples_as_it_has_intervals() {
        let two_weeks: Train = serde_json::from_value(json!({"history": "14d"})).unwrap();
        assert_eq!(Training::of(&two_weeks, Duration::from_secs(60)).samples, 14 * 1440);
    }

    #[test]
    fn every_mode_is_printed_as_the_api_names_it() {
        let names = ForestMode::ALL.map(ForestMode::name);
        assert_eq!(
            names.join(" "),
            "Standard Auto AveragedGain PooledGain AdjustedDepth Density AdjustedDensity"
        );
        assert_eq!(ForestMode::ALL.map(|mode| json!(mode)), names.map(Value::from));
    }
}
