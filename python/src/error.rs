//! An error of the forest's crates in, a Python `ValueError` with the same sentence out.

use pyo3::PyErr;
use pyo3::exceptions::PyValueError;

/// Make a `ValueError` with the error's sentence.
pub(crate) fn value_error(error: impl std::fmt::Display) -> PyErr {
    PyValueError::new_err(error.to_string())
}
