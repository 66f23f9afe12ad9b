//! The contract: the AnomalyDetector API.
