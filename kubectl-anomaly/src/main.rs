//! The `kubectl-anomaly` program: arguments in, an exit code out.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use clap::Parser;
use kubectl_anomaly::arguments::Cli;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match Cli::parse().run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.is_closed_pipe() => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
