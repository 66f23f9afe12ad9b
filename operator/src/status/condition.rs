//! The states of conditions in, conditions with times in the format of the API out.

use crd::status::{ConditionType, Reason};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

/// The status, reason and message of one condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConditionState {
    /// Whether the condition holds.
    pub status: ConditionStatus,
    /// The reason, for programs.
    pub reason: Reason,
    /// The explanation, for people.
    pub message: String,
}

/// Whether a condition holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConditionStatus {
    /// The condition holds.
    True,
    /// The condition does not hold.
    False,
    /// It is not known whether the condition holds.
    Unknown,
}

impl ConditionStatus {
    /// The `status` field.
    pub fn name(self) -> String {
        format!("{self:?}")
    }
}

impl ConditionState {
    /// A condition that holds.
    pub fn yes(reason: Reason, message: impl Into<String>) -> Self {
        Self { status: ConditionStatus::True, reason, message: message.into() }
    }

    /// A condition that does not hold.
    pub fn no(reason: Reason, message: impl Into<String>) -> Self {
        Self { status: ConditionStatus::False, reason, message: message.into() }
    }
}

/// Convert states to conditions of the API. A condition whose status has not changed keeps its transition
/// time; any other gets `now`, in whole seconds.
pub fn dated(
    states: Vec<(ConditionType, ConditionState)>,
    generation: Option<i64>,
    before: &[Condition],
    now: Timestamp,
) -> Vec<Condition> {
    let whole = Timestamp::from_second(now.as_second()).expect("a timestamp without its fraction is one");
    let dated = |(type_, state): (ConditionType, ConditionState)| {
        let unchanged = type_.find(before).filter(|condition| condition.status == state.status.name());
        Condition {
            type_: type_.name(),
            status: state.status.name(),
            reason: state.reason.name(),
            message: state.message,
            observed_generation: generation,
            last_transition_time: unchanged
                .map_or(Time(whole), |condition| condition.last_transition_time.clone()),
        }
    };
    states.into_iter().map(dated).collect()
}
