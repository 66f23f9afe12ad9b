//! The model part of the spec: what is learned from which readings.

use jiff::Timestamp;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The model: an isolation forest (Liu, Ting and Zhou, 2008) over the readings of all sensors.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Model {
    /// How to train it. Default: every field at its own default.
    #[serde(default)]
    pub train: Train,
}

/// How the forest is trained. The defaults are the paper's and scikit-learn's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Train {
    /// How many readings to learn from: from history where the source has one, else the first that arrive.
    /// 2 to 1000000. Default: 4096.
    #[serde(default = "samples")]
    #[schemars(range(min = 2, max = 1_000_000))]
    pub samples: i32,

    /// The number of trees, 1 to 10000. More trees give steadier scores at a proportional cost. Default: 100.
    #[serde(default = "trees")]
    #[schemars(range(min = 1, max = 10_000))]
    pub trees: i32,

    /// How many of the samples each tree is grown from, 2 to 65536; all of them where there are fewer.
    /// Default: 256.
    #[serde(default = "sample_size")]
    #[schemars(range(min = 2, max = 65_536))]
    pub sample_size: i32,

    /// 0: splits parallel to an axis, the original forest. n: hyperplanes over n + 1 columns (Extended Isolation
    /// Forest, Hariri et al. 2019); less than the number of columns. 0 to 1023. Default: 0.
    #[serde(default)]
    #[schemars(range(min = 0, max = 1023))]
    pub extension: i32,

    /// The seed of all randomness: the same data and the same seed give the same model, to the bit, on every
    /// replica. 0 or more. Default: 0.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub seed: i64,

    /// What the model sees of each sensor, one column each, at least one. `[Value]` judges each reading alone;
    /// `[Value, Spread]` also sees sensors that stand still or tremble. Default: `[Value]`.
    #[serde(default = "features")]
    #[schemars(length(min = 1, max = 3))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub features: Vec<Feature>,

    /// How many readings, the newest among them, `Spread` is taken over. 2 to 1000. Default: 10.
    #[serde(default = "window")]
    #[schemars(range(min = 2, max = 1000))]
    pub window: i32,

    /// Append the features of this many previous readings to each vector (a shingle): 0 to 100. Default: 0.
    #[serde(default)]
    #[schemars(range(min = 0, max = 100))]
    pub lags: i32,

    /// The end of the history to learn from, an RFC 3339 time. Default: now. Replicas that train each for
    /// themselves agree when it is set. Example: 2026-11-22T12:00:00Z.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", length(max = 64), extend("format" = "date-time"))]
    pub until: Option<Timestamp>,
}

/// One thing that the model sees of a sensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Feature {
    /// The reading itself.
    Value,
    /// The reading minus the one before it: sudden moves.
    Difference,
    /// The common logarithm of the standard deviation of the last `window` readings: a flat line is far below
    /// the usual, a trembling sensor above.
    Spread,
}

fn samples() -> i32 {
    4096
}
fn trees() -> i32 {
    100
}
fn sample_size() -> i32 {
    256
}
fn features() -> Vec<Feature> {
    vec![Feature::Value]
}
fn window() -> i32 {
    10
}

impl Default for Train {
    fn default() -> Self {
        Self {
            samples: samples(),
            trees: trees(),
            sample_size: sample_size(),
            extension: 0,
            seed: 0,
            features: features(),
            window: window(),
            lags: 0,
            until: None,
        }
    }
}

impl Train {
    /// Columns of a vector: every feature of every sensor, now and `lags` readings back.
    pub fn columns(&self, sensors: usize) -> usize {
        sensors * self.features.len() * (1 + self.lags as usize)
    }
}
