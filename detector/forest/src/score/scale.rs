//! A sum of path lengths in, the score out: Liu, Ting and Zhou, "Isolation Forest" (ICDM 2008), equation 2.
//! The score of a row outside the ranges of the training rows in, a higher score out.

use crate::train::params::Mode;
use crate::tree::path_length::{FRACTION_BITS, PathLength, average_path_length};

/// The formula that turns a row's sum of path lengths, or of other leaf values, into its score.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Scale {
    /// s = 2^(factor · sum): Liu et al. 2008, equation 2.
    Length {
        /// −1 / (trees · c(ψ)) per unit of [`PathLength`].
        factor: f64,
        /// c(ψ).
        normal: f64,
    },
    /// The same formula, where the leaf values are products.
    Product {
        /// The factor, as in [`Scale::Length`].
        factor: f64,
        /// c(ψ).
        normal: f64,
        /// log₂(ψ).
        levels: f64,
    },
    /// s = 1 / (1 + d), where d is the geometric mean of the trees' densities: 1 where rows are spread evenly.
    Density {
        /// 1 / trees per unit of [`PathLength`].
        factor: f64,
        /// ln(ψ): it turns a leaf's count of rows into their share.
        rows: f64,
        /// log₂(ψ).
        levels: f64,
    },
    /// Trees of a single row separate nothing: 0.5, as in scikit-learn.
    Nothing,
}

/// The result of [`Scale::cut_off`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct CutOff {
    /// The score, in (0, 1].
    pub(crate) score: f64,
    /// The difference by which the mean of the trees' leaf values became lower, in edges or the mode's own
    /// unit.
    pub(crate) lost: f64,
}

impl Scale {
    pub(crate) fn new(mode: Mode, trees: usize, sample_size: u32) -> Self {
        let unit = 2f64.powi(-FRACTION_BITS);
        let (trees, rows) = (trees as f64, f64::from(sample_size));
        let normal = average_path_length(sample_size);
        let levels = libm::log2(rows);
        match mode {
            _ if sample_size < 2 => Self::Nothing,
            Mode::Density => Self::Density { factor: unit / trees, rows: libm::log(rows), levels },
            Mode::AdjustedDensity => Self::Product { factor: -unit / (trees * normal), normal, levels },
            Mode::Standard | Mode::AveragedGain | Mode::PooledGain | Mode::AdjustedDepth => {
                Self::Length { factor: -unit / (trees * normal), normal }
            }
        }
    }

    /// The score, in (0, 1].
    pub(crate) fn score(self, sum: PathLength) -> f64 {
        match self {
            Self::Length { factor, .. } | Self::Product { factor, .. } => libm::exp2(sum as f64 * factor),
            Self::Density { factor, rows, .. } => 1.0 / (1.0 + libm::exp(sum as f64 * factor - rows)),
            Self::Nothing => 0.5,
        }
    }

    /// The score of a row that is isolated at once with the probability `chance`, in [0, 1), on each level of
    /// a tree. Without that its score is `score`; a `chance` of 0 changes nothing.
    ///
    /// With the chance p, (1 − (1 − p)ʰ) / p of h levels are left on the average, and h for p towards 0. A
    /// product and a density have log₂(ψ) levels, and count as 0 where the row is isolated at once.
    pub(crate) fn cut_off(self, score: f64, chance: f64) -> CutOff {
        let spared = |levels: f64| levels * libm::log1p(-chance);
        let shortened = |length: f64, normal: f64, shorter: f64| CutOff {
            score: libm::exp2(-shorter / normal).max(score),
            lost: (length - shorter).max(0.0),
        };
        match self {
            _ if chance <= 0.0 => CutOff { score, lost: 0.0 },
            Self::Length { normal, .. } => {
                let length = -libm::log2(score) * normal;
                shortened(length, normal, length.min(-libm::expm1(spared(length)) / chance))
            }
            Self::Product { normal, levels, .. } => {
                let product = -libm::log2(score) * normal;
                shortened(product, normal, product * libm::exp(spared(levels)))
            }
            Self::Density { levels, .. } => {
                let density = (1.0 / score - 1.0) * libm::exp(spared(levels));
                CutOff { score: (1.0 / (1.0 + density)).max(score), lost: -spared(levels) }
            }
            Self::Nothing => CutOff { score, lost: 0.0 },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::path_length::{fixed, path_length};

    #[test]
    fn a_row_of_average_path_length_scores_one_half() {
        let scale = Scale::new(Mode::Standard, 1, 256);
        assert!((scale.score(path_length(0, 256)) - 0.5).abs() < 1e-12);
        assert_eq!(scale.score(0).to_bits(), 1f64.to_bits());
    }

    #[test]
    fn rows_that_are_spread_evenly_have_density_1_and_score_one_half() {
        let scale = Scale::new(Mode::Density, 3, 256);
        assert!((scale.score(3 * fixed(libm::log(256.0))) - 0.5).abs() < 1e-12);
        assert!(scale.score(0) > 0.99);
    }

    #[test]
    fn a_row_that_is_cut_off_half_the_time_passes_two_levels_at_most() {
        let scale = Scale::new(Mode::Standard, 1, 256);
        let normal = average_path_length(256);
        let cut = scale.cut_off(libm::exp2(-10.0 / normal), 0.5);
        assert!((cut.score - libm::exp2(-1.998_046_875 / normal)).abs() < 1e-12, "{cut:?}");
        assert!((cut.lost - 8.001_953_125).abs() < 1e-12, "{cut:?}");
    }

    #[test]
    fn the_likelier_a_cut_the_higher_the_score_in_every_mode() {
        for mode in Mode::ALL {
            let scale = Scale::new(mode, 1, 256);
            let score = scale.score(fixed(4.0));
            let chances = [1e-300, 1e-9, 0.01, 0.5, 1.0 - f64::EPSILON];
            let scores = chances.map(|chance| scale.cut_off(score, chance).score);
            assert!((scores[0] - score).abs() < 1e-12, "{mode:?}");
            assert!(scores.is_sorted() && scores[4] > score && scores[4] <= 1.0, "{mode:?}: {scores:?}");
        }
    }

    #[test]
    fn trees_of_a_single_row_score_one_half() {
        assert_eq!(Scale::new(Mode::Standard, 100, 1).score(0).to_bits(), 0.5f64.to_bits());
    }
}
