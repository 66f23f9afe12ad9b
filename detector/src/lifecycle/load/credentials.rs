//! The folder of a mounted Secret in, the credentials for a server out.

use std::fs;
use std::path::{Path, PathBuf};

use super::error::LoadError;

/// A mounted Secret.
pub(super) struct Credentials {
    folder: PathBuf,
}

impl Credentials {
    pub(super) fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    /// The value of a key that must exist, without line ends at its end.
    pub(super) fn required(&self, key: &str) -> Result<String, LoadError> {
        let path = self.folder.join(key);
        let text = fs::read_to_string(&path).map_err(|source| LoadError::File { path, source })?;
        Ok(text.trim_end_matches(['\r', '\n']).to_owned())
    }

    /// The value of a key that may be missing.
    pub(super) fn optional(&self, key: &str) -> Result<Option<String>, LoadError> {
        self.folder.join(key).exists().then(|| self.required(key)).transpose()
    }
}
