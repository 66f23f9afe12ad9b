//! Signals and `--duration` in; the moment to stop out.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};

/// The reasons to stop that are not errors.
pub(super) struct Stop {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
    end: Option<tokio::time::Instant>,
}

impl Stop {
    pub(super) fn new(duration: Option<Duration>) -> io::Result<Self> {
        let end = duration.and_then(|duration| tokio::time::Instant::now().checked_add(duration));
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            end,
        })
    }

    /// Wait for the next SIGTERM or SIGINT. Returns the exit code of a program that this signal ends.
    pub(super) async fn signal(&mut self) -> i32 {
        tokio::select! {
            _ = self.terminate.recv() => 128 + SignalKind::terminate().as_raw_value(),
            _ = self.interrupt.recv() => 128 + SignalKind::interrupt().as_raw_value(),
        }
    }

    /// Wait for SIGTERM, SIGINT or the end of `--duration`. True for SIGTERM: clients may still send
    /// requests.
    pub(super) async fn wait_for_stop(&mut self) -> bool {
        let end = async {
            match self.end {
                Some(end) => tokio::time::sleep_until(end).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.terminate.recv() => true,
            _ = self.interrupt.recv() => false,
            () = end => false,
        }
    }
}

/// A flag that the first SIGINT or SIGTERM sets; the second one ends the process at once. Code that writes a
/// file can thus stop after a whole row.
pub(super) fn flag() -> io::Result<Arc<AtomicBool>> {
    let stopped = Arc::new(AtomicBool::new(false));
    let (shared, runtime) = (stopped.clone(), Builder::new_current_thread().enable_all().build()?);
    let (ready, is_ready) = mpsc::channel();
    let wait = move || {
        runtime.block_on(async {
            let mut stop = match Stop::new(None) {
                Ok(stop) => stop,
                Err(error) => return drop(ready.send(Err(error))),
            };
            let _ = ready.send(Ok(()));
            stop.wait_for_stop().await;
            shared.store(true, Ordering::Relaxed);
            stop.wait_for_stop().await;
            std::process::exit(130);
        });
    };
    thread::Builder::new().name("signals".to_owned()).spawn(wait)?;
    is_ready.recv().unwrap_or(Ok(()))?;
    Ok(stopped)
}
