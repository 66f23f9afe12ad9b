//! An AnomalyDetector and the settings in, a [`Plan`] out: everything that the objects of the workload are built from.
//! No cluster is asked and no clock is read.

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

/// Selects what belongs to detectors, of whatever name.
pub const OURS: &str = "app.kubernetes.io/managed-by=anomaly-operator";
/// Of those, the ConfigMaps that hold models.
pub const MODEL: &str = "app.kubernetes.io/component=model";
/// And the rest.
pub const NO_MODEL: &str = "app.kubernetes.io/component!=model";
/// Holds the name of the detector that an object belongs to.
pub const INSTANCE: &str = "app.kubernetes.io/instance";

/// What was asked for, ready to be built.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The detector, every rule kept.
    pub detector: Valid,
    /// Its namespace.
    pub namespace: String,
    /// What makes the cluster clean up after it.
    pub owner: OwnerReference,
    /// The image of the pods.
    pub image: String,
    /// Networks that the pods may connect to although a detector refuses them.
    pub allowed_addresses: Vec<IpNet>,
    /// When nodes pull it.
    pub pull_policy: Option<PullPolicy>,
    /// What is learned, up to when.
    pub history: History,
    /// Pods that there will be: the spec's number; at first one that trains.
    pub replicas: i32,
}

/// What the plan takes over from the workload that is there already.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CurrentState {
    /// The annotations of ConfigMap and Deployment.
    pub annotations: Vec<BTreeMap<String, String>>,
    /// The Deployment's number of pods.
    pub replicas: Option<i32>,
    /// A model is kept, or was found too large for that.
    pub has_model: bool,
}

impl Plan {
    /// Check every rule, and settle what the spec leaves open.
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

    /// The labels of the pods: what selects them, and what tools group by. The version is not among them, so that an
    /// upgrade of the operator alone restarts nothing.
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

    /// The same with labels that people choose. Those by which the operator finds its own are never theirs.
    pub fn metadata_with(&self, labels: &BTreeMap<String, String>) -> ObjectMeta {
        let metadata = self.metadata();
        let mut labels = labels.clone();
        labels.extend(metadata.labels.unwrap_or_default());
        ObjectMeta { labels: Some(labels), ..metadata }
    }
}

/// The reference that has the cluster delete what a detector owns. It blocks: `kubectl delete --cascade=foreground`
/// returns once all of it is gone.
fn owner(detector: &crd::AnomalyDetector) -> OwnerReference {
    let owner = detector.controller_owner_ref(&()).unwrap_or_default();
    OwnerReference { block_owner_deletion: Some(true), ..owner }
}

/// A rule of the cluster alone: on a laptop the same manifest reads files of the working directory.
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

/// The spec's number of pods. Where a model has to be trained and none is kept
/// yet, one pod trains it, and the others begin with what it has learned.
fn replicas(detector: &Valid, current_state: &CurrentState) -> i32 {
    let there = current_state.replicas.unwrap_or(0);
    let trains_first = detector.train().is_some() && !current_state.has_model && there <= 1;
    let asked = detector.spec().replicas;
    if trains_first { asked.min(1) } else { asked }
}

/// The labels by which a detector's pods are found.
pub fn selector(name: &str) -> BTreeMap<String, String> {
    BTreeMap::from([
        ("app.kubernetes.io/name".to_owned(), DETECTOR_LABEL.to_owned()),
        (INSTANCE.to_owned(), name.to_owned()),
    ])
}

/// The same as one string, as `kubectl scale` and autoscalers want it.
pub fn selector_text(name: &str) -> String {
    let pairs = selector(name).into_iter().map(|(key, value)| format!("{key}={value}"));
    pairs.collect::<Vec<_>>().join(",")
}
