//! Readings, verdicts, events, predictions and models in, Prometheus text out.

/// The number and the durations of answered predictions.
mod predictions;
/// All metrics, with their names, help texts and labels.
mod series;

use std::collections::HashMap;
use std::time::Duration;

use crd::Valid;
use crd::contract::EventOutcome;
use jiff::Timestamp;
use prometheus::{Encoder, Registry, TextEncoder};

use self::predictions::PredictionMetrics;
pub use self::predictions::Protocol;
use self::series::{EventMetrics, Maker, ModelMetrics, ReadingMetrics, Series, VerdictMetrics, alone};
use crate::alerting::event::Change;
use crate::alerting::notify;
use crate::alerting::sensor_event::SensorChange;
use crate::ingest::reading::Readings;
use crate::ingest::sensor_check::Fault;
use crate::ingest::status::Counters;
use crate::model::model::Model;
use crate::scoring::alarm_rate::AlarmRate;
use crate::scoring::calibration::{Calibration, Totals};
use crate::scoring::verdict::Verdict;

/// The detector's metrics. Every series has the label `detector`; no label value comes from outside the spec.
pub struct Metrics {
    registry: Registry,
    readings: ReadingMetrics,
    verdicts: VerdictMetrics,
    events: EventMetrics,
    predictions: PredictionMetrics,
    model: ModelMetrics,
    sensors: Vec<SensorMetrics>,
}

/// The series of one sensor.
struct SensorMetrics {
    value: Series,
    last_reading: Series,
    contribution: Series,
    alarm_rate_contribution: Series,
}

impl Metrics {
    /// All metrics of a detector, at their initial values.
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

    /// Create the series whose labels the spec defines, so that rates start at 0 and not at the first event.
    fn with_sensors(mut self, detector: &Valid) -> Self {
        for notification in &detector.spec().notifications {
            for outcome in notify::DeliveryOutcome::ALL {
                self.notification(&notification.name, outcome, 0);
            }
        }
        for sensor in detector.sensors().filter(|sensor| sensor.limits.is_set()) {
            for fault in Fault::ALL {
                self.sensor_fault(sensor.name, fault, false);
            }
        }
        let series = |sensor: crd::valid::SensorRef<'_>| SensorMetrics {
            value: Series::of(&self.readings.sensor_value, &[sensor.name, sensor.unit.unwrap_or_default()]),
            last_reading: Series::of(&self.readings.last_reading, &[sensor.name]),
            contribution: Series::of(&self.verdicts.contribution, &[sensor.name]),
            alarm_rate_contribution: Series::of(&self.events.alarm_rate_contribution, &[sensor.name]),
        };
        self.sensors = detector.sensors().map(series).collect();
        self
    }

    /// The counters of a source, at 0.
    pub fn counters(&self, source: &str) -> Counters {
        let of = |outcome: &str| self.readings.total.with_label_values(&[source, outcome]);
        Counters {
            up: self.readings.source_up.with_label_values(&[source]),
            arrived: self.readings.arrived.with_label_values(&[source]),
            scored: of("scored"),
            missing: of("missing"),
            refused: of("refused"),
            dropped: of("dropped"),
        }
    }

    /// Record the sensors' readings at an instant.
    pub fn readings(&self, readings: &Readings) {
        let seconds = readings.time.as_duration().as_secs_f64();
        for (sensor, value) in self.sensors.iter().zip(&readings.values) {
            if let Some(value) = value {
                sensor.value.set(*value);
                sensor.last_reading.set(seconds);
            }
        }
    }

    /// Record the newest verdict.
    pub fn verdict(&self, verdict: &Verdict) {
        let judgement = &verdict.judgement;
        self.verdicts.score.set(f64::from(u8::from(judgement.anomalous)));
        self.verdicts.severity.set(judgement.severity);
        self.verdicts.raw_score.set(judgement.score);
        for (sensor, share) in self.sensors.iter().zip(&judgement.contributions) {
            sensor.contribution.set(*share);
        }
        if judgement.anomalous {
            self.verdicts.anomalous.inc();
        } else {
            self.verdicts.normal.inc();
        }
        if let Some(faults) = &verdict.truth {
            let truth = if faults.is_empty() { "normal" } else { "anomalous" };
            let verdict = if judgement.anomalous { "anomalous" } else { "normal" };
            self.verdicts.simulation.with_label_values(&[truth, verdict]).inc();
        }
    }

    /// Record what the newest verdict has changed in the events, and whether there is an ongoing event that
    /// has raised an alarm.
    pub fn event(&self, change: Option<&Change>, alarm: bool) {
        self.events.alarm.set(f64::from(u8::from(alarm)));
        let counted = match change {
            Some(Change::Alarmed(event)) => event.outcome,
            Some(Change::Ended(event)) if event.outcome != EventOutcome::Alarmed => event.outcome,
            Some(Change::Ended(_)) | None => return,
        };
        self.events.total.with_label_values(&[counted.label()]).inc();
    }

    /// Record that a sensor's fault has started or ended.
    pub fn sensor_event(&self, change: &SensorChange) {
        match change {
            SensorChange::Began(_, fault, event) => self.sensor_fault(&event.sensor, *fault, true),
            SensorChange::Ended(_, fault, event) => self.sensor_fault(&event.sensor, *fault, false),
        }
    }

    fn sensor_fault(&self, sensor: &str, fault: Fault, began: bool) {
        let labels = ["sensor", sensor, fault.label()];
        self.events.sensor_fault.with_label_values(&labels).set(f64::from(u8::from(began)));
        self.events.sensor_total.with_label_values(&labels).inc_by(u64::from(began));
    }

    /// Count messages to a receiver of notifications by their outcome.
    pub fn notification(&self, name: &str, outcome: notify::DeliveryOutcome, count: u64) {
        self.events.notifications.with_label_values(&[name, outcome.label()]).inc_by(count);
    }

    /// Record a prediction that was answered.
    pub fn prediction(&self, protocol: Protocol, code: u16, took: Duration) {
        self.predictions.count(protocol, code, took);
    }

    /// Record that another model serves.
    pub fn model(&self, model: &Model, trained_in: Duration, after_another: bool) {
        self.model.info.reset();
        self.model.info.with_label_values(&[&**model.digest(), model.origin()]).set(1.0);
        self.model.trained.reset();
        if let Some(trained_at) = model.trained_at() {
            alone(&self.model.trained).set(trained_at.as_duration().as_secs_f64());
        }
        alone(&self.model.data_end).set(model.data_end_time().as_duration().as_secs_f64());
        alone(&self.model.training_duration).set(trained_in.as_secs_f64());
        alone(&self.model.samples).set(model.samples() as f64);
        self.model.expected_alerts.reset();
        if let Some(expected) = model.expected_alerts_per_day() {
            alone(&self.model.expected_alerts).set(expected);
        }
        if after_another {
            self.model.life.swaps.with_label_values::<&str>(&[]).inc();
        }
    }

    /// Record the threshold after a reading, and its calibration if it follows the scores.
    pub fn threshold(&self, threshold: f64, calibration: Option<&Calibration>) {
        self.model.threshold.set(threshold);
        let Some(calibration) = calibration else { return };
        let Totals { promised, realised, .. } = calibration.totals();
        let metrics = &self.model.calibration;
        metrics.shift.set(calibration.shift());
        for (counter, total) in [(&metrics.promised, promised), (&metrics.realised, realised)] {
            let counter = counter.with_label_values::<&str>(&[]);
            // A new promise is counted from 0, as after a restart.
            if total < counter.get() {
                counter.reset();
            }
            counter.inc_by(total - counter.get());
        }
    }

    /// Record how the current alarm rate compares with what the threshold promises.
    pub fn alarm_rate(&self, alarm_rate: Option<&AlarmRate>) {
        let Some(alarm_rate) = alarm_rate else { return };
        self.events.alarm_rate.set(alarm_rate.ratio());
        for (sensor, share) in self.sensors.iter().zip(alarm_rate.shares()) {
            sensor.alarm_rate_contribution.set(share);
        }
    }

    /// Count a training that has ended.
    pub fn training(&self, done: bool) {
        let outcome = if done { "done" } else { "failed" };
        self.model.life.trainings.with_label_values(&[outcome]).inc();
    }

    /// Record when the next training is due; none if never.
    pub fn next_training(&self, next: Option<Timestamp>) {
        let gauge = &self.model.life.next_training;
        match next {
            Some(next) => alone(gauge).set(next.as_duration().as_secs_f64()),
            None => gauge.reset(),
        }
    }

    /// Record the gap in the model's memory of readings after a restart.
    pub fn restored(&self, gap: Duration) {
        alone(&self.model.life.restore_gap).set(gap.as_secs_f64());
    }

    /// Record whether a requested model cannot serve.
    pub fn rejected(&self, rejected: bool) {
        alone(&self.model.life.rejected).set(f64::from(u8::from(rejected)));
    }

    /// Count a rejected model: a requested one, or a model file that was stored for the detector.
    pub fn rejection(&self) {
        self.model.life.rejections.with_label_values::<&str>(&[]).inc();
    }

    /// Count instants that passed without a look at their readings.
    pub fn skipped(&self, instants: u64) {
        self.readings.skipped.with_label_values::<&str>(&[]).inc_by(instants);
    }

    /// Write all metrics in the Prometheus text format.
    pub fn text(&self) -> String {
        self.predictions.add_up();
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut text).expect("writing to memory");
        String::from_utf8(text).expect("the text format is UTF-8")
    }
}
