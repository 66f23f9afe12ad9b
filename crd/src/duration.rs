//! A duration as a string, `1h30m`, in; a [`std::time::Duration`] out.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use thiserror::Error;

/// A length of time: `250ms`, `15s`, `10m`, `1h30m`. Never negative.
///
/// Units: `ms`, `s`, `m`, `h`; and `d` where a field says so. Elsewhere a day is `24h`, as in Go's `time.ParseDuration`,
/// which CEL's `duration()` follows.
///
/// ```
/// use crd::Duration;
/// let duration: Duration = "1h30m".parse()?;
/// assert_eq!(duration.as_secs_f64(), 5400.0);
/// assert_eq!(duration.to_string(), "1h30m");
/// assert_eq!(
///     "1 day".parse::<Duration>().unwrap_err().to_string(),
///     r#"expected a duration such as 250ms, 15s or 1h30m, got "1 day""#
/// );
/// # Ok::<(), crd::duration::ParseDurationError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Duration(std::time::Duration);

/// The text is not a duration.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("expected a duration such as 250ms, 15s or 1h30m, got {0:?}")]
pub struct ParseDurationError(String);

/// The pattern of durations in the schema.
pub(crate) const PATTERN: &str = r"^([0-9]{1,9}(\.[0-9]{1,9})?(ms|s|m|h))+$";
/// The units and their lengths in seconds. `d` is only for fields whose pattern has it: CEL does not know
/// days.
const UNITS: [(&str, f64); 5] = [("ms", 0.001), ("s", 1.0), ("m", 60.0), ("h", 3600.0), ("d", 86_400.0)];

impl Duration {
    /// Create a duration of whole seconds.
    pub const fn from_secs(seconds: u64) -> Self {
        Self(std::time::Duration::from_secs(seconds))
    }

    /// Multiply the duration by `count`; the result saturates.
    #[must_use]
    pub fn times(self, count: u32) -> Self {
        Self(self.0.saturating_mul(count))
    }

    /// The length in whole nanoseconds. Every duration fits: `std::time::Duration` has at most 2^64 seconds.
    pub fn as_nanos(self) -> i128 {
        self.0.as_nanos().cast_signed()
    }

    /// The length in seconds.
    pub fn as_secs_f64(self) -> f64 {
        self.0.as_secs_f64()
    }
}

impl From<Duration> for std::time::Duration {
    fn from(duration: Duration) -> Self {
        duration.0
    }
}

impl FromStr for Duration {
    type Err = ParseDurationError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refused = || ParseDurationError(text.to_owned());
        let mut seconds = 0.0;
        let mut rest = text;
        while !rest.is_empty() {
            let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(refused)?;
            let number: f64 = rest[..digits].parse().map_err(|_| refused())?;
            rest = &rest[digits..];
            let letters = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
            let unit = UNITS.iter().find(|(name, _)| *name == &rest[..letters]).ok_or_else(refused)?;
            seconds += number * unit.1;
            rest = &rest[letters..];
        }
        if text.is_empty() {
            return Err(refused());
        }
        // Whole nanoseconds, so that 0.1s is not 0.100000000000000005s.
        std::time::Duration::try_from_secs_f64(seconds).map(Self).map_err(|_| refused())
    }
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let total = self.0.as_secs();
        let (hours, minutes, seconds) = (total / 3600, total / 60 % 60, total % 60);
        let millis = f64::from(self.0.subsec_nanos()) / 1e6;
        for (amount, unit) in [(hours, "h"), (minutes, "m"), (seconds, "s")] {
            if amount > 0 {
                write!(f, "{amount}{unit}")?;
            }
        }
        match (millis > 0.0, total) {
            (true, _) => write!(f, "{millis}ms"),
            (false, 0) => write!(f, "0s"),
            (false, _) => Ok(()),
        }
    }
}

impl Serialize for Duration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Duration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Cow::<str>::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

impl JsonSchema for Duration {
    fn schema_name() -> Cow<'static, str> {
        "Duration".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": PATTERN, "maxLength": 32 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_is_read_back() {
        for text in ["0s", "250ms", "15s", "10m", "1h30m", "24h", "1m1s1ms", "0.5ms"] {
            let duration: Duration = text.parse().unwrap();
            assert_eq!(duration.to_string().parse::<Duration>().unwrap(), duration, "{text}");
        }
        assert_eq!("1.5h".parse::<Duration>().unwrap().to_string(), "1h30m");
    }

    #[test]
    fn what_is_no_duration_is_refused() {
        for text in
            ["", "5", "s", "1w", "-1s", "1 s", "1e3s", "1.2.3s", "NaNs", "1s ", "99999999999999999999h"]
        {
            assert!(text.parse::<Duration>().is_err(), "{text}");
        }
    }
}
