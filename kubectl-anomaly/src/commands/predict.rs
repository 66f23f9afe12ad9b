//! `kubectl anomaly predict NAME [READING ...]`: readings in, the detector's prediction for them out.

use std::io::Read;
use std::path::PathBuf;

use serde_json::{Map, Value, json};

use crate::cluster::Place;
use crate::detector::{Detector, Named};
use crate::error::CommandError;
use crate::output::{Format, print};
use crate::request::DetectorRequest;
use crate::text::explanation;

/// Print how the detector would judge these readings now.
#[derive(Debug, clap::Args)]
pub struct PredictArgs {
    #[command(flatten)]
    named: Named,
    /// The reading of the only sensor, or SENSOR=VALUE for each sensor
    #[arg(value_name = "READING", allow_negative_numbers = true, required_unless_present = "filename")]
    readings: Vec<String>,
    /// The file with the JSON body of a POST /predict request, instead of readings; - for the standard input
    #[arg(short, long, value_name = "FILE", conflicts_with = "readings")]
    filename: Option<PathBuf>,
    /// The format of the output; with --filename always json
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
}

/// Run the command.
///
/// # Errors
/// The detector cannot be reached, or refuses the readings.
pub async fn run(args: &PredictArgs, place: &Place) -> Result<(), CommandError> {
    let body = match &args.filename {
        Some(file) => read(file)?,
        None => body(&args.readings)?.to_string().into_bytes(),
    };
    let detector = Detector::find(&args.named, place).await?;
    let is_text = args.output == Format::Text && args.filename.is_none();
    let path = if is_text { "/predict?detail=true" } else { "/predict" };
    let answer = detector.request(DetectorRequest::post(path, body)).await?;
    print(&if is_text { explanation(&answer) } else { answer.to_string() })?;
    Ok(())
}

fn read(file: &std::path::Path) -> std::io::Result<Vec<u8>> {
    if file.as_os_str() != "-" {
        return std::fs::read(file);
    }
    let mut bytes = Vec::new();
    std::io::stdin().lock().read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Return the JSON body of a request to predict these readings.
///
/// # Errors
/// One of the arguments is not VALUE or SENSOR=VALUE.
pub(super) fn body(readings: &[String]) -> Result<Value, CommandError> {
    let refused = |reading: &String| CommandError::Reading(reading.clone());
    if let [only] = readings
        && let Ok(value) = only.parse::<f64>()
    {
        return Ok(json!({ "value": value }));
    }
    let named = |reading: &String| {
        let (sensor, value) = reading.rsplit_once('=').ok_or_else(|| refused(reading))?;
        let value: f64 = value.parse().map_err(|_| refused(reading))?;
        Ok((sensor.to_owned(), json!(value)))
    };
    let values: Map<String, Value> = readings.iter().map(named).collect::<Result<_, CommandError>>()?;
    Ok(json!({ "values": values }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(readings: &[&str]) -> Result<Value, String> {
        let readings: Vec<String> = readings.iter().map(ToString::to_string).collect();
        body(&readings).map_err(|error| error.to_string())
    }

    #[test]
    fn readings_are_one_value_or_a_value_a_sensor() {
        assert_eq!(of(&["-0.5"]), Ok(json!({ "value": -0.5 })));
        assert_eq!(of(&["a=1", "b=c=2e3"]), Ok(json!({ "values": { "a": 1.0, "b=c": 2000.0 } })));
        assert_eq!(of(&["1", "2"]), Err("expected VALUE or SENSOR=VALUE, got 1".to_owned()));
        assert_eq!(of(&["a=high"]), Err("expected VALUE or SENSOR=VALUE, got a=high".to_owned()));
    }
}
