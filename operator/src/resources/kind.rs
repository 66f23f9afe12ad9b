//! The kinds of objects that a detector owns: their names and their place in the API.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Service, ServiceAccount};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::Resource;
use kube::api::{ApiResource, GroupVersionKind};

use super::{dashboard, peers};

/// The kinds of objects that a detector owns, in the order in which they are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// The account that the pods run as.
    ServiceAccount,
    /// The ConfigMap with the pods' manifest.
    ConfigMap,
    /// The Service for predictions and metrics.
    Service,
    /// The headless Service by which replicas find each other.
    Peers,
    /// The network traffic that is allowed to and from the pods.
    NetworkPolicy,
    /// How many pods may be evicted.
    PodDisruptionBudget,
    /// The Deployment of the pods.
    Deployment,
    /// The object that makes Prometheus scrape the pods.
    ServiceMonitor,
    /// The rules that Prometheus evaluates.
    PrometheusRule,
    /// The ConfigMap with the dashboard for Grafana.
    Dashboard,
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

    /// The kind whose watch sees objects of this kind: dashboards are ConfigMaps, and peers are Services.
    #[must_use]
    pub fn watched(self) -> Self {
        match self {
            Self::Dashboard => Self::ConfigMap,
            Self::Peers => Self::Service,
            kind => kind,
        }
    }

    /// Whether a cluster may lack this kind: it has the Prometheus Operator's kinds only where that is
    /// installed.
    pub fn is_optional(self) -> bool {
        matches!(self, Self::ServiceMonitor | Self::PrometheusRule)
    }

    /// Whether objects of this kind are for monitoring only. A detector runs without them.
    pub fn is_monitoring(self) -> bool {
        matches!(self, Self::ServiceMonitor | Self::PrometheusRule | Self::Dashboard)
    }

    /// Whether pods must not start without the object: their account, their manifest and their network
    /// policy.
    pub fn is_needed_by_pods(self) -> bool {
        matches!(self, Self::ServiceAccount | Self::ConfigMap | Self::NetworkPolicy)
    }

    /// Whether the lists of its spec may be replaced as a whole: no other writer adds items that a detector
    /// would miss.
    pub fn is_replaceable(self) -> bool {
        matches!(self, Self::Service | Self::Peers | Self::NetworkPolicy | Self::PodDisruptionBudget)
    }

    /// The API resource of this kind.
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
