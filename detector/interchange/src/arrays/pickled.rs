//! The objects that a pickled numpy array or scalar is made of in, the array out.

use std::borrow::Cow;

use crate::class::Class;
use crate::numpy::NumpyError;
use crate::numpy::array::Array;
use crate::numpy::dtype::{Dtype, FIELDS_LIMIT};
use crate::object::{Graph, Id, Object};

/// The array that an object stands for: `_reconstruct` and its state (protocols 2 to 4), `_frombuffer`
/// (protocol 5), a numpy scalar (an array of one), or an array that was read already.
pub(crate) fn array<'a>(graph: &'a Graph<'_>, id: Id) -> Result<Cow<'a, Array<'a>>, NumpyError> {
    match graph.get(id) {
        Object::Array(array) => Ok(Cow::Borrowed(array)),
        Object::Instance { class: Class::Reconstruct, state: Some(state), .. } => {
            reconstructed(graph, *state)
        }
        Object::Instance { class: Class::FromBuffer, args, .. } => from_buffer(graph, *args),
        Object::Instance { class: Class::Scalar, args, .. } => scalar(graph, *args),
        _ => Err(NumpyError::Malformed("an array is needed here")),
    }
}

/// The elements of a list or of an array of Python objects, in order; `None` for any other object.
pub(crate) fn objects<'a>(graph: &'a Graph<'_>, id: Id) -> Option<&'a [Id]> {
    if let Some(parts) = graph.sequence(id) {
        return Some(parts);
    }
    let (_, state) = graph.instance(id, Class::Reconstruct)?;
    let &[_, _, dtype_id, _, list] = graph.sequence(state?)? else { return None };
    match dtype(graph, dtype_id) {
        Ok(Dtype::Object) => graph.sequence(list),
        _ => None,
    }
}

/// Read an array from the state of `_reconstruct`: version, shape, dtype, whether in Fortran order, bytes.
fn reconstructed<'a>(graph: &'a Graph<'_>, state: Id) -> Result<Cow<'a, Array<'a>>, NumpyError> {
    const RULE: NumpyError = NumpyError::Malformed("its state is version, shape, dtype, order and data");
    let Some(&[_, shape_id, dtype_id, _, data]) = graph.sequence(state) else { return Err(RULE) };
    let data = graph.bytes(data).ok_or(RULE)?;
    Array::new(dtype(graph, dtype_id)?, &shape(graph, shape_id)?, data).map(Cow::Owned)
}

fn from_buffer<'a>(graph: &'a Graph<'_>, args: Id) -> Result<Cow<'a, Array<'a>>, NumpyError> {
    const RULE: NumpyError = NumpyError::Malformed("a buffer has data, dtype, shape and order");
    let Some(&[data, dtype_id, shape_id, _]) = graph.sequence(args) else { return Err(RULE) };
    let data = graph.bytes(data).ok_or(RULE)?;
    Array::new(dtype(graph, dtype_id)?, &shape(graph, shape_id)?, data).map(Cow::Owned)
}

fn scalar<'a>(graph: &'a Graph<'_>, args: Id) -> Result<Cow<'a, Array<'a>>, NumpyError> {
    const RULE: NumpyError = NumpyError::Malformed("a scalar has a dtype and bytes");
    let Some(&[dtype_id, data]) = graph.sequence(args) else { return Err(RULE) };
    let data = graph.bytes(data).ok_or(RULE)?;
    Array::new(dtype(graph, dtype_id)?, &[], data).map(Cow::Owned)
}

/// Read a shape: a tuple of at most 64 lengths.
pub(super) fn shape(graph: &Graph<'_>, id: Id) -> Result<Vec<u64>, NumpyError> {
    const RULE: NumpyError = NumpyError::Malformed("its shape is a tuple of lengths");
    let length = |&part| graph.int(part).and_then(|length| u64::try_from(length).ok()).ok_or(RULE);
    let parts = graph.sequence(id).ok_or(RULE)?;
    if parts.len() > 64 {
        return Err(RULE);
    }
    parts.iter().map(length).collect()
}

/// The memory cost of a record's field in bytes, without its name.
const FIELD_BYTES: usize = 64;

const DTYPE: NumpyError = NumpyError::Malformed("its dtype has a type string and a state");

/// The dtype of an array: a plain one, or a record of plain ones.
pub(super) fn dtype(graph: &Graph<'_>, id: Id) -> Result<Dtype, NumpyError> {
    let (plain, state) = plain(graph, id)?;
    match state {
        &[_, _, _, names, fields, ..] if !matches!(graph.get(names), Object::None) => {
            record(graph, names, fields, plain.itemsize())
        }
        _ => Ok(plain),
    }
}

/// Read a call `numpy.dtype(type string, False, True)` and its state: version, byte order, base, names,
/// fields, ...
fn plain<'g>(graph: &'g Graph<'_>, id: Id) -> Result<(Dtype, &'g [Id]), NumpyError> {
    let (args, state) = graph.instance(id, Class::Dtype).ok_or(DTYPE)?;
    let text = graph.sequence(args).and_then(|args| args.first()).and_then(|&text| graph.text(text));
    let dtype = Dtype::parse(text.ok_or(DTYPE)?)?;
    let state = state.map_or(Some(&[][..]), |state| graph.sequence(state)).ok_or(DTYPE)?;
    let order = state.get(1).and_then(|&order| graph.text(order)).unwrap_or("|");
    Ok((dtype.in_order(order), state))
}

/// Read a record type from its field names and a dict from each name to its dtype and offset. A field's dtype
/// is plain: records do not nest.
fn record(graph: &Graph<'_>, names: Id, fields: Id, itemsize: usize) -> Result<Dtype, NumpyError> {
    let names = graph.sequence(names).ok_or(DTYPE)?;
    if names.len() > FIELDS_LIMIT {
        return Err(NumpyError::Malformed("a record has at most 64 fields"));
    }
    let mut parts = Vec::with_capacity(names.len());
    for &name in names {
        let name = graph.text(name).ok_or(DTYPE)?;
        graph.budget().allocate(FIELD_BYTES + name.len())?;
        let field = graph.entry(fields, name).and_then(|field| graph.sequence(field));
        let Some(&[field, offset]) = field else { return Err(DTYPE) };
        let (dtype, _) = plain(graph, field)?;
        let offset = graph.int(offset).and_then(|offset| usize::try_from(offset).ok()).ok_or(DTYPE)?;
        parts.push((name.to_owned(), dtype, offset));
    }
    Dtype::record(parts, itemsize)
}
