//! The nodes of a tree: splits on one column, hyperplanes over several, leaves.

/// One node of a tree. Children are indices into the tree's nodes; the root is node 0.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Node {
    /// A split on one column.
    Split {
        /// The index of the cell in the row, counted from 0.
        column: u32,
        /// A row whose cell is greater goes right, any other left. (For `f32` cells, an `f64` threshold t is
        /// the same as the largest `f32` that is not greater than t: see [`threshold`].)
        threshold: f32,
        /// The child for rows whose cell is not greater.
        left: u32,
        /// The child for rows whose cell is greater.
        right: u32,
    },
    /// A split by a hyperplane over several columns (extension level 1 and above).
    Plane {
        /// The index of the plane among the tree's planes.
        plane: u32,
        /// The child for rows behind the plane or on it.
        left: u32,
        /// The child for rows before the plane.
        right: u32,
    },
    /// The end of a path.
    Leaf {
        /// The number of training rows that ended here.
        samples: u32,
    },
}

/// A hyperplane: a row is before it when Σ weight · (cell − centre) > offset.
#[derive(Debug, Clone, PartialEq)]
pub struct Plane {
    /// The terms of the sum, by ascending column.
    pub terms: Vec<Term>,
    /// The number that the sum must exceed for a row before the plane.
    pub offset: f64,
}

/// One column of a [`Plane`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Term {
    /// The index of the cell in the row, counted from 0.
    pub column: u32,
    /// The middle of the column's range among the training rows in the node.
    pub centre: f32,
    /// The factor of this column in the sum: from -1e100 to 1e100.
    pub weight: f64,
}

/// The largest weight. With it the distances of a plane add up to a finite number for any cells. Training
/// needs less: one over the least difference of two cells is 1e45.
pub(super) const MAX_WEIGHT: f64 = 1e100;

/// The `f32` threshold that sends every `f32` cell to the side on which the `f64` threshold `t` does: the largest
/// `f32` that is not greater than `t`.
///
/// ```
/// let t = forest::tree::threshold(0.1);
/// assert!(f64::from(t) <= 0.1 && f64::from(t.next_up()) > 0.1);
/// ```
pub fn threshold(t: f64) -> f32 {
    let nearest = t as f32;
    if f64::from(nearest) > t { nearest.next_down() } else { nearest }
}

impl Plane {
    pub(super) fn is_before(&self, row: &[f32]) -> bool {
        self.distance(row) > self.offset
    }

    /// Σ weight · (cell − centre).
    pub(crate) fn distance(&self, row: &[f32]) -> f64 {
        self.terms.iter().map(|term| term.distance(row)).sum()
    }
}

impl Term {
    #[inline]
    pub(crate) fn distance(&self, row: &[f32]) -> f64 {
        let distance = self.weight * (f64::from(row[self.column as usize]) - f64::from(self.centre));
        // A missing cell counts as one in the middle.
        if distance.is_nan() { 0.0 } else { distance }
    }
}
