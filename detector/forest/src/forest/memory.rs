//! Samples and parameters in, "it fits" or an error out: checked before a forest allocates anything.

use super::error::ForestError;
use crate::available_memory::available_memory;
use crate::data::samples::Samples;
use crate::train::bag;
use crate::train::params::Params;

/// The largest need, in bytes, for which the available memory is not checked.
const MIN_CHECKED_BYTES: u64 = 8 << 20;

/// Refuses forests that together need more memory than the machine, or the container, has available.
pub(crate) fn check(samples: &Samples, forests: &[Params]) -> Result<(), ForestError> {
    fits(forests.iter().map(|params| needed(samples, params)).fold(0, u64::saturating_add))
}

/// Returns [`ForestError::Memory`] when more bytes are needed than are available. Where the available memory
/// is not known, everything fits.
pub(crate) fn fits(needed: u64) -> Result<(), ForestError> {
    if needed <= MIN_CHECKED_BYTES {
        return Ok(());
    }
    match available_memory() {
        Some(available) if available < needed => Err(ForestError::Memory { needed, available }),
        _ => Ok(()),
    }
}

/// The most memory that a forest takes, in bytes. With a sample size of ψ, a tree has 2ψ nodes, each stored
/// as it was grown (28 bytes) and as it is walked (24 bytes). An extended tree also has ψ planes of 48 bytes,
/// and their terms of 16 bytes are stored twice too.
fn needed(samples: &Samples, params: &Params) -> u64 {
    let size = u64::from(bag::sample_size(samples, params));
    let terms = u64::from(params.extension_level()) + 1;
    let plane = if params.extension_level() == 0 { 0 } else { 48 + 2 * 16 * terms };
    let tree = size.saturating_mul(2 * (28 + 24) + plane);
    tree.saturating_mul(u64::from(params.trees()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_default_forest_needs_a_few_megabytes() {
        let samples = Samples::new(1, vec![0.0; 1000]).unwrap();
        assert!(needed(&samples, &Params::default()) < 4 << 20);
    }
}
