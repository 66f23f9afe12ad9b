//! Sources in; their readings before a moment out: the training set, and the readings that a model looks back
//! on.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use crd::training::Training;
use jiff::Timestamp;

use super::buffer::Buffer;
use super::progress::Progress;
use super::reading::Readings;
use super::sensor_check::SensorChecks;
use super::source::{Clock, Rows, SourceError, Span, aligned};
use super::sources::Sources;
use super::stream::{Live, ReadingStream, Scheduled};

/// The most instants missed between two processes that are read from the history.
const MAX_BETWEEN: usize = 10_000;

/// The readings that a detector starts with: the training set, and the stream after it.
pub struct InitialData {
    /// The readings to train on, oldest first; empty where a model is already there.
    pub training_set: Vec<Readings>,
    /// The readings to judge.
    pub stream: ReadingStream,
    /// The readings of the instants just before the stream's first: the model looks back on them, so that the
    /// first instant is judged.
    pub lead_in: Vec<Readings>,
    /// A note to the user about the data; empty if there is none.
    pub note: String,
}

impl InitialData {
    /// The data for a first training: the readings before `now` (or `dataEndTime`); of a source with its own
    /// clock, its first readings. The model looks back `past` readings.
    ///
    /// # Errors
    /// A source fails.
    pub fn with_training(
        sources: &Arc<Sources>,
        train: &Training,
        past: usize,
        now: Timestamp,
        progress: &dyn Progress,
    ) -> Result<Self, SourceError> {
        // The first sample looks back on readings too.
        let samples = train.samples + past;
        if let Clock::Own { .. } = sources.clock() {
            return Self::of_recorded(sources, train, samples, past, progress);
        }
        let next = aligned(now, sources.interval());
        let history = sources.checked_history(Span::last(
            samples,
            train.data_end_time.unwrap_or(next),
            sources.interval(),
        ))?;
        let training_set = with_progress(history, samples, progress).collect::<Result<_, _>>()?;
        Ok(Self { training_set, ..Self::at(sources, past, now)? })
    }

    /// The data for an existing model, which was trained on readings up to `learned` and looks back `past`
    /// readings. `seen` is the last instant that an earlier process has judged, if any: a recording continues
    /// after it.
    ///
    /// # Errors
    /// A source fails.
    pub fn with_model(
        sources: &Arc<Sources>,
        past: usize,
        learned: Timestamp,
        seen: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<Self, SourceError> {
        if let Clock::Wall = sources.clock() {
            return match seen {
                Some(seen) => Self::after(sources, seen, now),
                None => Self::at(sources, past, now),
            };
        }
        let mut rest = sources.history(Span::all(sources.interval()))?;
        let mut before = VecDeque::new();
        let after = seen.unwrap_or(learned);
        let first = last_before(&mut rest, &mut None, &mut before, past, |time| time <= after)?;
        // The whole recording was trained on, and no row was judged live: all of it is judged, as after a
        // training.
        if first.is_none() && seen.is_none() {
            return Self::whole(sources);
        }
        let lead_in = if seen.is_some() { Vec::new() } else { sources.checks().clean(before.into()) };
        let stream = ReadingStream::Scheduled(Scheduled::after(sources.clone(), first, rest));
        Ok(Self { training_set: Vec::new(), stream, lead_in, note: String::new() })
    }

    fn whole(sources: &Arc<Sources>) -> Result<Self, SourceError> {
        let rows = sources.history(Span::all(sources.interval()))?;
        let stream = ReadingStream::Scheduled(Scheduled::after(sources.clone(), None, rows));
        Ok(Self { training_set: Vec::new(), stream, lead_in: Vec::new(), note: String::new() })
    }

    /// The stream from `now` on, after the last `past` instants.
    fn at(sources: &Arc<Sources>, past: usize, now: Timestamp) -> Result<Self, SourceError> {
        let next = aligned(now, sources.interval());
        Self::between(sources, Span::last(past, next, sources.interval()), next)
    }

    /// The stream from `now` on, after the instants missed since `seen`; at most the last [`MAX_BETWEEN`].
    fn after(sources: &Arc<Sources>, seen: Timestamp, now: Timestamp) -> Result<Self, SourceError> {
        let interval = sources.interval();
        let next = aligned(now, interval);
        let missed = next.duration_since(seen).as_nanos().div_euclid(interval.as_nanos().max(1));
        let exact = next.duration_since(seen).as_nanos().rem_euclid(interval.as_nanos().max(1)) == 0;
        let missed = usize::try_from(missed - i128::from(exact)).unwrap_or_default().min(MAX_BETWEEN);
        Self::between(sources, Span::last(missed, next, interval), next)
    }

    fn between(sources: &Arc<Sources>, span: Span, next: Timestamp) -> Result<Self, SourceError> {
        let lead_in = sources.checked_history(span)?.collect::<Result<Vec<_>, _>>()?;
        let stream = if sources.history_covers_future() {
            let mut rows = sources.history(Span::onwards(next, sources.interval()))?;
            let first = rows.next().transpose()?;
            ReadingStream::Scheduled(Scheduled::after(sources.clone(), first, rows))
        } else {
            live(sources, lead_in.last().map(|readings| readings.time))?
        };
        Ok(Self { training_set: Vec::new(), stream, lead_in, note: String::new() })
    }

    fn of_recorded(
        sources: &Arc<Sources>,
        train: &Training,
        samples: usize,
        past: usize,
        progress: &dyn Progress,
    ) -> Result<Self, SourceError> {
        let mut rest = sources.history(Span::all(sources.interval()))?;
        let mut training_set = Vec::new();
        let mut first = None;
        for row in with_progress(rest.by_ref(), samples, progress) {
            let row = row?;
            if training_set.len() == samples || train.data_end_time.is_some_and(|until| row.time >= until) {
                first = Some(row);
                break;
            }
            training_set.push(row);
        }
        let training_set = sources.checks().clean(training_set);
        if first.is_some() {
            let lead_in = training_set[training_set.len().saturating_sub(past)..].to_vec();
            let stream = ReadingStream::Scheduled(Scheduled::after(sources.clone(), first, rest));
            return Ok(Self { training_set, stream, lead_in, note: String::new() });
        }
        let note = format!(
            "the recording's {} rows are no more than the training set takes: the model is trained on all of them, then scores all of them",
            training_set.len()
        );
        Ok(Self { training_set, note, ..Self::whole(sources)? })
    }
}

/// The stream of readings that arrive from now on.
///
/// # Errors
/// The system cannot start a thread.
pub fn live(sources: &Sources, seen: Option<Timestamp>) -> Result<ReadingStream, SourceError> {
    let refused = |error: io::Error| SourceError::Server(format!("the sources cannot be read: {error}"));
    Live::start(sources, seen).map(ReadingStream::Live).map_err(refused)
}

/// A reader of the readings before a moment, for the trainings after the first. Moments must be in ascending
/// order.
pub enum HistoryReader {
    /// The sources' history is queried.
    Query(Arc<Sources>),
    /// A source with its own clock is read a second time, as far as needed.
    Replay {
        /// The rows that are not read yet.
        rest: Rows,
        /// The row that was read ahead.
        ahead: Option<Readings>,
        /// The newest rows.
        recent: VecDeque<Readings>,
        /// The sensor checks of the spec.
        checks: SensorChecks,
    },
    /// The sources have no history: the readings that arrived are in a buffer.
    Buffered(Arc<Buffer>),
}

impl HistoryReader {
    /// A reader of the buffer `kept`, if there is one, else of the sources' history.
    ///
    /// # Errors
    /// A source cannot be opened.
    pub fn open(sources: &Arc<Sources>, kept: Option<&Arc<Buffer>>) -> Result<Self, SourceError> {
        Ok(match (kept, sources.clock()) {
            (Some(kept), _) => Self::Buffered(kept.clone()),
            (None, Clock::Wall) => Self::Query(sources.clone()),
            (None, Clock::Own { .. }) => {
                let rest = sources.history(Span::all(sources.interval()))?;
                Self::Replay { rest, ahead: None, recent: VecDeque::new(), checks: sources.checks().clone() }
            }
        })
    }

    /// The last `most` readings before a moment, oldest first.
    ///
    /// # Errors
    /// A source fails.
    pub fn before(&mut self, until: Timestamp, most: usize) -> Result<Cow<'_, [Readings]>, SourceError> {
        match self {
            Self::Query(sources) => {
                let rows = sources.checked_history(Span::last(most, until, sources.interval()))?;
                Ok(Cow::Owned(rows.collect::<Result<_, _>>()?))
            }
            Self::Replay { rest, ahead, recent, checks } => {
                let next = last_before(rest, ahead, recent, most, |time| time < until)?;
                *ahead = next;
                let recent = recent.make_contiguous();
                Ok(if checks.are_set() {
                    Cow::Owned(checks.clean(recent.to_vec()))
                } else {
                    Cow::Borrowed(recent)
                })
            }
            Self::Buffered(buffer) => Ok(Cow::Owned(buffer.before(until, most))),
        }
    }
}

/// Move rows into `recent`, which keeps the newest `most`, while `counts` accepts their time. Return the
/// first row that it rejects, if there is one.
fn last_before(
    rest: &mut Rows,
    ahead: &mut Option<Readings>,
    recent: &mut VecDeque<Readings>,
    most: usize,
    counts: impl Fn(Timestamp) -> bool,
) -> Result<Option<Readings>, SourceError> {
    for row in ahead.take().map(Ok).into_iter().chain(rest) {
        let row = row?;
        if !counts(row.time) {
            return Ok(Some(row));
        }
        recent.push_back(row);
        if recent.len() > most {
            recent.pop_front();
        }
    }
    Ok(None)
}

/// Pass the readings on, and report their count to `progress` every 1024 readings.
fn with_progress<T>(
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
