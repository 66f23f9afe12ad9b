//! AnomalyDetector in, workload out.
fn main() {}
