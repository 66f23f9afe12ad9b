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

/// What anomaly detectors on a cluster see and say.
///
/// Requests go to a ready pod of the detector through the API server, as `kubectl port-forward` sends them: the right to
/// create pods/portforward is needed, to get detectors and list pods, and no Service or Ingress. Detectors that serve by TLS are asked by TLS, those that ask
/// for a token with that of --token-file, or of their Secret where you may read it.
///
/// Exit codes: 0 done, 1 refused, 2 usage.
#[derive(Debug, Parser)]
#[command(name = "kubectl-anomaly", bin_name = "kubectl anomaly", version, max_term_width = 110)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    place: Place,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Say how readings would be judged now
    Predict(PredictArgs),
    /// Print the newest verdicts, and follow them with -f
    Verdicts(VerdictsArgs),
    /// Print the newest events
    Events(EventsArgs),
    /// Say why the newest anomalous verdict is one, or how readings would be judged and why
    Explain(ExplainArgs),
    /// Open the detector's page in a browser
    Open(OpenArgs),
    /// Print the detectors, the most anomalous first
    Top(TopArgs),
    /// Print completions for a shell
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
