//! Sources in, the readings to come out, one instant after another.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::ingest::reading::Readings;
use crate::ingest::sources::{Recording, SimulatedSource, SourceError};

/// Readings to come, one instant after another.
pub enum ReadingStream {
    /// Simulated sensors, from an instant on, each interval.
    SimulatedSource {
        /// The sensors.
        source: SimulatedSource,
        /// The next instant.
        next: Timestamp,
        /// From one instant to the next.
        interval: SignedDuration,
    },
    /// The rows of a recording that are left.
    Recorded {
        /// The row that was read already.
        first: Option<Readings>,
        /// The rows after it.
        rest: Box<Recording>,
    },
}

impl Iterator for ReadingStream {
    type Item = Result<Readings, SourceError>;

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Self::SimulatedSource { source, next, interval } => {
                let readings = source.at(*next);
                *next += *interval;
                Some(Ok(readings))
            }
            Self::Recorded { first, rest } => first.take().map(Ok).or_else(|| rest.next()),
        }
    }
}

impl ReadingStream {
    /// Leave out instants that are over: after a pause, the newest readings count, not all that were missed.
    pub fn skip_to(&mut self, now: Timestamp) {
        if let Self::SimulatedSource { next, interval, .. } = self {
            *next = (*next).max(aligned(now, *interval));
        }
    }

    /// The time between `seen` and the stream's first instant, beyond what lies between two instants anyway. Rows of a
    /// recording follow each other, whatever time lies between them.
    pub fn gap_after(&self, seen: Timestamp) -> Duration {
        match self {
            Self::SimulatedSource { next, interval, .. } => {
                Duration::try_from(next.duration_since(seen) - *interval).unwrap_or_default()
            }
            Self::Recorded { .. } => Duration::ZERO,
        }
    }

    /// How the stream's time relates to the clock on the wall.
    pub fn pace(&self) -> Pace {
        match self {
            Self::SimulatedSource { .. } => Pace::Clock,
            Self::Recorded { rest, .. } => Pace::Replay { speed: rest.speed() },
        }
    }
}

/// The last multiple of the interval, counted from the Unix epoch, at or before an instant: so that replicas judge the
/// same instants, and the first is judged at once.
pub fn aligned(instant: Timestamp, interval: SignedDuration) -> Timestamp {
    let (at, step) = (instant.as_nanosecond(), interval.as_nanos());
    Timestamp::from_nanosecond(at.div_euclid(step) * step).unwrap_or(instant)
}

/// When readings are due.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pace {
    /// At their own time.
    Clock,
    /// So many times faster than they were recorded, counted from the first; 0 is at once.
    Replay {
        /// How many times faster.
        speed: f64,
    },
}

impl Pace {
    /// How long to wait for readings of this time, when it is `now`, the first were of `first`, and `elapsed` has gone by
    /// since then.
    pub fn wait(self, time: Timestamp, now: Timestamp, first: Timestamp, elapsed: Duration) -> Duration {
        match self {
            Self::Clock => Duration::try_from(time.duration_since(now)).unwrap_or_default(),
            Self::Replay { speed: 0.0 } => Duration::ZERO,
            Self::Replay { speed } => {
                let seconds = time.duration_since(first).as_secs_f64() / speed;
                Duration::try_from_secs_f64(seconds).unwrap_or_default().saturating_sub(elapsed)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn instants_are_multiples_of_the_interval() {
        let five = SignedDuration::from_secs(5);
        assert_eq!(
            (aligned(at(10), five), aligned(at(11), five), aligned(at(-1), five)),
            (at(10), at(10), at(-5))
        );
    }

    #[test]
    fn a_replay_keeps_the_pace_of_the_recording() {
        let minute = |pace: Pace, elapsed| {
            pace.wait(at(160), at(5000), at(100), Duration::from_secs(elapsed)).as_secs_f64()
        };
        assert!((minute(Pace::Replay { speed: 60.0 }, 0) - 1.0).abs() < 1e-9);
        assert!((minute(Pace::Replay { speed: 1.0 }, 45) - 15.0).abs() < 1e-9);
        assert!(minute(Pace::Replay { speed: 0.0 }, 0) < 1e-9);
        assert!(minute(Pace::Clock, 0) < 1e-9, "what is overdue does not wait");
    }
}
