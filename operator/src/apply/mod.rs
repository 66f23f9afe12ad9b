//! A [`Workload`] in, the cluster as the workload says out: the one place that writes owned objects and statuses.
//!
//! What matches is not written. What has the right name but belongs to somebody else is never written.

/// The object that should be and the one that is -> whether to write.
pub mod drift;
/// The object that should be and the one that is -> the write.
pub mod step;
/// The steps -> whether pods may be replaced now.
mod turn;

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
use step::{NameTaken, Step, decide, is_ours};
use turn::{Turn, turn};

/// The workload after the writes.
#[derive(Debug)]
pub struct Applied {
    /// The Deployment, newer than any watch may have seen it.
    pub deployment: Option<Value>,
    /// The objects that show what the detector does, as far as they were asked for.
    pub monitoring: Vec<(Kind, Result<Value, Unwritten>)>,
    /// What could not be written, of the objects that the detector needs.
    pub failed: Vec<Error>,
    /// The pods have to be replaced, and wait for their turn.
    pub is_queued: bool,
}

/// Why an object that shows what a detector does is not as asked. The detector goes on without it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unwritten {
    /// The cluster does not know its kind.
    Absent,
    /// It is somebody else's.
    NameTaken(NameTaken),
    /// It will be tried again.
    Failed(String),
}

/// Write the objects of a workload that are not as it asks. Nothing is written while any of the names is taken. An object
/// that cannot be written stops no other, but for the pods where they would start without it. While too many other
/// detectors replace their pods, these pods and what belongs to them wait, unless `is_mended`.
///
/// # Errors
/// The API server cannot be read, or nothing may be written any more.
pub async fn workload(
    ctx: &Context,
    plan: &Plan,
    workload: Workload,
    is_mended: bool,
) -> Result<Result<Applied, NameTaken>, Error> {
    let (monitoring, objects): (Vec<_>, Vec<_>) =
        workload.into_objects().into_iter().partition(|(kind, _)| kind.is_monitoring());
    let reads = objects.iter().map(|(kind, desired)| stored(ctx, plan, *kind, desired.is_some()));
    let mut before = try_join_all(reads).await?;
    let mut steps = Vec::new();
    for ((kind, desired), stored) in objects.into_iter().zip(&before) {
        match decide(kind, desired.map(drift::stamped), stored.as_ref(), plan) {
            Ok(step) => steps.extend(step),
            Err(taken) => return Ok(Err(taken)),
        }
    }
    let deployment = before.pop().flatten(); // the last of them
    if deployment.is_none()
        && let Err(taken) = free_or_ours(ctx, plan, &pointer_name(&plan.name())).await?
    {
        return Ok(Err(taken)); // the pods would mount it
    }
    let turn = turn(ctx, plan, &steps, deployment.as_ref(), is_mended);
    let is_queued = matches!(turn, Turn::Later);
    if is_queued {
        steps.retain(|step| !step.belongs_to_new_pods());
    }
    let mut applied = Applied { deployment, monitoring: Vec::new(), failed: Vec::new(), is_queued };
    write_all(ctx, plan, steps, &mut applied).await?;
    drop(turn); // the caches show the Deployment as it is now
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

/// Take every step, in order, and note those that fail.
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

/// Write one object that shows what the detector does. Whatever keeps it from being written is returned, and keeps
/// nothing else.
///
/// # Errors
/// Nothing at all may be written any more.
async fn apply_monitoring(
    ctx: &Context,
    plan: &Plan,
    kind: Kind,
    desired: Option<Value>,
) -> Result<Result<Option<Value>, Unwritten>, Error> {
    if !ctx.shared.discovery.has(kind) {
        return Ok(if desired.is_some() { Err(Unwritten::Absent) } else { Ok(None) });
    }
    match read_and_write(ctx, plan, kind, desired).await {
        Ok(taken) => Ok(taken.map_err(Unwritten::NameTaken)),
        Err(error) if error.ends_reconcile() => Err(error),
        Err(error) => Ok(Err(Unwritten::Failed(error.to_string()))),
    }
}

async fn read_and_write(
    ctx: &Context,
    plan: &Plan,
    kind: Kind,
    desired: Option<Value>,
) -> Result<Result<Option<Value>, NameTaken>, Error> {
    let stored = stored(ctx, plan, kind, desired.is_some()).await?;
    match decide(kind, desired.map(drift::stamped), stored.as_ref(), plan) {
        Ok(Some(step)) => take(ctx, plan, step).await.map(Ok),
        Ok(None) => Ok(Ok(stored)),
        Err(taken) => Ok(Err(taken)),
    }
}

/// The object as it is stored. What no watch has seen may still be there without our label: before its first write it is
/// read from the API server.
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

/// Whether the name of a ConfigMap is free, or what has it is this detector's.
///
/// # Errors
/// The API server cannot be asked.
pub async fn free_or_ours(ctx: &Context, plan: &Plan, name: &str) -> Result<Result<(), NameTaken>, Error> {
    let kind = Kind::ConfigMap.name();
    let found = ctx.read((&kind, name), api(ctx, plan, Kind::ConfigMap).get_metadata_opt(name)).await?;
    let is_taken = found.is_some_and(|found| !is_ours(&json!({ "metadata": found.metadata }), plan));
    Ok(if is_taken { Err(NameTaken { kind, name: name.to_owned() }) } else { Ok(()) })
}

/// Returns the object as it is stored after the write.
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

/// One object that is written, and how.
struct Write<'a> {
    ctx: &'a Context,
    kind: Kind,
    verb: &'static str,
    name: String,
    api: Api<DynamicObject>,
    desired: &'a Value,
}

impl Write<'_> {
    /// Apply the object. Where the API server refuses the merge of what others have written with ours (a Service port whose
    /// number was edited is another port of the same name), ours replaces it, where that loses nothing.
    async fn apply_or_replace(&self) -> Result<Value, Error> {
        match self.apply().await {
            Err(refused) if refused.is_invalid() && self.verb == "patch" && self.kind.is_replaceable() => {
                info!(name = self.name, kind = self.kind.name(), error = %refused, "replacing what cannot be merged");
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

    /// Change a part of it, whatever manager owns that part.
    async fn patch(&self, patch: &Patch<Value>) -> Result<(), Error> {
        let parameters =
            PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
        let call = self.api.patch(&self.name, &parameters, patch);
        self.ctx.write(self.verb, (&self.kind.name(), &self.name), call).await?;
        Ok(())
    }
}

/// Delete the object as it was read; one that is gone already is deleted.
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

/// Write the status. A detector that is gone needs none.
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
