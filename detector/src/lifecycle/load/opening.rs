//! The bytes of a file in, a model of the detector's sensors out: our artifact, or another system's forest as it is.

use crd::Valid;
use crd::valid::Cut;
use forest::artifact;

use super::error::LoadError;
use crate::model::model::Model;

/// The model that a file holds. The bytes must have the SHA-256 `sha256`, if one is given, and the columns must be the
/// sensors. The file's own threshold stands, unless the spec names a score: the training data that another threshold would be made
/// from is not the detector's.
///
/// # Errors
/// It is another file, no model, or one of other sensors.
pub fn model(bytes: &[u8], sha256: Option<&str>, detector: &Valid) -> Result<Model, LoadError> {
    if let Some(expected) = sha256 {
        check_digest(bytes, expected)?;
    }
    let sensors: Vec<String> = detector.sensors().map(|sensor| sensor.name.to_owned()).collect();
    let model = if looks_like_safetensors(bytes) { Model::open(bytes)? } else { foreign(bytes, &sensors)? };
    if model.sensors() != sensors {
        return Err(LoadError::Columns { sensors, columns: model.sensors().to_vec() });
    }
    match detector.cut() {
        Cut::Score(score) => Ok(model.with_threshold_score(score)?),
        Cut::Contamination(_) | Cut::AlertsPerDay(_) => Ok(model),
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

/// A length of eight bytes, then JSON. No other format that is read begins so.
fn looks_like_safetensors(bytes: &[u8]) -> bool {
    bytes.get(8) == Some(&b'{')
}

/// Another system's forest. Columns that have no names get the sensors', in order.
fn foreign(bytes: &[u8], sensors: &[String]) -> Result<Model, LoadError> {
    let imported = match interchange::read(bytes) {
        Ok(imported) => imported,
        // Nor ours, then: say why.
        Err(interchange::Error::UnknownFormat) => return Ok(Model::open(bytes)?),
        Err(error) => return Err(LoadError::Import(Box::new(error))),
    };
    let columns = imported.columns.clone().unwrap_or_else(|| sensors.to_vec());
    if columns.len() != imported.ensemble.columns() {
        return Err(LoadError::Count { sensors: sensors.len(), columns: imported.ensemble.columns() });
    }
    Ok(Model::imported(imported, columns)?)
}
