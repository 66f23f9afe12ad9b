//! Verdicts in; the readings and severities of the last 24 hours out, in bounded memory: if there is no room
//! for each instant, the lowest and the highest values of several instants are kept.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::scoring::verdict::Verdict;

/// The time that the history covers.
const REACH: Duration = Duration::from_hours(24);
/// The most slots, however much memory there is: one a second.
const MAX_SLOTS: usize = 86_400;
/// The most bytes of a chunk. A request writes one chunk at once.
const CHUNK_BYTES: usize = 16 << 10;
/// The size of a slot's time, bytes.
const TIME_BYTES: usize = size_of::<f64>();

/// The past readings of all sensors, and the past severities. Chunks are shared with the requests that read
/// them.
#[derive(Clone, Debug)]
pub struct History {
    chunks: VecDeque<Arc<Chunk>>,
    /// The number of series: the severity, and one for each sensor.
    series: usize,
    /// How long a slot lasts, seconds.
    width: f64,
    /// Whether a slot has two values of each series: the lowest and the highest.
    is_decimated: bool,
    /// How many slots a chunk has.
    chunk_slots: usize,
    /// How many chunks there are at most.
    most_chunks: usize,
}

/// Consecutive slots, oldest first.
#[derive(Clone, Debug, Default)]
pub struct Chunk {
    /// The first instant of each slot, seconds since 1970.
    times: Vec<f64>,
    /// The values of each slot, one per series; for a decimated slot the lowest of each series, then the
    /// highest.
    values: Vec<f32>,
}

impl History {
    /// An empty history for this many sensors, with one instant per `interval`, in at most `bytes` bytes.
    pub fn new(bytes: usize, sensors: usize, interval: Duration) -> Self {
        let series = sensors + 1;
        let instants = (REACH.as_secs_f64() / interval.as_secs_f64().max(1e-3)).ceil() as usize;
        let whole = series * size_of::<f32>() + TIME_BYTES;
        let is_decimated = instants > MAX_SLOTS || instants * whole > bytes;
        let slot = if is_decimated { whole + series * size_of::<f32>() } else { whole };
        let slots = if is_decimated { (bytes / slot).clamp(1, MAX_SLOTS) } else { instants.max(1) };
        let chunk_slots = (CHUNK_BYTES / slot).clamp(1, slots);
        let width = if is_decimated { REACH.as_secs_f64() / slots as f64 } else { 0.0 };
        let most_chunks = slots.div_ceil(chunk_slots) + 1;
        Self { chunks: VecDeque::new(), series, width, is_decimated, chunk_slots, most_chunks }
    }

    /// Add the verdict of the next instant.
    pub fn push(&mut self, verdict: &Verdict) {
        let time = verdict.time.as_duration().as_secs_f64();
        let severity = std::iter::once(verdict.judgement.severity as f32);
        let readings = verdict.values.iter().map(|value| value.map_or(f32::NAN, |value| value as f32));
        let row = severity.chain(readings).take(self.series);
        let series = self.series;
        if let Some(chunk) = self.chunks.back_mut().filter(|chunk| chunk.is_open(time, self.width)) {
            Arc::make_mut(chunk).widen(row, series);
            return;
        }
        let is_full = self.chunks.back().is_none_or(|chunk| chunk.times.len() == self.chunk_slots);
        if is_full {
            let values = self.chunk_slots * self.series * if self.is_decimated { 2 } else { 1 };
            let (times, values) = (Vec::with_capacity(self.chunk_slots), Vec::with_capacity(values));
            self.chunks.push_back(Arc::new(Chunk { times, values }));
        }
        if self.chunks.len() > self.most_chunks {
            self.chunks.pop_front();
        }
        if let Some(chunk) = self.chunks.back_mut() {
            Arc::make_mut(chunk).push(time, row, self.is_decimated);
        }
    }

    /// The chunks that have an instant after `since`, oldest first.
    pub fn since(&self, since: Timestamp) -> Vec<Arc<Chunk>> {
        let since = since.as_duration().as_secs_f64();
        let is_wanted = |chunk: &&Arc<Chunk>| chunk.times.last().is_some_and(|last| *last > since);
        self.chunks.iter().filter(is_wanted).cloned().collect()
    }

    /// How long a slot lasts, seconds; 0 if each slot is one instant.
    pub fn width(&self) -> f64 {
        self.width
    }
}

impl Chunk {
    /// Whether an instant of this time belongs to the newest slot.
    fn is_open(&self, time: f64, width: f64) -> bool {
        self.times.last().is_some_and(|begin| time - begin < width)
    }

    fn push(&mut self, time: f64, row: impl Iterator<Item = f32> + Clone, is_decimated: bool) {
        self.times.push(time);
        self.values.extend(row.clone());
        if is_decimated {
            self.values.extend(row);
        }
    }

    fn widen(&mut self, row: impl Iterator<Item = f32>, series: usize) {
        let slot = self.values.len() - 2 * series;
        let (lowest, highest) = self.values[slot..].split_at_mut(series);
        for ((low, high), value) in lowest.iter_mut().zip(highest).zip(row) {
            // The lower or higher one of a number and NaN is the number.
            (*low, *high) = (low.min(value), high.max(value));
        }
    }

    /// Write `[time,severity,reading,…]` of each instant after `since`, separated by commas. Of a decimated
    /// slot write the lowest and the highest values, as two instants half of its width apart.
    ///
    /// # Errors
    /// Writing to `out` fails.
    pub fn write(&self, since: Timestamp, width: f64, out: &mut impl Write) -> io::Result<()> {
        let since = since.as_duration().as_secs_f64();
        let Some(slot) = self.values.len().checked_div(self.times.len()) else { return Ok(()) };
        let rows = if width > 0.0 { 2 } else { 1 };
        let mut is_first = true;
        for (time, values) in self.times.iter().zip(self.values.chunks_exact(slot)) {
            if *time <= since {
                continue;
            }
            for (index, row) in values.chunks_exact(slot / rows).enumerate() {
                if !std::mem::take(&mut is_first) {
                    out.write_all(b",")?;
                }
                write!(out, "[{}", ((time + index as f64 * width / 2.0) * 1e3).round() / 1e3)?;
                for value in row {
                    if value.is_finite() { write!(out, ",{value}")? } else { out.write_all(b",null")? }
                }
                out.write_all(b"]")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::reading::Readings;
    use crate::model::judgement::Judgement;
    use crate::scoring::verdict::AlarmState;

    fn verdict(second: i64, value: Option<f64>, severity: f64) -> Verdict {
        let time = Timestamp::from_second(second).unwrap();
        let readings = Readings { time, values: vec![value], truth: None };
        let (contributions, reasons, model) = (Vec::new(), Vec::new(), "sha256:0".into());
        let judgement =
            Judgement { score: 0.5, severity, anomalous: severity > 1.0, contributions, reasons, model };
        Verdict::new(&readings, judgement, AlarmState::Normal)
    }

    fn text(history: &History, since: i64) -> String {
        let since = Timestamp::from_second(since).unwrap();
        let mut rows = Vec::new();
        for chunk in history.since(since) {
            let mut out = Vec::new();
            chunk.write(since, history.width(), &mut out).unwrap();
            rows.push(String::from_utf8(out).unwrap());
        }
        rows.join(",")
    }

    #[test]
    fn each_instant_is_there_where_there_is_room() {
        let mut history = History::new(4 << 20, 1, Duration::from_secs(1));
        history.push(&verdict(10, Some(0.25), 0.5));
        history.push(&verdict(11, None, 1.5));
        assert_eq!(text(&history, 0), "[10,0.5,0.25],[11,1.5,null]");
        assert_eq!(text(&history, 10), "[11,1.5,null]");
        assert_eq!(text(&history, 11), "");
    }

    #[test]
    fn a_day_of_seconds_fits_and_what_is_older_goes() {
        let mut history = History::new(4 << 20, 1, Duration::from_secs(1));
        (0..100_000).for_each(|second| history.push(&verdict(second, Some(1.0), 0.5)));
        let count: usize = history.since(Timestamp::MIN).iter().map(|chunk| chunk.times.len()).sum();
        assert!((86_400..90_000).contains(&count), "{count}");
    }

    #[test]
    fn where_memory_is_short_the_lowest_and_the_highest_of_a_slot_stay() {
        let bytes = 100 * (4 * 4 + 8);
        let mut history = History::new(bytes, 1, Duration::from_secs(1));
        assert!((history.width() - 864.0).abs() < 1e-9);
        for second in 0..200_000 {
            let value = if second % 864 == 400 { Some(9.0) } else { Some(1.0) };
            history.push(&verdict(second, value, 0.5));
        }
        let held: usize = history.since(Timestamp::MIN).iter().map(|chunk| chunk.values.len() * 4).sum();
        assert!(held <= 2 * bytes, "{held}");
        assert_eq!(text(&history, 199_000), "[199584,0.5,1],[200016,0.5,9]");
    }
}
