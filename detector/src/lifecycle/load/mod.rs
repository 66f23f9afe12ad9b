//! `model.load` in, the bytes of a file and their model out: fetched within limits, and only from addresses
//! that a detector may use.

/// How large a file may be, and how long a fetch may take.
mod limits;
/// Why a requested model cannot be loaded.
mod error;
/// Names and passwords from a mounted Secret.
mod credentials;
/// Fetches files by HTTP.
mod client;
/// Fetches objects from S3 and compatible servers.
mod s3;
/// Another system's file -> our artifact, by a separate process.
pub mod import_process;
/// Bytes -> a model of the detector's sensors.
pub mod opening;
/// Checks for a new model periodically.
pub mod loader;

pub use error::LoadError;

use std::path::{Path, PathBuf};

use crd::load::Load;
use url::Url;

use credentials::Credentials;
use limits::{MAX_TIME, most_bytes};

use crate::files::bounded::{self, TooLarge};
use crate::outgoing::failure::redacted;
use crate::outgoing::{Outgoing, Redirects};

/// Where the parts of `model.load` are mounted.
#[derive(Clone, Debug)]
pub struct Mounts {
    /// The folder of the ConfigMap or claim.
    pub load: PathBuf,
    /// The folder of `credentialsSecretRef`.
    pub credentials: PathBuf,
}

impl Default for Mounts {
    /// Where the operator mounts them.
    fn default() -> Self {
        Self {
            load: crd::contract::LOAD_DIRECTORY.into(),
            credentials: crd::contract::CREDENTIALS_DIRECTORY.into(),
        }
    }
}

/// Where a model is loaded from.
#[derive(Debug)]
pub enum Place {
    /// A file in a mounted ConfigMap or claim: cheap to check, so it is watched.
    File(PathBuf),
    /// A server, which is asked at intervals.
    Remote(Box<Remote>),
}

/// A server that has the file.
#[derive(Debug)]
pub struct Remote {
    load: Load,
    url: Url,
    credentials: PathBuf,
    outgoing: Outgoing,
}

impl Place {
    /// The place that the spec names.
    ///
    /// # Errors
    /// The URL is not valid.
    pub fn new(load: &Load, mounts: &Mounts, outgoing: Outgoing) -> Result<Self, LoadError> {
        if let Some(config_map) = &load.config_map {
            return Ok(Self::File(mounts.load.join(&config_map.key)));
        }
        if let Some(claim) = &load.persistent_volume_claim {
            return Ok(Self::File(mounts.load.join(&claim.path)));
        }
        let text = load.url.as_deref().unwrap_or_default();
        let url = Url::parse(text).map_err(|error| LoadError::Url { why: error.to_string() })?;
        let credentials = mounts.credentials.clone();
        Ok(Self::Remote(Box::new(Remote { load: load.clone(), url, credentials, outgoing })))
    }
}

impl Remote {
    /// Fetch the bytes that the server has now. The Secret is read each time, because it may have been
    /// corrected.
    ///
    /// # Errors
    /// The bytes cannot be fetched, are too many, or are at an address that a detector may not use.
    pub async fn fetch(&self) -> Result<Vec<u8>, LoadError> {
        let needs_credentials = self.load.credentials_secret_ref.is_some();
        let credentials = needs_credentials.then(|| Credentials::new(&self.credentials));
        let client = self.outgoing.client(MAX_TIME, self.redirects()).await?;
        let fetched = async {
            match self.url.scheme() {
                "s3" => s3::fetch(client, &self.load, &self.url, credentials.as_ref()).await,
                _ => client::fetch(&client, &self.url, credentials.as_ref()).await,
            }
        };
        let late = LoadError::Late { url: redacted(&self.url), limit: MAX_TIME };
        tokio::time::timeout(MAX_TIME, fetched).await.unwrap_or(Err(late))
    }
}

impl Remote {
    /// The redirects that are followed. A signature of S3, and its session token, are for one host only.
    fn redirects(&self) -> Redirects {
        let signed = self.url.scheme() == "s3" && self.load.credentials_secret_ref.is_some();
        if signed { Redirects::SameOrigin } else { Redirects::Any }
    }
}

/// Read the bytes of a file.
///
/// # Errors
/// It cannot be read, is no regular file, or is too large: for a model, or for the memory that is left.
pub fn read(path: &Path) -> Result<Vec<u8>, LoadError> {
    bounded::read(path, most_bytes()).map_err(|source| {
        match source.get_ref().and_then(|inner| inner.downcast_ref::<TooLarge>()) {
            Some(&TooLarge { most, got }) => LoadError::TooLarge { most, got },
            None => LoadError::File { path: path.to_owned(), source },
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_too_large_or_absent_is_refused_before_it_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model");
        assert!(read(&path).unwrap_err().to_string().ends_with("No such file or directory (os error 2)"));
        std::fs::File::create(&path).unwrap().set_len(2 << 30).unwrap();
        assert_eq!(
            read(&path).unwrap_err().to_string(),
            "a model must be at most 268435456 bytes, got 2147483648"
        );
    }
}
