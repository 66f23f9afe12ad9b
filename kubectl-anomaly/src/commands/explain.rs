//! `kubectl anomaly explain NAME [READING ...]`: the newest anomalous verdict, or readings, in; the
//! contribution of each sensor, and the value expected of it, out.

use serde_json::Value;

use super::predict::body;
use crate::cluster::Place;
use crate::detector::{Detector, Named};
use crate::error::CommandError;
use crate::output::{Format, print};
use crate::request::DetectorRequest;
use crate::text::explanation;

/// How many of the newest verdicts are searched for an anomalous one.
const LOOKED_AT: usize = 1000;

/// Explain the newest anomalous verdict, or how the detector would judge these readings.
#[derive(Debug, clap::Args)]
pub struct ExplainArgs {
    #[command(flatten)]
    named: Named,
    /// The reading of the only sensor, or SENSOR=VALUE for each sensor [default: the newest anomalous
    /// verdict]
    #[arg(value_name = "READING", allow_negative_numbers = true)]
    readings: Vec<String>,
    /// The format of the output
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
}

/// Run the command.
///
/// # Errors
/// The detector cannot be reached, or none of the verdicts is anomalous.
pub async fn run(args: &ExplainArgs, place: &Place) -> Result<(), CommandError> {
    let readings = if args.readings.is_empty() { None } else { Some(body(&args.readings)?) };
    let detector = Detector::find(&args.named, place).await?;
    let judgement = match readings {
        Some(readings) => {
            detector
                .request(DetectorRequest::post("/predict?detail=true", readings.to_string().into()))
                .await?
        }
        None => newest_anomalous(&detector).await?,
    };
    print(&match args.output {
        Format::Text => explanation(&judgement),
        Format::Json => judgement.to_string(),
    })?;
    Ok(())
}

async fn newest_anomalous(detector: &Detector) -> Result<Value, CommandError> {
    let mut answer = detector.request(DetectorRequest::get(format!("/verdicts?limit={LOOKED_AT}"))).await?;
    let verdicts = answer["verdicts"].as_array_mut().into_iter().flatten();
    let newest = verdicts.into_iter().find(|verdict| verdict["anomaly"] == 1);
    newest.map(Value::take).ok_or(CommandError::NothingAnomalous(LOOKED_AT))
}
