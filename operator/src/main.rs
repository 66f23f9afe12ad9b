//! AnomalyDetector in, workload out.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use operator::settings::Settings;
use operator::smoke::Smoke;
use operator::telemetry::logging;
use operator::{run, smoke};
use tracing::error;

/// Runs a detector for each AnomalyDetector of a cluster.
#[derive(Parser)]
#[command(version)]
struct Program {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Watch AnomalyDetectors and run their detectors.
    Run(Box<Settings>),
    /// Print the CustomResourceDefinition.
    Crd,
    /// Test the operator of this cluster: apply a detector, wait until it is Ready, request predictions, read
    /// its metrics, delete it.
    Smoke(Smoke),
}

fn main() -> ExitCode {
    match Program::parse().command {
        Command::Run(settings) => start(*settings),
        Command::Crd => {
            print!("{}", crd::manifest::crd_yaml());
            ExitCode::SUCCESS
        }
        Command::Smoke(smoke) => try_out(&smoke),
    }
}

#[tokio::main]
async fn try_out(smoke: &Smoke) -> ExitCode {
    match smoke::run(smoke).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

#[tokio::main]
async fn start(settings: Settings) -> ExitCode {
    logging::start(settings.log);
    match run::run(settings).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            error!(%error, "ended");
            ExitCode::FAILURE
        }
    }
}
