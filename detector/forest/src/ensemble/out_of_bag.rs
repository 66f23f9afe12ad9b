//! A forest and its training rows in; each row's score in all trees, and in the trees that were grown without
//! it, out.
//!
//! A row's path lengths in the trees that were grown from it are subtracted from its sum over all trees. Sums
//! of path lengths are whole numbers, so the rest is exact. Likewise the row is removed from the ranges:
//! without it, the greatest cell is outside them, as the greatest cell of a new row would be.

use crate::data::ranges::Extremes;
use crate::data::samples::Samples;
use crate::forest::Forest;
use crate::score::bags::Bags;
use crate::score::scale::Scale;
use crate::score::walks::Walks;
use crate::train::bag;
use crate::tree::path_length::PathLength;

/// The bags of a forest's last trees, which were grown from these samples with these seeds. The path lengths
/// come from walks.
pub(crate) fn walked(forest: &Forest, samples: &Samples, seeds: &[u64]) -> Bags {
    let mut all = Bags::new(samples.len());
    let first = forest.trees().len() - seeds.len();
    for (tree, bag) in bag::bags(samples.len(), forest.sample_size(), seeds).enumerate() {
        let lengths = path_lengths_in(forest, first + tree, samples, &bag);
        all.add(&bag.into_iter().zip(lengths).collect::<Vec<_>>());
    }
    all
}

/// The score of each row in all trees, and in the trees that were grown without it. The latter is `None` if
/// there is no such tree, and for rows before `known_from`, where the trees that were grown from the row are
/// not known. `bags` must have the bags of all trees that may have seen a row from `known_from` on.
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

/// The path lengths of these rows in the tree at index `tree`.
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
