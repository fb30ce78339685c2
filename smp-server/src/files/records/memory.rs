//! `MemoryRecords`: records that end with the process.

use std::collections::{BTreeSet, HashMap};
use std::future::ready;
use std::sync::Mutex;

use smp_crypto::PublicAuthKey;
use smp_protocol::id::{ChunkRecipientId, ChunkSenderId};

use super::api::{
    Change, ChunkId, ChunkRecipient, ChunkRecord, Found, Outcome, Records, RecordsFuture, Removed, Totals,
};
use crate::sync::lock;

/// Records in memory.
#[derive(Default)]
pub(crate) struct MemoryRecords(Mutex<State>);

#[derive(Default)]
struct State {
    chunks: HashMap<ChunkSenderId, Chunk>,
    recipients: HashMap<ChunkRecipientId, Recipient>,
    /// By the time at which they were created.
    ages: BTreeSet<(u64, ChunkSenderId)>,
    /// Chunks that are gone, and when they went.
    removed: HashMap<ChunkSenderId, u64>,
    totals: Totals,
}

struct Chunk {
    record: ChunkRecord,
    recipients: Vec<ChunkRecipientId>,
}

struct Recipient {
    key: PublicAuthKey,
    chunk: ChunkSenderId,
}

impl Records for MemoryRecords {
    fn change(&self, change: Change) -> RecordsFuture<'_, Outcome> {
        let outcome = lock(&self.0).change(change);
        Box::pin(ready(Ok(outcome)))
    }

    fn find<'a>(&'a self, id: ChunkId<'a>) -> RecordsFuture<'a, Option<Found>> {
        let found = lock(&self.0).find(id);
        Box::pin(ready(Ok(found)))
    }

    fn removed(&self, before: u64, at_most: usize) -> RecordsFuture<'_, Vec<ChunkSenderId>> {
        let state = lock(&self.0);
        let removed = state.removed.iter().filter(|(_, when)| **when < before).take(at_most);
        let removed = removed.map(|(id, _)| id.clone()).collect();
        drop(state);
        Box::pin(ready(Ok(removed)))
    }

    fn totals(&self) -> RecordsFuture<'_, Totals> {
        let totals = lock(&self.0).totals;
        Box::pin(ready(Ok(totals)))
    }

    fn close(&self) -> RecordsFuture<'_, ()> {
        Box::pin(ready(Ok(())))
    }
}

impl State {
    fn change(&mut self, change: Change) -> Outcome {
        match change {
            Change::Create(record, recipients) => {
                let sender_id = record.sender_id.clone();
                self.ages.insert((record.created, sender_id.clone()));
                self.totals.chunks += 1;
                self.chunks.insert(sender_id.clone(), Chunk { record, recipients: Vec::new() });
                self.add(&sender_id, recipients, usize::MAX)
            }
            Change::AddRecipients(sender_id, recipients, at_most) => {
                self.add(&sender_id, recipients, at_most)
            }
            Change::SetUploaded(sender_id) => self.set_uploaded(&sender_id),
            Change::Acknowledge(id) => self.acknowledge(&id),
            Change::Delete(sender_id, now) => {
                Outcome::Removed(self.remove(&sender_id, now).into_iter().collect())
            }
            Change::Expire { before, at_most, now } => self.expire(before, at_most, now),
            Change::ForgetRemoved(gone) => {
                for id in &gone {
                    self.removed.remove(id);
                }
                Outcome::Done
            }
        }
    }

    fn add(&mut self, sender_id: &ChunkSenderId, recipients: Vec<ChunkRecipient>, at_most: usize) -> Outcome {
        let Some(chunk) = self.chunks.get_mut(sender_id) else { return Outcome::Unknown };
        if chunk.recipients.len() + recipients.len() > at_most {
            return Outcome::TooMany;
        }
        for ChunkRecipient { id, key } in recipients {
            chunk.recipients.push(id.clone());
            self.recipients.insert(id, Recipient { key, chunk: sender_id.clone() });
        }
        Outcome::Done
    }

    fn set_uploaded(&mut self, sender_id: &ChunkSenderId) -> Outcome {
        let Some(chunk) = self.chunks.get_mut(sender_id) else { return Outcome::Unknown };
        if std::mem::replace(&mut chunk.record.is_uploaded, true) {
            return Outcome::Again;
        }
        self.totals.bytes += u64::from(chunk.record.size);
        Outcome::Done
    }

    fn acknowledge(&mut self, id: &ChunkRecipientId) -> Outcome {
        let Some(recipient) = self.recipients.remove(id) else { return Outcome::Unknown };
        if let Some(chunk) = self.chunks.get_mut(&recipient.chunk) {
            chunk.recipients.retain(|other| other != id);
        }
        Outcome::Done
    }

    fn expire(&mut self, before: u64, at_most: usize, now: u64) -> Outcome {
        let mut removed = Vec::new();
        while removed.len() < at_most {
            match self.ages.first().cloned() {
                Some((created, sender_id)) if created < before => {
                    removed.extend(self.remove(&sender_id, now))
                }
                _ => break,
            }
        }
        Outcome::Removed(removed)
    }

    fn remove(&mut self, sender_id: &ChunkSenderId, now: u64) -> Option<Removed> {
        let Chunk { record, recipients } = self.chunks.remove(sender_id)?;
        for id in &recipients {
            self.recipients.remove(id);
        }
        self.ages.remove(&(record.created, sender_id.clone()));
        self.totals.chunks -= 1;
        if record.is_uploaded {
            self.totals.bytes -= u64::from(record.size);
        }
        self.removed.insert(sender_id.clone(), now);
        Some(Removed { sender_id: record.sender_id, size: record.size, was_uploaded: record.is_uploaded })
    }

    fn find(&self, id: ChunkId<'_>) -> Option<Found> {
        let (sender_id, key) = match id {
            ChunkId::Sender(id) => (id, None),
            ChunkId::Recipient(id) => {
                let recipient = self.recipients.get(id)?;
                (recipient.chunk.as_bytes(), Some(recipient.key))
            }
        };
        let chunk = &self.chunks.get(sender_id)?.record;
        Some(Found { key: key.unwrap_or(chunk.sender_key), chunk: chunk.clone() })
    }
}
