//! `Agreement`: the outcome of X3DH, which a ratchet begins with.

use crate::associated_data::AssociatedData;
use crate::header_key::{ReceivingHeaderKey, SendingHeaderKey};
use crate::kem::RatchetKem;
use crate::root_key::RootKey;

smp_crypto::secret_bytes! {
    /// A header key that the sides share, before it is clear for whom it is a sending one. 32 bytes.
    ///
    /// Source: section 7.1 (`protocol-spec/7-ratchet.md`).
    SharedHeaderKey, 32
}

impl SharedHeaderKey {
    pub(crate) fn into_sending(self) -> SendingHeaderKey {
        SendingHeaderKey::from_bytes(self.0)
    }

    pub(crate) fn into_receiving(self) -> ReceivingHeaderKey {
        ReceivingHeaderKey::from_bytes(self.0)
    }
}

/// Secrets that both sides have once they have each other's keys.
///
/// Source: section 7.1 (`protocol-spec/7-ratchet.md`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agreement {
    /// `AD`.
    pub associated_data: AssociatedData,
    /// `SK`: the first root key.
    pub root_key: RootKey,
    /// `shared_hka`: the header key of the first chain, which the joining side sends.
    pub header_key: SharedHeaderKey,
    /// `shared_nhkb`: the header key of the second chain, which the inviting side sends.
    pub next_header_key: SharedHeaderKey,
    /// Our KEM key, and what was encapsulated if both sides had one.
    pub kem: Option<RatchetKem>,
}
