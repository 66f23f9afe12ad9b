//! Work that takes long in, its result out, computed beside the threads that answer single rows.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::available_parallelism;

use rayon::{ThreadPool, ThreadPoolBuildError, ThreadPoolBuilder};
use thiserror::Error;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

/// How many batches are under way at once; more are asked to come again.
const MOST: usize = 16;
/// By how much the threads of batches give way to those that answer single rows and judge readings.
const NICENESS: i32 = 5;

/// The lane of batches. Pieces of work are done first come, first served, on half of the cores.
#[derive(Clone, Debug)]
pub struct Batches {
    pool: Arc<ThreadPool>,
    room: Arc<Semaphore>,
}

/// A batch that is under way, until it is dropped.
#[derive(Debug)]
pub struct Batch {
    pool: Arc<ThreadPool>,
    _place: OwnedSemaphorePermit,
}

/// As many batches as there may be are under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Busy;

/// The work panicked; what it was for has no result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the work panicked")]
pub struct Panicked;

impl Batches {
    /// Threads that wait for work.
    ///
    /// # Errors
    /// The system refuses threads.
    pub fn start() -> Result<Self, ThreadPoolBuildError> {
        let cores = available_parallelism().map_or(1, usize::from);
        let pool = ThreadPoolBuilder::new()
            .num_threads((cores / 2).max(1))
            .thread_name(|index| format!("batches-{index}"))
            .start_handler(|_| {
                // Without it batches are no slower, and others are a little.
                let _ = rustix::process::nice(NICENESS);
            })
            .build()?;
        Ok(Self { pool: Arc::new(pool), room: Arc::new(Semaphore::new(MOST)) })
    }

    /// Begin a batch.
    ///
    /// # Errors
    /// Too many are under way.
    pub fn begin(&self) -> Result<Batch, Busy> {
        let place = self.room.clone().try_acquire_owned().map_err(|_| Busy)?;
        Ok(Batch { pool: self.pool.clone(), _place: place })
    }
}

impl Batch {
    /// Do a piece of its work. It is short, because others wait.
    ///
    /// # Errors
    /// It panicked.
    pub async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Panicked> {
        let (done, result) = oneshot::channel();
        self.pool.spawn_fifo(move || {
            // Who asked may be gone: then nobody needs it.
            if !done.is_closed()
                && let Ok(value) = catch_unwind(AssertUnwindSafe(work))
            {
                let _ = done.send(value);
            }
        });
        result.await.map_err(|_| Panicked)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[actix_web::test]
    async fn work_that_panics_ends_nothing_and_too_many_batches_are_refused() {
        let batches = Batches::start().unwrap();
        let batch = batches.begin().unwrap();
        assert_eq!(batch.work(|| panic!("on purpose")).await, Err::<(), _>(Panicked));
        assert_eq!(batch.work(|| 7).await, Ok(7));
        let others: Vec<Batch> = (1..MOST).map(|_| batches.begin().unwrap()).collect();
        assert_eq!(batches.begin().err(), Some(Busy));
        drop(others);
        batches.begin().unwrap();
    }
}
