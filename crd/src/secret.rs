//! References to Secrets: the operator never reads them, it mounts them into the detector's pods.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use crate::names::SUBDOMAIN;

/// A Secret in the detector's namespace, whose keys the field that refers to it lists.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretRef {
    /// The name of the Secret. Example: model-store.
    #[schemars(length(min = 1, max = 253), regex(pattern = SUBDOMAIN))]
    pub name: String,
}

/// One key of a Secret in the detector's namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretKeyRef {
    /// The name of the Secret. Example: webhook.
    #[schemars(length(min = 1, max = 253), regex(pattern = SUBDOMAIN))]
    pub name: String,

    /// The key in the Secret's data. Example: key.
    #[schemars(length(min = 1, max = 253), regex(pattern = r"^[A-Za-z0-9._-]+$"))]
    pub key: String,
}
