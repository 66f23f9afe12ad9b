//! The trait that every kind of source implements. A kind is a file of `sources/`; the code that uses the
//! trait exists once, for all kinds.
//!
//! A source has two abilities. *History*: the readings between two instants, if it remembers any. *Live*:
//! readings as they arrive, put into a `Feed`. A source does not do alignment to the interval
//! (`alignment`), reconnection and its pauses (`connection`), counts of readings by outcome
//! (`status`) or the buffer of recent readings (`buffer`): these are shared.

use std::sync::Arc;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use thiserror::Error;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use super::reading::{ActiveFault, Readings};
use super::sources::delimited::CsvError;
use super::status::SourceStatus;
use crate::wall_clock;

/// The readings of a source, one instant after another, oldest first, read on demand. The iterator may block
/// the calling thread. Dropping it cancels the rest.
pub type Rows = Box<dyn Iterator<Item = Result<Readings, SourceError>> + Send>;

/// A source of readings. Its sensors are numbered from 0 in the order of the spec.
#[async_trait]
pub trait Source: Send + Sync {
    /// The clock of the source. Default: the wall clock.
    fn clock(&self) -> Clock {
        Clock::Wall
    }

    /// Whether the source has a history. Default: true.
    fn has_history(&self) -> bool {
        true
    }

    /// The readings of all sensors of the source at the instants of a span; of a source with its own clock,
    /// at all times in the span for which it has readings. Empty where the source has no history.
    ///
    /// # Errors
    /// The source cannot be opened.
    fn history(&self, span: Span) -> Result<Rows, SourceError>;

    /// Whether [`Source::history`] reaches into the future. Where it does for all sources of a detector, the
    /// readings come from the history and no connection is made. Default: false.
    fn history_covers_future(&self) -> bool {
        false
    }

    /// How long after an instant the source may take to deliver its readings for that instant and to set
    /// [`Batch::complete_to`]. Instants wait at most this long, or the spec's `lateness` if that is longer.
    /// Default: 0.
    fn max_response_delay(&self) -> std::time::Duration {
        std::time::Duration::ZERO
    }

    /// Connect, call [`Feed::connected`], and put readings into the feed as they arrive, until the connection
    /// breaks. The caller calls again after a pause, which grows until there is a connection, unless the
    /// source has ended (`Ok`). Dropping the future disconnects.
    ///
    /// # Errors
    /// The connection cannot be made, or has broken; in the server's own words.
    async fn live(&self, feed: &Feed) -> Result<(), SourceError>;
}

/// Why a source gives no readings.
#[derive(Debug, Error)]
pub enum SourceError {
    /// A recording cannot be read: file, line, column, and what was expected.
    #[error(transparent)]
    Csv(#[from] CsvError),
    /// A server fails or cannot be reached: one sentence, with the server's own words.
    #[error("{0}")]
    Server(String),
}

/// The clock of a source.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Clock {
    /// The wall clock.
    Wall,
    /// The times of its own readings, replayed at `speed` times real time.
    Own {
        /// The speed relative to real time; 0 is as fast as possible.
        speed: f64,
    },
}

/// Consecutive instants: multiples of an interval since the Unix epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    first: i128,
    end: i128,
    interval: i128,
}

impl Span {
    /// The last `count` instants before `until`. Those before the year -9999 are left out.
    pub fn last(count: usize, until: Timestamp, interval: SignedDuration) -> Self {
        let interval = interval.as_nanos().max(1);
        let end = -(-until.as_nanosecond()).div_euclid(interval);
        let earliest = -(-Timestamp::MIN.as_nanosecond()).div_euclid(interval);
        Self { first: (end - count as i128).max(earliest), end, interval }
    }

    /// From the last instant at or before this one on, without an end.
    pub fn onwards(from: Timestamp, interval: SignedDuration) -> Self {
        let interval = interval.as_nanos().max(1);
        Self { first: from.as_nanosecond().div_euclid(interval), end: i128::MAX / interval, interval }
    }

    /// All instants that a timestamp can hold.
    pub fn all(interval: SignedDuration) -> Self {
        Self::onwards(Timestamp::MIN + interval, interval)
    }

    /// The instants, in order.
    pub fn instants(self) -> impl Iterator<Item = Timestamp> + Send {
        let Self { first, end, interval } = self;
        (first..end).map_while(move |index| Timestamp::from_nanosecond(index * interval).ok())
    }

    /// The first instant; none where the span is empty.
    pub fn first(self) -> Option<Timestamp> {
        self.instants().next()
    }

    /// How many instants there are.
    pub fn len(self) -> usize {
        usize::try_from(self.end - self.first).unwrap_or_default()
    }

    /// Whether the span has no instants.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// The time from one instant to the next.
    pub fn interval(self) -> SignedDuration {
        SignedDuration::from_nanos(self.interval as i64)
    }

    /// Whether a time is in the span.
    pub fn contains(self, time: Timestamp) -> bool {
        let at = time.as_nanosecond();
        self.first * self.interval <= at && at < self.end.saturating_mul(self.interval)
    }
}

/// The last multiple of the interval, counted from the Unix epoch, at or before an instant: so that replicas judge the
/// same instants, and the first is judged at once.
pub fn aligned(instant: Timestamp, interval: SignedDuration) -> Timestamp {
    let (at, step) = (instant.as_nanosecond(), interval.as_nanos());
    Timestamp::from_nanosecond(at.div_euclid(step) * step).unwrap_or(instant)
}

/// One reading of one sensor.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reading {
    /// The sensor: its index among the source's sensors.
    pub sensor: usize,
    /// When it was taken.
    pub time: Timestamp,
    /// The value; none where it is missing (a null, NaN, a stale marker).
    pub value: Option<f64>,
}

/// The readings that arrived together.
#[derive(Debug, Default)]
pub struct Batch {
    /// The readings, in any order.
    pub readings: Vec<Reading>,
    /// The time up to which the source has delivered all its readings: no older ones will follow. None where
    /// the source cannot know.
    pub complete_to: Option<Timestamp>,
    /// The faults that are active at `complete_to`, where the source knows.
    pub truth: Option<Vec<ActiveFault>>,
}

/// A batch in the channel, and the capacity that it takes.
pub(super) struct Sent {
    pub(super) source: usize,
    pub(super) batch: Batch,
    _room: OwnedSemaphorePermit,
}

/// The most batches, and the most readings, that wait to be judged.
const MAX_BATCHES: usize = 4096;
pub(super) const MAX_READINGS: usize = 200_000;

/// Create the channel of a detector: the end that all its sources send to, and the end that is judged.
pub(super) fn channel() -> (Outlet, mpsc::Receiver<Sent>) {
    let (batches, receiver) = mpsc::channel(MAX_BATCHES);
    (Outlet { batches, room: Arc::new(Semaphore::new(MAX_READINGS)) }, receiver)
}

/// The end of the channel that sources send to.
#[derive(Clone)]
pub(super) struct Outlet {
    batches: mpsc::Sender<Sent>,
    room: Arc<Semaphore>,
}

/// The end into which one source puts its readings. It is bounded: when it is full, [`Feed::send`] waits and
/// [`Feed::try_send`] fails.
#[derive(Clone)]
pub struct Feed {
    source: usize,
    interval: SignedDuration,
    status: Arc<SourceStatus>,
    outlet: Outlet,
}

/// The feed is full, or closed. The readings are given back.
#[derive(Debug)]
pub struct Full(pub Batch);

impl Feed {
    /// The feed of a source; `source` is its index among the detector's sources.
    pub(super) fn new(
        source: usize,
        interval: SignedDuration,
        status: Arc<SourceStatus>,
        outlet: Outlet,
    ) -> Self {
        Self { source, interval, status, outlet }
    }

    /// The interval at which readings are judged.
    pub fn interval(&self) -> SignedDuration {
        self.interval
    }

    /// The source's state and counts.
    pub fn status(&self) -> &SourceStatus {
        &self.status
    }

    /// Record that the source is connected.
    pub fn connected(&self) {
        if self.status.connected() {
            tracing::info!("source {}: connected", self.status.name());
        }
    }

    /// Record that the source is not connected, and why, in the server's own words. [`Source::live`]
    /// continues.
    pub fn disconnected(&self, why: &str) {
        if self.status.disconnected(why) {
            tracing::warn!("source {}: {why}", self.status.name());
        }
    }

    /// Count one reading that arrived and is refused, and record why.
    pub fn refuse(&self, why: &str) {
        self.status.arrived(1);
        self.status.refuse(1, why);
    }

    /// Count readings that arrived and are dropped: no verdict is made on them.
    pub fn discard(&self, count: usize) {
        self.status.arrived(count);
        self.status.discard(count);
    }

    /// Put a batch into the feed; wait while it is full. When the detector stops, the batch is dropped.
    pub async fn send(&self, batch: Batch) {
        let count = batch.readings.len();
        self.status.arrived(count);
        let Outlet { batches, room } = &self.outlet;
        let sent = match room.clone().acquire_many_owned(share(count)).await {
            Ok(room) => batches.send(Sent { source: self.source, batch, _room: room }).await.is_ok(),
            Err(_) => false,
        };
        if !sent {
            self.status.discard(count); // the detector stops
        }
    }

    /// Put a batch into the feed if it is not full.
    ///
    /// # Errors
    /// The feed is full or closed. No reading is counted.
    pub fn try_send(&self, batch: Batch) -> Result<(), Full> {
        let count = batch.readings.len();
        let Outlet { batches, room } = &self.outlet;
        let Ok(room) = room.clone().try_acquire_many_owned(share(count)) else { return Err(Full(batch)) };
        match batches.try_send(Sent { source: self.source, batch, _room: room }) {
            Ok(()) => {
                self.status.arrived(count);
                Ok(())
            }
            Err(mpsc::error::TrySendError::Full(sent) | mpsc::error::TrySendError::Closed(sent)) => {
                Err(Full(sent.batch))
            }
        }
    }
}

/// The capacity that a batch of this many readings takes: at most all of it.
fn share(readings: usize) -> u32 {
    readings.min(MAX_READINGS) as u32
}

/// How often the clock is checked while waiting for a time.
pub(super) const CLOCK_CHECK_PERIOD: std::time::Duration = std::time::Duration::from_millis(500);

/// Whether the clock must have been set back: whether a time that should be at most one interval ahead of it
/// is more than two intervals, and more than 5 s, ahead.
pub(super) fn is_set_back(time: Timestamp, now: Timestamp, interval: SignedDuration) -> bool {
    const MIN_LEAD: SignedDuration = SignedDuration::from_secs(5);
    time.duration_since(now) > (interval * 2).max(MIN_LEAD)
}

/// Wait until one interval before a time; return false if the clock is set back meanwhile.
async fn due(time: Timestamp, interval: SignedDuration) -> bool {
    loop {
        let now = wall_clock::now();
        let wait = time.duration_since(now) - interval;
        if wait <= SignedDuration::ZERO {
            return true;
        }
        if is_set_back(time, now, interval) {
            return false;
        }
        tokio::time::sleep(CLOCK_CHECK_PERIOD.min(wait.try_into().unwrap_or_default())).await;
    }
}

/// The [`Source::live`] of a source whose history reaches into the future: each row is sent one interval
/// before it is due.
///
/// # Errors
/// The history cannot be read.
pub async fn replay(source: &dyn Source, feed: &Feed) -> Result<(), SourceError> {
    let ahead = feed.interval();
    let mut rows = source.history(Span::onwards(wall_clock::now(), ahead))?;
    feed.connected();
    while let Some(row) = rows.next() {
        let Readings { time, values, truth } = row?;
        if !due(time, ahead).await {
            rows = source.history(Span::onwards(wall_clock::now(), ahead))?;
            continue;
        }
        let reading = |(sensor, value)| Reading { sensor, time, value };
        let readings = values.into_iter().enumerate().map(reading).collect();
        feed.send(Batch { readings, complete_to: Some(time), truth }).await;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn seconds(span: Span) -> Vec<i64> {
        span.instants().take(4).map(Timestamp::as_second).collect()
    }

    #[test]
    fn a_span_holds_multiples_of_the_interval_and_ends_before_its_end() {
        let five = SignedDuration::from_secs(5);
        assert_eq!(seconds(Span::last(3, at(20), five)), [5, 10, 15]);
        assert_eq!(seconds(Span::last(3, at(21), five)), [10, 15, 20]);
        assert_eq!(seconds(Span::onwards(at(-1), five)), [-5, 0, 5, 10]);
        assert!(
            Span::last(3, at(20), five).contains(at(19)) && !Span::last(3, at(20), five).contains(at(20))
        );
    }

    #[test]
    fn instants_are_multiples_of_the_interval() {
        let five = SignedDuration::from_secs(5);
        assert_eq!(
            (aligned(at(10), five), aligned(at(11), five), aligned(at(-1), five)),
            (at(10), at(10), at(-5))
        );
    }

    #[test]
    fn a_span_ends_where_time_does() {
        let year = SignedDuration::from_hours(24 * 365);
        assert!(Span::last(3, Timestamp::MIN, year).is_empty());
        assert_eq!(Span::onwards(Timestamp::MAX - year, year).instants().count(), 2);
        assert!(Span::all(year).first().unwrap() < Timestamp::MIN + year + year);
    }
}
