//! `Cluster`: which process has a queue, and the link to it.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex},
};

use smp_protocol::id::{EntityId, NotifierId};
use smp_transport::{
    identity::RelayIdentity,
    surroundings::Surroundings,
    tls::{TlsClient, TlsError},
};

use super::{
    link::{Dial, Link},
    message::{Reply, Request},
};
use crate::{
    broker::Notification,
    store::{ProcessId, QueueId, Store, StoreError},
    sync::lock,
};

/// IDs whose process is remembered. If that is wrong, the process says so.
const REMEMBERED: usize = 65_536;

/// Where a command is to be run.
pub(crate) enum Place {
    /// In this process, which has the queue in memory or not.
    Here { is_at_hand: bool },
    /// In another one.
    At(Link),
}

/// The other processes of this relay.
pub(crate) struct Cluster {
    /// This process.
    pub(crate) own: ProcessId,
    store: Arc<dyn Store>,
    dial: Dial,
    links: Mutex<HashMap<ProcessId, Link>>,
    seen: Mutex<Seen>,
}

/// Processes that were seen to have the queue with an ID, or the next one if it is an ID of none.
#[derive(Default)]
struct Seen {
    processes: HashMap<(u8, EntityId), ProcessId>,
    order: VecDeque<(u8, EntityId)>,
}

fn key(id: QueueId<'_>) -> (u8, EntityId) {
    match id {
        QueueId::Recipient(id) => (0, id.into()),
        QueueId::Sender(id) => (1, id.into()),
        QueueId::Notifier(id) => (2, id.into()),
        QueueId::Link(id) => (3, id.into()),
    }
}

impl Cluster {
    /// For a process of a relay with this identity.
    ///
    /// # Errors
    ///
    /// [`TlsError`] if the TLS library refuses the identity.
    pub(crate) fn new(
        own: ProcessId,
        store: Arc<dyn Store>,
        identity: &RelayIdentity,
        surroundings: Surroundings,
    ) -> Result<Self, TlsError> {
        let tls = TlsClient::new(identity.fingerprint(), Some(identity), surroundings.time.clone())?;
        let dial = Dial { tls, surroundings };
        Ok(Self { own, store, dial, links: Mutex::default(), seen: Mutex::default() })
    }

    /// Where a command about the queue with this ID is to be run, as far as is known.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the store cannot be asked.
    pub(crate) async fn place(&self, id: QueueId<'_>) -> Result<Place, StoreError> {
        if self.store.is_at_hand(id) {
            return Ok(Place::Here { is_at_hand: true });
        }
        let here = Place::Here { is_at_hand: false };
        let seen = lock(&self.seen).processes.get(&key(id)).copied();
        if let Some(link) = seen.and_then(|process| self.link(process)) {
            return Ok(Place::At(link));
        }
        let Some(process) = self.store.locate(id).await? else { return Ok(here) };
        // If it is dead, the queue is free.
        let Some(link) = self.link(process) else { return Ok(here) };
        self.remember(id, process);
        Ok(Place::At(link))
    }

    fn remember(&self, id: QueueId<'_>, process: ProcessId) {
        let mut seen = lock(&self.seen);
        if seen.processes.insert(key(id), process).is_none() {
            seen.order.push_back(key(id));
        }
        while seen.order.len() > REMEMBERED {
            let Some(oldest) = seen.order.pop_front() else { break };
            seen.processes.remove(&oldest);
        }
    }

    /// The process has not got it any more.
    pub(crate) fn forget(&self, id: QueueId<'_>) {
        // Its place in the order goes with time.
        lock(&self.seen).processes.remove(&key(id));
    }

    /// The link to a process that is alive.
    pub(crate) fn link(&self, process: ProcessId) -> Option<Link> {
        let alive = self.store.neighbours();
        let mut links = lock(&self.links);
        links.retain(|process, _| alive.iter().any(|neighbour| neighbour.process == *process));
        let neighbour = alive.into_iter().find(|neighbour| neighbour.process == process)?;
        let link =
            links.entry(process).or_insert_with(|| Link::new(process, neighbour.address, self.dial.clone()));
        Some(link.clone())
    }

    /// Links to all that are alive.
    pub(crate) fn links(&self) -> Vec<Link> {
        self.store.neighbours().iter().filter_map(|neighbour| self.link(neighbour.process)).collect()
    }

    /// Asks all that are alive. Those that do not answer are left out.
    pub(crate) async fn ask_all(&self, request: &Request) -> Vec<Reply> {
        let links = self.links();
        let asked = futures_util::future::join_all(links.iter().map(|link| link.ask(request))).await;
        asked.into_iter().flatten().collect()
    }

    /// Notifications that wait for notifiers at all that are alive.
    pub(crate) async fn claim_notifications(&self, request: Request) -> Vec<(NotifierId, Notification)> {
        let replies = self.ask_all(&request).await.into_iter();
        let notifications = replies.filter_map(|reply| match reply {
            Reply::Notifications(notifications) => Some(notifications),
            _ => None,
        });
        notifications.flatten().collect()
    }

    /// A client of this process has gone.
    pub(crate) fn client_ended(&self, client: u64) {
        let links: Vec<_> = lock(&self.links).values().cloned().collect();
        links.iter().for_each(|link| link.client_ended(client));
    }
}
