//! Rows, trees and a seed in, the rows that each tree is grown from out: its bag.

use super::draw::Draw;
use super::params::Params;
use crate::data::samples::Samples;
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};

/// The number of rows that each tree is grown from: the sample size, or all of `samples` if there are fewer.
pub(crate) fn sample_size(samples: &Samples, params: &Params) -> u32 {
    params.sample_size().min(u32::try_from(samples.len()).unwrap_or(u32::MAX))
}

/// A seed for each tree. With the same `seed`, more trees begin with the same seeds as fewer.
pub(crate) fn seeds(trees: u32, seed: u64) -> Vec<u64> {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
    (0..trees).map(|_| rng.next_u64()).collect()
}

/// A seed for each new tree of renewal `number`, counted from 1. With number 0 they are the seeds of a
/// training.
pub(crate) fn seeds_of_renewal(trees: u32, seed: u64, number: u64) -> Vec<u64> {
    const GOLDEN_RATIO: u64 = 0x9e37_79b9_7f4a_7c15; // odd, so no two numbers have the same product
    seeds(trees, seed ^ number.wrapping_mul(GOLDEN_RATIO))
}

/// The bag of each tree, given the trees' seeds: `sample_size` of `rows` rows, the same as
/// [`super::grower::Grower::tree`] draws.
pub(crate) fn bags(rows: usize, sample_size: u32, seeds: &[u64]) -> impl Iterator<Item = Vec<usize>> {
    let mut draw = Draw::new(rows, sample_size as usize);
    seeds.iter().map(move |seed| {
        let mut bag = Vec::new();
        draw.rows(&mut Xoshiro256PlusPlus::seed_from_u64(*seed), &mut bag);
        bag
    })
}
