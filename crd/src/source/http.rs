//! The http source of the spec: sensors whose readings other programs push.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use crate::secret::SecretKeyRef;

/// Sensors whose readings other programs send: `POST /readings` on the detector's Service takes JSON
/// (`{"values":{"pressure":3.2},"time":"2026-11-22T12:00:00Z"}`, an array of such objects, or one a line). What has no
/// `time` is of now.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Http {
    /// The sensors, 1 to 128; names are unique over all sources.
    #[schemars(length(min = 1, max = 128))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub sensors: Vec<HttpSensor>,

    /// A key of a Secret that holds a token: whoever pushes readings must send it as `Authorization: Bearer TOKEN`.
    /// Mounted into the detector's pods and never read by the operator. Default: none, everybody may push.
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
}
