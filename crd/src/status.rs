//! The status: the operator's report on a detector, in the conditions that Kubernetes' tools understand.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::threshold::Threshold;

/// The observed state of the detector. Written by the operator; small, and reconstructable from the cluster.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct AnomalyDetectorStatus {
    /// The generation of the spec that this status is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,

    /// The conditions. Ready summarises Accepted, ModelReady, SourcesConnected, Available and Progressing;
    /// MonitoringConfigured does not change it. Stalled is present only while nothing will change until a
    /// person acts, AlarmBudgetExceeded only while there are far more alarms than the threshold promises.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,

    /// The number of existing pods, of any revision.
    #[serde(default)]
    pub replicas: i32,

    /// The number of pods that are ready.
    #[serde(default)]
    pub ready_replicas: i32,

    /// The number of pods that are ready, and the number that the spec asks for, as `kubectl get` prints
    /// them. Example: 2/3.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ready: Option<String>,

    /// The label selector of the pods, for `kubectl scale` and HorizontalPodAutoscalers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selector: Option<String>,

    /// The number of sensors.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sensors: Option<i32>,

    /// How the threshold is chosen: the spec's choice, or the default where it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold: Option<Threshold>,

    /// The model that serves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<ModelStatus>,

    /// The rate of alarms, compared with the rate that the threshold promises. Absent where the threshold
    /// promises none, as with `threshold.score`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alarm_rate: Option<AlarmRate>,

    /// The time of the newest alarm that an Event reports. Alarms within five minutes are reported together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub last_alarm_time: Option<Timestamp>,

    /// The start of the newest fault of a sensor that an Event reports. Faults within five minutes are
    /// reported together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub last_sensor_fault_time: Option<Timestamp>,

    /// The address of the detector inside the cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
}

/// The model that serves.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ModelStatus {
    /// `sha256:` and the SHA-256 of the artifact, in hexadecimal.
    pub digest: String,
    /// The first ten hexadecimal digits of the digest: enough to distinguish models.
    pub revision: String,
    /// The time at which its training ended. Absent where it is not known, as for a model that was loaded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub trained_at: Option<Timestamp>,
    /// The time of the newest reading that it has learned from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub data_end_time: Option<Timestamp>,
    /// The number of samples that it has learned from.
    pub samples: i64,
    /// The threshold in the model: a score over it is anomalous. With `adaptation.policy: Follow` the current
    /// threshold may differ: it is the metric `anomaly_threshold`.
    pub threshold: f64,
    /// Where the model came from: Trained by a pod, Rethresholded (a trained one with another threshold), or
    /// Loaded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
    /// The names of its sensors, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<String>,
    /// The number of anomalous verdicts a day to expect on readings like those that were learned from, as
    /// estimated from these; with `adaptation.policy: Follow`, the number that the threshold promises. There
    /// are at most as many events and alarms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_alerts_per_day: Option<f64>,
    /// The reasons not to trust its verdicts, one sentence each: few samples, sensors that never varied or
    /// were mostly missing in the training, a threshold that the samples cannot keep, first readings that the
    /// model does not fit. Absent where there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// The rate of alarms, compared with the rate that the threshold promises. With `contamination`, anomalous
/// readings are counted; with `alertsPerDay`, alerts: anomalous readings in a row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct AlarmRate {
    /// The promised number per day: of anomalous readings with `threshold.contamination`, of alerts with
    /// `alertsPerDay`.
    pub promised_per_day: f64,
    /// The ratio of the recent number to the promised one: over the last hour, or over the time for which one
    /// is promised where that is longer. 0 or 1 where the promise holds. It is rounded; the metric
    /// `anomaly_alarm_rate_ratio` is exact.
    pub realised_to_promised: f64,
    /// The time since which the ratio has been over 5; absent unless that has lasted for an hour.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub exceeded_since: Option<Timestamp>,
    /// The sensors that contribute most to the anomalous readings, at most three, the largest share first.
    /// Absent without `exceededSince`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub top_contributors: Vec<String>,
}

/// Where the model came from: Trained by a pod, Rethresholded (a trained one with another threshold), or
/// Loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Origin {
    /// A pod trained it from the sources.
    Trained,
    /// The forest of a trained one, with another threshold.
    Rethresholded,
    /// It was loaded, as `model.load` requests.
    Loaded,
}

/// The types of conditions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum ConditionType {
    /// The spec is fulfilled: the detector watches its sensors and answers.
    Ready,
    /// The spec keeps every rule, those that the API server cannot check included.
    Accepted,
    /// A model serves.
    ModelReady,
    /// Every source gives readings.
    SourcesConnected,
    /// Monitoring is as the spec asks.
    MonitoringConfigured,
    /// At least one replica answers.
    Available,
    /// The pods are being changed to what the spec asks for.
    Progressing,
    /// Nothing will change until a person acts. Present only while that is so (kstatus: Failed).
    Stalled,
    /// For an hour there have been more than five times as many alarms as the threshold promises. Present
    /// only while that is so.
    AlarmBudgetExceeded,
}

/// The reason for a condition's status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Reason {
    /// Everything is as the spec asks.
    AsSpecified,
    /// Something is not yet as the spec asks; the message names it.
    NotYet,
    /// No pod has reported yet.
    NoReport,
    /// `replicas: 0`.
    ScaledToZero,
    /// A rule of the spec is broken.
    InvalidSpec,
    /// An object of the required name exists, and it does not belong to this detector.
    NameTaken,
    /// The detector gathers readings to train on.
    WarmingUp,
    /// The model was trained from the sources.
    Trained,
    /// Training failed.
    TrainingFailed,
    /// The model was loaded, as `model.load` requests.
    Loaded,
    /// The model to load cannot be fetched: no such file, no answer, or no permission.
    LoadFailed,
    /// The model to load has another SHA-256 than the spec.
    DigestMismatch,
    /// The model to load cannot be read as a model.
    ArtifactInvalid,
    /// The model to load has other columns than the spec has sensors.
    ColumnsMismatch,
    /// The model to load is at an address that detectors must not connect to.
    AddressRefused,
    /// The model is too large to load or to store.
    ModelTooLarge,
    /// No model of the history has the digest that the spec pins.
    PinNotFound,
    /// Every source gives readings.
    Connected,
    /// A source gives no readings.
    SourceDisconnected,
    /// The spec requests no monitoring objects.
    NotRequested,
    /// The Prometheus Operator's CRDs are not in the cluster.
    PrometheusOperatorNotInstalled,
    /// A Prometheus refused the ServiceMonitor or the PrometheusRule.
    RefusedByPrometheus,
    /// The pods answer, but the Service has no endpoints.
    NoEndpoints,
    /// A new version of the pods is being rolled out.
    RollingOut,
    /// A new version of the pods waits until fewer other detectors roll out.
    RolloutQueued,
    /// The image cannot be pulled.
    ImagePullFailed,
    /// The container exits repeatedly.
    CrashLooping,
    /// The container was killed for using more memory than its limit.
    OutOfMemory,
    /// A quota, a limit or a policy of the namespace forbids the pods.
    PodsForbidden,
    /// No node can take a pod.
    Unschedulable,
    /// The container cannot be started as configured.
    ContainerConfigInvalid,
    /// The API server refused or failed a write.
    ApplyFailed,
    /// There are more alarms than the threshold promises.
    RateOverPromise,
}

impl ConditionType {
    /// The `type` field.
    pub fn name(self) -> String {
        format!("{self:?}")
    }

    /// The condition of this type.
    pub fn find(self, conditions: &[Condition]) -> Option<&Condition> {
        let name = self.name();
        conditions.iter().find(|condition| condition.type_ == name)
    }

    /// The status of the condition of this type: True, False, Unknown, or empty where there is none.
    pub fn status_in(self, conditions: &[Condition]) -> &str {
        self.find(conditions).map_or("", |condition| &condition.status)
    }
}

impl Reason {
    /// The `reason` field.
    pub fn name(self) -> String {
        format!("{self:?}")
    }
}
