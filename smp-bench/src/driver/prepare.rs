//! Transmissions, made before they are needed.

use anyhow::{Context as _, Result};
use rand::Rng as _;
use smp_crypto::{BoxKey, Nonce, PrivateAuthKey};
use smp_protocol::command::Command;
use smp_protocol::id::{CorrelationId, EntityId};
use smp_protocol::session::AgreedSession;
use smp_protocol::transmission::{CommandKey, authorize, prepare};

/// Correlation IDs of 24 bytes: 16 at random and a number.
#[derive(Debug)]
pub struct CorrelationIds {
    random: [u8; 16],
    next: u64,
}

impl Default for CorrelationIds {
    fn default() -> Self {
        let mut random = [0; 16];
        rand::rng().fill_bytes(&mut random);
        Self { random, next: 0 }
    }
}

impl CorrelationIds {
    /// The next one; numbers begin at 0.
    pub fn next_id(&mut self) -> CorrelationId {
        let mut id = [0; 24];
        id[..16].copy_from_slice(&self.random);
        id[16..].copy_from_slice(&self.next.to_be_bytes());
        self.next += 1;
        id.into()
    }

    /// The number in an ID.
    #[must_use]
    pub fn number(id: &CorrelationId) -> Option<u64> {
        let number = id.as_bytes().get(16..)?;
        Some(u64::from_be_bytes(number.try_into().ok()?))
    }
}

/// A key that is ready to authorize commands in one session: X25519 has been done.
#[derive(Debug)]
pub enum ReadyKey {
    /// Makes authenticators.
    Agreed(BoxKey),
    /// Makes signatures.
    Signing(PrivateAuthKey),
}

/// A transmission that is ready to be sent, without its length.
#[derive(Debug, Clone)]
pub struct Ready {
    /// The entity that it is about; may be empty.
    pub entity_id: EntityId,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// Makes transmissions for one session.
#[derive(Debug)]
pub struct Preparer {
    session: AgreedSession,
    ids: CorrelationIds,
}

impl Preparer {
    /// For this session; correlation IDs are numbered from 0.
    #[must_use]
    pub fn new(session: &AgreedSession) -> Self {
        Self { session: session.clone(), ids: CorrelationIds::default() }
    }

    /// Does for a key what is done once in a session.
    ///
    /// # Errors
    /// If it is an X25519 key and the relay is so old that it has none.
    pub fn ready(&self, key: &PrivateAuthKey) -> Result<ReadyKey> {
        let PrivateAuthKey::X25519(key) = key else { return Ok(ReadyKey::Signing(key.clone())) };
        let relay_key = self
            .session
            .relay_key
            .as_ref()
            .context("the relay has no key for authenticators: try --auth ed25519")?;
        Ok(ReadyKey::Agreed(key.agree(relay_key).box_key()))
    }

    /// The transmission of a command.
    ///
    /// # Errors
    /// As [`ready`](Self::ready).
    pub fn transmission(
        &mut self,
        key: Option<&ReadyKey>,
        entity_id: &EntityId,
        command: &Command<'_>,
    ) -> Result<Ready> {
        let correlation_id = self.next_id();
        self.transmission_with(&correlation_id, key, entity_id, command)
    }

    /// The next correlation ID.
    pub fn next_id(&mut self) -> CorrelationId {
        self.ids.next_id()
    }

    /// As [`transmission`](Self::transmission), with a given correlation ID.
    ///
    /// # Errors
    /// As [`ready`](Self::ready).
    pub fn transmission_with(
        &self,
        correlation_id: &CorrelationId,
        key: Option<&ReadyKey>,
        entity_id: &EntityId,
        command: &Command<'_>,
    ) -> Result<Ready> {
        let parameters = &self.session.parameters;
        let prepared = prepare(parameters, correlation_id, entity_id, command);
        let nonce = Nonce::from_slice_padded(correlation_id.as_bytes());
        let key = key.map(|key| match key {
            ReadyKey::Agreed(key) => CommandKey::Agreed(key),
            ReadyKey::Signing(key) => CommandKey::Queue(key),
        });
        let authorization =
            key.map(|key| authorize(key, None, &nonce, prepared.authorized(), None)).transpose()?;
        let mut out = Vec::with_capacity(prepared.to_send().len() + 120);
        prepared.write(authorization.as_ref(), parameters, &mut out);
        Ok(Ready { entity_id: entity_id.clone(), bytes: out })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn correlation_ids_are_numbered() {
        let mut ids = CorrelationIds::default();
        for number in 0..3 {
            assert_eq!(CorrelationIds::number(&ids.next_id()), Some(number));
        }
        assert_eq!(CorrelationIds::number(&CorrelationId::empty()), None);
    }
}
