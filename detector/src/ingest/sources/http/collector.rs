//! Series and their samples in, as protocols of metrics push them; the readings of sensors out, and what can be none.
//!
//! A sensor is one series. Another one that its spec selects too is refused while the first is pushed; when the first has
//! ended (its stale marker has come, or nothing for a minute and five intervals), the other one takes its place: so a pod
//! that is replaced goes on being the sensor.

use std::sync::MutexGuard;

use jiff::{SignedDuration, Timestamp};

use super::inlet::Inlet;
use super::items::Items;
use super::series::{Bound, Label, shown};
use crate::ingest::alignment::not_ahead;
use crate::ingest::source::Reading;

/// What Prometheus writes where a series has ended.
const STALE_MARKER: u64 = 0x7ff0_0000_0000_0002;
/// A series that has not been pushed for so long, and for five intervals, has ended.
const SILENCE: SignedDuration = SignedDuration::from_mins(1);

/// A sample of a series.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// When it was taken; none where no calendar has that time.
    pub time: Option<Timestamp>,
    /// Its value; NaN where there is none.
    pub value: f64,
}

/// Collects the readings of one request.
pub struct Collector<'a> {
    inlet: &'a Inlet,
    bound: MutexGuard<'a, Vec<Option<Bound>>>,
    now: Timestamp,
    series: usize,
    items: Items,
}

impl<'a> Collector<'a> {
    /// For a request that came at `now`.
    pub fn new(inlet: &'a Inlet, now: Timestamp) -> Self {
        Self { inlet, bound: inlet.bound(), now, series: 0, items: Items::default() }
    }

    /// What is added next is of the next series of the request.
    pub fn begin_series(&mut self) {
        self.series += 1;
    }

    /// The samples of a series.
    pub fn add(&mut self, name: &[u8], labels: &[Label], samples: &[Sample]) {
        let mut is_selected = false;
        let inlet = self.inlet;
        for selector in inlet.selectors().named(name).iter().filter(|each| each.selects(labels)) {
            is_selected = true;
            self.add_to(selector.sensor, &shown(name, labels), samples);
        }
        if !is_selected {
            self.items.unselected += samples.len();
            if !samples.is_empty() {
                inlet.leave_out(|| shown(name, labels));
            }
        }
    }

    /// A series whose samples can be no readings of the sensors that select it: so many, and what they are. How many are
    /// refused.
    pub fn add_unfit(&mut self, name: &[u8], labels: &[Label], count: usize, what: &str) -> usize {
        let selected = self.inlet.selectors().named(name).iter().any(|each| each.selects(labels));
        if !selected {
            return 0;
        }
        for _ in 0..count {
            let why = || format!("{}: expected a gauge or a counter, got {what}", shown(name, labels));
            self.items.refuse(self.series, why);
        }
        count
    }

    fn add_to(&mut self, sensor: usize, series: &str, samples: &[Sample]) {
        if let Err(why) = self.bind(sensor, series) {
            for _ in samples {
                self.items.refuse(self.series, || why.clone());
            }
            return;
        }
        for sample in samples {
            match reading(sensor, *sample, self.now) {
                Ok(reading) => self.items.readings.push(reading),
                Err(why) => self.items.refuse(self.series, || format!("{series}: {why}")),
            }
        }
        if samples.last().is_some_and(|last| last.value.to_bits() == STALE_MARKER) {
            self.bound[sensor] = None;
        }
    }

    fn bind(&mut self, sensor: usize, series: &str) -> Result<(), String> {
        let silence = SILENCE.max(self.inlet.interval() * 5);
        match &mut self.bound[sensor] {
            Some(bound) if bound.series == series => bound.pushed = self.now,
            Some(bound) if self.now.duration_since(bound.pushed) < silence => {
                let name = &self.inlet.sensors()[sensor];
                return Err(format!(
                    "sensor {name}: expected one series, got {series} beside {}: select one of them by matchLabels",
                    bound.series
                ));
            }
            bound => *bound = Some(Bound { series: series.to_owned(), pushed: self.now }),
        }
        Ok(())
    }

    /// What the request holds.
    pub fn finish(self) -> Items {
        self.items
    }
}

fn reading(sensor: usize, sample: Sample, now: Timestamp) -> Result<Reading, String> {
    let time = sample.time.ok_or("expected a timestamp of the years -9999 to 9999")?;
    not_ahead(time, now.as_nanosecond(), 0)?;
    if sample.value.is_infinite() {
        return Err(format!("expected a finite number, got {}", sample.value));
    }
    Ok(Reading { sensor, time, value: Some(sample.value).filter(|value| !value.is_nan()) })
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::*;
    use crate::ingest::sources::http::tests::inlet;

    fn now() -> Timestamp {
        Timestamp::from_second(1_764_000_000).unwrap()
    }

    fn add(inlet: &Inlet, now: Timestamp, pod: &str, value: f64) -> Items {
        let mut collector = Collector::new(inlet, now);
        collector.begin_series();
        collector.add(
            b"up",
            &[(b"pod", Cow::Borrowed(pod.as_bytes()))],
            &[Sample { time: Some(now), value }],
        );
        collector.finish()
    }

    #[test]
    fn a_second_series_of_a_sensor_is_refused_until_the_first_has_ended() {
        let inlet = inlet(r#"{"name":"up"}"#);
        assert_eq!(add(&inlet, now(), "a", 1.0).readings.len(), 1);
        let refused = add(&inlet, now(), "b", 1.0);
        let why = r#"sensor up: expected one series, got up{pod="b"} beside up{pod="a"}: select one of them by matchLabels"#;
        assert_eq!((refused.readings.len(), refused.refused), (0, 1));
        assert_eq!(refused.named, [(1, why.to_owned())]);
        assert_eq!(add(&inlet, now(), "a", f64::from_bits(STALE_MARKER)).readings[0].value, None);
        assert_eq!(add(&inlet, now(), "b", 1.0).readings.len(), 1, "after the stale marker");
        let later = now() + SignedDuration::from_secs(61);
        assert_eq!(add(&inlet, later, "a", 1.0).readings.len(), 1, "after a minute of silence");
    }

    #[test]
    fn what_is_no_reading_is_refused_and_what_no_sensor_selects_is_left_out() {
        let inlet = inlet(r#"{"name":"up"}"#);
        let mut collector = Collector::new(&inlet, now());
        let sample = |time, value| Sample { time, value };
        let ahead = now() + SignedDuration::from_hours(1);
        let samples = [
            sample(Some(now()), 1.0),
            sample(Some(now()), f64::NAN),
            sample(Some(now()), f64::INFINITY),
            sample(Some(ahead), 1.0),
            sample(None, 1.0),
        ];
        collector.add(b"down", &[], &samples[..2]);
        collector.add(b"up", &[], &samples);
        assert_eq!(collector.add_unfit(b"down", &[], 2, "a histogram"), 0);
        assert_eq!(collector.add_unfit(b"up", &[], 1, "a histogram"), 1);
        let items = collector.finish();
        let values: Vec<_> = items.readings.iter().map(|reading| reading.value).collect();
        assert_eq!((values, items.unselected, items.refused), (vec![Some(1.0), None], 2, 4));
        let sentences: Vec<&str> = items.named.iter().map(|(_, why)| why.as_str()).collect();
        assert_eq!(
            sentences,
            [
                "up{}: expected a finite number, got inf",
                "up{}: a reading must be at most 60s ahead of the clock, got one of 2025-11-24T17:00:00Z",
                "up{}: expected a timestamp of the years -9999 to 9999",
                "up{}: expected a gauge or a counter, got a histogram",
            ]
        );
    }
}
