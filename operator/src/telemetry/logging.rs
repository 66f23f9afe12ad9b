//! The log: one line per outcome, as text for people or as JSON, with the object's name in its fields.

use std::io::IsTerminal;

use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt, registry};

use crate::settings::LogFormat;

/// The default log levels. Of libraries only warnings and errors are logged, because our own lines report the
/// outcome of each call.
const LEVELS: &str = "info,actix_server=warn,kube_runtime=warn";

/// Write log lines to standard error from now on, at the levels that `RUST_LOG` sets (`debug`, or
/// `info,kube_runtime=warn`), else `info`.
pub fn start(format: LogFormat) {
    let configured = std::env::var("RUST_LOG").ok().and_then(|levels| levels.parse().ok());
    let levels: Targets = configured.unwrap_or_else(|| LEVELS.parse().expect("LEVELS are levels"));
    let lines = fmt::layer().with_writer(std::io::stderr);
    let lines = match format {
        LogFormat::Json => lines.json().flatten_event(true).with_span_list(false).boxed(),
        LogFormat::Text => lines.with_target(false).with_ansi(std::io::stderr().is_terminal()).boxed(),
    };
    registry().with(lines.with_filter(levels)).init();
}
