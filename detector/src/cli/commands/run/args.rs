//! The arguments of `detector run`.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use clap::{Args, Command, FromArgMatches};
use crd::contract::{
    CREDENTIALS_DIRECTORY, LOAD_DIRECTORY, METRICS_PORT, PREDICT_PORT, SIGNING_DIRECTORY,
    SOURCE_CREDENTIALS_DIRECTORY,
};
use ipnet::IpNet;

use super::address::Address;
use crate::alerting::notify::{self, peers::Peers};
use crate::ingest::sources::access::Access;
use crate::lifecycle::load::Mounts;
use crate::outgoing::{Outgoing, OutgoingError};
use crate::serving::logging::Format;

/// Train on the manifest's sensors, watch them, answer predictions.
///
/// Prints a line for each anomaly. Ends at Ctrl-C, SIGTERM, or after --duration, with a summary. Of a data file the manifest
/// is inferred, and it is replayed as by --fast.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// The manifest: an AnomalyDetector in YAML; - for the standard input. Or data: a .csv or .tsv file, plain or gzipped
    #[arg(value_name = "FILE")]
    pub(super) manifest: PathBuf,

    /// Change a field of the manifest first: spec.sources[0].csv.path=other.csv
    #[arg(long, value_name = "PATH=VALUE")]
    pub(super) set: Vec<String>,

    /// Print the manifest as YAML, with the changes of --set, and end: of a data file what was inferred
    #[arg(long)]
    pub(super) print_manifest: bool,

    /// Stop by itself after this long, with a summary: 60s, 24h
    #[arg(long, value_name = "DURATION")]
    pub(super) duration: Option<crd::Duration>,

    /// Replay as fast as it goes, without serving; --duration then counts the readings' own time
    #[arg(long)]
    pub(super) fast: bool,

    /// Write every verdict to this CSV file
    #[arg(long, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,

    /// Write a report at the end: one HTML page with charts, events and a threshold to try, which works offline
    #[arg(long, value_name = "FILE")]
    pub(super) report: Option<PathBuf>,

    /// How lines and the log are written; RUST_LOG sets the levels of the log
    #[arg(long, value_enum, default_value_t, env = "DETECTOR_LOG")]
    pub(super) log: Format,

    /// Where predictions are answered: an IP address or a name, and a port
    #[arg(long, value_name = "ADDRESS", default_value_t = Address::any(PREDICT_PORT), env = "DETECTOR_PREDICT_ADDRESS")]
    pub(super) predict_address: Address,

    /// Where metrics and probes are answered
    #[arg(long, value_name = "ADDRESS", default_value_t = Address::any(METRICS_PORT), env = "DETECTOR_METRICS_ADDRESS")]
    pub(super) metrics_address: Address,

    /// The folder with the keys that notifications are signed with: a file per notification, of its name
    #[arg(long, value_name = "FOLDER", default_value = SIGNING_DIRECTORY, env = "DETECTOR_SIGNING_KEYS")]
    pub(super) signing_keys: PathBuf,

    /// Connect to addresses of this network although they are refused otherwise: link-local ones, clouds' metadata
    /// services, and in a pod loopback and the API server. May be given several times
    #[arg(long, value_name = "CIDR", value_delimiter = ',', env = "DETECTOR_ALLOW_ADDRESS")]
    pub(super) allow_address: Vec<IpNet>,

    /// Certificate authorities to trust beside the public ones, in PEM
    #[arg(long, value_name = "FILE", env = "DETECTOR_CA_BUNDLE")]
    pub(super) ca_bundle: Option<PathBuf>,

    /// The replicas of this detector, by the addresses of their metrics: one of them sends a notification. A name stands
    /// for all its addresses
    #[arg(long, value_name = "HOST:PORT", value_delimiter = ',', env = "DETECTOR_PEERS")]
    pub(super) peers: Vec<String>,

    /// The address by which the other replicas know this one
    #[arg(long, value_name = "IP", env = "DETECTOR_POD_IP", requires = "peers")]
    pub(super) pod_ip: Option<IpAddr>,

    /// After SIGTERM, go on answering this long while /readyz says no, so that no request is lost
    #[arg(long, value_name = "DURATION", default_value = "0s", env = "DETECTOR_DRAIN")]
    pub(super) drain: crd::Duration,

    /// How long a connection may be idle before it is closed; longer than proxies keep theirs, so that they close first
    /// [default: serving.keepAlive of the manifest, 75s]
    #[arg(long, value_name = "DURATION", env = "DETECTOR_KEEP_ALIVE")]
    pub(super) keep_alive: Option<crd::Duration>,

    /// Answer predictions by HTTPS, with the certificate chain `tls.crt` and the key `tls.key` of this folder, which are read
    /// again when they change
    #[arg(long, value_name = "FOLDER", env = "DETECTOR_TLS")]
    pub(super) tls: Option<PathBuf>,

    /// With TLS, take in clients alone whose certificate is signed by an authority of this file, in PEM
    #[arg(long, value_name = "FILE", env = "DETECTOR_CLIENT_CA")]
    pub(super) client_ca: Option<PathBuf>,

    /// Answer predictions for clients with a token of this file alone: one a line, read again when it changes. Clients send
    /// Authorization: Bearer TOKEN
    #[arg(long, value_name = "FILE", env = "DETECTOR_TOKENS")]
    pub(super) tokens: Option<PathBuf>,

    /// Let pages of this origin, such as https://example.org, ask for predictions (CORS); * for all. May be given several
    /// times. Without it, and without serving.cors in the manifest, browsers let no other page do that
    #[arg(long, value_name = "ORIGIN", value_delimiter = ',', value_parser = origin, env = "DETECTOR_CORS_ORIGIN")]
    pub(super) cors_origin: Vec<String>,

    /// A model that is stored for this detector: if it fits the manifest, it serves, without training. It is
    /// watched, and so is the manifest: a newer model, a moved `dataEndTime` and `pinnedDigest` take effect without a restart
    #[arg(long, value_name = "FILE")]
    pub(super) stored_model: Option<PathBuf>,

    /// A folder in which to keep the model and what it remembers, so that a restart goes on where it was
    #[arg(long, value_name = "FOLDER")]
    pub(super) state: Option<PathBuf>,

    /// The folder in which `model.load` finds the files of a ConfigMap or a PersistentVolumeClaim
    #[arg(long, value_name = "FOLDER", default_value = LOAD_DIRECTORY)]
    pub(super) load: PathBuf,

    /// The folder with the keys of `model.load.credentialsSecretRef`
    #[arg(long, value_name = "FOLDER", default_value = CREDENTIALS_DIRECTORY)]
    pub(super) credentials: PathBuf,

    /// The folder with a folder for each source that has a Secret, by the source's name, with the Secret's keys
    #[arg(long, value_name = "FOLDER", default_value = SOURCE_CREDENTIALS_DIRECTORY)]
    pub(super) source_credentials: PathBuf,
}

impl RunArgs {
    /// The arguments of `detector run FILE`.
    pub fn of_file(file: &Path) -> Self {
        let command = Self::augment_args(Command::new("run"));
        let matches = command.get_matches_from(["run".as_ref(), file.as_os_str()]);
        Self::from_arg_matches(&matches).expect("a file is all that run needs")
    }

    /// The same arguments, with this folder for `--load` and this format for `--log`.
    #[must_use]
    pub fn loading(self, folder: &Path, log: Format) -> Self {
        Self { load: folder.to_owned(), log, ..self }
    }

    /// The same arguments, with these addresses to listen on.
    #[must_use]
    pub fn listening(self, predict: &Address, metrics: &Address) -> Self {
        Self { predict_address: predict.clone(), metrics_address: metrics.clone(), ..self }
    }

    /// The same arguments, with this duration, and with this report at the end.
    #[must_use]
    pub fn watching(self, duration: Option<crd::Duration>, report: Option<PathBuf>) -> Self {
        Self { duration, report, ..self }
    }

    /// The credentials of the sources, and the settings for their connections.
    pub(super) fn access(&self) -> Result<Access, OutgoingError> {
        Ok(Access { credentials: self.source_credentials.clone(), outgoing: self.outgoing()? })
    }

    /// The settings for connections to other servers.
    pub(super) fn outgoing(&self) -> Result<Outgoing, OutgoingError> {
        Outgoing::new(&self.allow_address, self.ca_bundle.as_deref())
    }

    /// The settings for notifications.
    pub(super) fn notifications(&self) -> Result<notify::Settings, OutgoingError> {
        let outgoing = self.outgoing()?;
        let own = self.pod_ip.zip(self.metrics_address.port());
        let own = own.map(|(ip, port)| SocketAddr::new(ip, port));
        let peers = Peers::new(self.peers.clone(), own, outgoing.clone());
        Ok(notify::Settings::new(self.signing_keys.clone(), outgoing, peers))
    }

    pub(super) fn mounts(&self) -> Mounts {
        Mounts { load: self.load.clone(), credentials: self.credentials.clone() }
    }
}

/// `*`, or an origin as browsers send it (RFC 6454, section 6.2).
fn origin(text: &str) -> Result<String, String> {
    let is_origin = url::Url::parse(text).is_ok_and(|url| url.origin().ascii_serialization() == text);
    if text == "*" || is_origin {
        return Ok(text.to_owned());
    }
    Err(format!("expected * or an origin such as https://example.org, got {text}"))
}
