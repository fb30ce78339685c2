//! Errors, each with one sentence that says what to do.

use crate::id::{ConnectionId, UserId};
use crate::secret::SecretError;
use serde::{Deserialize, Serialize};
use smp_protocol::address::RelayAddress;
use std::io;
use std::path::{Path, PathBuf};

/// Why a call of the [`Agent`](crate::Agent) did not happen. Nothing was changed or lost.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AgentError {
    /// The data directory or a file in it cannot be used.
    #[error("cannot use the data directory {}: {source}; check that it is yours and writable", path.display())]
    DataDirectory {
        /// The directory.
        path: PathBuf,
        /// The operating system's error.
        source: io::Error,
    },
    /// Other users can look into the data directory, and it has files of others: its permissions are not changed.
    #[error("other users can open {}, which has other files; choose an empty directory, or close it to them (chmod 700)", path.display())]
    OpenToOthers {
        /// The directory.
        path: PathBuf,
    },
    /// An agent has used the directory before, and its database is not there or is empty. It is not taken for a new one: all
    /// contacts would be lost without a word.
    #[error("{} is missing or empty, but the directory was in use before; restore the file or mount what holds it, or, to begin without your contacts, remove {}", database.display(), mark.display())]
    DatabaseMissing {
        /// The file that is missing.
        database: PathBuf,
        /// The file that tells that there was one.
        mark: PathBuf,
    },
    /// Another process, or another agent of this process, has the data directory open.
    #[error("the data directory {} is in use by another process; stop that one or choose another directory", path.display())]
    InUse {
        /// The directory.
        path: PathBuf,
    },
    /// The data directory is not opened by this secret, or without one.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The database did not take the step.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// No relay is configured on which a queue could be made.
    #[error("no relay is configured; give the agent the address of at least one relay")]
    NoRelay,
    /// A relay did not do what was asked.
    #[error("relay {relay}: {error}")]
    Relay {
        /// Its address, without the password.
        relay: String,
        /// The error.
        error: RelayError,
    },
    /// The text is not an invitation that this agent can use.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// The data behind a short link cannot be used.
    #[error(transparent)]
    LinkTarget(ConnectionError),
    /// There is no such connection.
    #[error("there is no connection {0}; it may have been deleted")]
    UnknownConnection(ConnectionId),
    /// There is no such user.
    #[error("there is no user {0}; it may have been deleted")]
    UnknownUser(UserId),
    /// The first user is always there.
    #[error("the first user cannot be deleted; delete its connections instead")]
    DefaultUser,
    /// So many messages of the connection wait to be sent that it takes no more for now.
    #[error("{limit} messages to connection {connection} wait to be sent; wait until some are")]
    TooManyWaiting {
        /// The connection.
        connection: ConnectionId,
        /// How many may wait.
        limit: u32,
    },
    /// The connection is not in the state that the call needs.
    #[error("connection {connection} is {status}; {advice}")]
    NotNow {
        /// The connection.
        connection: ConnectionId,
        /// Its status.
        status: &'static str,
        /// The next step for the user.
        advice: &'static str,
    },
    /// The message or information does not fit into one block.
    #[error("{size} bytes do not fit into one message, at most {limit} do; send it in parts")]
    TooLarge {
        /// Size in bytes that was asked for.
        size: usize,
        /// Size in bytes that fits.
        limit: usize,
    },
    /// The agent was shut down.
    #[error("the agent is shut down; open it again")]
    ShutDown,
    /// Encryption failed, which a healthy state never does.
    #[error("the encryption state of connection {0} is damaged; delete it and connect again")]
    Encryption(ConnectionId),
}

impl AgentError {
    /// The error for a command that a relay did not do.
    pub(crate) fn of_relay(relay: &RelayAddress, error: RelayError) -> Self {
        Self::Relay { relay: relay.without_password().to_string(), error }
    }

    /// For `map_err`: an error about this file of the data directory, or the directory.
    pub(crate) fn of_file(path: &Path) -> impl Fn(io::Error) -> Self {
        move |source| Self::DataDirectory { path: path.to_owned(), source }
    }
}

/// Why the database did not take a step. The step is undone as a whole.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StorageError {
    /// The disk (or its quota) is full. Deliveries from the network are tried again until there is space.
    #[error("the disk is full; free some space, nothing was lost")]
    DiskFull,
    /// The disk is full, and what was asked for is not begun on what is left: that is for receiving, acknowledging and deleting, which go on.
    #[error(
        "the disk is full: what comes is received, but nothing new is sent or begun; free at least {} MB in {}",
        megabytes(*.needed), directory.display()
    )]
    NoSpace {
        /// Free bytes that are needed so that everything goes on.
        needed: u64,
        /// Where.
        directory: PathBuf,
    },
    /// A row does not hold what this version writes.
    #[error("the database is damaged or from a newer version ({0}); restore a backup or update the program")]
    Damaged(&'static str),
    /// The tables are those of another version of this program, an unreleased one or a newer one.
    #[error(
        "the database was made by another version of this program, whose contacts cannot be taken over; use that version, or an empty data directory"
    )]
    OtherVersion,
    /// The step was made after another one that the database did not take, and is undone with it. It may be taken again.
    #[error("the step before was not stored; try again")]
    Undone,
    /// The agent was shut down.
    #[error("the database is closed; open the agent again")]
    Closed,
    /// Anything else that SQLite reports.
    #[error("the database cannot be used: {0}")]
    Database(String),
}

/// Rounded up to a tenth.
fn megabytes(bytes: u64) -> String {
    let tenths = bytes.div_ceil(100_000);
    format!("{}.{}", tenths / 10, tenths % 10)
}

/// Why a text is not an invitation that can be joined.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LinkError {
    /// It cannot be read, whatever was done to it on its way.
    #[error("{0}")]
    Damaged(smp_protocol::pasted::PasteError),
    /// It is a short link that names its relay by the host only, and no relay with this host is configured.
    #[error(
        "the link is on the relay {0} without saying how to recognise that relay; add its whole address to the relays, or ask for the full invitation link"
    )]
    UnknownRelay(String),
    /// Both sides have no version of a protocol in common.
    #[error(
        "the invitation needs a version of the protocol that this program does not speak; update the older side"
    )]
    Version,
    /// It was made by this agent.
    #[error("this is your own invitation; give it to the person you want to connect with")]
    Own,
}

/// A refusal of a relay, or of the way to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[non_exhaustive]
pub enum RelayError {
    /// No connection: name, network, port or TLS. Each cause has its own advice.
    #[error("cannot be reached: {0}")]
    Unreachable(String),
    /// There was a connection, and it has ended. It is made again.
    #[error("is not connected any more: {0}")]
    Lost(String),
    /// The relay is another one than its address says.
    #[error(
        "its certificate does not match the fingerprint in its address; check the address, or somebody is in the middle"
    )]
    Fingerprint,
    /// No answer in time.
    #[error("did not answer in time: it is overloaded or the network is slow; try again later")]
    Timeout,
    /// The relay does not let this client make queues.
    #[error("does not allow new queues; check the password in its address or ask its operator")]
    NotAllowed,
    /// It has no version in common with this program.
    #[error("speaks no version of the protocol that this program does; update the older side")]
    Version,
    /// Any other answer.
    #[error("answered with {0}")]
    Refused(String),
    /// It has no onion host, and others are not to be used ([`OnionHosts::Required`](crate::OnionHosts::Required)).
    #[error("has no onion host; allow other hosts, or take another relay")]
    NoOnionHost,
    /// Messages to it are to go through a relay of our own, and there is none for that.
    #[error(
        "is not to be connected to directly, and no other relay is configured to forward to it; configure one"
    )]
    NoProxy,
    /// A relay of our own does not forward messages to it.
    #[error("cannot be reached through one of your relays ({0})")]
    NotForwarded(String),
}

impl RelayError {
    /// Its kind.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Unreachable(_) => "Unreachable",
            Self::Lost(_) => "Lost",
            Self::Fingerprint => "Fingerprint",
            Self::Timeout => "Timeout",
            Self::NotAllowed => "NotAllowed",
            Self::Version => "Version",
            Self::Refused(_) => "Refused",
            Self::NoOnionHost => "NoOnionHost",
            Self::NoProxy => "NoProxy",
            Self::NotForwarded(_) => "NotForwarded",
        }
    }
}

/// Why a connection cannot be completed or continued.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectionError {
    /// The invitation's queue is gone or belongs to somebody else.
    #[error("the invitation was already used or has expired; ask for a new one")]
    InvitationUsed,
    /// The contact address is not there any more.
    #[error("the contact address does not exist any more; ask for a new one")]
    AddressGone,
    /// The side that sent a request to our contact address has withdrawn it, or somebody else has answered it.
    #[error("the request to connect was withdrawn or is answered already; they can send a new one")]
    RequestGone,
    /// The relay's data under a short link is damaged, or was made for another link or queue.
    #[error("what is behind the short link cannot be used ({0}); ask for a new invitation")]
    LinkData(String),
    /// The relay of a short link does not know such links.
    #[error("the link's relay is too old for short links; ask for the full invitation link")]
    RelayTooOld,
    /// A queue of the connection does not exist any more, or is not ours.
    #[error("the other side deleted the connection, or its relay lost it; connect again")]
    QueueGone,
    /// The inviting side did not accept for a very long time ([`Timeouts::accept`](crate::Timeouts::accept)). On old relays
    /// this is also what becomes of somebody who joined second.
    #[error("the other side did not accept, or somebody else used the invitation before; ask for a new one")]
    NotAccepted,
    /// The peer speaks other versions than it announced.
    #[error(
        "the other side speaks a version of the protocol that this program does not; update the older side"
    )]
    Version,
    /// The relay refuses a command that the connection needs.
    #[error("the relay refused to go on: {0}")]
    Refused(String),
    /// This side's keys do not work.
    #[error("the encryption state is damaged; delete the connection and connect again")]
    Encryption,
}

/// Why nothing comes on a connection. Sending is not concerned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[non_exhaustive]
pub enum SubscriptionError {
    /// The own relay does not know the queue, or does not know it as ours. It is asked again in each new session.
    #[error(
        "your relay does not know the queue in which they write to you; if that lasts, remove the contact and connect again"
    )]
    Unknown,
    /// Another session has taken the queue. It is taken back after some time.
    #[error("another program receives in your place, perhaps with a copy of the data directory; stop it")]
    Taken,
    /// The own relay refuses. It is asked again in each new session.
    #[error("your relay does not deliver what they write: {0}")]
    Refused(String),
}

/// Why a message was given up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// The recipient's queue does not exist any more, or is not ours.
    #[error("the other side deleted the connection, or its relay lost it; connect again")]
    QueueGone,
    /// The relay refuses the message itself.
    #[error("the relay refused the message: {0}")]
    Refused(String),
    /// The application gave it up.
    #[error("the message was given up before the other side's relay took it")]
    GivenUp,
    /// It could not be delivered for as long as [`Timeouts::undeliverable`](crate::Timeouts::undeliverable) says. If it was on its way just
    /// then, it may have reached the relay.
    #[error(
        "the message could not be delivered for too long and was given up; send it again if it still matters"
    )]
    Expired,
    /// The connection failed while the message waited. It may have reached the relay.
    #[error("the connection failed before the message was known to be sent; connect again")]
    ConnectionFailed,
}

/// Why something received could not be read. The connection goes on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[non_exhaustive]
pub enum ReceiveError {
    /// It does not decrypt.
    #[error("a message could not be decrypted; if it happens again, connect again")]
    Decryption,
    /// So many messages are missing before it that it cannot be decrypted.
    #[error("too many messages are missing; connect again")]
    TooManySkipped,
    /// It is not a message of this protocol.
    #[error("a message was malformed and was dropped")]
    Malformed,
    /// It is of a version that this program does not speak.
    #[error("a message has a version that this program does not speak; update the older side")]
    Version,
    /// It does not belong into the state of the connection.
    #[error("a message came that does not belong here and was dropped")]
    Unexpected,
}
