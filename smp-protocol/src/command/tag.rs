//! Names of commands.

use super::Command;
use crate::version::SmpVersion;

macro_rules! tags {
    ($($tag:ident($pattern:pat) = $name:literal),+ $(,)?) => {
        /// Which command it is, without its parameters.
        ///
        /// Source: section 10.2 (`protocol-spec/10-versions.md`).
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum CommandTag {
            $(
                #[doc = concat!("`", $name, "`, see [`Command::", stringify!($tag), "`].")]
                $tag,
            )+
        }

        impl CommandTag {
            /// All commands.
            pub const ALL: &'static [CommandTag] = &[$(CommandTag::$tag),+];

            /// The name as it is sent.
            pub fn name(self) -> &'static str {
                match self {
                    $(CommandTag::$tag => $name,)+
                }
            }

            /// The command of this name, if there is one.
            pub fn from_name(name: &[u8]) -> Option<Self> {
                $(if name == $name.as_bytes() {
                    return Some(CommandTag::$tag);
                })+
                None
            }
        }

        impl Command<'_> {
            /// Which command it is.
            pub fn tag(&self) -> CommandTag {
                match self {
                    $($pattern => CommandTag::$tag,)+
                }
            }
        }
    };
}

tags! {
    // The most frequent first: `from_name` looks at them in this order.
    Send(Command::Send(..)) = "SEND",
    Acknowledge(Command::Acknowledge(_)) = "ACK",
    Subscribe(Command::Subscribe) = "SUB",
    SubscribeNotifications(Command::SubscribeNotifications) = "NSUB",
    Ping(Command::Ping) = "PING",
    RelayForward(Command::RelayForward(_)) = "RFWD",
    ProxyForward(Command::ProxyForward { .. }) = "PFWD",
    ProxySession(Command::ProxySession { .. }) = "PRXY",
    New(Command::New(_)) = "NEW",
    SubscribeAll(Command::SubscribeAll(_)) = "SUBS",
    Secure(Command::Secure(_)) = "KEY",
    SetRecipientKeys(Command::SetRecipientKeys(_)) = "RKEY",
    SetLink(Command::SetLink(..)) = "LSET",
    DeleteLink(Command::DeleteLink) = "LDEL",
    SetNotifier(Command::SetNotifier(..)) = "NKEY",
    DeleteNotifier(Command::DeleteNotifier) = "NDEL",
    Get(Command::Get) = "GET",
    Suspend(Command::Suspend) = "OFF",
    Delete(Command::Delete) = "DEL",
    QueueInfo(Command::QueueInfo) = "QUE",
    SenderSecure(Command::SenderSecure(_)) = "SKEY",
    SecureAndGetLink(Command::SecureAndGetLink(_)) = "LKEY",
    GetLink(Command::GetLink) = "LGET",
    SubscribeAllNotifications(Command::SubscribeAllNotifications(_)) = "NSUBS",
}

impl CommandTag {
    /// Whether a space and parameters follow the name.
    pub(super) fn has_parameters(self, version: SmpVersion) -> bool {
        match self {
            CommandTag::Subscribe
            | CommandTag::DeleteLink
            | CommandTag::DeleteNotifier
            | CommandTag::Get
            | CommandTag::Suspend
            | CommandTag::Delete
            | CommandTag::QueueInfo
            | CommandTag::Ping
            | CommandTag::GetLink
            | CommandTag::SubscribeNotifications => false,
            CommandTag::SubscribeAll | CommandTag::SubscribeAllNotifications => {
                version >= SmpVersion::SERVICE_SUBSCRIPTIONS
            }
            _ => true,
        }
    }
}
