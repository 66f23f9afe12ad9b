//! The payload of a message in; the value in it and its time out.

use jiff::Timestamp;

use crate::excerpt::{MAX_EXCERPT, excerpt};
use crate::ingest::sources::raw_json::{self, Raw, shown, whole};

/// Seconds since the Unix epoch reach the year 5138 at this number; what is larger is milliseconds.
const FIRST_MILLISECONDS: f64 = 1e11;
/// The most characters of a unit.
const MAX_UNIT: usize = 32;
/// The most characters of a number in a text.
const MAX_NUMBER: usize = 400;

/// The place of a reading in a payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// The JSON pointer to the value; none where the whole payload is the number.
    pub(super) value: Option<String>,
    /// The JSON pointer to the time; none where the time of arrival is used.
    pub(super) time: Option<String>,
}

/// A payload, which is parsed as JSON once, at the first use.
pub(super) struct Payload<'a> {
    bytes: &'a [u8],
    json: Option<Result<Raw<'a>, String>>,
}

impl<'a> Payload<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, json: None }
    }

    /// The value and its time. The value is none where it is missing, the time where `place` has no pointer
    /// to it.
    ///
    /// # Errors
    /// The payload has no valid value or time there: one sentence.
    pub(super) fn reading(&mut self, place: &Place) -> Result<(Option<f64>, Option<Timestamp>), String> {
        let value = match &place.value {
            None => text_number(self.text()?).ok_or_else(|| {
                let hint = if self.bytes.trim_ascii_start().first() == Some(&b'{') {
                    ": set value to the JSON pointer of the number"
                } else {
                    ""
                };
                format!("expected a number, got {}{hint}", shown_bytes(self.bytes))
            })?,
            Some(pointer) => number(pointer, self.at(pointer)?)?,
        };
        let time = match &place.time {
            None => None,
            Some(pointer) => Some(time(pointer, self.at(pointer)?)?),
        };
        Ok((value, time))
    }

    fn text(&self) -> Result<&'a str, String> {
        std::str::from_utf8(self.bytes)
            .map(str::trim)
            .map_err(|_| format!("expected text in UTF-8, got {} other bytes", self.bytes.len()))
    }

    fn at(&mut self, pointer: &str) -> Result<Raw<'a>, String> {
        let bytes = self.bytes;
        let read = || whole(bytes).map_err(|_| format!("expected JSON, got {}", shown_bytes(bytes)));
        let json = self.json.get_or_insert_with(read).clone()?;
        raw_json::at(json, pointer)?.ok_or_else(|| format!("nothing at {pointer} in {}", shown(json)))
    }
}

fn number(pointer: &str, value: Raw) -> Result<Option<f64>, String> {
    let number = match value.get().as_bytes().first() {
        Some(b'n') => Some(None),
        Some(b'"') => raw_json::text(value).ok().and_then(|text| text_number(text.trim())),
        _ => serde_json::from_str(value.get()).ok().map(Some),
    };
    number.ok_or_else(|| format!("expected a number at {pointer}, got {}", shown(value)))
}

/// Parse a number, which may have a unit after it. The inner `None` is a missing value: empty, `NaN` or
/// `null`.
#[allow(clippy::option_option, reason = "no number, or a number that is missing")]
fn text_number(text: &str) -> Option<Option<f64>> {
    if text.is_empty() || text.eq_ignore_ascii_case("nan") || text == "null" {
        return Some(None);
    }
    let ends = text.find(|c: char| !(c.is_ascii_digit() || "+-.eE".contains(c))).unwrap_or(text.len());
    if ends > MAX_NUMBER {
        return None;
    }
    // An e or a sign may belong to the unit: 5 e, 3 eV.
    let number = (1..=ends).rev().find_map(|end| Some((text[..end].parse::<f64>().ok()?, &text[end..])));
    let (number, unit) = number?;
    (number.is_finite() && is_unit(unit.trim_start())).then_some(Some(number))
}

/// Whether a text is a possible unit, or empty. A unit does not start like the rest of a number: 1,5 and
/// 2026-11-22 have no unit.
fn is_unit(text: &str) -> bool {
    let starts = |c: char| c.is_alphabetic() || "%‰°'\"/µΩ".contains(c);
    text.chars().next().is_none_or(starts) && text.chars().count() <= MAX_UNIT
}

fn time(pointer: &str, value: Raw) -> Result<Timestamp, String> {
    let time = match value.get().as_bytes().first() {
        Some(b'"') => raw_json::text(value)
            .ok()
            .and_then(|text| text.parse().ok().or_else(|| epoch(text.parse().ok()?))),
        _ => serde_json::from_str(value.get()).ok().and_then(epoch),
    };
    time.ok_or_else(|| {
        let expected = "expected RFC 3339, or seconds or milliseconds since the Unix epoch,";
        format!("{expected} at {pointer}, got {}", shown(value))
    })
}

fn epoch(number: f64) -> Option<Timestamp> {
    let microseconds = if number.abs() < FIRST_MILLISECONDS { number * 1e6 } else { number * 1e3 };
    // Rounded to microseconds: a double is not more precise for a time of today.
    number.is_finite().then(|| Timestamp::from_microsecond(microseconds.round() as i64).ok())?
}

fn shown_bytes(bytes: &[u8]) -> String {
    let start = &bytes[..bytes.len().min(4 * MAX_EXCERPT)];
    excerpt(&format!("{:?}", String::from_utf8_lossy(start)), MAX_EXCERPT)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(
        payload: &str,
        value: Option<&str>,
        time: Option<&str>,
    ) -> Result<(Option<f64>, Option<i64>), String> {
        let place = Place { value: value.map(str::to_owned), time: time.map(str::to_owned) };
        let reading = Payload::new(payload.as_bytes()).reading(&place);
        reading.map(|(value, time)| (value, time.map(Timestamp::as_millisecond)))
    }

    #[test]
    fn a_number_may_have_a_unit_and_a_text_of_no_number_is_missing() {
        for (payload, value) in [
            ("23.42", Some(23.42)),
            (" -7\n", Some(-7.0)),
            ("1e3", Some(1000.0)),
            ("23.42 °C", Some(23.42)),
            ("23.42°C", Some(23.42)),
            ("5e", Some(5.0)),
            ("3 m/s2", Some(3.0)),
            ("91.9%", Some(91.9)),
            ("NaN", None),
            ("", None),
            ("null", None),
        ] {
            assert_eq!(read(payload, None, None), Ok((value, None)), "{payload:?}");
        }
    }

    #[test]
    fn a_pointer_finds_value_and_time() {
        let payload = r#"{"ts": 1700000000.5, "ms": 1700000000500, "at": "2023-11-14T22:13:20.5Z", "a": {"b": [1, "2 bar", null]}}"#;
        let at = Some(1_700_000_000_500);
        assert_eq!(read(payload, Some("/a/b/0"), Some("/ts")), Ok((Some(1.0), at)));
        assert_eq!(read(payload, Some("/a/b/1"), Some("/ms")), Ok((Some(2.0), at)));
        assert_eq!(read(payload, Some("/a/b/2"), Some("/at")), Ok((None, at)));
    }

    #[test]
    fn everything_else_is_refused_in_a_sentence() {
        let long = format!("{}{}", "1".repeat(1 << 19), "e".repeat(1 << 19));
        let expected = format!("expected a number, got \"{}…", "1".repeat(MAX_EXCERPT - 1));
        for (payload, value, time, sentence) in [
            ("high", None, None, r#"expected a number, got "high""#),
            ("1,5", None, None, r#"expected a number, got "1,5""#),
            ("2026-11-22", None, None, r#"expected a number, got "2026-11-22""#),
            ("inf", None, None, r#"expected a number, got "inf""#),
            (&long, None, None, &expected),
            (r#"{"v":1,"v":2}"#, Some("/v"), None, "expected v once"),
            (
                r#"{"v":1}"#,
                None,
                None,
                r#"expected a number, got "{\"v\":1}": set value to the JSON pointer of the number"#,
            ),
            ("garbage", Some("/v"), None, r#"expected JSON, got "garbage""#),
            (r#"{"w":1}"#, Some("/v"), None, r#"nothing at /v in {"w":1}"#),
            (r#"{"v":{"x":1}}"#, Some("/v"), None, r#"expected a number at /v, got {"x":1}"#),
            (r#"{"v":true}"#, Some("/v"), None, "expected a number at /v, got true"),
            (
                r#"{"v":1,"t":"noon"}"#,
                Some("/v"),
                Some("/t"),
                r#"expected RFC 3339, or seconds or milliseconds since the Unix epoch, at /t, got "noon""#,
            ),
        ] {
            assert_eq!(read(payload, value, time).unwrap_err(), sentence);
        }
        let bytes = Payload::new(&[0xff, 0xfe]).reading(&Place { value: None, time: None });
        assert_eq!(bytes.unwrap_err(), "expected text in UTF-8, got 2 other bytes");
    }
}
