//! The command line: which command, with which arguments.

use clap::{CommandFactory, Parser, Subcommand};

use crate::cluster::Place;
use crate::commands::events::{self, EventsArgs};
use crate::commands::explain::{self, ExplainArgs};
use crate::commands::open::{self, OpenArgs};
use crate::commands::predict::{self, PredictArgs};
use crate::commands::top::{self, TopArgs};
use crate::commands::verdicts::{self, VerdictsArgs};
use crate::error::CommandError;
use crate::output::print;

/// Shows the verdicts, events and predictions of the anomaly detectors on a cluster.
///
/// Requests go through the API server to a ready pod of the detector, as `kubectl port-forward` sends them.
/// They need the rights to get detectors, to list pods and to create pods/portforward, but no Service or
/// Ingress. Detectors with TLS are reached over TLS. Detectors that require a token get the one of
/// --token-file, else one from their Secret, if you may read it.
///
/// Exit codes: 0 success, 1 error, 2 invalid arguments.
#[derive(Debug, Parser)]
#[command(name = "kubectl-anomaly", bin_name = "kubectl anomaly", version, max_term_width = 110)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    place: Place,
}

// The help of a command with arguments is the comment of its arguments.
#[derive(Debug, Subcommand)]
enum Command {
    Predict(PredictArgs),
    Verdicts(VerdictsArgs),
    Events(EventsArgs),
    Explain(ExplainArgs),
    Open(OpenArgs),
    Top(TopArgs),
    /// Print the completion script for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

impl Cli {
    /// Run the command.
    ///
    /// # Errors
    /// Why the command failed, in one sentence.
    pub async fn run(&self) -> Result<(), CommandError> {
        match &self.command {
            Command::Predict(args) => predict::run(args, &self.place).await,
            Command::Verdicts(args) => verdicts::run(args, &self.place).await,
            Command::Events(args) => events::run(args, &self.place).await,
            Command::Explain(args) => explain::run(args, &self.place).await,
            Command::Open(args) => open::run(args, &self.place).await,
            Command::Top(args) => top::run(args, &self.place).await,
            Command::Completions { shell } => {
                let mut script = Vec::new();
                clap_complete::generate(*shell, &mut Self::command(), "kubectl-anomaly", &mut script);
                Ok(print(String::from_utf8_lossy(&script).trim_end())?)
            }
        }
    }
}
