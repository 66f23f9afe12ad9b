//! The operator's metrics as they are scraped: names, helps and labels in a golden file, which Prometheus' linter reads too.

use operator::telemetry::metrics::Metrics;

/// `UPDATE=1` rewrites the file.
#[test]
fn the_metrics_are_those_of_the_golden_file() {
    let metrics = Metrics::new();
    for outcome in ["applied", "refused", "failed"] {
        metrics.reconciles.with_label_values(&[outcome]).inc();
    }
    metrics.reconcile_duration.observe(0.02);
    metrics.api_writes.with_label_values(&["Deployment", "apply"]).inc();
    metrics.count_detectors(2, 1);
    let text = String::from_utf8(metrics.text()).unwrap();
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/metrics.txt");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(path, &text).unwrap();
    }
    assert_eq!(text, std::fs::read_to_string(path).unwrap_or_default(), "UPDATE=1 rewrites it");
}
