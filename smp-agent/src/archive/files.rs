//! Files of an application in an archive, in front of the agent's database.
//!
//! The number of files in one byte; of each the length of its name in one byte, the name, the length of its content in 8 bytes
//! (big-endian), and the content.

use super::content::{CopyError, Opening};
use super::error::{ArchiveError, about};
use smp_transport::durable::{Access, Unfinished};
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// The most files of an application in an archive.
pub(super) const MAX_FILES: usize = 16;

/// A file of the application's own that is in an archive beside the agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArchivedFile {
    /// Its name in the archive: 1 to 255 bytes, and another one than those of the others.
    pub name: String,
    /// Its place. A file that is there is replaced when it is made.
    pub path: PathBuf,
}

impl ArchivedFile {
    /// A file under this name.
    pub fn new(name: impl Into<String>, path: impl Into<PathBuf>) -> Self {
        Self { name: name.into(), path: path.into() }
    }
}

/// The files, as they stand in the content. Nobody may write to them meanwhile.
pub(super) fn reader(files: &[ArchivedFile]) -> Result<Box<dyn Read>, ArchiveError> {
    let count = u8::try_from(files.len()).ok().filter(|count| usize::from(*count) <= MAX_FILES);
    let count = count.ok_or(ArchiveError::Files)?;
    let mut all: Box<dyn Read> = Box::new(io::Cursor::new([count]));
    for ArchivedFile { name, path } in files {
        let length = u8::try_from(name.len()).ok().filter(|length| *length > 0).ok_or(ArchiveError::Files)?;
        let file = File::open(path).map_err(about(path))?;
        let size = file.metadata().map_err(about(path))?.len();
        let mut head = vec![length];
        head.extend_from_slice(name.as_bytes());
        head.extend_from_slice(&size.to_be_bytes());
        all = Box::new(all.chain(io::Cursor::new(head)).chain(Whole { file, left: size }));
    }
    Ok(all)
}

/// A file of which a known number of bytes is read: neither fewer nor more.
struct Whole {
    file: File,
    left: u64,
}

impl Read for Whole {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let wanted = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        let count = self.file.read(&mut buffer[..wanted])?;
        if count == 0 && wanted > 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.left -= count as u64;
        Ok(count)
    }
}

/// Makes those files that are wanted and in the content; others in it are passed over. They are not in their places before they are
/// [finished](Unfinished::finish).
pub(super) fn restore<R: Read>(
    content: &mut Opening<'_, R>,
    wanted: &[ArchivedFile],
    archive: &Path,
) -> Result<Vec<(PathBuf, Unfinished)>, ArchiveError> {
    let reading = |error: CopyError| error.name(about(archive), about(archive));
    let count = content.bytes(1).map_err(reading)?[0];
    if usize::from(count) > MAX_FILES {
        return Err(ArchiveError::Damaged);
    }
    let mut restored = Vec::new();
    for _ in 0..count {
        let length = content.bytes(1).map_err(reading)?[0];
        let name = content.bytes(length.into()).map_err(reading)?;
        let size = content.bytes(8).map_err(reading)?;
        let size = u64::from_be_bytes(size[..].try_into().map_err(|_| ArchiveError::Damaged)?);
        match wanted.iter().find(|file| file.name.as_bytes() == &name[..]) {
            Some(ArchivedFile { path, .. }) => {
                let mut file = Unfinished::create(path, Access::Owner).map_err(about(path))?;
                content.copy(size, &mut file).map_err(|error| error.name(about(archive), about(path)))?;
                restored.push((path.clone(), file));
            }
            None => content.copy(size, &mut io::sink()).map_err(reading)?,
        }
    }
    Ok(restored)
}
