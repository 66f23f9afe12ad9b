//! Trees of one column in, a table out: such a forest is one step function of its only cell.

use super::ranker::Ranker;
use super::scale::Scale;
use super::split_values::split_values;
use crate::tree::{Node, Tree};

/// The scores between neighbouring splits.
#[derive(Debug, Clone)]
pub(crate) struct StepTable {
    ranker: Ranker,
    /// The score of a cell, by its rank.
    scores: Vec<f64>,
}

impl StepTable {
    /// Builds the table; `None` when a tree has planes.
    pub(crate) fn new(trees: &[Tree], scale: Scale) -> Option<Self> {
        if trees.iter().any(|tree| !tree.planes().is_empty()) {
            return None;
        }
        let scores = sums(trees, |tree, leaf| trees[tree].path_length(leaf))
            .into_iter()
            .map(|sum| scale.score(sum))
            .collect();
        Some(Self { ranker: Ranker::new(&split_values(1, trees)), scores })
    }

    /// The step that `cell` is on: the number of splits that are less than `cell`.
    pub(crate) fn of(&self, cell: f32) -> u32 {
        self.ranker.rank(0, cell)
    }

    /// The score of the rows on a step.
    pub(crate) fn score(&self, step: u32) -> f64 {
        self.scores[step as usize]
    }
}

/// For each step, the sum, modulo 2⁶⁴, of the values of the leaves that a cell on it reaches, one in each
/// tree. `value` takes the index of a tree and of its leaf.
pub(crate) fn sums(trees: &[Tree], value: impl Fn(usize, usize) -> u64) -> Vec<u64> {
    let splits = split_values(1, trees).swap_remove(0);
    let mut changes = vec![0u64; splits.len() + 2];
    for (at, tree) in trees.iter().enumerate() {
        add_changes(tree, &splits, &mut changes, |leaf| value(at, leaf));
    }
    let steps = changes[..=splits.len()].iter();
    steps
        .scan(0u64, |sum, change| {
            *sum = sum.wrapping_add(*change);
            Some(*sum)
        })
        .collect()
}

/// Adds the value of each leaf of `tree` to `changes` at the first rank that reaches the leaf, and subtracts
/// it after the last, modulo 2⁶⁴.
fn add_changes(tree: &Tree, splits: &[f32], changes: &mut [u64], value: impl Fn(usize) -> u64) {
    let mut waiting = vec![(0, 0, splits.len())]; // a node, and the first and last rank that lead to it
    while let Some((at, first, last)) = waiting.pop() {
        let Node::Split { threshold, left, right, .. } = tree.nodes()[at] else {
            changes[first] = changes[first].wrapping_add(value(at));
            changes[last + 1] = changes[last + 1].wrapping_sub(value(at));
            continue;
        };
        let rank = splits.partition_point(|&split| split < threshold);
        if first <= rank {
            waiting.push((left as usize, first, last.min(rank)));
        }
        if rank < last {
            waiting.push((right as usize, first.max(rank + 1), last));
        }
    }
}
