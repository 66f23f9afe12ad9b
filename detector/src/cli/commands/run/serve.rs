//! A detector in; requests answered and readings judged, each when it is due, until it is asked to stop.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::web::Data;
use crd::Valid;
use crd::contract::EventReport;
use jiff::Timestamp;
use tokio::sync::mpsc;

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
use crate::ingest::stream::ReadingStream;
use crate::lifecycle::monitor::{self, MonitorError, Started};
use crate::lifecycle::store::snapshot::Snapshot;
use crate::model::model::{Explain, Model};
use crate::scoring::scorer::Scorer;
use crate::serving::state::State;

/// Answer from the first moment on, train or load, then judge what comes at its pace. The event that goes on at the end.
pub(super) async fn serve(
    args: &RunArgs,
    detector: Valid,
    record: &mut Record,
) -> Result<Option<EventReport>, RunError> {
    let mut stop = Stop::new(args.duration.map(Into::into)).map_err(RunError::Start)?;
    let start = Start::new(args, &detector)?;
    let state = Data::new(State::new(detector));
    let servers = Servers::start(args, &state)?;
    notify(args, &state)?;
    record.lines.print(&Line::Listening {
        predict: &args.predict_address.to_string(),
        metrics: &args.metrics_address.to_string(),
    });
    let result = tokio::select! {
        result = start_and_score(args, &state, start, record) => result,
        drain = stop.asked() => {
            state.drain();
            if drain {
                tokio::time::sleep(args.drain.into()).await;
            }
            Ok(())
        }
    };
    servers.stop().await;
    result.map(|()| state.ongoing_event())
}

/// Notify the receivers of the spec, if there are any, when events raise alarms and end.
fn notify(args: &RunArgs, state: &Data<State>) -> Result<(), RunError> {
    let shared = state.clone();
    let report = move |name: &str, outcome, why: Option<&str>| {
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
    start.notes.iter().for_each(|note| tracing::warn!("{note}"));
    let events = start.snapshot.as_ref().map(|snapshot| snapshot.events.clone());
    state.reject(start.rejected.clone());
    let (updates, mut coming) = mpsc::unbounded_channel();
    let model_manager = ModelManager::new(args, state, updates, start.rejected.clone())?;
    let started = if state.detector.train().is_some() {
        let started = begin(state, start.model, start.snapshot).await?;
        model_manager.start(Some(started.scorer.model().clone()))?;
        started
    } else {
        model_manager.start(start.model.clone())?;
        let model = match start.model {
            Some(model) => model,
            None => first(&mut coming).await,
        };
        begin(state, Some(model), start.snapshot).await?
    };
    state.serve(&started.scorer, started.took.unwrap_or_default());
    state.restored(started.gap);
    state.sources(true, "");
    if let (Some(events), None) = (events, started.took) {
        state.restore(events);
    }
    record.started(&started);
    let Started { scorer, mut stream, .. } = started;
    stream.skip_to(Timestamp::now());
    tokio::select! {
        result = attend(state, record, scorer, stream, coming) => result,
        result = store_snapshots(args, state) => result,
    }
}

/// With this model, else with one that is trained.
async fn begin(
    state: &Data<State>,
    model: Option<Arc<Model>>,
    snapshot: Option<Snapshot>,
) -> Result<Started, RunError> {
    let shared = state.clone();
    let work = move || {
        let (detector, now) = (&shared.detector, Timestamp::now());
        if let Some(model) = model {
            return monitor::resume(
                detector,
                model,
                snapshot.as_ref().map(|snapshot| &snapshot.scorer),
                now,
                Explain::Always,
            );
        }
        let progress = TrainingProgress { state: &shared, bars: Bars::new() };
        let started = monitor::train(detector, now, Explain::Always, &progress);
        progress.bars.clear();
        shared.trained(started.is_ok());
        started
    };
    let started = tokio::task::spawn_blocking(work).await;
    Ok(started.map_err(|panic| RunError::Start(io::Error::other(panic)))??)
}

/// The first model that can be loaded.
async fn first(coming: &mut mpsc::UnboundedReceiver<ModelUpdate>) -> Arc<Model> {
    loop {
        match coming.recv().await {
            Some(ModelUpdate::Model { model, .. }) => return model,
            Some(ModelUpdate::Note(note)) => tracing::warn!("{note}"),
            None => std::future::pending().await,
        }
    }
}

/// Keep what is remembered, each second in which something new was seen.
async fn store_snapshots(args: &RunArgs, state: &Data<State>) -> Result<(), RunError> {
    let Some(directory) = state_directory(args)? else { return std::future::pending().await };
    let mut second = tokio::time::interval(Duration::from_secs(1));
    let mut kept = None;
    loop {
        second.tick().await;
        let (scorer, events) = state.memory();
        let Some(scorer) = scorer.filter(|scorer| scorer.seen() != kept) else { continue };
        kept = scorer.seen();
        let directory = directory.clone();
        // A full disk costs a few readings at the next restart, and is no reason to stop.
        let keep = move || Snapshot::new(&scorer, events).map(|snapshot| directory.store_snapshot(&snapshot));
        let _ = tokio::task::spawn_blocking(keep).await;
    }
}

/// Judge instant after instant, each when it is due; and let successors take over between two of them.
async fn attend(
    state: &State,
    record: &mut Record,
    mut scorer: Scorer,
    mut stream: ReadingStream,
    mut coming: mpsc::UnboundedReceiver<ModelUpdate>,
) -> Result<(), RunError> {
    let (pace, began) = (stream.pace(), Instant::now());
    let mut first = None;
    while let Some(readings) = stream.next() {
        let readings = readings.map_err(MonitorError::from)?;
        let first = *first.get_or_insert(readings.time);
        let wait = pace.wait(readings.time, Timestamp::now(), first, began.elapsed());
        let due = tokio::time::Instant::now() + wait;
        while let Some(update) = sooner(&mut coming, due).await {
            take_over(state, record, &mut scorer, update);
        }
        let outcome = scorer.judge(&readings);
        let change = state.advance(&readings, &outcome, &scorer);
        record.outcome(&readings, &outcome, change.as_ref())?;
        stream.skip_to(Timestamp::now());
    }
    state.sources(false, "the recording has ended");
    tracing::info!("the recording has ended; predictions are still answered");
    while let Some(update) = coming.recv().await {
        take_over(state, record, &mut scorer, update);
    }
    std::future::pending().await
}

/// The successor that comes before something else is due.
async fn sooner(
    coming: &mut mpsc::UnboundedReceiver<ModelUpdate>,
    due: tokio::time::Instant,
) -> Option<ModelUpdate> {
    tokio::select! {
        biased;
        Some(update) = coming.recv() => Some(update),
        () = tokio::time::sleep_until(due) => None,
    }
}

fn take_over(state: &State, record: &Record, scorer: &mut Scorer, update: ModelUpdate) {
    match update {
        ModelUpdate::Model { model, took } => {
            scorer.swap(model);
            state.serve(scorer, took.unwrap_or_default());
            match took {
                Some(took) => record.lines.print(&Line::Trained(scorer.model(), took)),
                None => record.lines.print(&Line::Serves(scorer.model())),
            }
        }
        ModelUpdate::Note(note) => tracing::warn!("{note}"),
    }
}
