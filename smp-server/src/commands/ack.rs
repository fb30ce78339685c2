//! `ACK`: the recipient has a message for good. The answer is the next one, or `OK`.
//!
//! Without a subscription (or `GET`), or with the ID of another message than the one that was delivered last, it is
//! refused with `NO_MSG`, so that a repeated `ACK` cannot delete a message that was not received. An empty ID names the one that
//! was delivered last, but removes nothing: the same message is delivered once more, as the reference implementation does.

use std::sync::Arc;

use smp_protocol::{error::ErrorType, id::MessageId};

use super::{Context, Outcome};
use crate::{
    broker::Ticket,
    session::Answer,
    store::{AfterAck, Message, QueueRecord, StoreError},
};

pub(super) async fn run(cx: &Context, queue: &QueueRecord, message: &MessageId) -> Outcome {
    match cx.broker.subscriptions.acknowledge(&queue.recipient_id, &cx.session, message) {
        Some(ticket) => of_subscription(cx, queue, message, ticket).await,
        None => of_get(cx, queue, message).await,
    }
}

async fn of_subscription(cx: &Context, queue: &QueueRecord, message: &MessageId, ticket: Ticket) -> Outcome {
    let (id, subscriptions) = (&queue.recipient_id, &cx.broker.subscriptions);
    let next = match remove(cx, queue, message, AfterAck::Next).await {
        Ok(next) => next,
        Err(error) => {
            subscriptions.failed(id, ticket);
            return Err(error);
        }
    };
    let deliver = subscriptions.loaded(id, &ticket, next.as_ref().map(|next| &next.id));
    Ok(match next.filter(|_| deliver) {
        Some(next) => Answer::delivery(ticket.recipient_dh, next),
        None => Answer::ok(),
    })
}

async fn of_get(cx: &Context, queue: &QueueRecord, message: &MessageId) -> Outcome {
    let id = &queue.recipient_id;
    let got = cx.session.take_got(id, message).ok_or(ErrorType::NoMessage)?;
    match remove(cx, queue, message, AfterAck::Nothing).await {
        Ok(_) => Ok(Answer::ok()),
        Err(error) => {
            cx.session.note_got(id, Some(got));
            Err(error)
        }
    }
}

/// Removes the message, waits until that is durable, so that it is never delivered again, and returns the next one.
async fn remove(
    cx: &Context,
    queue: &QueueRecord,
    message: &MessageId,
    after: AfterAck,
) -> Result<Option<Arc<Message>>, ErrorType> {
    let removed = async {
        let acknowledged = cx.broker.store.acknowledge(&queue.recipient_id, message, after).await?;
        acknowledged.durable.await?;
        Ok(acknowledged.next)
    };
    removed.await.map_err(|error: StoreError| error.into())
}
