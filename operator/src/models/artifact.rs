//! The bytes of a pod's model and its report in, whether they agree out. Hash and header are checked here;
//! the forest itself is for the detector to check.

use crd::contract::{ARTIFACT_METADATA, ModelReport};
use serde_json::Value;
use thiserror::Error;

/// The number of bytes at the start of a safetensors file that hold the length of its header.
const PREFIX: usize = 8;

/// Why the bytes of a model are not stored.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ArtifactError {
    /// The bytes were changed in transit, or the pod has another model since its report.
    #[error("expected a model of digest {expected}, got {got}")]
    Digest {
        /// The digest in the report.
        expected: String,
        /// The digest of the bytes.
        got: String,
    },
    /// The bytes are no safetensors file, or are cut short.
    #[error("a model must be a safetensors file with a header of JSON")]
    Header,
    /// The bytes are a safetensors file without our metadata.
    #[error("a model must have the metadata `{ARTIFACT_METADATA}` with a format, got none")]
    Format,
    /// The model was made from other sources or parameters than the report says.
    #[error("expected a model of recipe {expected}, got {got}")]
    Recipe {
        /// The recipe in the report.
        expected: String,
        /// The recipe in the header of the file.
        got: String,
    },
}

/// Check that the bytes of a model are what the report describes.
///
/// # Errors
/// The first difference between bytes and report.
pub fn check(bytes: &[u8], model: &ModelReport) -> Result<(), ArtifactError> {
    let got = digest(bytes);
    if got != model.digest {
        return Err(ArtifactError::Digest { expected: model.digest.clone(), got });
    }
    let header = header(bytes).ok_or(ArtifactError::Header)?;
    let metadata = metadata(&header).ok_or(ArtifactError::Format)?;
    let got = metadata["metadata"]["recipe"].as_str().unwrap_or_default();
    let expected = model.recipe.as_deref().unwrap_or_default();
    if got == expected {
        Ok(())
    } else {
        Err(ArtifactError::Recipe { expected: expected.to_owned(), got: got.to_owned() })
    }
}

/// The name of a model: `sha256:` and 64 hexadecimal digits.
pub fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", crd::digest::sha256(bytes))
}

/// The JSON at the head of a safetensors file: eight bytes of length, least significant first, then the header.
fn header(bytes: &[u8]) -> Option<Value> {
    let (length, rest) = bytes.split_first_chunk::<PREFIX>()?;
    let length = usize::try_from(u64::from_le_bytes(*length)).ok()?;
    serde_json::from_slice(rest.get(..length)?).ok()
}

/// Return the metadata that the detector wrote into the header: JSON in a string, since safetensors allows
/// only strings there.
fn metadata(header: &Value) -> Option<Value> {
    let text = header["__metadata__"][ARTIFACT_METADATA].as_str()?;
    let metadata: Value = serde_json::from_str(text).ok()?;
    metadata["format"].is_u64().then_some(metadata)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A safetensors file with this header.
    fn file(header: &str) -> Vec<u8> {
        [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), b"trees"].concat()
    }

    fn header_of(recipe: &str) -> String {
        let metadata = serde_json::json!({"format": 1, "metadata": {"recipe": recipe}}).to_string();
        serde_json::json!({"__metadata__": {ARTIFACT_METADATA: metadata}}).to_string()
    }

    fn report(bytes: &[u8]) -> ModelReport {
        serde_json::from_value(serde_json::json!({
            "digest": digest(bytes), "dataEndTime": "2026-11-22T12:00:00Z", "samples": 4096, "threshold": 0.61,
            "origin": "Trained", "recipe": "as asked", "columns": ["temperature"],
        }))
        .unwrap()
    }

    #[test]
    fn bytes_that_are_what_the_report_says_are_kept() {
        let bytes = file(&header_of("as asked"));
        assert_eq!(check(&bytes, &report(&bytes)), Ok(()));
    }

    #[test]
    fn a_changed_byte_another_file_and_another_recipe_are_not() {
        let good = file(&header_of("as asked"));
        let mut changed = good.clone();
        *changed.last_mut().unwrap() ^= 1;
        assert!(matches!(check(&changed, &report(&good)), Err(ArtifactError::Digest { .. })));
        let other = file(&header_of("of another age"));
        assert_eq!(
            check(&other, &report(&other)).unwrap_err().to_string(),
            "expected a model of recipe as asked, got of another age"
        );
        let foreign = file(r#"{"__metadata__": {"format": "pt"}}"#);
        assert_eq!(check(&foreign, &report(&foreign)), Err(ArtifactError::Format));
    }

    #[test]
    fn no_length_is_believed() {
        for bytes in [&b""[..], b"1234567", &u64::MAX.to_le_bytes(), &[9, 0, 0, 0, 0, 0, 0, 0, b'{', b'}']] {
            assert_eq!(check(bytes, &report(bytes)), Err(ArtifactError::Header), "{bytes:?}");
        }
    }
}
