//! A pickle's bytes in, its objects as data out: a stack machine that builds and never calls.
//!
//! Protocols 2 to 5, as Python's own pickler writes them (PEP 307, PEP 3154, PEP 574; the meaning of each
//! opcode is documented in Python's `pickletools`). Python would *run* a `REDUCE`; here it becomes a record
//! of the class and its arguments, and only classes on the [allow-list](crate::class) are accepted.
//!
//! Cost is bounded by the input: a length is compared with the bytes that are left before it is used, text and
//! bytes are borrowed, an opcode makes at most one object, which the [budget](crate::budget) counts, and the number of
//! opcodes is limited. Nothing recurses over the objects, so nesting and self-reference cost nothing.

mod error;
mod opcode;
mod machine;

use crate::budget::Budget;
use crate::cursor::Cursor;
use crate::object::Graph;
use machine::Machine;

pub use error::{OPCODE_LIMIT, PickleError};

/// Whether `bytes` begin as a pickle of protocol 2 or later does.
pub(crate) fn is_pickle(bytes: &[u8]) -> bool {
    matches!(bytes, [opcode::PROTO, ..])
}

/// The objects of a pickle or of an unpacked joblib file.
pub(crate) fn read<'a>(bytes: &'a [u8], budget: &'a Budget) -> Result<Graph<'a>, PickleError> {
    let mut cursor = Cursor::new(bytes);
    let mut graph = Graph::new(budget);
    let mut opcodes_left = OPCODE_LIMIT;
    graph.root = Machine::new(&mut cursor, &mut graph, &mut opcodes_left).run()?;
    match cursor.left() {
        0 => Ok(graph),
        left => Err(PickleError::Trailing(left)),
    }
}

#[cfg(test)]
mod tests;
