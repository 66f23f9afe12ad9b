//! Requests for memory in, whether the budget has room for them out. A budget is shared by the whole process.

use tokio::sync::{Semaphore, SemaphorePermit};

/// The usable memory of a process without a limit, bytes: enough on a machine of its own, without taking all
/// of it.
const UNLIMITED: usize = 512 << 20;

/// How much memory the process may use, bytes: the limit of its control groups, 512 MiB where there is none.
pub fn usable_memory() -> usize {
    forest::memory_limit().and_then(|limit| usize::try_from(limit).ok()).unwrap_or(UNLIMITED)
}

/// How many bytes all requests together may hold at once. The semaphore is never freed, so that requests need
/// no reference count: threads would wait for each other at that count.
#[derive(Clone, Debug)]
pub struct Budget {
    room: &'static Semaphore,
    total: usize,
}

/// The bytes of a budget that a request holds. They are given back when this is dropped.
#[derive(Debug)]
pub struct Held {
    room: &'static Semaphore,
    permit: Option<SemaphorePermit<'static>>,
}

/// The error that the budget has no room for that many bytes now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exhausted;

impl Budget {
    /// A budget of `total` bytes, limited to 1 GiB.
    pub fn new(total: usize) -> Self {
        let total = total.min(1 << 30);
        Self { room: Box::leak(Box::new(Semaphore::new(total))), total }
    }

    /// Begin to hold memory, with 0 bytes.
    pub fn open(&self) -> Held {
        Held { room: self.room, permit: None }
    }

    /// Hold this many bytes.
    ///
    /// # Errors
    /// Other requests hold the bytes.
    pub fn hold(&self, bytes: usize) -> Result<Held, Exhausted> {
        let mut held = self.open();
        held.grow(bytes)?;
        Ok(held)
    }

    /// The size of the budget, bytes.
    pub fn total(&self) -> usize {
        self.total
    }
}

impl Held {
    /// Hold this many bytes more.
    ///
    /// # Errors
    /// Other requests hold the bytes.
    pub fn grow(&mut self, bytes: usize) -> Result<(), Exhausted> {
        let bytes = u32::try_from(bytes).map_err(|_| Exhausted)?;
        let more = self.room.try_acquire_many(bytes).map_err(|_| Exhausted)?;
        match &mut self.permit {
            Some(permit) => permit.merge(more),
            none => *none = Some(more),
        }
        Ok(())
    }

    /// Hold exactly this many bytes: more are requested, or the rest is given back.
    ///
    /// # Errors
    /// More bytes are needed, and other requests hold them.
    pub fn hold(&mut self, bytes: usize) -> Result<(), Exhausted> {
        let now = self.permit.as_ref().map_or(0, SemaphorePermit::num_permits);
        if bytes > now {
            return self.grow(bytes - now);
        }
        if let Some(permit) = &mut self.permit {
            drop(permit.split(now - bytes));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_comes_back_and_no_more_than_there_is_can_be_held() {
        let budget = Budget::new(100);
        let mut first = budget.hold(60).unwrap();
        assert_eq!(budget.hold(41).err(), Some(Exhausted));
        first.grow(40).unwrap();
        assert_eq!(budget.hold(1).err(), Some(Exhausted));
        first.hold(10).unwrap();
        let second = budget.hold(90).unwrap();
        drop((first, second));
        budget.hold(100).unwrap();
    }
}
