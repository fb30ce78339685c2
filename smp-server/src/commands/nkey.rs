//! `NKEY`: allows notifications for the queue, under a new notifier ID. The notifier before, if any, is gone.

use smp_crypto::X25519PrivateKey;
use smp_protocol::{
    error::ErrorType,
    id::NotifierId,
    key::{NotifierAuthKey, RecipientNotificationDhKey},
    message::BrokerMessage,
};

use super::{context::Context, outcome::CommandResult};
use crate::store::{Notifier, QueueChange, QueueRecord, StoreError};

/// How often other random IDs are tried if one is taken.
const ATTEMPTS: usize = 3;

pub(super) async fn run(
    cx: &Context<'_>,
    queue: &QueueRecord,
    key: NotifierAuthKey,
    dh_key: RecipientNotificationDhKey,
) -> CommandResult {
    let private = X25519PrivateKey::generate(&mut cx.node.rng());
    for _ in 0..ATTEMPTS {
        let id = NotifierId::generate(&mut cx.node.rng());
        let notifier = Notifier { id: id.clone(), key: key.0, dh: private.agree(&dh_key.0), service: None };
        match cx.change(queue, QueueChange::SetNotifier(notifier)).await {
            Ok(updated) => {
                if let Some(previous) = &updated.before.notifier {
                    cx.node.hub.notifier_deleted(previous, Some(&cx.caller.client));
                }
                return Ok(BrokerMessage::NotifierId(id, private.public_key().into()).into());
            }
            Err(StoreError::Duplicate) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(ErrorType::Internal)
}
