//! Settings in, a running operator out: the HTTP server, the Lease and the watches are started, and stopped
//! again in order.

use std::time::Duration;

use crd::AnomalyDetector;
use futures::FutureExt;
use futures::future::join_all;
use kube::api::ListParams;
use kube::{Api, Client, Config};
use thiserror::Error;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tracing::{debug, info, warn};

use crate::client::cache::Caches;
use crate::client::context::{DEADLINE, Shared};
use crate::client::discovery::Discovery;
use crate::client::health::{Health, Phase};
use crate::client::lease::{Candidate, Leadership, Term};
use crate::client::rollouts::Rollouts;
use crate::controller::Scope;
use crate::observe::pod_client;
use crate::serving::authorization::Authorization;
use crate::serving::http;
use crate::serving::tls::{self, TlsError};
use crate::settings::Settings;
use crate::telemetry::metrics::Metrics;

/// The interval at which an unavailable API server is asked again while the operator starts.
const START_PERIOD: Duration = Duration::from_secs(2);
/// The deadline of a connection to the API server.
const CONNECT_DEADLINE: Duration = Duration::from_secs(5);
/// The error message where the API server does not know the resource.
const NO_CRD: &str =
    "the cluster has no AnomalyDetector CRD; install it first: operator crd | kubectl apply -f -";

/// The operator could not start.
#[derive(Debug, Error)]
pub enum RunError {
    /// No way to the API server is configured.
    #[error("expected a kubeconfig or a pod's service account: {0}")]
    Config(#[from] kube::config::InferConfigError),
    /// The client could not be made, or the API server refused it.
    #[error("cannot reach the API server: {0}")]
    Client(#[from] kube::Error),
    /// The port is taken, or signal handlers could not be installed.
    #[error("cannot serve HTTP: {0}")]
    Http(#[from] std::io::Error),
    /// The metrics' certificate cannot be used.
    #[error("cannot serve the metrics by HTTPS: {0}")]
    Tls(#[from] TlsError),
    /// The HTTP client for the pods could not be created.
    #[error("cannot make an HTTP client: {0}")]
    Pods(#[from] reqwest::Error),
}

/// Run until SIGTERM or SIGINT. If the API server is unavailable, wait for it.
///
/// # Errors
/// The operator could not start.
pub async fn run(settings: Settings) -> Result<(), RunError> {
    let mut config = Config::infer().await?;
    // The client's own retries are silent and last for minutes; the reconciler's are reported, and spread.
    config.default_retry = false;
    config.connect_timeout = Some(CONNECT_DEADLINE);
    let term = Term {
        namespace: settings.lease_namespace.clone().unwrap_or_else(|| config.default_namespace.clone()),
        name: settings.lease_name.clone(),
        duration: settings.lease_duration,
    };
    let client = Client::try_from(config)?;
    let stop = stopping()?;

    let (health, caches) = (Health::default(), Caches::default());
    let candidate = settings
        .leader_election
        .then(|| Candidate::new(client.clone(), term, settings.identity(), health.clone()));
    let leadership = candidate.as_ref().map_or_else(Leadership::without_election, Candidate::leadership);
    let metrics = Metrics::new();
    let shared = Shared {
        client: client.clone(),
        settings: settings.clone(),
        metrics: metrics.clone(),
        leadership: leadership.clone(),
        pods: pod_client()?,
        discovery: Discovery::default(),
        health: health.clone(),
        rollouts: Rollouts::new(settings.max_concurrent_rollouts, caches.clone()),
    };
    let scopes = || -> Vec<Scope> {
        let scope = |namespace| Scope::new(namespace, shared.clone());
        let scopes: Vec<Scope> = settings.scopes().into_iter().map(scope).collect();
        caches.set(scopes.iter().map(Scope::cache).collect());
        scopes
    };

    let state = http::State {
        metrics: metrics.clone(),
        leadership: leadership.clone(),
        caches: caches.clone(),
        health: health.clone(),
        metrics_by_tls_only: settings.metrics_tls_cert.is_some(),
        authorization: settings.metrics_authorization.then(|| Authorization::new(client.clone())),
    };
    let tls = settings.metrics_tls().map(tls::config).transpose()?;
    let server = http::serve(state, settings.http_port, tls.map(|config| (settings.metrics_port, config)))?;
    let server_handle = server.handle();
    let serving = tokio::spawn(server);

    let is_there = tokio::select! {
        () = wait_for_api(&client, &settings, &health) => true,
        () = stopped(stop.clone()) => false,
    };
    if is_there {
        health.enter(Phase::Running);
        info!(version = env!("CARGO_PKG_VERSION"), namespaces = ?settings.namespaces, "started");
        tokio::select! {
            () = lead(candidate, scopes, stop) => {}
            never = shared.discovery.keep_looking(&client) => never,
        }
    }

    health.enter(Phase::Stopping);
    server_handle.stop(true).await;
    serving.await.map_err(std::io::Error::other)??;
    info!("stopped");
    Ok(())
}

/// Reconcile while this process holds the Lease. When it loses the Lease, it drops its caches and waits for
/// the Lease again.
async fn lead(candidate: Option<Candidate>, scopes: impl Fn() -> Vec<Scope>, stop: watch::Receiver<bool>) {
    let Some(mut candidate) = candidate else {
        return reconcile_all(scopes(), stop).await;
    };
    loop {
        tokio::select! {
            () = candidate.acquire() => {}
            () = stopped(stop.clone()) => return,
        }
        let is_over = tokio::select! {
            () = reconcile_all(scopes(), stop.clone()) => true,
            () = candidate.hold() => false,
        };
        candidate.release().await;
        if is_over {
            return;
        }
        info!("standing by");
    }
}

async fn reconcile_all(scopes: Vec<Scope>, stop: watch::Receiver<bool>) {
    join_all(scopes.into_iter().map(|scope| scope.run(stopped(stop.clone())))).await;
}

/// Wait until the API server answers, knows the resource, and lets the operator read it. Each of these can
/// start to hold at any time: an API server that is just starting knows neither custom resources nor access
/// rules.
async fn wait_for_api(client: &Client, settings: &Settings, health: &Health) {
    while let Err(why) = list_one(client, settings).await {
        if health.call_failed(why.clone()) {
            warn!(error = why, "waiting for the API server");
        } else {
            debug!(error = why, "still waiting for the API server");
        }
        tokio::time::sleep(START_PERIOD).await;
    }
    health.call_succeeded();
}

/// List one detector, which shows whether the kind exists and whether the operator may read it.
async fn list_one(client: &Client, settings: &Settings) -> Result<(), String> {
    let api: Api<AnomalyDetector> = match settings.scopes().into_iter().flatten().next() {
        Some(namespace) => Api::namespaced(client.clone(), &namespace),
        None => Api::all(client.clone()),
    };
    let one = ListParams::default().limit(1);
    match tokio::time::timeout(DEADLINE, api.list_metadata(&one)).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(kube::Error::Api(status))) if status.code == 404 => Err(NO_CRD.to_owned()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("no answer within {DEADLINE:?}")),
    }
}

/// Return a receiver that turns true at the first SIGTERM or SIGINT.
fn stopping() -> std::io::Result<watch::Receiver<bool>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let (sender, receiver) = watch::channel(false);
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        sender.send_replace(true);
    });
    Ok(receiver)
}

async fn stopped(mut stop: watch::Receiver<bool>) {
    stop.wait_for(|stop| *stop).map(|_| ()).await;
}
