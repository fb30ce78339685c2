//! Post-quantum keys of a connection: whether this side wants them, and what they protect.
//!
//! A wish goes out with each message of the application, and what protects the messages follows from both sides' wishes some messages later
//! (section 7.4): the ratchet agrees on keys anew in each turn of the conversation. Connections that began without such keys can get them later;
//! room for them in the headers, once made, stays.

use super::{Connection, Effects, Phase};
use crate::config::AgentConfig;
use crate::error::AgentError;
use crate::event::Event;
use serde::{Deserialize, Serialize};
use smp_protocol::version::{AgentVersion, RatchetVersion};
use smp_ratchet::Ratchet;

/// The first agent version that knows post-quantum keys.
pub(super) const PQ_AGENT: AgentVersion = AgentVersion(5);
/// The first ratchet version that knows post-quantum keys.
const PQ_RATCHET: RatchetVersion = RatchetVersion(3);

/// Whether these versions know post-quantum keys.
pub(super) fn pq_possible(agent: AgentVersion, ratchet: RatchetVersion) -> bool {
    agent >= PQ_AGENT && ratchet >= PQ_RATCHET
}

/// The directions in which messages are protected by post-quantum keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Protection {
    pub(crate) sending: bool,
    pub(crate) receiving: bool,
}

impl Connection {
    /// Whether this side wants post-quantum keys, as far as both sides know them.
    pub(crate) fn wants_pq(&self) -> bool {
        self.pq_support && !self.pq_refused
    }

    /// The directions that are protected now.
    pub(crate) fn protection(&self) -> Protection {
        let of = |ratchet: &Ratchet| Protection {
            sending: ratchet.pq_sending(),
            receiving: ratchet.pq_receiving(),
        };
        self.ratchet.as_ref().map(of).unwrap_or_default()
    }

    /// The application wants post-quantum keys, or does not any more.
    pub(crate) fn set_post_quantum(&mut self, wanted: bool, config: &AgentConfig) -> Result<(), AgentError> {
        if self.phase != Phase::Connected {
            return Err(
                self.not_now(self.phase.status(), "post-quantum keys can be switched once it is connected")
            );
        }
        if wanted && !self.can_have_pq(config) {
            return Err(
                self.not_now("of a version that knows no post-quantum keys", "ask the other side to update")
            );
        }
        self.pq_support |= wanted;
        self.pq_refused = !wanted;
        Ok(())
    }

    fn can_have_pq(&self, config: &AgentConfig) -> bool {
        self.pq_support || pq_possible(self.agent_version, config.versions.ratchet.max())
    }

    /// The other side wants post-quantum keys on a connection that began without. They are taken, unless this side does not want any.
    pub(super) fn pq_offered(&mut self, config: &AgentConfig) {
        if config.pq && !self.pq_support && !self.pq_refused && self.can_have_pq(config) {
            self.pq_support = true;
        }
    }

    /// The connection is made. With post-quantum keys wanted by both sides, they protect both directions with the next messages.
    pub(super) fn expect_protection(&mut self) {
        let both = self.pq_support;
        self.protection_told = Some(Protection { sending: both, receiving: both });
    }

    /// Tells when other directions are protected than before.
    pub(super) fn tell_protection(&mut self, effects: &mut Effects) {
        let now = self.protection();
        // Of a connection that was made by an earlier version nothing was told.
        let told = self.protection_told.unwrap_or(now);
        if self.phase != Phase::Connected || self.protection_told == Some(now) {
            return;
        }
        self.protection_told = Some(now);
        if told != now {
            let Protection { sending, receiving } = now;
            effects.events.push(Event::PostQuantum { connection: self.id, sending, receiving });
        }
    }
}
