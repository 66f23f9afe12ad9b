//! A release in, a proof that it works out: `helm test` applies a detector, requests predictions, scrapes it
//! and deletes it again.
//!
//! The test acts as a user would, through the same API and Service, with no right that a user lacks.

use std::time::Duration;

use clap::Args;
use crd::contract::{FIELD_MANAGER, METRICS_PORT};
use crd::status::ConditionType;
use crd::{AnomalyDetector, manifest};
use kube::api::{DeleteParams, Patch, PatchParams};
use kube::{Api, Client};
use reqwest::Client as Http;
use serde_json::{Value, json};
use thiserror::Error;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{Instant, sleep, timeout};

/// One sensor for which 0.95 is normal and 1.5 is not.
const QUICKSTART: &str = include_str!("../../manifests/quickstart.yaml");
/// The wait between two tries.
const PERIOD: Duration = Duration::from_millis(250);
/// The deadline of an HTTP request.
const ANSWER: Duration = Duration::from_secs(5);
/// The deadline of the deletion: a pod has 30 s to end, and the garbage collector as much again.
const DELETION: Duration = Duration::from_mins(1);

/// The arguments of `operator smoke`.
#[derive(Args, Clone, Debug)]
pub struct Smoke {
    /// The name of the detector that is created and deleted.
    #[arg(long)]
    name: String,

    /// The namespace of the detector: one that the operator watches.
    #[arg(long)]
    namespace: String,

    /// The time within which the detector must be Ready and have answered.
    #[arg(long, default_value = "2m")]
    timeout: crd::Duration,
}

/// Why the release does not work.
#[derive(Debug, Error)]
pub enum SmokeError {
    /// The API server refused, or could not be reached.
    #[error("cannot {verb} AnomalyDetector {name}: {}", reason(source))]
    Call {
        /// The verb of the call, such as `get` or `apply`.
        verb: &'static str,
        /// The name of the detector.
        name: String,
        /// The error from the API server or from the connection.
        #[source]
        source: Box<kube::Error>,
    },
    /// The timeout has passed.
    #[error("after {seconds:.0} s still waiting: {last}")]
    Late {
        /// How long the test waited.
        seconds: f64,
        /// The state that was seen last.
        last: String,
    },
    /// The detector gave another answer than expected.
    #[error("{request}: expected {expected}, got {got}")]
    Answer {
        /// The method, the URL, and the body.
        request: String,
        /// The expected content of the answer.
        expected: String,
        /// The answer.
        got: String,
    },
    /// The test was stopped by a signal, as when Helm does not wait for it any longer.
    #[error("stopped")]
    Stopped,
    /// The HTTP client could not be created.
    #[error("no HTTP client: {0}")]
    Client(#[from] reqwest::Error),
}

/// Apply a detector, wait until it is Ready, request verdicts for a normal and for an anomalous value, read
/// its metrics. The detector is deleted in any case. Each step is printed to standard output.
///
/// # Errors
/// The first step that failed, with the state that was seen last.
pub async fn run(smoke: &Smoke) -> Result<(), SmokeError> {
    let client = Client::try_default().await.map_err(call("reach", &smoke.name))?;
    let detectors = Api::namespaced(client, &smoke.namespace);
    let outcome = tokio::select! {
        outcome = walk(&detectors, smoke) => outcome,
        () = stopped() => Err(SmokeError::Stopped),
    };
    let deleted = within(DELETION, "its deletion", delete(&detectors, &smoke.name)).await;
    if let (Err(_), Err(left)) = (&outcome, &deleted) {
        eprintln!("error: AnomalyDetector {} is not deleted: {left}", smoke.name);
    }
    outcome.and(deleted)
}

/// Wait for SIGTERM or SIGINT.
async fn stopped() {
    let signals = [SignalKind::terminate(), SignalKind::interrupt()].map(|kind| {
        let signal = signal(kind);
        Box::pin(async move {
            match signal {
                Ok(mut signal) => drop(signal.recv().await),
                Err(_) => std::future::pending().await, // then it cannot be stopped early
            }
        })
    });
    drop(futures::future::select_all(signals).await);
}

async fn within(
    limit: Duration,
    what: &str,
    step: impl Future<Output = Result<(), SmokeError>>,
) -> Result<(), SmokeError> {
    let late = |_| SmokeError::Late { seconds: limit.as_secs_f64(), last: what.to_owned() };
    timeout(limit, step).await.map_err(late)?
}

async fn walk(detectors: &Api<AnomalyDetector>, smoke: &Smoke) -> Result<(), SmokeError> {
    let mut last = String::from("the API server has not answered");
    let (limit, began) = (smoke.timeout.into(), Instant::now());
    let http = Http::builder().timeout(ANSWER).no_proxy().build()?;
    let steps = async {
        delete(detectors, &smoke.name).await?; // what a test that was interrupted has left
        apply(detectors, &smoke.name).await?;
        let endpoint = ready(detectors, &smoke.name, began, &mut last).await?;
        for (value, anomaly) in [(0.95, 0), (1.5, 1)] {
            predict(&http, &endpoint, value, anomaly, &mut last).await?;
        }
        scrape(&http, smoke, &mut last).await
    };
    let outcome = timeout(limit, steps).await;
    outcome.unwrap_or_else(|_| Err(SmokeError::Late { seconds: limit.as_secs_f64(), last }))
}

async fn apply(detectors: &Api<AnomalyDetector>, name: &str) -> Result<(), SmokeError> {
    let parameters = PatchParams::apply(&format!("{FIELD_MANAGER}-smoke")).force();
    detectors.patch(name, &parameters, &Patch::Apply(&detector(name))).await.map_err(call("apply", name))?;
    println!("applied AnomalyDetector {name}");
    Ok(())
}

/// Wait until the detector is Ready. Return its endpoint.
async fn ready(
    detectors: &Api<AnomalyDetector>,
    name: &str,
    began: Instant,
    last: &mut String,
) -> Result<String, SmokeError> {
    loop {
        let detector = detectors.get(name).await.map_err(call("get", name))?;
        let line = condition_line(&detector);
        if line != *last {
            println!("{:5.1} s  {line}", began.elapsed().as_secs_f64());
            *last = line;
        }
        if let Some(endpoint) = endpoint(detector) {
            return Ok(endpoint);
        }
        sleep(PERIOD).await;
    }
}

/// Request the verdict of a value, and check it.
async fn predict(
    http: &Http,
    endpoint: &str,
    value: f64,
    anomaly: u8,
    last: &mut String,
) -> Result<(), SmokeError> {
    let url = format!("{endpoint}/predict");
    let body = json!({ "value": value });
    let request = format!("POST {url} {body}");
    let post = || http.post(&url).header("content-type", "application/json").body(body.to_string());
    let answer = reach(post, &request, last).await;
    let expected = json!({ "anomaly": anomaly });
    if serde_json::from_str::<Value>(&answer).is_ok_and(|answer| answer == expected) {
        println!("{request} -> {answer}");
        return Ok(());
    }
    Err(SmokeError::Answer { request, expected: expected.to_string(), got: answer })
}

/// Read the metrics, as Prometheus would.
async fn scrape(http: &Http, smoke: &Smoke, last: &mut String) -> Result<(), SmokeError> {
    let Smoke { name, namespace, .. } = smoke;
    let url = format!("http://{name}.{namespace}.svc:{METRICS_PORT}/metrics");
    let request = format!("GET {url}");
    let answer = reach(|| http.get(&url), &request, last).await;
    let Some(sample) = anomaly_score(&answer, name) else {
        let got = format!("{} lines without it", answer.lines().count());
        return Err(SmokeError::Answer {
            request,
            expected: format!("anomaly_score of detector {name}"),
            got,
        });
    };
    println!("{request} -> {sample}");
    Ok(())
}

/// Return the body of the first successful answer. A Service takes a moment to reach new pods, so failures
/// are retried.
async fn reach(request: impl Fn() -> reqwest::RequestBuilder, name: &str, last: &mut String) -> String {
    loop {
        let answer = async { request().send().await?.error_for_status()?.text().await }.await;
        match answer {
            Ok(body) => return body,
            Err(error) => *last = format!("{name}: {error}"),
        }
        sleep(PERIOD).await;
    }
}

/// Delete the detector, if it exists, and wait until it and all its objects are gone, so that the next test
/// starts clean.
async fn delete(detectors: &Api<AnomalyDetector>, name: &str) -> Result<(), SmokeError> {
    if detectors.get_metadata_opt(name).await.map_err(call("get", name))?.is_none() {
        return Ok(());
    }
    match detectors.delete(name, &DeleteParams::foreground()).await {
        Err(kube::Error::Api(status)) if status.code == 404 => {}
        outcome => drop(outcome.map_err(call("delete", name))?),
    }
    while detectors.get_metadata_opt(name).await.map_err(call("get", name))?.is_some() {
        sleep(PERIOD).await;
    }
    println!("deleted AnomalyDetector {name}");
    Ok(())
}

fn call(verb: &'static str, name: &str) -> impl FnOnce(kube::Error) -> SmokeError {
    move |source| SmokeError::Call { verb, name: name.to_owned(), source: Box::new(source) }
}

/// The API server's message, or why it could not be reached.
fn reason(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) => status.message.clone(),
        other => other.to_string(),
    }
}

/// The manifest of the quickstart detector with another name.
fn detector(name: &str) -> Value {
    let mut documents = manifest::documents(QUICKSTART).expect("a test reads this very sample");
    let mut detector = documents.remove(0);
    detector["metadata"] = json!({ "name": name });
    detector
}

/// The detector's Ready condition in one line.
fn condition_line(detector: &AnomalyDetector) -> String {
    let ready = detector.status.as_ref().and_then(|status| ConditionType::Ready.find(&status.conditions));
    ready.map_or_else(
        || "no condition Ready: does an operator watch this namespace?".to_owned(),
        |ready| format!("Ready={} {}: {}", ready.status, ready.reason, ready.message),
    )
}

/// The endpoint of the detector, once it is Ready for the current generation of its spec.
fn endpoint(detector: AnomalyDetector) -> Option<String> {
    let status = detector.status?;
    let ready = ConditionType::Ready.find(&status.conditions)?;
    let is_ready = ready.status == "True" && ready.observed_generation == detector.metadata.generation;
    status.endpoint.filter(|_| is_ready)
}

/// This detector's line of `anomaly_score` in the metrics.
fn anomaly_score<'a>(metrics: &'a str, name: &str) -> Option<&'a str> {
    let label = format!("detector=\"{name}\"");
    metrics.lines().find(|line| line.starts_with("anomaly_score{") && line.contains(&label))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_ready(status: &str, observed: i64) -> AnomalyDetector {
        let mut detector = detector("smoke");
        detector["metadata"]["generation"] = json!(2);
        detector["status"] = json!({
            "conditions": [{
                "type": "Ready", "status": status, "reason": "WarmingUp", "message": "3 of 4 samples",
                "lastTransitionTime": "2026-11-22T12:00:00Z", "observedGeneration": observed,
            }],
            "endpoint": "http://smoke.plant.svc",
        });
        serde_json::from_value(detector).unwrap()
    }

    #[test]
    fn the_detector_is_the_quickstart_by_another_name() {
        let detector = detector("smoke");
        assert_eq!(detector["metadata"], json!({ "name": "smoke" }));
        assert_eq!(detector["spec"]["sources"][0]["simulated"]["sensors"][0]["name"], "value");
    }

    #[test]
    fn it_answers_once_it_is_ready_as_its_spec_now_stands() {
        assert_eq!(endpoint(with_ready("True", 2)).as_deref(), Some("http://smoke.plant.svc"));
        assert_eq!(endpoint(with_ready("False", 2)), None);
        assert_eq!(endpoint(with_ready("True", 1)), None);
    }

    #[test]
    fn what_it_waits_for_is_reported_in_one_line() {
        assert_eq!(condition_line(&with_ready("False", 2)), "Ready=False WarmingUp: 3 of 4 samples");
        let unseen = serde_json::from_value(detector("smoke")).unwrap();
        assert!(condition_line(&unseen).contains("does an operator watch this namespace?"));
    }

    #[test]
    fn only_its_own_sample_counts() {
        let metrics = "# TYPE anomaly_score gauge\nanomaly_score{detector=\"other\"} 1\nanomaly_score{detector=\"smoke\"} 0\n";
        assert_eq!(anomaly_score(metrics, "smoke"), Some("anomaly_score{detector=\"smoke\"} 0"));
        assert_eq!(anomaly_score(metrics, "smo"), None);
    }
}
