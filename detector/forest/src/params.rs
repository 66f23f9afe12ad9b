//! Four numbers in, [`Params`] out: what a forest is to be like, valid by construction.

use thiserror::Error;

/// The largest number of trees.
pub const MAX_TREES: u32 = 10_000;
/// The largest number of rows that a tree is grown from.
pub const MAX_SAMPLE_SIZE: u32 = 1 << 20;

/// How to grow a forest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Params {
    trees: u32,
    sample_size: u32,
    extension: u32,
    seed: u64,
}

/// Which parameter is out of bounds.
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
        Self { trees: 100, sample_size: 256, extension: 0, seed: 0 }
    }
}

impl Params {
    /// The parameters in the order of their getters, which say what they mean.
    ///
    /// # Errors
    /// `trees` outside 1 to [`MAX_TREES`], `sample_size` outside 1 to [`MAX_SAMPLE_SIZE`]. `extension` is checked
    /// against the data's columns when a forest is grown.
    pub fn new(trees: u32, sample_size: u32, extension: u32, seed: u64) -> Result<Self, ParamsError> {
        if !(1..=MAX_TREES).contains(&trees) {
            return Err(ParamsError::Trees(trees));
        }
        if !(1..=MAX_SAMPLE_SIZE).contains(&sample_size) {
            return Err(ParamsError::SampleSize(sample_size));
        }
        Ok(Self { trees, sample_size, extension, seed })
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

    /// 0, the default: each split looks at one column. n: at n + 1 of them (Extended Isolation Forest); less than the
    /// number of columns.
    pub fn extension(&self) -> u32 {
        self.extension
    }

    /// Same data, same parameters, same seed: the same forest, to the bit.
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
