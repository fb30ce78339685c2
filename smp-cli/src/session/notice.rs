//! A notice: something that happened, after the book was brought up to date with it.

use smp_agent::{Integrity, MessageId, RotationSide, RotationStage, SyncState};

use smp_chat::profile::Disappearing;
use smp_chat::{Contact, Introduction};

/// Something that happened, after the book was brought up to date with it.
#[derive(Debug, Clone)]
pub(crate) enum Notice {
    /// Somebody asks to connect, by our contact address; and whether they were let in without asking.
    Asked(Contact, bool),
    /// The other person used our invitation.
    Joined(Contact),
    /// Messages can be exchanged.
    Connected(Contact),
    /// The contact calls themselves this now; here they keep their name.
    Renamed(Contact, String),
    /// The contact wishes messages to disappear after this time from now on, or not any more.
    Disappearing(Contact, Disappearing),
    /// A text was recorded; the book has it until it is shown.
    Text,
    /// The chain of the contact's messages is broken before the one that came, in this way.
    Gap(Contact, String),
    /// The recipient's relay keeps our message.
    Sent(Contact, MessageId),
    /// The contact's app has our message.
    Received(Contact, MessageId),
    /// Our message was given up, with the reason.
    SendFailed(Contact, MessageId, String),
    /// The contact's queue is full: messages wait until they take some.
    Waiting(Contact),
    /// The contact's relay refuses what it took before: messages wait.
    Refused(Contact),
    /// The connection is over, with the reason.
    Ended(Contact, String),
    /// Nothing comes from the contact for this reason; the agent goes on trying.
    ReceivingStopped(Contact, String),
    /// Something was received that could not be read.
    Unreadable(Contact, String),
    /// The encryption of the connection is out of step, is being renewed, or was; and whether the code that was compared does
    /// not count any more.
    Encryption(Contact, SyncState, bool),
    /// A queue of the connection moves to another relay.
    Rotation(Contact, RotationSide, RotationStage),
    /// A relay cannot be reached; the agent goes on trying.
    RelayDown(String, String),
    /// A relay is connected.
    RelayUp(String),
    /// The disk does not take what arrives; the agent goes on trying.
    StorageFailed(String),
    /// The disk has space again.
    StorageRecovered,
}

impl Notice {
    /// The notices of a profile, in which the contact may have another name for themselves, and another wish for messages that disappear.
    pub(super) fn introduced(introduction: Introduction, wish: Option<Disappearing>) -> Vec<Self> {
        let Introduction { contact, renamed, has_other_disappearing } = introduction;
        let wish = wish.filter(|_| has_other_disappearing);
        let wish = wish.map(|wish| Self::Disappearing(contact.clone(), wish));
        renamed.map(|name| Self::Renamed(contact, name)).into_iter().chain(wish).collect()
    }

    /// The notice of a broken chain of messages; none if it is whole.
    pub(super) fn gap(contact: &Contact, integrity: Integrity) -> Option<Self> {
        let gap = match integrity {
            Integrity::Ok => return None,
            Integrity::Skipped { first, last } if first == last => {
                "one message before the next one is missing".to_owned()
            }
            Integrity::Skipped { first, last } => format!(
                "{} messages before the next one are missing",
                last.saturating_sub(first).saturating_add(1)
            ),
            Integrity::BadNumber => "the next message is older than the ones before it".to_owned(),
            Integrity::BadHash => "a message before the next one was replaced or lost".to_owned(),
        };
        Some(Self::Gap(contact.clone(), gap))
    }

    /// The notice of messages that the contact has and this copy has not.
    pub(super) fn forgotten(contact: Contact, sent: u64, received: u64) -> Self {
        let theirs = match received {
            0 => String::new(),
            1 => "one message to you is missing".to_owned(),
            count => format!("{count} messages to you are missing"),
        };
        let yours = match sent {
            0 => String::new(),
            1 => "one of yours is not known here".to_owned(),
            count => format!("{count} of yours are not known here"),
        };
        let and = if received > 0 && sent > 0 { ", and " } else { "" };
        Self::Gap(contact, format!("{theirs}{and}{yours}"))
    }
}
