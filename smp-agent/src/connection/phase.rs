//! How far a connection is.

use serde::{Deserialize, Serialize};

/// The side of the invitation. A request at a contact address has an invitation in it, made by the side that asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Role {
    /// Made the invitation.
    Initiator,
    /// Joined it.
    Joiner,
    /// Neither: this is a contact address, which takes requests and is no connection itself.
    Address,
}

/// How far a connection is. Each phase has at most one command or one message in flight, which is repeated until
/// it is answered; so the phase is all that has to be stored to go on after a crash.
///
/// ```text
/// initiator: Creating > Invited > Confirmed > [SecuringOwn] > [SecuringPeer] > Replying
///            > [AwaitingHello > SendingHello] > Connected
/// asking:    [FetchingLink] > Creating > Requesting > Asked > (as the initiator after Confirmed)
/// asked:     Requested > (as the joiner)
/// address:   Creating > Listening
/// joiner:    [FetchingLink | SecuringPeer] > Creating > Confirming > AwaitingReply > [SecuringOwn > AwaitingHello] > Connected
/// ```
///
/// The fast procedure (chapter 6) has `SecuringPeer` (SKEY) on a side, where the older one has `SecuringOwn` (KEY) and
/// HELLO on the other. Which one it is follows from the mode of the queue alone, for each of the two queues. A short link is
/// fetched and the queue secured at once (LKEY).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Phase {
    /// The data of a short link is to be fetched: of an invitation, and the peer's queue secured with the own key (LKEY), or a
    /// contact address (LGET).
    FetchingLink,
    /// The relay is to make the own queue: NEW.
    Creating,
    /// The invitation is out.
    Invited,
    /// The contact address takes requests.
    Listening,
    /// The request goes out to a contact address.
    Requesting,
    /// The owner of a contact address is to accept the request.
    Asked,
    /// A request came to a contact address; the application is to accept.
    Requested,
    /// Somebody joined; the application is to accept.
    Confirmed,
    /// The own queue is to be secured with the peer's key: KEY.
    SecuringOwn,
    /// The peer's queue is to be secured with the own key: SKEY.
    SecuringPeer,
    /// The joiner's confirmation goes out.
    Confirming,
    /// The joiner waits for the initiator's confirmation.
    AwaitingReply,
    /// The initiator's confirmation goes out.
    Replying,
    /// The peer is to say HELLO (the joiner says its own before that).
    AwaitingHello,
    /// The initiator answers HELLO.
    SendingHello,
    /// Messages go both ways.
    Connected,
    /// Given up.
    Failed,
}

impl Phase {
    /// For people.
    pub(crate) fn status(self) -> &'static str {
        match self {
            Self::FetchingLink
            | Self::Creating
            | Self::SecuringPeer
            | Self::Confirming
            | Self::Requesting => "being joined",
            Self::Invited => "waiting for somebody to join",
            Self::Listening => "a contact address",
            Self::Confirmed | Self::Requested => "waiting to be accepted",
            Self::AwaitingReply | Self::Asked => "waiting for the other side to accept",
            Self::SecuringOwn | Self::Replying | Self::AwaitingHello | Self::SendingHello => {
                "being completed"
            }
            Self::Connected => "connected",
            Self::Failed => "failed",
        }
    }
}
