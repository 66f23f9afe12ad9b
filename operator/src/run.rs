//! Settings in, a running operator out: HTTP, the Lease, the watches; and all of it stopped again in order.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crd::AnomalyDetector;
use futures::FutureExt;
use futures::future::join_all;
use kube::api::ListParams;
use kube::{Api, Client, Config};
use thiserror::Error;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tracing::info;

use crate::client::context::DEADLINE;
use crate::client::discovery::Discovery;
use crate::client::lease::{Candidate, Leadership};
use crate::controller::Scope;
use crate::observe::pod_client;
use crate::serving::authorization::Guard;
use crate::serving::http;
use crate::serving::metrics::Metrics;
use crate::serving::tls::{self, TlsError};
use crate::settings::Settings;

/// The operator could not start, or must not go on.
#[derive(Debug, Error)]
pub enum RunError {
    /// No way to the API server is configured.
    #[error("expected a kubeconfig or a pod's service account: {0}")]
    Config(#[from] kube::config::InferConfigError),
    /// The client could not be made, or the API server refused it.
    #[error("cannot reach the API server: {0}")]
    Client(#[from] kube::Error),
    /// The API server does not know the resource.
    #[error(
        "the cluster does not know AnomalyDetectors; install the CRD first: operator crd | kubectl apply -f -"
    )]
    NoCrd,
    /// The API server is silent.
    #[error("the API server did not answer within {DEADLINE:?}")]
    Deadline,
    /// The port is taken, or signals cannot be had.
    #[error("cannot serve HTTP: {0}")]
    Http(#[from] std::io::Error),
    /// The metrics' certificate is of no use.
    #[error("cannot serve the metrics by HTTPS: {0}")]
    Tls(#[from] TlsError),
    /// The client for the pods' reports could not be made.
    #[error("cannot make an HTTP client: {0}")]
    Pods(#[from] reqwest::Error),
    /// Another replica leads by now: this one starts over.
    #[error("lost the Lease; another replica may lead by now")]
    LeaseLost,
}

/// Run until SIGTERM or SIGINT.
///
/// # Errors
/// The operator could not start, or has lost the Lease.
pub async fn run(settings: Settings) -> Result<(), RunError> {
    let mut config = Config::infer().await?;
    // The client's own retries are silent and last for minutes; the reconciler's are told, and spread.
    config.default_retry = false;
    let namespace = settings.lease_namespace.clone().unwrap_or_else(|| config.default_namespace.clone());
    let client = Client::try_from(config)?;
    let stop = stopping()?;

    let candidate =
        settings.leader_election.then(|| Candidate::new(client.clone(), &namespace, settings.identity()));
    let leadership = candidate.as_ref().map_or_else(Leadership::without_election, Candidate::leadership);
    let metrics = Metrics::new();
    let pods = pod_client()?;
    let discovery = Discovery::default();
    let scope =
        |namespace| Scope::new(namespace, &client, &settings, &metrics, &leadership, &pods, &discovery);
    let scopes: Vec<Scope> = settings.scopes().into_iter().map(scope).collect();

    let is_ready = Arc::new(AtomicBool::new(false));
    let state = http::State {
        metrics: metrics.clone(),
        leadership: leadership.clone(),
        caches: scopes.iter().map(Scope::cache).collect(),
        is_ready: is_ready.clone(),
        metrics_by_tls_only: settings.metrics_tls_cert.is_some(),
        guard: settings.metrics_authorization.then(|| Guard::new(client.clone())),
    };
    let tls = settings.metrics_tls().map(tls::config).transpose()?;
    let server = http::serve(state, settings.http_port, tls.map(|config| (settings.metrics_port, config)))?;
    let server_handle = server.handle();
    let serving = tokio::spawn(server);

    check_crd(&client, &settings).await?;
    is_ready.store(true, Ordering::Relaxed);
    info!(version = env!("CARGO_PKG_VERSION"), namespaces = ?settings.namespaces, "started");
    let result = tokio::select! {
        result = lead(candidate, scopes, stop) => result,
        never = discovery.keep_looking(&client) => never,
    };

    is_ready.store(false, Ordering::Relaxed);
    server_handle.stop(true).await;
    serving.await.map_err(std::io::Error::other)??;
    info!("stopped");
    result
}

/// Reconcile while this process leads.
async fn lead(
    candidate: Option<Candidate>,
    scopes: Vec<Scope>,
    stop: watch::Receiver<bool>,
) -> Result<(), RunError> {
    let Some(mut candidate) = candidate else {
        reconcile_all(scopes, stop).await;
        return Ok(());
    };
    tokio::select! {
        () = candidate.acquire() => {}
        () = told(stop.clone()) => return Ok(()),
    }
    let result = tokio::select! {
        () = reconcile_all(scopes, stop) => Ok(()),
        () = candidate.hold() => Err(RunError::LeaseLost),
    };
    candidate.release().await;
    result
}

async fn reconcile_all(scopes: Vec<Scope>, stop: watch::Receiver<bool>) {
    join_all(scopes.into_iter().map(|scope| scope.run(told(stop.clone())))).await;
}

/// Ask for one detector: is there such a kind, and may we read it?
async fn check_crd(client: &Client, settings: &Settings) -> Result<(), RunError> {
    let api: Api<AnomalyDetector> = match settings.scopes().into_iter().flatten().next() {
        Some(namespace) => Api::namespaced(client.clone(), &namespace),
        None => Api::all(client.clone()),
    };
    let one = ListParams::default().limit(1);
    match tokio::time::timeout(DEADLINE, api.list_metadata(&one)).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(kube::Error::Api(status))) if status.code == 404 => Err(RunError::NoCrd),
        Ok(Err(error)) => Err(error.into()),
        Err(_) => Err(RunError::Deadline),
    }
}

/// Turns true at the first SIGTERM or SIGINT.
fn stopping() -> std::io::Result<watch::Receiver<bool>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let (tell, told) = watch::channel(false);
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tell.send_replace(true);
    });
    Ok(told)
}

async fn told(mut stop: watch::Receiver<bool>) {
    stop.wait_for(|stop| *stop).map(|_| ()).await;
}
