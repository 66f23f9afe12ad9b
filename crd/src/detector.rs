//! The AnomalyDetector resource: its spec, its status, and how `kubectl get` prints it.

use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use crate::Duration;
use crate::adaptation::Adaptation;
use crate::alarm::Alarm;
use crate::missing::Missing;
use crate::model::Model;
use crate::monitoring::Monitoring;
use crate::mute_window::MuteWindow;
use crate::notification::Notification;
use crate::pod::Pod;
use crate::service::Service;
use crate::serving::Serving;
use crate::source::Source;
use crate::status::AnomalyDetectorStatus;
use crate::threshold::Threshold;

/// Which sensors to watch, what to learn from them, and when to call a reading anomalous.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "anomaly.dev",
    version = "v1alpha1",
    kind = "AnomalyDetector",
    plural = "anomalydetectors",
    shortname = "ad",
    category = "anomaly",
    namespaced,
    status = "AnomalyDetectorStatus",
    derive = "PartialEq",
    doc = "Watches sensors with an isolation forest: readings in, verdicts out.",
    validation = Rule::new("self.metadata.name.size() <= 52 && self.metadata.name.matches('^[a-z]([a-z0-9-]*[a-z0-9])?$')")
        .message("the name must be at most 52 lower-case letters, digits and '-', a letter first: it is also the name of the Service"),
    scale(
        spec_replicas_path = ".spec.replicas",
        status_replicas_path = ".status.replicas",
        label_selector_path = ".status.selector"
    ),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.ready",
        description = "The replicas that answer, of those that the spec asks for"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].reason",
        description = "Why the detector is ready, or not"),
    printcolumn(name = "Model", type_ = "string", json_path = ".status.model.revision",
        description = "The first ten hexadecimal digits of the digest of the model that serves"),
    printcolumn(name = "Sensors", type_ = "integer", json_path = ".status.sensors",
        description = "The number of sensors"),
    printcolumn(name = "Last-Alarm", type_ = "date", json_path = ".status.lastAlarmTime",
        description = "How long ago the newest alarm was raised"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Endpoint", type_ = "string", json_path = ".status.endpoint",
        description = "The URL of its API", priority = 1),
    printcolumn(name = "Message", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].message",
        description = "Why the detector is ready, or not, in words", priority = 1)
)]
#[serde(rename_all = "camelCase")]
// has(): a stored object of another version may lack them, and this rule must not keep it from getting a status.
#[x_kube(validation = Rule::new("!has(self.sources) || !self.sources.exists(source, has(source.csv) && !(has(source.csv.follow) && source.csv.follow)) || self.sources.size() == 1")
    .message("a csv source without follow must be the only source: its timestamps pace the detector").field_path(".sources"))]
#[x_kube(validation = Rule::new("!has(self.sources) || self.sources.filter(source, has(source.http)).size() <= 1")
    .message("at most one source may be of kind http: POST /readings is one path").field_path(".sources"))]
#[x_kube(validation = Rule::new(
    "!has(self.sources) || self.sources.all(one, self.sources.all(other, one.name == other.name || !sets.intersects((has(one.simulated) ? one.simulated.sensors.map(sensor, sensor.name) : has(one.csv) ? one.csv.sensors.map(sensor, sensor.name) : has(one.prometheus) ? one.prometheus.sensors.map(sensor, sensor.name) : has(one.mqtt) ? one.mqtt.sensors.map(sensor, sensor.name) : has(one.http) ? one.http.sensors.map(sensor, sensor.name) : []), (has(other.simulated) ? other.simulated.sensors.map(sensor, sensor.name) : has(other.csv) ? other.csv.sensors.map(sensor, sensor.name) : has(other.prometheus) ? other.prometheus.sensors.map(sensor, sensor.name) : has(other.mqtt) ? other.mqtt.sensors.map(sensor, sensor.name) : has(other.http) ? other.http.sensors.map(sensor, sensor.name) : []))))"
).message("the names of sensors must be unique over all sources").field_path(".sources"))]
#[x_kube(validation = Rule::new(
    "!has(self.sources) || !has(self.model) || self.sources.map(source, has(source.simulated) ? source.simulated.sensors.size() : has(source.csv) ? source.csv.sensors.size() : has(source.prometheus) ? source.prometheus.sensors.size() : has(source.mqtt) ? source.mqtt.sensors.size() : has(source.http) ? source.http.sensors.size() : 0).sum() * (has(self.model.train) && has(self.model.train.features) ? self.model.train.features.size() : 1) * (has(self.model.train) && has(self.model.train.lags) ? self.model.train.lags + 1 : 1) <= 4096"
).message("sensors * features * (1 + lags) must be at most 4096").field_path(".model.train"))]
#[x_kube(validation = Rule::new(
    "!has(self.sources) || !has(self.model) || !has(self.model.train) || !has(self.model.train.extensionLevel) || self.model.train.extensionLevel == 0 || self.model.train.extensionLevel < self.sources.map(source, has(source.simulated) ? source.simulated.sensors.size() : has(source.csv) ? source.csv.sensors.size() : has(source.prometheus) ? source.prometheus.sensors.size() : has(source.mqtt) ? source.mqtt.sensors.size() : has(source.http) ? source.http.sensors.size() : 0).sum() * (has(self.model.train.features) ? self.model.train.features.size() : 1) * (has(self.model.train.lags) ? self.model.train.lags + 1 : 1)"
).message("extensionLevel must be less than the number of columns").field_path(".model.train.extensionLevel"))]
pub struct AnomalyDetectorSpec {
    /// The time from one verdict to the next, 10ms to 24h. Each verdict is on one reading of every sensor. A
    /// csv source without `follow` is paced by its own timestamps instead. Default: 1s.
    #[serde(default = "each_second")]
    #[x_kube(validation = Rule::new("duration(self) >= duration('10ms') && duration(self) <= duration('24h')")
        .message(Message::Expression("'must be between 10ms and 24h, got ' + self".into())))]
    pub interval: Duration,

    /// The sources of readings, 1 to 16. The model sees the sensors of all sources, in this order.
    #[schemars(length(min = 1, max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub sources: Vec<Source>,

    /// What to do when a sensor gave no reading. Default: no verdict for that instant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing: Option<Missing>,

    /// The model: trained from the readings, or loaded. Default: a forest of 100 trees that learns from 4096
    /// readings.
    #[serde(default)]
    pub model: Model,

    /// The rule that chooses the threshold: a score above the threshold is anomalous.
    /// Default: alertsPerDay 5, or one reading in a hundred where that is fewer.
    // No default in the schema: it would merge with the field that is applied later, and two fields are
    // refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold: Option<Threshold>,

    /// Whether the detector follows slow change of the sensors. Default: it does, with a time scale of 1h, or
    /// of 500 readings where they take longer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adaptation: Option<Adaptation>,

    /// When anomalous verdicts raise an alarm. Default: once no verdict has been normal for 5s, at the
    /// earliest 1m after the end of the previous event that raised an alarm.
    #[serde(default)]
    pub alarm: Alarm,

    /// The windows of time in which no alarm is raised, at most 16. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub mute_windows: Vec<MuteWindow>,

    /// The receivers that are notified of events, besides Prometheus and Kubernetes, at most 8.
    /// Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub notifications: Vec<Notification>,

    /// The objects for Prometheus and Grafana. Default: a ServiceMonitor, and a PrometheusRule with alerts.
    #[serde(default)]
    pub monitoring: Monitoring,

    /// The number of pods, each of which watches all sensors and answers predictions: 0 to 100. Default: 1.
    /// Leave it out of the manifest where a HorizontalPodAutoscaler, whose target is this AnomalyDetector, or
    /// `kubectl scale` sets it.
    #[serde(default = "one")]
    #[schemars(range(min = 0, max = 100))]
    pub replicas: i32,

    /// The Service in front of the replicas.
    #[serde(default)]
    pub service: Service,

    /// The settings of the predict port: TLS, tokens, web pages of other origins, idle connections.
    /// Default: plain HTTP for every client that reaches the port.
    #[serde(default)]
    pub serving: Serving,

    /// The detector's pods: labels, resources, placement, volumes, certificate authorities.
    #[serde(default)]
    pub pod: Pod,
}

fn one() -> i32 {
    1
}

fn each_second() -> Duration {
    Duration::from_secs(1)
}
