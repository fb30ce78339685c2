//! `SKEY`: the sender secures the queue with its key. The same key again is fine, another one was not authorized.

use smp_protocol::key::SenderAuthKey;

use super::{Context, Outcome};
use crate::store::{QueueChange, QueueRecord};

pub(super) async fn run(cx: &Context, queue: &QueueRecord, key: SenderAuthKey) -> Outcome {
    cx.change_and_confirm(queue, QueueChange::Secure(key.0)).await
}
