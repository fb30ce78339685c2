//! The state of a ratchet and its first two forms.

use std::sync::Arc;

use smp_protocol::version::RatchetVersion;

use crate::agreed::Agreement;
use crate::associated_data::AssociatedData;
use crate::chain_key::{ReceivingChainKey, SendingChainKey};
use crate::envelope::POST_QUANTUM_VERSION;
use crate::header_key::{ReceivingHeaderKey, SendingHeaderKey};
use crate::kem::RatchetKem;
use crate::ratchet_key::{RatchetPrivateKey, RemoteRatchetKey};
use crate::root_key::RootKey;
use crate::security_code::SecurityCode;

/// The version in use and the newest one that we speak.
///
/// Source: section 7.3 (`protocol-spec/7-ratchet.md`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RatchetVersions {
    /// The version of sent messages. Receiving can raise it.
    pub current: RatchetVersion,
    /// The version that headers announce, up to which `current` may rise.
    pub max_supported: RatchetVersion,
}

/// The chain that we send.
///
/// Source: section 7.2 (`protocol-spec/7-ratchet.md`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SendingChain {
    /// `DHRr`: the key of the other side that this chain was made with.
    pub remote_key: RemoteRatchetKey,
    /// `CKs`.
    pub chain_key: SendingChainKey,
    /// `HKs`.
    pub header_key: SendingHeaderKey,
}

/// The chain that we receive.
///
/// Source: section 7.2 (`protocol-spec/7-ratchet.md`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceivingChain {
    /// `CKr`.
    pub chain_key: ReceivingChainKey,
    /// `HKr`.
    pub header_key: ReceivingHeaderKey,
}

/// Everything that a ratchet remembers, except the keys of skipped messages.
///
/// Its fields are public so that a state can be imported from and compared with another implementation's;
/// otherwise [`Ratchet`] is what you want. The names in capitals are those of the specification.
///
/// Source: section 7.2 (`protocol-spec/7-ratchet.md`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RatchetState {
    /// Versions in use and supported.
    pub versions: RatchetVersions,
    /// `AD`.
    pub associated_data: AssociatedData,
    /// `DHRs`.
    pub ratchet_key: RatchetPrivateKey,
    /// `PQRs`, `PQRr`, `PQRss`, `PQRct`. Shared by all ratchets of the same chains: it is most of what a ratchet has.
    pub kem: Option<Arc<RatchetKem>>,
    /// Post-quantum encryption was asked for once: headers are long, and stay so.
    pub pq_supported: bool,
    /// Post-quantum encryption is wanted from the next ratchet step on.
    pub pq_enabled: bool,
    /// The sending chain was made with a KEM secret.
    pub pq_sending: bool,
    /// The receiving chain was made with a KEM secret.
    pub pq_receiving: bool,
    /// `RK`.
    pub root_key: RootKey,
    /// Absent until something was received, on the side that invited.
    pub sending: Option<SendingChain>,
    /// Absent until something was received.
    pub receiving: Option<ReceivingChain>,
    /// `Ns`: messages sent in the sending chain.
    pub sent: u32,
    /// `Nr`: messages received or skipped in the receiving chain.
    pub received: u32,
    /// `PN`: messages sent in the sending chain before this one.
    pub previous_sent: u32,
    /// `NHKs`.
    pub next_sending_header_key: SendingHeaderKey,
    /// `NHKr`.
    pub next_receiving_header_key: ReceivingHeaderKey,
}

/// One side of a double ratchet.
///
/// A `Ratchet` is a value: encrypting and decrypting leave it as it is and return the one that follows. Store that
/// one, in the same transaction as what it made or read, and only then send or use the message.
///
/// Source: chapter 7 (`protocol-spec/7-ratchet.md`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ratchet {
    pub(crate) state: RatchetState,
}

impl Ratchet {
    /// The ratchet of the side that joined: it sends first. `initSndRatchet` of the reference.
    ///
    /// `remote_key` is the second key of the link, `ratchet_key` a new key, none of those in our parameters.
    #[must_use]
    pub fn new_sending(
        versions: RatchetVersions,
        agreement: Agreement,
        remote_key: RemoteRatchetKey,
        ratchet_key: RatchetPrivateKey,
    ) -> Self {
        let Agreement { associated_data, root_key, header_key, next_header_key, kem } = agreement;
        let accepted = kem.as_ref().and_then(|kem| kem.accepted.as_ref());
        let secret = accepted.map(|accepted| &accepted.shared_secret);
        let (root_key, chain_key, next_sending_header_key) =
            root_key.advance_sending(&ratchet_key, &remote_key, secret);
        let state = RatchetState {
            versions,
            associated_data,
            ratchet_key,
            pq_supported: kem.is_some(),
            pq_enabled: kem.is_some(),
            pq_sending: secret.is_some(),
            pq_receiving: false,
            kem: kem.map(Arc::new),
            root_key,
            sending: Some(SendingChain { remote_key, chain_key, header_key: header_key.into_sending() }),
            receiving: None,
            sent: 0,
            received: 0,
            previous_sent: 0,
            next_sending_header_key,
            next_receiving_header_key: next_header_key.into_receiving(),
        };
        Self { state }
    }

    /// The ratchet of the side that invited: it receives first. `initRcvRatchet` of the reference.
    ///
    /// `ratchet_key` is our second key, `pq` whether this side wants post-quantum encryption.
    #[must_use]
    pub fn new_receiving(
        versions: RatchetVersions,
        agreement: Agreement,
        ratchet_key: RatchetPrivateKey,
        pq: bool,
    ) -> Self {
        let Agreement { associated_data, root_key, header_key, next_header_key, kem } = agreement;
        let state = RatchetState {
            versions,
            associated_data,
            ratchet_key,
            kem: kem.map(Arc::new),
            pq_supported: pq,
            pq_enabled: pq,
            pq_sending: false,
            pq_receiving: false,
            root_key,
            sending: None,
            receiving: None,
            sent: 0,
            received: 0,
            previous_sent: 0,
            next_sending_header_key: next_header_key.into_sending(),
            next_receiving_header_key: header_key.into_receiving(),
        };
        Self { state }
    }

    /// The ratchet with this state.
    #[must_use]
    pub fn from_state(state: RatchetState) -> Self {
        Self { state }
    }

    /// The state.
    #[must_use]
    pub fn state(&self) -> &RatchetState {
        &self.state
    }

    /// Versions in use and supported.
    #[must_use]
    pub fn versions(&self) -> RatchetVersions {
        self.state.versions
    }

    /// The code that two people compare to see that nobody is between them.
    #[must_use]
    pub fn security_code(&self) -> SecurityCode {
        SecurityCode::of(&self.state.associated_data)
    }

    /// Whether something can be sent yet: the side that invited has to receive first.
    #[must_use]
    pub fn can_send(&self) -> bool {
        self.state.sending.is_some()
    }

    /// Whether what we send is protected by the KEM.
    #[must_use]
    pub fn pq_sending(&self) -> bool {
        self.state.pq_sending
    }

    /// Whether what we receive in the current chain is protected by the KEM.
    #[must_use]
    pub fn pq_receiving(&self) -> bool {
        self.state.pq_receiving
    }
}

impl RatchetState {
    /// Whether the version in use has a KEM.
    pub(crate) fn has_kem_version(&self) -> bool {
        self.versions.current >= POST_QUANTUM_VERSION
    }
}
