//! The parameters of `IDS`.

use crate::command::QueueMode;
use crate::encoding::{Decode, DecodeError, Encode, Reader};
use crate::id::{LinkId, NotifierId, RecipientId, SenderId, ServiceId};
use crate::key::{RelayDhKey, RelayNotificationDhKey};
use crate::version::SmpVersion;

/// Parameters of `IDS`: the IDs and the key of a new queue.
///
/// | versions | what follows the key |
/// |---|---|
/// | 6 to 8 | |
/// | 9 to 14 | `T` for messaging, `F` for all else (read as contact) |
/// | 15 | optional mode, optional link ID |
/// | 16 | optional mode, optional link ID, optional service ID |
/// | 17 to 19 | optional mode, optional link ID, optional service ID, optional notifier credentials |
///
/// Source: section 4.2 (`protocol-spec/4-commands.md`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueIds {
    /// For the recipient's commands.
    pub recipient_id: RecipientId,
    /// For the sender's commands.
    pub sender_id: SenderId,
    /// For the secret between relay and recipient.
    pub dh_key: RelayDhKey,
    /// Kind of the queue.
    pub mode: Option<QueueMode>,
    /// The ID of the queue's link.
    pub link_id: Option<LinkId>,
    /// The service that the queue belongs to.
    pub service_id: Option<ServiceId>,
    /// Notifications, if `NEW` asked for them.
    pub notifier: Option<RelayNotifierCredentials>,
}

/// Notifier ID, and the relay's key for notifications.
///
/// Source: section 4.2 (`protocol-spec/4-commands.md`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelayNotifierCredentials {
    /// For the notification server's `NSUB`.
    pub notifier_id: NotifierId,
    /// For the secret between relay and recipient.
    pub dh_key: RelayNotificationDhKey,
}

impl QueueIds {
    /// Writes the parameters. Fields that the version does not have are left out.
    pub(super) fn encode(&self, version: SmpVersion, out: &mut Vec<u8>) {
        self.recipient_id.encode(out);
        self.sender_id.encode(out);
        self.dh_key.encode(out);
        if version >= SmpVersion::SHORT_LINKS {
            self.mode.encode(out);
            self.link_id.encode(out);
        } else if version >= SmpVersion::SENDER_AUTH_KEY {
            (self.mode == Some(QueueMode::Messaging)).encode(out);
        }
        if version >= SmpVersion::SERVICE_CERTIFICATES {
            self.service_id.encode(out);
        }
        if version >= SmpVersion::NEW_NOTIFICATIONS {
            self.notifier.encode(out);
        }
    }

    pub(super) fn decode(input: &mut Reader<'_>, version: SmpVersion) -> Result<Self, DecodeError> {
        Ok(QueueIds {
            recipient_id: input.read()?,
            sender_id: input.read()?,
            dh_key: input.read()?,
            mode: decode_mode(input, version)?,
            link_id: if version >= SmpVersion::SHORT_LINKS { input.read()? } else { None },
            service_id: if version >= SmpVersion::SERVICE_CERTIFICATES { input.read()? } else { None },
            notifier: if version >= SmpVersion::NEW_NOTIFICATIONS { input.read()? } else { None },
        })
    }
}

fn decode_mode(input: &mut Reader<'_>, version: SmpVersion) -> Result<Option<QueueMode>, DecodeError> {
    if version >= SmpVersion::SHORT_LINKS {
        return input.read();
    }
    if version < SmpVersion::SENDER_AUTH_KEY {
        return Ok(None);
    }
    let messaging = input.read()?;
    Ok(Some(if messaging { QueueMode::Messaging } else { QueueMode::Contact }))
}

impl Encode for RelayNotifierCredentials {
    fn encode(&self, out: &mut Vec<u8>) {
        self.notifier_id.encode(out);
        self.dh_key.encode(out);
    }
}

impl Decode<'_> for RelayNotifierCredentials {
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(RelayNotifierCredentials { notifier_id: input.read()?, dh_key: input.read()? })
    }
}
