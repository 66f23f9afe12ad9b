//! An element type, a shape and bytes in; checked columns of numbers out.

use std::borrow::Cow;

use super::dtype::{Dtype, Number};
use super::error::NumpyError;

/// An array. The number of its bytes matches its shape and element type.
#[derive(Debug, Clone)]
pub(crate) struct Array<'a> {
    dtype: Dtype,
    data: Cow<'a, [u8]>,
}

/// One number of each element of an array: a field of a record array, or the elements themselves.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Column<'a> {
    data: &'a [u8],
    itemsize: usize,
    number: Number,
    offset: usize,
}

/// The number of bytes of an array of `shape`; `None` if it overflows.
pub(crate) fn size(shape: &[u64], itemsize: usize) -> Option<u64> {
    let elements = shape.iter().try_fold(1_u64, |product, &length| product.checked_mul(length))?;
    elements.checked_mul(itemsize as u64)
}

impl<'a> Array<'a> {
    /// Create an array from an element type, a shape and bytes.
    ///
    /// # Errors
    /// A number of bytes that does not match type and shape, elements of 0 bytes, or Python objects as
    /// elements.
    pub(crate) fn new(dtype: Dtype, shape: &[u64], data: Cow<'a, [u8]>) -> Result<Self, NumpyError> {
        if dtype == Dtype::Object {
            return Err(NumpyError::Dtype("O".to_owned()));
        }
        let itemsize = dtype.itemsize();
        if size(shape, itemsize) == Some(data.len() as u64) && itemsize > 0 {
            return Ok(Self { dtype, data });
        }
        let elements = shape.iter().fold(1_u128, |product, &length| product.saturating_mul(length.into()));
        Err(NumpyError::Size { elements, itemsize, bytes: data.len() })
    }

    /// The number of elements: the product of all dimensions.
    pub(crate) fn len(&self) -> usize {
        self.data.len() / self.dtype.itemsize()
    }

    /// The elements as one column of numbers.
    ///
    /// # Errors
    /// Elements that are not numbers.
    pub(crate) fn numbers(&self) -> Result<Column<'_>, NumpyError> {
        match self.dtype {
            Dtype::Number(number) => Ok(self.column(number, 0)),
            _ => Err(NumpyError::Malformed("an array of numbers is needed here")),
        }
    }

    /// The field `name` of each record.
    ///
    /// # Errors
    /// There is no such field, or the elements are not records.
    pub(crate) fn field(&self, name: &'static str) -> Result<Column<'_>, NumpyError> {
        let Dtype::Record { fields, .. } = &self.dtype else {
            return Err(NumpyError::Malformed("an array of records is needed here"));
        };
        let field = fields.iter().find(|field| field.name == name).ok_or(NumpyError::Field(name))?;
        Ok(self.column(field.number, field.offset))
    }

    fn column(&self, number: Number, offset: usize) -> Column<'_> {
        Column { data: &self.data, itemsize: self.dtype.itemsize(), number, offset }
    }
}

impl Column<'_> {
    /// The numbers as floats.
    pub(crate) fn floats(&self) -> impl Iterator<Item = f64> {
        self.cells().map(|cell| self.number.float(cell))
    }

    /// The numbers as integers.
    ///
    /// # Errors
    /// Floats, or integers beyond 63 bits.
    pub(crate) fn ints(&self) -> Result<Vec<i64>, NumpyError> {
        let ints = self.cells().map(|cell| self.number.int(cell)).collect::<Option<_>>();
        ints.ok_or(NumpyError::Malformed("integers of at most 63 bits are needed here"))
    }

    fn cells(&self) -> impl Iterator<Item = &[u8]> {
        self.data.chunks_exact(self.itemsize).map(|element| &element[self.offset..])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shape_that_its_bytes_do_not_fill_is_refused() {
        let dtype = || Dtype::parse("<i2").unwrap();
        let array = Array::new(dtype(), &[3], Cow::Borrowed(&[1, 0, 2, 0, 3, 0])).unwrap();
        assert_eq!(array.numbers().unwrap().ints().unwrap(), [1, 2, 3]);
        let refusal = Array::new(dtype(), &[1 << 40], Cow::Borrowed(&[0; 6])).unwrap_err();
        assert_eq!(
            refusal.to_string(),
            "an array of 1099511627776 elements of 2 bytes does not fit in the 6 bytes given"
        );
        assert!(Array::new(dtype(), &[u64::MAX, 2], Cow::Borrowed(&[0; 6])).is_err());
    }

    #[test]
    fn a_column_steps_over_the_other_fields() {
        let parts = vec![
            ("feature".to_owned(), Dtype::parse("|i1").unwrap(), 0),
            ("threshold".to_owned(), Dtype::parse("<f4").unwrap(), 1),
        ];
        let mut data = vec![7];
        data.extend(0.5_f32.to_le_bytes());
        data.push(8);
        data.extend(2.5_f32.to_le_bytes());
        let array = Array::new(Dtype::record(parts, 5).unwrap(), &[2], Cow::Owned(data)).unwrap();
        assert_eq!(array.field("feature").unwrap().ints().unwrap(), [7, 8]);
        assert_eq!(array.field("threshold").unwrap().floats().collect::<Vec<_>>(), [0.5, 2.5]);
        assert_eq!(array.field("left").unwrap_err().to_string(), "the array has no field \"left\"");
    }
}
