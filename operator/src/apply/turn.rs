//! The writes of a detector in, whether its pods may be replaced now out: the number of detectors that do so
//! at once is limited.

use serde_json::Value;

use super::drift;
use super::step::Step;
use crate::client::context::Context;
use crate::client::rollouts::{self, Place};
use crate::plan::Plan;
use crate::resources::Kind;

/// Whether the steps may replace the pods of the detector now.
pub enum Turn {
    /// Yes, without a place in the limit: no pods are replaced, or pods that need not wait (not all of them
    /// answer, or a person is repairing the detector).
    NotNeeded,
    /// Yes: the detector has one of the limited places.
    Now(#[allow(dead_code, reason = "held until it is dropped")] Place),
    /// No: too many other detectors are replacing their pods.
    Later,
}

/// Decide from the steps and the stored Deployment whether the pods may be replaced now.
pub fn turn(ctx: &Context, plan: &Plan, steps: &[Step], deployment: Option<&Value>, is_mended: bool) -> Turn {
    let replaces_pods = |step: &Step| match (step, deployment) {
        (Step::Write { kind: Kind::Deployment, desired, .. }, Some(stored)) => {
            rollouts::all_answer(stored) && drift::replaces_pods(stored, desired)
        }
        _ => false,
    };
    if is_mended || !steps.iter().any(replaces_pods) {
        return Turn::NotNeeded;
    }
    ctx.shared.rollouts.enter(&plan.namespace, &plan.name()).map_or(Turn::Later, Turn::Now)
}
