//! A message's bytes in, the memory that it takes once it is decoded out: a list of empty texts has two bytes each in a file,
//! and 24 in memory.

use prost::DecodeError;
use prost::bytes::Buf;
use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};

/// A number in a list, which has room for twice as many.
const NUMBER: usize = 16;
/// A text or a view of bytes in a list, likewise.
const VIEW: usize = 64;

/// What the fields take that carry a length, each by `of_field` of its tag and its bytes; and numbers, on top.
fn of(
    bytes: &[u8],
    of_field: impl Fn(u32, &[u8]) -> Result<usize, DecodeError>,
) -> Result<usize, DecodeError> {
    let mut rest = bytes;
    let mut total = 0_usize;
    while rest.has_remaining() {
        let (tag, wire_type) = decode_key(&mut rest)?;
        let cost = if wire_type == WireType::LengthDelimited {
            let length = usize::try_from(decode_varint(&mut rest)?).unwrap_or(usize::MAX);
            // Beyond the end: the decoder says so.
            let Some((field, after)) = rest.split_at_checked(length) else { return Ok(total) };
            rest = after;
            of_field(tag, field)?
        } else {
            skip_field(wire_type, tag, &mut rest, DecodeContext::default())?;
            NUMBER
        };
        total = total.saturating_add(cost);
    }
    Ok(total)
}

/// A text, which is copied, or bytes, which are not.
fn view(field: &[u8]) -> usize {
    VIEW + field.len()
}

/// Numbers without keys between them, a byte each or more.
fn packed(field: &[u8]) -> usize {
    NUMBER * field.len()
}

/// Of a model, its graph's lists among it.
pub(super) fn of_model(bytes: &[u8]) -> Result<usize, DecodeError> {
    let of_graph = |bytes: &[u8]| of(bytes, |_, _| Ok(VIEW));
    of(bytes, |tag, field| if tag == 7 { of_graph(field) } else { Ok(view(field)) })
}

/// Of a node, a name, or whatever has texts and views alone.
pub(super) fn of_node(bytes: &[u8]) -> Result<usize, DecodeError> {
    of(bytes, |tag, field| Ok(if tag == 5 { VIEW } else { view(field) }))
}

/// Of a tensor.
pub(super) fn of_tensor(bytes: &[u8]) -> Result<usize, DecodeError> {
    of(bytes, |tag, field| {
        Ok(match tag {
            1 | 4 | 7 => packed(field),
            // The numbers that are made of them.
            _ => view(field),
        })
    })
}

/// Of an attribute.
pub(super) fn of_attribute(bytes: &[u8]) -> Result<usize, DecodeError> {
    of(bytes, |tag, field| match tag {
        5 => of_tensor(field),
        7 | 8 => Ok(packed(field)),
        1 => Ok(view(field)),
        _ => Ok(VIEW),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_texts_and_packed_numbers_cost_what_they_become() {
        // A node of 1000 inputs without a name.
        assert_eq!(of_node(&b"\x0a\0".repeat(1000)).unwrap(), 64_000);
        // An attribute of three numbers, packed, and of one that is not.
        assert_eq!(of_attribute(b"\x42\x03\x01\x02\x03\x40\x07").unwrap(), 3 * 16 + 16);
        // A graph of 500 empty nodes, named twice: the decoder joins both.
        let graph = b"\x0a\0".repeat(500);
        let model = [&b"\x3a\xe8\x07"[..], &graph].concat().repeat(2);
        assert_eq!(of_model(&model).unwrap(), 64_000);
    }

    #[test]
    fn what_ends_too_early_is_left_to_the_decoder() {
        assert_eq!(of_node(b"\x0a\x05ab").unwrap(), 0);
        assert!(of_node(b"\x0b").is_err());
    }
}
