//! Commands of clients of other processes, as far as they are done in the process that has the queue; and the rest, in the client's process.

use std::sync::Arc;

use smp_protocol::{
    command::Command,
    error::{CommandError, ErrorType},
    id::{NotifierId, ServiceId},
};

use super::{
    authorize::{OwnedProof, authorize},
    context::Context,
    nsub,
    outcome::Outcome,
};
use crate::store::QueueRecord;

/// Authorizes `SUB`, which is done in the client's process when that has the queue.
///
/// # Errors
///
/// The answer to it.
pub(crate) async fn may_subscribe(
    cx: &Context<'_>,
    command: &Command<'_>,
    proof: &OwnedProof,
) -> Result<Arc<QueueRecord>, ErrorType> {
    let queue = authorize(cx, command, proof).await?.ok_or(ErrorType::Auth)?;
    queue.status.refuse_blocked()?;
    if cx.caller.got(&queue.recipient_id).is_some() {
        return Err(CommandError::Prohibited.into());
    }
    Ok(queue)
}

/// Authorizes `NSUB` and does it but for the subscription, which is where the client is: see [`subscribe_notifications`]. Returns the notifier,
/// and the service that had it before.
///
/// # Errors
///
/// The answer to it.
pub(crate) async fn may_subscribe_notifications(
    cx: &Context<'_>,
    command: &Command<'_>,
    proof: &OwnedProof,
) -> Result<(NotifierId, Option<ServiceId>), ErrorType> {
    let queue = authorize(cx, command, proof).await?.ok_or(ErrorType::Auth)?;
    nsub::associate(cx, &queue).await
}

/// The rest of `NSUB` after another process has authorized it.
pub(crate) async fn subscribe_notifications(
    cx: &Context<'_>,
    notifier: &NotifierId,
    previous: Option<&ServiceId>,
) -> Outcome {
    let subscribed = nsub::subscribe(cx, notifier, previous).await;
    if subscribed.is_ok() {
        cx.caller.guest.note_known();
    }
    subscribed.into()
}
