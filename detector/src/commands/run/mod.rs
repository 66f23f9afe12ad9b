//! `detector run`: a manifest in; a detector that trains, watches and answers, until it is told to stop.

/// When to stop.
mod stop;
/// Where requests are answered.
mod servers;
/// How far training is.
mod progress;
/// What is kept of a run.
mod record;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use actix_web::web::Data;
use clap::Args;
use crd::Valid;
use crd::contract::{METRICS_PORT, PREDICT_PORT};
use jiff::Timestamp;
use thiserror::Error;

use crate::log::{Event, Format, Log};
use crate::manifest::{self, FileError};
use crate::model::Explain;
use crate::monitor::{self, MonitorError, Trained};
use crate::state::State;
use progress::{Bars, Training};
use record::Record;
use servers::Servers;
use stop::Stop;

/// Train on the manifest's sensors, watch them, answer predictions.
///
/// Prints a line for each anomaly. Ends at Ctrl-C, SIGTERM, or after --duration, with a summary.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// The manifest: an AnomalyDetector in YAML
    #[arg(value_name = "FILE")]
    manifest: PathBuf,

    /// Change a field of the manifest first: spec.sources[0].csv.path=other.csv
    #[arg(long, value_name = "PATH=VALUE")]
    set: Vec<String>,

    /// Stop by itself after this long, with a summary: 60s, 24h
    #[arg(long, value_name = "DURATION")]
    duration: Option<crd::Duration>,

    /// Replay as fast as it goes, without serving; --duration then counts the readings' own time
    #[arg(long)]
    fast: bool,

    /// Write every verdict to this CSV file
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,

    /// How lines are written
    #[arg(long, value_enum, default_value_t, env = "DETECTOR_LOG")]
    log: Format,

    /// Where predictions are answered
    #[arg(long, value_name = "ADDRESS", default_value_t = any(PREDICT_PORT), env = "DETECTOR_PREDICT_ADDRESS")]
    predict_address: SocketAddr,

    /// Where metrics and probes are answered
    #[arg(long, value_name = "ADDRESS", default_value_t = any(METRICS_PORT), env = "DETECTOR_METRICS_ADDRESS")]
    metrics_address: SocketAddr,

    /// After SIGTERM, go on answering this long while /readyz says no, so that no request is lost
    #[arg(long, value_name = "DURATION", default_value = "0s", env = "DETECTOR_DRAIN")]
    drain: crd::Duration,
}

fn any(port: u16) -> SocketAddr {
    SocketAddr::from(([0, 0, 0, 0], port))
}

/// Why a detector could not run.
#[derive(Debug, Error)]
pub enum RunError {
    /// The manifest is of no use.
    #[error(transparent)]
    Manifest(#[from] FileError),
    /// The sources or the training failed.
    #[error(transparent)]
    Monitor(#[from] MonitorError),
    /// An address is taken, or not ours.
    #[error("{0} cannot be listened on: {1}")]
    Listen(SocketAddr, io::Error),
    /// The output file cannot be written.
    #[error("{}: {source}", path.display())]
    Output {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The system refuses threads or signals.
    #[error("the detector cannot start: {0}")]
    Start(io::Error),
}

/// Run until told to stop.
///
/// # Errors
/// One sentence on why it could not.
pub fn run(args: &RunArgs) -> Result<(), RunError> {
    let detector = manifest::detector(&args.manifest, &args.set)?;
    let log = Log::new(args.log, &detector);
    let mut record = Record::new(args, &detector, log)?;
    if args.fast {
        replay(args, &detector, &mut record)?;
    } else {
        actix_web::rt::System::new().block_on(serve(args, detector, &mut record))?;
    }
    record.finish()
}

/// `--fast`: no addresses, no clock.
fn replay(args: &RunArgs, detector: &Valid, record: &mut Record) -> Result<(), RunError> {
    let until = detector.train().and_then(|train| train.until);
    let bars = Bars::new();
    let trained = monitor::train(detector, until.unwrap_or_else(Timestamp::now), Explain::Anomalies, &bars);
    bars.clear();
    let mut trained = trained?;
    record.trained(&trained);
    let mut failed = Ok(());
    monitor::replay(&mut trained, args.duration.map(Duration::from), |readings, outcome| {
        failed = record.outcome(readings, outcome);
        failed.is_ok()
    })?;
    failed
}

/// Answer from the first moment on, train, then judge what comes at its pace.
async fn serve(args: &RunArgs, detector: Valid, record: &mut Record) -> Result<(), RunError> {
    let mut stop = Stop::new(args.duration.map(Duration::from)).map_err(RunError::Start)?;
    let state = Data::new(State::new(detector));
    let servers = Servers::start(args, &state)?;
    record.log.tell(&Event::Listening {
        predict: &args.predict_address.to_string(),
        metrics: &args.metrics_address.to_string(),
    });
    let result = tokio::select! {
        result = train_and_watch(&state, record) => result,
        drain = stop.asked() => {
            state.drain();
            if drain {
                tokio::time::sleep(args.drain.into()).await;
            }
            Ok(())
        }
    };
    servers.stop().await;
    result
}

async fn train_and_watch(state: &Data<State>, record: &mut Record) -> Result<(), RunError> {
    let learner = state.clone();
    let training = tokio::task::spawn_blocking(move || {
        let progress = Training { state: &learner, bars: Bars::new() };
        let trained = monitor::train(&learner.detector, Timestamp::now(), Explain::Always, &progress);
        progress.bars.clear();
        trained
    });
    let mut trained = training.await.map_err(|panic| RunError::Start(io::Error::other(panic)))??;
    state.serve(&trained.watch, trained.took);
    state.sources(true, "");
    record.trained(&trained);
    trained.stream.skip_to(Timestamp::now());
    watch(state, record, trained).await?;
    state.sources(false, "the recording has ended");
    record.log.tell(&Event::Note("the recording has ended; predictions are still answered"));
    std::future::pending().await
}

/// Judge instant after instant, each when it is due, until the stream ends.
async fn watch(state: &State, record: &mut Record, mut trained: Trained) -> Result<(), RunError> {
    let (pace, began) = (trained.stream.pace(), Instant::now());
    let mut first = None;
    while let Some(readings) = trained.stream.next() {
        let readings = readings.map_err(MonitorError::from)?;
        let first = *first.get_or_insert(readings.time);
        let wait = pace.wait(readings.time, Timestamp::now(), first, began.elapsed());
        if wait.is_zero() {
            tokio::task::yield_now().await;
        } else {
            tokio::time::sleep(wait).await;
        }
        let outcome = trained.watch.judge(&readings);
        state.outcome(&readings, &outcome);
        state.remember(&trained.watch);
        record.outcome(&readings, &outcome)?;
        trained.stream.skip_to(Timestamp::now());
    }
    Ok(())
}
