//! A scripted API server: it keeps what is written to it, notes every call, and fails where a test asks for it. And the
//! operator's view of it, whose watches have seen only what they are shown.

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

/// What is done to a call instead of answering it.
#[derive(Clone, Debug)]
pub enum Fault {
    /// Refused with that code, nothing done.
    Refused(u16),
    /// Done, but the answer is lost.
    Lost,
    /// Never answered.
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

/// The operator and its API server.
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
    /// With one detector, the quickstart called `pump`, which the operator has not seen yet. Without the Prometheus
    /// Operator's kinds.
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

    /// The Prometheus Operator is installed.
    pub fn install_prometheus_operator(&self) {
        self.discovery.found([Kind::ServiceMonitor, Kind::PrometheusRule].into());
    }

    /// Put an object on the server, as somebody else would.
    pub fn put(&self, path: &str, object: Value) {
        let mut server = self.server.lock().unwrap();
        server.store(path, object);
    }

    /// Edit an object on the server, as somebody else would.
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

    /// Have a write fail, counted from here.
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

    /// Show the watches all that is on the server.
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

    /// See and reconcile until nothing fails and nothing is written, ten times at most. In between, the tests' own clock is
    /// advanced: what may wait has been published in the end.
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

    /// The operator ends, and another one starts that knows nothing.
    pub fn restart(&mut self) {
        self.restart_with(0);
    }

    /// The same, where so many detectors may replace their pods at once.
    pub fn restart_with(&mut self, max_concurrent_rollouts: u16) {
        let leadership = Leadership::without_election();
        self.operator = operator(&self.client, leadership, &self.discovery, max_concurrent_rollouts);
        self.see();
    }

    /// Another replica leads.
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

    /// Of those, the ones that write.
    pub fn writes(&self) -> Vec<String> {
        self.calls().into_iter().filter(|call| !call.starts_with("GET")).collect()
    }

    /// The owned objects without what differs from run to run.
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

/// What applying does, as far as the scenarios go: fields of others stay, lists are ours. The status is ours as a whole.
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
