//! Any bytes after the first opcode of a pickle.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| detector_fuzz::check(&[b"\x80", bytes].concat()));
