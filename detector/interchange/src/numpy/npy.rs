//! The bytes of an `.npy` file in, its array out (numpy's NEP 1 format, versions 1 to 3).

use std::borrow::Cow;

use super::array::Array;
use super::dtype::Dtype;
use super::error::NumpyError;
use super::literal::Literal;
use crate::cursor::Cursor;

const MAGIC: &[u8] = b"\x93NUMPY";

/// Read the array of an `.npy` file. The order of dimensions (C or Fortran) is ignored: a forest's arrays
/// have one dimension.
pub(crate) fn read(mut bytes: Vec<u8>) -> Result<Array<'static>, NumpyError> {
    let (dtype, shape, start) = header(&bytes)?;
    bytes.drain(..start);
    Array::new(dtype, &shape, Cow::Owned(bytes))
}

/// Read the header: element type, shape, and the offset in bytes at which the elements begin.
fn header(bytes: &[u8]) -> Result<(Dtype, Vec<u64>, usize), NumpyError> {
    let mut cursor = Cursor::new(bytes);
    if cursor.take(MAGIC.len() as u64)? != MAGIC {
        return Err(NumpyError::Malformed("it begins with \"\\x93NUMPY\""));
    }
    let [major, _minor] = cursor.array()?;
    let length = if major == 1 { u64::from(cursor.u16()?) } else { u64::from(cursor.u32()?) };
    if length > HEADER_LIMIT {
        return Err(NumpyError::Malformed("its header has at most 65536 bytes"));
    }
    let header = std::str::from_utf8(cursor.take(length)?).map_err(|_| HEADER)?;
    let header = Literal::parse(header)?;
    let dtype = dtype(header.entry("descr").ok_or(HEADER)?)?;
    let shape = shape(header.entry("shape").ok_or(HEADER)?)?;
    Ok((dtype, shape, cursor.position()))
}

/// The longest header in bytes: about as much as version 1 of the format can state.
const HEADER_LIMIT: u64 = 1 << 16;

const HEADER: NumpyError = NumpyError::Malformed("its header names descr, fortran_order and shape");

fn shape(literal: &Literal) -> Result<Vec<u64>, NumpyError> {
    let length = |part: &Literal| match part {
        Literal::Int(length) => Ok(*length),
        _ => Err(HEADER),
    };
    literal.sequence().ok_or(HEADER)?.iter().map(length).collect()
}

/// Parse an element type: a type string, or a list of fields (name, type string).
fn dtype(literal: &Literal) -> Result<Dtype, NumpyError> {
    if let Some(text) = literal.text() {
        return Dtype::parse(text);
    }
    let mut parts = Vec::new();
    let mut offset = 0_usize;
    for field in literal.sequence().ok_or(HEADER)? {
        let Some([name, dtype]) = field.sequence() else { return Err(HEADER) };
        let dtype = Dtype::parse(dtype.text().ok_or(HEADER)?)?;
        let next = offset.checked_add(dtype.itemsize()).ok_or(HEADER)?;
        parts.push((name.text().ok_or(HEADER)?.to_owned(), dtype, offset));
        offset = next;
    }
    Dtype::record(parts, offset)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn npy(header: &str, data: &[u8]) -> Vec<u8> {
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend((header.len() as u16).to_le_bytes());
        bytes.extend(header.as_bytes());
        bytes.extend(data);
        bytes
    }

    #[test]
    fn records_with_padding_are_read() {
        let header =
            "{'descr': [('a', '|u1'), ('', '|V1'), ('b', '<i2')], 'fortran_order': False, 'shape': (2,)}";
        let array = read(npy(header, &[1, 0, 2, 0, 3, 0, 4, 0])).unwrap();
        assert_eq!(array.len(), 2);
        assert_eq!(array.field("a").unwrap().ints().unwrap(), [1, 3]);
        assert_eq!(array.field("b").unwrap().ints().unwrap(), [2, 4]);
    }

    #[test]
    fn an_array_of_two_to_the_forty_is_refused_by_its_bytes() {
        let header = "{'descr': '<f8', 'fortran_order': False, 'shape': (1099511627776,)}";
        let refusal = read(npy(header, &[0; 16])).unwrap_err().to_string();
        assert_eq!(
            refusal,
            "an array of 1099511627776 elements of 8 bytes does not fit in the 16 bytes given"
        );
    }

    #[test]
    fn python_objects_are_refused() {
        let header = "{'descr': '|O', 'fortran_order': False, 'shape': (1,)}";
        assert!(matches!(read(npy(header, &[0; 8])), Err(NumpyError::Dtype(_))));
    }
}
