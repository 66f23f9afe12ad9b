//! All metrics of the operator, each with name, help and labels.

use prometheus::{
    Encoder, Histogram, HistogramOpts, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, TextEncoder,
};

/// The operator's own metrics.
#[derive(Clone)]
pub struct Metrics {
    registry: Registry,
    /// Reconciles, by outcome.
    pub reconciles: IntCounterVec,
    /// The duration of reconciles, in seconds.
    pub reconcile_duration: Histogram,
    /// Writes to the API server, by kind and verb.
    pub api_writes: IntCounterVec,
    /// Failures of watches, by kind.
    pub watch_errors: IntCounterVec,
    /// 1 for each kind whose watch is behind.
    pub watches_behind: IntGaugeVec,
    /// Detectors, by the status of their Ready condition.
    pub detectors: IntGaugeVec,
    /// 1 while this process may act.
    pub leader: IntGauge,
}

const NAMES: &str =
    "the names, helps and labels of these metrics are constants that Prometheus takes, each once";

impl Metrics {
    /// All metrics, at zero.
    pub fn new() -> Self {
        let metrics = Self {
            registry: Registry::new(),
            reconciles: IntCounterVec::new(
                Opts::new("anomaly_operator_reconciles_total", "Reconciles, by outcome: applied, refused or failed."),
                &["outcome"],
            )
            .expect(NAMES),
            reconcile_duration: Histogram::with_opts(HistogramOpts::new(
                "anomaly_operator_reconcile_duration_seconds",
                "How long a reconcile took, in seconds: deciding, writing and reading the detectors' reports.",
            ))
            .expect(NAMES),
            api_writes: IntCounterVec::new(
                Opts::new(
                    "anomaly_operator_api_writes_total",
                    "Writes to the API server, by kind and verb. None while nothing changes.",
                ),
                &["kind", "verb"],
            )
            .expect(NAMES),
            watch_errors: IntCounterVec::new(
                Opts::new(
                    "anomaly_operator_watch_errors_total",
                    "Failures of the watches on the API server, by kind. Each is retried within seconds.",
                ),
                &["kind"],
            )
            .expect(NAMES),
            watches_behind: IntGaugeVec::new(
                Opts::new(
                    "anomaly_operator_watch_behind",
                    "1 while the watch of a kind fails: changes of its objects are not seen.",
                ),
                &["kind"],
            )
            .expect(NAMES),
            detectors: IntGaugeVec::new(
                Opts::new("anomaly_operator_detectors", "AnomalyDetectors, by the status of their Ready condition."),
                &["ready"],
            )
            .expect(NAMES),
            leader: IntGauge::new(
                "anomaly_operator_leader",
                "1 while this replica is the leader: it holds the Lease, or leader election is off.",
            )
            .expect(NAMES),
        };
        metrics.register();
        metrics
    }

    fn register(&self) {
        let Self {
            registry,
            reconciles,
            reconcile_duration,
            api_writes,
            watch_errors,
            watches_behind,
            detectors,
            leader,
        } = self;
        registry.register(Box::new(reconciles.clone())).expect(NAMES);
        registry.register(Box::new(reconcile_duration.clone())).expect(NAMES);
        registry.register(Box::new(api_writes.clone())).expect(NAMES);
        registry.register(Box::new(watch_errors.clone())).expect(NAMES);
        registry.register(Box::new(watches_behind.clone())).expect(NAMES);
        registry.register(Box::new(detectors.clone())).expect(NAMES);
        registry.register(Box::new(leader.clone())).expect(NAMES);
    }

    /// Set the kinds whose watch is behind, and remove all others.
    pub fn show_behind(&self, kinds: &[String]) {
        self.watches_behind.reset();
        for kind in kinds {
            self.watches_behind.with_label_values(&[kind]).set(1);
        }
    }

    /// Set the number of detectors that are Ready, and of those that are not.
    pub fn count_detectors(&self, ready: usize, not_ready: usize) {
        for (label, count) in [("true", ready), ("false", not_ready)] {
            self.detectors.with_label_values(&[label]).set(i64::try_from(count).unwrap_or(i64::MAX));
        }
    }

    /// All metrics in the text format of Prometheus.
    pub fn text(&self) -> Vec<u8> {
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut text).expect("memory takes every write");
        text
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}
