//! The command line: which subcommand, with which arguments.

use clap::{CommandFactory, Parser, Subcommand};

use crate::cli::commands::CommandError;
use crate::cli::commands::compare::{self, CompareArgs};
use crate::cli::commands::demo::{self, DemoArgs};
use crate::cli::commands::evaluate;
use crate::cli::commands::evaluate::args::EvaluateArgs;
use crate::cli::commands::export::{self, ExportArgs};
use crate::cli::commands::import_apart::{self, ImportApartArgs};
use crate::cli::commands::inspect::{self, InspectArgs};
use crate::cli::commands::run;
use crate::cli::commands::run::args::RunArgs;
use crate::cli::commands::score;
use crate::cli::commands::score::args::ScoreArgs;
use crate::cli::commands::serve::{self, ServeArgs};
use crate::cli::commands::train;
use crate::cli::commands::train::args::TrainArgs;
use crate::cli::commands::tune::{self, TuneArgs};
use crate::cli::commands::validate::{self, ValidateArgs};
use crate::cli::stdout;

/// Watches sensors with an isolation forest: readings in, verdicts out.
///
/// Exit codes: 0 success, 1 error, 2 invalid arguments.
#[derive(Debug, Parser)]
#[command(name = "detector", version, max_term_width = 110)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

// The help of a command with arguments is the comment of its arguments.
#[derive(Debug, Subcommand)]
enum Command {
    Run(RunArgs),
    Demo(DemoArgs),
    Serve(ServeArgs),
    Train(TrainArgs),
    Score(ScoreArgs),
    Evaluate(EvaluateArgs),
    Tune(TuneArgs),
    Compare(CompareArgs),
    Inspect(InspectArgs),
    Export(ExportArgs),
    Validate(ValidateArgs),
    /// Import another system's forest, in a separate process that `run` starts
    #[command(hide = true)]
    ImportApart(ImportApartArgs),
    /// Print the completion script for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

impl Cli {
    /// Run the subcommand.
    ///
    /// # Errors
    /// The subcommand failed: one sentence.
    pub fn run(&self) -> Result<(), CommandError> {
        match &self.command {
            Command::Run(args) => Ok(run::run(args).map_err(Box::new)?),
            Command::Demo(args) => Ok(demo::run(args).map_err(Box::new)?),
            Command::Serve(args) => Ok(serve::run(args)?),
            Command::Train(args) => Ok(train::run(args).map_err(Box::new)?),
            Command::Score(args) => Ok(score::run(args)?),
            Command::Evaluate(args) => Ok(evaluate::run(args).map_err(Box::new)?),
            Command::Tune(args) => Ok(tune::run(args).map_err(Box::new)?),
            Command::Compare(args) => Ok(compare::run(args)?),
            Command::Inspect(args) => Ok(inspect::run(args)?),
            Command::Export(args) => Ok(export::run(args)?),
            Command::Validate(args) => Ok(validate::run(args)?),
            Command::ImportApart(args) => Ok(import_apart::run(args)?),
            Command::Completions { shell } => {
                let mut script = Vec::new();
                clap_complete::generate(*shell, &mut Self::command(), "detector", &mut script);
                Ok(stdout::print(String::from_utf8_lossy(&script).trim_end())?)
            }
        }
    }
}
