//! Which sessions of services there are. A service gets what comes for any of its queues without subscribing to each.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use smp_protocol::{
    command::{IdsHash, ServiceQueues},
    id::ServiceId,
};

use super::{Numbered, SessionEnded};
use crate::sync::lock;

/// A session, as far as services go.
pub(crate) trait ServiceSession: Numbered {
    /// Whether it has ended: then it serves nobody.
    fn has_ended(&self) -> bool;
}

/// The sessions of services of one role; each service has one at most.
pub(crate) struct Services<S>(Mutex<HashMap<ServiceId, Serving<S>>>);

struct Serving<S> {
    session: Arc<S>,
    /// Queues that are known to be the service's; of those before the session only after `SUBS`.
    queues: ServiceQueues,
    /// Whether it has subscribed to all of them (`SUBS`, `NSUBS`), and what they have was delivered or will be.
    all: bool,
}

/// A session that does not serve any more, and how many queues it had: it is told by `ENDS`.
pub(crate) type Displaced<S> = Option<(Arc<S>, ServiceQueues)>;

impl<S: ServiceSession> Services<S> {
    pub(crate) fn new() -> Self {
        Self(Mutex::default())
    }

    /// The session subscribes to all queues of the service.
    pub(crate) fn subscribe_all(
        &self,
        id: &ServiceId,
        session: &Arc<S>,
        queues: ServiceQueues,
    ) -> Result<Displaced<S>, SessionEnded> {
        let mut all = lock(&self.0);
        // A session ends before it is taken out here, so that none gets in behind that.
        if session.has_ended() {
            return Err(SessionEnded);
        }
        let previous = all.insert(id.clone(), Serving { session: session.clone(), queues, all: true });
        let displaced = previous.filter(|previous| previous.session.number() != session.number());
        Ok(displaced.map(|displaced| (displaced.session, displaced.queues)))
    }

    /// The session subscribes to one queue of the service; `is_new` if the queue was not the service's before.
    pub(crate) fn add(
        &self,
        id: &ServiceId,
        session: &Arc<S>,
        queue: IdsHash,
        is_new: bool,
    ) -> Result<Displaced<S>, SessionEnded> {
        let mut all = lock(&self.0);
        let has_ended = session.has_ended();
        let serving = all.get_mut(id);
        // The queue is the service's, whichever session serves.
        if let Some(serving) = serving.filter(|s| has_ended || s.session.number() == session.number()) {
            if is_new {
                serving.queues.count += 1;
                serving.queues.ids_hash = serving.queues.ids_hash.combine(queue);
            }
            return if has_ended { Err(SessionEnded) } else { Ok(None) };
        }
        if has_ended {
            return Err(SessionEnded);
        }
        let queues = ServiceQueues { count: 1, ids_hash: queue };
        let previous = all.insert(id.clone(), Serving { session: session.clone(), queues, all: false });
        Ok(previous.map(|previous| (previous.session, previous.queues)))
    }

    /// A queue is no longer the service's. Returns the session that has to be told.
    pub(crate) fn leave(&self, id: &ServiceId, queue: IdsHash) -> Option<Arc<S>> {
        let mut all = lock(&self.0);
        let serving = all.get_mut(id)?;
        serving.queues.count = (serving.queues.count - 1).max(0);
        serving.queues.ids_hash = serving.queues.ids_hash.combine(queue);
        Some(serving.session.clone())
    }

    /// The services that have a session.
    pub(crate) fn ids(&self) -> Vec<ServiceId> {
        lock(&self.0).keys().cloned().collect()
    }

    /// The session of a service.
    pub(crate) fn session(&self, id: &ServiceId) -> Option<Arc<S>> {
        lock(&self.0).get(id).map(|serving| serving.session.clone())
    }

    /// Whether this is the session of the service.
    pub(crate) fn serves(&self, id: &ServiceId, session: &S) -> bool {
        lock(&self.0).get(id).is_some_and(|serving| serving.session.number() == session.number())
    }

    /// Not all queues could be looked at: the next `SUBS` or `NSUBS` of this session does it again.
    pub(crate) fn incomplete(&self, id: &ServiceId, session: &S) {
        let mut all = lock(&self.0);
        if let Some(serving) = all.get_mut(id).filter(|s| s.session.number() == session.number()) {
            serving.all = false;
        }
    }

    /// The queues, if this session has subscribed to all of them before.
    pub(crate) fn subscribed(&self, id: &ServiceId, session: &S) -> Option<ServiceQueues> {
        let all = lock(&self.0);
        let serving = all.get(id).filter(|s| s.all && s.session.number() == session.number())?;
        Some(serving.queues)
    }

    /// The session has ended.
    pub(crate) fn end(&self, id: &ServiceId, session: &S) {
        let mut all = lock(&self.0);
        if all.get(id).is_some_and(|serving| serving.session.number() == session.number()) {
            all.remove(id);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    struct Session(u64, AtomicBool);

    impl Numbered for Session {
        fn number(&self) -> u64 {
            self.0
        }
    }

    impl ServiceSession for Session {
        fn has_ended(&self) -> bool {
            self.1.load(Ordering::Relaxed)
        }
    }

    fn session(number: u64) -> Arc<Session> {
        Arc::new(Session(number, AtomicBool::new(false)))
    }

    fn hash(byte: u8) -> IdsHash {
        IdsHash([byte; 16])
    }

    #[test]
    fn queues_are_counted() {
        let (all, id, one) = (Services::new(), ServiceId::from([1; 24]), session(1));
        let queues = ServiceQueues { count: 2, ids_hash: hash(3) };
        assert!(all.subscribe_all(&id, &one, queues).unwrap().is_none());
        assert!(all.add(&id, &one, hash(1), false).unwrap().is_none());
        assert!(all.add(&id, &one, hash(4), true).unwrap().is_none());
        assert_eq!(all.subscribed(&id, &one), Some(ServiceQueues { count: 3, ids_hash: hash(7) }));
        assert_eq!(all.leave(&id, hash(1)).map(|s| s.0), Some(1));
        assert_eq!(all.subscribed(&id, &one), Some(ServiceQueues { count: 2, ids_hash: hash(6) }));
    }

    #[test]
    fn the_last_session_displaces_the_one_before() {
        let (all, id) = (Services::new(), ServiceId::from([1; 24]));
        let (one, two) = (session(1), session(2));
        assert!(all.add(&id, &one, hash(1), false).unwrap().is_none());
        assert!(all.subscribed(&id, &one).is_none());
        let displaced = all.subscribe_all(&id, &two, ServiceQueues { count: 5, ids_hash: hash(9) });
        assert_eq!(displaced.unwrap().map(|(s, q)| (s.0, q.count)), Some((1, 1)));
        all.end(&id, &one);
        assert_eq!(all.session(&id).map(|s| s.0), Some(2));
        all.end(&id, &two);
        assert!(all.session(&id).is_none());
    }

    /// A command that is done only after its session has ended.
    #[test]
    fn a_session_that_has_ended_displaces_nobody() {
        let (all, id) = (Services::new(), ServiceId::from([1; 24]));
        let (late, two) = (session(1), session(2));
        assert!(all.subscribe_all(&id, &two, ServiceQueues { count: 2, ids_hash: hash(3) }).is_ok());
        late.1.store(true, Ordering::Relaxed);
        assert!(all.add(&id, &late, hash(4), true).is_err());
        assert!(all.subscribe_all(&id, &late, ServiceQueues { count: 9, ids_hash: hash(9) }).is_err());
        let queues = ServiceQueues { count: 3, ids_hash: hash(7) };
        assert_eq!(all.subscribed(&id, &two), Some(queues), "the queue is the service's all the same");
        all.end(&id, &two);
        assert!(all.add(&id, &late, hash(4), true).is_err());
        assert!(all.session(&id).is_none());
    }
}
