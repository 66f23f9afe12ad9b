//! Conditions before and after in, Events out: a concern that begins, changes or ends; a requested
//! retraining; a change of the model that serves.

use crd::AnomalyDetector;
use crd::contract::RETRAIN_ANNOTATION;
use crd::status::{ConditionType, Reason};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use kube::{Resource, ResourceExt};
use tracing::warn;

use crate::client::context::Context;
use crate::plan::history::History;
use crate::resources::model::short;
use crate::settings::Settings;

/// Reasons that need attention.
const CONCERNS: [Reason; 17] = [
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
    Reason::LoadFailed,
    Reason::DigestMismatch,
    Reason::ArtifactInvalid,
    Reason::ColumnsMismatch,
    Reason::AddressRefused,
    Reason::PinNotFound,
    Reason::SourceDisconnected,
];

/// The longest note that the API accepts.
const MAX_NOTE_BYTES: usize = 1024;

/// Return the Event of a transition into, between or out of concerns. A detector that starts as expected gets
/// no Event: its conditions show that, and its pods have Events of their own.
pub fn between(before: &[Condition], after: &[Condition]) -> Option<Event> {
    let after = ConditionType::Ready.find(after)?;
    let before = ConditionType::Ready.find(before);
    let is_news = before.map(|before| &before.reason) != Some(&after.reason)
        && (is_concern(after) || before.is_some_and(is_concern));
    is_news.then(|| Event {
        type_: if is_concern(after) { EventType::Warning } else { EventType::Normal },
        reason: if after.status == "True" { ConditionType::Ready.name() } else { after.reason.clone() },
        note: Some(within(MAX_NOTE_BYTES, &after.message)),
        action: "Reconcile".to_owned(),
        secondary: None,
    })
}

fn is_concern(ready: &Condition) -> bool {
    CONCERNS.iter().any(|reason| reason.name() == ready.reason)
}

/// The beginning of a text, at most so many bytes, cut between characters.
fn within(bytes: usize, text: &str) -> String {
    text.char_indices()
        .take_while(|(at, letter)| at + letter.len_utf8() <= bytes)
        .map(|(_, letter)| letter)
        .collect()
}

/// The Event of a retraining that a person has requested by the annotation.
pub fn retraining(history: &History) -> Event {
    let note = format!(
        "requested by annotation {RETRAIN_ANNOTATION}: pods retrain, on readings before {}",
        history.until
    );
    normal("Retraining", note)
}

/// The Event of a change of the model that serves.
pub fn model_changed(digest: &str) -> Event {
    normal("ModelChanged", format!("model {} is stored, and serves from now on: {digest}", short(digest)))
}

fn normal(reason: &str, note: String) -> Event {
    Event {
        type_: EventType::Normal,
        reason: reason.to_owned(),
        note: Some(note),
        action: "Reconcile".to_owned(),
        secondary: None,
    }
}

/// The reporter that Events name: controller and instance.
pub fn reporter(settings: &Settings) -> Reporter {
    Reporter { controller: "anomaly-operator".to_owned(), instance: Some(settings.identity()) }
}

/// Publish an Event. Of Events that differ only in their notes, the first one is published and its count
/// raised. A failure is only logged, because the status has the same information.
pub async fn publish(ctx: &Context, detector: &AnomalyDetector, event: &Event) {
    publish_by(&ctx.recorder, ctx, detector, event).await;
}

/// Publish an Event like [`publish`], but Events with different notes are not merged.
pub async fn publish_apart(ctx: &Context, detector: &AnomalyDetector, event: &Event) {
    let without_memory = Recorder::new(ctx.shared.client.clone(), reporter(&ctx.shared.settings));
    publish_by(&without_memory, ctx, detector, event).await;
}

async fn publish_by(recorder: &Recorder, ctx: &Context, detector: &AnomalyDetector, event: &Event) {
    let (regarding, name) = (detector.object_ref(&()), detector.name_any());
    if let Err(error) = ctx.write("create", ("Event", &name), recorder.publish(event, &regarding)).await {
        warn!(namespace = detector.namespace(), name, %error, "cannot publish an Event");
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

    fn published(before: &[Condition], after: &[Condition]) -> Option<(EventType, String)> {
        between(before, after).map(|event| (event.type_, event.reason))
    }

    #[test]
    fn a_concern_is_reported_when_it_begins_changes_and_ends() {
        let (rolling, pull) = (ready("False", Reason::RollingOut), ready("False", Reason::ImagePullFailed));
        let crash = ready("False", Reason::CrashLooping);
        let warning = |reason: &str| Some((EventType::Warning, reason.to_owned()));
        assert_eq!(published(&[], &pull), warning("ImagePullFailed"));
        assert_eq!(published(&rolling, &pull), warning("ImagePullFailed"));
        assert_eq!(published(&pull, &crash), warning("CrashLooping"));
        assert_eq!(published(&crash, &rolling), Some((EventType::Normal, "RollingOut".to_owned())));
        assert_eq!(
            published(&crash, &ready("True", Reason::AsSpecified)),
            Some((EventType::Normal, "Ready".to_owned()))
        );
    }

    #[test]
    fn what_goes_as_it_should_or_stays_as_it_was_is_no_news() {
        let (rolling, good) = (ready("False", Reason::RollingOut), ready("True", Reason::AsSpecified));
        for (before, after) in [(&vec![], &rolling), (&rolling, &good), (&good, &rolling), (&good, &good)] {
            assert_eq!(published(before, after), None);
        }
        let pull = ready("False", Reason::ImagePullFailed);
        assert_eq!(published(&pull, &pull), None);
    }

    #[test]
    fn a_note_is_cut_between_characters() {
        assert_eq!(within(5, "flüsse"), "flüs");
        assert_eq!(within(3, "flüsse"), "fl");
    }
}
