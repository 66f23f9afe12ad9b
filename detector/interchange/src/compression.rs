//! A file's bytes in, the bytes that were compressed out: what `joblib.dump(..., compress=...)` can write.

use std::borrow::Cow;
use std::io::{self, Read};

use bzip2::read::MultiBzDecoder;
use flate2::read::{MultiGzDecoder, ZlibDecoder};
use lz4_flex::frame::FrameDecoder;
use lzma_rust2::{LzmaReader, XzReader};

/// The most bytes that a file may unpack to: 512 MiB, a hundred times a forest of 100 trees of 4096 samples.
pub const UNPACKED_LIMIT: u64 = 512 << 20;

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
        /// What the decoder says.
        source: io::Error,
    },
    /// A small file unpacks to too much.
    #[error("the {format} stream unpacks to more than {limit} bytes")]
    TooLarge {
        /// The compression's name.
        format: &'static str,
        /// The bound that it breaks.
        limit: u64,
    },
    /// A compression that is recognized and not read.
    #[error("{0} is not supported, save the model again with joblib's compress=\"zlib\" or without compress")]
    Unsupported(&'static str),
}

/// A compression, detected by a file's first bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Zlib,
    Gzip,
    Bzip2,
    Xz,
    Lzma,
    Lz4,
}

/// The bytes that `bytes` were compressed from, or `bytes` themselves where they are not compressed.
///
/// # Errors
/// A damaged stream, one that unpacks to more than [`UNPACKED_LIMIT`], or a compression that is not read.
pub fn unpack(bytes: &[u8]) -> Result<Cow<'_, [u8]>, CompressionError> {
    match Format::of(bytes)? {
        Some(format) => read(format, bytes, UNPACKED_LIMIT).map(Cow::Owned),
        None => Ok(Cow::Borrowed(bytes)),
    }
}

impl Format {
    fn of(bytes: &[u8]) -> Result<Option<Self>, CompressionError> {
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

fn read(format: Format, bytes: &[u8], limit: u64) -> Result<Vec<u8>, CompressionError> {
    let damaged = |source| CompressionError::Damaged { format: format.name(), source };
    let decoder = decoder(format, bytes).map_err(damaged)?;
    let mut unpacked = Vec::new();
    decoder.take(limit + 1).read_to_end(&mut unpacked).map_err(damaged)?;
    if unpacked.len() as u64 > limit {
        return Err(CompressionError::TooLarge { format: format.name(), limit });
    }
    Ok(unpacked)
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
    fn a_bomb_stops_at_the_limit() {
        let bomb = zeros(1 << 20);
        assert!(bomb.len() < 2000);
        let refusal = read(Format::Zlib, &bomb, 1 << 16).unwrap_err();
        assert_eq!(refusal.to_string(), "the zlib stream unpacks to more than 65536 bytes");
        assert_eq!(read(Format::Zlib, &bomb, 1 << 20).unwrap().len(), 1 << 20);
    }

    #[test]
    fn plain_bytes_pass_uncopied() {
        assert!(matches!(unpack(b"\x80\x04N."), Ok(Cow::Borrowed(b"\x80\x04N."))));
    }

    #[test]
    fn a_cut_stream_is_damaged() {
        let whole = zeros(5000);
        assert_eq!(unpack(&whole[..whole.len() - 6]).unwrap_err().to_string(), "the zlib stream is damaged");
    }

    #[test]
    fn formats_that_are_not_read_are_named() {
        let refusal = unpack(b"ZF0x1234").unwrap_err().to_string();
        assert!(refusal.starts_with("joblib's format of before 0.10 is not supported"), "{refusal}");
    }
}
