//! The notifications part of the spec: the receivers that are notified of events.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use crate::names::{BRACKETS_HOLD_IPV6, IS_PAGE, NO_HOST};
use crate::secret::SecretKeyRef;

/// A receiver of notifications.
///
/// It is notified when an event raises an alarm (dev.anomaly.event.alarmed) and when such an event ends
/// (dev.anomaly.event.ended). One of the replicas sends each message; where that replica is not available,
/// another one sends it, with the same id. A message arrives once, or again where replicas cannot reach each
/// other: the receiver should ignore an id that it already has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Notification {
    /// Its name, unique among the notifications and the `notification` label of its metric. Lower-case letters,
    /// digits and `-`. Example: chat.
    #[schemars(length(min = 1, max = 63), regex(pattern = r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$"))]
    pub name: String,

    /// The server that receives the messages.
    pub webhook: Webhook,
}

/// A server that accepts CloudEvents 1.0 as JSON, by POST. Without an answer, and after a status of 5xx, 408,
/// 425 or 429, a message is retried for up to four minutes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Webhook {
    /// Its address, http:// or https://. Redirects are not followed. Loopback and link-local addresses, the
    /// API server and the metadata services of clouds are refused. Example: https://hooks.plant/anomalies.
    #[schemars(length(min = 1, max = 2048), regex(pattern = r"^https?://[^\s]+$"))]
    #[x_kube(validation = Rule::new(IS_PAGE).message(NO_HOST))]
    #[x_kube(validation = Rule::new(BRACKETS_HOLD_IPV6).message("must hold an IPv6 address in its brackets"))]
    pub url: String,

    /// The key that requests are signed with (Standard Webhooks, HMAC-SHA256). The Secret is mounted into the pods
    /// and never read by the operator. Default: not signed. Example: {name: webhook, key: key}.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signing_secret_ref: Option<SecretKeyRef>,
}
