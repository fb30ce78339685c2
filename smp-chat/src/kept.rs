//! An event as it is kept: the JSON of a chat message that is only this event.

use smp_protocol::chat::{ChatEvent, ChatMessage, decode_messages};

/// The event as text.
pub(crate) fn written(event: ChatEvent) -> String {
    String::from_utf8_lossy(&ChatMessage::new(None, event).encode()).into_owned()
}

/// An event that was kept; none if it is not understood.
pub(crate) fn read(text: &str) -> Option<ChatEvent> {
    decode_messages(text.as_bytes()).pop()?.ok().map(|message| message.event)
}
