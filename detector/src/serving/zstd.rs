//! Bytes compressed by Zstandard (RFC 8878) in, the original bytes out; and the reverse, a piece at a time.

use std::io::{Error, ErrorKind, Read, Result};

use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};
use ruzstd::encoding::{CompressionLevel, compress_to_vec};

/// The largest accepted window, bytes: every decoder of this Content-Encoding must support 8 MiB, and none
/// must support more (RFC 9659).
const WINDOW: u64 = 8 << 20;

/// The memory of a compressor, bytes: the window, its index, and a piece before and after compression.
pub const COMPRESSOR: usize = 512 << 10;

/// A decoder of the frames of a body, one after another. It keeps a window of its output in memory, or all of
/// its output if that is less.
pub struct Decoder<'a> {
    rest: &'a [u8],
    frame: FrameDecoder,
    is_within_frame: bool,
}

impl<'a> Decoder<'a> {
    /// A decoder of all frames in `packed`.
    pub fn new(packed: &'a [u8]) -> Self {
        let mut frame = FrameDecoder::new();
        frame.set_max_window_size(WINDOW);
        Self { rest: packed, frame, is_within_frame: false }
    }

    /// Begin the next frame, or skip it if it is a skippable frame.
    fn begin(&mut self) -> Result<()> {
        match self.frame.reset(&mut self.rest) {
            Ok(()) => self.is_within_frame = true,
            Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                length, ..
            })) => self.rest = self.rest.get(length as usize..).ok_or(ErrorKind::UnexpectedEof)?,
            Err(FrameDecoderError::ReadFrameHeaderError(error)) => return Err(invalid(error)),
            Err(error) => return Err(invalid(error)),
        }
        Ok(())
    }

    /// Read from the current frame; 0 bytes at its end.
    fn read_frame(&mut self, out: &mut [u8]) -> Result<usize> {
        while self.frame.can_collect() == 0 && !self.frame.is_finished() {
            let decoded = self.frame.decode_blocks(&mut self.rest, BlockDecodingStrategy::UptoBlocks(1));
            decoded.map_err(invalid)?;
        }
        self.frame.read(out)
    }

    fn end(&mut self) -> Result<()> {
        self.is_within_frame = false;
        let checksum = self.frame.get_checksum_from_data();
        if checksum.is_some() && checksum != self.frame.get_calculated_checksum() {
            return Err(invalid("the checksum does not match"));
        }
        Ok(())
    }
}

impl Read for Decoder<'_> {
    fn read(&mut self, out: &mut [u8]) -> Result<usize> {
        while self.is_within_frame || !self.rest.is_empty() {
            if !self.is_within_frame {
                self.begin()?;
                continue;
            }
            let count = self.read_frame(out)?;
            if count > 0 || out.is_empty() {
                return Ok(count);
            }
            self.end()?;
        }
        Ok(0)
    }
}

fn invalid(why: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::new(ErrorKind::InvalidData, why)
}

/// Compress a piece as a frame of its own. Concatenated frames decompress to the concatenated pieces.
pub fn frame(piece: &[u8]) -> Vec<u8> {
    compress_to_vec(piece, CompressionLevel::Fastest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unpacked(packed: &[u8]) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        Decoder::new(packed).read_to_end(&mut bytes).map(|_| bytes)
    }

    #[test]
    fn frames_one_after_another_are_what_they_hold_and_notes_are_skipped() {
        let text: String = (0..100_000).map(|n: u32| n.to_string()).collect();
        let pieces = text.as_bytes().chunks(32 << 10).map(frame);
        let note = [&[0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0][..], b"note"[..3].as_ref()].concat();
        let packed: Vec<u8> = pieces.flat_map(|frame| [note.clone(), frame].concat()).collect();
        assert!(packed.len() < text.len() / 2, "{} of {}", packed.len(), text.len());
        assert!(unpacked(&packed).unwrap() == text.as_bytes());
        assert_eq!(unpacked(b"").unwrap(), b"");
    }

    #[test]
    fn what_is_cut_or_changed_or_wants_a_larger_window_is_refused() {
        let packed = frame(&[b"[0.5],".repeat(1000), vec![7; 9]].concat());
        for length in 1..packed.len() {
            assert!(unpacked(&packed[..length]).is_err(), "{length} of {} bytes", packed.len());
        }
        // A frame with a window of 16 MiB and an empty last block.
        let error = unpacked(&[0x28, 0xb5, 0x2f, 0xfd, 0, 14 << 3, 1, 0, 0]).unwrap_err();
        assert!(error.to_string().contains("16777216"), "{error}");
    }
}
