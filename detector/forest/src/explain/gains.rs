//! Trees and a row in, each column's share of the score and the side of its cell out. Saabas, "Interpreting
//! random forests" (2014); [`crate::Forest::explain`] defines the share.

use crate::tree::{Node, Tree};

/// The contribution of one column to the score of a row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Contribution {
    /// The share, 0 to 1; the shares of all columns add up to 1.
    pub share: f64,
    /// The side of the training rows on which the cell is, by the side on which the column gained more.
    pub side: Side,
}

/// The side of the training rows on which a cell is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Above most training rows.
    High,
    /// Below most training rows.
    Low,
}

/// The gain of one column, in edges or the mode's own unit.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Gain {
    pub(super) all: f64,
    /// The gains on the high side less those on the low side, without negative gains.
    pub(super) side: f64,
}

impl Gain {
    pub(super) fn add(&mut self, gain: f64, is_high: bool) {
        self.all += gain;
        self.side += if is_high { gain.max(0.0) } else { -gain.max(0.0) };
    }
}

/// The gain of each column.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Gains(pub(super) Vec<Gain>);

impl Gains {
    /// The gains of `row` along its path through each tree. `trees` has each tree with the result of
    /// [`Tree::expected`].
    pub(crate) fn walked<'a>(
        columns: usize,
        trees: impl Iterator<Item = (&'a Tree, &'a Vec<f64>)>,
        row: &[f32],
    ) -> Self {
        let mut gains = Self(vec![Gain::default(); columns]);
        for (tree, expected) in trees {
            let mut at = 0;
            while let Some(next) = tree.step(at, row).filter(|_| !tree.is_missing(at, row)) {
                gains.credit(tree, at, next, row, expected[at] - expected[next]);
                at = next;
            }
        }
        gains
    }

    /// Adds the gain of a step from a node to its child to the column of the node. The gain of a plane is
    /// divided among its columns by how far each column took the row from the middle.
    fn credit(&mut self, tree: &Tree, at: usize, next: usize, row: &[f32], gain: f64) {
        match tree.nodes()[at] {
            Node::Split { column, right, .. } => self.add(column as usize, gain, next == right as usize),
            Node::Plane { plane, .. } => {
                let terms = &tree.planes()[plane as usize].terms;
                let total: f64 = terms.iter().map(|term| term.distance(row).abs()).sum();
                for term in terms.iter().filter(|_| total > 0.0) {
                    let is_high = row[term.column as usize] > term.centre;
                    self.add(term.column as usize, gain * term.distance(row).abs() / total, is_high);
                }
            }
            Node::Leaf { .. } => {}
        }
    }

    /// Adds a gain to a column, on the high or the low side.
    pub(crate) fn add(&mut self, column: usize, gain: f64, is_high: bool) {
        self.0[column].add(gain, is_high);
    }

    /// The contribution of each column.
    pub(crate) fn contributions(self) -> Vec<Contribution> {
        let total: f64 = self.0.iter().map(|gain| gain.all.max(0.0)).sum();
        let alike = 1.0 / self.0.len() as f64;
        let share = |gain: &Gain| if total > 0.0 { gain.all.max(0.0) / total } else { alike };
        let side = |gain: &Gain| if gain.side < 0.0 { Side::Low } else { Side::High };
        self.0.into_iter().map(|gain| Contribution { share: share(&gain), side: side(&gain) }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shares(gains: &[f64]) -> Vec<f64> {
        let gains = Gains(gains.iter().map(|&all| Gain { all, side: 0.0 }).collect());
        gains.contributions().iter().map(|contribution| contribution.share).collect()
    }

    #[test]
    fn only_gains_count_and_they_add_up_to_one() {
        assert_eq!(shares(&[3.0, -2.0, 1.0]), [0.75, 0.0, 0.25]);
    }

    #[test]
    fn without_any_gain_all_columns_share_alike() {
        assert_eq!(shares(&[-1.0, 0.0]), [0.5, 0.5]);
    }
}
