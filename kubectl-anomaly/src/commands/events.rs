//! `kubectl anomaly events NAME`: the newest events, newest first.

use serde_json::Value;

use crate::cluster::Place;
use crate::detector::{Detector, Named};
use crate::error::CommandError;
use crate::output::{Format, print};
use crate::request::DetectorRequest;
use crate::text::{event, event_titles, table};

/// Print the newest events: anomalies and faults of sensors.
#[derive(Debug, clap::Args)]
pub struct EventsArgs {
    #[command(flatten)]
    named: Named,
    /// The largest number of events to print
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=100))]
    limit: u32,
    /// The format of the output
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
}

/// Run the command.
///
/// # Errors
/// The detector cannot be reached.
pub async fn run(args: &EventsArgs, place: &Place) -> Result<(), CommandError> {
    let detector = Detector::find(&args.named, place).await?;
    let answer = detector.request(DetectorRequest::get(format!("/events?limit={}", args.limit))).await?;
    if args.output == Format::Json {
        return Ok(print(&answer.to_string())?);
    }
    let events: Vec<&Value> = answer["events"].as_array().into_iter().flatten().collect();
    if events.is_empty() {
        eprintln!("Detector {} has no events.", detector.name());
        return Ok(());
    }
    let rows: Vec<_> = std::iter::once(event_titles()).chain(events.into_iter().map(event)).collect();
    Ok(print(&table(&rows))?)
}
