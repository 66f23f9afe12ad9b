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
/// Exit codes: 0 done, 1 refused input, 2 usage.
#[derive(Debug, Parser)]
#[command(name = "detector", version, max_term_width = 110)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Train on the sensors of a manifest or a data file, watch them, answer predictions
    Run(RunArgs),
    /// Watch a simulated pump that fails three times a minute: no file, no cluster
    Demo(DemoArgs),
    /// Answer predictions by a model file, without a manifest
    Serve(ServeArgs),
    /// Train a model on a table or as a manifest says, or import one
    Train(TrainArgs),
    /// Score the rows of a table
    Score(ScoreArgs),
    /// Measure a model or a manifest against labels
    Evaluate(EvaluateArgs),
    /// Try settings on labelled readings, and say which are best and how sure that is
    Tune(TuneArgs),
    /// Say how much two models agree on the rows of a CSV file
    Compare(CompareArgs),
    /// Print what a model is, as JSON
    Inspect(InspectArgs),
    /// Write a model for other systems
    Export(ExportArgs),
    /// Check manifests by the rules that the API server applies
    Validate(ValidateArgs),
    /// Read another system's forest, in a process that `run` starts
    #[command(hide = true)]
    ImportApart(ImportApartArgs),
    /// Print completions for a shell
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
