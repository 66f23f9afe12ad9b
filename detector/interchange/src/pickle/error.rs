//! Why a pickle was refused, and the bound on its length.

use crate::budget::CostError;
use crate::class::FOREST_ALONE;
use crate::cursor::Truncated;
use crate::numpy::NumpyError;

/// The most opcodes in a file. A forest takes about 150 for each tree and two for each column name.
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
    #[error("byte {position}: opcode 0x{code:02x} does not occur in a scikit-learn model")]
    Opcode {
        /// The byte.
        code: u8,
        /// Its position in bytes.
        position: usize,
    },
    /// A class or function that is not on the allow-list.
    #[error("class {0} is not part of an isolation forest, no code of the file was run")]
    Class(String),
    /// The class of a pipeline's step that is not on the allow-list.
    #[error("class {0} is not a supported step, no code of the file was run. {FOREST_ALONE}")]
    Step(String),
    /// An opcode that does not fit what is on the stack.
    #[error("byte {position}: {rule}")]
    Malformed {
        /// The position of the opcode in bytes.
        position: usize,
        /// The rule that is broken.
        rule: &'static str,
    },
    /// More opcodes than any forest needs.
    #[error("the pickle has more than {OPCODE_LIMIT} opcodes")]
    TooLong,
    /// Bytes follow the end of the pickle.
    #[error("{0} bytes follow the end of the pickle, save the model in a file of its own")]
    Trailing(usize),
    /// Reading it takes too much memory or time.
    #[error(transparent)]
    Cost(#[from] CostError),
    /// An array inside a joblib file.
    #[error("byte {position}: {source}")]
    Array {
        /// The position of the array in bytes.
        position: usize,
        /// What is wrong with it.
        source: NumpyError,
    },
}
