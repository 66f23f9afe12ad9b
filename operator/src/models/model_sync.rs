//! A plan and the reports of its pods in, the detector's stored models out: fetched from the pods, written
//! into ConfigMaps, pointed at, and pruned. Only this file does so; `Revisions` decides which models.
//!
//! The revision is written first, then the pointer, and surplus revisions are deleted last, so that a crash
//! in between loses nothing.

use crd::contract::{FIELD_MANAGER, MAX_STORED_BYTES, MODEL_FILE, ModelReport};
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{DeleteParams, DynamicObject, Patch, PatchParams, PostParams};
use kube::{Api, ResourceExt};
use serde_json::{Value, json};
use thiserror::Error;
use tracing::{info, warn};

use crate::apply::check_name_available;
use crate::apply::step::NameTaken;
use crate::client::cache::Cache;
use crate::client::context::Context;
use crate::client::error::Error;
use crate::models::artifact;
use crate::models::revisions::{PinNotFound, Revision, Revisions, changes_model};
use crate::observe::{self, Observed};
use crate::plan::Plan;
use crate::resources::Kind;
use crate::resources::model::{self, DIGEST, pointer_name, revision_name, short};

/// The largest number of pods that one reconcile asks for a model.
const MAX_TRIES: usize = 3;
const KIND: &str = "ConfigMap";

/// The result of a synchronisation of models.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ModelSync {
    /// A problem that a person should know.
    pub concern: Option<Concern>,
    /// The digest of the model that the pointer now points at, if it pointed at another one before.
    pub moved_to: Option<String>,
}

/// Why a model is not stored, or does not serve.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum Concern {
    /// The pinned model is not stored.
    #[error(transparent)]
    PinNotFound(#[from] PinNotFound),
    /// The model is too large for a ConfigMap.
    #[error(
        "over {} KiB it is too large to be stored in a ConfigMap, and a new pod trains again: train fewer or smaller trees, or load the model from a PersistentVolumeClaim",
        MAX_STORED_BYTES / 1024
    )]
    TooLarge,
    /// The model could not be fetched from its pod, or failed its checks.
    #[error("it is not stored: pod {pod} does not return it: {why}")]
    NotFetched {
        /// The pod that serves it.
        pod: String,
        /// The reason, in one sentence.
        why: String,
    },
}

/// Why a synchronisation of models stopped.
#[derive(Debug, Error)]
pub enum SyncError {
    /// A name that is needed is taken by an object of another owner.
    #[error(transparent)]
    Taken(#[from] NameTaken),
    /// A call to the API server failed; what was written before it stays, and the next reconcile goes on from there.
    #[error(transparent)]
    Call(#[from] Error),
}

/// The model of a pod, or the report of a model that is too large to store.
enum Fetched {
    Model(ModelReport, ByteString),
    TooLarge(ModelReport),
}

/// Store the models that pods serve, update the pointer, and delete surplus revisions.
///
/// # Errors
/// A name is taken, or a call to the API server failed.
pub async fn models(ctx: &Context, plan: &Plan, observed: &Observed) -> Result<ModelSync, SyncError> {
    let mut revisions = current_state(&ctx.cache, plan);
    let mut sync = ModelSync::default();
    let mut fresh = None;
    match fetch(ctx, plan, &revisions, observed).await {
        Ok(Some(Fetched::Model(report, bytes))) => {
            revisions.add(keep(ctx, plan, &report, bytes.clone()).await?);
            fresh = Some((report.digest, bytes));
        }
        Ok(Some(Fetched::TooLarge(report))) => {
            let marker = model::pointer(plan, model::too_large(&report), None);
            revisions.pointer = Some(write_pointer(ctx, plan, &revisions, marker).await?);
        }
        Ok(None) => {}
        Err(concern) => sync.concern = Some(concern),
    }
    match revisions.chosen(plan, observed).map(Option::<&Revision>::cloned) {
        Ok(Some(chosen)) => sync.moved_to = update_pointer(ctx, plan, &mut revisions, chosen, fresh).await?,
        Ok(None) => {}
        Err(not_found) => sync.concern = Some(not_found.into()),
    }
    for surplus in revisions.surplus(plan, observed) {
        prune(ctx, plan, surplus).await?;
    }
    let is_too_large = revisions.too_large().is_some_and(|digest| observed.serves(digest));
    sync.concern = sync.concern.or(is_too_large.then_some(Concern::TooLarge));
    Ok(sync)
}

/// The stored models of the detector, from the cache.
fn current_state(cache: &Cache, plan: &Plan) -> Revisions {
    let name = plan.name();
    Revisions::of(cache.models(&plan.namespace, &name), &pointer_name(&name), &plan.owner.uid)
}

/// Fetch the newest model that is served and not stored yet, from the first pod that delivers it.
async fn fetch(
    ctx: &Context,
    plan: &Plan,
    revisions: &Revisions,
    observed: &Observed,
) -> Result<Option<Fetched>, Concern> {
    let mut concern = None;
    for (pod, report) in revisions.missing(plan, observed).into_iter().take(MAX_TRIES) {
        if report.bytes > MAX_STORED_BYTES {
            return Ok(Some(Fetched::TooLarge(report.clone())));
        }
        let why = match observe::model(&ctx.shared.pods, pod, report.bytes).await {
            Ok(bytes) => match artifact::check(&bytes, report) {
                Ok(()) => return Ok(Some(Fetched::Model(report.clone(), ByteString(bytes)))),
                Err(bad) => bad.to_string(),
            },
            Err(error) => error.to_string(),
        };
        let (pod, digest) = (pod.name_any(), short(&report.digest));
        warn!(namespace = plan.namespace, pod, digest, error = why, "cannot store a model");
        concern.get_or_insert(Concern::NotFetched { pod, why });
    }
    concern.map_or(Ok(None), Err)
}

/// Store a model as a new ConfigMap, which is immutable. Creating it costs the API server much less than
/// applying so many bytes. If a ConfigMap of that name exists without our labels, so that no watch has seen
/// it, the revision is applied over it, provided that it belongs to this detector.
async fn keep(
    ctx: &Context,
    plan: &Plan,
    report: &ModelReport,
    bytes: ByteString,
) -> Result<Revision, SyncError> {
    let name = revision_name(&plan.name(), &report.digest);
    let revision = model::revision(plan, report, bytes);
    let written = match create(ctx, plan, &name, &revision).await {
        Err(error) if error.exists_already() => {
            check_name_available(ctx, plan, &name).await??;
            write(ctx, plan, "patch", &name, &revision).await?
        }
        created => created?,
    };
    info!(namespace = plan.namespace, name = plan.name(), digest = report.digest, "stored a model");
    Ok(Revision::read(&written).expect("its annotations were just written"))
}

/// Make the pointer hold that revision. Return its digest if the pointer held another one before.
async fn update_pointer(
    ctx: &Context,
    plan: &Plan,
    revisions: &mut Revisions,
    chosen: Revision,
    fresh: Option<(String, ByteString)>,
) -> Result<Option<String>, SyncError> {
    if revisions.points_at(plan, &chosen) {
        return Ok(None);
    }
    let Some(bytes) = bytes_of(ctx, plan, &chosen, fresh).await? else { return Ok(None) };
    let moves = revisions.pointed_digest().is_some_and(|before| before != chosen.digest);
    let pointer = model::pointer(plan, chosen.annotations, Some(bytes));
    revisions.pointer = Some(write_pointer(ctx, plan, revisions, pointer).await?);
    Ok(moves.then_some(chosen.digest))
}

/// Create or patch the pointer's ConfigMap.
async fn write_pointer(
    ctx: &Context,
    plan: &Plan,
    revisions: &Revisions,
    pointer: ConfigMap,
) -> Result<Value, SyncError> {
    let name = pointer_name(&plan.name());
    let before = revisions.pointer.as_ref().and_then(|seen| seen["metadata"]["resourceVersion"].as_str());
    if before.is_none() {
        check_name_available(ctx, plan, &name).await??;
    }
    let written =
        write(ctx, plan, if before.is_some() { "patch" } else { "create" }, &name, &pointer).await?;
    ctx.cache.remember(Kind::ConfigMap, &plan.namespace, &name, before, written.clone());
    info!(
        namespace = plan.namespace,
        name = plan.name(),
        digest = written["metadata"]["annotations"][DIGEST].as_str(),
        "updated the pointer to the current model"
    );
    Ok(written)
}

/// Return the model's bytes: as just fetched, or from the ConfigMap that stores them. `None` where that was
/// just deleted.
async fn bytes_of(
    ctx: &Context,
    plan: &Plan,
    revision: &Revision,
    fresh: Option<(String, ByteString)>,
) -> Result<Option<ByteString>, Error> {
    match fresh {
        Some((digest, bytes)) if digest == revision.digest => Ok(Some(bytes)),
        _ => {
            let kept = ctx.read((KIND, &revision.object), api(ctx, plan).get_opt(&revision.object)).await?;
            let kept: Option<ConfigMap> = kept.and_then(|object| serde_json::from_value(json!(object)).ok());
            Ok(kept.and_then(|kept| kept.binary_data?.remove(MODEL_FILE)))
        }
    }
}

async fn prune(ctx: &Context, plan: &Plan, revision: &Revision) -> Result<(), Error> {
    let name = &revision.object;
    match ctx.write("delete", (KIND, name), api(ctx, plan).delete(name, &DeleteParams::background())).await {
        Err(error) if error.is_gone() => Ok(()),
        Err(error) => Err(error),
        Ok(_) => {
            info!(namespace = plan.namespace, name, digest = revision.digest, "deleted a stored model");
            Ok(())
        }
    }
}

/// Create a ConfigMap. Return its metadata as it is after the creation.
async fn create(ctx: &Context, plan: &Plan, name: &str, object: &ConfigMap) -> Result<Value, Error> {
    let parameters = PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() };
    let api: Api<ConfigMap> = Api::namespaced(ctx.shared.client.clone(), &plan.namespace);
    let created = ctx.write("create", (KIND, name), api.create(&parameters, object)).await?;
    Ok(json!({ "metadata": created.metadata }))
}

/// Apply a ConfigMap. Return its metadata as it is after the write.
async fn write(
    ctx: &Context,
    plan: &Plan,
    verb: &'static str,
    name: &str,
    object: &ConfigMap,
) -> Result<Value, Error> {
    let (parameters, patch) = (PatchParams::apply(FIELD_MANAGER).force(), Patch::Apply(object));
    let mut written = ctx.write(verb, (KIND, name), api(ctx, plan).patch(name, &parameters, &patch)).await?;
    written.managed_fields_mut().retain(changes_model);
    Ok(json!({ "metadata": written.metadata }))
}

fn api(ctx: &Context, plan: &Plan) -> Api<DynamicObject> {
    Api::namespaced_with(ctx.shared.client.clone(), &plan.namespace, &Kind::ConfigMap.resource())
}
