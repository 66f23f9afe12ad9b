//! A detector's name in, the state of its pods out: the pods as the watch has seen them, the report of each
//! running pod, and the model that it serves.

/// Pods -> what keeps them from running.
pub mod pod_diagnosis;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use crd::contract::{METRICS_PORT, ModelReport, Report};
use futures::StreamExt;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use serde_json::Value;
use thiserror::Error;
use tracing::debug;

use crate::apply::{Applied, MonitoringError};
use crate::client::cache::Cache;
use crate::client::context::Context;
use crate::plan::CurrentState;
use crate::resources::Kind;
use crate::resources::model::pointer_name;

/// The deadline of a report, and its largest size.
const DEADLINE: Duration = Duration::from_secs(2);
const MAX_REPORT_BYTES: usize = 1024 * 1024;
/// The deadline of the transfer of a model.
const MODEL_DEADLINE: Duration = Duration::from_secs(10);
/// The largest number of reports that one reconcile reads at the same time.
const AT_ONCE: usize = 8;

/// The observed state of a detector's workload.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    /// The Deployment of the detector.
    pub deployment: Option<Deployment>,
    /// The pods of the detector, oldest first.
    pub pods: Vec<Arc<Pod>>,
    /// The reports of the pods that run.
    pub reports: Vec<PodReport>,
    /// The number of ready endpoints of the detector's Service; none where it is not known.
    pub endpoints: Option<usize>,
    /// The monitoring objects that the spec asks for: each as it is stored, or why not; none where nothing
    /// was written.
    pub monitoring: Option<Vec<(Kind, Result<Value, MonitoringError>)>>,
}

/// A pod, and the report that it gave.
#[derive(Clone, Debug)]
pub struct PodReport {
    /// The pod.
    pub pod: Arc<Pod>,
    /// The report of the pod, or `None` where it gave none.
    pub report: Option<Report>,
    /// Why the pod answered, but not with a valid report. None where it did not answer: it may only be
    /// starting.
    pub unusable: Option<String>,
}

impl Observed {
    /// The models that pods serve, each with its pod.
    pub fn models(&self) -> impl Iterator<Item = (&Arc<Pod>, &ModelReport)> {
        self.reports.iter().filter_map(|each| Some((&each.pod, each.report.as_ref()?.model.as_ref()?)))
    }

    /// Whether a pod serves the model of that digest.
    pub fn serves(&self, digest: &str) -> bool {
        self.models().any(|(_, model)| model.digest == digest)
    }
}

/// Why a pod did not return its report or its model.
#[derive(Debug, Error)]
pub enum NoAnswer {
    /// The pod cannot be reached, or did not answer in time.
    #[error("no answer: {0}")]
    Call(#[from] reqwest::Error),
    /// The pod answered with another status than 200.
    #[error("expected status 200, got {0}")]
    Refused(reqwest::StatusCode),
    /// The answer is larger than expected.
    #[error("expected at most {0} bytes, got more")]
    TooLarge(usize),
    /// The answer is not a valid report.
    #[error("expected a report: {0}")]
    Malformed(#[from] serde_json::Error),
    /// The pod does not run any more.
    #[error("the pod does not run")]
    Gone,
}

/// Read from the cache what a new plan takes over from the existing workload.
pub fn current_state(cache: &Cache, namespace: &str, name: &str) -> CurrentState {
    let objects = [Kind::ConfigMap, Kind::Deployment].map(|kind| cache.owned(kind, namespace, name));
    let annotations = objects.iter().flatten().map(|object| &object["metadata"]["annotations"]);
    CurrentState {
        annotations: annotations.filter_map(|list| serde_json::from_value(list.clone()).ok()).collect(),
        replicas: objects[1]
            .as_ref()
            .and_then(|deployment| deployment["spec"]["replicas"].as_i64())
            .map(|n| n as i32),
        has_model: cache
            .models(namespace, name)
            .iter()
            .any(|object| object["metadata"]["name"] == pointer_name(name)),
    }
}

/// Observe the workload as it is now. A Deployment that was just written replaces the one that the watch has
/// seen.
pub async fn workload(ctx: &Context, namespace: &str, name: &str, applied: Option<Applied>) -> Observed {
    let (written, monitoring) =
        applied.map_or((None, None), |applied| (applied.deployment, Some(applied.monitoring)));
    let deployment = written.or_else(|| ctx.cache.owned(Kind::Deployment, namespace, name));
    let pods: Vec<_> =
        ctx.cache.pods(namespace, name).into_iter().filter(|pod| is_of_deployment(pod, name)).collect();
    let requests: Vec<_> = pods
        .iter()
        .filter_map(|pod| Some(request_report(&ctx.shared.pods, pod.clone(), address(pod)?)))
        .collect();
    Observed {
        deployment: deployment.and_then(|object| serde_json::from_value(object).ok()),
        reports: futures::stream::iter(requests).buffered(AT_ONCE).collect().await,
        pods,
        endpoints: ctx.cache.ready_endpoints(namespace, name),
        monitoring,
    }
}

async fn request_report(client: &reqwest::Client, pod: Arc<Pod>, address: IpAddr) -> PodReport {
    let report = report(client, address).await;
    match report {
        Ok(report) => PodReport { pod, report: Some(report), unusable: None },
        Err(error) => {
            debug!(namespace = pod.namespace(), pod = pod.name_any(), %error, "no report");
            let is_answer = matches!(error, NoAnswer::TooLarge(_) | NoAnswer::Malformed(_));
            PodReport { pod, report: None, unusable: is_answer.then(|| error.to_string()) }
        }
    }
}

/// Whether the pod was created by the Deployment of that name: other pods may carry its labels too.
fn is_of_deployment(pod: &Pod, name: &str) -> bool {
    let hash = pod.labels().get("pod-template-hash").map_or("", String::as_str);
    let replica_set = format!("{name}-{hash}");
    let is_owner = |owner: &k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference| {
        owner.kind == "ReplicaSet" && owner.name == replica_set && owner.controller == Some(true)
    };
    pod.owner_references().iter().any(is_owner)
}

/// The address of a pod that runs and is not being deleted.
fn address(pod: &Pod) -> Option<IpAddr> {
    let status = pod.status.as_ref().filter(|_| pod.metadata.deletion_timestamp.is_none())?;
    status.pod_ip.as_ref().filter(|_| status.phase.as_deref() == Some("Running"))?.parse().ok()
}

async fn report(client: &reqwest::Client, address: IpAddr) -> Result<Report, NoAnswer> {
    let body = get(client, address, "status", MAX_REPORT_BYTES, DEADLINE).await?;
    Ok(serde_json::from_slice(&body)?)
}

/// The bytes of the model that a pod serves.
///
/// # Errors
/// The pod does not return them, or returns more than `bytes`.
pub async fn model(client: &reqwest::Client, pod: &Pod, bytes: usize) -> Result<Vec<u8>, NoAnswer> {
    let address = address(pod).ok_or(NoAnswer::Gone)?;
    get(client, address, "model", bytes, MODEL_DEADLINE).await
}

/// Return the body of a pod's answer, of `most` bytes at most.
async fn get(
    client: &reqwest::Client,
    address: IpAddr,
    path: &str,
    most: usize,
    deadline: Duration,
) -> Result<Vec<u8>, NoAnswer> {
    let address = std::net::SocketAddr::new(address, METRICS_PORT);
    let mut answer = client.get(format!("http://{address}/{path}")).timeout(deadline).send().await?;
    if answer.status() != reqwest::StatusCode::OK {
        return Err(NoAnswer::Refused(answer.status()));
    }
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await? {
        if body.len() + chunk.len() > most {
            return Err(NoAnswer::TooLarge(most));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// Return the client for reports and models: it connects straight to the pod, without a proxy, and follows no
/// redirects.
///
/// # Errors
/// The client could not be created.
pub fn pod_client() -> reqwest::Result<reqwest::Client> {
    // Only plain HTTP is used. But if another program in the same build enables TLS in reqwest, no client can
    // be created without a crypto provider. A second call changes nothing.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(DEADLINE)
        .pool_max_idle_per_host(0)
        .build()
}
