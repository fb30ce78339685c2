//! The operations of the store, command by command.

use std::sync::Arc;

use smp_protocol::id::{MessageId, RecipientId, ServiceId};

use super::Engine;
use super::active::Step;
use super::backend::{Backend, Result};
use super::cache::Known;
use super::queue::{Active, Loaded, State};
use super::write_queue::{ChangeKind, Held, LinkChange};
use crate::store::error::damaged;
use crate::store::rules::is_well_formed;
use crate::store::{
    Acknowledged, AfterAck, Appended, Completion, Day, LinkData, LookedUp, Message, NewMessage, NewQueue,
    NewService, ProcessId, QueueChange, QueueContent, QueueId, QueueRecord, ServiceQueues, ServiceRole,
    StorageFault, StoreError, Swept, Updated,
};
use crate::sync::lock;

/// How often a command starts again when a failed write took the queue out of memory under it.
const ATTEMPTS: usize = 8;

impl<B: Backend> Engine<B> {
    fn check_open(&self) -> Result<()> {
        if self.shared.write_queue.is_closed() { Err(StoreError::Closed) } else { Ok(()) }
    }

    /// Refuses what takes space while there is none.
    fn check_space(&self, is_full: bool) -> Result<()> {
        if is_full { Err(StoreError::Unavailable(StorageFault::Full)) } else { Ok(()) }
    }

    /// Waits for the turn of a command on this queue, which may have to be loaded.
    async fn hold(&self, id: &RecipientId) -> Result<Held> {
        self.check_open()?;
        let active = self.shared.cache.queue_unless_absent(id).ok_or(StoreError::NotFound)?;
        // Mostly nobody has its turn, and then a task should not be suspended for having done much already.
        let order = match active.order.clone().try_lock_owned() {
            Ok(order) => order,
            Err(_) => active.order.clone().lock_owned().await,
        };
        Ok(Held { active, _order: order })
    }

    /// Loads a queue whose turn it is, if it is not in memory.
    async fn load(&self, active: &Arc<Active>) -> Result<Arc<QueueRecord>> {
        match &*lock(&active.state) {
            State::Loaded(queue) => return Ok(queue.record.clone()),
            State::Absent => return Err(StoreError::NotFound),
            State::Unloaded => {}
        }
        let generation = self.shared.cache.generation();
        let Some(stored) = self.backend.queue(&active.recipient_id).await? else {
            *lock(&active.state) = State::Absent;
            self.shared.cache.remove(active, None);
            self.shared.cache.note_absent(QueueId::Recipient(&active.recipient_id), generation);
            return Err(StoreError::NotFound);
        };
        let record = Arc::new(stored.record);
        let mut messages = stored.messages;
        messages.retain(|(key, _)| !self.backend.is_removed(*key));
        let queue = Loaded::new(stored.key, record.clone(), messages);
        self.shared.cache.loaded(queue.len());
        if let Some(last) = queue.last_key() {
            self.shared.keys.seen(last);
        }
        *lock(&active.state) = State::Loaded(Box::new(queue));
        self.shared.cache.enter(&record);
        Ok(record)
    }

    /// Runs a step of a command whose turn it is, reading the bodies it asks for.
    async fn step<T>(&self, held: &Held, mut step: impl FnMut(&mut Loaded) -> Step<T>) -> Result<T> {
        // Keeps the body that was asked for alive until the step has run again.
        let mut body: Option<(i64, Arc<Message>)> = None;
        for _ in 0..ATTEMPTS {
            let done = held.active.with_loaded(|queue| {
                if let Some((key, message)) = &body {
                    queue.note_body(*key, message);
                }
                step(queue)
            });
            match done {
                Some(Step::Done(result)) => return Ok(result),
                Some(Step::NeedsBody(key)) => body = self.body(&held.active, key).await?,
                None => drop(self.load(&held.active).await?),
            }
        }
        Err(StoreError::Unavailable(damaged("a message is listed that cannot be read")))
    }

    /// Reads a message. None if it is not there: then memory was wrong about the disk, and is forgotten.
    async fn body(&self, active: &Active, key: i64) -> Result<Option<(i64, Arc<Message>)>> {
        let Some(message) = self.backend.message(key).await? else {
            active.roll_back(&damaged("a listed message is missing"), &self.shared);
            return Ok(None);
        };
        let message = Arc::new(message);
        self.shared.recent.keep(message.clone());
        Ok(Some((key, message)))
    }

    pub(in crate::store) async fn create(&self, new: NewQueue) -> Result<Arc<QueueRecord>> {
        self.check_open()?;
        if !is_well_formed(&new) {
            return Err(StoreError::Refused);
        }
        self.check_space(self.backend.refuses_queues())?;
        let room = self.shared.room(new.link_data.as_ref().map_or(0, LinkData::len)).await?;
        let record = Arc::new(new.record);
        let held = loop {
            let active = self.shared.cache.queue(&record.recipient_id);
            let order = active.order.clone().lock_owned().await;
            match &*lock(&active.state) {
                State::Loaded(_) => return Err(StoreError::Duplicate),
                // It was taken out of the cache while we waited.
                State::Absent => continue,
                State::Unloaded => {}
            }
            break Held { active, _order: order };
        };
        let queue = self.shared.keys.queue();
        let kind = ChangeKind::Create { queue, record: record.clone(), link_data: new.link_data };
        self.shared.write_queue.change(kind, Some(held), Some(room)).await?;
        Ok(record)
    }

    pub(in crate::store) async fn find(&self, id: QueueId<'_>) -> Result<LookedUp> {
        self.check_open()?;
        let mut asked_disk = false;
        let active = match self.shared.cache.look_up(id) {
            Known::Queue(active) => active,
            Known::Recipient(recipient) => self.shared.cache.queue(&recipient),
            Known::Absent => {
                // The same steps as for a queue that is in memory.
                let _ = self.shared.cache.another(id).and_then(|active| active.record());
                return Ok(LookedUp { queue: None, asked_disk });
            }
            Known::Nothing(generation) => {
                asked_disk = true;
                let _place = self.backend.place().await?;
                let nearest = self.backend.resolve(id).await?;
                if !nearest.is_it {
                    self.read_instead(&nearest.recipient).await?;
                    self.shared.cache.note_absent(id, generation);
                    return Ok(LookedUp { queue: None, asked_disk });
                }
                self.shared.cache.queue(&nearest.recipient)
            }
        };
        let record = match active.record() {
            Some(record) => record,
            None => {
                asked_disk = true;
                let _order = active.order.clone().lock_owned().await;
                match self.load(&active).await {
                    Ok(record) => record,
                    Err(StoreError::NotFound) => return Ok(LookedUp { queue: None, asked_disk }),
                    Err(error) => return Err(error),
                }
            }
        };
        Ok(LookedUp { queue: id.is_of(&record).then_some(record), asked_disk })
    }

    /// The reads that an unknown ID would have cost. As with those, once: then it is remembered.
    pub(in crate::store) async fn read_as_unknown(&self, id: QueueId<'_>, asked_disk: bool) -> Result<()> {
        if self.shared.cache.note_refused(id) && !asked_disk {
            let _place = self.backend.place().await?;
            let nearest = self.backend.resolve(id).await?;
            self.read_instead(&nearest.recipient).await?;
        }
        Ok(())
    }

    /// The process that was seen to have the queue with this ID, or the next one, if that is another one.
    pub(in crate::store) async fn find_owner(&self, id: QueueId<'_>) -> Result<Option<ProcessId>> {
        self.check_open()?;
        let _place = self.backend.place().await?;
        Ok(self.backend.resolve(id).await?.owner)
    }

    pub(in crate::store) fn has_at_hand(&self, id: QueueId<'_>) -> bool {
        match self.shared.cache.look_up(id) {
            Known::Queue(active) => active.record().is_some(),
            Known::Recipient(_) | Known::Absent | Known::Nothing(_) => false,
        }
    }

    pub(in crate::store) async fn give(&self, id: &RecipientId, to: ProcessId) -> Result<()> {
        let held = self.hold(id).await?;
        let queue = self
            .step(&held, |queue| {
                queue.release(&self.shared);
                Step::Done(queue.key)
            })
            .await?;
        self.shared.write_queue.change(ChangeKind::GiveAway { queue, to }, Some(held), None).await
    }

    /// Reads what is read of a queue that exists, for one that does not. That the other one is damaged is no concern.
    async fn read_instead(&self, other: &RecipientId) -> Result<()> {
        match self.backend.read_in_vain(other).await {
            Ok(()) | Err(StoreError::Unavailable(StorageFault::Damaged(_))) => Ok(()),
            Err(error) => Err(error),
        }
    }

    pub(in crate::store) async fn read_link_data(&self, id: &RecipientId) -> Result<Option<LinkData>> {
        let held = self.hold(id).await?;
        let (key, record) = self.step(&held, |queue| Step::Done((queue.key, queue.record.clone()))).await?;
        if record.link.is_none() { Ok(None) } else { self.backend.link_data(key).await }
    }

    pub(in crate::store) async fn update(&self, id: &RecipientId, change: QueueChange) -> Result<Updated> {
        let room = match &change {
            // Nobody waits for it, and it comes once a day.
            QueueChange::Used(_) => None,
            QueueChange::SetLink(_, data) => Some(self.shared.room(data.len()).await?),
            _ => Some(self.shared.room(0).await?),
        };
        let held = self.hold(id).await?;
        let (queue, before) = self.step(&held, |queue| Step::Done((queue.key, queue.record.clone()))).await?;
        let changed = before.changed(&change)?.map(Arc::new);
        let after = changed.clone().unwrap_or_else(|| before.clone());
        if let QueueChange::Used(day) = change {
            if changed.is_some() {
                held.active.with_loaded(|queue| queue.record = after.clone());
                // Nobody waits for it.
                drop(self.shared.write_queue.change(ChangeKind::Used { queue, day }, None, None));
            }
            return Ok(Updated { before, after });
        }
        let link = match change {
            QueueChange::SetLink(_, data) => LinkChange::Set(data),
            QueueChange::ClearLink => LinkChange::Clear,
            _ => LinkChange::None,
        };
        if changed.is_none() && !matches!(link, LinkChange::Set(_)) {
            return Ok(Updated { before, after });
        }
        self.check_space(matches!(link, LinkChange::Set(_)) && self.backend.refuses_messages())?;
        let kind = ChangeKind::Update { queue, before: before.clone(), after: after.clone(), link };
        self.shared.write_queue.change(kind, Some(held), room).await?;
        Ok(Updated { before, after })
    }

    pub(in crate::store) async fn delete(&self, id: &RecipientId) -> Result<(Arc<QueueRecord>, usize)> {
        let held = self.hold(id).await?;
        let deletion = self.start_deletion(held, |_| true).await?;
        let (record, count, done) = deletion.ok_or(StoreError::NotFound)?;
        done.await?;
        Ok((record, count))
    }

    /// Has a queue deleted if its record is such.
    async fn start_deletion(
        &self,
        held: Held,
        condition: impl Fn(&QueueRecord) -> bool,
    ) -> Result<Option<(Arc<QueueRecord>, usize, Completion)>> {
        let found = self.step(&held, |queue| Step::Done((queue.key, queue.record.clone(), queue.len())));
        let (queue, record, count) = found.await?;
        if !condition(&record) {
            return Ok(None);
        }
        let kind = ChangeKind::Delete { queue, record: record.clone() };
        let done = self.shared.write_queue.change(kind, Some(held), None);
        Ok(Some((record, count, done)))
    }

    pub(in crate::store) async fn append_message(
        &self,
        id: &RecipientId,
        new: NewMessage,
        expire_before: Option<u64>,
    ) -> Result<Appended> {
        // Before it is in the queue: a message that cannot be written takes with it what waits there.
        self.check_space(self.backend.refuses_messages())?;
        let room = self.shared.room(new.body.len()).await?;
        let held = self.hold(id).await?;
        let mut new = Some((new, room));
        self.step(&held, |queue| {
            // The closure runs once: an append never needs a body.
            new.take().map_or(Step::Done(Err(StoreError::Closed)), |(new, room)| {
                Step::Done(Ok(queue.append(&held.active, new, expire_before, room, &self.shared)))
            })
        })
        .await?
    }

    pub(in crate::store) async fn first(&self, id: &RecipientId) -> Result<Option<Arc<Message>>> {
        let held = self.hold(id).await?;
        self.step(&held, |loaded| loaded.hand_out(self.shared.time.monotonic())).await
    }

    pub(in crate::store) async fn acknowledge_message(
        &self,
        id: &RecipientId,
        message: &MessageId,
        after: AfterAck,
    ) -> Result<Acknowledged> {
        let held = self.hold(id).await?;
        self.step(&held, |queue| queue.acknowledge(&held.active, message, after, &self.shared)).await
    }

    pub(in crate::store) async fn content(&self, id: &RecipientId) -> Result<QueueContent> {
        let held = self.hold(id).await?;
        self.step(&held, |queue| Step::Done(queue.content())).await
    }

    /// Found messages are removed, so that the next step starts from the beginning again.
    pub(in crate::store) async fn expire(&self, before: u64, limit: usize) -> Result<Swept> {
        self.check_open()?;
        let limit = limit.max(1);
        let mut found = self.backend.expired(before, limit).await?;
        let more = found.len() == limit;
        found.retain(|(key, _)| !self.backend.is_removed(*key));
        found.sort_by(|(_, queue), (_, other)| queue.cmp(other));
        let mut waiting = Vec::new();
        let mut removed = 0;
        for messages in found.chunk_by(|(_, queue), (_, other)| queue == other) {
            let (count, completions) = self.expire_queue(before, messages).await;
            removed += count as u64;
            waiting.extend(completions);
        }
        for done in waiting {
            done.await?;
        }
        Ok(Swept { removed, more: more && removed > 0 })
    }

    /// Removes expired messages of one queue. A queue that is not in memory is not loaded for that.
    async fn expire_queue(&self, before: u64, messages: &[(i64, RecipientId)]) -> (usize, Vec<Completion>) {
        let Some((_, id)) = messages.first() else { return (0, Vec::new()) };
        let active = self.shared.cache.queue(id);
        let order = active.order.clone().lock_owned().await;
        // Of several processes only the one that has a queue removes anything.
        if self.backend.process().is_some() && self.load(&active).await.is_err() {
            return (0, Vec::new());
        }
        if let Some(removed) = active.with_loaded(|queue| queue.expire(&active, before, &self.shared)) {
            return (removed.len(), removed);
        }
        if matches!(*lock(&active.state), State::Absent) {
            return (0, Vec::new());
        }
        let messages: Vec<_> = messages.iter().map(|(key, _)| *key).collect();
        let count = messages.len();
        let held = Held { active, _order: order };
        (count, vec![self.shared.write_queue.change(ChangeKind::Expire { messages }, Some(held), None)])
    }

    pub(in crate::store) async fn delete_idle(
        &self,
        before: Day,
        limit: usize,
    ) -> Result<Vec<Arc<QueueRecord>>> {
        // Days of use are written late.
        self.shared.write_queue.change(ChangeKind::Nothing, None, None).await?;
        let mut deletions = Vec::new();
        for id in self.backend.idle(before, limit).await? {
            // It may have been used since the disk was told.
            let is_idle = |record: &QueueRecord| record.updated.is_some_and(|day| day < before);
            let started = async { self.start_deletion(self.hold(&id).await?, is_idle).await };
            match started.await {
                Ok(deletion) => deletions.extend(deletion),
                // Those that are damaged stay, without keeping the others.
                Err(
                    StoreError::NotFound
                    | StoreError::Elsewhere(_)
                    | StoreError::Unavailable(StorageFault::Damaged(_)),
                ) => {}
                Err(error) => return Err(error),
            }
        }
        let mut deleted = Vec::new();
        for (record, _, done) in deletions {
            done.await?;
            deleted.push(record);
        }
        Ok(deleted)
    }

    pub(in crate::store) async fn find_or_create_service(&self, new: NewService) -> Result<ServiceId> {
        let (role, fingerprint) = (new.role, new.fingerprint.clone());
        if let Some(id) = self.find_service_id(&fingerprint, role).await? {
            return Ok(id);
        }
        let room = self.shared.room(0).await?;
        self.shared.write_queue.change(ChangeKind::Service(new), None, Some(room)).await?;
        let found = self.find_service_id(&fingerprint, role).await?;
        found.ok_or_else(|| StoreError::Unavailable(damaged("a service is missing that was just created")))
    }

    pub(in crate::store) async fn find_service_id(
        &self,
        fingerprint: &[u8],
        role: ServiceRole,
    ) -> Result<Option<ServiceId>> {
        self.check_open()?;
        match self.backend.service(fingerprint).await? {
            Some((id, found)) if found == role => Ok(Some(id)),
            Some(_) => Err(StoreError::ServiceRole),
            None => Ok(None),
        }
    }

    pub(in crate::store) async fn read_service_queues(
        &self,
        service: &ServiceId,
        role: ServiceRole,
    ) -> Result<ServiceQueues> {
        self.check_open()?;
        self.backend.service_queues(service, role).await?.ok_or(StoreError::NotFound)
    }

    pub(in crate::store) async fn all_messages(&self, id: &RecipientId) -> Result<Vec<Arc<Message>>> {
        let held = self.hold(id).await?;
        let count = self.step(&held, |queue| Step::Done(queue.len())).await?;
        let mut messages = Vec::with_capacity(count);
        for place in 0..count {
            messages.extend(self.step(&held, |queue| queue.message(place)).await?);
        }
        Ok(messages)
    }

    pub(in crate::store) async fn restore(&self, id: &RecipientId, messages: Vec<Message>) -> Result<()> {
        let mut waiting = Vec::with_capacity(messages.len());
        for message in messages {
            let room = self.shared.room(message.body_len()).await?;
            let held = self.hold(id).await?;
            let mut new = Some((Arc::new(message), room));
            let kept = self
                .step(&held, |queue| {
                    Step::Done(
                        new.take()
                            .map(|(message, room)| queue.push(&held.active, message, room, &self.shared)),
                    )
                })
                .await?;
            waiting.extend(kept);
        }
        for kept in waiting {
            kept.await?;
        }
        Ok(())
    }
}
