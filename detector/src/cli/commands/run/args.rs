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

/// Train on the sensors of a manifest or a data file, watch them, answer prediction requests.
///
/// Prints a line for each event and, where the output is not a terminal, for each alarm. Ends at Ctrl-C, at
/// SIGTERM or after --duration, with a summary. For a data file, the manifest is inferred, and the readings
/// are replayed as by --fast.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// The manifest: an AnomalyDetector in YAML; - for the standard input. Or data: a .csv or .tsv file, plain or gzipped
    #[arg(value_name = "FILE")]
    pub(super) manifest: PathBuf,

    /// Override a field of the manifest: spec.sources[0].csv.path=other.csv
    #[arg(long, value_name = "PATH=VALUE")]
    pub(super) set: Vec<String>,

    /// Print the manifest as YAML, with the changes of --set, and exit; for a data file, the inferred
    /// manifest
    #[arg(long)]
    pub(super) print_manifest: bool,

    /// Stop after this duration, with a summary: 60s, 24h
    #[arg(long, value_name = "DURATION")]
    pub(super) duration: Option<crd::Duration>,

    /// Replay the readings as fast as possible, without answering requests; --duration then counts the
    /// readings' own time
    #[arg(long)]
    pub(super) fast: bool,

    /// Write every verdict to this CSV file
    #[arg(long, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,

    /// Write a report at the end: one HTML page with charts, events and a threshold to try, which works offline
    #[arg(long, value_name = "FILE")]
    pub(super) report: Option<PathBuf>,

    /// The format of the printed lines and of the log; RUST_LOG sets the levels of the log
    #[arg(long, value_enum, default_value_t, env = "DETECTOR_LOG")]
    pub(super) log: Format,

    /// The address at which prediction requests are answered: an IP address or a host name, and a port
    #[arg(long, value_name = "ADDRESS", default_value_t = Address::any(PREDICT_PORT), env = "DETECTOR_PREDICT_ADDRESS")]
    pub(super) predict_address: Address,

    /// The address at which metrics and probes are answered
    #[arg(long, value_name = "ADDRESS", default_value_t = Address::any(METRICS_PORT), env = "DETECTOR_METRICS_ADDRESS")]
    pub(super) metrics_address: Address,

    /// The folder with the keys that sign notifications: one file per notification, with the notification's
    /// name
    #[arg(long, value_name = "FOLDER", default_value = SIGNING_DIRECTORY, env = "DETECTOR_SIGNING_KEYS")]
    pub(super) signing_keys: PathBuf,

    /// Allow connections to this network even if its addresses are blocked by default: link-local addresses,
    /// metadata services of clouds and, in a pod, loopback and the API server. May be given several times
    #[arg(long, value_name = "CIDR", value_delimiter = ',', env = "DETECTOR_ALLOW_ADDRESS")]
    pub(super) allow_address: Vec<IpNet>,

    /// Certificate authorities to trust in addition to the public ones, in PEM
    #[arg(long, value_name = "FILE", env = "DETECTOR_CA_BUNDLE")]
    pub(super) ca_bundle: Option<PathBuf>,

    /// The metrics addresses of this detector's replicas, which agree on the one that sends each
    /// notification. A host name stands for all its IP addresses
    #[arg(long, value_name = "HOST:PORT", value_delimiter = ',', env = "DETECTOR_PEERS")]
    pub(super) peers: Vec<String>,

    /// The IP address of this replica, under which the other replicas find it
    #[arg(long, value_name = "IP", env = "DETECTOR_POD_IP", requires = "peers")]
    pub(super) pod_ip: Option<IpAddr>,

    /// After SIGTERM, keep answering requests for this duration, at least 500ms, while /readyz reports not
    /// ready, so that no request is lost
    #[arg(long, value_name = "DURATION", default_value = "0s", env = "DETECTOR_DRAIN")]
    pub(super) drain: crd::Duration,

    /// How long a connection may be idle before it is closed. Set it longer than the idle timeout of proxies,
    /// so that proxies close first [default: serving.keepAlive of the manifest, else 75s]
    #[arg(long, value_name = "DURATION", env = "DETECTOR_KEEP_ALIVE")]
    pub(super) keep_alive: Option<crd::Duration>,

    /// Answer prediction requests over HTTPS, with the certificate chain `tls.crt` and the key `tls.key` of
    /// this folder, which are reloaded when they change
    #[arg(long, value_name = "FOLDER", env = "DETECTOR_TLS")]
    pub(super) tls: Option<PathBuf>,

    /// With TLS, accept only clients with a certificate that is signed by an authority of this file, in PEM
    #[arg(long, value_name = "FILE", env = "DETECTOR_CLIENT_CA")]
    pub(super) client_ca: Option<PathBuf>,

    /// Answer prediction requests only for clients with a token of this file, which has one token per line
    /// and is reloaded when it changes. Clients send Authorization: Bearer TOKEN
    #[arg(long, value_name = "FILE", env = "DETECTOR_TOKENS")]
    pub(super) tokens: Option<PathBuf>,

    /// Allow web pages of this origin, such as https://example.org, to request predictions (CORS); * for all
    /// origins. May be given several times. Without it, and without serving.cors in the manifest, browsers
    /// allow no other page to do so
    #[arg(long, value_name = "ORIGIN", value_delimiter = ',', value_parser = origin, env = "DETECTOR_CORS_ORIGIN")]
    pub(super) cors_origin: Vec<String>,

    /// A stored model of this detector: if it fits the manifest, it serves without a training. This file and
    /// the manifest are watched: a newer model, and a changed `dataEndTime` or `pinnedDigest`, take effect
    /// without a restart
    #[arg(long, value_name = "FILE")]
    pub(super) stored_model: Option<PathBuf>,

    /// The folder in which the model, the newest readings and the events are stored, so that a restarted
    /// detector continues where it stopped
    #[arg(long, value_name = "FOLDER")]
    pub(super) state: Option<PathBuf>,

    /// The folder in which `model.load` finds the files of a ConfigMap or a PersistentVolumeClaim
    #[arg(long, value_name = "FOLDER", default_value = LOAD_DIRECTORY)]
    pub(super) load: PathBuf,

    /// The folder with the keys of `model.load.credentialsSecretRef`
    #[arg(long, value_name = "FOLDER", default_value = CREDENTIALS_DIRECTORY)]
    pub(super) credentials: PathBuf,

    /// The folder with the Secrets of sources: a subfolder with the name of the source for each, with the
    /// Secret's keys as files
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
