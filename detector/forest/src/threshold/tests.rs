use super::*;
use crate::{Ensemble, Params, Samples};
use rand_distr::{Distribution, StandardNormal};
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::SeedableRng;

/// `-numpy.percentile(-scores, 100 * share)`, computed with `NumPy`.
#[test]
fn contamination_is_numpys_percentile_to_the_digit() {
    let scores = [0.31, 0.72, 0.45, 0.5, 0.66, 0.41, 0.39];
    for (share, cut) in NUMPY {
        assert_eq!(contamination(&scores, share).unwrap().to_bits(), cut.to_bits(), "share {share}");
    }
}

const NUMPY: [(f64, f64); 4] =
    [(0.01, 0.716_399_999_999_999_9), (0.1, 0.684), (0.25, 0.580_000_000_000_000_1), (0.5, 0.45)];

#[test]
fn one_score_is_its_own_threshold() {
    assert_eq!(contamination(&[0.4], 0.5), Ok(0.4));
    assert_eq!(conformal(&[0.4], 0.1), Ok(0.4));
}

#[test]
fn a_conformal_cut_is_the_score_that_the_share_of_one_more_row_falls_on() {
    let unseen = [0.31, 0.72, 0.45, 0.5, 0.66, 0.41, 0.39, 0.6, 0.55];
    for (share, cut) in [(0.1, 0.72), (0.19, 0.72), (0.2, 0.66), (0.5, 0.5), (0.9, 0.31), (1.0, 0.31)] {
        assert_eq!(conformal(&unseen, share), Ok(cut), "share {share}");
        assert!(exceedance(&unseen, cut) <= share, "share {share}");
    }
}

#[test]
fn too_few_scores_give_the_greatest_and_admit_what_it_may_miss_by() {
    let unseen = [0.4, 0.9, 0.5];
    assert_eq!(conformal(&unseen, 0.01), Ok(0.9));
    assert_eq!(exceedance(&unseen, 0.9).to_bits(), 0.25f64.to_bits());
    assert_eq!(exceedance(&[], 0.9).to_bits(), 1f64.to_bits());
}

#[test]
fn bad_scores_and_shares_are_refused() {
    let message = |result: Result<f64, ThresholdError>| result.unwrap_err().to_string();
    assert_eq!(message(contamination(&[], 0.1)), "a threshold must be chosen from at least 1 score, got 0");
    assert_eq!(
        message(contamination(&[0.5, f64::NAN], 0.1)),
        "score 1 (counted from 0) must be greater than 0 and at most 1, got NaN"
    );
    for share in [0.0, 0.51, f64::NAN] {
        let expected = format!("contamination must be greater than 0 and at most 0.5, got {share}");
        assert_eq!(message(contamination(&[0.5], share)), expected);
    }
    for share in [0.0, -1.0, f64::NAN] {
        let expected = format!("the share of anomalous rows must be greater than 0, got {share}");
        assert_eq!(message(conformal(&[0.5], share)), expected);
    }
}

/// Rows of Gaussian columns; each seed draws different ones.
fn clean(columns: usize, rows: usize, seed: u64) -> Samples {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
    let cells = (0..columns * rows).map(|_| StandardNormal.sample(&mut rng));
    Samples::new(columns, cells.collect()).unwrap()
}

/// The share of 5000 new rows that exceed the cut for a share of 0.02, for each of 200 seeds.
fn realised(columns: usize, rows: usize) -> Vec<f64> {
    let of_seed = |seed| {
        let params = Params::new(100, 128, 0, seed).unwrap();
        let (learned, new) = (clean(columns, rows, seed), clean(columns, 5000, 1_000_000 + seed));
        let forest = Ensemble::fit(&learned, &params.into()).unwrap();
        let cut = conformal(&forest.out_of_bag_scores(&learned, seed), 0.02).unwrap();
        forest.scores(&new).iter().filter(|score| **score > cut).count() as f64 / 5000.0
    };
    (0..200).map(of_seed).collect()
}

/// With 999 rows and a share of 0.02 the cut is the 20th greatest score, so the realised share is distributed
/// as Beta(20, 980): standard deviation 0.00442, 95th percentile 0.0277 (`scipy.stats.beta`). 5000 new rows
/// measure it to 0.002, so the mean over 200 seeds is known to 0.00035. Of 200 shares, about 10 exceed the
/// 95th percentile, and more than 20 do so once in a thousand times.
#[test]
fn clean_rows_exceed_a_conformal_cut_no_more_often_than_its_bound_over_200_seeds() {
    for columns in [1, 3, 10] {
        let realised = realised(columns, 999);
        let mean = realised.iter().sum::<f64>() / 200.0;
        assert!((0.017..0.02 + 3.0 * 0.00035).contains(&mean), "{columns} columns: {mean}");
        let beyond = realised.iter().filter(|share| **share > 0.0277 + 0.002).count();
        assert!(beyond <= 20, "{columns} columns: {beyond} of 200");
    }
}

/// Few trees are grown without a given row, so its score scatters: the cut is higher than necessary, never
/// lower.
#[test]
fn hardly_more_rows_than_the_sample_size_keep_the_bound_too() {
    let realised = realised(1, 199);
    let mean = realised.iter().sum::<f64>() / 200.0;
    assert!((0.01..0.02 + 3.0 * 0.0007).contains(&mean), "{mean}"); // Beta(4, 196): standard deviation 0.0099
}
