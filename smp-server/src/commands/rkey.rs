//! `RKEY`: replaces the recipient's keys of a contact queue, so that several owners can manage it.

use smp_protocol::{encoding::NonEmpty, error::ErrorType, key::RecipientAuthKey};

use super::{Context, Outcome};
use crate::store::{QueueChange, QueueMode, QueueRecord};

pub(super) async fn run(cx: &Context, queue: &QueueRecord, keys: &NonEmpty<RecipientAuthKey>) -> Outcome {
    if queue.mode != Some(QueueMode::Contact) {
        return Err(ErrorType::Auth);
    }
    let keys = keys.as_slice().iter().map(|key| key.0).collect();
    cx.change_and_confirm(queue, QueueChange::RecipientKeys(keys)).await
}
