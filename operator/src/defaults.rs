//! The operator's defaults for detectors and a spec in, the spec with those defaults filled in out.

use std::collections::BTreeMap;
use std::str::FromStr;

use crd::AnomalyDetectorSpec;
use crd::pod::{ImagePullSecret, Resources};
use k8s_openapi::api::core::v1::Toleration;
use serde::Deserialize;

/// The defaults of detectors. A value in the spec overrides the default; labels are merged.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct DetectorDefaults {
    /// Secrets of the detector's namespace to pull its image with.
    pub image_pull_secrets: Vec<ImagePullSecret>,
    /// Requests and limits.
    pub resources: Option<Resources>,
    /// Labels that a node must have.
    pub node_selector: BTreeMap<String, String>,
    /// Taints to tolerate.
    pub tolerations: Vec<Toleration>,
    /// The PriorityClass of the pods.
    pub priority_class_name: Option<String>,
    /// The RuntimeClass of the pods.
    pub runtime_class_name: Option<String>,
    /// Labels of the ServiceMonitor.
    pub service_monitor_labels: BTreeMap<String, String>,
    /// Labels of the PrometheusRule and its alerts.
    pub prometheus_rule_labels: BTreeMap<String, String>,
}

impl DetectorDefaults {
    /// Fill in what the spec leaves out.
    pub fn fill(&self, spec: &mut AnomalyDetectorSpec) {
        let pod = &mut spec.pod;
        fill_list(&mut pod.image_pull_secrets, &self.image_pull_secrets);
        fill_list(&mut pod.tolerations, &self.tolerations);
        if pod.node_selector.is_empty() {
            pod.node_selector.clone_from(&self.node_selector);
        }
        pod.resources = pod.resources.take().or_else(|| self.resources.clone());
        pod.priority_class_name = pod.priority_class_name.take().or_else(|| self.priority_class_name.clone());
        pod.runtime_class_name = pod.runtime_class_name.take().or_else(|| self.runtime_class_name.clone());
        let monitoring = &mut spec.monitoring;
        fill_labels(&mut monitoring.service_monitor.labels, &self.service_monitor_labels);
        fill_labels(&mut monitoring.prometheus_rule.labels, &self.prometheus_rule_labels);
    }
}

impl FromStr for DetectorDefaults {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        serde_json::from_str(text).map_err(|error| format!("expected a JSON object of defaults: {error}"))
    }
}

fn fill_list<T: Clone>(list: &mut Vec<T>, defaults: &[T]) {
    if list.is_empty() {
        list.extend_from_slice(defaults);
    }
}

fn fill_labels(labels: &mut BTreeMap<String, String>, defaults: &BTreeMap<String, String>) {
    for (name, value) in defaults {
        labels.entry(name.clone()).or_insert_with(|| value.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spec_keeps_its_own_values_and_gets_the_rest() {
        let quickstart =
            crd::manifest::one_detector(include_str!("../../manifests/quickstart.yaml")).unwrap();
        let mut spec = quickstart.spec().clone();
        spec.pod.priority_class_name = Some("high".to_owned());
        spec.monitoring.service_monitor.labels = BTreeMap::from([("release".to_owned(), "mine".to_owned())]);
        let defaults: DetectorDefaults = r#"{
            "imagePullSecrets": [{"name": "registry"}], "priorityClassName": "low", "nodeSelector": {"pool": "a"},
            "resources": {"limits": {"memory": "256Mi"}},
            "serviceMonitorLabels": {"release": "theirs", "team": "plant"}
        }"#
        .parse()
        .unwrap();
        defaults.fill(&mut spec);
        assert_eq!(spec.pod.image_pull_secrets, defaults.image_pull_secrets);
        assert_eq!(
            (spec.pod.node_selector, spec.pod.resources),
            (defaults.node_selector, defaults.resources)
        );
        assert_eq!(spec.pod.priority_class_name.as_deref(), Some("high"));
        let labels = &spec.monitoring.service_monitor.labels;
        assert_eq!((labels["release"].as_str(), labels["team"].as_str()), ("mine", "plant"));
    }

    #[test]
    fn what_is_no_default_is_refused_in_a_sentence() {
        let refused = r#"{"pullSecrets": []}"#.parse::<DetectorDefaults>().unwrap_err();
        assert!(
            refused.starts_with("expected a JSON object of defaults: unknown field `pullSecrets`"),
            "{refused}"
        );
    }
}
