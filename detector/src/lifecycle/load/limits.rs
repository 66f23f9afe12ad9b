//! How large a file may be that is loaded, and how long a fetch may take.

use std::time::Duration;

use forest::available_memory;

/// The largest file that is read, bytes.
pub(super) const MAX_BYTES: u64 = 256 << 20;
/// How long a fetch may take, redirects and body included.
pub(super) const MAX_TIME: Duration = Duration::from_mins(2);

/// The largest file that can be read now, bytes: at most half of the available memory, because the current
/// model keeps serving while the file is opened.
pub(super) fn most_bytes() -> u64 {
    available_memory().map_or(MAX_BYTES, |available| (available / 2).min(MAX_BYTES))
}
