//! `smp-server-messages.log`: what a relay that keeps messages in memory wrote when it was stopped, one message in a line
//! behind the ID of its queue.

use std::{fs::File, io::BufReader, path::Path};

use smp_protocol::id::RecipientId;

use super::{
    fields::{Fields, Result as LineResult, Wrong, id},
    lines::{Line, Lines},
    message,
    messages::Messages,
    report::{Damaged, ImportError, ReadCounts},
};
use crate::store::{Message, Store};

/// Reads a whole file into the store.
pub(super) async fn import(
    path: &Path,
    store: &dyn Store,
    damaged: &mut Damaged,
) -> Result<ReadCounts, ImportError> {
    let failed = |error| ImportError::Read(path.to_path_buf(), error);
    let mut lines = Lines::new(BufReader::new(File::open(path).map_err(failed)?));
    let mut messages = Messages::new(store);
    while let Some(line) = lines.advance().map_err(failed)? {
        let record = match line {
            Line::Whole if lines.line().is_empty() => continue,
            Line::Whole => read(lines.line()),
            Line::TooLong => Err(Wrong("the line is too long")),
            Line::CutOff => Err(Wrong("the line is cut off")),
        };
        if let Some((queue, message)) = damaged.check(path, lines.number(), record)? {
            messages.push(&queue, message).await?;
        }
    }
    messages.flush().await?;
    Ok(messages.counts)
}

fn read(line: &[u8]) -> LineResult<(RecipientId, Message)> {
    let mut fields = Fields::of(line);
    if fields.next()? != b"v3" {
        return Err(Wrong("unknown version of the record"));
    }
    let queue = id(fields.next()?)?;
    Ok((queue, message::read(fields)?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lines_have_a_version_a_queue_and_a_message() {
        let (queue, message) = read(b"v3 BBBB AAAA 7 flags=F AQI=").unwrap();
        assert_eq!((queue.as_bytes().len(), message.timestamp), (3, 7));
        for line in ["", "v3", "v2 BBBB AAAA 7 flags=F AQI=", "v3 BBBB", "v3  AAAA 7 flags=F AQI="] {
            assert!(read(line.as_bytes()).is_err(), "{line}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_do_no_harm(bytes: Vec<u8>) {
            let _ = read(&bytes);
            let _ = read(&[b"v3 ", &bytes[..]].concat());
        }
    }
}
