//! Any bytes after the tag of an ONNX model's IR version.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| detector_fuzz::check(&[b"\x08", bytes].concat()));
