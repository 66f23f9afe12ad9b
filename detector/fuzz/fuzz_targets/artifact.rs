//! Any bytes in, an artifact or an error out. An artifact that opens scores a row, and is written and read
//! again.

#![no_main]

use forest::Artifact;
use libfuzzer_sys::fuzz_target;
use sha2::{Digest, Sha256};
use std::fmt::Write;

fuzz_target!(|bytes: &[u8]| {
    let Ok(artifact) = Artifact::from_bytes(&with_checksum(bytes)) else { return };
    if artifact.ensemble.columns() <= 1 << 16 {
        let row = vec![0.5; artifact.ensemble.columns()];
        let score = artifact.ensemble.score(&row);
        assert!((0.0..=1.0).contains(&score), "{score}");
        let shares: f64 = artifact.ensemble.contributions(&row).iter().sum();
        assert!((shares - 1.0).abs() < 1e-6, "{shares}");
    }
    let again = artifact.to_bytes().expect("what opened can be written");
    assert_eq!(Artifact::from_bytes(&again).expect("what was written opens"), artifact);
});

/// The bytes with the right checksum, if they have a place for one: otherwise the fuzzer would have to guess
/// hashes.
fn with_checksum(bytes: &[u8]) -> Vec<u8> {
    const BEFORE: &[u8] = br#"\"seal\":\""#;
    let mut bytes = bytes.to_vec();
    let digits = bytes.windows(BEFORE.len()).position(|window| window == BEFORE).map(|at| at + BEFORE.len());
    if let Some(digits) = digits.filter(|at| at + 64 <= bytes.len()).map(|at| at..at + 64) {
        bytes[digits.clone()].fill(b'0');
        let checksum = Sha256::digest(&bytes).iter().fold(String::new(), |mut checksum, byte| {
            let _ = write!(checksum, "{byte:02x}");
            checksum
        });
        bytes[digits].copy_from_slice(checksum.as_bytes());
    }
    bytes
}
