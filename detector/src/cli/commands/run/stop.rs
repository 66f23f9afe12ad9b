//! Signals and `--duration` in; the moment to stop out.

use std::io;
use std::time::Duration;

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

    /// Resolves when it is time to stop; true when others may still be sending requests here.
    pub(super) async fn asked(&mut self) -> bool {
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
