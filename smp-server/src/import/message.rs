//! A message in text: in the memory store's file and in journals.

use super::fields::{Fields, Result, Wrong, bytes, id, number};
use crate::store::{MAX_BODY_BYTES, Message, MessageContent};

/// Reads the rest of a line as a message.
pub(super) fn read(mut fields: Fields<'_>) -> Result<Message> {
    let id = id(fields.next()?)?;
    let timestamp = number(fields.next()?)?;
    // A relay of an older version wrote no flags.
    let flags = fields.optional("flags=");
    let last = fields.next()?;
    fields.end()?;
    let content = match (flags, last) {
        (None, b"quota") => MessageContent::QuotaMarker,
        _ => MessageContent::Sent { notification: notification(flags)?, body: body(last)? },
    };
    Ok(Message { id, timestamp, content })
}

/// Bytes behind the first letter are for later versions.
fn notification(flags: Option<&[u8]>) -> Result<bool> {
    match flags.map(<[u8]>::first) {
        None | Some(Some(b'F')) => Ok(false),
        Some(Some(b'T')) => Ok(true),
        Some(_) => Err(Wrong("unknown flags of a message")),
    }
}

fn body(text: &[u8]) -> Result<Vec<u8>> {
    let body = bytes(text)?;
    if body.len() > MAX_BODY_BYTES {
        return Err(Wrong("a message is too large"));
    }
    Ok(body)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str) -> Result<Message> {
        read(Fields::of(text.as_bytes()))
    }

    #[test]
    fn messages_are_read() {
        let message = parse("AAAA 1795318146 flags=T AQI=").unwrap();
        assert_eq!(message.timestamp, 1_795_318_146);
        assert!(message.content == MessageContent::Sent { notification: true, body: vec![1, 2] });
        let old = parse("AAAA 1795318146 AQI=").unwrap();
        assert!(old.content == MessageContent::Sent { notification: false, body: vec![1, 2] });
        let empty = parse("AAAA 1795318146 flags=F ").unwrap();
        assert!(empty.content == MessageContent::Sent { notification: false, body: vec![] });
        assert!(parse("AAAA 1795318146 quota").unwrap().is_quota_marker());
    }

    #[test]
    fn what_is_wrong_is_refused() {
        let long = format!("AAAA 1 flags=F {}", "AAAA".repeat(MAX_BODY_BYTES / 3 + 1));
        for text in [
            "",
            "AAAA",
            "AAAA 1",
            "AAAA x flags=F AQI=",
            "AAAA -1 flags=F AQI=",
            "AAAA 1 flags=X AQI=",
            "AAAA 1 flags= AQI=",
            "AAAA 1 flags=F",
            "AAAA 1 flags=F AQI",
            "AAAA 1 flags=F AQI= more",
            " 1 flags=F AQI=",
            &long,
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_do_no_harm(bytes: Vec<u8>) {
            let _ = read(Fields::of(&bytes));
        }
    }
}
