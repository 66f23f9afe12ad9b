//! How long to wait before a detector that failed is tried again: twice as long each time, and at once after a
//! success.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_mins(5);

/// Failures in a row, one count a key.
#[derive(Debug)]
pub struct Backoff<K> {
    failures: Mutex<HashMap<K, u32>>,
}

impl<K> Default for Backoff<K> {
    /// Nothing has failed yet.
    fn default() -> Self {
        Self { failures: Mutex::default() }
    }
}

impl<K: Eq + Hash> Backoff<K> {
    /// It failed again: wait this long, 1 s to 5 min.
    pub fn failed(&self, key: K) -> Duration {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        let count = failures.entry(key).or_default();
        let wait = FIRST.saturating_mul(2_u32.saturating_pow(*count)).min(LONGEST);
        *count = count.saturating_add(1);
        wait
    }

    /// It succeeded, or is gone: the next failure counts as the first.
    pub fn reset(&self, key: &K) {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }
}

/// A duration longer by up to a tenth, so that what began together does not stay together. `share` is in [0, 1).
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
