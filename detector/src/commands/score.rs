//! `detector score`.

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct ScoreArgs {}

/// Do it.
///
/// # Errors
/// Nothing yet.
pub fn run(_: &ScoreArgs) -> Result<(), super::CommandError> {
    Ok(())
}
