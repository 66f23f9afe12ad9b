//! What was asked, what came of writing it, what is seen of the workload, and what is kept of its models in; the
//! detector's status out.
//!
//! Pure: the time is an argument, and so is the status before, from which conditions that have not changed keep
//! their time.

/// What each condition says.
pub mod conditions;
/// What the pods' reports come to.
pub mod reports;
/// How far the Deployment is.
pub mod rollout;
/// Whether Prometheus and Grafana have what was asked for.
pub mod monitoring;
/// What the pods report -> the alarms to publish.
pub mod alarms;
/// How often progress is published.
pub mod throttle;
/// The conditions before and after -> Events.
pub mod events;

use crd::AnomalyDetector;
use crd::status::{AnomalyDetectorStatus, ConditionType, Reason};
use crd::valid::Invalid;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, ObjectMeta, Time};
use kube::ResourceExt;

use crate::apply::NameTaken;
use crate::models::model_sync::Harvest;
use crate::observe::Observed;
use crate::plan;
use conditions::Saying;
use reports::Reported;
use rollout::Rollout;

/// What came of writing the workload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It stands as the spec says.
    Applied,
    /// It waits for a person.
    Refused {
        /// Why.
        reason: Reason,
        /// What is to be changed.
        message: String,
    },
    /// It will be tried again.
    Failed {
        /// What went wrong.
        message: String,
    },
}

impl From<Invalid> for Outcome {
    fn from(invalid: Invalid) -> Self {
        Self::Refused { reason: Reason::InvalidSpec, message: invalid.to_string() }
    }
}

impl From<NameTaken> for Outcome {
    fn from(taken: NameTaken) -> Self {
        Self::Refused { reason: Reason::NameTaken, message: taken.to_string() }
    }
}

/// The status of a detector.
pub fn of(
    detector: &AnomalyDetector,
    outcome: &Outcome,
    observed: &Observed,
    harvest: &Harvest,
    before: &AnomalyDetectorStatus,
    now: Timestamp,
) -> AnomalyDetectorStatus {
    let rollout = Rollout::of(observed, detector.spec.replicas);
    let reported = Reported::of(observed, harvest.concern.as_ref());
    let monitoring = observed.monitoring.as_deref().map(monitoring::of);
    let sayings = conditions::of(outcome, &rollout, &reported, monitoring, before);
    let (name, namespace) = (detector.name_any(), detector.namespace().unwrap_or_default());
    AnomalyDetectorStatus {
        observed_generation: detector.metadata.generation,
        conditions: dated(sayings, detector.metadata.generation, &before.conditions, now),
        replicas: rollout.replicas,
        ready_replicas: rollout.ready,
        ready: Some(format!("{}/{}", rollout.ready, detector.spec.replicas)),
        selector: Some(plan::selector_text(&name)),
        sensors: Some(sensors(detector)),
        model: reported.model.clone().or_else(|| before.model.clone().filter(|_| rollout.ready > 0)),
        last_alarm_time: alarms::newest_told(before.last_alarm_time, observed, now),
        endpoint: Some(endpoint(&name, &namespace, detector.spec.service.port)),
    }
}

/// The status of a stored object that this version cannot read: what stood before, and why nothing follows from it.
pub fn of_unreadable(
    metadata: &ObjectMeta,
    error: &str,
    before: &AnomalyDetectorStatus,
    now: Timestamp,
) -> AnomalyDetectorStatus {
    let message = format!("this version of the operator cannot read the stored object: {error}");
    let outcome = Outcome::Refused { reason: Reason::InvalidSpec, message };
    let sayings = conditions::of(&outcome, &Rollout::default(), &Reported::default(), None, before);
    AnomalyDetectorStatus {
        observed_generation: metadata.generation,
        conditions: dated(sayings, metadata.generation, &before.conditions, now),
        ..before.clone()
    }
}

/// The status of a condition: True, False, Unknown, or empty where there is none.
pub fn status_of(conditions: &[Condition], type_: ConditionType) -> &str {
    find(conditions, type_).map_or("", |condition| &condition.status)
}

/// The condition of a type.
pub fn find(conditions: &[Condition], type_: ConditionType) -> Option<&Condition> {
    let name = type_.name();
    conditions.iter().find(|condition| condition.type_ == name)
}

/// Conditions whose status is the one before keep its time.
fn dated(
    sayings: Vec<(ConditionType, Saying)>,
    generation: Option<i64>,
    before: &[Condition],
    now: Timestamp,
) -> Vec<Condition> {
    let whole = Timestamp::from_second(now.as_second()).expect("a timestamp without its fraction is one");
    let dated = |(type_, saying): (ConditionType, Saying)| {
        let unchanged = find(before, type_).filter(|condition| condition.status == saying.status.name());
        Condition {
            type_: type_.name(),
            status: saying.status.name(),
            reason: saying.reason.name(),
            message: saying.message,
            observed_generation: generation,
            last_transition_time: unchanged
                .map_or(Time(whole), |condition| condition.last_transition_time.clone()),
        }
    };
    sayings.into_iter().map(dated).collect()
}

fn sensors(detector: &AnomalyDetector) -> i32 {
    let of_source = |source: &crd::source::Source| {
        source.simulated.as_ref().map_or(0, |simulated| simulated.sensors.len())
            + source.csv.as_ref().map_or(0, |csv| csv.sensors.len())
    };
    i32::try_from(detector.spec.sources.iter().map(of_source).sum::<usize>()).unwrap_or(i32::MAX)
}

fn endpoint(name: &str, namespace: &str, port: i32) -> String {
    match port {
        80 => format!("http://{name}.{namespace}.svc"),
        port => format!("http://{name}.{namespace}.svc:{port}"),
    }
}
