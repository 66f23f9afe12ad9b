//! Samples and parameters in, "it fits" or an error out: checked before a forest allocates anything.

use super::error::ForestError;
use crate::data::samples::Samples;
use crate::train::bag;
use crate::train::params::Params;
use std::fs;

/// Forests of fewer bytes are not compared with the machine's memory.
const SMALL: u64 = 64 << 20;

/// Refuses forests that the machine, or the container, has no room for, all of them together.
pub(crate) fn check(samples: &Samples, forests: &[Params]) -> Result<(), ForestError> {
    let needed = forests.iter().map(|params| needed(samples, params)).fold(0, u64::saturating_add);
    if needed <= SMALL {
        return Ok(());
    }
    match available() {
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

/// Bytes that may still be allocated: the smaller of what Linux estimates and what the control group leaves. `None`
/// where neither can be read.
fn available() -> Option<u64> {
    let machine = fs::read_to_string("/proc/meminfo").ok().and_then(|text| mem_available(&text));
    let number = |file| fs::read_to_string(file).ok()?.trim().parse::<u64>().ok();
    let limit = number("/sys/fs/cgroup/memory.max");
    let used = number("/sys/fs/cgroup/memory.current").unwrap_or(0);
    let group = limit.map(|limit| limit.saturating_sub(used));
    machine.into_iter().chain(group).min()
}

/// `MemAvailable` of /proc/meminfo, in bytes.
fn mem_available(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn available_memory_is_read_from_meminfo() {
        let meminfo = "MemTotal:       24000000 kB\nMemAvailable:    2048 kB\n";
        assert_eq!(mem_available(meminfo), Some(2 << 20));
        assert_eq!(mem_available("nonsense"), None);
    }

    #[test]
    fn a_default_forest_needs_a_few_megabytes() {
        let samples = Samples::new(1, vec![0.0; 1000]).unwrap();
        assert!(needed(&samples, &Params::default()) < 4 << 20);
    }
}
