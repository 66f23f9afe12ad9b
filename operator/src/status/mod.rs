//! The spec, the outcome of the writes, the observed workload and the stored models in, the detector's status
//! out.
//!
//! Pure: the time is an argument, and so is the previous status, from which conditions that have not changed
//! keep their time.

/// Whether the workload could be written.
pub mod outcome;
/// One condition.
pub mod condition;
/// The state of every condition.
pub mod conditions;
/// A summary of the pods' reports.
pub mod reports;
/// The progress of the Deployment.
pub mod rollout;
/// Whether the monitoring objects are written, and accepted by Prometheus.
pub mod monitoring;
/// What the pods report -> the alarms to publish.
pub mod alarms;
/// What the pods report -> the faults of sensors to publish.
pub mod sensor_faults;
/// The conditions before and after -> Events.
pub mod events;

use crd::status::{AnomalyDetectorStatus, Reason};
use crd::threshold::Threshold;
use crd::{AnomalyDetector, AnomalyDetectorSpec};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::ResourceExt;

use crate::models::model_sync::ModelSync;
use crate::observe::Observed;
use crate::plan;
use condition::dated;
use outcome::Outcome;
use reports::Reported;
use rollout::Rollout;

/// The status of a detector.
pub fn of(
    detector: &AnomalyDetector,
    outcome: &Outcome,
    observed: &Observed,
    sync: &ModelSync,
    before: &AnomalyDetectorStatus,
    now: Timestamp,
) -> AnomalyDetectorStatus {
    let rollout = Rollout::of(observed, detector.spec.replicas);
    let reported = Reported::of(observed, sync.concern.as_ref());
    let monitoring = observed.monitoring.as_deref().map(monitoring::of);
    let states = conditions::of(outcome, &rollout, &reported, monitoring, before);
    let (name, namespace) = (detector.name_any(), detector.namespace().unwrap_or_default());
    AnomalyDetectorStatus {
        observed_generation: detector.metadata.generation,
        conditions: dated(states, detector.metadata.generation, &before.conditions, now),
        replicas: rollout.replicas,
        ready_replicas: rollout.ready,
        ready: Some(format!("{}/{}", rollout.ready, detector.spec.replicas)),
        selector: Some(plan::selector_text(&name)),
        sensors: Some(sensors(detector)),
        threshold: Some(Threshold::or_default(detector.spec.threshold, detector.spec.interval)),
        model: reported.model.clone().or_else(|| before.model.clone().filter(|_| rollout.ready > 0)),
        alarm_rate: reported.alarm_rate,
        last_alarm_time: alarms::newest_notified(before.last_alarm_time, observed, now),
        last_sensor_fault_time: sensor_faults::newest_notified(before.last_sensor_fault_time, observed, now),
        endpoint: Some(endpoint(&name, &namespace, &detector.spec)),
    }
}

/// The status of a stored object that this version cannot parse: the previous status, with conditions that
/// name the error.
pub fn of_invalid(
    metadata: &ObjectMeta,
    error: &str,
    before: &AnomalyDetectorStatus,
    now: Timestamp,
) -> AnomalyDetectorStatus {
    let message = format!("this version of the operator cannot read the stored object: {error}");
    let outcome = Outcome::Refused { reason: Reason::InvalidSpec, message };
    let states = conditions::of(&outcome, &Rollout::default(), &Reported::default(), None, before);
    AnomalyDetectorStatus {
        observed_generation: metadata.generation,
        conditions: dated(states, metadata.generation, &before.conditions, now),
        ..before.clone()
    }
}

fn sensors(detector: &AnomalyDetector) -> i32 {
    let of_source =
        |source: &crd::source::Source| source.kinds().iter().map(|kind| kind.sensors().len()).sum::<usize>();
    i32::try_from(detector.spec.sources.iter().map(of_source).sum::<usize>()).unwrap_or(i32::MAX)
}

fn endpoint(name: &str, namespace: &str, spec: &AnomalyDetectorSpec) -> String {
    let (scheme, own_port) = if spec.serving.tls.is_some() { ("https", 443) } else { ("http", 80) };
    match spec.service.port {
        port if port == own_port => format!("{scheme}://{name}.{namespace}.svc"),
        port => format!("{scheme}://{name}.{namespace}.svc:{port}"),
    }
}
