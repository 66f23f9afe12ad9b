//! `detector export`.

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct ExportArgs {}

/// Do it.
///
/// # Errors
/// Nothing yet.
pub fn run(_: &ExportArgs) -> Result<(), super::CommandError> {
    Ok(())
}
