//! A `Workload` in, the same objects on the cluster out: the one place that writes owned objects and
//! statuses.
//!
//! An object that matches is not written. An object that has the right name but another owner is never
//! written.

/// The desired object and the stored one -> whether a write is needed.
pub mod drift;
/// The desired object and the stored one -> the write.
pub mod step;
/// The writes of a detector -> whether its pods may be replaced now.
mod rollout_decision;

use crd::AnomalyDetector;
use crd::contract::FIELD_MANAGER;
use crd::status::AnomalyDetectorStatus;
use futures::future::try_join_all;
use kube::api::{DeleteParams, DynamicObject, Patch, PatchParams, Preconditions};
use kube::{Api, ResourceExt};
use serde_json::{Value, json};
use tracing::info;

use crate::client::context::Context;
use crate::client::error::Error;
use crate::plan::Plan;
use crate::resources::model::pointer_name;
use crate::resources::{Kind, Workload};
use rollout_decision::{RolloutDecision, decide_rollout};
use step::{NameTaken, Step, decide, is_ours};

/// The results of writing a workload.
#[derive(Debug)]
pub struct Applied {
    /// The Deployment after the write, which the watch may not have seen yet.
    pub deployment: Option<Value>,
    /// The monitoring objects that the spec asks for: each as it is stored, or why it could not be written.
    pub monitoring: Vec<(Kind, Result<Value, MonitoringError>)>,
    /// The errors of the writes that failed, of the objects that the detector needs.
    pub failed: Vec<Error>,
    /// Whether the pods have to be replaced and wait until fewer other detectors replace theirs.
    pub is_queued: bool,
}

/// Why a monitoring object is not as the spec asks. The detector runs without it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MonitoringError {
    /// The cluster does not know its kind.
    Absent,
    /// An object with this name exists and does not belong to this detector.
    NameTaken(NameTaken),
    /// The call failed, with this message; it will be retried.
    Failed(String),
}

/// Write the objects of a workload that differ from the stored ones. Nothing is written while any of the
/// names is taken. If one object cannot be written, the others still are, except the Deployment where its
/// pods need the missing object. While too many other detectors replace their pods, the Deployment and the
/// objects that its pods need wait, unless `is_being_repaired`.
///
/// # Errors
/// The API server cannot be read, or all writing must stop ([`Error::ends_reconcile`]).
pub async fn workload(
    ctx: &Context,
    plan: &Plan,
    workload: Workload,
    is_being_repaired: bool,
) -> Result<Result<Applied, NameTaken>, Error> {
    let (monitoring, objects): (Vec<_>, Vec<_>) =
        workload.into_objects().into_iter().partition(|(kind, _)| kind.is_monitoring());
    let reads = objects.iter().map(|(kind, desired)| stored(ctx, plan, *kind, desired.is_some()));
    let mut before = try_join_all(reads).await?;
    let mut steps = Vec::new();
    for ((kind, desired), stored) in objects.into_iter().zip(&before) {
        match decide(kind, desired.map(drift::with_hashes), stored.as_ref(), plan) {
            Ok(step) => steps.extend(step),
            Err(taken) => return Ok(Err(taken)),
        }
    }
    let deployment = before.pop().flatten(); // the last of them
    if deployment.is_none()
        && let Err(taken) = check_name_available(ctx, plan, &pointer_name(&plan.name())).await?
    {
        return Ok(Err(taken)); // the pods would mount it
    }
    let decision = decide_rollout(ctx, plan, &steps, deployment.as_ref(), is_being_repaired);
    let is_queued = matches!(decision, RolloutDecision::Queued);
    if is_queued {
        steps.retain(|step| !step.belongs_to_new_pods());
    }
    let mut applied = Applied { deployment, monitoring: Vec::new(), failed: Vec::new(), is_queued };
    write_all(ctx, plan, steps, &mut applied).await?;
    drop(decision); // the caches show the Deployment as it is now
    for (kind, desired) in monitoring {
        let was_asked = desired.is_some();
        match apply_monitoring(ctx, plan, kind, desired).await? {
            Ok(after) => {
                applied.monitoring.extend(after.filter(|_| was_asked).map(|object| (kind, Ok(object))));
            }
            Err(unwritten) => applied.monitoring.push((kind, Err(unwritten))),
        }
    }
    Ok(Ok(applied))
}

/// Execute the steps in order and collect the errors. The Deployment is skipped after an error of an object
/// that its pods need.
async fn write_all(ctx: &Context, plan: &Plan, steps: Vec<Step>, applied: &mut Applied) -> Result<(), Error> {
    let mut are_pods_held = false;
    for step in steps {
        let kind = step.kind();
        if kind == Kind::Deployment && are_pods_held {
            continue;
        }
        match take(ctx, plan, step).await {
            Ok(after) if kind == Kind::Deployment => applied.deployment = after,
            Ok(_) => {}
            Err(error) if error.ends_reconcile() => return Err(error),
            Err(error) => {
                are_pods_held |= kind.is_needed_by_pods();
                applied.failed.push(error);
            }
        }
    }
    Ok(())
}

/// Write one monitoring object. If it cannot be written, the reason is returned and the other objects are not
/// affected.
///
/// # Errors
/// All writing must stop ([`Error::ends_reconcile`]).
async fn apply_monitoring(
    ctx: &Context,
    plan: &Plan,
    kind: Kind,
    desired: Option<Value>,
) -> Result<Result<Option<Value>, MonitoringError>, Error> {
    if !ctx.shared.discovery.has(kind) {
        return Ok(if desired.is_some() { Err(MonitoringError::Absent) } else { Ok(None) });
    }
    match read_and_write(ctx, plan, kind, desired).await {
        Ok(taken) => Ok(taken.map_err(MonitoringError::NameTaken)),
        Err(error) if error.ends_reconcile() => Err(error),
        Err(error) => Ok(Err(MonitoringError::Failed(error.to_string()))),
    }
}

async fn read_and_write(
    ctx: &Context,
    plan: &Plan,
    kind: Kind,
    desired: Option<Value>,
) -> Result<Result<Option<Value>, NameTaken>, Error> {
    let stored = stored(ctx, plan, kind, desired.is_some()).await?;
    match decide(kind, desired.map(drift::with_hashes), stored.as_ref(), plan) {
        Ok(Some(step)) => take(ctx, plan, step).await.map(Ok),
        Ok(None) => Ok(Ok(stored)),
        Err(taken) => Ok(Err(taken)),
    }
}

/// Return the object as it is stored. An object that no watch has seen may still exist without our label:
/// before its first write it is read from the API server.
async fn stored(ctx: &Context, plan: &Plan, kind: Kind, wanted: bool) -> Result<Option<Value>, Error> {
    let name = kind.object_name(&plan.name());
    match ctx.cache.owned(kind, &plan.namespace, &name) {
        None if wanted => {
            let found = ctx.read((&kind.name(), &name), api(ctx, plan, kind).get_opt(&name)).await?;
            Ok(found.map(|object| json!(object)))
        }
        seen => Ok(seen),
    }
}

/// Check that the name of a ConfigMap is free, or that the ConfigMap with that name belongs to this detector.
///
/// # Errors
/// The ConfigMap cannot be read from the API server.
pub async fn check_name_available(
    ctx: &Context,
    plan: &Plan,
    name: &str,
) -> Result<Result<(), NameTaken>, Error> {
    let kind = Kind::ConfigMap.name();
    let found = ctx.read((&kind, name), api(ctx, plan, Kind::ConfigMap).get_metadata_opt(name)).await?;
    let is_taken = found.is_some_and(|found| !is_ours(&json!({ "metadata": found.metadata }), plan));
    Ok(if is_taken { Err(NameTaken { kind, name: name.to_owned() }) } else { Ok(()) })
}

/// Execute one step. Return the object as it is stored after the write, or `None` after a deletion.
async fn take(ctx: &Context, plan: &Plan, step: Step) -> Result<Option<Value>, Error> {
    match step {
        Step::Write { kind, verb, desired, before, removed, is_repair: _ } => {
            let name = kind.object_name(&plan.name());
            let write =
                Write { ctx, kind, verb, name: name.clone(), api: api(ctx, plan, kind), desired: &desired };
            if let Some(removed) = removed {
                write.patch(&Patch::Strategic(removed)).await?;
            }
            let after = write.apply_or_replace().await?;
            ctx.cache.remember(kind, &plan.namespace, &name, before.as_deref(), after.clone());
            info!(namespace = plan.namespace, name, kind = kind.name(), verb, "wrote");
            Ok(Some(after))
        }
        Step::Delete { kind, before } => delete(ctx, plan, kind, before).await.map(|()| None),
    }
}

/// One object to write, with the verb and the API client for it.
struct Write<'a> {
    ctx: &'a Context,
    kind: Kind,
    verb: &'static str,
    name: String,
    api: Api<DynamicObject>,
    desired: &'a Value,
}

impl Write<'_> {
    /// Apply the object. If the API server rejects the merge of stored and desired fields (a Service port
    /// whose number was edited is another port of the same name), our spec is sent as a merge patch, which
    /// replaces lists as a whole, for kinds where that loses nothing ([`Kind::is_replaceable`]).
    async fn apply_or_replace(&self) -> Result<Value, Error> {
        match self.apply().await {
            Err(refused) if refused.is_invalid() && self.verb == "patch" && self.kind.is_replaceable() => {
                info!(name = self.name, kind = self.kind.name(), error = %refused, "the API server rejects the merge; replacing the spec");
                match self.patch(&Patch::Merge(json!({ "spec": self.desired["spec"] }))).await {
                    Ok(()) => self.apply().await,
                    Err(error) if error.is_invalid() => Err(refused),
                    Err(error) => Err(error),
                }
            }
            outcome => outcome,
        }
    }

    async fn apply(&self) -> Result<Value, Error> {
        let (parameters, patch) = (PatchParams::apply(FIELD_MANAGER).force(), Patch::Apply(self.desired));
        let call = self.api.patch(&self.name, &parameters, &patch);
        Ok(json!(self.ctx.write(self.verb, (&self.kind.name(), &self.name), call).await?))
    }

    /// Patch a part of the object, whichever field manager owns that part.
    async fn patch(&self, patch: &Patch<Value>) -> Result<(), Error> {
        let parameters =
            PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
        let call = self.api.patch(&self.name, &parameters, patch);
        self.ctx.write(self.verb, (&self.kind.name(), &self.name), call).await?;
        Ok(())
    }
}

/// Delete the object if it is still the version that was read. An object that is already gone is no error.
async fn delete(ctx: &Context, plan: &Plan, kind: Kind, before: Option<String>) -> Result<(), Error> {
    let (name, api) = (kind.object_name(&plan.name()), api(ctx, plan, kind));
    let exactly = Preconditions { resource_version: before, uid: None };
    let parameters = DeleteParams { preconditions: Some(exactly), ..DeleteParams::background() };
    match ctx.write("delete", (&kind.name(), &name), api.delete(&name, &parameters)).await {
        Err(error) if error.is_gone() => Ok(()),
        Err(error) => Err(error),
        Ok(_) => {
            info!(namespace = plan.namespace, name, kind = kind.name(), verb = "delete", "wrote");
            Ok(())
        }
    }
}

fn api(ctx: &Context, plan: &Plan, kind: Kind) -> Api<DynamicObject> {
    Api::namespaced_with(ctx.shared.client.clone(), &plan.namespace, &kind.resource())
}

/// Write the status of a detector. A detector that is gone is no error.
///
/// # Errors
/// The call failed.
pub async fn status(
    ctx: &Context,
    detector: &AnomalyDetector,
    status: &AnomalyDetectorStatus,
) -> Result<(), Error> {
    let (namespace, name) = (detector.namespace().unwrap_or_default(), detector.name_any());
    let status = json!(status);
    match patch_status(ctx, &namespace, &name, &status).await {
        Err(error) if error.is_gone() => Ok(()),
        Err(error) => Err(error),
        Ok(()) => {
            ctx.cache.remember_status(detector, status);
            Ok(())
        }
    }
}

/// Write the status of a detector by its name.
///
/// # Errors
/// The call failed.
pub async fn patch_status(ctx: &Context, namespace: &str, name: &str, status: &Value) -> Result<(), Error> {
    let resource = kube::api::ApiResource::erase::<AnomalyDetector>(&());
    let api: Api<DynamicObject> = Api::namespaced_with(ctx.shared.client.clone(), namespace, &resource);
    let patch = json!({
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "metadata": { "name": name },
        "status": status,
    });
    let (parameters, patch) = (PatchParams::apply(FIELD_MANAGER).force(), Patch::Apply(&patch));
    ctx.write("patch", ("AnomalyDetector", name), api.patch_status(name, &parameters, &patch)).await?;
    Ok(())
}
