//! The steps from the root to a leaf in, the leaf's value out: a path length, or the number that replaces it
//! in other modes. Formulas: Liu et al. 2008, equation 1; Cortes, "Isolation forests: looking beyond tree
//! depth" (arXiv:2111.11639).

use crate::train::params::Mode;
use crate::tree::path_length::{PathLength, average_path_length, fixed};

/// The least share of a node's range that a child is counted with: cells have no more digits.
const MIN_RANGE_SHARE: f64 = 1.0 / (1 << 24) as f64;
/// The least and the greatest value of a product of adjusted steps. A score halves with each c(sample size)
/// units, about 10, so a greater product would make no difference.
const PRODUCT_BOUNDS: [f64; 2] = [f64::EPSILON, 200.0];

/// The value of a path from the root up to the current node.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LeafValue {
    mode: Mode,
    depth: u32,
    value: f64,
}

impl LeafValue {
    /// The value at the root: no step yet.
    pub(crate) fn new(mode: Mode) -> Self {
        Self { mode, depth: 0, value: if mode == Mode::AdjustedDensity { 1.0 } else { 0.0 } }
    }

    /// The number of steps so far.
    pub(crate) fn depth(self) -> u32 {
        self.depth
    }

    /// The value after one more step, to the side that has the share `rows` of the node's rows and the share
    /// `range` of its range, both in (0, 1).
    pub(crate) fn step(self, rows: f64, range: f64) -> Self {
        let range = range.max(MIN_RANGE_SHARE);
        // The expected step is about 1, as an edge is; towards 0 where few rows take much of the range.
        let adjusted = || 2.0 / (1.0 + 0.5 * range / rows);
        let value = match self.mode {
            Mode::Standard | Mode::AveragedGain | Mode::PooledGain => self.value + 1.0,
            Mode::AdjustedDepth => self.value + adjusted(),
            Mode::AdjustedDensity => self.value * adjusted(),
            Mode::Density => self.value - libm::log(range),
        };
        Self { mode: self.mode, depth: self.depth + 1, value }
    }

    /// The value of a leaf with `samples` rows at the end of this path: for [`Mode::Density`] the logarithm
    /// of rows per volume, where the root's volume is 1; for [`Mode::AdjustedDensity`] a product; otherwise a
    /// path length.
    pub(crate) fn leaf(self, samples: u32) -> PathLength {
        fixed(match self.mode {
            Mode::Standard | Mode::AveragedGain | Mode::PooledGain | Mode::AdjustedDepth => {
                self.value + average_path_length(samples)
            }
            Mode::AdjustedDensity => self.value.clamp(PRODUCT_BOUNDS[0], PRODUCT_BOUNDS[1]),
            Mode::Density => self.value + libm::log(f64::from(samples.max(1))),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::path_length::edges;

    fn leaf(mode: Mode, steps: &[(f64, f64)], samples: u32) -> f64 {
        let value = steps.iter().fold(LeafValue::new(mode), |value, &(rows, range)| value.step(rows, range));
        edges(value.leaf(samples))
    }

    #[test]
    fn a_path_length_counts_edges_whatever_the_sides_have() {
        for mode in [Mode::Standard, Mode::AveragedGain, Mode::PooledGain] {
            let value = leaf(mode, &[(0.1, 0.9), (0.5, 0.5)], 3);
            assert!((value - (2.0 + average_path_length(3))).abs() < 1e-11, "{mode:?}");
        }
    }

    #[test]
    fn an_adjusted_step_is_two_thirds_of_two_where_rows_and_range_are_alike() {
        assert!((leaf(Mode::AdjustedDepth, &[(0.3, 0.3)], 1) - 4.0 / 3.0).abs() < 1e-11);
        assert!((leaf(Mode::AdjustedDensity, &[(0.3, 0.3), (0.6, 0.6)], 1) - 16.0 / 9.0).abs() < 1e-11);
        assert!(leaf(Mode::AdjustedDepth, &[(0.01, 0.99)], 1) < 0.05);
        assert!(leaf(Mode::AdjustedDepth, &[(0.99, 0.01)], 1) > 1.98);
    }

    #[test]
    fn a_density_is_rows_per_volume() {
        assert!((leaf(Mode::Density, &[(0.5, 0.25), (0.5, 0.5)], 4) - 32f64.ln()).abs() < 1e-11);
    }

    #[test]
    fn a_box_without_volume_has_a_finite_density() {
        assert!(leaf(Mode::Density, &[(0.5, 0.0); 20], 1) < 340.0);
    }
}
