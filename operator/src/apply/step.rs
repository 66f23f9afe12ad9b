//! The desired object and the stored one in, the one write that makes them equal out.

use crd::contract::FIELD_MANAGER;
use serde_json::Value;

use super::drift;
use crate::plan::{INSTANCE, Plan};
use crate::resources::Kind;

/// A name that the detector needs is taken by an object of another owner.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{kind} {name} exists already and does not belong to this detector; delete it, or give the detector another name"
)]
pub struct NameTaken {
    /// The kind of the object that has the name.
    pub kind: String,
    /// The name.
    pub name: String,
}

/// One write.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Create or patch an object.
    Write {
        /// Its kind.
        kind: Kind,
        /// `create` or `patch`.
        verb: &'static str,
        /// The object as it should be.
        desired: Value,
        /// The resource version of the stored object; none where it does not exist.
        before: Option<String>,
        /// A strategic merge patch that removes what other writers have added and server-side apply would
        /// keep.
        removed: Option<Value>,
        /// Whether the write only undoes edits: the desired object equals the one that was applied last.
        is_repair: bool,
    },
    /// Delete an object that is no longer desired.
    Delete {
        /// Its kind.
        kind: Kind,
        /// The resource version of the stored object.
        before: Option<String>,
    },
}

impl Step {
    /// The kind of the object.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Write { kind, .. } | Self::Delete { kind, .. } => *kind,
        }
    }

    /// Whether the step has to wait until the pods may be replaced: the running pods need the stored object
    /// as it is.
    pub fn belongs_to_new_pods(&self) -> bool {
        match self {
            Self::Write { kind: Kind::Deployment, .. } => true,
            Self::Write { kind, before, is_repair, .. } => {
                kind.is_needed_by_pods() && before.is_some() && !is_repair
            }
            Self::Delete { kind, .. } => kind.is_needed_by_pods(),
        }
    }
}

/// Return the write that makes the stored object equal to the desired one (none where it should not exist),
/// if one is needed.
///
/// # Errors
/// The stored object does not belong to this detector.
pub fn decide(
    kind: Kind,
    desired: Option<Value>,
    stored: Option<&Value>,
    plan: &Plan,
) -> Result<Option<Step>, NameTaken> {
    let before = stored.and_then(|stored| stored["metadata"]["resourceVersion"].as_str()).map(str::to_owned);
    match (desired, stored) {
        (_, Some(stored)) if !stored["metadata"]["deletionTimestamp"].is_null() => Ok(None), // its end will be seen
        (Some(desired), Some(stored)) if !is_ours(stored, plan) => Err(NameTaken {
            kind: kind.name(),
            name: desired["metadata"]["name"].as_str().unwrap_or_default().to_owned(),
        }),
        (Some(desired), Some(stored)) if drift::matches(stored, &untyped(&desired)) => Ok(None),
        (Some(desired), Some(stored)) => {
            let removed = drift::without_extra_mounts(stored, &desired);
            let is_repair = drift::is_same_desired(stored, &desired);
            Ok(Some(Step::Write { kind, verb: "patch", desired, before, removed, is_repair }))
        }
        (Some(desired), None) => {
            let (before, removed, is_repair) = (None, None, false);
            Ok(Some(Step::Write { kind, verb: "create", desired, before, removed, is_repair }))
        }
        (None, Some(stored)) if is_ours(stored, plan) => Ok(Some(Step::Delete { kind, before })),
        (None, _) => Ok(None),
    }
}

/// Whether the object is owned by this detector; or has the detector's labels and no controller as its owner,
/// as `kubectl delete --cascade=orphan` leaves it.
pub fn is_ours(stored: &Value, plan: &Plan) -> bool {
    let metadata = &stored["metadata"];
    let owners: Vec<&Value> = metadata["ownerReferences"].as_array().into_iter().flatten().collect();
    let labelled = metadata["labels"]["app.kubernetes.io/managed-by"] == FIELD_MANAGER
        && metadata["labels"][INSTANCE] == plan.name();
    owners.iter().any(|owner| owner["uid"] == plan.owner.uid)
        || (labelled && !owners.iter().any(|owner| owner["controller"] == true))
}

/// Return the object without `apiVersion` and `kind`, which the items of a list lack.
fn untyped(object: &Value) -> Value {
    let mut object = object.clone();
    if let Some(fields) = object.as_object_mut() {
        fields.remove("apiVersion");
        fields.remove("kind");
    }
    object
}
