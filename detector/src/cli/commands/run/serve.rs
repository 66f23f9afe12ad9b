//! A detector in; answered requests, and readings that are judged when they are due, out, until Ctrl-C,
//! SIGTERM or the end of `--duration`.

use std::io;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use actix_web::web::Data;
use crd::Valid;
use crd::contract::EventReport;
use tokio::sync::{mpsc, oneshot};

use super::args::RunArgs;
use super::error::RunError;
use super::model_manager::{ModelManager, ModelUpdate};
use super::progress::{Bars, TrainingProgress};
use super::record::Record;
use super::servers::Servers;
use super::start::{Start, state_directory};
use super::stop::Stop;
use crate::alerting::notify::Notifier;
use crate::cli::lines::Line;
use crate::features::pipeline::Recipe;
use crate::ingest::alignment::Aligned;
use crate::ingest::buffer::Buffer;
use crate::ingest::connection::Pauses;
use crate::ingest::history;
use crate::ingest::source::{Clock, SourceError};
use crate::ingest::sources::Sources;
use crate::ingest::stream::ReadingStream;
use crate::lifecycle::monitor::{self, MonitorError, Started};
use crate::lifecycle::store::StateDirectory;
use crate::lifecycle::store::snapshot::Snapshot;
use crate::model::judge::Explain;
use crate::model::model::Model;
use crate::scoring::scorer::Scorer;
use crate::serving::state::State;
use crate::wall_clock;

/// The pause after which a failed training is retried, where the source may have more readings by then.
const RETRAIN_PAUSE: Duration = Duration::from_secs(30);
/// The most due instants that are judged in a row before the loop looks for new models.
const AT_ONCE: usize = 256;
/// The shortest time to drain. Clients with an open connection are asked to close it with the answer to their
/// next request, which needs a moment to arrive.
const MIN_DRAIN: Duration = Duration::from_millis(500);

/// Answer requests from the start, train or load a model, then judge the readings when they are due. Returns
/// the event that is ongoing at the end.
pub(super) async fn serve(
    args: &RunArgs,
    detector: Valid,
    record: &mut Record,
) -> Result<Option<EventReport>, RunError> {
    let mut stop = Stop::new(args.duration.map(Into::into)).map_err(RunError::Start)?;
    let directory = state_directory(args)?;
    let start = Start::new(args, &detector, directory);
    let state = Data::new(State::new(detector));
    let servers = Servers::start(args, &state)?;
    notify(args, &state)?;
    record.print(&Line::Listening {
        predict: &args.predict_address.to_string(),
        metrics: &args.metrics_address.to_string(),
    });
    let (result, drain) = tokio::select! {
        result = start_and_score(args, &state, start, record) => (result, Duration::ZERO),
        is_sent_to = stop.wait_for_stop() => {
            let drain = Duration::from(args.drain).max(MIN_DRAIN);
            (Ok(()), if is_sent_to { drain } else { Duration::ZERO })
        }
    };
    tokio::select! {
        () = end(&state, servers, drain) => {}
        code = stop.signal() => std::process::exit(code),
    }
    result.map(|()| state.ongoing_event())
}

/// Report that the detector stops, answer further requests for the time `drain`, then answer the pending ones
/// and stop the servers.
async fn end(state: &State, servers: Servers, drain: Duration) {
    state.drain();
    servers.drain();
    tokio::time::sleep(drain).await;
    servers.stop().await;
}

/// Notify the receivers of the spec, if there are any, when events raise alarms and end.
fn notify(args: &RunArgs, state: &Data<State>) -> Result<(), RunError> {
    if state.detector.spec().notifications.is_empty() {
        return Ok(());
    }
    let (shared, running) = (state.clone(), state.threads.runs("notifications"));
    let report = move |name: &str, outcome, why: Option<&str>| {
        let _ends_with_its_owner = &running;
        shared.metrics.notification(name, outcome, 1);
        if let Some(why) = why {
            tracing::warn!("{why}");
        }
    };
    if let Some(notifier) = Notifier::start(&state.detector, &args.notifications()?, report) {
        state.notify(notifier);
    }
    Ok(())
}

async fn start_and_score(
    args: &RunArgs,
    state: &Data<State>,
    start: Start,
    record: &mut Record,
) -> Result<(), RunError> {
    for note in &start.notes {
        tracing::warn!("{note}");
        state.metrics.rejection();
    }
    let events = start.snapshot.as_ref().map(|snapshot| snapshot.events.clone());
    state.reject(start.rejected.clone());
    let open = Sources::open(&state.detector, &args.access()?, state.sources());
    let sources = Arc::new(open.map_err(MonitorError::from)?);
    sources.inlets().into_iter().for_each(|inlet| state.set_inlet(inlet));
    let directory = start.directory.as_ref();
    let kept = if sources.all_have_history() { None } else { Some(Arc::new(kept(directory, state))) };
    let begin = Startup { state, sources: &sources, kept: kept.as_deref() };
    let (updates, mut coming) = mpsc::unbounded_channel();
    let past = (sources.clone(), kept.clone());
    let model_manager = ModelManager::new(args, state, past, updates, &start)?;
    let started = if state.detector.train().is_some() {
        let started = begin.with(start.model, start.snapshot).await?;
        model_manager.start(Some(started.scorer.model().clone()))?;
        started
    } else {
        model_manager.start(start.model.clone())?;
        let model = match start.model {
            Some(model) => model,
            None => first(&mut coming).await,
        };
        begin.with(Some(model), start.snapshot).await?
    };
    state.serve(&started.scorer, started.took.unwrap_or_default());
    state.restored(started.gap);
    if sources.history_covers_future() {
        sources.set_connected(None);
    }
    if let (Some(events), None) = (events, started.took) {
        state.restore(events);
    }
    record.started(&started);
    // Clients that push readings must reach the detector even after none has pushed for long, and a recording
    // has its own time: in both cases a long time without verdicts must not make it unready.
    let is_pushed_to = state.detector.sources().iter().any(|source| source.kind.is_pushed_to());
    state.silence.expect(sources.clock() == Clock::Wall && !is_pushed_to);
    let Started { scorer, stream, .. } = started;
    tokio::select! {
        result = judge_loop(state, record, scorer, stream, kept.as_deref(), coming) => result,
        result = store_snapshots(start.directory, state) => result,
    }
}

/// The buffer of the readings that have arrived, for sources without a history: in memory, and in the folder
/// of `--state` where there is one.
fn kept(directory: Option<&StateDirectory>, state: &State) -> Buffer {
    let sensors: Vec<String> = state.detector.sensors().map(|sensor| sensor.name.to_owned()).collect();
    let train = state.detector.train().cloned().unwrap_or_default();
    let most = train.samples + Recipe::from(&train).memory() - 1;
    let in_memory = || Buffer::new(sensors.len(), most);
    let Some(directory) = directory else { return in_memory() };
    Buffer::open(&directory.readings(), &sensors, most).unwrap_or_else(|error| {
        tracing::warn!("{} is not used: {error}", directory.readings().display());
        in_memory()
    })
}

/// The parts that a start needs: the shared state, the sources and the buffer.
struct Startup<'a> {
    state: &'a Data<State>,
    sources: &'a Arc<Sources>,
    kept: Option<&'a Buffer>,
}

impl Startup<'_> {
    /// Start with this model; without one, train one.
    async fn with(&self, model: Option<Arc<Model>>, snapshot: Option<Snapshot>) -> Result<Started, RunError> {
        match (model, self.kept) {
            (None, Some(kept)) => self.collect(kept).await,
            (model, _) => self.resume_or_train(model, snapshot).await,
        }
    }

    /// Resume with this model; without one, train one on the sources' history. Retries while a server does
    /// not answer, and while a training fails on sources that may have more readings later. Other errors are
    /// returned.
    async fn resume_or_train(
        &self,
        model: Option<Arc<Model>>,
        snapshot: Option<Snapshot>,
    ) -> Result<Started, RunError> {
        let snapshot = Arc::new(snapshot);
        let mut pauses = Pauses::default();
        loop {
            let (state, sources, model) = (self.state.clone(), self.sources.clone(), model.clone());
            let snapshot = snapshot.clone();
            let work = move || match model {
                Some(model) => {
                    let (detector, now) = (&state.detector, wall_clock::now());
                    let memory = (*snapshot).as_ref().map(|snapshot| &snapshot.scorer);
                    monitor::resume(detector, &sources, model, memory, now, Explain::Always)
                }
                None => train(&state, &sources),
            };
            match in_background(work).await? {
                Ok(started) => return Ok(started),
                Err(MonitorError::Source(SourceError::Server(why))) => {
                    self.sources.set_connected(Some(&why));
                    tracing::warn!("the history cannot be read, trying again: {why}");
                    tokio::time::sleep(pauses.next_pause()).await;
                }
                // A server may have more readings later; the readings of a recording do not change.
                Err(MonitorError::Model(error)) if !self.sources.history_covers_future() => {
                    let message = format!("{error}; trying again");
                    tracing::warn!("{message}");
                    self.state.training_failed(message);
                    tokio::time::sleep(RETRAIN_PAUSE).await;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Buffer arriving readings until there are enough, then train on them. A failed training is retried with
    /// more readings.
    async fn collect(&self, kept: &Buffer) -> Result<Started, RunError> {
        let mut stream = history::live(self.sources, kept.newest()).map_err(MonitorError::from)?;
        let mut need = kept.most();
        loop {
            self.gather(kept, &mut stream, need).await?;
            let (state, arrived) = (self.state.clone(), kept.all());
            let work = move || {
                let started = monitor::train_on(&state.detector, &arrived, stream, Explain::Always, &Bars);
                state.trained(started.is_ok());
                started
            };
            match in_background(work).await? {
                Ok(started) => return Ok(started),
                Err(failed) => {
                    let (error, still) = *failed;
                    let message = format!("{error}; trying again with more readings");
                    tracing::warn!("{message}");
                    self.state.training_failed(message);
                    (stream, need) = (still, kept.complete() + need.div_ceil(10));
                }
            }
        }
    }

    /// Buffer arriving readings until `need` instants are complete.
    async fn gather(&self, kept: &Buffer, stream: &mut ReadingStream, need: usize) -> Result<(), RunError> {
        let each = self.sources.interval().as_secs_f64();
        let mut is_reported = false;
        loop {
            let have = kept.complete();
            let left = (need.saturating_sub(have) as f64 * each).ceil() as u64;
            self.state.collected(have.min(need), need, left);
            Bars::show("gathering readings", have.min(need), need);
            if have >= need {
                return Ok(());
            }
            if !std::mem::replace(&mut is_reported, true) {
                tracing::info!(
                    "no source has a history: {have} of {need} training readings have arrived, {} min left",
                    left.div_ceil(60)
                );
            }
            let Some(aligned) = stream.next().await else { return Ok(()) };
            let aligned = aligned.map_err(MonitorError::from)?;
            self.state.unjudged(&aligned);
            keep(kept, &aligned);
        }
    }
}

/// Buffer the readings of an instant. When the disk is full, the readings collected so far are lost at the
/// next restart; the detector keeps running.
fn keep(kept: &Buffer, aligned: &Aligned) {
    if let Err(error) = kept.push(&aligned.readings) {
        tracing::warn!("readings are kept in memory only: {error}");
    }
}

fn train(state: &Data<State>, sources: &Arc<Sources>) -> Result<Started, MonitorError> {
    let progress = TrainingProgress { state, bars: Bars };
    let started = monitor::train(&state.detector, sources, wall_clock::now(), Explain::Always, &progress);
    state.trained(started.is_ok());
    started
}

/// Run `work` on its own thread. The program ends without waiting for it, since a training may take minutes.
async fn in_background<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, RunError> {
    let (done, result) = oneshot::channel();
    let run = move || drop(done.send(work()));
    thread::Builder::new().name("training".to_owned()).spawn(run).map_err(RunError::Start)?;
    result.await.map_err(|_| RunError::Start(io::Error::other("the training panicked")))
}

/// Wait for the first model that can be loaded.
async fn first(coming: &mut mpsc::UnboundedReceiver<ModelUpdate>) -> Arc<Model> {
    loop {
        match coming.recv().await {
            Some(ModelUpdate::Model { model, .. }) => return model,
            Some(ModelUpdate::Note(note)) => tracing::warn!("{note}"),
            None => std::future::pending().await,
        }
    }
}

/// Store a snapshot in each second in which new readings were judged.
async fn store_snapshots(directory: Option<StateDirectory>, state: &Data<State>) -> Result<(), RunError> {
    let Some(directory) = directory else { return std::future::pending().await };
    let mut second = tokio::time::interval(Duration::from_secs(1));
    let mut kept = None;
    loop {
        second.tick().await;
        let (scorer, events) = state.memory();
        let Some(scorer) = scorer.filter(|scorer| scorer.seen() != kept) else { continue };
        kept = scorer.seen();
        let directory = directory.clone();
        // When the disk is full, a few readings are lost at the next restart; the detector keeps running.
        let keep = move || Snapshot::new(&scorer, events).map(|snapshot| directory.store_snapshot(&snapshot));
        let _ = tokio::task::spawn_blocking(keep).await;
    }
}

/// Judge one instant after another, each when it is due, and let new models take over between two instants.
async fn judge_loop(
    state: &State,
    record: &mut Record,
    mut scorer: Scorer,
    mut stream: ReadingStream,
    kept: Option<&Buffer>,
    mut coming: mpsc::UnboundedReceiver<ModelUpdate>,
) -> Result<(), RunError> {
    loop {
        let first = tokio::select! {
            biased;
            Some(update) = coming.recv() => {
                take_over(state, record, &mut scorer, update);
                continue;
            }
            next = stream.next() => match next {
                Some(aligned) => aligned.map_err(MonitorError::from)?,
                None => break,
            },
        };
        state.metrics.skipped(stream.take_skipped());
        let advance = state.advance();
        let due = std::iter::once(first).chain(std::iter::from_fn(|| stream.due()));
        for aligned in due.take(AT_ONCE) {
            let outcome = scorer.judge(&aligned.readings);
            if let Some(misfit) = scorer.new_misfit_warning() {
                tracing::warn!("model {}: {misfit}", scorer.model().digest());
            }
            let change = advance.outcome(&aligned, &outcome);
            record.outcome(&aligned.readings, &outcome, change.as_ref())?;
            if let Some(kept) = kept {
                keep(kept, &aligned);
            }
        }
        advance.publish(&scorer);
    }
    state.silence.expect(false);
    for source in state.sources() {
        source.disconnected("the recording has ended");
    }
    tracing::info!("the recording has ended; predictions are still answered");
    while let Some(update) = coming.recv().await {
        take_over(state, record, &mut scorer, update);
    }
    std::future::pending().await
}

fn take_over(state: &State, record: &mut Record, scorer: &mut Scorer, update: ModelUpdate) {
    match update {
        ModelUpdate::Model { model, took } => {
            record.serves(&model);
            scorer.swap(model);
            state.serve(scorer, took.unwrap_or_default());
            match took {
                Some(took) => record.print(&Line::Trained(scorer.model(), took)),
                None => record.print(&Line::Serves(scorer.model())),
            }
        }
        ModelUpdate::Note(note) => tracing::warn!("{note}"),
    }
}
