//! What reading a file has cost so far in; a refusal out as soon as it costs more than an honest file of its length.
//!
//! Every format has a way to say much in few bytes: compression, references, lists of empty things. So what is bounded is
//! not the bytes of a file but what they make the reader do, whatever the format: the memory that it holds and the steps
//! that it takes, from the first byte to the last node. Each is counted before it happens.

use std::cell::Cell;

use forest::available_memory;

/// Memory for whatever file, in bytes.
const MEMORY: u64 = 24 << 20;
/// The same of a zip file: skops describes the 600 arrays of 100 trees in 1.5 MB of JSON, which pack to 25 KB.
const ZIP_MEMORY: u64 = 40 << 20;
/// Memory for each byte of a file that is not compressed: objects, nodes as they are read, nodes as they are checked.
const MEMORY_PER_BYTE: u64 = 3;
/// The same of a compressed file, which unpacks to 2 to 5 times its length.
const MEMORY_PER_COMPRESSED_BYTE: u64 = 12;
/// Steps for whatever file, each of a nanosecond or two.
const WORK: u64 = 500_000_000;
/// Steps for each byte of a file.
const WORK_PER_BYTE: u64 = 16;

/// A file asks for more than its length can be worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CostError {
    /// It would take too much memory.
    #[error("a file of {bytes} bytes may take {limit} bytes of memory to read, this one takes more")]
    Memory {
        /// The file's length.
        bytes: u64,
        /// The bound.
        limit: u64,
    },
    /// It would take too long.
    #[error("a file of {bytes} bytes may take {limit} steps to read, this one takes more")]
    Work {
        /// The file's length.
        bytes: u64,
        /// The bound.
        limit: u64,
    },
}

/// The costs of reading one file. Once they are too high they stay so.
#[derive(Debug)]
pub(crate) struct Budget {
    bytes: u64,
    memory: Counter,
    work: Counter,
}

#[derive(Debug)]
struct Counter {
    limit: u64,
    /// None once more was asked for than was left.
    left: Cell<Option<u64>>,
}

impl Budget {
    /// Of a plain file of so many bytes, which somebody else holds.
    pub(crate) fn plain(bytes: usize) -> Self {
        Self::new(MEMORY, bytes as u64, MEMORY_PER_BYTE)
    }

    /// Of a compressed file of so many bytes; what is unpacked counts.
    pub(crate) fn compressed(bytes: usize) -> Self {
        Self::new(MEMORY, bytes as u64, MEMORY_PER_COMPRESSED_BYTE)
    }

    /// Of a zip file of so many bytes; what is unpacked counts.
    pub(crate) fn zip(bytes: usize) -> Self {
        Self::new(ZIP_MEMORY, bytes as u64, MEMORY_PER_COMPRESSED_BYTE)
    }

    fn new(memory: u64, bytes: u64, memory_per_byte: u64) -> Self {
        let memory = memory.saturating_add(bytes.saturating_mul(memory_per_byte));
        // Nor more than there is: a process that is killed says nothing.
        let memory = available_memory().map_or(memory, |available| memory.min(available / 4 * 3));
        let work = WORK.saturating_add(bytes.saturating_mul(WORK_PER_BYTE));
        Self { bytes, memory: Counter::new(memory), work: Counter::new(work) }
    }

    /// Memory that is about to be allocated and kept.
    pub(crate) fn allocate(&self, bytes: usize) -> Result<(), CostError> {
        self.memory.take(bytes as u64);
        self.check()
    }

    /// Memory that is about to be allocated and is free again when the result is dropped.
    pub(crate) fn hold(&self, bytes: usize) -> Result<Held<'_>, CostError> {
        self.allocate(bytes)?;
        Ok(Held { budget: self, bytes })
    }

    /// Memory that was allocated and is free again.
    pub(crate) fn free(&self, bytes: usize) {
        self.memory.give(bytes as u64);
    }

    /// Steps that are about to be taken.
    pub(crate) fn work(&self, steps: usize) -> Result<(), CostError> {
        self.work.take(steps as u64);
        self.check()
    }

    /// Refuses once too much was asked for.
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

/// Memory that is counted while this lives.
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
