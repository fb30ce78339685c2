//! `Upload`: a file goes to relays. It has a directory of its own: the encrypted file, and a journal (`journal.rs`) of what was done.
//!
//! It goes on after a crash at any moment: [`Upload::open`] and [`Upload::run`] again. Relays may have a chunk more then than the
//! descriptions name; it goes when it is old.

mod chunk;
mod journal;

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use futures_util::{FutureExt as _, StreamExt as _, TryStreamExt as _, stream};
use rand::Rng as _;
use smp_crypto::{Nonce, SecretBoxKey};
use smp_protocol::address::XftpAddress;
use smp_protocol::encoding::{LargeString, ShortText};
use smp_protocol::id::EntityId;
use smp_protocol::xftp::chunk_size::single_chunk_size;
use smp_protocol::xftp::description::{
    ChunkReplica, DescriptionError, FileChunk, FileChunks, FileDescription, FileParty, Redirect,
};
use smp_protocol::xftp::header::{FileHeader, FileLayout};
use smp_transport::durable::{self, Access};
use smp_transport::surroundings::Surroundings;
use zeroize::Zeroizing;

use self::chunk::ChunkState;
use self::journal::{Head, Journal, Party, Seal};
use crate::delete::delete;
use crate::encrypted::encrypt;
use crate::error::FileError;
use crate::meter::{Meter, Progress};
use crate::relays::FileRelays;

/// The most recipients of a file: their keys fit into one command.
pub const MAX_RECIPIENTS: usize = 128;
/// Chunks that go at the same time.
const PARALLEL: usize = 4;
/// Bytes that are written to the disk at a time.
const BUFFER: usize = 64 * 1024;
/// The longest name of a file in its header, in bytes.
const MAX_NAME: usize = 255;

/// A file that is to be sent.
#[derive(Debug, Clone)]
pub struct ToSend<'a> {
    /// Where it is.
    pub path: &'a Path,
    /// The name that recipients see; only the last component of a path is taken.
    pub name: &'a str,
    /// Descriptions that are wanted, 1 to [`MAX_RECIPIENTS`]. Relays see this number rounded up to a power of two.
    pub recipients: usize,
    /// Words of the application, which [`Upload::data`] gives back; at most 65,535 bytes.
    pub data: &'a [u8],
    /// The key under which the journal is sealed, if it is.
    pub seal: Option<&'a SecretBoxKey>,
}

/// A file that is being sent.
#[derive(Debug)]
pub struct Upload {
    directory: PathBuf,
    head: Head,
    journal: Journal,
    states: Mutex<Vec<ChunkState>>,
}

/// A file that was sent.
#[derive(Debug)]
pub struct Sent {
    /// The sender's description: it deletes the file.
    pub sender: FileDescription,
    /// One for each recipient; those that nobody asked for too.
    pub recipients: Vec<FileDescription>,
}

impl Upload {
    /// Encrypts a file into a directory of its own, which is made, and begins its journal. An encrypted file without a
    /// journal is replaced.
    ///
    /// # Errors
    /// [`FileError`]; nothing was sent then.
    pub async fn begin(
        file: ToSend<'_>,
        directory: &Path,
        surroundings: &Surroundings,
    ) -> Result<Self, FileError> {
        let content = File::open(file.path).map_err(FileError::local(file.path))?;
        let metadata = content.metadata().map_err(FileError::local(file.path))?;
        if !metadata.is_file() {
            let error = io::Error::other("it is not a file");
            return Err(FileError::Local { path: file.path.to_owned(), error });
        }
        let layout = FileLayout::new(&header(file.name), metadata.len())?;
        let data = LargeString::new(file.data.to_vec())?;
        let content = Content { content, length: metadata.len(), layout, redirect: None, data };
        let seal = file.seal.map(|key| Seal::new(key, &surroundings.randomness));
        Self::encrypted(content, seal, file.path, file.recipients, directory, surroundings).await
    }

    /// The same of a description that is too long for a link. The file is one chunk, if it can be.
    ///
    /// # Errors
    /// As of [`begin`](Self::begin).
    pub async fn of_description(
        description: &FileDescription,
        directory: &Path,
        surroundings: &Surroundings,
    ) -> Result<Self, FileError> {
        let text = Zeroizing::new(description.to_yaml());
        let mut layout = FileLayout::new(&header("redirect.yaml"), text.len() as u64)?;
        let needed = layout.encrypted_size() - layout.padding;
        if let Some(size) = single_chunk_size(needed) {
            layout.chunks = vec![size];
            layout.padding = u64::from(size) - needed;
        }
        let redirect = Some(Redirect { size: description.size(), digest: description.digest });
        let content = Content {
            content: io::Cursor::new(text.as_bytes().to_vec()),
            length: text.len() as u64,
            layout,
            redirect,
            data: LargeString::default(),
        };
        Self::encrypted(content, None, directory, 1, directory, surroundings).await
    }

    async fn encrypted(
        content: Content<impl io::Read + Send + 'static>,
        seal: Option<Seal>,
        source: &Path,
        recipients: usize,
        directory: &Path,
        surroundings: &Surroundings,
    ) -> Result<Self, FileError> {
        if !(1..=MAX_RECIPIENTS).contains(&recipients) {
            return Err(FileError::Recipients(MAX_RECIPIENTS));
        }
        let mut rng = surroundings.randomness.rng();
        let mut seed = Zeroizing::new([0; 32]);
        rng.fill_bytes(&mut *seed);
        let (key, nonce) = (SecretBoxKey::generate(&mut rng), Nonce::generate(&mut rng));
        let (source, to) = (source.to_owned(), directory.to_owned());
        // At most 128.
        let recipients = recipients.next_power_of_two() as u8;
        let work = move || write(content, &source, (seed, key, nonce), recipients, to, seal);
        let written = surroundings.spawner.spawn_blocking(work).await;
        written.map_err(|error| FileError::local(directory)(io::Error::other(error)))?
    }

    /// Opens an upload that was begun, under this key if its journal is sealed; `None` if none was. Chunks that relays may have forgotten by now are uploaded again.
    ///
    /// # Errors
    /// [`FileError::Local`], and [`FileError::Journal`] if there is something else.
    pub fn open(
        directory: &Path,
        seal: Option<&SecretBoxKey>,
        surroundings: &Surroundings,
    ) -> Result<Option<Self>, FileError> {
        let path = journal_file(directory);
        let (journal, head, steps) =
            match Journal::open(&path, seal.map(|key| Seal::new(key, &surroundings.randomness))) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
                opened => opened.map_err(FileError::local(&path))?.ok_or_else(|| FileError::Journal(path))?,
            };
        let mut states = vec![ChunkState::New; head.chunks.len()];
        steps.into_iter().for_each(|step| chunk::take(step, &mut states));
        let now = surroundings.time.unix_seconds();
        states.iter_mut().for_each(|state| state.forget_old(now));
        Ok(Some(Self { directory: directory.to_owned(), head, journal, states: Mutex::new(states) }))
    }

    /// Uploads what is not uploaded yet, each chunk to one of these relays, and makes the descriptions. When it fails or is dropped, run it again.
    ///
    /// # Errors
    /// [`FileError`].
    pub async fn run(
        &self,
        relays: &FileRelays,
        to: &[XftpAddress],
        progress: Progress<'_>,
    ) -> Result<Sent, FileError> {
        if to.is_empty() {
            return Err(FileError::NoRelays);
        }
        let meter = Meter::new(self.head.size(), progress);
        let meter = &meter;
        let first = relays.surroundings().randomness.rng().next_u32() as usize;
        let encrypted = encrypted_file(&self.directory);
        let work = chunk::Work {
            head: &self.head,
            journal: &self.journal,
            states: &self.states,
            encrypted: &encrypted,
        };
        let work = &work;
        let mut start = 0;
        let mut uploads = Vec::with_capacity(self.head.chunks.len());
        for (number, (size, _)) in (0_u32..).zip(&self.head.chunks) {
            // Relays in turn, from any of them on; the others stand by.
            let turn = first.wrapping_add(number as usize) % to.len();
            uploads
                .push(work.upload(number, start, relays, [&to[turn..], &to[..turn]].concat(), meter).boxed());
            start += u64::from(*size);
        }
        stream::iter(uploads).buffer_unordered(PARALLEL).try_collect::<Vec<()>>().await?;
        self.sent()
    }

    fn sent(&self) -> Result<Sent, FileError> {
        let states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
        let recipients =
            (0..self.head.recipients).map(|number| self.described(Party::Recipient(number), &states));
        Ok(Sent {
            sender: self.described(Party::Sender, &states)?,
            recipients: recipients.collect::<Result<_, _>>()?,
        })
    }

    /// The description of the chunks that exist, for one party.
    fn described(&self, party: Party, states: &[ChunkState]) -> Result<FileDescription, FileError> {
        let chunks =
            (0_u32..).zip(states).zip(&self.head.chunks).filter_map(|((number, state), (size, digest))| {
                let created = state.created()?;
                let id: EntityId = match party {
                    Party::Sender => (&created.sender).into(),
                    Party::Recipient(number) => {
                        created.recipients.as_slice().get(usize::from(number))?.into()
                    }
                };
                let key = self.head.chunk_key(number, party);
                let replicas = vec![ChunkReplica { relay: created.relay.clone(), id, key }];
                Some(FileChunk { size: *size, digest: *digest, replicas })
            });
        let (chunk_size, _) = self.head.chunks.first().ok_or(DescriptionError::Chunks)?;
        Ok(FileDescription {
            party: if party == Party::Sender { FileParty::Sender } else { FileParty::Recipient },
            digest: self.head.digest,
            key: self.head.key.clone(),
            nonce: self.head.nonce,
            chunk_size: *chunk_size,
            chunks: FileChunks::new(chunks.collect())?,
            // A sender deletes what was sent, not what it leads to.
            redirect: self.head.redirect.clone().filter(|_| party != Party::Sender),
        })
    }

    /// Gives the file up: deletes the chunks that were uploaded already, and what is on this machine.
    ///
    /// # Errors
    /// [`FileError`]; call it again then.
    pub async fn cancel(self, relays: &FileRelays) -> Result<(), FileError> {
        let created = {
            let states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
            let any = states.iter().any(|state| state.created().is_some());
            any.then(|| self.described(Party::Sender, &states)).transpose()?
        };
        if let Some(created) = created {
            delete(&created, relays, &|_, _| {}).await?;
        }
        self.forget()
    }

    /// Removes what is on this machine of an upload that is done. Keep the descriptions before.
    ///
    /// # Errors
    /// [`FileError::Local`].
    pub fn forget(self) -> Result<(), FileError> {
        // The other way round an upload would be left that cannot go on.
        for file in [journal_file(&self.directory), encrypted_file(&self.directory)] {
            durable::remove(&file).map_err(FileError::local(file))?;
        }
        match std::fs::remove_dir(&self.directory) {
            // Its owner keeps other things there.
            Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => Ok(()),
            removed => removed.map_err(FileError::local(self.directory)),
        }
    }

    /// Whether all chunks are uploaded: [`run`](Self::run) sends nothing more then.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        let states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
        states.iter().all(|state| matches!(state, ChunkState::Uploaded(_)))
    }

    /// Descriptions for recipients that there will be.
    #[must_use]
    pub fn recipients(&self) -> usize {
        usize::from(self.head.recipients)
    }

    /// Words of the application, as they were given at the beginning.
    #[must_use]
    pub fn data(&self) -> &[u8] {
        self.head.data.as_bytes()
    }

    /// Bytes of the encrypted file.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.head.size()
    }
}

/// Content that is to be encrypted.
struct Content<R> {
    content: R,
    length: u64,
    layout: FileLayout,
    redirect: Option<Redirect>,
    data: LargeString<'static>,
}

/// Encrypts, and begins the journal when the encrypted file is whole.
fn write(
    mut content: Content<impl io::Read>,
    source: &Path,
    (seed, key, nonce): (Zeroizing<[u8; 32]>, SecretBoxKey, Nonce),
    recipients: u8,
    directory: PathBuf,
    seal: Option<Seal>,
) -> Result<Upload, FileError> {
    let path = encrypted_file(&directory);
    durable::make_dir(&directory).map_err(FileError::local(&directory))?;
    let file = durable::Unfinished::create(&path, Access::Owner).map_err(FileError::local(&path))?;
    let mut out = BufWriter::with_capacity(BUFFER, file);
    let layout = content.layout;
    let mut reader = BufReader::new(&mut content.content);
    let digests = encrypt(&mut reader, content.length, &layout, (&key, &nonce), &mut out);
    let digests = digests.map_err(|error| match error.kind() {
        io::ErrorKind::InvalidData => FileError::Changed(source.to_owned()),
        _ => FileError::Local { path: path.clone(), error },
    })?;
    let written = out.flush().and_then(|()| out.into_inner().map_err(io::Error::from)?.finish());
    written.map_err(FileError::local(&path))?;
    let chunks = layout.chunks.iter().copied().zip(digests.chunks).collect::<Vec<_>>();
    let states = Mutex::new(vec![ChunkState::New; chunks.len()]);
    let head = Head {
        seed,
        key,
        nonce,
        digest: digests.file,
        recipients,
        chunks,
        redirect: content.redirect,
        data: content.data,
    };
    let path = journal_file(&directory);
    let journal = Journal::create(&path, &head, seal).map_err(FileError::local(path))?;
    Ok(Upload { directory, head, journal, states })
}

fn encrypted_file(directory: &Path) -> PathBuf {
    directory.join("encrypted")
}

fn journal_file(directory: &Path) -> PathBuf {
    directory.join("journal")
}

/// The header of a file: the last component of its name, cut where it is too long.
fn header(name: &str) -> FileHeader {
    let name = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let mut length = name.len().min(MAX_NAME);
    while !name.is_char_boundary(length) {
        length -= 1;
    }
    FileHeader { name: ShortText::new(name[..length].to_owned()).unwrap_or_default(), extra: None }
}
