//! The context that every reconcile receives: client, settings, cache, metrics.

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

/// The part of the context that all scopes (watched namespaces, or the whole cluster) share.
#[derive(Clone)]
pub struct Shared {
    /// The client of the API server. It does not retry: the reconciler does, and reports it.
    pub client: Client,
    /// The operator's own settings.
    pub settings: Settings,
    /// The operator's own metrics.
    pub metrics: Metrics,
    /// Whether this process may write.
    pub leadership: Leadership,
    /// The HTTP client that reads reports and models from pods.
    pub pods: reqwest::Client,
    /// Which of the optional kinds the cluster knows.
    pub discovery: Discovery,
    /// Whether the operator's view of the cluster is up to date.
    pub health: Health,
    /// The limit on detectors that replace their pods at once.
    pub rollouts: Rollouts,
}

/// The context that every reconcile of one scope receives.
pub struct Context {
    /// The part that all scopes share.
    pub shared: Shared,
    /// What the watches have seen.
    pub cache: Arc<Cache>,
    /// Publishes Events.
    pub recorder: Recorder,
    /// The waits after consecutive failures, by namespace and name of the detector.
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
