//! The name and the version that a request names in; whether they are those of the serving model out.

use super::error::ApiError;
use crate::model::model::Model;
use crate::serving::state::State;

/// How many digits of a digest are used as the version.
const VERSION_DIGITS: usize = 12;

/// The version of a model for protocols that have versions: the first digits of its digest.
pub(super) fn version(model: &Model) -> &str {
    let digits = model.digest().strip_prefix("sha256:").unwrap_or(model.digest());
    digits.get(..VERSION_DIGITS).unwrap_or(digits)
}

/// Check that a model's name is the detector's.
///
/// # Errors
/// The detector has another name.
pub(super) fn check_model(state: &State, name: &str) -> Result<(), ApiError> {
    check_name(name, &state.detector.name())
}

/// Check a model's name.
///
/// # Errors
/// The model has another name.
pub(super) fn check_name(name: &str, expected: &str) -> Result<(), ApiError> {
    if name == expected { Ok(()) } else { Err(no_such("model", name, expected.to_owned())) }
}

/// Check that a version is that of the serving model.
///
/// # Errors
/// The model that serves has another version.
pub(super) fn check_version(model: &Model, requested: &str) -> Result<(), ApiError> {
    let expected = version(model);
    if requested == expected { Ok(()) } else { Err(no_such("version", requested, expected.to_owned())) }
}

fn no_such(kind: &'static str, name: &str, expected: String) -> ApiError {
    ApiError::NoSuch { kind, name: name.to_owned(), expected }
}
