//! Encrypted files: a file of this machine becomes one, and the other way round (section 12.5 of `protocol-spec/12-files.md`).
//!
//! Both are streams from file to file, for a thread that may wait for the disk. Decrypting writes before anything is known to be
//! authentic: into a file that nobody else looks at, and that its caller removes if it fails.

use std::io::{self, Read, Write};

use smp_crypto::hash::{Sha256Stream, Sha512Stream};
use smp_crypto::tail_box::{OpeningBox, SealingBox};
use smp_crypto::{Nonce, SecretBoxKey};
use smp_protocol::xftp::command::ChunkDigest;
use smp_protocol::xftp::description::FileDescription;
use smp_protocol::xftp::header::{FileHeader, FileLayout, FilePrefix, MAX_PREFIX_BYTES, PADDING, TAG_BYTES};

/// Bytes that are read, encrypted and written at a time.
const PIECE: usize = 64 * 1024;

/// Facts about an encrypted file that its description has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Digests {
    /// SHA-512 of the whole.
    pub file: [u8; 64],
    /// SHA-256 of each chunk.
    pub chunks: Vec<ChunkDigest>,
}

/// Encrypts a file whose content has as many bytes as its layout was made for.
///
/// # Errors
/// Of reading and writing; [`io::ErrorKind::InvalidData`] if there are more or fewer bytes.
pub fn encrypt(
    content: &mut impl Read,
    length: u64,
    layout: &FileLayout,
    (key, nonce): (&SecretBoxKey, &Nonce),
    out: &mut impl Write,
) -> io::Result<Digests> {
    let mut cut = Cut::new(&layout.chunks, out);
    let mut sealing = SealingBox::new(&key.box_key(), nonce);
    let mut seal = |piece: &mut [u8], cut: &mut Cut<'_, _>| {
        sealing.seal(piece);
        cut.write(piece)
    };
    seal(&mut layout.prefix.clone(), &mut cut)?;
    let mut buffer = vec![0; PIECE];
    let mut missing = length;
    loop {
        let count = read_piece(content, &mut buffer)?;
        let Some(left) = missing.checked_sub(count as u64).filter(|_| count > 0 || missing == 0) else {
            return Err(io::ErrorKind::InvalidData.into());
        };
        missing = left;
        if count == 0 {
            break;
        }
        seal(&mut buffer[..count], &mut cut)?;
    }
    let mut padding = layout.padding;
    while padding > 0 {
        let count = usize::try_from(padding).map_or(PIECE, |padding| padding.min(PIECE));
        let piece = &mut buffer[..count];
        piece.fill(PADDING);
        seal(piece, &mut cut)?;
        padding -= count as u64;
    }
    let tag = sealing.finish();
    cut.write(&tag)?;
    Ok(cut.finish())
}

/// An encrypted file on its way to the disk: its digest and those of its chunks.
struct Cut<'a, W> {
    out: &'a mut W,
    sizes: std::slice::Iter<'a, u32>,
    /// Bytes that the present chunk still lacks.
    missing: usize,
    chunk: Sha256Stream,
    file: Sha512Stream,
    chunks: Vec<ChunkDigest>,
}

impl<'a, W: Write> Cut<'a, W> {
    fn new(sizes: &'a [u32], out: &'a mut W) -> Self {
        let mut sizes = sizes.iter();
        let missing = sizes.next().map_or(0, |size| *size as usize);
        Self {
            out,
            sizes,
            missing,
            chunk: Sha256Stream::new(),
            file: Sha512Stream::new(),
            chunks: Vec::new(),
        }
    }

    fn write(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        self.file.update(bytes);
        self.out.write_all(bytes)?;
        while !bytes.is_empty() && self.missing > 0 {
            let (now, later) = bytes.split_at(bytes.len().min(self.missing));
            self.chunk.update(now);
            self.missing -= now.len();
            bytes = later;
            if self.missing == 0 {
                self.chunks.push(std::mem::take(&mut self.chunk).finish());
                self.missing = self.sizes.next().map_or(0, |size| *size as usize);
            }
        }
        Ok(())
    }

    fn finish(self) -> Digests {
        Digests { file: self.file.finish(), chunks: self.chunks }
    }
}

/// Why an encrypted file is not that of its description.
#[derive(Debug, thiserror::Error)]
pub enum DecryptError {
    /// It has another digest.
    #[error("the encrypted file has another digest than its description says")]
    Digest,
    /// The tag, or the beginning of the content, is not what it should be.
    #[error("the encrypted file cannot be decrypted")]
    Undecryptable,
    /// It cannot be read.
    #[error("the encrypted file cannot be read: {0}")]
    Read(#[source] io::Error),
    /// Its content cannot be written.
    #[error("the content of the file cannot be written: {0}")]
    Write(#[source] io::Error),
}

/// Decrypts a file, and returns what its sender called it. **If this fails, nothing that was written is authentic: remove it.**
///
/// # Errors
/// [`DecryptError`].
pub fn decrypt(
    encrypted: &mut impl Read,
    description: &FileDescription,
    out: &mut impl Write,
) -> Result<FileHeader, DecryptError> {
    let mut opening = OpeningBox::new(&description.key.box_key(), &description.nonce);
    let mut digest = Sha512Stream::new();
    let size = description.size();
    let mut left = size.checked_sub(TAG_BYTES as u64).ok_or(DecryptError::Undecryptable)?;
    let mut buffer = vec![0; PIECE];
    let mut window: Option<Window> = None;
    while left > 0 {
        let count = usize::try_from(left).map_or(PIECE, |left| left.min(PIECE));
        let piece = &mut buffer[..count];
        encrypted.read_exact(piece).map_err(DecryptError::Read)?;
        digest.update(piece);
        opening.open(piece);
        left -= count as u64;
        // The first piece has all of the beginning, or the file ends with it.
        let window = match &mut window {
            Some(window) => window,
            None => window.insert(Window::read(piece, size)?),
        };
        out.write_all(window.content(piece)).map_err(DecryptError::Write)?;
    }
    let mut tag = [0; TAG_BYTES];
    encrypted.read_exact(&mut tag).map_err(DecryptError::Read)?;
    digest.update(&tag);
    if digest.finish() != description.digest {
        return Err(DecryptError::Digest);
    }
    opening.finish(&tag).map_err(|_| DecryptError::Undecryptable)?;
    window.map(|window| window.header).ok_or(DecryptError::Undecryptable)
}

/// Which bytes of the decrypted file are its content.
struct Window {
    header: FileHeader,
    /// Bytes in front of it that are still to come.
    before: usize,
    /// Bytes of it that are still to come.
    length: u64,
}

impl Window {
    fn read(beginning: &[u8], encrypted_size: u64) -> Result<Self, DecryptError> {
        let beginning = &beginning[..beginning.len().min(MAX_PREFIX_BYTES)];
        // It is not authentic yet. Neither is anything that is done with it.
        let prefix = FilePrefix::read(beginning, encrypted_size).map_err(|_| DecryptError::Undecryptable)?;
        Ok(Self { header: prefix.header, before: prefix.start, length: prefix.length })
    }

    fn content<'p>(&mut self, piece: &'p [u8]) -> &'p [u8] {
        let (_, content) = piece.split_at(piece.len().min(self.before));
        self.before -= piece.len() - content.len();
        let count = usize::try_from(self.length).map_or(content.len(), |length| length.min(content.len()));
        self.length -= count as u64;
        &content[..count]
    }
}

/// As many bytes as there are, up to a whole buffer.
fn read_piece(content: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut count = 0;
    while count < buffer.len() {
        match content.read(&mut buffer[count..]) {
            Ok(0) => break,
            Ok(more) => count += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(count)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use smp_crypto::hash::{sha256, sha512};
    use smp_crypto::{Ed25519PrivateKey, PrivateAuthKey};
    use smp_protocol::encoding::ShortText;
    use smp_protocol::id::EntityId;
    use smp_protocol::xftp::description::{ChunkReplica, FileChunk, FileChunks, FileParty};

    use super::*;

    fn described(
        layout: &FileLayout,
        digests: &Digests,
        key: &SecretBoxKey,
        nonce: &Nonce,
    ) -> FileDescription {
        let relay = "xftp://AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=@a.example".parse().unwrap();
        let key_of_chunk: PrivateAuthKey = Ed25519PrivateKey::from_bytes([1; 32]).into();
        let replica = ChunkReplica { relay, id: EntityId::new(&[2; 16]).unwrap(), key: key_of_chunk };
        let chunks = layout.chunks.iter().zip(&digests.chunks).map(|(&size, &digest)| FileChunk {
            size,
            digest,
            replicas: vec![replica.clone()],
        });
        FileDescription {
            party: FileParty::Recipient,
            digest: digests.file,
            key: key.clone(),
            nonce: *nonce,
            chunk_size: layout.chunks[0],
            chunks: FileChunks::new(chunks.collect()).unwrap(),
            redirect: None,
        }
    }

    fn encrypted(content: &[u8], name: &str) -> (Vec<u8>, FileDescription) {
        let header = FileHeader { name: ShortText::new(name.to_owned()).unwrap(), extra: None };
        let layout = FileLayout::new(&header, content.len() as u64).unwrap();
        let (key, nonce) = (SecretBoxKey::from_bytes([3; 32]), Nonce::from_bytes([4; 24]));
        let mut out = Vec::new();
        let length = content.len() as u64;
        let digests = encrypt(&mut { content }, length, &layout, (&key, &nonce), &mut out).unwrap();
        assert_eq!((out.len() as u64, digests.file), (layout.encrypted_size(), sha512(&out)));
        let mut rest = &out[..];
        for (&size, digest) in layout.chunks.iter().zip(&digests.chunks) {
            let (chunk, after) = rest.split_at(size as usize);
            assert_eq!(sha256(chunk), *digest);
            rest = after;
        }
        assert!(rest.is_empty() && digests.chunks.len() == layout.chunks.len());
        let description = described(&layout, &digests, &key, &nonce);
        (out, description)
    }

    #[test]
    fn files_of_all_kinds_of_sizes_come_back() {
        for length in [0, 1, 100, 65_480, 65_500, 65_536, 70_000, 131_072, 200_000, 300_000, 5_000_000] {
            let content: Vec<u8> = (0..length).map(|n: u32| (n % 251) as u8).collect();
            let (bytes, description) = encrypted(&content, "a.txt");
            let mut out = Vec::new();
            let header = decrypt(&mut &bytes[..], &description, &mut out).unwrap();
            assert_eq!((header.name.as_str(), out == content), ("a.txt", true), "of {length} bytes");
        }
    }

    #[test]
    fn a_file_that_grows_or_shrinks_is_refused() {
        let layout = FileLayout::new(&FileHeader::default(), 100).unwrap();
        let (key, nonce) = (SecretBoxKey::from_bytes([3; 32]), Nonce::from_bytes([4; 24]));
        for length in [0, 99, 101, 100_000] {
            let content = vec![0; length];
            let error =
                encrypt(&mut &content[..], 100, &layout, (&key, &nonce), &mut Vec::new()).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{length}");
        }
    }

    #[test]
    fn damage_and_wrong_keys_are_told() {
        let (bytes, description) = encrypted(b"hello", "a");
        let decrypted = |bytes: &[u8], description: &FileDescription| {
            decrypt(&mut { bytes }, description, &mut Vec::new()).unwrap_err()
        };
        let mut other = bytes.clone();
        other[60_000] ^= 1;
        assert!(matches!(decrypted(&other, &description), DecryptError::Digest));
        assert!(matches!(decrypted(&bytes[..65_535], &description), DecryptError::Read(_)));
        let consistent = FileDescription { digest: sha512(&other), ..description.clone() };
        assert!(matches!(decrypted(&other, &consistent), DecryptError::Undecryptable));
        let wrong_key = FileDescription { key: SecretBoxKey::from_bytes([9; 32]), ..description };
        assert!(matches!(decrypted(&bytes, &wrong_key), DecryptError::Undecryptable));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn any_content_and_name_come_back(content: Vec<u8>, name in "\\PC{0,50}") {
            let (bytes, description) = encrypted(&content, &name);
            let mut out = Vec::new();
            let header = decrypt(&mut &bytes[..], &description, &mut out).unwrap();
            prop_assert_eq!((header.name.as_str(), out), (name.as_str(), content));
        }
    }
}
