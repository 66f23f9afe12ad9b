//! Bytes in, the hexadecimal digits of their SHA-256 (FIPS 180-4) out. They identify models, specs and
//! objects.

use std::fmt::Write;

use sha2::{Digest, Sha256};

/// Return all 64 digits of the SHA-256.
///
/// ```
/// assert_eq!(crd::digest::sha256(b"abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
/// ```
pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::with_capacity(64), |mut digits, byte| {
        write!(digits, "{byte:02x}").expect("a String takes every write");
        digits
    })
}

/// Return the first 16 digits: enough to detect that the bytes have changed.
pub fn short(bytes: &[u8]) -> String {
    sha256(bytes)[..16].to_owned()
}
