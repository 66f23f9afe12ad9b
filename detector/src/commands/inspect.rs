//! `detector inspect`.

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct InspectArgs {}

/// Do it.
///
/// # Errors
/// Nothing yet.
pub fn run(_: &InspectArgs) -> Result<(), super::CommandError> {
    Ok(())
}
