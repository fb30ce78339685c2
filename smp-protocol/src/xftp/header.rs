//! The plaintext of an encrypted file: a length, the file's header, its content, and padding.
//!
//! The whole is encrypted as one box with the tag at the end (`smp_crypto::tail_box`), and the result cut into chunks.

use std::borrow::Cow;

use super::chunk_size::{chunk_sizes, total};
use crate::encoding::{Decode, DecodeError, Encode, Reader, ShortText, TooLong};

/// Bytes of the length in front: how many bytes header and content have together.
pub const LENGTH_BYTES: usize = 8;
/// Bytes of the tag behind the encrypted file.
pub const TAG_BYTES: usize = smp_crypto::crypto_box::TAG_SIZE;
/// The most bytes of length and header: two short strings, one of which is optional.
pub const MAX_PREFIX_BYTES: usize = LENGTH_BYTES + 2 * 256 + 1;
/// The bytes of the padding behind the content.
pub const PADDING: u8 = smp_crypto::padding::FILL;

/// The header of a file: its name.
///
/// Source: section 12.5 (`protocol-spec/12-files.md`).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FileHeader {
    /// The name, without a path, when it comes from a correct peer. It may be anything, also a path: take its last component only.
    pub name: ShortText<'static>,
    /// For later versions of the header.
    pub extra: Option<ShortText<'static>>,
}

/// How a file is padded and cut.
///
/// Source: section 12.5 (`protocol-spec/12-files.md`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileLayout {
    /// The bytes in front of the content: length and header.
    pub prefix: Vec<u8>,
    /// How many bytes of [`PADDING`] follow the content.
    pub padding: u64,
    /// The sizes of the chunks, the last of which ends with the tag.
    pub chunks: Vec<u32>,
}

impl FileLayout {
    /// The layout of a file whose content has `length` bytes.
    ///
    /// # Errors
    /// [`TooLong`] if it is larger than [`MAX_FILE_SIZE`](super::chunk_size::MAX_FILE_SIZE).
    pub fn new(header: &FileHeader, length: u64) -> Result<Self, TooLong> {
        let header = crate::encoding::to_bytes(header);
        let payload = length.saturating_add(header.len() as u64);
        let needed = payload.saturating_add((LENGTH_BYTES + TAG_BYTES) as u64);
        let chunks = chunk_sizes(needed)?;
        // Over this no file is cut.
        let mut prefix = i64::try_from(payload).unwrap_or(i64::MAX).to_be_bytes().to_vec();
        prefix.extend_from_slice(&header);
        Ok(FileLayout { prefix, padding: total(&chunks) - needed, chunks })
    }

    /// Bytes of the encrypted file: the `size` of its description.
    #[must_use]
    pub fn encrypted_size(&self) -> u64 {
        total(&self.chunks)
    }
}

/// The beginning of a decrypted file.
///
/// Source: section 12.5 (`protocol-spec/12-files.md`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilePrefix {
    /// The header.
    pub header: FileHeader,
    /// Where the content begins, in bytes from the beginning of the decrypted file.
    pub start: usize,
    /// Bytes of the content. All that follows is padding, which nobody looks at.
    pub length: u64,
}

impl FilePrefix {
    /// Reads the beginning of the decrypted file; [`MAX_PREFIX_BYTES`] are enough, or all there are. `encrypted_size` is that of the
    /// description.
    ///
    /// # Errors
    /// [`DecodeError`] if it is no file, or says that it has more content than fits.
    pub fn read(beginning: &[u8], encrypted_size: u64) -> Result<Self, DecodeError> {
        let mut input = Reader::new(beginning);
        let payload: i64 = input.read()?;
        let payload = u64::try_from(payload).map_err(|_| DecodeError::Invalid("length of a file"))?;
        let room = encrypted_size.saturating_sub((LENGTH_BYTES + TAG_BYTES) as u64);
        let after_length = input.remaining().len();
        let header: FileHeader = input.read()?;
        let header_bytes = after_length - input.remaining().len();
        let length = payload.checked_sub(header_bytes as u64).filter(|_| payload <= room);
        let length = length.ok_or(DecodeError::Invalid("length of a file"))?;
        Ok(FilePrefix { header, start: LENGTH_BYTES + header_bytes, length })
    }
}

impl Encode for FileHeader {
    fn encode(&self, out: &mut Vec<u8>) {
        self.name.encode(out);
        self.extra.encode(out);
    }
}

impl Decode<'_> for FileHeader {
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(FileHeader {
            name: input.read::<Lossy>()?.0,
            extra: input.read::<Option<Lossy>>()?.map(|text| text.0),
        })
    }
}

/// Text in which bytes that are not UTF-8 became question marks: the name of a file is no reason to lose it.
struct Lossy(ShortText<'static>);

impl Decode<'_> for Lossy {
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let text = crate::encoding::lossy_text(input.short()?);
        // It has not become longer.
        ShortText::new(Cow::Owned(text)).map(Lossy).map_err(|_| DecodeError::Invalid("text"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::encoding::to_bytes;

    fn header(name: &str) -> FileHeader {
        FileHeader { name: ShortText::new(name.to_owned()).unwrap(), extra: None }
    }

    #[test]
    fn layout_of_a_small_file() {
        let layout = FileLayout::new(&header("a.txt"), 3).unwrap();
        assert_eq!(layout.prefix, b"\0\0\0\0\0\0\0\x0a\x05a.txt0");
        assert_eq!((layout.padding, layout.encrypted_size()), (65_536 - 16 - 15 - 3, 65_536));
        let read = FilePrefix::read(&layout.prefix, 65_536).unwrap();
        assert_eq!(read, FilePrefix { header: header("a.txt"), start: 15, length: 3 });
    }

    #[test]
    fn lengths_that_do_not_fit_are_refused() {
        let prefix = |length: i64| [&length.to_be_bytes()[..], b"\x01a0"].concat();
        assert_eq!(FilePrefix::read(&prefix(65_512), 65_536).unwrap().length, 65_509);
        assert_eq!(FilePrefix::read(&prefix(3), 65_536).unwrap().length, 0);
        for length in [65_513, 2, 0, -1, i64::MAX, i64::MIN] {
            assert!(FilePrefix::read(&prefix(length), 65_536).is_err(), "{length}");
        }
        assert!(FilePrefix::read(b"\0\0\0\0\0\0\0\x03\x05a0", 65_536).is_err());
    }

    #[test]
    fn a_name_that_is_no_text_is_no_reason_to_lose_the_file() {
        let read = FilePrefix::read(b"\0\0\0\0\0\0\0\x06\x04a\xff\xc3b1\x01\xe2", 65_536);
        assert_eq!(read, Err(DecodeError::Invalid("length of a file")));
        let read = FilePrefix::read(b"\0\0\0\0\0\0\0\x08\x04a\xff\xc3b1\x01\xe2", 65_536).unwrap();
        assert_eq!((read.header.name.as_str(), read.header.extra.unwrap().as_str()), ("a??b", "?"));
    }

    proptest! {
        #[test]
        fn prefixes_come_back(name in "\\PC{0,60}", extra in prop::option::of("\\PC{0,60}"), length in 0..6_000_000_u64) {
            let text = |text: String| ShortText::new(text).unwrap();
            let header = FileHeader { name: text(name), extra: extra.map(text) };
            let layout = FileLayout::new(&header, length).unwrap();
            prop_assert_eq!(&layout.prefix[8..], &to_bytes(&header)[..]);
            prop_assert!(layout.prefix.len() <= MAX_PREFIX_BYTES);
            let read = FilePrefix::read(&layout.prefix, layout.encrypted_size()).unwrap();
            prop_assert_eq!(read, FilePrefix { header, start: layout.prefix.len(), length });
            let sum = layout.prefix.len() as u64 + length + layout.padding + 16;
            prop_assert_eq!(sum, layout.encrypted_size());
        }

        #[test]
        fn reading_never_panics(bytes: Vec<u8>, size: u64) {
            let _ = FilePrefix::read(&bytes, size);
        }
    }
}
