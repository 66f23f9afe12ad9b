//! A mode and four numbers in, `Params` out: the parameters of training a forest, valid by construction.

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The largest number of trees.
pub const MAX_TREES: u32 = 10_000;
/// The largest number of rows that a tree is grown from.
pub const MAX_SAMPLE_SIZE: u32 = 1 << 20;

/// How trees are split, and which value their leaves have. Each mode except `Standard` changes the original
/// algorithm in one place.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Mode {
    /// Random splits, path lengths: Liu, Ting and Zhou, "Isolation Forest" (ICDM 2008). With an extension level: Hariri, Kind
    /// and Brunner, "Extended Isolation Forest" (IEEE TKDE 33(4), 2021).
    #[default]
    Standard,
    /// Among the split values of ten random columns or planes, the one with the greatest averaged gain: Liu,
    /// Ting and Zhou, "On Detecting Clustered Anomalies Using SCiForest" (ECML PKDD 2010), definition 2.
    /// Finds anomalies that are far out in some column.
    AveragedGain,
    /// A random column or plane, and the split value with the greatest pooled gain: Cortes, "Revisiting randomized choices in
    /// isolation forests" (arXiv:2110.13402, 2021), the fair-cut forest. Finds anomalies between clusters, best with
    /// an extension level of 1 and a sample size of 32.
    PooledGain,
    /// Random splits, and path lengths in which each step counts 0 to 2, more for the side that has more rows
    /// for its range: Cortes, "Isolation forests: looking beyond tree depth" (arXiv:2111.11639, 2021).
    AdjustedDepth,
    /// Random splits, and leaf values that are the density of rows in the leaf's box: the same paper.
    Density,
    /// As `AdjustedDepth`, but the steps are multiplied, not added: the same paper.
    AdjustedDensity,
}

impl Mode {
    /// All modes, in the order of their declaration.
    pub const ALL: [Self; 6] = [
        Self::Standard,
        Self::AveragedGain,
        Self::PooledGain,
        Self::AdjustedDepth,
        Self::Density,
        Self::AdjustedDensity,
    ];

    /// The name of the mode, as in manifests.
    pub fn name(self) -> &'static str {
        match self {
            Self::Standard => "Standard",
            Self::AveragedGain => "AveragedGain",
            Self::PooledGain => "PooledGain",
            Self::AdjustedDepth => "AdjustedDepth",
            Self::Density => "Density",
            Self::AdjustedDensity => "AdjustedDensity",
        }
    }

    /// Whether a leaf's value follows from its depth and sample count.
    pub(crate) fn counts_edges(self) -> bool {
        matches!(self, Self::Standard | Self::AveragedGain | Self::PooledGain)
    }
}

/// The parameters of training a forest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Params {
    mode: Mode,
    trees: u32,
    sample_size: u32,
    extension_level: u32,
    seed: u64,
    /// `None`: each tree sees all columns.
    columns_per_tree: Option<u32>,
}

/// The parameter that is out of bounds.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ParamsError {
    /// See [`Params::trees`].
    #[error("trees must be from 1 to {MAX_TREES}, got {0}")]
    Trees(u32),
    /// See [`Params::sample_size`].
    #[error("sampleSize must be from 1 to {MAX_SAMPLE_SIZE}, got {0}")]
    SampleSize(u32),
}

impl Default for Params {
    /// 100 trees of 256 rows, axis-parallel splits, seed 0: what Liu et al. and scikit-learn use.
    fn default() -> Self {
        let mode = Mode::Standard;
        Self { mode, trees: 100, sample_size: 256, extension_level: 0, seed: 0, columns_per_tree: None }
    }
}

impl Params {
    /// Checks the parameters and returns them. Their getters explain them; the mode is [`Mode::Standard`].
    ///
    /// # Errors
    /// `trees` outside 1 to [`MAX_TREES`], `sample_size` outside 1 to [`MAX_SAMPLE_SIZE`]. `extension_level` is checked
    /// against the data's columns when a forest is trained.
    pub fn new(trees: u32, sample_size: u32, extension_level: u32, seed: u64) -> Result<Self, ParamsError> {
        if !(1..=MAX_TREES).contains(&trees) {
            return Err(ParamsError::Trees(trees));
        }
        if !(1..=MAX_SAMPLE_SIZE).contains(&sample_size) {
            return Err(ParamsError::SampleSize(sample_size));
        }
        Ok(Self { trees, sample_size, extension_level, seed, ..Self::default() })
    }

    /// The same parameters with another mode.
    #[must_use]
    pub fn with_mode(self, mode: Mode) -> Self {
        Self { mode, ..self }
    }

    /// The same parameters, except that each tree sees only `columns` columns, drawn at random for it, at
    /// least one and at most all: scikit-learn's `max_features`.
    #[must_use]
    pub fn with_columns_per_tree(self, columns: u32) -> Self {
        Self { columns_per_tree: Some(columns.max(1)), ..self }
    }

    /// The same parameters with these three values; the extension level is checked when a forest is trained.
    pub(crate) fn with_shape(self, mode: Mode, sample_size: u32, extension_level: u32) -> Self {
        Self { mode, sample_size, extension_level, ..self }
    }

    /// How trees are split, and what value their leaves have; default [`Mode::Standard`].
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// How many trees, 1 to 10,000, default 100. More trees, steadier scores; time and memory grow in proportion.
    pub fn trees(&self) -> u32 {
        self.trees
    }

    /// How many rows, drawn without repetition, each tree is grown from: 1 to 1,048,576, default 256. With fewer rows
    /// than that, every tree sees all of them.
    pub fn sample_size(&self) -> u32 {
        self.sample_size
    }

    /// The extension level. 0, the default: each split is on one column. `n`: each split is a hyperplane over
    /// `n + 1` columns (Extended Isolation Forest). It must be less than the number of columns.
    pub fn extension_level(&self) -> u32 {
        self.extension_level
    }

    /// The number of columns that each tree sees, of `columns` in the data; default all.
    pub fn columns_per_tree(&self, columns: usize) -> usize {
        self.columns_per_tree.map_or(columns, |most| columns.min(most as usize))
    }

    /// The seed of all random numbers, default 0. Same data, same parameters, same seed: the same forest, to the bit.
    pub fn seed(&self) -> u64 {
        self.seed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_out_of_bounds_is_named_with_its_rule_and_value() {
        let message = |trees, size| Params::new(trees, size, 0, 0).unwrap_err().to_string();
        assert_eq!(message(0, 256), "trees must be from 1 to 10000, got 0");
        assert_eq!(message(10_001, 256), "trees must be from 1 to 10000, got 10001");
        assert_eq!(message(100, 0), "sampleSize must be from 1 to 1048576, got 0");
        assert_eq!(message(100, 1_048_577), "sampleSize must be from 1 to 1048576, got 1048577");
    }
}
