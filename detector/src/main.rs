//! The `detector` program: arguments in, an exit code out.
#![forbid(unsafe_code)]

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;
use detector::cli::arguments::Cli;
use detector::cli::stdout;

fn main() -> ExitCode {
    match Cli::try_parse() {
        Ok(cli) => run(&cli),
        Err(help) => usage(&help),
    }
}

fn run(cli: &Cli) -> ExitCode {
    match cli.run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            stdout::note(format_args!("error: {error}"));
            ExitCode::from(1)
        }
    }
}

/// Print the requested help, or the error in the arguments, and return the exit code.
fn usage(help: &clap::Error) -> ExitCode {
    match help.print().and_then(|()| io::stdout().flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => ExitCode::from(1),
        _ => ExitCode::from(u8::try_from(help.exit_code()).unwrap_or(2)),
    }
}
