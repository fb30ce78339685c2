//! The client agent: connections, messages and their durable state.
//!
//! A connection is two queues, one on a relay of each side's choice, with a post-quantum double ratchet inside. The agent makes
//! connections from invitation links and keeps them going; an application sees connections, messages and [`Event`]s, never a queue.
//!
//! ```no_run
//! use smp_agent::{Agent, Event, RelayAddress};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let relay: RelayAddress = "smp://AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=@relay.example".parse()?;
//! let (agent, mut events) = Agent::builder("/home/alice/.local/share/smp").relays([relay]).open().await?;
//!
//! let (_, link) = agent.create_invitation().await?;
//! println!("{link}");
//! // The other side: agent.join(&link, b"who I am").await?
//!
//! while let Some(delivery) = events.next().await? {
//!     match &delivery.event {
//!         Event::Confirmation { connection, info } => {
//!             println!("{} wants to connect", String::from_utf8_lossy(info));
//!             agent.connection(*connection).accept(b"who I am").await?;
//!         }
//!         Event::Connected { connection } => {
//!             agent.connection(*connection).send(b"hello").await?;
//!         }
//!         Event::Message { connection, id, body, .. } => {
//!             // Store what it does together with (connection, id); a pair that is stored already needs nothing more.
//!             println!("{connection} {id}: {}", String::from_utf8_lossy(body));
//!         }
//!         Event::ConnectionFailed { error, .. } => println!("{error}"),
//!         _ => {}
//!     }
//!     // From here on it does not come again. For a message this is the acknowledgement.
//!     delivery.done().await?;
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # Contact addresses
//!
//! [`Agent::create_address`] makes an address that any number of people may ask by; each request is a connection of its own, told once by
//! [`Event::Request`], to be accepted or rejected. Connections that began with an address outlive it. Requests
//! that nobody has answered are bounded ([`Limits::requests`]): the rest waits at the relay. The other side uses [`Agent::join`] with
//! the address's link, and sees what its owner shows with a short one before ([`Agent::look_at_link`]) and when it joins
//! ([`Event::LinkShown`]).
//!
//! # Users
//!
//! An agent has one user from the beginning, and any number more ([`Agent::create_user`]): profiles of which no relay can tell that they are
//! together. Calls of [`Agent::user`] are for one of them, those of a connection for its user. Nothing of two
//! users is ever in one session with a relay, in one that a relay forwards, or in one circuit of [Tor](SocksSettings::isolate);
//! [`SessionMode::Connection`] says the same of two connections. The network address is the same for all, unless a proxy hides it.
//!
//! # Nothing is lost, nothing comes twice
//!
//! The agent is crash-only: shutdown and crash take the same path. Every step (state of the connection, what is to be sent, event) is
//! committed as a whole to one SQLite database, alone or with steps of other connections, and flushed to the disk; the network is touched
//! only afterwards, with what was stored, and may be touched again in the same way. If the agent, the other side's or a relay
//! dies:
//!
//! | while | then |
//! |---|---|
//! | `NEW` waits for its answer | an invitation: the call failed, nothing is left here. A reply queue: it is made again. Either way a queue that nobody knows may be left on the relay |
//! | `KEY`, `SKEY` or `LKEY` waits | it is repeated with the same key, which a relay answers as before |
//! | `SEND` waits | the same bytes are sent again; the recipient recognises them by their hash |
//! | a message has arrived, but is not stored | it was not acknowledged either: the relay delivers it again |
//! | a message is stored, but `ACK` was not sent | the relay delivers it again, it is recognised and acknowledged |
//! | an event was delivered, but the application was not [done](Delivery::done) | it is delivered again, with the same number |
//!
//! Messages to one connection go out one after the other, so the order is kept. A full queue is waited for until the recipient
//! says that it has space, or some minutes.
//!
//! # What changes over time
//!
//! A side moves to another relay by [`ConnectionHandle::rotate`], and follows the other side when that moves; messages go on meanwhile, in
//! order, and what is left in the old queue is read before it is deleted. When the encryption of both sides does not fit together
//! any more, because one of them was restored from an old copy or damaged, it is renewed
//! ([`AgentConfig::resynchronize`], [`ConnectionHandle::resynchronize`], [`Event::RatchetSync`]); what was sent meanwhile may be lost.
//!
//! Post-quantum keys are switched on and off by [`ConnectionHandle::set_post_quantum`], also on connections that began without them;
//! [`ConnectionSummary::post_quantum`] and [`Event::PostQuantum`] say what they protect. [`ConnectionHandle::suspend`] has the own relay take nothing
//! more, which is final.
//!
//! [`Agent::export`] makes an encrypted archive of everything, which [`restore_archive`] makes an agent of on another machine; files of an application's own
//! can be in it ([`Agent::export_with`]).
//!
//! # What it protects, and what not
//!
//! The data directory is private to its user (0700, 0600) and used by one agent at a time. It is encrypted if the agent is given a
//! [`Secret`] ([`AgentBuilder::passphrase`], [`AgentBuilder::key`]); otherwise who can read the file can read the conversation. An agent that starts
//! without a person keeps a key where only it can read, or does without. [`encrypt_data_dir`], [`change_secrets`]
//! and [`decrypt_data_dir`] change that later. The size of the files, and when they change, can be seen all the same. An
//! application has its own files encrypted under [`Agent::application_key`].
//!
//! Deleted data is overwritten with zeros in the database file. Its write-ahead log may hold the content until SQLite writes over
//! it or the agent is shut down, and file systems and flash disks may keep copies that no program reaches. In memory, the values
//! that hold private keys, shared secrets and ratchet keys are wiped when they are dropped. Texts of messages, links, and the
//! bytes that pass to and from SQLite are freed without being wiped. The agent logs nothing, unless the feature `tracing` is on:
//! then what it does, in words and counts, with no identifiers at any level (target `smp_agent`). The library beneath it gives the
//! statements it runs, without any values, to a logger if the application has one.
//!
//! # What it does not do yet
//!
//! On a relay below version 9 a queue takes the confirmations of several people until one of them is accepted. The others learn
//! nothing: their connections fail after [`Timeouts::accept`].
//!
//! # Where is what
//!
//! `connection` holds the pure state machines, `steps` the states in memory and the writer that makes their changes durable in groups, `store` the
//! database, `network` all that talks with relays: one session and task for each relay and user (`connecting`, `inbox`), one worker for each
//! connection that has something to do (`worker`), all started in `tasks`.

#![cfg_attr(
    test,
    allow(clippy::disallowed_methods, reason = "tests have the time and chance of this machine")
)]

mod addresses;
mod agent;
mod archive;
mod at_rest;
mod config;
mod connection;
mod data_dir;
mod error;
mod event;
mod events;
mod glance;
mod id;
mod key_file;
mod network;
mod network_settings;
mod relay_set;
mod reserve;
mod secret;
mod send_handle;
mod session_key;
mod stages;
mod steps;
mod store;
mod stored;
mod summary;
mod trace;

pub use addresses::{ContactLink, LinkKind, LinkPreview};
pub use agent::{Agent, AgentBuilder, ConnectionHandle, KeyedMessage, UserHandle, UserSummary};
pub use archive::{ArchiveError, ArchivedFile, RestoredArchive, restore_archive, restore_archive_with};
pub use at_rest::{
    application_key, change_database_key, change_secrets, decrypt_data_dir, encrypt_data_dir, is_encrypted,
};
pub use config::{AgentConfig, Limits, Timeouts, Versions};
pub use error::{
    AgentError, ConnectionError, LinkError, ReceiveError, RelayError, SendError, StorageError,
    SubscriptionError,
};
pub use event::{Event, Integrity, MessageOrigin, MessageTimes};
pub use events::{Delivery, Durable, Events};
pub use glance::{Glance, SeenConnection};
pub use id::{ConnectionId, MessageId, UserId};
pub use network::{RelayState, RelayStates};
pub use network_settings::{
    LocalRelays, MessageRouting, NetworkSettings, OnionHosts, RoutingFallback, SessionMode, SocksMode,
    SocksSettings,
};
pub use relay_set::RelayEntry;
pub use secret::{PhraseError, RecoveryPhrase, Secret, SecretError};
pub use send_handle::{SendHandle, SendOutcome};
pub use smp_protocol::address::RelayAddress;
pub use smp_protocol::link::{ConnectionLink, ShortLink, ShortLinkScheme};
pub use smp_ratchet::SecurityCode;
pub use smp_transport::surroundings;
pub use stages::{RotationSide, RotationStage, SuspensionState, SyncState};
pub use summary::{ConnectionStatus, ConnectionSummary, Invitation, PostQuantum, Trouble};
