//! What a tree is made of: splits over one column, hyperplanes over several, leaves.

/// One node of a tree. Children are indices into the tree's nodes; the root is node 0.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Node {
    /// A split on one column.
    Split {
        /// Which cell of the row, counted from 0.
        column: u32,
        /// A cell that is greater goes right, any other left. (A threshold t in `f64` is the same, for `f32` cells, as
        /// the largest `f32` that is not greater than t: see [`threshold`].)
        threshold: f32,
        /// Where the smaller go.
        left: u32,
        /// Where the greater go.
        right: u32,
    },
    /// A split by a hyperplane over several columns (extension level 1 and above).
    Plane {
        /// Which of the tree's planes.
        plane: u32,
        /// Where rows behind the plane or on it go.
        left: u32,
        /// Where rows before the plane go.
        right: u32,
    },
    /// Where a path ends.
    Leaf {
        /// How many training rows ended here.
        samples: u32,
    },
}

/// A hyperplane: a row is before it when Σ weight · (cell − centre) > offset.
#[derive(Debug, Clone, PartialEq)]
pub struct Plane {
    /// The columns it looks at, in ascending order.
    pub terms: Vec<Term>,
    /// Its distance along the weights.
    pub offset: f64,
}

/// One column of a [`Plane`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Term {
    /// Which cell of the row, counted from 0.
    pub column: u32,
    /// The middle of the training rows' range here.
    pub centre: f32,
    /// How much this column turns the plane: from -1e100 to 1e100.
    pub weight: f64,
}

/// The largest weight: the distances of a plane add up to a number, whatever the cells. One over the least difference of two
/// cells is 1e45.
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
        // A missing cell is as good as one in the middle.
        if distance.is_nan() { 0.0 } else { distance }
    }
}
