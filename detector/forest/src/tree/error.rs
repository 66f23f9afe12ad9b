//! The reasons why nodes are not a valid tree, one sentence each.

use thiserror::Error;

/// The reason why nodes are not a valid tree.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum TreeError {
    /// There is no node, and so no root.
    #[error("a tree must have at least 1 node, got 0")]
    Empty,
    /// More nodes than an index can number.
    #[error("a tree must have fewer than 2^31 nodes, got {0}")]
    TooManyNodes(usize),
    /// A child index that is not the index of a node.
    #[error("node {node} must have children among the tree's {nodes} nodes, got {child}")]
    NoSuchChild {
        /// The parent.
        node: u32,
        /// The child index.
        child: u32,
        /// How many nodes there are.
        nodes: usize,
    },
    /// A node that is in a cycle, or has two parents.
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
        /// The column index.
        column: u32,
        /// How many columns there are.
        columns: usize,
    },
    /// A number that is NaN or infinite.
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
    /// A plane index that is not the index of a plane, or a plane without columns.
    #[error("node {0} must have a plane of at least 1 column, got none")]
    NoSuchPlane(u32),
}
