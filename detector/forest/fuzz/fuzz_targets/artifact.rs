//! Any bytes: an artifact or an error. What opens is scored and written again.

#![no_main]

use forest::Artifact;
use libfuzzer_sys::fuzz_target;
use sha2::{Digest, Sha256};
use std::fmt::Write;

fuzz_target!(|bytes: &[u8]| {
    let Ok(artifact) = Artifact::from_bytes(&resealed(bytes)) else { return };
    if artifact.forest.columns() <= 1 << 16 {
        let row = vec![0.5; artifact.forest.columns()];
        let score = artifact.forest.score(&row);
        assert!((0.0..=1.0).contains(&score), "{score}");
        let shares: f64 = artifact.forest.contributions(&row).iter().sum();
        assert!((shares - 1.0).abs() < 1e-6, "{shares}");
    }
    let again = artifact.to_bytes().expect("what opened can be written");
    assert_eq!(Artifact::from_bytes(&again).expect("what was written opens"), artifact);
});

/// The same with the right seal, where there is one: a fuzzer that had to guess hashes would get no further.
fn resealed(bytes: &[u8]) -> Vec<u8> {
    const BEFORE: &[u8] = br#"\"seal\":\""#;
    let mut bytes = bytes.to_vec();
    let digits = bytes.windows(BEFORE.len()).position(|window| window == BEFORE).map(|at| at + BEFORE.len());
    if let Some(digits) = digits.filter(|at| at + 64 <= bytes.len()).map(|at| at..at + 64) {
        bytes[digits.clone()].fill(b'0');
        let seal = Sha256::digest(&bytes).iter().fold(String::new(), |mut seal, byte| {
            let _ = write!(seal, "{byte:02x}");
            seal
        });
        bytes[digits].copy_from_slice(seal.as_bytes());
    }
    bytes
}
