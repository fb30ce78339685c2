//! `Index`: queues and services, under all of their IDs.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound;
use std::sync::{Arc, Mutex};

use smp_protocol::id::{LinkId, NotifierId, RecipientId, SenderId, ServiceId};

use super::super::rules::association_changes;
use super::super::{NewService, QueueId, QueueRecord, ServiceQueues, ServiceRole, StoreCounts, StoreError};
use super::queue::Queue;
use crate::sync::lock;

#[derive(Debug, Default)]
pub(super) struct Index {
    /// Ordered, for pages.
    pub(super) queues: BTreeMap<RecipientId, Arc<Mutex<Queue>>>,
    senders: HashMap<SenderId, RecipientId>,
    notifiers: HashMap<NotifierId, RecipientId>,
    links: HashMap<LinkId, RecipientId>,
    services: HashMap<ServiceId, Service>,
    fingerprints: HashMap<Vec<u8>, ServiceId>,
}

#[derive(Debug)]
struct Service {
    role: ServiceRole,
    /// As it was created.
    new: NewService,
    summary: ServiceQueues,
    queues: BTreeSet<RecipientId>,
}

impl Index {
    /// The queue with this ID, or any other one: that is the same work.
    pub(super) fn nearest(&self, id: QueueId<'_>) -> Option<Arc<Mutex<Queue>>> {
        let (recipient, bytes) = match id {
            QueueId::Recipient(id) => (Some(id), id.as_bytes()),
            QueueId::Sender(id) => (self.senders.get(id), id.as_bytes()),
            QueueId::Notifier(id) => (self.notifiers.get(id), id.as_bytes()),
            QueueId::Link(id) => (self.links.get(id), id.as_bytes()),
        };
        // Without a queue that has it the ID itself is a place in the order.
        let recipient = recipient.map_or(bytes, RecipientId::as_bytes);
        let next = self.queues.range::<[u8], _>((Bound::Included(recipient), Bound::Unbounded)).next();
        next.or_else(|| self.queues.first_key_value()).map(|(_, queue)| queue.clone())
    }

    pub(super) fn insert(&mut self, queue: Queue) -> Result<(), StoreError> {
        let record = queue.record.clone();
        if self.queues.contains_key(&record.recipient_id) || self.senders.contains_key(&record.sender_id) {
            return Err(StoreError::Duplicate);
        }
        self.check(None, &record)?;
        self.senders.insert(record.sender_id.clone(), record.recipient_id.clone());
        self.set_ids(&record);
        self.associate(None, Some(&record));
        self.queues.insert(record.recipient_id.clone(), Arc::new(Mutex::new(queue)));
        Ok(())
    }

    /// Takes over a changed record. Changes nothing if that is not possible.
    pub(super) fn replace(&mut self, before: &QueueRecord, after: &QueueRecord) -> Result<(), StoreError> {
        self.check(Some(before), after)?;
        self.clear_ids(before);
        self.set_ids(after);
        self.associate(Some(before), Some(after));
        Ok(())
    }

    pub(super) fn remove(&mut self, record: &QueueRecord) {
        self.queues.remove(&record.recipient_id);
        self.senders.remove(&record.sender_id);
        self.clear_ids(record);
        self.associate(Some(record), None);
    }

    /// Whether the new IDs are free, and the new services there.
    fn check(&self, before: Option<&QueueRecord>, after: &QueueRecord) -> Result<(), StoreError> {
        let (_, begun) = association_changes(before, Some(after));
        let known = |service, role| self.services.get(service).is_some_and(|found| found.role == role);
        if begun.iter().any(|association| !known(&association.service, association.role)) {
            return Err(StoreError::NotFound);
        }
        let taken = |owner: Option<&RecipientId>| {
            owner.is_some_and(|owner| before.is_none_or(|before| before.recipient_id != *owner))
        };
        if after.notifier.as_ref().is_some_and(|notifier| taken(self.notifiers.get(&notifier.id))) {
            return Err(StoreError::Duplicate);
        }
        if after.link.as_ref().is_some_and(|link| taken(self.links.get(&link.id))) {
            return Err(StoreError::Duplicate);
        }
        Ok(())
    }

    fn set_ids(&mut self, record: &QueueRecord) {
        if let Some(notifier) = &record.notifier {
            self.notifiers.insert(notifier.id.clone(), record.recipient_id.clone());
        }
        if let Some(link) = &record.link {
            self.links.insert(link.id.clone(), record.recipient_id.clone());
        }
    }

    fn clear_ids(&mut self, record: &QueueRecord) {
        if let Some(notifier) = &record.notifier {
            self.notifiers.remove(&notifier.id);
        }
        if let Some(link) = &record.link {
            self.links.remove(&link.id);
        }
    }

    fn associate(&mut self, before: Option<&QueueRecord>, after: Option<&QueueRecord>) {
        let Some(queue) = after.or(before).map(|record| &record.recipient_id) else { return };
        let (ended, begun) = association_changes(before, after);
        for association in ended {
            if let Some(service) = self.services.get_mut(&association.service) {
                service.summary.remove(&association.id_hash);
                service.queues.remove(queue);
            }
        }
        for association in begun {
            if let Some(service) = self.services.get_mut(&association.service) {
                service.summary.add(&association.id_hash);
                service.queues.insert(queue.clone());
            }
        }
    }

    pub(super) fn find_service(
        &self,
        fingerprint: &[u8],
        role: ServiceRole,
    ) -> Result<Option<ServiceId>, StoreError> {
        let Some(id) = self.fingerprints.get(fingerprint) else { return Ok(None) };
        let same = self.services.get(id).is_some_and(|service| service.role == role);
        if same { Ok(Some(id.clone())) } else { Err(StoreError::ServiceRole) }
    }

    pub(super) fn service(&mut self, new: NewService) -> Result<ServiceId, StoreError> {
        if let Some(id) = self.find_service(&new.fingerprint, new.role)? {
            return Ok(id);
        }
        if self.services.contains_key(&new.id) {
            return Err(StoreError::Duplicate);
        }
        let summary = ServiceQueues::default();
        let service = Service { role: new.role, new: new.clone(), summary, queues: BTreeSet::new() };
        self.services.insert(new.id.clone(), service);
        self.fingerprints.insert(new.fingerprint, new.id.clone());
        Ok(new.id)
    }

    /// All, in the order of their IDs.
    pub(super) fn services(&self) -> Vec<NewService> {
        let mut services: Vec<_> = self.services.values().map(|service| service.new.clone()).collect();
        services.sort_by(|one, other| one.id.cmp(&other.id));
        services
    }

    pub(super) fn service_queues(
        &self,
        service: &ServiceId,
        role: ServiceRole,
    ) -> Result<ServiceQueues, StoreError> {
        let found = self.services.get(service).filter(|service| service.role == role);
        found.map(|service| service.summary).ok_or(StoreError::NotFound)
    }

    pub(super) fn service_page(
        &self,
        service: &ServiceId,
        role: ServiceRole,
        after: Option<&RecipientId>,
        limit: usize,
    ) -> Vec<Arc<QueueRecord>> {
        let Some(service) = self.services.get(service).filter(|service| service.role == role) else {
            return Vec::new();
        };
        let range = (after.map_or(Bound::Unbounded, Bound::Excluded), Bound::Unbounded);
        let queues = service.queues.range::<RecipientId, _>(range).take(limit);
        queues.filter_map(|id| self.queues.get(id)).map(|queue| lock(queue).record.clone()).collect()
    }

    /// All counts but that of the messages.
    pub(super) fn counts(&self) -> StoreCounts {
        let services = |role| self.services.values().filter(|service| service.role == role).count() as u64;
        StoreCounts {
            queues: self.queues.len() as u64,
            notifiers: self.notifiers.len() as u64,
            messages: 0,
            messaging_services: services(ServiceRole::Messaging),
            notifier_services: services(ServiceRole::Notifier),
        }
    }
}
