//! Requests as authorized transmissions.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use smp_crypto::hash::sha256;
use smp_crypto::{BoxKey, Nonce, PrivateAuthKey, X25519PrivateKey, X25519PublicKey};
use smp_protocol::command::Command;
use smp_protocol::error::TransportError;
use smp_protocol::id::{CorrelationId, EntityId};
use smp_protocol::session::AgreedSession;
use smp_protocol::transmission::{CommandKey, authorize, prepare};

use super::ClientError;
use super::config::MAX_AGREED_KEYS;

/// Authorizes requests in one session.
pub(super) struct Authorizer {
    session: AgreedSession,
    /// By SHA-256 of the private key: computing the public one would cost as much as agreeing.
    agreed: Mutex<HashMap<[u8; 32], BoxKey>>,
}

impl Authorizer {
    pub(super) fn new(session: AgreedSession) -> Self {
        Self { session, agreed: Mutex::default() }
    }

    pub(super) fn session(&self) -> &AgreedSession {
        &self.session
    }

    /// The bytes of a transmission, without their length.
    pub(super) fn transmission(
        &self,
        key: Option<&PrivateAuthKey>,
        correlation_id: &CorrelationId,
        entity_id: &EntityId,
        command: &Command<'_>,
    ) -> Result<Vec<u8>, ClientError> {
        let session = &self.session.parameters;
        let prepared = prepare(session, correlation_id, entity_id, command);
        let nonce = Nonce::from_slice_padded(correlation_id.as_bytes());
        let authorization = match key {
            None => None,
            Some(PrivateAuthKey::X25519(key)) => {
                let agreed = self.agree(key).map_err(ClientError::Authorization)?;
                Some(authorize(CommandKey::Agreed(&agreed), None, &nonce, prepared.authorized(), None))
            }
            Some(key) => Some(authorize(CommandKey::Queue(key), None, &nonce, prepared.authorized(), None)),
        };
        let authorization = authorization.transpose().map_err(ClientError::Authorization)?;
        let mut out = Vec::with_capacity(prepared.to_send().len() + 120);
        prepared.write(authorization.as_ref(), session, &mut out);
        Ok(out)
    }

    fn agree(&self, key: &X25519PrivateKey) -> Result<BoxKey, TransportError> {
        let relay_key: &X25519PublicKey =
            self.session.relay_key.as_ref().ok_or(TransportError::NoRelayAuth)?;
        let name = sha256(key.as_bytes());
        if let Some(known) = self.agreed.lock().unwrap_or_else(PoisonError::into_inner).get(&name) {
            return Ok(known.clone());
        }
        let made = key.agree(relay_key).box_key();
        let mut agreed = self.agreed.lock().unwrap_or_else(PoisonError::into_inner);
        if agreed.len() >= MAX_AGREED_KEYS {
            // they are only a saving: what is in use comes back soon
            agreed.clear();
        }
        agreed.insert(name, made.clone());
        Ok(made)
    }
}
