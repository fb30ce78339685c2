//! `Permit`: what one command takes of its client's bounds, until the answer to it is written.

use smp_protocol::{message::BrokerMessage, transmission::MAX_CONTENT};
use tokio::sync::OwnedSemaphorePermit;

use super::content::Content;

/// What an answer may weigh that is not small, in bytes.
pub(crate) const LARGE_ANSWER: usize = MAX_CONTENT;

/// Leave to have one command run. It is given back when the answer goes into a block.
pub(crate) struct Permit {
    _command: OwnedSemaphorePermit,
    weight: Option<OwnedSemaphorePermit>,
}

impl Permit {
    /// For one command, and the bytes that it may take.
    pub(crate) fn new(command: OwnedSemaphorePermit, weight: Option<OwnedSemaphorePermit>) -> Self {
        Self { _command: command, weight }
    }

    /// The command is done: only the answer still takes memory.
    pub(crate) fn answered_by(&mut self, content: &Content) {
        let keep = weight(content);
        let Some(weight) = self.weight.as_mut() else { return };
        let unused = weight.num_permits().saturating_sub(keep);
        drop(weight.split(unused));
    }
}

/// How many bytes an answer may take.
fn weight(content: &Content) -> usize {
    let message = match content {
        Content::Delivery(_) => return LARGE_ANSWER,
        Content::Message(message) => message,
    };
    match message {
        BrokerMessage::Link(..)
        | BrokerMessage::Message(..)
        | BrokerMessage::ProxySessionKey { .. }
        | BrokerMessage::ProxyResponse(_)
        | BrokerMessage::RelayResponse(_) => LARGE_ANSWER,
        _ => 0,
    }
}
