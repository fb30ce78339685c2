//! Our own form of ratchets and keys at rest. It never leaves the machine.
//!
//! The first byte is the version of the form. All parts have fixed sizes; an optional part is a byte 0, or a byte 1
//! and the part. Buffers are wiped, and have their full capacity from the start, so that none is left behind by growing.
//! The bytes are secret: who stores them should encrypt them.

use std::sync::Arc;

use smp_crypto::sntrup761::{KemCiphertext, KemPrivateKey, KemPublicKey, KemSharedSecret};
use smp_crypto::x448::{X448PrivateKey, X448PublicKey};
use smp_protocol::encoding::{DecodeError, Reader};
use smp_protocol::version::RatchetVersion;
use zeroize::Zeroizing;

use crate::agreement::{JoiningKem, JoiningKeys, OfferedKeys};
use crate::associated_data::AssociatedData;
use crate::chain_key::{ReceivingChainKey, SendingChainKey};
use crate::encrypt::MessageSeal;
use crate::error::StateError;
use crate::header_key::{ReceivingHeaderKey, SendingHeaderKey};
use crate::kem::{AcceptedKem, RatchetKem};
use crate::message_key::MessageKey;
use crate::ratchet::{Ratchet, RatchetState, RatchetVersions, ReceivingChain, SendingChain};
use crate::ratchet_key::{AgreementKey, RatchetPrivateKey, RemoteRatchetKey};
use crate::root_key::RootKey;

/// The version of the form.
const FORMAT: u8 = 1;
/// Bytes of the longest value, a ratchet with all parts.
const CAPACITY: usize = 4521;

type Bytes = Zeroizing<Vec<u8>>;

/// A value with a form at rest.
trait Stored: Sized {
    fn write(&self, out: &mut Bytes);
    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError>;
}

fn to_bytes(value: &impl Stored) -> Bytes {
    let mut out = Zeroizing::new(Vec::with_capacity(CAPACITY));
    out.push(FORMAT);
    value.write(&mut out);
    debug_assert!(out.len() <= CAPACITY, "the buffer has grown and left secrets behind");
    out
}

fn from_bytes<T: Stored>(bytes: &[u8]) -> Result<T, StateError> {
    let mut input = Reader::new(bytes);
    let value = (input.byte() == Ok(FORMAT)).then(|| T::read(&mut input)).ok_or(StateError)?;
    input.finish().map_err(|_| StateError)?;
    value.map_err(|_| StateError)
}

macro_rules! stored_api {
    ($($type:ident, $size:literal);+ $(;)?) => {$(
        impl $type {
            #[doc = concat!("The value at rest, up to ", $size, " bytes. Secret.")]
            #[must_use]
            pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
                to_bytes(self)
            }

            /// Reads what `to_bytes` wrote, in this or an earlier version of this crate.
            ///
            /// # Errors
            /// [`StateError`] for any other bytes.
            pub fn from_bytes(bytes: &[u8]) -> Result<Self, StateError> {
                from_bytes(bytes)
            }
        }
    )+};
}

stored_api!(Ratchet, "4,521"; OfferedKeys, "1,877"; JoiningKeys, "2,949");

/// The part of a ratchet that a message changes if it stays in its chains: two chain keys and two counters, up to 75 bytes at rest.
///
/// [`Ratchet::chains_to_bytes`] is the rest, two thirds of it KEM keys, which only a ratchet step or a change of settings
/// changes. To store the two apart is to write little for most messages.
///
/// Source: section 7.2 (`protocol-spec/7-ratchet.md`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChainPosition {
    sending: Option<SendingChainKey>,
    receiving: Option<ReceivingChainKey>,
    sent: u32,
    received: u32,
}

stored_api!(ChainPosition, "75"; MessageSeal, "2,513");

/// In place of the chain keys, where the chains are stored without the position in them.
const NO_KEY: [u8; 32] = [0; 32];

impl Ratchet {
    /// Where the ratchet is in its chains.
    #[must_use]
    pub fn position(&self) -> ChainPosition {
        let state = &self.state;
        ChainPosition {
            sending: state.sending.as_ref().map(|chain| chain.chain_key.clone()),
            receiving: state.receiving.as_ref().map(|chain| chain.chain_key.clone()),
            sent: state.sent,
            received: state.received,
        }
    }

    /// The ratchet without its position, up to 4,521 bytes: the same as long as it stays in its chains. Secret.
    #[must_use]
    pub fn chains_to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let nowhere = ChainPosition {
            sending: self.state.sending.as_ref().map(|_| SendingChainKey::from_bytes(NO_KEY)),
            receiving: self.state.receiving.as_ref().map(|_| ReceivingChainKey::from_bytes(NO_KEY)),
            sent: 0,
            received: 0,
        };
        // It has a place for each chain.
        self.clone().at(nowhere).map_or_else(|StateError| self.to_bytes(), |ratchet| ratchet.to_bytes())
    }

    /// Whether another ratchet differs from this one in its position only. Costs little where one follows from the other.
    #[must_use]
    pub fn is_in_chains_of(&self, other: &Self) -> bool {
        self.clone().at(other.position()).is_ok_and(|moved| moved == *other)
    }

    /// The ratchet at a position in its chains.
    ///
    /// # Errors
    /// [`StateError`] if the position is one in other chains.
    pub fn at(mut self, position: ChainPosition) -> Result<Self, StateError> {
        let state = &mut self.state;
        match (&mut state.sending, position.sending) {
            (None, None) => {}
            (Some(chain), Some(key)) => chain.chain_key = key,
            _ => return Err(StateError),
        }
        match (&mut state.receiving, position.receiving) {
            (None, None) => {}
            (Some(chain), Some(key)) => chain.chain_key = key,
            _ => return Err(StateError),
        }
        (state.sent, state.received) = (position.sent, position.received);
        Ok(self)
    }
}

macro_rules! stored_array {
    ($($type:ident),+) => {$(
        impl Stored for $type {
            fn write(&self, out: &mut Bytes) {
                out.extend_from_slice(self.as_bytes());
            }

            fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
                Ok($type::from_bytes(input.array()?))
            }
        }
    )+};
}

stored_array!(
    X448PrivateKey,
    X448PublicKey,
    KemSharedSecret,
    RootKey,
    SendingChainKey,
    ReceivingChainKey,
    SendingHeaderKey,
    ReceivingHeaderKey
);

macro_rules! stored_slice {
    ($($type:ident, $size:expr);+ $(;)?) => {$(
        impl Stored for $type {
            fn write(&self, out: &mut Bytes) {
                out.extend_from_slice(self.as_bytes());
            }

            fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
                $type::from_slice(input.take($size)?).map_err(|_| DecodeError::Invalid(stringify!($type)))
            }
        }
    )+};
}

stored_slice!(
    KemPrivateKey, smp_crypto::sntrup761::PRIVATE_KEY_SIZE;
    KemPublicKey, smp_crypto::sntrup761::PUBLIC_KEY_SIZE;
    KemCiphertext, smp_crypto::sntrup761::CIPHERTEXT_SIZE;
);

/// The parts of a struct, in the order in which they are stored.
macro_rules! stored_struct {
    ($type:ident { $($field:ident),+ }) => {
        impl Stored for $type {
            fn write(&self, out: &mut Bytes) {
                $(self.$field.write(out);)+
            }

            fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
                Ok($type { $($field: Stored::read(input)?),+ })
            }
        }
    };
}

stored_struct!(ChainPosition { sending, receiving, sent, received });
stored_struct!(MessageSeal { version, associated_data, key, padded_length, header });
stored_struct!(Ratchet { state });
stored_struct!(RatchetState {
    versions,
    associated_data,
    ratchet_key,
    kem,
    pq_supported,
    pq_enabled,
    pq_sending,
    pq_receiving,
    root_key,
    sending,
    receiving,
    sent,
    received,
    previous_sent,
    next_sending_header_key,
    next_receiving_header_key
});
stored_struct!(RatchetVersions { current, max_supported });
stored_struct!(SendingChain { remote_key, chain_key, header_key });
stored_struct!(ReceivingChain { chain_key, header_key });
stored_struct!(RatchetKem { private_key, accepted });
stored_struct!(AcceptedKem { remote_key, shared_secret, ciphertext });
stored_struct!(OfferedKeys { key_1, key_2, kem });
stored_struct!(JoiningKeys { key_1, key_2, kem });

impl<T: Stored> Stored for Arc<T> {
    fn write(&self, out: &mut Bytes) {
        T::write(self, out);
    }

    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        T::read(input).map(Self::new)
    }
}

impl Stored for JoiningKem {
    fn write(&self, out: &mut Bytes) {
        match self {
            Self::Proposed(private_key) => {
                out.push(0);
                private_key.write(out);
            }
            Self::Accepted { ciphertext, shared_secret, private_key } => {
                out.push(1);
                ciphertext.write(out);
                shared_secret.write(out);
                private_key.write(out);
            }
        }
    }

    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(match bool::read(input)? {
            false => Self::Proposed(Stored::read(input)?),
            true => Self::Accepted {
                ciphertext: Stored::read(input)?,
                shared_secret: Stored::read(input)?,
                private_key: Stored::read(input)?,
            },
        })
    }
}

impl Stored for MessageKey {
    fn write(&self, out: &mut Bytes) {
        out.extend_from_slice(self.to_bytes().as_slice());
    }

    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self::from_bytes(&input.array()?))
    }
}

/// All that is left: only the last part of a value can be this.
impl Stored for Vec<u8> {
    fn write(&self, out: &mut Bytes) {
        out.extend_from_slice(self);
    }

    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(input.rest().to_vec())
    }
}

/// The public half is not stored.
impl Stored for AgreementKey {
    fn write(&self, out: &mut Bytes) {
        self.private_key().write(out);
    }

    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self::new(Stored::read(input)?))
    }
}

impl Stored for RatchetPrivateKey {
    fn write(&self, out: &mut Bytes) {
        self.private_key().write(out);
        self.public_key().0.write(out);
    }

    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self::from_pair(Stored::read(input)?, Stored::read(input)?))
    }
}

impl Stored for RemoteRatchetKey {
    fn write(&self, out: &mut Bytes) {
        self.0.write(out);
    }

    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self(Stored::read(input)?))
    }
}

impl Stored for AssociatedData {
    fn write(&self, out: &mut Bytes) {
        out.extend_from_slice(self.as_bytes());
    }

    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self::from_bytes(&input.array()?))
    }
}

impl Stored for RatchetVersion {
    fn write(&self, out: &mut Bytes) {
        out.extend_from_slice(&self.0.to_be_bytes());
    }

    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.read()
    }
}

impl Stored for u32 {
    fn write(&self, out: &mut Bytes) {
        out.extend_from_slice(&self.to_be_bytes());
    }

    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.read()
    }
}

impl Stored for bool {
    fn write(&self, out: &mut Bytes) {
        out.push(u8::from(*self));
    }

    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        match input.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(DecodeError::Invalid("flag")),
        }
    }
}

impl<T: Stored> Stored for Option<T> {
    fn write(&self, out: &mut Bytes) {
        self.is_some().write(out);
        if let Some(value) = self {
            value.write(out);
        }
    }

    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        bool::read(input)?.then(|| T::read(input)).transpose()
    }
}
