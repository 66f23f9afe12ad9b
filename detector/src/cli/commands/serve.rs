//! `detector serve`: a model file in; predictions and metrics out, until Ctrl-C or SIGTERM.

use std::path::{Path, PathBuf};

use clap::Args;
use crd::contract::{METRICS_PORT, PREDICT_PORT};
use serde_json::{Value, json};
use thiserror::Error;

use super::model_file::{self, ModelFileError};
use super::run::address::Address;
use super::run::args::RunArgs;
use super::run::{self, error::RunError};
use crate::cli::manifest::Document;
use crate::model::model::Model;
use crate::serving::logging::Format;

/// Answer prediction requests with a model file, without a manifest.
///
/// Serves `POST /predict` on one port, metrics and probes on another, as `detector run` does; readings sent
/// to `POST /readings` update the metrics. The file is loaded again when it changes.
#[derive(Debug, Args)]
pub struct ServeArgs {
    /// The model file: from `detector train`, a scikit-learn IsolationForest (pickle, joblib, skops), or ONNX
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// The names of the model's columns, in order, where the file has none: a,b,c. Default: value for a
    /// single column, else x0, x1, ...
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    columns: Vec<String>,

    /// The format of the printed lines and of the log; RUST_LOG sets the levels of the log
    #[arg(long, value_enum, default_value_t, env = "DETECTOR_LOG")]
    log: Format,

    /// The address at which prediction requests are answered: an IP address or a host name, and a port
    #[arg(long, value_name = "ADDRESS", default_value_t = Address::any(PREDICT_PORT), env = "DETECTOR_PREDICT_ADDRESS")]
    predict_address: Address,

    /// The address at which metrics and probes are answered
    #[arg(long, value_name = "ADDRESS", default_value_t = Address::any(METRICS_PORT), env = "DETECTOR_METRICS_ADDRESS")]
    metrics_address: Address,
}

/// Why a model file cannot be served.
#[derive(Debug, Error)]
pub enum ServeError {
    /// The file cannot be read, or holds neither a model of `detector train` nor one of a known system.
    #[error(transparent)]
    File(#[from] ModelFileError),
    /// The file is of another system, and cannot be imported.
    #[error("{}: {source}", path.display())]
    Import {
        /// The file.
        path: PathBuf,
        /// Why.
        source: Box<interchange::Error>,
    },
    /// The number of given names is not the number of the model's columns.
    #[error("--columns: expected {expected} names, got {got}")]
    Columns {
        /// The number of columns of the model.
        expected: usize,
        /// The number of given names.
        got: usize,
    },
    /// The detector could not run.
    #[error(transparent)]
    Run(#[from] Box<RunError>),
}

/// Serve the model file until Ctrl-C or SIGTERM.
///
/// # Errors
/// The file cannot be served: one sentence.
pub fn run(args: &ServeArgs) -> Result<(), ServeError> {
    let columns = columns(&args.file, &args.columns)?;
    let folder = args.file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let name = args.file.file_name().unwrap_or_default().to_string_lossy();
    let document = Document::made(&args.file, manifest(&name, &columns));
    Ok(run::run_document(&run_args(args, folder), document).map_err(Box::new)?)
}

/// The names of the columns. A model of `detector train` has its own; another file gets the given ones, else
/// those in the file, else `value` for a single column or `x0`, `x1` and so on.
fn columns(path: &Path, given: &[String]) -> Result<Vec<String>, ServeError> {
    let bytes = model_file::bytes(path)?;
    let imported = match interchange::read(&bytes) {
        Ok(imported) => imported,
        // A model of `detector train`, or an unknown format: then the error of `Model::open` names it.
        Err(interchange::Error::UnknownFormat) => {
            let refused =
                |source| ModelFileError::Refused { path: path.to_owned(), source: Box::new(source) };
            return Ok(Model::open(bytes).map_err(refused)?.sensors().to_vec());
        }
        Err(source) => return Err(ServeError::Import { path: path.to_owned(), source: Box::new(source) }),
    };
    let count = imported.inputs();
    match (imported.columns, given.len()) {
        (Some(columns), 0) => Ok(columns),
        (_, 0) if count == 1 => Ok(vec!["value".to_owned()]),
        (_, 0) => Ok((0..count).map(|index| format!("x{index}")).collect()),
        (Some(columns), _) if columns == given => Ok(columns),
        (_, got) if got == count => Ok(given.to_vec()),
        (_, got) => Err(ServeError::Columns { expected: count, got }),
    }
}

fn manifest(file: &str, columns: &[String]) -> Value {
    let sensors: Vec<Value> = columns.iter().map(|name| json!({ "name": name })).collect();
    json!({
        "apiVersion": "anomaly.dev/v1alpha1",
        "kind": "AnomalyDetector",
        "metadata": { "name": "model" },
        "spec": {
            "sources": [{ "name": "pushed", "http": { "sensors": sensors } }],
            "model": { "load": { "persistentVolumeClaim": { "claimName": "model", "path": file } } },
        },
    })
}

/// The arguments of `detector run` that serve the file. The file's folder takes the place of the mounted
/// claim.
fn run_args(args: &ServeArgs, folder: &Path) -> RunArgs {
    RunArgs::of_file(&args.file)
        .loading(folder, args.log)
        .listening(&args.predict_address, &args.metrics_address)
}
