//! Words: what a chat message says, as a line for people and a kind for programs.

mod events;

use smp_protocol::chat::{
    ChatEvent, ChatMessage, ContentKind, MessageContainer, MessageContent, Quote, Reaction,
};

pub use self::events::{is_silent, other};

/// How much of a quoted text is repeated, in characters.
const QUOTED: usize = 200;
/// How much of a text is repeated to say which one is meant, in characters.
const MEANT: usize = 40;
/// Longest reaction in characters: one emoji has several.
const REACTION: usize = 16;
/// Longest name of a file, a group or an event that is shown, in characters.
const NAME: usize = 100;

/// Kind of a line, for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Words of somebody.
    Text,
    /// Other words for an earlier text.
    Edited,
    /// An earlier message was taken back.
    Deleted,
    /// An emoji for a message, or that it was taken back.
    Reaction,
    /// A picture, a recording or a file that cannot be fetched here.
    File,
    /// A call that cannot be taken here.
    Call,
    /// An event of a group, which cannot be joined here.
    Group,
    /// Something that this version does not know.
    Unknown,
}

impl Kind {
    const ALL: [Self; 8] = [
        Self::Text,
        Self::Edited,
        Self::Deleted,
        Self::Reaction,
        Self::File,
        Self::Call,
        Self::Group,
        Self::Unknown,
    ];

    /// The word in the JSON form and in the book.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Edited => "edited",
            Self::Deleted => "deleted",
            Self::Reaction => "reaction",
            Self::File => "file",
            Self::Call => "call",
            Self::Group => "group_invitation",
            Self::Unknown => "unknown",
        }
    }

    /// The kind of this name; [`Unknown`](Self::Unknown) for one of a later version.
    #[must_use]
    pub fn of_name(name: &str) -> Self {
        Self::ALL.into_iter().find(|kind| kind.name() == name).unwrap_or(Self::Unknown)
    }
}

/// A line to show. Its text is as its writer wrote it: remove what a terminal must not see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// For programs.
    pub kind: Kind,
    /// For people; several lines if the text has them.
    pub text: String,
}

impl Line {
    fn new(kind: Kind, text: impl Into<String>) -> Self {
        Self { kind, text: text.into() }
    }
}

/// A whole message in words, by itself: without the messages that it is about. None if there is nothing to say.
#[must_use]
pub fn alone(message: &ChatMessage) -> Option<Line> {
    match &message.event {
        ChatEvent::Info(profile) => {
            let name = short(&profile.display_name, NAME);
            Some(Line::new(Kind::Text, format!("(calls themselves {name})")))
        }
        ChatEvent::Contact(request) => {
            let name = short(&request.profile.display_name, NAME);
            let text = match &request.message {
                Some((_, content)) => format!("[{name} asks to connect] {}", content.display_text()),
                None => format!("[{name} asks to connect]"),
            };
            Some(Line::new(Kind::Text, text))
        }
        ChatEvent::MessageNew(container) => Some(container_line(container)),
        ChatEvent::MessageUpdate { content, .. } => Some(edited(content)),
        ChatEvent::MessageDelete { .. } => Some(deleted()),
        ChatEvent::Reaction { reaction, add, .. } => Some(reacted(reaction, *add, None)),
        ChatEvent::DirectDelete => Some(Line::new(Kind::Deleted, "(deleted this contact)")),
        ChatEvent::Other { event, params } => other(event, params),
        _ => None,
    }
}

/// A message with what it quotes.
#[must_use]
pub fn container_line(container: &MessageContainer) -> Line {
    let content = &container.content;
    let text = content.text.as_deref().unwrap_or_default();
    let file = container.file();
    let size = file.as_ref().map(|file| format!(", {}", size(file.size))).unwrap_or_default();
    let line = match (&content.kind, &file) {
        (ContentKind::File, Some(file)) => {
            Line::new(Kind::File, labelled(&format!("file {}{size}", short(&file.name, NAME)), text))
        }
        (ContentKind::Image, Some(_)) => Line::new(Kind::File, labelled(&format!("image{size}"), text)),
        (ContentKind::File | ContentKind::Image | ContentKind::Video | ContentKind::Voice, _) => {
            Line::new(Kind::File, content.display_text())
        }
        _ => content_line(content),
    };
    let text = if container.forwarded { format!("[forwarded] {}", line.text) } else { line.text };
    let text = match &container.quote {
        Some(quote) => format!("{}\n{text}", quoted(quote)),
        None => text,
    };
    Line { kind: line.kind, text }
}

/// A content by itself.
fn content_line(content: &MessageContent) -> Line {
    match &content.kind {
        ContentKind::Other(name) if content.text.as_deref().unwrap_or_default().is_empty() => {
            Line::new(Kind::Unknown, format!("[{}]", short(name, NAME)))
        }
        _ => match content.display_text() {
            text if text.is_empty() => Line::new(Kind::Text, "[an empty message]"),
            text => Line::new(Kind::Text, text),
        },
    }
}

/// Other words for an earlier text.
#[must_use]
pub fn edited(content: &MessageContent) -> Line {
    Line::new(Kind::Edited, format!("(edited) {}", content_line(content).text))
}

/// A text that its writer did not complete.
#[must_use]
pub fn unfinished(container: &MessageContainer) -> Line {
    let line = container_line(container);
    Line { kind: line.kind, text: format!("{} …", line.text) }
}

/// An earlier message was taken back: its words are not repeated.
#[must_use]
pub fn deleted() -> Line {
    Line::new(Kind::Deleted, "(deleted a message)")
}

/// A file is not offered any more.
#[must_use]
pub fn file_cancelled(meant: Option<&str>) -> Line {
    match meant {
        Some(_) => Line::new(Kind::Deleted, format!("(cancelled {})", which(meant))),
        None => Line::new(Kind::Deleted, "(cancelled a file)"),
    }
}

/// A reaction was given, or taken back.
#[must_use]
pub fn reacted(reaction: &Reaction, is_added: bool, meant: Option<&str>) -> Line {
    let emoji = reaction.as_emoji().map_or_else(|| "something".to_owned(), |emoji| short(emoji, REACTION));
    let to = meant.map(|meant| format!(" to {}", which(Some(meant)))).unwrap_or_default();
    let text = if is_added { format!("(reacted {emoji}{to})") } else { format!("(took {emoji} back)") };
    Line::new(Kind::Reaction, text)
}

fn which(meant: Option<&str>) -> String {
    let line = meant.map(|meant| meant.lines().next().unwrap_or_default()).unwrap_or_default();
    if line.is_empty() { "a message".to_owned() } else { format!("“{}”", short(line, MEANT)) }
}

fn labelled(label: &str, text: &str) -> String {
    if text.is_empty() { format!("[{label}]") } else { format!("[{label}] {text}") }
}

fn quoted(quote: &Quote) -> String {
    let text = short(&quote.content.display_text(), QUOTED);
    let lines: Vec<String> = text.lines().map(|line| format!("> {line}")).collect();
    if lines.is_empty() { ">".to_owned() } else { lines.join("\n") }
}

/// The first characters, and whether there are more.
fn short(text: &str, length: usize) -> String {
    match text.char_indices().nth(length) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// A number of bytes as people read it.
fn size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KB", "MB", "GB", "TB"];
    if bytes < 1000 {
        return format!("{bytes} bytes");
    }
    let mut value = bytes as f64 / 1000.0;
    let mut unit = 0;
    while value >= 999.5 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    let name = UNITS[unit];
    if value < 9.95 { format!("{value:.1} {name}") } else { format!("{value:.0} {name}") }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use smp_protocol::chat::decode_messages;

    use super::*;

    fn line(event: &str, params: Value) -> Option<Line> {
        let message = json!({ "v": "1-17", "event": event, "params": params }).to_string();
        alone(decode_messages(message.as_bytes()).remove(0).as_ref().unwrap())
    }

    #[track_caller]
    fn shows(event: &str, params: Value, kind: Kind, text: &str) {
        assert_eq!(line(event, params), Some(Line::new(kind, text)));
    }

    #[test]
    fn texts_and_files() {
        let content = |kind: &str, text: &str| json!({ "content": { "type": kind, "text": text } });
        shows("x.msg.new", content("text", "hello"), Kind::Text, "hello");
        shows("x.msg.new", content("text", ""), Kind::Text, "[an empty message]");
        shows("x.msg.new", content("poll", "which?"), Kind::Text, "which?");
        shows("x.msg.new", content("poll", ""), Kind::Unknown, "[poll]");
        shows("x.msg.new", json!({ "content": { "type": "poll" } }), Kind::Unknown, "[poll]");
        let file = json!({ "fileName": "report.pdf", "fileSize": 300_000 });
        let with_file = |content: Value| json!({ "content": content, "file": file });
        shows(
            "x.msg.new",
            with_file(json!({ "type": "file", "text": "" })),
            Kind::File,
            "[file report.pdf, 300 KB]",
        );
        shows(
            "x.msg.new",
            with_file(json!({ "type": "image", "text": "us", "image": "data:" })),
            Kind::File,
            "[image, 300 KB] us",
        );
        shows(
            "x.msg.new",
            with_file(json!({ "type": "voice", "text": "", "duration": 10 })),
            Kind::File,
            "[voice message 0:10]",
        );
        let quote = json!({ "content": { "type": "text", "text": "yes" }, "forward": true, "quote": {
            "content": { "type": "text", "text": "shall we?\nnow?" },
            "msgRef": { "msgId": "WEo4Snk1TUpxcEpOejNkbg==", "sent": true, "sentAt": "2026-11-29T20:00:00Z" } } });
        shows("x.msg.new", quote, Kind::Text, "> shall we?\n> now?\n[forwarded] yes");
    }

    #[test]
    fn things_that_are_done() {
        let id = "WEo4Snk1TUpxcEpOejNkbg==";
        shows("x.msg.del", json!({ "msgId": id }), Kind::Deleted, "(deleted a message)");
        let react =
            |add: bool| json!({ "msgId": id, "add": add, "reaction": { "type": "emoji", "emoji": "👍" } });
        shows("x.msg.react", react(true), Kind::Reaction, "(reacted 👍)");
        shows("x.msg.react", react(false), Kind::Reaction, "(took 👍 back)");
        let group = json!({ "groupInvitation": { "groupProfile": { "displayName": "team" } } });
        shows(
            "x.grp.inv",
            group,
            Kind::Group,
            "[an invitation to the group team; groups cannot be joined here yet]",
        );
        let call = json!({ "callId": "vK7A", "invitation": { "callType": { "media": "video" } } });
        shows("x.call.inv", call, Kind::Call, "[video call; calls cannot be taken here, so it was ended]");
        shows(
            "x.new.thing",
            json!({}),
            Kind::Unknown,
            "[something that this version does not know: x.new.thing]",
        );
        for silent in
            ["x.info.probe", "x.info.probe.check", "x.msg.file.descr", "x.call.offer", "x.call.end", "x.ok"]
        {
            assert_eq!(line(silent, json!({})), None, "{silent}");
        }
        assert_eq!(file_cancelled(Some("a plan\nof two lines")).text, "(cancelled “a plan”)");
        assert_eq!(reacted(&Reaction::emoji("👍"), true, Some("hello")).text, "(reacted 👍 to “hello”)");
        for kind in Kind::ALL {
            assert_eq!(Kind::of_name(kind.name()), kind);
        }
    }

    #[test]
    fn the_length_of_foreign_words_is_bounded() {
        let long = "x".repeat(10_000);
        let file = json!({ "content": { "type": "file", "text": "" }, "file": { "fileName": long, "fileSize": u64::MAX } });
        for (event, params) in [
            ("x.msg.new", file),
            (long.as_str(), json!({})),
            ("x.grp.inv", json!({ "groupInvitation": { "groupProfile": { "displayName": long } } })),
            (
                "x.msg.react",
                json!({ "msgId": "AQID", "add": true, "reaction": { "type": "emoji", "emoji": long } }),
            ),
        ] {
            let text = line(event, params).unwrap().text;
            assert!(text.len() < 200, "{text}");
        }
        assert_eq!(
            [size(0), size(999), size(1000), size(999_499), size(1_000_000)],
            ["0 bytes", "999 bytes", "1.0 KB", "999 KB", "1.0 MB"]
        );
    }
}
