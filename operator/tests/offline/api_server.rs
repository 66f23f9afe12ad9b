//! A scripted API server: it stores what is written to it, records every call, and fails where a test wants
//! it to. And an operator whose watches have seen only what the test shows them.

#![allow(dead_code, reason = "each file of scenarios uses a part")]

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};

use clap::Parser;
use http::{Request, Response};
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::Client;
use kube::api::DynamicObject;
use kube::client::Body;
use kube::runtime::controller::Action;
use kube::runtime::events::{Recorder, Reporter};
use kube::runtime::reflector::{ObjectRef, store, store::Writer};
use kube::runtime::watcher::Event;
use operator::client::backoff::Backoff;
use operator::client::cache::{Cache, Caches, ModelObject, Stored};
use operator::client::context::{Context, Shared};
use operator::client::discovery::Discovery;
use operator::client::error::Error;
use operator::client::health::Health;
use operator::client::lease::{Candidate, Leadership, Term};
use operator::client::rollouts::Rollouts;
use operator::client::status_throttle::StatusThrottle;
use operator::controller::reconcile::reconcile;
use operator::observe::pod_client;
use operator::resources::Kind;
use operator::settings::Settings;
use operator::telemetry::metrics::Metrics;
use serde_json::{Value, json};

/// How the server fails a write instead of answering it.
#[derive(Clone, Debug)]
pub enum Fault {
    /// The write is refused with that status code and not executed.
    Refused(u16),
    /// The write is executed, but the answer is lost.
    Lost,
    /// The write is not executed and never answered.
    Silent,
}

/// Objects by path, calls in order, and faults by the number of the write that fails.
#[derive(Default)]
pub struct Server {
    pub objects: BTreeMap<String, Value>,
    pub calls: Vec<String>,
    pub faults: BTreeMap<usize, Fault>,
    writes: usize,
    version: u64,
}

#[derive(Parser)]
struct Program {
    #[command(flatten)]
    settings: Settings,
}

/// An operator and its scripted API server.
pub struct Cluster {
    pub server: Arc<Mutex<Server>>,
    client: Client,
    discovery: Discovery,
    operator: Operator,
}

struct Operator {
    context: Arc<Context>,
    detectors: Writer<Stored>,
    owned: BTreeMap<Kind, Writer<DynamicObject>>,
    pods: Writer<Pod>,
    models: Writer<ModelObject>,
    endpoints: Writer<EndpointSlice>,
}

const DETECTOR: &str = "/apis/anomaly.dev/v1alpha1/namespaces/plant/anomalydetectors/pump";

impl Cluster {
    /// Return a cluster with one detector, the quickstart under the name `pump`, which the operator has not
    /// seen yet. The Prometheus Operator's kinds do not exist.
    pub fn new() -> Self {
        let server = Arc::new(Mutex::new(Server::default()));
        let client = serve(server.clone());
        let discovery = Discovery::default();
        discovery.found([].into());
        let operator = operator(&client, Leadership::without_election(), &discovery, 0);
        let cluster = Self { server, client, discovery, operator };
        let detector =
            crd::manifest::one_detector(include_str!("../../../manifests/quickstart.yaml")).unwrap();
        let mut detector = json!(detector.detector());
        detector["metadata"] =
            json!({"name": "pump", "namespace": "plant", "uid": "8fd1c1e4", "generation": 1});
        cluster.put(DETECTOR, detector);
        cluster
    }

    /// Install the Prometheus Operator's kinds.
    pub fn install_prometheus_operator(&self) {
        self.discovery.found([Kind::ServiceMonitor, Kind::PrometheusRule].into());
    }

    /// Store an object on the server, as a user or another controller would.
    pub fn put(&self, path: &str, object: Value) {
        let mut server = self.server.lock().unwrap();
        server.store(path, object);
    }

    /// Edit an object on the server, as a user or another controller would.
    pub fn edit(&self, path: &str, edit: impl FnOnce(&mut Value)) {
        let mut object = self.get(path);
        edit(&mut object);
        self.put(path, object);
    }

    /// Edit the detector's spec.
    pub fn edit_spec(&self, edit: impl FnOnce(&mut Value)) {
        self.edit(DETECTOR, |detector| {
            edit(&mut detector["spec"]);
            detector["metadata"]["generation"] =
                json!(detector["metadata"]["generation"].as_i64().unwrap() + 1);
        });
    }

    /// Annotate the detector.
    #[allow(dead_code, reason = "the scenarios of models do")]
    pub fn annotate(&self, key: &str, value: &str) {
        self.edit(DETECTOR, |detector| detector["metadata"]["annotations"][key] = json!(value));
    }

    /// Make a write fail: the one of this number, counted from here.
    #[allow(dead_code, reason = "the scenarios of models do")]
    pub fn fail(&self, write: usize, fault: Fault) {
        let mut server = self.server.lock().unwrap();
        let at = server.writes + write;
        server.faults.insert(at, fault);
    }

    /// An object on the server.
    pub fn get(&self, path: &str) -> Value {
        self.server.lock().unwrap().objects[path].clone()
    }

    /// The detector's condition of that type: status, reason and message.
    pub fn condition(&self, type_: &str) -> (String, String, String) {
        let detector = self.get(DETECTOR);
        let conditions = detector["status"]["conditions"].as_array().cloned().unwrap_or_default();
        let condition =
            conditions.into_iter().find(|condition| condition["type"] == type_).unwrap_or_default();
        ["status", "reason", "message"]
            .map(|field| condition[field].as_str().unwrap_or_default().to_owned())
            .into()
    }

    /// Show all objects of the server to the watches.
    pub fn see(&mut self) {
        let objects = self.server.lock().unwrap().objects.clone();
        let Operator { detectors, owned, pods, models, endpoints, context: _ } = &mut self.operator;
        let label = |object: &Value, name: &str| {
            object["metadata"]["labels"][format!("app.kubernetes.io/{name}")].clone()
        };
        let ours = |plural: &str, are_models: bool| {
            let plural = format!("/{plural}/");
            objects.iter().filter(move |(path, object)| {
                path.contains(&plural)
                    && label(object, "managed-by") == "anomaly-operator"
                    && (label(object, "component") == "model") == are_models
            })
        };
        relist(detectors, objects.iter().filter(|(path, _)| path.contains("/anomalydetectors/")));
        relist(pods, ours("pods", false));
        relist(models, ours("configmaps", true));
        relist(endpoints, ours("endpointslices", false));
        for (kind, writer) in owned {
            relist(writer, ours(&kind.resource().plural, false));
        }
    }

    /// Reconcile the detector as the watches have seen it.
    pub async fn reconcile(&self) -> Result<Action, Error> {
        let pump = ObjectRef::new("pump").within("plant");
        let detector =
            self.operator.context.cache.detectors.get(&pump).expect("the watches were shown the detector");
        reconcile(detector, self.operator.context.clone()).await
    }

    /// Update the watches and reconcile until nothing fails and nothing is written, ten times at most. In
    /// between, the test's clock is advanced, so that a throttled status is written in the end.
    pub async fn settle(&mut self) {
        for _ in 0..10 {
            tokio::time::advance(std::time::Duration::from_secs(5)).await;
            self.see();
            let before = self.server.lock().unwrap().writes;
            let result = self.reconcile().await;
            if result.is_ok() && self.server.lock().unwrap().writes == before {
                return;
            }
        }
        panic!("still not at rest: {:?}", self.calls());
    }

    /// Replace the operator by a new one that has no state of the old one.
    pub fn restart(&mut self) {
        self.restart_with(0);
    }

    /// Restart the operator with this limit on detectors that replace their pods at once.
    pub fn restart_with(&mut self, max_concurrent_rollouts: u16) {
        let leadership = Leadership::without_election();
        self.operator = operator(&self.client, leadership, &self.discovery, max_concurrent_rollouts);
        self.see();
    }

    /// Make another replica the leader.
    pub fn lose_the_lease(&mut self) {
        let other = Candidate::new(
            self.client.clone(),
            Term {
                namespace: "plant".to_owned(),
                name: "operator".to_owned(),
                duration: std::time::Duration::from_secs(15),
            },
            "b".to_owned(),
            Health::default(),
        )
        .leadership();
        self.operator = operator(&self.client, other, &self.discovery, 0);
        self.see();
    }

    /// The calls since the last time, as `VERB resource[/subresource]`.
    pub fn calls(&self) -> Vec<String> {
        std::mem::take(&mut self.server.lock().unwrap().calls)
    }

    /// Return the calls since the last time, without reads.
    pub fn writes(&self) -> Vec<String> {
        self.calls().into_iter().filter(|call| !call.starts_with("GET")).collect()
    }

    /// The owned objects without the fields that differ from run to run.
    pub fn workload(&self) -> BTreeMap<String, Value> {
        let mut objects = self.server.lock().unwrap().objects.clone();
        objects.retain(|path, _| path.ends_with("/pump") && path != DETECTOR);
        for object in objects.values_mut() {
            object["metadata"].as_object_mut().unwrap().remove("resourceVersion");
            object["metadata"].as_object_mut().unwrap().remove("uid");
        }
        objects
    }
}

fn operator(
    client: &Client,
    leadership: Leadership,
    discovery: &Discovery,
    max_concurrent_rollouts: u16,
) -> Operator {
    let (detectors, detectors_writer) = store();
    let (pods, pods_writer) = store();
    let (models, models_writer) = store();
    let watched = Kind::ALL.into_iter().filter(|kind| kind.watched() == *kind);
    let (endpoints, endpoints_writer) = store();
    let owned: BTreeMap<Kind, Writer<DynamicObject>> =
        watched.map(|kind| (kind, Writer::new(kind.resource()))).collect();
    let stores = owned.iter().map(|(kind, writer)| (*kind, writer.as_reader())).collect();
    let reporter = Reporter { controller: "anomaly-operator".to_owned(), instance: Some("test".to_owned()) };
    let cache = Arc::new(Cache::new(detectors, stores, pods, models, endpoints));
    let caches = Caches::default();
    caches.set(vec![cache.clone()]);
    let context = Arc::new(Context {
        shared: Shared {
            client: client.clone(),
            settings: Program::parse_from(["operator", "--detector-image", "registry.example/detector:9"])
                .settings,
            metrics: Metrics::new(),
            leadership,
            pods: pod_client().unwrap(),
            discovery: discovery.clone(),
            health: Health::default(),
            rollouts: Rollouts::new(max_concurrent_rollouts, caches),
        },
        cache,
        recorder: Recorder::new(client.clone(), reporter),
        backoff: Backoff::default(),
        status_throttle: StatusThrottle::default(),
    });
    Operator {
        context,
        detectors: detectors_writer,
        owned,
        pods: pods_writer,
        models: models_writer,
        endpoints: endpoints_writer,
    }
}

fn relist<'a, K>(writer: &mut Writer<K>, objects: impl Iterator<Item = (&'a String, &'a Value)>)
where
    K: kube::Resource<DynamicType: std::hash::Hash + Eq + Clone>
        + Clone
        + serde::de::DeserializeOwned
        + 'static,
{
    writer.apply_watcher_event(&Event::Init);
    for (_, object) in objects {
        writer.apply_watcher_event(&Event::InitApply(serde_json::from_value(object.clone()).unwrap()));
    }
    writer.apply_watcher_event(&Event::InitDone);
}

fn serve(server: Arc<Mutex<Server>>) -> Client {
    let (service, mut handle) = tower_test::mock::pair::<Request<Body>, Response<Body>>();
    tokio::spawn(async move {
        let mut unanswered = VecDeque::new();
        while let Some((request, answer)) = handle.next_request().await {
            let (head, body) = request.into_parts();
            let body = body.collect_bytes().await.unwrap();
            let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
            match server.lock().unwrap().answer(head.method.as_str(), head.uri.path(), body) {
                Some((code, object)) => {
                    let response =
                        Response::builder().status(code).body(Body::from(object.to_string().into_bytes()));
                    answer.send_response(response.unwrap());
                }
                None => unanswered.push_back(answer), // dropping it would be an answer
            }
        }
    });
    Client::new(service, "default")
}

impl Server {
    fn answer(&mut self, verb: &str, path: &str, body: Value) -> Option<(u16, Value)> {
        self.calls.push(format!("{verb} {}", short(path)));
        if verb == "GET" {
            return Some(self.objects.get(path).map_or_else(|| failure(404), |object| (200, object.clone())));
        }
        self.writes += 1;
        match self.faults.get(&self.writes) {
            Some(Fault::Refused(code)) => Some(failure(*code)),
            Some(Fault::Silent) => None,
            Some(Fault::Lost) => {
                self.write(verb, path, body);
                Some(failure(504))
            }
            None => Some(self.write(verb, path, body)),
        }
    }

    fn write(&mut self, verb: &str, path: &str, body: Value) -> (u16, Value) {
        let parent = path.trim_end_matches("/status");
        match verb {
            "POST" if path.ends_with("/events") => (201, body),
            "POST" => {
                let path = format!("{path}/{}", body["metadata"]["name"].as_str().unwrap());
                if self.objects.contains_key(&path) { failure(409) } else { (201, self.store(&path, body)) }
            }
            "DELETE" => self.objects.remove(path).map_or_else(|| failure(404), |object| (200, object)),
            "PATCH" if parent != path && !self.objects.contains_key(parent) => failure(404),
            "PATCH" => {
                let mut object = self.objects.get(parent).cloned().unwrap_or(json!({}));
                merge(&mut object, body);
                (200, self.store(parent, object))
            }
            verb => panic!("the operator has no business with {verb} {path}"),
        }
    }

    fn store(&mut self, path: &str, mut object: Value) -> Value {
        self.version += 1;
        object["metadata"]["resourceVersion"] = json!(self.version.to_string());
        self.objects.insert(path.to_owned(), object.clone());
        object
    }
}

/// A server-side apply, as far as the scenarios need it: fields of other managers stay, lists are replaced,
/// and so is the status.
fn merge(into: &mut Value, from: Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (key, value) in from {
                if key == "status" {
                    into.insert(key, value);
                } else {
                    merge(into.entry(key).or_insert(Value::Null), value);
                }
            }
        }
        (into, from) => *into = from,
    }
}

fn failure(code: u16) -> (u16, Value) {
    let reason = match code {
        404 => "NotFound",
        409 => "AlreadyExists",
        _ => "",
    };
    let status = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": "as scripted", "reason": reason, "code": code});
    (code, status)
}

/// The resource and subresource of a path.
fn short(path: &str) -> String {
    let parts: Vec<&str> = path.split('/').skip_while(|part| *part != "namespaces").skip(2).collect();
    match parts[..] {
        [resource, _, subresource] => format!("{resource}/{subresource}"),
        [resource, ..] => resource.to_owned(),
        [] => path.to_owned(),
    }
}
