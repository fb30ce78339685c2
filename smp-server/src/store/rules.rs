//! Rules that both stores follow and that need no store. Pure.

use smp_protocol::{command::IdsHash, id::ServiceId};

use super::{MessageInfo, MessageKind, QueueRecord, ServiceQueues, ServiceRole};

/// The fate of a message that is sent to an active queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Admission {
    /// It is added.
    Add,
    /// It is refused, and a quota marker is added in its place.
    AddMarker,
    /// It is refused.
    Refuse,
}

/// Decides about a message for a queue of this size. A marker is always the last message of its queue, as nothing is
/// added behind it: so "full until drained" is known from the last message alone.
pub(crate) fn admit(size: usize, last: Option<MessageKind>, quota: usize) -> Admission {
    match last {
        Some(MessageKind::QuotaMarker) => Admission::Refuse,
        _ if size < quota => Admission::Add,
        _ => Admission::AddMarker,
    }
}

/// Whether a message goes when those accepted before `before` expire.
pub(crate) fn expires(message: &MessageInfo, before: u64) -> bool {
    message.timestamp < before && message.kind != MessageKind::QuotaMarker
}

/// Whether the IDs of a new queue can be told apart, which also catches a link without data.
pub(crate) fn is_well_formed(queue: &super::NewQueue) -> bool {
    queue.record.link.is_some() == queue.link_data.is_some() && !queue.record.recipient_keys.is_empty()
}

/// A queue of a service: as whose, and the hash of the ID under which the service knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Association {
    pub(crate) service: ServiceId,
    pub(crate) role: ServiceRole,
    pub(crate) id_hash: [u8; 16],
}

/// The services that a queue is associated with.
fn associations(record: &QueueRecord) -> impl Iterator<Item = Association> + '_ {
    let recipient = record.recipient_service.iter().map(|service| Association {
        service: service.clone(),
        role: ServiceRole::Messaging,
        id_hash: id_hash(record.recipient_id.as_bytes()),
    });
    let notifier = record.notifier.iter().filter_map(|notifier| {
        Some(Association {
            service: notifier.service.clone()?,
            role: ServiceRole::Notifier,
            id_hash: id_hash(notifier.id.as_bytes()),
        })
    });
    recipient.chain(notifier)
}

/// Associations that end and that begin when a queue changes.
pub(crate) fn association_changes(
    before: Option<&QueueRecord>,
    after: Option<&QueueRecord>,
) -> (Vec<Association>, Vec<Association>) {
    let old: Vec<_> = before.into_iter().flat_map(associations).collect();
    let new: Vec<_> = after.into_iter().flat_map(associations).collect();
    let ended = old.iter().filter(|association| !new.contains(association)).cloned().collect();
    let begun = new.iter().filter(|association| !old.contains(association)).cloned().collect();
    (ended, begun)
}

/// The hash of a queue ID that the `SUBS` and `SOKS` hashes are made of.
fn id_hash(id: &[u8]) -> [u8; 16] {
    IdsHash::of(id).0
}

impl ServiceQueues {
    pub(crate) fn add(&mut self, id_hash: &[u8; 16]) {
        self.count = self.count.saturating_add(1);
        self.toggle(id_hash);
    }

    pub(crate) fn remove(&mut self, id_hash: &[u8; 16]) {
        self.count = self.count.saturating_sub(1);
        self.toggle(id_hash);
    }

    fn toggle(&mut self, id_hash: &[u8; 16]) {
        self.ids_hash.iter_mut().zip(id_hash).for_each(|(sum, byte)| *sum ^= byte);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SENT: Option<MessageKind> = Some(MessageKind::Sent { notification: false });

    #[test]
    fn a_queue_fills_gets_a_marker_and_waits_until_drained() {
        assert_eq!(admit(0, None, 2), Admission::Add);
        assert_eq!(admit(1, SENT, 2), Admission::Add);
        assert_eq!(admit(2, SENT, 2), Admission::AddMarker);
        assert_eq!(admit(3, Some(MessageKind::QuotaMarker), 2), Admission::Refuse);
        // The recipient has read all but the marker.
        assert_eq!(admit(1, Some(MessageKind::QuotaMarker), 2), Admission::Refuse);
        assert_eq!(admit(0, None, 2), Admission::Add);
    }

    #[test]
    fn hashes_of_service_queues_cancel_out() {
        let mut queues = ServiceQueues::default();
        // MD5 of "abc", RFC 1321.
        let abc = id_hash(b"abc");
        assert_eq!(hex(&abc), "900150983cd24fb0d6963f7d28e17f72");
        queues.add(&abc);
        queues.add(&id_hash(b"d"));
        queues.remove(&abc);
        assert_eq!(queues, ServiceQueues { count: 1, ids_hash: id_hash(b"d") });
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}
