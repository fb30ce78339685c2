//! The commands of clients, each in a file of its own: what it does, and when it is refused.
//!
//! [`run`] first finds the queue that the command is about and verifies its authorization ([`authorize`]), then hands it to its
//! file (protocol-spec chapter 4).

mod abroad;
mod ack;
mod authorize;
mod context;
mod del;
mod get;
mod key;
mod ldel;
mod lget;
mod lkey;
mod lset;
mod ndel;
mod new;
mod nkey;
mod nsub;
mod off;
mod outcome;
mod pfwd;
mod ping;
mod prxy;
mod que;
mod rkey;
mod send;
mod skey;
mod sub;
mod subs;
#[cfg(test)]
mod timing;
mod turn;

use std::sync::Arc;

use smp_protocol::{command::Command, error::CommandError};

use self::outcome::CommandResult;
pub(crate) use self::{
    abroad::{may_subscribe, may_subscribe_notifications, subscribe_notifications},
    authorize::{OwnedProof, OwnedQueueId},
    context::{Caller, Context, Service},
    outcome::{Effect, Outcome},
};
use crate::store::QueueRecord;

/// Verifies and runs a command.
pub(crate) async fn run(cx: &Context<'_>, command: Command<'_>, proof: &OwnedProof) -> Outcome {
    verify_and_run(cx, command, proof).await.into()
}

async fn verify_and_run(cx: &Context<'_>, command: Command<'_>, proof: &OwnedProof) -> CommandResult {
    let queue = authorize::authorize(cx, &command, proof).await?;
    // Anybody can do these without having anything here.
    let shows_nothing =
        matches!(command, Command::Ping | Command::SubscribeAll(_) | Command::SubscribeAllNotifications(_));
    let answer = match (command, queue) {
        (Command::Ping, _) => Ok(ping::run()),
        (Command::New(request), _) => new::run(cx, *request).await,
        (Command::SubscribeAll(_) | Command::SubscribeAllNotifications(_), _) => subs::run(cx).await,
        (Command::ProxySession { relay, password }, _) => prxy::run(cx, &relay, password).await,
        (Command::ProxyForward { version, key, transmission }, _) => {
            pfwd::run(cx, version, key, &transmission).await
        }
        (command, Some(queue)) => run_on_queue(cx, command, queue).await,
        (_, None) => Err(CommandError::Prohibited.into()),
    }?;
    if !shows_nothing {
        cx.caller.guest.note_known();
    }
    Ok(answer)
}

async fn run_on_queue(cx: &Context<'_>, command: Command<'_>, queue: Arc<QueueRecord>) -> CommandResult {
    match command {
        // These three work on blocked queues, and do not count as use.
        Command::Suspend => return off::run(cx, &queue).await,
        Command::Delete => return del::run(cx, &queue).await,
        Command::SubscribeNotifications => return nsub::run(cx, &queue).await,
        // It sees for itself whether the queue is blocked.
        Command::Send(..) => {}
        _ => queue.status.refuse_blocked()?,
    }
    cx.note_use(&queue).await;
    match command {
        Command::Subscribe => sub::run(cx, &queue).await,
        Command::Secure(key) => key::run(cx, &queue, key).await,
        Command::SetRecipientKeys(keys) => rkey::run(cx, &queue, &keys).await,
        Command::SetLink(id, data) => lset::run(cx, &queue, id, data).await,
        Command::DeleteLink => ldel::run(cx, &queue).await,
        Command::SetNotifier(key, dh_key) => nkey::run(cx, &queue, key, dh_key).await,
        Command::DeleteNotifier => ndel::run(cx, &queue).await,
        Command::Get => get::run(cx, &queue).await,
        Command::Acknowledge(id) => ack::run(cx, &queue, &id).await,
        Command::QueueInfo => que::run(cx, &queue).await,
        Command::SenderSecure(key) => skey::run(cx, &queue, key).await,
        Command::Send(flags, body) => send::run(cx, &queue, flags, body.into_owned()).await,
        Command::SecureAndGetLink(key) => lkey::run(cx, &queue, key).await,
        Command::GetLink => lget::run(cx, &queue).await,
        _ => Err(CommandError::Prohibited.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        store::{QueueId, ServiceRole},
        testing,
    };

    /// Anybody can make certificates.
    #[tokio::test]
    async fn a_service_is_kept_when_it_gets_a_queue() {
        let node = testing::node();
        let service = testing::service(ServiceRole::Messaging);
        let (caller, queue) = (testing::service_caller(&service), testing::queue(&node).await);
        let cx = testing::context(&node, &caller, &queue.recipient_id);
        assert!(subs::run(&cx).await.is_ok());
        assert_eq!(node.store.counts().messaging_services, 0);
        assert!(sub::run(&cx, &queue).await.is_ok());
        assert_eq!(node.store.counts().messaging_services, 1);
    }

    /// Both commands were authorized before either was done, so that each knows the queue as it was before the other.
    #[tokio::test]
    async fn a_queue_leaves_its_service_once() {
        let node = testing::node();
        let service = testing::service(ServiceRole::Messaging);
        let serving = testing::service_caller(&service);
        let queues = [testing::queue_of(&node, &service).await, testing::queue_of(&node, &service).await];
        let count = || {
            node.hub.services(ServiceRole::Messaging).subscribed(&service.id, &serving.client).unwrap().count
        };
        subs::run(&testing::context(&node, &serving, &service.id)).await.unwrap();
        assert_eq!(count(), 2);
        for _ in 0..2 {
            let client = testing::caller();
            let cx = testing::context(&node, &client, &queues[0].recipient_id);
            sub::run(&cx, &queues[0]).await.unwrap();
        }
        assert_eq!(count(), 1);
    }

    #[tokio::test]
    async fn the_last_who_subscribes_has_the_queue() {
        let node = testing::node();
        let service = testing::service(ServiceRole::Messaging);
        let (serving, client) = (testing::service_caller(&service), testing::caller());
        let queue = testing::queue(&node).await;
        for caller in [&serving, &client] {
            sub::run(&testing::context(&node, caller, &queue.recipient_id), &queue).await.unwrap();
        }
        let now = node.store.find_queue(QueueId::Recipient(&queue.recipient_id)).await;
        assert_eq!(now.unwrap().unwrap().recipient_service, None);
        let stored = node.store.service_queues(&service.id, ServiceRole::Messaging).await.unwrap();
        assert_eq!(stored.count, 0);
    }

    #[tokio::test]
    async fn the_last_who_subscribes_has_the_notifier() {
        let node = testing::node();
        let service = testing::service(ServiceRole::Notifier);
        let (serving, client) = (testing::service_caller(&service), testing::caller());
        let queue = testing::queue(&node).await;
        let notifier = &queue.notifier.as_ref().unwrap().id;
        for caller in [&serving, &client, &client] {
            nsub::run(&testing::context(&node, caller, notifier), &queue).await.unwrap();
        }
        let stored = node.store.service_queues(&service.id, ServiceRole::Notifier).await.unwrap();
        assert_eq!(stored.count, 0);
    }
}
