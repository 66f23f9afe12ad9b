//! The pod part of the spec: a subset of the fields of a pod template.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Affinity, Toleration, TopologySpreadConstraint};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::KubeSchema;
use schemars::{Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::names::{self, SUBDOMAIN};
use crate::scheduling;

/// The detector's pods, in the fields of a pod template. Everything else about them is decided by the operator.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
// has(): an object that was stored before these fields existed lacks them.
#[x_kube(validation = Rule::new("!has(self.labels) || self.labels.all(key, !key.startsWith('app.kubernetes.io/'))")
    .message("labels that begin with app.kubernetes.io/ are the operator's").field_path(".labels"))]
#[x_kube(validation = Rule::new(
    "!has(self.volumeMounts) || self.volumeMounts.all(mount, has(self.volumes) && self.volumes.exists(volume, volume.name == mount.name))"
).message("each mount must have the name of one of pod.volumes").field_path(".volumeMounts"))]
pub struct Pod {
    /// Labels of the pods, beside the operator's own, which begin with `app.kubernetes.io/`. Default: none.
    /// Example: {team: plant}.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "names::labels")]
    pub labels: BTreeMap<String, String>,

    /// Annotations of the pods. Default: none.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "names::annotations")]
    pub annotations: BTreeMap<String, String>,

    /// CPU and memory of the detector. Default: requests 10m and 32Mi, limit 128Mi, and more memory where
    /// sensors, samples and trees need it: `detector validate` prints how much.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,

    /// Labels that a node must have. Default: none. Example: {kubernetes.io/arch: amd64}.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "names::labels")]
    pub node_selector: BTreeMap<String, String>,

    /// Taints to tolerate; at most 64. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "scheduling::tolerations")]
    pub tolerations: Vec<Toleration>,

    /// The nodes on which pods should preferably, or must, run. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "scheduling::affinity")]
    pub affinity: Option<Affinity>,

    /// How replicas spread over nodes and zones; at most 8. A constraint without a labelSelector counts the detector's
    /// own pods. Default: over nodes and zones, ScheduleAnyway.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "scheduling::topology_spread_constraints")]
    pub topology_spread_constraints: Vec<TopologySpreadConstraint>,

    /// The PriorityClass of the pods. Default: the cluster's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253), regex(pattern = SUBDOMAIN))]
    pub priority_class_name: Option<String>,

    /// The RuntimeClass of the pods, such as a sandbox. Default: the cluster's default. Example: gvisor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253), regex(pattern = SUBDOMAIN))]
    pub runtime_class_name: Option<String>,

    /// An existing ServiceAccount to run as. Default: one of the detector's own, without a token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253), regex(pattern = SUBDOMAIN))]
    pub service_account_name: Option<String>,

    /// Secrets of the detector's namespace with the registry's credentials, at most 16. Default: none.
    /// Example: [{name: registry}].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub image_pull_secrets: Vec<ImagePullSecret>,

    /// Volumes of the pods, at most 16, of the kinds that the restricted Pod Security Standard allows. Default: none.
    /// Example: [{name: data, persistentVolumeClaim: {claimName: recordings, readOnly: true}}].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub volumes: Vec<Volume>,

    /// The mounts of `pod.volumes` in the detector's container, at most 16. A csv source reads from `/data`:
    /// one of the mounts must be there, or below. Default: none. Example: [{name: data, mountPath: /data}].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["mountPath".into()]))]
    pub volume_mounts: Vec<VolumeMount>,

    /// Certificate authorities to trust beside the public ones, for every https connection that the detector makes.
    /// Default: none. Example: {configMap: {name: plant-ca, key: ca.crt}}.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_bundle: Option<CaBundle>,
}

/// Requests and limits, as in any container.
//
// Kubernetes takes extended resources, such as GPUs, only in whole numbers, with a request that is equal to
// the limit.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new(
    "!has(self.requests) || !has(self.limits) || self.requests.all(name, !(name in self.limits) || quantity(string(self.requests[name])).compareTo(quantity(string(self.limits[name]))) <= 0)"
).message("a request must be at most the limit of the same resource"))]
#[x_kube(validation = Rule::new(
    "(!has(self.requests) || self.requests.all(name, !name.contains('/') || (has(self.limits) && name in self.limits && quantity(string(self.requests[name])).compareTo(quantity(string(self.limits[name]))) == 0))) && (!has(self.limits) || self.limits.all(name, !name.contains('/') || quantity(string(self.limits[name])).isInteger()))"
).message("an extended resource must be a whole number, and its request, where there is one, the same as its limit"))]
pub struct Resources {
    /// The amounts that the scheduler reserves. Example: {cpu: 10m, memory: 32Mi}.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "quantities")]
    pub requests: BTreeMap<String, IntOrString>,

    /// The amounts that the container may not exceed. Example: {memory: 128Mi}.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "quantities")]
    pub limits: BTreeMap<String, IntOrString>,
}

/// A Secret with the credentials of an image registry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ImagePullSecret {
    /// The name of the Secret, of type kubernetes.io/dockerconfigjson. Example: registry.
    #[schemars(length(min = 1, max = 253), regex(pattern = SUBDOMAIN))]
    pub name: String,
}

/// A volume. Exactly one of `configMap`, `secret`, `persistentVolumeClaim`, `emptyDir`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new(
    "(has(self.configMap) ? 1 : 0) + (has(self.secret) ? 1 : 0) + (has(self.persistentVolumeClaim) ? 1 : 0) + (has(self.emptyDir) ? 1 : 0) == 1"
).message("exactly one of configMap, secret, persistentVolumeClaim, emptyDir must be set"))]
pub struct Volume {
    /// Its name, other than the names of the operator's own volumes. Example: data.
    #[schemars(length(min = 1, max = 63), regex(pattern = r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$"))]
    #[x_kube(validation = Rule::new(
        "!(self in ['manifest', 'model', 'state', 'load', 'credentials', 'signing', 'ca-bundle', 'tls', 'client-ca', 'tokens']) && !self.matches('^source-[0-9]+$')"
    ).message(Message::Expression("'must be another name than those of the operator\\'s own volumes, got ' + self".into())))]
    pub name: String,

    /// A ConfigMap of the detector's namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_map: Option<ConfigMapVolume>,

    /// A Secret of the detector's namespace. The operator never reads it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<SecretVolume>,

    /// A PersistentVolumeClaim of the detector's namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub persistent_volume_claim: Option<ClaimVolume>,

    /// An empty directory that lives as long as the pod.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub empty_dir: Option<EmptyDirVolume>,
}

/// A ConfigMap as a volume.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConfigMapVolume {
    /// The name of the ConfigMap. Example: recordings.
    #[schemars(length(min = 1, max = 253), regex(pattern = SUBDOMAIN))]
    pub name: String,

    /// Whether pods start without it. Default: false.
    #[serde(default)]
    pub optional: bool,
}

/// A Secret as a volume.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretVolume {
    /// The name of the Secret. Example: recordings.
    #[schemars(length(min = 1, max = 253), regex(pattern = SUBDOMAIN))]
    pub secret_name: String,

    /// Whether pods start without it. Default: false.
    #[serde(default)]
    pub optional: bool,
}

/// A PersistentVolumeClaim as a volume.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClaimVolume {
    /// The name of the PersistentVolumeClaim. Example: recordings.
    #[schemars(length(min = 1, max = 253), regex(pattern = SUBDOMAIN))]
    pub claim_name: String,

    /// Whether the volume is mounted read-only. Default: false.
    #[serde(default)]
    pub read_only: bool,
}

/// An empty directory as a volume.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct EmptyDirVolume {
    /// The largest size of the directory. Default: the limits of the node. Example: 1Gi.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 1, max = 32),
        regex(pattern = r"^([0-9]+(\.[0-9]*)?|\.[0-9]+)([KMGTPE]i|[kMGTPE])?$")
    )]
    pub size_limit: Option<String>,
}

/// A mount of a volume in the detector's container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct VolumeMount {
    /// The volume's name in `pod.volumes`. Example: data.
    #[schemars(length(min = 1, max = 63))]
    pub name: String,

    /// The absolute path of the directory; not a directory of the operator or of the system, nor a parent of
    /// one of the operator's. Example: /data.
    #[schemars(length(min = 2, max = 1024), regex(pattern = r"^(/[A-Za-z0-9_.-]+)+$"))]
    #[x_kube(validation = Rule::new("!self.split('/').exists(part, part == '.' || part == '..')")
        .message("must be a path without '.' and '..'"))]
    #[x_kube(validation = Rule::new(
        "!['/etc', '/var', '/var/lib', '/proc', '/sys', '/dev'].exists(own, own == self) && !self.startsWith('/etc/anomaly-detector') && !self.startsWith('/var/lib/anomaly-detector') && !['/proc/', '/sys/', '/dev/'].exists(own, self.startsWith(own))"
    ).message(Message::Expression("'must be another directory than those of the operator and of the system, got ' + self".into())))]
    pub mount_path: String,

    /// The path of the part of the volume to mount, from its root. Default: the whole volume. Example: 2026.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024))]
    #[x_kube(validation = Rule::new("!self.startsWith('/') && !self.split('/').exists(part, part == '..')")
        .message("must be a path from the volume's root, without '..'"))]
    pub sub_path: Option<String>,

    /// Whether the mount is read-only. Default: false.
    #[serde(default)]
    pub read_only: bool,
}

/// Certificates of authorities, in PEM. Exactly one of `configMap`, `secret`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.configMap) != has(self.secret)")
    .message("exactly one of configMap, secret must be set"))]
pub struct CaBundle {
    /// A key of a ConfigMap of the detector's namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_map: Option<CaBundleKey>,

    /// A key of a Secret of the detector's namespace. The operator never reads it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<CaBundleKey>,
}

/// The key that holds the certificates.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct CaBundleKey {
    /// The name of the ConfigMap or Secret. Example: plant-ca.
    #[schemars(length(min = 1, max = 253), regex(pattern = SUBDOMAIN))]
    pub name: String,

    /// The key that holds the certificates. Default: ca.crt.
    #[serde(default = "ca_crt")]
    #[schemars(length(min = 1, max = 253), regex(pattern = r"^[A-Za-z0-9._-]+$"))]
    pub key: String,
}

/// The schema of quantities by resource. They may be written as numbers (`cpu: 1`), as everywhere in
/// Kubernetes.
fn quantities(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "maxProperties": 16,
        "x-kubernetes-validations": [{
            "rule": r"self.all(name, name in ['cpu', 'memory', 'ephemeral-storage'] || (name.matches('^[a-z0-9]([-a-z0-9.]*[a-z0-9])?/[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$') && !name.startsWith('requests.') && !name.contains('kubernetes.io/')))",
            "message": "a resource must be cpu, memory, ephemeral-storage, or an extended one, such as example.com/gpu",
        }, {
            "rule": "self.all(name, quantity(string(self[name])).compareTo(quantity('0')) >= 0)",
            "message": "an amount must be at least 0",
        }],
        "additionalProperties": {
            "x-kubernetes-int-or-string": true,
            "maxLength": 32,
            "pattern": r"^\+?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))(([KMGTPE]i)|[numkMGTPE]|([eE](\+|-)?[0-9]+))?$",
        },
    })
}

fn ca_crt() -> String {
    "ca.crt".to_owned()
}
