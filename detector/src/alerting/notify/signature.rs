//! A key, an id, a time and a body in; their signature out: HMAC-SHA256 as in Standard Webhooks.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use ring::hmac;
use thiserror::Error;

/// The prefix of a key whose bytes are written in base64.
const PREFIX: &str = "whsec_";

/// The signing key, which the webhook's receiver knows too.
pub struct SigningKey(hmac::Key);

/// The bytes are not a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum KeyError {
    /// The key is empty.
    #[error("a signing key must have at least 1 byte, got 0")]
    Empty,
    /// The key has the prefix for base64, but is not base64.
    #[error("a signing key that begins with {PREFIX} must continue in base64")]
    NotBase64,
}

impl SigningKey {
    /// Read the key from the bytes of a file: `whsec_` and base64, or the bytes themselves. White space at
    /// the end is not part of it.
    ///
    /// # Errors
    /// The key is empty, or the text after `whsec_` is not base64.
    pub fn new(bytes: &[u8]) -> Result<Self, KeyError> {
        let bytes = bytes.trim_ascii_end();
        let key = match bytes.strip_prefix(PREFIX.as_bytes()) {
            Some(digits) => BASE64.decode(digits).map_err(|_| KeyError::NotBase64)?,
            None => bytes.to_vec(),
        };
        if key.is_empty() { Err(KeyError::Empty) } else { Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, &key))) }
    }

    /// The value of the header `webhook-signature`. `timestamp` is in seconds since the Unix epoch.
    pub fn sign(&self, id: &str, timestamp: i64, body: &str) -> String {
        let tag = hmac::sign(&self.0, format!("{id}.{timestamp}.{body}").as_bytes());
        format!("v1,{}", BASE64.encode(tag))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signed(key: &[u8]) -> String {
        let id = "msg_p5jXN8AQM9LWM0D4loKWxJek";
        SigningKey::new(key).unwrap().sign(id, 1_614_265_330, r#"{"test": 2432232314}"#)
    }

    /// The worked example that implementations of Standard Webhooks share.
    #[test]
    fn the_standards_example_has_its_signature() {
        let signature = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
        assert_eq!(signed(b"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), signature);
        assert_eq!(signed(b"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n"), signature);
    }

    #[test]
    fn a_key_without_the_mark_is_its_bytes() {
        assert_ne!(
            signed(b"MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
            signed(b"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
        );
        assert_eq!(signed(b"secret\n"), signed(b"secret"));
    }

    #[test]
    fn what_is_no_key_is_refused() {
        let refused = |bytes: &[u8]| SigningKey::new(bytes).err();
        assert_eq!(refused(b"\n"), Some(KeyError::Empty));
        assert_eq!(refused(b"whsec_"), Some(KeyError::Empty));
        assert_eq!(refused(b"whsec_$"), Some(KeyError::NotBase64));
    }
}
