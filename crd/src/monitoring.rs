//! The monitoring part of the spec: the objects for Prometheus and Grafana.

use std::collections::BTreeMap;

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Duration, names};

/// The objects for Prometheus and Grafana. Where the Prometheus Operator is not installed, its objects are
/// created once it is installed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Monitoring {
    /// The ServiceMonitor, which makes Prometheus scrape the pods.
    #[serde(default)]
    pub service_monitor: ServiceMonitor,

    /// The PrometheusRule: alerts and recording rules.
    #[serde(default)]
    pub prometheus_rule: PrometheusRule,

    /// A ConfigMap with a dashboard of this detector alone, for Grafana's sidecar.
    #[serde(default)]
    pub dashboard: Dashboard,
}

/// The ServiceMonitor of the detector.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServiceMonitor {
    /// Whether to create one. Default: true.
    #[serde(default = "yes")]
    pub enabled: bool,

    /// The time from one scrape of the pods to the next, 1s to 1h. Default: 15s.
    #[serde(default = "scrape_interval")]
    #[x_kube(validation = Rule::new("duration(self) >= duration('1s') && duration(self) <= duration('1h')")
        .message(Message::Expression("'must be between 1s and 1h, got ' + self".into())))]
    pub interval: Duration,

    /// Labels by which a Prometheus selects it. Default: none. Example: {release: kube-prometheus-stack}.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "names::labels")]
    pub labels: BTreeMap<String, String>,
}

/// The PrometheusRule of the detector.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct PrometheusRule {
    /// Whether to create one. Default: true.
    #[serde(default = "yes")]
    pub enabled: bool,

    /// The `severity` label of the alerts about the sensors. Default: warning.
    #[serde(default)]
    pub severity: Severity,

    /// How long an anomaly must last before its alert fires, 0s to 24h; the `for` of AnomalyDetected. Default: 0s.
    #[serde(default, rename = "for")]
    #[x_kube(validation = Rule::new("duration(self) >= duration('0s') && duration(self) <= duration('24h')")
        .message(Message::Expression("'must be between 0s and 24h, got ' + self".into())))]
    pub for_: Duration,

    /// Labels of the PrometheusRule, by which a Prometheus selects it, and of each alert. Default: none.
    /// Example: {release: kube-prometheus-stack}.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "names::labels")]
    pub labels: BTreeMap<String, String>,

    /// The address of the runbook page. Each alert links to its section: `#` and the alert's name in lower
    /// case. Default: the page of this project.
    #[serde(default, rename = "runbookURL", skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 2048), regex(pattern = r"^https?://[^\s]+$"))]
    pub runbook_url: Option<String>,
}

/// How bad an alert is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Good to know.
    Info,
    /// A person should look today.
    #[default]
    Warning,
    /// A person should look now.
    Critical,
}

/// The dashboard of the detector: a ConfigMap.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Dashboard {
    /// Whether to create one. Default: false, since the chart has one for all detectors.
    #[serde(default)]
    pub enabled: bool,

    /// Labels by which Grafana's sidecar finds it. Default: {grafana_dashboard: "1"}.
    // No default in the schema: labels that are applied later would merge with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "names::optional_labels")]
    pub labels: Option<BTreeMap<String, String>>,
}

fn yes() -> bool {
    true
}

fn scrape_interval() -> Duration {
    Duration::from_secs(15)
}

impl Severity {
    /// The value of the `severity` label.
    pub fn label(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

impl Default for ServiceMonitor {
    fn default() -> Self {
        Self { enabled: yes(), interval: scrape_interval(), labels: BTreeMap::new() }
    }
}

impl Default for PrometheusRule {
    fn default() -> Self {
        Self {
            enabled: yes(),
            severity: Severity::default(),
            for_: Duration::default(),
            labels: BTreeMap::new(),
            runbook_url: None,
        }
    }
}

impl Dashboard {
    /// The labels of the ConfigMap: those of the spec, or the one that Grafana's sidecar looks for.
    pub fn labels(&self) -> BTreeMap<String, String> {
        let sidecar = || BTreeMap::from([("grafana_dashboard".to_owned(), "1".to_owned())]);
        self.labels.clone().unwrap_or_else(sidecar)
    }
}
