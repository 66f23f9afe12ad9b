//! A pickle's bytes in, its objects as data out: a stack machine that builds and never calls.
//!
//! Protocols 2 to 5, as Python's own pickler writes them (PEP 307, PEP 3154, PEP 574; the meaning of each
//! opcode is documented in Python's `pickletools`). Python would *run* a `REDUCE`; here it becomes a note "this
//! class, these arguments", and only classes on the [allow-list](crate::class) may be noted.
//!
//! Cost is bounded by the input: a length is compared with the bytes that are left before it is used, text and
//! bytes are borrowed, an opcode makes at most one object, and the number of opcodes is limited. Nothing
//! recurses over the objects, so nesting and self-reference cost nothing.

mod opcode;
mod machine;

use crate::cursor::{Cursor, Truncated};
use crate::numpy::NumpyError;
use crate::object::Graph;
use machine::Machine;

/// The most opcodes a file may take. A forest takes about 150 a tree and two a column name.
pub const OPCODE_LIMIT: usize = 4_000_000;

/// Why a pickle was refused.
#[derive(Debug, thiserror::Error)]
pub enum PickleError {
    /// It ends too early.
    #[error(transparent)]
    Truncated(#[from] Truncated),
    /// A protocol other than 2 to 5.
    #[error("pickle protocol must be between 2 and 5, got {0}")]
    Protocol(u8),
    /// An opcode that no forest's pickle has.
    #[error("byte {position}: opcode 0x{code:02x} is not one that a scikit-learn model is written with")]
    Opcode {
        /// The byte.
        code: u8,
        /// Where it stands.
        position: usize,
    },
    /// A class or function that is not on the allow-list.
    #[error("class {0} is not part of an isolation forest, nothing of the file was run")]
    Class(String),
    /// An opcode that does not fit what is on the stack.
    #[error("byte {position}: {rule}")]
    Malformed {
        /// Where the opcode stands.
        position: usize,
        /// What it needs.
        rule: &'static str,
    },
    /// More opcodes than any forest needs.
    #[error("the pickle has more than {OPCODE_LIMIT} opcodes")]
    TooLong,
    /// Something stands after the pickle's end.
    #[error("{0} bytes follow the end of the pickle, save the model in a file of its own")]
    Trailing(usize),
    /// An array inside a joblib file.
    #[error("byte {position}: {source}")]
    Array {
        /// Where the array stands.
        position: usize,
        /// What is wrong with it.
        source: NumpyError,
    },
}

/// Whether `bytes` begin as a pickle of protocol 2 or later does.
pub(crate) fn is_pickle(bytes: &[u8]) -> bool {
    matches!(bytes, [opcode::PROTO, ..])
}

/// The objects of a pickle or of an unpacked joblib file.
pub(crate) fn read(bytes: &[u8]) -> Result<Graph<'_>, PickleError> {
    let mut cursor = Cursor::new(bytes);
    let mut graph = Graph::default();
    let mut opcodes_left = OPCODE_LIMIT;
    graph.root = Machine::new(&mut cursor, &mut graph, &mut opcodes_left).run()?;
    match cursor.left() {
        0 => Ok(graph),
        left => Err(PickleError::Trailing(left)),
    }
}

#[cfg(test)]
mod tests;
