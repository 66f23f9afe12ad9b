//! Sources in, verdicts out: train on their history, then judge instant after instant, at the pace of the clock or as
//! fast as it goes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crd::Valid;
use crd::model::Train;
use jiff::{SignedDuration, Timestamp};
use thiserror::Error;

use crate::features::Recipe;
use crate::model::{Explain, Model, ModelError};
use crate::reading::Readings;
use crate::sources::{Clocked, Recording, SourceError, Sources};
use crate::watch::{Outcome, Watch};

/// Why there is nothing to watch with.
#[derive(Debug, Error)]
pub enum MonitorError {
    /// A source failed.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// Training failed.
    #[error(transparent)]
    Model(#[from] ModelError),
}

/// Who listens while a model is trained.
pub trait Progress: Sync {
    /// So many of the samples to train on are there.
    fn gathered(&self, have: usize, need: usize);
    /// So many of the trees are grown.
    fn grown(&self, have: usize, all: usize);
}

/// Readings to come, one instant after another.
pub enum Stream {
    /// Simulated sensors, from an instant on, each interval.
    Clocked {
        /// The sensors.
        source: Clocked,
        /// The next instant.
        next: Timestamp,
        /// From one instant to the next.
        interval: SignedDuration,
    },
    /// The rows of a recording that are left.
    Recorded {
        /// The row that training had read already.
        first: Option<Readings>,
        /// The rows after it.
        rest: Box<Recording>,
    },
}

impl Iterator for Stream {
    type Item = Result<Readings, SourceError>;

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Self::Clocked { source, next, interval } => {
                let readings = source.at(*next);
                *next += *interval;
                Some(Ok(readings))
            }
            Self::Recorded { first, rest } => first.take().map(Ok).or_else(|| rest.next()),
        }
    }
}

impl Stream {
    /// Leave out instants that are over: after a pause, the newest readings count, not all that were missed.
    pub fn skip_to(&mut self, now: Timestamp) {
        if let Self::Clocked { next, interval, .. } = self {
            *next = (*next).max(aligned(now, *interval));
        }
    }

    /// How the stream's time relates to the clock on the wall.
    pub fn pace(&self) -> Pace {
        match self {
            Self::Clocked { .. } => Pace::Clock,
            Self::Recorded { rest, .. } => Pace::Replay { speed: rest.speed() },
        }
    }
}

/// A trained model, and the readings that it is to judge.
pub struct Trained {
    /// The model, with the newest training readings in its memory.
    pub watch: Watch,
    /// What comes.
    pub stream: Stream,
    /// How long the training took.
    pub took: Duration,
    /// What a person should know of the training data; empty if nothing.
    pub note: String,
}

/// Train on the sources' history: what simulated sensors would have given before `now` (or `until`), or the first rows of
/// a recording.
///
/// # Errors
/// A source fails, or gives too little to learn from.
pub fn train(
    detector: &Valid,
    now: Timestamp,
    explain: Explain,
    progress: &dyn Progress,
) -> Result<Trained, MonitorError> {
    let History { readings, stream, lead_in, note } = History::of(detector, now, progress)?;
    let began = Instant::now();
    let trees = detector.train().map_or(0, |train| train.trees as usize);
    let model = Arc::new(Model::train(detector, readings, &|done| progress.grown(done, trees))?);
    let took = began.elapsed();
    let mut watch = Watch::new(model, detector, explain);
    for readings in &lead_in {
        watch.judge(readings);
    }
    Ok(Trained { watch, stream, took, note })
}

/// What to learn from, and what comes after it.
struct History {
    readings: Vec<Readings>,
    stream: Stream,
    /// The instants just before the stream's first: so that the first is judged, whatever the model looks back on.
    lead_in: Vec<Readings>,
    note: String,
}

impl History {
    fn of(detector: &Valid, now: Timestamp, progress: &dyn Progress) -> Result<Self, MonitorError> {
        let train = &detector.train().cloned().unwrap_or_default();
        // The first vectors need a past of their own.
        let past = Recipe::from(train).memory() - 1;
        match Sources::open(detector)? {
            Sources::Clocked(source) => {
                let every = Duration::from(detector.spec().interval);
                let interval = SignedDuration::try_from(every).expect("intervals are at most 24h");
                let samples = train.samples as usize + past;
                let next = aligned(now, interval);
                let history = source.history(samples, train.until.unwrap_or(next), every);
                let readings = heard(history, samples, progress).collect();
                let past = i32::try_from(past).expect("a window is at most 1000, lags at most 100");
                let lead_in = (1..=past).rev().map(|back| source.at(next - interval * back)).collect();
                Ok(Self {
                    readings,
                    stream: Stream::Clocked { source, next, interval },
                    lead_in,
                    note: String::new(),
                })
            }
            Sources::Recorded(recording) => Self::recorded(recording, train, past, progress),
        }
    }

    fn recorded(
        mut rest: Recording,
        train: &Train,
        past: usize,
        progress: &dyn Progress,
    ) -> Result<Self, MonitorError> {
        let samples = train.samples as usize + past;
        let mut readings = Vec::new();
        let mut first = None;
        for row in heard(rest.by_ref(), samples, progress) {
            let row = row?;
            if readings.len() == samples || train.until.is_some_and(|until| row.time >= until) {
                first = Some(row);
                break;
            }
            readings.push(row);
        }
        if first.is_some() {
            let lead_in = readings[readings.len().saturating_sub(past)..].to_vec();
            return Ok(Self {
                readings,
                stream: Stream::Recorded { first, rest: Box::new(rest) },
                lead_in,
                note: String::new(),
            });
        }
        let note = format!(
            "the recording's {} rows are no more than the model learns from: they are trained on, and then watched, as a whole",
            readings.len()
        );
        let stream = Stream::Recorded { first, rest: Box::new(rest.reopen()?) };
        Ok(Self { readings, stream, lead_in: Vec::new(), note })
    }
}

/// The same readings, while `progress` hears of them now and then.
fn heard<T>(
    readings: impl Iterator<Item = T>,
    need: usize,
    progress: &dyn Progress,
) -> impl Iterator<Item = T> {
    const NOW_AND_THEN: usize = 1024;
    readings.enumerate().map(move |(have, readings)| {
        if have.is_multiple_of(NOW_AND_THEN) {
            progress.gathered(have, need);
        }
        readings
    })
}

/// The last multiple of the interval, counted from the Unix epoch, at or before an instant: so that replicas judge the
/// same instants, and the first is judged at once.
fn aligned(instant: Timestamp, interval: SignedDuration) -> Timestamp {
    let (at, step) = (instant.as_nanosecond(), interval.as_nanos());
    Timestamp::from_nanosecond(at.div_euclid(step) * step).unwrap_or(instant)
}

/// Judge what comes as fast as it goes, until the stream ends, `span` of its own time has passed, or `each` says stop.
///
/// # Errors
/// The source fails.
pub fn replay(
    trained: &mut Trained,
    span: Option<Duration>,
    mut each: impl FnMut(&Readings, &Outcome) -> bool,
) -> Result<(), MonitorError> {
    let mut end = None;
    for readings in &mut trained.stream {
        let readings = readings?;
        let end = *end.get_or_insert_with(|| span.and_then(|span| readings.time.checked_add(span).ok()));
        if end.is_some_and(|end| readings.time >= end) {
            break;
        }
        let outcome = trained.watch.judge(&readings);
        if !each(&readings, &outcome) {
            break;
        }
    }
    Ok(())
}

/// When readings are due.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pace {
    /// At their own time.
    Clock,
    /// So many times faster than they were recorded, counted from the first; 0 is at once.
    Replay {
        /// How many times faster.
        speed: f64,
    },
}

impl Pace {
    /// How long to wait for readings of this time, when it is `now`, the first were of `first`, and `elapsed` has gone by
    /// since then.
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
mod tests;
