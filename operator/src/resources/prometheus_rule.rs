//! A plan in, the PrometheusRule out, with the recording rules and alerts of one detector: the part of the Prometheus
//! Operator's type that is used here.
//!
//! Replicas see the same and would each raise the same alert: every expression is aggregated over them.

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::Serialize;

use super::{alerts, prometheus_duration};
use crate::plan::Plan;

/// The longest time between two evaluations: what an alert's `for` needs.
const LONGEST_PERIOD: Duration = Duration::from_mins(1);

/// `monitoring.coreos.com/v1`, kind `PrometheusRule`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PrometheusRule {
    api_version: &'static str,
    kind: &'static str,
    metadata: ObjectMeta,
    /// What promtool calls a file of rules.
    pub spec: PrometheusRuleSpec,
}

/// Groups of rules.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PrometheusRuleSpec {
    groups: [Group; 1],
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct Group {
    name: String,
    interval: String,
    rules: Vec<Rule>,
}

/// What is computed from metrics: a series that is recorded, or an alert.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Rule {
    /// A series under a name of its own.
    Recording {
        /// Its name, `level:metric:operation`.
        record: &'static str,
        /// How it is computed.
        expr: String,
    },
    /// An alert.
    Alert {
        /// Its name.
        alert: &'static str,
        /// When it is so.
        expr: String,
        /// For how long it must be so; left out where it fires at once.
        #[serde(rename = "for", skip_serializing_if = "Option::is_none")]
        for_: Option<String>,
        /// What it is routed by.
        labels: BTreeMap<String, String>,
        /// What people are told.
        annotations: BTreeMap<&'static str, String>,
    },
}

/// The PrometheusRule, or none where the spec asks for none.
pub fn build(plan: &Plan) -> Option<PrometheusRule> {
    let monitoring = &plan.detector.spec().monitoring;
    let period = Duration::from(monitoring.service_monitor.interval).min(LONGEST_PERIOD);
    monitoring.prometheus_rule.enabled.then(|| PrometheusRule {
        api_version: super::MONITORING,
        kind: "PrometheusRule",
        metadata: plan.metadata_with(&monitoring.prometheus_rule.labels),
        spec: PrometheusRuleSpec {
            groups: [Group {
                name: format!("anomaly-detector.{}", plan.name()),
                // As often as there is something new, so that no alert waits for longer.
                interval: prometheus_duration(period),
                // In this order: the alerts read what was recorded.
                rules: alerts::recordings(plan).into_iter().chain(alerts::alerts(plan)).collect(),
            }],
        },
    })
}
