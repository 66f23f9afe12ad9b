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
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use crd::Valid;
use crd::contract::{CREDENTIALS_DIRECTORY, LOAD_DIRECTORY, METRICS_PORT, PREDICT_PORT, SIGNING_DIRECTORY};
use ipnet::IpNet;
use jiff::Timestamp;
use thiserror::Error;

use crate::alerting::notify::{self, peers::Peers};
use crate::cli::manifest::{self, FileError};
use crate::lifecycle::load::{LoadError, Mounts};
use crate::lifecycle::monitor::{self, MonitorError};
use crate::lifecycle::store::StateDirectory;
use crate::model::model::Explain;
use crate::outgoing::{Outgoing, OutgoingError};
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

    /// The folder with the keys that notifications are signed with: a file per notification, of its name
    #[arg(long, value_name = "FOLDER", default_value = SIGNING_DIRECTORY, env = "DETECTOR_SIGNING_KEYS")]
    signing_keys: PathBuf,

    /// Connect to addresses of this network although they are refused otherwise: link-local ones, clouds' metadata
    /// services, and in a pod loopback and the API server. May be given several times
    #[arg(long, value_name = "CIDR", value_delimiter = ',', env = "DETECTOR_ALLOW_ADDRESS")]
    allow_address: Vec<IpNet>,

    /// Certificate authorities to trust beside the public ones, in PEM
    #[arg(long, value_name = "FILE", env = "DETECTOR_CA_BUNDLE")]
    ca_bundle: Option<PathBuf>,

    /// The replicas of this detector, by the addresses of their metrics: one of them sends a notification. A name stands
    /// for all its addresses
    #[arg(long, value_name = "HOST:PORT", value_delimiter = ',', env = "DETECTOR_PEERS")]
    peers: Vec<String>,

    /// The address by which the other replicas know this one
    #[arg(long, value_name = "IP", env = "DETECTOR_POD_IP", requires = "peers")]
    pod_ip: Option<IpAddr>,

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
    /// What makes connections to other people's servers.
    fn outgoing(&self) -> Result<Outgoing, OutgoingError> {
        Outgoing::new(&self.allow_address, self.ca_bundle.as_deref())
    }

    /// How notifications are sent.
    fn notifications(&self) -> Result<notify::Settings, OutgoingError> {
        let outgoing = self.outgoing()?;
        let own = self.pod_ip.map(|ip| SocketAddr::new(ip, self.metrics_address.port()));
        let peers = Peers::new(self.peers.clone(), own, outgoing.clone());
        Ok(notify::Settings::new(self.signing_keys.clone(), outgoing, peers))
    }

    fn mounts(&self) -> Mounts {
        Mounts { load: self.load.clone(), credentials: self.credentials.clone() }
    }
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
    /// No connections can be made.
    #[error(transparent)]
    Outgoing(#[from] OutgoingError),
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
