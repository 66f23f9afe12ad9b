//! How long to wait before a detector that failed is tried again: twice as long each time, and at once after a
//! success.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use parking_lot::Mutex;

const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_mins(5);

/// The waits that are left of failures in a row, a series a key.
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
    /// It failed again: wait this long, 1 s to 5 min.
    pub fn failed(&self, key: K) -> Duration {
        let series = || {
            let series = ExponentialBuilder::default().with_min_delay(FIRST).with_max_delay(LONGEST);
            series.with_factor(2.0).without_max_times().build()
        };
        let mut waits = self.waits.lock();
        waits.entry(key).or_insert_with(series).next().unwrap_or(LONGEST)
    }

    /// It succeeded, or is gone: the next failure counts as the first.
    pub fn reset(&self, key: &K) {
        self.waits.lock().remove(key);
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
