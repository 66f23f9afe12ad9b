//! A forest and its training rows in; the score of each in all trees out, and in those that were grown without it.
//!
//! The trees of a row's own bag are taken off the sum over all trees. Sums of path lengths are whole numbers, so what is
//! left is exact. Likewise the row is taken out of the ranges: without it, the greatest cell is beyond them, as that of a new
//! row would be.

use crate::data::ranges::Extremes;
use crate::data::samples::Samples;
use crate::forest::Forest;
use crate::score::bags::Bags;
use crate::score::scale::Scale;
use crate::score::walks::Walks;
use crate::train::bag;
use crate::tree::path_length::PathLength;

/// The bags of a forest's last trees, which were grown from these samples with these seeds.
pub(crate) fn walked(forest: &Forest, samples: &Samples, seeds: &[u64]) -> Bags {
    let mut all = Bags::new(samples.len());
    let first = forest.trees().len() - seeds.len();
    for (tree, bag) in bag::bags(samples.len(), forest.sample_size(), seeds).enumerate() {
        let lengths = path_lengths_in(forest, first + tree, samples, &bag);
        all.add(&bag.into_iter().zip(lengths).collect::<Vec<_>>());
    }
    all
}

/// The score of each row in all trees; and in those that were grown without it, `None` where there are none, or where that is not
/// known: of the rows before `known_from`. `bags` are those of all trees that may have seen a row from there on.
pub(crate) fn scores(
    forest: &Forest,
    samples: &Samples,
    bags: Bags,
    known_from: usize,
) -> (Vec<f64>, Vec<Option<f64>>) {
    let sums = forest.path_lengths(samples);
    let in_all = forest.scores_of(&sums, samples);
    let count = forest.trees().len();
    let extremes = Extremes::of(samples);
    let score = |sum, trees, row: &[f32]| {
        let scale = Scale::new(forest.mode(), trees, forest.sample_size());
        scale.cut_off(scale.score(sum), extremes.chance(row)).score
    };
    let rows = samples.rows().zip(sums.into_iter().zip(bags.0)).enumerate();
    let out_of_bag = rows.map(|(at, (row, (sum, (seen, own))))| {
        let trees = count - seen as usize;
        (trees > 0 && at >= known_from).then(|| score(sum - own, trees, row))
    });
    (in_all, out_of_bag.collect())
}

/// The path lengths of these rows in one tree, counted from 0.
fn path_lengths_in(forest: &Forest, tree: usize, samples: &Samples, rows: &[usize]) -> Vec<PathLength> {
    if samples.has_missing() {
        return rows.iter().map(|row| forest.path_length_in(tree, samples.row(*row))).collect();
    }
    let cells: Vec<f32> = rows.iter().flat_map(|row| samples.row(*row)).copied().collect();
    let mut lengths = vec![0; rows.len()];
    let walks = Walks::new(std::slice::from_ref(&forest.trees()[tree]));
    walks.path_lengths(samples.columns(), &cells, &mut lengths);
    lengths
}
