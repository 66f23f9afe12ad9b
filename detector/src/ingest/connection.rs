//! A source and its feed in; a connection, renewed whenever it breaks, out. The pauses between attempts grow,
//! and differ between detectors.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};

use super::source::{Feed, Source};

/// Keep a source connected: reconnect after each failure. Returns when the source has ended; dropping the
/// future disconnects.
pub async fn keep(source: Arc<dyn Source>, feed: Feed) {
    let mut pauses = Pauses::default();
    loop {
        let connections = feed.status().connections();
        let Err(error) = source.live(&feed).await else {
            return feed.disconnected("the source has ended");
        };
        feed.disconnected(&error.to_string());
        // After a connection that was made and then broke, the pauses start again at the shortest.
        if feed.status().connections() > connections {
            pauses = Pauses::default();
        }
        tokio::time::sleep(pauses.next_pause()).await;
    }
}

/// The pauses between attempts to connect. Each is random, from zero to a limit that starts at one second,
/// doubles with each failure, and ends at one minute ("full jitter": Brooker, Exponential Backoff And Jitter,
/// AWS 2015).
pub struct Pauses(ExponentialBackoff);

impl Default for Pauses {
    /// The pauses before the first failure.
    fn default() -> Self {
        let longest = ExponentialBuilder::new()
            .with_min_delay(Duration::from_secs(1))
            .with_factor(2.0)
            .with_max_delay(Duration::from_mins(1))
            .without_max_times();
        Self(longest.build())
    }
}

impl Pauses {
    /// How long to wait after one more failure.
    pub fn next_pause(&mut self) -> Duration {
        self.longest().mul_f64(random())
    }

    fn longest(&mut self) -> Duration {
        self.0.next().unwrap_or(Duration::from_mins(1))
    }
}

/// A random number from 0 to 1, independent of other processes.
fn random() -> f64 {
    random_bits() as f64 / u64::MAX as f64
}

/// 64 random bits, independent of other processes.
pub fn random_bits() -> u64 {
    RandomState::new().build_hasher().finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_minute() {
        let mut pauses = Pauses::default();
        let longest: Vec<u64> = (0..8).map(|_| pauses.longest().as_secs()).collect();
        assert_eq!(longest, [1, 2, 4, 8, 16, 32, 60, 60]);
    }

    #[test]
    fn a_pause_is_any_part_of_the_longest() {
        let pauses: Vec<Duration> = (0..20).map(|_| Pauses::default().next_pause()).collect();
        assert!(pauses.iter().all(|pause| *pause <= Duration::from_secs(1)));
        assert!(
            pauses.iter().any(|pause| *pause != pauses[0]),
            "two detectors do not pause for the same time"
        );
    }
}
