//! A plan in, the NetworkPolicy of the pods out.

use crd::contract::{METRICS_PORT, PREDICT_PORT};
use k8s_openapi::api::networking::v1::{
    IPBlock, NetworkPolicy, NetworkPolicyEgressRule, NetworkPolicyIngressRule, NetworkPolicyPeer,
    NetworkPolicyPort, NetworkPolicySpec,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use crate::plan::Plan;

/// The port of DNS servers.
const DNS: u16 = 53;
/// All addresses, each range with its exceptions: networks in which clouds return credentials, namely
/// link-local addresses and the services of AWS, Google, Alibaba, Azure and Oracle. The detector refuses the
/// same ones.
const EVERYWHERE: [(&str, &[&str]); 2] = [
    ("0.0.0.0/0", &["169.254.0.0/16", "100.100.100.200/32", "168.63.129.16/32", "192.0.0.0/24"]),
    ("::/0", &["fe80::/10", "fd00:ec2::/32", "fd20:ce::254/128"]),
];

/// Build the policy. Every client may reach the two ports. The pods may connect to nothing unless the spec
/// names an address, because simulated and recorded sensors need no network.
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
            // Set although it may be empty: then server-side apply removes a rule that another writer adds.
            egress: Some(if names_an_address(plan) { way_out() } else { Vec::new() }),
        }),
    }
}

/// Whether the pods fetch their model, connect to a server for readings, or send notifications.
fn names_an_address(plan: &Plan) -> bool {
    let spec = plan.detector.spec();
    let loads = spec.model.load.as_ref().is_some_and(|load| load.url.is_some());
    let connects = plan.detector.sources().iter().any(|source| source.kind.connects());
    loads || connects || !spec.notifications.is_empty()
}

/// The rules for outgoing traffic: DNS, and every address except those where clouds return credentials. A
/// policy cannot be narrower: it knows no host names, and of a Service only the ports behind it.
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
