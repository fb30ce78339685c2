//! A person's words as message bodies: whole, compressed, or in parts.

use rand::CryptoRng;
use smp_protocol::chat::{
    ChatEvent, ChatMessage, MAX_MESSAGE_LENGTH, MAX_MESSAGE_LENGTH_PQ, MessageContainer, SharedMessageId,
    compress,
};
use thiserror::Error;

/// Longest text in bytes: it becomes some 80 messages.
pub(crate) const MAX_TEXT: usize = 1024 * 1024;

/// A text that cannot be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(crate) enum TextError {
    #[error("the text is empty; say something")]
    Empty,
    #[error("the text has {0} bytes, at most {MAX_TEXT} are sent at once; send it in parts")]
    TooLong(usize),
}

/// The bodies of the messages that a text becomes, in their order. A text of up to 15,602 bytes of JSON is one message, as apps do it:
/// compressed where it would not fit otherwise. A longer one is split where its words or lines end.
pub(crate) fn bodies(text: &str, rng: &mut impl CryptoRng) -> Result<Vec<Vec<u8>>, TextError> {
    match text.len() {
        0 => return Err(TextError::Empty),
        length if length > MAX_TEXT => return Err(TextError::TooLong(length)),
        _ => {}
    }
    let whole = body(text, rng);
    if whole.len() <= MAX_MESSAGE_LENGTH_PQ {
        return Ok(vec![whole]);
    }
    if whole.len() <= MAX_MESSAGE_LENGTH {
        // Noise does not get smaller.
        if let Some(compressed) = compress(&whole).filter(|body| body.len() <= MAX_MESSAGE_LENGTH_PQ) {
            return Ok(vec![compressed]);
        }
    }
    let frame = body("", rng).len();
    Ok(parts(text, MAX_MESSAGE_LENGTH_PQ - frame).into_iter().map(|part| body(part, rng)).collect())
}

fn body(text: &str, rng: &mut impl CryptoRng) -> Vec<u8> {
    let event = ChatEvent::MessageNew(MessageContainer::text(text));
    ChatMessage::new(Some(SharedMessageId::generate(rng)), event).encode()
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
    use smp_protocol::chat::decode_messages;

    use super::*;

    fn texts(bodies: &[Vec<u8>]) -> Vec<String> {
        bodies
            .iter()
            .map(|body| match decode_messages(body).remove(0).unwrap().event {
                ChatEvent::MessageNew(container) => container.content.display_text(),
                other => panic!("{other:?}"),
            })
            .collect()
    }

    fn sent(text: &str) -> Vec<Vec<u8>> {
        let bodies = bodies(text, &mut rand::rng()).unwrap();
        for body in &bodies {
            assert!(body.len() <= MAX_MESSAGE_LENGTH_PQ, "{}", body.len());
        }
        bodies
    }

    #[test]
    fn a_text_of_words_is_one_message_up_to_what_apps_take() {
        let words: String = (0..).map(|number| format!("word {number} ")).take(1000).collect();
        for length in [1, 100, 13_000, 13_200, 13_500, 15_000, 15_400] {
            let text = words.repeat(2)[..length].trim().to_owned();
            let bodies = sent(&text);
            assert_eq!(texts(&bodies), [text], "{length}");
            assert_eq!(bodies[0].starts_with(b"X"), length > 13_267, "{length}");
        }
        // x as in the sample of a real app.
        assert_eq!(sent(&"x".repeat(15_000)).len(), 1);
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
        assert_eq!(bodies("", &mut rand::rng()), Err(TextError::Empty));
        assert!(matches!(bodies(&"x".repeat(MAX_TEXT + 1), &mut rand::rng()), Err(TextError::TooLong(_))));
        assert!(bodies(&"x ".repeat(MAX_TEXT / 2), &mut rand::rng()).unwrap().len() < 100);
    }
}
