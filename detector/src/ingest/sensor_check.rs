//! The readings of all sensors, one instant after another, in; the same without the readings that a sensor
//! cannot give, and the faults of these sensors, out. Pure.

use std::time::Duration;

use crd::Valid;
use crd::source::Limits;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::reading::Readings;

/// What is wrong with a sensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fault {
    /// Its reading is outside of `range`.
    OutOfRange,
    /// It has changed by more than `maxRate` per second since its last reading without a fault.
    TooFast,
    /// It has given the same value for `stuckAfter`.
    Stuck,
}

/// A reading that a sensor cannot give.
#[derive(Clone, Debug, PartialEq)]
pub struct SensorFault {
    /// The sensor.
    pub sensor: usize,
    /// What is wrong.
    pub fault: Fault,
    /// The value of the reading.
    pub value: f64,
    /// One sentence, without the sensor's name.
    pub message: String,
}

/// The limits of each sensor, and its last readings.
#[derive(Clone, Debug)]
pub struct SensorChecks(Vec<Check>);

#[derive(Clone, Debug)]
struct Check {
    limits: Limits,
    /// The time and value of the newest reading without a fault.
    good: Option<(Timestamp, f64)>,
    /// The newest value, and the time since which it has not changed.
    same: Option<(Timestamp, f64)>,
}

impl SensorChecks {
    /// The checks of a detector's sensors, before the first reading.
    pub fn new(detector: &Valid) -> Self {
        let check =
            |sensor: crd::valid::SensorRef<'_>| Check { limits: sensor.limits, good: None, same: None };
        Self(detector.sensors().map(check).collect())
    }

    /// Set readings that a sensor cannot give to missing, and return their faults. Instants must be in
    /// ascending order. `carried` are the sensors, in ascending order, without a new reading.
    pub fn apply(&mut self, readings: &mut Readings, carried: &[usize]) -> Vec<SensorFault> {
        let mut faults = Vec::new();
        for (sensor, (check, cell)) in self.0.iter_mut().zip(&mut readings.values).enumerate() {
            let Some(value) = cell.filter(|_| check.limits.is_set()) else { continue };
            let is_new = carried.binary_search(&sensor).is_err();
            if let Some((fault, message)) = check.fault(readings.time, value, is_new) {
                faults.push(SensorFault { sensor, fault, value, message });
                *cell = None;
            }
        }
        faults
    }

    /// Apply the checks to readings of the past, oldest first. No event is published about their faults.
    #[must_use]
    pub fn clean(&self, mut past: Vec<Readings>) -> Vec<Readings> {
        let mut checks = self.clone();
        for readings in &mut past {
            checks.apply(readings, &[]);
        }
        past
    }

    /// Whether a sensor has a limit.
    pub fn are_set(&self) -> bool {
        self.0.iter().any(|check| check.limits.is_set())
    }
}

impl Check {
    fn fault(&mut self, time: Timestamp, value: f64, is_new: bool) -> Option<(Fault, String)> {
        let since = match self.same {
            Some((since, same)) if same.to_bits() == value.to_bits() => since,
            _ => time,
        };
        self.same = Some((since, value));
        let fault = self
            .out_of_range(value)
            .or_else(|| self.too_fast(time, value))
            .or_else(|| self.stuck(time, since));
        if fault.is_none() && is_new {
            self.good = Some((time, value));
        }
        fault
    }

    fn out_of_range(&self, value: f64) -> Option<(Fault, String)> {
        let range = self.limits.range?;
        let (min, max) = (range.min.unwrap_or(f64::NEG_INFINITY), range.max.unwrap_or(f64::INFINITY));
        let rule = match (range.min, range.max) {
            (Some(min), Some(max)) => format!("between {min} and {max}"),
            (Some(min), None) => format!("at least {min}"),
            (None, max) => format!("at most {}", max.unwrap_or(f64::INFINITY)),
        };
        let is_within = (min..=max).contains(&value);
        (!is_within).then(|| (Fault::OutOfRange, format!("must be {rule}, got {value}")))
    }

    fn too_fast(&self, time: Timestamp, value: f64) -> Option<(Fault, String)> {
        let (max_rate, (before, good)) = (self.limits.max_rate?, self.good?);
        let seconds = time.duration_since(before).as_secs_f64();
        let change = (value - good).abs();
        (change > max_rate * seconds).then(|| {
            let message = format!(
                "must change by at most {max_rate} in a second, got {good} and {seconds}s later {value}"
            );
            (Fault::TooFast, message)
        })
    }

    fn stuck(&self, time: Timestamp, since: Timestamp) -> Option<(Fault, String)> {
        let stuck_after = self.limits.stuck_after?;
        let same = Duration::try_from(time.duration_since(since)).unwrap_or_default();
        (same >= Duration::from(stuck_after)).then(|| {
            let (_, value) = self.same.unwrap_or((since, f64::NAN));
            (
                Fault::Stuck,
                format!("must not be the same for {stuck_after}, got {value} for {}s", same.as_secs()),
            )
        })
    }
}

impl Fault {
    /// All faults.
    pub const ALL: [Self; 3] = [Self::OutOfRange, Self::TooFast, Self::Stuck];

    /// The value of the `fault` label.
    pub fn label(self) -> &'static str {
        match self {
            Self::OutOfRange => "out_of_range",
            Self::TooFast => "too_fast",
            Self::Stuck => "stuck",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checks(limits: &str) -> SensorChecks {
        let text = format!(
            "apiVersion: anomaly.dev/v1alpha1\nkind: AnomalyDetector\nmetadata: {{name: mill}}\nspec:\n  sources:\n  - name: s\n    \
             http: {{sensors: [{{name: speed, {limits}}}]}}\n"
        );
        SensorChecks::new(&crd::manifest::one_detector(&text).unwrap())
    }

    /// The faults of values, one value per second; empty where a value is a valid reading.
    fn said(limits: &str, values: &[f64]) -> Vec<String> {
        let mut checks = checks(limits);
        let mut one = |(second, value): (i64, &f64)| {
            let time = Timestamp::from_second(second).unwrap();
            let mut readings = Readings { time, values: vec![Some(*value)], truth: None };
            let faults = checks.apply(&mut readings, &[]);
            assert_eq!(readings.values[0].is_none(), !faults.is_empty());
            faults
                .first()
                .map_or_else(String::new, |fault| format!("{}: {}", fault.fault.label(), fault.message))
        };
        (0..).zip(values).map(&mut one).collect()
    }

    #[test]
    fn a_reading_out_of_range_is_missing() {
        assert_eq!(
            said("range: {min: 0, max: 10}", &[0.0, -1.0, 10.0, 10.5]),
            [
                "",
                "out_of_range: must be between 0 and 10, got -1",
                "",
                "out_of_range: must be between 0 and 10, got 10.5"
            ]
        );
        assert_eq!(said("range: {min: 0}", &[1e9, -0.5])[1], "out_of_range: must be at least 0, got -0.5");
    }

    #[test]
    fn a_change_that_is_too_fast_is_missing_until_there_was_time_for_it() {
        let too_fast = "too_fast: must change by at most 5 in a second, got 1 and";
        assert_eq!(
            said("maxRate: 5", &[1.0, 9.0, 9.0, 2.0, 20.0]),
            [
                "",
                &format!("{too_fast} 1s later 9"),
                "",
                "too_fast: must change by at most 5 in a second, got 9 and 1s later 2",
                "too_fast: must change by at most 5 in a second, got 9 and 2s later 20"
            ]
        );
    }

    #[test]
    fn a_sensor_is_stuck_until_it_gives_another_value() {
        let stuck = "stuck: must not be the same for 2s, got 3 for 2s";
        assert_eq!(said("stuckAfter: 2s", &[3.0, 3.0, 3.0, 4.0]), ["", "", stuck, ""]);
    }
}
