//! Answered predictions in; their number and their durations out.

use std::time::Duration;

use parking_lot::Mutex;
use prometheus::local::{LocalHistogram, LocalIntCounter};
use prometheus::{Histogram, HistogramOpts, IntCounterVec};
use thread_local::ThreadLocal;

use super::series::Maker;

/// The protocol of a prediction request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// `POST /predict`.
    Predict,
    /// `POST /v1/models/NAME:predict` and `:explain`.
    V1,
    /// `POST /v2/models/NAME/infer`.
    V2,
    /// `inference.GRPCInferenceService/ModelInfer`. Its code is that of REST.
    Grpc,
}

impl Protocol {
    /// The value of the `protocol` label.
    pub fn label(self) -> &'static str {
        match self {
            Self::Predict => "predict",
            Self::V1 => "v1",
            Self::V2 => "v2",
            Self::Grpc => "grpc",
        }
    }
}

/// The series of predictions.
pub(super) struct PredictionMetrics {
    total: IntCounterVec,
    duration: Histogram,
    /// The counts of each thread since the last scrape. Threads would wait for each other at a single count.
    threads: ThreadLocal<Mutex<Counted>>,
}

/// The predictions of one thread. Aligned so that no two threads write to the same cache line.
#[repr(align(128))]
struct Counted {
    /// The predictions with code 200, by protocol.
    answered: [Option<LocalIntCounter>; 4],
    duration: LocalHistogram,
}

impl PredictionMetrics {
    pub(super) fn new(make: &Maker) -> Self {
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
            threads: ThreadLocal::new(),
        }
    }

    /// Count a prediction that was answered.
    pub(super) fn count(&self, protocol: Protocol, code: u16, took: Duration) {
        let none = || Mutex::new(Counted { answered: Default::default(), duration: self.duration.local() });
        let mut mine = self.threads.get_or(none).lock();
        mine.duration.observe(took.as_secs_f64());
        let counter = || self.total.with_label_values(&[protocol.label(), &code.to_string()]);
        match code {
            200 => mine.answered[protocol as usize].get_or_insert_with(|| counter().local()).inc(),
            _ => counter().inc(),
        }
    }

    /// Add the counts of all threads to the metrics.
    pub(super) fn add_up(&self) {
        for counted in &self.threads {
            let counted = counted.lock();
            counted.duration.flush();
            counted.answered.iter().flatten().for_each(LocalIntCounter::flush);
        }
    }
}
