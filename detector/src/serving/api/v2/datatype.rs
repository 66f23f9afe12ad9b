//! The type and the bytes of a tensor's elements, little endian, in; numbers out.

use serde::Deserialize;
use serde::de::value::{Error as ValueError, StrDeserializer};

use super::super::error::ApiError;
use crate::serving::budget::Held;

/// The types of elements that are accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
#[allow(missing_docs)]
pub(super) enum Datatype {
    Uint8,
    Uint16,
    Uint32,
    Uint64,
    Int8,
    Int16,
    Int32,
    Int64,
    Fp32,
    Fp64,
    /// Texts that are numbers; in binary, each follows its length in four bytes.
    Bytes,
}

impl Datatype {
    /// The size of an element, bytes; none if it varies.
    fn width(self) -> Option<usize> {
        match self {
            Self::Uint8 | Self::Int8 => Some(1),
            Self::Uint16 | Self::Int16 => Some(2),
            Self::Uint32 | Self::Int32 | Self::Fp32 => Some(4),
            Self::Uint64 | Self::Int64 | Self::Fp64 => Some(8),
            Self::Bytes => None,
        }
    }

    /// The type of this name.
    pub(super) fn named(name: &str) -> Option<Self> {
        Self::deserialize(StrDeserializer::<ValueError>::new(name)).ok()
    }

    /// Read the numbers in a tensor's bytes, and hold memory for them. Errors name the tensor as `shown`.
    ///
    /// # Errors
    /// The bytes end within an element, or the budget has no room.
    pub(super) fn held(self, shown: &str, bytes: &[u8], held: &mut Held) -> Result<Vec<f64>, ApiError> {
        let broken = || {
            let why = format!("expected whole elements, got {} bytes", bytes.len());
            ApiError::Unprocessable(shown.to_owned(), why)
        };
        held.grow(self.count(bytes.len()).ok_or_else(broken)? * size_of::<f64>())?;
        self.numbers(bytes).ok_or_else(broken)
    }

    /// The field of `InferTensorContents` that has its elements.
    pub(super) fn contents_field(self) -> u32 {
        match self {
            Self::Int8 | Self::Int16 | Self::Int32 => 2,
            Self::Int64 => 3,
            Self::Uint8 | Self::Uint16 | Self::Uint32 => 4,
            Self::Uint64 => 5,
            Self::Fp32 => 6,
            Self::Fp64 => 7,
            Self::Bytes => 8,
        }
    }

    /// The number that a varint of that field encodes.
    pub(super) fn integer(self, varint: u64) -> f64 {
        match self {
            Self::Int8 | Self::Int16 | Self::Int32 | Self::Int64 => varint.cast_signed() as f64,
            _ => varint as f64,
        }
    }

    /// The most numbers in this many bytes; none if they end within an element.
    fn count(self, bytes: usize) -> Option<usize> {
        match self.width() {
            Some(width) => bytes.is_multiple_of(width).then_some(bytes / width),
            None => Some(bytes / LENGTH),
        }
    }

    /// The numbers in a tensor's bytes; NaN for a text that is not a number. None if the bytes are truncated.
    fn numbers(self, bytes: &[u8]) -> Option<Vec<f64>> {
        match self {
            Self::Uint8 => Some(bytes.iter().map(|byte| f64::from(*byte)).collect()),
            Self::Int8 => each(bytes, |byte| f64::from(i8::from_le_bytes(byte))),
            Self::Uint16 => each(bytes, |bytes| f64::from(u16::from_le_bytes(bytes))),
            Self::Int16 => each(bytes, |bytes| f64::from(i16::from_le_bytes(bytes))),
            Self::Uint32 => each(bytes, |bytes| f64::from(u32::from_le_bytes(bytes))),
            Self::Int32 => each(bytes, |bytes| f64::from(i32::from_le_bytes(bytes))),
            Self::Uint64 => each(bytes, |bytes| u64::from_le_bytes(bytes) as f64),
            Self::Int64 => each(bytes, |bytes| i64::from_le_bytes(bytes) as f64),
            Self::Fp32 => each(bytes, |bytes| f64::from(f32::from_le_bytes(bytes))),
            Self::Fp64 => each(bytes, f64::from_le_bytes),
            Self::Bytes => texts(bytes),
        }
    }
}

/// The size of a text's length, bytes.
const LENGTH: usize = 4;

fn each<const WIDTH: usize>(bytes: &[u8], number: impl Fn([u8; WIDTH]) -> f64) -> Option<Vec<f64>> {
    let (items, []) = bytes.as_chunks() else { return None };
    Some(items.iter().map(|item| number(*item)).collect())
}

fn texts(mut rest: &[u8]) -> Option<Vec<f64>> {
    let mut numbers = Vec::with_capacity(rest.len() / LENGTH);
    while !rest.is_empty() {
        let (length, after) = rest.split_first_chunk()?;
        let (text, after) = after.split_at_checked(u32::from_le_bytes(*length) as usize)?;
        let number = std::str::from_utf8(text).ok().and_then(|text| text.trim().parse().ok());
        numbers.push(number.unwrap_or(f64::NAN));
        rest = after;
    }
    Some(numbers)
}

#[cfg(test)]
mod tests {
    use super::Datatype;

    #[test]
    fn bytes_are_numbers_by_their_type() {
        for (datatype, bytes, numbers) in [
            (Datatype::Uint8, vec![7, 255], vec![7.0, 255.0]),
            (Datatype::Int8, vec![7, 255], vec![7.0, -1.0]),
            (Datatype::Int16, (-300_i16).to_le_bytes().to_vec(), vec![-300.0]),
            (Datatype::Uint32, 70_000_u32.to_le_bytes().to_vec(), vec![70_000.0]),
            (Datatype::Int64, (-5_i64).to_le_bytes().to_vec(), vec![-5.0]),
            (Datatype::Fp32, 0.5_f32.to_le_bytes().to_vec(), vec![0.5]),
            (Datatype::Fp64, 0.1_f64.to_le_bytes().to_vec(), vec![0.1]),
            (Datatype::Bytes, b"\x03\0\0\x001.5\x01\0\0\x007".to_vec(), vec![1.5, 7.0]),
        ] {
            assert_eq!(datatype.numbers(&bytes), Some(numbers), "{datatype:?}");
        }
    }

    #[test]
    fn bytes_that_break_off_are_none() {
        assert_eq!(Datatype::Fp64.numbers(&[0; 12]), None);
        assert_eq!(Datatype::Fp64.count(12), None);
        for broken in [&b"\x05\0\0\x001.5"[..], b"\x01\0", b"\xff\xff\xff\xff1"] {
            assert_eq!(Datatype::Bytes.numbers(broken), None);
        }
        assert!(Datatype::Bytes.numbers(b"\x01\0\0\0x").unwrap()[0].is_nan());
    }
}
