//! A timestamp as text in, an instant out: in one of the formats of recordings.

use std::borrow::Cow;

use crd::source::TimeFormat;
use jiff::fmt::strtime;
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{Timestamp, civil};

/// The first epoch times of the next smaller unit: 1e11 is the year 5138 in seconds, and 1973 in
/// milliseconds.
const FIRST_MILLISECONDS: f64 = 1e11;
const FIRST_MICROSECONDS: f64 = 1e14;
const FIRST_NANOSECONDS: f64 = 1e17;

/// Reads the timestamps of one recording, in the order of its rows.
#[derive(Clone, Debug)]
pub struct TimeParser {
    format: TimeFormat,
    zone: TimeZone,
    /// The timestamp that was read last.
    before: Option<Timestamp>,
}

impl TimeParser {
    /// A parser for the requested format; `Auto` recognizes the format from `text`, the recording's first
    /// timestamp. Times without an offset are in `zone`, a name in the IANA database, or in UTC without one.
    ///
    /// For `Auto`, a number is seconds, or milliseconds from 100,000,000,000 on, and so on; eight digits that
    /// form a date are a date.
    ///
    /// # Errors
    /// The text has no known format, or the zone does not exist: what was expected.
    pub fn new(format: &TimeFormat, zone: Option<&str>, text: &str) -> Result<Self, Cow<'static, str>> {
        let zone = zone.map_or(Ok(TimeZone::UTC), TimeZone::get);
        let zone = zone.map_err(|error| format!("a time on the clock of a zone: {error}"))?;
        let parser = |format| Self { format, zone: zone.clone(), before: None };
        if *format != TimeFormat::Auto {
            return Ok(parser(format.clone()));
        }
        if let Ok(number) = text.parse::<f64>() {
            return Ok(parser(number_format(text, number)));
        }
        let formats = [TimeFormat::Rfc3339, TimeFormat::DateTime].map(parser);
        let found = formats.into_iter().find(|parser| parser.clone().parse(text).is_some());
        found.ok_or_else(|| expected(&TimeFormat::Auto))
    }

    /// The format, which is never `Auto`.
    pub fn format(&self) -> &TimeFormat {
        &self.format
    }

    /// The instant that `text` means; `None` where it is not of the format. A fraction of an epoch time is kept to the
    /// microsecond.
    pub fn parse(&mut self, text: &str) -> Option<Timestamp> {
        let time = match &self.format {
            TimeFormat::Rfc3339 => text.parse().ok(),
            TimeFormat::DateTime => self.civil_time(text),
            TimeFormat::EpochSeconds => match text.parse() {
                Ok(seconds) => Timestamp::from_second(seconds).ok(),
                Err(_) => microseconds(text, 1e6),
            },
            TimeFormat::EpochMilliseconds => match text.parse() {
                Ok(milliseconds) => Timestamp::from_millisecond(milliseconds).ok(),
                Err(_) => microseconds(text, 1e3),
            },
            TimeFormat::EpochMicroseconds => match text.parse() {
                Ok(whole) => Timestamp::from_microsecond(whole).ok(),
                Err(_) => microseconds(text, 1.0),
            },
            TimeFormat::EpochNanoseconds => match text.parse() {
                Ok(whole) => Timestamp::from_nanosecond(whole).ok(),
                Err(_) => microseconds(text, 1e-3),
            },
            TimeFormat::Strptime(directives) => self.by_directives(directives, text),
            TimeFormat::Auto => None,
        }?;
        self.before = Some(time);
        Some(time)
    }

    /// The expected format, for a message.
    pub fn expected(&self) -> Cow<'static, str> {
        expected(&self.format)
    }

    /// A date and time without an offset; one with an offset is of another format.
    fn civil_time(&self, text: &str) -> Option<Timestamp> {
        let (text, is_utc) = text
            .strip_suffix(" UTC")
            .or(text.strip_suffix(" GMT"))
            .map_or((text, false), |text| (text, true));
        let text = if text.as_bytes().get(4) == Some(&b'/') {
            Cow::Owned(text.replace('/', "-"))
        } else {
            text.into()
        };
        if text.parse::<Timestamp>().is_ok() {
            return None;
        }
        let time: civil::DateTime = text.parse().ok()?;
        if is_utc { TimeZone::UTC.to_timestamp(time).ok() } else { self.on_clock(time) }
    }

    /// The instant of a time on the clock of the zone. A time that occurs twice is the second one where the
    /// first would be before the row above.
    fn on_clock(&self, time: civil::DateTime) -> Option<Timestamp> {
        let ambiguous = self.zone.to_ambiguous_timestamp(time);
        let first = ambiguous.compatible().ok()?;
        match ambiguous.offset() {
            AmbiguousOffset::Fold { .. } if self.before.is_some_and(|before| before > first) => {
                ambiguous.later().ok()
            }
            _ => Some(first),
        }
    }

    fn by_directives(&self, directives: &str, text: &str) -> Option<Timestamp> {
        let parsed = strtime::parse(directives, text).ok()?;
        if let Ok(time) = parsed.to_timestamp() {
            return Some(time);
        }
        let civil = parsed.to_datetime().or_else(|_| parsed.to_date().map(|date| date.at(0, 0, 0, 0)));
        self.on_clock(civil.ok()?)
    }
}

/// The format of a number.
fn number_format(text: &str, number: f64) -> TimeFormat {
    let is_date =
        text.len() == 8 && matches!(&text[..2], "19" | "20") && strtime::parse("%Y%m%d", text).is_ok();
    match number.abs() {
        _ if is_date => TimeFormat::Strptime("%Y%m%d".to_owned()),
        FIRST_NANOSECONDS.. => TimeFormat::EpochNanoseconds,
        FIRST_MICROSECONDS.. => TimeFormat::EpochMicroseconds,
        FIRST_MILLISECONDS.. => TimeFormat::EpochMilliseconds,
        _ => TimeFormat::EpochSeconds,
    }
}

fn expected(format: &TimeFormat) -> Cow<'static, str> {
    match format {
        TimeFormat::Auto => {
            "a timestamp (2026-11-22T12:00:00Z, 2026-11-22 12:00:00, or seconds or milliseconds since 1970; \
             others by timeFormat: \"%d.%m.%Y %H:%M\")"
        }
        TimeFormat::Rfc3339 => "an RFC 3339 timestamp such as 2026-11-22T12:00:00Z",
        TimeFormat::DateTime => "a date and time such as 2026-11-22 12:00:00",
        TimeFormat::EpochSeconds => "seconds since 1970",
        TimeFormat::EpochMilliseconds => "milliseconds since 1970",
        TimeFormat::EpochMicroseconds => "microseconds since 1970",
        TimeFormat::EpochNanoseconds => "nanoseconds since 1970",
        TimeFormat::Strptime(directives) => return Cow::Owned(format!("a time as {directives} writes it")),
    }
    .into()
}

fn microseconds(text: &str, each: f64) -> Option<Timestamp> {
    let microseconds = text.parse::<f64>().ok()? * each;
    // A value beyond an i64 becomes its limit, which is beyond all timestamps; NaN must not become 0.
    if microseconds.is_nan() { None } else { Timestamp::from_microsecond(microseconds.round() as i64).ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recognized(text: &str) -> Option<(TimeFormat, String)> {
        let mut parser = TimeParser::new(&TimeFormat::Auto, None, text).ok()?;
        let time = parser.parse(text)?;
        Some((parser.format, time.to_string()))
    }

    fn parse(format: &TimeFormat, zone: Option<&str>, texts: &[&str]) -> Vec<Option<String>> {
        let mut parser = TimeParser::new(format, zone, texts[0]).unwrap();
        texts.iter().map(|text| parser.parse(text).map(|time| time.to_string())).collect()
    }

    #[test]
    fn each_format_is_detected() {
        let date = TimeFormat::Strptime("%Y%m%d".to_owned());
        let cases = [
            ("2026-11-22T12:00:00Z", TimeFormat::Rfc3339, "2026-11-22T12:00:00Z"),
            ("2026-11-22T14:00:00+02:00", TimeFormat::Rfc3339, "2026-11-22T12:00:00Z"),
            ("2026-11-22 14:00:00+02:00", TimeFormat::Rfc3339, "2026-11-22T12:00:00Z"),
            ("2026-11-22T12:00:00.25Z", TimeFormat::Rfc3339, "2026-11-22T12:00:00.25Z"),
            ("2026-11-22 12:00:00", TimeFormat::DateTime, "2026-11-22T12:00:00Z"),
            ("2026-11-22 12:00", TimeFormat::DateTime, "2026-11-22T12:00:00Z"),
            ("2026-11-22 12:00:00 UTC", TimeFormat::DateTime, "2026-11-22T12:00:00Z"),
            ("2014/04/10 00:04:00", TimeFormat::DateTime, "2014-04-10T00:04:00Z"),
            ("2014/04/10", TimeFormat::DateTime, "2014-04-10T00:00:00Z"),
            ("2026-11-22T12:00:00.5", TimeFormat::DateTime, "2026-11-22T12:00:00.5Z"),
            ("2026-11-22", TimeFormat::DateTime, "2026-11-22T00:00:00Z"),
            ("20261122", date, "2026-11-22T00:00:00Z"),
            ("1795348800", TimeFormat::EpochSeconds, "2026-11-22T12:00:00Z"),
            ("1795348800.123456", TimeFormat::EpochSeconds, "2026-11-22T12:00:00.123456Z"),
            ("0", TimeFormat::EpochSeconds, "1970-01-01T00:00:00Z"),
            ("-1.5", TimeFormat::EpochSeconds, "1969-12-31T23:59:58.5Z"),
            ("1795348800123", TimeFormat::EpochMilliseconds, "2026-11-22T12:00:00.123Z"),
            ("1795348800123.25", TimeFormat::EpochMilliseconds, "2026-11-22T12:00:00.12325Z"),
            ("1795348800123456", TimeFormat::EpochMicroseconds, "2026-11-22T12:00:00.123456Z"),
            ("1795348800123456789", TimeFormat::EpochNanoseconds, "2026-11-22T12:00:00.123456789Z"),
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
            (TimeFormat::Strptime("%d.%m.%Y".to_owned()), rfc3339),
        ];
        for (format, text) in cases {
            assert_eq!(parse(&format, None, &[text]), [None], "{format:?} {text}");
        }
    }

    #[test]
    fn small_numbers_are_milliseconds_when_they_are_named_so() {
        let time = parse(&TimeFormat::EpochMilliseconds, None, &["1500"]);
        assert_eq!(time, [Some("1970-01-01T00:00:01.5Z".to_owned())]);
    }

    #[test]
    fn directives_give_dates_times_and_offsets() {
        for (directives, text, time) in [
            ("%d.%m.%Y %H:%M", "22.11.2026 13:30", "2026-11-22T12:30:00Z"),
            ("%d.%m.%Y", "22.11.2026", "2026-11-21T23:00:00Z"),
            ("%d/%b/%Y:%H:%M:%S %z", "22/Nov/2026:13:30:00 +0300", "2026-11-22T10:30:00Z"),
        ] {
            let format = TimeFormat::Strptime(directives.to_owned());
            assert_eq!(
                parse(&format, Some("Europe/Berlin"), &[text]),
                [Some(time.to_owned())],
                "{directives}"
            );
        }
    }

    #[test]
    fn the_hour_that_comes_twice_follows_from_the_order_of_rows() {
        let texts = [
            "2026-10-25 01:30",
            "2026-10-25 02:00",
            "2026-10-25 02:30",
            "2026-10-25 02:00",
            "2026-10-25 02:30",
        ];
        let times = parse(&TimeFormat::DateTime, Some("Europe/Berlin"), &texts);
        let utc = [
            "2026-10-24T23:30:00Z",
            "2026-10-25T00:00:00Z",
            "2026-10-25T00:30:00Z",
            "2026-10-25T01:00:00Z",
            "2026-10-25T01:30:00Z",
        ];
        assert_eq!(times, utc.map(|time| Some(time.to_owned())));
    }
}
