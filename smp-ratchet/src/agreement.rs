//! The agreement on a ratchet by two sides: X3DH with an optional KEM.
//!
//! The side that invites offers two X448 keys ([`OfferedKeys`]), in a link or, to agree anew, in a message. The side
//! that joins makes two of its own ([`JoiningKeys`]) and sends them in its confirmation. Both compute the same
//! [`Agreement`].

use smp_crypto::hkdf::hkdf_sha512;
use smp_crypto::sntrup761::{KemCiphertext, KemPrivateKey, KemSharedSecret};
use smp_crypto::x448::{X448PublicKey, X448Secret};
use smp_protocol::agent::{AnyKem, KemParameters, ProposedKem, RatchetParameters, RatchetParametersUri};
use smp_protocol::version::{RatchetVersion, VersionRange};
use zeroize::Zeroizing;

use crate::agreed::{Agreement, SharedHeaderKey};
use crate::associated_data::AssociatedData;
use crate::envelope::POST_QUANTUM_VERSION;
use crate::error::AgreementError;
use crate::kem::{AcceptedKem, RatchetKem};
use crate::key_source::KeySource;
use crate::ratchet::{Ratchet, RatchetVersions};
use crate::ratchet_key::{AgreementKey, RemoteRatchetKey};
use crate::root_key::RootKey;
use crate::three_keys::three_keys;

const SALT: [u8; 64] = [0; 64];
const INFO: &[u8] = b"SimpleXX3DH";

/// The private keys of the side that invites (`rk1`, `rk2`); kept until the other side's have come.
///
/// Source: section 7.1 (`protocol-spec/7-ratchet.md`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfferedKeys {
    /// First key: goes into the associated data.
    pub key_1: AgreementKey,
    /// Second key: becomes the first ratchet key.
    pub key_2: AgreementKey,
    /// The encapsulation key that is offered, if post-quantum encryption is wanted.
    pub kem: Option<KemPrivateKey>,
}

/// The private keys of the side that joins (`spk1`, `spk2`); kept as long as its confirmation may be sent again.
///
/// Source: section 7.1 (`protocol-spec/7-ratchet.md`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JoiningKeys {
    /// First key: goes into the associated data.
    pub key_1: AgreementKey,
    /// Second key. It is not the first ratchet key, which is a third one.
    pub key_2: AgreementKey,
    /// The answer to the offered encapsulation key.
    pub kem: Option<JoiningKem>,
}

/// The private side of an answer about the KEM.
///
/// Source: section 7.1 (`protocol-spec/7-ratchet.md`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JoiningKem {
    /// Nothing was offered, or both sides propose at once: here is a key.
    Proposed(KemPrivateKey),
    /// A secret for the offered key, and a key for the way back.
    Accepted {
        /// The secret, as it is sent.
        ciphertext: KemCiphertext,
        /// The secret.
        shared_secret: KemSharedSecret,
        /// The key for the way back.
        private_key: KemPrivateKey,
    },
}

impl OfferedKeys {
    /// Makes keys for an offer of up to `version`; with a KEM key if that is wanted and the version has it.
    #[must_use]
    pub fn generate(version: RatchetVersion, pq: bool, keys: &mut (impl KeySource + ?Sized)) -> Self {
        Self {
            key_1: keys.ratchet_key().into(),
            key_2: keys.ratchet_key().into(),
            kem: (pq && version >= POST_QUANTUM_VERSION).then(|| keys.kem_key()),
        }
    }

    /// The parameters to send: of one version.
    #[must_use]
    pub fn parameters(&self, version: RatchetVersion) -> RatchetParameters<ProposedKem> {
        RatchetParameters {
            version,
            key_1: self.key_1.public_key(),
            key_2: self.key_2.public_key(),
            kem: self.kem.as_ref().map(|kem| ProposedKem(kem.public_key())),
        }
    }

    /// The parameters to write into a link: of a range of versions.
    #[must_use]
    pub fn uri_parameters(
        &self,
        versions: VersionRange<RatchetVersion>,
    ) -> RatchetParametersUri<ProposedKem> {
        let RatchetParameters { key_1, key_2, kem, .. } = self.parameters(versions.max());
        RatchetParametersUri { versions, key_1, key_2, kem }
    }

    /// The agreement with a side that joined. `pqX3dhRcv` of the reference.
    ///
    /// # Errors
    /// [`AgreementError::KemState`].
    pub fn agree<K: KemParameters>(
        &self,
        joining: &RatchetParameters<K>,
    ) -> Result<Agreement, AgreementError> {
        let secrets = [
            self.key_1.agree(&joining.key_2),
            self.key_2.agree(&joining.key_1),
            self.key_2.agree(&joining.key_2),
        ];
        let associated_data = AssociatedData::new(&joining.key_1, &self.key_1.public_key());
        Ok(derive(associated_data, &secrets, self.answered_kem(joining)?))
    }

    fn answered_kem<K: KemParameters>(
        &self,
        joining: &RatchetParameters<K>,
    ) -> Result<Option<RatchetKem>, AgreementError> {
        let answer = joining.kem.as_ref().filter(|_| joining.version >= POST_QUANTUM_VERSION);
        let Some((answer, ciphertext)) = answer.and_then(|kem| Some((kem, kem.ciphertext()?))) else {
            // Without a ciphertext our key is not used again: the ratchet proposes a new one.
            return Ok(None);
        };
        let ours = self.kem.as_ref().ok_or(AgreementError::KemState)?;
        let accepted = AcceptedKem {
            remote_key: answer.public_key().clone(),
            shared_secret: ours.decapsulate(ciphertext),
            ciphertext: ciphertext.clone(),
        };
        Ok(Some(RatchetKem { private_key: ours.clone(), accepted: Some(accepted) }))
    }

    /// The ratchet with a side that joined: it receives first. `pq` says whether we want post-quantum encryption.
    ///
    /// # Errors
    /// [`AgreementError::KemState`].
    pub fn ratchet<K: KemParameters>(
        &self,
        joining: &RatchetParameters<K>,
        versions: RatchetVersions,
        pq: bool,
    ) -> Result<Ratchet, AgreementError> {
        let ratchet_key = self.key_2.to_ratchet_key();
        Ok(Ratchet::new_receiving(versions, self.agree(joining)?, ratchet_key, pq))
    }
}

impl JoiningKeys {
    /// Makes keys to answer an offer; with the KEM if that is wanted and the offered version has it.
    #[must_use]
    pub fn generate(
        offered: &RatchetParameters<ProposedKem>,
        pq: bool,
        keys: &mut (impl KeySource + ?Sized),
    ) -> Self {
        let kem = (pq && offered.version >= POST_QUANTUM_VERSION).then(|| match &offered.kem {
            None => JoiningKem::Proposed(keys.kem_key()),
            Some(ProposedKem(remote_key)) => {
                let (ciphertext, shared_secret) = keys.encapsulate(remote_key);
                JoiningKem::Accepted { ciphertext, shared_secret, private_key: keys.kem_key() }
            }
        });
        Self { key_1: keys.ratchet_key().into(), key_2: keys.ratchet_key().into(), kem }
    }

    /// The parameters to send.
    #[must_use]
    pub fn parameters(&self, version: RatchetVersion) -> RatchetParameters<AnyKem> {
        let kem = self.kem.as_ref().map(|kem| match kem {
            JoiningKem::Proposed(private_key) => AnyKem::Proposed(private_key.public_key()),
            JoiningKem::Accepted { ciphertext, private_key, .. } => {
                AnyKem::Accepted { ciphertext: ciphertext.clone(), public_key: private_key.public_key() }
            }
        });
        RatchetParameters { version, key_1: self.key_1.public_key(), key_2: self.key_2.public_key(), kem }
    }

    /// The agreement with the side that invited. `pqX3dhSnd` of the reference.
    ///
    /// # Errors
    /// [`AgreementError::KemState`].
    pub fn agree(&self, offered: &RatchetParameters<ProposedKem>) -> Result<Agreement, AgreementError> {
        let secrets = [
            self.key_2.agree(&offered.key_1),
            self.key_1.agree(&offered.key_2),
            self.key_2.agree(&offered.key_2),
        ];
        let associated_data = AssociatedData::new(&self.key_1.public_key(), &offered.key_1);
        Ok(derive(associated_data, &secrets, self.own_kem(offered)?))
    }

    fn own_kem(
        &self,
        offered: &RatchetParameters<ProposedKem>,
    ) -> Result<Option<RatchetKem>, AgreementError> {
        let Some(kem) = self.kem.as_ref().filter(|_| offered.version >= POST_QUANTUM_VERSION) else {
            return Ok(None);
        };
        let (private_key, accepted) = match kem {
            JoiningKem::Proposed(private_key) => (private_key, None),
            JoiningKem::Accepted { ciphertext, shared_secret, private_key } => {
                let ProposedKem(remote_key) = offered.kem.as_ref().ok_or(AgreementError::KemState)?;
                let accepted = AcceptedKem {
                    remote_key: remote_key.clone(),
                    shared_secret: shared_secret.clone(),
                    ciphertext: ciphertext.clone(),
                };
                (private_key, Some(accepted))
            }
        };
        Ok(Some(RatchetKem { private_key: private_key.clone(), accepted }))
    }

    /// The ratchet with the side that invited: it sends first, with a new key from `keys`.
    ///
    /// # Errors
    /// [`AgreementError::KemState`].
    pub fn ratchet(
        &self,
        offered: &RatchetParameters<ProposedKem>,
        versions: RatchetVersions,
        keys: &mut (impl KeySource + ?Sized),
    ) -> Result<Ratchet, AgreementError> {
        let remote_key = RemoteRatchetKey(offered.key_2);
        Ok(Ratchet::new_sending(versions, self.agree(offered)?, remote_key, keys.ratchet_key()))
    }
}

impl From<OfferedKeys> for JoiningKeys {
    /// When both sides offer at once, one of them acts as the joining one (see [`crate::renegotiation`]).
    fn from(keys: OfferedKeys) -> Self {
        let OfferedKeys { key_1, key_2, kem } = keys;
        Self { key_1, key_2, kem: kem.map(JoiningKem::Proposed) }
    }
}

fn derive(associated_data: AssociatedData, secrets: &[X448Secret; 3], kem: Option<RatchetKem>) -> Agreement {
    let mut input = Zeroizing::new(Vec::with_capacity(3 * 56 + 32));
    for secret in secrets {
        input.extend_from_slice(secret.as_bytes());
    }
    if let Some(accepted) = kem.as_ref().and_then(|kem| kem.accepted.as_ref()) {
        input.extend_from_slice(accepted.shared_secret.as_bytes());
    }
    let output = hkdf_sha512(&SALT, &input, INFO);
    let (header_key, next_header_key, root_key) = three_keys(&output);
    Agreement {
        associated_data,
        root_key: RootKey::from_bytes(*root_key),
        header_key: SharedHeaderKey::from_bytes(*header_key),
        next_header_key: SharedHeaderKey::from_bytes(*next_header_key),
        kem,
    }
}

/// Names a pair of X448 keys: SHA-256 of both raw keys, 32 bytes.
pub(crate) fn key_pair_hash(key_1: &X448PublicKey, key_2: &X448PublicKey) -> [u8; 32] {
    smp_crypto::hash::sha256(&[&key_1.as_bytes()[..], key_2.as_bytes()].concat())
}
