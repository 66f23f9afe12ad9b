//! A simulated source of the spec in, readings for any instant out: a pure function of the time.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use crd::simulated::{FaultType, Simulated, SimulatedSensor};
use jiff::Timestamp;

use super::fault::Fault;
use super::noise::Noise;
use super::random::RandomStream;
use super::signal::Signal;
use crate::ingest::reading::{ActiveFault, Readings};
use crate::ingest::source::{Feed, Rows, Source, SourceError, Span, replay};

/// Simulated sensors, with readings for any instant, in any order, in constant time: the same on every
/// machine, to the bit.
#[derive(Clone, Debug)]
pub struct SimulatedSource {
    sensors: Arc<[Sensor]>,
}

/// A simulated sensor.
#[derive(Clone, Debug)]
struct Sensor {
    signal: Signal,
    noise: Noise,
    faults: Vec<Fault>,
}

/// An occurrence of a fault that starts at `start` nanoseconds after the Unix epoch.
struct Occurrence<'a> {
    fault: &'a Fault,
    start: i128,
}

impl SimulatedSource {
    /// The sensors of a source, in order.
    pub fn new(spec: &Simulated) -> Self {
        Self { sensors: spec.sensors.iter().map(|sensor| Sensor::new(sensor, spec.seed)).collect() }
    }

    /// The readings of all sensors at this instant, and the faults that are active.
    pub fn at(&self, time: Timestamp) -> Readings {
        let nanosecond = time.as_nanosecond();
        let mut values = Vec::with_capacity(self.sensors.len());
        let mut truth = Vec::new();
        for (index, sensor) in self.sensors.iter().enumerate() {
            let active = sensor.active(nanosecond);
            truth.extend(active.iter().map(|occurrence| occurrence.at_sensor(index)));
            values.push(sensor.value(nanosecond, &active));
        }
        Readings { time, values, truth: Some(truth) }
    }
}

#[async_trait]
impl Source for SimulatedSource {
    fn history_covers_future(&self) -> bool {
        true
    }

    fn history(&self, span: Span) -> Result<Rows, SourceError> {
        let sensors = self.clone();
        Ok(Box::new(span.instants().map(move |instant| Ok(sensors.at(instant)))))
    }

    /// A row is sent one interval before it is due.
    fn max_response_delay(&self) -> Duration {
        Duration::from_secs(1)
    }

    async fn live(&self, feed: &Feed) -> Result<(), SourceError> {
        replay(self, feed).await
    }
}

impl Sensor {
    fn new(spec: &SimulatedSensor, seed: i64) -> Self {
        let fault = |(index, fault)| Fault::new(fault, index, seed, &spec.name);
        Self {
            signal: Signal::new(spec),
            noise: Noise::new(spec.noise.as_ref(), RandomStream::new(seed, &spec.name, "noise")),
            faults: spec.faults.iter().enumerate().map(fault).collect(),
        }
    }

    fn active(&self, time: i128) -> Vec<Occurrence<'_>> {
        let occurrences = |fault| Fault::active(fault, time).map(move |start| Occurrence { fault, start });
        self.faults.iter().flat_map(occurrences).collect()
    }

    /// The reading of the sensor while these faults are active. A Dropout makes it missing. A Flatline
    /// repeats the value at its onset, with the faults of that time, and hides later faults; of several, the
    /// oldest one counts. The offsets of other faults are added up. A sum that `f64` cannot hold is missing.
    fn value(&self, time: i128, active: &[Occurrence]) -> Option<f64> {
        let of_type = |type_| active.iter().filter(move |occurrence| occurrence.fault.type_() == type_);
        if of_type(FaultType::Dropout).next().is_some() {
            return None;
        }
        let value = match of_type(FaultType::Flatline).map(|flatline| flatline.start).min() {
            Some(onset) => self.disturbed(onset, &self.active(onset)),
            None => self.disturbed(time, active),
        };
        Some(value).filter(|value| value.is_finite())
    }

    fn disturbed(&self, time: i128, active: &[Occurrence]) -> f64 {
        let offsets = active.iter().map(|occurrence| occurrence.fault.offset(occurrence.start, time));
        self.signal.at(time) + self.noise.at(time) + offsets.sum::<f64>()
    }
}

impl Occurrence<'_> {
    fn at_sensor(&self, sensor: usize) -> ActiveFault {
        ActiveFault {
            sensor: Some(sensor),
            type_: Some(self.fault.type_()),
            start: Timestamp::from_nanosecond(self.start).unwrap_or(Timestamp::MIN),
        }
    }
}

#[cfg(test)]
mod tests;
