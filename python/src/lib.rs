//! The isolation forest as a Python extension: arrays in, arrays out. scikit-learn's interface is in the
//! Python package, not here.

/// Conversion of errors to Python's `ValueError`.
mod error;
/// A model as Python holds it: fit, score, explain, save, load.
mod model;
/// A forest's trees as scikit-learn's arrays.
mod trees;

use pyo3::prelude::*;

/// The extension module.
#[pymodule]
fn _native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<model::Model>()
}
