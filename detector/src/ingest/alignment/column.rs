//! The column of a sensor: readings in, its value at each instant out.

/// The newest reading of a sensor, and the source that it belongs to. Times are in nanoseconds since the Unix
/// epoch.
#[derive(Debug)]
pub struct Column {
    /// The index of the source.
    pub source: usize,
    current: Option<Current>,
}

#[derive(Clone, Copy, Debug)]
struct Current {
    time: i128,
    value: Option<f64>,
    /// Whether it has not been used for an instant yet.
    is_fresh: bool,
}

/// The value of a sensor at an instant.
pub struct Taken {
    /// The value; none if there is no reading, if it has no value, or if it is stale.
    pub value: Option<f64>,
    /// Whether the value is from a reading that was used for no instant before.
    pub is_fresh: bool,
    /// The number of readings that were dropped: a stale one that was never used.
    pub dropped: usize,
}

impl Column {
    /// A column without a reading, of the source with this index.
    pub fn new(source: usize) -> Self {
        Self { source, current: None }
    }

    /// Make this reading the current one if it is newer than the current one. Return the number of readings
    /// that were dropped: this one if it is not newer, or the current one if it was never used.
    pub fn replace(&mut self, time: i128, value: Option<f64>) -> usize {
        match self.current {
            Some(current) if current.time >= time => 1,
            before => {
                self.current = Some(Current { time, value, is_fresh: true });
                usize::from(before.is_some_and(|current| current.is_fresh))
            }
        }
    }

    /// Use the current reading for the instant `at`, unless it is stale: at least one interval old, and older
    /// than `staleness`.
    pub fn take(&mut self, at: i128, interval: i128, staleness: i128) -> Taken {
        let Some(current) = &mut self.current else {
            return Taken { value: None, is_fresh: false, dropped: 0 };
        };
        let age = at - current.time;
        let is_fresh = std::mem::take(&mut current.is_fresh);
        if age < interval || age <= staleness {
            return Taken { value: current.value, is_fresh, dropped: 0 };
        }
        Taken { value: None, is_fresh: false, dropped: usize::from(is_fresh) }
    }

    /// Drop the current reading. Return the number of readings that were never used: 0 or 1.
    pub fn clear(&mut self) -> usize {
        usize::from(self.current.take().is_some_and(|current| current.is_fresh))
    }
}
