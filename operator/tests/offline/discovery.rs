//! Kinds that appear and disappear, against a scripted API server: an absent kind blocks nothing, and no call
//! is made for it.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::{FutureExt, StreamExt};
use http::{Request, Response};
use kube::client::Body;
use kube::runtime::watcher::{self, Event};
use kube::{Api, Client};
use operator::client::discovery::{Discovery, Events};
use operator::resources::Kind;
use serde_json::{Value, json};

const GROUP: &str = "/apis/monitoring.coreos.com/v1";

/// An API server that records its calls and answers by path; a path without an answer is not found.
#[derive(Clone, Default)]
struct Server {
    calls: Arc<Mutex<Vec<String>>>,
    answers: Arc<Mutex<Vec<(String, u16, Value)>>>,
}

impl Server {
    fn answer(&self, path: &str, code: u16, body: Value) {
        self.answers.lock().unwrap().push((path.to_owned(), code, body));
    }

    fn calls(&self) -> Vec<String> {
        std::mem::take(&mut self.calls.lock().unwrap())
    }

    fn client(&self) -> Client {
        let (service, mut handle) = tower_test::mock::pair::<Request<Body>, Response<Body>>();
        let server = self.clone();
        tokio::spawn(async move {
            while let Some((request, answer)) = handle.next_request().await {
                let path = request.uri().path().to_owned();
                let not_found = (404, json!({"kind": "Status", "status": "Failure", "code": 404}));
                let answers = server.answers.lock().unwrap().clone();
                let newest = answers.into_iter().rev().find(|(of, ..)| *of == path);
                let (code, body) = newest.map_or(not_found, |(_, code, body)| (code, body));
                server.calls.lock().unwrap().push(path);
                let body = Body::from(body.to_string().into_bytes());
                answer.send_response(Response::builder().status(code).body(body).unwrap());
            }
        });
        Client::new(service, "default")
    }
}

fn kinds(server: &Server, kinds: &[Kind]) {
    let resources = kinds.iter().map(|kind| {
        json!({"name": kind.resource().plural, "singularName": "", "kind": kind.name(), "namespaced": true, "verbs": []})
    });
    let resources: Vec<Value> = resources.collect();
    server.answer(GROUP, 200, json!({"groupVersion": "monitoring.coreos.com/v1", "resources": resources}));
}

fn watch(server: &Server, discovery: &Discovery) -> Events {
    let monitors = Api::all_with(server.client(), &Kind::ServiceMonitor.resource());
    discovery.watch(Kind::ServiceMonitor, monitors, watcher::Config::default())
}

/// The next events, abbreviated, as many as arrive within 100 ms of each other.
async fn next(events: &mut Events) -> Vec<&'static str> {
    let mut seen = Vec::new();
    while let Ok(Some(event)) = tokio::time::timeout(Duration::from_millis(100), events.next()).await {
        seen.push(match event {
            Ok(Event::Init) => "begin",
            Ok(Event::InitDone) => "listed",
            Ok(_) => "object",
            Err(_) => "error",
        });
        if seen.len() == 4 {
            break;
        }
    }
    seen
}

#[tokio::test(start_paused = true)]
async fn an_absent_kind_is_listed_as_nothing_and_costs_no_call() {
    let (server, discovery) = (Server::default(), Discovery::default());
    let mut events = watch(&server, &discovery);
    assert_eq!(next(&mut events).await, Vec::<&str>::new(), "nothing is known yet");
    discovery.found(BTreeSet::new());
    assert_eq!(next(&mut events).await, ["begin", "listed"]);
    assert_eq!(server.calls(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn a_kind_that_appears_is_watched_and_one_that_goes_leaves_nothing() {
    let (server, discovery) = (Server::default(), Discovery::default());
    let list = json!({
        "kind": "ServiceMonitorList", "apiVersion": "monitoring.coreos.com/v1", "metadata": {"resourceVersion": "1"},
        "items": [{"metadata": {"name": "pump", "namespace": "plant"}}],
    });
    server.answer(&format!("{GROUP}/servicemonitors"), 200, list);
    let mut events = watch(&server, &discovery);
    discovery.found(BTreeSet::new());
    next(&mut events).await;
    discovery.found([Kind::ServiceMonitor].into());
    assert_eq!(next(&mut events).await[..3], ["begin", "object", "listed"]);
    discovery.found(BTreeSet::new());
    let after = next(&mut events).await;
    assert_eq!(after[after.len() - 2..], ["begin", "listed"], "{after:?}");
    server.calls();
    next(&mut events).await;
    assert_eq!(server.calls(), Vec::<String>::new(), "an absent kind is asked for no more");
}

#[tokio::test(start_paused = true)]
async fn a_kind_that_may_not_be_listed_keeps_nobody_waiting() {
    let (server, discovery) = (Server::default(), Discovery::default());
    let forbidden = json!({"kind": "Status", "status": "Failure", "code": 403, "message": "forbidden", "reason": "Forbidden"});
    server.answer(&format!("{GROUP}/servicemonitors"), 403, forbidden);
    discovery.found([Kind::ServiceMonitor].into());
    assert_eq!(next(&mut watch(&server, &discovery)).await, ["begin", "begin", "listed", "error"]);
}

#[tokio::test(start_paused = true)]
async fn a_kind_whose_watch_is_refused_is_asked_after_at_once() {
    let (server, discovery) = (Server::default(), Discovery::default());
    kinds(&server, &[Kind::ServiceMonitor]);
    let metadata = json!({"resourceVersion": "1"});
    let list = json!({"kind": "ServiceMonitorList", "apiVersion": "monitoring.coreos.com/v1", "metadata": metadata, "items": []});
    let monitors = format!("{GROUP}/servicemonitors");
    server.answer(&monitors, 200, list);
    let (looking, client) = (discovery.clone(), server.client());
    tokio::spawn(async move { looking.keep_looking(&client).await });
    let mut events = watch(&server, &discovery);
    while !matches!(events.next().await, Some(Ok(Event::InitDone))) {}
    let mut changes = Box::pin(discovery.changes());

    kinds(&server, &[]);
    server.answer(&monitors, 404, json!({"kind": "Status", "status": "Failure", "code": 404}));
    let started = tokio::time::Instant::now();
    tokio::select! {
        Some(()) = changes.next() => {}
        () = events.for_each(|_| tokio::time::sleep(Duration::from_secs(1))) => {}
    }
    assert!(!discovery.has(Kind::ServiceMonitor));
    assert!(
        started.elapsed() < Duration::from_secs(10),
        "not at the next half minute: {:?}",
        started.elapsed()
    );
}

#[tokio::test(start_paused = true)]
async fn the_api_server_is_asked_each_half_minute_and_what_is_new_is_reported_once() {
    let (server, discovery) = (Server::default(), Discovery::default());
    let (looking, client) = (discovery.clone(), server.client());
    tokio::spawn(async move { looking.keep_looking(&client).await });
    let mut changes = Box::pin(discovery.changes());
    changes.next().await;
    assert!(!discovery.has(Kind::ServiceMonitor));
    assert!(discovery.has(Kind::Deployment), "of which no cluster is without");

    kinds(&server, &[Kind::ServiceMonitor]);
    changes.next().await;
    assert!(discovery.has(Kind::ServiceMonitor) && !discovery.has(Kind::PrometheusRule));

    server.answer(GROUP, 500, json!({"kind": "Status", "status": "Failure", "code": 500}));
    server.calls();
    tokio::time::sleep(Duration::from_secs(95)).await;
    assert_eq!(server.calls(), [GROUP, GROUP, GROUP]);
    assert!(discovery.has(Kind::ServiceMonitor), "what was known still holds");
    assert!(changes.next().now_or_never().is_none());
}
