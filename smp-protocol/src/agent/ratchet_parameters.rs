//! The public keys from which two sides agree a ratchet (chapters `6-agent.md` and `7-ratchet.md`).

use smp_crypto::sntrup761::{KemCiphertext, KemPublicKey};
use smp_crypto::x448::X448PublicKey;

use crate::encoding::{
    Decode, DecodeError, Encode, Reader, TextDecode, TextEncode, TextReader, from_text_bytes,
};
use crate::link::Query;
use crate::version::{RatchetVersion, VersionRange};

/// The first ratchet version with a KEM.
const POST_QUANTUM: RatchetVersion = RatchetVersion(3);

/// KEM parameters of ratchet parameters: [`ProposedKem`] or [`AnyKem`], depending on who sends them.
///
/// Source: section 6.2 (`protocol-spec/6-agent.md`).
pub trait KemParameters: Sized + sealed::Sealed {
    /// The encapsulation in reply to the other side's key.
    fn ciphertext(&self) -> Option<&KemCiphertext>;
    /// The key for the next encapsulation.
    fn public_key(&self) -> &KemPublicKey;
    /// The parameters with these parts; `None` if a ciphertext has no place there.
    fn from_parts(ciphertext: Option<KemCiphertext>, public_key: KemPublicKey) -> Option<Self>;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::ProposedKem {}
    impl Sealed for super::AnyKem {}
}

/// A key that the other side may encapsulate to: in invitations and in [`AgentEnvelope::RatchetKey`](super::AgentEnvelope).
///
/// Source: section 6.2 (`protocol-spec/6-agent.md`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProposedKem(pub KemPublicKey);

/// A key, with or without an encapsulation to the other side's key: in confirmations.
///
/// Source: section 6.2 (`protocol-spec/6-agent.md`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AnyKem {
    /// Only a key: the other side had none.
    Proposed(KemPublicKey),
    /// A reply to the key of the other side.
    Accepted {
        /// The encapsulated secret.
        ciphertext: KemCiphertext,
        /// The key for the next encapsulation.
        public_key: KemPublicKey,
    },
}

impl KemParameters for ProposedKem {
    fn ciphertext(&self) -> Option<&KemCiphertext> {
        None
    }

    fn public_key(&self) -> &KemPublicKey {
        &self.0
    }

    fn from_parts(ciphertext: Option<KemCiphertext>, public_key: KemPublicKey) -> Option<Self> {
        ciphertext.is_none().then_some(Self(public_key))
    }
}

impl KemParameters for AnyKem {
    fn ciphertext(&self) -> Option<&KemCiphertext> {
        match self {
            Self::Proposed(_) => None,
            Self::Accepted { ciphertext, .. } => Some(ciphertext),
        }
    }

    fn public_key(&self) -> &KemPublicKey {
        match self {
            Self::Proposed(public_key) | Self::Accepted { public_key, .. } => public_key,
        }
    }

    fn from_parts(ciphertext: Option<KemCiphertext>, public_key: KemPublicKey) -> Option<Self> {
        Some(match ciphertext {
            None => Self::Proposed(public_key),
            Some(ciphertext) => Self::Accepted { ciphertext, public_key },
        })
    }
}

impl From<ProposedKem> for AnyKem {
    fn from(kem: ProposedKem) -> Self {
        Self::Proposed(kem.0)
    }
}

/// Ratchet parameters of one agreed version.
///
/// Source: section 6.2 (`protocol-spec/6-agent.md`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RatchetParameters<K> {
    /// The version of the ratchet.
    pub version: RatchetVersion,
    /// First X448 key.
    pub key_1: X448PublicKey,
    /// Second X448 key.
    pub key_2: X448PublicKey,
    /// KEM key; not sent in version 2.
    pub kem: Option<K>,
}

/// Ratchet parameters offered for a range of versions: in invitations. The text form is the value of `e2e=` in links.
///
/// Source: section 6.2 (`protocol-spec/6-agent.md`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RatchetParametersUri<K> {
    /// The versions of the ratchet that its maker speaks.
    pub versions: VersionRange<RatchetVersion>,
    /// First X448 key.
    pub key_1: X448PublicKey,
    /// Second X448 key.
    pub key_2: X448PublicKey,
    /// KEM key; only of use if both sides speak version 3.
    pub kem: Option<K>,
}

/// Parameters that the joining side sends in its confirmation.
///
/// Source: section 6.2 (`protocol-spec/6-agent.md`).
pub type SentRatchetParameters = RatchetParameters<AnyKem>;
/// Parameters that either side sends to agree a new ratchet.
///
/// Source: section 6.2 (`protocol-spec/6-agent.md`).
pub type ReceivedRatchetParameters = RatchetParameters<ProposedKem>;

impl<K> RatchetParametersUri<K> {
    /// The parameters in the form of the agreed version.
    #[must_use]
    pub fn at(self, version: RatchetVersion) -> RatchetParameters<K> {
        RatchetParameters { version, key_1: self.key_1, key_2: self.key_2, kem: self.kem }
    }
}

/// Wraps KEM parameters for the codec: `P` key, or `A` ciphertext key.
struct Kem<K>(K);

impl<K: KemParameters> Encode for Kem<&K> {
    fn encode(&self, out: &mut Vec<u8>) {
        match self.0.ciphertext() {
            None => out.push(b'P'),
            Some(ciphertext) => {
                out.push(b'A');
                ciphertext.encode(out);
            }
        }
        self.0.public_key().encode(out);
    }
}

impl<'a, K: KemParameters> Decode<'a> for Kem<K> {
    fn decode(input: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let ciphertext = match input.byte()? {
            b'P' => None,
            b'A' => Some(input.read()?),
            _ => return Err(DecodeError::Invalid("KEM parameters")),
        };
        from_parts(ciphertext, input.read()?).map(Kem)
    }
}

fn from_parts<K: KemParameters>(
    ciphertext: Option<KemCiphertext>,
    key: KemPublicKey,
) -> Result<K, DecodeError> {
    K::from_parts(ciphertext, key).ok_or(DecodeError::Invalid("KEM parameters: unexpected ciphertext"))
}

impl<K: KemParameters> Encode for RatchetParameters<K> {
    fn encode(&self, out: &mut Vec<u8>) {
        (self.version, &self.key_1, &self.key_2).encode(out);
        if self.version >= POST_QUANTUM {
            self.kem.as_ref().map(Kem).encode(out);
        }
    }
}

impl<'a, K: KemParameters> Decode<'a> for RatchetParameters<K> {
    fn decode(input: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let (version, key_1, key_2) = input.read()?;
        let kem: Option<Kem<K>> = if version >= POST_QUANTUM { input.read()? } else { None };
        Ok(Self { version, key_1, key_2, kem: kem.map(|kem| kem.0) })
    }
}

/// Unlike [`RatchetParameters`], the binary form always has the KEM field.
impl<K: KemParameters> Encode for RatchetParametersUri<K> {
    fn encode(&self, out: &mut Vec<u8>) {
        (self.versions, &self.key_1, &self.key_2, self.kem.as_ref().map(Kem)).encode(out);
    }
}

impl<'a, K: KemParameters> Decode<'a> for RatchetParametersUri<K> {
    fn decode(input: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let (versions, key_1, key_2, kem): (_, _, _, Option<Kem<K>>) = input.read()?;
        Ok(Self { versions, key_1, key_2, kem: kem.map(|kem| kem.0) })
    }
}

/// `v=2-3&x3dh=<key 1>,<key 2>[&kem_ct=<ciphertext>][&kem_key=<key>]`, without escaping.
impl<K: KemParameters> TextEncode for RatchetParametersUri<K> {
    fn text_encode(&self, out: &mut String) {
        out.push_str("v=");
        self.versions.text_encode(out);
        out.push_str("&x3dh=");
        self.key_1.text_encode(out);
        out.push(',');
        self.key_2.text_encode(out);
        let Some(kem) = self.kem.as_ref().filter(|_| self.versions.max() >= POST_QUANTUM) else { return };
        if let Some(ciphertext) = kem.ciphertext() {
            out.push_str("&kem_ct=");
            ciphertext.text_encode(out);
        }
        out.push_str("&kem_key=");
        kem.public_key().text_encode(out);
    }
}

impl<K: KemParameters> TextDecode for RatchetParametersUri<K> {
    fn text_decode(input: &mut TextReader<'_>) -> Result<Self, DecodeError> {
        let query = Query::read(input);
        let versions: VersionRange<RatchetVersion> = query.required("v")?;
        let [key_1, key_2] = two_keys(&query)?;
        let kem = match query.get("kem_key") {
            Some(key) if versions.max() >= POST_QUANTUM => {
                Some(from_parts(query.optional("kem_ct")?, from_text_bytes(&key)?)?)
            }
            // A ciphertext without a key is ignored too.
            _ => None,
        };
        Ok(Self { versions, key_1, key_2, kem })
    }
}

fn two_keys(query: &Query<'_>) -> Result<[X448PublicKey; 2], DecodeError> {
    let keys = query.get("x3dh").ok_or(DecodeError::Invalid("query without a required parameter"))?;
    let mut keys = keys.split(|&b| b == b',');
    match (keys.next(), keys.next(), keys.next()) {
        (Some(key_1), Some(key_2), None) => Ok([from_text_bytes(key_1)?, from_text_bytes(key_2)?]),
        _ => Err(DecodeError::Invalid("number of X448 keys")),
    }
}
