//! `detector demo`: nothing in; a simulated pump that fails now and then, watched live, out.

use std::path::{Path, PathBuf};

use clap::Args;
use crd::contract::{METRICS_PORT, PREDICT_PORT};

use super::run::address::Address;
use super::run::args::RunArgs;
use super::run::error::RunError;
use super::run::run_document;
use crate::cli::manifest::Document;

/// The manifest of the pump, which runs like any other manifest.
const PUMP: &str = include_str!("../../../assets/demo.yaml");

/// Watch a simulated pump that fails three times a minute: no file, no cluster.
///
/// Trains a model, shows the newest verdict on the last line of the terminal and each event on a line of its
/// own, and answers predictions and metrics as `detector run` does. Ends at Ctrl-C or after --duration, with
/// a summary.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Stop after this duration: 1m
    #[arg(long, value_name = "DURATION")]
    duration: Option<crd::Duration>,

    /// Write a report at the end: one HTML page with charts, events and a threshold to try
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,

    /// Print the manifest of the demo, to edit and to run with `detector run`, and exit
    #[arg(long)]
    print_manifest: bool,

    /// The address at which prediction requests are answered: an IP address or a host name, and a port
    #[arg(long, value_name = "ADDRESS", default_value_t = Address::local(PREDICT_PORT))]
    predict_address: Address,

    /// The address at which metrics and probes are answered
    #[arg(long, value_name = "ADDRESS", default_value_t = Address::local(METRICS_PORT))]
    metrics_address: Address,
}

/// Run the demo until Ctrl-C, SIGTERM or the end of `--duration`, or print its manifest.
///
/// # Errors
/// The detector cannot run: one sentence.
pub fn run(args: &DemoArgs) -> Result<(), RunError> {
    if args.print_manifest {
        crate::cli::stdout::print(PUMP.trim_end())?;
        return Ok(());
    }
    let path = Path::new("demo");
    let run = RunArgs::of_file(path)
        .watching(args.duration, args.report.clone())
        .listening(&args.predict_address, &args.metrics_address);
    run_document(&run, Document::parsed(path, PUMP)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pump_is_a_manifest_by_the_rules() {
        let detector = Document::parsed(Path::new("demo"), PUMP).unwrap().detector().unwrap();
        assert_eq!(detector.sensors().count(), 2);
    }
}
