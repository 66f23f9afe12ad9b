//! The bytes of an encoded message in, the memory of the decoded message out: in a list, an empty text takes
//! two bytes in the file and 24 bytes in memory.

use prost::DecodeError;
use prost::bytes::Buf;
use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};

/// The bytes of memory for a number in a list: twice its size, because a growing list doubles its capacity.
const NUMBER: usize = 16;
/// The bytes of memory for a text or a view of bytes in a list, likewise.
const VIEW: usize = 64;

/// The memory of a message's fields. A field with a length costs `of_field` of its tag and its bytes; any
/// other field is a number.
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
            // The field ends beyond the message: the decoder reports that.
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

/// The memory of a text, which is copied, or of bytes, which are not copied.
fn view(field: &[u8]) -> usize {
    VIEW + field.len()
}

/// The memory of packed numbers: without keys between them, each takes one byte or more.
fn packed(field: &[u8]) -> usize {
    NUMBER * field.len()
}

/// The memory of a model, including the lists of its graph.
pub(super) fn of_model(bytes: &[u8]) -> Result<usize, DecodeError> {
    let of_graph = |bytes: &[u8]| of(bytes, |_, _| Ok(VIEW));
    of(bytes, |tag, field| if tag == 7 { of_graph(field) } else { Ok(view(field)) })
}

/// The memory of a node, a name, or another message that holds only texts and bytes.
pub(super) fn of_node(bytes: &[u8]) -> Result<usize, DecodeError> {
    of(bytes, |tag, field| Ok(if tag == 5 { VIEW } else { view(field) }))
}

/// The memory of a tensor.
pub(super) fn of_tensor(bytes: &[u8]) -> Result<usize, DecodeError> {
    of(bytes, |tag, field| {
        Ok(match tag {
            1 | 4 | 7 => packed(field),
            // For raw data, this is the memory of the numbers that are decoded from it.
            _ => view(field),
        })
    })
}

/// The memory of an attribute.
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
