//! Outcome, rollout and reports in, what each condition says out.

use crd::status::{AnomalyDetectorStatus, ConditionType, Reason};

use super::reports::Reported;
use super::rollout::Rollout;
use super::{Outcome, find};

/// What a condition says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Saying {
    /// Whether it is so.
    pub status: Truth,
    /// Why, for programs.
    pub reason: Reason,
    /// Why, for people.
    pub message: String,
}

/// Whether something is so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Truth {
    /// It is.
    True,
    /// It is not.
    False,
    /// Nobody has said.
    Unknown,
}

impl Truth {
    /// The `status` field.
    pub fn name(self) -> String {
        format!("{self:?}")
    }
}

impl Saying {
    /// It is so.
    pub fn yes(reason: Reason, message: impl Into<String>) -> Self {
        Self { status: Truth::True, reason, message: message.into() }
    }

    /// It is not so.
    pub fn no(reason: Reason, message: impl Into<String>) -> Self {
        Self { status: Truth::False, reason, message: message.into() }
    }
}

/// Every condition, Ready first. Stalled is there only while it is so.
pub fn of(
    outcome: &Outcome,
    rollout: &Rollout,
    reported: &Reported,
    monitoring: Option<Saying>,
    before: &AnomalyDetectorStatus,
) -> Vec<(ConditionType, Saying)> {
    let known = |type_, saying: &Option<Saying>| {
        saying.clone().or_else(|| kept(type_, reported, before)).unwrap_or_else(no_report)
    };
    let model_ready = known(ConditionType::ModelReady, &reported.model_ready);
    let sources_connected = known(ConditionType::SourcesConnected, &reported.sources_connected);
    let monitoring = monitoring.or_else(|| said(ConditionType::MonitoringConfigured, before));
    let monitoring = monitoring.unwrap_or_else(not_yet);
    let mut sayings = vec![
        (ConditionType::Ready, ready(outcome, rollout, &model_ready, &sources_connected)),
        (ConditionType::Accepted, accepted(outcome)),
        (ConditionType::ModelReady, model_ready),
        (ConditionType::SourcesConnected, sources_connected),
        (ConditionType::MonitoringConfigured, monitoring),
        (ConditionType::Available, available(rollout)),
        (ConditionType::Progressing, progressing(outcome, rollout)),
    ];
    sayings.extend(stalled(outcome, rollout).map(|saying| (ConditionType::Stalled, saying)));
    sayings
}

/// The first thing that is not as asked, else that all is.
fn ready(outcome: &Outcome, rollout: &Rollout, model_ready: &Saying, sources_connected: &Saying) -> Saying {
    let accepted = accepted(outcome);
    if accepted.status != Truth::True {
        return accepted;
    }
    if let Outcome::Failed { message } = outcome {
        return Saying::no(Reason::ApplyFailed, message.clone());
    }
    if rollout.is_complete && rollout.wanted == 0 {
        return Saying::yes(Reason::ScaledToZero, "no pods are asked for: nothing is watched");
    }
    if let Some(trouble) = &rollout.trouble {
        return Saying::no(trouble.reason, trouble.message.clone());
    }
    if model_ready.status == Truth::False {
        return model_ready.clone();
    }
    if !rollout.is_complete {
        return rolling_out(rollout);
    }
    let others = [model_ready, sources_connected].into_iter().find(|saying| saying.status != Truth::True);
    match others {
        Some(saying) => Saying::no(saying.reason, saying.message.clone()),
        None => Saying::yes(Reason::AsSpecified, answering(rollout)),
    }
}

fn accepted(outcome: &Outcome) -> Saying {
    match outcome {
        Outcome::Refused { reason, message } => Saying::no(*reason, message.clone()),
        Outcome::Applied | Outcome::Failed { .. } => {
            Saying::yes(Reason::AsSpecified, "the spec keeps every rule")
        }
    }
}

fn available(rollout: &Rollout) -> Saying {
    match (rollout.ready, rollout.wanted) {
        _ if !rollout.has_begun => Saying::no(Reason::NotYet, "no pods have been asked for yet"),
        (0, 0) => Saying::no(Reason::ScaledToZero, "no pods are asked for"),
        (0, _) => Saying::no(Reason::NotYet, answering(rollout)),
        _ => Saying::yes(Reason::AsSpecified, answering(rollout)),
    }
}

fn progressing(outcome: &Outcome, rollout: &Rollout) -> Saying {
    match (outcome, &rollout.trouble) {
        (Outcome::Refused { reason, .. }, _) => {
            Saying::no(*reason, "the pods stay as they are until the spec is changed")
        }
        (_, Some(trouble)) => Saying::no(trouble.reason, trouble.message.clone()),
        (_, None) if rollout.is_complete => Saying::no(Reason::AsSpecified, "the pods are as specified"),
        (_, None) => Saying { status: Truth::True, ..rolling_out(rollout) },
    }
}

/// Refused until a person acts; or in trouble for longer than the Deployment's controller waits.
fn stalled(outcome: &Outcome, rollout: &Rollout) -> Option<Saying> {
    match (outcome, &rollout.trouble) {
        (Outcome::Refused { reason, message }, _) => Some(Saying::yes(*reason, message.clone())),
        (_, Some(trouble)) if rollout.is_overdue => {
            Some(Saying::yes(trouble.reason, trouble.message.clone()))
        }
        _ => None,
    }
}

fn rolling_out(rollout: &Rollout) -> Saying {
    let Rollout { wanted, updated, ready, held_back, .. } = rollout;
    let so_far = format!("{updated} of {wanted} pods are of the newest version, {ready} answer");
    let message = match held_back {
        0 => so_far,
        _ => format!("{so_far}; {held_back} more begin with the model that the first trains"),
    };
    Saying::no(Reason::RollingOut, message)
}

fn answering(rollout: &Rollout) -> String {
    format!("{} of {} replicas answer", rollout.ready, rollout.wanted)
}

/// A pod that answers its probes but, this once, not us, has not lost its model: what was said before still holds.
fn kept(type_: ConditionType, reported: &Reported, before: &AnomalyDetectorStatus) -> Option<Saying> {
    said(type_, before).filter(|_| reported.some_pod_is_ready)
}

/// What was said before.
fn said(type_: ConditionType, before: &AnomalyDetectorStatus) -> Option<Saying> {
    let condition = find(&before.conditions, type_)?;
    let reason = serde_json::from_value(condition.reason.clone().into()).ok()?;
    let status = match condition.status.as_str() {
        "True" => Truth::True,
        "False" => Truth::False,
        _ => return None,
    };
    Some(Saying { status, reason, message: condition.message.clone() })
}

fn not_yet() -> Saying {
    let message = "nothing has been written yet".to_owned();
    Saying { status: Truth::Unknown, reason: Reason::NotYet, message }
}

fn no_report() -> Saying {
    Saying { status: Truth::Unknown, reason: Reason::NoReport, message: "no pod has reported yet".to_owned() }
}
