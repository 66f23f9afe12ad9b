//! A change of a detector's status in, how long it may wait before it is written out. What people and tools
//! wait for (a new observed generation, Ready, Stalled) is written at once. Progress in between, by replica
//! and by percent, is written every three seconds at most.

use std::collections::HashMap;
use std::time::Duration;

use crd::status::{AnomalyDetectorStatus, ConditionType};
use parking_lot::Mutex;
use tokio::time::Instant;

/// The shortest time between two writes of mere progress.
const PERIOD: Duration = Duration::from_secs(3);

/// When each detector's status was last written, by namespace and name.
#[derive(Debug, Default)]
pub struct StatusThrottle {
    published: Mutex<HashMap<(String, String), Instant>>,
}

impl StatusThrottle {
    /// Return how long the change has to wait, or `None` if it is written now.
    pub fn wait(
        &self,
        key: &(String, String),
        before: &AnomalyDetectorStatus,
        after: &AnomalyDetectorStatus,
        now: Instant,
    ) -> Option<Duration> {
        let published = *self.published.lock().get(key).filter(|_| is_mere_progress(before, after))?;
        let wait = PERIOD.saturating_sub(now.duration_since(published));
        (!wait.is_zero()).then_some(wait)
    }

    /// Record that the status was written.
    pub fn published(&self, key: (String, String), now: Instant) {
        self.published.lock().insert(key, now);
    }

    /// Forget a detector that is gone.
    pub fn forget(&self, key: &(String, String)) {
        self.published.lock().remove(key);
    }
}

fn is_mere_progress(before: &AnomalyDetectorStatus, after: &AnomalyDetectorStatus) -> bool {
    let stays =
        |type_: ConditionType| type_.status_in(&before.conditions) == type_.status_in(&after.conditions);
    before.observed_generation == after.observed_generation
        && [ConditionType::Ready, ConditionType::Stalled].into_iter().all(stays)
}

#[cfg(test)]
mod tests {
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

    use super::*;

    fn status(ready: &str, replicas: i32) -> AnomalyDetectorStatus {
        let condition = Condition {
            type_: "Ready".to_owned(),
            status: ready.to_owned(),
            reason: String::new(),
            message: String::new(),
            observed_generation: Some(1),
            last_transition_time: Time(jiff::Timestamp::UNIX_EPOCH),
        };
        AnomalyDetectorStatus { conditions: vec![condition], replicas, ..AnomalyDetectorStatus::default() }
    }

    fn key() -> (String, String) {
        ("plant".to_owned(), "pump".to_owned())
    }

    #[tokio::test(start_paused = true)]
    async fn progress_waits_for_the_rest_of_three_seconds_and_no_longer() {
        let (status_throttle, start) = (StatusThrottle::default(), Instant::now());
        status_throttle.published(key(), start);
        let wait =
            |after| status_throttle.wait(&key(), &status("False", 0), &status("False", 1), start + after);
        assert_eq!(wait(Duration::from_millis(500)), Some(Duration::from_millis(2500)));
        assert_eq!(wait(Duration::from_secs(3)), None);
    }

    #[tokio::test(start_paused = true)]
    async fn readiness_a_new_generation_and_the_first_look_are_published_at_once() {
        let (status_throttle, start) = (StatusThrottle::default(), Instant::now());
        let wait =
            |after: &AnomalyDetectorStatus| status_throttle.wait(&key(), &status("False", 0), after, start);
        assert_eq!(wait(&status("False", 1)), None, "after a start of the operator");
        status_throttle.published(key(), start);
        assert_eq!(wait(&status("True", 1)), None);
        assert_eq!(wait(&AnomalyDetectorStatus { observed_generation: Some(2), ..status("False", 1) }), None);
    }
}
