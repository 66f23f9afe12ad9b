//! Trees and a row in, each column's share in setting it apart out, and on which side it is.
//! [`crate::Forest::explain`] says what a share is.

use crate::tree::{Node, Tree};

/// What one column did to set a row apart.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Contribution {
    /// 0 to 1; those of all columns add up to 1.
    pub share: f64,
    /// On which side of the training rows the cell is, as far as it set the row apart.
    pub side: Side,
}

/// Where a cell is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Over most training rows.
    High,
    /// Below most training rows.
    Low,
}

/// How much each column gained, and how much of it on the high side less how much on the low.
struct Gains {
    all: Vec<f64>,
    sides: Vec<f64>,
}

/// The contributions of `columns` columns to setting `row` apart, given each tree with the value that a training row in
/// each of its nodes is to expect, and what columns gained by cells beyond the ranges: its negative for low cells.
pub(crate) fn of<'a>(
    columns: usize,
    trees: impl Iterator<Item = (&'a Tree, &'a Vec<f64>)>,
    row: &[f32],
    beyond: &[(usize, f64)],
) -> Vec<Contribution> {
    let mut gains = Gains { all: vec![0.0; columns], sides: vec![0.0; columns] };
    for (tree, expected) in trees {
        let mut at = 0;
        while let Some(next) = tree.step(at, row).filter(|_| !tree.is_missing(at, row)) {
            gains.credit(tree, at, next, row, expected[at] - expected[next]);
            at = next;
        }
    }
    for (column, gain) in beyond {
        gains.add(*column as u32, gain.abs(), *gain > 0.0);
    }
    let side = |sum: &f64| if *sum < 0.0 { Side::Low } else { Side::High };
    let sides: Vec<Side> = gains.sides.iter().map(side).collect();
    shares(gains.all).into_iter().zip(sides).map(|(share, side)| Contribution { share, side }).collect()
}

impl Gains {
    /// Adds what the step from a node to its child gained to the node's column; a plane's gain goes to its columns by how
    /// far each took the row from the middle.
    fn credit(&mut self, tree: &Tree, at: usize, next: usize, row: &[f32], gain: f64) {
        match tree.nodes()[at] {
            Node::Split { column, right, .. } => self.add(column, gain, next == right as usize),
            Node::Plane { plane, .. } => {
                let terms = &tree.planes()[plane as usize].terms;
                let total: f64 = terms.iter().map(|term| term.distance(row).abs()).sum();
                for term in terms.iter().filter(|_| total > 0.0) {
                    let is_high = row[term.column as usize] > term.centre;
                    self.add(term.column, gain * term.distance(row).abs() / total, is_high);
                }
            }
            Node::Leaf { .. } => {}
        }
    }

    fn add(&mut self, column: u32, gain: f64, is_high: bool) {
        self.all[column as usize] += gain;
        self.sides[column as usize] += if is_high { gain.max(0.0) } else { -gain.max(0.0) };
    }
}

fn shares(mut gains: Vec<f64>) -> Vec<f64> {
    for gain in &mut gains {
        *gain = gain.max(0.0);
    }
    let total: f64 = gains.iter().sum();
    if total > 0.0 {
        for gain in &mut gains {
            *gain /= total;
        }
    } else {
        let columns = gains.len() as f64;
        gains.fill(1.0 / columns);
    }
    gains
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_gains_count_and_they_add_up_to_one() {
        assert_eq!(shares(vec![3.0, -2.0, 1.0]), [0.75, 0.0, 0.25]);
    }

    #[test]
    fn without_any_gain_all_columns_share_alike() {
        assert_eq!(shares(vec![-1.0, 0.0]), [0.5, 0.5]);
    }
}
