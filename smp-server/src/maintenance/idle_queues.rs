//! `IdleQueues`: deletes queues that were not used for `queues.delete_idle`.

use std::{sync::Arc, time::Duration};

use smp_protocol::id::RecipientId;
use tokio::time::sleep;

use crate::{
    node::Node,
    store::{Day, QueueChange, QueueId, QueueRecord, ServiceRole, StorageFault, StoreError},
};

/// Queues that are deleted or looked at without a pause.
const STEP: usize = 100;

/// Pause after each step.
const PAUSE: Duration = Duration::from_millis(50);

/// Seconds of a day.
const DAY: u64 = 86_400;

/// Deletes queues that were not used for as long as the settings name.
pub(super) struct IdleQueues {
    /// The day on which subscriptions were noted as use.
    noted: Option<Day>,
}

impl IdleQueues {
    pub(super) fn new() -> Self {
        Self { noted: None }
    }

    pub(super) async fn sweep(&mut self, node: &Node, age: Duration) -> Result<(), StoreError> {
        let today = Day::of(node.clock.now());
        // Some subscribe once and then wait for longer than that.
        if self.noted != Some(today) {
            let unreadable = note_subscribed(node, today).await?;
            if unreadable > 0 {
                tracing::warn!(
                    "{unreadable} queues that somebody is subscribed to cannot be read: the database is damaged"
                );
            }
            note_services(node, today).await?;
            self.noted = Some(today);
        }
        let age = Duration::from_secs(age.as_secs() / DAY * DAY);
        let before = Day::of(node.clock.older_than(age));
        loop {
            let deleted = node.store.delete_idle_queues(before, STEP).await?;
            node.metrics.queues_idle.inc_by(deleted.len() as u64);
            for queue in &deleted {
                node.hub.queue_deleted(queue, None);
            }
            if deleted.len() < STEP {
                return Ok(());
            }
            sleep(PAUSE).await;
        }
    }
}

/// Returns how many queues are damaged: they do not keep the others from being noted.
async fn note_subscribed(node: &Node, today: Day) -> Result<usize, StoreError> {
    let mut unreadable = 0;
    for queues in node.hub.subscriptions.pages() {
        for step in queues.chunks(STEP) {
            for id in step {
                match node.store.find_queue(QueueId::Recipient(id)).await {
                    Ok(Some(queue)) => note(node, &queue, today).await,
                    Ok(None) => {}
                    Err(StoreError::Unavailable(StorageFault::Damaged(_))) => unreadable += 1,
                    Err(error) => return Err(error),
                }
            }
            sleep(PAUSE).await;
        }
    }
    Ok(unreadable)
}

async fn note_services(node: &Node, today: Day) -> Result<(), StoreError> {
    for service in node.hub.services(ServiceRole::Messaging).ids() {
        let mut after: Option<RecipientId> = None;
        loop {
            let role = ServiceRole::Messaging;
            let page = node.store.service_queue_page(&service, role, after.as_ref(), STEP).await?;
            for queue in &page {
                note(node, queue, today).await;
            }
            if page.len() < STEP {
                break;
            }
            after = page.last().map(|queue| queue.recipient_id.clone());
            sleep(PAUSE).await;
        }
    }
    Ok(())
}

async fn note(node: &Node, queue: &Arc<QueueRecord>, today: Day) {
    if queue.updated < Some(today) {
        // It may have been deleted meanwhile; otherwise it only seems to be idle for longer.
        let _ = node.store.update_queue(&queue.recipient_id, QueueChange::Used(today)).await;
    }
}

#[cfg(test)]
mod tests {
    use smp_crypto::{Ed25519PrivateKey, PrivateAuthKey, X25519PrivateKey};
    use smp_protocol::{
        command::{Command, NewQueue, SubscriptionMode},
        id::EntityId,
        message::BrokerMessage,
    };
    use smp_transport::{
        client::{ClientConfig, RelayClient},
        surroundings::{Surroundings, Time},
    };

    use super::*;
    use crate::{
        Relay,
        clock::tests::Hands,
        init,
        store::{SqliteConfig, SqliteStore},
        testing,
    };

    async fn subscribed_queue(client: &RelayClient) -> RecipientId {
        let key: PrivateAuthKey = Ed25519PrivateKey::generate(&mut rand::rng()).into();
        let new = Command::New(Box::new(NewQueue {
            auth_key: key.public_key().into(),
            dh_key: X25519PrivateKey::generate(&mut rand::rng()).public_key().into(),
            password: None,
            subscription: SubscriptionMode::Subscribe,
            request: None,
            notifier: None,
        }));
        match client.send(Some(&key), EntityId::empty(), new).await.unwrap() {
            BrokerMessage::QueueIds(ids) => ids.recipient_id,
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn queues_are_deleted_when_nobody_has_used_them_and_nobody_is_subscribed() {
        let dir = tempfile::tempdir().unwrap();
        let start = Time::machine().unix_seconds();
        let hands = Hands::at(start);
        let surroundings = Surroundings { time: Time::new(hands.clone()), ..Surroundings::machine() };
        let config = init::local::embedded(dir.path(), &surroundings).unwrap();
        let relay = Relay::start_with(config, surroundings).await.unwrap();
        let node = relay.node.clone();
        let (client, events) = RelayClient::connect(relay.address(), ClientConfig::default()).await.unwrap();
        let queue = subscribed_queue(&client).await;
        let month = Duration::from_secs(30 * DAY);
        let exists = async || node.store.find_queue(QueueId::Recipient(&queue)).await.unwrap().is_some();
        hands.pass(90 * DAY);
        IdleQueues::new().sweep(&node, month).await.unwrap();
        assert!(exists().await, "it is subscribed");

        drop((client, events));
        while node.hub.subscriptions.count() > 0 {
            tokio::task::yield_now().await;
        }
        hands.pass(30 * DAY);
        IdleQueues::new().sweep(&node, month).await.unwrap();
        assert!(exists().await, "the month is not over");
        // A clock that was set makes nothing old.
        hands.set(start + 400 * DAY);
        IdleQueues::new().sweep(&node, month).await.unwrap();
        assert!(exists().await, "the clock has jumped");
        hands.set(start + 120 * DAY);
        hands.pass(DAY);
        IdleQueues::new().sweep(&node, month).await.unwrap();
        assert!(!exists().await);
        relay.shutdown().await.unwrap();
    }

    /// The first one in the store and the one that is subscribed: neither stops what is done with the others.
    #[tokio::test]
    async fn damaged_queues_do_not_keep_others_from_being_deleted() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("store");
        let open = async || {
            let store = SqliteStore::open(SqliteConfig::new(path.clone())).await.unwrap();
            testing::node_on(Arc::new(store))
        };
        let node = open().await;
        let now = node.clock.now();
        let mut queues = Vec::new();
        for days_ago in [90, 80, 0] {
            let queue = testing::queue(&node).await;
            let used = QueueChange::Used(Day::of(now - days_ago * DAY));
            node.store.update_queue(&queue.recipient_id, used).await.unwrap();
            queues.push(queue);
        }
        node.store.close().await.unwrap();
        testing::sql(
            &path,
            "UPDATE queues SET recipient_keys = x'00' WHERE updated_day <> (SELECT updated_day FROM queues \
             ORDER BY updated_day LIMIT 1 OFFSET 1)",
        )
        .await;
        let node = open().await;
        let client = testing::client();
        node.hub.subscribe(&queues[2], None, None, &client).unwrap();
        IdleQueues::new().sweep(&node, Duration::from_secs(30 * DAY)).await.unwrap();
        assert_eq!(node.store.counts().queues, 2);
        let healthy = node.store.find_queue(QueueId::Recipient(&queues[1].recipient_id)).await;
        assert!(healthy.unwrap().is_none());
        node.store.close().await.unwrap();
    }
}
