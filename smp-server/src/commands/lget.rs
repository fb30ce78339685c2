//! `LGET`: the data of a contact queue's short link.

use smp_protocol::{command, encoding::LargeString, error::ErrorType, message::BrokerMessage};

use super::{context::Context, outcome::CommandResult};
use crate::store::QueueRecord;

pub(super) async fn run(cx: &Context<'_>, queue: &QueueRecord) -> CommandResult {
    let data = cx.node.store.link_data(&queue.recipient_id).await;
    let data = data?.ok_or(ErrorType::Auth)?;
    let part = |bytes| LargeString::new(bytes).map_err(|_| ErrorType::Internal);
    let data = command::LinkData { fixed: part(data.fixed)?, user: part(data.user)? };
    Ok(BrokerMessage::Link(queue.sender_id.clone(), data).into())
}
