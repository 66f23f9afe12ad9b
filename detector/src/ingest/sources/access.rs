//! The environment that sources need: credentials and network access.

use std::path::PathBuf;

use crate::outgoing::Outgoing;

/// Where credentials are, and how servers are reached.
#[derive(Clone, Debug, Default)]
pub struct Access {
    /// The folder with one subfolder per source that has a Secret, named like the source; for a single
    /// source, that subfolder.
    pub credentials: PathBuf,
    /// The settings of connections to servers.
    pub outgoing: Outgoing,
}
