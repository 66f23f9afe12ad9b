//! A Deployment in, how far its pods are on their way to what was asked out.

use k8s_openapi::api::apps::v1::Deployment;

use crate::observe::Observed;
use crate::observe::pod_diagnosis::{self, PodDiagnosis};

/// How far the pods are. The default stands for no Deployment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "each is a fact of its own, in any combination")]
pub struct Rollout {
    /// There is a Deployment.
    pub has_started: bool,
    /// Pods that were asked for.
    pub wanted: i32,
    /// Pods that the spec asks for besides, once the first has trained.
    pub held_back: i32,
    /// Pods that there are, of any version.
    pub replicas: i32,
    /// Pods of the newest version.
    pub updated: i32,
    /// Pods that answer.
    pub ready: i32,
    /// The pods answer, and the Service leads to none of them.
    pub is_unreachable: bool,
    /// All is as asked: nothing old is left, and all that is new answers.
    pub is_complete: bool,
    /// The Deployment's controller has given up hope.
    pub is_overdue: bool,
    /// What keeps pods from running, while they are not as asked.
    pub diagnosis: Option<PodDiagnosis>,
}

impl Rollout {
    /// From what is seen. `asked`: the spec's number of pods.
    pub fn of(observed: &Observed, asked: i32) -> Self {
        let Some(deployment) = &observed.deployment else { return Self::default() };
        let status = deployment.status.clone().unwrap_or_default();
        let wanted = deployment.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1);
        let [replicas, updated, ready, available] =
            [status.replicas, status.updated_replicas, status.ready_replicas, status.available_replicas]
                .map(Option::unwrap_or_default);
        let is_seen = status.observed_generation >= deployment.metadata.generation;
        let held_back = (asked - wanted).max(0);
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
