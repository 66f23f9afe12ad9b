//! The log of a running detector on standard error: sentences for people, or JSON.

use std::io::{IsTerminal, Write};

use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt, registry};

/// The default levels: of the HTTP libraries only warnings and errors.
const LEVELS: &str = "info,actix_server=warn,actix_http=warn";

/// How lines are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// Sentences for people.
    #[default]
    Text,
    /// One JSON object per line.
    Json,
}

/// Write log lines to standard error from now on, at the levels that `RUST_LOG` sets (`debug`, or
/// `info,detector=debug`), else `info`. `stderr` returns standard error, or a writer that wraps it.
pub fn start<W: Write + 'static>(format: Format, stderr: fn() -> W) {
    let configured = std::env::var("RUST_LOG").ok().and_then(|levels| levels.parse().ok());
    let levels: Targets = configured.unwrap_or_else(|| LEVELS.parse().expect("LEVELS are levels"));
    let lines = fmt::layer().with_writer(stderr);
    let lines = match format {
        Format::Json => lines.json().flatten_event(true).boxed(),
        Format::Text => {
            let is_coloured = std::io::stderr().is_terminal()
                && std::env::var_os("NO_COLOR").is_none_or(|refused| refused.is_empty());
            lines.with_target(false).with_ansi(is_coloured).boxed()
        }
    };
    registry().with(lines.with_filter(levels)).init();
}
