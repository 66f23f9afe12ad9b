//! The cost so far of reading a file in, an error out as soon as it is too high for a file of this length.
//!
//! In every format a few bytes can stand for much data: compression, references, lists of empty objects. So
//! the limits are not on the bytes of a file but on the work of the reader, in any format: the memory that it
//! holds and the steps that it takes, from the first byte to the last node. Each cost is counted in advance.

use std::cell::Cell;

use forest::available_memory;

/// The memory that any file may take in bytes, plus that for its length.
const MEMORY: u64 = 24 << 20;
/// The same for a zip file: skops describes the 600 arrays of 100 trees in 1.5 MB of JSON, packed to 25 KB.
const ZIP_MEMORY: u64 = 40 << 20;
/// The memory for each byte of an uncompressed file: objects, nodes being read, nodes being checked.
const MEMORY_PER_BYTE: u64 = 3;
/// The same for a compressed file, which unpacks to 2 to 5 times its length.
const MEMORY_PER_COMPRESSED_BYTE: u64 = 12;
/// The number of steps that any file may take, each of one or two nanoseconds, plus those for its length.
const WORK: u64 = 500_000_000;
/// The number of steps for each byte of a file.
const WORK_PER_BYTE: u64 = 16;

/// Reading a file costs more than any genuine file of its length does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CostError {
    /// It would take too much memory.
    #[error("a file of {bytes} bytes may take {limit} bytes of memory to read, this one takes more")]
    Memory {
        /// The file's length.
        bytes: u64,
        /// The limit, in bytes.
        limit: u64,
    },
    /// It would take too long.
    #[error("a file of {bytes} bytes may take {limit} steps to read, this one takes more")]
    Work {
        /// The file's length.
        bytes: u64,
        /// The limit, in steps.
        limit: u64,
    },
}

/// The costs of reading one file. After a limit was exceeded once, every check fails.
#[derive(Debug)]
pub(crate) struct Budget {
    bytes: u64,
    memory: Counter,
    work: Counter,
}

#[derive(Debug)]
struct Counter {
    limit: u64,
    /// The rest of the limit; `None` after more was taken than was left.
    left: Cell<Option<u64>>,
}

impl Budget {
    /// The budget for an uncompressed file of `bytes` bytes. The caller holds the file, so it is not counted.
    pub(crate) fn plain(bytes: usize) -> Self {
        Self::new(MEMORY, bytes as u64, MEMORY_PER_BYTE)
    }

    /// The budget for a compressed file of `bytes` bytes. The unpacked bytes are counted.
    pub(crate) fn compressed(bytes: usize) -> Self {
        Self::new(MEMORY, bytes as u64, MEMORY_PER_COMPRESSED_BYTE)
    }

    /// The budget for a zip file of `bytes` bytes. The unpacked bytes are counted.
    pub(crate) fn zip(bytes: usize) -> Self {
        Self::new(ZIP_MEMORY, bytes as u64, MEMORY_PER_COMPRESSED_BYTE)
    }

    fn new(memory: u64, bytes: u64, memory_per_byte: u64) -> Self {
        let memory = memory.saturating_add(bytes.saturating_mul(memory_per_byte));
        // At most three quarters of the available memory: a process that is killed reports no error.
        let memory = available_memory().map_or(memory, |available| memory.min(available / 4 * 3));
        let work = WORK.saturating_add(bytes.saturating_mul(WORK_PER_BYTE));
        Self { bytes, memory: Counter::new(memory), work: Counter::new(work) }
    }

    /// Count memory that is about to be allocated and kept.
    pub(crate) fn allocate(&self, bytes: usize) -> Result<(), CostError> {
        self.memory.take(bytes as u64);
        self.check()
    }

    /// Count memory that is about to be allocated and is free again when the result is dropped.
    pub(crate) fn hold(&self, bytes: usize) -> Result<Held<'_>, CostError> {
        self.allocate(bytes)?;
        Ok(Held { budget: self, bytes })
    }

    /// Stop counting memory that is free again.
    pub(crate) fn free(&self, bytes: usize) {
        self.memory.give(bytes as u64);
    }

    /// Count steps that are about to be taken.
    pub(crate) fn work(&self, steps: usize) -> Result<(), CostError> {
        self.work.take(steps as u64);
        self.check()
    }

    /// Return an error if a limit was exceeded.
    pub(crate) fn check(&self) -> Result<(), CostError> {
        let bytes = self.bytes;
        if self.memory.left.get().is_none() {
            return Err(CostError::Memory { bytes, limit: self.memory.limit });
        }
        if self.work.left.get().is_none() {
            return Err(CostError::Work { bytes, limit: self.work.limit });
        }
        Ok(())
    }
}

/// Memory that is counted as long as this value lives.
#[derive(Debug)]
pub(crate) struct Held<'b> {
    budget: &'b Budget,
    bytes: usize,
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.budget.free(self.bytes);
    }
}

impl Counter {
    fn new(limit: u64) -> Self {
        Self { limit, left: Cell::new(Some(limit)) }
    }

    fn take(&self, amount: u64) {
        self.left.set(self.left.get().and_then(|left| left.checked_sub(amount)));
    }

    fn give(&self, amount: u64) {
        self.left.set(self.left.get().map(|left| left.saturating_add(amount).min(self.limit)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_costs_too_much_once_is_refused_from_then_on() {
        let budget = Budget::plain(1000);
        budget.allocate(MEMORY as usize).unwrap();
        budget.allocate(3000).unwrap();
        budget.free(1);
        budget.allocate(1).unwrap();
        let refusal = budget.allocate(1).unwrap_err().to_string();
        assert_eq!(
            refusal,
            "a file of 1000 bytes may take 25168824 bytes of memory to read, this one takes more"
        );
        budget.free(1 << 20);
        assert!(budget.check().is_err());
    }

    #[test]
    fn what_is_held_is_free_again_afterwards() {
        let budget = Budget::plain(0);
        for _ in 0..3 {
            let _held = budget.hold(MEMORY as usize).unwrap();
        }
        assert!(budget.check().is_ok());
    }

    #[test]
    fn steps_are_counted_apart_from_memory() {
        let budget = Budget::compressed(0);
        budget.work(WORK as usize).unwrap();
        assert!(matches!(budget.work(1), Err(CostError::Work { bytes: 0, limit: WORK })));
    }
}
