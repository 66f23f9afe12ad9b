//! Another system's model file in, a model out.

use std::path::Path;
use std::sync::Arc;

use forest::{Artifact, Metadata, Training};
use interchange::Imported;

use super::args::TrainArgs;
use super::error::TrainError;
use super::trained::{Trained, checked};
use crate::cli::commands::model_file;
use crate::model::model::{Model, plain_pipeline};

/// Import a forest that another system has trained. Its training data is not known, so that its number of
/// samples is that of one tree.
///
/// # Errors
/// The file is refused, or the options do not fit it.
pub(super) fn imported(args: &TrainArgs, path: &Path) -> Result<Trained, TrainError> {
    let score = args.score.map(checked).transpose()?;
    let refused = |error| TrainError::Import { path: path.to_owned(), source: Box::new(error) };
    let imported = interchange::read(&model_file::bytes(path)?).map_err(refused)?;
    let inputs = imported.inputs();
    let Imported { ensemble, preprocessing, threshold, columns, origin, warnings } = imported;
    let names = args.columns.clone().or(columns).unwrap_or_else(|| unnamed(inputs));
    if names.len() != inputs {
        return Err(TrainError::Columns { forest: inputs, names: names.len() });
    }
    let training = Training {
        samples: u64::from(ensemble.members()[0].sample_size()),
        trained_at: args.data_end_time.to_string(),
        origin,
        warnings: warnings.clone(),
        ..Training::default()
    };
    let metadata = Metadata {
        columns: names,
        pipeline: plain_pipeline(preprocessing),
        threshold: score.unwrap_or(threshold),
        training,
        ..Metadata::default()
    };
    let model = Model::new(Artifact { metadata, ensemble, scores: None })?;
    Ok(Trained { warnings, model: Arc::new(model), labelled: None })
}

/// Names for unnamed columns: `value` for a single one, as in `POST /predict`, else `x0`, `x1` and so on.
fn unnamed(columns: usize) -> Vec<String> {
    match columns {
        1 => vec!["value".to_owned()],
        _ => (0..columns).map(|column| format!("x{column}")).collect(),
    }
}
