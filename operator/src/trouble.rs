//! A Deployment and its pods in, what keeps the pods from running out, in words that a person can act on.

use std::sync::Arc;

use crd::status::Reason;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ContainerStateTerminated, ContainerStatus, Pod};
use kube::ResourceExt;

/// The longest part of somebody else's message that is repeated, in characters.
const LONGEST_QUOTE: usize = 400;

/// What keeps pods from running.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// The reason of the conditions.
    pub reason: Reason,
    /// What happened, and what would help.
    pub message: String,
}

impl Trouble {
    fn new(reason: Reason, message: String) -> Option<Self> {
        Some(Self { reason, message })
    }
}

/// The first trouble found: in making pods of the newest version at all, else in the newest pods.
pub fn of(deployment: &Deployment, pods: &[Arc<Pod>]) -> Option<Trouble> {
    let staying = pods.iter().rev().filter(|pod| pod.metadata.deletion_timestamp.is_none());
    of_making_pods(deployment).or_else(|| staying.filter_map(|pod| of_pod(pod)).next())
}

fn of_pod(pod: &Pod) -> Option<Trouble> {
    let status = pod.status.as_ref()?;
    let containers = status.container_statuses.iter().flatten();
    containers
        .filter_map(|container| of_container(&pod.name_any(), container))
        .next()
        .or_else(|| of_scheduling(pod))
}

fn of_container(pod: &str, container: &ContainerStatus) -> Option<Trouble> {
    let state = container.state.as_ref()?;
    let waiting = state.waiting.as_ref();
    let says = waiting.and_then(|waiting| waiting.message.as_deref()).map_or("no details", |message| message);
    let says = quoted(says);
    match waiting.and_then(|waiting| waiting.reason.as_deref()).unwrap_or_default() {
        "ImagePullBackOff"
        | "ErrImagePull"
        | "InvalidImageName"
        | "ErrImageNeverPull"
        | "RegistryUnavailable" => Trouble::new(
            Reason::ImagePullFailed,
            format!(
                "pod {pod} cannot pull {}: {says}; check the operator's detector image, and that the node reaches \
                     its registry",
                container.image
            ),
        ),
        "CreateContainerConfigError" | "CreateContainerError" | "RunContainerError" => Trouble::new(
            Reason::ContainerConfigInvalid,
            format!("pod {pod} cannot start its container: {says}"),
        ),
        _ => of_ended(pod, container),
    }
}

/// A container that has ended badly, and does not answer now.
fn of_ended(pod: &str, container: &ContainerStatus) -> Option<Trouble> {
    let ended = |state: Option<&k8s_openapi::api::core::v1::ContainerState>| state?.terminated.clone();
    let ended = ended(container.state.as_ref()).or_else(|| ended(container.last_state.as_ref()))?;
    if container.ready || ended.exit_code == 0 {
        return None;
    }
    if ended.reason.as_deref() == Some("OOMKilled") {
        return Trouble::new(
            Reason::OutOfMemory,
            format!(
                "pod {pod} was killed for using more memory than its limit; raise spec.pod.resources.limits.memory, or \
                 learn from fewer samples"
            ),
        );
    }
    Trouble::new(Reason::CrashLooping, format!("pod {pod} ends again and again, {}", last_words(&ended)))
}

fn last_words(ended: &ContainerStateTerminated) -> String {
    let code = ended.exit_code;
    match ended.message.as_deref().map(str::trim).filter(|message| !message.is_empty()) {
        Some(message) => format!("with exit code {code}: {}", quoted(message)),
        None => format!("with exit code {code}; `kubectl logs --previous` may say why"),
    }
}

fn of_scheduling(pod: &Pod) -> Option<Trouble> {
    let conditions = pod.status.as_ref()?.conditions.as_ref()?;
    let scheduled = conditions.iter().find(|condition| condition.type_ == "PodScheduled")?;
    if scheduled.status != "False" || scheduled.reason.as_deref() != Some("Unschedulable") {
        return None;
    }
    let says = quoted(scheduled.message.as_deref().unwrap_or("no details"));
    Trouble::new(
        Reason::Unschedulable,
        format!(
            "no node can take pod {}: {says}; add nodes, or ask for less in spec.pod (resources, nodeSelector, \
             affinity, tolerations)",
            pod.name_any()
        ),
    )
}

fn of_making_pods(deployment: &Deployment) -> Option<Trouble> {
    let conditions = deployment.status.as_ref()?.conditions.as_ref()?;
    let failure = conditions
        .iter()
        .find(|condition| condition.type_ == "ReplicaFailure" && condition.status == "True")?;
    let says = quoted(failure.message.as_deref().unwrap_or("no details"));
    Trouble::new(
        Reason::PodsForbidden,
        format!(
            "the cluster refuses to make the pods: {says}; raise the quota or limits of the namespace, or ask for less in spec.pod"
        ),
    )
}

/// The last part of a message, on one line, without the full stop that our sentences do without.
fn quoted(message: &str) -> String {
    let line = message.split_whitespace().collect::<Vec<_>>().join(" ");
    let line = line.trim_end_matches('.');
    let length = line.chars().count();
    if length <= LONGEST_QUOTE {
        return line.to_owned();
    }
    let end: String = line.chars().skip(length - LONGEST_QUOTE).collect();
    format!("...{end}")
}
