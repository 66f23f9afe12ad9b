//! Series and their samples, as metrics protocols push them, in; the readings of sensors, and the refused
//! samples, out.
//!
//! A sensor is one series. A second series that the sensor selects too is refused while the first one is
//! pushed. When the first has ended (by its stale marker, or after a silence of one minute, or five intervals
//! if that is longer), the second takes its place, so that a pod that is replaced remains the same sensor.

use jiff::{SignedDuration, Timestamp};
use parking_lot::MutexGuard;

use super::inlet::Inlet;
use super::items::Items;
use super::series::{Bound, Series};
use crate::ingest::alignment::not_ahead;
use crate::ingest::source::Reading;

/// The bits of the NaN that Prometheus writes at the end of a series.
const STALE_MARKER: u64 = 0x7ff0_0000_0000_0002;
/// The time without a push, or five intervals if that is longer, after which a series has ended.
const SILENCE: SignedDuration = SignedDuration::from_mins(1);

/// The longest name and labels of a sensor's series, in bytes.
const MAX_SERIES_BYTES: usize = 16 << 10;

/// A sample of a series.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// The time at which it was taken; none where a timestamp cannot hold it.
    pub time: Option<Timestamp>,
    /// Its value; NaN where there is none.
    pub value: f64,
}

/// Why a series is refused for a sensor.
#[derive(Clone, Copy)]
enum Unbound {
    /// Its name and labels are too long, with this number of bytes.
    Long(usize),
    /// The sensor already has another series.
    Second,
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
    /// A collector for a request that arrived at `now`.
    pub fn new(inlet: &'a Inlet, now: Timestamp) -> Self {
        Self { inlet, bound: inlet.bound(), now, series: 0, items: Items::default() }
    }

    /// Begin the next series of the request: samples added from here on belong to it.
    pub fn begin_series(&mut self) {
        self.series += 1;
    }

    /// Add the samples of a series to the sensors that select it. The samples may be iterated several times.
    ///
    /// # Errors
    /// The request has more readings than a request may have.
    pub fn add(
        &mut self,
        series: Series,
        samples: impl Iterator<Item = Sample> + Clone,
    ) -> Result<(), String> {
        let mut is_selected = false;
        let inlet = self.inlet;
        for selector in inlet.selectors().named(series.name).iter().filter(|each| each.selects(series)) {
            is_selected = true;
            self.add_to(selector.sensor, series, samples.clone())?;
        }
        if !is_selected {
            let count = samples.count();
            self.items.unselected += count;
            if count > 0 {
                inlet.leave_out(|| series.shown());
            }
        }
        Ok(())
    }

    /// Refuse `count` samples of a series if a sensor selects it: samples of their type, `what`, cannot be
    /// readings. Return the number of samples refused.
    ///
    /// # Errors
    /// As for [`Self::add`].
    pub fn add_unsupported(&mut self, series: Series, count: usize, what: &str) -> Result<usize, String> {
        let selected = self.inlet.selectors().named(series.name).iter().any(|each| each.selects(series));
        if !selected {
            return Ok(0);
        }
        for _ in 0..count {
            let why = || format!("{}: expected a gauge or a counter, got {what}", series.shown());
            self.items.refuse(self.series, why)?;
        }
        Ok(count)
    }

    fn add_to(
        &mut self,
        sensor: usize,
        series: Series,
        samples: impl Iterator<Item = Sample>,
    ) -> Result<(), String> {
        if let Err(unbound) = self.bind(sensor, series) {
            let (name, bound) = (&self.inlet.sensors()[sensor], self.bound[sensor].as_ref());
            for _ in samples {
                self.items.refuse(self.series, || why_not(name, bound, series, unbound))?;
            }
            return Ok(());
        }
        let mut has_ended = false;
        for sample in samples {
            has_ended = sample.value.to_bits() == STALE_MARKER;
            match reading(sensor, sample, self.now) {
                Ok(reading) => self.items.take(reading)?,
                Err(why) => self.items.refuse(self.series, || format!("{}: {why}", series.shown()))?,
            }
        }
        if has_ended {
            self.bound[sensor] = None;
        }
        Ok(())
    }

    fn bind(&mut self, sensor: usize, series: Series) -> Result<(), Unbound> {
        let bytes = series.bytes();
        if bytes > MAX_SERIES_BYTES {
            return Err(Unbound::Long(bytes));
        }
        let silence = SILENCE.max(self.inlet.interval() * 5);
        let digest = series.digest(self.inlet.hasher());
        match &mut self.bound[sensor] {
            Some(bound) if bound.digest == digest => bound.pushed = self.now,
            Some(bound) if self.now.duration_since(bound.pushed) < silence => return Err(Unbound::Second),
            bound => *bound = Some(Bound { digest, series: series.shown(), pushed: self.now }),
        }
        Ok(())
    }

    /// The readings and refused items of the request.
    pub fn finish(self) -> Items {
        self.items
    }
}

/// The message that says why a series is refused for the sensor with this name.
fn why_not(sensor: &str, bound: Option<&Bound>, series: Series, unbound: Unbound) -> String {
    let shown = series.shown();
    match unbound {
        Unbound::Long(bytes) => {
            format!("{shown}: expected a name and labels of at most {MAX_SERIES_BYTES} bytes, got {bytes}")
        }
        Unbound::Second => {
            let first = bound.map_or("another", |bound| &bound.series);
            format!(
                "sensor {sensor}: expected one series, got {shown} beside {first}: select one of them by matchLabels"
            )
        }
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
    use crate::ingest::sources::http::items::MAX_ITEMS;
    use crate::ingest::sources::http::series::Layer;
    use crate::ingest::sources::http::tests::inlet;

    fn now() -> Timestamp {
        Timestamp::from_second(1_764_000_000).unwrap()
    }

    fn add(inlet: &Inlet, now: Timestamp, pod: &str, value: f64) -> Items {
        let mut collector = Collector::new(inlet, now);
        collector.begin_series();
        let labels: Layer = [(&b"pod"[..], Cow::Borrowed(pod.as_bytes()))].into_iter().collect();
        let series = Series { name: b"up", layers: &[&labels] };
        collector.add(series, [Sample { time: Some(now), value }].into_iter()).unwrap();
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
        let [up, down] = [&b"up"[..], b"down"].map(|name| Series { name, layers: &[] });
        collector.add(down, samples.into_iter().take(2)).unwrap();
        collector.add(up, samples.into_iter()).unwrap();
        assert_eq!(collector.add_unsupported(down, 2, "a histogram"), Ok(0));
        assert_eq!(collector.add_unsupported(up, 1, "a histogram"), Ok(1));
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
    #[test]
    fn a_series_with_more_labels_than_a_sensor_has_and_too_many_samples_are_refused() {
        let inlet = inlet(r#"{"name":"up"}"#);
        let mut collector = Collector::new(&inlet, now());
        let long = vec![b'v'; MAX_SERIES_BYTES];
        let labels: Layer = [(&b"l"[..], Cow::Borrowed(&long[..]))].into_iter().collect();
        let sample = Sample { time: Some(now()), value: 1.0 };
        collector.add(Series { name: b"up", layers: &[&labels] }, [sample].into_iter()).unwrap();
        let up = Series { name: b"up", layers: &[] };
        let error = collector.add(up, std::iter::repeat_n(sample, MAX_ITEMS)).unwrap_err();
        assert_eq!(error, "a request must have at most 200000 readings: send them in several");
        let items = collector.finish();
        let why = format!(
            "up{{l={:?}}}: expected a name and labels of at most 16384 bytes, got 16387",
            "v".repeat(60) + "…"
        );
        assert_eq!((items.readings.len(), &items.named[0].1), (MAX_ITEMS, &why));
    }
}
