//! `detector import-apart`: another system's file in, a model out, in a separate process with resource
//! limits.

use std::io::{self, Read};
use std::path::Path;

use clap::Args;
use thiserror::Error;

use super::model_file::{self, ModelFileError};
use crate::lifecycle::load::import_process::{self, ImportError};

/// Import another system's forest: its file on the standard input, the model on the standard output. `run`
/// starts this command for a file that it loads.
#[derive(Debug, Args)]
pub struct ImportApartArgs {
    /// The memory limit of this process, in bytes
    #[arg(long, value_name = "BYTES")]
    memory: u64,

    /// The names of the columns, for a file that has none
    #[arg(value_name = "NAME")]
    names: Vec<String>,
}

/// Why a file cannot be imported.
#[derive(Debug, Error)]
pub enum ImportApartError {
    /// The file is refused.
    #[error(transparent)]
    Import(#[from] ImportError),
    /// The model cannot be written.
    #[error(transparent)]
    File(#[from] ModelFileError),
}

/// Limit the resources of this process, read the file on the standard input, and write the model.
///
/// # Errors
/// The file is no forest, or the model cannot be written.
pub fn run(args: &ImportApartArgs) -> Result<(), ImportApartError> {
    import_process::limit(args.memory).map_err(ImportError::from)?;
    let mut bytes = Vec::new();
    let most = interchange::FILE_LIMIT as u64 + 1;
    io::stdin().lock().take(most).read_to_end(&mut bytes).map_err(ImportError::from)?;
    let model = import_process::import(bytes, &args.names)?;
    Ok(model_file::write(Path::new("-"), &model)?)
}
