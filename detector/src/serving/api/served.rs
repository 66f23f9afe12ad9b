//! The name and version that a path asks for in; whether that is what serves here out.

use super::error::ApiError;
use crate::model::model::Model;
use crate::serving::state::State;

/// How many digits of a digest are a version.
const VERSION_DIGITS: usize = 12;

/// The version of a model for protocols that have versions: the first digits of its digest.
pub(super) fn version(model: &Model) -> &str {
    let digits = model.digest().strip_prefix("sha256:").unwrap_or(model.digest());
    digits.get(..VERSION_DIGITS).unwrap_or(digits)
}

/// # Errors
/// The detector has another name.
pub(super) fn check_model(state: &State, name: &str) -> Result<(), ApiError> {
    check_name(name, &state.detector.name())
}

/// # Errors
/// The model has another name.
pub(super) fn check_name(name: &str, expected: &str) -> Result<(), ApiError> {
    if name == expected { Ok(()) } else { Err(no_such("model", name, expected.to_owned())) }
}

/// # Errors
/// The model that serves has another version.
pub(super) fn check_version(model: &Model, asked: &str) -> Result<(), ApiError> {
    let expected = version(model);
    if asked == expected { Ok(()) } else { Err(no_such("version", asked, expected.to_owned())) }
}

fn no_such(kind: &'static str, name: &str, expected: String) -> ApiError {
    ApiError::NoSuch { kind, name: name.to_owned(), expected }
}
