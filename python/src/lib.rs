//! The isolation forest as a Python extension: arrays in, arrays out, nothing of scikit-learn's interface, which is in Python.

/// Why Python gets a `ValueError`.
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
