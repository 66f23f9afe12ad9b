use super::*;
use crate::explain::explainer::ROWS_BEFORE_TABLE;
use proptest::prelude::*;
use std::sync::atomic::Ordering;

/// 500 rows around 0 and one far off, in two columns; the second column is constant.
fn majority_and_outlier() -> Samples {
    let majority = (0..500).map(|i| f64::from(i % 37) / 37.0 - 0.5);
    let cells = majority.chain([10.0]).flat_map(|value| [value, 7.0]);
    Samples::new(2, cells.collect()).unwrap()
}

fn params(trees: u32, sample_size: u32, extension_level: u32, seed: u64) -> Params {
    Params::new(trees, sample_size, extension_level, seed).unwrap()
}

fn on_threads(threads: usize, samples: &Samples, params: &Params) -> Forest {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    pool.install(|| Forest::fit(samples, params).unwrap())
}

/// Every mode, axis-parallel and extended.
fn modes() -> impl Iterator<Item = (Mode, u32)> {
    Mode::ALL.into_iter().flat_map(|mode| [(mode, 0), (mode, 1)])
}

#[test]
fn an_outlier_scores_higher_than_the_majority_in_every_mode() {
    for (mode, extension_level) in modes() {
        let samples = majority_and_outlier();
        let forest = Forest::fit(&samples, &params(100, 256, extension_level, 0).with_mode(mode)).unwrap();
        let scores = forest.scores(&samples);
        let (outlier, majority) = scores.split_last().unwrap();
        assert!(majority.iter().all(|score| score < outlier), "{mode:?}, extension_level {extension_level}");
        assert!(*outlier > 0.6, "{mode:?}, extension_level {extension_level}: {outlier}");
        assert!(scores.iter().all(|score| *score > 0.0 && *score <= 1.0), "{mode:?}");
    }
}

#[test]
fn the_same_seed_grows_the_same_forest_on_any_number_of_threads() {
    let samples = majority_and_outlier();
    for (mode, extension_level) in modes() {
        let seeded = |seed| params(20, 64, extension_level, seed).with_mode(mode);
        let one = on_threads(1, &samples, &seeded(9));
        assert_eq!(one, on_threads(3, &samples, &seeded(9)), "{mode:?}");
        assert_ne!(one, on_threads(1, &samples, &seeded(10)), "{mode:?}");
        assert_eq!(one.mode(), mode);
    }
}

#[test]
fn modes_differ_in_their_scores() {
    let samples = majority_and_outlier();
    let scores =
        |mode| Forest::fit(&samples, &params(20, 64, 0, 9).with_mode(mode)).unwrap().scores(&samples);
    for (at, mode) in Mode::ALL.into_iter().enumerate() {
        for other in &Mode::ALL[..at] {
            assert_ne!(scores(mode), scores(*other), "{mode:?} and {other:?}");
        }
    }
}

#[test]
fn the_column_that_sets_a_row_apart_gets_the_contribution() {
    let samples = majority_and_outlier();
    let forest = Forest::fit(&samples, &Params::default()).unwrap();
    assert_eq!(forest.contributions(&[10.0, 7.0]), [1.0, 0.0]);
}

/// 800 rows of three bell-shaped columns around 60, from 0 to about 120.
fn bells() -> Samples {
    let bell = |i: u32, j: u32| f64::from(i * j % 37 + i * (j + 2) % 41 + i * (j + 4) % 43);
    Samples::new(3, (1..800).flat_map(|i| [bell(i, 1), bell(i, 5), bell(i, 11)]).collect()).unwrap()
}

/// The numbers of columns cover each kind of table: one column, whose trees become steps, few columns and
/// many.
#[test]
fn a_row_is_explained_from_tables_as_by_walking_and_scores_the_same() {
    for (columns, mode) in
        [(1, Mode::Standard), (2, Mode::PooledGain), (8, Mode::Density), (40, Mode::Standard)]
    {
        let cells =
            |rows: usize| (0..rows * columns).map(|i| (i as f64 * 0.7).sin() + (i as f64 * 1.3).cos());
        let samples = Samples::new(columns, cells(500).collect()).unwrap();
        let forest = Forest::fit(&samples, &params(40, 128, 0, 3).with_mode(mode)).unwrap();
        let walking = forest.clone();
        walking.explainer.gains.set(None).unwrap();
        walking.explainer.explained.store(ROWS_BEFORE_TABLE, Ordering::Relaxed);
        let tabled = forest.clone();
        tabled.explainer.explained.store(ROWS_BEFORE_TABLE, Ordering::Relaxed);
        let beyond = vec![3.0; columns];
        let mut other_sides = 0; // where both sides weigh alike, rounding decides
        for row in samples.rows().take(100).chain([&beyond[..]]) {
            let (ours, theirs) = (forest.score_and_explain(row), walking.score_and_explain(row));
            assert_eq!(ours.score.to_bits(), theirs.score.to_bits());
            assert_eq!(ours.score.to_bits(), forest.score(row).to_bits());
            assert_eq!(ours, tabled.score_and_explain(row), "the first rows are explained without a table");
            for (ours, theirs) in ours.contributions.iter().zip(&theirs.contributions) {
                assert!((ours.share - theirs.share).abs() < 1e-4, "{columns}: {ours:?}, {theirs:?}");
                other_sides += usize::from(ours.side != theirs.side && ours.share > 0.0);
            }
        }
        assert!(other_sides <= columns / 8, "{columns}: {other_sides} of {}", 101 * columns);
        assert!(forest.explainer.gains.get().unwrap().is_some());
        assert!(tabled.explainer.gains.get().unwrap().is_some() && tabled.explainer.expected.get().is_none());
    }
}

#[test]
fn a_row_that_tables_cannot_explain_walks() {
    let samples = bells();
    let planes = Forest::fit(&samples, &params(10, 64, 1, 3)).unwrap();
    assert!((planes.contributions(&[60.0, 100.0, 60.0]).iter().sum::<f64>() - 1.0).abs() < 1e-9);
    assert!(
        planes.explainer.gains.get().unwrap().is_none(),
        "what a plane's columns gain depends on the row"
    );
    let large = Forest::fit(&samples, &params(3000, 256, 0, 3)).unwrap();
    large.explain(samples.row(0));
    assert!(large.explainer.gains.get().unwrap().is_none(), "the table would have over 2^17 lines");
    let whole = Forest::fit(&samples, &params(10, 64, 0, 3)).unwrap();
    assert!(whole.contributions(&[f32::NAN, 120.0, 60.0])[0] <= 0.0, "a missing cell has no gain");
}

#[test]
fn rows_within_the_ranges_score_what_their_leaves_say() {
    let samples = bells();
    for (mode, extension_level) in modes() {
        let forest = Forest::fit(&samples, &params(20, 64, extension_level, 9).with_mode(mode)).unwrap();
        let without = forest.clone().with_ranges(None);
        assert_eq!(forest.scores(&samples), without.scores(&samples), "{mode:?}");
        let far = [60.0, 500.0, 60.0];
        assert!(forest.score(&far) > without.score(&far), "{mode:?}");
    }
}

#[test]
fn equal_rows_grow_trees_of_one_leaf_of_equal_scores() {
    let samples = Samples::new(2, vec![3.5; 600]).unwrap();
    for extension_level in [0, 1] {
        let forest = Forest::fit(&samples, &params(10, 256, extension_level, 0)).unwrap();
        assert!(forest.trees().iter().all(|tree| tree.nodes() == [Node::Leaf { samples: 256 }]));
        assert!((forest.score(&[3.5, 3.5]) - 0.5).abs() < 1e-12);
        assert_eq!(forest.contributions(&[3.5, 3.5]), [0.5, 0.5]);
        assert!(forest.score(&[3.5, 4.0]) > 0.9, "but another row is none of them");
        assert_eq!(forest.contributions(&[3.5, 4.0]), [0.0, 1.0]);
    }
}

#[test]
fn a_forest_of_one_row_scores_one_half() {
    let samples = Samples::new(1, vec![3.5]).unwrap();
    let forest = Forest::fit(&samples, &Params::default()).unwrap();
    assert_eq!(forest.sample_size(), 1);
    assert_eq!(forest.score(&[9.0]).to_bits(), 0.5f64.to_bits());
}

#[test]
fn with_fewer_rows_than_the_sample_size_trees_see_them_all() {
    let samples = Samples::new(1, (0..10).map(f64::from).collect()).unwrap();
    let forest = Forest::fit(&samples, &Params::default()).unwrap();
    assert_eq!(forest.sample_size(), 10);
    for tree in forest.trees() {
        assert_eq!(tree.samples()[0], 10);
        assert!(tree.depth() <= 4, "the limit is ceil(log2(10))");
    }
}

#[test]
fn a_plane_cannot_look_at_more_columns_than_there_are() {
    let error = Forest::fit(&majority_and_outlier(), &params(10, 256, 2, 0)).unwrap_err();
    assert_eq!(error.to_string(), "extension level must be less than the number of columns (2), got 2");
}

#[test]
fn a_hundred_thousand_columns_are_grown_and_scored() {
    let columns = 100_000;
    let cells = (0..4 * columns).map(|i| f64::from(i as u32 % 977)).collect();
    let samples = Samples::new(columns, cells).unwrap();
    let forest = Forest::fit(&samples, &params(10, 256, 0, 0)).unwrap();
    assert_eq!(forest.scores(&samples), samples.rows().map(|row| forest.score(row)).collect::<Vec<_>>());
}

#[test]
fn a_forest_beyond_the_memory_is_refused_before_it_is_grown() {
    let samples = Samples::new(2, (0..4_000_000).map(f64::from).collect()).unwrap();
    let error = Forest::fit(&samples, &params(10_000, 1 << 20, 0, 0)).unwrap_err();
    assert!(matches!(error, ForestError::Memory { .. }), "{error}");
}

#[test]
fn a_forest_of_foreign_trees_names_the_tree_that_is_wrong() {
    let leaf = Node::Leaf { samples: 2 };
    let message = |columns, size, trees| Forest::from_trees(columns, size, trees).unwrap_err().to_string();
    assert_eq!(message(0, 2, vec![vec![leaf]]), "columns must be from 1 to 2147483647, got 0");
    assert_eq!(message(1, 0, vec![vec![leaf]]), "sample size must be at least 1, got 0");
    assert_eq!(message(1, 2, vec![]), "trees must be at least 1, got 0");
    assert_eq!(message(1, 2, vec![vec![leaf], vec![]]), "tree 1: a tree must have at least 1 node, got 0");
}

#[test]
fn a_forest_too_deep_for_exact_scores_is_refused() {
    let mut nodes = Vec::new();
    for at in 0..100_000u32 {
        nodes.push(Node::Split { column: 0, threshold: 0.0, left: 2 * at + 1, right: 2 * at + 2 });
        nodes.push(Node::Leaf { samples: 1 });
    }
    nodes.push(Node::Leaf { samples: 1 });
    assert!(Forest::from_trees(1, 256, vec![nodes.clone()]).is_ok());
    let error = Forest::from_trees(1, 256, vec![nodes; 50]).unwrap_err();
    assert!(matches!(error, ForestError::TooDeep(_)), "{error}");
}

proptest! {
    /// Multiplying by a power of two is exact, so every split must come out multiplied, and every score the
    /// same.
    #[test]
    fn the_unit_of_a_column_does_not_matter(
        cells in prop::collection::vec(-1000.0f64..1000.0, 2 * 3..2 * 60),
        seed: u64,
        extension_level in 0u32..2,
    ) {
        let cells = &cells[..cells.len() / 2 * 2];
        let scaled = cells.iter().enumerate().map(|(at, cell)| if at % 2 == 1 { cell * 4096.0 } else { *cell });
        let samples = Samples::new(2, cells.to_vec()).unwrap();
        let scaled = Samples::new(2, scaled.collect()).unwrap();
        let params = params(5, 32, extension_level, seed);
        let scores = Forest::fit(&samples, &params).unwrap().scores(&samples);
        let scaled_scores = Forest::fit(&scaled, &params).unwrap().scores(&scaled);
        prop_assert_eq!(scores, scaled_scores);
    }

    #[test]
    fn scores_and_contributions_are_shares_of_one(
        cells in prop::collection::vec(-1e3f32..1e3, 3..300),
        row in prop::collection::vec(any::<f32>(), 3),
        extension_level in 0u32..3,
    ) {
        let cells = cells[..cells.len() / 3 * 3].iter().map(|&cell| f64::from(cell.round())).collect();
        let forest = Forest::fit(&Samples::new(3, cells).unwrap(), &params(5, 32, extension_level, 1)).unwrap();
        let score = forest.score(&row);
        prop_assert!(score > 0.0 && score <= 1.0, "{}", score);
        let shares = forest.contributions(&row);
        prop_assert!(shares.iter().all(|share| *share >= 0.0), "{:?}", shares);
        prop_assert!((shares.iter().sum::<f64>() - 1.0).abs() < 1e-9, "{:?}", shares);
    }
}
