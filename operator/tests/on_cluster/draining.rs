//! No prediction fails while pods are replaced, scaled and deleted: 2,000 requests a second through the
//! detector's Service, on persistent connections, by clients that do not retry. `tests/on-cluster draining`;
//! `DRAIN_REQUESTS` is the smallest number of requests.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use http::{Method, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use k8s_openapi::api::core::v1::Service;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams};
use kube::{Api, ResourceExt};
use serde_json::json;
use tokio::net::TcpStream;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use crate::test_namespace::{TestNamespace, sample, until};

const CLIENTS: u32 = 50;
const REQUESTS_PER_S: u32 = 2000;
const MIN_REQUESTS: u64 = 1_000_000;
/// The deadline of an answer.
const PATIENCE: Duration = Duration::from_secs(10);
const NAME: &str = "pump";

/// How many requests were answered, and how many failed.
struct Requests {
    began: Instant,
    answered: AtomicU64,
    failed: AtomicU64,
    first: Mutex<Vec<String>>,
    is_over: AtomicBool,
}

impl Requests {
    fn new() -> Self {
        Self {
            began: Instant::now(),
            answered: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            first: Mutex::default(),
            is_over: AtomicBool::new(false),
        }
    }

    fn fail(&self, why: &str) {
        self.failed.fetch_add(1, Ordering::Relaxed);
        let mut first = self.first.lock().unwrap();
        if first.len() < 20 {
            first.push(format!("after {:?}: {why}", self.began.elapsed()));
        }
    }

    fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed)
    }
}

/// A client: it reconnects where the server has announced that it closes the connection, or has closed it
/// between two requests.
async fn client(address: String, requests: &Requests) {
    let mut clock = interval(Duration::from_secs(1) * CLIENTS / REQUESTS_PER_S);
    clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while !requests.is_over() {
        match timeout(PATIENCE, TcpStream::connect(&address)).await {
            Ok(Ok(stream)) => {
                let (mut sender, connection) = handshake(TokioIo::new(stream)).await.unwrap();
                tokio::spawn(connection);
                loop {
                    clock.tick().await;
                    if requests.is_over()
                        || sender.ready().await.is_err()
                        || !ask(&mut sender, requests).await
                    {
                        break;
                    }
                }
            }
            refused => {
                requests.fail(&format!("no connection: {refused:?}"));
                sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

/// Send one prediction. Return false at the end of the connection.
async fn ask(sender: &mut SendRequest<Full<Bytes>>, requests: &Requests) -> bool {
    let mut request = Request::new(Full::from(r#"{"value":0.95}"#));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = "/predict".parse().unwrap();
    request.headers_mut().insert("host", NAME.parse().unwrap());
    match timeout(PATIENCE, answer(sender, request)).await {
        Ok(Ok((200, is_last))) => {
            requests.answered.fetch_add(1, Ordering::Relaxed);
            !is_last
        }
        other => {
            requests.fail(&format!("no answer: {other:?}"));
            false
        }
    }
}

/// The status of an answer whose body was read to its end, and whether it is the last one of its connection.
async fn answer(
    sender: &mut SendRequest<Full<Bytes>>,
    request: Request<Full<Bytes>>,
) -> hyper::Result<(u16, bool)> {
    let response: Response<Incoming> = sender.send_request(request).await?;
    let status = response.status().as_u16();
    let is_last = response.headers().get("connection").is_some_and(|value| value == "close");
    response.into_body().collect().await?;
    Ok((status, is_last))
}

/// One round of all events that replace, start and stop pods, one after the other.
async fn disturb(namespace: &TestNamespace, round: u64) {
    namespace.edit(NAME, json!({"threshold": {"contamination": 0.02 + (round % 2) as f64 / 100.0}})).await; // a rolling update
    namespace.ready(NAME).await;
    namespace.edit(NAME, json!({"replicas": 5})).await;
    namespace.ready(NAME).await;
    let pods = ListParams::default().labels(&format!("app.kubernetes.io/instance={NAME}"));
    let pod = namespace.pods().list(&pods).await.unwrap().items.remove(0);
    namespace.pods().delete(&pod.name_any(), &DeleteParams::default()).await.unwrap(); // SIGTERM
    namespace.ready(NAME).await;
    let retrain = json!({"metadata": {"annotations": {"anomaly.dev/retrain": round.to_string()}}}); // a model swap
    namespace.detectors().patch(NAME, &PatchParams::default(), &Patch::Merge(retrain)).await.unwrap();
    namespace.ready(NAME).await;
    namespace.edit(NAME, json!({"replicas": 1})).await;
    namespace.ready(NAME).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: tests/on-cluster draining"]
async fn no_prediction_fails_while_pods_come_and_go() {
    let namespace = TestNamespace::new("draining").await;
    namespace.apply(&sample("quickstart.yaml", NAME)).await.unwrap();
    namespace.ready(NAME).await;
    let services: Api<Service> = Api::namespaced(namespace.client.clone(), &namespace.name);
    let service = services.get(NAME).await.unwrap().spec.unwrap();
    let address = format!("{}:{}", service.cluster_ip.unwrap(), service.ports.unwrap()[0].port);
    let least = std::env::var("DRAIN_REQUESTS").map_or(MIN_REQUESTS, |least| least.parse().unwrap());

    // kube-proxy makes a new Service's address known a moment after its pods are Ready.
    until("the Service's address", async || TcpStream::connect(&address).await.ok()).await;

    let requests: &'static Requests = Box::leak(Box::new(Requests::new()));
    let clients: Vec<_> = (0..CLIENTS).map(|_| tokio::spawn(client(address.clone(), requests))).collect();
    let mut rounds = 0;
    while requests.answered.load(Ordering::Relaxed) < least || rounds == 0 {
        disturb(&namespace, rounds).await;
        rounds += 1;
        let (answered, failed) = (&requests.answered, &requests.failed);
        println!(
            "{answered:?} answered, {failed:?} failed after {rounds} rounds and {:?}",
            requests.began.elapsed()
        );
    }
    requests.is_over.store(true, Ordering::Relaxed);
    for client in clients {
        client.await.unwrap();
    }
    let (answered, failed) =
        (requests.answered.load(Ordering::Relaxed), requests.failed.load(Ordering::Relaxed));
    let rate = answered as f64 / requests.began.elapsed().as_secs_f64();
    println!(
        "figures: drain_answered={answered} drain_failed={failed} drain_rounds={rounds} drain_requests_per_s={rate:.0}"
    );
    assert_eq!(failed, 0, "{:#?}", requests.first.lock().unwrap());
    namespace.delete().await;
}
