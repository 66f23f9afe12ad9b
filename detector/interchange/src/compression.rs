//! A compressed file's bytes in, the unpacked bytes out, for the formats that
//! `joblib.dump(..., compress=...)` writes.

use std::io::{self, Read};

use bzip2::read::MultiBzDecoder;
use flate2::read::{MultiGzDecoder, ZlibDecoder};
use lz4_flex::frame::FrameDecoder;
use lzma_rust2::{LzmaReader, XzReader};

use crate::budget::{Budget, CostError};

/// The longest compressed file that is unpacked: 32 MiB. The slowest decoder takes two or three seconds for it.
pub const COMPRESSED_LIMIT: usize = 32 << 20;

/// The smallest number of bytes to unpack at a time: 64 KiB.
const PIECE: usize = 64 << 10;

/// The most memory that an LZMA dictionary may take: what `xz -9` asks for, in KiB.
const DICTIONARY_LIMIT_KIB: u32 = 70 << 10;

/// Why a compressed file could not be unpacked.
#[derive(Debug, thiserror::Error)]
pub enum CompressionError {
    /// The stream is damaged.
    #[error("the {format} stream is damaged")]
    Damaged {
        /// The compression's name.
        format: &'static str,
        /// The decoder's error.
        source: io::Error,
    },
    /// It is longer than [`COMPRESSED_LIMIT`].
    #[error(
        "a compressed file must have at most {COMPRESSED_LIMIT} bytes, got {0}: save the model again without compress"
    )]
    TooLong(usize),
    /// The file unpacks to more than its budget allows.
    #[error("the {format} stream decompresses to too much: {source}")]
    TooLarge {
        /// The compression's name.
        format: &'static str,
        /// The limit that is exceeded.
        source: CostError,
    },
    /// The compression format is recognized but not supported.
    #[error("{0} is not supported, save the model again with joblib's compress=\"zlib\" or without compress")]
    Unsupported(&'static str),
}

/// A compression, detected by a file's first bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Zlib,
    Gzip,
    Bzip2,
    Xz,
    Lzma,
    Lz4,
}

impl Format {
    /// Detect the compression of a file; `None` if it is not compressed.
    ///
    /// # Errors
    /// A compression format that is not supported.
    pub(crate) fn of(bytes: &[u8]) -> Result<Option<Self>, CompressionError> {
        Ok(match bytes {
            [b'Z', b'F', ..] => return Err(CompressionError::Unsupported("joblib's format of before 0.10")),
            [0x28, 0xb5, 0x2f, 0xfd, ..] => return Err(CompressionError::Unsupported("zstd")),
            [0x1f, 0x8b, ..] => Some(Self::Gzip),
            [b'B', b'Z', b'h', ..] => Some(Self::Bzip2),
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Some(Self::Xz),
            [0x5d, 0, 0, ..] => Some(Self::Lzma),
            [0x04, 0x22, 0x4d, 0x18, ..] => Some(Self::Lz4),
            [0x78, level, ..] if (0x7800 + u16::from(*level)).is_multiple_of(31) => Some(Self::Zlib),
            _ => None,
        })
    }

    fn name(self) -> &'static str {
        match self {
            Self::Zlib => "zlib",
            Self::Gzip => "gzip",
            Self::Bzip2 => "bzip2",
            Self::Xz => "xz",
            Self::Lzma => "lzma",
            Self::Lz4 => "lz4",
        }
    }
}

/// Unpack compressed bytes.
///
/// # Errors
/// A damaged stream, one that is too long, or one that unpacks to more than the budget allows.
pub(crate) fn unpack(format: Format, bytes: &[u8], budget: &Budget) -> Result<Vec<u8>, CompressionError> {
    if bytes.len() > COMPRESSED_LIMIT {
        return Err(CompressionError::TooLong(bytes.len()));
    }
    let damaged = |source| CompressionError::Damaged { format: format.name(), source };
    let too_large = |source| CompressionError::TooLarge { format: format.name(), source };
    let mut decoder = decoder(format, bytes).map_err(damaged)?;
    read(&mut decoder, budget).map_err(too_large)?.map_err(damaged)
}

/// Read all bytes from a decoder. The outer error is an exceeded budget, the inner one the decoder's own.
pub(crate) fn read(decoder: &mut impl Read, budget: &Budget) -> Result<io::Result<Vec<u8>>, CostError> {
    let mut unpacked = Vec::new();
    loop {
        // Grow the buffer by a quarter, not to twice its size, so that the counted memory stays close to the
        // memory in use.
        let room = PIECE.max(unpacked.len() / 4);
        budget.allocate(room)?;
        unpacked.reserve_exact(room);
        match decoder.by_ref().take(room as u64).read_to_end(&mut unpacked) {
            Ok(0) => return Ok(Ok(unpacked)),
            Ok(read) => budget.free(room - read),
            Err(error) => return Ok(Err(error)),
        }
    }
}

fn decoder<'a>(format: Format, bytes: &'a [u8]) -> io::Result<Box<dyn Read + 'a>> {
    Ok(match format {
        Format::Zlib => Box::new(ZlibDecoder::new(bytes)),
        Format::Gzip => Box::new(MultiGzDecoder::new(bytes)),
        Format::Bzip2 => Box::new(MultiBzDecoder::new(bytes)),
        Format::Xz => Box::new(XzReader::new_mem_limit(bytes, false, DICTIONARY_LIMIT_KIB)),
        Format::Lzma => Box::new(LzmaReader::new_mem_limit(bytes, DICTIONARY_LIMIT_KIB, None)?),
        Format::Lz4 => Box::new(FrameDecoder::new(bytes)),
    })
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn zeros(count: usize) -> Vec<u8> {
        let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(&vec![0; count]).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn a_bomb_stops_where_its_length_can_be_worth_no_more() {
        let bomb = zeros(64 << 20);
        assert!(bomb.len() < 70_000);
        let refusal = unpack(Format::Zlib, &bomb, &Budget::compressed(bomb.len())).unwrap_err().to_string();
        assert!(refusal.starts_with("the zlib stream decompresses to too much: a file of 6"), "{refusal}");
        let sound = zeros(8 << 20);
        let unpacked = unpack(Format::Zlib, &sound, &Budget::compressed(sound.len())).unwrap();
        assert_eq!(unpacked.len(), 8 << 20);
    }

    #[test]
    fn plain_bytes_have_no_format() {
        assert_eq!(Format::of(b"\x80\x04N.").unwrap(), None);
    }

    #[test]
    fn a_cut_stream_is_damaged_and_a_long_one_refused() {
        let refusal = |bytes: &[u8]| {
            unpack(Format::Zlib, bytes, &Budget::compressed(bytes.len())).unwrap_err().to_string()
        };
        let whole = zeros(5000);
        assert_eq!(refusal(&whole[..whole.len() - 6]), "the zlib stream is damaged");
        assert_eq!(
            refusal(&vec![0; COMPRESSED_LIMIT + 1]),
            "a compressed file must have at most 33554432 bytes, got 33554433: save the model again without compress"
        );
    }

    #[test]
    fn formats_that_are_not_read_are_named() {
        let refusal = Format::of(b"ZF0x1234").unwrap_err().to_string();
        assert!(refusal.starts_with("joblib's format of before 0.10 is not supported"), "{refusal}");
    }
}
