//! A ratchet message on the wire: encrypted header, tag, encrypted body; and the header inside.

use smp_crypto::aes_gcm::{AesIv, AesTag};
use smp_crypto::x448::X448PublicKey;
use smp_protocol::agent::AnyKem;
use smp_protocol::encoding::{DecodeError, Encode, Reader, to_bytes};
use smp_protocol::version::RatchetVersion;

/// The first ratchet version with a KEM in its headers and with lengths of two bytes.
pub const POST_QUANTUM_VERSION: RatchetVersion = RatchetVersion(3);
/// Header length before encryption, in bytes, while post-quantum encryption was never asked for.
pub const PADDED_HEADER: usize = 88;
/// Header length before encryption, in bytes, from the first time that post-quantum encryption was asked for.
pub const PADDED_PQ_HEADER: usize = 2310;

/// Two-byte lengths are recognised by their first byte: a one-byte length would be at least 69.
const LARGE_LENGTH_MARK: u8 = 32;

/// The length to which headers are padded.
pub(crate) fn padded_header_length(version: RatchetVersion, pq_supported: bool) -> usize {
    if pq_supported && version >= POST_QUANTUM_VERSION { PADDED_PQ_HEADER } else { PADDED_HEADER }
}

/// Header of a message: the state of its sender's ratchet in 79 bytes or more, always sent encrypted.
///
/// Source: section 7.3 (`protocol-spec/7-ratchet.md`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageHeader {
    /// The newest ratchet version that the sender speaks.
    pub max_version: RatchetVersion,
    /// `dh`: the sender's current ratchet key.
    pub ratchet_key: X448PublicKey,
    /// `kem`, `ct`: absent in version 2.
    pub kem: Option<AnyKem>,
    /// `pn`: how many messages the sender's previous chain had.
    pub previous_count: u32,
    /// `n`: the number of this message in its chain, from 0.
    pub number: u32,
}

impl MessageHeader {
    /// The header in the form of the ratchet's *current* version.
    #[must_use]
    pub fn to_bytes(&self, current: RatchetVersion) -> Vec<u8> {
        let mut out = to_bytes(&(self.max_version, &self.ratchet_key));
        if current >= POST_QUANTUM_VERSION {
            encode_kem(self.kem.as_ref(), &mut out);
        }
        (self.previous_count, self.number).encode(&mut out);
        out
    }

    /// Reads a header of a message that has the version `current`. Bytes behind it are ignored: room for later.
    ///
    /// # Errors
    /// [`DecodeError`]; unlike the reference, KEM values of a wrong size are refused.
    pub fn from_bytes(bytes: &[u8], current: RatchetVersion) -> Result<Self, DecodeError> {
        let mut input = Reader::new(bytes);
        let (max_version, ratchet_key) = input.read()?;
        let kem = if current >= POST_QUANTUM_VERSION { decode_kem(&mut input)? } else { None };
        let (previous_count, number) = input.read()?;
        Ok(Self { max_version, ratchet_key, kem, previous_count, number })
    }
}

fn encode_kem(kem: Option<&AnyKem>, out: &mut Vec<u8>) {
    match kem {
        None => out.push(b'0'),
        Some(AnyKem::Proposed(public_key)) => {
            out.extend_from_slice(b"1P");
            public_key.encode(out);
        }
        Some(AnyKem::Accepted { ciphertext, public_key }) => {
            out.extend_from_slice(b"1A");
            ciphertext.encode(out);
            public_key.encode(out);
        }
    }
}

fn decode_kem(input: &mut Reader<'_>) -> Result<Option<AnyKem>, DecodeError> {
    if input.skip(b"0") {
        Ok(None)
    } else if input.skip(b"1P") {
        Ok(Some(AnyKem::Proposed(input.read()?)))
    } else if input.skip(b"1A") {
        Ok(Some(AnyKem::Accepted { ciphertext: input.read()?, public_key: input.read()? }))
    } else {
        Err(DecodeError::Invalid("KEM parameters"))
    }
}

/// `encMessageHeader`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EncryptedHeader {
    pub(crate) version: RatchetVersion,
    pub(crate) iv: AesIv,
    pub(crate) tag: AesTag,
    pub(crate) body: Vec<u8>,
}

impl EncryptedHeader {
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(36 + self.body.len());
        self.version.encode(&mut out);
        out.extend_from_slice(&self.iv.0);
        out.extend_from_slice(&self.tag.0);
        encode_length(self.version, self.body.len(), &mut out);
        out.extend_from_slice(&self.body);
        out
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut input = Reader::new(bytes);
        let (version, iv, tag) = (input.read()?, AesIv(input.array()?), AesTag(input.array()?));
        let body = read_bytes(&mut input)?.to_vec();
        input.finish()?;
        Ok(Self { version, iv, tag, body })
    }
}

/// `encRatchetMessage`, borrowed from what was received.
#[derive(Debug, Clone)]
pub(crate) struct EncryptedMessage<'a> {
    pub(crate) header: EncryptedHeader,
    /// The header as it was received: the body's authenticity covers these bytes.
    pub(crate) header_bytes: &'a [u8],
    pub(crate) tag: AesTag,
    pub(crate) body: &'a [u8],
}

impl<'a> EncryptedMessage<'a> {
    pub(crate) fn from_bytes(message: &'a [u8]) -> Result<Self, DecodeError> {
        let mut input = Reader::new(message);
        let header_bytes = read_bytes(&mut input)?;
        let (tag, body) = (AesTag(input.array()?), input.rest());
        Ok(Self { header: EncryptedHeader::from_bytes(header_bytes)?, header_bytes, tag, body })
    }
}

/// `versionedLength`: two bytes from version 3, one before.
pub(crate) fn encode_length(version: RatchetVersion, length: usize, out: &mut Vec<u8>) {
    // Headers have 124 or 2346 bytes at most, in version 2 never over 123: both forms fit.
    if version >= POST_QUANTUM_VERSION {
        out.extend_from_slice(&(length as u16).to_be_bytes());
    } else {
        out.push(length as u8);
    }
}

/// Reads bytes with either length in front, whatever the version: so the version can rise in one message.
fn read_bytes<'a>(input: &mut Reader<'a>) -> Result<&'a [u8], DecodeError> {
    match input.peek() {
        Some(first) if first < LARGE_LENGTH_MARK => input.large(),
        _ => input.short(),
    }
}
