//! A Deployment and its pods in, why the pods do not run out, in words that a person can act on.

use std::sync::Arc;

use crd::status::Reason;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ContainerState, ContainerStateTerminated, ContainerStatus, Pod};
use kube::ResourceExt;

/// The longest quote of a message from the cluster or a container, in characters.
const MAX_QUOTE: usize = 400;

/// Why pods do not run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodDiagnosis {
    /// The reason of the conditions.
    pub reason: Reason,
    /// What happened, and what would help.
    pub message: String,
}

/// Return the first diagnosis found: why no pods of the newest version can be created, else why the newest
/// pods do not run.
pub fn of(deployment: &Deployment, pods: &[Arc<Pod>]) -> Option<PodDiagnosis> {
    let staying = pods.iter().rev().filter(|pod| pod.metadata.deletion_timestamp.is_none());
    of_making_pods(deployment).or_else(|| staying.into_iter().find_map(|pod| of_pod(pod)))
}

fn of_pod(pod: &Pod) -> Option<PodDiagnosis> {
    let status = pod.status.as_ref()?;
    let containers = status.container_statuses.iter().flatten();
    containers
        .into_iter()
        .find_map(|container| of_container(&pod.name_any(), container))
        .or_else(|| of_scheduling(pod))
}

fn of_container(pod: &str, container: &ContainerStatus) -> Option<PodDiagnosis> {
    let waiting = container.state.as_ref()?.waiting.as_ref();
    let details = quoted(waiting.and_then(|waiting| waiting.message.as_deref()).unwrap_or("no details"));
    let (reason, message) = match waiting.and_then(|waiting| waiting.reason.as_deref()).unwrap_or_default() {
        "ImagePullBackOff"
        | "ErrImagePull"
        | "InvalidImageName"
        | "ErrImageNeverPull"
        | "RegistryUnavailable" => {
            let image = &container.image;
            let help = "check the operator's detector image, and that the node reaches its registry";
            (Reason::ImagePullFailed, format!("pod {pod} cannot pull {image}: {details}; {help}"))
        }
        "CreateContainerConfigError" | "CreateContainerError" | "RunContainerError" => {
            (Reason::ContainerConfigInvalid, format!("pod {pod} cannot start its container: {details}"))
        }
        _ => return of_ended(pod, container),
    };
    Some(PodDiagnosis { reason, message })
}

/// The diagnosis of a container that has ended with an error and is not ready now.
fn of_ended(pod: &str, container: &ContainerStatus) -> Option<PodDiagnosis> {
    let ended = |state: Option<&ContainerState>| state?.terminated.clone();
    let ended = ended(container.state.as_ref()).or_else(|| ended(container.last_state.as_ref()))?;
    if container.ready || ended.exit_code == 0 {
        return None;
    }
    let (reason, message) = if ended.reason.as_deref() == Some("OOMKilled") {
        let help = "raise spec.pod.resources.limits.memory, or train on fewer samples";
        (Reason::OutOfMemory, format!("pod {pod} was killed for using more memory than its limit; {help}"))
    } else {
        (Reason::CrashLooping, format!("pod {pod} ends repeatedly, {}", last_words(&ended)))
    };
    Some(PodDiagnosis { reason, message })
}

fn last_words(ended: &ContainerStateTerminated) -> String {
    let code = ended.exit_code;
    match ended.message.as_deref().map(str::trim).filter(|message| !message.is_empty()) {
        Some(message) => format!("with exit code {code}: {}", quoted(message)),
        None => format!("with exit code {code}; `kubectl logs --previous` may say why"),
    }
}

fn of_scheduling(pod: &Pod) -> Option<PodDiagnosis> {
    let conditions = pod.status.as_ref()?.conditions.as_ref()?;
    let scheduled = conditions.iter().find(|condition| condition.type_ == "PodScheduled")?;
    if scheduled.status != "False" || scheduled.reason.as_deref() != Some("Unschedulable") {
        return None;
    }
    let details = quoted(scheduled.message.as_deref().unwrap_or("no details"));
    let help = "add nodes, or request less in spec.pod (resources, nodeSelector, affinity, tolerations)";
    let message = format!("no node can run pod {}: {details}; {help}", pod.name_any());
    Some(PodDiagnosis { reason: Reason::Unschedulable, message })
}

fn of_making_pods(deployment: &Deployment) -> Option<PodDiagnosis> {
    let conditions = deployment.status.as_ref()?.conditions.as_ref()?;
    let failure = conditions
        .iter()
        .find(|condition| condition.type_ == "ReplicaFailure" && condition.status == "True")?;
    let details = quoted(failure.message.as_deref().unwrap_or("no details"));
    let help = "change the quota, limits or policies of the namespace, or what spec.pod requests";
    let message = format!("the cluster refuses to create the pods: {details}; {help}");
    Some(PodDiagnosis { reason: Reason::PodsForbidden, message })
}

/// Return a message on one line, without its final full stop, since our sentences have none. A long message
/// is cut to its beginning, which names the event, and its end, which often names the cause.
fn quoted(message: &str) -> String {
    let line = message.split_whitespace().collect::<Vec<_>>().join(" ");
    let line = line.trim_end_matches('.');
    let length = line.chars().count();
    if length <= MAX_QUOTE {
        return line.to_owned();
    }
    let half = MAX_QUOTE / 2;
    let beginning: String = line.chars().take(half).collect();
    let end: String = line.chars().skip(length - half).collect();
    format!("{beginning} ... {end}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_message_keeps_its_beginning_and_its_end() {
        let long = format!("error: {}: no such file.", "x".repeat(1000));
        let quote = quoted(&long);
        assert!(quote.starts_with("error: x") && quote.ends_with("x: no such file"), "{quote}");
        assert!(quote.chars().count() <= MAX_QUOTE + 5);
        assert_eq!(quoted(" short\n one. "), "short one");
    }
}
