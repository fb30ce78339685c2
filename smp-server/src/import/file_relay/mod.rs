//! Takes over a file relay of the reference implementation: its identity, so that the address stays, its settings, and chunks with their
//! records.
//!
//! | file of the old relay | read by |
//! |---|---|
//! | `file-server.ini` | `settings` |
//! | `ca.crt`, `server.crt`, `server.key`, `fingerprint`, `ca.key` if it is there | [`smp_transport::identity::files`] |
//! | `file-server-store.log` | `log` |
//! | the directory of its chunks, as its settings name it | copied, each checked by its digest |
//!
//! The new relay listens where the old one did, and takes no queues.

mod log;
mod settings;

use std::{
    collections::HashMap,
    fs::{self, File},
    io::{BufReader, Read as _},
    path::{Path, PathBuf},
};

use smp_protocol::{address::XftpAddress, id::ChunkSenderId, xftp::error::XftpError};
use smp_transport::{durable, identity, surroundings::Spawner};
use time::OffsetDateTime;

use super::{
    Options, configuration,
    fields::Wrong,
    files::{copy_identity, write_new},
    lines::{Line, Lines},
    report::{Damaged, ImportError},
};
use crate::{
    config::{CONFIG_FILE, Config},
    files::{Bodies, Change, ChunkId, Outcome, Records, RecordsError, SqliteRecords},
    relay::RECORDS,
};
use log::Record;
use settings::Settings;

/// Name of the old configuration file.
pub(super) const INI: &str = "file-server.ini";
/// Name of the old log.
const STORE_LOG: &str = "file-server-store.log";

/// Bytes of a chunk that are copied at a time.
const PIECE: usize = 64 << 10;

/// The outcome of an import of files, or of a trial.
#[derive(Debug)]
#[non_exhaustive]
pub struct FilesReport {
    /// The address for files: the same as before.
    pub address: XftpAddress,
    /// Chunks in the new relay, uploaded or not.
    pub chunks: u64,
    /// Bytes of those that were uploaded.
    pub bytes: u64,
    /// Records that were read.
    pub records: u64,
    /// Records about chunks that are blocked, or that do not exist any more.
    pub ignored_records: u64,
    /// Damaged records and chunks that were left out.
    pub damaged: Damaged,
    /// Notes for the operator, sentence by sentence: settings without a counterpart.
    pub notes: Vec<String>,
    /// Whether the key of the offline certificate was there and was copied.
    pub has_authority_key: bool,
}

/// Whether a configuration directory is that of a file relay.
#[must_use]
pub fn is_of_files(from_config: &Path) -> bool {
    from_config.join(INI).exists()
}

pub(super) async fn import_into(
    dir: &Path,
    options: &Options,
    now: OffsetDateTime,
) -> Result<FilesReport, ImportError> {
    let ini = options.from_config.join(INI);
    let text = fs::read_to_string(&ini).map_err(|error| ImportError::Read(ini.clone(), error))?;
    let Settings { toml, chunks, notes } = settings::read(&ini, &text)?;
    durable::make_dir(dir).map_err(|error| ImportError::Write(dir.to_path_buf(), error))?;
    write_new(&dir.join(CONFIG_FILE), &toml)?;
    let config = configuration(&toml, dir)?;
    let identity = identity::files::load(&options.from_config, now)?;
    let has_authority_key = copy_identity(&options.from_config, &config.identity.path)?;
    let port = config.server.listen.first().map_or(0, std::net::SocketAddr::port);
    let address = config.files_address(identity.fingerprint(), None, port)?;
    let mut import = Import::begin(&config, Damaged::new(options.skip_damaged)).await?;
    let read = import.run(&options.from_data.join(STORE_LOG), &chunks).await;
    let totals = import.records.totals().await;
    import.records.close().await.map_err(records)?;
    read?;
    let totals = totals.map_err(records)?;
    Ok(FilesReport {
        address,
        chunks: totals.chunks,
        bytes: totals.bytes,
        records: import.read,
        ignored_records: import.ignored,
        damaged: import.damaged,
        notes,
        has_authority_key,
    })
}

fn records(error: RecordsError) -> ImportError {
    ImportError::Records(error.to_string())
}

struct Import {
    records: SqliteRecords,
    bodies: Bodies,
    damaged: Damaged,
    /// Files of chunks that were uploaded and not deleted, and the lines that say so.
    uploaded: HashMap<ChunkSenderId, (PathBuf, u64)>,
    read: u64,
    ignored: u64,
}

impl Import {
    async fn begin(config: &Config, damaged: Damaged) -> Result<Self, ImportError> {
        let (directory, spawner) = (&config.files.path, Spawner::current());
        let failed = |error| ImportError::Write(directory.clone(), error);
        durable::make_dir(directory).map_err(failed)?;
        // Nobody is told anything before the end; closing flushes.
        let records = SqliteRecords::open(&directory.join(RECORDS), false, &spawner).await?;
        let bodies = Bodies::open(directory, true, spawner).map_err(failed)?;
        Ok(Self { records, bodies, damaged, uploaded: HashMap::new(), read: 0, ignored: 0 })
    }

    /// The log first: most chunks of it are gone again at its end.
    async fn run(&mut self, log: &Path, chunks: &Path) -> Result<(), ImportError> {
        let failed = |error| ImportError::Read(log.to_path_buf(), error);
        let mut lines = Lines::new(BufReader::new(File::open(log).map_err(failed)?));
        while let Some(line) = lines.advance().map_err(failed)? {
            let record = match line {
                Line::Whole if lines.line().is_empty() => continue,
                Line::Whole => log::read(lines.line()),
                Line::TooLong => Err(Wrong("the line is too long")),
                Line::CutOff => Err(Wrong("the line is cut off")),
            };
            self.read += 1;
            let record = match record {
                Ok(record) if self.is_again(&record).await? => Err(Wrong("the chunk was created before")),
                record => record,
            };
            if let Some(record) = self.damaged.check(log, lines.number(), record)? {
                self.apply(record, lines.number()).await?;
            }
        }
        for (sender_id, (path, line)) in std::mem::take(&mut self.uploaded) {
            // The directory may have been moved since.
            let name = path.file_name().map_or_else(|| path.clone(), |name| chunks.join(name));
            let copied = self.copy(&sender_id, &name).await?;
            if self.damaged.check(log, line, copied)?.is_none() {
                self.change(Change::Delete(sender_id, 0)).await?;
            }
        }
        Ok(())
    }

    /// Whether a record creates a chunk that exists.
    async fn is_again(&self, record: &Record) -> Result<bool, ImportError> {
        let Record::Change(Change::Create(chunk, _)) = record else { return Ok(false) };
        let found = self.records.find(ChunkId::Sender(chunk.sender_id.as_bytes())).await;
        Ok(found.map_err(records)?.is_some())
    }

    async fn apply(&mut self, record: Record, line: u64) -> Result<(), ImportError> {
        let outcome = match record {
            Record::Blocked(sender_id) | Record::Deleted(sender_id) => {
                self.uploaded.remove(&sender_id);
                match self.change(Change::Delete(sender_id, 0)).await? {
                    Outcome::Removed(removed) if removed.is_empty() => Outcome::Unknown,
                    other => other,
                }
            }
            Record::Uploaded(sender_id, path) => {
                self.uploaded.insert(sender_id, (path, line));
                Outcome::Done
            }
            Record::Change(change) => self.change(change).await?,
        };
        self.ignored += u64::from(outcome == Outcome::Unknown);
        Ok(())
    }

    async fn change(&self, change: Change) -> Result<Outcome, ImportError> {
        self.records.change(change).await.map_err(records)
    }

    /// Copies the file of a chunk, if it is whole and the right one.
    async fn copy(
        &mut self,
        sender_id: &ChunkSenderId,
        path: &Path,
    ) -> Result<Result<(), Wrong>, ImportError> {
        let found = self.records.find(ChunkId::Sender(sender_id.as_bytes())).await;
        let Some(found) = found.map_err(records)? else {
            self.ignored += 1;
            return Ok(Ok(()));
        };
        let Ok(mut file) = File::open(path) else {
            return Ok(Err(Wrong("the file of the chunk is missing")));
        };
        let written = |error| match error {
            XftpError::Size => Ok(Err(Wrong("the file of the chunk has another size"))),
            XftpError::Digest => Ok(Err(Wrong("the file of the chunk has another digest"))),
            _ => Err(ImportError::Write(
                self.bodies.directory().to_path_buf(),
                std::io::Error::other("a chunk cannot be written"),
            )),
        };
        let mut upload = match self.bodies.create(sender_id, found.chunk.size, found.chunk.digest).await {
            Ok(upload) => upload,
            Err(error) => return written(error),
        };
        let mut piece = vec![0; PIECE];
        loop {
            let length =
                file.read(&mut piece).map_err(|error| ImportError::Read(path.to_path_buf(), error))?;
            if length == 0 {
                break;
            }
            if let Err(error) = upload.write(&piece[..length]).await {
                return written(error);
            }
        }
        match self.bodies.finish(upload, sender_id).await {
            Ok(()) => self.change(Change::SetUploaded(sender_id.clone())).await.map(|_| Ok(())),
            Err(error) => written(error),
        }
    }
}
