//! One chunk of an upload: created on a relay, then uploaded to it, each step written down.

use std::io::{self, SeekFrom};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use smp_crypto::PrivateAuthKey;
use smp_protocol::address::XftpAddress;
use smp_protocol::encoding::NonEmpty;
use smp_protocol::id::{ChunkRecipientId, ChunkSenderId};
use smp_protocol::key::{ChunkRecipientKey, ChunkSenderKey};
use smp_protocol::xftp::command::NewChunk;
use smp_protocol::xftp::error::XftpError;
use tokio::io::AsyncSeekExt as _;

use super::journal::{Created, Head, Journal, Party, Step};
use crate::error::{FileError, FileRelayError};
use crate::meter::Meter;
use crate::relays::FileRelays;
use crate::retry::Attempts;

/// Chunks that were created longer ago are uploaded anew, so that all of a file are there for most of the 48 hours that relays keep
/// them.
const MAX_AGE: u64 = 12 * 3600;

/// How far a chunk is.
#[derive(Debug, Clone)]
pub(super) enum ChunkState {
    New,
    Created(Created),
    Uploaded(Created),
}

impl ChunkState {
    /// Where it is, if it exists.
    pub(super) fn created(&self) -> Option<&Created> {
        match self {
            Self::New => None,
            Self::Created(created) | Self::Uploaded(created) => Some(created),
        }
    }

    pub(super) fn forget_old(&mut self, now: u64) {
        if self.created().is_some_and(|created| created.at.saturating_add(MAX_AGE) < now) {
            *self = Self::New;
        }
    }
}

/// Takes a step of the journal.
pub(super) fn take(step: Step, states: &mut [ChunkState]) {
    let number = match &step {
        Step::Created(number, _) | Step::Uploaded(number) => *number as usize,
    };
    let Some(state) = states.get_mut(number) else { return };
    *state = match (step, std::mem::replace(state, ChunkState::New)) {
        (Step::Created(_, created), _) => ChunkState::Created(created),
        (Step::Uploaded(_), ChunkState::Created(created)) => ChunkState::Uploaded(created),
        (Step::Uploaded(_), before) => before,
    };
}

/// The upload that a chunk is of.
pub(super) struct Work<'a> {
    pub(super) head: &'a Head,
    pub(super) journal: &'a Journal,
    pub(super) states: &'a Mutex<Vec<ChunkState>>,
    pub(super) encrypted: &'a Path,
}

impl Work<'_> {
    /// Uploads a chunk to the first of these relays that takes it, unless it is uploaded already.
    pub(super) async fn upload(
        &self,
        number: u32,
        start: u64,
        relays: &FileRelays,
        to: Vec<XftpAddress>,
        meter: &Meter<'_>,
    ) -> Result<(), FileError> {
        let (size, _) = self.chunk(number);
        match self.state(number) {
            ChunkState::Uploaded(_) => {
                meter.add(size.into());
                return Ok(());
            }
            ChunkState::Created(created) => match self.put(number, start, &created, relays, meter).await {
                Ok(()) => return self.note(Step::Uploaded(number), relays).await,
                // It goes to another place, or to this one anew.
                Err(error) => drop(self.local(error)?),
            },
            ChunkState::New => {}
        }
        let mut failure = FileError::NoRelays;
        for relay in to {
            match self.create_and_put(number, start, &relay, relays, meter).await {
                Ok(()) => return Ok(()),
                Err(Failed::Here(error)) => return Err(error),
                Err(Failed::There(error)) => {
                    failure = FileError::Relay { relay: relay.without_password().to_string(), error };
                }
            }
        }
        Err(failure)
    }

    async fn create_and_put(
        &self,
        number: u32,
        start: u64,
        relay: &XftpAddress,
        relays: &FileRelays,
        meter: &Meter<'_>,
    ) -> Result<(), Failed> {
        let created = self.create(number, relay, relays).await.map_err(Failed::There)?;
        self.note(Step::Created(number, created.clone()), relays).await.map_err(Failed::Here)?;
        match self.put(number, start, &created, relays, meter).await {
            Ok(()) => self.note(Step::Uploaded(number), relays).await.map_err(Failed::Here),
            Err(error) => Err(Failed::There(self.local(error).map_err(Failed::Here)?)),
        }
    }

    /// `FNEW`. The keys are in the journal, by the seed that they come from.
    async fn create(
        &self,
        number: u32,
        relay: &XftpAddress,
        relays: &FileRelays,
    ) -> Result<Created, FileRelayError> {
        let (size, digest) = self.chunk(number);
        let key = self.head.chunk_key(number, Party::Sender);
        let recipients = (0..self.head.recipients).map(|recipient| {
            ChunkRecipientKey(self.head.chunk_key(number, Party::Recipient(recipient)).public_key())
        });
        let recipient_keys =
            NonEmpty::new(recipients.collect()).ok_or(FileRelayError::Answer("no recipients"))?;
        let chunk = NewChunk {
            sender_key: ChunkSenderKey(key.public_key()),
            size,
            digest,
            recipient_keys,
            password: relay.0.password.clone(),
        };
        let mut attempts = Attempts::default();
        let (sender, recipients) = loop {
            match try_to_create(relay, relays, chunk.clone(), &key).await {
                Ok(created) => break created,
                Err(error) if attempts.again(&error).await => {}
                Err(error) => return Err(error),
            }
        };
        let at = relays.surroundings().time.unix_seconds();
        Ok(Created { relay: relay.without_password(), sender, recipients, at })
    }

    /// `FPUT`.
    async fn put(
        &self,
        number: u32,
        start: u64,
        created: &Created,
        relays: &FileRelays,
        meter: &Meter<'_>,
    ) -> Result<(), FileRelayError> {
        let mut attempts = Attempts::default();
        loop {
            match self.try_to_put(number, start, created, relays, meter).await {
                Err(error) if attempts.again(&error).await => {}
                put => return put,
            }
        }
    }

    async fn try_to_put(
        &self,
        number: u32,
        start: u64,
        created: &Created,
        relays: &FileRelays,
        meter: &Meter<'_>,
    ) -> Result<(), FileRelayError> {
        let (size, _) = self.chunk(number);
        let key = self.head.chunk_key(number, Party::Sender);
        let client = relays.client(&created.relay).await?;
        let mut content = tokio::fs::File::open(self.encrypted).await?;
        content.seek(SeekFrom::Start(start)).await?;
        let mut attempt = meter.attempt();
        let put =
            client.upload(&created.sender, &key, &mut content, size, &mut |bytes| attempt.add(bytes)).await;
        if put.is_ok() {
            attempt.finish();
        }
        relays.checked(&created.relay, &client, put).await
    }

    /// Passes errors of this machine on as such.
    fn local(&self, error: FileRelayError) -> Result<FileRelayError, FileError> {
        match error {
            FileRelayError::Local(error) => {
                let error = io::Error::new(error.kind(), error.to_string());
                Err(FileError::Local { path: self.encrypted.to_owned(), error })
            }
            FileRelayError::Refused(XftpError::Digest) => Err(FileError::Changed(self.encrypted.to_owned())),
            other => Ok(other),
        }
    }

    /// Writes a step down, and takes it.
    async fn note(&self, step: Step, relays: &FileRelays) -> Result<(), FileError> {
        let (journal, line) = (self.journal.clone(), step.clone());
        let written = relays.surroundings().spawner.spawn_blocking(move || journal.add(&line)).await;
        written
            .unwrap_or_else(|error| Err(io::Error::other(error)))
            .map_err(FileError::local(self.encrypted))?;
        take(step, &mut self.states.lock().unwrap_or_else(PoisonError::into_inner));
        Ok(())
    }

    fn state(&self, number: u32) -> ChunkState {
        let states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
        states.get(number as usize).cloned().unwrap_or(ChunkState::New)
    }

    fn chunk(&self, number: u32) -> (u32, [u8; 32]) {
        self.head.chunks.get(number as usize).copied().unwrap_or_default()
    }
}

async fn try_to_create(
    relay: &XftpAddress,
    relays: &FileRelays,
    chunk: NewChunk,
    key: &PrivateAuthKey,
) -> Result<(ChunkSenderId, NonEmpty<ChunkRecipientId>), FileRelayError> {
    let client = relays.client(relay).await?;
    let created = client.create(chunk, key).await;
    relays.checked(relay, &client, created).await
}

/// Where an attempt failed.
enum Failed {
    /// On this machine.
    Here(FileError),
    /// At a relay; another one may do.
    There(FileRelayError),
}
