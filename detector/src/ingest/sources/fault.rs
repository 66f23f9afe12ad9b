//! A time in; the faults of a simulated sensor that are active then, and what they add to the reading, out.
//!
//! Starts are a Poisson process that can be evaluated at any time directly: time is cut into slots of one
//! mean interval, each slot has a Poisson(1) number of starts, and each start is evenly distributed over its
//! slot. All are drawn by the slot's number. A fault is shorter than its mean interval, so an active fault
//! began in this slot or in the previous one.

use crd::simulated::{Fault as Spec, FaultType};

use super::random::RandomStream;

/// A Step has reached its new level after this share of its duration.
const RAMP: f64 = 0.1;

/// A fault of one sensor, which occurs again and again. Times are nanoseconds since the Unix epoch.
#[derive(Clone, Debug)]
pub struct Fault {
    type_: FaultType,
    magnitude: f64,
    mean_interval: i128,
    duration: i128,
    starts: RandomStream,
    tremor: RandomStream,
}

impl Fault {
    /// The fault of `spec`, the sensor's `index`th.
    pub fn new(spec: &Spec, index: usize, seed: i64, sensor: &str) -> Self {
        Self {
            type_: spec.type_,
            magnitude: spec.magnitude.unwrap_or(0.0),
            mean_interval: spec.mean_interval.as_nanos(),
            duration: spec.duration.as_nanos(),
            starts: RandomStream::new(seed, sensor, &format!("starts of fault {index}")),
            tremor: RandomStream::new(seed, sensor, &format!("tremor of fault {index}")),
        }
    }

    /// The type of the fault.
    pub fn type_(&self) -> FaultType {
        self.type_
    }

    /// The starts of those occurrences that are active at `time`: started, and not yet over. Seldom more than one.
    pub fn active(&self, time: i128) -> impl Iterator<Item = i128> {
        let slot = time.div_euclid(self.mean_interval);
        let starts = self.starts_in(slot - 1).chain(self.starts_in(slot));
        starts.filter(move |start| (*start..*start + self.duration).contains(&time))
    }

    /// What an occurrence that began at `start` adds to the reading at `time`. Flatline and Dropout add nothing:
    /// they replace the reading.
    pub fn offset(&self, start: i128, time: i128) -> f64 {
        let progress = (time - start) as f64 / self.duration as f64;
        match self.type_ {
            FaultType::Spike => self.magnitude,
            FaultType::Step => self.magnitude * (progress / RAMP).min(1.0),
            FaultType::Drift => self.magnitude * progress,
            FaultType::Noise => self.magnitude * self.tremor.at(time).normal(),
            FaultType::Flatline | FaultType::Dropout => 0.0,
        }
    }

    fn starts_in(&self, slot: i128) -> impl Iterator<Item = i128> {
        let mut draws = self.starts.at(slot);
        let begin = slot * self.mean_interval;
        (0..draws.poisson()).map(move |_| {
            let within = (draws.uniform() * self.mean_interval as f64) as i128;
            begin + within.min(self.mean_interval - 1)
        })
    }
}
