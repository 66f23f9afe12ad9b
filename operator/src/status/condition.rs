//! One condition: its status, reason and message in; found, dated and written as the API wants it out.

use crd::status::{ConditionType, Reason};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

/// What a condition says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConditionState {
    /// Whether it is so.
    pub status: ConditionStatus,
    /// Why, for programs.
    pub reason: Reason,
    /// Why, for people.
    pub message: String,
}

/// Whether something is so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConditionStatus {
    /// It is.
    True,
    /// It is not.
    False,
    /// Nobody has said.
    Unknown,
}

impl ConditionStatus {
    /// The `status` field.
    pub fn name(self) -> String {
        format!("{self:?}")
    }
}

impl ConditionState {
    /// It is so.
    pub fn yes(reason: Reason, message: impl Into<String>) -> Self {
        Self { status: ConditionStatus::True, reason, message: message.into() }
    }

    /// It is not so.
    pub fn no(reason: Reason, message: impl Into<String>) -> Self {
        Self { status: ConditionStatus::False, reason, message: message.into() }
    }
}

/// Conditions whose status is the one before keep its time.
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
