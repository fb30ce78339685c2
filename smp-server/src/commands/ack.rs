//! `ACK`: the recipient has a message for good. The answer is the next one, or `OK`.
//!
//! Without a subscription (or `GET`), or with the ID of another message than the one that was delivered last, it is
//! refused with `NO_MSG`, so that a repeated `ACK` cannot delete a message that was not received. An empty ID names the one that
//! was delivered last, but removes nothing: the same message is delivered once more, as the reference implementation does.

use std::sync::Arc;

use smp_protocol::{error::ErrorType, id::MessageId};

use super::{
    context::Context,
    outcome::{CommandResult, Outcome},
};
use crate::{
    broker::Ticket,
    store::{AfterAck, Message, QueueRecord, StoreError},
};

pub(super) async fn run(cx: &Context<'_>, queue: &QueueRecord, message: &MessageId) -> CommandResult {
    match cx.node.hub.subscriptions.acknowledge(&queue.recipient_id, &cx.caller.client, message) {
        Some(ticket) => of_subscription(cx, queue, message, ticket).await,
        None => of_get(cx, queue, message).await,
    }
}

async fn of_subscription(
    cx: &Context<'_>,
    queue: &QueueRecord,
    message: &MessageId,
    ticket: Ticket,
) -> CommandResult {
    let (id, subscriptions) = (&queue.recipient_id, &cx.node.hub.subscriptions);
    let next = match remove(cx, queue, message, AfterAck::Next).await {
        Ok(next) => next,
        Err(error) => {
            subscriptions.failed(id, ticket);
            return Err(error);
        }
    };
    let deliver = subscriptions.loaded(id, &ticket, next.as_ref().map(|next| &next.id));
    Ok(match next.filter(|_| deliver) {
        Some(next) => Outcome::delivery(ticket.recipient_dh, next),
        None => Outcome::ok(),
    })
}

async fn of_get(cx: &Context<'_>, queue: &QueueRecord, message: &MessageId) -> CommandResult {
    let id = &queue.recipient_id;
    let got = cx.caller.take_got(id, message).ok_or(ErrorType::NoMessage)?;
    match remove(cx, queue, message, AfterAck::Nothing).await {
        Ok(_) => Ok(Outcome::ok()),
        Err(error) => {
            cx.caller.note_got(id, Some(got));
            Err(error)
        }
    }
}

/// Removes the message, waits until that is durable, so that it is never delivered again, and returns the next one.
async fn remove(
    cx: &Context<'_>,
    queue: &QueueRecord,
    message: &MessageId,
    after: AfterAck,
) -> Result<Option<Arc<Message>>, ErrorType> {
    let removed = async {
        let acknowledged = cx.node.store.acknowledge(&queue.recipient_id, message, after).await?;
        acknowledged.durable.await?;
        Ok(acknowledged.next)
    };
    removed.await.map_err(|error: StoreError| error.into())
}
