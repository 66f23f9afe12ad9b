//! Judged instants in, each figure with its confidence interval out.
//!
//! The bootstrap: blocks of consecutive instants are drawn again with replacement, 1000 times, and the 2.5th and 97.5th
//! percentile of each figure are the ends of its interval (Efron and Tibshirani, "An Introduction to the Bootstrap", 1993,
//! chapter 13). The blocks do not overlap (Carlstein, 1986). They are long enough to keep dependent
//! neighbours together: as long as the cube root of the number of instants (Hall, Horowitz and Jing, 1995),
//! or as the longest fault or event where that is longer; but there are at least 20 blocks. The rows of a
//! table that is not a time series are drawn one by one, or in at most 2000 groups where there are more rows.

use rand_xoshiro::SplitMix64;
use rand_xoshiro::rand_core::{Rng, SeedableRng};
use rayon::prelude::*;

use crate::cli::figures::blocks::{Blocks, COUNT, Figures};
use crate::cli::figures::instants::Evaluated;
use crate::cli::figures::spans;

/// The number of draws.
pub const DRAWS: usize = 1000;
/// The share of the draws that lies within an interval.
pub const LEVEL: f64 = 0.95;
/// The fewest blocks that a time series is split into, if it has as many instants.
const FEWEST_BLOCKS: usize = 20;
/// The most groups that the rows of a table are drawn in.
const MAX_GROUPS: usize = 2000;
/// The fewest draws in which a figure must be defined for it to get an interval.
const FEWEST_DRAWS: usize = DRAWS / 2;

/// A figure and its interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// The value of the figure over all instants.
    pub value: f64,
    /// The interval in which the figure lies with a confidence of 95 %; `None` where too few draws define it.
    pub interval: Option<[f64; 2]>,
}

/// All figures with their intervals, and the blocks that were drawn.
pub struct Estimates {
    /// The figures, in the order of [`super::blocks::NAMES`]; `None` where a figure is not defined.
    pub each: [Option<Estimate>; COUNT],
    /// The number of instants in a block.
    pub block: usize,
    /// The blocks, with the counts over all of them.
    pub blocks: Blocks,
}

impl Estimates {
    /// Compute all figures and their intervals. The same instants give the same intervals.
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

/// The increase of one figure from one judgement of the instants to another one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gain {
    /// The increase over all instants, and its interval.
    pub estimate: Estimate,
    /// The share of the draws in which the figure increases.
    pub better: f64,
}

impl Gain {
    /// The gain in the figure at this index, from one judgement of the instants to another one. In each draw
    /// both have the same blocks. `None` where the figure is not defined for both.
    pub fn new(figure: usize, from: &Evaluated, to: &Evaluated) -> Option<Self> {
        let block = block_length(from).max(block_length(to));
        let (from, to) = (Blocks::new(from, block), Blocks::new(to, block));
        let gain = |weights: &[f64]| Some(to.figures(weights)[figure]? - from.figures(weights)[figure]?);
        let count = from.len().min(to.len());
        let value = gain(&vec![1.0; count])?;
        let draws: Vec<f64> =
            (0..DRAWS as u64).into_par_iter().filter_map(|seed| gain(&drawn(count, seed))).collect();
        let better = draws.iter().filter(|gain| **gain > 0.0).count() as f64 / draws.len().max(1) as f64;
        Some(Self { estimate: Estimate { value, interval: interval(draws.into_iter()) }, better })
    }
}

/// How many instants a block has.
fn block_length(evaluated: &Evaluated) -> usize {
    let count = evaluated.instants.len();
    if !evaluated.is_series {
        return count.div_ceil(MAX_GROUPS).max(1);
    }
    let faults = spans::faults(evaluated).into_iter().map(|fault| fault.instants);
    let events = spans::events(&evaluated.instants).into_iter().map(|event| event.instants);
    let longest = faults.chain(events).map(|(first, last)| last - first + 1).max().unwrap_or(1);
    let root = (count as f64).cbrt().ceil() as usize;
    root.max(longest).min(count / FEWEST_BLOCKS).max(1)
}

/// Draw as many blocks as there are, with replacement. Returns how many times each block was drawn.
fn drawn(blocks: usize, seed: u64) -> Vec<f64> {
    let mut random = SplitMix64::seed_from_u64(seed);
    let mut weights = vec![0.0; blocks];
    for _ in 0..blocks {
        let at = (u128::from(random.next_u64()) * blocks as u128) >> 64;
        weights[at as usize] += 1.0;
    }
    weights
}

/// The central 95 % of the values of the draws; `None` where there are fewer than [`FEWEST_DRAWS`].
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

    /// The standard error of a share p of n independent rows is sqrt(p (1 - p) / n): 0.025 for 400 rows of
    /// which half are right, so that the interval is 0.098 wide.
    #[test]
    fn independent_rows_have_the_textbooks_interval() {
        let rows = Evaluated { is_series: false, ..series(&"x".repeat(400), &"F.".repeat(200)) };
        let [low, high] = Estimates::new(&rows).each[2].unwrap().interval.unwrap();
        assert!(((high - low) - 0.098).abs() < 0.012, "{low} {high}");
    }

    #[test]
    fn a_gain_is_sure_where_it_comes_everywhere() {
        let truth = "..FF........".repeat(40);
        let (worse, better) =
            (series(&"..x!....x...".repeat(40), &truth), series(&"..x!........".repeat(40), &truth));
        let gain = Gain::new(2, &worse, &better).unwrap();
        assert!((gain.estimate.value - 1.0 / 3.0).abs() < 1e-9 && gain.better > 0.999, "{gain:?}");
        let none = Gain::new(2, &worse, &worse).unwrap();
        assert_eq!((none.estimate.value.to_bits(), none.better.to_bits()), (0f64.to_bits(), 0f64.to_bits()));
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
