//! What sources need of the place where the program runs.

use std::path::PathBuf;

use crate::outgoing::Outgoing;

/// Where credentials are, and how servers are reached.
#[derive(Clone, Debug, Default)]
pub struct Access {
    /// The folder with a folder for each source that has a Secret, by the source's name; of one source, that folder.
    pub credentials: PathBuf,
    /// The way to servers.
    pub outgoing: Outgoing,
}
