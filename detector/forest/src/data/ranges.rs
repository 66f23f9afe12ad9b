//! The ranges of the training rows and a row in, the chance that a random cut isolates the row from all of
//! them out.
//!
//! A forest has cuts only between cells of its training rows, so by its trees alone a cell outside their
//! range scores as a cell at the edge. If a tree were grown with the row among its rows, the box of its rows
//! would reach further, and a cut in the added part would isolate the row at once: Guha et al., "Robust
//! random cut forest based anomaly detection on streams" (ICML 2016); Lakshminarayanan, Roy and Teh,
//! "Mondrian forests" (NIPS 2014). Here a column is chosen uniformly among those that vary, then a cut
//! uniformly in its range. So the chance is the mean over the columns of extent / (range + extent), where
//! extent is the distance of the cell from the range: exactly that at the root, and at least that on every
//! level below, since ranges only get narrower.

use crate::data::samples::Samples;

/// The least range that a column counts with, as a share of its greatest absolute value: cells have few more
/// digits.
const MIN_RELATIVE_RANGE: f64 = 1.0 / (1 << 20) as f64;
/// The greatest chance: nothing is certain, so it is less than 1.
const MAX_CHANCE: f64 = 1.0 - f64::EPSILON;

/// The least and the greatest cell of each column among the rows that a forest was trained on.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Ranges(Vec<[f32; 2]>);

/// The part of a row that is outside the ranges.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Beyond {
    /// The chance that a random cut isolates the row from all training rows: over 0, under 1.
    pub(crate) chance: f64,
    /// The columns whose cells are outside, with extent / (range + extent), negative for cells that are too
    /// low.
    pub(crate) columns: Vec<(usize, f64)>,
}

impl Ranges {
    /// The ranges of these rows.
    pub(crate) fn of(samples: &Samples) -> Self {
        Self(samples.ranges().to_vec())
    }

    /// Ranges with these bounds; `None` unless there is a finite range, in ascending order, for each of
    /// `columns` columns.
    pub(crate) fn new(ranges: Vec<[f32; 2]>, columns: usize) -> Option<Self> {
        let is_range = |range: &[f32; 2]| range[0] <= range[1] && range.iter().all(|cell| cell.is_finite());
        (ranges.len() == columns && ranges.iter().all(is_range)).then_some(Self(ranges))
    }

    /// The least and the greatest cell of each column.
    pub(crate) fn bounds(&self) -> &[[f32; 2]] {
        &self.0
    }

    /// The chance that a random cut isolates `row` from all training rows: 0 for a row within the ranges. A
    /// missing cell is within.
    pub(crate) fn chance(&self, row: &[f32]) -> f64 {
        if self.hold(row) { 0.0 } else { chance(self.0.iter().copied(), row) }
    }

    /// The part of `row` that is outside the ranges; `None` if all of it is within.
    pub(crate) fn beyond(&self, row: &[f32]) -> Option<Beyond> {
        let chance = self.chance(row);
        let columns = self.0.iter().zip(row).map(|(range, cell)| part(*range, *cell)).enumerate();
        (chance > 0.0).then(|| Beyond { chance, columns: columns.filter(|(_, part)| *part != 0.0).collect() })
    }

    /// Whether all of `row` is within the ranges.
    #[expect(clippy::needless_bitwise_bool, reason = "nearly every row is held, so no branch pays")]
    fn hold(&self, row: &[f32]) -> bool {
        let is_out = |out: bool, ([low, high], cell): (&[f32; 2], &f32)| out | (cell < low) | (cell > high);
        !self.0.iter().zip(row).fold(false, is_out)
    }
}

/// The least two and the greatest two cells of each column: they give the ranges without any one of the rows.
pub(crate) struct Extremes(Vec<[[f32; 2]; 2]>);

impl Extremes {
    /// The extremes of these rows.
    pub(crate) fn of(samples: &Samples) -> Self {
        let none = [[f32::INFINITY; 2], [f32::NEG_INFINITY; 2]];
        let mut extremes = vec![none; samples.columns()];
        for row in samples.rows() {
            let there = extremes.iter_mut().zip(row).filter(|(_, cell)| !cell.is_nan());
            for ([[least, less], [most, more]], &cell) in there {
                *less = less.min(cell.max(*least));
                *least = least.min(cell);
                *more = more.max(cell.min(*most));
                *most = most.max(cell);
            }
        }
        Self(extremes)
    }

    /// The chance that a random cut isolates a training row from all other training rows.
    pub(crate) fn chance(&self, row: &[f32]) -> f64 {
        let without = |([[least, less], [most, more]], &cell): (&[[f32; 2]; 2], &f32)| {
            let low = if cell <= *least { *less } else { *least };
            let high = if cell >= *most { *more } else { *most };
            if low > high { [f32::MIN, f32::MAX] } else { [low, high] }
        };
        chance(self.0.iter().zip(row).map(without), row)
    }
}

/// The mean of [`part`], without its sign, over the columns that vary among the training rows and `row`
/// together.
fn chance(ranges: impl Iterator<Item = [f32; 2]>, row: &[f32]) -> f64 {
    let (mut sum, mut varying) = (0.0, 0u32);
    for (range, &cell) in ranges.zip(row) {
        let part = part(range, cell).abs();
        sum += part;
        varying += u32::from(part > 0.0 || range[0] < range[1]);
    }
    if sum > 0.0 { (sum / f64::from(varying)).min(MAX_CHANCE) } else { 0.0 }
}

/// extent / (range + extent) for a cell above its range, the negative of that for a cell below it, 0 within.
fn part([low, high]: [f32; 2], cell: f32) -> f64 {
    let level = f64::from(low.abs().max(high.abs()));
    let range = (f64::from(high) - f64::from(low)).max(level * MIN_RELATIVE_RANGE);
    // In this form an infinite extent is 1.
    let part = |extent: f64| 1.0 - range / (range + extent);
    if cell > high {
        part(f64::from(cell) - f64::from(high))
    } else if cell < low {
        -part(f64::from(low) - f64::from(cell))
    } else {
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ranges(ranges: &[[f32; 2]]) -> Ranges {
        Ranges::new(ranges.to_vec(), ranges.len()).unwrap()
    }

    #[test]
    fn a_cell_as_far_beyond_as_the_range_is_wide_is_cut_off_every_second_time_its_column_is_split() {
        let ranges = ranges(&[[0.0, 10.0], [0.0, 1.0]]);
        assert!((ranges.chance(&[20.0, 0.5]) - 0.25).abs() < 1e-12);
        let beyond = ranges.beyond(&[20.0, -1.0]).unwrap();
        assert!((beyond.chance - 0.5).abs() < 1e-12);
        assert_eq!(beyond.columns, [(0, 0.5), (1, -0.5)]);
        assert!(ranges.chance(&[f32::INFINITY, f32::NAN]) < 1.0);
    }

    #[test]
    fn what_is_within_or_missing_is_not_beyond() {
        let ranges = ranges(&[[0.0, 10.0], [0.0, 1.0]]);
        for row in [[0.0, 1.0], [10.0, 0.0], [-0.0, f32::NAN], [f32::NAN, f32::NAN]] {
            assert_eq!(ranges.chance(&row).to_bits(), 0f64.to_bits());
            assert_eq!(ranges.beyond(&row), None);
        }
    }

    #[test]
    fn a_column_that_never_varied_counts_only_where_it_varies() {
        let ranges = ranges(&[[0.0, 10.0], [5.0, 5.0], [5.0, 5.0]]);
        assert!((ranges.chance(&[20.0, 5.0, 5.0]) - 0.5).abs() < 1e-12);
        assert!(
            (ranges.chance(&[5.0, 6.0, 5.0]) - 0.5).abs() < 1e-5,
            "the second of two columns, always cut off"
        );
        let step = ranges.chance(&[5.0, 5f32.next_up(), 5.0]);
        assert!(step < 0.05, "the last digit is not a change: {step}");
    }

    #[test]
    fn ranges_that_are_none_are_refused() {
        for wrong in [vec![], vec![[1.0, 0.0]], vec![[f32::NAN, 1.0]], vec![[0.0, f32::INFINITY]]] {
            assert_eq!(Ranges::new(wrong.clone(), 1), None, "{wrong:?}");
        }
    }

    proptest! {
        #[test]
        fn without_a_row_the_ranges_are_those_of_the_others(
            cells in prop::collection::vec(prop_oneof![(-3i8..4).prop_map(f64::from), Just(f64::NAN)], 4..40),
        ) {
            let cells = &cells[..cells.len() / 2 * 2];
            let samples = Samples::with_missing(2, cells.to_vec()).unwrap();
            let extremes = Extremes::of(&samples);
            for at in 0..samples.len() {
                let others = [&cells[..2 * at], &cells[2 * at + 2..]].concat();
                let others = Samples::with_missing(2, others).unwrap();
                let expected = Ranges::of(&others).chance(samples.row(at));
                prop_assert_eq!(extremes.chance(samples.row(at)).to_bits(), expected.to_bits());
            }
        }

        #[test]
        fn further_out_is_likelier(near in 1.0f32..1e30, far in 1.0f32..1e30) {
            let ranges = ranges(&[[0.0, 1.0], [0.0, 0.0]]);
            let (near, far) = (near.min(far), near.max(far));
            prop_assert!(ranges.chance(&[near, 0.0]) <= ranges.chance(&[far, 0.0]));
            prop_assert!(ranges.chance(&[far, 0.0]) <= 1.0);
        }
    }
}
