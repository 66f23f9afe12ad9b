//! An AnomalyDetector and the settings in, a `Plan` out: all values that the objects of the workload are
//! built from. Pure: no call to the cluster, and the time is an argument.

/// The end of the history to learn from.
pub mod history;

use std::collections::BTreeMap;

use crd::contract::{DATA_DIRECTORY, DETECTOR_LABEL, FIELD_MANAGER};
use crd::valid::Invalid;
use crd::{Valid, Violation};
use ipnet::IpNet;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use kube::{Resource, ResourceExt};

use crate::plan::history::History;
use crate::settings::{PullPolicy, Settings};

/// The label selector for objects of all detectors.
pub const OURS: &str = "app.kubernetes.io/managed-by=anomaly-operator";
/// The label selector for ConfigMaps that hold models.
pub const MODEL: &str = "app.kubernetes.io/component=model";
/// The label selector for objects that hold no model.
pub const NO_MODEL: &str = "app.kubernetes.io/component!=model";
/// The label with the name of the detector that an object belongs to.
pub const INSTANCE: &str = "app.kubernetes.io/instance";

/// The desired workload of a detector, ready to be built.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The detector, checked against every rule.
    pub detector: Valid,
    /// The namespace of the detector.
    pub namespace: String,
    /// The owner reference, by which the cluster deletes the workload together with the detector.
    pub owner: OwnerReference,
    /// The image of the pods.
    pub image: String,
    /// Networks that the pods may connect to although a detector refuses them.
    pub allowed_addresses: Vec<IpNet>,
    /// When nodes pull the image.
    pub pull_policy: Option<PullPolicy>,
    /// The recipe of the model, and the end of the history that it learns from.
    pub history: History,
    /// The number of pods: the spec's, but one until a first model is trained.
    pub replicas: i32,
}

/// The state of the existing workload that a new plan takes over.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CurrentState {
    /// The annotations of ConfigMap and Deployment.
    pub annotations: Vec<BTreeMap<String, String>>,
    /// The Deployment's number of pods.
    pub replicas: Option<i32>,
    /// Whether a model is stored, or was found too large for that.
    pub has_model: bool,
}

impl Plan {
    /// Check every rule, and choose values for the fields that the spec leaves open.
    ///
    /// # Errors
    /// Every rule that the spec breaks.
    pub fn new(
        detector: &crd::AnomalyDetector,
        current_state: &CurrentState,
        settings: &Settings,
        now: Timestamp,
    ) -> Result<Self, Invalid> {
        let mut filled = detector.clone();
        settings.detector_defaults.fill(&mut filled.spec);
        let valid = Valid::new(filled)?;
        reads_from_a_volume(&valid)?;
        Ok(Self {
            namespace: detector.namespace().unwrap_or_default(),
            owner: owner(detector),
            image: settings.detector_image.clone(),
            allowed_addresses: settings.detector_allow_address.clone(),
            pull_policy: settings.detector_image_pull_policy,
            history: History::new(&valid, &current_state.annotations, now),
            replicas: replicas(&valid, current_state),
            detector: valid,
        })
    }

    /// The name of the detector and of everything that belongs to it.
    pub fn name(&self) -> String {
        self.detector.name()
    }

    /// The labels by which the pods are found. They never change: a Deployment's selector cannot.
    pub fn selector(&self) -> BTreeMap<String, String> {
        selector(&self.name())
    }

    /// The labels of the pods: those that select them, and those that tools group by. The version is not
    /// among them, so that an upgrade of the operator alone does not restart pods.
    pub fn pod_labels(&self) -> BTreeMap<String, String> {
        let mut labels = self.selector();
        labels.extend(
            [("component", "detector"), ("part-of", "anomaly-operator"), ("managed-by", FIELD_MANAGER)]
                .map(|(key, value)| (format!("app.kubernetes.io/{key}"), value.to_owned())),
        );
        labels
    }

    /// Name, labels and owner of an object of the workload.
    pub fn metadata(&self) -> ObjectMeta {
        let mut labels = self.pod_labels();
        labels.insert("app.kubernetes.io/version".to_owned(), env!("CARGO_PKG_VERSION").to_owned());
        ObjectMeta {
            name: Some(self.name()),
            namespace: Some(self.namespace.clone()),
            labels: Some(labels),
            owner_references: Some(vec![self.owner.clone()]),
            ..ObjectMeta::default()
        }
    }

    /// The same metadata with more labels, which the user chose. They never override the labels by which the
    /// operator finds its objects.
    pub fn metadata_with(&self, labels: &BTreeMap<String, String>) -> ObjectMeta {
        let metadata = self.metadata();
        let mut labels = labels.clone();
        labels.extend(metadata.labels.unwrap_or_default());
        ObjectMeta { labels: Some(labels), ..metadata }
    }
}

/// The owner reference by which the cluster deletes the objects of a detector. It blocks the deletion of the
/// owner: `kubectl delete --cascade=foreground` returns once all objects are gone.
fn owner(detector: &crd::AnomalyDetector) -> OwnerReference {
    let owner = detector.controller_owner_ref(&()).unwrap_or_default();
    OwnerReference { block_owner_deletion: Some(true), ..owner }
}

/// Check a rule that holds on a cluster only: a source that reads files needs a volume. On a laptop the same
/// manifest reads files of the working directory.
fn reads_from_a_volume(detector: &Valid) -> Result<(), Invalid> {
    let reads = detector.sources().iter().any(|source| source.kind.paces_itself());
    let mut mounts = detector.spec().pod.volume_mounts.iter().map(|mount| &mount.mount_path);
    let is_data = |path: &String| path == DATA_DIRECTORY || path.starts_with(&format!("{DATA_DIRECTORY}/"));
    if !reads || mounts.any(is_data) {
        return Ok(());
    }
    let message = format!(
        "a csv source needs a volume that is mounted at {DATA_DIRECTORY}, or below: add it to pod.volumes and pod.volumeMounts"
    );
    Err(Invalid(vec![Violation::new("spec.pod.volumeMounts", message)]))
}

/// The number of pods that the spec asks for. Where a model has to be trained and none is stored yet, one pod
/// trains it, and the other pods start with that model.
fn replicas(detector: &Valid, current_state: &CurrentState) -> i32 {
    let there = current_state.replicas.unwrap_or(0);
    let trains_first = detector.train().is_some() && !current_state.has_model && there <= 1;
    let specified = detector.spec().replicas;
    if trains_first { specified.min(1) } else { specified }
}

/// The labels by which a detector's pods are found.
pub fn selector(name: &str) -> BTreeMap<String, String> {
    BTreeMap::from([
        ("app.kubernetes.io/name".to_owned(), DETECTOR_LABEL.to_owned()),
        (INSTANCE.to_owned(), name.to_owned()),
    ])
}

/// The same labels as one string, as `kubectl scale` and autoscalers expect it.
pub fn selector_text(name: &str) -> String {
    let pairs = selector(name).into_iter().map(|(key, value)| format!("{key}={value}"));
    pairs.collect::<Vec<_>>().join(",")
}
