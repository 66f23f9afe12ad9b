//! A skops file's bytes in, its objects as data out; [`write()`] makes one that scikit-learn opens. A file is
//! a zip of `schema.json` and one `.npy` file for each array.
//!
//! skops itself rebuilds the objects that the schema names. Here the same [allow-list](crate::class) holds as
//! for a pickle, and only the list of objects is built.

mod json;
mod write;

use std::borrow::Cow;
use std::collections::HashMap;
use std::io::Cursor;

use memchr::memmem;
use zip::ZipArchive;
use zip::result::ZipError;

use crate::budget::{Budget, CostError};
use crate::class::{Class, FOREST_ALONE};
use crate::compression;
use crate::numpy::{NumpyError, npy};
use crate::object::{Graph, Id, Object, PART_BYTES};
use crate::shown::shown;

pub use write::{WriteError, write};

/// The memory of an entry of the archive's directory in bytes, beside its name.
const ENTRY_BYTES: usize = 1 << 10;
/// The memory for each byte of the directory in bytes: names are kept raw, decoded, and as keys.
const DIRECTORY_COPIES: usize = 4;
/// The first bytes of an entry of the directory.
const ENTRY_MAGIC: &[u8] = b"PK\x01\x02";
/// The memory of an entry of `Reader::arrays` in bytes, beside the file's name.
const NAME_BYTES: usize = 160;

/// Why a skops file was refused.
#[derive(Debug, thiserror::Error)]
pub enum SkopsError {
    /// It is not a zip archive, or a damaged one.
    #[error("the zip archive is damaged")]
    Zip(#[from] ZipError),
    /// A file in the zip cannot be unpacked.
    #[error("{file:?} in the zip archive is damaged")]
    Unpack {
        /// Its name.
        file: String,
        /// The decoder's error.
        source: std::io::Error,
    },
    /// Reading it takes too much memory or time.
    #[error(transparent)]
    Cost(#[from] CostError),
    /// The schema is not valid JSON.
    #[error("schema.json is not valid JSON")]
    Json(#[from] serde_json::Error),
    /// The schema is not as skops writes it.
    #[error("schema.json must be as skops writes it: {0}")]
    Schema(&'static str),
    /// A class or function that is not on the allow-list.
    #[error("class {0} is not part of an isolation forest, no code of the file was run")]
    Class(String),
    /// The class of a pipeline's step that is not on the allow-list.
    #[error("class {0} is not a supported step, no code of the file was run. {FOREST_ALONE}")]
    Step(String),
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
pub(crate) fn read<'a>(bytes: &[u8], budget: &'a Budget) -> Result<(Graph<'a>, usize)> {
    count_directory(bytes, budget)?;
    let mut archive = Archive { zip: ZipArchive::new(Cursor::new(bytes))?, unpacked: 0, budget };
    let text = archive.file("schema.json")?;
    let mut schema = Graph::new(budget);
    let root = json::read(&text, &mut schema)?;
    budget.free(text.len());
    drop(text);
    let mut reader = Reader {
        archive,
        schema: &schema,
        graph: Graph::new(budget),
        arrays: HashMap::new(),
        in_pipeline: false,
    };
    reader.graph.root = reader.object(root)?;
    Ok((reader.graph, reader.archive.unpacked))
}

/// Count the memory that the archive's directory will take. The position that the archive states for it is
/// not trusted: it has at most as many entries as the file has entry signatures.
fn count_directory(bytes: &[u8], budget: &Budget) -> Result<()> {
    let mut starts = memmem::find_iter(bytes, ENTRY_MAGIC);
    let Some(first) = starts.next() else { return Ok(()) };
    let entries = 1 + starts.count();
    budget.allocate(ENTRY_BYTES * entries + DIRECTORY_COPIES * (bytes.len() - first))?;
    Ok(())
}

/// The zip archive, and the number of bytes unpacked from it.
struct Archive<'z, 'a> {
    zip: ZipArchive<Cursor<&'z [u8]>>,
    unpacked: usize,
    budget: &'a Budget,
}

impl Archive<'_, '_> {
    fn file(&mut self, name: &str) -> Result<Vec<u8>> {
        self.budget.work(ENTRY_BYTES)?;
        let mut entry = self.zip.by_name(name)?;
        let read = compression::read(&mut entry, self.budget)?;
        let unpacked = read.map_err(|source| SkopsError::Unpack { file: shown(name), source })?;
        self.unpacked += unpacked.len();
        Ok(unpacked)
    }
}

/// The reader of the schema, whose depth the JSON parser limits to 128 levels.
struct Reader<'z, 's, 'a> {
    archive: Archive<'z, 'a>,
    schema: &'s Graph<'a>,
    graph: Graph<'a>,
    /// Arrays by file name, so that an array that is named often is unpacked once.
    arrays: HashMap<String, Id>,
    /// Whether a pipeline was read: an unknown class is then reported as one of its steps.
    in_pipeline: bool,
}

impl<'s, 'a> Reader<'_, 's, 'a> {
    /// Convert a node of the schema and everything in it.
    fn object(&mut self, node: Id) -> Result<Id> {
        let object = match self.text(node, "__loader__")? {
            "JsonNode" => return self.json(node),
            "ListNode" | "TupleNode" | "SetNode" => Object::Sequence(self.parts(node)?),
            "DictNode" => Object::Dict(self.entries(node)?),
            "NdArrayNode" => return self.array(node),
            "ObjectNode" | "TreeNode" => self.instance(node)?,
            // These do not affect a score: the state of a random number generator, the types of a dict's
            // keys, and the columns of a step, which the file also lists by number.
            "RandomStateNode" | "TypeNode" | "SliceNode" | "DTypeNode" => Object::None,
            _ => return Err(self.unknown(node)?),
        };
        Ok(self.graph.add(object)?)
    }

    fn text(&self, node: Id, key: &'static str) -> Result<&'s str> {
        let schema = self.schema;
        let text = schema.entry(node, key).and_then(|text| schema.text(text));
        text.ok_or(SkopsError::Schema("every node names its class, module, loader and content"))
    }

    fn content(&self, node: Id) -> Option<&'s Object<'a>> {
        self.schema.entry(node, "content").map(|content| self.schema.get(content))
    }

    fn class_name(&self, node: Id) -> Result<String> {
        Ok(shown(&format!("{}.{}", self.text(node, "__module__")?, self.text(node, "__class__")?)))
    }

    /// The error for a class that is not on the allow-list.
    fn unknown(&self, node: Id) -> Result<SkopsError> {
        let name = self.class_name(node)?;
        Ok(if self.in_pipeline { SkopsError::Step(name) } else { SkopsError::Class(name) })
    }

    fn parts(&mut self, node: Id) -> Result<Vec<Id>> {
        let Some(Object::Sequence(parts)) = self.content(node) else {
            return Err(SkopsError::Schema("a list has a content"));
        };
        self.graph.budget().allocate(PART_BYTES * parts.len())?;
        parts.iter().map(|&part| self.object(part)).collect()
    }

    fn entries(&mut self, node: Id) -> Result<Vec<(Id, Id)>> {
        let Some(Object::Dict(entries)) = self.content(node) else {
            return Err(SkopsError::Schema("a dict has a content"));
        };
        self.graph.budget().allocate(2 * PART_BYTES * entries.len())?;
        let mut ids = Vec::with_capacity(entries.len());
        for &(key, value) in entries {
            let key = self.schema.text(key).unwrap_or_default();
            self.graph.budget().allocate(key.len())?;
            let key = self.graph.add(Object::Text(Cow::Owned(key.to_owned())))?;
            ids.push((key, self.object(value)?));
        }
        Ok(ids)
    }

    fn instance(&mut self, node: Id) -> Result<Object<'a>> {
        let name = self.text(node, "__class__")?;
        let class = Class::named(self.text(node, "__module__")?, name);
        let Some(class) = class else { return Err(self.unknown(node)?) };
        self.in_pipeline |= class == Class::Pipeline;
        let content = self.schema.entry(node, "content");
        let state = self.object(content.ok_or(SkopsError::Schema("an object has a content"))?)?;
        let args = self.graph.add(Object::None)?;
        Ok(Object::Instance { class, args, state: Some(state) })
    }

    /// A plain value, which skops writes as JSON inside the JSON.
    fn json(&mut self, node: Id) -> Result<Id> {
        let content = self.text(node, "content")?;
        // Python's JSON has three values that JSON does not have.
        let value = match content {
            "NaN" => self.graph.add(Object::Float(f64::NAN))?,
            "Infinity" => self.graph.add(Object::Float(f64::INFINITY))?,
            "-Infinity" => self.graph.add(Object::Float(f64::NEG_INFINITY))?,
            content => json::read(content.as_bytes(), &mut self.graph)?,
        };
        match self.graph.get(value) {
            Object::Sequence(_) | Object::Dict(_) => {
                Err(SkopsError::Schema("a plain value is no list and no dict"))
            }
            _ => Ok(value),
        }
    }

    /// An array of numbers in a file of its own, or one of Python objects in the schema itself.
    fn array(&mut self, node: Id) -> Result<Id> {
        if self.text(node, "__module__")? != "numpy" {
            return Err(SkopsError::Class(self.class_name(node)?));
        }
        if self.text(node, "type")? == "json" {
            let parts = self.parts(node)?;
            return Ok(self.graph.add(Object::Sequence(parts))?);
        }
        let file = self.text(node, "file")?;
        if let Some(&id) = self.arrays.get(file) {
            return Ok(id);
        }
        let bytes = self.archive.file(file)?;
        self.graph.budget().allocate(NAME_BYTES + file.len())?;
        let array = npy::read(bytes).map_err(|source| SkopsError::Array { file: shown(file), source })?;
        let id = self.graph.add(Object::Array(Box::new(array)))?;
        self.arrays.insert(file.to_owned(), id);
        Ok(id)
    }
}
