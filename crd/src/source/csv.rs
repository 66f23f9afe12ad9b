//! The csv source of the spec: a recording in a file.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A recording in a CSV file with a header line, plain or gzipped. It is streamed: any size will do. Each row is
/// one reading of every sensor; an empty cell is a missing reading.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Csv {
    /// The file, relative to the working directory; in a pod relative to `/data`, which `pod.volumeMounts` mounts and
    /// which it cannot leave. `.gz` is decompressed on the way. Example: readings.csv.
    #[schemars(length(min = 1, max = 4096))]
    pub path: String,

    /// The column with the timestamps, in rising order. Default: timestamp.
    #[serde(default = "timestamp")]
    #[schemars(length(min = 1, max = 256))]
    pub time: String,

    /// How timestamps are written. Default: Auto, detected in the first row.
    #[serde(default)]
    pub time_format: TimeFormat,

    /// The sensors, 1 to 128, and the columns that hold their values.
    #[schemars(length(min = 1, max = 128))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub sensors: Vec<CsvSensor>,

    /// A column with the truth, 0 or 1, that the detector is judged by in the summary. Default: none.
    /// Example: in_window.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256))]
    pub label: Option<String>,

    /// How many times faster than recorded to replay; 0 is as fast as it goes. 0 to 1000000. Default: 1.
    #[serde(default = "real_time")]
    #[schemars(range(min = 0.0, max = 1_000_000.0))]
    pub speed: f64,
}

/// A sensor of a recording.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct CsvSensor {
    /// Its name: a column of the model and the `sensor` label of its metrics. Letters, digits, `_`, `-` and `.`,
    /// a letter first. Example: load.
    #[schemars(length(min = 1, max = 63), regex(pattern = r"^[A-Za-z][A-Za-z0-9_.-]*$"))]
    pub name: String,

    /// The unit of its readings, for people and for the `unit` label. Default: none. Example: percent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub unit: Option<String>,

    /// The column that holds its values. Default: the column of the sensor's name. Example: value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256))]
    pub column: Option<String>,
}

/// How a recording writes its timestamps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum TimeFormat {
    /// Detected in the first row.
    #[default]
    Auto,
    /// RFC 3339: `2026-11-22T12:00:00Z`.
    Rfc3339,
    /// `2026-11-22 12:00:00`, with or without a fraction, in UTC.
    DateTime,
    /// Seconds since the Unix epoch, with or without a fraction.
    EpochSeconds,
    /// Milliseconds since the Unix epoch.
    EpochMilliseconds,
}

fn timestamp() -> String {
    "timestamp".to_owned()
}

fn real_time() -> f64 {
    1.0
}
