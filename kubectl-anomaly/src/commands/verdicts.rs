//! `kubectl anomaly verdicts NAME [-f]`: the newest verdicts, oldest first, and new ones as they arrive.

use std::time::Duration;

use http_body_util::BodyExt;
use serde_json::Value;

use crate::cluster::Place;
use crate::detector::{Detector, Named};
use crate::error::CommandError;
use crate::output::{Format, print};
use crate::request::DetectorRequest;
use crate::text::{table, verdict, verdict_titles};

/// How long to wait before a stream that ended is requested again.
const RECONNECT_DELAY: Duration = Duration::from_secs(1);

/// Print the newest verdicts, oldest first, and follow them with -f.
#[derive(Debug, clap::Args)]
pub struct VerdictsArgs {
    #[command(flatten)]
    named: Named,
    /// Print new verdicts as they arrive, and reconnect when pods are replaced
    #[arg(short, long)]
    follow: bool,
    /// Print only anomalous verdicts
    #[arg(long)]
    anomalous: bool,
    /// The largest number of past verdicts to read; --anomalous filters these
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,
    /// The format of the output; json is one verdict per line
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
}

/// Run the command.
///
/// # Errors
/// The first request fails, or the output is closed. Later failures are retried.
pub async fn run(args: &VerdictsArgs, place: &Place) -> Result<(), CommandError> {
    let detector = Detector::find(&args.named, place).await?;
    let mut answer =
        detector.request(DetectorRequest::get(format!("/verdicts?limit={}", args.limit))).await?;
    let mut verdicts = answer["verdicts"].as_array_mut().map(std::mem::take).unwrap_or_default();
    verdicts.reverse();
    let mut newest = verdicts.last().and_then(|last| last["time"].as_str()).map(ToOwned::to_owned);
    verdicts.retain(|verdict| args.wants(verdict));
    args.print(&verdicts)?;
    if !args.follow {
        return Ok(());
    }
    loop {
        if let Err(error) = args.follow(&detector, &mut newest).await {
            if error.is_closed_pipe() {
                return Err(error);
            }
            eprintln!("{error}; trying again");
        }
        tokio::time::sleep(RECONNECT_DELAY).await;
    }
}

impl VerdictsArgs {
    fn wants(&self, verdict: &Value) -> bool {
        !self.anomalous || verdict["anomaly"] == 1
    }

    fn print(&self, verdicts: &[Value]) -> Result<(), CommandError> {
        if self.output == Format::Json {
            return Ok(verdicts.iter().try_for_each(|each| print(&each.to_string()))?);
        }
        let rows: Vec<_> = std::iter::once(verdict_titles()).chain(verdicts.iter().map(verdict)).collect();
        Ok(print(&table(&rows))?)
    }

    /// Print new verdicts as they arrive, until the stream ends.
    async fn follow(&self, detector: &Detector, newest: &mut Option<String>) -> Result<(), CommandError> {
        let since = newest.as_ref().map(|time| format!("?since={time}")).unwrap_or_default();
        let mut body = detector.follow(DetectorRequest::get(format!("/verdicts/stream{since}"))).await?;
        let mut events = Events::default();
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame?.into_data() else { continue };
            for data in events.take(&data) {
                let verdict: Value = serde_json::from_str(&data)?;
                *newest = verdict["time"].as_str().map(ToOwned::to_owned).or(newest.take());
                if self.wants(&verdict) {
                    print(&self.line(&verdict))?;
                }
            }
        }
        Ok(())
    }

    fn line(&self, each: &Value) -> String {
        if self.output == Format::Json {
            return each.to_string();
        }
        // Fixed widths that fit most values: each verdict is printed at once, before the next ones are known.
        let widths = [30, 9, 8, 16, 5, 0];
        let cells = verdict(each).into_iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
        cells.collect::<Vec<_>>().join("   ").trim_end().to_owned()
    }
}

/// A parser of server-sent events: bytes in pieces of any size in, the data of complete events out.
#[derive(Default)]
struct Events {
    line: Vec<u8>,
}

impl Events {
    fn take(&mut self, bytes: &[u8]) -> Vec<String> {
        let mut found = Vec::new();
        for byte in bytes {
            if *byte != b'\n' {
                self.line.push(*byte);
                continue;
            }
            let line = std::mem::take(&mut self.line);
            if let Some(data) = line.strip_prefix(b"data: ") {
                found.push(String::from_utf8_lossy(data).into_owned());
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_whole_however_they_are_cut() {
        let stream = b"retry: 2000\n\nid: 1\nevent: verdict\ndata: {\"a\":1}\n\n:\n\ndata: {\"a\":2}\n\n";
        for cut in 0..stream.len() {
            let mut events = Events::default();
            let mut found = events.take(&stream[..cut]);
            found.extend(events.take(&stream[cut..]));
            assert_eq!(found, ["{\"a\":1}", "{\"a\":2}"]);
        }
    }
}
