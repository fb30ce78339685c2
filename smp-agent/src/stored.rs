//! How keys and values of the protocol are written into the stored state of a connection.
//!
//! `#[serde(with = "crate::stored")]` on a field of a type that implements [`Stored`] here, or on an `Option` or `Vec` of one.
//! Values are byte strings in the encoding that their crate gives them; secrets are wiped on the way.

use serde::de::{Error as _, SeqAccess, Visitor};
use serde::ser::SerializeSeq as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use smp_crypto::link_kdf::LinkKey;
use smp_crypto::{
    DhSecret, Ed25519PrivateKey, PrivateAuthKey, PublicAuthKey, X25519PrivateKey, X25519PublicKey,
};
use smp_protocol::address::RelayAddress;
use smp_protocol::agent::QueueMode;
use smp_protocol::encoding;
use smp_protocol::id::{LinkId, RecipientId, SenderId};
use smp_protocol::link::{InvitationRequest, OwnerAuth};
use smp_protocol::version::{AgentVersion, RatchetVersion, SmpClientVersion};
use smp_ratchet::{ChainPosition, JoiningKeys, MessageSeal, OfferedKeys, Ratchet};
use std::fmt;
use std::io;
use std::marker::PhantomData;
use zeroize::Zeroizing;

/// The version of the form of values at rest.
const FORMAT: u8 = 1;

/// The bytes are not a value at rest, or of a newer version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotStored;

/// The form at rest of a value, in a buffer that leaves no copies behind when it grows.
pub(crate) fn to_bytes(value: &impl Serialize, capacity: usize) -> Result<Zeroizing<Vec<u8>>, NotStored> {
    let mut buffer = WipedBuffer(Zeroizing::new(Vec::with_capacity(capacity)));
    buffer.0.push(FORMAT);
    ciborium::into_writer(value, &mut buffer).map_err(|_| NotStored)?;
    Ok(buffer.0)
}

/// The value of which [`to_bytes`] made these.
pub(crate) fn from_bytes<T: for<'de> Deserialize<'de>>(bytes: &[u8]) -> Result<T, NotStored> {
    match bytes {
        [FORMAT, content @ ..] => ciborium::from_reader(content).map_err(|_| NotStored),
        _ => Err(NotStored),
    }
}

struct WipedBuffer(Zeroizing<Vec<u8>>);

impl io::Write for WipedBuffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let needed = self.0.len() + bytes.len();
        if needed > self.0.capacity() {
            let mut larger = Zeroizing::new(Vec::with_capacity(needed.max(2 * self.0.capacity())));
            larger.extend_from_slice(&self.0);
            self.0 = larger;
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// For `#[serde(with = "crate::stored")]`.
pub(crate) fn serialize<T: Stored, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
    value.store(serializer)
}

/// For `#[serde(with = "crate::stored")]`.
pub(crate) fn deserialize<'de, T: Stored, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    T::load(deserializer)
}

/// A value with a form at rest.
pub(crate) trait Stored: Sized {
    fn store<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error>;
    fn load<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error>;
}

/// A value that is stored as bytes.
macro_rules! stored_bytes {
    ($($type:ty: $to:expr, $from:expr;)+) => {$(
        impl Stored for $type {
            fn store<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let to: fn(&Self) -> Zeroizing<Vec<u8>> = $to;
                serializer.serialize_bytes(&to(self))
            }

            fn load<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let from: fn(&[u8]) -> Option<Self> = $from;
                let bytes = deserializer.deserialize_byte_buf(Bytes)?;
                from(&bytes).ok_or_else(|| D::Error::custom(concat!("not a ", stringify!($type))))
            }
        }
    )+};
}

fn wiped(bytes: &[u8]) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(bytes.to_vec())
}

stored_bytes! {
    Vec<u8>: |bytes| wiped(bytes), |bytes| Some(bytes.to_vec());
    PrivateAuthKey: |key| wiped(&key.to_der()), |der| PrivateAuthKey::from_der(der).ok();
    PublicAuthKey: |key| wiped(&key.to_der()), |der| PublicAuthKey::from_der(der).ok();
    X25519PrivateKey: |key| wiped(key.as_bytes()), |bytes| bytes.try_into().ok();
    X25519PublicKey: |key| wiped(key.as_bytes()), |bytes| bytes.try_into().ok();
    DhSecret: |secret| wiped(secret.as_bytes()), |bytes| bytes.try_into().ok().map(DhSecret::from_bytes);
    RelayAddress: |address| Zeroizing::new(encoding::to_bytes(address)), |bytes| encoding::from_bytes(bytes).ok();
    RecipientId: |id| wiped(id.as_bytes()), |bytes| RecipientId::new(bytes).ok();
    SenderId: |id| wiped(id.as_bytes()), |bytes| SenderId::new(bytes).ok();
    LinkId: |id| wiped(id.as_bytes()), |bytes| LinkId::new(bytes).ok();
    Ed25519PrivateKey: |key| wiped(key.as_bytes()), |bytes| bytes.try_into().ok().map(Ed25519PrivateKey::from_bytes);
    LinkKey: |key| wiped(key.as_bytes()), LinkKey::from_slice;
    OwnerAuth: |owner| Zeroizing::new(encoding::to_bytes(owner)), |bytes| encoding::from_bytes(bytes).ok();
    // As it is in a request to a contact address.
    InvitationRequest: |request| wiped(encoding::to_text(request).as_bytes()), |text| encoding::from_text(str::from_utf8(text).ok()?).ok();
    OfferedKeys: OfferedKeys::to_bytes, |bytes| OfferedKeys::from_bytes(bytes).ok();
    JoiningKeys: JoiningKeys::to_bytes, |bytes| JoiningKeys::from_bytes(bytes).ok();
    MessageSeal: MessageSeal::to_bytes, |bytes| MessageSeal::from_bytes(bytes).ok();
    ChainPosition: ChainPosition::to_bytes, |bytes| ChainPosition::from_bytes(bytes).ok();
    // Without the position in its chains, which is stored apart.
    Ratchet: Ratchet::chains_to_bytes, |bytes| Ratchet::from_bytes(bytes).ok();
}

impl Stored for AgentVersion {
    fn store<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }

    fn load<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        u16::deserialize(deserializer).map(Self)
    }
}

impl Stored for RatchetVersion {
    fn store<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }

    fn load<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        u16::deserialize(deserializer).map(Self)
    }
}

impl Stored for SmpClientVersion {
    fn store<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }

    fn load<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        u16::deserialize(deserializer).map(Self)
    }
}

impl Stored for QueueMode {
    fn store<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(match self {
            Self::Messaging => "messaging",
            Self::Contact => "contact",
        })
    }

    fn load<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match String::deserialize(deserializer)?.as_str() {
            "messaging" => Ok(Self::Messaging),
            "contact" => Ok(Self::Contact),
            _ => Err(D::Error::custom("not a queue mode")),
        }
    }
}

impl<T: Stored> Stored for Option<T> {
    fn store<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.as_ref().map(Borrowed).serialize(serializer)
    }

    fn load<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Option::<Owned<T>>::deserialize(deserializer)?.map(|Owned(value)| value))
    }
}

impl<T: Stored> Stored for Vec<T> {
    fn store<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut sequence = serializer.serialize_seq(Some(self.len()))?;
        for value in self {
            sequence.serialize_element(&Borrowed(value))?;
        }
        sequence.end()
    }

    fn load<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(Values(PhantomData))
    }
}

struct Borrowed<'a, T>(&'a T);

impl<T: Stored> Serialize for Borrowed<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.store(serializer)
    }
}

struct Owned<T>(T);

impl<'de, T: Stored> Deserialize<'de> for Owned<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::load(deserializer).map(Self)
    }
}

struct Values<T>(PhantomData<T>);

impl<'de, T: Stored> Visitor<'de> for Values<T> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Vec<T>, A::Error> {
        let mut values = Vec::new();
        while let Some(Owned(value)) = sequence.next_element()? {
            values.push(value);
        }
        Ok(values)
    }
}

/// Reads a byte string.
struct Bytes;

impl Visitor<'_> for Bytes {
    type Value = Zeroizing<Vec<u8>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("bytes")
    }

    fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Self::Value, E> {
        Ok(wiped(bytes))
    }

    fn visit_byte_buf<E>(self, bytes: Vec<u8>) -> Result<Self::Value, E> {
        Ok(Zeroizing::new(bytes))
    }
}
