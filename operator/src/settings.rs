//! Flags and environment in, the operator's own settings out. The chart sets the environment; `--help` explains it.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use ipnet::IpNet;

use crate::defaults::DetectorDefaults;

/// The settings of `operator run`. Every flag has an environment variable, so that a Deployment needs no arguments.
#[derive(Args, Clone, Debug)]
pub struct Settings {
    /// The image of the detectors' pods.
    #[arg(long, env, default_value_t = format!("ghcr.io/anomaly-operator/detector:{}", env!("CARGO_PKG_VERSION")))]
    pub detector_image: String,

    /// When nodes pull the detectors' image: Always, IfNotPresent or Never. Default: the cluster's own rule.
    #[arg(long, env, value_enum)]
    pub detector_image_pull_policy: Option<PullPolicy>,

    /// Networks that detectors may connect to even if their addresses are blocked by default, as loopback,
    /// link-local addresses, the API server and metadata services of clouds are: 169.254.20.10/32, separated
    /// by commas. Default: none.
    #[arg(long, env, value_delimiter = ',', num_args = 0..)]
    pub detector_allow_address: Vec<IpNet>,

    /// The values for fields that a detector's spec leaves out, as JSON: imagePullSecrets, resources,
    /// nodeSelector, tolerations, priorityClassName, runtimeClassName, serviceMonitorLabels,
    /// prometheusRuleLabels. Default: none.
    #[arg(long, env, default_value = "{}", hide_default_value = true)]
    pub detector_defaults: DetectorDefaults,

    /// The namespaces to watch, separated by commas. Default: all of them.
    #[arg(long, env = "WATCH_NAMESPACES", value_delimiter = ',', num_args = 0..)]
    pub namespaces: Vec<String>,

    /// The largest number of detectors that are reconciled at the same time, per watched namespace, or in the
    /// cluster where all namespaces are watched.
    #[arg(long, env, default_value_t = 12, value_parser = clap::value_parser!(u16).range(1..))]
    pub concurrency: u16,

    /// The largest number of detectors that may replace their pods at the same time; 0: any number. Further
    /// detectors whose pods are all available wait for their turn, with the reason RolloutQueued in their
    /// status. New detectors, and edits of detectors that are not Ready, do not wait.
    #[arg(long, env, default_value_t = 0)]
    pub max_concurrent_rollouts: u16,

    /// How often a detector is reconciled without a change, to read the reports of its pods again. A
    /// reconcile that finds nothing to change sends no request to the API server. 1s to 1h, longer at random
    /// by up to a tenth.
    #[arg(long, env, default_value = "1m", value_parser = resync)]
    pub resync: Duration,

    /// The port of /metrics, /healthz and /readyz.
    #[arg(long, env, default_value_t = 8080)]
    pub http_port: u16,

    /// The certificate and the certificates that it is signed by, in PEM, to serve /metrics over HTTPS: at
    /// the metrics port, and no longer at the HTTP port. The file is reloaded when it changes.
    #[arg(long, env, requires = "metrics_tls_key")]
    pub metrics_tls_cert: Option<PathBuf>,

    /// The certificate's private key, in PEM.
    #[arg(long, env, requires = "metrics_tls_cert")]
    pub metrics_tls_key: Option<PathBuf>,

    /// The port of /metrics when it is served over HTTPS.
    #[arg(long, env, default_value_t = 8443)]
    pub metrics_port: u16,

    /// Serve /metrics only to clients that the cluster allows to get the path /metrics: the bearer token of
    /// each scrape is checked (TokenReview, SubjectAccessReview). Requires TLS, so that tokens stay secret.
    #[arg(long, env, requires = "metrics_tls_cert")]
    pub metrics_authorization: bool,

    /// Act only while this process holds the Lease, so that other replicas can be on standby.
    #[arg(long, env)]
    pub leader_election: bool,

    /// The name of the Lease. Of the operators that share a Lease, only one acts: give each release its own.
    #[arg(long, env, default_value = "anomaly-operator")]
    pub lease_name: String,

    /// The time after which the Lease expires if its holder does not renew it: then another replica acts. The
    /// holder renews it every third of this time, and stops acting after two thirds without a renewal. 5s to
    /// 5m.
    #[arg(long, env, default_value = "15s", value_parser = lease_duration)]
    pub lease_duration: Duration,

    /// The namespace of the Lease. Default: the namespace of the current context or of the pod.
    #[arg(long, env = "POD_NAMESPACE")]
    pub lease_namespace: Option<String>,

    /// The name under which this process holds the Lease and reports Events. Default: anomaly-operator and
    /// the process id.
    #[arg(long, env = "POD_NAME")]
    pub identity: Option<String>,

    /// The format of log lines. RUST_LOG sets their levels, info by default.
    #[arg(long, env = "LOG_FORMAT", value_enum, default_value_t = LogFormat::Text)]
    pub log: LogFormat,
}

/// When nodes pull an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "PascalCase")]
pub enum PullPolicy {
    /// Each time that a container starts.
    Always,
    /// Only if the node does not have it yet.
    IfNotPresent,
    /// Never: the node must have it already.
    Never,
}

/// The format of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// One JSON object per line.
    Json,
    /// Text for people.
    Text,
}

/// The paths of a certificate and its key.
#[derive(Clone, Debug)]
pub struct TlsFiles {
    /// The certificate and those that it is signed by, in PEM.
    pub certificate: PathBuf,
    /// The certificate's key, in PEM.
    pub key: PathBuf,
}

impl Settings {
    /// The files for serving /metrics by HTTPS, or `None` where it is served by HTTP.
    pub fn metrics_tls(&self) -> Option<TlsFiles> {
        let (certificate, key) = (self.metrics_tls_cert.clone()?, self.metrics_tls_key.clone()?);
        Some(TlsFiles { certificate, key })
    }

    /// The namespaces to watch; `None` stands for all of them.
    pub fn scopes(&self) -> Vec<Option<String>> {
        let mut named: Vec<_> =
            self.namespaces.iter().map(|name| name.trim()).filter(|n| !n.is_empty()).collect();
        named.sort_unstable();
        named.dedup();
        if named.is_empty() {
            vec![None]
        } else {
            named.into_iter().map(|name| Some(name.to_owned())).collect()
        }
    }

    /// The name under which this process holds the Lease and reports Events.
    pub fn identity(&self) -> String {
        self.identity.clone().unwrap_or_else(|| format!("anomaly-operator-{}", std::process::id()))
    }
}

impl PullPolicy {
    /// The policy's name in Kubernetes.
    pub fn name(self) -> String {
        format!("{self:?}")
    }
}

fn resync(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        duration if (Duration::from_secs(1)..=Duration::from_hours(1)).contains(&duration) => Ok(duration),
        _ => Err(format!("resync must be between 1s and 1h, got {text}")),
    }
}

fn lease_duration(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        duration if (Duration::from_secs(5)..=Duration::from_mins(5)).contains(&duration) => Ok(duration),
        _ => Err(format!("lease-duration must be between 5s and 5m, got {text}")),
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    Ok(text.parse::<crd::Duration>().map_err(|error| error.to_string())?.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(clap::Parser)]
    struct Program {
        #[command(flatten)]
        settings: Settings,
    }

    fn settings(arguments: &[&str]) -> Result<Settings, clap::Error> {
        let arguments = ["operator"].iter().chain(arguments);
        <Program as clap::Parser>::try_parse_from(arguments).map(|program| program.settings)
    }

    #[test]
    fn no_namespace_means_all_and_repetitions_count_once() {
        assert_eq!(settings(&[]).unwrap().scopes(), [None]);
        assert_eq!(settings(&["--namespaces", ""]).unwrap().scopes(), [None]);
        let some = settings(&["--namespaces", "plant,lab,plant"]).unwrap();
        assert_eq!(some.scopes(), [Some("lab".to_owned()), Some("plant".to_owned())]);
    }

    #[test]
    fn a_resync_out_of_bounds_is_refused_with_its_value() {
        let refused = settings(&["--resync", "2h"]).unwrap_err().to_string();
        assert!(refused.contains("resync must be between 1s and 1h, got 2h"), "{refused}");
        assert!(settings(&["--concurrency", "0"]).is_err());
        let refused = settings(&["--lease-duration", "4s"]).unwrap_err().to_string();
        assert!(refused.contains("lease-duration must be between 5s and 5m, got 4s"), "{refused}");
    }
}
