//! Bytes in, checked pieces of them out: a cursor that never reads past the end and never copies.

/// The bytes end before the end of the requested piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("byte {position}: expected {wanted} bytes, but {left} are left")]
pub struct Truncated {
    /// Where the piece would begin, in bytes from the start.
    pub position: usize,
    /// The number of bytes requested.
    pub wanted: u64,
    /// The number of bytes that are left.
    pub left: usize,
}

/// A position in a byte slice.
#[derive(Debug, Clone)]
pub(crate) struct Cursor<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, position: 0 }
    }

    /// Bytes from the start to here.
    pub(crate) fn position(&self) -> usize {
        self.position
    }

    /// Bytes from here to the end.
    pub(crate) fn left(&self) -> usize {
        self.bytes.len() - self.position
    }

    /// Return the next `wanted` bytes. The length is compared with the bytes that are left before anything
    /// else happens.
    pub(crate) fn take(&mut self, wanted: u64) -> Result<&'a [u8], Truncated> {
        let left = self.left();
        if wanted > left as u64 {
            return Err(Truncated { position: self.position, wanted, left });
        }
        let start = self.position;
        self.position += wanted as usize;
        Ok(&self.bytes[start..self.position])
    }

    /// The next `N` bytes.
    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], Truncated> {
        let bytes = self.take(N as u64)?;
        Ok(bytes.try_into().expect("take gives as many bytes as it was asked for"))
    }

    pub(crate) fn u8(&mut self) -> Result<u8, Truncated> {
        self.array().map(u8::from_le_bytes)
    }

    pub(crate) fn u16(&mut self) -> Result<u16, Truncated> {
        self.array().map(u16::from_le_bytes)
    }

    pub(crate) fn u32(&mut self) -> Result<u32, Truncated> {
        self.array().map(u32::from_le_bytes)
    }

    pub(crate) fn u64(&mut self) -> Result<u64, Truncated> {
        self.array().map(u64::from_le_bytes)
    }

    /// Return the bytes before the next newline, and move past the newline.
    pub(crate) fn line(&mut self) -> Result<&'a [u8], Truncated> {
        let rest = &self.bytes[self.position..];
        let end = rest.iter().position(|&byte| byte == b'\n').unwrap_or(rest.len());
        let line = self.take(end as u64)?;
        self.take(1)?;
        Ok(line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_beyond_the_end_is_refused_without_moving() {
        let mut cursor = Cursor::new(b"abc");
        let refusal = cursor.take(1 << 40).unwrap_err();
        assert_eq!(refusal.to_string(), "byte 0: expected 1099511627776 bytes, but 3 are left");
        assert_eq!(cursor.take(3).unwrap(), b"abc");
    }

    #[test]
    fn a_line_ends_at_its_newline_and_needs_one() {
        let mut cursor = Cursor::new(b"os\nsystem");
        assert_eq!(cursor.line().unwrap(), b"os");
        assert!(cursor.line().is_err());
    }
}
