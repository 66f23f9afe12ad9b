//! Sources in, the readings before a moment out: what there is to learn from, and what a model looks back on.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::time::Duration;

use crd::Valid;
use crd::training::Training;
use jiff::{SignedDuration, Timestamp};

use crate::features::pipeline::Recipe;
use crate::ingest::progress::Progress;
use crate::ingest::reading::Readings;
use crate::ingest::sources::{Recording, SimulatedSource, SourceError, Sources};
use crate::ingest::stream::{ReadingStream, aligned};

/// What to learn from first, and what comes after it.
pub struct InitialData {
    /// What to learn from, oldest first.
    pub training_set: Vec<Readings>,
    /// What comes.
    pub stream: ReadingStream,
    /// The instants just before the stream's first: so that the first is judged, whatever the model looks back on.
    pub lead_in: Vec<Readings>,
    /// What a person should know of it; empty if nothing.
    pub note: String,
}

impl InitialData {
    /// With a first training: what simulated sensors would have given before `now` (or `dataEndTime`), or the first rows of a
    /// recording.
    ///
    /// # Errors
    /// A source fails.
    pub fn with_training(
        detector: &Valid,
        train: &Training,
        now: Timestamp,
        progress: &dyn Progress,
    ) -> Result<Self, SourceError> {
        // The first vectors need a past of their own.
        let past = Recipe::from(train).memory() - 1;
        match Sources::open(detector)? {
            Sources::SimulatedSource(source) => {
                let samples = train.samples + past;
                let next = aligned(now, interval(detector));
                let until = train.data_end_time.unwrap_or(next);
                let history = source.history(samples, until, detector.spec().interval.into());
                let training_set = with_progress(history, samples, progress).collect();
                Ok(Self { training_set, ..Self::of_simulated(detector, source, past, now) })
            }
            Sources::Recorded(recording) => Self::of_recorded(recording, train, past, progress),
        }
    }

    /// With a model that is there, has learned from readings up to `learned`, and looks `past` readings back. A process
    /// before this one has `seen` readings up to some instant, if any has: so a recording goes on.
    ///
    /// # Errors
    /// A source fails.
    pub fn with_model(
        detector: &Valid,
        past: usize,
        learned: Timestamp,
        seen: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<Self, SourceError> {
        match Sources::open(detector)? {
            Sources::SimulatedSource(source) => {
                let mut initial_data = Self::of_simulated(detector, source, past, now);
                if let (Some(seen), ReadingStream::SimulatedSource { source, next, interval }) =
                    (seen, &initial_data.stream)
                {
                    initial_data.lead_in = between(source, seen, *next, *interval);
                }
                Ok(initial_data)
            }
            Sources::Recorded(mut rest) => {
                let mut before = VecDeque::new();
                let after = seen.unwrap_or(learned);
                let first = last_before(&mut rest, &mut None, &mut before, past, |time| time <= after)?;
                // All of it was learned from, and nobody has watched it: as after the training.
                if first.is_none() && seen.is_none() {
                    return Ok(Self::whole(rest.reopen()?));
                }
                let lead_in = if seen.is_some() { Vec::new() } else { before.into() };
                let stream = ReadingStream::Recorded { first, rest: Box::new(rest) };
                Ok(Self { training_set: Vec::new(), stream, lead_in, note: String::new() })
            }
        }
    }

    fn whole(recording: Recording) -> Self {
        let stream = ReadingStream::Recorded { first: None, rest: Box::new(recording) };
        Self { training_set: Vec::new(), stream, lead_in: Vec::new(), note: String::new() }
    }

    fn of_simulated(detector: &Valid, source: SimulatedSource, past: usize, now: Timestamp) -> Self {
        let interval = interval(detector);
        let next = aligned(now, interval);
        let past = i32::try_from(past).expect("a window is at most 1000, lags at most 100");
        let lead_in = (1..=past).rev().map(|back| source.at(next - interval * back)).collect();
        let stream = ReadingStream::SimulatedSource { source, next, interval };
        Self { training_set: Vec::new(), stream, lead_in, note: String::new() }
    }

    fn of_recorded(
        mut rest: Recording,
        train: &Training,
        past: usize,
        progress: &dyn Progress,
    ) -> Result<Self, SourceError> {
        let samples = train.samples + past;
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
        if first.is_some() {
            let lead_in = training_set[training_set.len().saturating_sub(past)..].to_vec();
            let stream = ReadingStream::Recorded { first, rest: Box::new(rest) };
            return Ok(Self { training_set, stream, lead_in, note: String::new() });
        }
        let note = format!(
            "the recording's {} rows are no more than the model learns from: they are trained on, and then watched, as a whole",
            training_set.len()
        );
        Ok(Self { training_set, note, ..Self::whole(rest.reopen()?) })
    }
}

/// The instants between two, of which the first was seen and the second is to come; of very many, the last.
fn between(
    source: &SimulatedSource,
    seen: Timestamp,
    next: Timestamp,
    interval: SignedDuration,
) -> Vec<Readings> {
    const MAX: i32 = 10_000;
    let instants = (1..=MAX).map(|back| next - interval * back).take_while(|instant| *instant > seen);
    let mut readings: Vec<Readings> = instants.map(|instant| source.at(instant)).collect();
    readings.reverse();
    readings
}

/// The readings before any moment, for the trainings after the first. Moments come in rising order.
pub enum HistoryReader {
    /// Simulated sensors, which can be asked for any time.
    SimulatedSource {
        /// The sensors.
        source: SimulatedSource,
        /// From one instant to the next.
        interval: Duration,
    },
    /// The rows of a recording, read once more as far as they are needed.
    Recorded {
        /// The rows to come.
        rest: Box<Recording>,
        /// The row that was read already.
        ahead: Option<Readings>,
        /// The newest rows.
        recent: VecDeque<Readings>,
    },
}

impl HistoryReader {
    /// The detector's.
    ///
    /// # Errors
    /// A source cannot be opened.
    pub fn open(detector: &Valid) -> Result<Self, SourceError> {
        Ok(match Sources::open(detector)? {
            Sources::SimulatedSource(source) => {
                Self::SimulatedSource { source, interval: detector.spec().interval.into() }
            }
            Sources::Recorded(rest) => {
                Self::Recorded { rest: Box::new(rest), ahead: None, recent: VecDeque::new() }
            }
        })
    }

    /// The last `most` readings before a moment, oldest first.
    ///
    /// # Errors
    /// A source fails.
    pub fn before(&mut self, until: Timestamp, most: usize) -> Result<Cow<'_, [Readings]>, SourceError> {
        match self {
            Self::SimulatedSource { source, interval } => {
                Ok(source.history(most, until, *interval).collect())
            }
            Self::Recorded { rest, ahead, recent } => {
                let next = last_before(rest, ahead, recent, most, |time| time < until)?;
                *ahead = next;
                Ok(Cow::Borrowed(recent.make_contiguous()))
            }
        }
    }
}

/// Move rows into `recent`, of which the newest `most` stay, while their time is one that counts; the first row whose time
/// is not, if there is one.
fn last_before(
    rest: &mut Recording,
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

fn interval(detector: &Valid) -> SignedDuration {
    SignedDuration::try_from(Duration::from(detector.spec().interval)).expect("intervals are at most 24h")
}

/// The same readings, while `progress` hears of them now and then.
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
