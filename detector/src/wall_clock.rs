//! The current time of the system's clock out, as a timestamp.

use std::time::SystemTime;

use jiff::Timestamp;

/// The current time. When the clock is set beyond the end of the year 9999, the last time that a timestamp
/// can hold.
pub fn now() -> Timestamp {
    Timestamp::try_from(SystemTime::now()).unwrap_or(Timestamp::MAX)
}
