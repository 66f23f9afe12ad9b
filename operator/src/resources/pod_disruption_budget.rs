//! A plan in, the PodDisruptionBudget out, where there is more than one pod.

use k8s_openapi::api::policy::v1::{PodDisruptionBudget, PodDisruptionBudgetSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use crate::plan::Plan;

/// Build the budget: one pod may be evicted at a time. A single pod gets none, because it would only block
/// the drain of its node.
pub fn build(plan: &Plan) -> Option<PodDisruptionBudget> {
    (plan.replicas > 1).then(|| PodDisruptionBudget {
        metadata: plan.metadata(),
        spec: Some(PodDisruptionBudgetSpec {
            max_unavailable: Some(IntOrString::Int(1)),
            selector: Some(LabelSelector { match_labels: Some(plan.selector()), ..LabelSelector::default() }),
            // A pod that is not ready may always be evicted, so that a broken detector never blocks a drain.
            unhealthy_pod_eviction_policy: Some("AlwaysAllow".to_owned()),
            ..PodDisruptionBudgetSpec::default()
        }),
        ..PodDisruptionBudget::default()
    })
}
