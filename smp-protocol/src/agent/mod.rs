//! Envelopes, messages and queue addresses that two agents exchange (chapter `6-agent.md`).
//!
//! Three layers lie in each other inside the body of a client message (see chapter `5-messages.md`):
//!
//! 1. [`AgentEnvelope`]: says for what the rest is, with the parameters of a ratchet where there is none yet.
//! 2. [`AgentMessage`]: what the ratchet encrypts (in [`AgentEnvelope::Invitation`] and [`AgentEnvelope::RatchetKey`]
//!    it is not encrypted again).
//! 3. [`AMessage`]: the messages of a connection, with a number and the hash of the previous one in front.
//!
//! Queues are described by [`QueueUri`] (a range of versions, offered) and [`QueueInfo`] (one version, agreed).

mod a_message;
mod envelope;
mod key;
mod known_hosts;
mod message;
mod message_id;
mod padded_length;
mod queue;
mod queue_text;
mod ratchet_parameters;

pub use a_message::{AMessage, MessageReceipt, QueueKey, QueueReady, QueueReplacement};
pub use envelope::AgentEnvelope;
pub use message::{AgentMessage, MessageHeader, message_hash};
pub use message_id::AgentMessageId;
pub use padded_length::{connection_info_length, message_length};
pub use queue::{QueueAddress, QueueInfo, QueueMode, QueueUri, SenderQueueAddress};
pub use ratchet_parameters::{
    AnyKem, KemParameters, ProposedKem, RatchetParameters, RatchetParametersUri, ReceivedRatchetParameters,
    SentRatchetParameters,
};
