//! The last line of `queue_state.<recipient ID>.log` in a queue's journal directory: which of its messages were read.

use super::fields::{Fields, Result, Wrong, number};

/// Where in one of the two files of a queue something is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Position {
    /// Part of the file's name.
    pub(super) journal: String,
    /// Messages before it.
    pub(super) messages: u64,
    /// Messages in the file.
    pub(super) message_count: u64,
    /// Bytes before it.
    pub(super) bytes: u64,
    /// Bytes of the file that count; what is behind was being written when the machine stopped.
    pub(super) byte_count: u64,
}

/// Where the next message is read and written. Both files are the same one mostly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct QueueState {
    /// Behind the last message that was written.
    pub(super) write: Position,
    /// Before the first message that was not taken.
    pub(super) read: Position,
    /// Messages in the queue.
    pub(super) size: u64,
}

impl QueueState {
    pub(super) fn read(line: &[u8]) -> Result<Self> {
        let mut fields = Fields::of(line);
        let write = position(fields.named("write=")?)?;
        let read = position(fields.named("read=")?)?;
        if !matches!(fields.named("canWrite=")?, b"T" | b"F") {
            return Err(Wrong("neither T nor F"));
        }
        let size = number(fields.named("size=")?)?;
        fields.end()?;
        let state = Self { write, read, size };
        if state.is_possible() { Ok(state) } else { Err(Wrong("numbers that contradict each other")) }
    }

    /// Whether there is one file only.
    pub(super) fn is_one_file(&self) -> bool {
        self.read.journal == self.write.journal
    }

    fn is_possible(&self) -> bool {
        let Self { write, read, size } = self;
        let unread = read.message_count.checked_sub(read.messages);
        let is_at_end = write.messages == write.message_count && write.bytes == write.byte_count;
        let is_before_end = read.bytes <= read.byte_count;
        let expected = if self.is_one_file() {
            let is_same = read.message_count == write.message_count && read.byte_count == write.byte_count;
            unread.filter(|_| is_same)
        } else {
            unread.and_then(|unread| unread.checked_add(write.message_count))
        };
        is_at_end && is_before_end && expected == Some(*size)
    }
}

fn position(text: &[u8]) -> Result<Position> {
    let mut parts = text.split(|byte| *byte == b',');
    let journal = journal(parts.next().unwrap_or_default())?;
    let mut next = || number(parts.next().ok_or(Wrong("a number is missing"))?);
    let position =
        Position { journal, messages: next()?, message_count: next()?, bytes: next()?, byte_count: next()? };
    if parts.next().is_some() { Err(Wrong("more numbers than expected")) } else { Ok(position) }
}

/// It becomes a part of a file's name: nothing else than base64url.
fn journal(text: &[u8]) -> Result<String> {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'=');
    if text.is_empty() || text.len() > 100 || !text.iter().all(is_plain) {
        return Err(Wrong("wrong name of a journal"));
    }
    Ok(String::from_utf8_lossy(text).into_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Result<QueueState> {
        QueueState::read(text.as_bytes())
    }

    #[test]
    fn one_file_and_two_files_are_read() {
        let state = read("write=AAAA,3,3,300,300 read=AAAA,1,3,100,300 canWrite=T size=2").unwrap();
        assert!(state.is_one_file());
        assert_eq!((state.read.messages, state.read.bytes, state.size), (1, 100, 2));
        let state = read("write=BBBB,2,2,200,200 read=AAAA,1,3,100,300 canWrite=F size=4").unwrap();
        assert!(!state.is_one_file());
    }

    #[test]
    fn what_cannot_be_is_refused() {
        for text in [
            "",
            "write=A,1,1,9,9",
            "write=A,1,1,9,9 read=A,0,1,0,9 canWrite=T",
            "write=A,1,1,9,9 read=A,0,1,0,9 canWrite=X size=1",
            "write=A,1,1,9,9 read=A,0,1,0,9 canWrite=T size=2",
            "write=A,1,1,9,9 read=A,2,1,0,9 canWrite=T size=1",
            "write=A,1,1,9,9 read=A,0,1,10,9 canWrite=T size=1",
            "write=A,1,1,9,9 read=A,0,1,0,8 canWrite=T size=1",
            "write=A,0,1,9,9 read=A,0,1,0,9 canWrite=T size=1",
            "write=../A,1,1,9,9 read=../A,0,1,0,9 canWrite=T size=1",
            "write=A,1,1,9 read=A,0,1,0,9 canWrite=T size=1",
            "write=A,1,1,9,9,9 read=A,0,1,0,9 canWrite=T size=1",
            "write=B,18446744073709551615,18446744073709551615,9,9 read=A,0,1,0,9 canWrite=T size=0",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_do_no_harm(bytes: Vec<u8>) {
            let _ = QueueState::read(&bytes);
        }

        #[test]
        fn almost_right_lines_do_no_harm(
            text in "write=[AB],[0-9]{1,20}(,[0-9]{1,3}){3} read=[AB](,[0-9]{1,3}){4} canWrite=[TF] size=[0-9]{1,3}"
        ) {
            let _ = read(&text);
        }
    }
}
