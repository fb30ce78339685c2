//! A person's words as message bodies: whole, compressed, or in parts.

use rand::CryptoRng;
use smp_protocol::chat::{
    ChatEvent, ChatMessage, FileOffer, MAX_MESSAGE_LENGTH, MAX_MESSAGE_LENGTH_PQ, MessageContainer,
    MessageContent, Quote, SharedMessageId, compress,
};
use thiserror::Error;

use crate::conversation::Item;

/// Longest text in bytes: it becomes some 80 messages.
pub const MAX_TEXT: usize = 1024 * 1024;

/// Longest quoted content in bytes of JSON; of a longer one the beginning of its text is quoted.
pub const MAX_QUOTED: usize = 2048;

/// Longest quoted text in characters, where the content is too long.
const QUOTED_TEXT: usize = 400;

/// A text that cannot be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TextError {
    /// There is nothing in it.
    #[error("the text is empty; say something")]
    Empty,
    /// It has this many bytes. Send it in parts.
    #[error("the text has {0} bytes, at most {MAX_TEXT} are sent at once; send it in parts")]
    TooLong(usize),
    /// A message has to fit into one of the agent's. Shorten it.
    #[error(
        "the message does not fit into one of the agent's; shorten its text, or make its picture smaller"
    )]
    ContentTooLong,
    /// A change has to fit into one message. Shorten it.
    #[error(
        "the text does not fit into one message, as a change must; shorten it, or send a text of its own"
    )]
    ChangeTooLong,
}

/// A message of ours on its way to the agent.
#[derive(Debug, Clone, PartialEq)]
pub struct Outgoing {
    /// The ID by which both sides will know it.
    pub id: SharedMessageId,
    /// Its content, with the message that it answers.
    pub container: MessageContainer,
    /// The agent's message.
    pub body: Vec<u8>,
}

/// The messages that a text becomes, in their order. A text of up to 15,602 bytes of JSON is one message, as apps do it:
/// compressed where it would not fit otherwise. A longer one is split where its words or lines end; the first part answers `quote`.
/// Each disappears after `ttl` seconds, if that is given. Nothing is compressed for an app that does not read it.
///
/// # Errors
/// [`TextError::Empty`] and [`TextError::TooLong`].
pub fn messages(
    text: &str,
    quote: Option<Quote>,
    ttl: Option<u32>,
    reads_compressed: bool,
    rng: &mut impl CryptoRng,
) -> Result<Vec<Outgoing>, TextError> {
    match text.len() {
        0 => return Err(TextError::Empty),
        length if length > MAX_TEXT => return Err(TextError::TooLong(length)),
        _ => {}
    }
    let mut quote = quote.map(shortened);
    let mut message = |text: &str, quote: Option<Quote>| {
        let mut container = MessageContainer::text(text);
        container.quote = quote;
        container.ttl = ttl;
        let id = SharedMessageId::generate(rng);
        let event = ChatEvent::MessageNew(container.clone());
        let body = ChatMessage::new(Some(id.clone()), event).encode();
        Outgoing { id, container, body }
    };
    let whole = message(text, quote.clone());
    if let Some(body) = fitted(whole.body, reads_compressed) {
        return Ok(vec![Outgoing { body, ..whole }]);
    }
    let frame = message("", quote.clone()).body.len();
    let parts = parts(text, MAX_MESSAGE_LENGTH_PQ - frame);
    Ok(parts.into_iter().map(|part| message(part, quote.take())).collect())
}

/// A message of this content, whatever it is: one, or none if it does not fit. `live`: it is still being typed.
///
/// # Errors
/// [`TextError::ContentTooLong`].
pub fn message(
    id: SharedMessageId,
    content: MessageContent,
    quote: Option<Quote>,
    ttl: Option<u32>,
    live: bool,
    reads_compressed: bool,
) -> Result<Outgoing, TextError> {
    let mut container = MessageContainer::new(content);
    container.quote = quote.map(shortened);
    container.ttl = ttl;
    container.live = live;
    let event = ChatEvent::MessageNew(container.clone());
    let body = fitted(ChatMessage::new(Some(id.clone()), event).encode(), reads_compressed);
    Ok(Outgoing { id, container, body: body.ok_or(TextError::ContentTooLong)? })
}

/// A message that offers a file, with a content of a kind that has one. The description of the file follows in events of its own.
///
/// # Errors
/// [`TextError::ContentTooLong`].
pub fn file(
    id: SharedMessageId,
    content: MessageContent,
    offer: &FileOffer,
    ttl: Option<u32>,
) -> Result<Outgoing, TextError> {
    let mut container = MessageContainer::new(content);
    container.offer(offer);
    container.ttl = ttl;
    let event = ChatEvent::MessageNew(container.clone());
    let body = fitted(ChatMessage::new(Some(id.clone()), event).encode(), true);
    Ok(Outgoing { id, container, body: body.ok_or(TextError::ContentTooLong)? })
}

/// A message of ours once more, as it was written down. None if it is no message, or was taken back.
#[must_use]
pub fn again(item: &Item) -> Option<Outgoing> {
    let (id, container) = (item.shared_id.clone()?, item.container()?.clone());
    let event = ChatEvent::MessageNew(container.clone());
    let body = fitted(ChatMessage::new(Some(id.clone()), event).encode(), true)?;
    Some(Outgoing { id, container, body })
}

/// The body of any other event of ours.
///
/// # Errors
/// [`TextError::ChangeTooLong`] if it does not fit into one message.
pub fn event(event: ChatEvent, rng: &mut impl CryptoRng) -> Result<Vec<u8>, TextError> {
    fitted(short_event(event, rng), true).ok_or(TextError::ChangeTooLong)
}

/// The body of an event that always fits, as it has no words of anybody.
#[must_use]
pub fn short_event(event: ChatEvent, rng: &mut impl CryptoRng) -> Vec<u8> {
    let id = SharedMessageId::generate(rng);
    ChatMessage::new(Some(id), event).encode()
}

/// The body as it is sent. None if it fits neither as it is nor compressed: noise does not get smaller.
fn fitted(body: Vec<u8>, reads_compressed: bool) -> Option<Vec<u8>> {
    match body.len() {
        length if length <= MAX_MESSAGE_LENGTH_PQ => Some(body),
        length if length <= MAX_MESSAGE_LENGTH && reads_compressed => {
            compress(&body).filter(|body| body.len() <= MAX_MESSAGE_LENGTH_PQ)
        }
        _ => None,
    }
}

/// A quote that leaves room for the answer: of a long content only how its text begins.
fn shortened(mut quote: Quote) -> Quote {
    let content = &mut quote.content;
    let other: usize = content.other.values().map(|value| value.to_string().len()).sum();
    let text = content.text.as_deref().unwrap_or_default();
    if other + text.len() > MAX_QUOTED {
        let text = content.display_text();
        let end = text.char_indices().nth(QUOTED_TEXT).map_or(text.len(), |(end, _)| end);
        quote.content = MessageContent::text(&text[..end]);
    }
    quote
}

/// The text in parts that have at most `limit` bytes as JSON each. White space between two parts is left out.
fn parts(text: &str, limit: usize) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let fitting = fitting(rest, limit);
        let end = if fitting == rest.len() { fitting } else { good_end(&rest[..fitting]) };
        let (part, behind) = rest.split_at(end);
        parts.push(part.trim_end());
        rest = behind.trim_start();
    }
    // Nothing but white space is nothing to send.
    parts.retain(|part| !part.is_empty());
    parts
}

/// How many bytes of the text fit, at least one character.
fn fitting(text: &str, limit: usize) -> usize {
    let mut length = 0;
    for (index, character) in text.char_indices() {
        length += json_length(character);
        if length > limit && index > 0 {
            return index;
        }
    }
    text.len()
}

/// Bytes of a character within a JSON string.
fn json_length(character: char) -> usize {
    match character {
        '"' | '\\' | '\n' | '\r' | '\t' | '\u{8}' | '\u{c}' => 2,
        '\0'..='\u{1f}' => 6,
        other => other.len_utf8(),
    }
}

/// Where a part ends best: behind a paragraph, a line, a sentence, a word in its second half, or at its end.
fn good_end(part: &str) -> usize {
    let half = part.len() / 2;
    let ends = ["\n\n", "\n", ". ", " "];
    let found = ends.iter().find_map(|end| part.rfind(end).map(|at| at + end.len()).filter(|at| *at > half));
    // Marks stay with the character that they belong to.
    found.unwrap_or_else(|| {
        let joins = |character: char| matches!(character, '\u{200d}' | '\u{300}'..='\u{36f}' | '\u{fe00}'..='\u{fe0f}' | '\u{1f3fb}'..='\u{1f3ff}');
        part.char_indices().rev().take(8).find(|(index, character)| *index > half && !joins(*character)).map_or(part.len(), |(index, _)| index)
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use smp_protocol::chat::decode_messages;

    use super::*;

    fn texts(messages: &[Outgoing]) -> Vec<String> {
        messages
            .iter()
            .map(|sent| {
                let read = decode_messages(&sent.body).remove(0).unwrap();
                assert_eq!(read.message_id.as_ref(), Some(&sent.id));
                assert_eq!(read.event, ChatEvent::MessageNew(sent.container.clone()));
                let item = Item::of_ours(sent.id.clone(), sent.container.clone(), 0);
                assert_eq!(again(&item).as_ref(), Some(sent));
                sent.container.content.display_text()
            })
            .collect()
    }

    fn sent(text: &str) -> Vec<Outgoing> {
        let messages = messages(text, None, None, true, &mut rand::rng()).unwrap();
        for message in &messages {
            assert!(message.body.len() <= MAX_MESSAGE_LENGTH_PQ, "{}", message.body.len());
        }
        messages
    }

    #[test]
    fn answers_quote_as_much_as_leaves_room_for_them() {
        let content = json!({ "type": "image", "text": "us".repeat(5000), "image": "data:".repeat(3000) });
        let quoted =
            json!({ "v": "1-17", "event": "x.msg.new", "params": { "content": content } }).to_string();
        let mut read = decode_messages(quoted.as_bytes());
        let Ok(ChatMessage { event: ChatEvent::MessageNew(container), .. }) = read.remove(0) else {
            panic!()
        };
        let id = SharedMessageId::from_bytes([7; 12]);
        let item = Item::of_ours(id.clone(), container, 1_764_446_695_465);
        for text in ["yes", &"many words ".repeat(3000)] {
            let sent = messages(text, Some(item.quote().unwrap()), Some(60), true, &mut rand::rng()).unwrap();
            let quote = sent[0].container.quote.clone().unwrap();
            assert_eq!((quote.message.message_id, quote.message.sent), (Some(id.clone()), true));
            assert_eq!(quote.message.sent_at.unix_timestamp_nanos(), 1_764_446_695_465_000_000);
            assert_eq!(quote.content.text.unwrap().chars().count(), QUOTED_TEXT);
            assert!(sent.iter().all(|sent| sent.container.ttl == Some(60)));
            assert!(sent[1..].iter().all(|sent| sent.container.quote.is_none()));
            assert!(sent.iter().all(|sent| sent.body.len() <= MAX_MESSAGE_LENGTH_PQ));
            texts(&sent);
        }
    }

    #[test]
    fn a_change_fits_into_one_message_or_is_refused() {
        let mut item = Item::of_ours(SharedMessageId::from_bytes([7; 12]), MessageContainer::text("a"), 0);
        let body = event(item.edit(&"words ".repeat(2500)).unwrap(), &mut rand::rng()).unwrap();
        assert!(body.len() <= MAX_MESSAGE_LENGTH_PQ && body.starts_with(b"X"));
        let change = item.edit(&"x".repeat(MAX_MESSAGE_LENGTH)).unwrap();
        assert_eq!(event(change, &mut rand::rng()), Err(TextError::ChangeTooLong));
    }

    #[test]
    fn a_text_of_words_is_one_message_up_to_what_apps_take() {
        let words: String = (0..).map(|number| format!("word {number} ")).take(1000).collect();
        for length in [1, 100, 13_000, 13_200, 13_500, 15_000, 15_400] {
            let text = words.repeat(2)[..length].trim().to_owned();
            let bodies = sent(&text);
            assert_eq!(texts(&bodies), [text], "{length}");
            assert_eq!(bodies[0].body.starts_with(b"X"), length > 13_267, "{length}");
        }
        // x as in the sample of a real app.
        assert_eq!(sent(&"x".repeat(15_000)).len(), 1);
        // Nothing is compressed for an app that could not read it.
        let old = messages(&words.repeat(2)[..15_000], None, None, false, &mut rand::rng()).unwrap();
        assert!(old.len() == 2 && old.iter().all(|sent| sent.body.starts_with(b"{")));
    }

    #[test]
    fn a_longer_text_is_split_where_words_end() {
        let text = "A sentence of some words. ".repeat(4000);
        let bodies = sent(&text);
        let parts = texts(&bodies);
        assert_eq!(parts.len(), text.len().div_ceil(13_200));
        assert!(parts.iter().all(|part| part.ends_with("words.") && part.starts_with('A')));
        assert_eq!(parts.join(" "), text.trim());
    }

    #[test]
    fn whatever_is_in_a_text_fits() {
        for text in [
            "\u{1}".repeat(20_000),
            "\"".repeat(20_000),
            "é".repeat(20_000),
            "👩‍👩‍👧".repeat(3000),
            "\n".repeat(20_000) + "x",
        ] {
            let parts = texts(&sent(&text));
            assert!(parts.len() <= 10, "{}", parts.len());
            let kept: String = parts.concat();
            assert_eq!(kept.trim(), text.trim());
        }
        // A text that does not get smaller goes in two.
        let noise: String = (0..15_300_u32)
            .map(|n| char::from(33 + (n.wrapping_mul(2_654_435_761) >> 25) as u8 % 90))
            .collect();
        assert_eq!(texts(&sent(&noise)).concat(), noise);
    }

    #[test]
    fn what_cannot_be_sent_is_said() {
        assert_eq!(messages("", None, None, true, &mut rand::rng()), Err(TextError::Empty));
        assert!(matches!(
            messages(&"x".repeat(MAX_TEXT + 1), None, None, true, &mut rand::rng()),
            Err(TextError::TooLong(_))
        ));
        assert!(
            messages(&"x ".repeat(MAX_TEXT / 2), None, None, true, &mut rand::rng()).unwrap().len() < 100
        );
    }
}
