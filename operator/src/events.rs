//! The conditions before and after in, the Event that tells people of a concern out: when one begins, changes or ends.

use crd::AnomalyDetector;
use crd::status::{AnomalyDetectorStatus, ConditionType, Reason};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::runtime::events::{Event, EventType};
use kube::{Resource, ResourceExt};
use tracing::warn;

use crate::context::Context;
use crate::status::find;

/// Reasons that somebody should look at.
const CONCERNS: [Reason; 11] = [
    Reason::InvalidSpec,
    Reason::NameTaken,
    Reason::ApplyFailed,
    Reason::ImagePullFailed,
    Reason::CrashLooping,
    Reason::OutOfMemory,
    Reason::PodsForbidden,
    Reason::Unschedulable,
    Reason::ContainerConfigInvalid,
    Reason::TrainingFailed,
    Reason::SourceDisconnected,
];

/// What the API takes.
const MOST_NOTE_BYTES: usize = 1024;

/// The Event of a transition into, between or out of concerns. That a detector comes up as it was asked to is no news:
/// its conditions say so, and its pods have Events of their own.
pub fn between(before: &[Condition], after: &[Condition]) -> Option<Event> {
    let after = find(after, ConditionType::Ready)?;
    let before = find(before, ConditionType::Ready);
    let is_news = before.map(|before| &before.reason) != Some(&after.reason)
        && (is_concern(after) || before.is_some_and(is_concern));
    is_news.then(|| Event {
        type_: if is_concern(after) { EventType::Warning } else { EventType::Normal },
        reason: if after.status == "True" { ConditionType::Ready.name() } else { after.reason.clone() },
        note: Some(within(MOST_NOTE_BYTES, &after.message)),
        action: "Reconcile".to_owned(),
        secondary: None,
    })
}

fn is_concern(ready: &Condition) -> bool {
    CONCERNS.iter().any(|reason| reason.name() == ready.reason)
}

/// The beginning of a text, in whole characters.
fn within(bytes: usize, text: &str) -> String {
    text.char_indices()
        .take_while(|(at, letter)| at + letter.len_utf8() <= bytes)
        .map(|(_, letter)| letter)
        .collect()
}

/// Tell of the transition, if there is one. An Event that is lost is logged and nothing else: the status says the same.
pub async fn publish(
    ctx: &Context,
    detector: &AnomalyDetector,
    before: &AnomalyDetectorStatus,
    after: &AnomalyDetectorStatus,
) {
    let Some(event) = between(&before.conditions, &after.conditions) else { return };
    let (regarding, name) = (detector.object_ref(&()), detector.name_any());
    if let Err(error) = ctx.write("create", ("Event", &name), ctx.recorder.publish(&event, &regarding)).await
    {
        warn!(namespace = detector.namespace(), name, %error, "lost an Event");
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

    use super::*;

    fn ready(status: &str, reason: Reason) -> Vec<Condition> {
        vec![Condition {
            type_: "Ready".to_owned(),
            status: status.to_owned(),
            reason: reason.name(),
            message: "as it is".to_owned(),
            observed_generation: None,
            last_transition_time: Time(jiff::Timestamp::UNIX_EPOCH),
        }]
    }

    fn told(before: &[Condition], after: &[Condition]) -> Option<(EventType, String)> {
        between(before, after).map(|event| (event.type_, event.reason))
    }

    #[test]
    fn a_concern_is_told_when_it_begins_changes_and_ends() {
        let (rolling, pull) = (ready("False", Reason::RollingOut), ready("False", Reason::ImagePullFailed));
        let crash = ready("False", Reason::CrashLooping);
        let warning = |reason: &str| Some((EventType::Warning, reason.to_owned()));
        assert_eq!(told(&[], &pull), warning("ImagePullFailed"));
        assert_eq!(told(&rolling, &pull), warning("ImagePullFailed"));
        assert_eq!(told(&pull, &crash), warning("CrashLooping"));
        assert_eq!(told(&crash, &rolling), Some((EventType::Normal, "RollingOut".to_owned())));
        assert_eq!(
            told(&crash, &ready("True", Reason::AsSpecified)),
            Some((EventType::Normal, "Ready".to_owned()))
        );
    }

    #[test]
    fn what_goes_as_it_should_or_stays_as_it_was_is_no_news() {
        let (rolling, good) = (ready("False", Reason::RollingOut), ready("True", Reason::AsSpecified));
        for (before, after) in [(&vec![], &rolling), (&rolling, &good), (&good, &rolling), (&good, &good)] {
            assert_eq!(told(before, after), None);
        }
        let pull = ready("False", Reason::ImagePullFailed);
        assert_eq!(told(&pull, &pull), None);
    }

    #[test]
    fn a_note_is_cut_between_characters() {
        assert_eq!(within(5, "flüsse"), "flüs");
        assert_eq!(within(3, "flüsse"), "fl");
    }
}
