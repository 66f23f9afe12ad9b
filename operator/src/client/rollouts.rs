//! The Deployments in the caches in, a place to roll out or none out: the limit on detectors that replace
//! their pods at once.
//!
//! Only a detector whose pods are all available waits: meanwhile it works as before. A new detector has no
//! pods that could work meanwhile, and a detector that a person is repairing must not wait for the others.

use std::collections::BTreeSet;
use std::sync::Arc;

use crd::status::{AnomalyDetectorStatus, ConditionType, Reason};
use parking_lot::Mutex;
use serde_json::Value;

use crate::client::cache::Caches;

/// Namespace and name of a detector.
type Key = (String, String);

/// The limit on rollouts, and the detectors that have a place in it.
#[derive(Clone, Default)]
pub struct Rollouts {
    /// How many detectors may roll out at once; 0: any number.
    limit: usize,
    caches: Caches,
    /// The detectors whose Deployment is being written, which no watch shows yet.
    started: Arc<Mutex<BTreeSet<Key>>>,
}

/// A place in the limit, held until the Deployment is written and the caches show it.
pub struct RolloutPermit {
    key: Key,
    started: Arc<Mutex<BTreeSet<Key>>>,
}

impl Drop for RolloutPermit {
    fn drop(&mut self) {
        self.started.lock().remove(&self.key);
    }
}

impl Rollouts {
    /// Return the limit, which counts over all caches together.
    pub fn new(limit: u16, caches: Caches) -> Self {
        Self { limit: limit.into(), caches, started: Arc::default() }
    }

    /// How many detectors may roll out at once; 0: any number.
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// Return a place for the detector, or `None` while as many other detectors as the limit allows are
    /// rolling out.
    pub fn enter(&self, namespace: &str, name: &str) -> Option<RolloutPermit> {
        let key = (namespace.to_owned(), name.to_owned());
        let mut started = self.started.lock();
        if self.limit > 0 && self.others(&key, &started) >= self.limit {
            return None;
        }
        started.insert(key.clone());
        Some(RolloutPermit { key, started: self.started.clone() })
    }

    fn others(&self, key: &Key, started: &BTreeSet<Key>) -> usize {
        let mut rolling = started.clone();
        for cache in self.caches.get() {
            rolling.extend(cache.deployments_that(is_rolling_out));
        }
        rolling.remove(key);
        rolling.len()
    }
}

/// Whether a Deployment is replacing its pods by a new version. A Deployment that its controller has given up
/// (after ten minutes) does not count: one broken detector must not block the others forever. Nor does a
/// Deployment that was only scaled, or whose pods have failed since.
pub fn is_rolling_out(generation: Option<i64>, deployment: &Value) -> bool {
    if deployment["spec"]["replicas"] == 0 {
        return false;
    }
    let status = &deployment["status"];
    let conditions = status["conditions"].as_array().into_iter().flatten();
    let progress = conditions.into_iter().find(|condition| condition["type"] == "Progressing");
    let reason = progress.map_or("", |condition| condition["reason"].as_str().unwrap_or_default());
    match reason {
        _ if status["observedGeneration"].as_i64() < generation => true,
        "NewReplicaSetAvailable" | "ProgressDeadlineExceeded" => false,
        _ => true,
    }
}

/// Whether all pods of a stored Deployment exist, are of the newest version and are available. False where it
/// has no pods.
pub fn all_answer(deployment: &Value) -> bool {
    let status = &deployment["status"];
    let wanted = deployment["spec"]["replicas"].as_i64().unwrap_or(1);
    let is_seen = status["observedGeneration"].as_i64() >= deployment["metadata"]["generation"].as_i64();
    let counts = ["replicas", "updatedReplicas", "availableReplicas"];
    wanted > 0 && is_seen && counts.iter().all(|count| status[*count].as_i64() == Some(wanted))
}

/// Whether a person is repairing the detector: it is not Ready (RolloutQueued does not count), and its spec
/// was edited after that was observed.
pub fn is_being_repaired(generation: Option<i64>, before: &AnomalyDetectorStatus) -> bool {
    let ready = ConditionType::Ready.find(&before.conditions);
    let is_well =
        ready.is_none_or(|ready| ready.status == "True" || ready.reason == Reason::RolloutQueued.name());
    !is_well && before.observed_generation < generation
}

#[cfg(test)]
mod tests {
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
    use serde_json::json;

    use super::*;

    fn deployment(observed: i64, available: i64, reason: &str) -> Value {
        json!({
            "metadata": {"generation": 2},
            "spec": {"replicas": 2},
            "status": {
                "observedGeneration": observed, "replicas": 2, "updatedReplicas": 2, "availableReplicas": available,
                "conditions": [{"type": "Progressing", "reason": reason}],
            },
        })
    }

    fn rolls(deployment: &Value) -> bool {
        is_rolling_out(Some(2), deployment)
    }

    #[test]
    fn a_deployment_rolls_out_from_its_write_until_its_controller_is_done_or_gives_up() {
        assert!(rolls(&json!({"spec": {"replicas": 1}})), "just created");
        assert!(rolls(&deployment(1, 2, "NewReplicaSetAvailable")), "just written");
        assert!(rolls(&deployment(2, 1, "ReplicaSetUpdated")));
        assert!(!rolls(&deployment(2, 2, "NewReplicaSetAvailable")));
        assert!(!rolls(&deployment(2, 1, "NewReplicaSetAvailable")), "a pod failed long after");
        assert!(!rolls(&deployment(2, 1, "ProgressDeadlineExceeded")));
        let mut scaled_to_zero = deployment(1, 0, "ReplicaSetUpdated");
        scaled_to_zero["spec"]["replicas"] = json!(0);
        assert!(!rolls(&scaled_to_zero));
    }

    #[test]
    fn only_pods_that_all_answer_wait() {
        assert!(all_answer(&deployment(2, 2, "")));
        assert!(!all_answer(&deployment(2, 1, "")), "one is broken");
        assert!(!all_answer(&deployment(1, 2, "")), "it is rolling out itself");
        assert!(!all_answer(&json!({"spec": {"replicas": 0}, "status": {"replicas": 0}})));
    }

    #[test]
    fn an_edit_of_a_detector_that_is_not_ready_is_a_fix() {
        let before = |status: &str, reason: Reason| AnomalyDetectorStatus {
            observed_generation: Some(3),
            conditions: vec![Condition {
                type_: "Ready".to_owned(),
                status: status.to_owned(),
                reason: reason.name(),
                message: String::new(),
                observed_generation: Some(3),
                last_transition_time: Time(jiff::Timestamp::UNIX_EPOCH),
            }],
            ..AnomalyDetectorStatus::default()
        };
        assert!(is_being_repaired(Some(4), &before("False", Reason::SourceDisconnected)));
        assert!(
            !is_being_repaired(Some(3), &before("False", Reason::SourceDisconnected)),
            "nobody edited it"
        );
        assert!(!is_being_repaired(Some(4), &before("True", Reason::AsSpecified)));
        assert!(!is_being_repaired(Some(4), &before("False", Reason::RolloutQueued)));
        assert!(!is_being_repaired(Some(4), &AnomalyDetectorStatus::default()));
    }

    #[test]
    fn places_are_as_many_as_the_limit_and_come_back() {
        let rollouts = Rollouts::new(2, Caches::default());
        let first = rollouts.enter("plant", "a");
        let again = rollouts.enter("plant", "a");
        let second = rollouts.enter("lab", "a");
        assert!(first.is_some() && again.is_some() && second.is_some());
        assert!(rollouts.enter("plant", "c").is_none());
        drop(second);
        assert!(rollouts.enter("plant", "c").is_some());
    }

    #[test]
    fn without_a_limit_there_is_always_a_place() {
        let rollouts = Rollouts::default();
        let places: Vec<_> = (0..100).map(|number| rollouts.enter("plant", &number.to_string())).collect();
        assert!(places.iter().all(Option::is_some));
    }
}
