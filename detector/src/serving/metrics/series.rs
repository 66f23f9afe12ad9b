//! A registry in; every metric in it, with its name, help and labels, out.

use std::sync::OnceLock;

use crd::contract::EventOutcome;
use prometheus::core::Collector;
use prometheus::{CounterVec, Gauge, GaugeVec, IntCounter, IntCounterVec, Opts, Registry};

pub(super) struct ReadingMetrics {
    pub(super) sensor_value: GaugeVec,
    pub(super) last_reading: GaugeVec,
    pub(super) source_up: GaugeVec,
    pub(super) arrived: IntCounterVec,
    pub(super) total: IntCounterVec,
    pub(super) skipped: IntCounterVec,
}

pub(super) struct VerdictMetrics {
    pub(super) score: Series,
    pub(super) severity: Series,
    pub(super) raw_score: Series,
    pub(super) contribution: GaugeVec,
    pub(super) normal: IntCounter,
    pub(super) anomalous: IntCounter,
    pub(super) simulation: IntCounterVec,
}

pub(super) struct EventMetrics {
    pub(super) alarm: Series,
    pub(super) alarm_rate: Series,
    pub(super) alarm_rate_contribution: GaugeVec,
    pub(super) total: IntCounterVec,
    pub(super) sensor_fault: GaugeVec,
    pub(super) sensor_total: IntCounterVec,
    pub(super) notifications: IntCounterVec,
}

pub(super) struct ModelMetrics {
    pub(super) info: GaugeVec,
    pub(super) trained: GaugeVec,
    pub(super) data_end: GaugeVec,
    pub(super) training_duration: GaugeVec,
    pub(super) samples: GaugeVec,
    pub(super) threshold: Series,
    pub(super) expected_alerts: GaugeVec,
    pub(super) calibration: CalibrationMetrics,
    pub(super) life: LifeMetrics,
}

/// The metrics of a threshold that follows the scores.
pub(super) struct CalibrationMetrics {
    pub(super) shift: Series,
    pub(super) promised: CounterVec,
    pub(super) realised: CounterVec,
}

/// The metrics of trainings, model swaps and rejected models.
pub(super) struct LifeMetrics {
    pub(super) restore_gap: GaugeVec,
    pub(super) trainings: IntCounterVec,
    pub(super) swaps: IntCounterVec,
    pub(super) rejected: GaugeVec,
    pub(super) rejections: IntCounterVec,
    pub(super) next_training: GaugeVec,
}

/// Makes metrics and registers them.
pub(super) struct Maker(pub(super) Registry);

impl Maker {
    fn gauges(&self, name: &str, help: &str, labels: &[&str]) -> GaugeVec {
        self.registered(GaugeVec::new(Opts::new(name, help), labels).expect("a constant name"))
    }

    fn gauge(&self, name: &str, help: &str) -> Series {
        Series::of(&self.gauges(name, help, &[]), &[])
    }

    pub(super) fn counters(&self, name: &str, help: &str, labels: &[&str]) -> IntCounterVec {
        self.registered(IntCounterVec::new(Opts::new(name, help), labels).expect("a constant name"))
    }

    fn real_counters(&self, name: &str, help: &str) -> CounterVec {
        self.registered(CounterVec::new(Opts::new(name, help), &[]).expect("a constant name"))
    }

    pub(super) fn registered<C: Collector + Clone + 'static>(&self, collector: C) -> C {
        self.0.register(Box::new(collector.clone())).expect("constant names are registered once");
        collector
    }
}

impl ReadingMetrics {
    pub(super) fn new(make: &Maker) -> Self {
        let metrics = Self {
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
                "1 while the source is connected, else 0.",
                &["source"],
            ),
            arrived: make.counters(
                "anomaly_readings_arrived_total",
                "Readings that have arrived, by source: the sum of anomaly_readings_total over all outcomes, and the readings without an outcome yet.",
                &["source"],
            ),
            total: make.counters(
                "anomaly_readings_total",
                "Readings by source and outcome: scored, missing (without a value), refused (not a valid reading), dropped (late, replaced by a newer one before their instant, or no verdict was made).",
                &["source", "outcome"],
            ),
            skipped: make.counters(
                "anomaly_instants_skipped_total",
                "Instants whose readings were not judged: the process was stopped, could not keep up, or the clock was set.",
                &[],
            ),
        };
        metrics.skipped.with_label_values::<&str>(&[]);
        metrics
    }
}

impl CalibrationMetrics {
    fn new(make: &Maker) -> Self {
        Self {
            shift: make.gauge(
                "anomaly_calibration_shift",
                "How far the threshold is above the estimate from the tail of recent scores, in mean excesses over its quantile; below 0 where fewer alarms came than were promised. Absent while the threshold is fixed.",
            ),
            promised: make.real_counters(
                "anomaly_calibration_promised_total",
                "The alarms that the threshold promises for the readings so far: anomalous verdicts (contamination) or alerts (alertsPerDay). A sum of shares, so not a whole number.",
            ),
            realised: make.real_counters(
                "anomaly_calibration_realised_total",
                "The alarms that were realised; divided by anomaly_calibration_promised_total, the ratio of realised to promised alarm rate, which is 1 where the promise holds.",
            ),
        }
    }
}

impl VerdictMetrics {
    pub(super) fn new(make: &Maker) -> Self {
        let total = make.counters(
            "anomaly_verdicts_total",
            "Verdicts on the sensors' readings, by outcome.",
            &["verdict"],
        );
        Self {
            score: make.gauge(
                "anomaly_score",
                "The newest verdict: 0 is normal, 1 is anomalous.",
            ),
            severity: make.gauge(
                "anomaly_severity",
                "How anomalous the newest readings are, 0 to 2: 1 is the threshold, over 1 is anomalous.",
            ),
            raw_score: make.gauge(
                "anomaly_raw_score",
                "The isolation forest's score of the newest readings, over 0 and at most 1, higher is more anomalous.",
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
                "Verdicts by the ground truth of simulated or labelled sources: the confusion matrix.",
                &["truth", "verdict"],
            ),
        }
    }
}

impl EventMetrics {
    pub(super) fn new(make: &Maker) -> Self {
        let total = make.counters(
            "anomaly_events_total",
            "Events, which are anomalous verdicts in a row, by outcome: alarmed, too_short, no_peak, cooling_down, muted. Alarms are counted when they are raised, others at their end.",
            &["outcome"],
        );
        for outcome in EventOutcome::ALL {
            total.with_label_values(&[outcome.label()]);
        }
        let alarm = make.gauge("anomaly_alarm", "1 during an event that has raised an alarm, else 0.");
        let alarm_rate = make.gauge(
                "anomaly_alarm_rate_ratio",
                "The ratio of recent alarms to those that the threshold promises, over the last hour or the time for which it promises one: anomalous readings (contamination) or alerts (alertsPerDay). Absent where nothing is promised.",
            );
        let alarm_rate_contribution = make.gauges(
            "anomaly_alarm_rate_contribution",
            "The sensor's share in the anomalous readings of that time, 0 to 1; the shares of all sensors add up to 1.",
            &["sensor"],
        );
        let notifications = make.counters(
            "anomaly_notifications_total",
            "Messages to receivers of notifications, by outcome: delivered, delivered_by_peer (another replica sent it), failed (refused, or not taken in time), dropped (too many waited).",
            &["notification", "outcome"],
        );
        let sensor_fault = make.gauges(
                "anomaly_sensor_fault",
                "1 while the sensor gives readings that it cannot give, by fault: out_of_range, too_fast, stuck. Only of sensors with a limit.",
                &["kind", "sensor", "fault"],
            );
        let sensor_total = make.counters(
                "anomaly_sensor_events_total",
                "Faults of sensors that have started, by fault: out_of_range, too_fast, stuck. Only of sensors with a limit.",
                &["kind", "sensor", "fault"],
            );
        Self { alarm, alarm_rate, alarm_rate_contribution, total, sensor_fault, sensor_total, notifications }
    }
}

impl ModelMetrics {
    pub(super) fn new(make: &Maker) -> Self {
        Self {
            info: make.gauges(
                "anomaly_model_info",
                "1, with the digest and origin of the model that serves.",
                &["digest", "origin"],
            ),
            trained: make.gauges(
                "anomaly_model_trained_timestamp_seconds",
                "When the training of the model ended, in seconds since the Unix epoch; absent where that is not known.",
                &[],
            ),
            data_end: make.gauges(
                "anomaly_model_data_end_timestamp_seconds",
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
            threshold: make.gauge(
                "anomaly_threshold",
                "The threshold now: a raw score over it is anomalous. Over 0 and at most 1. It follows the scores, unless adaptation.policy is Fixed or threshold.score is set.",
            ),
            expected_alerts: make.gauges(
                "anomaly_model_expected_alerts_per_day",
                "How many anomalous verdicts a day to expect on readings like those that the model was trained on.",
                &[],
            ),
            calibration: CalibrationMetrics::new(make),
            life: LifeMetrics::new(make),
        }
    }
}

impl LifeMetrics {
    pub(super) fn new(make: &Maker) -> Self {
        let metrics = Self {
            restore_gap: make.gauges(
                "anomaly_restore_gap_seconds",
                "The gap between the readings of the earlier process and the first reading of this one, which the features lack; 0 where all was restored.",
                &[],
            ),
            trainings: make.counters(
                "anomaly_trainings_total",
                "Trainings that this process has ended, by outcome: done, failed.",
                &["outcome"],
            ),
            swaps: make.counters(
                "anomaly_model_swaps_total",
                "How often a model has replaced another one in this process.",
                &[],
            ),
            rejected: make.gauges(
                "anomaly_model_rejected",
                "1 while a requested model (loaded, stored or pinned) cannot serve, else 0.",
                &[],
            ),
            rejections: make.counters(
                "anomaly_model_rejections_total",
                "How often a model was rejected: a requested model that is not available, or a file without a model that fits.",
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
        metrics.rejections.with_label_values::<&str>(&[]);
        alone(&metrics.rejected).set(0.0);
        metrics
    }
}

/// One series of a gauge. It is looked up once, so that it is cheap to set at each reading. It does not exist
/// before it is set.
pub(super) struct Series {
    gauge: GaugeVec,
    labels: Vec<String>,
    found: OnceLock<Gauge>,
}

impl Series {
    pub(super) fn of(gauge: &GaugeVec, labels: &[&str]) -> Self {
        let labels = labels.iter().map(|label| (*label).to_owned()).collect();
        Self { gauge: gauge.clone(), labels, found: OnceLock::new() }
    }

    pub(super) fn set(&self, value: f64) {
        self.found.get_or_init(|| self.gauge.with_label_values(&self.labels)).set(value);
    }
}

/// The one series of a gauge without labels. It does not exist before it is set: no verdict is not the same
/// as a verdict of 0.
pub(super) fn alone(gauge: &GaugeVec) -> prometheus::Gauge {
    gauge.with_label_values::<&str>(&[])
}
