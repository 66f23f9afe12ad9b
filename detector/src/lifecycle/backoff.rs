//! Failures in, the time of the next try out.

use std::time::{Duration, Instant};

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};

/// The time of the next try after failures: after a second, then twice as long each time, up to five minutes.
#[derive(Debug)]
pub struct Backoff {
    pauses: ExponentialBackoff,
    not_before: Option<Instant>,
}

impl Default for Backoff {
    /// Nothing has failed yet.
    fn default() -> Self {
        let pauses = ExponentialBuilder::new()
            .with_min_delay(Duration::from_secs(1))
            .with_factor(2.0)
            .with_max_delay(Duration::from_mins(5))
            .without_max_times();
        Self { pauses: pauses.build(), not_before: None }
    }
}

impl Backoff {
    /// Whether the operation may be tried now.
    pub fn is_due(&self, now: Instant) -> bool {
        self.not_before.is_none_or(|not_before| now >= not_before)
    }

    /// Record a failure. Return the pause before the next try, at most `most`.
    pub fn failed(&mut self, now: Instant, most: Duration) -> Duration {
        let pause = self.pauses.next().map_or(most, |pause| pause.min(most));
        self.not_before = Some(now + pause);
        pause
    }

    /// Record a success: the next failure counts as the first.
    pub fn succeeded(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_pause_is_twice_the_last_up_to_a_limit_until_it_goes_well() {
        let (mut backoff, now) = (Backoff::default(), Instant::now());
        let pauses: Vec<u64> = (0..11).map(|_| backoff.failed(now, Duration::MAX).as_secs()).collect();
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
        assert!(!backoff.is_due(now) && backoff.is_due(now + Duration::from_mins(5)));
        assert_eq!(backoff.failed(now, Duration::from_secs(7)).as_secs(), 7);
        backoff.succeeded();
        assert!(backoff.is_due(now));
        assert_eq!(backoff.failed(now, Duration::MAX).as_secs(), 1);
    }
}
