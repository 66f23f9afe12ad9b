//! A forest and the rows that it was grown from in; what each of them scores in the trees that have not seen it out.
//!
//! The trees of a row's own bag are taken off the sum over all trees. Sums of path lengths are whole numbers, so what is
//! left is exact. Likewise the row is taken out of the ranges: without it, the greatest cell is beyond them, as that of a new
//! row would be.

use crate::committee;
use crate::forest::Forest;
use crate::grow;
use crate::params::Params;
use crate::path::Scale;
use crate::ranges::Extremes;
use crate::samples::Samples;

/// See [`Forest::out_of_bag_scores`].
pub(crate) fn scores(forest: &Forest, samples: &Samples, params: &Params) -> Vec<f64> {
    let params = committee::members(samples, params);
    let members = forest.members().zip(&params);
    let members: Vec<_> = members.map(|(member, params)| of_member(member, samples, params)).collect();
    let unseen_by_all = |row: usize| members.iter().map(|scores| scores[row]).collect::<Option<Vec<f64>>>();
    let rows = (0..samples.len()).filter_map(unseen_by_all);
    rows.map(|scores| forest.committee().map_or(scores[0], |committee| committee.score(scores).0)).collect()
}

/// One score a row; none for those that every tree has learned from.
fn of_member(forest: &Forest, samples: &Samples, params: &Params) -> Vec<Option<f64>> {
    let mut sums = forest.path_lengths(samples);
    let mut trees = vec![forest.trees().len(); samples.len()];
    for (tree, bag) in grow::bags(samples, params).enumerate() {
        for row in bag {
            sums[row] -= forest.path_length_in(tree, samples.row(row));
            trees[row] -= 1;
        }
    }
    let extremes = Extremes::of(samples);
    let score = |sum, trees, row: &[f32]| {
        let scale = Scale::new(forest.mode(), trees, forest.sample_size());
        scale.cut_off(scale.score(sum), extremes.chance(row)).score
    };
    let rows = samples.rows().zip(sums.into_iter().zip(trees));
    rows.map(|(row, (sum, trees))| (trees > 0).then(|| score(sum, trees, row))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::params::Mode;

    fn samples(rows: u32) -> Samples {
        Samples::new(2, (0..rows).flat_map(|i| [f64::from(i % 37), f64::from(i * i % 101)]).collect())
            .unwrap()
    }

    /// Each row in a forest of those trees alone that were grown without it.
    #[test]
    fn a_row_is_scored_by_the_trees_that_were_grown_without_it() {
        let (samples, params) = (samples(300), Params::new(30, 100, 0, 3).unwrap());
        let forest = Forest::fit(&samples, &params).unwrap();
        let bags: Vec<Vec<usize>> = grow::bags(&samples, &params).collect();
        let without = |row: usize| {
            let trees = forest.trees().iter().zip(&bags);
            let trees: Vec<_> =
                trees.filter(|(_, bag)| !bag.contains(&row)).map(|(tree, _)| tree.clone()).collect();
            Forest::from_sound_trees(Mode::Standard, 2, 100, trees).unwrap().score(samples.row(row))
        };
        let expected: Vec<f64> = (0..300).map(without).collect();
        assert_eq!(forest.out_of_bag_scores(&samples, &params), expected);
        assert_ne!(forest.scores(&samples), expected);
    }

    #[test]
    fn a_forest_of_one_tree_has_no_out_of_bag_score_for_the_rows_of_that_tree() {
        let (samples, params) = (samples(300), Params::new(1, 100, 0, 3).unwrap());
        let forest = Forest::fit(&samples, &params).unwrap();
        assert_eq!(forest.out_of_bag_scores(&samples, &params).len(), 200);
    }

    #[test]
    fn rows_that_every_tree_has_learned_from_are_left_out() {
        let (samples, params) = (samples(100), Params::default());
        let forest = Forest::fit(&samples, &params).unwrap();
        assert!(forest.out_of_bag_scores(&samples, &params).is_empty());
    }
}
