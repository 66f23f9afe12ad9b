//! A plan in, the NetworkPolicy of the pods out.

use crd::contract::{METRICS_PORT, PREDICT_PORT};
use k8s_openapi::api::networking::v1::{
    IPBlock, NetworkPolicy, NetworkPolicyEgressRule, NetworkPolicyIngressRule, NetworkPolicyPeer,
    NetworkPolicyPort, NetworkPolicySpec,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use crate::plan::Plan;

/// Where names are asked for.
const DNS: u16 = 53;
/// Every address, and of those the ones where clouds answer with credentials: the link's, and the services of AWS, Google,
/// Alibaba, Azure and Oracle. The detector refuses the same.
const EVERYWHERE: [(&str, &[&str]); 2] = [
    ("0.0.0.0/0", &["169.254.0.0/16", "100.100.100.200/32", "168.63.129.16/32", "192.0.0.0/24"]),
    ("::/0", &["fe80::/10", "fd00:ec2::/32", "fd20:ce::254/128"]),
];

/// Anyone may reach the two ports. The pods reach nobody: simulated and recorded sensors need no network. Only where the
/// spec names an address may they go out.
pub fn build(plan: &Plan) -> NetworkPolicy {
    NetworkPolicy {
        metadata: plan.metadata(),
        spec: Some(NetworkPolicySpec {
            pod_selector: Some(LabelSelector {
                match_labels: Some(plan.selector()),
                ..LabelSelector::default()
            }),
            policy_types: Some(vec!["Ingress".to_owned(), "Egress".to_owned()]),
            ingress: Some(vec![NetworkPolicyIngressRule {
                ports: Some([PREDICT_PORT, METRICS_PORT].map(|number| port("TCP", number)).into()),
                ..NetworkPolicyIngressRule::default()
            }]),
            // Stated though it may be empty: then a rule that somebody else adds is taken away again.
            egress: Some(if names_an_address(plan) { way_out() } else { Vec::new() }),
        }),
    }
}

/// Whether the pods fetch their model, ask a server for readings, or notify somebody of events.
fn names_an_address(plan: &Plan) -> bool {
    let spec = plan.detector.spec();
    let loads = spec.model.load.as_ref().is_some_and(|load| load.url.is_some());
    let asks = plan.detector.sources().iter().any(|source| source.kind.connects());
    loads || asks || !spec.notifications.is_empty()
}

/// To names, and to everywhere but where credentials are. A policy knows no names, and of ports only those behind a Service: it cannot
/// be narrower.
fn way_out() -> Vec<NetworkPolicyEgressRule> {
    let names = NetworkPolicyEgressRule {
        ports: Some(["UDP", "TCP"].map(|protocol| port(protocol, DNS)).into()),
        ..NetworkPolicyEgressRule::default()
    };
    let pods = NetworkPolicyPeer {
        namespace_selector: Some(LabelSelector::default()),
        ..NetworkPolicyPeer::default()
    };
    let blocks = EVERYWHERE.map(|(all, refused)| NetworkPolicyPeer {
        ip_block: Some(IPBlock {
            cidr: all.to_owned(),
            except: Some(refused.iter().map(|&network| network.to_owned()).collect()),
        }),
        ..NetworkPolicyPeer::default()
    });
    let everywhere = NetworkPolicyEgressRule {
        to: Some([pods].into_iter().chain(blocks).collect()),
        ..NetworkPolicyEgressRule::default()
    };
    vec![names, everywhere]
}

fn port(protocol: &str, number: u16) -> NetworkPolicyPort {
    NetworkPolicyPort {
        port: Some(IntOrString::Int(number.into())),
        protocol: Some(protocol.to_owned()),
        ..NetworkPolicyPort::default()
    }
}
