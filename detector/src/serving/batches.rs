//! Long computations in, their results out, on other threads than those that answer single rows.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::available_parallelism;

use rayon::{ThreadPool, ThreadPoolBuildError, ThreadPoolBuilder};
use thiserror::Error;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

/// The most batches at once; further requests are refused and may retry.
const MAX_BATCHES: usize = 16;
/// The niceness of the batch threads: threads that answer single rows and judge readings go first.
const NICENESS: i32 = 5;

/// The batch pool: threads for long computations on half of the cores. Pieces of work run first come, first
/// served.
#[derive(Clone, Debug)]
pub struct Batches {
    pool: Arc<ThreadPool>,
    room: Arc<Semaphore>,
}

/// A running batch. It gives its place back when it is dropped.
#[derive(Debug)]
pub struct Batch {
    pool: Arc<ThreadPool>,
    _place: OwnedSemaphorePermit,
}

/// The error that too many batches are already running.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Busy;

/// The error that the work panicked, so that it has no result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the work panicked")]
pub struct Panicked;

impl Batches {
    /// Start the threads.
    ///
    /// # Errors
    /// The system refuses threads.
    pub fn start() -> Result<Self, ThreadPoolBuildError> {
        let cores = available_parallelism().map_or(1, usize::from);
        let pool = ThreadPoolBuilder::new()
            .num_threads((cores / 2).max(1))
            .thread_name(|index| format!("batches-{index}"))
            .start_handler(|_| {
                // A failure is ignored: it would only make other requests a little slower.
                let _ = rustix::process::nice(NICENESS);
            })
            .build()?;
        Ok(Self { pool: Arc::new(pool), room: Arc::new(Semaphore::new(MAX_BATCHES)) })
    }

    /// Begin a batch.
    ///
    /// # Errors
    /// Too many batches are already running.
    pub fn begin(&self) -> Result<Batch, Busy> {
        let place = self.room.clone().try_acquire_owned().map_err(|_| Busy)?;
        Ok(Batch { pool: self.pool.clone(), _place: place })
    }
}

impl Batch {
    /// Run a piece of this batch's work. It must be short, because other batches wait.
    ///
    /// # Errors
    /// The work panicked.
    pub async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Panicked> {
        let (done, result) = oneshot::channel();
        self.pool.spawn_fifo(move || {
            // The caller may have gone away: then the result is not needed.
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
        let others: Vec<Batch> = (1..MAX_BATCHES).map(|_| batches.begin().unwrap()).collect();
        assert_eq!(batches.begin().err(), Some(Busy));
        drop(others);
        batches.begin().unwrap();
    }
}
