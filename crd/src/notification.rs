//! The notifications part of the spec: the receivers that are notified of events.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use crate::names::{BRACKETS_HOLD_IPV6, IS_PAGE, NO_HOST};
use crate::secret::SecretKeyRef;

/// A receiver of notifications.
///
/// It is notified when an event raises an alarm (dev.anomaly.event.alarmed) and when such an event is over
/// (dev.anomaly.event.ended). One of the replicas sends each message; where it is away, another one does, with the
/// same id. So a message arrives once, and in bad times again: take each id once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Notification {
    /// Its name, unique among the notifications and the `notification` label of its metric. Lower-case letters,
    /// digits and `-`. Example: chat.
    #[schemars(length(min = 1, max = 63), regex(pattern = r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$"))]
    pub name: String,

    /// The server that is called.
    pub webhook: Webhook,
}

/// A server that takes CloudEvents 1.0 as JSON, by POST. A message is tried for up to four minutes, until the server
/// answers with 2xx.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Webhook {
    /// Its address, http:// or https://. Redirects are not followed. Addresses of the node, the link, the API server and
    /// of clouds' metadata services are refused. Example: https://hooks.plant/anomalies.
    #[schemars(length(min = 1, max = 2048), regex(pattern = r"^https?://[^\s]+$"))]
    #[x_kube(validation = Rule::new(IS_PAGE).message(NO_HOST))]
    #[x_kube(validation = Rule::new(BRACKETS_HOLD_IPV6).message("must hold an IPv6 address in its brackets"))]
    pub url: String,

    /// The key that requests are signed with (Standard Webhooks, HMAC-SHA256). The Secret is mounted into the pods
    /// and never read by the operator. Default: not signed. Example: {name: webhook, key: key}.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signing_secret_ref: Option<SecretKeyRef>,
}
