//! `Services`: which client is which service. A service gets what comes for any of its queues without subscribing to each.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use smp_protocol::{
    command::{IdsHash, ServiceQueues},
    id::ServiceId,
};

use crate::{client::Client, sync::lock};

/// The client that wanted to subscribe has ended.
#[derive(Debug)]
pub(crate) struct ClientEnded;

/// The clients of services of one role; each service has one at most.
pub(crate) struct Services(Mutex<HashMap<ServiceId, Serving>>);

struct Serving {
    client: Arc<Client>,
    /// Queues that are known to be the service's; of those before the client only after `SUBS`.
    queues: ServiceQueues,
    /// Whether it has subscribed to all of them (`SUBS`, `NSUBS`), and what they have was delivered or will be.
    all: bool,
}

/// A client that does not serve any more, and how many queues it had: it is told by `ENDS`.
pub(crate) type Displaced = Option<(Arc<Client>, ServiceQueues)>;

impl Services {
    pub(crate) fn new() -> Self {
        Self(Mutex::default())
    }

    /// The client subscribes to all queues of the service.
    pub(crate) fn subscribe_all(
        &self,
        id: &ServiceId,
        client: &Arc<Client>,
        queues: ServiceQueues,
    ) -> Result<Displaced, ClientEnded> {
        let mut all = lock(&self.0);
        // A client ends before it is taken out here, so that none gets in behind that.
        if client.has_ended() {
            return Err(ClientEnded);
        }
        let previous = all.insert(id.clone(), Serving { client: client.clone(), queues, all: true });
        let displaced = previous.filter(|previous| !previous.client.is(client));
        Ok(displaced.map(|displaced| (displaced.client, displaced.queues)))
    }

    /// The client subscribes to one queue of the service; `is_new` if the queue was not the service's before.
    pub(crate) fn add(
        &self,
        id: &ServiceId,
        client: &Arc<Client>,
        queue: IdsHash,
        is_new: bool,
    ) -> Result<Displaced, ClientEnded> {
        let mut all = lock(&self.0);
        let has_ended = client.has_ended();
        let serving = all.get_mut(id);
        // The queue is the service's, whichever client serves.
        if let Some(serving) = serving.filter(|s| has_ended || s.client.is(client)) {
            if is_new {
                serving.queues.count += 1;
                serving.queues.ids_hash = serving.queues.ids_hash.combine(queue);
            }
            return if has_ended { Err(ClientEnded) } else { Ok(None) };
        }
        if has_ended {
            return Err(ClientEnded);
        }
        let queues = ServiceQueues { count: 1, ids_hash: queue };
        let previous = all.insert(id.clone(), Serving { client: client.clone(), queues, all: false });
        Ok(previous.map(|previous| (previous.client, previous.queues)))
    }

    /// A queue is no longer the service's. Returns the client that has to be told.
    pub(crate) fn leave(&self, id: &ServiceId, queue: IdsHash) -> Option<Arc<Client>> {
        let mut all = lock(&self.0);
        let serving = all.get_mut(id)?;
        serving.queues.count = (serving.queues.count - 1).max(0);
        serving.queues.ids_hash = serving.queues.ids_hash.combine(queue);
        Some(serving.client.clone())
    }

    /// A client of another process is this service from now on.
    pub(crate) fn displace(&self, id: &ServiceId) -> Displaced {
        lock(&self.0).remove(id).map(|serving| (serving.client, serving.queues))
    }

    /// The services that have a client.
    pub(crate) fn ids(&self) -> Vec<ServiceId> {
        lock(&self.0).keys().cloned().collect()
    }

    /// The client of a service.
    pub(crate) fn client(&self, id: &ServiceId) -> Option<Arc<Client>> {
        lock(&self.0).get(id).map(|serving| serving.client.clone())
    }

    /// Whether this is the client of the service.
    pub(crate) fn serves(&self, id: &ServiceId, client: &Client) -> bool {
        lock(&self.0).get(id).is_some_and(|serving| serving.client.is(client))
    }

    /// Not all queues could be looked at: the next `SUBS` or `NSUBS` of this client does it again.
    pub(crate) fn incomplete(&self, id: &ServiceId, client: &Client) {
        let mut all = lock(&self.0);
        if let Some(serving) = all.get_mut(id).filter(|s| s.client.is(client)) {
            serving.all = false;
        }
    }

    /// The queues, if this client has subscribed to all of them before.
    pub(crate) fn subscribed(&self, id: &ServiceId, client: &Client) -> Option<ServiceQueues> {
        let all = lock(&self.0);
        let serving = all.get(id).filter(|s| s.all && s.client.is(client))?;
        Some(serving.queues)
    }

    /// The client has ended.
    pub(crate) fn end(&self, id: &ServiceId, client: &Client) {
        let mut all = lock(&self.0);
        if all.get(id).is_some_and(|serving| serving.client.is(client)) {
            all.remove(id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client() -> Arc<Client> {
        Client::new(None, 8)
    }

    fn hash(byte: u8) -> IdsHash {
        IdsHash([byte; 16])
    }

    #[test]
    fn queues_are_counted() {
        let (all, id, one) = (Services::new(), ServiceId::from([1; 24]), client());
        let queues = ServiceQueues { count: 2, ids_hash: hash(3) };
        assert!(all.subscribe_all(&id, &one, queues).unwrap().is_none());
        assert!(all.add(&id, &one, hash(1), false).unwrap().is_none());
        assert!(all.add(&id, &one, hash(4), true).unwrap().is_none());
        assert_eq!(all.subscribed(&id, &one), Some(ServiceQueues { count: 3, ids_hash: hash(7) }));
        assert!(all.leave(&id, hash(1)).unwrap().is(&one));
        assert_eq!(all.subscribed(&id, &one), Some(ServiceQueues { count: 2, ids_hash: hash(6) }));
    }

    #[test]
    fn the_last_client_displaces_the_one_before() {
        let (all, id) = (Services::new(), ServiceId::from([1; 24]));
        let (one, two) = (client(), client());
        assert!(all.add(&id, &one, hash(1), false).unwrap().is_none());
        assert!(all.subscribed(&id, &one).is_none());
        let displaced = all.subscribe_all(&id, &two, ServiceQueues { count: 5, ids_hash: hash(9) });
        let (displaced, queues) = displaced.unwrap().unwrap();
        assert!(displaced.is(&one));
        assert_eq!(queues.count, 1);
        all.end(&id, &one);
        assert!(all.client(&id).unwrap().is(&two));
        all.end(&id, &two);
        assert!(all.client(&id).is_none());
    }

    /// A command that is done only after its client has ended.
    #[test]
    fn a_client_that_has_ended_displaces_nobody() {
        let (all, id) = (Services::new(), ServiceId::from([1; 24]));
        let (late, two) = (client(), client());
        assert!(all.subscribe_all(&id, &two, ServiceQueues { count: 2, ids_hash: hash(3) }).is_ok());
        late.end();
        assert!(all.add(&id, &late, hash(4), true).is_err());
        assert!(all.subscribe_all(&id, &late, ServiceQueues { count: 9, ids_hash: hash(9) }).is_err());
        let queues = ServiceQueues { count: 3, ids_hash: hash(7) };
        assert_eq!(all.subscribed(&id, &two), Some(queues), "the queue is the service's all the same");
        all.end(&id, &two);
        assert!(all.add(&id, &late, hash(4), true).is_err());
        assert!(all.client(&id).is_none());
    }
}
