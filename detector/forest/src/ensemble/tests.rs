use super::*;
use crate::explain::gains::Side;
use crate::train::bag;
use crate::train::params::{Mode, Params};

/// 500 rows around 0 and one far off, in two columns; the second column is constant.
fn majority_and_outlier() -> Samples {
    let majority = (0..500).map(|i| f64::from(i % 37) / 37.0 - 0.5);
    let cells = majority.chain([10.0]).flat_map(|value| [value, 7.0]);
    Samples::new(2, cells.collect()).unwrap()
}

/// 800 rows of three bell-shaped columns around 60, from 0 to about 120.
fn bells() -> Samples {
    let bell = |i: u32, j: u32| f64::from(i * j % 37 + i * (j + 2) % 41 + i * (j + 4) % 43);
    Samples::new(3, (1..800).flat_map(|i| [bell(i, 1), bell(i, 5), bell(i, 11)]).collect()).unwrap()
}

fn params(trees: u32, sample_size: u32, extension_level: u32, seed: u64) -> Params {
    Params::new(trees, sample_size, extension_level, seed).unwrap()
}

/// Every mode, axis-parallel and extended.
fn modes() -> impl Iterator<Item = (Mode, u32)> {
    Mode::ALL.into_iter().flat_map(|mode| [(mode, 0), (mode, 1)])
}

fn on_threads(threads: usize, samples: &Samples, params: &EnsembleParams) -> Ensemble {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    pool.install(|| Ensemble::fit(samples, params).unwrap())
}

#[test]
fn an_ensemble_scores_as_its_most_anomalous_member_and_is_the_same_on_any_number_of_threads() {
    let samples = majority_and_outlier();
    let auto = EnsembleParams::Auto(params(20, 64, 0, 9));
    let forest = on_threads(1, &samples, &auto);
    assert_eq!(forest, on_threads(3, &samples, &auto));
    let modes: Vec<Mode> = forest.members().iter().map(Forest::mode).collect();
    assert_eq!(modes, [Mode::Standard, Mode::PooledGain, Mode::AdjustedDensity]);
    let scores = forest.scores(&samples);
    assert_eq!(scores, samples.rows().map(|row| forest.score(row)).collect::<Vec<_>>());
    assert_eq!(scores, forest.scores_of_cells(samples.cells()));
    let (outlier, majority) = scores.split_last().unwrap();
    assert!(majority.iter().all(|score| score < outlier && *score > 0.0));
    assert!(*outlier > 0.85, "{outlier}"); // one of 501 is about nine bits
    assert_eq!(forest.contributions(&[10.0, 7.0]), [1.0, 0.0]);
}

#[test]
fn an_ensemble_scores_rows_out_of_bag_where_every_member_has_trees_that_have_not_seen_them() {
    let samples = Samples::new(1, (0..3000).map(|i| f64::from(i * 7919 % 1009)).collect()).unwrap();
    let auto = EnsembleParams::Auto(params(20, 64, 0, 9));
    let unseen = Ensemble::fit(&samples, &auto).unwrap().out_of_bag_scores(&samples, 9);
    assert!((2900..=3000).contains(&unseen.len()), "{}", unseen.len());
    assert!(unseen.iter().all(|score| *score > 0.0 && *score < 1.0));
}

#[test]
fn a_contribution_knows_on_which_side_the_cell_is_in_every_mode() {
    let bell = |i: u32, j: u32| f64::from(i * j % 37 + i * (j + 2) % 41 + i * (j + 4) % 43); // about 60 in the middle
    let cells = (1..800).flat_map(|i| [bell(i, 1), bell(i, 5), bell(i, 11)]);
    let samples = Samples::new(3, cells.collect()).unwrap();
    let ensemble = EnsembleParams::Auto(params(50, 128, 0, 2));
    let alone =
        modes().map(|(mode, extension_level)| params(50, 128, extension_level, 2).with_mode(mode).into());
    for params in alone.chain([ensemble]) {
        let forest = Ensemble::fit(&samples, &params).unwrap();
        for (cell, side) in [(250.0, Side::High), (-120.0, Side::Low)] {
            let contributions = forest.explain(&[60.0, cell, 60.0]);
            let most = contributions.iter().map(|contribution| contribution.share).fold(0.0, f64::max);
            assert_eq!(contributions[1].share.to_bits(), most.to_bits(), "{params:?}: {contributions:?}");
            assert_eq!(contributions[1].side, side, "{params:?}");
        }
    }
}

#[test]
fn a_cell_beyond_the_training_rows_scores_the_higher_the_further_in_every_mode_and_is_the_reason() {
    let samples = bells();
    let ensemble = EnsembleParams::Auto(params(50, 128, 0, 2));
    let alone =
        modes().map(|(mode, extension_level)| params(50, 128, extension_level, 2).with_mode(mode).into());
    for params in alone.chain([ensemble]) {
        let forest = Ensemble::fit(&samples, &params).unwrap();
        for (sign, side) in [(1.0, Side::High), (-1.0, Side::Low)] {
            let rows: Vec<[f32; 3]> =
                [150.0, 300.0, 1000.0, 1e6].map(|off| [60.0, 60.0 + sign * off, 60.0]).into();
            let scores: Vec<f64> = rows.iter().map(|row| forest.score(row)).collect();
            assert!(scores.windows(2).all(|pair| pair[0] < pair[1]), "{params:?}: {scores:?}");
            let contributions = forest.explain(&rows[2]);
            assert!(contributions[1].share > 0.5, "{params:?}: {contributions:?}");
            assert_eq!(contributions[1].side, side, "{params:?}");
            let cells = rows.as_flattened().iter().map(|&cell| f64::from(cell)).collect();
            assert_eq!(forest.scores(&Samples::new(3, cells).unwrap()), scores, "{params:?}");
        }
    }
}

#[test]
fn progress_counts_every_tree_once() {
    for params in [params(7, 16, 0, 0).into(), EnsembleParams::Auto(params(7, 16, 0, 0))] {
        let counts = std::sync::Mutex::new(Vec::new());
        let count = |done| counts.lock().unwrap().push(done);
        Ensemble::fit_with_progress(&majority_and_outlier(), &params, &count).unwrap();
        let mut counts = counts.into_inner().unwrap();
        counts.sort_unstable();
        assert_eq!(counts, (1..=params.total_trees() as usize).collect::<Vec<_>>());
    }
}

fn two_columns(rows: u32) -> Samples {
    Samples::new(2, (0..rows).flat_map(|i| [f64::from(i % 37), f64::from(i * i % 101)]).collect()).unwrap()
}

/// Compares with a forest that has only the trees that were grown without the row.
#[test]
fn a_row_is_scored_by_the_trees_that_were_grown_without_it() {
    let (samples, params) = (two_columns(300), Params::new(30, 100, 0, 3).unwrap());
    let ensemble = Ensemble::fit(&samples, &params.into()).unwrap();
    let bags: Vec<Vec<usize>> = bag::bags(300, 100, &bag::seeds(30, 3)).collect();
    let without = |row: usize| {
        let trees = ensemble.members()[0].trees().iter().zip(&bags);
        let trees: Vec<_> =
            trees.filter(|(_, bag)| !bag.contains(&row)).map(|(tree, _)| tree.clone()).collect();
        Forest::from_checked_trees(Mode::Standard, 2, 100, trees).unwrap().score(samples.row(row))
    };
    let expected: Vec<f64> = (0..300).map(without).collect();
    let [in_all, out_of_bag] = ensemble.training_scores(&samples, 3);
    assert_eq!(out_of_bag, expected);
    assert_eq!(in_all, ensemble.scores(&samples));
    assert_ne!(in_all, expected);
}

#[test]
fn a_forest_of_one_tree_has_no_out_of_bag_score_for_the_rows_of_that_tree() {
    let (samples, params) = (two_columns(300), Params::new(1, 100, 0, 3).unwrap());
    let ensemble = Ensemble::fit(&samples, &params.into()).unwrap();
    assert_eq!(ensemble.out_of_bag_scores(&samples, 3).len(), 200);
}

#[test]
fn rows_that_every_tree_has_learned_from_are_left_out() {
    let (samples, params) = (two_columns(100), Params::default());
    let ensemble = Ensemble::fit(&samples, &params.into()).unwrap();
    assert!(ensemble.out_of_bag_scores(&samples, 0).is_empty());
}

#[test]
fn a_tree_sees_as_many_columns_as_it_may_and_the_forest_all_of_them() {
    let (samples, params) = (bells(), params(40, 64, 0, 1));
    let fitted = |params: Params| Ensemble::fit(&samples, &params.into()).unwrap();
    let of_two = fitted(params.with_columns_per_tree(2));
    let mut all = std::collections::BTreeSet::new();
    for tree in of_two.members()[0].trees() {
        let columns = tree.nodes().iter().filter_map(|node| match node {
            crate::tree::Node::Split { column, .. } => Some(*column),
            _ => None,
        });
        let seen: std::collections::BTreeSet<u32> = columns.collect();
        assert!(seen.len() <= 2, "{seen:?}");
        all.extend(seen);
    }
    assert_eq!(all.len(), 3);
    assert_eq!(fitted(params.with_columns_per_tree(9)).scores(&samples), fitted(params).scores(&samples));
}

/// Training with scores gives the same scores as training first and scoring afterwards.
#[test]
fn what_a_training_scores_along_the_way_is_what_its_forest_scores_afterwards() {
    let holed =
        (0..300u32).flat_map(|i| [if i % 7 == 0 { f64::NAN } else { f64::from(i % 37) }, f64::from(i % 11)]);
    let wide = (0..300u32).flat_map(|i| (0..130).map(move |j| f64::from(i * (j + 3) % 101)));
    let all = [
        bells(),
        Samples::with_missing(2, holed.collect()).unwrap(),
        Samples::new(130, wide.collect()).unwrap(),
    ];
    for samples in &all {
        let single = modes().map(|(mode, level)| params(20, 64, level, 5).with_mode(mode).into());
        for params in single.chain([EnsembleParams::Auto(params(20, 64, 0, 5))]) {
            let (ensemble, scores) = Ensemble::fit_scored(samples, &params, &|_| ()).unwrap();
            assert_eq!(ensemble, Ensemble::fit(samples, &params).unwrap());
            let [in_all, out_of_bag] = ensemble.training_scores(samples, 5);
            assert_eq!(scores, TrainingScores { in_all, out_of_bag }, "{params:?}");
        }
    }
}

#[test]
fn a_renewal_of_all_trees_is_a_training() {
    let (old, new) = (two_columns(300), two_columns(400));
    for params in [params(20, 64, 0, 9).into(), EnsembleParams::Auto(params(20, 64, 0, 9))] {
        let serving = Ensemble::fit(&old, &params).unwrap();
        for trees in [20, 21] {
            let renewal = Renewal { trees, number: 3 };
            let renewed = serving.renewed_scored(&new, &params, renewal, 300).unwrap().unwrap();
            assert_eq!(renewed, Ensemble::fit_scored(&new, &params, &|_| ()).unwrap());
        }
    }
}

#[test]
fn a_renewal_replaces_the_oldest_trees_by_others_each_time() {
    let (old, new) = (two_columns(300), two_columns(400));
    let params: EnsembleParams = params(20, 64, 0, 9).into();
    let first = Ensemble::fit(&old, &params).unwrap();
    let renewed = |ensemble: &Ensemble, number| {
        ensemble.renewed(&new, &params, Renewal { trees: 5, number }).unwrap().unwrap()
    };
    let trees = |ensemble: &Ensemble| ensemble.members()[0].trees().to_vec();
    let second = renewed(&first, 1);
    assert_eq!(trees(&second)[..15], trees(&first)[5..]);
    let third = renewed(&second, 2);
    assert_eq!(trees(&third)[..15], trees(&second)[5..]);
    assert_ne!(trees(&third)[15..], trees(&second)[15..], "the same samples");
    assert_eq!(third, renewed(&second, 2));
    assert_eq!(second.scores(&new), new.rows().map(|row| second.score(row)).collect::<Vec<_>>());
}

/// Out-of-bag scores are those of the rows from which the older trees have not learned.
#[test]
fn a_renewal_knows_which_trees_have_not_seen_the_newest_rows() {
    let (old, new) = (two_columns(300), two_columns(400));
    let params: EnsembleParams = params(20, 64, 0, 9).into();
    let renewal = Renewal { trees: 5, number: 1 };
    let serving = Ensemble::fit(&old, &params).unwrap();
    let (renewed, scores) = serving.renewed_scored(&new, &params, renewal, 300).unwrap().unwrap();
    assert_eq!(scores.in_all, renewed.scores(&new));
    let bags: Vec<Vec<usize>> = bag::bags(400, 64, &bag::seeds_of_renewal(5, 9, 1)).collect();
    let without = |row: usize| {
        let trees = renewed.members()[0].trees().iter().enumerate();
        let trees = trees.filter(|(at, _)| *at < 15 || !bags[at - 15].contains(&row));
        let trees = trees.map(|(_, tree)| tree.clone()).collect();
        Forest::from_checked_trees(Mode::Standard, 2, 64, trees).unwrap().score(new.row(row))
    };
    let within: Vec<usize> = (300..400).collect();
    assert_eq!(scores.out_of_bag, within.into_iter().map(without).collect::<Vec<_>>());
}

#[test]
fn a_forest_of_other_parameters_is_not_renewed() {
    let samples = two_columns(300);
    let serving = Ensemble::fit(&samples, &params(20, 64, 0, 9).into()).unwrap();
    let renewal = Renewal { trees: 5, number: 1 };
    for other in [params(21, 64, 0, 9), params(20, 65, 0, 9), params(20, 64, 0, 9).with_mode(Mode::Density)] {
        assert_eq!(serving.renewed(&samples, &other.into(), renewal).unwrap(), None, "{other:?}");
    }
    let auto = EnsembleParams::Auto(params(20, 64, 0, 9));
    assert_eq!(serving.renewed(&samples, &auto, renewal).unwrap(), None);
    let wider = Samples::new(3, vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0]).unwrap();
    assert_eq!(serving.renewed(&wider, &params(20, 64, 0, 9).into(), renewal).unwrap(), None);
}
