use super::*;
use crate::forest::Forest;
use crate::params::{Mode, Params};
use crate::samples::Samples;

/// Rows of many values, some repeated, some far off; a few cells beyond what the forest has seen, and none at all.
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
            let single = kernel.score(trees, scale, row);
            assert_eq!(
                single.to_bits(),
                plain.to_bits(),
                "{columns} columns, single row {at} of block {block}"
            );
        }
    }
}

#[test]
fn steps_score_as_the_plain_way_does() {
    for (trees, sample_size) in [(1, 2), (30, 256), (100, 1000)] {
        let forest = forest(1, trees, sample_size);
        let scale = Scale::new(Mode::Standard, forest.trees().len(), sample_size);
        assert_same(&Kernel::Steps(Steps::new(forest.trees(), scale).unwrap()), 1, forest.trees(), scale);
    }
}

#[test]
fn blocks_score_as_the_plain_way_does() {
    for (columns, sample_size) in [(1, 256), (3, 1), (8, 256), (70, 900)] {
        let forest = forest(columns, 20, sample_size);
        let scale = Scale::new(Mode::Standard, 20, sample_size);
        assert_same(&Kernel::Blocks(Blocks::new(forest.trees()).unwrap()), columns, forest.trees(), scale);
    }
}

#[test]
fn every_mode_scores_by_its_kernel_as_the_plain_way_does() {
    for mode in Mode::ALL {
        for (columns, sample_size) in [(1, 256), (3, 4), (8, 256)] {
            let forest = forest_in(mode, columns, 20, sample_size);
            let scale = Scale::new(mode, 20, sample_size);
            let kernel = Kernel::new(columns, forest.trees(), scale);
            assert!(!matches!(kernel, Kernel::Plain), "{mode:?} has no kernel");
            assert_same(&kernel, columns, forest.trees(), scale);
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[test]
fn ranks_score_as_the_plain_way_does() {
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
