//! Sources in, verdicts out: train on their history, or resume with an existing model; then judge one instant
//! after another.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crd::Valid;
use jiff::Timestamp;
use thiserror::Error;

use crate::features::pipeline::Recipe;
use crate::ingest::history::{HistoryReader, InitialData};
use crate::ingest::progress::Progress;
use crate::ingest::reading::Readings;
use crate::ingest::source::SourceError;
use crate::ingest::sources::Sources;
use crate::ingest::stream::ReadingStream;
use crate::lifecycle::retrain_schedule::RetrainSchedule;
use crate::model::judge::Explain;
use crate::model::model::{Model, ModelError};
use crate::model::training::{TrainingSet, learn, trees_to_grow};
use crate::scoring::scorer::{Outcome, Scorer, ScorerState};
use crate::wall_clock;

/// Why the detector cannot judge its sources.
#[derive(Debug, Error)]
pub enum MonitorError {
    /// A source failed.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// Training failed.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// A replay needs known readings, but those of this source arrive live.
    #[error("--fast needs readings that are known in advance: those of source {0:?} arrive in real time")]
    Live(String),
}

/// A model, and the readings that it is to judge.
pub struct Started {
    /// The model, with the newest readings before the stream in its memory.
    pub scorer: Scorer,
    /// The readings that are to be judged.
    pub stream: ReadingStream,
    /// How long its training took; none if it was not trained now.
    pub took: Option<Duration>,
    /// The gap in the model's memory: the time between the last reading that it has seen and the first one of
    /// the stream.
    pub gap: Duration,
    /// A note for people on the data; empty if there is none.
    pub note: String,
}

/// Train on the sources' history: the readings before `now` (or `dataEndTime`), or the first rows of a
/// recording.
///
/// # Errors
/// A source fails, or gives too little to learn from.
pub fn train(
    detector: &Valid,
    sources: &Arc<Sources>,
    now: Timestamp,
    explain: Explain,
    progress: &dyn Progress,
) -> Result<Started, MonitorError> {
    let train = detector.train().cloned().unwrap_or_default();
    let past = Recipe::from(&train).memory() - 1;
    let InitialData { training_set, stream, lead_in, note } =
        InitialData::with_training(sources, &train, past, now, progress)?;
    let began = Instant::now();
    let training_set = TrainingSet {
        readings: &training_set,
        until: train.data_end_time,
        serving: None,
        renewed_trees: None,
    };
    let model = learn(detector, training_set, &|done| progress.grown(done, trees_to_grow(&train)))?;
    let model = model.with_training_end(Some(wall_clock::now()));
    let took = Some(began.elapsed());
    let mut scorer = Scorer::new(Arc::new(model), detector, explain);
    scorer.remember_all(&lead_in);
    Ok(Started { scorer, stream, took, gap: Duration::ZERO, note })
}

/// Resume with an existing model, from the state that an earlier process saved, if there is one.
///
/// # Errors
/// A source fails.
pub fn resume(
    detector: &Valid,
    sources: &Arc<Sources>,
    model: Arc<Model>,
    state: Option<&ScorerState>,
    now: Timestamp,
    explain: Explain,
) -> Result<Started, MonitorError> {
    let past = model.recipe().memory() - 1;
    let (learned, seen) = (model.data_end_time(), state.map(|state| state.time));
    let InitialData { stream, lead_in, note, .. } =
        InitialData::with_model(sources, past, learned, seen, now)?;
    let mut scorer = Scorer::new(model, detector, explain);
    if let Some(state) = state {
        scorer.restore(state);
    }
    scorer.remember_all(&lead_in);
    let gap = scorer.seen().map_or(Duration::ZERO, |seen| stream.gap_after(seen));
    Ok(Started { scorer, stream, took: None, gap, note })
}

/// Train on readings that have arrived, for sources without a history; then continue with the readings that
/// follow.
///
/// # Errors
/// The training fails, for example on too few readings: the stream is returned, so that more can be
/// collected.
pub fn train_on(
    detector: &Valid,
    arrived: &[Readings],
    stream: ReadingStream,
    explain: Explain,
    progress: &dyn Progress,
) -> Result<Started, Box<(ModelError, ReadingStream)>> {
    let train = detector.train().cloned().unwrap_or_default();
    let began = Instant::now();
    let training_set = TrainingSet { readings: arrived, until: None, serving: None, renewed_trees: None };
    let model = match learn(detector, training_set, &|done| progress.grown(done, trees_to_grow(&train))) {
        Ok(model) => model.with_training_end(Some(wall_clock::now())),
        Err(error) => return Err(Box::new((error, stream))),
    };
    let took = Some(began.elapsed());
    let past = model.recipe().memory() - 1;
    let mut scorer = Scorer::new(Arc::new(model), detector, explain);
    scorer.remember_all(&arrived[arrived.len().saturating_sub(past)..]);
    Ok(Started { scorer, stream, took, gap: Duration::ZERO, note: String::new() })
}

/// Retrain on the readings before `until`, or before `now` if that is earlier, without those that the serving
/// model calls anomalous. The oldest `renewed_trees` of its trees are replaced; all if none is given.
///
/// # Errors
/// A source fails, or gives too little to learn from.
pub fn retrain(
    detector: &Valid,
    serving: &Model,
    past: &mut HistoryReader,
    until: Timestamp,
    now: Timestamp,
    renewed_trees: Option<u32>,
) -> Result<Model, MonitorError> {
    let train = detector.train().cloned().unwrap_or_default();
    let most = train.samples + Recipe::from(&train).memory() - 1;
    let readings = past.before(until.min(now), most)?;
    let training_set =
        TrainingSet { readings: &readings, until: Some(until), serving: Some(serving), renewed_trees };
    Ok(learn(detector, training_set, &|_| ())?.with_training_end(Some(wall_clock::now())))
}

/// An observer of a replay.
pub trait ReplayObserver {
    /// The error with which it stops the replay.
    type Error: From<MonitorError>;

    /// Take the outcome of an instant that was judged.
    ///
    /// # Errors
    /// The observer stops the replay.
    fn judged(&mut self, readings: &Readings, outcome: &Outcome) -> Result<(), Self::Error>;
    /// Whether the replay is to end before the next instant.
    fn is_stopped(&self) -> bool {
        false
    }
    /// Take note that a new model serves, whose training took this long.
    fn renewed(&mut self, model: &Model, took: Duration);
}

/// Judge the readings of the stream as fast as possible, until it ends or `span` of its own time has passed.
/// The model is retrained by the stream's own clock.
///
/// # Errors
/// A source is live or fails, a training fails, or the observer stops the replay.
pub fn replay<A: ReplayObserver>(
    detector: &Valid,
    sources: &Arc<Sources>,
    started: &mut Started,
    span: Option<Duration>,
    observer: &mut A,
) -> Result<(), A::Error> {
    let mut retrain_schedule = RetrainSchedule::new(detector);
    let mut past = None;
    let mut end = None;
    let Some(stream) = started.stream.as_scheduled() else {
        let name = sources.first_live().unwrap_or_default().to_owned();
        return Err(MonitorError::Live(name).into());
    };
    for readings in stream {
        if observer.is_stopped() {
            break;
        }
        let readings = readings.map_err(MonitorError::from)?;
        let end = *end.get_or_insert_with(|| span.and_then(|span| readings.time.checked_add(span).ok()));
        if end.is_some_and(|end| readings.time >= end) {
            break;
        }
        if let Some(until) = retrain_schedule.latest(started.scorer.model().until(), readings.time) {
            let since = Instant::now();
            let past = match &mut past {
                Some(past) => past,
                none => none.insert(HistoryReader::open(sources, None).map_err(MonitorError::from)?),
            };
            let model = Arc::new(retrain(
                detector,
                started.scorer.model(),
                past,
                until,
                readings.time,
                detector.renewed_trees(),
            )?);
            observer.renewed(&model, since.elapsed());
            started.scorer.swap(model);
        }
        let outcome = started.scorer.judge(&readings);
        if let Some(misfit) = started.scorer.new_misfit_warning() {
            tracing::warn!("model {}: {misfit}", started.scorer.model().digest());
        }
        observer.judged(&readings, &outcome)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
