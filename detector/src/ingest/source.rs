//! The seam: what every kind of source can do. A kind is a file of `sources/`; whatever stands after the seam stands there
//! once, for all of them.
//!
//! A source has two abilities. *History*: the readings between two instants, if it remembers any. *Live*: readings as they
//! arrive, put into a [`Feed`]. Alignment to the interval ([`super::alignment`]), reconnecting and its pauses
//! ([`super::connection`]), what became of each reading ([`super::status`]) and the buffer of what was seen
//! ([`super::buffer`]) are no business of a source.

use std::sync::Arc;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use thiserror::Error;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use super::reading::{ActiveFault, Readings};
use super::sources::delimited::CsvError;
use super::status::SourceStatus;
use crate::wall_clock;

/// The readings of a source, instant after instant, oldest first, found when they are asked for. It may block the thread
/// that asks. Dropping it cancels what is left.
pub type Rows = Box<dyn Iterator<Item = Result<Readings, SourceError>> + Send>;

/// A source of readings. Its sensors are numbered from 0 in the order of the spec.
#[async_trait]
pub trait Source: Send + Sync {
    /// What time it is for the source. Default: the time on the wall.
    fn clock(&self) -> Clock {
        Clock::Wall
    }

    /// Whether it has a history. Default: it has.
    fn remembers(&self) -> bool {
        true
    }

    /// The readings of all its sensors at the instants of a span; of a source with a clock of its own, at whatever times
    /// of the span it has readings of. Nothing where it remembers nothing.
    ///
    /// # Errors
    /// It cannot be opened.
    fn history(&self, span: Span) -> Result<Rows, SourceError>;

    /// Whether [`Source::history`] reaches into the future: it is read on, then, and no connection is needed.
    fn foresees(&self) -> bool {
        false
    }

    /// How long after an instant the source may still say what it has of it, by [`Batch::complete_to`]: instants wait for it
    /// so long. Default: not at all.
    fn patience(&self) -> std::time::Duration {
        std::time::Duration::ZERO
    }

    /// Connect, say so by [`Feed::connected`], and put readings into the feed as they arrive, until the connection breaks.
    /// The caller calls again after a pause, which grows until there is a connection. Dropping the future disconnects.
    ///
    /// # Errors
    /// There is no connection, or no longer, in the server's own words.
    async fn live(&self, feed: &Feed) -> Result<(), SourceError>;
}

/// Why a source gives no readings.
#[derive(Debug, Error)]
pub enum SourceError {
    /// A recording: file, line, column, and what was expected.
    #[error(transparent)]
    Csv(#[from] CsvError),
    /// A server, or the way to it: one sentence, with the server's own words.
    #[error("{0}")]
    Server(String),
}

/// What time it is for a source.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Clock {
    /// The time on the wall.
    Wall,
    /// The time of its own readings, which go by so many times faster than on the wall; 0 is as fast as it goes.
    Own {
        /// How many times faster.
        speed: f64,
    },
}

/// Instants in a row: multiples of an interval since the Unix epoch.
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

    /// All of time.
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

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// From one instant to the next.
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
    /// The sensor: its place among the source's.
    pub sensor: usize,
    /// When it was taken.
    pub time: Timestamp,
    /// What the sensor gave; none where it gave nothing (a null, NaN, a stale marker).
    pub value: Option<f64>,
}

/// What arrived at once.
#[derive(Debug, Default)]
pub struct Batch {
    /// The readings, in any order.
    pub readings: Vec<Reading>,
    /// Nothing older will come: the source has said what it has up to this time. None where it cannot know.
    pub complete_to: Option<Timestamp>,
    /// The faults that are active at `complete_to`, where the source knows.
    pub truth: Option<Vec<ActiveFault>>,
}

/// A batch on its way, and the room that it takes.
pub(super) struct Sent {
    pub(super) source: usize,
    pub(super) batch: Batch,
    _room: OwnedSemaphorePermit,
}

/// The most batches, and the most readings, that wait to be judged.
const MAX_BATCHES: usize = 4096;
pub(super) const MAX_READINGS: usize = 200_000;

/// The end that sources send to, for all of a detector; and the end that is judged.
pub(super) fn channel() -> (Outlet, mpsc::Receiver<Sent>) {
    let (batches, receiver) = mpsc::channel(MAX_BATCHES);
    (Outlet { batches, room: Arc::new(Semaphore::new(MAX_READINGS)) }, receiver)
}

/// The end that sources send to.
#[derive(Clone)]
pub(super) struct Outlet {
    batches: mpsc::Sender<Sent>,
    room: Arc<Semaphore>,
}

/// Where a source puts what arrives. It is bounded: a source that sends faster than readings are judged waits, or gets an error.
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
    /// The feed of a source, by its place among the detector's.
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

    /// There is a connection.
    pub fn connected(&self) {
        if self.status.connected() {
            tracing::info!("source {}: connected", self.status.name());
        }
    }

    /// There is none, in the server's own words; [`Source::live`] goes on.
    pub fn disconnected(&self, why: &str) {
        if self.status.disconnected(why) {
            tracing::warn!("source {}: {why}", self.status.name());
        }
    }

    /// A reading arrived that can be none, and why.
    pub fn refuse(&self, why: &str) {
        self.status.arrived(1);
        self.status.refuse(1, why);
    }

    /// So many readings arrived that no verdict will be made on.
    pub fn discard(&self, count: usize) {
        self.status.arrived(count);
        self.status.discard(count);
    }

    /// Put in what arrived, as soon as there is room.
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

    /// Put in what arrived, if there is room.
    ///
    /// # Errors
    /// There is none. Nothing is counted.
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

/// The room that so many readings take; one batch may take all of it.
fn share(readings: usize) -> u32 {
    readings.min(MAX_READINGS) as u32
}

/// How often the clock is looked at while a time is waited for.
pub(super) const LOOK: std::time::Duration = std::time::Duration::from_millis(500);

/// Whether a time is so far ahead of the clock, where it should be at most an interval, that the clock must have been set
/// back.
pub(super) fn is_set_back(time: Timestamp, now: Timestamp, interval: SignedDuration) -> bool {
    const LEAST: SignedDuration = SignedDuration::from_secs(5);
    time.duration_since(now) > (interval * 2).max(LEAST)
}

/// Wait until an interval before a time; false where the clock is set back meanwhile.
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
        tokio::time::sleep(LOOK.min(wait.try_into().unwrap_or_default())).await;
    }
}

/// The live side of a source that foresees: each row of its history shortly before it is due.
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
