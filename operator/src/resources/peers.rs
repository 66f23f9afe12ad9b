//! A plan in, the headless Service by which replicas find each other out: none where the spec has no
//! notifications.
//!
//! The Service's name resolves to the address of each ready pod. So replicas agree, without a call to the API
//! server, on which of them sends a notification.

use crd::contract::METRICS_PORT;
use k8s_openapi::api::core::v1::{Service, ServicePort, ServiceSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use crate::plan::Plan;

/// Build the Service, or none where the spec has no notifications.
pub fn build(plan: &Plan) -> Option<Service> {
    // The name differs from that of the metrics port of the other Service, so that no ServiceMonitor selects
    // this one.
    let port = ServicePort {
        name: Some("peers".to_owned()),
        port: METRICS_PORT.into(),
        target_port: Some(IntOrString::Int(METRICS_PORT.into())),
        protocol: Some("TCP".to_owned()),
        ..ServicePort::default()
    };
    let has_notifications = !plan.detector.spec().notifications.is_empty();
    has_notifications.then(|| Service {
        metadata: ObjectMeta { name: Some(name(&plan.name())), ..plan.metadata() },
        spec: Some(ServiceSpec {
            cluster_ip: Some("None".to_owned()),
            selector: Some(plan.selector()),
            ports: Some(vec![port]),
            ..ServiceSpec::default()
        }),
        ..Service::default()
    })
}

/// The name of the Service of the detector of that name.
pub fn name(detector: &str) -> String {
    format!("{detector}-peers")
}

/// The host name and port at which the pods find each other.
pub fn address(plan: &Plan) -> String {
    format!("{}.{}.svc:{METRICS_PORT}", name(&plan.name()), plan.namespace)
}
