//! `detector run`: a manifest or a data file in; a detector that trains, watches and answers out, until
//! Ctrl-C, SIGTERM or the end of `--duration`.

/// The addresses on which servers listen.
pub mod address;
/// The arguments.
pub mod args;
/// Why a detector could not run.
pub mod error;
/// The moment to stop: signals and `--duration`.
mod stop;
/// The certificate and the tokens that secure requests.
mod security;
/// The two servers that answer requests.
mod servers;
/// The progress of a training.
mod progress;
/// The content of the live line.
mod live;
/// The page of `--report`.
mod report_file;
/// The record of a run: the evaluation, the printed lines, the output files.
mod record;
/// The model that a run starts with.
mod start;
/// The models that take over later.
mod model_manager;
/// The run with servers: answering requests and judging readings.
mod serve;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use crd::Valid;
use crd::contract::EventReport;

use crate::alerting::event::{Events, EventsState};
use crate::cli::lines::Lines;
use crate::cli::live_line;
use crate::cli::manifest::Document;
use crate::cli::stdout;
use crate::ingest::sources::Sources;
use crate::lifecycle::monitor::{self, MonitorError};
use crate::lifecycle::store::StateDirectory;
use crate::lifecycle::store::snapshot::Snapshot;
use crate::model::judge::Explain;
use crate::scoring::scorer::Scorer;
use crate::serving::logging::{self, Format};
use crate::wall_clock;
use args::RunArgs;
use error::RunError;
use progress::Bars;
use record::{Record, Replay};
use start::Start;

/// Run a detector until Ctrl-C, SIGTERM, or the end of `--duration` or of a replay; or print its manifest.
///
/// # Errors
/// The detector cannot run: one sentence.
pub fn run(args: &RunArgs) -> Result<(), RunError> {
    let document = Document::read(&args.manifest, &args.set)?;
    if args.print_manifest {
        stdout::print(crd::manifest::yaml(&document.value).trim_end())?;
        return Ok(());
    }
    run_document(args, document)
}

/// Run the detector of a manifest, until the same ends as [`run`].
///
/// # Errors
/// The detector cannot run: one sentence.
pub fn run_document(args: &RunArgs, document: Document) -> Result<(), RunError> {
    logging::start(args.log, || live_line::Stderr);
    let is_data = !document.notes.is_empty();
    document.notes.iter().for_each(|note| tracing::info!("{note}"));
    let detector = document.detector()?;
    let lines = Lines::new(args.log, &detector);
    let mut record = Record::new(args, &detector, lines)?;
    if args.log == Format::Text {
        live_line::start();
        live_line::show(format!("{}: starts", detector.name()));
    }
    let ran = if args.fast || is_data {
        replay(args, &detector, &mut record)
    } else {
        actix_web::rt::System::new().block_on(serve::serve(args, detector, &mut record))
    };
    live_line::end();
    record.finish(ran?.as_ref())
}

/// Replay the readings of a detector without servers, as fast as possible (`--fast`). Returns the event that
/// is ongoing at the end.
fn replay(args: &RunArgs, detector: &Valid, record: &mut Record) -> Result<Option<EventReport>, RunError> {
    let until = detector.train().and_then(|train| train.data_end_time);
    let now = until.unwrap_or_else(wall_clock::now);
    let sources = Sources::unreported(detector, &args.access()?).map_err(MonitorError::from)?;
    let sources = Arc::new(sources);
    if let Some(live) = sources.first_live() {
        return Err(MonitorError::Live(live.to_owned()).into());
    }
    let start = Start::new(args, detector, start::state_directory(args)?);
    start.notes.iter().for_each(|note| tracing::warn!("{note}"));
    let memory = start.snapshot.as_ref().map(|snapshot| &snapshot.scorer);
    let mut started = match (start.model, detector.train()) {
        (Some(model), _) => monitor::resume(detector, &sources, model, memory, now, Explain::Anomalies)?,
        (None, Some(_)) => monitor::train(detector, &sources, now, Explain::Anomalies, &Bars)?,
        (None, None) => {
            let model = actix_web::rt::System::new().block_on(start::load(args, detector))?;
            monitor::resume(detector, &sources, model, memory, now, Explain::Anomalies)?
        }
    };
    let mut events = Events::new(detector);
    if let (Some(snapshot), None) = (start.snapshot.as_ref(), started.took) {
        events.restore(snapshot.events.clone());
    }
    record.started(&started);
    let mut replay = Replay { record, events, stopped: stop::flag().map_err(RunError::Start)? };
    // The replay runs on a thread of the pool that trains, so that no training has to wake one first.
    let span = args.duration.map(Duration::from);
    rayon::scope(|_| monitor::replay(detector, &sources, &mut started, span, &mut replay))?;
    if let Some(directory) = start.directory {
        keep(&directory, &started.scorer, replay.events.state())
            .map_err(|source| RunError::State { path: directory.model(), source })?;
    }
    Ok(replay.events.ongoing())
}

/// Store the model and the snapshot that the next run starts with.
fn keep(directory: &StateDirectory, scorer: &Scorer, events: EventsState) -> io::Result<()> {
    directory.store_model(scorer.model())?;
    Snapshot::new(scorer, events).map_or(Ok(()), |snapshot| directory.store_snapshot(&snapshot))
}
