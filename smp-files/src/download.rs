//! `Download`: a file comes from relays, into an encrypted file beside the place where it is to be.
//!
//! That file is all there is of a download: after a crash the chunks in it that have their digests are not asked for again. It has the
//! file's content only encrypted, and is removed when the decrypted one has its name.

use std::fs::File;
use std::io::{self, BufReader, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use futures_util::{FutureExt as _, StreamExt as _, TryStreamExt as _, stream};
use smp_crypto::hash::Sha256Stream;
use smp_protocol::xftp::description::{
    ChunkReplica, DescriptionError, FileChunk, FileDescription, FileParty, MAX_DESCRIPTION_BYTES,
};
use smp_transport::durable::{self, Access, UNFINISHED, with_end};
use smp_transport::surroundings::Spawner;
use tokio::io::AsyncSeekExt as _;

use crate::client::ChunkToGet;
use crate::encrypted::{DecryptError, decrypt};
use crate::error::{FileError, FileRelayError};
use crate::meter::{Meter, Progress};
use crate::name;
use crate::relays::FileRelays;
use crate::retry::Attempts;

/// Chunks that come at the same time.
const PARALLEL: usize = 4;
/// Bytes that are read from the disk at a time.
const PIECE: usize = 64 * 1024;
/// Bytes of a file's digest in the name of what was received of it.
const NAME_BYTES: usize = 12;

/// Where a received file is put.
#[derive(Debug, Clone, Copy)]
pub enum Target<'a> {
    /// Into this directory, under the name that its sender gave it, or one like it that is free.
    Directory(&'a Path),
    /// Here; a file that is there is an error.
    File(&'a Path),
}

/// A file to be received.
#[derive(Debug)]
pub struct Download {
    description: FileDescription,
    /// The directory of its part, on the same file system as the place where it is to be.
    directory: PathBuf,
}

impl Download {
    /// A download whose part is kept in this directory. Nothing is done yet.
    ///
    /// # Errors
    /// [`DescriptionError::Party`] for the description of a sender.
    pub fn new(description: FileDescription, directory: &Path) -> Result<Self, FileError> {
        match description.party {
            FileParty::Recipient => Ok(Self { description, directory: directory.to_owned() }),
            party @ FileParty::Sender => Err(DescriptionError::Party(party).into()),
        }
    }

    /// Receives the file and gives it its name, which it says. Only when that is there the file is; dropped or failed before, it goes
    /// on where it was when it is run again.
    ///
    /// # Errors
    /// [`FileError`].
    pub async fn run(
        self,
        relays: &FileRelays,
        target: Target<'_>,
        progress: Progress<'_>,
    ) -> Result<PathBuf, FileError> {
        if let Target::File(path) = target
            && path.exists()
        {
            return Err(FileError::Local {
                path: path.to_owned(),
                error: io::ErrorKind::AlreadyExists.into(),
            });
        }
        let spawner = relays.surroundings().spawner.clone();
        let download = self.followed(relays, &spawner).await?;
        let part = download.fetch(relays, &spawner, progress).await?;
        let description = download.description;
        let plain = with_end(&part, UNFINISHED);
        let (encrypted, decrypted) = (part.clone(), plain.clone());
        let work = move || decrypt_file(&encrypted, &description, &decrypted);
        let name = blocking(&spawner, &part, work).await?;
        // Before the file has its name: a crash in between costs another download, and the file is never there twice.
        durable::remove(&part).map_err(FileError::local(&part))?;
        let placed = match target {
            Target::Directory(directory) => name::place(&plain, directory, &name),
            Target::File(path) => durable::rename(&plain, path).map(|()| path.to_owned()),
        };
        placed.map_err(FileError::local(plain))
    }

    /// The download of the file that is meant, if the description leads to another one.
    async fn followed(self, relays: &FileRelays, spawner: &Spawner) -> Result<Self, FileError> {
        let Some(redirect) = self.description.redirect.clone() else { return Ok(self) };
        if self.description.size() > MAX_DESCRIPTION_BYTES as u64 * 4 {
            return Err(FileError::Redirect("it is too large for a description"));
        }
        let part = self.fetch(relays, spawner, &|_, _| {}).await?;
        let (encrypted, description) = (part.clone(), self.description.clone());
        let text = blocking(spawner, &part, move || decrypt_text(&encrypted, &description)).await?;
        let description = FileDescription::for_recipient(&text)?;
        if description.redirect.is_some() {
            return Err(FileError::Redirect("it leads to a third one"));
        }
        if (description.size(), description.digest) != (redirect.size, redirect.digest) {
            return Err(FileError::Redirect("it is about another file"));
        }
        durable::remove(&part).map_err(FileError::local(&part))?;
        Self::new(description, &self.directory)
    }

    /// Gets the chunks that are not there yet, and says where the encrypted file is then.
    async fn fetch(
        &self,
        relays: &FileRelays,
        spawner: &Spawner,
        progress: Progress<'_>,
    ) -> Result<PathBuf, FileError> {
        let part = self.part();
        let chunks: Vec<(u64, FileChunk)> = placed(self.description.chunks.as_slice()).collect();
        let (path, size, known) = (part.clone(), self.description.size(), chunks.clone());
        let missing =
            blocking(spawner, &part, move || open(&path, size, &known).map_err(FileError::local(&path)))
                .await?;
        let meter = Meter::new(size, progress);
        let (mut fetching, mut wanted) = (Vec::new(), 0);
        let (part_path, meter) = (&part, &meter);
        for ((start, chunk), _) in chunks.iter().zip(&missing).filter(|(_, missing)| **missing) {
            wanted += u64::from(chunk.size);
            fetching.push(fetch_chunk(relays, part_path, *start, chunk, meter).boxed());
        }
        meter.add(size - wanted);
        stream::iter(fetching).buffer_unordered(PARALLEL).try_collect::<Vec<()>>().await?;
        Ok(part)
    }

    /// Found again by the digest: a description is the same after a crash.
    fn part(&self) -> PathBuf {
        let digest: String =
            self.description.digest.iter().take(NAME_BYTES).map(|byte| format!("{byte:02x}")).collect();
        self.directory.join(format!(".{digest}.part"))
    }
}

/// Chunks with the places where they begin.
fn placed(chunks: &[FileChunk]) -> impl Iterator<Item = (u64, FileChunk)> {
    chunks.iter().scan(0, |end, chunk| {
        let start = *end;
        *end += u64::from(chunk.size);
        Some((start, chunk.clone()))
    })
}

/// Opens the part, or makes it, and says which chunks it lacks.
fn open(path: &Path, size: u64, chunks: &[(u64, FileChunk)]) -> io::Result<Vec<bool>> {
    let mut file = durable::open(path)?;
    let is_known = file.metadata()?.len() == size;
    if !is_known {
        file.set_len(0)?;
        file.set_len(size)?;
        return Ok(vec![true; chunks.len()]);
    }
    let mut buffer = vec![0; PIECE];
    chunks.iter().map(|(start, chunk)| Ok(!is_there(&mut file, *start, chunk, &mut buffer)?)).collect()
}

fn is_there(file: &mut File, start: u64, chunk: &FileChunk, buffer: &mut [u8]) -> io::Result<bool> {
    file.seek(SeekFrom::Start(start))?;
    let (mut hash, mut left) = (Sha256Stream::new(), chunk.size as usize);
    while left > 0 {
        let count = left.min(buffer.len());
        let piece = &mut buffer[..count];
        file.read_exact(piece)?;
        hash.update(piece);
        left -= count;
    }
    Ok(hash.finish() == chunk.digest)
}

/// Gets a chunk from the first relay that gives it.
async fn fetch_chunk(
    relays: &FileRelays,
    part: &Path,
    start: u64,
    chunk: &FileChunk,
    meter: &Meter<'_>,
) -> Result<(), FileError> {
    let mut failure = FileError::NoRelays;
    for replica in &chunk.replicas {
        let mut attempts = Attempts::default();
        let error = loop {
            match fetch_replica(relays, part, start, chunk, replica, meter).await {
                Ok(()) => return Ok(()),
                Err(error) if attempts.again(&error).await => {}
                Err(error) => break error,
            }
        };
        failure = match error {
            FileRelayError::Local(error) => {
                let error = io::Error::new(error.kind(), error.to_string());
                return Err(FileError::Local { path: part.to_owned(), error });
            }
            error => FileError::Relay { relay: replica.relay.without_password().to_string(), error },
        };
    }
    Err(failure)
}

async fn fetch_replica(
    relays: &FileRelays,
    part: &Path,
    start: u64,
    chunk: &FileChunk,
    replica: &ChunkReplica,
    meter: &Meter<'_>,
) -> Result<(), FileRelayError> {
    let client = relays.client(&replica.relay).await?;
    let mut file = tokio::fs::OpenOptions::new().write(true).open(part).await?;
    file.seek(SeekFrom::Start(start)).await?;
    let to_get = ChunkToGet { id: &replica.id, key: &replica.key, size: chunk.size, digest: &chunk.digest };
    let mut attempt = meter.attempt();
    let got = client.download(to_get, &mut file, &mut |bytes| attempt.add(bytes)).await;
    if got.is_ok() {
        attempt.finish();
    }
    relays.checked(&replica.relay, &client, got).await
}

/// Decrypts into a file that has not its name yet, and returns the name that the sender gave it.
fn decrypt_file(part: &Path, description: &FileDescription, plain: &Path) -> Result<String, FileError> {
    let encrypted = File::open(part).map_err(FileError::local(part))?;
    durable::remove(plain).map_err(FileError::local(plain))?;
    let mut out = durable::create_new(plain, Access::Owner).map_err(FileError::local(plain))?;
    match decrypt(&mut BufReader::new(encrypted), description, &mut out) {
        Ok(header) => {
            out.sync_all().map_err(FileError::local(plain))?;
            Ok(header.name.as_str().to_owned())
        }
        Err(error) => {
            drop(out);
            durable::remove(plain).map_err(FileError::local(plain))?;
            Err(refused(error, part, plain))
        }
    }
}

fn decrypt_text(part: &Path, description: &FileDescription) -> Result<String, FileError> {
    let encrypted = File::open(part).map_err(FileError::local(part))?;
    let mut text = Vec::new();
    decrypt(&mut BufReader::new(encrypted), description, &mut text)
        .map_err(|error| refused(error, part, part))?;
    String::from_utf8(text).map_err(|_| FileError::Redirect("it is no text"))
}

/// A file that is not that of its description goes: it would not become another one.
fn refused(error: DecryptError, part: &Path, plain: &Path) -> FileError {
    match error {
        DecryptError::Read(error) => FileError::Local { path: part.to_owned(), error },
        DecryptError::Write(error) => FileError::Local { path: plain.to_owned(), error },
        DecryptError::Digest | DecryptError::Undecryptable => match (durable::remove(part), error) {
            (Err(error), _) => FileError::Local { path: part.to_owned(), error },
            (Ok(()), DecryptError::Digest) => FileError::Digest,
            (Ok(()), _) => FileError::Undecryptable,
        },
    }
}

/// Runs work with files where it may wait.
async fn blocking<T: Send + 'static>(
    spawner: &Spawner,
    path: &Path,
    work: impl FnOnce() -> Result<T, FileError> + Send + 'static,
) -> Result<T, FileError> {
    spawner
        .spawn_blocking(work)
        .await
        .map_err(|error| FileError::Local { path: path.to_owned(), error: io::Error::other(error) })?
}
