//! A forest in, its trees as the columns of scikit-learn's node arrays out.

use forest::Forest;
use forest::tree::Node;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::error::value_error;

/// Return one dict per tree, with the lists `left`, `right`, `column`, `threshold`, `samples` and `depth`:
/// one entry per node, in pre-order.
pub(crate) fn of(py: Python<'_>, forest: &Forest) -> PyResult<Vec<Py<PyDict>>> {
    forest.trees().iter().map(|tree| one(py, tree.nodes())).collect()
}

fn one(py: Python<'_>, nodes: &[Node]) -> PyResult<Py<PyDict>> {
    let count = nodes.len();
    let (mut left, mut right) = (vec![-1_i64; count], vec![-1_i64; count]);
    let (mut column, mut threshold) = (vec![-2_i64; count], vec![-2.0_f64; count]);
    let (mut samples, mut depth) = (vec![0_i64; count], vec![0_i64; count]);
    for (at, node) in nodes.iter().enumerate() {
        match *node {
            Node::Split { column: feature, threshold: value, left: low, right: high } => {
                (left[at], right[at]) = (low.into(), high.into());
                (column[at], threshold[at]) = (feature.into(), value.into());
                (depth[low as usize], depth[high as usize]) = (depth[at] + 1, depth[at] + 1);
            }
            Node::Leaf { samples: count } => samples[at] = count.into(),
            Node::Plane { .. } => {
                return Err(value_error(
                    "scikit-learn has no splits over several columns: fit with extension_level=0",
                ));
            }
        }
    }
    // Children come after their parents, so that one pass backwards adds up their samples.
    for at in (0..count).rev() {
        if left[at] >= 0 {
            samples[at] = samples[left[at] as usize] + samples[right[at] as usize];
        }
    }
    let tree = PyDict::new(py);
    tree.set_item("left", left)?;
    tree.set_item("right", right)?;
    tree.set_item("column", column)?;
    tree.set_item("threshold", threshold)?;
    tree.set_item("samples", samples)?;
    tree.set_item("depth", depth)?;
    Ok(tree.unbind())
}
