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
    /// How the model is trained. Default, where no model is loaded: every field at its own default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub train: Option<Train>,

    /// The file of a model that was trained elsewhere, to load instead of training one. Default: none, the
    /// model is trained.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load: Option<Load>,

    /// When to retrain. The current model serves until the new one is ready. Default: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retrain: Option<Retrain>,

    /// The digest of a stored model that serves instead of the newest one, whatever is trained or loaded
    /// meanwhile: `sha256:` and 64 hexadecimal digits. Default: none, the newest model serves. Example: an
    /// earlier `status.model.digest`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 71), regex(pattern = r"^sha256:[0-9a-f]{64}$"))]
    pub pinned_digest: Option<String>,

    /// The number of models that are stored in the cluster, including the one that serves: 1 to 20.
    /// Default: 3.
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
    .message("timeZone is allowed with a schedule only"))]
#[x_kube(validation = Rule::new("!has(self.trees) || !has(self.interval) || duration(self.interval) >= duration('1m')")
    .message("must be at least 1m where trees is set: each retraining makes a model, which the operator stores").field_path(".interval"))]
pub struct Retrain {
    /// The time from one training to the next, 1s to 8760h. Each learns from the readings before it. The
    /// times are shifted by a part of the interval that depends on namespace and name, so that many detectors
    /// do not train at once. Example: 24h.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = Rule::new("duration(self) >= duration('1s') && duration(self) <= duration('8760h')")
        .message(Message::Expression("'must be between 1s and 8760h, got ' + self".into())))]
    pub interval: Option<Duration>,

    /// The number of the oldest trees that each retraining replaces with trees grown from the newest
    /// readings: 1 to `train.trees`. The forest then changes in small steps, and a step costs a part of a
    /// training. In mode Auto, this many trees of each of the three forests are replaced. The threshold, the
    /// ranges and the usual values at each time of the day are computed again each time; where the spec has
    /// changed how the model is trained, all trees are replaced. Each step makes a model, which the operator
    /// stores: `interval` must be 1m or more. Default: all trees. Example: 10, with `interval: 1h`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10_000))]
    pub trees: Option<i32>,

    /// The times of training, as five fields of cron: minute, hour, day of the month, month, day of the week.
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
    /// The number of readings to learn from: past ones where every source can be queried for them, else the
    /// first that arrive. 2 to 1000000. Default: 4096, or the number of intervals in `history`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 2, max = 1_000_000))]
    pub samples: Option<i32>,

    /// The length of time to learn from, in place of a number of `samples`: the readings of the last hours or
    /// days (`d`), 2 to 1000000 intervals. Not together with `samples`, and only where every source can be
    /// queried for past readings: prometheus and simulated can. Default: none. Example: 14d.
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

    /// Modes from research, which may change or be removed. Not together with `mode`. Default: none.
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

    /// The shape of the splits. 0: parallel to an axis, the original forest. n: hyperplanes over n + 1
    /// columns (Extended Isolation Forest, Hariri et al. 2019); less than the number of columns. 0 to 1023.
    /// Default: 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1023))]
    pub extension_level: Option<i32>,

    /// The seed of all randomness: the same data and the same seed give the same model, to the bit, on every
    /// replica. 0 or more. Default: 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub seed: Option<i64>,

    /// The features of each sensor that the model sees, one column each, at least one. `[Value]` judges each
    /// reading alone; `[Value, LogStdDev]` also detects sensors that are constant or noisy;
    /// `[Value, DailyResidual, RollingMean, LogStdDev]` suits series with a daily pattern.
    /// Default: `[Value]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 5))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub features: Option<Vec<Feature>>,

    /// The number of readings that `RollingMean` and `LogStdDev` are computed from, including the newest. 2
    /// to 1000. Default: 10.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 2, max = 1000))]
    pub window: Option<i32>,

    /// The number of previous readings whose features are appended to each vector (a shingle): 0 to 100.
    /// Default: 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 100))]
    pub lags: Option<i32>,

    /// The end of the history to learn from, an RFC 3339 time. Default: now; in a cluster the time at which
    /// the sources or the training of the spec last changed or a person last requested a retraining, which is
    /// the same for all replicas. Example: 2026-11-22T12:00:00Z.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", length(max = 64), extend("format" = "date-time"))]
    pub data_end_time: Option<Timestamp>,
}

/// Settings that may change or be removed without notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Experimental {
    /// How trees are split and scored: AveragedGain, PooledGain, AdjustedDepth, Density or AdjustedDensity.
    pub mode: ExperimentalMode,
}

/// How trees are split and scored: Standard, or Auto, three forests that judge together. Default: Standard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Mode {
    /// Random splits, path lengths: the original forest (Liu, Ting and Zhou, 2008), or with `extensionLevel` the Extended
    /// Isolation Forest (Hariri et al., 2019).
    Standard,
    /// Three forests judge together, and the highest severity counts: isolation across columns, gaps between
    /// clusters, density. The mode also chooses `sampleSize` and `extensionLevel`, which must be left out.
    /// Training takes about 20 times as long as Standard (20 ms for 100 trees), a verdict 10 µs. It judges
    /// better than Standard on two of three data sets and worse on the third: on other data, expect an AUC
    /// that is higher by about 0.01, with a large spread.
    Auto,
}

/// Ways to split and score trees, from research. None is best on all data, and the differences can be large.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum ExperimentalMode {
    /// Splits that separate values which are far out in some column: the best of ten by the averaged gain
    /// (SCiForest: Liu, Ting and Zhou, 2010).
    AveragedGain,
    /// Splits between clusters, by the pooled gain (fair-cut forest: Cortes, 2021): for data of several
    /// regimes, where values between the regimes are anomalous. Usually with `extensionLevel: 1`.
    PooledGain,
    /// As Standard, but each split counts more for its crowded side (Cortes, 2021).
    AdjustedDepth,
    /// As Standard, but the score is the density of the leaves' boxes (Cortes, 2021).
    Density,
    /// As AdjustedDepth, but multiplied instead of added (Cortes, 2021).
    AdjustedDensity,
}

/// A feature of a sensor: a column of the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Feature {
    /// The reading itself.
    Value,
    /// The reading minus the one before it: it shows sudden changes.
    Difference,
    /// The common logarithm of the standard deviation of the last `window` readings: far below the usual
    /// value for a constant sensor, above it for a noisy one. Verdicts have the standard deviation itself, in
    /// the sensor's unit.
    LogStdDev,
    /// The mean of the last `window` readings: it shows a changing level, also where single readings are
    /// noisy.
    RollingMean,
    /// The reading minus the usual value at its time of the day: the median, over the last 7 days that the
    /// model has learned from, of the mean of the same half hour (UTC). 0 for a half hour that the model has
    /// not learned from. Learn from two days or more, and set `retrain: {interval: 24h}`, so that the usual
    /// values stay up to date.
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
