//! Sorted split values and a cell in, its rank out: how many split values are less than the cell.
//!
//! A uniform grid over the splits gives the index where a binary search begins; the search has as many steps as
//! the fullest grid cell needs. Cell and split go through the same monotone formula, so rounding cannot make
//! the rank wrong.

/// Grid cells per split.
const CELLS_PER_SPLIT: usize = 8;

/// The split values of several columns, arranged for finding ranks.
#[derive(Debug, Clone)]
pub(super) struct Ranker {
    pub(super) grids: Vec<Grid>,
    /// For each grid cell of each column, the index in `splits` of the first split that is not in a cell before it.
    pub(super) starts: Vec<u32>,
    /// The split values of all columns. Each column's are followed by 2^steps infinities, so that a search stays
    /// inside.
    pub(super) splits: Vec<f32>,
    /// 2^steps − 1 is at least the number of splits in any grid cell.
    pub(super) steps: u32,
}

/// One column's part of a [`Ranker`].
#[derive(Debug, Clone, Copy)]
pub(super) struct Grid {
    pub(super) low: f32,
    /// Grid cells per unit; 0 where the splits are too few, too close or too far apart for a grid.
    pub(super) density: f32,
    /// The number of the last grid cell.
    pub(super) last: f32,
    /// Where this column's part of `starts` begins.
    pub(super) first_start: u32,
    /// Where this column's part of `splits` begins.
    pub(super) first_split: u32,
}

impl Grid {
    fn new(splits: &[f32], first_start: usize, first_split: usize) -> Self {
        let (low, high) = (splits.first().copied().unwrap_or(0.0), splits.last().copied().unwrap_or(0.0));
        let last = (splits.len() * CELLS_PER_SPLIT) as f32;
        let density = last / (high - low);
        let (first_start, first_split) = (first_start as u32, first_split as u32);
        if (high - low).is_finite() && density.is_finite() {
            Self { low, density, last, first_start, first_split }
        } else {
            Self { low: 0.0, density: 0.0, last, first_start, first_split }
        }
    }

    /// The grid cell of `cell`: 0 to `last`.
    fn of(&self, cell: f32) -> usize {
        ((cell - self.low) * self.density).max(0.0).min(self.last) as usize // NaN becomes 0
    }
}

impl Ranker {
    /// A ranker for columns with these splits; each list must be sorted and without duplicates.
    pub(super) fn new(splits: &[Vec<f32>]) -> Self {
        let mut grids = Vec::with_capacity(splits.len());
        let mut counts = Vec::new();
        for column in splits {
            let grid = Grid::new(column, counts.len(), 0);
            counts.resize(counts.len() + grid.last as usize + 1, 0u32);
            for &split in column {
                counts[grid.first_start as usize + grid.of(split)] += 1;
            }
            grids.push(grid);
        }
        let fullest = counts.iter().copied().max().unwrap_or(0);
        let steps = u32::BITS - fullest.leading_zeros();
        let mut ranker = Self { grids, starts: counts, splits: Vec::new(), steps };
        ranker.place(splits);
        ranker
    }

    /// Writes the splits of all columns one after the other, and turns the counts in `starts` into indices.
    fn place(&mut self, splits: &[Vec<f32>]) {
        for (grid, column) in self.grids.iter_mut().zip(splits) {
            grid.first_split = self.splits.len() as u32;
            let mut next = grid.first_split;
            for start in &mut self.starts[grid.first_start as usize..][..=grid.last as usize] {
                next += std::mem::replace(start, next);
            }
            self.splits.extend(column);
            self.splits.resize(self.splits.len() + (1 << self.steps), f32::INFINITY);
        }
    }

    /// How many splits of `column` are less than `cell`; 0 for NaN.
    pub(super) fn rank(&self, column: usize, cell: f32) -> u32 {
        let grid = &self.grids[column];
        let mut at = self.starts[grid.first_start as usize + grid.of(cell)];
        for step in (0..self.steps).rev() {
            let reach = 1 << step;
            at += if self.splits[(at + reach - 1) as usize] < cell { reach } else { 0 };
        }
        at - grid.first_split
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_rank_is_the_number_of_lesser_cuts(
            columns in prop::collection::vec(prop::collection::vec(any::<f32>().prop_filter("finite", |x| x.is_finite()), 0..40), 1..4),
            cells in prop::collection::vec(any::<f32>(), 50),
        ) {
            let columns: Vec<Vec<f32>> = columns.into_iter().map(|mut splits| {
                splits.retain(|split| !split.is_sign_negative() || *split != 0.0); // -0.0 is 0.0
                splits.sort_unstable_by(f32::total_cmp);
                splits.dedup();
                splits
            }).collect();
            let ranker = Ranker::new(&columns);
            for (column, splits) in columns.iter().enumerate() {
                for &cell in cells.iter().chain(splits).chain(&[f32::NAN, f32::INFINITY, f32::NEG_INFINITY]) {
                    let lesser = splits.iter().filter(|&&split| split < cell).count();
                    prop_assert_eq!(ranker.rank(column, cell) as usize, lesser);
                }
            }
        }
    }
}
