//! The mqtt source of the spec: topics of a broker, and where in their messages the readings are.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::limits::Limits;
use crate::secret::SecretRef;

/// Sensors whose readings a broker delivers (MQTT 3.1.1 or 5). A message is a reading of each sensor whose
/// topic filter it matches. A retained message is a reading only where `time` is set: else its time is
/// unknown, and it is dropped.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("!has(self.session) || self.session != 'Persistent' || has(self.clientId)")
    .message("clientId must be set where session is Persistent").field_path(".clientId"))]
pub struct Mqtt {
    /// The address of the broker: `mqtt` is TCP, port 1883; `mqtts` TLS, port 8883; `ws` and `wss` the same
    /// over WebSocket, ports 80 and 443, with a path. The detector's pod connects to it.
    /// Example: mqtts://broker.plant:8883.
    #[schemars(
        length(min = 1, max = 2048),
        regex(pattern = r"^(mqtts?://[^\s/?#@]+/?|wss?://[^\s/?#@]+(/[^\s#]*)?)$")
    )]
    pub url: String,

    /// The version of the protocol, "3.1.1" or "5". With version 5, a broker gives the reason when it refuses
    /// a subscription. Default: "3.1.1".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protocol_version: Option<ProtocolVersion>,

    /// A Secret of the detector's namespace, mounted into its pods and never read by the operator. Its keys:
    /// `username` and `password`; `ca.crt`, to trust a private authority; `tls.crt` and `tls.key`, a client
    /// certificate. Each key may be left out. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials_secret_ref: Option<SecretRef>,

    /// The client identifier. A broker disconnects the older of two clients with the same identifier, so it
    /// may be set with one replica only. Default: a new one for each connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128), regex(pattern = r"^[A-Za-z0-9._:/-]+$"))]
    pub client_id: Option<String>,

    /// What the broker does with messages that arrive while the detector is not connected. `Clean`: it drops
    /// them. `Persistent`: it keeps them if `qos` is 1, with protocol version 5 for an hour, with 3.1.1 for
    /// as long as the broker decides; needs a `clientId`. Default: Clean.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<Session>,

    /// The quality of service. 0: a message is delivered at most once. 1: at least once; a message that is
    /// delivered twice counts once. Default: 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1))]
    pub qos: Option<i32>,

    /// The sensors, 1 to 128; names are unique over all sources.
    #[schemars(length(min = 1, max = 128))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub sensors: Vec<MqttSensor>,
}

/// A sensor whose readings are messages.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct MqttSensor {
    /// Its name: a column of the model and the `sensor` label of its metrics. Letters, digits, `_`, `-` and `.`,
    /// a letter first. Example: vibration.
    #[schemars(length(min = 1, max = 63), regex(pattern = r"^[A-Za-z][A-Za-z0-9_.-]*$"))]
    pub name: String,

    /// The unit of its readings, for people and for the `unit` label. Default: none. Example: mm/s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub unit: Option<String>,

    /// The topic filter: `+` matches any one level, `#` at the end any number of levels. A shared
    /// subscription, `$share/GROUP/FILTER`, gives each replica a part of the messages.
    /// Example: plant/pump/vibration.
    #[schemars(length(min = 1, max = 1024), regex(pattern = r"^(#|(\+|[^+#/\s]*)(/(\+|[^+#/]*))*(/#)?)$"))]
    pub topic: String,

    /// The JSON pointer (RFC 6901) to the value in a JSON payload. The value is a number, or a string with a
    /// number and perhaps a unit; `null` is a missing reading. Default: the payload is the number, perhaps
    /// with a unit, as in 23.42 °C. Example: /payload/rms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256), regex(pattern = r"^(/([^~]|~[01])*)?$"))]
    pub value: Option<String>,

    /// The JSON pointer to the time in a JSON payload: RFC 3339, or seconds or milliseconds since the Unix
    /// epoch. Default: the time of a reading is that of its arrival. Example: /ts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256), regex(pattern = r"^(/([^~]|~[01])*)?$"))]
    pub time: Option<String>,

    /// The limits of plausible values of the sensor: a value outside them is missing.
    #[serde(flatten)]
    pub limits: Limits,
}

/// The version of the protocol, "3.1.1" or "5". With version 5, a broker gives the reason when it refuses a
/// subscription. Default: "3.1.1".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ProtocolVersion {
    /// OASIS MQTT 3.1.1.
    #[default]
    #[serde(rename = "3.1.1")]
    V3,
    /// OASIS MQTT 5.0.
    #[serde(rename = "5")]
    V5,
}

/// What the broker does with messages that arrive while the detector is not connected. `Clean`: it drops
/// them. `Persistent`: it keeps them if `qos` is 1, with protocol version 5 for an hour, with 3.1.1 for as
/// long as the broker decides; needs a `clientId`. Default: Clean.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Session {
    /// The broker drops messages that arrive while the detector is not connected.
    #[default]
    Clean,
    /// The broker keeps these messages.
    Persistent,
}
