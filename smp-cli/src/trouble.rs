//! A trouble with a contact: the agent's word for the connection, in the words of the list.

use serde::Serialize;
use smp_agent::{ConnectionSummary, ReceiveError, SyncState, Trouble as Cause};
use time::OffsetDateTime;

use crate::text::clock;

/// Kind of a trouble.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    /// Their messages cannot be decrypted, so they can hardly read ours. Ends with a message that can.
    Unreadable,
    /// New keys are being agreed: texts wait until the other side has answered.
    Renewing,
    /// Nothing comes from them. Ends when something does.
    ReceivingStopped,
    /// Their relay holds no more for them. Ends when it takes a message.
    Full,
    /// Their relay refuses what it took before. Ends when it takes a message.
    Refused,
    /// Our relay cannot be reached, so nothing comes from them. Ends when it can.
    OwnRelayDown,
    /// Their relay cannot be reached, and something waits for it. Ends when it can.
    TheirRelayDown,
}

impl Kind {
    /// How it is listed.
    pub(crate) fn describe(self) -> &'static str {
        match self {
            Self::Unreadable => "messages cannot be read",
            Self::Renewing => "the encryption is being renewed",
            Self::ReceivingStopped => "nothing can be received",
            Self::Full => "their relay holds no more, messages wait",
            Self::Refused => "their relay refuses messages, which wait",
            Self::OwnRelayDown => "nothing can be received",
            Self::TheirRelayDown => "messages wait",
        }
    }

    /// The next step, with the contact as an argument of a command.
    pub(crate) fn next_step(self, contact: &str) -> String {
        match self {
            Self::Unreadable => format!("new keys: smp sync {contact}"),
            Self::Renewing => {
                "keep `smp listen` running, and ask them, over another channel, to open their app".to_owned()
            }
            Self::ReceivingStopped | Self::OwnRelayDown => {
                format!("wait for the relay, or receive on another one: smp rotate {contact}")
            }
            Self::Full => "ask them, over another channel, to open their app".to_owned(),
            Self::Refused => format!("ask them whether they removed you; to end it: smp remove {contact}"),
            Self::TheirRelayDown => "wait for their relay; messages are kept".to_owned(),
        }
    }

    /// Whether a text that their relay took may all the same not be read, or not be answered.
    pub(crate) fn concerns_sent_texts(self) -> bool {
        matches!(self, Self::Unreadable | Self::ReceivingStopped | Self::OwnRelayDown)
    }

    /// Whether it keeps texts from going out.
    pub(crate) fn keeps_texts(self) -> bool {
        matches!(self, Self::Renewing | Self::Full | Self::Refused | Self::TheirRelayDown)
    }
}

/// Something that is wrong now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Trouble {
    pub(crate) kind: Kind,
    pub(crate) reason: String,
    /// In seconds since 1970, if that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<i64>,
    /// The relay that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) relay: Option<String>,
}

impl Trouble {
    /// All that is wrong with a connection.
    pub(crate) fn all(connection: &ConnectionSummary) -> Vec<Self> {
        let renewing = match connection.sync {
            SyncState::Required => Some("the other side's keys are needed"),
            SyncState::Started => Some("until the other side answers"),
            SyncState::Agreed => Some("until the first message of the other side"),
            SyncState::Ok | SyncState::Allowed => None,
        };
        let renewing = renewing.map(|reason| Self::new(Kind::Renewing, reason.to_owned()));
        connection.troubles.iter().filter_map(Self::of).chain(renewing).collect()
    }

    fn of(cause: &Cause) -> Option<Self> {
        Some(match cause {
            Cause::Unreadable(error @ (ReceiveError::Decryption | ReceiveError::TooManySkipped)) => {
                Self::new(Kind::Unreadable, error.to_string())
            }
            Cause::ReceivingStopped(error) => Self::new(Kind::ReceivingStopped, error.to_string()),
            Cause::Full { since } => {
                let reason = format!("since {}, they have not read", clock_of(*since));
                Self { since: Some(*since), ..Self::new(Kind::Full, reason) }
            }
            Cause::Refused { since } => {
                let reason =
                    format!("since {}; they may have removed you, or the relay lost it", clock_of(*since));
                Self { since: Some(*since), ..Self::new(Kind::Refused, reason) }
            }
            Cause::RelayDown { relay, receiving, since, error } => {
                let (kind, whose) =
                    if *receiving { (Kind::OwnRelayDown, "your") } else { (Kind::TheirRelayDown, "their") };
                let reason = format!("{whose} relay {relay} since {}: {error}", clock_of(*since));
                Self { since: Some(*since), relay: Some(relay.clone()), ..Self::new(kind, reason) }
            }
            // Others concern one message only.
            _ => return None,
        })
    }

    fn new(kind: Kind, reason: String) -> Self {
        Self { kind, reason, since: None, relay: None }
    }
}

fn clock_of(seconds: i64) -> String {
    clock(seconds.saturating_mul(1000), OffsetDateTime::now_utc())
}
