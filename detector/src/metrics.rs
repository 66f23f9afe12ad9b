//! Every metric of the detector: names, help and labels, once. Verdicts and predictions in, Prometheus text out.

use std::collections::HashMap;
use std::time::Duration;

use prometheus::core::Collector;
use prometheus::{
    Encoder, GaugeVec, Histogram, HistogramOpts, IntCounter, IntCounterVec, Opts, Registry, TextEncoder,
};

use crd::Valid;
use crd::contract::EventOutcome;
use jiff::Timestamp;

use crate::event::Change;
use crate::model::Model;
use crate::notify;
use crate::reading::Readings;
use crate::verdict::Verdict;
use crate::watch::Outcome;

/// The detector's metrics. Every series has the label `detector`; no label value comes from outside the spec.
pub struct Metrics {
    registry: Registry,
    readings: ReadingMetrics,
    verdicts: VerdictMetrics,
    events: EventMetrics,
    predictions: PredictionMetrics,
    model: ModelMetrics,
    sensors: Vec<SensorLabels>,
}

struct ReadingMetrics {
    sensor_value: GaugeVec,
    last_reading: GaugeVec,
    source_up: GaugeVec,
    total: IntCounterVec,
}

struct VerdictMetrics {
    score: GaugeVec,
    severity: GaugeVec,
    raw_score: GaugeVec,
    contribution: GaugeVec,
    normal: IntCounter,
    anomalous: IntCounter,
    simulation: IntCounterVec,
}

struct EventMetrics {
    alarm: GaugeVec,
    total: IntCounterVec,
    notifications: IntCounterVec,
}

struct PredictionMetrics {
    total: IntCounterVec,
    duration: Histogram,
}

struct ModelMetrics {
    info: GaugeVec,
    trained: GaugeVec,
    training_duration: GaugeVec,
    samples: GaugeVec,
    threshold: GaugeVec,
    expected_alerts: GaugeVec,
    life: LifeMetrics,
}

/// How models come and go.
struct LifeMetrics {
    restore_gap: GaugeVec,
    trainings: IntCounterVec,
    swaps: IntCounterVec,
    rejected: GaugeVec,
    next_training: GaugeVec,
}

/// The label values of one sensor.
struct SensorLabels {
    source: String,
    sensor: String,
    unit: String,
}

/// How a prediction was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// `POST /predict`.
    Predict,
}

impl Protocol {
    /// The value of the `protocol` label.
    pub fn label(self) -> &'static str {
        match self {
            Self::Predict => "predict",
        }
    }
}

/// Makes metrics and registers them.
struct Maker(Registry);

impl Maker {
    fn gauges(&self, name: &str, help: &str, labels: &[&str]) -> GaugeVec {
        self.registered(GaugeVec::new(Opts::new(name, help), labels).expect("a constant name"))
    }

    fn counters(&self, name: &str, help: &str, labels: &[&str]) -> IntCounterVec {
        self.registered(IntCounterVec::new(Opts::new(name, help), labels).expect("a constant name"))
    }

    fn registered<C: Collector + Clone + 'static>(&self, collector: C) -> C {
        self.0.register(Box::new(collector.clone())).expect("constant names are registered once");
        collector
    }
}

impl ReadingMetrics {
    fn new(make: &Maker) -> Self {
        Self {
            sensor_value: make.gauges(
                "anomaly_sensor_value",
                "The sensor's newest reading, in its unit.",
                &["sensor", "unit"],
            ),
            last_reading: make.gauges(
                "anomaly_sensor_last_reading_timestamp_seconds",
                "When the sensor's newest reading was taken, in seconds since the Unix epoch.",
                &["sensor"],
            ),
            source_up: make.gauges(
                "anomaly_source_up",
                "1 while the source gives readings, else 0.",
                &["source"],
            ),
            total: make.counters(
                "anomaly_readings_total",
                "Readings by source and outcome: scored, missing, refused (no model can judge them), dropped (no verdict was made).",
                &["source", "outcome"],
            ),
        }
    }
}

impl VerdictMetrics {
    fn new(make: &Maker) -> Self {
        let total = make.counters(
            "anomaly_verdicts_total",
            "Verdicts on the sensors' readings, by outcome.",
            &["verdict"],
        );
        Self {
            score: make.gauges("anomaly_score", "The newest verdict: 0 is normal, 1 is anomalous.", &[]),
            severity: make.gauges(
                "anomaly_severity",
                "How strange the newest readings are, 0 to 2, higher is stranger: 1 is the border, over 1 is anomalous.",
                &[],
            ),
            raw_score: make.gauges(
                "anomaly_raw_score",
                "The isolation forest's score of the newest readings, over 0 and at most 1, higher is stranger.",
                &[],
            ),
            contribution: make.gauges(
                "anomaly_contribution",
                "The sensor's share in the newest verdict, 0 to 1; the shares of all sensors add up to 1.",
                &["sensor"],
            ),
            normal: total.with_label_values(&["normal"]),
            anomalous: total.with_label_values(&["anomalous"]),
            simulation: make.counters(
                "anomaly_simulation_verdicts_total",
                "Verdicts against the truth that simulated or labelled sources know: the confusion matrix.",
                &["truth", "verdict"],
            ),
        }
    }
}

impl EventMetrics {
    fn new(make: &Maker) -> Self {
        let total = make.counters(
            "anomaly_events_total",
            "Events, which are anomalous verdicts in a row, by outcome: alarmed, too_short, no_peak, cooling_down, quiet. Alarms are counted when they are raised, others at their end.",
            &["outcome"],
        );
        for outcome in EventOutcome::ALL {
            total.with_label_values(&[outcome.label()]);
        }
        let alarm =
            make.gauges("anomaly_alarm", "1 while an event goes on that has raised an alarm, else 0.", &[]);
        let notifications = make.counters(
            "anomaly_notifications_total",
            "Messages to the webhook, by outcome: delivered, failed (refused, or not taken in time), dropped (too many waited).",
            &["outcome"],
        );
        Self { alarm, total, notifications }
    }
}

impl PredictionMetrics {
    fn new(make: &Maker) -> Self {
        let duration = HistogramOpts::new(
            "anomaly_prediction_duration_seconds",
            "Time from a prediction request to its answer.",
        )
        .buckets(vec![1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 5e-3, 2.5e-2, 0.1, 1.0]);
        Self {
            total: make.counters(
                "anomaly_predictions_total",
                "Prediction requests, by protocol and HTTP status code.",
                &["protocol", "code"],
            ),
            duration: make.registered(Histogram::with_opts(duration).expect("constant buckets")),
        }
    }
}

impl ModelMetrics {
    fn new(make: &Maker) -> Self {
        Self {
            info: make.gauges(
                "anomaly_model_info",
                "1, with the digest and origin of the model that serves.",
                &["digest", "origin"],
            ),
            trained: make.gauges(
                "anomaly_model_trained_timestamp_seconds",
                "The time of the newest reading that the model has learned from, in seconds since the Unix epoch.",
                &[],
            ),
            training_duration: make.gauges(
                "anomaly_model_training_duration_seconds",
                "How long the training of the model took; 0 where it was loaded.",
                &[],
            ),
            samples: make.gauges(
                "anomaly_model_samples",
                "How many samples the model has learned from.",
                &[],
            ),
            threshold: make.gauges(
                "anomaly_threshold",
                "The cut: a raw score over it is anomalous. Over 0 and at most 1.",
                &[],
            ),
            expected_alerts: make.gauges(
                "anomaly_model_expected_alerts_per_day",
                "How many anomalous verdicts a day to expect on readings like those that the model was trained on.",
                &[],
            ),
            life: LifeMetrics::new(make),
        }
    }
}

impl LifeMetrics {
    fn new(make: &Maker) -> Self {
        let metrics = Self {
            restore_gap: make.gauges(
                "anomaly_restore_gap_seconds",
                "The time before the first reading of which the model's memory knows nothing, since another process was there; 0 where all was restored.",
                &[],
            ),
            trainings: make.counters(
                "anomaly_trainings_total",
                "Trainings that this process has ended, by outcome: done, failed.",
                &["outcome"],
            ),
            swaps: make.counters(
                "anomaly_model_swaps_total",
                "How often a model has taken over from another one in this process.",
                &[],
            ),
            rejected: make.gauges(
                "anomaly_model_rejected",
                "1 while a model that is wanted, loaded, stored or pinned, cannot serve, else 0.",
                &[],
            ),
            next_training: make.gauges(
                "anomaly_model_next_training_timestamp_seconds",
                "When the next training is due, in seconds since the Unix epoch; absent if never.",
                &[],
            ),
        };
        for outcome in ["done", "failed"] {
            metrics.trainings.with_label_values(&[outcome]);
        }
        metrics.swaps.with_label_values::<&str>(&[]);
        alone(&metrics.rejected).set(0.0);
        metrics
    }
}

impl Metrics {
    /// All metrics of a detector, at their beginnings.
    ///
    /// # Panics
    /// Never: the names are constant and distinct.
    pub fn new(detector: &Valid) -> Self {
        let labels = HashMap::from([("detector".to_owned(), detector.name())]);
        let make = Maker(Registry::new_custom(None, Some(labels)).expect("a registry without a prefix"));
        let metrics = Self {
            readings: ReadingMetrics::new(&make),
            verdicts: VerdictMetrics::new(&make),
            events: EventMetrics::new(&make),
            predictions: PredictionMetrics::new(&make),
            model: ModelMetrics::new(&make),
            sensors: Vec::new(),
            registry: make.0,
        };
        metrics.with_sensors(detector)
    }

    /// Create the series that the spec bounds, so that rates start at 0 and not at the first event.
    fn with_sensors(mut self, detector: &Valid) -> Self {
        if detector.spec().notify.is_some() {
            for outcome in notify::Outcome::ALL {
                self.notification(outcome, 0);
            }
        }
        for source in detector.sources() {
            self.readings.source_up.with_label_values(&[&source.name]).set(0.0);
            for outcome in ["scored", "missing", "refused", "dropped"] {
                self.readings.total.with_label_values(&[source.name.as_str(), outcome]);
            }
        }
        self.sensors = detector
            .sensors()
            .map(|sensor| SensorLabels {
                source: sensor.source.to_owned(),
                sensor: sensor.name.to_owned(),
                unit: sensor.unit.unwrap_or_default().to_owned(),
            })
            .collect();
        self
    }

    /// A source gives readings, or does not.
    pub fn source(&self, name: &str, up: bool) {
        self.readings.source_up.with_label_values(&[name]).set(f64::from(u8::from(up)));
    }

    /// What an instant's readings were, and what became of them.
    pub fn readings(&self, readings: &Readings, outcome: &Outcome) {
        let seconds = readings.time.as_duration().as_secs_f64();
        for (labels, value) in self.sensors.iter().zip(&readings.values) {
            let outcome = match (value, outcome) {
                (None, _) => "missing",
                (Some(value), _) if forest::samples::cell(*value).is_none() => "refused",
                (_, Outcome::Verdict(_)) => "scored",
                (_, Outcome::Missing | Outcome::TooEarly | Outcome::Unjudgeable(_)) => "dropped",
            };
            self.readings.total.with_label_values(&[labels.source.as_str(), outcome]).inc();
            if let Some(value) = value {
                self.readings.sensor_value.with_label_values(&[&labels.sensor, &labels.unit]).set(*value);
                self.readings.last_reading.with_label_values(&[&labels.sensor]).set(seconds);
            }
        }
    }

    /// The newest verdict.
    pub fn verdict(&self, verdict: &Verdict) {
        let judgement = &verdict.judgement;
        alone(&self.verdicts.score).set(f64::from(u8::from(judgement.anomalous)));
        alone(&self.verdicts.severity).set(judgement.severity);
        alone(&self.verdicts.raw_score).set(judgement.score);
        for (labels, share) in self.sensors.iter().zip(&judgement.contributions) {
            self.verdicts.contribution.with_label_values(&[&labels.sensor]).set(*share);
        }
        if judgement.anomalous {
            self.verdicts.anomalous.inc();
        } else {
            self.verdicts.normal.inc();
        }
        if let Some(faults) = &verdict.truth {
            let truth = if faults.is_empty() { "normal" } else { "anomalous" };
            let said = if judgement.anomalous { "anomalous" } else { "normal" };
            self.verdicts.simulation.with_label_values(&[truth, said]).inc();
        }
    }

    /// What the newest verdict did to the events, and whether one goes on that has raised an alarm.
    pub fn event(&self, change: Option<&Change>, alarm: bool) {
        alone(&self.events.alarm).set(f64::from(u8::from(alarm)));
        let counted = match change {
            Some(Change::Alarmed(event)) => event.outcome,
            Some(Change::Ended(event)) if event.outcome != EventOutcome::Alarmed => event.outcome,
            Some(Change::Ended(_)) | None => return,
        };
        self.events.total.with_label_values(&[counted.label()]).inc();
    }

    /// What came of so many messages to the webhook.
    pub fn notification(&self, outcome: notify::Outcome, count: u64) {
        self.events.notifications.with_label_values(&[outcome.label()]).inc_by(count);
    }

    /// A prediction was answered.
    pub fn prediction(&self, protocol: Protocol, code: u16, took: Duration) {
        self.predictions.total.with_label_values(&[protocol.label(), &code.to_string()]).inc();
        self.predictions.duration.observe(took.as_secs_f64());
    }

    /// Another model serves.
    pub fn model(&self, model: &Model, trained_in: Duration, after_another: bool) {
        let report = model.report();
        self.model.info.reset();
        self.model.info.with_label_values(&[report.digest.as_str(), model.origin()]).set(1.0);
        alone(&self.model.trained).set(report.trained_at.as_duration().as_secs_f64());
        alone(&self.model.training_duration).set(trained_in.as_secs_f64());
        alone(&self.model.samples).set(report.samples as f64);
        alone(&self.model.threshold).set(report.threshold);
        self.model.expected_alerts.reset();
        if let Some(expected) = model.expected_alerts_per_day() {
            alone(&self.model.expected_alerts).set(expected);
        }
        if after_another {
            self.model.life.swaps.with_label_values::<&str>(&[]).inc();
        }
    }

    /// A training has ended.
    pub fn training(&self, done: bool) {
        let outcome = if done { "done" } else { "failed" };
        self.model.life.trainings.with_label_values(&[outcome]).inc();
    }

    /// When the next training is due.
    pub fn next_training(&self, next: Option<Timestamp>) {
        let gauge = &self.model.life.next_training;
        match next {
            Some(next) => alone(gauge).set(next.as_duration().as_secs_f64()),
            None => gauge.reset(),
        }
    }

    /// How much of the past is not known.
    pub fn restored(&self, gap: Duration) {
        alone(&self.model.life.restore_gap).set(gap.as_secs_f64());
    }

    /// Whether a wanted model cannot serve.
    pub fn rejected(&self, rejected: bool) {
        alone(&self.model.life.rejected).set(f64::from(u8::from(rejected)));
    }

    /// The Prometheus text format.
    pub fn text(&self) -> String {
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut text).expect("writing to memory");
        String::from_utf8(text).expect("the text format is UTF-8")
    }
}

/// The one series of a gauge without labels. It does not exist before it is set: no verdict is not verdict 0.
fn alone(gauge: &GaugeVec) -> prometheus::Gauge {
    gauge.with_label_values::<&str>(&[])
}
