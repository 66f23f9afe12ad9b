//! A detector in, the cluster as it asks and a status that says so out: deciding and doing take turns.

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

use crate::apply::{Applied, Unwritten};
use crate::client::backoff::jittered;
use crate::client::cache::Stored;
use crate::client::context::Context;
use crate::client::error::Error;
use crate::models::model_sync::{self, Halt, Harvest};
use crate::observe::{self, Observed};
use crate::plan::Plan;
use crate::status::{self, Outcome};
use crate::status::{alarms, events};
use crate::{apply, resources};

/// How soon a pod that runs but does not serve yet is asked again.
const REPORT_PERIOD: Duration = Duration::from_secs(2);
/// How soon a refused detector is looked at again: a name may have become free, which no watch tells.
const REFUSED_PERIOD: Duration = Duration::from_secs(30);

/// Bring about what one stored detector asks.
///
/// # Errors
/// A call failed: it is to be tried again.
pub async fn reconcile(stored: Arc<Stored>, ctx: Arc<Context>) -> Result<Action, Error> {
    ctx.cache.ready().await.map_err(|_| Error::Stopping)?;
    let timer = ctx.metrics.reconcile_duration.start_timer();
    let result = match &stored.0 {
        Ok(detector) if detector.metadata.deletion_timestamp.is_some() => {
            Ok(("applied", Action::await_change()))
        }
        Ok(detector) => Box::pin(readable(&ctx, detector)).await, // its many steps would weigh on the stack
        Err(invalid) => unreadable(&ctx, invalid).await,
    };
    timer.observe_duration();
    let outcome = result.as_ref().map_or("failed", |(outcome, _)| outcome);
    ctx.metrics.reconciles.with_label_values(&[outcome]).inc();
    let (_, action) = result?;
    ctx.backoff.reset(&key(&stored));
    Ok(action)
}

/// The detector's place in the backoff.
pub fn key(detector: &Stored) -> (String, String) {
    (detector.namespace().unwrap_or_default(), detector.name_any())
}

async fn readable(ctx: &Context, detector: &AnomalyDetector) -> Result<(&'static str, Action), Error> {
    let (namespace, name) = (detector.namespace().unwrap_or_default(), detector.name_any());
    let before: AnomalyDetectorStatus =
        serde_json::from_value(ctx.cache.status(detector)).unwrap_or_default();

    let mut brought = bring_about(ctx, detector, &namespace, &name).await;
    let applied = brought.as_ref().ok().and_then(|brought| brought.applied.clone());
    let observed = observe::workload(ctx, &namespace, &name, applied).await;
    let harvest = keep_models(ctx, detector, &mut brought, &observed).await;
    let outcome = match &brought {
        Ok(brought) => brought.outcome.clone(),
        Err(Error::NotLeading | Error::Stopping) => {
            return brought.map(|_| ("failed", Action::await_change()));
        }
        Err(error) if error.namespace_is_terminating() => return Ok(("applied", Action::await_change())),
        Err(error) => Outcome::Failed { message: error.to_string() },
    };
    let now = Timestamp::now();
    let status = status::of(detector, &outcome, &observed, &harvest, &before, now);
    let alarms = alarms::told(before.last_alarm_time, status.last_alarm_time, &observed);
    let wait = tell(ctx, detector, &before, &status, alarms).await?;
    let plan = brought?.plan;
    let label = if matches!(outcome, Outcome::Applied) { "applied" } else { "refused" };
    let awaits_training = plan.is_some_and(|plan| plan.history.is_awaited(now));
    let next = if awaits_training { REPORT_PERIOD } else { next_look(ctx, &outcome, &observed, &status) };
    let next = jittered(next, rand::random());
    Ok((label, Action::requeue(wait.map_or(next, |wait| wait.min(next)))))
}

/// Keep the models that the pods serve, once the workload stands. What goes wrong takes the place of what went well.
async fn keep_models(
    ctx: &Context,
    detector: &AnomalyDetector,
    brought: &mut Result<Brought, Error>,
    observed: &Observed,
) -> Harvest {
    let Ok(Brought { plan: Some(plan), outcome, .. }) = brought else { return Harvest::default() };
    match model_sync::models(ctx, plan, observed).await {
        Ok(harvest) => {
            if let Some(digest) = &harvest.moved_to {
                events::publish(ctx, detector, &events::model_changed(digest)).await;
            }
            return harvest;
        }
        Err(Halt::Taken(taken)) => *outcome = taken.into(),
        Err(Halt::Call(error)) => *brought = Err(error),
    }
    Harvest::default()
}

/// Write the status, if it has changed and is not to wait, and publish what is new; returns how long it is to wait.
async fn tell(
    ctx: &Context,
    detector: &AnomalyDetector,
    before: &AnomalyDetectorStatus,
    status: &AnomalyDetectorStatus,
    alarms: Option<Event>,
) -> Result<Option<Duration>, Error> {
    let key = (detector.namespace().unwrap_or_default(), detector.name_any());
    if status == before {
        return Ok(None);
    }
    if let Some(wait) = ctx.pace.wait(&key, before, status, Instant::now()) {
        return Ok(Some(wait));
    }
    apply::status(ctx, detector, status).await?;
    if let Some(ready) = status::find(&status.conditions, ConditionType::Ready) {
        info!(namespace = key.0, name = key.1, ready = ready.status, reason = ready.reason, "status");
    }
    ctx.pace.told(key, Instant::now());
    if let Some(event) = events::between(&before.conditions, &status.conditions) {
        events::publish(ctx, detector, &event).await;
    }
    if let Some(event) = alarms {
        events::publish_apart(ctx, detector, &event).await;
    }
    Ok(None)
}

/// What came of a spec: the plan and what stands, where it was applied.
struct Brought {
    outcome: Outcome,
    plan: Option<Plan>,
    applied: Option<Applied>,
}

impl From<Outcome> for Brought {
    fn from(outcome: Outcome) -> Self {
        Self { outcome, plan: None, applied: None }
    }
}

/// Plan, build, apply.
async fn bring_about(
    ctx: &Context,
    detector: &AnomalyDetector,
    namespace: &str,
    name: &str,
) -> Result<Brought, Error> {
    let standing = observe::standing(&ctx.cache, namespace, name);
    let plan = match Plan::new(detector, &standing, &ctx.settings, Timestamp::now()) {
        Ok(plan) => plan,
        Err(invalid) => return Ok(Outcome::from(invalid).into()),
    };
    let applied = match apply::workload(ctx, &plan, resources::build(&plan)).await? {
        Ok(applied) => applied,
        Err(taken) => return Ok(Outcome::from(taken).into()),
    };
    if plan.history.asked_anew {
        events::publish(ctx, detector, &events::retraining(&plan.history)).await;
    }
    Ok(Brought { outcome: Outcome::Applied, plan: Some(plan), applied: Some(applied) })
}

/// Watches tell of all that changes in the cluster; only reports have to be asked for.
fn next_look(
    ctx: &Context,
    outcome: &Outcome,
    observed: &Observed,
    status: &AnomalyDetectorStatus,
) -> Duration {
    let is_ready = status::status_of(&status.conditions, ConditionType::Ready) == "True";
    let is_unwritten = observed
        .monitoring
        .iter()
        .flatten()
        .any(|(_, written)| matches!(written, Err(Unwritten::NameTaken(_) | Unwritten::Failed(_))));
    match outcome {
        Outcome::Refused { .. } => ctx.settings.resync.min(REFUSED_PERIOD),
        _ if is_ready && is_unwritten => ctx.settings.resync.min(REFUSED_PERIOD),
        _ if is_ready || observed.reports.is_empty() => ctx.settings.resync,
        _ => REPORT_PERIOD,
    }
}

/// A stored object that cannot be read: say so on it, and let all others go on.
async fn unreadable(ctx: &Context, invalid: &InvalidObject) -> Result<(&'static str, Action), Error> {
    let (namespace, name) = (
        invalid.metadata.namespace.clone().unwrap_or_default(),
        invalid.metadata.name.clone().unwrap_or_default(),
    );
    let resource = kube::api::ApiResource::erase::<AnomalyDetector>(&());
    let api: Api<DynamicObject> = Api::namespaced_with(ctx.client.clone(), &namespace, &resource);
    let Some(stored) = ctx.read(("AnomalyDetector", &name), api.get_opt(&name)).await? else {
        return Ok(("refused", Action::await_change()));
    };
    let before: AnomalyDetectorStatus =
        serde_json::from_value(stored.data["status"].clone()).unwrap_or_default();
    let status = status::of_unreadable(&invalid.metadata, &invalid.error, &before, Timestamp::now());
    if status != before {
        warn!(namespace, name, error = invalid.error, "cannot read a stored detector");
        match apply::patch_status(ctx, &namespace, &name, &json!(status)).await {
            Err(error) if error.is_invalid() => {
                warn!(namespace, name, %error, "it cannot be given a status either");
            }
            written => written?,
        }
    }
    Ok(("refused", Action::requeue(jittered(ctx.settings.resync, rand::random()))))
}
