//! A failure of a detector in, the wait before the next try out: 1 s, twice as long after each further
//! failure, 5 min at most. A success starts over.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use parking_lot::Mutex;

const FIRST: Duration = Duration::from_secs(1);
const MAX_WAIT: Duration = Duration::from_mins(5);

/// The remaining waits of each key that has failed since its last success.
#[derive(Debug)]
pub struct Backoff<K> {
    waits: Mutex<HashMap<K, ExponentialBackoff>>,
}

impl<K> Default for Backoff<K> {
    /// Nothing has failed yet.
    fn default() -> Self {
        Self { waits: Mutex::default() }
    }
}

impl<K: Eq + Hash> Backoff<K> {
    /// Record a failure of the key. Return how long to wait before the next try: 1 s to 5 min.
    pub fn failed(&self, key: K) -> Duration {
        let series = || {
            let series = ExponentialBuilder::default().with_min_delay(FIRST).with_max_delay(MAX_WAIT);
            series.with_factor(2.0).without_max_times().build()
        };
        let mut waits = self.waits.lock();
        waits.entry(key).or_insert_with(series).next().unwrap_or(MAX_WAIT)
    }

    /// Forget the failures of a key that succeeded or is gone: its next failure counts as the first.
    pub fn reset(&self, key: &K) {
        self.waits.lock().remove(key);
    }
}

/// Return the duration, longer by up to a tenth, so that tasks that start together spread out. `share` is in
/// [0, 1).
pub fn jittered(duration: Duration, share: f64) -> Duration {
    duration.mul_f64(1.0 + share / 10.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_from_a_second_to_five_minutes_and_stay_there() {
        let backoff = Backoff::default();
        let waits: Vec<_> = (0..40).map(|_| backoff.failed("pump").as_secs()).collect();
        assert_eq!(waits[..10], [1, 2, 4, 8, 16, 32, 64, 128, 256, 300]);
        assert!(waits[10..].iter().all(|wait| *wait == 300));
    }

    #[test]
    fn a_success_starts_over_and_touches_nobody_else() {
        let backoff = Backoff::default();
        backoff.failed("pump");
        backoff.failed("fan");
        backoff.reset(&"pump");
        assert_eq!(backoff.failed("pump").as_secs(), 1);
        assert_eq!(backoff.failed("fan").as_secs(), 2);
    }

    #[test]
    fn a_jitter_adds_up_to_a_tenth() {
        assert_eq!(jittered(Duration::from_mins(1), 0.0), Duration::from_mins(1));
        assert_eq!(jittered(Duration::from_mins(1), 0.5), Duration::from_secs(63));
    }
}
