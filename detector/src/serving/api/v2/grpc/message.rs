//! Fields in, a protobuf message out.

use prost::encoding::{WireType, encode_key, encode_varint};

/// A protobuf message that is being written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Message(Vec<u8>);

impl Message {
    /// The description of a tensor, in metadata and in answers.
    pub(super) fn tensor(name: &str, datatype: &str, shape: &[i64]) -> Self {
        Self::default().text(1, name).text(2, datatype).integers(3, shape)
    }

    /// The bytes that are written so far.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Append a boolean.
    pub(super) fn flag(mut self, field: u32, value: bool) -> Self {
        encode_key(field, WireType::Varint, &mut self.0);
        self.0.push(value.into());
        self
    }

    /// Append a text.
    pub(super) fn text(mut self, field: u32, text: &str) -> Self {
        self.begin(field, text.len());
        self.0.extend_from_slice(text.as_bytes());
        self
    }

    /// Append another message.
    pub(super) fn message(mut self, field: u32, message: &Self) -> Self {
        self.begin(field, message.0.len());
        self.0.extend_from_slice(&message.0);
        self
    }

    /// Append integers, packed.
    pub(super) fn integers(mut self, field: u32, integers: &[i64]) -> Self {
        let mut packed = Vec::new();
        for integer in integers {
            encode_varint(integer.cast_unsigned(), &mut packed);
        }
        self.begin(field, packed.len());
        self.0.extend_from_slice(&packed);
        self
    }

    /// Append the key and the length of a field, whose bytes follow.
    pub(super) fn begin(&mut self, field: u32, length: usize) {
        encode_key(field, WireType::LengthDelimited, &mut self.0);
        encode_varint(length as u64, &mut self.0);
    }
}
