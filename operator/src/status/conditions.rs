//! Outcome, rollout and reports in, the state of each condition out.

use crd::status::{AlarmRate, AnomalyDetectorStatus, ConditionType, Reason};

use super::condition::{ConditionState, ConditionStatus};
use super::outcome::Outcome;
use super::reports::Reported;
use super::rollout::Rollout;

/// Return the state of every condition, Ready first. Stalled and AlarmBudgetExceeded are in the list only
/// while they hold.
pub fn of(
    outcome: &Outcome,
    rollout: &Rollout,
    reported: &Reported,
    monitoring: Option<ConditionState>,
    before: &AnomalyDetectorStatus,
) -> Vec<(ConditionType, ConditionState)> {
    let known = |type_, state: &Option<ConditionState>| {
        state.clone().or_else(|| kept_state(type_, reported, before)).unwrap_or_else(no_report)
    };
    let model_ready = known(ConditionType::ModelReady, &reported.model_ready);
    let sources_connected = known(ConditionType::SourcesConnected, &reported.sources_connected);
    let monitoring = monitoring.or_else(|| state_before(ConditionType::MonitoringConfigured, before));
    let monitoring = monitoring.unwrap_or_else(not_yet);
    let mut states = vec![
        (ConditionType::Ready, ready(outcome, rollout, &model_ready, &sources_connected)),
        (ConditionType::Accepted, accepted(outcome)),
        (ConditionType::ModelReady, model_ready),
        (ConditionType::SourcesConnected, sources_connected),
        (ConditionType::MonitoringConfigured, monitoring),
        (ConditionType::Available, available(rollout)),
        (ConditionType::Progressing, progressing(outcome, rollout)),
    ];
    states.extend(stalled(outcome, rollout).map(|state| (ConditionType::Stalled, state)));
    let exceeded = reported.alarm_rate.as_ref().and_then(alarm_budget_exceeded);
    states.extend(exceeded.map(|state| (ConditionType::AlarmBudgetExceeded, state)));
    states
}

/// Ready: the first thing that is not as specified, or True.
fn ready(
    outcome: &Outcome,
    rollout: &Rollout,
    model_ready: &ConditionState,
    sources_connected: &ConditionState,
) -> ConditionState {
    let accepted = accepted(outcome);
    if accepted.status != ConditionStatus::True {
        return accepted;
    }
    if let Outcome::Failed { message } = outcome {
        return ConditionState::no(Reason::ApplyFailed, message.clone());
    }
    if rollout.is_complete && rollout.wanted == 0 {
        return ConditionState::yes(
            Reason::ScaledToZero,
            "the Deployment is scaled to 0: no sensors are watched",
        );
    }
    if let Some(diagnosis) = &rollout.diagnosis {
        return ConditionState::no(diagnosis.reason, diagnosis.message.clone());
    }
    if model_ready.status == ConditionStatus::False {
        return model_ready.clone();
    }
    if let Outcome::Queued { limit } = outcome
        && sources_connected.status != ConditionStatus::False
    {
        return queued(*limit);
    }
    if !rollout.is_complete {
        return rolling_out(rollout);
    }
    if rollout.is_unreachable {
        return unreachable();
    }
    let others =
        [model_ready, sources_connected].into_iter().find(|state| state.status != ConditionStatus::True);
    match others {
        Some(state) => ConditionState::no(state.reason, state.message.clone()),
        None => ConditionState::yes(Reason::AsSpecified, answering(rollout)),
    }
}

fn accepted(outcome: &Outcome) -> ConditionState {
    match outcome {
        Outcome::Refused { reason, message } => ConditionState::no(*reason, message.clone()),
        Outcome::Rejected { message } => ConditionState::no(Reason::ApplyFailed, message.clone()),
        Outcome::Applied | Outcome::Queued { .. } | Outcome::Failed { .. } => {
            ConditionState::yes(Reason::AsSpecified, "the spec is valid")
        }
    }
}

fn available(rollout: &Rollout) -> ConditionState {
    match (rollout.ready, rollout.wanted) {
        _ if !rollout.has_started => ConditionState::no(Reason::NotYet, "there is no Deployment yet"),
        (0, 0) => ConditionState::no(Reason::ScaledToZero, "the Deployment is scaled to 0"),
        (0, _) => ConditionState::no(Reason::NotYet, answering(rollout)),
        _ if rollout.is_unreachable => unreachable(),
        _ => ConditionState::yes(Reason::AsSpecified, answering(rollout)),
    }
}

fn progressing(outcome: &Outcome, rollout: &Rollout) -> ConditionState {
    match (outcome, &rollout.diagnosis) {
        (Outcome::Refused { reason, .. }, _) => {
            ConditionState::no(*reason, "the pods stay as they are until the spec is changed")
        }
        (Outcome::Rejected { message }, _) => ConditionState::no(Reason::ApplyFailed, message.clone()),
        (_, Some(diagnosis)) => ConditionState::no(diagnosis.reason, diagnosis.message.clone()),
        (Outcome::Queued { limit }, None) => {
            ConditionState { status: ConditionStatus::True, ..queued(*limit) }
        }
        (_, None) if rollout.is_complete => {
            ConditionState::no(Reason::AsSpecified, "the pods are as specified")
        }
        (_, None) => ConditionState { status: ConditionStatus::True, ..rolling_out(rollout) },
    }
}

/// Stalled: the spec is refused until a person acts, or the pods have not run for longer than the
/// Deployment's progress deadline.
fn stalled(outcome: &Outcome, rollout: &Rollout) -> Option<ConditionState> {
    match (outcome, &rollout.diagnosis) {
        (Outcome::Refused { reason, message }, _) => Some(ConditionState::yes(*reason, message.clone())),
        (Outcome::Rejected { message }, _) => Some(ConditionState::yes(Reason::ApplyFailed, message.clone())),
        (_, Some(diagnosis)) if rollout.is_overdue => {
            Some(ConditionState::yes(diagnosis.reason, diagnosis.message.clone()))
        }
        _ => None,
    }
}

/// AlarmBudgetExceeded. The message has no number that changes from report to report, so that the status is
/// not written each time.
fn alarm_budget_exceeded(rate: &AlarmRate) -> Option<ConditionState> {
    let since = rate.exceeded_since?;
    let of = match rate.top_contributors.as_slice() {
        [] => String::new(),
        sensors => format!(", most of them because of {}", sensors.join(", ")),
    };
    let message = format!(
        "since {since} more than five times as many alarms come as the {} a day that the threshold promises{of}: either something is wrong \
         there, or the model no longer fits; the runbook of this name says what to do",
        rate.promised_per_day
    );
    Some(ConditionState::yes(Reason::RateOverPromise, message))
}

fn rolling_out(rollout: &Rollout) -> ConditionState {
    let Rollout { wanted, updated, ready, held_back, .. } = rollout;
    let so_far = format!("{updated} of {wanted} pods are of the newest version, {ready} answer");
    let message = match held_back {
        0 => so_far,
        _ => format!("{so_far}; {held_back} more start once the first has trained the model"),
    };
    ConditionState::no(Reason::RollingOut, message)
}

fn queued(limit: usize) -> ConditionState {
    let detectors = if limit == 1 { "detector replaces its pods" } else { "detectors replace their pods" };
    let message = format!("the rollout waits: at most {limit} {detectors} at once");
    ConditionState::no(Reason::RolloutQueued, message)
}

fn unreachable() -> ConditionState {
    let message = "the Service has no endpoints: no request reaches the pods, though they answer";
    ConditionState::no(Reason::NoEndpoints, message)
}

fn answering(rollout: &Rollout) -> String {
    format!("{} of {} replicas answer", rollout.ready, rollout.wanted)
}

/// The condition before, while some pod is ready: a pod that answers its probes but missed one request for
/// its report has not lost its model.
fn kept_state(
    type_: ConditionType,
    reported: &Reported,
    before: &AnomalyDetectorStatus,
) -> Option<ConditionState> {
    state_before(type_, before).filter(|_| reported.some_pod_is_ready)
}

/// The state of the condition before, or `None` where it was absent or unknown.
fn state_before(type_: ConditionType, before: &AnomalyDetectorStatus) -> Option<ConditionState> {
    let condition = type_.find(&before.conditions)?;
    let reason = serde_json::from_value(condition.reason.clone().into()).ok()?;
    let status = match condition.status.as_str() {
        "True" => ConditionStatus::True,
        "False" => ConditionStatus::False,
        _ => return None,
    };
    Some(ConditionState { status, reason, message: condition.message.clone() })
}

fn not_yet() -> ConditionState {
    let message = "no object has been applied yet".to_owned();
    ConditionState { status: ConditionStatus::Unknown, reason: Reason::NotYet, message }
}

fn no_report() -> ConditionState {
    ConditionState {
        status: ConditionStatus::Unknown,
        reason: Reason::NoReport,
        message: "no pod has reported yet".to_owned(),
    }
}
