//! The writes of a detector in, whether its pods may be replaced now out: the number of detectors that do so
//! at once is limited.

use serde_json::Value;

use super::drift;
use super::step::Step;
use crate::client::context::Context;
use crate::client::rollouts::{self, RolloutPermit};
use crate::plan::Plan;
use crate::resources::Kind;

/// Whether the steps may replace the pods of the detector now.
pub enum RolloutDecision {
    /// Yes, without a place in the limit: no pods are replaced, or pods that need not wait (not all of them
    /// answer, or a person is repairing the detector).
    Unlimited,
    /// Yes: the detector has one of the limited places.
    Permitted(#[allow(dead_code, reason = "held until it is dropped")] RolloutPermit),
    /// No: too many other detectors are replacing their pods.
    Queued,
}

/// Decide from the steps and the stored Deployment whether the pods may be replaced now.
pub fn decide_rollout(
    ctx: &Context,
    plan: &Plan,
    steps: &[Step],
    deployment: Option<&Value>,
    is_being_repaired: bool,
) -> RolloutDecision {
    let replaces_pods = |step: &Step| match (step, deployment) {
        (Step::Write { kind: Kind::Deployment, desired, .. }, Some(stored)) => {
            rollouts::all_answer(stored) && drift::replaces_pods(stored, desired)
        }
        _ => false,
    };
    if is_being_repaired || !steps.iter().any(replaces_pods) {
        return RolloutDecision::Unlimited;
    }
    ctx.shared
        .rollouts
        .enter(&plan.namespace, &plan.name())
        .map_or(RolloutDecision::Queued, RolloutDecision::Permitted)
}
