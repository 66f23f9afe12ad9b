//! The name of a timestamp format, or strptime directives, in; a [`TimeFormat`] out.

use std::borrow::Cow;
use std::fmt;

use jiff::fmt::strtime;
use jiff::{Timestamp, tz::TimeZone};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// How a recording writes its timestamps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum TimeFormat {
    /// Detected in the first row.
    #[default]
    Auto,
    /// RFC 3339: `2026-11-22T12:00:00Z`.
    Rfc3339,
    /// `2026-11-22 12:00:00`, with or without a fraction, without an offset.
    DateTime,
    /// Seconds since the Unix epoch, with or without a fraction.
    EpochSeconds,
    /// Milliseconds since the Unix epoch.
    EpochMilliseconds,
    /// Microseconds since the Unix epoch.
    EpochMicroseconds,
    /// Nanoseconds since the Unix epoch.
    EpochNanoseconds,
    /// strptime directives, at least one.
    Strptime(String),
}

const NAMES: [(&str, TimeFormat); 7] = [
    ("Auto", TimeFormat::Auto),
    ("Rfc3339", TimeFormat::Rfc3339),
    ("DateTime", TimeFormat::DateTime),
    ("EpochSeconds", TimeFormat::EpochSeconds),
    ("EpochMilliseconds", TimeFormat::EpochMilliseconds),
    ("EpochMicroseconds", TimeFormat::EpochMicroseconds),
    ("EpochNanoseconds", TimeFormat::EpochNanoseconds),
];

impl TimeFormat {
    /// Check that the format gives a time: strptime directives must be known, and name at least a date.
    ///
    /// # Errors
    /// Why the directives are refused, in one sentence.
    pub fn check(&self) -> Result<(), String> {
        let Self::Strptime(directives) = self else { return Ok(()) };
        if !directives.contains('%') {
            return Ok(()); // the schema refuses it
        }
        let expected = |why: &dyn fmt::Display| {
            format!(
                "expected strptime directives that name a date, such as %d.%m.%Y %H:%M, got {directives:?}: {why}"
            )
        };
        let sample = Timestamp::UNIX_EPOCH.to_zoned(TimeZone::UTC);
        let text = strtime::format(directives, &sample).map_err(|error| expected(&error))?;
        let parsed = strtime::parse(directives, &text).map_err(|error| expected(&error))?;
        let civil = parsed.to_datetime().map(|_| ()).or_else(|_| parsed.to_date().map(|_| ()));
        civil.or_else(|error| parsed.to_timestamp().map(|_| ()).map_err(|_| expected(&error)))
    }
}

impl fmt::Display for TimeFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = NAMES.iter().find(|(_, format)| format == self).map(|(name, _)| *name);
        match self {
            Self::Strptime(directives) => f.write_str(directives),
            _ => f.write_str(name.unwrap_or_default()),
        }
    }
}

impl Serialize for TimeFormat {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for TimeFormat {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        let named = NAMES.iter().find(|(name, _)| *name == text).map(|(_, format)| format.clone());
        Ok(named.unwrap_or_else(|| Self::Strptime(text.into_owned())))
    }
}

impl JsonSchema for TimeFormat {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "TimeFormat".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "minLength": 1, "maxLength": 64 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_format_is_read_as_it_is_written() {
        for text in ["Auto", "Rfc3339", "EpochNanoseconds", "%d.%m.%Y"] {
            let format: TimeFormat = serde_json::from_value(text.into()).unwrap();
            assert_eq!((format.to_string(), format.check()), (text.to_owned(), Ok(())));
        }
    }

    #[test]
    fn directives_name_a_date() {
        for good in ["%d/%b/%Y:%H:%M:%S %z", "%Y%m%d", "%s", "%Y-%m-%d %I:%M %p", "%j %Y"] {
            assert_eq!(TimeFormat::Strptime(good.to_owned()).check(), Ok(()), "{good}");
        }
        for bad in ["%H:%M", "%Q!", "%d.%m."] {
            let why = TimeFormat::Strptime(bad.to_owned()).check().unwrap_err();
            assert!(why.starts_with("expected strptime directives that name a date"), "{why}");
        }
    }
}
