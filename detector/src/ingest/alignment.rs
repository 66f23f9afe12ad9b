//! Readings that arrive at any time and in any order in; the readings of all sensors, one instant after
//! another, out. Pure: the current time is an argument.
//!
//! Instants are the multiples of the interval since the Unix epoch. An instant takes from each sensor the
//! newest reading that is not later than the instant and not older than the source's staleness; a reading
//! younger than one interval always counts. An instant is *closed*, and judged, when each source has declared
//! its readings complete (`Batch::complete_to`) or its lateness has passed on the clock, or as soon as each
//! sensor has a reading with exactly the instant's time. A reading that arrives for a closed instant counts
//! for the next one if it is still the sensor's newest, and is dropped otherwise.
//!
//! Until the first instant that is near the clock, the times of the readings set the pace, so that a history
//! can be pushed as fast as possible. From then on the clock sets the pace, and at an instant without
//! readings they are missing.

/// The column of a sensor.
mod column;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::reading::{ActiveFault, Readings};
use super::sensor_check::SensorFault;
use super::source::{Batch, Reading};
use super::status::SourceStatus;
use column::Column;

/// The most instants that are open at once. When there are more, the oldest is closed without waiting for
/// late readings.
const MAX_OPEN: usize = 4096;
/// The most overdue instants that are judged after a pause. When there are more, the instants before the
/// first one with readings are skipped.
const MAX_OVERDUE: i128 = 60;
/// How far ahead of the clock a reading may be; two intervals, if that is longer. Clocks differ.
const AHEAD: i128 = 60 * SECOND;
const SECOND: i128 = 1_000_000_000;

/// The alignment settings of a source.
#[derive(Clone, Debug)]
pub struct SourceTiming {
    /// The counts of the source's readings by outcome.
    pub status: Arc<SourceStatus>,
    /// How many sensors it has.
    pub sensors: usize,
    /// The age up to which a sensor's last reading is used.
    pub staleness: Duration,
    /// How long an instant waits for late readings of the source.
    pub lateness: Duration,
}

/// The readings of an instant.
#[derive(Clone, Debug, PartialEq)]
pub struct Aligned {
    /// The readings.
    pub readings: Readings,
    /// The sensors, in ascending order, without a new reading for this instant. The value of such a sensor,
    /// if any, is an earlier reading, which was already counted.
    pub carried: Vec<usize>,
    /// The readings that failed a sensor check; their values are missing.
    pub faults: Vec<SensorFault>,
}

/// The buffer of readings that wait until their instant is closed.
#[derive(Debug)]
pub struct Alignment {
    interval: i128,
    sources: Vec<SourceProgress>,
    columns: Vec<Column>,
    open: BTreeMap<i128, Open>,
    closed: Option<i128>,
    pace: Pace,
    /// The time on the clock at which the last batch arrived.
    arrived: i128,
    /// The number of instants skipped since the last call of `take_skipped`.
    skipped: u64,
}

#[derive(Debug)]
struct SourceProgress {
    status: Arc<SourceStatus>,
    first: usize,
    staleness: i128,
    lateness: i128,
    /// The time up to which the source has delivered all its readings.
    complete_to: Option<i128>,
    /// The time of its newest reading.
    newest: Option<i128>,
}

#[derive(Debug)]
struct Open {
    cells: Vec<Option<(i128, Option<f64>)>>,
    /// The number of cells whose reading has exactly the instant's time.
    exact: usize,
    truth: Option<Vec<ActiveFault>>,
}

/// What decides when the next instant is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pace {
    /// No reading has arrived yet; waiting since this time on the clock.
    Waiting(i128),
    /// The times of the readings, which are in the past.
    Readings,
    /// The clock.
    Clock,
}

impl Alignment {
    /// An alignment before the first reading, created at `now`. Instants up to `seen` have been judged
    /// before.
    pub fn new(
        timings: Vec<SourceTiming>,
        interval: SignedDuration,
        seen: Option<Timestamp>,
        now: Timestamp,
    ) -> Self {
        let interval = interval.as_nanos().max(1);
        let (mut progress, mut columns) = (Vec::new(), Vec::new());
        for (index, timing) in timings.into_iter().enumerate() {
            let first = columns.len();
            columns.extend((0..timing.sensors).map(|_| Column::new(index)));
            progress.push(SourceProgress {
                status: timing.status,
                first,
                staleness: timing.staleness.as_nanos().cast_signed(),
                lateness: timing.lateness.as_nanos().cast_signed(),
                complete_to: None,
                newest: None,
            });
        }
        Self {
            interval,
            sources: progress,
            columns,
            open: BTreeMap::new(),
            closed: seen.map(|seen| seen.as_nanosecond().div_euclid(interval)),
            pace: Pace::Waiting(now.as_nanosecond()),
            arrived: now.as_nanosecond(),
            skipped: 0,
        }
    }

    /// Add a batch that arrived from a source at `now`.
    pub fn add(&mut self, source: usize, mut batch: Batch, now: Timestamp) {
        let now = now.as_nanosecond();
        self.arrived = now;
        batch.readings.sort_by_key(|reading| reading.time);
        for reading in batch.readings {
            self.place(source, reading, now);
        }
        let Some(complete_to) = batch.complete_to.map(Timestamp::as_nanosecond) else { return };
        self.sources[source].complete_to = self.sources[source].complete_to.max(Some(complete_to));
        let offset = self.sources[source].first;
        if let (Some(truth), Some(open)) = (batch.truth, self.open.get_mut(&self.instant_of(complete_to))) {
            let of_all =
                |fault: ActiveFault| ActiveFault { sensor: fault.sensor.map(|s| s + offset), ..fault };
            open.truth.get_or_insert_default().extend(truth.into_iter().map(of_all));
        }
    }

    /// The first instant at or after a time.
    fn instant_of(&self, time: i128) -> i128 {
        -(-time).div_euclid(self.interval)
    }

    fn place(&mut self, source: usize, reading: Reading, now: i128) {
        let progress = &mut self.sources[source];
        let time = reading.time.as_nanosecond();
        if let Err(why) = not_ahead(reading.time, now, self.interval) {
            return progress.status.refuse(1, &why);
        }
        progress.newest = progress.newest.max(Some(time));
        let column = progress.first + reading.sensor;
        let instant = self.instant_of(time);
        if matches!(self.pace, Pace::Waiting(_)) {
            self.begin(source, instant, now);
        }
        if self.closed.is_some_and(|closed| instant <= closed) {
            self.replace(column, time, reading.value);
        } else {
            self.put(column, instant, time, reading.value);
        }
    }

    /// Set the pace when the first reading arrives: the clock if the reading is near it, else the times of
    /// the readings.
    fn begin(&mut self, source: usize, instant: i128, now: i128) {
        let progress = &self.sources[source];
        let lag = now - instant * self.interval;
        let near = lag <= progress.lateness + progress.staleness.max(self.interval);
        self.pace = if near { Pace::Clock } else { Pace::Readings };
        self.closed = self.closed.max(Some(instant - 1));
    }

    /// Put a reading into its open instant. Of two readings of one sensor, the older is dropped.
    fn put(&mut self, column: usize, instant: i128, time: i128, value: Option<f64>) {
        let (width, at) = (self.columns.len(), instant * self.interval);
        let open = self.open.entry(instant).or_insert_with(|| Open {
            cells: vec![None; width],
            exact: 0,
            truth: None,
        });
        let cell = &mut open.cells[column];
        if let Some((earlier, _)) = *cell {
            self.sources[self.columns[column].source].status.discard(1);
            if earlier > time {
                return;
            }
            open.exact -= usize::from(earlier == at);
        }
        open.exact += usize::from(time == at);
        *cell = Some((time, value));
    }

    /// Make this reading the sensor's current one if it is newer than the current one.
    fn replace(&mut self, column: usize, time: i128, value: Option<f64>) {
        let column = &mut self.columns[column];
        let dropped = column.replace(time, value);
        self.sources[column.source].status.discard(dropped);
    }

    /// The readings of the next instant, if it is time to judge it.
    pub fn next(&mut self, now: Timestamp) -> Option<Aligned> {
        let now = now.as_nanosecond();
        match self.pace {
            Pace::Waiting(since) => {
                let patience =
                    self.sources.iter().map(|progress| progress.lateness + progress.staleness).max()?;
                if now < since + patience.max(self.interval) {
                    return None;
                }
                self.closed = self.closed.max(Some(now.div_euclid(self.interval) - 1));
                self.pace = Pace::Clock;
                self.next_by_clock(now)
            }
            Pace::Clock => self.next_by_clock(now),
            Pace::Readings => self.next_by_readings(now),
        }
    }

    fn next_by_clock(&mut self, now: i128) -> Option<Aligned> {
        let newest = now.div_euclid(self.interval);
        self.follow_clock_back(newest);
        let mut instant = self.closed? + 1;
        let first = self.open.keys().next().copied();
        let lateness = self.lateness().div_euclid(self.interval);
        if newest - lateness - instant > MAX_OVERDUE {
            let due = instant.max(first.unwrap_or(i128::MAX).min(newest - lateness));
            self.skipped += u64::try_from(due - instant).unwrap_or_default();
            self.closed = Some(due - 1);
            instant = due;
        }
        let is_over = |progress: &SourceProgress| {
            progress.complete_to.max(Some(now - progress.lateness)) >= Some(instant * self.interval)
        };
        let due = self.sources.iter().all(is_over) || self.is_exact(instant) || self.open.len() > MAX_OPEN;
        due.then(|| self.close(instant))
    }

    /// Follow a clock that was set back: drop the waiting readings and continue at the new time.
    fn follow_clock_back(&mut self, newest: i128) {
        let leap = (5 * SECOND / self.interval).max(5);
        if self.closed.is_some_and(|closed| closed > newest + leap) {
            self.give_up();
            self.closed = Some(newest);
            self.sources
                .iter_mut()
                .for_each(|progress| (progress.complete_to, progress.newest) = (None, None));
        }
    }

    fn next_by_readings(&mut self, now: i128) -> Option<Aligned> {
        let instant = *self.open.keys().next()?;
        let at = instant * self.interval;
        let newer =
            |progress: &SourceProgress| progress.newest.is_none_or(|newest| newest - progress.lateness > at);
        let due = self.is_exact(instant)
            || self.sources.iter().all(newer)
            || now - self.arrived >= self.interval.min(SECOND)
            || self.open.len() > MAX_OPEN;
        if !due {
            return None;
        }
        let staleness = self.sources.iter().map(|progress| progress.staleness).max().unwrap_or_default();
        if now - at <= self.lateness() + staleness.max(self.interval) {
            self.pace = Pace::Clock;
        }
        Some(self.close(instant))
    }

    /// Return the number of instants skipped since the last call, and reset it. Instants are skipped when too
    /// many are overdue (`MAX_OVERDUE`).
    pub fn take_skipped(&mut self) -> u64 {
        std::mem::take(&mut self.skipped)
    }

    fn lateness(&self) -> i128 {
        self.sources.iter().map(|progress| progress.lateness).max().unwrap_or_default()
    }

    /// Whether every sensor has a reading with exactly the instant's time: no better one can arrive.
    fn is_exact(&self, instant: i128) -> bool {
        self.open.get(&instant).is_some_and(|open| open.exact == self.columns.len())
    }

    fn close(&mut self, instant: i128) -> Aligned {
        let at = instant * self.interval;
        let open = self.open.remove(&instant);
        self.closed = Some(instant);
        let (cells, truth) = open.map_or((Vec::new(), None), |open| (open.cells, open.truth));
        for (column, cell) in cells.into_iter().enumerate() {
            if let Some((time, value)) = cell {
                self.replace(column, time, value);
            }
        }
        let mut carried = Vec::new();
        let values = (0..self.columns.len()).map(|column| {
            let (value, fresh) = self.take(column, at);
            if !fresh {
                carried.push(column);
                if value.is_none() {
                    self.sources[self.columns[column].source].status.arrived(1);
                }
            }
            value
        });
        let values = values.collect();
        let time = Timestamp::from_nanosecond(at).unwrap_or(Timestamp::MAX);
        Aligned { readings: Readings { time, values, truth }, carried, faults: Vec::new() }
    }

    /// Take the sensor's current value at a time, none if it is stale, and whether the reading is new since
    /// the instant before.
    fn take(&mut self, column: usize, at: i128) -> (Option<f64>, bool) {
        let column = &mut self.columns[column];
        let progress = &self.sources[column.source];
        let taken = column.take(at, self.interval, progress.staleness);
        progress.status.discard(taken.dropped);
        (taken.value, taken.is_fresh)
    }

    /// How long no instant can become due unless a reading arrives: at most one second, because the clock may
    /// be set.
    pub fn wait(&self, now: Timestamp) -> Duration {
        let now = now.as_nanosecond();
        let next = match (self.pace, self.closed) {
            (Pace::Clock, Some(closed)) => (closed + 1) * self.interval + self.lateness(),
            (Pace::Readings, _) if !self.open.is_empty() => self.arrived + self.interval.min(SECOND),
            _ => now + SECOND.min(self.interval),
        };
        Duration::from_nanos((next - now).clamp(0, SECOND) as u64)
    }

    /// Drop all waiting readings: the detector stops, or the clock was set back.
    pub fn give_up(&mut self) {
        for open in std::mem::take(&mut self.open).into_values() {
            for (column, _) in open.cells.iter().enumerate().filter(|(_, cell)| cell.is_some()) {
                self.sources[self.columns[column].source].status.discard(1);
            }
        }
        for column in &mut self.columns {
            self.sources[column.source].status.discard(column.clear());
        }
    }
}

/// Check that a reading is at most 60 s, or two intervals if that is longer, ahead of the clock. `now` and
/// `interval` are in nanoseconds.
///
/// # Errors
/// The reading is further ahead: one sentence.
pub fn not_ahead(time: Timestamp, now: i128, interval: i128) -> Result<(), String> {
    let most = AHEAD.max(2 * interval);
    if time.as_nanosecond() <= now.saturating_add(most) {
        return Ok(());
    }
    Err(format!("a reading must be at most {}s ahead of the clock, got one of {time}", most / SECOND))
}

#[cfg(test)]
mod tests;
