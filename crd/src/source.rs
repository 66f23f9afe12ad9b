//! The sources part of the spec: where readings come from. Each kind of source has a file of its own.

/// The limits of a sensor's values.
mod limits;
/// A recording in a file.
mod csv;
/// How a recording writes its timestamps.
mod time_format;
/// Readings that other programs push.
mod http;
/// Topics of an MQTT broker.
mod mqtt;
/// Queries of a Prometheus server.
mod prometheus;

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

pub use self::csv::{Csv, CsvSensor, Decimal, OutOfOrder};
pub use self::http::{Http, HttpSensor, SeriesSelector};
pub use self::limits::{Limits, Range};
pub use self::mqtt::{Mqtt, MqttSensor, ProtocolVersion, Session};
pub use self::prometheus::{Prometheus, PrometheusSensor};
pub use self::time_format::TimeFormat;
use crate::Duration;
use crate::simulated::Simulated;

/// A source of readings. Exactly one of `simulated`, `csv`, `prometheus`, `mqtt`, `http`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("[has(self.simulated), has(self.csv), has(self.prometheus), has(self.mqtt), has(self.http)].filter(kind, kind).size() == 1")
    .message("exactly one of simulated, csv, prometheus, mqtt, http must be set"))]
pub struct Source {
    /// Its name, unique among the sources and the `source` label of its metrics. Lower-case letters, digits and
    /// `-`. Example: plant.
    #[schemars(length(min = 1, max = 63), regex(pattern = r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$"))]
    pub name: String,

    /// Simulated sensors, which need no hardware.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub simulated: Option<Simulated>,

    /// A CSV file: a recording that is replayed and paces the detector by its own timestamps, so that it must
    /// be the only source; or, with `follow`, a file that is read as it grows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub csv: Option<Csv>,

    /// Sensors that are queries of a Prometheus server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prometheus: Option<Prometheus>,

    /// Sensors whose readings an MQTT broker delivers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mqtt: Option<Mqtt>,

    /// Sensors whose readings other programs send to the detector: as JSON, by remote write or OTLP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http: Option<Http>,

    /// The greatest age of a sensor's last reading that is still used, where sensors are read at different
    /// times: an older reading is missing. For live sources. 0s to 24h. Default: five times `interval`.
    /// Example: 30s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = Rule::new("duration(self) >= duration('0s') && duration(self) <= duration('24h')")
        .message(Message::Expression("'must be between 0s and 24h, got ' + self".into())))]
    pub staleness: Option<Duration>,

    /// How long a verdict waits for readings that arrive late, counted from the instant of the verdict. For
    /// live sources. 0s to 1h. Default: 0s: a reading that arrives after its instant counts for the next one.
    /// Example: 2s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = Rule::new("duration(self) >= duration('0s') && duration(self) <= duration('1h')")
        .message(Message::Expression("'must be between 0s and 1h, got ' + self".into())))]
    pub lateness: Option<Duration>,
}

/// The kinds of sources.
#[derive(Clone, Debug, PartialEq)]
pub enum SourceKind {
    /// Sensors that need no hardware.
    Simulated(Simulated),
    /// A recording.
    Csv(Csv),
    /// Queries of a Prometheus server.
    Prometheus(Prometheus),
    /// Topics of an MQTT broker.
    Mqtt(Mqtt),
    /// Readings that other programs push.
    Http(Http),
}

impl Source {
    /// The kinds that are set: exactly one where the source is valid.
    pub fn kinds(&self) -> Vec<SourceKind> {
        let simulated = self.simulated.clone().map(SourceKind::Simulated);
        let csv = self.csv.clone().map(SourceKind::Csv);
        let prometheus = self.prometheus.clone().map(SourceKind::Prometheus);
        let mqtt = self.mqtt.clone().map(SourceKind::Mqtt);
        let http = self.http.clone().map(SourceKind::Http);
        [simulated, csv, prometheus, mqtt, http].into_iter().flatten().collect()
    }
}

/// A sensor of a source of any kind.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sensor<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its unit, if one was given.
    pub unit: Option<&'a str>,
    /// What it can give at all.
    pub limits: Limits,
}

impl SourceKind {
    /// The name of the field of [`Source`] that holds it.
    pub fn field(&self) -> &'static str {
        match self {
            Self::Simulated(_) => "simulated",
            Self::Csv(_) => "csv",
            Self::Prometheus(_) => "prometheus",
            Self::Mqtt(_) => "mqtt",
            Self::Http(_) => "http",
        }
    }

    /// Its sensors, in order.
    pub fn sensors(&self) -> Vec<Sensor<'_>> {
        macro_rules! sensors {
            ($kind:expr) => {
                $kind
                    .sensors
                    .iter()
                    .map(|sensor| Sensor {
                        name: &sensor.name,
                        unit: sensor.unit.as_deref(),
                        limits: sensor.limits,
                    })
                    .collect()
            };
        }
        match self {
            Self::Simulated(kind) => kind
                .sensors
                .iter()
                .map(|sensor| Sensor {
                    name: &sensor.name,
                    unit: sensor.unit.as_deref(),
                    limits: Limits::default(),
                })
                .collect(),
            Self::Csv(kind) => sensors!(kind),
            Self::Prometheus(kind) => sensors!(kind),
            Self::Mqtt(kind) => sensors!(kind),
            Self::Http(kind) => sensors!(kind),
        }
    }

    /// The name of the Secret that it needs, and the key where the spec names one.
    pub fn secret(&self) -> Option<(&str, Option<&str>)> {
        match self {
            Self::Simulated(_) | Self::Csv(_) => None,
            Self::Prometheus(kind) => {
                kind.credentials_secret_ref.as_ref().map(|secret| (&*secret.name, None))
            }
            Self::Mqtt(kind) => kind.credentials_secret_ref.as_ref().map(|secret| (&*secret.name, None)),
            Self::Http(kind) => {
                kind.token_secret_ref.as_ref().map(|secret| (&*secret.name, Some(&*secret.key)))
            }
        }
    }

    /// Whether the source can be queried for readings of any past time. A recording cannot: it has only its
    /// own readings, at its own times.
    pub fn has_history(&self) -> bool {
        matches!(self, Self::Simulated(_) | Self::Prometheus(_))
    }

    /// Whether the detector's pod connects to a server for it.
    pub fn connects(&self) -> bool {
        matches!(self, Self::Prometheus(_) | Self::Mqtt(_))
    }

    /// Whether other programs push its readings.
    pub fn is_pushed_to(&self) -> bool {
        matches!(self, Self::Http(_))
    }

    /// Whether its timestamps pace the detector instead of the clock.
    pub fn paces_itself(&self) -> bool {
        matches!(self, Self::Csv(kind) if !kind.follow)
    }
}
