//! The bytes of a file in, a model of the detector's sensors out: from our artifact, or from another system's
//! forest.

use crd::Valid;
use crd::valid::ThresholdRule;
use forest::artifact;

use super::error::LoadError;
use super::import_process::Importer;
use super::limits::most_bytes;
use crate::model::model::Model;

/// Open the model in a file. The bytes must have the SHA-256 `sha256`, if one is given, and the columns must
/// be the sensors. The file's own threshold is kept unless the spec names a score: any other threshold would
/// need the training data, which the detector does not have.
///
/// # Errors
/// The file has another digest, is not a model, or is a model of other sensors.
pub fn model(
    bytes: Vec<u8>,
    sha256: Option<&str>,
    detector: &Valid,
    importer: &Importer,
) -> Result<Model, LoadError> {
    if let Some(expected) = sha256 {
        check_digest(&bytes, expected)?;
    }
    let sensors: Vec<String> = detector.sensors().map(|sensor| sensor.name.to_owned()).collect();
    let model = if is_foreign(&bytes) { foreign(bytes, &sensors, importer)? } else { Model::open(bytes)? };
    if model.sensors() != sensors {
        return Err(LoadError::Columns { sensors, columns: model.sensors().to_vec() });
    }
    match detector.threshold_rule() {
        ThresholdRule::Score(score) => Ok(model.with_threshold_score(score)?),
        ThresholdRule::Contamination(_) | ThresholdRule::AlertsPerDay { .. } => Ok(model),
    }
}

fn check_digest(bytes: &[u8], expected: &str) -> Result<(), LoadError> {
    let got = artifact::digest(bytes);
    let got = got.trim_start_matches("sha256:");
    if got == expected {
        Ok(())
    } else {
        Err(LoadError::Digest { expected: expected.to_owned(), got: got.to_owned() })
    }
}

/// Whether another system has written the file. Our own format begins with a length of eight bytes, then
/// JSON; no foreign format begins like that.
fn is_foreign(bytes: &[u8]) -> bool {
    bytes.get(8) != Some(&b'{') && interchange::is_known(bytes)
}

/// Import another system's forest. Columns without names get the sensors' names, in order.
fn foreign(bytes: Vec<u8>, sensors: &[String], importer: &Importer) -> Result<Model, LoadError> {
    let model = Model::open(importer.artifact(bytes, sensors, most_bytes())?)?;
    if model.sensors().len() != sensors.len() {
        return Err(LoadError::Count { sensors: sensors.len(), columns: model.sensors().len() });
    }
    Ok(model)
}
