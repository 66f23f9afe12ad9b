//! The path of a file in, its model or bytes out; bytes in, a file out.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::cli::input;
use crate::files::same_file::{self, OverInput};
use crate::model::model::{Model, ModelError};

/// Why a file of a subcommand cannot be read or written.
#[derive(Debug, Error)]
pub enum ModelFileError {
    /// The file cannot be read.
    #[error("{}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file cannot be written.
    #[error("{}: {source}", path.display())]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The output would overwrite an input.
    #[error(transparent)]
    OverInput(#[from] OverInput),
    /// The file holds no model.
    #[error("{}: {source}", path.display())]
    Refused {
        /// The file.
        path: PathBuf,
        /// Why.
        source: Box<ModelError>,
    },
}

/// Read the bytes of a file, or of the standard input for `-`.
///
/// # Errors
/// It cannot be read.
pub fn bytes(path: &Path) -> Result<Vec<u8>, ModelFileError> {
    input::bytes(path).map_err(|source| ModelFileError::Unreadable { path: path.to_owned(), source })
}

/// Read the model in a file, or on the standard input for `-`.
///
/// # Errors
/// It cannot be read, or holds no model.
pub fn model(path: &Path) -> Result<Model, ModelFileError> {
    let refused = |source| ModelFileError::Refused { path: path.to_owned(), source: Box::new(source) };
    Model::open(bytes(path)?).map_err(refused)
}

/// Check that an output does not overwrite one of the inputs.
///
/// # Errors
/// The output is the same file as an input.
pub fn check_output(output: &Path, inputs: &[&Path]) -> Result<(), ModelFileError> {
    Ok(same_file::check(output, inputs.iter().copied())?)
}

/// Write bytes to a file, or to the standard output for `-`.
///
/// # Errors
/// It cannot be written.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), ModelFileError> {
    let written = if path == Path::new("-") { to_stdout(bytes) } else { fs::write(path, bytes) };
    written.map_err(|source| ModelFileError::Unwritable { path: path.to_owned(), source })
}

fn to_stdout(bytes: &[u8]) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(bytes)?;
    stdout.flush()
}
