//! Configuration of an agent.

use crate::network_settings::NetworkSettings;
use crate::relay_set::RelayEntry;
use crate::secret::Secret;
use smp_protocol::version::{AgentVersion, RatchetVersion, SmpClientVersion, SmpVersion, VersionRange};
use std::path::PathBuf;
use std::time::Duration;

/// Settings of an [`Agent`](crate::Agent).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct AgentConfig {
    /// Where the agent keeps its state. Created if it is missing; private to its user (0700), and used by one agent at a time.
    /// A directory that has other files and that other users can open is refused.
    pub data_dir: PathBuf,
    /// The secret under which the data directory is encrypted. None, as by default: it is not encrypted. It has to be as the directory is
    /// ([`encrypt_data_dir`](crate::encrypt_data_dir)); a new one is made so.
    pub secret: Option<Secret>,
    /// Relays on which queues are made, and through which messages are sent, each as its [roles](RelayEntry) say. One is chosen at random
    /// for each queue: a joining side prefers another than that of the invitation, and one of another operator. Existing queues stay on
    /// their relays whatever is listed here.
    pub relays: Vec<RelayEntry>,
    /// How relays are reached.
    pub network: NetworkSettings,
    /// Whether connections use the post-quantum key agreement where the other side can. On by default.
    pub pq: bool,
    /// Whether invitations carry a post-quantum key, so that already the first message is protected by it. Off by
    /// default: it makes links about 1,600 characters longer; without it the second round of messages is the first.
    pub pq_keys_in_links: bool,
    /// Whether the sender of a message is told when the application acknowledged it. Off by default.
    pub receipts: bool,
    /// Whether the encryption of a connection is renewed without asking when nothing of it can be read any more. On by default;
    /// otherwise [`Event::RatchetSync`](crate::Event::RatchetSync) tells when it has to be.
    pub resynchronize: bool,
    /// How much may wait.
    pub limits: Limits,
    /// How long to wait for what.
    pub timeouts: Timeouts,
    /// Versions of the protocols to offer.
    pub versions: Versions,
}

impl AgentConfig {
    /// The defaults for a data directory and relays.
    pub fn new(
        data_dir: impl Into<PathBuf>,
        relays: impl IntoIterator<Item = impl Into<RelayEntry>>,
    ) -> Self {
        Self {
            data_dir: data_dir.into(),
            secret: None,
            relays: relays.into_iter().map(Into::into).collect(),
            network: NetworkSettings::default(),
            pq: true,
            pq_keys_in_links: false,
            receipts: false,
            resynchronize: true,
            limits: Limits::default(),
            timeouts: Timeouts::default(),
            versions: Versions::default(),
        }
    }
}

/// How much may wait.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Limits {
    /// Messages of a connection that the application has not [taken](crate::Delivery::done) yet, above which its relay is told nothing
    /// more of what came: it keeps the rest, up to its own limit. So a contact cannot fill this disk.
    pub undelivered: u32,
    /// Size in bytes of a file in the data directory that is given up when the disk is full, so that receiving, acknowledging and deleting go
    /// on; of a small disk an eighth at most. 0: none.
    pub reserve: u64,
    /// Messages of a connection that wait to be sent, above which [`ConnectionHandle::send`](crate::ConnectionHandle::send) refuses more.
    pub waiting: u32,
    /// Requests to a contact address that are neither accepted nor rejected, above which its relay is told nothing more of what came.
    /// So strangers cannot fill this disk.
    pub requests: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { undelivered: 256, reserve: 8 << 20, waiting: 10_000, requests: 256 }
    }
}

/// How long to wait for what.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Timeouts {
    /// For TCP, TLS and handshake together, with each host and port of a relay.
    pub connect: Duration,
    /// For the answer to a command.
    pub command: Duration,
    /// For all that [`Agent::create_invitation`](crate::Agent::create_invitation) does.
    pub create: Duration,
    /// Before the first new attempt after a failure on the network; doubled after each further one.
    pub retry_first: Duration,
    /// The longest time between two attempts.
    pub retry_longest: Duration,
    /// Before the first new attempt to send to a full queue; doubled after each further one. The recipient usually tells
    /// earlier that it has space again.
    pub quota_first: Duration,
    /// The longest time between two attempts to send to a full queue.
    pub quota_longest: Duration,
    /// For a queue to which messages went before and that its relay does not know any more: until they are given up.
    pub refused: Duration,
    /// For a message that cannot be delivered, whatever the reason: after it [`SendError::Expired`](crate::SendError::Expired) says that it was
    /// given up. In days on which the agent runs, looked at once a day, 29 days at most; `None`: never. Messages that wait for the encryption to
    /// be renewed do not expire.
    pub undeliverable: Option<Duration>,
    /// For a relay that cannot be reached: from then on it is a trouble of the connections that need it
    /// ([`Trouble::RelayDown`](crate::Trouble::RelayDown)). A session that ends and comes back before is none.
    pub relay_down: Duration,
    /// Between two looks whether a full disk has space again.
    pub disk: Duration,
    /// Between keep-alive messages to an idle relay.
    pub ping: Duration,
    /// For the inviting side to accept somebody who joined, from then on. Looked at once a day.
    pub accept: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(15),
            command: Duration::from_secs(20),
            create: Duration::from_secs(30),
            retry_first: Duration::from_millis(500),
            retry_longest: Duration::from_secs(120),
            quota_first: Duration::from_secs(2),
            quota_longest: Duration::from_secs(300),
            refused: Duration::from_secs(24 * 60 * 60),
            // As long as relays keep messages.
            undeliverable: Some(Duration::from_secs(21 * 24 * 60 * 60)),
            relay_down: Duration::from_secs(10),
            disk: Duration::from_secs(10),
            ping: Duration::from_secs(60),
            accept: Duration::from_secs(30 * 24 * 60 * 60),
        }
    }
}

/// Versions of the protocols to offer. Narrower ranges are for tests with older peers and relays.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Versions {
    /// Of the sessions with relays.
    pub smp: VersionRange<SmpVersion>,
    /// Of the messages in queues.
    pub client: VersionRange<SmpClientVersion>,
    /// Of what agents say to each other.
    pub agent: VersionRange<AgentVersion>,
    /// Of the ratchet.
    pub ratchet: VersionRange<RatchetVersion>,
}

impl Default for Versions {
    fn default() -> Self {
        Self {
            smp: SmpVersion::SUPPORTED,
            client: SmpClientVersion::SUPPORTED,
            agent: AgentVersion::SUPPORTED,
            ratchet: RatchetVersion::SUPPORTED,
        }
    }
}
