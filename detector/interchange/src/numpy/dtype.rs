//! A numpy type string such as `<f8`, or a record of them, in; how to read an element's bytes out.

use super::error::NumpyError;

/// The most fields that a record may have: a tree's node has 7 or 8, and padding.
pub(crate) const FIELDS_LIMIT: usize = 64;

/// The type of an array's elements.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Dtype {
    Number(Number),
    /// Python objects: their bytes are a pickle.
    Object,
    Record {
        fields: Vec<Field>,
        itemsize: usize,
    },
    /// Elements whose values are not read: padding, texts and byte strings.
    Other {
        itemsize: usize,
    },
}

/// One named part of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Field {
    pub(crate) name: String,
    pub(crate) number: Number,
    /// Bytes from the record's start.
    pub(crate) offset: usize,
}

/// A number's kind, width and byte order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Number {
    kind: Kind,
    /// Bytes: 1, 2, 4 or 8.
    width: usize,
    big_endian: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Signed,
    Unsigned,
    Float,
}

impl Dtype {
    /// Parse a type string: byte order (`<`, `>`, `|`, `=` or none), kind, width.
    ///
    /// # Errors
    /// A kind or a width that no forest has.
    pub(crate) fn parse(text: &str) -> Result<Self, NumpyError> {
        let unknown = || NumpyError::Dtype(text.chars().take(20).collect());
        let plain = text.trim_start_matches(['<', '>', '|', '=']);
        let mut letters = plain.chars();
        let kind = letters.next().ok_or_else(unknown)?;
        let width = letters.as_str().parse().unwrap_or(0);
        let big_endian = text.starts_with('>');
        let number = |kind| Self::Number(Number { kind, width, big_endian });
        Ok(match (kind, width) {
            ('O', _) => Self::Object,
            ('i', 1 | 2 | 4 | 8) => number(Kind::Signed),
            ('u' | 'b', 1) | ('u', 2 | 4 | 8) => number(Kind::Unsigned),
            ('f', 4 | 8) => number(Kind::Float),
            ('V' | 'U' | 'S', 1..=4096) => {
                let letter_width = if kind == 'U' { 4 } else { 1 };
                Self::Other { itemsize: width * letter_width }
            }
            _ => return Err(unknown()),
        })
    }

    /// Return the same type with byte order `order` (`<`, `>`, `|` or `=`), which a pickle states apart from
    /// the type string.
    pub(crate) fn in_order(self, order: &str) -> Self {
        match self {
            Self::Number(number) => Self::Number(Number { big_endian: order == ">", ..number }),
            other => other,
        }
    }

    /// Create a record type. Each field must lie inside the record; fields that are not numbers are dropped.
    pub(crate) fn record(parts: Vec<(String, Self, usize)>, itemsize: usize) -> Result<Self, NumpyError> {
        if parts.len() > FIELDS_LIMIT {
            return Err(NumpyError::Malformed("a record has at most 64 fields"));
        }
        let mut fields = Vec::with_capacity(parts.len());
        for (name, dtype, offset) in parts {
            let end = dtype.itemsize().checked_add(offset);
            if end.is_none_or(|end| end > itemsize) {
                return Err(NumpyError::Malformed("a record's fields lie inside it"));
            }
            if let Self::Number(number) = dtype {
                fields.push(Field { name, number, offset });
            }
        }
        Ok(Self::Record { fields, itemsize })
    }

    /// The size of an element in bytes.
    pub(crate) fn itemsize(&self) -> usize {
        match self {
            Self::Number(number) => number.width,
            Self::Object => 8,
            Self::Record { itemsize, .. } | Self::Other { itemsize } => *itemsize,
        }
    }
}

impl Number {
    /// The number at the start of `bytes`, as a float.
    pub(crate) fn float(self, bytes: &[u8]) -> f64 {
        let bits = self.bits(bytes);
        match (self.kind, self.width) {
            (Kind::Float, 4) => f64::from(f32::from_bits(bits as u32)),
            (Kind::Float, _) => f64::from_bits(bits),
            (Kind::Signed, _) => self.signed(bits) as f64,
            (Kind::Unsigned, _) => bits as f64,
        }
    }

    /// The number at the start of `bytes`, if it is an integer that fits in an `i64`.
    pub(crate) fn int(self, bytes: &[u8]) -> Option<i64> {
        let bits = self.bits(bytes);
        match self.kind {
            Kind::Float => None,
            Kind::Signed => Some(self.signed(bits)),
            Kind::Unsigned => i64::try_from(bits).ok(),
        }
    }

    fn bits(self, bytes: &[u8]) -> u64 {
        let mut wide = [0; 8];
        wide[..self.width].copy_from_slice(&bytes[..self.width]);
        if self.big_endian {
            wide[..self.width].reverse();
        }
        u64::from_le_bytes(wide)
    }

    fn signed(self, bits: u64) -> i64 {
        let unused = 64 - 8 * self.width as u32;
        (bits << unused).cast_signed() >> unused
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> Number {
        match Dtype::parse(text).unwrap() {
            Dtype::Number(number) => number,
            other => panic!("{text} is {other:?}"),
        }
    }

    #[test]
    fn numbers_are_read_in_their_width_and_byte_order() {
        assert_eq!(number("<i2").int(&[0xfe, 0xff]), Some(-2));
        assert_eq!(number(">i4").int(&[0, 0, 1, 0]), Some(256));
        assert_eq!(number("|u1").int(&[255]), Some(255));
        assert_eq!(number("<u8").int(&[255; 8]), None);
        assert_eq!(number("<f4").float(&1.5_f32.to_le_bytes()), 1.5);
        assert_eq!(number(">f8").float(&(-0.1_f64).to_be_bytes()), -0.1);
    }

    #[test]
    fn types_that_no_forest_has_are_named() {
        assert_eq!(
            Dtype::parse("<c16").unwrap_err().to_string(),
            "array elements of type \"<c16\" are not supported"
        );
        assert!(Dtype::parse("f16").is_err());
        assert!(Dtype::parse("").is_err());
        assert!(Dtype::parse("V99999999999999999999").is_err());
    }

    #[test]
    fn a_field_outside_its_record_is_refused() {
        let field = |offset| vec![("left_child".to_owned(), Dtype::parse("<i8").unwrap(), offset)];
        assert!(Dtype::record(field(8), 16).is_ok());
        assert!(Dtype::record(field(9), 16).is_err());
        assert!(Dtype::record(field(usize::MAX), 16).is_err());
    }
}
