//! The loading part of the model: where a forest is loaded from that was trained elsewhere.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use crate::Duration;
use crate::names::{BRACKETS_HOLD_IPV6, IS_FILE, IS_SERVER, NO_HOST, SUBDOMAIN};
use crate::secret::SecretRef;

/// A model that is loaded, not trained. Exactly one of `configMap`, `persistentVolumeClaim`, `url`.
///
/// The file may be an artifact of `detector train`, a scikit-learn IsolationForest (pickle, joblib, skops) or
/// an ONNX export of one. Its columns must be the sensors. While the file is missing or refused, the previous
/// model keeps serving, and the file is checked again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new(
    "(has(self.configMap) ? 1 : 0) + (has(self.persistentVolumeClaim) ? 1 : 0) + (has(self.url) ? 1 : 0) == 1"
).message("exactly one of configMap, persistentVolumeClaim, url must be set"))]
#[x_kube(validation = Rule::new("!has(self.endpoint) || (has(self.url) && self.url.startsWith('s3://'))")
    .message("endpoint is allowed with an s3:// url only"))]
#[x_kube(validation = Rule::new("!has(self.credentialsSecretRef) || has(self.url)")
    .message("credentialsSecretRef is allowed with a url only"))]
pub struct Load {
    /// A key of a ConfigMap in the detector's namespace: for models of up to about 900 KiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_map: Option<LoadConfigMap>,

    /// A file in a PersistentVolumeClaim of the detector's namespace, mounted read-only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub persistent_volume_claim: Option<LoadPersistentVolumeClaim>,

    /// The address of the file: http://, https://, or s3://bucket/key. The detector's pod fetches it;
    /// loopback and link-local addresses, the API server and the metadata services of clouds are refused.
    /// Example: https://models.plant/pump.safetensors.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 2048), regex(pattern = r"^(https?|s3)://[^\s]+$"))]
    #[x_kube(validation = Rule::new(IS_FILE).message(NO_HOST))]
    #[x_kube(validation = Rule::new(BRACKETS_HOLD_IPV6).message("must hold an IPv6 address in its brackets"))]
    #[x_kube(validation = Rule::new("!self.matches('^[a-z0-9]+://[^/]*@')")
        .message("must have no user and no password: put them into a Secret"))]
    pub url: Option<String>,

    /// The server of an s3:// url. Default: Amazon's. Example: http://minio.storage:9000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 2048), regex(pattern = r"^https?://[^\s]+$"))]
    #[x_kube(validation = Rule::new(IS_SERVER).message(NO_HOST))]
    #[x_kube(validation = Rule::new(BRACKETS_HOLD_IPV6).message("must hold an IPv6 address in its brackets"))]
    pub endpoint: Option<String>,

    /// The region of an s3:// url. Default: us-east-1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64), regex(pattern = r"^[a-z0-9-]+$"))]
    pub region: Option<String>,

    /// A Secret of the detector's namespace, mounted into its pods and never read by the operator. For http and
    /// https the keys `username` and `password`, or `token`; for s3 `accessKeyId`, `secretAccessKey` and, where there
    /// is one, `sessionToken`. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials_secret_ref: Option<SecretRef>,

    /// The SHA-256 of the file, 64 hexadecimal digits: any other file is refused. Default: not checked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64), regex(pattern = r"^[0-9a-f]{64}$"))]
    pub sha256: Option<String>,

    /// The time from one check for a new file to the next, 1s to 8760h. After a failure the check is retried
    /// sooner. Default: 5m.
    #[serde(default = "refresh")]
    #[x_kube(validation = Rule::new("duration(self) >= duration('1s') && duration(self) <= duration('8760h')")
        .message(Message::Expression("'must be between 1s and 8760h, got ' + self".into())))]
    pub refresh: Duration,
}

/// A key of a ConfigMap.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct LoadConfigMap {
    /// The name of the ConfigMap. Example: pump-forest.
    #[schemars(length(min = 1, max = 253), regex(pattern = SUBDOMAIN))]
    pub name: String,

    /// The key that holds the file, in `binaryData` or `data`. Default: model.
    #[serde(default = "model")]
    #[schemars(length(min = 1, max = 253), regex(pattern = r"^[A-Za-z0-9._-]+$"))]
    pub key: String,
}

/// A file in a PersistentVolumeClaim.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct LoadPersistentVolumeClaim {
    /// The name of the PersistentVolumeClaim. Example: models.
    #[schemars(length(min = 1, max = 253), regex(pattern = SUBDOMAIN))]
    pub claim_name: String,

    /// The path of the file, from the volume's root; without `..`. Example: pump/model.
    #[schemars(length(min = 1, max = 1024))]
    #[x_kube(validation = Rule::new("!self.startsWith('/') && !self.split('/').exists(part, part == '..')")
        .message("must be a path from the volume's root, without '..'"))]
    pub path: String,
}

fn model() -> String {
    "model".to_owned()
}

fn refresh() -> Duration {
    Duration::from_secs(300)
}
