//! Files in, what they hold out, read again while the detector runs: an edited Secret needs no restart.

use std::fmt::Display;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use sha2::{Digest, Sha256};
use tokio::task::spawn_blocking;

use crate::files::bounded;

/// How often files are looked at.
const PERIOD: Duration = Duration::from_secs(2);
/// The largest file.
const MAX_BYTES: u64 = 1 << 20;

/// What files hold, as it was when they were last good.
pub struct Reloaded<T> {
    files: Vec<PathBuf>,
    parse: fn(&[Vec<u8>]) -> Result<T, String>,
    current: ArcSwap<T>,
}

impl<T: Send + Sync + 'static> Reloaded<T> {
    /// What the files hold, by `parse`, now and from now on. Expects to be called in an actix system.
    ///
    /// # Errors
    /// A file cannot be read, or what they hold is of no use: one sentence that names it.
    pub fn start(
        files: Vec<PathBuf>,
        parse: fn(&[Vec<u8>]) -> Result<T, String>,
    ) -> Result<Arc<Self>, String> {
        let (digest, bytes) = read(&files)?;
        let current = ArcSwap::from_pointee(parse(&bytes).map_err(|why| named(&files, &why))?);
        let reloaded = Arc::new(Self { files, parse, current });
        actix_web::rt::spawn(reloaded.clone().follow(digest));
        Ok(reloaded)
    }

    /// What the files hold.
    pub fn current(&self) -> Arc<T> {
        self.current.load_full()
    }

    /// Look at the files for ever. What is of no use is said once, and what was there before stays.
    async fn follow(self: Arc<Self>, mut digest: Vec<u8>) {
        let mut said = String::new();
        loop {
            tokio::time::sleep(PERIOD).await;
            let this = self.clone();
            let before = digest.clone();
            let Ok(seen) = spawn_blocking(move || this.look(&before)).await else { return };
            match seen {
                Ok(None) => said.clear(),
                Ok(Some(new)) => {
                    digest = new;
                    said.clear();
                    tracing::info!("{}", named(&self.files, "read again"));
                }
                Err(why) if why != said => {
                    tracing::warn!("{why}: what was there before stays in use");
                    said = why;
                }
                Err(_) => {}
            }
        }
    }

    /// The new digest, where the files have changed and are good.
    fn look(&self, before: &[u8]) -> Result<Option<Vec<u8>>, String> {
        let (digest, bytes) = read(&self.files)?;
        if digest == before {
            return Ok(None);
        }
        let parsed = (self.parse)(&bytes).map_err(|why| named(&self.files, &why))?;
        self.current.store(Arc::new(parsed));
        Ok(Some(digest))
    }
}

fn read(files: &[PathBuf]) -> Result<(Vec<u8>, Vec<Vec<u8>>), String> {
    let mut digest = Sha256::new();
    let mut all = Vec::new();
    for file in files {
        let bytes = bounded::read(file, MAX_BYTES).map_err(|error| one(file.display(), &error))?;
        digest.update((bytes.len() as u64).to_le_bytes());
        digest.update(&bytes);
        all.push(bytes);
    }
    Ok((digest.finalize().to_vec(), all))
}

fn one(file: impl Display, error: &io::Error) -> String {
    format!("{file}: {error}")
}

fn named(files: &[PathBuf], why: &str) -> String {
    let names: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
    format!("{}: {why}", names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(files: &[Vec<u8>]) -> Result<u32, String> {
        let text = String::from_utf8_lossy(&files[0]).into_owned();
        text.trim().parse().map_err(|_| format!("expected a number, got {text:?}"))
    }

    #[actix_web::test]
    async fn what_is_of_no_use_leaves_what_was_there() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("number");
        assert!(Reloaded::start(vec![file.clone()], number).is_err(), "there is none");
        std::fs::write(&file, "7").unwrap();
        let reloaded = Reloaded::start(vec![file.clone()], number).unwrap();
        let (digest, _) = read(&reloaded.files).unwrap();
        assert_eq!(reloaded.look(&digest), Ok(None));
        std::fs::write(&file, "x").unwrap();
        assert!(reloaded.look(&digest).unwrap_err().ends_with("number: expected a number, got \"x\""));
        assert_eq!(*reloaded.current(), 7);
        std::fs::write(&file, "8").unwrap();
        assert!(reloaded.look(&digest).unwrap().is_some());
        assert_eq!(*reloaded.current(), 8);
    }
}
