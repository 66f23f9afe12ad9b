//! How large a file may be that is loaded, and how long a fetch may take.

use std::time::Duration;

/// The largest file that is read, bytes.
pub(super) const MAX_BYTES: u64 = 256 << 20;
/// How long a fetch may take, redirects and body included.
pub(super) const MAX_TIME: Duration = Duration::from_mins(2);
