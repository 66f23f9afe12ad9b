//! What is watched, and what is looked at again when: detectors, everything they own, and their pods.

/// All of it, for one detector.
pub mod reconcile;

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::StreamExt;
use k8s_openapi::api::core::v1::Pod;
use kube::api::DynamicObject;
use kube::core::NamespaceResourceScope;
use kube::runtime::controller::{Action, Error as ControllerError};
use kube::runtime::events::Recorder;
use kube::runtime::reflector::{ObjectRef, Store, store, store::Writer};
use kube::runtime::watcher::Config as WatchConfig;
use kube::runtime::{Config, Controller, Predicate, PredicateConfig, WatchStreamExt, predicates, watcher};
use kube::{Api, Client, Resource, ResourceExt};
use tracing::{debug, error, warn};

use crate::client::backoff::Backoff;
use crate::client::cache::{Cache, ModelObject, Stored};
use crate::client::context::Context;
use crate::client::discovery::{Discovery, Events};
use crate::client::error::Error;
use crate::client::lease::Leadership;
use crate::controller::reconcile::{key, reconcile};
use crate::models::revisions::changes_model;
use crate::plan::{INSTANCE, MODEL, NO_MODEL, OURS};
use crate::resources::Kind;
use crate::serving::metrics::Metrics;
use crate::settings::Settings;
use crate::status::events;
use crate::status::throttle::Pace;

/// The watches of one namespace, or of the whole cluster, and the reconciler that they wake.
pub struct Scope {
    namespace: Option<String>,
    context: Arc<Context>,
    detectors: Writer<Stored>,
    owned: BTreeMap<Kind, Writer<DynamicObject>>,
    pods: Writer<Pod>,
    models: Writer<ModelObject>,
}

impl Scope {
    /// For one namespace, or for all of them. Nothing is watched yet.
    pub fn new(
        namespace: Option<String>,
        client: &Client,
        settings: &Settings,
        metrics: &Metrics,
        leadership: &Leadership,
        pods_client: &reqwest::Client,
        discovery: &Discovery,
    ) -> Self {
        let (detectors, detectors_writer) = store();
        let (pods, pods_writer) = store();
        let (models, models_writer) = store();
        let watched = Kind::ALL.into_iter().filter(|kind| kind.watched() == *kind);
        let owned: BTreeMap<_, _> = watched.map(|kind| (kind, Writer::new(kind.resource()))).collect();
        let stores: BTreeMap<_, Store<_>> =
            owned.iter().map(|(kind, writer)| (*kind, writer.as_reader())).collect();
        let context = Arc::new(Context {
            client: client.clone(),
            settings: settings.clone(),
            cache: Arc::new(Cache::new(detectors, stores, pods, models)),
            metrics: metrics.clone(),
            recorder: Recorder::new(client.clone(), events::reporter(settings)),
            leadership: leadership.clone(),
            pods: pods_client.clone(),
            discovery: discovery.clone(),
            backoff: Backoff::default(),
            pace: Pace::default(),
        });
        Self {
            namespace,
            context,
            detectors: detectors_writer,
            owned,
            pods: pods_writer,
            models: models_writer,
        }
    }

    /// What its watches have seen.
    pub fn cache(&self) -> Arc<Cache> {
        self.context.cache.clone()
    }

    /// Watch and reconcile until told to stop; what is being reconciled then is finished.
    pub async fn run(self, stop: impl Future<Output = ()> + Send + Sync + 'static) {
        let Self { namespace, context, detectors, owned, pods, models } = self;
        let client = &context.client;
        let settings = Config::default().concurrency(context.settings.concurrency);
        let mut controller =
            watch_detectors(api(client, namespace.as_deref()), detectors).with_config(settings);
        for (kind, writer) in owned {
            let labels = if kind == Kind::ConfigMap { format!("{OURS},{NO_MODEL}") } else { OURS.to_owned() };
            let events = context.discovery.watch(
                kind,
                owned_api(client, namespace.as_deref(), kind),
                WatchConfig::default().labels(&labels),
            );
            controller = watch_owned(controller, kind, events, writer);
        }
        controller = watch_pods(controller, api(client, namespace.as_deref()), pods)
            .reconcile_all_on(context.discovery.changes());
        controller = watch_models(controller, api(client, namespace.as_deref()), models);
        let outcomes = controller.graceful_shutdown_on(stop).run(reconcile, try_again, context.clone());
        outcomes.for_each(|outcome| async { report(&context, outcome) }).await;
    }
}

/// Edits of the spec and of annotations wake the reconciler; our own status does not.
fn watch_detectors(api: Api<Stored>, writer: Writer<Stored>) -> Controller<Stored> {
    let reader = writer.as_reader();
    let stream = watcher(api, WatchConfig::default())
        .modify(|detector| detector.managed_fields_mut().clear())
        .default_backoff()
        .reflect(writer)
        .touched_objects()
        .predicate_filter(
            predicates::generation.combine(predicates::annotations).combine(predicates::finalizers),
            PredicateConfig::default(),
        );
    Controller::for_stream(stream, reader)
}

/// Whatever happens to an object of ours wakes the reconciler of the detector that it belongs to.
fn watch_owned(
    controller: Controller<Stored>,
    kind: Kind,
    events: Events,
    writer: Writer<DynamicObject>,
) -> Controller<Stored> {
    let stream = events
        .modify(|object| object.managed_fields_mut().clear())
        .default_backoff()
        .reflect(writer)
        .touched_objects();
    controller.watches_stream_with(
        stream,
        |object| {
            let name = object.labels().get(INSTANCE).cloned().unwrap_or_else(|| object.name_any());
            detector_called(&name, &object)
        },
        kind.resource(),
    )
}

/// So does a pod. Of pods only name, labels and status are kept.
fn watch_pods(controller: Controller<Stored>, api: Api<Pod>, writer: Writer<Pod>) -> Controller<Stored> {
    let stream = watcher(api, WatchConfig::default().labels(OURS))
        .modify(|pod| {
            pod.managed_fields_mut().clear();
            pod.spec = None;
        })
        .default_backoff()
        .reflect(writer)
        .touched_objects();
    controller.watches_stream(stream, |pod| {
        let name = pod.labels().get(INSTANCE)?;
        detector_called(name, &pod)
    })
}

/// So does a model that is kept. Of models only the metadata is ever sent: a list of them all is never held. Who manages
/// their fields is kept where that gives away that somebody else has changed one.
fn watch_models(
    controller: Controller<Stored>,
    api: Api<ModelObject>,
    writer: Writer<ModelObject>,
) -> Controller<Stored> {
    let stream = watcher(api, WatchConfig::default().labels(&format!("{OURS},{MODEL}")))
        .modify(|object| object.managed_fields_mut().retain(changes_model))
        .default_backoff()
        .reflect(writer)
        .touched_objects();
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

/// A failure is told once, here, and tried again, later each time.
#[allow(clippy::needless_pass_by_value, reason = "the signature is the controller's")]
fn try_again(detector: Arc<Stored>, error: &Error, ctx: Arc<Context>) -> Action {
    let (namespace, name) = key(&detector);
    let wait = ctx.backoff.failed((namespace.clone(), name.clone()));
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
        Ok(_) | Err(ControllerError::ReconcilerFailed(..)) => {} // told already
        Err(ControllerError::ObjectNotFound(gone)) => {
            let (namespace, name) = (gone.namespace.clone().unwrap_or_default(), gone.name.clone());
            ctx.cache.forget(&namespace, &name);
            let key = (namespace, name);
            ctx.backoff.reset(&key);
            ctx.pace.forget(&key);
        }
        Err(ControllerError::QueueError(error)) => warn!(%error, "a watch was interrupted; it goes on"),
        Err(ControllerError::RunnerError(error)) => error!(%error, "the watches have ended"),
    }
}
