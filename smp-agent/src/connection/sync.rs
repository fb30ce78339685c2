//! Ratchet resynchronisation: two sides whose ratchets have diverged agree on a new one (section 6.9).
//!
//! Ratchets diverge when a side is restored from a copy, or when its state is damaged. Either side proposes keys, the other
//! answers with its own, and both make the new ratchet from the two; of two who propose at once neither needs an answer. Which
//! side has which part follows from the hashes of the keys alone. Messages that were encrypted before travel in front of the keys, so the
//! old ratchet is kept until the peer's keys come, and nothing of it is needed after that.
//!
//! An answer says in its information which keys it answers, by their hash. So two of us never answer answers for ever, and a late
//! answer to keys that are given up is known. The reference sends no information, and its keys count as a proposal.

use super::chain::ChainEnd;
use super::{Connection, Effects, OutgoingKind, Phase, StateError};
use crate::config::AgentConfig;
use crate::error::{AgentError, ReceiveError};
use crate::event::{Event, Integrity};
use crate::stages::SyncState;
use rand::CryptoRng;
use serde::{Deserialize, Serialize};
use smp_protocol::agent::{
    AMessage, AgentEnvelope, AgentMessage, AgentMessageId, ReceivedRatchetParameters, message_hash,
};
use smp_protocol::encoding::{from_bytes, to_bytes};
use smp_protocol::version::{AgentVersion, RatchetVersion};
use smp_ratchet::renegotiation::{self, RatchetKeyHash, RenegotiationRole};
use smp_ratchet::{AgreementError, JoiningKeys, OfferedKeys, Ratchet, RatchetVersions};

/// From this version on ratchets can be renegotiated.
const RENEGOTIATION: AgentVersion = AgentVersion(3);
/// The newest keys of the peer that are remembered. Relays repeat the last few messages of a queue only.
const REMEMBERED_KEYS: usize = 16;
/// So many messages that the agreed ratchet does not open are taken for late ones; with the next the peer is an old copy.
const LATE_MESSAGES: u8 = 3;
/// So many messages may a copy of this side not know of; a peer that says more is not believed.
const MAX_FORGOTTEN: u64 = 1 << 32;

/// Where the renegotiation of a connection is.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Resync {
    pub(crate) state: SyncState,
    /// The keys that were sent last, until a message opens.
    pub(crate) sent: Option<SentKeys>,
    /// Hashes of the peer's keys that were taken; the oldest first.
    pub(crate) taken: Vec<[u8; 32]>,
    /// How many messages the agreed ratchet has not opened.
    pub(crate) unread: u8,
}

/// Our proposal.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct SentKeys {
    #[serde(with = "crate::stored")]
    pub(crate) keys: OfferedKeys,
    #[serde(with = "crate::stored")]
    pub(crate) version: RatchetVersion,
    /// The peer's keys that they answer.
    pub(crate) answer_to: Option<[u8; 32]>,
}

/// The peer's keys for a new ratchet, as they came.
pub(crate) struct RatchetKeys {
    pub(super) agent_version: AgentVersion,
    pub(super) parameters: Box<ReceivedRatchetParameters>,
    /// Our keys that they answer, if the peer says so.
    pub(super) answer_to: Option<[u8; 32]>,
}

/// The meaning of a message that cannot be opened for the ratchets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Divergence {
    pub(super) state: SyncState,
    /// It can only come from an old copy of the peer, or to one of this side.
    pub(super) copied: bool,
}

impl RatchetKeys {
    pub(super) fn new(
        version: AgentVersion,
        parameters: Box<ReceivedRatchetParameters>,
        info: &[u8],
    ) -> Self {
        let answer_to = match from_bytes(info) {
            Ok(AgentMessage::RatchetInfo(hash)) => hash[..].try_into().ok(),
            _ => None,
        };
        Self { agent_version: version, parameters, answer_to }
    }
}

impl Resync {
    fn sent_hash(&self) -> Option<[u8; 32]> {
        let SentKeys { keys, version, .. } = self.sent.as_ref()?;
        Some(RatchetKeyHash::of(&keys.parameters(*version)).0)
    }

    /// Whether the keys are new, which they are not any more after this.
    fn take(&mut self, hash: RatchetKeyHash) -> bool {
        if self.taken.contains(&hash.0) {
            return false;
        }
        if self.taken.len() >= REMEMBERED_KEYS {
            self.taken.remove(0);
        }
        self.taken.push(hash.0);
        true
    }
}

impl Connection {
    /// Whether messages can be encrypted: the ratchets are not known to differ.
    pub(crate) fn in_sync(&self) -> bool {
        matches!(self.resync.state, SyncState::Ok | SyncState::Allowed)
    }

    /// Sends keys for a new ratchet, where that is allowed or required; with `force` also where nothing seems to be wrong.
    ///
    /// Keys that the peer has yet to answer are not replaced, but with `force` they are sent again: the peer may have lost them.
    pub(crate) fn resynchronize(
        &mut self,
        force: bool,
        config: &AgentConfig,
        rng: &mut impl CryptoRng,
        effects: &mut Effects,
    ) -> Result<(), AgentError> {
        if self.phase != Phase::Connected {
            return Err(
                self.not_now(self.phase.status(), "its encryption can be renewed once it is connected")
            );
        }
        if self.agent_version < RENEGOTIATION {
            return Err(self.not_now("of a version that cannot renew its encryption", "connect again"));
        }
        match self.resync.state {
            SyncState::Allowed | SyncState::Required => {}
            SyncState::Started if force => return self.send_keys_again(config, effects),
            SyncState::Ok | SyncState::Agreed if force => {}
            SyncState::Ok => return Err(self.not_now("in order", "its encryption need not be renewed")),
            SyncState::Started | SyncState::Agreed => return Ok(()),
        }
        self.propose(config, rng, effects).map_err(|StateError| AgentError::Encryption(self.id))
    }

    /// A message could not be opened, and it is not one that was opened before.
    pub(super) fn out_of_sync(
        &mut self,
        divergence: Divergence,
        config: &AgentConfig,
        rng: &mut impl CryptoRng,
        effects: &mut Effects,
    ) -> Result<(), StateError> {
        // The answer to new keys would not come.
        if self.phase != Phase::Connected || self.is_suspended() {
            return Ok(());
        }
        let Divergence { state, copied } = divergence;
        match (self.resync.state, state) {
            // A message of the old ratchet does not disturb the new one.
            (SyncState::Started, _) => return Ok(()),
            (SyncState::Agreed, _) if self.resync.unread < LATE_MESSAGES => {
                self.resync.unread += 1;
                return Ok(());
            }
            // The worse state stays until a message opens.
            (SyncState::Required, SyncState::Allowed) => {}
            (_, new) => self.set_sync_state(new, effects),
        }
        if copied && config.resynchronize && self.agent_version >= RENEGOTIATION {
            self.propose(config, rng, effects)?;
        }
        Ok(())
    }

    /// Sends new keys; the present ratchet is kept until the peer's come.
    fn propose(
        &mut self,
        config: &AgentConfig,
        rng: &mut impl CryptoRng,
        effects: &mut Effects,
    ) -> Result<(), StateError> {
        self.make_keys(config.versions.ratchet.max(), None, rng);
        self.send_keys(config, effects)?;
        self.set_sync_state(SyncState::Started, effects);
        Ok(())
    }

    fn make_keys(&mut self, version: RatchetVersion, answer_to: Option<[u8; 32]>, rng: &mut impl CryptoRng) {
        let keys = OfferedKeys::generate(version, self.wants_pq(), rng);
        self.resync.sent = Some(SentKeys { keys, version, answer_to });
    }

    fn send_keys_again(&mut self, config: &AgentConfig, effects: &mut Effects) -> Result<(), AgentError> {
        self.send_keys(config, effects).map_err(|StateError| AgentError::Encryption(self.id))
    }

    /// `ratchetKey`. It takes a number in the chain, like a message.
    fn send_keys(&mut self, config: &AgentConfig, effects: &mut Effects) -> Result<(), StateError> {
        let SentKeys { keys, version, answer_to } = self.resync.sent.as_ref().ok_or(StateError)?;
        let answer_to = answer_to.as_ref().map_or(&[][..], |hash| hash);
        let info = to_bytes(&AgentMessage::RatchetInfo(answer_to.into()));
        let agent_envelope = AgentEnvelope::RatchetKey {
            version: config.versions.agent.max(),
            ratchet: Box::new(keys.parameters(*version)),
            info: (&info[..]).into(),
        };
        self.send_envelope(&agent_envelope, OutgoingKind::RatchetKey, effects);
        self.sent.append(self.sent.next_number(), message_hash(&info));
        Ok(())
    }

    /// Takes the peer's keys: answers them unless ours are on their way, and makes the new ratchet.
    pub(super) fn ratchet_keys_received(
        &mut self,
        keys: &RatchetKeys,
        config: &AgentConfig,
        rng: &mut impl CryptoRng,
        effects: &mut Effects,
    ) -> Result<(), ReceiveError> {
        let theirs = &keys.parameters;
        if self.phase != Phase::Connected {
            return Err(ReceiveError::Unexpected);
        }
        if !config.versions.ratchet.contains(theirs.version) {
            return Err(ReceiveError::Version);
        }
        self.announced(keys.agent_version, config);
        let hash = RatchetKeyHash::of(theirs);
        if !self.resync.take(hash) {
            return Ok(());
        }
        let answers = keys.answer_to.is_some() && keys.answer_to == self.resync.sent_hash();
        match self.resync.state {
            // The answer to what was sent since will come.
            SyncState::Started if keys.answer_to.is_some() && !answers => return Ok(()),
            SyncState::Started => {}
            SyncState::Agreed if answers => {}
            SyncState::Ok | SyncState::Allowed | SyncState::Required | SyncState::Agreed => {
                self.make_keys(theirs.version, Some(hash.0), rng);
                self.send_keys(config, effects).map_err(|StateError| ReceiveError::Unexpected)?;
            }
        }
        self.agree(theirs, config, rng, effects)
    }

    fn agree(
        &mut self,
        theirs: &ReceivedRatchetParameters,
        config: &AgentConfig,
        rng: &mut impl CryptoRng,
        effects: &mut Effects,
    ) -> Result<(), ReceiveError> {
        let SentKeys { keys, .. } = self.resync.sent.as_ref().ok_or(ReceiveError::Unexpected)?;
        let versions =
            RatchetVersions { current: theirs.version, max_supported: config.versions.ratchet.max() };
        let ours = RatchetKeyHash::of(&keys.parameters(theirs.version));
        let role = renegotiation::role(ours, RatchetKeyHash::of(theirs));
        let ratchet = new_ratchet(keys, theirs, role, versions, self.pq_support, rng)
            .map_err(|_| ReceiveError::Decryption)?;
        self.ratchet = Some(ratchet);
        self.resync.unread = 0;
        self.skipped = Vec::new().into();
        effects.forget_skipped = true;
        self.set_sync_state(SyncState::Agreed, effects);
        if role == RenegotiationRole::Sending {
            self.send_ready(config, effects).map_err(|StateError| ReceiveError::Unexpected)?;
        }
        Ok(())
    }

    /// EREADY, with the number of the last message that could be opened.
    fn send_ready(&mut self, config: &AgentConfig, effects: &mut Effects) -> Result<(), StateError> {
        let message = AMessage::RatchetReady(AgentMessageId(self.received.number));
        self.send_agent_message(&message, OutgoingKind::Ready, config, effects)
    }

    /// EREADY of the peer, with the last number that it has received. `answer` if this side could not send with the new ratchet
    /// before.
    pub(super) fn ratchet_ready(
        &mut self,
        last_received: i64,
        answer: bool,
        config: &AgentConfig,
        effects: &mut Effects,
    ) -> Result<(), ReceiveError> {
        // Behind keys that were sent meanwhile it would not be understood.
        if answer && self.resync.state != SyncState::Started {
            self.send_ready(config, effects).map_err(|StateError| ReceiveError::Unexpected)?;
        }
        self.repeat_moves(last_received);
        Ok(())
    }

    /// Tells what this side does not know of, if it was restored from an older copy: messages of its own that the peer has, and
    /// those of the peer that are missing before EREADY. It goes on with the numbers behind its own, so that new ones are not taken
    /// for repetitions. `first` if the peer's EREADY comes before one of this side, which would have set the peer back.
    pub(super) fn catch_up(
        &mut self,
        last_received: i64,
        first: bool,
        integrity: Integrity,
        effects: &mut Effects,
    ) {
        // This side's keys have taken a number, which the peer does not count.
        let before_keys = self.sent.number.saturating_sub(1);
        let sent = match u64::try_from(last_received.saturating_sub(before_keys)) {
            Ok(count @ 1..=MAX_FORGOTTEN) if first => {
                let number = last_received.max(self.sent.number);
                self.sent = ChainEnd { number, hash: Vec::new() };
                count
            }
            _ => 0,
        };
        let received = match integrity {
            // So have the peer's.
            Integrity::Skipped { first, last } => last.abs_diff(first),
            Integrity::Ok | Integrity::BadHash | Integrity::BadNumber => 0,
        };
        if sent > 0 || received > 0 {
            effects.events.push(Event::Forgotten { connection: self.id, sent, received });
        }
    }

    /// A message was opened by the ratchet.
    pub(super) fn message_opened(&mut self, effects: &mut Effects) {
        match self.resync.state {
            // In `Started` it was the old ratchet that opened it, and the peer will answer all the same.
            SyncState::Ok | SyncState::Started => {}
            SyncState::Allowed | SyncState::Required | SyncState::Agreed => {
                self.resync.sent = None;
                self.set_sync_state(SyncState::Ok, effects);
            }
        }
    }

    fn set_sync_state(&mut self, state: SyncState, effects: &mut Effects) {
        if self.resync.state != state {
            self.resync.state = state;
            effects.events.push(Event::RatchetSync { connection: self.id, state });
        }
    }

    /// The peer may announce a greater version; the agreed one never falls.
    pub(super) fn announced(&mut self, version: AgentVersion, config: &AgentConfig) {
        let version = version.min(config.versions.agent.max());
        if version > self.agent_version {
            self.agent_version = version;
        }
    }
}

fn new_ratchet(
    keys: &OfferedKeys,
    theirs: &ReceivedRatchetParameters,
    role: RenegotiationRole,
    versions: RatchetVersions,
    pq: bool,
    rng: &mut impl CryptoRng,
) -> Result<Ratchet, AgreementError> {
    match role {
        RenegotiationRole::Receiving => keys.ratchet(theirs, versions, pq),
        RenegotiationRole::Sending => JoiningKeys::from(keys.clone()).ratchet(theirs, versions, rng),
    }
}
