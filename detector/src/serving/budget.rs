//! Bytes that requests hold in, whether there is room for them out: one budget for the whole process.

use tokio::sync::{Semaphore, SemaphorePermit};

/// What is assumed where nothing limits the process: enough for a machine of its own, and no reason to take all of it.
const UNLIMITED: usize = 512 << 20;

/// How much memory the process may use, bytes: the limit of its control groups, 512 MiB where there is none.
pub fn usable_memory() -> usize {
    forest::memory_limit().and_then(|limit| usize::try_from(limit).ok()).unwrap_or(UNLIMITED)
}

/// How many bytes requests may hold at once, all together. It lives as long as the process, so that no request has to count itself
/// among its users: threads would take turns at that count.
#[derive(Clone, Debug)]
pub struct Budget {
    room: &'static Semaphore,
    total: usize,
}

/// Bytes that a request holds, until it is dropped.
#[derive(Debug)]
pub struct Held {
    room: &'static Semaphore,
    permit: Option<SemaphorePermit<'static>>,
}

/// There is no room for so much now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exhausted;

impl Budget {
    /// A budget of so many bytes, at most 1 GiB.
    pub fn new(total: usize) -> Self {
        let total = total.min(1 << 30);
        Self { room: Box::leak(Box::new(Semaphore::new(total))), total }
    }

    /// Hold nothing yet.
    pub fn open(&self) -> Held {
        Held { room: self.room, permit: None }
    }

    /// Hold so many bytes.
    ///
    /// # Errors
    /// Others hold them.
    pub fn hold(&self, bytes: usize) -> Result<Held, Exhausted> {
        let mut held = self.open();
        held.grow(bytes)?;
        Ok(held)
    }

    /// All of it, bytes.
    pub fn total(&self) -> usize {
        self.total
    }
}

impl Held {
    /// Hold so many bytes more.
    ///
    /// # Errors
    /// Others hold them.
    pub fn grow(&mut self, bytes: usize) -> Result<(), Exhausted> {
        let bytes = u32::try_from(bytes).map_err(|_| Exhausted)?;
        let more = self.room.try_acquire_many(bytes).map_err(|_| Exhausted)?;
        match &mut self.permit {
            Some(permit) => permit.merge(more),
            none => *none = Some(more),
        }
        Ok(())
    }

    /// Hold exactly so many bytes: the others are given back.
    ///
    /// # Errors
    /// That would be more, and others hold them.
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
