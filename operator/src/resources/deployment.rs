//! A plan in, the Deployment of the detector's pods out. The pods meet the restricted Pod Security Standard.

use std::collections::BTreeMap;

use crd::contract::{
    CA_DIRECTORY, CA_FILE, CONFIG_DIRECTORY, CONFIG_FILE, DATA_DIRECTORY, METRICS_PORT, METRICS_PORT_NAME,
    MODEL_DIRECTORY, MODEL_FILE, PREDICT_PORT, PREDICT_PORT_NAME, STATE_DIRECTORY,
};
use crd::memory::{Memory, quantity};
use k8s_openapi::api::apps::v1::{Deployment, DeploymentSpec, DeploymentStrategy, RollingUpdateDeployment};
use k8s_openapi::api::core::v1::{
    Capabilities, Container, ContainerPort, EnvVar, EnvVarSource, HTTPGetAction, LocalObjectReference,
    ObjectFieldSelector, PodSecurityContext, PodSpec, PodTemplateSpec, Probe, ResourceRequirements,
    SeccompProfile, SecurityContext, TopologySpreadConstraint,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::peers;
use super::volumes::{self, Mounted};
use crate::plan::Plan;

/// The name of the pods' container.
pub const CONTAINER: &str = "detector";
/// The annotation of pods with the hash of their manifest. A change of it rolls the pods.
pub const CONFIG_HASH: &str = "anomaly.dev/config";

/// The user and group of the pods, without privileges: the image's own user.
const USER: i64 = 65_532;

/// Build the Deployment. `config_hash` is the hash of the manifest that the pods read at their start.
pub fn build(plan: &Plan, config_hash: &str) -> Deployment {
    let mut metadata = plan.metadata();
    metadata.annotations = Some(plan.history.annotations());
    Deployment {
        metadata,
        spec: Some(DeploymentSpec {
            replicas: Some(plan.replicas),
            selector: LabelSelector { match_labels: Some(plan.selector()), ..LabelSelector::default() },
            paused: Some(false),
            strategy: Some(one_more_before_one_less()),
            revision_history_limit: Some(3),
            template: PodTemplateSpec {
                metadata: Some(ObjectMeta {
                    labels: Some(pod_labels(plan)),
                    annotations: Some(pod_annotations(plan, config_hash)),
                    ..ObjectMeta::default()
                }),
                spec: Some(pod(plan)),
            },
            ..DeploymentSpec::default()
        }),
        ..Deployment::default()
    }
}

/// Create a new pod, and delete an old one only once the new one is ready.
fn one_more_before_one_less() -> DeploymentStrategy {
    DeploymentStrategy {
        type_: Some("RollingUpdate".to_owned()),
        rolling_update: Some(RollingUpdateDeployment {
            max_surge: Some(IntOrString::Int(1)),
            max_unavailable: Some(IntOrString::Int(0)),
        }),
    }
}

/// The labels of the spec, and those by which the operator finds its pods.
fn pod_labels(plan: &Plan) -> BTreeMap<String, String> {
    let mut labels = plan.detector.spec().pod.labels.clone();
    labels.extend(plan.pod_labels());
    labels
}

fn pod_annotations(plan: &Plan, config_hash: &str) -> BTreeMap<String, String> {
    let scrape =
        [("scrape", "true".to_owned()), ("port", METRICS_PORT.to_string()), ("path", "/metrics".to_owned())];
    let mut annotations: BTreeMap<_, _> =
        scrape.map(|(key, value)| (format!("prometheus.io/{key}"), value)).into_iter().collect();
    annotations.extend(plan.detector.spec().pod.annotations.clone());
    annotations.insert(CONFIG_HASH.to_owned(), config_hash.to_owned());
    annotations
}

fn pod(plan: &Plan) -> PodSpec {
    let pod = &plan.detector.spec().pod;
    PodSpec {
        automount_service_account_token: Some(false),
        // The pods need no environment variables for other Services, and too many of them keep a pod from
        // starting.
        enable_service_links: Some(false),
        service_account_name: Some(pod.service_account_name.clone().unwrap_or_else(|| plan.name())),
        priority_class_name: pod.priority_class_name.clone(),
        runtime_class_name: pod.runtime_class_name.clone(),
        // Set although they are defaults or empty: then server-side apply removes what another writer adds.
        host_network: Some(false),
        host_pid: Some(false),
        host_ipc: Some(false),
        node_selector: Some(pod.node_selector.clone()),
        tolerations: Some(pod.tolerations.clone()),
        affinity: pod.affinity.clone(),
        topology_spread_constraints: Some(topology_spread(plan)),
        image_pull_secrets: Some(pull_secrets(plan)).filter(|secrets| !secrets.is_empty()),
        security_context: Some(PodSecurityContext {
            run_as_non_root: Some(true),
            run_as_user: Some(USER),
            run_as_group: Some(USER),
            fs_group: Some(USER),
            seccomp_profile: Some(SeccompProfile {
                type_: "RuntimeDefault".to_owned(),
                ..SeccompProfile::default()
            }),
            ..PodSecurityContext::default()
        }),
        termination_grace_period_seconds: Some(30),
        containers: vec![container(plan)],
        volumes: Some(
            volumes::of(plan).into_iter().map(Mounted::volume).chain(volumes::of_spec(plan)).collect(),
        ),
        ..PodSpec::default()
    }
}

fn pull_secrets(plan: &Plan) -> Vec<LocalObjectReference> {
    let secrets = plan.detector.spec().pod.image_pull_secrets.iter();
    secrets.map(|secret| LocalObjectReference { name: secret.name.clone() }).collect()
}

/// The spec's constraints, which count the detector's own pods unless they have a label selector; else one
/// constraint for nodes and one for zones.
fn topology_spread(plan: &Plan) -> Vec<TopologySpreadConstraint> {
    let constraints = &plan.detector.spec().pod.topology_spread_constraints;
    if constraints.is_empty() {
        return ["kubernetes.io/hostname", "topology.kubernetes.io/zone"].map(|key| spread(plan, key)).into();
    }
    let counted = |constraint: &TopologySpreadConstraint| TopologySpreadConstraint {
        label_selector: constraint.label_selector.clone().or_else(|| spread(plan, "").label_selector),
        ..constraint.clone()
    };
    constraints.iter().map(counted).collect()
}

/// A constraint that spreads replicas over the topology where possible, and lets them share a node or zone
/// where not.
fn spread(plan: &Plan, topology_key: &str) -> TopologySpreadConstraint {
    TopologySpreadConstraint {
        topology_key: topology_key.to_owned(),
        max_skew: 1,
        when_unsatisfiable: "ScheduleAnyway".to_owned(),
        label_selector: Some(LabelSelector {
            match_labels: Some(plan.selector()),
            ..LabelSelector::default()
        }),
        ..TopologySpreadConstraint::default()
    }
}

fn container(plan: &Plan) -> Container {
    Container {
        name: CONTAINER.to_owned(),
        image: Some(plan.image.clone()),
        image_pull_policy: plan.pull_policy.map(crate::settings::PullPolicy::name),
        command: Some(Vec::new()),
        args: Some(arguments()),
        env: Some(environment(plan)),
        env_from: Some(Vec::new()),
        ports: Some(vec![port(PREDICT_PORT_NAME, PREDICT_PORT), port(METRICS_PORT_NAME, METRICS_PORT)]),
        resources: Some(resources(plan)),
        // A pod is Ready within a second of its model. After that it is probed rarely: with 200 detectors on
        // a node, one probe a second each takes half a CPU. A process that does not answer yet has five
        // minutes to start.
        startup_probe: Some(probe("/startupz", 1, 300)),
        liveness_probe: Some(probe("/livez", 10, 3)),
        readiness_probe: Some(probe("/readyz", 5, 2)),
        security_context: Some(SecurityContext {
            allow_privilege_escalation: Some(false),
            capabilities: Some(Capabilities { drop: Some(vec!["ALL".to_owned()]), add: Some(Vec::new()) }),
            privileged: Some(false),
            read_only_root_filesystem: Some(true),
            ..SecurityContext::default()
        }),
        // The last log lines show why a container ended, and the detector's status repeats them.
        termination_message_policy: Some("FallbackToLogsOnError".to_owned()),
        volume_mounts: Some(
            volumes::of(plan).iter().map(Mounted::mount).chain(volumes::mounts_of_spec(plan)).collect(),
        ),
        ..Container::default()
    }
}

/// The command of `detector run` as on a laptop, with the paths of the files that outlive a container.
fn arguments() -> Vec<String> {
    let manifest = format!("{CONFIG_DIRECTORY}/{CONFIG_FILE}");
    let model = format!("{MODEL_DIRECTORY}/{MODEL_FILE}");
    ["run", &manifest, "--stored-model", &model, "--state", STATE_DIRECTORY].map(str::to_owned).into()
}

/// The environment of the container: JSON logs; a drain time in which requests are still answered while the
/// endpoint is being removed; the one directory for recorded files; the spec's certificate authorities; the
/// networks that the operator allows; the address by which replicas find each other.
fn environment(plan: &Plan) -> Vec<EnvVar> {
    let spec = plan.detector.spec();
    let mut environment = vec![
        variable("DETECTOR_LOG", "json"),
        variable("DETECTOR_DRAIN", "5s"),
        variable("DETECTOR_DATA", DATA_DIRECTORY),
    ];
    if spec.pod.ca_bundle.is_some() {
        environment.push(variable("DETECTOR_CA_BUNDLE", &format!("{CA_DIRECTORY}/{CA_FILE}")));
    }
    if !plan.allowed_addresses.is_empty() {
        let allowed: Vec<String> = plan.allowed_addresses.iter().map(ToString::to_string).collect();
        environment.push(variable("DETECTOR_ALLOW_ADDRESS", &allowed.join(",")));
    }
    if !spec.notifications.is_empty() {
        environment.push(variable("DETECTOR_PEERS", &peers::address(plan)));
        environment.push(from_field("DETECTOR_POD_IP", "status.podIP"));
    }
    environment
}

fn from_field(name: &str, path: &str) -> EnvVar {
    let field = ObjectFieldSelector { field_path: path.to_owned(), ..ObjectFieldSelector::default() };
    let source = EnvVarSource { field_ref: Some(field), ..EnvVarSource::default() };
    EnvVar { name: name.to_owned(), value_from: Some(source), ..EnvVar::default() }
}

fn variable(name: &str, value: &str) -> EnvVar {
    EnvVar { name: name.to_owned(), value: Some(value.to_owned()), ..EnvVar::default() }
}

fn port(name: &str, number: u16) -> ContainerPort {
    ContainerPort {
        name: Some(name.to_owned()),
        container_port: number.into(),
        protocol: Some("TCP".to_owned()),
        ..ContainerPort::default()
    }
}

fn probe(path: &str, period_seconds: i32, failure_threshold: i32) -> Probe {
    Probe {
        http_get: Some(HTTPGetAction {
            path: Some(path.to_owned()),
            port: IntOrString::String(METRICS_PORT_NAME.to_owned()),
            ..HTTPGetAction::default()
        }),
        period_seconds: Some(period_seconds),
        failure_threshold: Some(failure_threshold),
        timeout_seconds: Some(2),
        ..Probe::default()
    }
}

/// The resources of the spec, as a whole; else an estimate from the numbers of sensors, samples and trees.
fn resources(plan: &Plan) -> ResourceRequirements {
    let quantities = |list: &BTreeMap<String, IntOrString>| {
        let quantity = |amount: &IntOrString| match amount {
            IntOrString::Int(amount) => Quantity(amount.to_string()),
            IntOrString::String(amount) => Quantity(amount.clone()),
        };
        let list: BTreeMap<_, _> =
            list.iter().map(|(name, amount)| (name.clone(), quantity(amount))).collect();
        Some(list).filter(|list| !list.is_empty())
    };
    let list_of = |list: &[(&str, &str)]| {
        Some(list.iter().map(|(name, amount)| ((*name).to_owned(), Quantity((*amount).to_owned()))).collect())
    };
    let (requests, limits) = if let Some(resources) = &plan.detector.spec().pod.resources {
        (quantities(&resources.requests), quantities(&resources.limits))
    } else {
        let memory = Memory::of_spec(plan.detector.spec());
        let (request, limit) = (quantity(memory.request()), quantity(memory.limit()));
        (list_of(&[("cpu", "10m"), ("memory", &request)]), list_of(&[("memory", &limit)]))
    };
    ResourceRequirements { requests, limits, ..ResourceRequirements::default() }
}
