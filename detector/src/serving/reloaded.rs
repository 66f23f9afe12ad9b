//! Files in; their parsed contents out, reloaded while the detector runs: an edited Secret needs no restart.

use std::fmt::Display;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use sha2::{Digest, Sha256};
use tokio::task::spawn_blocking;

use crate::files::bounded;

/// The time between two checks of the files.
const PERIOD: Duration = Duration::from_secs(2);
/// The largest file that is read, bytes.
const MAX_BYTES: u64 = 1 << 20;

/// The parsed contents of files, from the last time that they were valid.
pub struct Reloaded<T> {
    files: Vec<PathBuf>,
    parse: fn(&[Vec<u8>]) -> Result<T, String>,
    current: ArcSwap<T>,
}

impl<T: Send + Sync + 'static> Reloaded<T> {
    /// Read and parse the files, and reload them when they change. Must be called in an actix system.
    ///
    /// # Errors
    /// A file cannot be read, or `parse` rejects the contents: one sentence that names the file.
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

    /// The current contents.
    pub fn current(&self) -> Arc<T> {
        self.current.load_full()
    }

    /// Check the files periodically, without end. An error is logged once, and the previous contents stay in
    /// use.
    async fn follow(self: Arc<Self>, mut digest: Vec<u8>) {
        let mut reported = String::new();
        loop {
            tokio::time::sleep(PERIOD).await;
            let this = self.clone();
            let before = digest.clone();
            let Ok(seen) = spawn_blocking(move || this.look(&before)).await else { return };
            match seen {
                Ok(None) => reported.clear(),
                Ok(Some(new)) => {
                    digest = new;
                    reported.clear();
                    tracing::info!("{}", named(&self.files, "read again"));
                }
                Err(why) if why != reported => {
                    tracing::warn!("{why}: the previous files stay in use");
                    reported = why;
                }
                Err(_) => {}
            }
        }
    }

    /// Reload the files if they have changed and are valid. Return their new digest; none if they are the
    /// same.
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
