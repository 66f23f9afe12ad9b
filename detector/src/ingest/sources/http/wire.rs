//! A protobuf message in; its fields out, one after another, as parts of it.
//!
//! Nothing is copied or collected, so that a message of millions of empty messages costs no more memory than its bytes.
//! Encoding: <https://protobuf.dev/programming-guides/encoding/>.

use prost::encoding::{WireType, decode_key, decode_varint};
use thiserror::Error;

/// Bytes that are no protobuf message.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum WireError {
    /// An invalid key or integer.
    #[error("{0}")]
    Key(String),
    /// A length or a number that reaches beyond the end.
    #[error("the message is truncated")]
    CutShort,
    /// Groups are not part of proto3.
    #[error("a group is not expected")]
    Group,
}

/// The value of a field.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'a> {
    /// An integer, an enum or a boolean.
    Varint(u64),
    /// A double or an integer of eight bytes.
    Fixed64(u64),
    /// A float or an integer of four bytes.
    Fixed32(u32),
    /// Text, bytes, a message, or packed numbers.
    Bytes(&'a [u8]),
}

/// The fields of a message, in its order. After an error there are no more.
#[derive(Clone, Copy, Debug)]
pub struct Fields<'a>(pub &'a [u8]);

impl<'a> Fields<'a> {
    /// The length-delimited fields with this number.
    ///
    /// # Errors
    /// Those of the iterator.
    pub fn of(self, number: u32) -> impl Iterator<Item = Result<&'a [u8], WireError>> {
        self.filter_map(move |field| match field {
            Ok((found, Value::Bytes(bytes))) if found == number => Some(Ok(bytes)),
            Ok(_) => None,
            Err(error) => Some(Err(error)),
        })
    }

    fn read(&mut self) -> Result<(u32, Value<'a>), WireError> {
        let (number, kind) = decode_key(&mut self.0).map_err(|error| WireError::Key(error.to_string()))?;
        let value = match kind {
            WireType::Varint => Value::Varint(self.varint()?),
            WireType::SixtyFourBit => Value::Fixed64(u64::from_le_bytes(self.array()?)),
            WireType::ThirtyTwoBit => Value::Fixed32(u32::from_le_bytes(self.array()?)),
            WireType::LengthDelimited => {
                let length = usize::try_from(self.varint()?).map_err(|_| WireError::CutShort)?;
                Value::Bytes(self.take(length)?)
            }
            WireType::StartGroup | WireType::EndGroup => return Err(WireError::Group),
        };
        Ok((number, value))
    }

    fn varint(&mut self) -> Result<u64, WireError> {
        decode_varint(&mut self.0).map_err(|error| WireError::Key(error.to_string()))
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], WireError> {
        let bytes = self.take(N)?;
        bytes.try_into().map_err(|_| WireError::CutShort)
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], WireError> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(WireError::CutShort)?;
        self.0 = rest;
        Ok(taken)
    }
}

#[allow(clippy::copy_iterator, reason = "a copy reads the same message again, from where it is")]
impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u32, Value<'a>), WireError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = self.read();
        if field.is_err() {
            self.0 = &[];
        }
        Some(field)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn fields_come_in_order_and_end_at_the_first_error() {
        let message = [0x08, 0x96, 0x01, 0x12, 2, b'h', b'i', 0x19, 1, 0, 0, 0, 0, 0, 0, 0, 0x25, 2, 0, 0, 0];
        let fields: Vec<_> = Fields(&message).map(Result::unwrap).collect();
        let expected = [
            (1, Value::Varint(150)),
            (2, Value::Bytes(b"hi")),
            (3, Value::Fixed64(1)),
            (4, Value::Fixed32(2)),
        ];
        assert_eq!(fields, expected);
        let cut: Vec<_> = Fields(&[0x08, 1, 0x12, 5, b'h']).collect();
        assert_eq!(cut, [Ok((1, Value::Varint(1))), Err(WireError::CutShort)]);
    }

    proptest! {
        #[test]
        fn no_bytes_whatever_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Fields(&bytes).count();
        }
    }
}
