//! Any bytes, unchanged: joblib's own format, and all compressions.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| detector_fuzz::check(bytes));
