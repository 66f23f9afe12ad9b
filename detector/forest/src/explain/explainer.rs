//! A forest's trees, a row and its score in; the score with each column's contribution out.

use super::gain_table::{self, GainTable};
use super::gains::{Contribution, Gains};
use crate::data::ranges::Ranges;
use crate::score::kernel::Kernel;
use crate::score::scale::Scale;
use crate::tree::Tree;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// The most trees for which a row's leaves are on the stack, without an allocation.
const TREES_ON_STACK: usize = 128;

/// A score, and the contribution of each column to it.
#[derive(Debug, Clone, PartialEq)]
pub struct Explained {
    /// As [`Forest::score`](crate::Forest::score) gives it: in (0, 1].
    pub score: f64,
    /// As [`Forest::explain`](crate::Forest::explain) gives them: one for each column.
    pub contributions: Vec<Contribution>,
}

/// The number of rows that are explained before a table of gains is built: building it takes as long as some
/// hundred explanations.
pub(crate) const ROWS_BEFORE_TABLE: u32 = 64;

/// The tables for explanations, built when rows are explained.
#[derive(Debug, Default)]
pub(crate) struct Explainer {
    /// The number of rows without missing cells that were explained; it stops at [`ROWS_BEFORE_TABLE`] or slightly above.
    pub(crate) explained: AtomicU32,
    /// The gains on the paths to the leaves; `None` where there can be no table and rows have to walk.
    pub(crate) gains: OnceLock<Option<GainTable>>,
    /// The mean value of the leaves below each node of each tree, built when a row first has to walk.
    pub(crate) expected: OnceLock<Vec<Vec<f64>>>,
}

/// The parts of a forest that explain its scores.
#[derive(Clone, Copy)]
pub(crate) struct Explainable<'a> {
    pub(crate) columns: usize,
    pub(crate) trees: &'a [Tree],
    pub(crate) scale: Scale,
    pub(crate) ranges: Option<&'a Ranges>,
}

impl Clone for Explainer {
    fn clone(&self) -> Self {
        let explained = AtomicU32::new(self.explained.load(Ordering::Relaxed));
        Self { explained, gains: self.gains.clone(), expected: self.expected.clone() }
    }
}

impl Explainer {
    /// Counts the next row, and returns whether it is one of the first [`ROWS_BEFORE_TABLE`].
    fn is_before_table(&self) -> bool {
        self.explained.load(Ordering::Relaxed) < ROWS_BEFORE_TABLE
            && self.explained.fetch_add(1, Ordering::Relaxed) < ROWS_BEFORE_TABLE
    }

    /// The score of `row` with its explanation. `kernel` returns the forest's kernel, `score_within` the
    /// row's score from the leaf values alone; each is called only if it is needed.
    pub(crate) fn explained<'a>(
        &self,
        forest: Explainable<'a>,
        kernel: impl FnOnce() -> &'a Kernel,
        score_within: impl FnOnce() -> f64,
        row: &[f32],
    ) -> Explained {
        let (score, mut gains) = self.within(forest, kernel, score_within, row);
        let Some(beyond) = forest.ranges.and_then(|ranges| ranges.beyond(row)) else {
            return Explained { score, contributions: gains.contributions() };
        };
        let cut_off = forest.scale.cut_off(score, beyond.chance);
        let total: f64 = beyond.columns.iter().map(|(_, part)| part.abs()).sum();
        for (column, part) in beyond.columns {
            let gain = cut_off.lost * forest.trees.len() as f64 * part.abs() / total;
            gains.add(column, gain, part > 0.0);
        }
        Explained { score: cut_off.score, contributions: gains.contributions() }
    }

    /// The score from the leaf values alone, and the gains of the columns on the paths to the leaves.
    fn within<'a>(
        &self,
        forest: Explainable<'a>,
        kernel: impl FnOnce() -> &'a Kernel,
        score_within: impl FnOnce() -> f64,
        row: &[f32],
    ) -> (f64, Gains) {
        let Explainable { columns, trees, scale, .. } = forest;
        let expected = || self.expected.get_or_init(|| trees.iter().map(Tree::expected).collect());
        let is_missing = row.iter().any(|cell| cell.is_nan());
        if !is_missing && self.is_before_table() && GainTable::is_for(columns, trees) {
            return (score_within(), gain_table::walked(columns, trees, expected(), row));
        }
        let table = self.gains.get_or_init(|| GainTable::new(columns, trees));
        let Some(table) = table.as_ref().filter(|_| !is_missing) else {
            return (score_within(), Gains::walked(columns, trees.iter().zip(expected()), row));
        };
        let (mut few, mut many) = ([0; TREES_ON_STACK], Vec::new());
        let leaves = few.get_mut(..table.leaves()).unwrap_or_else(|| {
            many.resize(table.leaves(), 0);
            &mut many
        });
        let score = kernel().score_and_leaves(scale, row, leaves);
        (score, table.gains(columns, leaves))
    }
}
