//! Questions as they are sent over the control socket.

use std::{fmt, str::FromStr};

use smp_protocol::{
    base64url,
    encoding::Reader,
    error::{BlockingInfo, ErrorType},
};

/// Longest question and its line break, in bytes: an ID can have 255 bytes.
pub(super) const MAX_QUESTION: u64 = 512;

/// Longest ID, in bytes.
const MAX_ID: usize = 255;

/// Which queue an operator means: the ID that its sender uses, or the ID of its short link.
#[derive(Clone, PartialEq, Eq)]
pub struct QueueId(Vec<u8>);

impl QueueId {
    /// An ID of 1 to 255 bytes.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Option<Self> {
        (1..=MAX_ID).contains(&bytes.len()).then(|| Self(bytes.to_vec()))
    }

    /// Its bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for QueueId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "QueueId({} bytes)", self.0.len())
    }
}

/// Reads base64url.
impl FromStr for QueueId {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        base64url::decode(text).ok().and_then(|bytes| Self::new(&bytes)).ok_or(())
    }
}

/// An operator's order about a queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum QueueOrder {
    /// It accepts and delivers nothing; whoever uses it is told why.
    Block(BlockingInfo),
    /// It is as it was before it was blocked.
    Unblock,
    /// It and its messages are gone.
    Delete,
}

/// A question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Question {
    Status,
    Queue(QueueId, QueueOrder),
}

impl Question {
    /// Reads a line; `None` if it is no question.
    pub(crate) fn read(line: &str) -> Option<Self> {
        let mut words = line.trim_end().splitn(3, ' ');
        let (name, id, rest) = (words.next()?, words.next(), words.next());
        match (name, id, rest) {
            ("status", None, None) => Some(Self::Status),
            ("block", Some(id), Some(info)) => {
                Some(Self::Queue(id.parse().ok()?, QueueOrder::Block(blocking_info(info)?)))
            }
            ("unblock", Some(id), None) => Some(Self::Queue(id.parse().ok()?, QueueOrder::Unblock)),
            ("delete", Some(id), None) => Some(Self::Queue(id.parse().ok()?, QueueOrder::Delete)),
            _ => None,
        }
    }
}

impl fmt::Display for Question {
    /// The line without its line break.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Queue(id, order) = self else { return f.write_str("status") };
        let id = base64url::encode(id.as_bytes());
        match order {
            QueueOrder::Block(info) => write!(f, "block {id} {info}"),
            QueueOrder::Unblock => write!(f, "unblock {id}"),
            QueueOrder::Delete => write!(f, "delete {id}"),
        }
    }
}

/// Reads the text of blocking information as it stands in `BLOCKED`.
fn blocking_info(text: &str) -> Option<BlockingInfo> {
    let error = format!("BLOCKED {text}");
    let mut input = Reader::new(error.as_bytes());
    match ErrorType::decode(&mut input) {
        Ok(ErrorType::Blocked(info)) if input.is_empty() => Some(info),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use smp_protocol::error::{BlockingReason, ClientNotice};

    use super::*;

    #[test]
    fn questions_are_read_as_they_are_written() {
        let id = || QueueId::new(&[0xfb; 24]).unwrap();
        let notices = [None, Some(ClientNotice { ttl: None }), Some(ClientNotice { ttl: Some(60) })];
        let blocks = notices.map(|notice| {
            Question::Queue(id(), QueueOrder::Block(BlockingInfo { reason: BlockingReason::Spam, notice }))
        });
        let others = [
            Question::Status,
            Question::Queue(QueueId::new(&[1; MAX_ID]).unwrap(), QueueOrder::Unblock),
            Question::Queue(id(), QueueOrder::Delete),
        ];
        for question in blocks.into_iter().chain(others) {
            let line = format!("{question}\n");
            assert!((line.len() as u64) <= MAX_QUESTION);
            assert_eq!(Question::read(&line), Some(question), "{line}");
        }
    }

    #[test]
    fn other_lines_are_no_questions() {
        for line in [
            "",
            "stat",
            "status now",
            "block",
            "block AAAA",
            "block AAAA reason=fun",
            "block AAAA reason=spam and more",
            "block !!!! reason=spam",
            "unblock",
            "unblock  ",
            "delete AAAA BBBB",
        ] {
            assert_eq!(Question::read(line), None, "{line}");
        }
    }
}
