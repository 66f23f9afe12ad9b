//! `detector run`: a manifest in; a detector that trains, watches and answers, until it is told to stop.

/// When to stop.
mod stop;
/// Where requests are answered.
mod servers;
/// How far training is.
mod progress;
/// What is kept of a run.
mod record;
/// Which model begins.
mod start;
/// Which model comes next.
mod model_manager;
/// Answering and watching.
mod serve;

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use crd::Valid;
use crd::contract::{CREDENTIALS_DIRECTORY, LOAD_DIRECTORY, METRICS_PORT, PREDICT_PORT, SIGNING_DIRECTORY};
use jiff::Timestamp;
use thiserror::Error;

use crate::cli::manifest::{self, FileError};
use crate::lifecycle::load::{LoadError, Mounts};
use crate::lifecycle::monitor::{self, MonitorError};
use crate::lifecycle::store::StateDirectory;
use crate::model::model::Explain;
use crate::scoring::scorer::Scorer;
use crate::serving::log::{Format, Log};
use progress::Bars;
use record::Record;
use start::Start;

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

    /// The key that messages to the webhook are signed with, where the manifest asks for it
    #[arg(long, value_name = "FILE", default_value_os_t = signing_key(), env = "DETECTOR_SIGNING_KEY")]
    signing_key: PathBuf,

    /// After SIGTERM, go on answering this long while /readyz says no, so that no request is lost
    #[arg(long, value_name = "DURATION", default_value = "0s", env = "DETECTOR_DRAIN")]
    drain: crd::Duration,

    /// A model that somebody keeps for this detector: if it fits the manifest, it serves, without training. It is
    /// watched, and so is the manifest: a newer model, a moved `dataEndTime` and `pinnedDigest` take effect without a restart
    #[arg(long, value_name = "FILE")]
    stored_model: Option<PathBuf>,

    /// A folder in which to keep the model and what it remembers, so that a restart goes on where it was
    #[arg(long, value_name = "FOLDER")]
    state: Option<PathBuf>,

    /// The folder in which `model.load` finds the files of a ConfigMap or a PersistentVolumeClaim
    #[arg(long, value_name = "FOLDER", default_value = LOAD_DIRECTORY)]
    load: PathBuf,

    /// The folder with the keys of `model.load.credentialsSecretRef`
    #[arg(long, value_name = "FOLDER", default_value = CREDENTIALS_DIRECTORY)]
    credentials: PathBuf,
}

impl RunArgs {
    fn mounts(&self) -> Mounts {
        Mounts { load: self.load.clone(), credentials: self.credentials.clone() }
    }
}

fn signing_key() -> PathBuf {
    Path::new(SIGNING_DIRECTORY).join("key")
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
    /// The model cannot be loaded.
    #[error("model.load: {0}")]
    Load(#[from] LoadError),
    /// The folder of `--state` cannot be made or written.
    #[error("{}: {source}", path.display())]
    State {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
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
    /// There is no client to call the webhook with.
    #[error("the webhook cannot be called: {0}")]
    Notify(#[from] reqwest::Error),
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
        actix_web::rt::System::new().block_on(serve::serve(args, detector, &mut record))?;
    }
    record.finish()
}

/// `--fast`: no addresses, no clock.
fn replay(args: &RunArgs, detector: &Valid, record: &mut Record) -> Result<(), RunError> {
    let until = detector.train().and_then(|train| train.data_end_time);
    let now = until.unwrap_or_else(Timestamp::now);
    let start = Start::new(args, detector)?;
    start.notes.iter().for_each(|note| record.note(note));
    let mut started = match (start.model, detector.train()) {
        (Some(model), _) => {
            monitor::resume(detector, model, start.snapshot.as_ref(), now, Explain::Anomalies)?
        }
        (None, Some(_)) => {
            let bars = Bars::new();
            let started = monitor::train(detector, now, Explain::Anomalies, &bars);
            bars.clear();
            started?
        }
        (None, None) => {
            let model = actix_web::rt::System::new().block_on(start::load(args, detector))?;
            monitor::resume(detector, model, start.snapshot.as_ref(), now, Explain::Anomalies)?
        }
    };
    record.started(&started);
    // Among the threads that train: so none has to be woken for each training.
    let span = args.duration.map(Duration::from);
    rayon::scope(|_| monitor::replay(detector, &mut started, span, record))?;
    if let Some(directory) = start::state_directory(args)? {
        keep(&directory, &started.scorer)
            .map_err(|source| RunError::State { path: directory.model(), source })?;
    }
    Ok(())
}

/// What the next run begins with.
fn keep(directory: &StateDirectory, scorer: &Scorer) -> io::Result<()> {
    directory.keep_model(scorer.model())?;
    scorer.snapshot().map_or(Ok(()), |snapshot| directory.keep_snapshot(&snapshot))
}
