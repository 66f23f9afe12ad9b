//! Sources in; the readings to judge, one instant after another, out.

use std::io;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use futures::future::join_all;
use jiff::Timestamp;
use tokio::runtime;
use tokio::sync::{mpsc, oneshot};

use super::alignment::{Aligned, Alignment};
use super::connection;
use super::reading::Readings;
use super::sensor_check::{SensorChecks, SensorFault};
use super::source::{
    CLOCK_CHECK_PERIOD, Clock, Feed, Rows, Sent, SourceError, Span, aligned, channel, is_set_back,
};
use super::sources::Sources;
use super::sources::http::inlet::Inlet;
use super::status::SourceStatus;

/// The readings to judge, one instant after another.
#[allow(clippy::large_enum_variant, reason = "a detector has one of it")]
pub enum ReadingStream {
    /// From a history that reaches into the future.
    Scheduled(Scheduled),
    /// As they arrive.
    Live(Live),
}

impl ReadingStream {
    /// Wait until the next instant is due, and return its readings; none at the end of the stream. Dropping
    /// the future loses no readings.
    ///
    /// # Errors
    /// A source fails.
    pub async fn next(&mut self) -> Option<Result<Aligned, SourceError>> {
        match self {
            Self::Scheduled(scheduled) => scheduled.next_due().await,
            Self::Live(live) => Some(live.next().await),
        }
    }

    /// The readings of the next instant, if it is live and due already.
    pub fn due(&mut self) -> Option<Aligned> {
        match self {
            Self::Scheduled(_) => None,
            Self::Live(live) => live.due(),
        }
    }

    /// Return the number of instants skipped, without a verdict, since the last call, and reset it.
    pub fn take_skipped(&mut self) -> u64 {
        match self {
            Self::Scheduled(scheduled) => std::mem::take(&mut scheduled.skipped),
            Self::Live(live) => live.alignment.take_skipped(),
        }
    }

    /// The stream as an iterator, which does not wait until instants are due; none where it is live.
    pub fn as_scheduled(&mut self) -> Option<&mut Scheduled> {
        match self {
            Self::Scheduled(scheduled) => Some(scheduled),
            Self::Live(_) => None,
        }
    }

    /// The time between `seen` and the stream's first instant, less one interval; of a live stream, between
    /// `seen` and now. Rows of a recording have no gap between them, at any distance in time.
    pub fn gap_after(&self, seen: Timestamp) -> Duration {
        match self {
            Self::Scheduled(scheduled) => scheduled.gap_after(seen),
            Self::Live(_) => Duration::try_from(now().duration_since(seen)).unwrap_or_default(),
        }
    }
}

/// The current time; the last time that a timestamp can hold, if the clock is beyond it.
fn now() -> Timestamp {
    Timestamp::try_from(SystemTime::now()).unwrap_or(Timestamp::MAX)
}

/// Readings that are known before they are due.
pub struct Scheduled {
    sources: Arc<Sources>,
    rows: Rows,
    checks: SensorChecks,
    ahead: Option<Result<Readings, SourceError>>,
    clock: Clock,
    /// The time of the first readings, and the moment at which they were read.
    began: Option<(Timestamp, Instant)>,
    /// The number of instants skipped since the last call of `take_skipped`.
    skipped: u64,
}

impl Scheduled {
    /// All instants from the last one at or before `from`.
    ///
    /// # Errors
    /// A source cannot be opened.
    pub fn onwards(sources: Arc<Sources>, from: Timestamp) -> Result<Self, SourceError> {
        let rows = sources.history(Span::onwards(from, sources.interval()))?;
        Ok(Self::after(sources, None, rows))
    }

    /// A stream of `first`, a row that was already read, and of the rows after it.
    pub fn after(sources: Arc<Sources>, first: Option<Readings>, rows: Rows) -> Self {
        let clock = sources.clock();
        let checks = sources.checks().clone();
        Self { sources, rows, checks, ahead: first.map(Ok), clock, began: None, skipped: 0 }
    }

    async fn next_due(&mut self) -> Option<Result<Aligned, SourceError>> {
        loop {
            if let Err(error) = self.follow_clock(now()) {
                return Some(Err(error));
            }
            if self.ahead.is_none() {
                self.ahead = Some(self.rows.next()?);
            }
            let Some(Ok(readings)) = &self.ahead else { break };
            let (first, began) = *self.began.get_or_insert_with(|| (readings.time, Instant::now()));
            let wait = Pace::from(self.clock).wait(readings.time, now(), first, began.elapsed());
            if wait.is_zero() {
                break;
            }
            // The clock may be set meanwhile.
            tokio::time::sleep(wait.min(CLOCK_CHECK_PERIOD)).await;
        }
        self.sources.all_arrived();
        let readings = self.ahead.take()?;
        Some(readings.map(|mut readings| {
            let faults = self.checks.apply(&mut readings, &[]);
            Aligned { readings, carried: Vec::new(), faults }
        }))
    }

    /// Follow the clock. After a pause, or when the clock was set forward, continue at the newest instant and
    /// skip the missed ones. When the clock was set back, continue at the new time.
    fn follow_clock(&mut self, now: Timestamp) -> Result<(), SourceError> {
        let Clock::Wall = self.clock else { return Ok(()) };
        self.skip_to(now)?;
        let interval = self.sources.interval();
        let Some(Ok(readings)) = &self.ahead else { return Ok(()) };
        if !is_set_back(readings.time, now, interval) {
            return Ok(());
        }
        let next = aligned(now, interval).saturating_add(interval).unwrap_or(now);
        self.reopen(next)
    }

    /// Read the history again from this instant on.
    fn reopen(&mut self, from: Timestamp) -> Result<(), SourceError> {
        let skipped = self.skipped;
        let checks = self.checks.clone();
        *self = Self { began: self.began, skipped, checks, ..Self::onwards(self.sources.clone(), from)? };
        Ok(())
    }

    /// Skip the instants before the newest one: after a pause, missed instants are not judged.
    fn skip_to(&mut self, now: Timestamp) -> Result<(), SourceError> {
        let Clock::Wall = self.clock else { return Ok(()) };
        let newest = aligned(now, self.sources.interval());
        if self.ahead.is_none() {
            self.ahead = self.rows.next();
        }
        if let Some(Ok(readings)) = &self.ahead
            && readings.time < newest
        {
            let left_out =
                newest.duration_since(readings.time).as_nanos() / self.sources.interval().as_nanos();
            self.skipped += u64::try_from(left_out).unwrap_or_default();
            self.reopen(newest)?;
        }
        Ok(())
    }

    fn gap_after(&self, seen: Timestamp) -> Duration {
        match (&self.ahead, self.clock) {
            (Some(Ok(next)), Clock::Wall) => {
                let gap = next.time.duration_since(seen) - self.sources.interval();
                Duration::try_from(gap).unwrap_or_default()
            }
            _ => Duration::ZERO,
        }
    }
}

impl Iterator for Scheduled {
    type Item = Result<Readings, SourceError>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut row = self.ahead.take().or_else(|| self.rows.next());
        if let Some(Ok(readings)) = &mut row {
            self.checks.apply(readings, &[]);
        }
        row
    }
}

/// Readings as they arrive. The sources are read on a separate thread, not on the one that judges.
pub struct Live {
    alignment: Alignment,
    checks: SensorChecks,
    /// The status of each sensor's source.
    statuses: Vec<Arc<SourceStatus>>,
    batches: mpsc::Receiver<Sent>,
    /// The inlets of the sources that are pushed to. They are notified of each judged instant.
    inlets: Vec<Arc<Inlet>>,
    _end: oneshot::Sender<()>,
}

impl Live {
    /// Connect to the sources. Instants up to `seen` have been judged before.
    ///
    /// # Errors
    /// The system cannot start a thread.
    pub fn start(sources: &Sources, seen: Option<Timestamp>) -> io::Result<Self> {
        let (outlet, batches) = channel();
        let (end, ended) = oneshot::channel();
        let connections = sources.each().enumerate().map(|(index, each)| {
            let feed = Feed::new(index, sources.interval(), each.status.clone(), outlet.clone());
            connection::keep(each.source.clone(), feed)
        });
        let connections = join_all(connections.collect::<Vec<_>>());
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        let read = move || {
            runtime.block_on(async {
                tokio::select! {
                    _ = connections => {}
                    _ = ended => {} // dropped: the receiver is gone
                }
            });
        };
        thread::Builder::new().name("ingest".to_owned()).spawn(read)?;
        let alignment = Alignment::new(sources.timings(), sources.interval(), seen, now());
        let statuses = sources.each().flat_map(|each| std::iter::repeat_n(each.status.clone(), each.sensors));
        let (checks, statuses) = (sources.checks().clone(), statuses.collect());
        let inlets = sources.inlets();
        if let Some(seen) = seen {
            for inlet in &inlets {
                inlet.judge(seen);
            }
        }
        Ok(Self { alignment, checks, statuses, batches, inlets, _end: end })
    }

    async fn next(&mut self) -> Result<Aligned, SourceError> {
        loop {
            while let Ok(sent) = self.batches.try_recv() {
                self.alignment.add(sent.source, sent.batch, now());
            }
            if let Some(aligned) = self.due() {
                return Ok(aligned);
            }
            tokio::select! {
                sent = self.batches.recv() => match sent {
                    Some(sent) => self.alignment.add(sent.source, sent.batch, now()),
                    None => return Err(SourceError::Server("the thread that reads the sources has ended".to_owned())),
                },
                () = tokio::time::sleep(self.alignment.wait(now())) => {}
            }
        }
    }

    /// The next instant of what has been received, if it is due.
    fn due(&mut self) -> Option<Aligned> {
        let aligned = self.alignment.next(now())?;
        self.inlets.iter().for_each(|inlet| inlet.judge(aligned.readings.time));
        Some(self.checked(aligned))
    }
}

impl Live {
    fn checked(&mut self, mut aligned: Aligned) -> Aligned {
        aligned.faults = self.checks.apply(&mut aligned.readings, &aligned.carried);
        let carried = |fault: &&SensorFault| aligned.carried.binary_search(&fault.sensor).is_ok();
        // The reading was counted when it arrived. The sensor is missing at this instant now, which counts as
        // one more reading that arrived.
        aligned.faults.iter().filter(carried).for_each(|fault| self.statuses[fault.sensor].arrived(1));
        aligned
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.batches.close();
        while let Ok(sent) = self.batches.try_recv() {
            self.alignment.add(sent.source, sent.batch, now());
        }
        self.alignment.give_up();
    }
}

/// When readings are due.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pace {
    /// At the time of the readings, by the clock.
    Clock,
    /// At `speed` times the pace at which they were recorded, counted from the first readings.
    Replay {
        /// The speed relative to real time; 0 is without waiting.
        speed: f64,
    },
}

impl From<Clock> for Pace {
    fn from(clock: Clock) -> Self {
        match clock {
            Clock::Wall => Self::Clock,
            Clock::Own { speed } => Self::Replay { speed },
        }
    }
}

impl Pace {
    /// How long to wait until readings of this time are due. `now` is the time on the clock, `first` the time
    /// of the first readings, and `elapsed` the time that has passed since then.
    pub fn wait(self, time: Timestamp, now: Timestamp, first: Timestamp, elapsed: Duration) -> Duration {
        match self {
            Self::Clock => Duration::try_from(time.duration_since(now)).unwrap_or_default(),
            Self::Replay { speed: 0.0 } => Duration::ZERO,
            Self::Replay { speed } => {
                let seconds = time.duration_since(first).as_secs_f64() / speed;
                Duration::try_from_secs_f64(seconds).unwrap_or_default().saturating_sub(elapsed)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn a_replay_keeps_the_pace_of_the_recording() {
        let minute = |pace: Pace, elapsed| {
            pace.wait(at(160), at(5000), at(100), Duration::from_secs(elapsed)).as_secs_f64()
        };
        assert!((minute(Pace::Replay { speed: 60.0 }, 0) - 1.0).abs() < 1e-9);
        assert!((minute(Pace::Replay { speed: 1.0 }, 45) - 15.0).abs() < 1e-9);
        assert!(minute(Pace::Replay { speed: 0.0 }, 0) < 1e-9);
        assert!(minute(Pace::Clock, 0) < 1e-9, "what is overdue does not wait");
    }
}
