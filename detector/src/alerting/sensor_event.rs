//! The faults of sensors in, one instant after another; events of sensors out: which sensor has which fault
//! when.

use crd::Valid;
use crd::contract::SensorEventReport;
use jiff::Timestamp;

use super::event::MAX_EVENTS;
use crate::ingest::alignment::Aligned;
use crate::ingest::sensor_check::{Fault, SensorFault};
use crate::newest::Newest;

/// The events of all sensors. An event begins with a fault of a sensor, such as a reading out of its limits.
/// It ends with the sensor's next valid reading, or with another fault.
#[derive(Clone, Debug)]
pub struct SensorEvents {
    sensors: Vec<String>,
    ongoing: Vec<Option<(Fault, SensorEventReport)>>,
    ended: Newest<SensorEventReport>,
}

/// A change of a sensor's events.
#[derive(Clone, Debug, PartialEq)]
pub enum SensorChange {
    /// An event has started.
    Began(usize, Fault, SensorEventReport),
    /// An event has ended.
    Ended(usize, Fault, SensorEventReport),
}

impl SensorEvents {
    /// Create the events of a detector's sensors, without any event.
    pub fn new(detector: &Valid) -> Self {
        let sensors: Vec<String> = detector.sensors().map(|sensor| sensor.name.to_owned()).collect();
        Self { ongoing: vec![None; sensors.len()], sensors, ended: Newest::new(MAX_EVENTS) }
    }

    /// Process the next instant, and return the changes.
    pub fn follow(&mut self, aligned: &Aligned) -> Vec<SensorChange> {
        let time = aligned.readings.time;
        let mut changes = Vec::new();
        for (sensor, value) in aligned.readings.values.iter().enumerate() {
            if value.is_some() && self.ongoing[sensor].is_some() {
                changes.extend(self.end(sensor, time));
            }
        }
        for fault in &aligned.faults {
            changes.extend(self.begin(fault, time));
        }
        changes
    }

    fn begin(&mut self, fault: &SensorFault, time: Timestamp) -> Vec<SensorChange> {
        let SensorFault { sensor, fault, message, .. } = fault;
        if self.ongoing[*sensor].as_ref().is_some_and(|(before, _)| before == fault) {
            return Vec::new();
        }
        let ended = self.end(*sensor, time);
        let report = SensorEventReport {
            kind: "sensor".to_owned(),
            sensor: self.sensors[*sensor].clone(),
            fault: fault.label().to_owned(),
            start: time,
            end: None,
            message: format!("{}: {message}", self.sensors[*sensor]),
        };
        self.ongoing[*sensor] = Some((*fault, report.clone()));
        ended.into_iter().chain([SensorChange::Began(*sensor, *fault, report)]).collect()
    }

    fn end(&mut self, sensor: usize, time: Timestamp) -> Option<SensorChange> {
        let (fault, report) = self.ongoing[sensor].take()?;
        let report = SensorEventReport { end: Some(time), ..report };
        self.ended.push(report.clone());
        Some(SensorChange::Ended(sensor, fault, report))
    }

    /// The newest events, at most `most`, newest first: the ongoing ones, then those that have ended.
    pub fn newest(&self, most: usize) -> Vec<SensorEventReport> {
        let ongoing = self.ongoing.iter().flatten().map(|(_, report)| report.clone());
        ongoing.chain(self.ended.iter().rev().cloned()).take(most).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::reading::Readings;

    fn instant(second: i64, value: Option<f64>, fault: Option<Fault>) -> Aligned {
        let time = Timestamp::from_second(second).unwrap();
        let message = "must be at most 1, got 2".to_owned();
        let faults = fault.map(|fault| SensorFault { sensor: 0, fault, value: 2.0, message });
        let readings = Readings { time, values: vec![value], truth: None };
        Aligned { readings, carried: Vec::new(), faults: faults.into_iter().collect() }
    }

    #[test]
    fn an_event_goes_from_the_first_faulty_reading_to_the_next_good_one() {
        let text = "apiVersion: anomaly.dev/v1alpha1\nkind: AnomalyDetector\nmetadata: {name: mill}\nspec:\n  sources:\n  - name: s\n    \
                    http: {sensors: [{name: speed}]}\n";
        let mut events = SensorEvents::new(&crd::manifest::one_detector(text).unwrap());
        assert!(events.follow(&instant(1, Some(1.0), None)).is_empty());
        let began = events.follow(&instant(2, None, Some(Fault::OutOfRange)));
        assert!(matches!(&began[..], [SensorChange::Began(0, Fault::OutOfRange, report)]
            if report.message == "speed: must be at most 1, got 2" && report.end.is_none()));
        assert!(events.follow(&instant(3, None, Some(Fault::OutOfRange))).is_empty());
        assert!(events.follow(&instant(4, None, None)).is_empty(), "nothing was given");
        assert_eq!(events.follow(&instant(5, None, Some(Fault::Stuck))).len(), 2, "one ends, another begins");
        let ended = events.follow(&instant(6, Some(1.0), None));
        assert!(matches!(&ended[..], [SensorChange::Ended(0, Fault::Stuck, report)]
            if report.start.as_second() == 5 && report.end.unwrap().as_second() == 6));
        let faults: Vec<String> = events.newest(10).into_iter().map(|event| event.fault).collect();
        assert_eq!(faults, ["stuck", "out_of_range"]);
    }
}
