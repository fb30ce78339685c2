//! Deleting queues that nobody uses any more.

use std::{sync::Arc, time::Duration};

use smp_protocol::id::RecipientId;
use tokio::time::sleep;

use super::Broker;
use crate::store::{Day, QueueChange, QueueId, QueueRecord, ServiceRole, StorageFault, StoreError};

/// Queues that are deleted or looked at without a pause.
const STEP: usize = 100;

/// Pause after each step.
const PAUSE: Duration = Duration::from_millis(50);

/// Seconds of a day.
const DAY: u64 = 86_400;

/// Deletes queues that were not used in the time before `now` (seconds since 1970) that the settings name.
pub(super) struct IdleQueues {
    /// The day on which subscriptions were noted as use.
    noted: Option<Day>,
}

impl IdleQueues {
    pub(super) fn new() -> Self {
        Self { noted: None }
    }

    pub(super) async fn sweep(&mut self, broker: &Broker, age: Duration, now: u64) -> Result<(), StoreError> {
        let today = Day::of(now);
        // Some subscribe once and then wait for longer than that.
        if self.noted != Some(today) {
            let unreadable = note_subscribed(broker, today).await?;
            if unreadable > 0 {
                tracing::warn!(
                    "{unreadable} queues that somebody is subscribed to cannot be read: the database is damaged"
                );
            }
            note_services(broker, today).await?;
            self.noted = Some(today);
        }
        let before = Day::of(now.saturating_sub(age.as_secs() / DAY * DAY));
        loop {
            let deleted = broker.store.delete_idle_queues(before, STEP).await?;
            broker.metrics.queues_idle.inc_by(deleted.len() as u64);
            for queue in &deleted {
                broker.queue_deleted(queue, None);
            }
            if deleted.len() < STEP {
                return Ok(());
            }
            sleep(PAUSE).await;
        }
    }
}

/// Returns how many queues are damaged: they do not keep the others from being noted.
async fn note_subscribed(broker: &Broker, today: Day) -> Result<usize, StoreError> {
    let mut unreadable = 0;
    for queues in broker.subscriptions.pages() {
        for step in queues.chunks(STEP) {
            for id in step {
                match broker.store.find_queue(QueueId::Recipient(id)).await {
                    Ok(Some(queue)) => note(broker, &queue, today).await,
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

async fn note_services(broker: &Broker, today: Day) -> Result<(), StoreError> {
    for service in broker.services(ServiceRole::Messaging).ids() {
        let mut after: Option<RecipientId> = None;
        loop {
            let role = ServiceRole::Messaging;
            let page = broker.store.service_queue_page(&service, role, after.as_ref(), STEP).await?;
            for queue in &page {
                note(broker, queue, today).await;
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

async fn note(broker: &Broker, queue: &Arc<QueueRecord>, today: Day) {
    if queue.updated != Some(today) {
        // It may have been deleted meanwhile; otherwise it only seems to be idle for longer.
        let _ = broker.store.update_queue(&queue.recipient_id, QueueChange::Used(today)).await;
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
    use smp_transport::client::{ClientConfig, RelayClient};

    use super::*;
    use crate::{
        Relay,
        broker::now,
        config::Config,
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
        let options = init::Options {
            dir: dir.path().to_path_buf(),
            hosts: vec!["127.0.0.1".parse().unwrap()],
            port: 0,
            password: None,
        };
        init::create(&options, time::OffsetDateTime::now_utc(), &mut rand::rng()).unwrap();
        let relay = Relay::start(Config::for_tests(dir.path())).await.unwrap();
        let broker = relay.service.broker.clone();
        let (client, events) = RelayClient::connect(relay.address(), ClientConfig::default()).await.unwrap();
        let queue = subscribed_queue(&client).await;
        let now = now();
        let month = Duration::from_secs(30 * DAY);
        let used = |days_ago| {
            let day = QueueChange::Used(Day::of(now - days_ago * DAY));
            broker.store.update_queue(&queue, day)
        };
        let exists = async || broker.store.find_queue(QueueId::Recipient(&queue)).await.unwrap().is_some();
        used(90).await.unwrap();
        IdleQueues::new().sweep(&broker, month, now).await.unwrap();
        assert!(exists().await, "it is subscribed");

        drop((client, events));
        while broker.subscriptions.count() > 0 {
            tokio::task::yield_now().await;
        }
        used(30).await.unwrap();
        IdleQueues::new().sweep(&broker, month, now).await.unwrap();
        assert!(exists().await, "the month is not over");
        used(31).await.unwrap();
        IdleQueues::new().sweep(&broker, month, now).await.unwrap();
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
            testing::broker_on(Arc::new(store))
        };
        let now = now();
        let broker = open().await;
        let mut queues = Vec::new();
        for days_ago in [90, 80, 0] {
            let queue = testing::queue(&broker).await;
            let used = QueueChange::Used(Day::of(now - days_ago * DAY));
            broker.store.update_queue(&queue.recipient_id, used).await.unwrap();
            queues.push(queue);
        }
        broker.store.close().await.unwrap();
        testing::sql(
            &path,
            "UPDATE queues SET recipient_keys = x'00' WHERE updated_day <> (SELECT updated_day FROM queues \
             ORDER BY updated_day LIMIT 1 OFFSET 1)",
        )
        .await;
        let broker = open().await;
        let session = testing::session(&broker);
        broker.subscribe(&queues[2], None, None, &session).unwrap();
        IdleQueues::new().sweep(&broker, Duration::from_secs(30 * DAY), now).await.unwrap();
        assert_eq!(broker.store.counts().queues, 2);
        let healthy = broker.store.find_queue(QueueId::Recipient(&queues[1].recipient_id)).await;
        assert!(healthy.unwrap().is_none());
        broker.store.close().await.unwrap();
    }
}
