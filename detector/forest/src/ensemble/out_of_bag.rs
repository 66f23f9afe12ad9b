//! A forest and its training rows in; the score of each in all trees out, and in those that were grown without it.
//!
//! The trees of a row's own bag are taken off the sum over all trees. Sums of path lengths are whole numbers, so what is
//! left is exact. Likewise the row is taken out of the ranges: without it, the greatest cell is beyond them, as that of a new
//! row would be.

use crate::data::ranges::Extremes;
use crate::data::samples::Samples;
use crate::forest::Forest;
use crate::score::scale::Scale;
use crate::score::walks::Walks;
use crate::train::bag;
use crate::tree::path_length::PathLength;

/// The score of each row in all trees; and in those that were grown without it, `None` where there are none. `samples` and
/// `seed` are those of the training.
pub(crate) fn scores(forest: &Forest, samples: &Samples, seed: u64) -> (Vec<f64>, Vec<Option<f64>>) {
    let mut sums = forest.path_lengths(samples);
    let in_all = forest.scores_of(&sums, samples);
    let count = forest.trees().len();
    let mut trees = vec![count; samples.len()];
    let bags = bag::bags(samples.len(), forest.sample_size(), bag::seeds(count as u32, seed));
    for (tree, bag) in bags.enumerate() {
        for (row, length) in bag.iter().zip(path_lengths_in(forest, tree, samples, &bag)) {
            trees[*row] -= 1;
            sums[*row] -= length;
        }
    }
    let extremes = Extremes::of(samples);
    let score = |sum, trees, row: &[f32]| {
        let scale = Scale::new(forest.mode(), trees, forest.sample_size());
        scale.cut_off(scale.score(sum), extremes.chance(row)).score
    };
    let rows = samples.rows().zip(sums.into_iter().zip(trees));
    let out_of_bag = rows.map(|(row, (sum, trees))| (trees > 0).then(|| score(sum, trees, row)));
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
