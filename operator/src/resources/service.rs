//! A plan in, the Service in front of the pods out.

use crd::contract::{METRICS_PORT, METRICS_PORT_NAME, PREDICT_PORT_NAME};
use crd::service::ServiceType;
use k8s_openapi::api::core::v1::{Service, ServicePort, ServiceSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use crate::plan::Plan;

/// The name of the port for gRPC.
const GRPC_PORT_NAME: &str = "grpc";

/// Build the Service: the predict port with the spec's number, a second port for gRPC if the spec has one,
/// and the metrics port, unless the predict port has its number.
pub fn build(plan: &Plan) -> Service {
    let service = &plan.detector.spec().service;
    let metrics = i32::from(METRICS_PORT);
    let (http, grpc) = match plan.detector.spec().serving.tls {
        Some(_) => ("https", "https"),
        None => ("http", "kubernetes.io/h2c"), // KEP-3726
    };
    let mut ports = vec![port(PREDICT_PORT_NAME, service.port, PREDICT_PORT_NAME, Some(http))];
    ports.extend(service.grpc_port.map(|number| port(GRPC_PORT_NAME, number, PREDICT_PORT_NAME, Some(grpc))));
    if service.port != metrics {
        ports.push(port(METRICS_PORT_NAME, metrics, METRICS_PORT_NAME, None));
    }
    let annotations = Some(service.annotations.clone()).filter(|annotations| !annotations.is_empty());
    Service {
        metadata: ObjectMeta { annotations, ..plan.metadata() },
        spec: Some(ServiceSpec {
            type_: Some(type_name(service.type_).to_owned()),
            selector: Some(plan.selector()),
            ports: Some(ports),
            // Set although they are the defaults: then server-side apply removes what another writer adds.
            external_ips: Some(Vec::new()),
            publish_not_ready_addresses: Some(false),
            session_affinity: Some("None".to_owned()),
            ..ServiceSpec::default()
        }),
        ..Service::default()
    }
}

fn port(name: &str, number: i32, target: &str, protocol: Option<&str>) -> ServicePort {
    ServicePort {
        name: Some(name.to_owned()),
        port: number,
        target_port: Some(IntOrString::String(target.to_owned())),
        protocol: Some("TCP".to_owned()),
        app_protocol: protocol.map(str::to_owned),
        ..ServicePort::default()
    }
}

fn type_name(service_type: ServiceType) -> &'static str {
    match service_type {
        ServiceType::ClusterIP => "ClusterIP",
        ServiceType::NodePort => "NodePort",
        ServiceType::LoadBalancer => "LoadBalancer",
    }
}
