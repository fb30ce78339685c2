//! `Index`: records of chunks, their IDs, and the bytes that they take. In memory, and without input or output.
//!
//! Invariant: `used` is the sum of the sizes of all chunks that have been uploaded, and of one for each upload that goes on.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};

use rand::CryptoRng;
use smp_crypto::PublicAuthKey;
use smp_protocol::encoding::NonEmpty;
use smp_protocol::id::{ChunkRecipientId, ChunkSenderId, EntityId};
use smp_protocol::key::ChunkRecipientKey;
use smp_protocol::xftp::command::{ChunkDigest, NewChunk, XftpCommandTag};
use smp_protocol::xftp::error::XftpError;

use super::settings::FileSettings;
use crate::sync::lock;

/// Bytes in an ID, as peers in use make them.
const ID_BYTES: usize = 16;

pub(super) struct Index {
    limits: Limits,
    state: Arc<Mutex<State>>,
}

struct Limits {
    quota: u64,
    chunks: usize,
    recipients: usize,
    sizes: Vec<u32>,
}

#[derive(Default)]
struct State {
    chunks: HashMap<ChunkSenderId, Chunk>,
    recipients: HashMap<ChunkRecipientId, Recipient>,
    /// In the order in which they were created; some are gone.
    ages: VecDeque<(u64, ChunkSenderId)>,
    used: u64,
}

struct Chunk {
    key: PublicAuthKey,
    size: u32,
    digest: ChunkDigest,
    recipients: Vec<ChunkRecipientId>,
    is_uploaded: bool,
}

struct Recipient {
    key: PublicAuthKey,
    chunk: ChunkSenderId,
}

/// Facts about a chunk that is to be uploaded.
pub(super) struct ToUpload {
    pub(super) size: u32,
    pub(super) digest: ChunkDigest,
    /// Room for it; `None` if it has been uploaded already, and the body is to be read and forgotten.
    pub(super) room: Option<Room>,
}

/// Room for an upload, given back when it is dropped.
pub(super) struct Room {
    state: Arc<Mutex<State>>,
    sender_id: ChunkSenderId,
    size: u32,
    is_taken: bool,
}

impl Index {
    pub(super) fn new(settings: &FileSettings) -> Self {
        let FileSettings { quota, chunks, recipients, sizes, .. } = settings.clone();
        Self { limits: Limits { quota, chunks, recipients, sizes }, state: Arc::default() }
    }

    pub(super) fn used(&self) -> u64 {
        lock(&self.state).used
    }

    /// The key that must have authorized a command about this entity. A sender's ID is unknown to commands of
    /// recipients, and the other way round.
    pub(super) fn key(&self, tag: XftpCommandTag, entity: &EntityId) -> Option<PublicAuthKey> {
        let state = lock(&self.state);
        if tag.is_of_sender() {
            state.chunks.get(entity.as_bytes()).map(|chunk| chunk.key)
        } else {
            state.recipients.get(entity.as_bytes()).map(|recipient| recipient.key)
        }
    }

    /// Creates a chunk.
    pub(super) fn create(
        &self,
        chunk: &NewChunk,
        now: u64,
        rng: &mut impl CryptoRng,
    ) -> Result<(ChunkSenderId, NonEmpty<ChunkRecipientId>), XftpError> {
        if !self.limits.sizes.contains(&chunk.size) {
            return Err(XftpError::Size);
        }
        let mut state = lock(&self.state);
        if state.chunks.len() >= self.limits.chunks {
            return Err(XftpError::Quota);
        }
        let sender_id: ChunkSenderId = new_id(rng);
        let record = Chunk {
            key: chunk.sender_key.0,
            size: chunk.size,
            digest: chunk.digest,
            recipients: Vec::new(),
            is_uploaded: false,
        };
        state.chunks.insert(sender_id.clone(), record);
        state.ages.push_back((now, sender_id.clone()));
        match state.add_recipients(&sender_id, &chunk.recipient_keys, self.limits.recipients, rng) {
            Ok(recipients) => Ok((sender_id, recipients)),
            Err(error) => {
                state.remove(&sender_id);
                Err(error)
            }
        }
    }

    /// Adds recipients to a chunk.
    pub(super) fn add_recipients(
        &self,
        sender_id: &ChunkSenderId,
        keys: &NonEmpty<ChunkRecipientKey>,
        rng: &mut impl CryptoRng,
    ) -> Result<NonEmpty<ChunkRecipientId>, XftpError> {
        lock(&self.state).add_recipients(sender_id, keys, self.limits.recipients, rng)
    }

    /// Begins an upload, if there is room for it.
    pub(super) fn begin_upload(&self, sender_id: &ChunkSenderId) -> Result<ToUpload, XftpError> {
        let mut state = lock(&self.state);
        let chunk = state.chunks.get(sender_id.as_bytes()).ok_or(XftpError::Auth)?;
        let (size, digest) = (chunk.size, chunk.digest);
        if chunk.is_uploaded {
            return Ok(ToUpload { size, digest, room: None });
        }
        let used = state.used + u64::from(size);
        if used > self.limits.quota {
            return Err(XftpError::Quota);
        }
        state.used = used;
        let room = Room { state: self.state.clone(), sender_id: sender_id.clone(), size, is_taken: false };
        Ok(ToUpload { size, digest, room: Some(room) })
    }

    /// The chunk of a recipient: whose file it is, and its size.
    pub(super) fn to_download(
        &self,
        recipient_id: &ChunkRecipientId,
    ) -> Result<(ChunkSenderId, u32), XftpError> {
        let state = lock(&self.state);
        let recipient = state.recipients.get(recipient_id.as_bytes()).ok_or(XftpError::Auth)?;
        let chunk = state.chunks.get(recipient.chunk.as_bytes()).ok_or(XftpError::Auth)?;
        if chunk.is_uploaded { Ok((recipient.chunk.clone(), chunk.size)) } else { Err(XftpError::NoFile) }
    }

    /// Forgets a recipient.
    pub(super) fn acknowledge(&self, recipient_id: &ChunkRecipientId) -> Result<(), XftpError> {
        let mut state = lock(&self.state);
        let recipient = state.recipients.remove(recipient_id.as_bytes()).ok_or(XftpError::Auth)?;
        if let Some(chunk) = state.chunks.get_mut(recipient.chunk.as_bytes()) {
            chunk.recipients.retain(|other| other != recipient_id);
        }
        Ok(())
    }

    /// Forgets a chunk with all of its IDs.
    pub(super) fn delete(&self, sender_id: &ChunkSenderId) -> Result<(), XftpError> {
        if lock(&self.state).remove(sender_id) { Ok(()) } else { Err(XftpError::Auth) }
    }

    /// Forgets the oldest chunks that were created before this time, at most so many.
    pub(super) fn expire(&self, before: u64, at_most: usize) -> Vec<ChunkSenderId> {
        let mut state = lock(&self.state);
        let mut expired = Vec::new();
        while expired.len() < at_most && state.ages.front().is_some_and(|(created, _)| *created < before) {
            let Some((_, sender_id)) = state.ages.pop_front() else { break };
            if state.remove(&sender_id) {
                expired.push(sender_id);
            }
        }
        expired
    }
}

impl State {
    fn add_recipients(
        &mut self,
        sender_id: &ChunkSenderId,
        keys: &NonEmpty<ChunkRecipientKey>,
        at_most: usize,
        rng: &mut impl CryptoRng,
    ) -> Result<NonEmpty<ChunkRecipientId>, XftpError> {
        let chunk = self.chunks.get_mut(sender_id.as_bytes()).ok_or(XftpError::Auth)?;
        let count = keys.as_slice().len();
        if chunk.recipients.len() + count > at_most {
            return Err(XftpError::Quota);
        }
        let mut ids = Vec::with_capacity(count);
        for key in keys {
            let id: ChunkRecipientId = new_id(rng);
            chunk.recipients.push(id.clone());
            self.recipients.insert(id.clone(), Recipient { key: key.0, chunk: sender_id.clone() });
            ids.push(id);
        }
        NonEmpty::new(ids).ok_or(XftpError::Internal)
    }

    /// Whether there was such a chunk.
    fn remove(&mut self, sender_id: &ChunkSenderId) -> bool {
        let Some(chunk) = self.chunks.remove(sender_id.as_bytes()) else { return false };
        for id in &chunk.recipients {
            self.recipients.remove(id.as_bytes());
        }
        if chunk.is_uploaded {
            self.used -= u64::from(chunk.size);
        }
        // Those that are gone are not left behind for longer than a chunk would be.
        if self.ages.len() > 2 * self.chunks.len() + 16 {
            let chunks = &self.chunks;
            self.ages.retain(|(_, id)| chunks.contains_key(id.as_bytes()));
        }
        true
    }
}

impl Room {
    /// The chunk is there. Its room stays taken, if it is the first upload of a chunk that still exists; says whether that is so.
    pub(super) fn take(mut self) -> Result<bool, XftpError> {
        let state = self.state.clone();
        let mut state = lock(&state);
        let chunk = state.chunks.get_mut(self.sender_id.as_bytes()).ok_or(XftpError::Auth)?;
        let is_first = !std::mem::replace(&mut chunk.is_uploaded, true);
        self.is_taken = is_first;
        // Room that is not taken is given back after the lock.
        Ok(is_first)
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        if !self.is_taken {
            lock(&self.state).used -= u64::from(self.size);
        }
    }
}

fn new_id<T: for<'a> TryFrom<&'a [u8]> + Default>(rng: &mut impl CryptoRng) -> T {
    let mut bytes = [0; ID_BYTES];
    rng.fill_bytes(&mut bytes);
    T::try_from(bytes.as_slice()).unwrap_or_default()
}
