//! Changes of a queue's record, and the rules that they follow. Pure: both stores apply them.

use std::sync::Arc;

use smp_crypto::PublicAuthKey;
use smp_protocol::id::{LinkId, ServiceId};

use super::{Day, LinkData, Notifier, QueueLink, QueueRecord, QueueStatus, StoreError};

/// A change of one queue's record.
#[derive(Debug, Clone)]
pub enum QueueChange {
    /// Sets the sender's key (`KEY`, `SKEY`, `LKEY`). The same key again changes nothing, another is refused.
    Secure(PublicAuthKey),
    /// Replaces the recipient's keys (`RKEY`); refused if there are none.
    RecipientKeys(Vec<PublicAuthKey>),
    /// Sets or replaces the notifier (`NKEY`); [`StoreError::Duplicate`] if its ID is taken.
    SetNotifier(Notifier),
    /// Removes the notifier (`NDEL`); without one nothing changes.
    ClearNotifier,
    /// Sets the short link or replaces its user data (`LSET`). Refused if the queue has another link ID or other fixed
    /// data; [`StoreError::Duplicate`] if the link ID belongs to another queue.
    SetLink(LinkId, LinkData),
    /// Removes the short link and its data (`LDEL`, first `SEND` to a secured queue); without one nothing changes.
    ClearLink,
    /// Suspends (`OFF`), blocks or activates the queue. To suspend a blocked queue changes nothing.
    Status(QueueStatus),
    /// Associates the queue with a service for messages, or with none (`SUB`).
    RecipientService(Option<ServiceId>),
    /// Associates the notifier with a service, or with none (`NSUB`). Refused without a notifier.
    NotifierService(Option<ServiceId>),
    /// Notes that the queue was used on this day, if that is later than what was noted: a clock may have been behind. Not waited for: it may be lost when the relay is killed.
    Used(Day),
}

/// A record before and after a change; both are the same if nothing changed.
#[derive(Debug, Clone)]
pub struct Updated {
    /// Before the change.
    pub before: Arc<QueueRecord>,
    /// After the change.
    pub after: Arc<QueueRecord>,
}

impl QueueRecord {
    /// The record after the change; `None` if the change changes nothing (only link data, maybe).
    ///
    /// # Errors
    /// [`StoreError::Refused`] if the rules forbid it.
    pub fn changed(&self, change: &QueueChange) -> Result<Option<QueueRecord>, StoreError> {
        let mut record = self.clone();
        let changed = match change {
            QueueChange::Secure(key) => record.secure(key)?,
            QueueChange::RecipientKeys(keys) => {
                if keys.is_empty() {
                    return Err(StoreError::Refused);
                }
                record.recipient_keys.clone_from(keys);
                true
            }
            QueueChange::SetNotifier(notifier) => {
                record.notifier = Some(notifier.clone());
                true
            }
            QueueChange::ClearNotifier => record.notifier.take().is_some(),
            QueueChange::SetLink(id, data) => record.set_link(QueueLink::new(id.clone(), data))?,
            QueueChange::ClearLink => record.link.take().is_some(),
            QueueChange::Status(QueueStatus::Suspended)
                if matches!(record.status, QueueStatus::Blocked(_)) =>
            {
                false
            }
            QueueChange::Status(status) => replace(&mut record.status, status),
            QueueChange::RecipientService(service) => replace(&mut record.recipient_service, service),
            QueueChange::NotifierService(service) => {
                let notifier = record.notifier.as_mut().ok_or(StoreError::Refused)?;
                replace(&mut notifier.service, service)
            }
            QueueChange::Used(day) => {
                let latest = record.updated.max(Some(*day));
                replace(&mut record.updated, &latest)
            }
        };
        Ok(changed.then_some(record))
    }

    fn secure(&mut self, key: &PublicAuthKey) -> Result<bool, StoreError> {
        match &self.sender_key {
            Some(existing) if existing == key => Ok(false),
            Some(_) => Err(StoreError::Refused),
            None => {
                self.sender_key = Some(*key);
                Ok(true)
            }
        }
    }

    fn set_link(&mut self, link: QueueLink) -> Result<bool, StoreError> {
        match &self.link {
            Some(existing) if *existing == link => Ok(false),
            Some(_) => Err(StoreError::Refused),
            None => {
                self.link = Some(link);
                Ok(true)
            }
        }
    }
}

fn replace<T: PartialEq + Clone>(place: &mut T, value: &T) -> bool {
    let changed = place != value;
    if changed {
        place.clone_from(value);
    }
    changed
}
