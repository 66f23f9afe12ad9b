//! Sorted cuts and a cell in, its rank out: how many cuts are less than the cell.
//!
//! A uniform grid over the cuts gives the index where a binary search begins; the search has as many steps as
//! the fullest grid cell needs. Cell and cut go through the same monotone formula, so rounding cannot make
//! the rank wrong.

/// Grid cells per cut.
const CELLS_PER_CUT: usize = 8;

/// The cuts of several columns, arranged for finding ranks.
#[derive(Debug, Clone)]
pub(super) struct Ranker {
    pub(super) grids: Vec<Grid>,
    /// For each grid cell of each column, the index in `cuts` of the first cut that is not in a cell before it.
    pub(super) starts: Vec<u32>,
    /// The cuts of all columns. Each column's cuts are followed by 2^steps infinities, so that a search stays
    /// inside.
    pub(super) cuts: Vec<f32>,
    /// 2^steps − 1 is at least the number of cuts in any grid cell.
    pub(super) steps: u32,
}

/// One column's part of a [`Ranker`].
#[derive(Debug, Clone, Copy)]
pub(super) struct Grid {
    pub(super) low: f32,
    /// Grid cells per unit; 0 where the cuts are too few, too close or too far apart for a grid.
    pub(super) density: f32,
    /// The number of the last grid cell.
    pub(super) last: f32,
    /// Where this column's part of `starts` begins.
    pub(super) first_start: u32,
    /// Where this column's part of `cuts` begins.
    pub(super) first_cut: u32,
}

impl Grid {
    fn new(cuts: &[f32], first_start: usize, first_cut: usize) -> Self {
        let (low, high) = (cuts.first().copied().unwrap_or(0.0), cuts.last().copied().unwrap_or(0.0));
        let last = (cuts.len() * CELLS_PER_CUT) as f32;
        let density = last / (high - low);
        let (first_start, first_cut) = (first_start as u32, first_cut as u32);
        if (high - low).is_finite() && density.is_finite() {
            Self { low, density, last, first_start, first_cut }
        } else {
            Self { low: 0.0, density: 0.0, last, first_start, first_cut }
        }
    }

    /// The grid cell of `cell`: 0 to `last`.
    fn of(&self, cell: f32) -> usize {
        ((cell - self.low) * self.density).max(0.0).min(self.last) as usize // NaN becomes 0
    }
}

impl Ranker {
    /// A ranker for columns with these cuts; each list must be sorted and without duplicates.
    pub(super) fn new(cuts: &[Vec<f32>]) -> Self {
        let mut grids = Vec::with_capacity(cuts.len());
        let mut counts = Vec::new();
        for column in cuts {
            let grid = Grid::new(column, counts.len(), 0);
            counts.resize(counts.len() + grid.last as usize + 1, 0u32);
            for &cut in column {
                counts[grid.first_start as usize + grid.of(cut)] += 1;
            }
            grids.push(grid);
        }
        let fullest = counts.iter().copied().max().unwrap_or(0);
        let steps = u32::BITS - fullest.leading_zeros();
        let mut ranker = Self { grids, starts: counts, cuts: Vec::new(), steps };
        ranker.place(cuts);
        ranker
    }

    /// Writes the cuts of all columns one after the other, and turns the counts in `starts` into indices.
    fn place(&mut self, cuts: &[Vec<f32>]) {
        for (grid, column) in self.grids.iter_mut().zip(cuts) {
            grid.first_cut = self.cuts.len() as u32;
            let mut next = grid.first_cut;
            for start in &mut self.starts[grid.first_start as usize..][..=grid.last as usize] {
                next += std::mem::replace(start, next);
            }
            self.cuts.extend(column);
            self.cuts.resize(self.cuts.len() + (1 << self.steps), f32::INFINITY);
        }
    }

    /// How many cuts of `column` are less than `cell`; 0 for NaN.
    pub(super) fn rank(&self, column: usize, cell: f32) -> u32 {
        let grid = &self.grids[column];
        let mut at = self.starts[grid.first_start as usize + grid.of(cell)];
        for step in (0..self.steps).rev() {
            let reach = 1 << step;
            at += if self.cuts[(at + reach - 1) as usize] < cell { reach } else { 0 };
        }
        at - grid.first_cut
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
            let columns: Vec<Vec<f32>> = columns.into_iter().map(|mut cuts| {
                cuts.retain(|cut| !cut.is_sign_negative() || *cut != 0.0); // -0.0 is 0.0
                cuts.sort_unstable_by(f32::total_cmp);
                cuts.dedup();
                cuts
            }).collect();
            let ranker = Ranker::new(&columns);
            for (column, cuts) in columns.iter().enumerate() {
                for &cell in cells.iter().chain(cuts).chain(&[f32::NAN, f32::INFINITY, f32::NEG_INFINITY]) {
                    let lesser = cuts.iter().filter(|&&cut| cut < cell).count();
                    prop_assert_eq!(ranker.rank(column, cell) as usize, lesser);
                }
            }
        }
    }
}
