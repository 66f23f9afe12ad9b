//! JSON in, the same data as objects of a [`Graph`] out. Each object is counted when it is made: a tree of
//! `serde_json` takes a hundred times the memory of its text.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use crate::budget::CostError;
use crate::object::{Graph, Id, Object, PART_BYTES};

/// The memory cost of a text in bytes, beside its own bytes.
const TEXT_BYTES: usize = 32;

/// Read one JSON text into `graph`, and return its root. `serde_json` limits the nesting to 128 levels.
pub(super) fn read(text: &[u8], graph: &mut Graph<'_>) -> Result<Id, serde_json::Error> {
    let mut keys = HashMap::new();
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    let root = Place { graph, keys: &mut keys }.deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok(root)
}

/// The place that a value is read into. A key that was read before is not stored again.
struct Place<'r, 'a> {
    graph: &'r mut Graph<'a>,
    keys: &'r mut HashMap<String, Id>,
}

impl<'a> Place<'_, 'a> {
    fn next(&mut self) -> Place<'_, 'a> {
        Place { graph: self.graph, keys: self.keys }
    }

    fn add<E: Error>(&mut self, object: Object<'a>) -> Result<Id, E> {
        self.graph.add(object).map_err(refused)
    }

    fn allocate<E: Error>(&self, bytes: usize) -> Result<(), E> {
        self.graph.budget().allocate(bytes).map_err(refused)
    }

    fn text<E: Error>(&mut self, text: &str) -> Result<Id, E> {
        self.allocate(TEXT_BYTES + text.len())?;
        self.add(Object::Text(Cow::Owned(text.to_owned())))
    }

    fn key<E: Error>(&mut self, key: String) -> Result<Id, E> {
        if let Some(&known) = self.keys.get(&key) {
            return Ok(known);
        }
        let id = self.text(&key)?;
        self.allocate(2 * TEXT_BYTES + key.len())?;
        self.keys.insert(key, id);
        Ok(id)
    }
}

/// The caller gets the reason from the budget.
fn refused<E: Error>(error: CostError) -> E {
    E::custom(error)
}

impl<'de> DeserializeSeed<'de> for Place<'_, '_> {
    type Value = Id;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Id, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Place<'_, '_> {
    type Value = Id;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E: Error>(mut self) -> Result<Id, E> {
        self.add(Object::None)
    }

    fn visit_bool<E: Error>(mut self, value: bool) -> Result<Id, E> {
        self.add(Object::Bool(value))
    }

    fn visit_i64<E: Error>(mut self, value: i64) -> Result<Id, E> {
        self.add(Object::Int(value))
    }

    fn visit_u64<E: Error>(mut self, value: u64) -> Result<Id, E> {
        self.add(i64::try_from(value).map_or(Object::HugeInt, Object::Int))
    }

    fn visit_f64<E: Error>(mut self, value: f64) -> Result<Id, E> {
        self.add(Object::Float(value))
    }

    fn visit_str<E: Error>(mut self, value: &str) -> Result<Id, E> {
        self.text(value)
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut values: A) -> Result<Id, A::Error> {
        let mut parts = Vec::new();
        while let Some(part) = values.next_element_seed(self.next())? {
            self.allocate(PART_BYTES)?;
            parts.push(part);
        }
        self.add(Object::Sequence(parts))
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut values: A) -> Result<Id, A::Error> {
        let mut entries = Vec::new();
        while let Some(key) = values.next_key()? {
            let key = self.key(key)?;
            let value = values.next_value_seed(self.next())?;
            self.allocate(2 * PART_BYTES)?;
            entries.push((key, value));
        }
        self.add(Object::Dict(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::budget::Budget;

    #[test]
    fn every_kind_of_json_is_read() {
        let budget = Budget::plain(0);
        let mut graph = Graph::new(&budget);
        let text = br#"{"a": [null, true, -7, 0.5, "x", 18446744073709551615], "b": {}}"#;
        let root = read(text, &mut graph).unwrap();
        let parts = graph.sequence(graph.entry(root, "a").unwrap()).unwrap().to_vec();
        let kinds: Vec<&str> = parts.iter().map(|&part| graph.kind(part)).collect();
        assert_eq!(kinds, ["None", "a bool", "an int", "a float", "a str", "an int"]);
        assert_eq!(graph.int(parts[2]), Some(-7));
        assert!(read(b"[1] 2", &mut graph).is_err());
    }

    #[test]
    fn a_text_of_small_dicts_costs_what_it_is_worth() {
        let text = [&b"["[..], &b"{\"\":0},".repeat(1 << 20), b"0]"].concat();
        let budget = Budget::compressed(49_000);
        let mut graph = Graph::new(&budget);
        assert!(read(&text, &mut graph).is_err());
        assert!(matches!(budget.check(), Err(CostError::Memory { .. })));
    }
}
