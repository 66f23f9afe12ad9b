//! The service part of the spec: how the detector's pods are reached.

use std::collections::BTreeMap;

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::names;

/// The Service in front of the detector's replicas.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("!has(self.grpcPort) || self.grpcPort != self.port")
    .message("must be another port than service.port").field_path(".grpcPort"))]
pub struct Service {
    /// How the Service is reached: from inside the cluster (`ClusterIP`), on a port of every node
    /// (`NodePort`), or through the provider's load balancer (`LoadBalancer`). Default: ClusterIP.
    #[serde(default, rename = "type")]
    pub type_: ServiceType,

    /// The port for predictions, 1 to 65535. Default: 80.
    #[serde(default = "http")]
    #[schemars(range(min = 1, max = 65_535))]
    pub port: i32,

    /// An additional port of the Service for gRPC, 1 to 65535, for meshes and gateways that choose the
    /// protocol by the port: its name is `grpc`, and its appProtocol is `kubernetes.io/h2c`, with TLS
    /// `https`. It leads to the same port of the pods as `port`, which accepts gRPC as well. Default: none.
    /// Example: 9000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65_535))]
    #[x_kube(validation = Rule::new("self != 8000").message("must be another port than 8000, which is that of the metrics"))]
    pub grpc_port: Option<i32>,

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
        Self { type_: ServiceType::default(), port: http(), grpc_port: None, annotations: BTreeMap::new() }
    }
}
