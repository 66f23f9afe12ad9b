//! The prometheus source of the spec: queries that a Prometheus server answers, now and of the past.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use super::limits::Limits;
use crate::Duration;
use crate::names::{BRACKETS_HOLD_IPV6, IS_SERVER, NO_HOST};
use crate::secret::SecretRef;

/// Sensors that are PromQL queries, sent to a Prometheus server or to one with its HTTP API (Thanos, Mimir,
/// VictoriaMetrics). At each interval all of them are evaluated at the same time; the model is trained on
/// their past values.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Prometheus {
    /// The address of the server, with a path prefix if it has one, without /api/v1. The detector's pod
    /// connects to it. Example: http://prometheus-operated.monitoring:9090.
    #[schemars(length(min = 1, max = 2048), regex(pattern = r"^https?://[^\s/?#@]+(/[^\s?#]*)?$"))]
    #[x_kube(validation = Rule::new(IS_SERVER).message(NO_HOST))]
    #[x_kube(validation = Rule::new(BRACKETS_HOLD_IPV6).message("must hold an IPv6 address in its brackets"))]
    pub url: String,

    /// A Secret of the detector's namespace, mounted into its pods and never read by the operator. Its keys:
    /// `token`, or `username` and `password`; `ca.crt`, to trust a private authority; `tls.crt` and
    /// `tls.key`, a client certificate; `headers`, HTTP headers with a line `Name: value` each, such as a
    /// tenant. Each key may be left out. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials_secret_ref: Option<SecretRef>,

    /// How far behind the clock the queries are evaluated, because scraped values are available only some
    /// time later. 0s to 1h. Default: `interval`. Example: 30s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = Rule::new("duration(self) >= duration('0s') && duration(self) <= duration('1h')")
        .message(Message::Expression("'must be between 0s and 1h, got ' + self".into())))]
    pub delay: Option<Duration>,

    /// The sensors, 1 to 128; names are unique over all sources.
    #[schemars(length(min = 1, max = 128))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub sensors: Vec<PrometheusSensor>,
}

/// A sensor that is a query.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct PrometheusSensor {
    /// Its name: a column of the model and the `sensor` label of its metrics. Letters, digits, `_`, `-` and `.`,
    /// a letter first. Example: latency.
    #[schemars(length(min = 1, max = 63), regex(pattern = r"^[A-Za-z][A-Za-z0-9_.-]*$"))]
    pub name: String,

    /// The unit of its readings, for people and for the `unit` label. Default: none. Example: seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub unit: Option<String>,

    /// The PromQL query. Its result is one series or a scalar; several series are refused, no series is a
    /// missing reading. Example: sum(rate(http_requests_total{job="api"}[5m])).
    #[schemars(length(min = 1, max = 8192))]
    pub query: String,

    /// The limits of plausible values of the sensor: a value outside them is missing.
    #[serde(flatten)]
    pub limits: Limits,
}
