//! Our own form of ratchets and keys at rest. It never leaves the machine.
//!
//! The first byte is the version of the form. All parts have fixed sizes; an optional part is a byte 0, or a byte 1
//! and the part. Buffers are wiped, and have their full capacity from the start, so that none is left behind by growing.
//! The bytes are secret: who stores them should encrypt them.

use smp_crypto::sntrup761::{KemCiphertext, KemPrivateKey, KemPublicKey, KemSharedSecret};
use smp_crypto::x448::{X448PrivateKey, X448PublicKey};
use smp_protocol::encoding::{DecodeError, Reader};
use smp_protocol::version::RatchetVersion;
use zeroize::Zeroizing;

use crate::agreement::{JoiningKem, JoiningKeys, OfferedKeys};
use crate::associated_data::AssociatedData;
use crate::chain_key::{ReceivingChainKey, SendingChainKey};
use crate::error::StateError;
use crate::header_key::{ReceivingHeaderKey, SendingHeaderKey};
use crate::ratchet::{
    AcceptedKem, Ratchet, RatchetKem, RatchetState, RatchetVersions, ReceivingChain, SendingChain,
};
use crate::ratchet_key::{RatchetPrivateKey, RemoteRatchetKey};
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
