//! The http source of the spec: sensors whose readings other programs push.

use std::collections::BTreeMap;

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use super::limits::Limits;
use crate::secret::SecretKeyRef;

/// Sensors whose readings other programs send to the detector's Service. `POST /readings` accepts JSON
/// (`{"values":{"pressure":3.2},"time":"2026-11-22T12:00:00Z"}`, an array of such objects, or one object per
/// line; without `time`, it is the time of arrival), `POST /api/v1/write` Prometheus' remote write (1.0 and
/// 2.0), `POST /v1/metrics` OpenTelemetry's metrics (OTLP/HTTP, protobuf and JSON).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Http {
    /// The sensors, 1 to 128; names are unique over all sources.
    #[schemars(length(min = 1, max = 128))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub sensors: Vec<HttpSensor>,

    /// A key of a Secret that holds a token: requests that push readings must send it as
    /// `Authorization: Bearer TOKEN`. Mounted into the detector's pods and never read by the operator.
    /// Default: none, every client that `serving` accepts may push.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_secret_ref: Option<SecretKeyRef>,
}

/// A sensor whose readings are pushed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct HttpSensor {
    /// Its name: a column of the model and the `sensor` label of its metrics. Letters, digits, `_`, `-` and `.`,
    /// a letter first. Example: pressure.
    #[schemars(length(min = 1, max = 63), regex(pattern = r"^[A-Za-z][A-Za-z0-9_.-]*$"))]
    pub name: String,

    /// The unit of its readings, for people and for the `unit` label. Default: none. Example: pascal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub unit: Option<String>,

    /// The series with the sensor's readings, where metrics are pushed by remote write or OTLP. It must
    /// select one series: a second one is refused. Default: the series with the sensor's name and any labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub series: Option<SeriesSelector>,

    /// The limits of plausible values of the sensor: a value outside them is missing.
    #[serde(flatten)]
    pub limits: Limits,
}

/// The series with a sensor's readings.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct SeriesSelector {
    /// The metric's name. Default: the sensor's name. Example: node_load1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256))]
    pub name: Option<String>,

    /// Labels that the series must have with these values; other labels are ignored, and an empty value
    /// selects series without the label. In OTLP these are the attributes of the data point, the scope and
    /// the resource. Default: none. Example: {instance: pump-1}.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 32))]
    pub match_labels: BTreeMap<String, String>,
}
