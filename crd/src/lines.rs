//! The text of YAML documents in; the line of each field out.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_saphyr::Spanned;

/// The line of each field of one document.
#[derive(Debug, Default)]
pub struct Lines(Vec<(String, u64)>);

impl Lines {
    /// Return the line, counted from 1, of a field such as `spec.sources[0].name`. For a field that is not in
    /// the document, return the line of the nearest field that contains it.
    ///
    /// ```
    /// let lines = crd::lines::of("spec:\n  sources:\n  - name: plant\n");
    /// assert_eq!(lines[0].line("spec.sources[0].name"), Some(3));
    /// assert_eq!(lines[0].line("spec.sources[0].csv.path"), Some(3));
    /// assert_eq!(lines[0].line(""), Some(1));
    /// ```
    pub fn line(&self, path: &str) -> Option<u64> {
        let known = |path: &str| self.0.iter().find(|(known, _)| known == path).map(|(_, line)| *line);
        let around = std::iter::successors(Some(path), |path| Some(&path[..path.rfind(['.', '['])?]));
        around.chain([""]).find_map(known)
    }
}

/// Return the lines of the fields of each document that is not empty; no documents where the text is not
/// YAML.
pub fn of(text: &str) -> Vec<Lines> {
    let documents: Vec<Spanned<Node>> = serde_saphyr::from_multiple(text).unwrap_or_default();
    let documents = documents.into_iter().filter(|document| !matches!(document.value, Node::Empty));
    documents
        .map(|document| {
            let mut lines = Lines::default();
            document.value.list(String::new(), document.referenced.line(), &mut lines.0);
            lines
        })
        .collect()
}

/// A value of a document. It keeps field names and lines, not the scalars.
enum Node {
    Empty,
    Scalar,
    Object(Vec<(Spanned<String>, Spanned<Node>)>),
    List(Vec<Spanned<Node>>),
}

impl Node {
    fn list(&self, path: String, line: u64, lines: &mut Vec<(String, u64)>) {
        match self {
            Self::Empty | Self::Scalar => {}
            Self::Object(fields) => fields.iter().for_each(|(name, value)| {
                let dot = if path.is_empty() { "" } else { "." };
                value.value.list(format!("{path}{dot}{}", name.value), name.referenced.line(), lines);
            }),
            Self::List(items) => items.iter().enumerate().for_each(|(i, item)| {
                item.value.list(format!("{path}[{i}]"), item.referenced.line(), lines);
            }),
        }
        lines.push((path, line));
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        let mut fields = Vec::new();
        while let Some(field) = map.next_entry()? {
            fields.push(field);
        }
        Ok(Node::Object(fields))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Node, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element()? {
            items.push(item);
        }
        Ok(Node::List(items))
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Empty)
    }

    fn visit_none<E>(self) -> Result<Node, E> {
        Ok(Node::Empty)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        IgnoredAny::deserialize(deserializer).map(|_| Node::Scalar)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Node, E> {
        Ok(Node::Scalar)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Node, E> {
        Ok(Node::Scalar)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Node, E> {
        Ok(Node::Scalar)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Node, E> {
        Ok(Node::Scalar)
    }

    fn visit_str<E>(self, _: &str) -> Result<Node, E> {
        Ok(Node::Scalar)
    }
}
