//! The csv source of the spec: a recording in a file.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::limits::Limits;
use crate::source::time_format::TimeFormat;
use crate::violation::Violation;

/// A recording in a CSV file with a header line, plain or gzipped; cells are separated by commas, semicolons, tabs or `|`,
/// whichever the header has most of. It is streamed: any size will do. Each row is one reading of every sensor, or of one
/// (`seriesColumns`); a cell that is empty, `-`, `NaN`, `NA`, `N/A`, `null`, `None` or the like is a missing reading. A `%`
/// after a number does not count.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Csv {
    /// The file, relative to the working directory; in a pod relative to `/data`, which `pod.volumeMounts` mounts and
    /// which it cannot leave. `.gz` is decompressed on the way; outside of pods `-` is the standard input. Example: readings.csv.
    #[schemars(length(min = 1, max = 4096))]
    pub path: String,

    /// The column with the timestamps. Default: timestamp.
    #[serde(default = "timestamp")]
    #[schemars(length(min = 1, max = 256))]
    pub time: String,

    /// How timestamps are written. Auto: detected in the first row, but for strptime's directives. Rfc3339:
    /// `2026-11-22T12:00:00Z`. DateTime: `2026-11-22 12:00:00` or `2026/11/22 12:00`, on the clock of `timeZone`. EpochSeconds,
    /// EpochMilliseconds, EpochMicroseconds, EpochNanoseconds: since 1970. Else strptime's directives: `%d.%m.%Y %H:%M`.
    /// Default: Auto.
    #[serde(default)]
    #[x_kube(validation = Rule::new("self in ['Auto', 'Rfc3339', 'DateTime', 'EpochSeconds', 'EpochMilliseconds', 'EpochMicroseconds', 'EpochNanoseconds'] || self.contains('%')")
        .message(Message::Expression("'must be Auto, Rfc3339, DateTime, EpochSeconds, EpochMilliseconds, EpochMicroseconds, EpochNanoseconds, or strptime directives such as %d.%m.%Y, got ' + self".into())))]
    pub time_format: TimeFormat,

    /// Whose clock timestamps without an offset are of: a name of the IANA database. The hour that comes twice when a clock
    /// is put back follows from the order of rows. Default: UTC. Example: Europe/Berlin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    pub time_zone: Option<String>,

    /// What becomes of a row whose timestamp is earlier than the one before. Default: Drop; with `seriesColumns`, Sort.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub out_of_order: Option<OutOfOrder>,

    /// What separates the fraction of a number. Default: a point.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decimal: Option<Decimal>,

    /// Cells that are missing readings besides the usual ones, as they are written. Default: none. Example: ["-999", Bad].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), inner(length(max = 64)))]
    pub null_values: Vec<String>,

    /// Of a recording with a row for each reading (long form): the columns that say which sensor a row is of. Default: none,
    /// a column is a sensor. Example: [device, quantity].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8), inner(length(min = 1, max = 256)))]
    pub series_columns: Vec<String>,

    /// The sensors, 1 to 128, and where their values are.
    #[schemars(length(min = 1, max = 128))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub sensors: Vec<CsvSensor>,

    /// A column with the truth, 0 or 1, that the detector is judged by in the summary. Default: none.
    /// Example: in_window.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256))]
    pub label: Option<String>,

    /// The words in the column `label` that mean an anomaly; all others but missing ones mean none. Default: 1 means an
    /// anomaly, 0 none. Example: [anomaly, Fault].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), inner(length(max = 64)))]
    pub label_anomalous: Vec<String>,

    /// How many times faster than recorded to replay; 0 is as fast as it goes. 0 to 1000000. Default: 1.
    #[serde(default = "real_time")]
    #[schemars(range(min = 0.0, max = 1_000_000.0))]
    pub speed: f64,

    /// Whether rows are appended to the file while the detector runs: it is a live source then, read from its start and
    /// followed, and may stand beside others; `interval` is best what lies between two rows. Default: false.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub follow: bool,
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

    /// The column that holds its values. Default: the column of the sensor's name; with `seriesColumns`, value.
    /// Example: value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256))]
    pub column: Option<String>,

    /// What the `seriesColumns` have in the rows of this sensor, one for each. Default: the sensor's name.
    /// Example: [pump-1, pressure].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8), inner(length(max = 256)))]
    pub series: Vec<String>,

    /// What the sensor can give at all.
    #[serde(flatten)]
    pub limits: Limits,
}

/// What becomes of a row whose timestamp is earlier than the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum OutOfOrder {
    /// It is left out, counted, and the log says so.
    Drop,
    /// All rows are sorted by their time first; their numbers are held in memory.
    Sort,
    /// The replay ends with an error that names the row.
    Fail,
}

/// What separates the fraction of a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Decimal {
    /// `3.5`.
    #[serde(rename = ".")]
    Point,
    /// `3,5`.
    #[serde(rename = ",")]
    Comma,
}

impl Csv {
    /// What is done with rows that are out of order: the spec's choice, or the default.
    pub fn out_of_order(&self) -> OutOfOrder {
        let default = if self.series_columns.is_empty() { OutOfOrder::Drop } else { OutOfOrder::Sort };
        self.out_of_order.unwrap_or(default)
    }

    /// Return the rules that it breaks and that no schema can express. `path` is the path of its field in the
    /// spec.
    pub(crate) fn violations(&self, path: &str) -> Vec<Violation> {
        let mut found = Vec::new();
        let mut broken =
            |field: &str, message: String| found.push(Violation::new(format!("{path}.{field}"), message));
        if let Err(why) = self.time_format.check() {
            broken("timeFormat", why);
        }
        if let Some(zone) = self.time_zone.as_ref().filter(|zone| jiff::tz::TimeZone::get(zone).is_err()) {
            broken(
                "timeZone",
                format!("expected a time zone of the IANA database, such as Europe/Berlin, got {zone:?}"),
            );
        }
        if self.label.is_none() && !self.label_anomalous.is_empty() {
            broken("labelAnomalous", "must be set with label only".to_owned());
        }
        if self.follow && self.out_of_order() == OutOfOrder::Sort {
            let message = "must be Drop or Fail for a file that is followed: it has no end to sort up to";
            broken("outOfOrder", message.to_owned());
        }
        for (i, sensor) in self.sensors.iter().enumerate() {
            let (expected, got) = (self.series_columns.len(), sensor.series.len());
            let by_name = got == 0 && expected <= 1;
            if got != expected && !by_name {
                let message = format!("must have one entry for each of seriesColumns, {expected}, got {got}");
                broken(&format!("sensors[{i}].series"), message);
            }
        }
        found
    }
}

fn timestamp() -> String {
    "timestamp".to_owned()
}

fn real_time() -> f64 {
    1.0
}
