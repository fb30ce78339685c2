//! The compressed form: parts that are zstd frames or, if short, plain bytes.

use std::io::Read;

use ruzstd::decoding::StreamingDecoder;
use ruzstd::encoding::{CompressionLevel, compress_to_vec};

use super::ChatError;
use crate::encoding::{Decode, DecodeError, Encode as _, LargeString, NonEmpty, Reader, from_bytes};

/// The most bytes that all parts of one compressed message together may become.
///
/// The reference implementation allows as much for each part, but always makes a single one.
pub const MAX_DECOMPRESSED_LENGTH: usize = 65_536;

/// The largest window that a frame may ask for: memory taken before anything is decompressed. A frame made in one go
/// has a window of its content's size, others may have the next power of two.
const MAX_WINDOW: u64 = 2 * MAX_DECOMPRESSED_LENGTH as u64;

/// A body in its compressed form, as one zstd frame: `X`, the number of parts, `1`, and the frame behind its length in two bytes.
///
/// None if it has more bytes than fit behind such a length, or fewer than 256. It may be longer than the body was: the caller decides.
#[must_use]
pub fn compress(body: &[u8]) -> Option<Vec<u8>> {
    let frame = with_content_size(&compress_to_vec(body, CompressionLevel::Fastest), body.len())?;
    let mut compressed = vec![b'X', 1, b'1'];
    LargeString::new(frame).ok()?.encode(&mut compressed);
    Some(compressed)
}

/// A frame whose header says how much it holds, as peers demand before they decompress it. The encoder leaves that out: here its header,
/// which has a window instead, is replaced by one with the size, in two bytes, that is the window too (RFC 8878, section 3.1.1.1).
fn with_content_size(frame: &[u8], size: usize) -> Option<Vec<u8>> {
    const MAGIC_LENGTH: usize = 4;
    /// Neither a size, nor a single segment, nor a dictionary; whether there is a checksum stays.
    const OTHER_FLAGS: u8 = !0x04;
    const CHECKSUM: u8 = 0x04;
    const SINGLE_SEGMENT: u8 = 0x20;
    const TWO_BYTES: u8 = 0x40;
    let (magic, header) = frame.split_at_checked(MAGIC_LENGTH)?;
    let [descriptor, _window, blocks @ ..] = header else { return None };
    if descriptor & OTHER_FLAGS != 0 {
        return None;
    }
    // The two bytes count from 256.
    let size = u16::try_from(size.checked_sub(256)?).ok()?;
    let mut sized = magic.to_vec();
    sized.push(TWO_BYTES | SINGLE_SEGMENT | (descriptor & CHECKSUM));
    sized.extend_from_slice(&size.to_le_bytes());
    sized.extend_from_slice(blocks);
    Some(sized)
}

/// One part of a compressed message.
enum Part<'a> {
    /// `0`, then a short string: as it is.
    Plain(&'a [u8]),
    /// `1`, then a large string: one zstd frame.
    Zstd(&'a [u8]),
}

impl<'a> Decode<'a> for Part<'a> {
    fn decode(input: &mut Reader<'a>) -> Result<Self, DecodeError> {
        match input.byte()? {
            b'0' => input.short().map(Part::Plain),
            b'1' => input.large().map(Part::Zstd),
            _ => Err(DecodeError::Invalid("kind of compression")),
        }
    }
}

/// The decompressed parts of a message, without its `X`.
pub(super) fn decompress_parts(bytes: &[u8]) -> Result<Vec<Vec<u8>>, ChatError> {
    let parts: NonEmpty<Part<'_>> = from_bytes(bytes).map_err(|_| ChatError::Batch)?;
    let mut left = MAX_DECOMPRESSED_LENGTH;
    let mut contents = Vec::with_capacity(parts.as_slice().len());
    for part in &parts {
        let content = match part {
            Part::Plain(bytes) if bytes.len() <= left => bytes.to_vec(),
            Part::Plain(_) => return Err(ChatError::Compression),
            Part::Zstd(frame) => decompress(frame, left)?,
        };
        left -= content.len();
        contents.push(content);
    }
    Ok(contents)
}

/// The content of one frame, which must take all of `frame` and have at most `limit` bytes.
fn decompress(mut frame: &[u8], limit: usize) -> Result<Vec<u8>, ChatError> {
    let failed = |_| ChatError::Compression;
    let decoder = StreamingDecoder::new_with_max_window_size(&mut frame, MAX_WINDOW)
        .map_err(|_| ChatError::Compression)?;
    let mut content = Vec::new();
    // One byte more than allowed shows that there is more.
    decoder.take(limit as u64 + 1).read_to_end(&mut content).map_err(failed)?;
    if content.len() > limit || !frame.is_empty() {
        return Err(ChatError::Compression);
    }
    Ok(content)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zstd_part(content: &[u8]) -> Vec<u8> {
        let frame = compress_to_vec(content, CompressionLevel::Fastest);
        let mut part = vec![b'1'];
        LargeString::new(frame).unwrap().encode(&mut part);
        part
    }

    /// Made by libzstd 1.5, level 3, as the reference implementation does.
    const LIBZSTD_FRAME: &str = "28b52ffd6040007d00004053696d706c655820010035530b17";

    #[test]
    fn reads_what_libzstd_made() {
        let frame = hex::decode(LIBZSTD_FRAME).unwrap();
        let expected = "SimpleX ".repeat(40);
        assert_eq!(decompress(&frame, 1000).unwrap(), expected.as_bytes());
        assert_eq!(decompress(&frame, expected.len()).unwrap(), expected.as_bytes());
        assert_eq!(decompress(&frame, expected.len() - 1), Err(ChatError::Compression));
    }

    #[test]
    fn what_is_compressed_says_its_size_and_can_be_read() {
        for length in [256, 257, 1000, 15_602, 65_535] {
            let body: Vec<u8> = (0..length).map(|index| b"words of a text "[index % 16]).collect();
            let compressed = compress(&body).unwrap();
            assert!(compressed.len() < length / 2 + 64, "{length}: {}", compressed.len());
            assert_eq!(decompress_parts(&compressed[1..]).unwrap(), [body]);
            // Magic, descriptor, then the size less 256.
            let size = (length - 256) as u16;
            assert_eq!(compressed[5..9], [0x28, 0xb5, 0x2f, 0xfd]);
            assert_eq!(compressed[9] & 0xfb, 0x60);
            assert_eq!(compressed[10..12], size.to_le_bytes());
        }
        assert_eq!(compress(&[7; 255]), None);
        assert_eq!(compress(&[7; 70_000]), None);
    }

    #[test]
    fn plain_and_compressed_parts() {
        let mut bytes = vec![2, b'0', 3];
        bytes.extend_from_slice(b"{ }");
        bytes.extend(zstd_part(&[b'a'; 5000]));
        assert_eq!(decompress_parts(&bytes).unwrap(), vec![b"{ }".to_vec(), vec![b'a'; 5000]]);
        bytes.push(0);
        assert_eq!(decompress_parts(&bytes), Err(ChatError::Batch));
        assert_eq!(decompress_parts(&[0]), Err(ChatError::Batch));
        assert_eq!(decompress_parts(&[1, b'2', 0]), Err(ChatError::Batch));
        assert_eq!(decompress_parts(&[1, b'1', 0, 1, 0]), Err(ChatError::Compression));
    }

    #[test]
    fn a_bomb_is_refused() {
        let one = |length: usize| {
            let mut bytes = vec![1];
            bytes.extend(zstd_part(&vec![0; length]));
            decompress_parts(&bytes)
        };
        assert_eq!(one(MAX_DECOMPRESSED_LENGTH).unwrap()[0].len(), MAX_DECOMPRESSED_LENGTH);
        assert_eq!(one(MAX_DECOMPRESSED_LENGTH + 1), Err(ChatError::Compression));
        assert_eq!(one(50_000_000), Err(ChatError::Compression));
        let mut two = vec![2];
        two.extend(zstd_part(&vec![0; 40_000]));
        two.extend(zstd_part(&vec![0; 40_000]));
        assert_eq!(decompress_parts(&two), Err(ChatError::Compression));
    }
}
