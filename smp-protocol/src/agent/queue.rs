//! Addresses of queues, as they are offered and agreed.

use smp_crypto::X25519PublicKey;

use super::known_hosts::with_known_onion_host;
use crate::address::{FINGERPRINT_BYTES, RelayAddress, decode_port, encode_port};
pub use crate::command::QueueMode;
use crate::encoding::{Decode, DecodeError, Encode, NonEmpty, Reader};
use crate::id::SenderId;
use crate::version::{SmpClientVersion, VersionRange};

/// From this version on addresses have several hosts.
pub(super) const SEVERAL_HOSTS: SmpClientVersion = SmpClientVersion(2);
/// From this version on the sender of a messaging queue can secure it, which the address says by `T`.
const SENDER_CAN_SECURE: SmpClientVersion = SmpClientVersion(3);
/// From this version on the address says the queue mode.
pub(super) const QUEUE_MODES: SmpClientVersion = SmpClientVersion(4);

/// Where to send to a queue, and with which key to agree the key of its box.
///
/// Source: section 6.4 (`protocol-spec/6-agent.md`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueAddress {
    /// The relay. A password in it is never written.
    pub relay: RelayAddress,
    /// The sender's ID of the queue.
    pub sender_id: SenderId,
    /// The recipient's X25519 key for the box of client messages.
    pub dh_key: X25519PublicKey,
    /// The use of the queue; absent in older addresses.
    pub mode: Option<QueueMode>,
}

impl QueueAddress {
    /// Whether the sender can secure the queue with `SKEY`.
    #[must_use]
    pub fn sender_can_secure(&self) -> bool {
        self.mode == Some(QueueMode::Messaging)
    }

    /// The part that names the queue.
    #[must_use]
    pub fn sender_queue(&self) -> SenderQueueAddress {
        SenderQueueAddress { relay: self.relay.without_password(), sender_id: self.sender_id.clone() }
    }
}

/// A queue as offered: in links and in `QADD`. Its text form is a URI.
///
/// Not every mode can be written for every range of versions; see [`QueueInfo`] for how that shows.
///
/// Source: section 6.4 (`protocol-spec/6-agent.md`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueUri {
    /// The client versions that the recipient speaks.
    pub versions: VersionRange<SmpClientVersion>,
    /// Where it is.
    pub address: QueueAddress,
}

impl QueueUri {
    /// The queue in the form of the agreed client version.
    #[must_use]
    pub fn at(self, version: SmpClientVersion) -> QueueInfo {
        QueueInfo { version, address: self.address }
    }
}

/// A queue as agreed: in confirmations and in `QKEY`.
///
/// Versions below 4 cannot write every address: version 1 has one host only, contact mode is not written below
/// version 4 and messaging mode not below 3. A mode that is not written is read back as absent.
///
/// Source: section 6.4 (`protocol-spec/6-agent.md`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueInfo {
    /// The agreed client version.
    pub version: SmpClientVersion,
    /// Where it is.
    pub address: QueueAddress,
}

/// Which queue: its relay and the sender's ID.
///
/// Source: section 6.4 (`protocol-spec/6-agent.md`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SenderQueueAddress {
    /// The relay; the binary form has no password.
    pub relay: RelayAddress,
    /// The sender's ID of the queue.
    pub sender_id: SenderId,
}

impl Encode for SenderQueueAddress {
    fn encode(&self, out: &mut Vec<u8>) {
        (&self.relay, &self.sender_id).encode(out);
    }
}

impl Decode<'_> for SenderQueueAddress {
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let (relay, sender_id) = input.read()?;
        Ok(Self { relay, sender_id })
    }
}

/// How the end of a binary address says the mode.
enum ModeField {
    /// Not at all.
    Absent,
    /// `T` for messaging, nothing otherwise.
    OnlyMessaging,
    /// `T` for messaging, `F` otherwise.
    Flag,
    /// `M` or `C`, or nothing.
    Mode,
}

impl ModeField {
    fn encode(self, mode: Option<QueueMode>, out: &mut Vec<u8>) {
        let messaging = mode == Some(QueueMode::Messaging);
        match self {
            Self::OnlyMessaging if messaging => true.encode(out),
            Self::Absent | Self::OnlyMessaging => {}
            Self::Flag => messaging.encode(out),
            Self::Mode => mode.iter().for_each(|mode| mode.encode(out)),
        }
    }
}

/// Reads the mode if one of its letters comes next, whatever the version is: there is no other mark.
fn decode_mode(input: &mut Reader<'_>) -> Option<QueueMode> {
    let mode = match input.peek()? {
        b'M' | b'T' => QueueMode::Messaging,
        b'C' | b'F' => QueueMode::Contact,
        _ => return None,
    };
    input.skip(&input.remaining()[..1]).then_some(mode)
}

impl Encode for QueueInfo {
    fn encode(&self, out: &mut Vec<u8>) {
        let QueueAddress { relay, sender_id, dh_key, mode } = &self.address;
        self.version.encode(out);
        if self.version >= SEVERAL_HOSTS {
            relay.encode(out);
        } else {
            encode_first_host(relay, out);
        }
        (sender_id, dh_key).encode(out);
        let field = match self.version {
            version if version >= QUEUE_MODES => ModeField::Mode,
            version if version >= SENDER_CAN_SECURE => ModeField::OnlyMessaging,
            _ => ModeField::Absent,
        };
        field.encode(*mode, out);
    }
}

impl<'a> Decode<'a> for QueueInfo {
    fn decode(input: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let version: SmpClientVersion = input.read()?;
        let relay = if version >= SEVERAL_HOSTS {
            input.read()?
        } else {
            with_known_onion_host(decode_single_host(input)?)
        };
        let (sender_id, dh_key) = input.read()?;
        let mode = decode_mode(input);
        Ok(Self { version, address: QueueAddress { relay, sender_id, dh_key, mode } })
    }
}

impl Encode for QueueUri {
    fn encode(&self, out: &mut Vec<u8>) {
        let QueueAddress { relay, sender_id, dh_key, mode } = &self.address;
        (self.versions, relay, sender_id, dh_key).encode(out);
        // A reader that knows only the minimum version must be able to read it.
        let field = match (self.versions.min(), self.versions.max()) {
            (min, _) if min >= QUEUE_MODES => ModeField::Mode,
            (min, _) if min >= SENDER_CAN_SECURE => ModeField::Flag,
            (_, max) if max >= SENDER_CAN_SECURE => ModeField::OnlyMessaging,
            _ => ModeField::Absent,
        };
        field.encode(*mode, out);
    }
}

impl<'a> Decode<'a> for QueueUri {
    fn decode(input: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let (versions, relay, sender_id, dh_key) = input.read()?;
        let mode = decode_mode(input);
        Ok(Self { versions, address: QueueAddress { relay, sender_id, dh_key, mode } })
    }
}

/// The relay address of version 1: one host without a count.
fn encode_first_host(relay: &RelayAddress, out: &mut Vec<u8>) {
    relay.hosts.first().encode(out);
    encode_port(relay.port, out);
    out.push(FINGERPRINT_BYTES as u8);
    out.extend_from_slice(&relay.fingerprint);
}

fn decode_single_host(input: &mut Reader<'_>) -> Result<RelayAddress, DecodeError> {
    let hosts = NonEmpty::one(input.read()?);
    let port = decode_port(input)?;
    let fingerprint = input.short()?.try_into().map_err(|_| DecodeError::Invalid("fingerprint"))?;
    Ok(RelayAddress { fingerprint, hosts, port, password: None })
}
