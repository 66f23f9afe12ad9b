//! One JSON value in; its number, or the first characters of a value that is not a number, out.

use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::error::ApiError;
use crate::excerpt::{MAX_EXCERPT, excerpt};

/// A value where a number is expected.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Cell {
    /// A number, also one in quotation marks; it may still be too large for a forest.
    Number(f64),
    /// Any other value, as JSON, truncated if it is long.
    Other(String),
}

impl Cell {
    /// The number, if it is finite and fits into a 32-bit float, as the forest requires. Errors name `field`.
    pub(super) fn number(&self, field: impl FnOnce() -> String) -> Result<f64, ApiError> {
        let shown = match self {
            Self::Number(number) if forest::cell(*number).is_some() => return Ok(*number),
            Self::Number(number) => as_json(*number),
            Self::Other(shown) => shown.clone(),
        };
        Err(ApiError::Unprocessable(field(), format!("expected a finite number, got {shown}")))
    }

    /// The value as JSON, truncated if it is long.
    pub(super) fn shown(&self) -> String {
        match self {
            Self::Number(number) => as_json(*number),
            Self::Other(shown) => shown.clone(),
        }
    }
}

impl<'de> Deserialize<'de> for Cell {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(CellVisitor)
    }
}

pub(super) struct CellVisitor;

impl<'de> Visitor<'de> for CellVisitor {
    type Value = Cell;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Cell, E> {
        Ok(Cell::Number(number as f64))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Cell, E> {
        Ok(Cell::Number(number as f64))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Cell, E> {
        Ok(Cell::Number(number))
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Cell, E> {
        Ok(Cell::Other(value.to_string()))
    }

    fn visit_unit<E: Error>(self) -> Result<Cell, E> {
        Ok(Cell::Other("null".to_owned()))
    }

    /// Accept a number in quotation marks, as Python's `float()` does.
    fn visit_str<E: Error>(self, text: &str) -> Result<Cell, E> {
        let number = text.trim().parse().ok().filter(|number: &f64| number.is_finite());
        Ok(number.map_or_else(|| Cell::Other(excerpt(&quoted(text), MAX_EXCERPT)), Cell::Number))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<Cell, A::Error> {
        let mut shown = String::new();
        Preview(&mut shown).visit_seq(items)?;
        Ok(Cell::Other(excerpt(&shown, MAX_EXCERPT)))
    }

    fn visit_map<A: MapAccess<'de>>(self, entries: A) -> Result<Cell, A::Error> {
        let mut shown = String::new();
        Preview(&mut shown).visit_map(entries)?;
        Ok(Cell::Other(excerpt(&shown, MAX_EXCERPT)))
    }
}

/// Reads any value, and writes its first characters.
struct Preview<'a>(&'a mut String);

impl Preview<'_> {
    fn is_full(&self) -> bool {
        self.0.len() > 4 * MAX_EXCERPT
    }

    fn write(self, text: &str) {
        if !self.is_full() {
            self.0.push_str(text);
        }
    }
}

impl<'de> DeserializeSeed<'de> for Preview<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        if self.is_full() {
            return IgnoredAny::deserialize(deserializer).map(|_| ());
        }
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Preview<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        self.write(&value.to_string());
        Ok(())
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<(), E> {
        self.write(&number.to_string());
        Ok(())
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<(), E> {
        self.write(&number.to_string());
        Ok(())
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<(), E> {
        self.write(&as_json(number));
        Ok(())
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.write("null");
        Ok(())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        self.write(&quoted(text));
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        self.0.push('[');
        let begin = self.0.len();
        loop {
            let before = self.0.len();
            if before > begin {
                self.0.push(',');
            }
            if items.next_element_seed(Preview(self.0))?.is_none() {
                self.0.truncate(before);
                self.0.push(']');
                return Ok(());
            }
            if self.is_full() {
                while items.next_element::<IgnoredAny>()?.is_some() {}
                return Ok(());
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        self.0.push('{');
        let begin = self.0.len();
        loop {
            let before = self.0.len();
            if before > begin {
                self.0.push(',');
            }
            if entries.next_key_seed(Preview(self.0))?.is_none() {
                self.0.truncate(before);
                self.0.push('}');
                return Ok(());
            }
            self.0.push(':');
            entries.next_value_seed(Preview(self.0))?;
            if self.is_full() {
                while entries.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                return Ok(());
            }
        }
    }
}

fn as_json(number: f64) -> String {
    if number.fract() == 0.0 && number.abs() < 1e15 {
        return format!("{number:.0}");
    }
    serde_json::Number::from_f64(number).map_or_else(|| number.to_string(), |number| number.to_string())
}

/// The first characters of a text, as JSON.
fn quoted(text: &str) -> String {
    let end = text.char_indices().nth(MAX_EXCERPT + 1).map_or(text.len(), |(end, _)| end);
    serde_json::to_string(&text[..end]).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(json: &str) -> String {
        serde_json::from_str::<Cell>(json).unwrap().shown()
    }

    #[test]
    fn what_is_no_number_is_shown_as_it_came() {
        for json in ["null", "true", "7", r#""x""#, "[1]", "[]", "{}", r#"{"a":[1,{"b":null}],"c":"d"}"#] {
            assert_eq!(shown(json), json);
        }
        assert_eq!(shown("1e39"), "1e+39");
    }

    #[test]
    fn a_number_in_quotation_marks_is_one() {
        let cell = |json: &str| serde_json::from_str::<Cell>(json).unwrap();
        for (json, number) in [(r#""0.95""#, 0.95), (r#"" -3 ""#, -3.0), (r#""1e3""#, 1000.0)] {
            assert_eq!(cell(json), Cell::Number(number));
        }
        for json in [r#""""#, r#""NaN""#, r#""inf""#, r#""1,5""#, r#""0x10""#, r#""1e999""#] {
            assert_eq!(cell(json), Cell::Other(json.to_owned()));
        }
    }

    #[test]
    fn what_is_long_is_cut() {
        let long = format!("[{}]", vec!["1"; 500_000].join(","));
        let text = format!("{:?}", "s".repeat(1 << 20));
        let named = format!("{{{:?}:1}}", "k".repeat(1 << 20));
        for json in [long, text, named] {
            let shown = shown(&json);
            assert_eq!(shown.chars().count(), MAX_EXCERPT + 1, "{shown}");
            assert!(json.starts_with(shown.trim_end_matches('…')), "{shown}");
        }
    }
}
