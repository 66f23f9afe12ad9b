//! The pods' reports in, the Event for faults of sensors that no Event has reported yet out: one Event for
//! all replicas, and one for all faults that begin within five minutes.

use std::collections::BTreeMap;

use crd::contract::SensorEventReport;
use jiff::Timestamp;
use kube::runtime::events::Event;

use super::alarms::{newest, warning};
use crate::observe::Observed;

/// Return the start of the newest fault that an Event has reported, including the Event that is due now.
/// `before` is that time as of the last status.
pub fn newest_notified(before: Option<Timestamp>, observed: &Observed, now: Timestamp) -> Option<Timestamp> {
    newest(before, not_notified(before, observed).map(|fault| fault.start), now)
}

/// Return the Event for the faults after `before`, or none where the newest reported fault has not changed.
pub fn event(before: Option<Timestamp>, after: Option<Timestamp>, observed: &Observed) -> Option<Event> {
    if before == after {
        return None;
    }
    // Replicas that read the same sensor see the same fault.
    let faults: BTreeMap<(Timestamp, &str), &SensorEventReport> =
        not_notified(before, observed).map(|fault| ((fault.start, fault.sensor.as_str()), fault)).collect();
    let newest = &faults.values().next_back()?.message;
    let note = match faults.len() {
        1 => newest.clone(),
        count => format!("{count} faults of sensors; the newest: {newest}"),
    };
    Some(warning("SensorFault", note))
}

/// Faults that started after `before`.
fn not_notified(before: Option<Timestamp>, observed: &Observed) -> impl Iterator<Item = &SensorEventReport> {
    let reports = observed.reports.iter().filter_map(|pod| pod.report.as_ref());
    reports.flat_map(|report| &report.newest_sensor_events).filter(move |fault| Some(fault.start) > before)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use crd::contract::{Phase, Report};

    use super::*;
    use crate::observe::PodReport;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn fault(start: i64, sensor: &str) -> SensorEventReport {
        SensorEventReport {
            kind: "sensor".to_owned(),
            sensor: sensor.to_owned(),
            fault: "out_of_range".to_owned(),
            start: at(start),
            end: None,
            message: format!("sensor {sensor} gives -1, which is below its range"),
        }
    }

    /// Reports with these faults, one pod per entry.
    fn observed(pods: &[&[SensorEventReport]]) -> Observed {
        let report = |faults: &&[SensorEventReport]| Report {
            detector: "mill".to_owned(),
            version: "1".to_owned(),
            phase: Phase::Serving,
            model: None,
            sources: Vec::new(),
            trainings: 0,
            rejected: None,
            alarm_rate: None,
            newest_events: Vec::new(),
            newest_sensor_events: faults.to_vec(),
        };
        let pod = |faults| PodReport { pod: Arc::default(), report: Some(report(faults)), unusable: None };
        Observed { reports: pods.iter().map(pod).collect(), ..Observed::default() }
    }

    fn note(before: Option<i64>, observed: &Observed, now: i64) -> Option<String> {
        let before = before.map(at);
        event(before, newest_notified(before, observed, at(now)), observed)?.note
    }

    #[test]
    fn a_fault_that_several_replicas_see_is_reported_once_in_its_own_words() {
        let faults = [fault(1000, "flow")];
        let observed = observed(&[&faults, &faults]);
        assert_eq!(note(None, &observed, 1010).unwrap(), "sensor flow gives -1, which is below its range");
        assert_eq!(note(Some(1000), &observed, 9999), None);
    }

    #[test]
    fn faults_within_five_minutes_of_the_last_wait_and_are_reported_together() {
        let observed = observed(&[&[fault(1100, "flow"), fault(1050, "pressure")]]);
        assert_eq!(note(Some(1000), &observed, 1200), None);
        assert_eq!(
            note(Some(1000), &observed, 1301).unwrap(),
            "2 faults of sensors; the newest: sensor flow gives -1, which is below its range"
        );
    }
}
