//! Why nodes are not a tree: one sentence each.

use thiserror::Error;

/// Why nodes are not a tree.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum TreeError {
    /// No root.
    #[error("a tree must have at least 1 node, got 0")]
    Empty,
    /// More nodes than an index can number.
    #[error("a tree must have fewer than 2^31 nodes, got {0}")]
    TooManyNodes(usize),
    /// A child index that names no node.
    #[error("node {node} must have children among the tree's {nodes} nodes, got {child}")]
    NoSuchChild {
        /// The parent.
        node: u32,
        /// The index.
        child: u32,
        /// How many nodes there are.
        nodes: usize,
    },
    /// A cycle, or two parents.
    #[error("node {0} must have one parent, got more")]
    ReachedTwice(u32),
    /// Nodes that no path leads to.
    #[error("every node must be reached from the root, got {0} that are not")]
    Unreachable(usize),
    /// A column index that the forest does not have.
    #[error("node {node} must split on one of the {columns} columns, got column {column}")]
    NoSuchColumn {
        /// The node.
        node: u32,
        /// The index.
        column: u32,
        /// How many columns there are.
        columns: usize,
    },
    /// NaN or an infinity.
    #[error("node {0} must have finite numbers, got NaN or an infinity")]
    NotFinite(u32),
    /// A weight that makes distances overflow.
    #[error("node {node} must have weights from -1e100 to 1e100, got {weight:e}")]
    TooHeavy {
        /// The node.
        node: u32,
        /// The weight.
        weight: f64,
    },
    /// A plane index that names no plane, or a plane without columns.
    #[error("node {0} must have a plane of at least 1 column, got none")]
    NoSuchPlane(u32),
}
