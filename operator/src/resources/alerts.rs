//! A plan in, its recording rules and alerts out. What each alert asks of people is in `docs/runbooks.md`.

use std::collections::BTreeMap;
use std::time::Duration;

use crd::valid::Retrain;
use serde::Serialize;

use super::prometheus::prometheus_duration;
use crate::plan::Plan;

/// Where `docs/runbooks.md` is read.
const RUNBOOKS: &str = "https://github.com/anomaly-operator/anomaly-operator/blob/main/docs/runbooks.md";
/// Alarms an hour.
const ALARMS_PER_HOUR: &str = "detector:anomaly_events_alarmed:increase1h";
/// Anomalous verdicts an hour.
const ANOMALIES_PER_HOUR: &str = "detector:anomaly_verdicts_anomalous:increase1h";
/// How long something must be out of order until an alert fires, so that a rollout raises none.
const PATIENCE: Duration = Duration::from_mins(5);
/// The severity of alerts about the detector rather than the sensors.
const WARNING: &str = "warning";

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
        /// The summary and description of the alert.
        annotations: BTreeMap<&'static str, String>,
    },
}

/// What differs from alert to alert.
struct Alert {
    name: &'static str,
    expr: String,
    for_: Duration,
    severity: &'static str,
    summary: &'static str,
    description: String,
}

/// The anomalies of the last hour, as alarms and as verdicts.
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

/// Every alert that can fire for such a detector.
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
        let asked = &plan.detector.spec().monitoring.prometheus_rule;
        let mut labels = asked.labels.clone();
        labels.insert("severity".to_owned(), self.severity.to_owned());
        let runbooks = asked.runbook_url.as_deref().unwrap_or(RUNBOOKS);
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

/// The labels of the detector's series.
fn selector(plan: &Plan) -> String {
    format!(r#"namespace="{}",detector="{}""#, plan.namespace, plan.name())
}

/// Four scrapes: one or two may fail, and a counter's step is still seen.
fn window(plan: &Plan) -> String {
    prometheus_duration(Duration::from(plan.detector.spec().monitoring.service_monitor.interval) * 4)
}

/// An alarm that began and ended between two scrapes is seen by its count. Where an anomaly must last for a while
/// first, it cannot have been that short.
fn anomaly_detected(plan: &Plan) -> Alert {
    let (of, window, asked) =
        (selector(plan), window(plan), &plan.detector.spec().monitoring.prometheus_rule);
    let for_ = Duration::from(asked.for_);
    let lasting = format!("max by (namespace, detector) (anomaly_alarm{{{of}}}) > 0");
    let brief = format!(
        r#"max by (namespace, detector) (increase(anomaly_events_total{{{of},outcome="alarmed"}}[{window}])) > 0"#
    );
    let shares = format!("topk(3, max by (sensor) (max_over_time(anomaly_contribution{{{of}}}[{window}])))");
    Alert {
        name: "AnomalyDetected",
        expr: if for_.is_zero() { format!("{lasting} or {brief}") } else { lasting },
        for_,
        severity: asked.severity.label(),
        summary: "{{ $labels.namespace }}/{{ $labels.detector }} sees an anomaly.",
        description: format!(
            "The sensors with the largest shares in the last {window}:\
             {{{{ range query `{shares}` }}}} {{{{ .Labels.sensor }}}} {{{{ .Value | humanizePercentage }}}}{{{{ end }}}}."
        ),
    }
}

/// More than ten alarms, and three times as many as the threshold lets expect.
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
        summary: "{{ $labels.namespace }}/{{ $labels.detector }} raises alarm after alarm.",
        description:
            "It has raised {{ $value | humanize }} alarms in the last hour: either what it watches is in \
                      trouble, or it has changed for good and the model no longer fits."
                .to_owned(),
    }
}

/// The ratio is over as long as one alarm is promised for: that it stays so for an hour is no single event.
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
            "{{{{ $value | humanize }}}} times as many as promised come, by the shares of the sensors in them:\
             {{{{ range query `{shares}` }}}} {{{{ .Labels.sensor }}}} {{{{ .Value | humanizePercentage }}}}{{{{ end }}}}."
        ),
    }
}

/// A detector always exports whether its sources give readings, whatever else it is doing. None is missed where none
/// was asked for.
fn detector_down(plan: &Plan) -> Option<Alert> {
    (plan.replicas > 0).then(|| Alert {
        name: "DetectorDown",
        expr: format!("absent(anomaly_source_up{{{}}})", selector(plan)),
        for_: PATIENCE,
        severity: WARNING,
        summary: "{{ $labels.namespace }}/{{ $labels.detector }} is not there.",
        description: "Prometheus gets metrics from none of its replicas: nobody watches its sensors."
            .to_owned(),
    })
}

/// A recording has the times of its past, so that it says nothing of now.
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

/// A fault that began and ended between two scrapes is seen by its count.
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

/// One replica without readings is enough: they are to see the same.
fn source_disconnected(plan: &Plan) -> Alert {
    Alert {
        name: "SourceDisconnected",
        expr: format!("min by (namespace, detector, source) (anomaly_source_up{{{}}}) == 0", selector(plan)),
        for_: PATIENCE,
        severity: WARNING,
        summary: "{{ $labels.namespace }}/{{ $labels.detector }}: source {{ $labels.source }} gives no readings.",
        description:
            "At least one replica gets nothing from it; the detector's condition SourcesConnected says why."
                .to_owned(),
    }
}

/// A wanted model cannot be served.
fn model_rejected(plan: &Plan) -> Alert {
    Alert {
        name: "ModelRejected",
        expr: format!("max by (namespace, detector) (anomaly_model_rejected{{{}}}) > 0", selector(plan)),
        for_: Duration::from_mins(1),
        severity: WARNING,
        summary: "{{ $labels.namespace }}/{{ $labels.detector }} cannot serve the model that it was given.",
        description: "It goes on with the model before; the detector's condition ModelReady says why."
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
        description: "The model that serves is older than the spec wants it; the detector's log says why."
            .to_owned(),
    })
}
