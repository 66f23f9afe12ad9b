//! The model part of the spec: what is learned from which readings.

use jiff::Timestamp;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Duration;
use crate::load::Load;
use crate::schedule;

/// The model: an isolation forest (Liu, Ting and Zhou, 2008) over the readings of all sensors. Trained from them,
/// or loaded; not both.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("!(has(self.train) && has(self.load))")
    .message("at most one of train, load must be set"))]
#[x_kube(validation = Rule::new("!(has(self.retrain) && has(self.load))")
    .message("retrain must be left out where a model is loaded").field_path(".retrain"))]
#[x_kube(validation = Rule::new("!has(self.retrain) || !has(self.retrain.trees) || \
    self.retrain.trees <= (has(self.train) && has(self.train.trees) ? self.train.trees : 100)")
    .message("retrain.trees must be at most train.trees, 100 where that is left out").field_path(".retrain.trees"))]
pub struct Model {
    /// How to train it. Default, where nothing is loaded: every field at its own default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub train: Option<Train>,

    /// Where a model comes from that was trained elsewhere. Default: none, it is trained.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load: Option<Load>,

    /// When to retrain. The current model serves until the new one is ready. Default: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retrain: Option<Retrain>,

    /// Serve this model of the history, and no other, whatever is trained or loaded meanwhile: `sha256:` and 64
    /// hexadecimal digits. Default: the newest. Example: the `status.model.digest` of a better day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 71), regex(pattern = r"^sha256:[0-9a-f]{64}$"))]
    pub pinned_digest: Option<String>,

    /// How many models are kept in the cluster, the one that serves among them: 1 to 20. Default: 3.
    #[serde(default = "revision_history_limit")]
    #[schemars(range(min = 1, max = 20))]
    pub revision_history_limit: i32,
}

/// When to retrain. Exactly one of `interval`, `schedule`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("(has(self.interval) ? 1 : 0) + (has(self.schedule) ? 1 : 0) == 1")
    .message("exactly one of interval, schedule must be set"))]
#[x_kube(validation = Rule::new("!has(self.timeZone) || has(self.schedule)")
    .message("timeZone goes with a schedule only"))]
#[x_kube(validation = Rule::new("!has(self.trees) || !has(self.interval) || duration(self.interval) >= duration('1m')")
    .message("must be at least 1m where trees is set: each retraining makes a model, which the operator stores").field_path(".interval"))]
pub struct Retrain {
    /// Train this often, 1s to 8760h, each time from the readings before. The times are shifted by a part of the interval
    /// that the name decides, so that many detectors do not train at once. Example: 24h.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = Rule::new("duration(self) >= duration('1s') && duration(self) <= duration('8760h')")
        .message(Message::Expression("'must be between 1s and 8760h, got ' + self".into())))]
    pub interval: Option<Duration>,

    /// How many of the oldest trees each retraining replaces, by trees that are grown from the readings as they are then: 1 to
    /// `train.trees`. The forest then moves on in small steps, and a step costs a part of a training. In mode Auto, so many of
    /// each of the three forests. Threshold, ranges and what is usual at a time of the day are new each time, and where the spec
    /// has changed how the model is trained, all trees are. Each step makes a model, which the operator stores: `interval` must be
    /// 1m or more. Default: all of them. Example: 10, with `interval: 1h`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10_000))]
    pub trees: Option<i32>,

    /// Train at these times: five fields of cron, minute, hour, day of the month, month, day of the week.
    /// Example: "0 3 * * *", each night at three.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schedule::optional_expression_schema")]
    pub schedule: Option<String>,

    /// The time zone of `schedule`, a name of the IANA database. Default: UTC. Example: Europe/Berlin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schedule::optional_zone_schema")]
    pub time_zone: Option<String>,
}

/// How the forest is trained. The defaults are the paper's and scikit-learn's.
//
// No field has a default in the schema: the rules about `mode: Auto` and `experimental` depend on which
// fields are set, and a default that is a list or a union would merge with a value that is applied later.
// `training` fills in the defaults.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("!(has(self.mode) && has(self.experimental))")
    .message("at most one of mode, experimental must be set"))]
#[x_kube(validation = Rule::new(
    "!has(self.mode) || self.mode != 'Auto' || !(has(self.sampleSize) || has(self.extensionLevel))"
).message("mode Auto chooses sampleSize and extensionLevel: they must be left out"))]
#[x_kube(validation = Rule::new("!(has(self.samples) && has(self.history))")
    .message("at most one of samples, history must be set"))]
pub struct Train {
    /// How many readings to learn from: from history where the source has one, else the first that arrive.
    /// 2 to 1000000. Default: 4096, or what `history` comes to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 2, max = 1_000_000))]
    pub samples: Option<i32>,

    /// The same as a length of time: the readings of the last so many hours or days (`d`), 2 to 1000000 intervals. Not
    /// beside `samples`, and only where every source remembers: prometheus and simulated do. Default: none. Example: 14d.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        with = "Option<String>",
        length(max = 64),
        regex(pattern = r"^([0-9]{1,9}(\.[0-9]{1,9})?(ms|s|m|h|d))+$")
    )]
    pub history: Option<Duration>,

    /// How trees are split and scored: Standard, or Auto, three forests that judge together. Default: Standard.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<Mode>,

    /// Modes from research that may change or go. Not beside `mode`. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub experimental: Option<Experimental>,

    /// The number of trees, 1 to 10000. More trees give steadier scores at a proportional cost. Default: 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10_000))]
    pub trees: Option<i32>,

    /// How many of the samples each tree is grown from, 2 to 65536; all of them where there are fewer.
    /// Default: 256.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 2, max = 65_536))]
    pub sample_size: Option<i32>,

    /// 0: splits parallel to an axis, the original forest. n: hyperplanes over n + 1 columns (Extended Isolation
    /// Forest, Hariri et al. 2019); less than the number of columns. 0 to 1023. Default: 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1023))]
    pub extension_level: Option<i32>,

    /// The seed of all randomness: the same data and the same seed give the same model, to the bit, on every
    /// replica. 0 or more. Default: 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub seed: Option<i64>,

    /// What the model sees of each sensor, one column each, at least one. `[Value]` judges each reading alone;
    /// `[Value, LogStdDev]` also sees sensors that stand still or tremble, `[Value, DailyResidual, RollingMean, LogStdDev]`
    /// suits series with days. Default: `[Value]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 5))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub features: Option<Vec<Feature>>,

    /// How many readings, the newest among them, `RollingMean` and `LogStdDev` are taken over. 2 to 1000. Default: 10.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 2, max = 1000))]
    pub window: Option<i32>,

    /// Append the features of this many previous readings to each vector (a shingle): 0 to 100. Default: 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 100))]
    pub lags: Option<i32>,

    /// The end of the history to learn from, an RFC 3339 time. Default: now. Replicas that train each for
    /// themselves agree when it is set. Example: 2026-11-22T12:00:00Z.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", length(max = 64), extend("format" = "date-time"))]
    pub data_end_time: Option<Timestamp>,
}

/// What may change or go without notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Experimental {
    /// How trees are split and scored: AveragedGain, PooledGain, AdjustedDepth, Density or AdjustedDensity.
    pub mode: ExperimentalMode,
}

/// How the forest is grown and scored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Mode {
    /// Random splits, path lengths: the original forest (Liu, Ting and Zhou, 2008), or with `extensionLevel` the Extended
    /// Isolation Forest (Hariri et al., 2019).
    Standard,
    /// Three forests judge together, and the highest severity counts: isolation across columns, gaps between clusters,
    /// density. `sampleSize` and `extensionLevel` are chosen too, and left out here. Training takes about 20 times as long
    /// as Standard (20 ms for 100 trees), a verdict 10 µs. It judges better than Standard on
    /// two sets of three, worse on the third: on data of yours expect 0.01 more in AUC, and more or less than that.
    Auto,
}

/// Ways to grow and score the forest from research. None is best on all data, and which is best can differ by a lot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum ExperimentalMode {
    /// Splits that set apart what is far out in some column: the best of ten by the averaged gain (SCiForest: Liu,
    /// Ting and Zhou, 2010).
    AveragedGain,
    /// Splits between clusters, by the pooled gain (fair-cut forest: Cortes, 2021): for data of several regimes, where
    /// what lies between them is anomalous. Usual with `extensionLevel: 1`.
    PooledGain,
    /// As Standard, and each split counts more for the side that is crowded (Cortes, 2021).
    AdjustedDepth,
    /// As Standard, and the score is the density of the leaves' boxes (Cortes, 2021).
    Density,
    /// As AdjustedDepth, multiplied instead of added (Cortes, 2021).
    AdjustedDensity,
}

/// One thing that the model sees of a sensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Feature {
    /// The reading itself.
    Value,
    /// The reading minus the one before it: sudden moves.
    Difference,
    /// The common logarithm of the standard deviation of the last `window` readings: a flat line is far below
    /// the usual, a trembling sensor above. Verdicts give it as the standard deviation, in the sensor's unit.
    LogStdDev,
    /// The mean of the last `window` readings: a level that moves, whatever single readings do.
    RollingMean,
    /// The reading minus what is usual at its time of the day: the median, over the last 7 days that the model has
    /// learned from, of the mean of the same half hour (UTC). 0 for a half hour that it has not seen before. Learn from two
    /// days or more, and with `retrain: {interval: 24h}`, so that what is usual keeps up.
    DailyResidual,
}

fn revision_history_limit() -> i32 {
    3
}

impl Default for Model {
    fn default() -> Self {
        Self {
            train: None,
            load: None,
            retrain: None,
            pinned_digest: None,
            revision_history_limit: revision_history_limit(),
        }
    }
}
