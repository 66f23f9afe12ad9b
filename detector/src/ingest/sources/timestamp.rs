//! A timestamp as text in, an instant out: in one of the four formats of recordings.

use crd::source::TimeFormat;
use jiff::{Timestamp, civil, tz::TimeZone};

/// Numbers from here on are milliseconds: as seconds they would be the year 5138, as milliseconds they are 1973.
const FIRST_MILLISECONDS: f64 = 1e11;

/// The format of `asked`, which for `Auto` is recognized from `text`, the recording's first timestamp.
///
/// A number is seconds, or milliseconds from 100,000,000,000 on.
///
/// # Errors
/// The text is a timestamp of no format, for which the message is given.
pub fn format_of(asked: TimeFormat, text: &str) -> Result<TimeFormat, &'static str> {
    if asked != TimeFormat::Auto {
        return Ok(asked);
    }
    if let Ok(number) = text.parse::<f64>() {
        let milliseconds = number.abs() >= FIRST_MILLISECONDS;
        return Ok(if milliseconds { TimeFormat::EpochMilliseconds } else { TimeFormat::EpochSeconds });
    }
    let formats = [TimeFormat::Rfc3339, TimeFormat::DateTime];
    formats.into_iter().find(|format| parse(*format, text).is_some()).ok_or(expected(TimeFormat::Auto))
}

/// The instant that `text` means; `None` where it is not of this format. A fraction of an epoch time is kept to the
/// microsecond.
pub fn parse(format: TimeFormat, text: &str) -> Option<Timestamp> {
    match format {
        TimeFormat::Rfc3339 => text.parse().ok(),
        TimeFormat::DateTime => civil_time(text),
        TimeFormat::EpochSeconds => match text.parse() {
            Ok(seconds) => Timestamp::from_second(seconds).ok(),
            Err(_) => microseconds(text, 1e6),
        },
        TimeFormat::EpochMilliseconds => match text.parse() {
            Ok(milliseconds) => Timestamp::from_millisecond(milliseconds).ok(),
            Err(_) => microseconds(text, 1e3),
        },
        TimeFormat::Auto => parse(format_of(format, text).ok()?, text),
    }
}

/// What a message says was expected.
pub fn expected(format: TimeFormat) -> &'static str {
    match format {
        TimeFormat::Auto => {
            "a timestamp (2026-11-22T12:00:00Z, 2026-11-22 12:00:00, or seconds or milliseconds since 1970)"
        }
        TimeFormat::Rfc3339 => "an RFC 3339 timestamp such as 2026-11-22T12:00:00Z",
        TimeFormat::DateTime => "a date and time such as 2026-11-22 12:00:00",
        TimeFormat::EpochSeconds => "seconds since 1970",
        TimeFormat::EpochMilliseconds => "milliseconds since 1970",
    }
}

/// A date and time without an offset is UTC; one with an offset is of another format.
fn civil_time(text: &str) -> Option<Timestamp> {
    if text.parse::<Timestamp>().is_ok() {
        return None;
    }
    let time: civil::DateTime = text.parse().ok()?;
    TimeZone::UTC.to_timestamp(time).ok()
}

fn microseconds(text: &str, each: f64) -> Option<Timestamp> {
    let microseconds = text.parse::<f64>().ok()? * each;
    // What is beyond an i64 becomes its end, which is beyond all timestamps; NaN must not become 0.
    if microseconds.is_nan() { None } else { Timestamp::from_microsecond(microseconds.round() as i64).ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recognized(text: &str) -> Option<(TimeFormat, String)> {
        let format = format_of(TimeFormat::Auto, text).ok()?;
        Some((format, parse(format, text)?.to_string()))
    }

    #[test]
    fn each_format_is_told_by_itself() {
        let cases = [
            ("2026-11-22T12:00:00Z", TimeFormat::Rfc3339, "2026-11-22T12:00:00Z"),
            ("2026-11-22T14:00:00+02:00", TimeFormat::Rfc3339, "2026-11-22T12:00:00Z"),
            ("2026-11-22 14:00:00+02:00", TimeFormat::Rfc3339, "2026-11-22T12:00:00Z"),
            ("2026-11-22T12:00:00.25Z", TimeFormat::Rfc3339, "2026-11-22T12:00:00.25Z"),
            ("2026-11-22 12:00:00", TimeFormat::DateTime, "2026-11-22T12:00:00Z"),
            ("2026-11-22T12:00:00.5", TimeFormat::DateTime, "2026-11-22T12:00:00.5Z"),
            ("2026-11-22", TimeFormat::DateTime, "2026-11-22T00:00:00Z"),
            ("1795348800", TimeFormat::EpochSeconds, "2026-11-22T12:00:00Z"),
            ("1795348800.123456", TimeFormat::EpochSeconds, "2026-11-22T12:00:00.123456Z"),
            ("0", TimeFormat::EpochSeconds, "1970-01-01T00:00:00Z"),
            ("-1.5", TimeFormat::EpochSeconds, "1969-12-31T23:59:58.5Z"),
            ("1795348800123", TimeFormat::EpochMilliseconds, "2026-11-22T12:00:00.123Z"),
            ("1795348800123.25", TimeFormat::EpochMilliseconds, "2026-11-22T12:00:00.12325Z"),
        ];
        for (text, format, time) in cases {
            assert_eq!(recognized(text), Some((format, time.to_owned())), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_none() {
        for text in ["", "x", "12:00", "22.11.2026", "2026-13-01 00:00:00", "NaN", "1e400", "1e300", "inf"] {
            assert_eq!(recognized(text), None, "{text}");
        }
    }

    #[test]
    fn a_named_format_takes_no_other() {
        let rfc3339 = "2026-11-22T12:00:00Z";
        let cases = [
            (TimeFormat::Rfc3339, "2026-11-22 12:00:00"),
            (TimeFormat::DateTime, rfc3339),
            (TimeFormat::DateTime, "2026-11-22 14:00:00+02:00"),
            (TimeFormat::EpochSeconds, rfc3339),
            (TimeFormat::EpochMilliseconds, rfc3339),
        ];
        for (format, text) in cases {
            assert_eq!(parse(format, text), None, "{format:?} {text}");
        }
    }

    #[test]
    fn small_numbers_are_milliseconds_when_they_are_named_so() {
        assert_eq!(
            parse(TimeFormat::EpochMilliseconds, "1500").unwrap().to_string(),
            "1970-01-01T00:00:01.5Z"
        );
    }
}
