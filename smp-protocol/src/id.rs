//! Identifiers: byte strings of 0 to 255 bytes in the form of a short string, one type for each meaning.
//!
//! IDs that we make have 24 random bytes; a peer may use any other length. In release builds `Debug` shows the length only,
//! so that no identifier gets into a log.

use std::fmt;

use rand::CryptoRng;

use crate::encoding::{Decode, DecodeError, Encode, MAX_SHORT_STRING, Reader, TooLong, debug_bytes};

/// Bytes in an ID that we make.
pub const ID_BYTES: usize = 24;
/// IDs up to this length are kept without allocation.
const INLINE: usize = 30;

#[derive(Clone)]
enum Bytes {
    Inline { length: u8, bytes: [u8; INLINE] },
    Heap(Box<[u8]>),
}

impl Bytes {
    /// The caller has checked that there are at most 255 bytes.
    fn copy(source: &[u8]) -> Self {
        let mut bytes = [0; INLINE];
        match bytes.get_mut(..source.len()) {
            Some(start) => {
                start.copy_from_slice(source);
                Bytes::Inline { length: source.len() as u8, bytes }
            }
            None => Bytes::Heap(source.into()),
        }
    }

    fn as_slice(&self) -> &[u8] {
        match self {
            Bytes::Inline { length, bytes } => &bytes[..usize::from(*length)],
            Bytes::Heap(bytes) => bytes,
        }
    }
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone)]
        pub struct $name(Bytes);

        impl $name {
            /// A new random ID of 24 bytes.
            pub fn generate(rng: &mut (impl CryptoRng + ?Sized)) -> Self {
                let mut bytes = [0; ID_BYTES];
                rng.fill_bytes(&mut bytes);
                bytes.into()
            }

            /// Copies an ID of 0 to 255 bytes.
            ///
            /// # Errors
            /// [`TooLong`] if there are more bytes.
            pub fn new(bytes: &[u8]) -> Result<Self, TooLong> {
                if bytes.len() > MAX_SHORT_STRING {
                    return Err(TooLong { length: bytes.len(), maximum: MAX_SHORT_STRING });
                }
                Ok($name(Bytes::copy(bytes)))
            }

            /// The ID of no bytes.
            pub fn empty() -> Self {
                $name(Bytes::copy(&[]))
            }

            /// Whether the ID has no bytes.
            pub fn is_empty(&self) -> bool {
                self.as_bytes().is_empty()
            }

            /// The bytes, without the length.
            pub fn as_bytes(&self) -> &[u8] {
                self.0.as_slice()
            }
        }

        impl From<[u8; ID_BYTES]> for $name {
            fn from(bytes: [u8; ID_BYTES]) -> Self {
                $name(Bytes::copy(&bytes))
            }
        }

        impl TryFrom<&[u8]> for $name {
            type Error = TooLong;

            fn try_from(bytes: &[u8]) -> Result<Self, TooLong> {
                $name::new(bytes)
            }
        }

        impl AsRef<[u8]> for $name {
            fn as_ref(&self) -> &[u8] {
                self.as_bytes()
            }
        }

        /// Maps with this key can be searched with borrowed bytes.
        impl std::borrow::Borrow<[u8]> for $name {
            fn borrow(&self) -> &[u8] {
                self.as_bytes()
            }
        }

        impl PartialEq for $name {
            fn eq(&self, other: &Self) -> bool {
                self.as_bytes() == other.as_bytes()
            }
        }

        impl Eq for $name {}

        impl std::hash::Hash for $name {
            fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
                self.as_bytes().hash(state);
            }
        }

        impl PartialOrd for $name {
            fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
                Some(self.cmp(other))
            }
        }

        impl Ord for $name {
            fn cmp(&self, other: &Self) -> std::cmp::Ordering {
                self.as_bytes().cmp(other.as_bytes())
            }
        }

        impl Default for $name {
            fn default() -> Self {
                Self::empty()
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                debug_bytes(stringify!($name), self.as_bytes(), f)
            }
        }

        impl Encode for $name {
            fn encode(&self, out: &mut Vec<u8>) {
                let bytes = self.as_bytes();
                // The constructors have checked that the length fits.
                out.push(bytes.len() as u8);
                out.extend_from_slice(bytes);
            }
        }

        impl Decode<'_> for $name {
            fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
                Ok($name(Bytes::copy(input.short()?)))
            }
        }
    };
}

id!(
    /// The ID in the third part of a transmission, before it is known of which kind it is. Empty where a command has none.
    ///
    /// Source: chapter 3 (`protocol-spec/3-transmissions.md`).
    EntityId
);
id!(
    /// The ID under which its recipient knows a queue.
    ///
    /// Source: section 4.1 (`protocol-spec/4-commands.md`).
    RecipientId
);
id!(
    /// The ID under which its sender knows a queue.
    ///
    /// Source: section 4.1 (`protocol-spec/4-commands.md`).
    SenderId
);
id!(
    /// The ID under which a notification server knows a queue.
    ///
    /// Source: section 4.1 (`protocol-spec/4-commands.md`).
    NotifierId
);
id!(
    /// The ID of the data of a short link.
    ///
    /// Source: section 4.1 (`protocol-spec/4-commands.md`).
    LinkId
);
id!(
    /// The ID that a relay gave to a service certificate.
    ///
    /// Source: section 2.5 (`protocol-spec/2-transport.md`).
    ServiceId
);
id!(
    /// The ID of a session between a client and a destination relay through a proxy: the destination's session ID.
    ///
    /// Source: section 4.5 (`protocol-spec/4-commands.md`).
    ProxySessionId
);
id!(
    /// The ID of a message in a queue, also the nonce of its body's box.
    ///
    /// Source: section 5.2 (`protocol-spec/5-messages.md`).
    MessageId
);
id!(
    /// Ties an answer to its command; empty in what a relay sends on its own. Also a nonce: never use one twice.
    ///
    /// Source: chapter 3 (`protocol-spec/3-transmissions.md`).
    CorrelationId
);
id!(
    /// The ID of a TLS session: `tls-unique`, 32 bytes in TLS 1.3 with the only suite of the protocol.
    ///
    /// Source: section 2.3 (`protocol-spec/2-transport.md`).
    SessionId
);

id!(
    /// The ID under which its sender knows a chunk of a file.
    ///
    /// Source: section 12.4 (`protocol-spec/12-files.md`).
    ChunkSenderId
);
id!(
    /// The ID under which one of its recipients knows a chunk of a file.
    ///
    /// Source: section 12.4 (`protocol-spec/12-files.md`).
    ChunkRecipientId
);

macro_rules! entity {
    ($($name:ident),+) => {$(
        impl From<EntityId> for $name {
            fn from(id: EntityId) -> Self {
                $name(id.0)
            }
        }

        impl From<$name> for EntityId {
            fn from(id: $name) -> Self {
                EntityId(id.0)
            }
        }

        impl From<&$name> for EntityId {
            fn from(id: &$name) -> Self {
                EntityId(id.0.clone())
            }
        }
    )+};
}

entity!(
    RecipientId,
    SenderId,
    NotifierId,
    LinkId,
    ServiceId,
    ProxySessionId,
    ChunkSenderId,
    ChunkRecipientId
);
