//! The versions in which each command and answer exists, and in which its form changes (chapter `10-versions.md`, 10.2).
//!
//! "Since" is the version in which peers began to send it. Readers are more generous: names and parameters are read in every
//! version, and only what is listed under "changes" depends on it.

use crate::command::CommandTag;
use crate::message::MessageTag;
use crate::version::SmpVersion;

/// One line of the table.
///
/// Source: section 10.2 (`protocol-spec/10-versions.md`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry<T> {
    /// The command or answer.
    pub tag: T,
    /// The version that introduced it. 6 also stands for everything older.
    pub since: SmpVersion,
    /// The versions in which its parameters change.
    pub changes: &'static [SmpVersion],
}

/// The form of `NEW`.
const NEW: &[SmpVersion] =
    &[SmpVersion::SENDER_AUTH_KEY, SmpVersion::SHORT_LINKS, SmpVersion::NEW_NOTIFICATIONS];
/// The form of `IDS`.
const IDS: &[SmpVersion] = &[
    SmpVersion::SENDER_AUTH_KEY,
    SmpVersion::SHORT_LINKS,
    SmpVersion::SERVICE_CERTIFICATES,
    SmpVersion::NEW_NOTIFICATIONS,
];
/// The form of `ERR` with `BLOCKED` in it.
const ERR: &[SmpVersion] = &[SmpVersion::BLOCKED_ENTITY, SmpVersion::CLIENT_NOTICES];
/// Counts and hashes of the queues of services.
const SERVICES: &[SmpVersion] = &[SmpVersion::SERVICE_SUBSCRIPTIONS];

/// All commands, in the order of [`CommandTag::ALL`].
pub fn commands() -> impl Iterator<Item = Entry<CommandTag>> {
    CommandTag::ALL.iter().map(|&tag| {
        let (since, changes) = match tag {
            CommandTag::New => (SmpVersion::MIN, NEW),
            CommandTag::Subscribe
            | CommandTag::Secure
            | CommandTag::SetNotifier
            | CommandTag::DeleteNotifier
            | CommandTag::Get
            | CommandTag::Acknowledge
            | CommandTag::Suspend
            | CommandTag::Delete
            | CommandTag::QueueInfo
            | CommandTag::Send
            | CommandTag::Ping
            | CommandTag::SubscribeNotifications => (SmpVersion::MIN, &[][..]),
            CommandTag::ProxySession | CommandTag::ProxyForward | CommandTag::RelayForward => {
                (SmpVersion::SENDING_PROXY, &[][..])
            }
            CommandTag::SenderSecure => (SmpVersion::SENDER_AUTH_KEY, &[][..]),
            CommandTag::SetRecipientKeys
            | CommandTag::SetLink
            | CommandTag::DeleteLink
            | CommandTag::SecureAndGetLink
            | CommandTag::GetLink => (SmpVersion::SHORT_LINKS, &[][..]),
            CommandTag::SubscribeAll | CommandTag::SubscribeAllNotifications => {
                (SmpVersion::SERVICE_CERTIFICATES, SERVICES)
            }
        };
        Entry { tag, since, changes }
    })
}

/// All answers, in the order of [`MessageTag::ALL`].
pub fn messages() -> impl Iterator<Item = Entry<MessageTag>> {
    MessageTag::ALL.iter().map(|&tag| {
        let (since, changes) = match tag {
            MessageTag::QueueIds => (SmpVersion::MIN, IDS),
            MessageTag::Error => (SmpVersion::MIN, ERR),
            MessageTag::Message
            | MessageTag::NotifierId
            | MessageTag::Notification
            | MessageTag::End
            | MessageTag::QueueInfo
            | MessageTag::Ok
            | MessageTag::Pong => (SmpVersion::MIN, &[][..]),
            MessageTag::ProxySessionKey | MessageTag::RelayResponse | MessageTag::ProxyResponse => {
                (SmpVersion::SENDING_PROXY, &[][..])
            }
            MessageTag::Deleted => (SmpVersion::DELETED_EVENT, &[][..]),
            MessageTag::Link => (SmpVersion::SHORT_LINKS, &[][..]),
            MessageTag::Subscribed => (SmpVersion::SERVICE_CERTIFICATES, &[][..]),
            MessageTag::SubscribedAll | MessageTag::EndAll => (SmpVersion::SERVICE_CERTIFICATES, SERVICES),
            MessageTag::AllDelivered => (SmpVersion::SERVICE_SUBSCRIPTIONS, &[][..]),
        };
        Entry { tag, since, changes }
    })
}
