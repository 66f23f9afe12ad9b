//! A plan in, the PrometheusRule with the recording rules and alerts of one detector out: the part of the
//! Prometheus Operator's type that is used here.
//!
//! Replicas see the same readings and would each raise the same alert, so every expression is aggregated over
//! them.

use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::Serialize;

use super::alerts::{self, Rule};
use super::prometheus::{MONITORING, prometheus_duration};
use crate::plan::Plan;

/// The longest evaluation interval, short enough for the `for` of an alert.
const MAX_PERIOD: Duration = Duration::from_mins(1);

/// `monitoring.coreos.com/v1`, kind `PrometheusRule`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PrometheusRule {
    api_version: &'static str,
    kind: &'static str,
    metadata: ObjectMeta,
    /// The rules, in the format of a rules file for promtool.
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

/// The PrometheusRule, or none where the spec asks for none.
pub fn build(plan: &Plan) -> Option<PrometheusRule> {
    let monitoring = &plan.detector.spec().monitoring;
    let period = Duration::from(monitoring.service_monitor.interval).min(MAX_PERIOD);
    monitoring.prometheus_rule.enabled.then(|| PrometheusRule {
        api_version: MONITORING,
        kind: "PrometheusRule",
        metadata: plan.metadata_with(&monitoring.prometheus_rule.labels),
        spec: PrometheusRuleSpec {
            groups: [Group {
                name: format!("anomaly-detector.{}", plan.name()),
                // As often as there are new scrapes, so that no alert waits for longer.
                interval: prometheus_duration(period),
                // The recording rules come first, because the alerts read the series that they record.
                rules: alerts::recordings(plan).into_iter().chain(alerts::alerts(plan)).collect(),
            }],
        },
    })
}
