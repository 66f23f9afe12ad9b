//! Samples and parameters in, "it fits" or an error out: checked before a forest allocates anything.

use super::error::ForestError;
use crate::available_memory::available_memory;
use crate::data::samples::Samples;
use crate::train::bag;
use crate::train::params::Params;

/// Forests of fewer bytes are not compared with the machine's memory.
const SMALL: u64 = 8 << 20;

/// Refuses forests that the machine, or the container, has no room for, all of them together.
pub(crate) fn check(samples: &Samples, forests: &[Params]) -> Result<(), ForestError> {
    fits(forests.iter().map(|params| needed(samples, params)).fold(0, u64::saturating_add))
}

/// Refuses what takes more bytes than there are.
pub(crate) fn fits(needed: u64) -> Result<(), ForestError> {
    if needed <= SMALL {
        return Ok(());
    }
    match available_memory() {
        Some(available) if available < needed => Err(ForestError::Memory { needed, available }),
        _ => Ok(()),
    }
}

/// The most that a forest takes, in bytes: 2ψ nodes a tree, each as it was grown (28) and as it is walked (24); and ψ planes,
/// their terms of 16 bytes also twice.
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
