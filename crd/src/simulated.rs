//! The simulated source of the spec: sensors whose every value is a pure function of seed, name and time.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Duration;

/// Simulated sensors, which need no hardware. A value is baseline + waves + trend + noise, disturbed by
/// faults: a pure function of the seed, the sensor's name and the time, so that every replica has the same
/// readings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Simulated {
    /// The seed of noise and faults, 0 or more. Default: 0.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub seed: i64,

    /// The sensors, 1 to 128; names are unique over all sources.
    #[schemars(length(min = 1, max = 128))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub sensors: Vec<SimulatedSensor>,
}

/// One simulated sensor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct SimulatedSensor {
    /// Its name: a column of the model and the `sensor` label of its metrics. Letters, digits, `_`, `-` and `.`,
    /// a letter first. Example: temperature.
    #[schemars(length(min = 1, max = 63), regex(pattern = r"^[A-Za-z][A-Za-z0-9_.-]*$"))]
    pub name: String,

    /// The unit of its readings, for people and for the `unit` label. Default: none. Example: celsius.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub unit: Option<String>,

    /// The level that everything else is added to, in the sensor's unit. Default: 0. Example: 60.
    #[serde(default)]
    pub baseline: f64,

    /// Sine waves, added up; at most 16. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub waves: Vec<Wave>,

    /// A steady rise, in the sensor's unit an hour, counted from 2026-01-01T00:00:00Z. Default: 0.
    #[serde(default)]
    pub trend_per_hour: f64,

    /// The noise: how readings differ from the clean signal at random. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub noise: Option<Noise>,

    /// The faults of the sensor, which are the ground truth for its verdicts; at most 16. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub faults: Vec<Fault>,
}

/// A sine wave: amplitude * sin(2 pi * (time + phase) / period), time counted from the Unix epoch.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Wave {
    /// Half of the difference between the highest and the lowest value, in the sensor's unit. Example: 5.
    pub amplitude: f64,

    /// The length of one oscillation, at least 1ms. Example: 1h.
    #[x_kube(validation = Rule::new("duration(self) >= duration('1ms')")
        .message(Message::Expression("'must be at least 1ms, got ' + self".into())))]
    pub period: Duration,

    /// The time by which the wave is ahead at the Unix epoch. Default: 0s. Example: 15m.
    #[serde(default = "no_phase")]
    pub phase: Duration,
}

/// Noise. Exactly one of `gaussian`, `uniform`, `randomWalk`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new(
    "(has(self.gaussian) ? 1 : 0) + (has(self.uniform) ? 1 : 0) + (has(self.randomWalk) ? 1 : 0) == 1"
).message("exactly one of gaussian, uniform, randomWalk must be set"))]
pub struct Noise {
    /// Noise that is independent and normally distributed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gaussian: Option<Gaussian>,

    /// Noise that is independent and evenly distributed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uniform: Option<Uniform>,

    /// A random walk that is pulled back to the clean signal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub random_walk: Option<RandomWalk>,
}

/// Normally distributed noise.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Gaussian {
    /// The standard deviation, in the sensor's unit, 0 or more. Example: 0.5.
    #[schemars(range(min = 0.0))]
    pub standard_deviation: f64,
}

/// Evenly distributed noise.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Uniform {
    /// The greatest difference of a reading from the clean signal, in the sensor's unit; 0 or more.
    /// Example: 0.5.
    #[schemars(range(min = 0.0))]
    pub half_width: f64,
}

/// A mean-reverting random walk (an autoregressive process of order 1), one step a second.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct RandomWalk {
    /// The standard deviation of one step, in the sensor's unit; 0 or more. Example: 0.1.
    #[schemars(range(min = 0.0))]
    pub step: f64,

    /// The share of the distance to the clean signal that is removed each second, 0.01 to 1. Example: 0.05.
    #[schemars(range(min = 0.01, max = 1.0))]
    pub reversion: f64,
}

/// A fault that recurs: it starts at random times, independently of all other faults (a Poisson process), and
/// lasts for its duration.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("self.type in ['Flatline', 'Dropout'] ? !has(self.magnitude) : has(self.magnitude)")
    .message("magnitude must be set for Spike, Step, Drift and Noise, and not for Flatline and Dropout")
    .field_path(".magnitude"))]
#[x_kube(validation = Rule::new("duration(self.duration) < duration(self.meanInterval)")
    .message(Message::Expression("'must be shorter than meanInterval, ' + self.meanInterval + ', got ' + self.duration".into()))
    .field_path(".duration"))]
pub struct Fault {
    /// What happens to the readings: `Spike` (a jump and back), `Step` (a new level), `Drift` (a steady
    /// change), `Flatline` (the value at the start repeats), `Noise` (additional noise), `Dropout` (no
    /// reading).
    #[serde(rename = "type")]
    pub type_: FaultType,

    /// The mean time from one start of the fault to the next. Example: 10m.
    pub mean_interval: Duration,

    /// How long the fault lasts; shorter than `meanInterval`. Example: 3s.
    #[x_kube(validation = Rule::new("duration(self) >= duration('1ms')")
        .message(Message::Expression("'must be at least 1ms, got ' + self".into())))]
    pub duration: Duration,

    /// The strength of the fault, in the sensor's unit: the height of a Spike or Step, the final deviation of
    /// a Drift, the standard deviation of the additional Noise. A negative value is a change downwards. Not
    /// for Flatline and Dropout. Example: 20.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub magnitude: Option<f64>,
}

/// The types of faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum FaultType {
    /// A jump by `magnitude`, and back after the duration.
    Spike,
    /// A new level, `magnitude` away, reached within a tenth of the duration, and held.
    Step,
    /// A steady change that ends `magnitude` away.
    Drift,
    /// The value at the start of the fault, repeated.
    Flatline,
    /// Gaussian noise of standard deviation `magnitude`, added.
    Noise,
    /// No reading at all.
    Dropout,
}

fn no_phase() -> Duration {
    Duration::from_secs(0)
}
