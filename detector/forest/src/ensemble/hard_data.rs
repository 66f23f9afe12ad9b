//! Data that is hard to learn from: no crash, no NaN, no alarm for everything.

use super::*;
use crate::threshold::contamination;
use crate::train::params::{Mode, Params};
use rand_distr::{Distribution, StandardNormal};
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};

/// Gaussian rows, of which every twentieth is six deviations off in half of its columns.
fn rows(count: usize, columns: usize) -> Vec<f64> {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(7);
    let cell = |at: usize| {
        let (row, column) = (at / columns, at % columns);
        let normal: f64 = StandardNormal.sample(&mut rng);
        if row.is_multiple_of(20) && column.is_multiple_of(2) { normal + 6.0 } else { normal }
    };
    (0..count * columns).map(cell).collect()
}

/// The same cells, each missing with the probability `share`.
fn with_holes(mut cells: Vec<f64>, share: f64) -> Vec<f64> {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(8);
    for cell in &mut cells {
        let unit = (rng.next_u64() >> 11) as f64 / (1u64 << 53) as f64;
        if unit < share {
            *cell = f64::NAN;
        }
    }
    cells
}

fn params() -> impl Iterator<Item = EnsembleParams> {
    let base = Params::default();
    let alone = Mode::ALL.into_iter().map(move |mode| base.with_mode(mode).into());
    alone.chain([EnsembleParams::Auto(base)])
}

/// The probability that an anomalous row of [`rows`] has a higher score than a normal one.
fn auc(scores: &[f64]) -> f64 {
    let (strays, others): (Vec<_>, Vec<_>) = scores.iter().enumerate().partition(|(row, _)| row % 20 == 0);
    let over = |stray: f64| others.iter().filter(|(_, other)| **other < stray).count();
    let wins: usize = strays.iter().map(|(_, stray)| over(**stray)).sum();
    wins as f64 / (strays.len() * others.len()) as f64
}

fn assert_sane(cells: Vec<f64>, columns: usize) {
    let samples = Samples::with_missing(columns, cells).unwrap();
    for params in params() {
        let forest = Ensemble::fit(&samples, &params).unwrap();
        let scores = forest.scores(&samples);
        assert!(scores.iter().all(|score| *score > 0.0 && *score <= 1.0), "{params:?}");
        let cut = contamination(&scores, 0.05).unwrap();
        let alarms = scores.iter().filter(|score| **score > cut).count();
        assert!(alarms as f64 <= 0.05 * scores.len() as f64 + 1.0, "{params:?}: {alarms}");
        let shares = forest.contributions(samples.row(0));
        assert!((shares.iter().sum::<f64>() - 1.0).abs() < 1e-9, "{params:?}");
        assert!(forest.out_of_bag_scores(&samples, 0).iter().all(|score| *score > 0.0));
    }
}

#[test]
fn constant_columns_duplicates_wild_scales_and_few_rows_are_trained_on_in_every_mode() {
    assert_sane((0..300).flat_map(|i| [f64::from(i % 7), 3.0, 0.0]).collect(), 3);
    assert_sane(vec![5.0; 400], 2);
    assert_sane((0..600).map(|i| f64::from(u8::from(i % 50 == 0))).collect(), 1);
    assert_sane((0..300).flat_map(|i| [f64::from(i % 31) * 1e-30, f64::from(i % 37) * 1e30]).collect(), 2);
    assert_sane(rows(20, 4), 4);
    assert_sane(rows(100, 512), 512);
}

#[test]
fn one_to_ninety_per_cent_of_the_cells_may_be_missing_in_every_mode() {
    for share in [0.01, 0.3, 0.9] {
        assert_sane(with_holes(rows(400, 6), share), 6);
    }
    let all_of_one_column = (0..200).flat_map(|i| [f64::from(i % 17), f64::NAN]).collect();
    assert_sane(all_of_one_column, 2);
}

/// Compares with the alternative: train on complete rows alone, and have no score for incomplete ones.
#[test]
fn learning_from_rows_with_missing_cells_finds_more_than_dropping_them() {
    let columns = 6;
    for (share, least) in [(0.1, 0.95), (0.3, 0.9), (0.5, 0.8)] {
        let holed = with_holes(rows(1000, columns), share);
        let samples = Samples::with_missing(columns, holed.clone()).unwrap();
        let ours = auc(&Forest::fit(&samples, &Params::default()).unwrap().scores(&samples));
        let complete = holed.chunks(columns).filter(|row| row.iter().all(|cell| !cell.is_nan()));
        let complete = Samples::new(columns, complete.flatten().copied().collect()).unwrap();
        let forest = Forest::fit(&complete, &Params::default()).unwrap();
        let is_whole = |row: &[f32]| row.iter().all(|cell| !cell.is_nan());
        let dropped: Vec<f64> =
            samples.rows().map(|row| if is_whole(row) { forest.score(row) } else { 0.5 }).collect();
        assert!(ours > least, "{share}: {ours}");
        assert!(ours > auc(&dropped) + 0.05, "{share}: {ours} against {}", auc(&dropped));
    }
}

#[test]
fn a_row_without_any_cell_is_as_ordinary_as_rows_are_on_the_average() {
    let samples = Samples::new(3, rows(500, 3)).unwrap();
    let forest = Forest::fit(&samples, &Params::default()).unwrap();
    let nothing = forest.score(&[f32::NAN; 3]);
    let scores = forest.scores(&samples);
    let mean = scores.iter().sum::<f64>() / scores.len() as f64;
    assert!((nothing - mean).abs() < 0.03, "{nothing} beside {mean}");
}

/// A column that was constant in training then changes: once in the last digit only, once clearly.
#[test]
fn a_constant_column_is_seen_to_change_but_its_last_digit_alone_raises_few_alarms() {
    let with = |level: f64| rows(1000, 4).chunks(4).flat_map(|row| [row, &[level]].concat()).collect();
    let samples = Samples::new(5, with(21.5)).unwrap();
    for params in params() {
        let forest = Ensemble::fit(&samples, &params).unwrap();
        let cut = contamination(&forest.scores(&samples), 0.05).unwrap();
        let alarms = |level: f64| {
            let scores = forest.scores(&Samples::new(5, with(level)).unwrap());
            scores.iter().filter(|score| **score > cut).count()
        };
        let (digit, change) = (alarms(f64::from(21.5f32.next_up())), alarms(22.0));
        assert!(digit <= 100, "{params:?}: {digit} of 1000");
        assert!(change >= 500, "{params:?}: {change} of 1000"); // mode Density sees least of it
    }
}
