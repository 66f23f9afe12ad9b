//! `detector export`: a model in, a file for other systems out.

use std::path::PathBuf;

use clap::Args;
use crd::model::Feature;
use interchange::onnx;
use thiserror::Error;

use super::model_file::{self, ModelFileError};
use crate::features::pipeline::Recipe;
use crate::model::model::Model;

/// Write a model for other systems.
///
/// The ONNX model has one input, `input`: rows of 32-bit floats, and two outputs: `score` and `anomaly`. Its columns are the
/// vectors that the forest sees, of which `temperature.log_std_dev.lag1` is one where the model looks at more than values. It has no place
/// for the ranges of the training data: rows beyond them score as the edge does, here they score higher.
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// As ONNX, for ONNX Runtime and whatever reads it (needs ai.onnx.ml 5)
    #[arg(long, required = true)]
    onnx: bool,

    /// The model, as `train` writes it
    #[arg(long, value_name = "FILE")]
    model: PathBuf,

    /// Where to write it; - for the standard output
    #[arg(long, value_name = "FILE")]
    output: PathBuf,
}

/// Why there is nothing to export.
#[derive(Debug, Error)]
pub enum ExportError {
    /// A file cannot be read or written.
    #[error(transparent)]
    File(#[from] ModelFileError),
    /// The other system has no such forests.
    #[error(transparent)]
    Onnx(#[from] onnx::WriteError),
}

/// Write the model.
///
/// # Errors
/// A file cannot be read or written, or the other system has no such forests.
pub fn run(args: &ExportArgs) -> Result<(), ExportError> {
    model_file::check_output(&args.output, &[&args.model])?;
    let model: Model = model_file::model(&args.model)?;
    let columns = columns(model.sensors(), model.recipe());
    let bytes = onnx::write(model.ensemble(), model.threshold(), &columns)?;
    Ok(model_file::write(&args.output, &bytes)?)
}

/// The names of a vector's columns, in [`Features`](crate::features::pipeline::Features)'s order: lags, sensors, features.
fn columns(sensors: &[String], recipe: &Recipe) -> Vec<String> {
    let mut columns = Vec::with_capacity(recipe.columns(sensors.len()));
    for lag in 0..=recipe.lags {
        for sensor in sensors {
            columns.extend(recipe.features.iter().map(|feature| column(sensor, *feature, lag)));
        }
    }
    columns
}

fn column(sensor: &str, feature: Feature, lag: usize) -> String {
    let feature = match feature {
        Feature::Value => "",
        Feature::Difference => ".difference",
        Feature::LogStdDev => ".log_std_dev",
        Feature::RollingMean => ".rolling_mean",
        Feature::DailyResidual => ".daily_residual",
    };
    let lag = if lag == 0 { String::new() } else { format!(".lag{lag}") };
    format!("{sensor}{feature}{lag}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_columns_of_a_vector_are_named_by_lag_sensor_and_feature() {
        let recipe = |features, lags| Recipe { features, window: 10, lags };
        let sensors = ["heat".to_owned(), "load".to_owned()];
        assert_eq!(columns(&sensors, &recipe(vec![Feature::Value], 0)), ["heat", "load"]);
        assert_eq!(
            columns(&sensors, &recipe(vec![Feature::Value, Feature::LogStdDev], 1)),
            [
                "heat",
                "heat.log_std_dev",
                "load",
                "load.log_std_dev",
                "heat.lag1",
                "heat.log_std_dev.lag1",
                "load.lag1",
                "load.log_std_dev.lag1"
            ]
        );
    }
}
