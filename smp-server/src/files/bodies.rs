//! `Bodies`: chunks as files, each named by its sender ID.
//!
//! Invariant: a file in `chunks` is a whole chunk, as its digest says. While it is being written it is in `incoming`, and goes if that ends
//! before it is whole. So what a process that died has left is in `incoming`, or is noted in the records.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use smp_crypto::hash::Sha256Stream;
use smp_protocol::base64url;
use smp_protocol::id::ChunkSenderId;
use smp_protocol::xftp::command::ChunkDigest;
use smp_protocol::xftp::error::XftpError;
use smp_transport::durable::{self, Access};
use smp_transport::surroundings::Spawner;
use tokio::fs::File;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// Bytes that a file holds in memory between the network and the disk.
const BUFFER: usize = 64 * 1024;

/// The directory of whole chunks.
const CHUNKS: &str = "chunks";

/// The directory of chunks that are being uploaded.
const INCOMING: &str = "incoming";

pub(crate) struct Bodies {
    chunks: PathBuf,
    incoming: PathBuf,
    fsync: bool,
    spawner: Spawner,
    /// Uploads so far: of one chunk there may be several at the same time.
    uploads: AtomicU64,
}

/// A chunk that is being written.
pub(crate) struct Upload {
    file: File,
    path: PathBuf,
    is_finished: bool,
    hash: Sha256Stream,
    missing: u32,
    digest: ChunkDigest,
}

/// A chunk that is being read.
pub(super) struct Download {
    file: File,
    missing: u32,
}

impl Bodies {
    /// Makes the directories, and removes what an earlier process has not finished. Without `fsync` an upload that was answered
    /// survives the end of the process, not that of the machine.
    pub(crate) fn open(directory: &Path, fsync: bool, spawner: Spawner) -> io::Result<Self> {
        let (chunks, incoming) = (directory.join(CHUNKS), directory.join(INCOMING));
        durable::make_dir(&chunks)?;
        durable::make_dir(&incoming)?;
        clear(&incoming)?;
        Ok(Self { chunks, incoming, fsync, spawner, uploads: AtomicU64::new(0) })
    }

    /// Removes all chunks: there are no records of any.
    pub(super) fn clear(&self) -> io::Result<()> {
        clear(&self.chunks)
    }

    /// The directory of whole chunks.
    pub(crate) fn directory(&self) -> &Path {
        &self.chunks
    }

    fn path(&self, sender_id: &ChunkSenderId) -> PathBuf {
        self.chunks.join(base64url::encode_unpadded(sender_id.as_bytes()))
    }

    /// Begins to write a chunk.
    pub(crate) async fn create(
        &self,
        sender_id: &ChunkSenderId,
        size: u32,
        digest: ChunkDigest,
    ) -> Result<Upload, XftpError> {
        let number = self.uploads.fetch_add(1, Ordering::Relaxed);
        let id = base64url::encode_unpadded(sender_id.as_bytes());
        let path = self.incoming.join(format!("{id}.{number}"));
        let created = path.clone();
        let file = self.blocking(move || durable::create_new(&created, Access::Owner)).await?;
        let mut file = File::from_std(file);
        file.set_max_buf_size(BUFFER);
        let hash = Sha256Stream::new();
        Ok(Upload { file, path, is_finished: false, hash, missing: size, digest })
    }

    /// Gives a chunk its name, if it is whole and the right one. One that is there already has the same content.
    pub(crate) async fn finish(
        &self,
        mut upload: Upload,
        sender_id: &ChunkSenderId,
    ) -> Result<(), XftpError> {
        if upload.missing > 0 {
            return Err(XftpError::Size);
        }
        if std::mem::take(&mut upload.hash).finish() != upload.digest {
            return Err(XftpError::Digest);
        }
        upload.file.flush().await.map_err(failed)?;
        let file = upload.file.try_clone().await.map_err(failed)?.into_std().await;
        let (from, to, fsync) = (upload.path.clone(), self.path(sender_id), self.fsync);
        let work = move || match fsync {
            true => file.sync_all().and_then(|()| durable::rename(&from, &to)),
            false => std::fs::rename(&from, &to),
        };
        self.blocking(work).await?;
        upload.is_finished = true;
        Ok(())
    }

    /// Begins to read a chunk.
    pub(super) async fn read(&self, sender_id: &ChunkSenderId, size: u32) -> Result<Download, XftpError> {
        let mut file = File::open(self.path(sender_id)).await.map_err(failed)?;
        file.set_max_buf_size(BUFFER);
        Ok(Download { file, missing: size })
    }

    /// Removes a chunk, if it is there; says whether it is gone.
    pub(super) async fn remove(&self, sender_id: &ChunkSenderId) -> bool {
        let path = self.path(sender_id);
        self.blocking(move || durable::remove(&path)).await.is_ok()
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> Result<T, XftpError> {
        match self.spawner.spawn_blocking(work).await {
            Ok(done) => done.map_err(failed),
            Err(_) => Err(XftpError::Internal),
        }
    }
}

impl Upload {
    /// Writes the next bytes.
    pub(crate) async fn write(&mut self, bytes: &[u8]) -> Result<(), XftpError> {
        let length = u32::try_from(bytes.len()).map_err(|_| XftpError::Size)?;
        self.missing = self.missing.checked_sub(length).ok_or(XftpError::Size)?;
        self.hash.update(bytes);
        self.file.write_all(bytes).await.map_err(failed)
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        if !self.is_finished {
            // If that fails it goes when the relay starts again.
            let _ = durable::remove(&self.path);
        }
    }
}

impl Download {
    /// The next bytes, as many as there are up to the size of the buffer; none at the end.
    pub(super) async fn next<'b>(&mut self, buffer: &'b mut [u8]) -> Result<&'b mut [u8], XftpError> {
        let wanted = buffer.len().min(usize::try_from(self.missing).unwrap_or(usize::MAX));
        let buffer = &mut buffer[..wanted];
        self.file.read_exact(buffer).await.map_err(failed)?;
        self.missing -= u32::try_from(wanted).unwrap_or(self.missing);
        Ok(buffer)
    }
}

/// Removes the files of chunks in a directory, whole or not. Others are of somebody else.
fn clear(directory: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        if is_of_chunk(&path) {
            durable::remove(&path)?;
        }
    }
    Ok(())
}

/// Whether a name is that of a chunk: 16 bytes in base64url, and the number of an upload if it is one.
fn is_of_chunk(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let (id, number) = name.split_once('.').unwrap_or((name, "0"));
    base64url::decode(id).is_ok_and(|id| id.len() == 16) && number.parse::<u64>().is_ok()
}

/// Nothing of it is told: a path has an ID in it.
fn failed(error: io::Error) -> XftpError {
    tracing::warn!(kind = %error.kind(), "a chunk could not be written or read");
    XftpError::FileIo
}
