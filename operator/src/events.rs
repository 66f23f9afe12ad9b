//! The conditions before and after in, the Events that tell people of the change out.

use crd::AnomalyDetector;
use crd::status::{AnomalyDetectorStatus, ConditionType, Reason};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::runtime::events::{Event, EventType};
use kube::{Resource, ResourceExt};
use tracing::warn;

use crate::context::Context;
use crate::status::find;

/// Reasons that somebody should look at.
const WARNINGS: [Reason; 11] = [
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

/// The Event of a transition: Ready has changed, or has found another reason for concern. A detector that is on its
/// way for the first time is no news.
pub fn between(before: &[Condition], after: &[Condition]) -> Option<Event> {
    let after = find(after, ConditionType::Ready)?;
    let before = find(before, ConditionType::Ready);
    let is_concern = WARNINGS.iter().any(|reason| reason.name() == after.reason);
    let is_ready = after.status == "True";
    let is_news = match before {
        None => is_ready || is_concern,
        Some(before) => before.status != after.status || (is_concern && before.reason != after.reason),
    };
    is_news.then(|| Event {
        type_: if is_concern { EventType::Warning } else { EventType::Normal },
        reason: if is_ready { ConditionType::Ready.name() } else { after.reason.clone() },
        note: Some(within(MOST_NOTE_BYTES, &after.message)),
        action: "Reconcile".to_owned(),
        secondary: None,
    })
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
