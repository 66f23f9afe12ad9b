//! The last judged instant and the times that were pushed before in; the readings that arrive too late to
//! count, out.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;

use crate::ingest::source::Reading;

/// The value for no time.
const NEVER: i64 = i64::MIN;

/// The times up to which readings have been judged, and pushed; nanoseconds since the Unix epoch.
#[derive(Debug)]
pub struct Watermark {
    judged: AtomicI64,
    staleness: i64,
    sensors: Mutex<Vec<Seen>>,
}

/// The newest time that was pushed for a sensor, and the newest of those that have been judged.
#[derive(Clone, Copy, Debug)]
struct Seen {
    newest: i64,
    judged: i64,
}

impl Watermark {
    /// A watermark before the first judged instant. `staleness` is the age up to which a sensor's last
    /// reading is used.
    pub fn new(sensors: usize, staleness: Duration) -> Self {
        let staleness = i64::try_from(staleness.as_nanos()).unwrap_or(i64::MAX);
        let seen = Seen { newest: NEVER, judged: NEVER };
        Self { judged: AtomicI64::new(NEVER), staleness, sensors: Mutex::new(vec![seen; sensors]) }
    }

    /// Record that the instant at this time has been judged.
    pub fn judge(&self, time: Timestamp) {
        self.judged.store(nanoseconds(time), Ordering::Relaxed);
    }

    /// The instant that was judged last.
    pub fn judged(&self) -> Option<Timestamp> {
        let judged = self.judged.load(Ordering::Relaxed);
        (judged != NEVER).then(|| Timestamp::from_nanosecond(judged.into()).unwrap_or(Timestamp::MIN))
    }

    /// Remove the readings that no later instant can use, and return their number. They are those of judged
    /// instants that are not newer than the reading that their sensor had then, or that would be stale at the
    /// next instant.
    pub fn take_late(&self, readings: &mut Vec<Reading>, interval: SignedDuration) -> usize {
        let judged = self.judged.load(Ordering::Relaxed);
        if judged == NEVER {
            return 0;
        }
        let interval = i64::try_from(interval.as_nanos()).unwrap_or(i64::MAX);
        let mut sensors = self.sensors.lock();
        for seen in sensors.iter_mut().filter(|seen| seen.newest <= judged) {
            seen.judged = seen.newest;
        }
        let before = readings.len();
        readings.retain(|reading| {
            let time = nanoseconds(reading.time);
            let age = judged.saturating_add(interval).saturating_sub(time);
            time > judged || (time > sensors[reading.sensor].judged && age <= self.staleness)
        });
        before - readings.len()
    }

    /// Record the sensors and times of accepted readings.
    pub fn push(&self, readings: &[(usize, Timestamp)]) {
        let mut sensors = self.sensors.lock();
        for (sensor, time) in readings {
            let seen = &mut sensors[*sensor];
            seen.newest = seen.newest.max(nanoseconds(*time));
        }
    }
}

/// A time in nanoseconds since the Unix epoch. Times before 1677 and after 2262 are clamped to these limits.
fn nanoseconds(time: Timestamp) -> i64 {
    i64::try_from(time.as_nanosecond()).unwrap_or(if time < Timestamp::UNIX_EPOCH {
        NEVER + 1
    } else {
        i64::MAX
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    /// The seconds of the readings of sensor 0 that count.
    fn counts(watermark: &Watermark, seconds: &[i64]) -> Vec<i64> {
        let reading = |second: &i64| Reading { sensor: 0, time: at(*second), value: Some(1.0) };
        let mut readings: Vec<Reading> = seconds.iter().map(reading).collect();
        let late = watermark.take_late(&mut readings, SignedDuration::from_secs(10));
        assert_eq!(late, seconds.len() - readings.len());
        readings.iter().map(|reading| reading.time.as_second()).collect()
    }

    #[test]
    fn a_reading_counts_while_it_can_stand_for_its_sensor_at_an_instant_to_come() {
        let watermark = Watermark::new(1, Duration::from_secs(50));
        assert_eq!(counts(&watermark, &[1, 100]), [1, 100], "nothing has been judged");
        watermark.judge(at(100));
        assert_eq!(counts(&watermark, &[59, 60, 100, 101]), [60, 100, 101], "stale at 110");
        watermark.push(&[(0, at(95)), (0, at(92))]);
        assert_eq!(counts(&watermark, &[95, 96, 110]), [96, 110], "no newer than what the sensor had");
        watermark.push(&[(0, at(110))]);
        assert_eq!(counts(&watermark, &[95, 96]), [96], "110 has not been judged");
        watermark.judge(at(110));
        assert_eq!(counts(&watermark, &[96, 109, 110, 111]), [111]);
        assert_eq!(watermark.judged(), Some(at(110)));
    }
}
