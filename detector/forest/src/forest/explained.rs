//! A row in, its score and what made it out.

use super::Forest;
use crate::explain::gain_table::Ways;
use crate::explain::gains::{Contribution, Gains};
use crate::tree::Tree;

/// The leaves of so many trees need no allocation.
const FEW: usize = 128;

/// A score, and how much each column did to set the row apart.
#[derive(Debug, Clone, PartialEq)]
pub struct Explained {
    /// As [`Forest::score`] gives it.
    pub score: f64,
    /// As [`Forest::explain`] gives them.
    pub contributions: Vec<Contribution>,
}

impl Forest {
    /// How much each column did to set `row` apart: shares of 0 or more that add up to 1, all equal where no column set it
    /// apart; and on which side its cell is.
    ///
    /// In each node a training row may expect a certain path length (in other modes, what stands for it): the mean of those
    /// that come through. Each step on a row's way takes it from one expectation to another, and the difference is the gain of
    /// the column that was asked (negative where the row stays with the crowd). The gains of a whole way add up to what the
    /// root expects less the leaf's value, the very number that the score is made of; a column's share is the sum of
    /// its gains, where that is positive. (Saabas, "Interpreting random forests", 2014.) What cells beyond the training rows'
    /// ranges take from the value is the gain of their columns, by how far beyond they are. Of a committee, they are those of
    /// the member that makes the score.
    ///
    /// # Panics
    /// When `row` does not have [`Forest::columns`] cells.
    pub fn explain(&self, row: &[f32]) -> Vec<Contribution> {
        self.score_and_explain(row).contributions
    }

    /// The shares of [`Forest::explain`].
    ///
    /// # Panics
    /// When `row` does not have [`Forest::columns`] cells.
    pub fn contributions(&self, row: &[f32]) -> Vec<f64> {
        self.explain(row).into_iter().map(|contribution| contribution.share).collect()
    }

    /// [`Forest::score`] and [`Forest::explain`] at once, which costs less than one after the other.
    ///
    /// # Panics
    /// When `row` does not have [`Forest::columns`] cells.
    pub fn score_and_explain(&self, row: &[f32]) -> Explained {
        self.check(row.len());
        let Some(committee) = &self.committee else { return self.own_explained(row) };
        let (score, strangest) = committee.score(self.members().map(|member| member.own_score(row)));
        let strangest = self.members().nth(strangest).expect("the strangest is a member");
        Explained { score, ..strangest.own_explained(row) }
    }

    fn own_explained(&self, row: &[f32]) -> Explained {
        let (score, mut gains) = self.within(row);
        let Some(beyond) = self.ranges.as_ref().and_then(|ranges| ranges.beyond(row)) else {
            return Explained { score, contributions: gains.contributions() };
        };
        let cut_off = self.scale.cut_off(score, beyond.chance);
        let total: f64 = beyond.columns.iter().map(|(_, part)| part.abs()).sum();
        for (column, part) in beyond.columns {
            let gain = cut_off.lost * self.trees.len() as f64 * part.abs() / total;
            gains.add(column, gain, part > 0.0);
        }
        Explained { score: cut_off.score, contributions: gains.contributions() }
    }

    /// What the row's leaves say, and what the columns gained on the ways to them.
    fn within(&self, row: &[f32]) -> (f64, Gains) {
        let ways = self.ways.get_or_init(|| Ways::new(self.columns, &self.trees));
        let Some(ways) = ways.as_ref().filter(|_| !row.iter().any(|cell| cell.is_nan())) else {
            let expected = self.expected.get_or_init(|| self.trees.iter().map(Tree::expected).collect());
            let trees = self.trees.iter().zip(expected);
            return (self.score_within(row), Gains::walked(self.columns, trees, row));
        };
        let (mut few, mut many) = ([0; FEW], Vec::new());
        let leaves = few.get_mut(..ways.leaves()).unwrap_or_else(|| {
            many.resize(ways.leaves(), 0);
            &mut many
        });
        let score = self.kernel().score_and_leaves(self.scale, row, leaves);
        (score, ways.gains(self.columns, leaves))
    }
}
