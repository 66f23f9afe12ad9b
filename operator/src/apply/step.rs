//! The object that should be and the one that is stored in, the one write that makes them equal out.

use crd::contract::FIELD_MANAGER;
use serde_json::Value;

use super::drift;
use crate::plan::{INSTANCE, Plan};
use crate::resources::Kind;

/// A name that is needed and taken.
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
    /// An object is made, or changed.
    Write {
        /// Its kind.
        kind: Kind,
        /// `create` or `patch`.
        verb: &'static str,
        /// The object as it should be.
        desired: Value,
        /// The resource version of the stored one.
        before: Option<String>,
        /// What others have added and applying leaves, as a strategic merge that takes it away.
        removed: Option<Value>,
        /// What is desired is what was applied last: somebody else's change is undone.
        is_repair: bool,
    },
    /// An object that is not asked for any more is deleted.
    Delete {
        /// Its kind.
        kind: Kind,
        /// The resource version of the stored one.
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

    /// Whether it has to wait with the pods: those that run now need what is there now.
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

/// The object as it should be (none where it should not be), and as it is stored -> what to write, if anything.
///
/// # Errors
/// The stored object is somebody else's.
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
            let is_repair = drift::is_of_same_origin(stored, &desired);
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

/// Owned by this detector; or ours by its labels and nobody's by its owner, as `kubectl delete --cascade=orphan`
/// leaves it.
pub fn is_ours(stored: &Value, plan: &Plan) -> bool {
    let metadata = &stored["metadata"];
    let owners: Vec<&Value> = metadata["ownerReferences"].as_array().into_iter().flatten().collect();
    let labelled = metadata["labels"]["app.kubernetes.io/managed-by"] == FIELD_MANAGER
        && metadata["labels"][INSTANCE] == plan.name();
    owners.iter().any(|owner| owner["uid"] == plan.owner.uid)
        || (labelled && !owners.iter().any(|owner| owner["controller"] == true))
}

/// Without the type, which lists leave out.
fn untyped(object: &Value) -> Value {
    let mut object = object.clone();
    if let Some(fields) = object.as_object_mut() {
        fields.remove("apiVersion");
        fields.remove("kind");
    }
    object
}
