//! The log: one line an outcome, for people or as JSON, with the object's name in its fields.

use tracing_subscriber::EnvFilter;

use crate::settings::LogFormat;

/// Write log lines to standard error from now on, at the level that `RUST_LOG` sets, else `info`.
pub fn start(format: LogFormat) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match format {
        LogFormat::Json => lines.json().flatten_event(true).init(),
        LogFormat::Text => lines.with_target(false).init(),
    }
}
