//! Detectors, the objects that they own and their pods in, reconciles out: what is watched, and which events
//! trigger a reconcile.

/// The reconcile of one detector.
pub mod reconcile;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::{Stream, StreamExt, TryStreamExt};
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::api::discovery::v1::{Endpoint, EndpointSlice};
use kube::api::DynamicObject;
use kube::core::NamespaceResourceScope;
use kube::runtime::controller::{Action, Error as ControllerError};
use kube::runtime::events::Recorder;
use kube::runtime::reflector::{ObjectRef, Store, store, store::Writer};
use kube::runtime::utils::{Backoff as WatchBackoff, StreamBackoff};
use kube::runtime::watcher::{Config as WatchConfig, Event};
use kube::runtime::{Config, Controller, Predicate, PredicateConfig, WatchStreamExt, predicates, watcher};
use kube::{Api, Client, Resource, ResourceExt};
use tracing::{debug, error, info, warn};

use crate::client::backoff::{Backoff, jittered};
use crate::client::cache::{Cache, ModelObject, Stored};
use crate::client::context::{Context, Shared};
use crate::client::discovery::Events;
use crate::client::error::Error;
use crate::client::status_throttle::StatusThrottle;
use crate::controller::reconcile::{key, reconcile};
use crate::models::revisions::changes_model;
use crate::plan::{INSTANCE, MODEL, NO_MODEL, OURS};
use crate::resources::Kind;
use crate::status::events;

/// The watches of one namespace, or of the whole cluster, and the reconciler that they trigger.
pub struct Scope {
    namespace: Option<String>,
    context: Arc<Context>,
    detectors: Writer<Stored>,
    owned: BTreeMap<Kind, Writer<DynamicObject>>,
    pods: Writer<Pod>,
    models: Writer<ModelObject>,
    endpoints: Writer<EndpointSlice>,
}

impl Scope {
    /// Return the scope of one namespace, or of all of them. Nothing is watched yet.
    pub fn new(namespace: Option<String>, shared: Shared) -> Self {
        let (detectors, detectors_writer) = store();
        let (pods, pods_writer) = store();
        let (models, models_writer) = store();
        let (endpoints, endpoints_writer) = store();
        let watched = Kind::ALL.into_iter().filter(|kind| kind.watched() == *kind);
        let owned: BTreeMap<_, _> = watched.map(|kind| (kind, Writer::new(kind.resource()))).collect();
        let stores: BTreeMap<_, Store<_>> =
            owned.iter().map(|(kind, writer)| (*kind, writer.as_reader())).collect();
        let context = Arc::new(Context {
            recorder: Recorder::new(shared.client.clone(), events::reporter(&shared.settings)),
            shared,
            cache: Arc::new(Cache::new(detectors, stores, pods, models, endpoints)),
            backoff: Backoff::default(),
            status_throttle: StatusThrottle::default(),
        });
        Self {
            namespace,
            context,
            detectors: detectors_writer,
            owned,
            pods: pods_writer,
            models: models_writer,
            endpoints: endpoints_writer,
        }
    }

    /// The cache of what the watches have seen.
    pub fn cache(&self) -> Arc<Cache> {
        self.context.cache.clone()
    }

    /// Watch and reconcile until `stop` completes. Reconciles that are running then are finished.
    pub async fn run(self, stop: impl Future<Output = ()> + Send + Sync + 'static) {
        let Self { namespace, context, detectors, owned, pods, models, endpoints } = self;
        let client = &context.shared.client;
        let settings = Config::default().concurrency(context.shared.settings.concurrency);
        let mut controller = watch_detectors(&context, api(client, namespace.as_deref()), detectors)
            .with_config(settings)
            .trigger_backoff(NoWait);
        for (kind, writer) in owned {
            let labels = if kind == Kind::ConfigMap { format!("{OURS},{NO_MODEL}") } else { OURS.to_owned() };
            let events = context.shared.discovery.watch(
                kind,
                owned_api(client, namespace.as_deref(), kind),
                WatchConfig::default().labels(&labels),
            );
            controller = watch_owned(controller, &context, kind, events, writer);
        }
        controller = watch_pods(controller, &context, api(client, namespace.as_deref()), pods)
            .reconcile_all_on(context.shared.discovery.changes());
        controller = watch_models(controller, &context, api(client, namespace.as_deref()), models);
        controller = watch_endpoints(controller, &context, api(client, namespace.as_deref()), endpoints);
        let outcomes = controller.graceful_shutdown_on(stop).run(reconcile, try_again, context.clone());
        outcomes.for_each(|outcome| async { report(&context, outcome) }).await;
    }
}

/// The first and the longest wait of a watch that has failed: an API server that recovers is seen within
/// seconds.
const FIRST_WATCH_WAIT: Duration = Duration::from_millis(500);
const MAX_WATCH_WAIT: Duration = Duration::from_secs(5);

/// The next wait of a watch that has failed, twice as long each time.
struct WatchWait(Duration);

impl Iterator for WatchWait {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        let wait = self.0;
        self.0 = (wait * 2).min(MAX_WATCH_WAIT);
        Some(jittered(wait, rand::random()))
    }
}

impl WatchBackoff for WatchWait {
    fn reset(&mut self) {
        self.0 = FIRST_WATCH_WAIT;
    }
}

/// No wait after an error in the merged stream of all watches: each watch waits for itself, and an error of one must not
/// make the others wait.
struct NoWait;

impl Iterator for NoWait {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        Some(Duration::ZERO)
    }
}

impl WatchBackoff for NoWait {
    fn reset(&mut self) {}
}

/// Retry a watch soon after each failure, and report its failures.
fn retried<K: 'static>(
    ctx: &Arc<Context>,
    kind: &str,
    is_needed: bool,
    events: impl Stream<Item = watcher::Result<Event<K>>> + Send + 'static,
) -> impl Stream<Item = watcher::Result<Event<K>>> + Send + 'static {
    let (failed, seen) = ((ctx.clone(), kind.to_owned()), (ctx.clone(), kind.to_owned()));
    StreamBackoff::new(events, WatchWait(FIRST_WATCH_WAIT))
        .inspect_err(move |error| {
            let (ctx, kind) = &failed;
            ctx.shared.metrics.watch_errors.with_label_values(&[kind]).inc();
            if ctx.shared.health.watch_failed(kind, error.to_string(), is_needed) {
                warn!(kind, %error, "a watch failed and is retried");
            }
        })
        .inspect_ok(move |_| {
            let (ctx, kind) = &seen;
            if ctx.shared.health.watch_recovered(kind) {
                info!(kind, "the watch has recovered");
            }
        })
}

/// Watch detectors. Edits of the spec, annotations and finalizers trigger a reconcile; our own status does
/// not.
fn watch_detectors(ctx: &Arc<Context>, api: Api<Stored>, writer: Writer<Stored>) -> Controller<Stored> {
    let reader = writer.as_reader();
    let events =
        watcher(api, WatchConfig::default()).modify(|detector| detector.managed_fields_mut().clear());
    let stream =
        retried(ctx, "AnomalyDetector", true, events).reflect(writer).touched_objects().predicate_filter(
            predicates::generation.combine(predicates::annotations).combine(predicates::finalizers),
            PredicateConfig::default(),
        );
    Controller::for_stream(stream, reader)
}

/// Watch the owned objects of a kind. Every change of one triggers a reconcile of the detector that it
/// belongs to.
fn watch_owned(
    controller: Controller<Stored>,
    ctx: &Arc<Context>,
    kind: Kind,
    events: Events,
    writer: Writer<DynamicObject>,
) -> Controller<Stored> {
    let events = events.modify(|object| object.managed_fields_mut().clear());
    let stream = retried(ctx, &kind.name(), !kind.is_optional(), events).reflect(writer).touched_objects();
    controller.watches_stream_with(
        stream,
        |object| {
            let name = object.labels().get(INSTANCE).cloned().unwrap_or_else(|| object.name_any());
            detector_called(&name, &object)
        },
        kind.resource(),
    )
}

/// Watch the pods of detectors. Every change triggers a reconcile. Of a pod the cache keeps all but its spec
/// and managed fields.
fn watch_pods(
    controller: Controller<Stored>,
    ctx: &Arc<Context>,
    api: Api<Pod>,
    writer: Writer<Pod>,
) -> Controller<Stored> {
    let events = watcher(api, WatchConfig::default().labels(OURS)).modify(|pod| {
        pod.managed_fields_mut().clear();
        pod.spec = None;
    });
    let stream = retried(ctx, "Pod", true, events).reflect(writer).touched_objects();
    controller.watches_stream(stream, |pod| {
        let name = pod.labels().get(INSTANCE)?;
        detector_called(name, &pod)
    })
}

/// Watch the EndpointSlices of our Services, which carry the labels of the Service. Every change triggers a
/// reconcile. Of an endpoint the cache keeps only its conditions.
fn watch_endpoints(
    controller: Controller<Stored>,
    ctx: &Arc<Context>,
    api: Api<EndpointSlice>,
    writer: Writer<EndpointSlice>,
) -> Controller<Stored> {
    let events = watcher(api, WatchConfig::default().labels(OURS)).modify(|slice| {
        slice.managed_fields_mut().clear();
        for endpoint in &mut slice.endpoints {
            *endpoint = Endpoint { conditions: endpoint.conditions.take(), ..Endpoint::default() };
        }
    });
    let stream = retried(ctx, "EndpointSlice", false, events).reflect(writer).touched_objects();
    controller.watches_stream(stream, |slice| {
        let name = slice.labels().get(INSTANCE)?;
        detector_called(name, &slice)
    })
}

/// Watch the ConfigMaps of models. Every change triggers a reconcile. The API server sends only the metadata,
/// so that the models never fill the memory. Managed fields are kept where they show that another writer has
/// changed the model itself.
fn watch_models(
    controller: Controller<Stored>,
    ctx: &Arc<Context>,
    api: Api<ModelObject>,
    writer: Writer<ModelObject>,
) -> Controller<Stored> {
    let events = watcher(api, WatchConfig::default().labels(&format!("{OURS},{MODEL}")))
        .modify(|object| object.managed_fields_mut().retain(changes_model));
    let stream = retried(ctx, "model ConfigMap", true, events).reflect(writer).touched_objects();
    controller.watches_stream(stream, |object| {
        let name = object.labels().get(INSTANCE)?;
        detector_called(name, &object)
    })
}

fn detector_called<K: Resource>(name: &str, object: &K) -> Option<ObjectRef<Stored>> {
    Some(ObjectRef::new(name).within(&object.namespace()?))
}

fn api<K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>>(
    client: &Client,
    namespace: Option<&str>,
) -> Api<K> {
    match namespace {
        Some(namespace) => Api::namespaced(client.clone(), namespace),
        None => Api::all(client.clone()),
    }
}

fn owned_api(client: &Client, namespace: Option<&str>, kind: Kind) -> Api<DynamicObject> {
    match namespace {
        Some(namespace) => Api::namespaced_with(client.clone(), namespace, &kind.resource()),
        None => Api::all_with(client.clone(), &kind.resource()),
    }
}

/// The longest wait after a failure of the API server, which may recover at any time.
const MAX_UNAVAILABLE_WAIT: Duration = Duration::from_secs(5);

/// Log a failed reconcile, here and nowhere else, and retry it, with a longer wait each time.
#[allow(clippy::needless_pass_by_value, reason = "the signature is the controller's")]
fn try_again(detector: Arc<Stored>, error: &Error, ctx: Arc<Context>) -> Action {
    let (namespace, name) = key(&detector);
    let wait = ctx.backoff.failed((namespace.clone(), name.clone()));
    let wait = if error.is_unavailable() { wait.min(MAX_UNAVAILABLE_WAIT) } else { wait };
    match error {
        Error::NotLeading | Error::Stopping => debug!(namespace, name, %error, "stopped"),
        Error::Call { .. } | Error::Deadline { .. } => {
            error!(namespace, name, %error, retry_seconds = wait.as_secs(), "could not reconcile");
        }
    }
    Action::requeue(wait)
}

fn report(
    ctx: &Context,
    outcome: Result<(ObjectRef<Stored>, Action), ControllerError<Error, watcher::Error>>,
) {
    match outcome {
        Ok(_) | Err(ControllerError::ReconcilerFailed(..)) => {} // logged already
        Err(ControllerError::ObjectNotFound(gone)) => {
            let (namespace, name) = (gone.namespace.clone().unwrap_or_default(), gone.name.clone());
            ctx.cache.forget(&namespace, &name);
            let key = (namespace, name);
            ctx.backoff.reset(&key);
            ctx.status_throttle.forget(&key);
        }
        Err(ControllerError::QueueError(error)) => debug!(%error, "a watch was interrupted"), // logged already
        Err(ControllerError::RunnerError(error)) => error!(%error, "the watches have ended"),
    }
}
