//! The SHA-256 of a file with the checksum's own digits as zeros, in its header as 64 hexadecimal digits; and that of the whole file,
//! its name.

use super::error::ArtifactError;
use sha2::{Digest, Sha256};
use std::fmt::Write;

/// What stands in the place of the checksum while it is computed.
pub(super) const BLANK: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// The name of an artifact: `sha256:` and the hash of its bytes in hexadecimal.
pub fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", hex(&Sha256::digest(bytes)))
}

/// Refuses `bytes` whose checksum is not the `stored` one.
pub(super) fn check(bytes: &[u8], stored: &str) -> Result<(), ArtifactError> {
    let expected = of(bytes, stored);
    if expected == stored {
        Ok(())
    } else {
        Err(ArtifactError::Damaged { expected, stored: stored.to_owned() })
    }
}

/// Replaces the zeros that stand for the checksum.
pub(super) fn write(bytes: &mut [u8]) {
    let checksum = of(bytes, BLANK);
    if let Some(at) = position(bytes, BLANK) {
        bytes[at..at + BLANK.len()].copy_from_slice(checksum.as_bytes());
    }
}

/// The hash of `bytes`, where zeros take the place of the `stored` digits.
fn of(bytes: &[u8], stored: &str) -> String {
    let at = position(bytes, stored).filter(|_| stored.len() == BLANK.len()).unwrap_or(bytes.len());
    let end = (at + BLANK.len()).min(bytes.len());
    let hash = Sha256::new().chain_update(&bytes[..at]).chain_update(BLANK).chain_update(&bytes[end..]);
    hex(&hash.finalize())
}

/// Where `digits` begin; they are in the header, so they are found before the tensors are searched.
fn position(bytes: &[u8], digits: &str) -> Option<usize> {
    bytes.windows(digits.len().max(1)).position(|window| window == digits.as_bytes())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut digits, byte| {
        let _ = write!(digits, "{byte:02x}"); // a String takes whatever is written
        digits
    })
}
