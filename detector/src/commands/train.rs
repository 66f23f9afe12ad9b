//! `detector train`.

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct TrainArgs {}

/// Do it.
///
/// # Errors
/// Nothing yet.
pub fn run(_: &TrainArgs) -> Result<(), super::CommandError> {
    Ok(())
}
