//! A plan in, the headless Service by which replicas find each other out: none where nobody is notified of events.
//!
//! Its name stands for the address of each pod that is ready. So replicas agree, without asking the API server, on which of
//! them sends a notification.

use crd::contract::METRICS_PORT;
use k8s_openapi::api::core::v1::{Service, ServicePort, ServiceSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use crate::plan::Plan;

/// The Service.
pub fn build(plan: &Plan) -> Option<Service> {
    // Not called as the metrics port of the other Service is: no ServiceMonitor takes it for that.
    let port = ServicePort {
        name: Some("peers".to_owned()),
        port: METRICS_PORT.into(),
        target_port: Some(IntOrString::Int(METRICS_PORT.into())),
        protocol: Some("TCP".to_owned()),
        ..ServicePort::default()
    };
    let asked = !plan.detector.spec().notifications.is_empty();
    asked.then(|| Service {
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

/// Its name, for the detector of that name.
pub fn name(detector: &str) -> String {
    format!("{detector}-peers")
}

/// Where the pods look for each other.
pub fn address(plan: &Plan) -> String {
    format!("{}.{}.svc:{METRICS_PORT}", name(&plan.name()), plan.namespace)
}
