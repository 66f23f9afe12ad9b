//! A `Plan` in, every object that the detector owns out.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Service, ServiceAccount};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use serde_json::{Value, json};

use super::kind::Kind;
use super::prometheus_rule::PrometheusRule;
use super::service_monitor::ServiceMonitor;
use super::{
    config_map, dashboard, deployment, network_policy, peers, pod_disruption_budget, prometheus_rule,
    service, service_account, service_monitor,
};
use crate::plan::Plan;

/// Everything that a detector owns.
#[derive(Clone, Debug, PartialEq)]
pub struct Workload {
    /// The account that the pods run as; none where the spec names an existing one.
    pub service_account: Option<ServiceAccount>,
    /// The ConfigMap with the pods' manifest.
    pub config_map: ConfigMap,
    /// The Service for predictions and metrics.
    pub service: Service,
    /// The headless Service by which replicas find each other; none where the spec has no notifications.
    pub peers: Option<Service>,
    /// The network traffic that is allowed to and from the pods.
    pub network_policy: NetworkPolicy,
    /// The number of pods that may be evicted at once; none for a single pod, which must be evictable.
    pub pod_disruption_budget: Option<PodDisruptionBudget>,
    /// The Deployment of the pods. It is written after the objects that the pods mount and need.
    pub deployment: Deployment,
    /// The object that makes Prometheus scrape the pods.
    pub service_monitor: Option<ServiceMonitor>,
    /// The rules that Prometheus evaluates.
    pub prometheus_rule: Option<PrometheusRule>,
    /// The ConfigMap with the dashboard for Grafana.
    pub dashboard: Option<ConfigMap>,
}

/// All objects of a plan.
pub fn build(plan: &Plan) -> Workload {
    Workload {
        service_account: service_account::build(plan),
        deployment: deployment::build(plan, &config_map::hash(plan)),
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
    /// Each kind and its object as JSON, or `None` where there is none.
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
