//! A skops file's bytes in, its objects as data out: a zip of `schema.json` and one `.npy` for each array.
//!
//! skops rebuilds objects from what its schema names. Here the same [allow-list](crate::class) holds as for a
//! pickle, and nothing is built but the list of objects.

use std::borrow::Cow;
use std::collections::HashMap;
use std::io::{Cursor, Read};

use serde_json::Value;
use zip::ZipArchive;
use zip::result::ZipError;

use crate::class::Class;
use crate::compression::UNPACKED_LIMIT;
use crate::numpy::{NumpyError, npy};
use crate::object::{Graph, Id, Object};
use crate::shown::shown;

/// The most bytes that a schema may have. It takes about 20 KiB a tree; as JSON values it is many times as large.
pub const SCHEMA_LIMIT: u64 = 32 << 20;

/// Why a skops file was refused.
#[derive(Debug, thiserror::Error)]
pub enum SkopsError {
    /// It is no zip, or a damaged one.
    #[error("the zip archive is damaged")]
    Zip(#[from] ZipError),
    /// A file in the zip cannot be unpacked.
    #[error("{file:?} in the zip archive is damaged")]
    Unpack {
        /// Its name.
        file: String,
        /// What the decoder says.
        source: std::io::Error,
    },
    /// The files of the zip unpack to too much.
    #[error("{file:?} in the zip archive unpacks to more than {limit} bytes")]
    TooLarge {
        /// The file's name.
        file: String,
        /// The bound that it breaks.
        limit: u64,
    },
    /// The schema is no JSON.
    #[error("schema.json is no valid JSON")]
    Json(#[from] serde_json::Error),
    /// The schema is not as skops writes it.
    #[error("schema.json must be as skops writes it: {0}")]
    Schema(&'static str),
    /// A class or function that is not on the allow-list.
    #[error("class {0} is not part of an isolation forest, nothing of the file was run")]
    Class(String),
    /// An array in the zip.
    #[error("{file:?}: {source}")]
    Array {
        /// The file's name.
        file: String,
        /// What is wrong with it.
        source: NumpyError,
    },
}

type Result<T> = std::result::Result<T, SkopsError>;

/// Whether `bytes` begin as a zip archive does.
pub(crate) fn is_zip(bytes: &[u8]) -> bool {
    bytes.starts_with(b"PK\x03\x04")
}

/// The objects of a skops file, and how many bytes were unpacked for them.
pub(crate) fn read(bytes: &[u8]) -> Result<(Graph<'static>, usize)> {
    let mut archive = Archive { zip: ZipArchive::new(Cursor::new(bytes))?, left: UNPACKED_LIMIT };
    let schema: Value = serde_json::from_slice(&archive.file("schema.json", SCHEMA_LIMIT)?)?;
    let mut reader = Reader { archive, graph: Graph::default(), arrays: HashMap::new() };
    let root = reader.object(&schema)?;
    reader.graph.root = root;
    Ok((reader.graph, (UNPACKED_LIMIT - reader.archive.left) as usize))
}

/// The zip, and how many bytes may still come out of it.
struct Archive<'z> {
    zip: ZipArchive<Cursor<&'z [u8]>>,
    left: u64,
}

impl Archive<'_> {
    fn file(&mut self, name: &str, limit: u64) -> Result<Vec<u8>> {
        let limit = limit.min(self.left);
        let entry = self.zip.by_name(name)?;
        let mut unpacked = Vec::new();
        let read = entry.take(limit + 1).read_to_end(&mut unpacked);
        read.map_err(|source| SkopsError::Unpack { file: name.to_owned(), source })?;
        match limit.checked_sub(unpacked.len() as u64) {
            Some(_) => self.left -= unpacked.len() as u64,
            None => return Err(SkopsError::TooLarge { file: name.to_owned(), limit }),
        }
        Ok(unpacked)
    }
}

/// Walks the schema, which the JSON parser has bounded to 128 levels.
struct Reader<'z> {
    archive: Archive<'z>,
    graph: Graph<'static>,
    /// Arrays by file, so that one that is named often is unpacked once.
    arrays: HashMap<String, Id>,
}

impl Reader<'_> {
    /// A node of the schema and all that it holds.
    fn object(&mut self, node: &Value) -> Result<Id> {
        let object = match text(node, "__loader__")? {
            "JsonNode" => json(node)?,
            "ListNode" | "TupleNode" | "SetNode" => Object::Sequence(self.parts(node)?),
            "DictNode" => Object::Dict(self.entries(node)?),
            "NdArrayNode" => return self.array(node),
            "ObjectNode" | "TreeNode" => self.instance(node)?,
            // The state of a random number generator, or a type beside a dict's keys: no part in a score.
            "RandomStateNode" | "TypeNode" => Object::None,
            _ => return Err(SkopsError::Class(class_name(node)?)),
        };
        Ok(self.graph.add(object))
    }

    fn parts(&mut self, node: &Value) -> Result<Vec<Id>> {
        let parts = node["content"].as_array().ok_or(SkopsError::Schema("a list has a content"))?;
        parts.iter().map(|part| self.object(part)).collect()
    }

    fn entries(&mut self, node: &Value) -> Result<Vec<(Id, Id)>> {
        let entries = node["content"].as_object().ok_or(SkopsError::Schema("a dict has a content"))?;
        let mut ids = Vec::with_capacity(entries.len());
        for (key, value) in entries {
            let key = self.graph.add(Object::Text(Cow::Owned(key.clone())));
            ids.push((key, self.object(value)?));
        }
        Ok(ids)
    }

    fn instance(&mut self, node: &Value) -> Result<Object<'static>> {
        let name = text(node, "__class__")?;
        let class = Class::named(text(node, "__module__")?, name);
        let class =
            class.map_or_else(|| class_name(node).and_then(|name| Err(SkopsError::Class(name))), Ok)?;
        let state = self.object(&node["content"])?;
        let args = self.graph.add(Object::None);
        Ok(Object::Instance { class, args, state: Some(state) })
    }

    /// An array of numbers in a file of its own, or one of Python objects in the schema itself.
    fn array(&mut self, node: &Value) -> Result<Id> {
        if text(node, "__module__")? != "numpy" {
            return Err(SkopsError::Class(class_name(node)?));
        }
        if text(node, "type")? == "json" {
            let parts = self.parts(node)?;
            return Ok(self.graph.add(Object::Sequence(parts)));
        }
        let file = text(node, "file")?;
        if let Some(&id) = self.arrays.get(file) {
            return Ok(id);
        }
        let bytes = self.archive.file(file, UNPACKED_LIMIT)?;
        let array =
            npy::read(&bytes).map_err(|source| SkopsError::Array { file: file.to_owned(), source })?;
        let id = self.graph.add(Object::Array(Box::new(array)));
        self.arrays.insert(file.to_owned(), id);
        Ok(id)
    }
}

/// A plain value, which skops writes as JSON inside the JSON.
fn json(node: &Value) -> Result<Object<'static>> {
    Ok(match serde_json::from_str(text(node, "content")?)? {
        Value::Null => Object::None,
        Value::Bool(value) => Object::Bool(value),
        Value::String(text) => Object::Text(Cow::Owned(text)),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(int), _) => Object::Int(int),
            (None, Some(float)) => Object::Float(float),
            (None, None) => Object::HugeInt,
        },
        _ => return Err(SkopsError::Schema("a plain value is no list and no dict")),
    })
}

fn text<'v>(node: &'v Value, key: &'static str) -> Result<&'v str> {
    node[key].as_str().ok_or(SkopsError::Schema("every node names its class, module, loader and content"))
}

fn class_name(node: &Value) -> Result<String> {
    Ok(shown(&format!("{}.{}", text(node, "__module__")?, text(node, "__class__")?)))
}
