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

    /// Whether pods must not start without it: what they run as, read, and are guarded by.
    pub fn is_needed_by_pods(self) -> bool {
        matches!(self, Self::ServiceAccount | Self::ConfigMap | Self::NetworkPolicy)
    }

    /// Whether its lists may be replaced as a whole: nobody adds items of their own that a detector would miss.
    pub fn is_replaceable(self) -> bool {
        matches!(self, Self::Service | Self::Peers | Self::NetworkPolicy | Self::PodDisruptionBudget)
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
