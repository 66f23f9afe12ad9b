//! The steps of a detector in, whether its pods may be replaced now out: how many do so at once is limited.

use serde_json::Value;

use super::drift;
use super::step::Step;
use crate::client::context::Context;
use crate::client::rollouts::{self, Place};
use crate::plan::Plan;
use crate::resources::Kind;

/// Whether the pods may be as the steps make them.
pub enum Turn {
    /// None of them is replaced, or it may be at any time.
    NotNeeded,
    /// They have a place among those that are replaced now.
    Now(#[allow(dead_code, reason = "held until it is dropped")] Place),
    /// Too many others are being replaced.
    Later,
}

/// Steps and the stored Deployment -> whether the pods may be replaced now.
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
