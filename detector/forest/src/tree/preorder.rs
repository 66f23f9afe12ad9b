//! Nodes in any order in, checked nodes in pre-order out.

use super::error::TreeError;
use super::node::{MAX_WEIGHT, Node, Plane};

/// Checks one node for rows of `columns` cells.
pub(super) fn check(
    columns: usize,
    at: u32,
    node: &Node,
    nodes: usize,
    planes: &[Plane],
) -> Result<(), TreeError> {
    let column_exists = |column: u32| {
        let exists = (column as usize) < columns;
        exists.then_some(()).ok_or(TreeError::NoSuchColumn { node: at, column, columns })
    };
    let is_finite = |finite: bool| finite.then_some(()).ok_or(TreeError::NotFinite(at));
    let (left, right) = match *node {
        Node::Leaf { .. } => return Ok(()),
        Node::Split { column, threshold, left, right } => {
            column_exists(column)?;
            is_finite(threshold.is_finite())?;
            (left, right)
        }
        Node::Plane { plane, left, right } => {
            let plane = planes.get(plane as usize).filter(|plane| !plane.terms.is_empty());
            let plane = plane.ok_or(TreeError::NoSuchPlane(at))?;
            is_finite(plane.offset.is_finite())?;
            for term in &plane.terms {
                column_exists(term.column)?;
                is_finite(term.weight.is_finite() && term.centre.is_finite())?;
                if term.weight.abs() > MAX_WEIGHT {
                    return Err(TreeError::TooHeavy { node: at, weight: term.weight });
                }
            }
            (left, right)
        }
    };
    for child in [left, right] {
        if child as usize >= nodes {
            return Err(TreeError::NoSuchChild { node: at, child, nodes });
        }
    }
    Ok(())
}

/// How many edges lead to each node of a tree in pre-order.
pub(super) fn depths(nodes: &[Node]) -> Vec<u32> {
    let mut depths = vec![0u32; nodes.len()];
    for (at, node) in nodes.iter().enumerate() {
        if let Node::Split { left, right, .. } | Node::Plane { left, right, .. } = *node {
            depths[left as usize] = depths[at] + 1;
            depths[right as usize] = depths[at] + 1;
        }
    }
    depths
}

/// The nodes in pre-order, left before right, with their child indices renumbered.
pub(super) fn preorder(nodes: &[Node]) -> Result<Vec<Node>, TreeError> {
    if nodes.is_empty() {
        return Err(TreeError::Empty);
    }
    let mut reached = vec![false; nodes.len()];
    let mut ordered: Vec<Node> = Vec::with_capacity(nodes.len());
    let mut waiting = vec![(0u32, None::<usize>)]; // a node, and the parent whose right child it is
    while let Some((old, parent)) = waiting.pop() {
        if std::mem::replace(&mut reached[old as usize], true) {
            return Err(TreeError::ReachedTwice(old));
        }
        let new = ordered.len();
        if let Some(Node::Split { right, .. } | Node::Plane { right, .. }) = parent.map(|at| &mut ordered[at])
        {
            *right = new as u32;
        }
        let mut node = nodes[old as usize];
        if let Node::Split { left, right, .. } | Node::Plane { left, right, .. } = &mut node {
            waiting.extend([(*right, Some(new)), (*left, None)]);
            *left = new as u32 + 1;
        }
        ordered.push(node);
    }
    match nodes.len() - ordered.len() {
        0 => Ok(ordered),
        unreachable => Err(TreeError::Unreachable(unreachable)),
    }
}
