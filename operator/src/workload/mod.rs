//! A [`Plan`] in, every object of the workload out. One file an object; nothing here touches a cluster.

/// The manifest that the pods read.
pub mod config_map;
/// The pods.
pub mod deployment;
/// Who may talk to the pods, and whom they may talk to.
pub mod network_policy;
/// How many pods may be evicted at once.
pub mod pod_disruption_budget;
/// Where predictions and metrics are reached.
pub mod service;
/// Who the pods are: nobody, without a token.
pub mod service_account;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Service, ServiceAccount};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::Resource;
use kube::api::ApiResource;
use serde_json::{Value, json};

use crate::plan::Plan;

/// Everything that a detector owns.
#[derive(Clone, Debug, PartialEq)]
pub struct Workload {
    /// None where the pods run as somebody else.
    pub service_account: Option<ServiceAccount>,
    /// The manifest.
    pub config_map: ConfigMap,
    /// The two ports.
    pub service: Service,
    /// Who may talk to whom.
    pub network_policy: NetworkPolicy,
    /// None for a single pod, which must be evictable.
    pub pod_disruption_budget: Option<PodDisruptionBudget>,
    /// The pods, last: what they mount must exist before them.
    pub deployment: Deployment,
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
    /// Who may talk to whom.
    NetworkPolicy,
    /// How many pods may be evicted.
    PodDisruptionBudget,
    /// The pods.
    Deployment,
}

/// All objects of a plan.
pub fn build(plan: &Plan) -> Workload {
    let config_map = config_map::build(plan);
    Workload {
        service_account: service_account::build(plan),
        deployment: deployment::build(plan, &config_map::digits(&config_map)),
        config_map,
        service: service::build(plan),
        network_policy: network_policy::build(plan),
        pod_disruption_budget: pod_disruption_budget::build(plan),
    }
}

impl Workload {
    /// Each kind and its object as JSON, or `None` where there is to be none.
    pub fn into_objects(self) -> [(Kind, Option<Value>); 6] {
        let Self { service_account, config_map, service, network_policy, pod_disruption_budget, deployment } =
            self;
        [
            (Kind::ServiceAccount, service_account.map(|object| json!(object))),
            (Kind::ConfigMap, Some(json!(config_map))),
            (Kind::Service, Some(json!(service))),
            (Kind::NetworkPolicy, Some(json!(network_policy))),
            (Kind::PodDisruptionBudget, pod_disruption_budget.map(|object| json!(object))),
            (Kind::Deployment, Some(json!(deployment))),
        ]
    }
}

impl Kind {
    /// Every kind, in the order in which they are written.
    pub const ALL: [Self; 6] = [
        Self::ServiceAccount,
        Self::ConfigMap,
        Self::Service,
        Self::NetworkPolicy,
        Self::PodDisruptionBudget,
        Self::Deployment,
    ];

    /// The `kind` field, and the label of metrics.
    pub fn name(self) -> String {
        format!("{self:?}")
    }

    /// Its place in the API.
    pub fn resource(self) -> ApiResource {
        match self {
            Self::ServiceAccount => resource_of::<ServiceAccount>(),
            Self::ConfigMap => resource_of::<ConfigMap>(),
            Self::Service => resource_of::<Service>(),
            Self::NetworkPolicy => resource_of::<NetworkPolicy>(),
            Self::PodDisruptionBudget => resource_of::<PodDisruptionBudget>(),
            Self::Deployment => resource_of::<Deployment>(),
        }
    }
}

fn resource_of<K: Resource<DynamicType = ()>>() -> ApiResource {
    ApiResource::erase::<K>(&())
}
