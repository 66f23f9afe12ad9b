use super::*;
use crate::data::samples::Samples;
use crate::forest::Forest;
use crate::score::block::BLOCK;
use crate::train::params::{Mode, Params};
use crate::tree::{Node, Plane, Term};
use proptest::prelude::*;

/// Rows of many values, some repeated, some far off; a few cells are NaN, infinite, `f32::MAX` or -0.0.
fn rows(count: usize, columns: usize) -> Vec<f32> {
    let mut state = 1u64;
    let mut cells: Vec<f32> = (0..count * columns)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let unit = (state >> 40) as f32 / 16_777_216.0;
            if unit < 0.1 { (unit * 50.0).floor() } else { unit.powi(3) * 20.0 - 10.0 }
        })
        .collect();
    for (at, odd) in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX, -0.0].into_iter().enumerate() {
        cells[at * 7] = odd;
    }
    cells
}

fn forest(columns: usize, trees: u32, sample_size: u32) -> Forest {
    forest_in(Mode::Standard, columns, trees, sample_size)
}

fn forest_in(mode: Mode, columns: usize, trees: u32, sample_size: u32) -> Forest {
    let cells =
        rows(1000, columns).into_iter().map(|cell| if cell.is_finite() { f64::from(cell) } else { 0.5 });
    let samples = Samples::new(columns, cells.collect()).unwrap();
    Forest::fit(&samples, &Params::new(trees, sample_size, 0, 5).unwrap().with_mode(mode)).unwrap()
}

fn assert_same(kernel: &Kernel, columns: usize, trees: &[Tree], scale: Scale) {
    let cells = rows(200, columns);
    for (block, cells) in cells.chunks(BLOCK * columns).enumerate() {
        let mut scores = vec![0.0; cells.len() / columns];
        kernel.scores(trees, scale, cells, &mut scores);
        for (at, (row, score)) in cells.chunks_exact(columns).zip(scores).enumerate() {
            let plain = scale.score(path_length(trees, row));
            assert_eq!(score.to_bits(), plain.to_bits(), "{columns} columns, row {at} of block {block}");
            let single = kernel.score(scale, row);
            assert_eq!(
                single.to_bits(),
                plain.to_bits(),
                "{columns} columns, single row {at} of block {block}"
            );
            let mut leaves = vec![0; trees.len()];
            let single = kernel.score_and_leaves(scale, row, &mut leaves);
            assert_eq!(single.to_bits(), plain.to_bits());
            let is_table = matches!(kernel, Kernel::StepTable(_));
            assert!(is_table || leaves == plain_leaves(trees, row), "{columns} columns, row {at}");
        }
    }
}

fn plain_leaves(trees: &[Tree], row: &[f32]) -> Vec<u32> {
    let leaf = |tree: &Tree| {
        let mut at = 0;
        while let Some(next) = tree.step(at, row) {
            at = next;
        }
        tree.nodes()[..at].iter().filter(|node| matches!(node, Node::Leaf { .. })).count() as u32
    };
    trees.iter().map(leaf).collect()
}

#[test]
fn steps_score_as_the_plain_walk_does() {
    for (trees, sample_size) in [(1, 2), (30, 256), (100, 1000)] {
        let forest = forest(1, trees, sample_size);
        let scale = Scale::new(Mode::Standard, forest.trees().len(), sample_size);
        assert_same(
            &Kernel::StepTable(StepTable::new(forest.trees(), scale).unwrap()),
            1,
            forest.trees(),
            scale,
        );
    }
}

#[test]
fn walks_score_as_the_plain_walk_does() {
    for (columns, sample_size) in [(1, 256), (3, 1), (8, 256), (70, 900)] {
        let forest = forest(columns, 20, sample_size);
        let scale = Scale::new(Mode::Standard, 20, sample_size);
        assert_same(&Kernel::Walks(Walks::new(forest.trees())), columns, forest.trees(), scale);
    }
}

#[test]
fn planes_score_as_the_plain_walk_does() {
    for (columns, extension_level) in [(2, 1), (3, 2), (9, 4), (20, 19)] {
        let cells: Vec<f32> = rows(500, columns).iter().map(|&cell| cell.clamp(-1e6, 1e6)).collect();
        let cells = cells.iter().map(|&cell| f64::from(if cell.is_nan() { 0.5 } else { cell })).collect();
        let samples = Samples::new(columns, cells).unwrap();
        for mode in Mode::ALL {
            let params = Params::new(11, 100, extension_level, 5).unwrap().with_mode(mode);
            let forest = Forest::fit(&samples, &params).unwrap();
            assert!(forest.trees().iter().any(|tree| !tree.planes().is_empty()));
            let scale = Scale::new(mode, 11, 100);
            assert_same(&Kernel::new(columns, forest.trees(), scale), columns, forest.trees(), scale);
        }
    }
}

/// A tree of any shape for rows of `columns` cells. Each of `splits` describes an inner node, and the child
/// that is the next one.
fn any_tree(columns: u32, splits: &[(u32, bool, bool, f32, f64)]) -> Tree {
    let (mut nodes, mut planes) = (Vec::new(), Vec::new());
    for &(column, is_plane, goes_left, threshold, weight) in splits {
        let at = nodes.len() as u32;
        let (left, right) = if goes_left { (at + 2, at + 1) } else { (at + 1, at + 2) };
        let term = |column| Term { column: column % columns, centre: threshold, weight };
        if is_plane {
            planes
                .push(Plane { terms: (column..=column + at % 3).map(term).collect(), offset: weight / 2.0 });
            nodes.push(Node::Plane { plane: planes.len() as u32 - 1, left, right });
        } else {
            nodes.push(Node::Split { column: column % columns, threshold, left, right });
        }
        nodes.push(Node::Leaf { samples: at % 5 });
    }
    nodes.push(Node::Leaf { samples: 3 });
    Tree::new(columns as usize, &nodes, planes).unwrap()
}

proptest! {
    #[test]
    fn trees_of_any_shape_score_as_the_plain_walk_does(
        columns in 1u32..5,
        trees in prop::collection::vec(
            prop::collection::vec((0u32..5, any::<bool>(), any::<bool>(), -9f32..9.0, -2f64..2.0), 0..70), 1..12),
        cells in prop::collection::vec(prop_oneof![-10f32..10.0, Just(f32::INFINITY), Just(f32::NEG_INFINITY)], 80),
    ) {
        let trees: Vec<Tree> = trees.iter().map(|splits| any_tree(columns, splits)).collect();
        let walks = Walks::new(&trees);
        let rows: Vec<_> = cells.chunks_exact(columns as usize).collect();
        let mut sums = vec![0; rows.len()];
        walks.path_lengths(columns as usize, &cells[..rows.len() * columns as usize], &mut sums);
        for (row, sum) in rows.into_iter().zip(sums) {
            prop_assert_eq!(sum, path_length(&trees, row));
            prop_assert_eq!(walks.path_length(row), sum);
        }
    }
}

#[test]
fn every_mode_scores_by_its_kernel_as_the_plain_walk_does() {
    for mode in Mode::ALL {
        for (columns, sample_size) in [(1, 256), (3, 4), (8, 256)] {
            let forest = forest_in(mode, columns, 20, sample_size);
            let scale = Scale::new(mode, 20, sample_size);
            let kernel = Kernel::new(columns, forest.trees(), scale);
            assert_same(&kernel, columns, forest.trees(), scale);
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[test]
fn ranks_score_as_the_plain_walk_does() {
    for columns in [1, 2, 3, 4, 5, 8, 9, 16, 31, 32, 33, 64] {
        for (trees, sample_size) in [(1, 1), (3, 2), (31, 100), (33, 256), (100, 256)] {
            let forest = forest(columns, trees, sample_size);
            let scale = Scale::new(Mode::Standard, trees as usize, sample_size);
            let Some(ranks) = Ranks::new(columns, forest.trees()) else { continue }; // no AVX-512 here
            assert_same(&Kernel::Ranks(ranks), columns, forest.trees(), scale);
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[test]
fn a_forest_of_too_many_thresholds_is_ranked_in_groves() {
    let forest = forest(64, 1100, 256);
    let scale = Scale::new(Mode::Standard, 1100, 256);
    if let Some(ranks) = Ranks::new(64, forest.trees()) {
        assert!(ranks.groves() > 1);
        assert_same(&Kernel::Ranks(ranks), 64, forest.trees(), scale);
    }
}
