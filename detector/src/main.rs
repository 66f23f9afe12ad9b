//! The `detector` program: arguments in, an exit code out.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use clap::Parser;
use detector::cli::arguments::Cli;

fn main() -> ExitCode {
    match Cli::parse().run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(1)
        }
    }
}
