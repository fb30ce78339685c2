//! The three messages of the handshake.

use smp_crypto::X25519PublicKey;

use crate::certificate::CertifiedKey;
use crate::encoding::{Decode, DecodeError, Encode, Reader, ShortString};
use crate::error::{HandshakeError, TransportError};
use crate::id::{ServiceId, SessionId};
use crate::version::{SmpVersion, VersionRange};

/// The first message, from the relay.
///
/// Source: section 2.4 (`protocol-spec/2-transport.md`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelayHello {
    /// Versions that the relay speaks.
    pub versions: VersionRange<SmpVersion>,
    /// Must be the `tls-unique` of the connection.
    pub session_id: SessionId,
    /// The relay's X25519 key for this session, if it speaks version 7 or later. There is no mark for its presence: a key
    /// that cannot be read is as good as none.
    pub key: Option<CertifiedKey>,
}

/// The second message, from the client.
///
/// Source: section 2.4 (`protocol-spec/2-transport.md`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientHello {
    /// The version that the client chose.
    pub version: SmpVersion,
    /// The fingerprint in the relay's address.
    pub fingerprint: ShortString<'static>,
    /// The client's key for this session, from version 7. There is no mark for its presence either.
    pub key: Option<X25519PublicKey>,
    /// Whether the client is a proxy, from version 14.
    pub proxy: bool,
    /// Whether the client is a service, from version 16.
    pub service: Option<ClientService>,
}

/// How a client presents itself as a service.
///
/// Source: section 2.5 (`protocol-spec/2-transport.md`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientService {
    /// Its role.
    pub role: ServiceRole,
    /// Its certificates, the same as in TLS, and its Ed25519 key for this session.
    pub key: CertifiedKey,
}

/// The role of a service.
///
/// Source: section 2.5 (`protocol-spec/2-transport.md`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ServiceRole {
    /// `M`: receives messages.
    Messaging,
    /// `N`: passes notifications on.
    Notifier,
    /// `P`: forwards commands.
    Proxy,
}

/// The third message, from the relay to services only.
///
/// Source: section 2.5 (`protocol-spec/2-transport.md`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServiceResponse {
    /// The service is known under this ID, which is the entity ID of its commands.
    Registered(ServiceId),
    /// The service is refused; the relay closes the connection.
    Refused(TransportError),
}

macro_rules! handshake_message {
    ($($message:ty),+) => {$(
        impl $message {
            /// Reads the message from the content of a block and ignores what follows it.
            ///
            /// # Errors
            /// [`HandshakeError::Parse`]: close the connection.
            pub fn read(content: &[u8]) -> Result<Self, TransportError> {
                Reader::new(content).read().map_err(|_| HandshakeError::Parse.into())
            }
        }
    )+};
}

handshake_message!(RelayHello, ClientHello, ServiceResponse);

/// Reads a value that may be absent without a mark: if it cannot be read, nothing is taken from the input.
fn read_silent<'a, T: Decode<'a>>(input: &mut Reader<'a>) -> Option<T> {
    let mut ahead = *input;
    let value = ahead.read().ok()?;
    *input = ahead;
    Some(value)
}

impl Encode for RelayHello {
    fn encode(&self, out: &mut Vec<u8>) {
        self.versions.encode(out);
        self.session_id.encode(out);
        if let Some(key) = &self.key
            && self.versions.max() >= SmpVersion::AUTH_COMMANDS
        {
            key.encode(out);
        }
    }
}

impl Decode<'_> for RelayHello {
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let versions: VersionRange<SmpVersion> = input.read()?;
        let session_id = input.read()?;
        let has_key = versions.max() >= SmpVersion::AUTH_COMMANDS;
        let key = if has_key { read_silent(input) } else { None };
        Ok(RelayHello { versions, session_id, key })
    }
}

impl Encode for ClientHello {
    fn encode(&self, out: &mut Vec<u8>) {
        self.version.encode(out);
        self.fingerprint.encode(out);
        if let Some(key) = &self.key
            && self.version >= SmpVersion::AUTH_COMMANDS
        {
            key.encode(out);
        }
        if self.version >= SmpVersion::PROXY_HANDSHAKE {
            self.proxy.encode(out);
        }
        if self.version >= SmpVersion::SERVICE_CERTIFICATES {
            self.service.encode(out);
        }
    }
}

impl Decode<'_> for ClientHello {
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let version: SmpVersion = input.read()?;
        let fingerprint: ShortString<'_> = input.read()?;
        Ok(ClientHello {
            version,
            fingerprint: fingerprint.into_owned(),
            key: if version >= SmpVersion::AUTH_COMMANDS { read_silent(input) } else { None },
            proxy: if version >= SmpVersion::PROXY_HANDSHAKE { input.read()? } else { false },
            service: if version >= SmpVersion::SERVICE_CERTIFICATES { input.read()? } else { None },
        })
    }
}

impl Encode for ClientService {
    fn encode(&self, out: &mut Vec<u8>) {
        self.role.encode(out);
        self.key.encode(out);
    }
}

impl Decode<'_> for ClientService {
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(ClientService { role: input.read()?, key: input.read()? })
    }
}

impl Encode for ServiceRole {
    fn encode(&self, out: &mut Vec<u8>) {
        out.push(match self {
            ServiceRole::Messaging => b'M',
            ServiceRole::Notifier => b'N',
            ServiceRole::Proxy => b'P',
        });
    }
}

impl Decode<'_> for ServiceRole {
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        match input.byte()? {
            b'M' => Ok(ServiceRole::Messaging),
            b'N' => Ok(ServiceRole::Notifier),
            b'P' => Ok(ServiceRole::Proxy),
            _ => Err(DecodeError::Invalid("service role")),
        }
    }
}

impl Encode for ServiceResponse {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            ServiceResponse::Registered(id) => {
                out.push(b'R');
                id.encode(out);
            }
            ServiceResponse::Refused(error) => {
                out.push(b'E');
                error.encode(out);
            }
        }
    }
}

impl Decode<'_> for ServiceResponse {
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        match input.byte()? {
            b'R' => input.read().map(ServiceResponse::Registered),
            b'E' => input.read().map(ServiceResponse::Refused),
            _ => Err(DecodeError::Invalid("service response")),
        }
    }
}
