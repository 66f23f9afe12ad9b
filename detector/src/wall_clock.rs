//! The system's clock out, as a timestamp.

use std::time::SystemTime;

use jiff::Timestamp;

/// Now; the last moment that a timestamp can hold, the end of the year 9999, where the clock is set beyond it.
pub fn now() -> Timestamp {
    Timestamp::try_from(SystemTime::now()).unwrap_or(Timestamp::MAX)
}
