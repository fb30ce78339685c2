//! `messages/xx/yy/...`: the messages of a relay that keeps them in journals. The directories of a queue put together are
//! its recipient ID. In the last one are a state file ([`super::queue_state`]) and one or two files of messages.

use std::{
    fs::{self, File, ReadDir},
    io::{self, BufReader, Read as _, Seek as _, SeekFrom},
    path::{Path, PathBuf},
};

use smp_protocol::id::RecipientId;

use super::{
    fields::{Fields, Result as LineResult, Wrong, id},
    lines::{Line, Lines},
    message,
    messages::Messages,
    queue_state::{Position, QueueState},
    report::{Damaged, ImportError, ReadCounts},
};
use crate::store::{QueueId, Store};

/// Directories within each other; a relay makes five.
const MAX_DEPTH: usize = 8;
/// From the end of a state file; a line has about 200 bytes, but a file may have thousands.
const STATE_TAIL: u64 = 8 << 10;

/// Reads all journals below a directory into the store.
pub(super) async fn import(
    path: &Path,
    store: &dyn Store,
    damaged: &mut Damaged,
) -> Result<ReadCounts, ImportError> {
    let mut importer = Importer { store, damaged, messages: Messages::new(store) };
    let mut open = vec![read_dir(path)?];
    while let Some(entries) = open.last_mut() {
        let Some(entry) = entries.next() else {
            open.pop();
            continue;
        };
        let failed = |error| ImportError::Read(path.to_path_buf(), error);
        let entry = entry.map_err(failed)?;
        // A link could lead anywhere: it is neither.
        let kind = entry.file_type().map_err(failed)?;
        if kind.is_dir() && open.len() < MAX_DEPTH {
            open.push(read_dir(&entry.path())?);
        } else if kind.is_file()
            && let Some(queue) = entry.file_name().to_str().and_then(state_of)
        {
            importer.import_queue(&entry.path(), queue).await?;
        }
    }
    importer.messages.flush().await?;
    Ok(importer.messages.counts)
}

fn read_dir(path: &Path) -> Result<ReadDir, ImportError> {
    fs::read_dir(path).map_err(|error| ImportError::Read(path.to_path_buf(), error))
}

/// The recipient ID in the name of a state file. Its copy, `.bak`, is there only if the relay died while it shortened it.
fn state_of(name: &str) -> Option<&str> {
    let name = name.strip_prefix("queue_state.")?;
    name.strip_suffix(".log").or_else(|| name.strip_suffix(".log.bak"))
}

struct Importer<'a> {
    store: &'a dyn Store,
    damaged: &'a mut Damaged,
    messages: Messages<'a>,
}

impl Importer<'_> {
    async fn import_queue(&mut self, path: &Path, queue: &str) -> Result<(), ImportError> {
        let backup = path.with_extension("log.bak");
        if path.extension().is_some_and(|extension| extension == "log") && backup.exists() {
            // Then the copy is what counts, and it has a turn of its own.
            return Ok(());
        }
        let Some(queue) = self.damaged.check(path, 1, id::<RecipientId>(queue.as_bytes()))? else {
            return Ok(());
        };
        if self.store.find_queue(QueueId::Recipient(&queue)).await?.is_none() {
            self.messages.counts.orphans += 1;
            return Ok(());
        }
        let state = read_state(path).map_err(|error| ImportError::Read(path.to_path_buf(), error))?;
        match self.damaged.check(path, 1, state)? {
            Some(Some(state)) if state.size > 0 => self.import_messages(path, &queue, &state).await,
            _ => Ok(()),
        }
    }

    async fn import_messages(
        &mut self,
        path: &Path,
        queue: &RecipientId,
        state: &QueueState,
    ) -> Result<(), ImportError> {
        let mut count = self.read_journal(path, queue, &state.read).await?;
        if !state.is_one_file() {
            let from_start = Position { messages: 0, bytes: 0, ..state.write.clone() };
            count += self.read_journal(path, queue, &from_start).await?;
        }
        if count != state.size {
            let reason = format!("the queue has {} messages, but {count} can be read", state.size);
            self.damaged.note(path, 1, reason)?;
        }
        Ok(())
    }

    /// Reads messages from a position to the end that counts; returns how many.
    async fn read_journal(
        &mut self,
        state_path: &Path,
        queue: &RecipientId,
        from: &Position,
    ) -> Result<u64, ImportError> {
        let path = journal_path(state_path, &from.journal);
        let failed = |error| ImportError::Read(path.clone(), error);
        let mut file = match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.damaged.note(&path, 1, "the file is missing")?;
                return Ok(0);
            }
            file => file.map_err(failed)?,
        };
        file.seek(SeekFrom::Start(from.bytes)).map_err(failed)?;
        let rest = file.take(from.byte_count.saturating_sub(from.bytes));
        let mut lines = Lines::after(from.messages, BufReader::new(rest));
        let mut count = 0;
        while let Some(line) = lines.advance().map_err(failed)? {
            let message = match line {
                Line::Whole => message::read(Fields::of(lines.line())),
                Line::TooLong => Err(Wrong("the line is too long")),
                Line::CutOff => Err(Wrong("the line is cut off")),
            };
            if let Some(message) = self.damaged.check(&path, lines.number(), message)? {
                self.messages.push(queue, message).await?;
                count += 1;
            }
        }
        Ok(count)
    }
}

fn journal_path(state_path: &Path, journal: &str) -> PathBuf {
    state_path.with_file_name(format!("messages.{journal}.log"))
}

/// The state in the last line, or, if that was not finished, in the line before. None if the file is empty, or has only an
/// unfinished line: then nothing was ever taken from the queue's sender.
fn read_state(path: &Path) -> io::Result<LineResult<Option<QueueState>>> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(STATE_TAIL)))?;
    let mut tail = Vec::new();
    file.take(STATE_TAIL).read_to_end(&mut tail)?;
    Ok(last_state(&tail))
}

fn last_state(tail: &[u8]) -> LineResult<Option<QueueState>> {
    let is_finished = tail.last().is_none_or(|byte| *byte == b'\n');
    let mut lines = tail.split(|byte| *byte == b'\n').rev().filter(|line| !line.is_empty());
    match lines.next().map(QueueState::read) {
        // Only the line break is missing, or everything is there.
        Some(Ok(state)) => Ok(Some(state)),
        Some(Err(_)) if !is_finished => lines.next().map(QueueState::read).transpose(),
        other => other.transpose(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FIRST: &str = "write=A,1,1,9,9 read=A,0,1,0,9 canWrite=T size=1\n";
    const SECOND: &str = "write=A,1,1,9,9 read=A,1,1,9,9 canWrite=T size=0\n";

    fn size(text: &str) -> Option<u64> {
        last_state(text.as_bytes()).unwrap().map(|state| state.size)
    }

    #[test]
    fn the_last_whole_line_counts() {
        assert_eq!(size(""), None);
        assert_eq!(size(FIRST), Some(1));
        assert_eq!(size(&[FIRST, SECOND].concat()), Some(0));
        assert_eq!(size(&[FIRST, SECOND.trim_end()].concat()), Some(0));
        assert_eq!(size(&[FIRST, &SECOND[..SECOND.len() - 2]].concat()), Some(1));
        assert_eq!(size(&SECOND[..20]), None);
        assert!(last_state([FIRST, "damaged\n"].concat().as_bytes()).is_err());
    }

    #[test]
    fn state_files_are_told_from_their_old_copies() {
        assert_eq!(state_of("queue_state.AAAA.log"), Some("AAAA"));
        assert_eq!(state_of("queue_state.AAAA.log.bak"), Some("AAAA"));
        assert_eq!(state_of("messages.AAAA.log"), None);
        let copy = state_of("queue_state.AAAA.log.2026-11-22T03:29:31Z.bak");
        assert_eq!(copy, None);
    }

    proptest! {
        #[test]
        fn any_bytes_do_no_harm(bytes: Vec<u8>) {
            let _ = last_state(&bytes);
        }
    }
}
