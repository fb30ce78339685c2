//! Names of messages.

use super::BrokerMessage;
use crate::error::CommandError;
use crate::version::SmpVersion;

macro_rules! tags {
    ($($tag:ident($pattern:pat) = $name:literal),+ $(,)?) => {
        /// Which message it is, without its parameters.
        ///
        /// Source: section 10.2 (`protocol-spec/10-versions.md`).
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum MessageTag {
            $(
                #[doc = concat!("`", $name, "`, see [`BrokerMessage::", stringify!($tag), "`].")]
                $tag,
            )+
        }

        impl MessageTag {
            /// All messages.
            pub const ALL: &'static [MessageTag] = &[$(MessageTag::$tag),+];

            /// The name as it is sent.
            pub fn name(self) -> &'static str {
                match self {
                    $(MessageTag::$tag => $name,)+
                }
            }

            /// The message of this name, if there is one.
            pub fn from_name(name: &[u8]) -> Option<Self> {
                $(if name == $name.as_bytes() {
                    return Some(MessageTag::$tag);
                })+
                None
            }
        }

        impl BrokerMessage<'_> {
            /// Which message it is.
            pub fn tag(&self) -> MessageTag {
                match self {
                    $($pattern => MessageTag::$tag,)+
                }
            }
        }
    };
}

tags! {
    // The most frequent first: `from_name` looks at them in this order.
    Message(BrokerMessage::Message(..)) = "MSG",
    Ok(BrokerMessage::Ok) = "OK",
    Subscribed(BrokerMessage::Subscribed(_)) = "SOK",
    Error(BrokerMessage::Error(_)) = "ERR",
    Pong(BrokerMessage::Pong) = "PONG",
    Notification(BrokerMessage::Notification(..)) = "NMSG",
    RelayResponse(BrokerMessage::RelayResponse(_)) = "RRES",
    ProxyResponse(BrokerMessage::ProxyResponse(_)) = "PRES",
    ProxySessionKey(BrokerMessage::ProxySessionKey { .. }) = "PKEY",
    End(BrokerMessage::End) = "END",
    QueueIds(BrokerMessage::QueueIds(_)) = "IDS",
    Link(BrokerMessage::Link(..)) = "LNK",
    SubscribedAll(BrokerMessage::SubscribedAll(_)) = "SOKS",
    AllDelivered(BrokerMessage::AllDelivered) = "ALLS",
    NotifierId(BrokerMessage::NotifierId(..)) = "NID",
    EndAll(BrokerMessage::EndAll(_)) = "ENDS",
    Deleted(BrokerMessage::Deleted) = "DELD",
    QueueInfo(BrokerMessage::QueueInfo(_)) = "INFO",
}

impl MessageTag {
    /// Whether a space and parameters follow the name.
    pub(super) fn has_parameters(self) -> bool {
        !matches!(
            self,
            MessageTag::AllDelivered
                | MessageTag::End
                | MessageTag::Deleted
                | MessageTag::Ok
                | MessageTag::Pong
        )
    }

    /// The message that takes its place in versions that do not have it.
    pub fn written_in(self, version: SmpVersion) -> MessageTag {
        match self {
            MessageTag::Subscribed if version < SmpVersion::SERVICE_CERTIFICATES => MessageTag::Ok,
            MessageTag::Deleted if version < SmpVersion::DELETED_EVENT => MessageTag::End,
            tag => tag,
        }
    }

    /// Whether clients of this version know the name.
    pub fn is_read_in(self, version: SmpVersion) -> bool {
        self != MessageTag::AllDelivered || version >= SmpVersion::SERVICE_SUBSCRIPTIONS
    }

    /// Checks whether the message may come with or without an entity ID.
    ///
    /// # Errors
    /// [`CommandError::NoEntity`] or [`CommandError::HasAuth`].
    pub fn check_entity(self, has_entity: bool) -> Result<(), CommandError> {
        match self {
            MessageTag::QueueIds | MessageTag::Error => Ok(()),
            MessageTag::Pong
            | MessageTag::ProxySessionKey
            | MessageTag::RelayResponse
            | MessageTag::AllDelivered
                if has_entity =>
            {
                Err(CommandError::HasAuth)
            }
            MessageTag::Pong
            | MessageTag::ProxySessionKey
            | MessageTag::RelayResponse
            | MessageTag::AllDelivered => Ok(()),
            _ if has_entity => Ok(()),
            _ => Err(CommandError::NoEntity),
        }
    }
}
