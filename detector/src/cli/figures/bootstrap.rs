//! Instants that were judged in, each figure with the interval that it would lie in out.
//!
//! The bootstrap: blocks of consecutive instants are drawn again with replacement, 1000 times, and the 2.5th and 97.5th
//! percentile of each figure are the ends of its interval (Efron and Tibshirani, "An Introduction to the Bootstrap", 1993,
//! chapter 13). The blocks do not overlap (Carlstein, 1986) and are longer than what neighbours share: the cube root of
//! the number of instants (Hall, Horowitz and Jing, 1995), or the longest fault or event where that is longer, but there are
//! at least 20. Rows of a table that is no series are drawn one by one; of many, in up to 2000 groups.

use rand_xoshiro::SplitMix64;
use rand_xoshiro::rand_core::{Rng, SeedableRng};
use rayon::prelude::*;

use crate::cli::figures::figures::{Blocks, COUNT, Figures};
use crate::cli::figures::instants::Evaluated;
use crate::cli::figures::spans;

/// How often the blocks are drawn.
pub const DRAWS: usize = 1000;
/// The share of the draws that lies within an interval.
pub const LEVEL: f64 = 0.95;
/// There are so many blocks at least,
const FEWEST_BLOCKS: usize = 20;
/// and so many groups of rows at most.
const MOST_GROUPS: usize = 2000;
/// Of fewer draws in which a figure is defined, there is no interval.
const FEWEST_DRAWS: usize = DRAWS / 2;

/// A figure and its interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// The figure of all instants.
    pub value: f64,
    /// Within which it lies with a confidence of 95 %; none where too few draws define it.
    pub interval: Option<[f64; 2]>,
}

/// All figures, and how their intervals were made.
pub struct Estimates {
    /// In the order of [`super::figures::NAMES`].
    pub each: [Option<Estimate>; COUNT],
    /// Instants of a block.
    pub block: usize,
    /// Blocks and counts.
    pub blocks: Blocks,
}

impl Estimates {
    /// Of everything that was judged. The same instants give the same intervals.
    pub fn new(evaluated: &Evaluated) -> Self {
        let block = block_length(evaluated);
        let blocks = Blocks::new(evaluated, block);
        let figures = blocks.figures(&vec![1.0; blocks.len()]);
        let draws: Vec<Figures> = (0..DRAWS as u64)
            .into_par_iter()
            .map(|seed| blocks.figures(&drawn(blocks.len(), seed)))
            .collect();
        let estimate = |at: usize| {
            figures[at]
                .map(|value| Estimate { value, interval: interval(draws.iter().filter_map(|draw| draw[at])) })
        };
        Self { each: std::array::from_fn(estimate), block, blocks }
    }
}

/// How many instants a block has.
fn block_length(evaluated: &Evaluated) -> usize {
    let count = evaluated.instants.len();
    if !evaluated.is_series {
        return count.div_ceil(MOST_GROUPS).max(1);
    }
    let faults = spans::faults(evaluated).into_iter().map(|fault| fault.instants);
    let events = spans::events(&evaluated.instants).into_iter().map(|event| event.instants);
    let longest = faults.chain(events).map(|(first, last)| last - first + 1).max().unwrap_or(1);
    let root = (count as f64).cbrt().ceil() as usize;
    root.max(longest).min(count / FEWEST_BLOCKS).max(1)
}

/// How often each of so many blocks is drawn, where as many are drawn as there are.
fn drawn(blocks: usize, seed: u64) -> Vec<f64> {
    let mut random = SplitMix64::seed_from_u64(seed);
    let mut weights = vec![0.0; blocks];
    for _ in 0..blocks {
        let at = (u128::from(random.next_u64()) * blocks as u128) >> 64;
        weights[at as usize] += 1.0;
    }
    weights
}

/// The central 95 % of what the draws gave.
fn interval(values: impl Iterator<Item = f64>) -> Option<[f64; 2]> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let last = values.len().checked_sub(1).filter(|_| values.len() >= FEWEST_DRAWS)? as f64;
    let tail = (1.0 - LEVEL) / 2.0;
    Some([values[(tail * last).floor() as usize], values[((1.0 - tail) * last).ceil() as usize]])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::figures::spans::tests::series;

    #[test]
    fn every_interval_holds_its_figure_and_is_the_same_again() {
        let (verdicts, truth) = ("..x!....x...".repeat(60), "..FF........".repeat(60));
        let of = || Estimates::new(&series(&verdicts, &truth));
        let (estimates, again) = (of(), of());
        for (at, estimate) in estimates.each.iter().enumerate() {
            let Some(Estimate { value, interval }) = *estimate else { continue };
            let [low, high] = interval.unwrap();
            assert!(low <= value + 1e-9 && value <= high + 1e-9, "{at}: {low} {value} {high}");
        }
        assert_eq!(estimates.each, again.each);
    }

    /// Of a share p of n independent rows, the standard error is sqrt(p (1 - p) / n): 0.025 of 400 that are right half of the
    /// time, so that the interval is 0.098 wide.
    #[test]
    fn independent_rows_have_the_textbooks_interval() {
        let rows = Evaluated { is_series: false, ..series(&"x".repeat(400), &"F.".repeat(200)) };
        let [low, high] = Estimates::new(&rows).each[2].unwrap().interval.unwrap();
        assert!(((high - low) - 0.098).abs() < 0.012, "{low} {high}");
    }

    #[test]
    fn rows_that_come_in_runs_are_less_sure() {
        let truth = ("F".repeat(20) + &".".repeat(20)).repeat(10);
        let of = |is_series| {
            let rows = Evaluated { is_series, ..series(&"x".repeat(400), &truth) };
            let [low, high] = Estimates::new(&rows).each[2].unwrap().interval.unwrap();
            high - low
        };
        assert!(of(true) > 2.0 * of(false), "{} {}", of(true), of(false));
    }
}
