//! The service part of the spec: how the detector's pods are reached.

use std::collections::BTreeMap;

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::names;

/// The Service in front of the detector's replicas.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Service {
    /// Default: ClusterIP.
    #[serde(default, rename = "type")]
    pub type_: ServiceType,

    /// The port of `POST /predict` and its kin, 1 to 65535. Default: 80.
    #[serde(default = "http")]
    #[schemars(range(min = 1, max = 65_535))]
    pub port: i32,

    /// Annotations of the Service, such as those by which a provider's load balancer is configured. Default: none.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "names::annotations")]
    pub annotations: BTreeMap<String, String>,
}

/// How a Service is reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ServiceType {
    /// From inside the cluster.
    #[default]
    ClusterIP,
    /// On a port of every node.
    NodePort,
    /// Through the provider's load balancer.
    LoadBalancer,
}

fn http() -> i32 {
    80
}

impl Default for Service {
    fn default() -> Self {
        Self { type_: ServiceType::default(), port: http(), annotations: BTreeMap::new() }
    }
}
