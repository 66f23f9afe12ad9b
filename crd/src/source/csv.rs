//! The csv source of the spec: a recording in a file.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::limits::Limits;
use crate::source::time_format::TimeFormat;
use crate::violation::Violation;

/// A recording in a CSV file with a header line, plain or gzipped; cells are separated by commas, semicolons,
/// tabs or `|`, whichever is most frequent in the header. The file is streamed and may have any size. Each
/// row is one reading of every sensor, or of one (`seriesColumns`); a cell that is empty, `-`, `NaN`, `NA`,
/// `N/A`, `null`, `None` or the like is a missing reading. A `%` after a number is ignored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Csv {
    /// The path of the file, relative to the working directory; in a pod relative to `/data`, a mount of
    /// `pod.volumeMounts`: a file outside of it is refused. A `.gz` file is decompressed while it is read;
    /// outside of pods `-` is the standard input. Example: readings.csv.
    #[schemars(length(min = 1, max = 4096))]
    pub path: String,

    /// The column with the timestamps. Default: timestamp.
    #[serde(default = "timestamp")]
    #[schemars(length(min = 1, max = 256))]
    pub time: String,

    /// The format of the timestamps. Auto: one of the named formats or an 8-digit date, detected in the first
    /// row. Rfc3339: `2026-11-22T12:00:00Z`. DateTime: `2026-11-22 12:00:00` or `2026/11/22 12:00`, in the
    /// time zone `timeZone`. EpochSeconds, EpochMilliseconds, EpochMicroseconds, EpochNanoseconds: the time
    /// since 1970. Other formats: strptime directives, `%d.%m.%Y %H:%M`. Default: Auto.
    #[serde(default)]
    #[x_kube(validation = Rule::new("self in ['Auto', 'Rfc3339', 'DateTime', 'EpochSeconds', 'EpochMilliseconds', 'EpochMicroseconds', 'EpochNanoseconds'] || self.contains('%')")
        .message(Message::Expression("'must be Auto, Rfc3339, DateTime, EpochSeconds, EpochMilliseconds, EpochMicroseconds, EpochNanoseconds, or strptime directives such as %d.%m.%Y, got ' + self".into())))]
    pub time_format: TimeFormat,

    /// The time zone of timestamps without an offset: a name of the IANA database. In the hour that occurs
    /// twice when clocks are set back, the order of the rows decides. Default: UTC. Example: Europe/Berlin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    pub time_zone: Option<String>,

    /// What to do with a row whose timestamp is earlier than that of the row before: `Drop` it, `Sort` all
    /// rows by time, or `Fail`. Default: Drop; with `seriesColumns`, Sort.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub out_of_order: Option<OutOfOrder>,

    /// The decimal separator of numbers: a point or a comma. Default: a point.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decimal: Option<Decimal>,

    /// The texts of cells that are missing readings, besides the usual ones, as the file has them.
    /// Default: none. Example: ["-999", Bad].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), inner(length(max = 64)))]
    pub null_values: Vec<String>,

    /// The columns that identify the sensor of a row, in a recording with a row for each reading (long form).
    /// Default: none, each sensor has a column. Example: [device, quantity].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8), inner(length(min = 1, max = 256)))]
    pub series_columns: Vec<String>,

    /// The sensors, 1 to 128, and where their values are.
    #[schemars(length(min = 1, max = 128))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub sensors: Vec<CsvSensor>,

    /// The column with the ground truth, 0 or 1, that the summary compares the verdicts with. Default: none.
    /// Example: in_window.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256))]
    pub label: Option<String>,

    /// The words in the column `label` that mean an anomaly; all other words mean none, and a missing one is
    /// unknown. Default: 1 means an anomaly, 0 none. Example: [anomaly, Fault].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), inner(length(max = 64)))]
    pub label_anomalous: Vec<String>,

    /// The speed of the replay, as a multiple of the recorded speed; 0 is as fast as possible. 0 to 1000000.
    /// Default: 1.
    #[serde(default = "real_time")]
    #[schemars(range(min = 0.0, max = 1_000_000.0))]
    pub speed: f64,

    /// Whether rows are appended to the file while the detector runs: the file is then a live source, which
    /// is read from its start and followed, and there may be other sources. Set `interval` to the time
    /// between two rows. Default: false.
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

    /// The column that holds its values. Default: the column with the sensor's name; with `seriesColumns`,
    /// value. Example: value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256))]
    pub column: Option<String>,

    /// The values of the `seriesColumns` in the rows of this sensor, one for each column. Default: the
    /// sensor's name. Example: [pump-1, pressure].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8), inner(length(max = 256)))]
    pub series: Vec<String>,

    /// The limits of plausible values of the sensor: a value outside them is missing.
    #[serde(flatten)]
    pub limits: Limits,
}

/// What to do with a row whose timestamp is earlier than that of the row before: `Drop` it, `Sort` all rows
/// by time, or `Fail`. Default: Drop; with `seriesColumns`, Sort.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum OutOfOrder {
    /// The row is dropped and counted, with a warning in the log.
    Drop,
    /// All rows are sorted by their time before the replay; their values are kept in memory.
    Sort,
    /// The replay ends with an error that names the row.
    Fail,
}

/// The decimal separator of numbers: a point or a comma. Default: a point.
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
