//! A [`Plan`] in, every object of the workload out. One file an object; nothing here touches a cluster.

/// The manifest that the pods read.
pub mod config_map;
/// The models that they serve.
pub mod model;
/// What they find in their files.
pub mod volumes;
/// The pods.
pub mod deployment;
/// Who may talk to the pods, and whom they may talk to.
pub mod network_policy;
/// How many pods may be evicted at once.
pub mod pod_disruption_budget;
/// Where predictions and metrics are reached.
pub mod service;
/// Where replicas find each other.
pub mod peers;
/// Who the pods are: nobody, without a token.
pub mod service_account;
/// What makes Prometheus scrape the pods.
pub mod service_monitor;
/// When people are told.
pub mod alerts;
/// The rules that Prometheus evaluates.
pub mod prometheus_rule;
/// What Grafana shows.
pub mod dashboard;

use std::time::Duration;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Service, ServiceAccount};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::Resource;
use kube::api::{ApiResource, GroupVersionKind};
use serde_json::{Value, json};

use crate::plan::Plan;
use prometheus_rule::PrometheusRule;
use service_monitor::ServiceMonitor;

/// The Prometheus Operator's group and version.
const MONITORING: &str = "monitoring.coreos.com/v1";

/// Everything that a detector owns.
#[derive(Clone, Debug, PartialEq)]
pub struct Workload {
    /// None where the pods run as somebody else.
    pub service_account: Option<ServiceAccount>,
    /// The manifest.
    pub config_map: ConfigMap,
    /// The two ports.
    pub service: Service,
    /// Where replicas find each other; none where they need not.
    pub peers: Option<Service>,
    /// Who may talk to whom.
    pub network_policy: NetworkPolicy,
    /// None for a single pod, which must be evictable.
    pub pod_disruption_budget: Option<PodDisruptionBudget>,
    /// The pods, after all else that they need: what they mount must exist before them.
    pub deployment: Deployment,
    /// What makes Prometheus scrape the pods.
    pub service_monitor: Option<ServiceMonitor>,
    /// The rules that Prometheus evaluates.
    pub prometheus_rule: Option<PrometheusRule>,
    /// What Grafana shows.
    pub dashboard: Option<ConfigMap>,
}

/// The kinds of objects that a detector owns, in the order in which they are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Who the pods are.
    ServiceAccount,
    /// The manifest.
    ConfigMap,
    /// The two ports.
    Service,
    /// A Service of its own: where replicas find each other.
    Peers,
    /// Who may talk to whom.
    NetworkPolicy,
    /// How many pods may be evicted.
    PodDisruptionBudget,
    /// The pods.
    Deployment,
    /// What makes Prometheus scrape the pods.
    ServiceMonitor,
    /// The rules that Prometheus evaluates.
    PrometheusRule,
    /// A ConfigMap of its own: what Grafana shows.
    Dashboard,
}

/// All objects of a plan.
pub fn build(plan: &Plan) -> Workload {
    Workload {
        service_account: service_account::build(plan),
        deployment: deployment::build(plan, &config_map::digits(plan)),
        config_map: config_map::build(plan),
        service: service::build(plan),
        peers: peers::build(plan),
        network_policy: network_policy::build(plan),
        pod_disruption_budget: pod_disruption_budget::build(plan),
        service_monitor: service_monitor::build(plan),
        prometheus_rule: prometheus_rule::build(plan),
        dashboard: dashboard::build(plan),
    }
}

impl Workload {
    /// Each kind and its object as JSON, or `None` where there is to be none.
    pub fn into_objects(self) -> [(Kind, Option<Value>); 10] {
        let Self {
            service_account,
            config_map,
            service,
            peers,
            network_policy,
            pod_disruption_budget,
            deployment,
            service_monitor,
            prometheus_rule,
            dashboard,
        } = self;
        [
            (Kind::ServiceAccount, service_account.map(|object| json!(object))),
            (Kind::ConfigMap, Some(json!(config_map))),
            (Kind::Service, Some(json!(service))),
            (Kind::Peers, peers.map(|object| json!(object))),
            (Kind::NetworkPolicy, Some(json!(network_policy))),
            (Kind::PodDisruptionBudget, pod_disruption_budget.map(|object| json!(object))),
            (Kind::Deployment, Some(json!(deployment))),
            (Kind::ServiceMonitor, service_monitor.map(|object| json!(object))),
            (Kind::PrometheusRule, prometheus_rule.map(|object| json!(object))),
            (Kind::Dashboard, dashboard.map(|object| json!(object))),
        ]
    }
}

impl Kind {
    /// Every kind, in the order in which they are written.
    pub const ALL: [Self; 10] = [
        Self::ServiceAccount,
        Self::ConfigMap,
        Self::Service,
        Self::Peers,
        Self::NetworkPolicy,
        Self::PodDisruptionBudget,
        Self::Deployment,
        Self::ServiceMonitor,
        Self::PrometheusRule,
        Self::Dashboard,
    ];

    /// The `kind` field, and the label of metrics.
    pub fn name(self) -> String {
        self.resource().kind
    }

    /// The name of the object of this kind that the detector of that name owns.
    pub fn object_name(self, detector: &str) -> String {
        match self {
            Self::Dashboard => dashboard::name(detector),
            Self::Peers => peers::name(detector),
            _ => detector.to_owned(),
        }
    }

    /// The kind whose watch sees its objects.
    #[must_use]
    pub fn watched(self) -> Self {
        match self {
            Self::Dashboard => Self::ConfigMap,
            Self::Peers => Self::Service,
            kind => kind,
        }
    }

    /// Whether a cluster may be without such a kind.
    pub fn is_optional(self) -> bool {
        matches!(self, Self::ServiceMonitor | Self::PrometheusRule)
    }

    /// Whether it shows what a detector does, which goes on without it.
    pub fn is_monitoring(self) -> bool {
        matches!(self, Self::ServiceMonitor | Self::PrometheusRule | Self::Dashboard)
    }

    /// Its place in the API.
    pub fn resource(self) -> ApiResource {
        match self {
            Self::ServiceAccount => resource_of::<ServiceAccount>(),
            Self::ConfigMap | Self::Dashboard => resource_of::<ConfigMap>(),
            Self::Service | Self::Peers => resource_of::<Service>(),
            Self::NetworkPolicy => resource_of::<NetworkPolicy>(),
            Self::PodDisruptionBudget => resource_of::<PodDisruptionBudget>(),
            Self::Deployment => resource_of::<Deployment>(),
            Self::ServiceMonitor => monitoring_resource("ServiceMonitor", "servicemonitors"),
            Self::PrometheusRule => monitoring_resource("PrometheusRule", "prometheusrules"),
        }
    }
}

fn resource_of<K: Resource<DynamicType = ()>>() -> ApiResource {
    ApiResource::erase::<K>(&())
}

fn monitoring_resource(kind: &str, plural: &str) -> ApiResource {
    ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk("monitoring.coreos.com", "v1", kind), plural)
}

/// As Prometheus writes durations: whole milliseconds.
fn prometheus_duration(duration: Duration) -> String {
    match duration.subsec_millis() {
        0 => crd::Duration::from_secs(duration.as_secs()).to_string(),
        _ => format!("{}ms", duration.as_millis()),
    }
}
