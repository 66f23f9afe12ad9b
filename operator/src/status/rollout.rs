//! A Deployment in, the progress of its pods towards the desired state out.

use k8s_openapi::api::apps::v1::Deployment;

use crate::observe::Observed;
use crate::observe::pod_diagnosis::{self, PodDiagnosis};

/// The progress of the pods. The default is that of a missing Deployment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "the flags are independent of each other")]
pub struct Rollout {
    /// Whether there is a Deployment.
    pub has_started: bool,
    /// The number of pods that the Deployment asks for.
    pub wanted: i32,
    /// The number of further pods that the spec asks for, which start once the first pod has trained.
    pub held_back: i32,
    /// The number of existing pods, of any version.
    pub replicas: i32,
    /// The number of pods of the newest version.
    pub updated: i32,
    /// The number of pods that are ready.
    pub ready: i32,
    /// Whether pods are ready, but the Service has no ready endpoints.
    pub is_unreachable: bool,
    /// Whether the pods are as specified: no old pod is left, and all new pods are available.
    pub is_complete: bool,
    /// Whether the Deployment's progress deadline is exceeded.
    pub is_overdue: bool,
    /// Why pods do not run, while they are not as specified.
    pub diagnosis: Option<PodDiagnosis>,
}

impl Rollout {
    /// Derive the progress from the observed workload. `specified` is the spec's number of pods.
    pub fn of(observed: &Observed, specified: i32) -> Self {
        let Some(deployment) = &observed.deployment else { return Self::default() };
        let status = deployment.status.clone().unwrap_or_default();
        let wanted = deployment.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1);
        let [replicas, updated, ready, available] =
            [status.replicas, status.updated_replicas, status.ready_replicas, status.available_replicas]
                .map(Option::unwrap_or_default);
        let is_seen = status.observed_generation >= deployment.metadata.generation;
        let held_back = (specified - wanted).max(0);
        let is_complete =
            is_seen && held_back == 0 && [replicas, updated, available].iter().all(|count| *count == wanted);
        Self {
            has_started: true,
            wanted,
            held_back,
            replicas,
            updated: if is_seen { updated } else { 0 },
            ready,
            is_unreachable: ready > 0 && observed.endpoints == Some(0),
            is_complete,
            is_overdue: is_overdue(deployment),
            diagnosis: if is_complete { None } else { pod_diagnosis::of(deployment, &observed.pods) },
        }
    }
}

fn is_overdue(deployment: &Deployment) -> bool {
    let conditions = deployment.status.iter().flat_map(|status| status.conditions.iter().flatten());
    conditions.into_iter().any(|condition| {
        condition.type_ == "Progressing" && condition.reason.as_deref() == Some("ProgressDeadlineExceeded")
    })
}
