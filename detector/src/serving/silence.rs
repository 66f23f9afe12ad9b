//! The times of verdicts in; whether the detector has made no verdict for too long out.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// The shortest time without a verdict that can be too long.
const MIN_SILENCE: Duration = Duration::from_secs(30);

/// The time since the last verdict, by a monotonic clock.
#[derive(Debug)]
pub struct Silence {
    born: Instant,
    /// Milliseconds from `born` to the last verdict.
    verdict: AtomicU64,
    longest: Duration,
    is_expected: AtomicBool,
}

impl Silence {
    /// For a detector that judges once per `interval`: three intervals without a verdict, and at least 30 s,
    /// are too long.
    pub fn new(interval: Duration) -> Self {
        Self {
            born: Instant::now(),
            verdict: AtomicU64::new(0),
            longest: interval.saturating_mul(3).max(MIN_SILENCE),
            is_expected: AtomicBool::new(false),
        }
    }

    /// Set whether verdicts are expected from now on. The time without a verdict restarts at 0.
    pub fn expect(&self, verdicts: bool) {
        self.record_verdict();
        self.is_expected.store(verdicts, Ordering::Relaxed);
    }

    /// Record that a verdict is made now.
    pub fn record_verdict(&self) {
        self.verdict.store(self.born.elapsed().as_millis() as u64, Ordering::Relaxed);
    }

    /// How long there has been no verdict, if that is too long and verdicts are expected.
    pub fn too_long(&self) -> Option<Duration> {
        let last = Duration::from_millis(self.verdict.load(Ordering::Relaxed));
        let silent = self.born.elapsed().saturating_sub(last);
        (self.is_expected.load(Ordering::Relaxed) && silent > self.longest).then_some(silent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_is_too_long_after_three_intervals_where_verdicts_are_expected() {
        let mut silence = Silence::new(Duration::from_secs(20));
        assert_eq!(silence.longest, Duration::from_mins(1));
        silence.longest = Duration::ZERO;
        assert_eq!(silence.too_long(), None, "nothing is expected yet");
        silence.expect(true);
        std::thread::sleep(Duration::from_millis(2));
        assert!(silence.too_long().is_some());
        silence.expect(false);
        assert_eq!(silence.too_long(), None);
    }
}
