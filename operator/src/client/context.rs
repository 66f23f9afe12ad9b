//! What every reconcile is handed: client, settings, cache, metrics.

use std::sync::Arc;
use std::time::Duration;

use kube::Client;
use kube::runtime::events::Recorder;

use crate::client::backoff::Backoff;
use crate::client::cache::Cache;
use crate::client::discovery::Discovery;
use crate::client::error::Error;
use crate::client::health::Health;
use crate::client::lease::Leadership;
use crate::client::rollouts::Rollouts;
use crate::client::status_throttle::StatusThrottle;
use crate::settings::Settings;
use crate::telemetry::metrics::Metrics;

/// The longest that a call to the API server may take.
pub const DEADLINE: Duration = Duration::from_secs(10);

/// What the scopes of one operator have in common.
#[derive(Clone)]
pub struct Shared {
    /// Talks to the API server. It does not retry: the reconciler does, and reports it.
    pub client: Client,
    /// The operator's own settings.
    pub settings: Settings,
    /// What the operator says of itself.
    pub metrics: Metrics,
    /// Whether this process may write.
    pub leadership: Leadership,
    /// Reads reports from pods.
    pub pods: reqwest::Client,
    /// Which kinds there are, of those that a cluster need not have.
    pub discovery: Discovery,
    /// Whether the watches see the cluster as it is.
    pub health: Health,
    /// Who may replace its pods now.
    pub rollouts: Rollouts,
}

/// What every reconcile of one scope is handed.
pub struct Context {
    /// What it has in common with those of other scopes.
    pub shared: Shared,
    /// What the watches have seen.
    pub cache: Arc<Cache>,
    /// Publishes Events.
    pub recorder: Recorder,
    /// Failures in a row, by namespace and name.
    pub backoff: Backoff<(String, String)>,
    /// When each status was last written.
    pub status_throttle: StatusThrottle,
}

impl Context {
    /// Read from the API server, within the deadline.
    ///
    /// # Errors
    /// The call was refused, failed or took too long.
    pub async fn read<T>(
        &self,
        (kind, name): (&str, &str),
        call: impl Future<Output = kube::Result<T>>,
    ) -> Result<T, Error> {
        within_deadline("get", kind, name, call).await
    }

    /// Write to the API server, within the deadline, as long as this process leads. The write is counted.
    ///
    /// # Errors
    /// Another replica leads, or the call was refused, failed or took too long.
    pub async fn write<T>(
        &self,
        verb: &'static str,
        (kind, name): (&str, &str),
        call: impl Future<Output = kube::Result<T>>,
    ) -> Result<T, Error> {
        if !self.shared.leadership.is_held() {
            return Err(Error::NotLeading);
        }
        self.shared.metrics.api_writes.with_label_values(&[kind, verb]).inc();
        within_deadline(verb, kind, name, call).await
    }
}

async fn within_deadline<T>(
    verb: &'static str,
    kind: &str,
    name: &str,
    call: impl Future<Output = kube::Result<T>>,
) -> Result<T, Error> {
    let (kind, name) = (kind.to_owned(), name.to_owned());
    match tokio::time::timeout(DEADLINE, call).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(source)) => Err(Error::Call { verb, kind, name, source: Box::new(source) }),
        Err(_) => Err(Error::Deadline { verb, kind, name, deadline: DEADLINE }),
    }
}
