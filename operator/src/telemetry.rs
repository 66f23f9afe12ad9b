//! The log: one line an outcome, for people or as JSON, with the object's name in its fields.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use crate::settings::LogFormat;

/// Of the libraries only what somebody should look at: what they do step by step, our own lines say by outcome.
const LEVELS: &str = "info,actix_server=warn,kube_runtime=warn";

/// Write log lines to standard error from now on, at the level that `RUST_LOG` sets, else `info`.
pub fn start(format: LogFormat) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(LEVELS));
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match format {
        LogFormat::Json => lines.json().flatten_event(true).init(),
        LogFormat::Text => lines.with_target(false).with_ansi(std::io::stderr().is_terminal()).init(),
    }
}
