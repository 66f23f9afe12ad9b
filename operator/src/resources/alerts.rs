//! A plan in, its recording rules and alerts out. `docs/runbooks.md` says how to respond to each alert.

use std::collections::BTreeMap;
use std::time::Duration;

use crd::valid::Retrain;
use serde::Serialize;

use super::prometheus::prometheus_duration;
use crate::plan::Plan;

/// The URL of `docs/runbooks.md`.
const RUNBOOKS: &str = "https://github.com/anomaly-operator/anomaly-operator/blob/main/docs/runbooks.md";
/// The series with the alarms of the last hour.
const ALARMS_PER_HOUR: &str = "detector:anomaly_events_alarmed:increase1h";
/// The series with the anomalous verdicts of the last hour.
const ANOMALIES_PER_HOUR: &str = "detector:anomaly_verdicts_anomalous:increase1h";
/// How long a problem must last before an alert fires, so that a rollout does not cause one.
const PATIENCE: Duration = Duration::from_mins(5);
/// The severity of alerts about the detector rather than the sensors.
const WARNING: &str = "warning";

/// A rule that Prometheus evaluates: a recording rule or an alert.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Rule {
    /// A recording rule: a series that is computed from others.
    Recording {
        /// The name of the series, `level:metric:operation`.
        record: &'static str,
        /// The expression that computes it.
        expr: String,
    },
    /// An alert.
    Alert {
        /// Its name.
        alert: &'static str,
        /// The expression under which the alert is active.
        expr: String,
        /// For how long the expression must hold; left out where the alert fires at once.
        #[serde(rename = "for", skip_serializing_if = "Option::is_none")]
        for_: Option<String>,
        /// The labels by which Alertmanager routes the alert.
        labels: BTreeMap<String, String>,
        /// The summary and description of the alert.
        annotations: BTreeMap<&'static str, String>,
    },
}

/// The fields that differ from alert to alert.
struct Alert {
    name: &'static str,
    expr: String,
    for_: Duration,
    severity: &'static str,
    summary: &'static str,
    description: String,
}

/// The recording rules: the alarms and the anomalous verdicts of the last hour.
pub fn recordings(plan: &Plan) -> [Rule; 2] {
    let of = selector(plan);
    let increase = |record, series: &str| Rule::Recording {
        record,
        expr: format!("max by (namespace, detector) (increase({series}[1h]))"),
    };
    [
        increase(ALARMS_PER_HOUR, &format!(r#"anomaly_events_total{{{of},outcome="alarmed"}}"#)),
        increase(ANOMALIES_PER_HOUR, &format!(r#"anomaly_verdicts_total{{{of},verdict="anomalous"}}"#)),
    ]
}

/// Every alert that can fire for the plan's detector.
pub fn alerts(plan: &Plan) -> Vec<Rule> {
    let always =
        [anomaly_detected, anomaly_burst, alarm_budget_exceeded, source_disconnected, model_rejected]
            .map(|alert| alert(plan));
    let sometimes =
        [detector_down, sensor_stale, sensor_fault, model_stale].into_iter().filter_map(|alert| alert(plan));
    always.into_iter().chain(sometimes).map(|alert| alert.rule(plan)).collect()
}

impl Alert {
    fn rule(self, plan: &Plan) -> Rule {
        let rule_spec = &plan.detector.spec().monitoring.prometheus_rule;
        let mut labels = rule_spec.labels.clone();
        labels.insert("severity".to_owned(), self.severity.to_owned());
        let runbooks = rule_spec.runbook_url.as_deref().unwrap_or(RUNBOOKS);
        Rule::Alert {
            alert: self.name,
            expr: self.expr,
            for_: (!self.for_.is_zero()).then(|| prometheus_duration(self.for_)),
            labels,
            annotations: BTreeMap::from([
                ("summary", self.summary.to_owned()),
                ("description", self.description),
                ("runbook_url", format!("{runbooks}#{}", self.name.to_lowercase())),
            ]),
        }
    }
}

/// The label matchers that select the detector's series.
fn selector(plan: &Plan) -> String {
    format!(r#"namespace="{}",detector="{}""#, plan.namespace, plan.name())
}

/// A window of four scrape intervals: one or two scrapes may fail, and the increase of a counter is still
/// seen.
fn window(plan: &Plan) -> String {
    prometheus_duration(Duration::from(plan.detector.spec().monitoring.service_monitor.interval) * 4)
}

/// An anomaly. An alarm that began and ended between two scrapes is detected by its counter. Where the rule
/// sets `for`, such a short alarm does not matter, and the counter is not used.
fn anomaly_detected(plan: &Plan) -> Alert {
    let (of, window, rule_spec) =
        (selector(plan), window(plan), &plan.detector.spec().monitoring.prometheus_rule);
    let for_ = Duration::from(rule_spec.for_);
    let lasting = format!("max by (namespace, detector) (anomaly_alarm{{{of}}}) > 0");
    let brief = format!(
        r#"max by (namespace, detector) (increase(anomaly_events_total{{{of},outcome="alarmed"}}[{window}])) > 0"#
    );
    let shares = format!("topk(3, max by (sensor) (max_over_time(anomaly_contribution{{{of}}}[{window}])))");
    Alert {
        name: "AnomalyDetected",
        expr: if for_.is_zero() { format!("{lasting} or {brief}") } else { lasting },
        for_,
        severity: rule_spec.severity.label(),
        summary: "{{ $labels.namespace }}/{{ $labels.detector }} detects an anomaly.",
        description: format!(
            "The sensors with the largest shares in the last {window}:\
             {{{{ range query `{shares}` }}}} {{{{ .Labels.sensor }}}} {{{{ .Value | humanizePercentage }}}}{{{{ end }}}}."
        ),
    }
}

/// More than ten alarms in an hour, and more than three times as many as the threshold promises.
fn anomaly_burst(plan: &Plan) -> Alert {
    let of = selector(plan);
    let alarms = format!("{ALARMS_PER_HOUR}{{{of}}}");
    let expected =
        format!("max by (namespace, detector) (anomaly_model_expected_alerts_per_day{{{of}}}) / 24");
    Alert {
        name: "AnomalyBurst",
        expr: format!("{alarms} > 10 unless {alarms} <= 3 * {expected}"),
        for_: Duration::ZERO,
        severity: plan.detector.spec().monitoring.prometheus_rule.severity.label(),
        summary: "{{ $labels.namespace }}/{{ $labels.detector }} raises many alarms.",
        description:
            "It has raised {{ $value | humanize }} alarms in the last hour: either something is wrong with what it watches, or its normal behaviour has changed and the model no longer fits."
                .to_owned(),
    }
}

/// Far more alarms than the threshold promises. The ratio is measured over the last hour or over the time in
/// which one alarm is promised. A single event does not keep it over the limit for an hour.
fn alarm_budget_exceeded(plan: &Plan) -> Alert {
    let of = selector(plan);
    let shares = format!("topk(3, max by (sensor) (anomaly_alarm_rate_contribution{{{of}}}))");
    Alert {
        name: "AlarmBudgetExceeded",
        expr: format!("max by (namespace, detector) (anomaly_alarm_rate_ratio{{{of}}}) > 5"),
        for_: Duration::from_hours(1),
        severity: WARNING,
        summary: "{{ $labels.namespace }}/{{ $labels.detector }} raises far more alarms than its threshold promises.",
        description: format!(
            "{{{{ $value | humanize }}}} times as many as promised, with these shares of the sensors:\
             {{{{ range query `{shares}` }}}} {{{{ .Labels.sensor }}}} {{{{ .Value | humanizePercentage }}}}{{{{ end }}}}."
        ),
    }
}

/// No metrics from any replica. A detector always exports whether its sources give readings, whatever its
/// state. There is no alert where the spec asks for no pods.
fn detector_down(plan: &Plan) -> Option<Alert> {
    (plan.replicas > 0).then(|| Alert {
        name: "DetectorDown",
        expr: format!("absent(anomaly_source_up{{{}}})", selector(plan)),
        for_: PATIENCE,
        severity: WARNING,
        summary: "{{ $labels.namespace }}/{{ $labels.detector }} is not there.",
        description: "Prometheus gets metrics from none of its replicas: its sensors are not watched."
            .to_owned(),
    })
}

/// A sensor without new readings. Recorded sources have no such alert, because their readings carry times of
/// the past.
fn sensor_stale(plan: &Plan) -> Option<Alert> {
    let is_live = plan.detector.sources().iter().any(|source| !source.kind.paces_itself());
    let limit = (Duration::from(plan.detector.spec().interval) * 3).max(PATIENCE).as_secs();
    is_live.then(|| Alert {
        name: "SensorStale",
        expr: format!(
            "time() - max by (namespace, detector, sensor) (anomaly_sensor_last_reading_timestamp_seconds{{{}}}) > {limit}",
            selector(plan)
        ),
        for_: Duration::ZERO,
        severity: plan.detector.spec().monitoring.prometheus_rule.severity.label(),
        summary: "{{ $labels.namespace }}/{{ $labels.detector }}: sensor {{ $labels.sensor }} is silent.",
        description: "Its newest reading is {{ $value | humanizeDuration }} old.".to_owned(),
    })
}

/// A faulty sensor. A fault that began and ended between two scrapes is detected by its counter.
fn sensor_fault(plan: &Plan) -> Option<Alert> {
    let has_limits = plan.detector.sensors().any(|sensor| sensor.limits.is_set());
    let (of, window) = (selector(plan), window(plan));
    let by = "max by (namespace, detector, sensor, fault)";
    has_limits.then(|| Alert {
        name: "SensorFault",
        expr: format!(
            "{by} (anomaly_sensor_fault{{{of}}}) > 0 or {by} (increase(anomaly_sensor_events_total{{{of}}}[{window}])) > 0"
        ),
        for_: Duration::ZERO,
        severity: plan.detector.spec().monitoring.prometheus_rule.severity.label(),
        summary: "{{ $labels.namespace }}/{{ $labels.detector }}: sensor {{ $labels.sensor }} is faulty: {{ $labels.fault }}.",
        description: "It gives readings that its limits in the spec rule out. The model does not see them: the sensor, not what it \
                      measures, needs attention."
            .to_owned(),
    })
}

/// A source without readings. One replica without them is enough, because all replicas should see the same.
fn source_disconnected(plan: &Plan) -> Alert {
    Alert {
        name: "SourceDisconnected",
        expr: format!("min by (namespace, detector, source) (anomaly_source_up{{{}}}) == 0", selector(plan)),
        for_: PATIENCE,
        severity: WARNING,
        summary: "{{ $labels.namespace }}/{{ $labels.detector }}: source {{ $labels.source }} gives no readings.",
        description:
            "At least one replica receives no readings from it; the detector's condition SourcesConnected says why."
                .to_owned(),
    }
}

/// A replica cannot serve the model that it should serve.
fn model_rejected(plan: &Plan) -> Alert {
    Alert {
        name: "ModelRejected",
        expr: format!("max by (namespace, detector) (anomaly_model_rejected{{{}}}) > 0", selector(plan)),
        for_: Duration::from_mins(1),
        severity: WARNING,
        summary: "{{ $labels.namespace }}/{{ $labels.detector }} cannot serve the requested model.",
        description: "It keeps serving the previous model; the detector's condition ModelReady says why."
            .to_owned(),
    }
}

/// A model whose retraining is overdue. One that is pinned or trained once may be of any age.
fn model_stale(plan: &Plan) -> Option<Alert> {
    let (of, retrain) = (selector(plan), plan.detector.retrain()?);
    let is_pinned = plan.detector.spec().model.pinned_digest.is_some();
    let expr = match retrain {
        Retrain::Interval(interval) => {
            let limit = (Duration::from(*interval) * 2).as_secs();
            format!(
                "time() - min by (namespace, detector) (anomaly_model_data_end_timestamp_seconds{{{of}}}) > {limit}"
            )
        }
        Retrain::Schedule { .. } => {
            let trainings = |outcome| {
                format!(
                    r#"max by (namespace, detector) (increase(anomaly_trainings_total{{{of},outcome="{outcome}"}}[1d])) > 0"#
                )
            };
            format!("{} unless {}", trainings("failed"), trainings("done"))
        }
    };
    (!is_pinned).then(|| Alert {
        name: "ModelStale",
        expr,
        for_: PATIENCE,
        severity: WARNING,
        summary: "{{ $labels.namespace }}/{{ $labels.detector }} has a model whose retraining is overdue.",
        description: "The serving model is older than the spec allows; the detector's log says why."
            .to_owned(),
    })
}
