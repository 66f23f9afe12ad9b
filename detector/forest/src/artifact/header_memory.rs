//! A header's JSON in, an error out if it takes too much memory. The memory of each value is counted before
//! any value is kept, since a list of small values takes a hundred times its bytes.

use super::error::ArtifactError;
use super::header::MAX_HEADER_MEMORY;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use std::cell::Cell;
use std::fmt;

/// The bytes that a value takes in a list, which has room for twice as many values.
const VALUE: usize = 64;
/// The bytes that an object takes beside its values.
const OBJECT: usize = 1 << 10;

/// Refuses JSON that would take too much memory. Bytes that are not JSON pass, and their reader refuses them.
pub(super) fn check(json: &[u8]) -> Result<(), ArtifactError> {
    let left = Cell::new(Some(MAX_HEADER_MEMORY));
    // The result is not needed: where the JSON has an error, the reader stops too, and takes no more memory.
    let _ = MemoryCounter(&left).deserialize(&mut serde_json::Deserializer::from_slice(json));
    left.get().map(|_| ()).ok_or(ArtifactError::HeaderMemory)
}

/// A visitor that counts values and keeps none of them; it has the number of bytes that are left.
#[derive(Clone, Copy)]
struct MemoryCounter<'c>(&'c Cell<Option<usize>>);

impl MemoryCounter<'_> {
    fn add<E: Error>(self, bytes: usize) -> Result<(), E> {
        self.0.set(self.0.get().and_then(|left| left.checked_sub(bytes)));
        self.0.get().map(|_| ()).ok_or_else(|| E::custom("too much"))
    }
}

impl<'de> DeserializeSeed<'de> for MemoryCounter<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for MemoryCounter<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.add(VALUE)
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<(), E> {
        self.add(VALUE)
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<(), E> {
        self.add(VALUE)
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<(), E> {
        self.add(VALUE)
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<(), E> {
        self.add(VALUE)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        self.add(VALUE + text.len())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<(), A::Error> {
        self.add(VALUE)?;
        while values.next_element_seed(self)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut values: A) -> Result<(), A::Error> {
        self.add(OBJECT)?;
        while values.next_key_seed(self)?.is_some() {
            values.next_value_seed(self)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_things_are_counted_as_what_they_take() {
        assert!(check(br#"{"columns": ["a", "b"], "daily": [[0.5, 1], null]}"#).is_ok());
        let list = |value: &str, count: usize| format!("[{}0]", format!("{value},").repeat(count));
        assert!(check(list("0.5", 200_000).as_bytes()).is_ok());
        for heavy in [list("{}", 50_000), list("[]", 900_000), list("\"\"", 900_000)] {
            assert!(matches!(check(heavy.as_bytes()), Err(ArtifactError::HeaderMemory)));
        }
    }

    #[test]
    fn what_is_no_json_is_left_to_the_reader() {
        assert!(check(b"{").is_ok() && check(b"\xff").is_ok());
    }
}
