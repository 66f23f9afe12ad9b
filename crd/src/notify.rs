//! The notification part of the spec: who else hears of events.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

/// Who hears of events, besides Prometheus and Kubernetes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Notify {
    /// A server that takes CloudEvents 1.0 as JSON, by POST. It is told when an event raises an alarm
    /// (dev.anomaly.event.alarmed) and when such an event is over (dev.anomaly.event.ended), for up to four minutes
    /// until it answers with 2xx. Each replica tells it; what happened has the same id from all of them, so that it
    /// can be taken once. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook: Option<Webhook>,
}

/// A server that takes CloudEvents 1.0 as JSON, by POST.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Webhook {
    /// Where to, http:// or https://. Example: https://hooks.plant/anomalies.
    #[schemars(length(min = 1, max = 2048), regex(pattern = r"^https?://[^\s]+$"))]
    pub url: String,

    /// A Secret of the detector's namespace, mounted into its pods and never read by the operator, with the key
    /// `key`: requests are signed with it (Standard Webhooks, HMAC-SHA256). Default: not signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253), regex(pattern = r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$"))]
    pub signing_secret: Option<String>,
}
