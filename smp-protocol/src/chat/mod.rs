//! The chat messages that travel inside the agent's messages: the part of the SimpleX chat protocol that a
//! two-person text conversation needs (`protocol-spec/9-chat.md`).
//!
//! Everything here is the *body* of [`AMessage::Message`](crate::agent::AMessage) or the connection information of a
//! confirmation. It is JSON, alone or in a batch, possibly compressed. An event that we do not know is kept as it came
//! ([`ChatEvent::Other`]), never an error: a newer application must not break an older one.
//!
//! ```
//! use smp_protocol::chat::{ChatEvent, ChatMessage, MessageContainer, decode_messages};
//! let sent = ChatMessage::new(None, ChatEvent::MessageNew(MessageContainer::text("hello")));
//! let read = decode_messages(&sent.encode());
//! assert_eq!(read.len(), 1);
//! assert_eq!(read[0].as_ref().unwrap(), &sent);
//! ```

mod body;
mod compression;
mod container;
mod content;
mod error;
mod file;
mod message;
mod message_id;
mod profile;
mod reaction;
mod version;

pub use body::{MAX_MESSAGES, decode_messages};
pub use compression::{MAX_DECOMPRESSED_LENGTH, compress};
pub use container::{MessageContainer, MessageReference, Quote};
pub use content::{ContentKind, MessageContent};
pub use error::{ChatEncodeError, ChatError};
pub use file::{FILE_DESCRIPTION_EVENT, FILE_PART_LENGTH, FileOffer, file_description};
pub use message::{ChatEvent, ChatMessage, ContactRequest};
pub use message_id::SharedMessageId;
pub use profile::Profile;
pub use reaction::Reaction;
pub use version::{ChatVersion, ChatVersionRange, SUPPORTED_CHAT_VERSIONS};

/// Longest body in bytes of a message in a connection without post-quantum support.
///
/// The agent's own frame would allow a little more; SimpleX applications keep the difference for forwarding.
pub const MAX_MESSAGE_LENGTH: usize = 15_602;

/// Longest body in bytes of a message in a connection with post-quantum support, where the ratchet header is larger.
pub const MAX_MESSAGE_LENGTH_PQ: usize = 13_380;

/// Longest connection information (`x.info`, `x.contact`) in bytes without post-quantum support.
pub const MAX_INFO_LENGTH: usize = 14_694;

/// Longest connection information in bytes with post-quantum support.
pub const MAX_INFO_LENGTH_PQ: usize = 10_968;
