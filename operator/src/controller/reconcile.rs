//! A detector in, the cluster as its spec asks and the status out. Steps that decide and steps that write or
//! read alternate.

use std::sync::Arc;
use std::time::Duration;

use crd::AnomalyDetector;
use crd::status::{AnomalyDetectorStatus, ConditionType};
use jiff::Timestamp;
use kube::api::DynamicObject;
use kube::core::error_boundary::InvalidObject;
use kube::runtime::controller::Action;
use kube::runtime::events::Event;
use kube::{Api, ResourceExt};
use serde_json::json;
use tokio::time::Instant;
use tracing::{info, warn};

use crate::apply::{Applied, MonitoringError};
use crate::client::backoff::jittered;
use crate::client::cache::Stored;
use crate::client::context::Context;
use crate::client::error::Error;
use crate::client::rollouts::is_being_repaired;
use crate::models::model_sync::{self, ModelSync, SyncError};
use crate::observe::{self, Observed};
use crate::plan::Plan;
use crate::status;
use crate::status::outcome::Outcome;
use crate::status::{alarms, events, sensor_faults};
use crate::{apply, resources};

/// The interval at which a pod that runs but does not serve yet is asked for its report.
const REPORT_PERIOD: Duration = Duration::from_secs(2);
/// The interval at which pods that wait for their turn to be replaced are checked.
const QUEUED_PERIOD: Duration = Duration::from_secs(5);
/// The interval at which a refused detector is checked: a name may have become free, which no watch shows.
const REFUSED_PERIOD: Duration = Duration::from_secs(30);

/// Make the cluster match the spec of one stored detector.
///
/// # Errors
/// A call failed; the caller retries.
pub async fn reconcile(stored: Arc<Stored>, ctx: Arc<Context>) -> Result<Action, Error> {
    ctx.cache.ready().await.map_err(|_| Error::Stopping)?;
    let timer = ctx.shared.metrics.reconcile_duration.start_timer();
    let result = match &stored.0 {
        Ok(detector) if detector.metadata.deletion_timestamp.is_some() => {
            Ok(("applied", Action::await_change()))
        }
        Ok(detector) => Box::pin(reconcile_valid(&ctx, detector)).await, // its many steps would weigh on the stack
        Err(invalid) => reconcile_invalid(&ctx, invalid).await,
    };
    timer.observe_duration();
    let outcome = result.as_ref().map_or("failed", |(outcome, _)| outcome);
    ctx.shared.metrics.reconciles.with_label_values(&[outcome]).inc();
    let (_, action) = result?;
    ctx.backoff.reset(&key(&stored));
    Ok(action)
}

/// The detector's key in the backoff: namespace and name.
pub fn key(detector: &Stored) -> (String, String) {
    (detector.namespace().unwrap_or_default(), detector.name_any())
}

async fn reconcile_valid(ctx: &Context, detector: &AnomalyDetector) -> Result<(&'static str, Action), Error> {
    let (namespace, name) = (detector.namespace().unwrap_or_default(), detector.name_any());
    let before: AnomalyDetectorStatus =
        serde_json::from_value(ctx.cache.status(detector)).unwrap_or_default();

    // On the heap: of all futures here it alone is large.
    let mut attempt = Box::pin(apply_spec(ctx, detector, (&namespace, &name), &before)).await;
    let applied = attempt.as_mut().ok().and_then(|attempt| attempt.applied.take());
    let observed = observe::workload(ctx, &namespace, &name, applied).await;
    let sync = sync_models(ctx, detector, &mut attempt, &observed).await;
    let outcome = match &attempt {
        Ok(attempt) => attempt.outcome.clone(),
        Err(Error::NotLeading | Error::Stopping) => {
            return attempt.map(|_| ("failed", Action::await_change()));
        }
        Err(error) if error.namespace_is_terminating() => return Ok(("applied", Action::await_change())),
        Err(error) => Outcome::Failed { message: error.to_string() },
    };
    let now = Timestamp::now();
    let status = status::of(detector, &outcome, &observed, &sync, &before, now);
    let alarms = alarms::event(before.last_alarm_time, status.last_alarm_time, &observed);
    let faults =
        sensor_faults::event(before.last_sensor_fault_time, status.last_sensor_fault_time, &observed);
    let wait = publish_status(ctx, detector, &before, &status, alarms.into_iter().chain(faults)).await?;
    let Attempt { plan, failed, .. } = attempt?;
    if let Some(error) = failed {
        return Err(error);
    }
    let is_applied = matches!(outcome, Outcome::Applied | Outcome::Queued { .. });
    let label = if is_applied { "applied" } else { "refused" };
    let awaits_training = plan.is_some_and(|plan| plan.history.is_awaited(now));
    let next = if awaits_training { REPORT_PERIOD } else { next_look(ctx, &outcome, &observed, &status) };
    let next = jittered(next, rand::random());
    Ok((label, Action::requeue(wait.map_or(next, |wait| wait.min(next)))))
}

/// Store the models that the pods serve, once the workload is applied. An error replaces the outcome so far.
async fn sync_models(
    ctx: &Context,
    detector: &AnomalyDetector,
    attempt: &mut Result<Attempt, Error>,
    observed: &Observed,
) -> ModelSync {
    let Ok(Attempt { plan: Some(plan), outcome, .. }) = attempt else { return ModelSync::default() };
    match model_sync::models(ctx, plan, observed).await {
        Ok(sync) => {
            if let Some(digest) = &sync.moved_to {
                events::publish(ctx, detector, &events::model_changed(digest)).await;
            }
            return sync;
        }
        Err(SyncError::Taken(taken)) => *outcome = taken.into(),
        Err(SyncError::Call(error)) => *attempt = Err(error),
    }
    ModelSync::default()
}

/// Write the status, if it has changed and need not wait, and publish the new Events. Return how long the
/// status has to wait, if it has to.
async fn publish_status(
    ctx: &Context,
    detector: &AnomalyDetector,
    before: &AnomalyDetectorStatus,
    status: &AnomalyDetectorStatus,
    reported: impl Iterator<Item = Event>,
) -> Result<Option<Duration>, Error> {
    let key = (detector.namespace().unwrap_or_default(), detector.name_any());
    if status == before {
        return Ok(None);
    }
    if let Some(wait) = ctx.status_throttle.wait(&key, before, status, Instant::now()) {
        return Ok(Some(wait));
    }
    apply::status(ctx, detector, status).await?;
    if let Some(ready) = ConditionType::Ready.find(&status.conditions) {
        info!(namespace = key.0, name = key.1, ready = ready.status, reason = ready.reason, "status");
    }
    ctx.status_throttle.published(key, Instant::now());
    if let Some(event) = events::between(&before.conditions, &status.conditions) {
        events::publish(ctx, detector, &event).await;
    }
    for event in reported {
        events::publish_apart(ctx, detector, &event).await;
    }
    Ok(None)
}

/// The result of applying a spec: its outcome, with the plan and the writes where it was applied.
struct Attempt {
    outcome: Outcome,
    plan: Option<Plan>,
    applied: Option<Applied>,
    failed: Option<Error>,
}

impl From<Outcome> for Attempt {
    fn from(outcome: Outcome) -> Self {
        Self { outcome, plan: None, applied: None, failed: None }
    }
}

/// Make a plan of the spec, build its objects and apply them.
async fn apply_spec(
    ctx: &Context,
    detector: &AnomalyDetector,
    (namespace, name): (&str, &str),
    before: &AnomalyDetectorStatus,
) -> Result<Attempt, Error> {
    let current_state = observe::current_state(&ctx.cache, namespace, name);
    let plan = match Plan::new(detector, &current_state, &ctx.shared.settings, Timestamp::now()) {
        Ok(plan) => plan,
        Err(invalid) => return Ok(Outcome::from(invalid).into()),
    };
    let is_being_repaired = is_being_repaired(detector.metadata.generation, before);
    let mut applied = match apply::workload(ctx, &plan, resources::build(&plan), is_being_repaired).await? {
        Ok(applied) => applied,
        Err(taken) => return Ok(Outcome::from(taken).into()),
    };
    if plan.history.requests_retraining && !applied.is_queued {
        events::publish(ctx, detector, &events::retraining(&plan.history)).await;
    }
    let outcome = match Outcome::of_writes(&applied.failed) {
        Outcome::Applied if applied.is_queued => Outcome::Queued { limit: ctx.shared.rollouts.limit() },
        outcome => outcome,
    };
    let failed = applied.failed.drain(..).next();
    Ok(Attempt { outcome, plan: Some(plan), applied: Some(applied), failed })
}

/// Return when to reconcile again without an event: watches show every change in the cluster, but reports of
/// pods have to be read.
fn next_look(
    ctx: &Context,
    outcome: &Outcome,
    observed: &Observed,
    status: &AnomalyDetectorStatus,
) -> Duration {
    let is_ready = ConditionType::Ready.status_in(&status.conditions) == "True";
    let is_unwritten = observed.monitoring.iter().flatten().any(|(_, written)| {
        matches!(written, Err(MonitoringError::NameTaken(_) | MonitoringError::Failed(_)))
    });
    match outcome {
        Outcome::Refused { .. } => ctx.shared.settings.resync.min(REFUSED_PERIOD),
        Outcome::Queued { .. } => ctx.shared.settings.resync.min(QUEUED_PERIOD),
        _ if is_ready && is_unwritten => ctx.shared.settings.resync.min(REFUSED_PERIOD),
        _ if is_ready || observed.reports.is_empty() => ctx.shared.settings.resync,
        _ => REPORT_PERIOD,
    }
}

/// Write into the status of a stored object that it cannot be parsed. Other detectors are not affected.
async fn reconcile_invalid(ctx: &Context, invalid: &InvalidObject) -> Result<(&'static str, Action), Error> {
    let (namespace, name) = (
        invalid.metadata.namespace.clone().unwrap_or_default(),
        invalid.metadata.name.clone().unwrap_or_default(),
    );
    let resource = kube::api::ApiResource::erase::<AnomalyDetector>(&());
    let api: Api<DynamicObject> = Api::namespaced_with(ctx.shared.client.clone(), &namespace, &resource);
    let Some(stored) = ctx.read(("AnomalyDetector", &name), api.get_opt(&name)).await? else {
        return Ok(("refused", Action::await_change()));
    };
    let before: AnomalyDetectorStatus =
        serde_json::from_value(stored.data["status"].clone()).unwrap_or_default();
    let status = status::of_invalid(&invalid.metadata, &invalid.error, &before, Timestamp::now());
    if status != before {
        warn!(namespace, name, error = invalid.error, "cannot read a stored detector");
        match apply::patch_status(ctx, &namespace, &name, &json!(status)).await {
            Err(error) if error.is_invalid() => {
                warn!(namespace, name, %error, "its status cannot be written either");
            }
            written => written?,
        }
    }
    Ok(("refused", Action::requeue(jittered(ctx.shared.settings.resync, rand::random()))))
}
