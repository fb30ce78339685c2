//! The messages of the handshake.

use smp_crypto::Signature;

use crate::certificate::CertifiedKey;
use crate::encoding::{Decode, DecodeError, Encode, Reader, ShortString};
use crate::error::HandshakeError;
use crate::id::SessionId;
use crate::version::{VersionRange, XftpVersion};
use crate::xftp::error::XftpError;

/// Bytes in the challenge of a browser.
pub const CHALLENGE_BYTES: usize = 32;

/// Random bytes of a browser, which cannot see the relay's certificate: the relay proves that it has the key of its chain.
///
/// Source: section 12.2 (`protocol-spec/12-files.md`).
pub type Challenge = [u8; CHALLENGE_BYTES];

/// The content of a browser's first block. Other clients send an empty body in its place.
///
/// Source: section 12.2 (`protocol-spec/12-files.md`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebHello {
    /// To be signed by the relay.
    pub challenge: Option<Challenge>,
}

/// The content of the relay's hello.
///
/// Source: section 12.2 (`protocol-spec/12-files.md`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct XftpRelayHello {
    /// Versions that the relay speaks.
    pub versions: VersionRange<XftpVersion>,
    /// Must be the `tls-unique` of the connection.
    pub session_id: SessionId,
    /// The relay's chain, and its X25519 key for this session.
    pub key: CertifiedKey,
    /// The signature of challenge and session ID with the key of the first certificate, if there was a challenge.
    pub identity_proof: Option<Signature>,
}

/// The content of the client's hello.
///
/// Source: section 12.2 (`protocol-spec/12-files.md`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct XftpClientHello {
    /// The version that the client chose.
    pub version: XftpVersion,
    /// The fingerprint in the relay's address.
    pub fingerprint: ShortString<'static>,
}

macro_rules! message {
    ($($message:ty),+) => {$(
        impl $message {
            /// Reads the message from the content of a block and ignores what follows it.
            ///
            /// # Errors
            /// [`HandshakeError::Parse`]: a relay refuses it with [`XftpError::Handshake`], a client closes the connection.
            pub fn read(content: &[u8]) -> Result<Self, HandshakeError> {
                Reader::new(content).read().map_err(|_| HandshakeError::Parse)
            }
        }
    )+};
}

message!(WebHello, XftpRelayHello, XftpClientHello);

/// The error by which a relay refused a handshake, if the content of the block is one.
///
/// A hello is never taken for one: it begins with a version, which is no letter.
#[must_use]
pub fn read_refusal(content: &[u8]) -> Option<XftpError> {
    crate::xftp::error::from_content(content)
}

/// The content of the block by which a relay refuses a handshake.
#[must_use]
pub fn refusal(error: &XftpError) -> Vec<u8> {
    let mut content = Vec::new();
    error.encode(XftpVersion::MAX, &mut content);
    content
}

impl Encode for WebHello {
    fn encode(&self, out: &mut Vec<u8>) {
        self.challenge.map(ShortString::from).encode(out);
    }
}

impl Decode<'_> for WebHello {
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let challenge: Option<ShortString<'_>> = input.read()?;
        let challenge = challenge.map(|bytes| bytes.as_bytes().try_into()).transpose();
        Ok(WebHello { challenge: challenge.map_err(|_| DecodeError::Invalid("challenge"))? })
    }
}

impl Encode for XftpRelayHello {
    fn encode(&self, out: &mut Vec<u8>) {
        self.versions.encode(out);
        self.session_id.encode(out);
        self.key.encode(out);
        let proof = self.identity_proof.as_ref().map_or(&[][..], Signature::as_bytes);
        // At most 114 bytes.
        out.push(proof.len() as u8);
        out.extend_from_slice(proof);
    }
}

impl Decode<'_> for XftpRelayHello {
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let (versions, session_id, key) = input.read()?;
        // Older relays end here. A proof that cannot be read is none.
        let identity_proof = input.short().ok().and_then(|proof| Signature::from_slice(proof).ok());
        Ok(XftpRelayHello { versions, session_id, key, identity_proof })
    }
}

impl Encode for XftpClientHello {
    fn encode(&self, out: &mut Vec<u8>) {
        self.version.encode(out);
        self.fingerprint.encode(out);
    }
}

impl Decode<'_> for XftpClientHello {
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let version = input.read()?;
        let fingerprint: ShortString<'_> = input.read()?;
        Ok(XftpClientHello { version, fingerprint: fingerprint.into_owned() })
    }
}
