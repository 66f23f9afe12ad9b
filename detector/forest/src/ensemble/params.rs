//! The parameters of training an ensemble: those of one forest, or of three that score together.

use crate::train::params::{Mode, Params};

/// How many forests [`EnsembleParams::Auto`] trains.
const AUTO_MEMBERS: usize = 3;
/// The number of rows that each of their trees is grown from.
const AUTO_SAMPLE_SIZE: u32 = 256;

/// The parameters of training an ensemble.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EnsembleParams {
    /// One forest.
    Single(Params),
    /// Three forests that score together: isolation across columns ([`Mode::Standard`] with extension level
    /// 2), gaps between clusters ([`Mode::PooledGain`] with extension level 1) and density
    /// ([`Mode::AdjustedDensity`]). Only the number of trees of each forest and the seed come from these
    /// parameters; modes, extension levels and sample size (256) are fixed. On other data, expect about half
    /// of the gain on the data sets for which this was chosen: `benches/RESULTS.md`.
    Auto(Params),
}

impl From<Params> for EnsembleParams {
    fn from(params: Params) -> Self {
        Self::Single(params)
    }
}

impl EnsembleParams {
    /// The parameters of each forest for rows of `columns` cells. An extension level is less than the number of columns.
    pub(crate) fn members(&self, columns: usize) -> Vec<Params> {
        let params = match self {
            Self::Single(params) => return vec![*params],
            Self::Auto(params) => params,
        };
        let at_most = |level: u32| level.min(u32::try_from(columns - 1).unwrap_or(u32::MAX));
        let members: [(Mode, u32); AUTO_MEMBERS] =
            [(Mode::Standard, at_most(2)), (Mode::PooledGain, at_most(1)), (Mode::AdjustedDensity, 0)];
        members.map(|(mode, level)| params.with_shape(mode, AUTO_SAMPLE_SIZE, level)).to_vec()
    }

    /// How many trees each forest has.
    pub fn trees(&self) -> u32 {
        match self {
            Self::Single(params) | Self::Auto(params) => params.trees(),
        }
    }

    /// How many trees are grown altogether: those of each forest.
    pub fn total_trees(&self) -> u32 {
        match self {
            Self::Single(params) => params.trees(),
            Self::Auto(params) => params.trees() * AUTO_MEMBERS as u32,
        }
    }

    /// The seed of each forest.
    pub fn seed(&self) -> u64 {
        match self {
            Self::Single(params) | Self::Auto(params) => params.seed(),
        }
    }
}
