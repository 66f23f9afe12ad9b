//! The stored models and the models that pods serve in; which model to fetch, which one new pods start with,
//! and which ones to delete out.
//!
//! Each revision is a stored model in an immutable ConfigMap of its own. The pointer is one more ConfigMap,
//! always of the same name, with a copy of one revision: pods mount it, so that another model can serve
//! without a change of the pods.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use crd::contract::{FIELD_MANAGER, MAX_STORED_BYTES, ModelReport};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;
use serde_json::{Value, json};
use thiserror::Error;

use crate::apply::drift;
use crate::observe::Observed;
use crate::plan::Plan;
use crate::resources::model::{self, DATA_END_TIME, DIGEST, RECIPE, TOO_LARGE};

/// A stored model, or the model in the pointer.
#[derive(Clone, Debug, PartialEq)]
pub struct Revision {
    /// The name of the model: `sha256:` and the digits of its bytes.
    pub digest: String,
    /// The time of the newest reading that the model has learned from.
    pub data_end_time: Timestamp,
    /// The hash of the sources and parameters that the model was made from, where it is known.
    pub recipe: Option<String>,
    /// The time at which its ConfigMap was created, in RFC 3339.
    pub kept_at: String,
    /// The name of its ConfigMap.
    pub object: String,
    /// The annotations of the ConfigMap, which describe the model.
    pub annotations: BTreeMap<String, String>,
}

/// The stored models of one detector.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Revisions {
    /// Every revision, the newest first.
    pub kept: Vec<Revision>,
    /// The metadata of the pointer's ConfigMap, where it is known.
    pub pointer: Option<Value>,
}

/// The error that the pinned revision is not stored.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "model.pinnedDigest must be the digest of a stored model ({have}), got {pin}; the current model keeps serving"
)]
pub struct PinNotFound {
    /// The pinned digest.
    pub pin: String,
    /// The digests of the stored models, the newest first, or `none`.
    pub have: String,
}

impl Revisions {
    /// Read the metadata of the detector's ConfigMaps with models. A ConfigMap is ignored if this detector
    /// does not own it, if it is being deleted, or if its annotations cannot be parsed.
    pub fn of(objects: Vec<Value>, pointer: &str, owner_uid: &str) -> Self {
        let owners = |object: &Value| object["metadata"]["ownerReferences"].as_array().cloned();
        let is_owned = |object: &Value| {
            owners(object).iter().flatten().any(|owner| owner["uid"] == owner_uid)
                && object["metadata"]["deletionTimestamp"].is_null()
        };
        let (pointers, others): (Vec<_>, Vec<_>) =
            objects.into_iter().filter(is_owned).partition(|object| object["metadata"]["name"] == pointer);
        let mut kept: Vec<_> = others.iter().filter_map(Revision::read).collect();
        kept.sort_by_cached_key(|revision| Reverse((revision.data_end_time, revision.kept_at.clone())));
        Self { kept, pointer: pointers.into_iter().next() }
    }

    /// The models that pods serve, that fit the spec and are not stored yet: each with a pod that serves it,
    /// the newest first. A model that is known to be too large is left out.
    pub fn missing<'a>(&self, plan: &Plan, observed: &'a Observed) -> Vec<(&'a Arc<Pod>, &'a ModelReport)> {
        let is_known = |digest: &str| {
            self.too_large() == Some(digest) || self.kept.iter().any(|revision| revision.digest == digest)
        };
        let is_wanted = |model: &ModelReport| {
            fits(plan, model.recipe.as_deref())
                && !is_known(&model.digest)
                && (model.bytes <= MAX_STORED_BYTES || self.is_newest(plan, model))
        };
        let mut missing: Vec<_> = observed.models().filter(|(_, model)| is_wanted(model)).collect();
        missing.sort_by_key(|(_, model)| Reverse(model.data_end_time));
        missing
    }

    /// Whether new pods would start with this model, if it could be stored.
    fn is_newest(&self, plan: &Plan, model: &ModelReport) -> bool {
        let mut fitting = self.kept.iter().filter(|revision| fits(plan, revision.recipe.as_deref()));
        plan.detector.spec().model.pinned_digest.is_none()
            && fitting.all(|revision| revision.data_end_time < model.data_end_time)
    }

    /// Add a revision that was just stored.
    pub fn add(&mut self, revision: Revision) {
        self.kept.retain(|kept| kept.digest != revision.digest);
        self.kept.insert(0, revision);
    }

    /// The digest that the pointer names.
    pub fn pointed_digest(&self) -> Option<&str> {
        self.pointer.as_ref()?["metadata"]["annotations"][DIGEST].as_str()
    }

    /// Whether the pointer's ConfigMap is as it should be and holds that revision.
    pub fn points_at(&self, plan: &Plan, revision: &Revision) -> bool {
        let desired = model::pointer(plan, revision.annotations.clone(), None);
        let desired = json!({ "metadata": desired.metadata });
        let changes = |pointer: &Value| pointer["metadata"]["managedFields"].as_array().map_or(0, Vec::len);
        self.too_large().is_none()
            && self
                .pointer
                .as_ref()
                .is_some_and(|pointer| drift::matches(pointer, &desired) && changes(pointer) == 0)
    }

    /// The digest of the newest model, where it is too large to be stored.
    pub fn too_large(&self) -> Option<&str> {
        let annotations = &self.pointer.as_ref()?["metadata"]["annotations"];
        annotations[TOO_LARGE].as_str().and(annotations[DIGEST].as_str())
    }

    /// Return the revision that new pods should start with: the pinned one, else the newest that fits the
    /// spec. Of several that learned up to the same time (a new threshold makes such models), and of loaded
    /// models, the one that serves is chosen, else the one that was stored last. `None`: the pointer stays as
    /// it is.
    ///
    /// # Errors
    /// The pinned model is not stored.
    pub fn chosen(&self, plan: &Plan, observed: &Observed) -> Result<Option<&Revision>, PinNotFound> {
        if let Some(pin) = &plan.detector.spec().model.pinned_digest {
            let pinned = self.kept.iter().find(|revision| revision.digest == *pin);
            return pinned.map(Some).ok_or_else(|| self.pin_not_found(pin));
        }
        let is_trained = plan.detector.train().is_some();
        let fitting = self.kept.iter().filter(|revision| fits(plan, revision.recipe.as_deref()));
        let newest = fitting.max_by_key(|revision| {
            let data_end_time = is_trained.then_some(revision.data_end_time);
            (data_end_time, observed.serves(&revision.digest), &revision.kept_at)
        });
        Ok(newest.filter(|newest| !self.is_outgrown(newest)))
    }

    fn pin_not_found(&self, pin: &str) -> PinNotFound {
        let have: Vec<&str> = self.kept.iter().map(|revision| revision.digest.as_str()).collect();
        let have = if have.is_empty() { "none".to_owned() } else { have.join(", ") };
        PinNotFound { pin: pin.to_owned(), have }
    }

    /// Whether the pointer marks a model of the same recipe, at least as new, that is too large to be stored.
    /// To point at the older one would bring back the model that it has replaced.
    fn is_outgrown(&self, newest: &Revision) -> bool {
        let marker = self.pointer.as_ref().filter(|_| self.too_large().is_some()).and_then(Revision::read);
        marker.is_some_and(|marker| {
            marker.recipe == newest.recipe && marker.data_end_time >= newest.data_end_time
        })
    }

    /// The oldest revisions, which are over `model.revisionHistoryLimit`. A revision that serves, is pinned
    /// or pointed at is never among them; and none are while a pod has not reported which model it serves.
    pub fn surplus(&self, plan: &Plan, observed: &Observed) -> Vec<&Revision> {
        if observed.reports.iter().any(|pod| pod.report.is_none()) {
            return Vec::new();
        }
        let model = &plan.detector.spec().model;
        let is_needed = |revision: &&Revision| {
            let digest = revision.digest.as_str();
            observed.serves(digest)
                || [model.pinned_digest.as_deref(), self.pointed_digest()].contains(&Some(digest))
        };
        let (needed, others): (Vec<&Revision>, Vec<&Revision>) = self.kept.iter().partition(is_needed);
        let room = (model.revision_history_limit as usize).saturating_sub(needed.len());
        others.into_iter().skip(room).collect()
    }
}

/// Whether another field manager has written the model itself. The watch does not see the bytes, only who
/// wrote them.
pub fn changes_model(fields: &ManagedFieldsEntry) -> bool {
    let written = fields.fields_v1.as_ref().map(|fields| &fields.0["f:binaryData"]);
    fields.manager.as_deref() != Some(FIELD_MANAGER) && written.is_some_and(|written| !written.is_null())
}

/// Whether a model of that recipe may serve under this spec: it was made from the same sources and
/// parameters. If the spec loads its model, any recipe fits.
fn fits(plan: &Plan, recipe: Option<&str>) -> bool {
    plan.detector.recipe_digest().is_none_or(|wanted| recipe == Some(&wanted))
}

impl Revision {
    /// Read a revision from the metadata of its ConfigMap, or `None` where the annotations are missing or
    /// cannot be parsed.
    pub fn read(object: &Value) -> Option<Self> {
        let metadata = &object["metadata"];
        let annotations: BTreeMap<String, String> =
            serde_json::from_value(metadata["annotations"].clone()).ok()?;
        Some(Self {
            digest: annotations.get(DIGEST)?.clone(),
            data_end_time: annotations.get(DATA_END_TIME)?.parse().ok()?,
            recipe: annotations.get(RECIPE).cloned(),
            kept_at: metadata["creationTimestamp"].as_str().unwrap_or_default().to_owned(),
            object: metadata["name"].as_str()?.to_owned(),
            annotations,
        })
    }
}

#[cfg(test)]
mod tests;
