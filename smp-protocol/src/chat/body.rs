//! The forms of a body: one JSON message, a batch, or either of them compressed.

use serde_json::Value;

use super::compression::decompress_parts;
use super::{ChatError, ChatMessage};
use crate::encoding::{LargeString, NonEmpty, from_bytes};

/// The most messages that are read from one body. A SimpleX application puts some dozens into one.
pub const MAX_MESSAGES: usize = 1000;

/// Reads all messages of a body, each for itself: one that cannot be read does not cost the others.
///
/// The result has at least one item, and at most [`MAX_MESSAGES`] plus one that says that there were more. The forms:
/// `{` one message; `[` a JSON array; `=` a binary list; `X` compressed parts, each in one of the other forms.
#[must_use]
pub fn decode_messages(body: &[u8]) -> Vec<Result<ChatMessage, ChatError>> {
    let mut messages = Vec::new();
    match body {
        [b'X', compressed @ ..] => match decompress_parts(compressed) {
            Ok(parts) => parts.iter().for_each(|part| decode_plain(part, &mut messages)),
            Err(error) => messages.push(Err(error)),
        },
        _ => decode_plain(body, &mut messages),
    }
    if messages.len() > MAX_MESSAGES {
        messages.truncate(MAX_MESSAGES);
        messages.push(Err(ChatError::TooMany));
    }
    messages
}

/// Adds the messages of an uncompressed body, up to one more than [`MAX_MESSAGES`].
fn decode_plain(body: &[u8], messages: &mut Vec<Result<ChatMessage, ChatError>>) {
    let room = (MAX_MESSAGES + 1).saturating_sub(messages.len());
    match body {
        _ if room == 0 => {}
        [b'[', ..] => match serde_json::from_slice::<Vec<Value>>(body) {
            Ok(values) if values.is_empty() => messages.push(Err(ChatError::Empty)),
            Ok(values) => messages.extend(values.into_iter().take(room).map(ChatMessage::from_value)),
            Err(_) => messages.push(Err(ChatError::Batch)),
        },
        [b'=', list @ ..] => match from_bytes::<NonEmpty<LargeString<'_>>>(list) {
            Ok(list) => messages.extend(list.iter().map(|item| decode_one(item.as_bytes()))),
            Err(_) => messages.push(Err(ChatError::Batch)),
        },
        _ => messages.push(decode_one(body)),
    }
}

fn decode_one(body: &[u8]) -> Result<ChatMessage, ChatError> {
    match body.first() {
        None => Err(ChatError::Empty),
        Some(b'{') => ChatMessage::from_json(body),
        // File chunks, signed and forwarded messages of groups.
        Some(&form @ (b'F' | b'/' | b'>')) => Err(ChatError::UnsupportedForm(char::from(form))),
        Some(&other) => Err(ChatError::UnknownForm(other)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::{ChatEvent, MessageContainer};

    fn text(message: &Result<ChatMessage, ChatError>) -> String {
        match &message.as_ref().unwrap().event {
            ChatEvent::MessageNew(container) => container.content.display_text(),
            other => panic!("{other:?}"),
        }
    }

    fn message(text: &str) -> String {
        String::from_utf8(
            ChatMessage::new(None, ChatEvent::MessageNew(MessageContainer::text(text))).encode(),
        )
        .unwrap()
    }

    #[test]
    fn json_batch_reads_each_message_for_itself() {
        let body = format!("[{},{{\"event\":1}},{}]", message("a"), message("b"));
        let read = decode_messages(body.as_bytes());
        assert_eq!((text(&read[0]), text(&read[2])), ("a".into(), "b".into()));
        assert!(matches!(read[1], Err(ChatError::Invalid(_))));
        assert_eq!(read.len(), 3);
        assert_eq!(decode_messages(b"[]"), [Err(ChatError::Empty)]);
        assert_eq!(decode_messages(b"[{]"), [Err(ChatError::Batch)]);
    }

    #[test]
    fn binary_batch() {
        let mut body = b"=\x02".to_vec();
        for text in ["a", "b"] {
            let message = message(text);
            body.extend((message.len() as u16).to_be_bytes());
            body.extend(message.as_bytes());
        }
        let read = decode_messages(&body);
        assert_eq!(read.iter().map(text).collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(decode_messages(b"=\x00"), [Err(ChatError::Batch)]);
        assert_eq!(decode_messages(b"=\x01\x00\x00"), [Err(ChatError::Empty)]);
    }

    #[test]
    fn compressed_batch_as_an_application_sends_it() {
        let body = hex::decode("580131007428b52ffd60c2015503007246161c6089350684c06fd919f92013d00f1890beda2cdcdc9fc2998e22b002cff38c1073ef80d6995e47f75c97c41ed73de598c3b6106b39dda82b186c8573be4e193d5d78c981284c40481a750c943a37200cb6d30103609c33c70400495e4ae0b487ca54655c2a0a").unwrap();
        let read = decode_messages(&body);
        assert_eq!(read.len(), 1);
        assert_eq!(text(&read[0]), "a long text ".repeat(50));
        assert_eq!(read[0].as_ref().unwrap().versions.to_string(), "1-16");
        let plain =
            [b"X\x01".as_slice(), b"0", &[message("hi").len() as u8], message("hi").as_bytes()].concat();
        assert_eq!(text(&decode_messages(&plain)[0]), "hi");
        // Compressed inside of compressed is no form.
        assert_eq!(decode_messages(b"X\x010\x01X"), [Err(ChatError::UnknownForm(b'X'))]);
    }

    #[test]
    fn other_forms() {
        assert_eq!(decode_messages(b""), [Err(ChatError::Empty)]);
        assert_eq!(decode_messages(b"F\0\0"), [Err(ChatError::UnsupportedForm('F'))]);
        assert_eq!(decode_messages(b"\x01"), [Err(ChatError::UnknownForm(1))]);
    }

    #[test]
    fn the_number_of_messages_is_bounded() {
        let body = format!("[{}1]", "1,".repeat(5000));
        let read = decode_messages(body.as_bytes());
        assert_eq!(read.len(), MAX_MESSAGES + 1);
        assert_eq!(read.last(), Some(&Err(ChatError::TooMany)));
        // Also over several parts of a compressed message.
        let part = [&b"0"[..], &[251], format!("[{}1]", "1,".repeat(124)).as_bytes()].concat();
        let read = decode_messages(&[&[b'X', 12][..], &part.repeat(12)].concat());
        assert_eq!(read.len(), MAX_MESSAGES + 1);
        assert_eq!(read.last(), Some(&Err(ChatError::TooMany)));
    }
}
