//! The bytes of a file in; its checksum out, which is the SHA-256 of the file with the checksum's own digits
//! as zeros, in the header as 64 hexadecimal digits; and its digest out, the SHA-256 of the whole file.

use super::error::ArtifactError;
use super::text::shown;
use memchr::memmem;
use sha2::{Digest, Sha256};
use std::fmt::Write;

/// The zeros that replace the checksum while it is computed.
pub(super) const BLANK: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// The digest of an artifact, which is its name: `sha256:` and the hash of its bytes in hexadecimal.
pub fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", hex(&Sha256::digest(bytes)))
}

/// Returns an error when the checksum of `bytes` is not `stored`, which is somewhere in the first `header`
/// bytes.
pub(super) fn check(bytes: &[u8], header: usize, stored: &str) -> Result<(), ArtifactError> {
    let expected = match position(bytes, header, stored) {
        Some(at) => of(bytes, at),
        None => BLANK.to_owned(),
    };
    if expected == stored { Ok(()) } else { Err(ArtifactError::Damaged { expected, stored: shown(stored) }) }
}

/// Writes the checksum over the zeros that are in its place in the first `header` bytes.
pub(super) fn write(bytes: &mut [u8], header: usize) {
    if let Some(at) = position(bytes, header, BLANK) {
        let checksum = of(bytes, at);
        bytes[at..at + BLANK.len()].copy_from_slice(checksum.as_bytes());
    }
}

/// The checksum of `bytes`, in which zeros replace the digits at `at`.
fn of(bytes: &[u8], at: usize) -> String {
    let (before, after) = (&bytes[..at], &bytes[at + BLANK.len()..]);
    let hash = Sha256::new().chain_update(before).chain_update(BLANK).chain_update(after);
    hex(&hash.finalize())
}

/// The index of `digits` in the first `header` bytes; `None` if they are not as many as a checksum has.
fn position(bytes: &[u8], header: usize, digits: &str) -> Option<usize> {
    if digits.len() != BLANK.len() {
        return None;
    }
    memmem::find(&bytes[..header.min(bytes.len())], digits.as_bytes())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut digits, byte| {
        let _ = write!(digits, "{byte:02x}"); // a String takes whatever is written
        digits
    })
}
