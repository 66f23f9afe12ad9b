//! The cache of what the watches have seen, in memory: detectors, the objects that they own, their pods.
//! Reading it makes no call to the API server. Of the ConfigMaps with models only the metadata is cached,
//! because the models would fill the memory.
//!
//! A watch lags behind our own writes. The object that a write returned is used until the watch has moved
//! past the version before the write, so that nothing is written twice.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crd::AnomalyDetector;
use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use k8s_openapi::api::discovery::v1::{Endpoint, EndpointSlice};
use kube::ResourceExt;
use kube::api::DynamicObject;
use kube::core::{DeserializeGuard, PartialObjectMeta};
use kube::runtime::reflector::store::WriterDropped;
use kube::runtime::reflector::{ObjectRef, Store};
use parking_lot::Mutex;
use serde_json::Value;
use tokio::sync::OnceCell;

use crate::plan::INSTANCE;
use crate::resources::Kind;

/// The label of an EndpointSlice with the name of its Service.
const SERVICE_NAME: &str = "kubernetes.io/service-name";

/// A stored detector. One that cannot be parsed is an error of its own and does not affect the others.
pub type Stored = DeserializeGuard<AnomalyDetector>;

/// The metadata of a ConfigMap that holds a model.
pub type ModelObject = PartialObjectMeta<ConfigMap>;

/// What the watches of one namespace, or of the whole cluster, have seen.
pub struct Cache {
    /// Every detector.
    pub detectors: Store<Stored>,
    /// Every object with our label, by kind.
    pub owned: BTreeMap<Kind, Store<DynamicObject>>,
    /// Every pod with our label.
    pub pods: Store<Pod>,
    /// The metadata of every ConfigMap with a model, and of every pointer to a model.
    pub models: Store<ModelObject>,
    /// The EndpointSlices of our Services. [`Cache::ready`] does not wait for them: the operator may lack the
    /// right to watch them, and then the store stays empty.
    pub endpoints: Store<EndpointSlice>,
    written: Mutex<HashMap<Key, Written>>,
    listed: OnceCell<()>,
}

/// The caches of all scopes, for readers outside of the reconciler. They are replaced each time that this
/// process starts to reconcile.
#[derive(Clone, Default)]
pub struct Caches(Arc<Mutex<Vec<Arc<Cache>>>>);

impl Caches {
    /// Replace the caches.
    pub fn set(&self, caches: Vec<Arc<Cache>>) {
        *self.0.lock() = caches;
    }

    /// The caches.
    pub fn get(&self) -> Vec<Arc<Cache>> {
        self.0.lock().clone()
    }
}

/// Kind, namespace and name.
type Key = (String, String, String);

/// Our last write of an object: the resource version before it, and the object that it returned.
struct Written {
    before: String,
    after: Value,
}

impl Cache {
    /// Return a cache over the stores that the watches fill.
    pub fn new(
        detectors: Store<Stored>,
        owned: BTreeMap<Kind, Store<DynamicObject>>,
        pods: Store<Pod>,
        models: Store<ModelObject>,
        endpoints: Store<EndpointSlice>,
    ) -> Self {
        Self { detectors, owned, pods, models, endpoints, written: Mutex::default(), listed: OnceCell::new() }
    }

    /// Wait until every watch has listed its objects once: before that, an object that is absent here may
    /// exist.
    ///
    /// A store wakes only one of the tasks that wait for it (kube's `DelayedInit` keeps one waker), so one
    /// task waits on behalf of all. Otherwise, of several detectors that exist when the operator starts, some
    /// would never be reconciled.
    ///
    /// # Errors
    /// A watch has ended: the operator is stopping.
    pub async fn ready(&self) -> Result<(), WriterDropped> {
        self.listed.get_or_try_init(|| self.all_listed()).await.copied()
    }

    async fn all_listed(&self) -> Result<(), WriterDropped> {
        self.detectors.wait_until_ready().await?;
        self.pods.wait_until_ready().await?;
        self.models.wait_until_ready().await?;
        for store in self.owned.values() {
            store.wait_until_ready().await?;
        }
        Ok(())
    }

    /// An owned object as it was last seen or written, or `None` where no watch has seen it.
    pub fn owned(&self, kind: Kind, namespace: &str, name: &str) -> Option<Value> {
        let reference = ObjectRef::new_with(name, kind.resource()).within(namespace);
        let stored = self.owned.get(&kind.watched())?.get(&reference)?;
        let seen = serde_json::to_value(&*stored).expect("what was JSON is JSON");
        let version = stored.resource_version().unwrap_or_default();
        Some(self.newest(&(kind.name(), namespace.to_owned(), name.to_owned()), &version, seen))
    }

    /// Return namespace and name of the Deployments for which `is_so` holds. It gets the generation and the
    /// object, as last seen or written.
    pub fn deployments_that(&self, is_so: impl Fn(Option<i64>, &Value) -> bool) -> Vec<(String, String)> {
        let stored = self.owned.get(&Kind::Deployment).map(Store::state).unwrap_or_default();
        let written = self.written.lock();
        let kind = Kind::Deployment.name();
        let found = stored.iter().filter_map(|object| {
            let key = (kind.clone(), object.namespace()?, object.name_any());
            let version = object.resource_version().unwrap_or_default();
            let it_is_so = match written.get(&key).filter(|ours| ours.before == version) {
                Some(ours) => is_so(ours.after["metadata"]["generation"].as_i64(), &ours.after),
                None => is_so(object.metadata.generation, &object.data),
            };
            it_is_so.then_some((key.1, key.2))
        });
        found.collect()
    }

    /// The detector's status as it was last seen or written.
    pub fn status(&self, detector: &AnomalyDetector) -> Value {
        let version = detector.resource_version().unwrap_or_default();
        let seen = serde_json::to_value(&detector.status).expect("the types of the API are JSON");
        self.newest(
            &status_key(&detector.namespace().unwrap_or_default(), &detector.name_any()),
            &version,
            seen,
        )
    }

    /// The pods that carry the detector's name, oldest first.
    pub fn pods(&self, namespace: &str, name: &str) -> Vec<Arc<Pod>> {
        let of_detector = |pod: &Pod| {
            pod.namespace().as_deref() == Some(namespace)
                && pod.labels().get(INSTANCE).is_some_and(|n| n == name)
        };
        let mut pods = self.pods.state_filter(of_detector);
        pods.sort_by_key(|pod| (pod.metadata.creation_timestamp.clone(), pod.name_any()));
        pods
    }

    /// The number of ready endpoints of the detector's Service, or `None` where none of its EndpointSlices
    /// has been seen.
    pub fn ready_endpoints(&self, namespace: &str, name: &str) -> Option<usize> {
        let slices = self.endpoints.state_filter(|slice| {
            slice.namespace().as_deref() == Some(namespace)
                && slice.labels().get(SERVICE_NAME).is_some_and(|service| service == name)
        });
        let is_ready = |endpoint: &&Endpoint| {
            endpoint.conditions.as_ref().and_then(|conditions| conditions.ready) != Some(false)
        };
        let of_slice = |slice: &Arc<EndpointSlice>| slice.endpoints.iter().filter(is_ready).count();
        (!slices.is_empty()).then(|| slices.iter().map(of_slice).sum())
    }

    /// The ConfigMaps with the detector's models, its pointer among them, as they were last seen or written.
    pub fn models(&self, namespace: &str, name: &str) -> Vec<Value> {
        let of_detector = |object: &ModelObject| {
            object.namespace().as_deref() == Some(namespace)
                && object.labels().get(INSTANCE).is_some_and(|n| n == name)
        };
        let as_json = |object: &Arc<ModelObject>| {
            let seen = serde_json::to_value(&**object).expect("what was JSON is JSON");
            let key = (Kind::ConfigMap.name(), namespace.to_owned(), object.name_any());
            self.newest(&key, &object.resource_version().unwrap_or_default(), seen)
        };
        self.models.state_filter(of_detector).iter().map(as_json).collect()
    }

    /// Remember what a write of an owned object returned.
    pub fn remember(&self, kind: Kind, namespace: &str, name: &str, before: Option<&str>, after: Value) {
        self.insert((kind.name(), namespace.to_owned(), name.to_owned()), before, after);
    }

    /// Remember the status that was written.
    pub fn remember_status(&self, detector: &AnomalyDetector, after: Value) {
        let key = status_key(&detector.namespace().unwrap_or_default(), &detector.name_any());
        self.insert(key, detector.resource_version().as_deref(), after);
    }

    /// Forget our writes of a detector that is gone. Writes of detectors whose names begin with this name are
    /// forgotten too; for them the version that the watch has seen is used.
    pub fn forget(&self, namespace: &str, name: &str) {
        self.written.lock().retain(|(_, at, of), _| at != namespace || !of.starts_with(name));
    }

    fn newest(&self, key: &Key, version: &str, seen: Value) -> Value {
        let mut written = self.written.lock();
        match written.get(key) {
            Some(ours) if ours.before == version => ours.after.clone(),
            _ => {
                written.remove(key);
                seen
            }
        }
    }

    /// Remember the result of a write. Without a version before it the object was created, and nothing is
    /// remembered: the reader takes its absence from the watch as unknown and reads it from the API server.
    fn insert(&self, key: Key, before: Option<&str>, after: Value) {
        if let Some(before) = before {
            self.written.lock().insert(key, Written { before: before.to_owned(), after });
        }
    }
}

fn status_key(namespace: &str, name: &str) -> Key {
    ("AnomalyDetector".to_owned(), namespace.to_owned(), name.to_owned())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures::stream::{FuturesUnordered, StreamExt};
    use kube::runtime::reflector::store;
    use kube::runtime::watcher::Event;
    use tokio::time::timeout;

    use super::*;

    #[tokio::test]
    async fn all_who_wait_for_the_first_lists_go_on() {
        let (detectors, mut detectors_writer) = store();
        let (pods, mut pods_writer) = store();
        let (models, mut models_writer) = store();
        let (endpoints, _endpoints_writer) = store();
        let cache = Cache::new(detectors, BTreeMap::new(), pods, models, endpoints);
        let waiting: FuturesUnordered<_> = (0..3).map(|_| cache.ready()).collect();
        let waiting = waiting.collect::<Vec<_>>();
        let listing = async {
            tokio::task::yield_now().await; // all wait before anything is listed
            detectors_writer.apply_watcher_event(&Event::InitDone);
            pods_writer.apply_watcher_event(&Event::InitDone);
            models_writer.apply_watcher_event(&Event::InitDone);
        };
        let both = futures::future::join(waiting, listing);
        let (outcomes, ()) = timeout(Duration::from_secs(10), both).await.expect("a waiter never ends");
        assert!(outcomes.iter().all(Result::is_ok));
        assert_eq!(outcomes.len(), 3);
    }
}
