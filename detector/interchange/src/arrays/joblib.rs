//! joblib's array wrapper in, the array that follows it in the file out.

use std::borrow::Cow;

use super::pickled;
use crate::cursor::Cursor;
use crate::numpy::NumpyError;
use crate::numpy::array::{Array, size};
use crate::numpy::dtype::Dtype;
use crate::object::{Graph, Id, Object};

/// The description of an array that joblib writes before the array's bytes.
pub(crate) struct Header {
    dtype: Dtype,
    shape: Vec<u64>,
    /// Whether padding precedes the bytes: one byte with the padding's length, then the padding. joblib 1.2
    /// and later write it.
    padded: bool,
}

/// The header that the state of a `NumpyArrayWrapper` holds.
pub(crate) fn header(graph: &Graph<'_>, state: Id) -> Result<Header, NumpyError> {
    const RULE: NumpyError = NumpyError::Malformed("joblib names its dtype and its shape");
    let dtype = pickled::dtype(graph, graph.entry(state, "dtype").ok_or(RULE)?)?;
    let shape = pickled::shape(graph, graph.entry(state, "shape").ok_or(RULE)?)?;
    let alignment = graph.entry(state, "numpy_array_alignment_bytes");
    let padded = alignment.is_some_and(|alignment| !matches!(graph.get(alignment), Object::None));
    Ok(Header { dtype, shape, padded })
}

impl Header {
    /// Whether the elements are Python objects, so that a pickle follows instead of the array's bytes.
    pub(crate) fn holds_objects(&self) -> bool {
        self.dtype == Dtype::Object
    }

    /// The array whose bytes begin at the cursor.
    pub(crate) fn read<'a>(self, cursor: &mut Cursor<'a>) -> Result<Array<'a>, NumpyError> {
        if self.padded {
            let padding = cursor.u8()?;
            cursor.take(padding.into())?;
        }
        let bytes = size(&self.shape, self.dtype.itemsize()).unwrap_or(u64::MAX);
        let data = cursor.take(bytes)?;
        Array::new(self.dtype, &self.shape, Cow::Borrowed(data))
    }
}
