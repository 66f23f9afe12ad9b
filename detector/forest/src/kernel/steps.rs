//! Trees of one column in, a table out: such a forest is one step function of its only cell.

use super::ranker::Ranker;
use crate::path::{PathLength, Scale};
use crate::tree::{Node, Tree};

/// The scores between neighbouring cuts.
#[derive(Debug, Clone)]
pub(crate) struct Steps {
    ranker: Ranker,
    /// The score of a cell, by its rank.
    scores: Vec<f64>,
}

impl Steps {
    /// `None` when a tree has planes.
    pub(crate) fn new(trees: &[Tree], scale: Scale) -> Option<Self> {
        if trees.iter().any(|tree| !tree.planes().is_empty()) {
            return None;
        }
        let cuts = super::cuts(trees, 0);
        let mut changes = vec![0; cuts.len() + 2];
        for tree in trees {
            add_changes(tree, &cuts, &mut changes);
        }
        let mut sum: PathLength = 0;
        let scores = changes[..=cuts.len()].iter().map(|&change| {
            sum = sum.wrapping_add(change);
            scale.score(sum)
        });
        let scores = scores.collect();
        Some(Self { ranker: Ranker::new(&[cuts]), scores })
    }

    /// The score of the row whose only cell is `cell`.
    pub(crate) fn score(&self, cell: f32) -> f64 {
        self.scores[self.ranker.rank(0, cell) as usize]
    }
}

/// Notes at which ranks a leaf of `tree` is entered (its path length is added) and left (it is subtracted, modulo 2⁶⁴).
fn add_changes(tree: &Tree, cuts: &[f32], changes: &mut [PathLength]) {
    let mut waiting = vec![(0, 0, cuts.len())]; // a node, and the first and last rank that lead to it
    while let Some((at, first, last)) = waiting.pop() {
        let Node::Split { threshold, left, right, .. } = tree.nodes()[at] else {
            changes[first] = changes[first].wrapping_add(tree.path_length(at));
            changes[last + 1] = changes[last + 1].wrapping_sub(tree.path_length(at));
            continue;
        };
        let rank = cuts.partition_point(|&cut| cut < threshold);
        if first <= rank {
            waiting.push((left as usize, first, last.min(rank)));
        }
        if rank < last {
            waiting.push((right as usize, first.max(rank + 1), last));
        }
    }
}
