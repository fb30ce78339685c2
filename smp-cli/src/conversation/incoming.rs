//! A message that came, in words.

use serde_json::{Map, Value};
use smp_protocol::chat::{
    ChatEvent, ChatMessage, ContentKind, MessageContainer, Profile, Quote, SharedMessageId,
};

/// How much of a quoted text is repeated, in characters.
const QUOTED: usize = 200;
/// Longest reaction in characters: one emoji has several.
const REACTION: usize = 16;
/// Longest name of a file or a group that is shown, in characters.
const NAME: usize = 100;
/// Events about which there is nothing to say: what two apps tell each other about files, calls and groups that are not
/// there, and questions of privacy that nobody has to answer.
const SILENT: [&str; 7] = [
    "x.info.probe",
    "x.info.probe.check",
    "x.info.probe.ok",
    "x.msg.file.descr",
    "x.file.acpt",
    "x.msg.file.acpt",
    "x.grp.acpt",
];

/// Kind of a shown line, for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Words of the contact.
    Text,
    /// Other words for an earlier text.
    Edited,
    /// An earlier message was taken back.
    Deleted,
    /// An emoji for one of our texts, or that it was taken back.
    Reaction,
    /// A picture, a recording or a file that cannot be fetched here.
    File,
    /// A call that cannot be taken here.
    Call,
    /// An invitation to a group that cannot be joined here.
    Group,
    /// Something that this version does not know.
    Unknown,
}

impl Kind {
    /// The word in the JSON form and in the book.
    pub(crate) fn name(self) -> &'static str {
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
}

/// Something to show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shown {
    pub(crate) kind: Kind,
    pub(crate) text: String,
}

/// A received message, by how it is to be treated.
#[derive(Debug, PartialEq)]
pub(crate) enum Incoming {
    /// Show it.
    Show(Shown),
    /// Show it, and answer.
    Answer(Shown, Box<ChatEvent>),
    /// The contact is typing this: to be shown when it is complete.
    Live { message: SharedMessageId, shown: Shown },
    /// Other words for an earlier text, or the last ones of a text that was typed.
    Changed { message: SharedMessageId, complete: Shown, edited: Shown },
    /// The contact's new profile.
    Profile(Box<Profile>),
    /// The contact has deleted us.
    Ended,
    /// Nothing to say.
    Silent,
}

/// Says what a message means.
pub(crate) fn read(message: ChatMessage) -> Incoming {
    match message.event {
        ChatEvent::MessageNew(container) => {
            let shown = in_words(&container);
            match (container.live, message.message_id) {
                (true, Some(message)) => Incoming::Live { message, shown },
                _ => Incoming::Show(shown),
            }
        }
        ChatEvent::MessageUpdate { message_id, content, live, .. } => {
            let complete = in_words(&MessageContainer::new(content));
            if live {
                return Incoming::Live { message: message_id, shown: complete };
            }
            let edited = Shown { kind: Kind::Edited, text: format!("(edited) {}", complete.text) };
            Incoming::Changed { message: message_id, complete, edited }
        }
        ChatEvent::MessageDelete { .. } => show(Kind::Deleted, "(deleted a message)".to_owned()),
        ChatEvent::DirectDelete => Incoming::Ended,
        ChatEvent::Info(profile) => Incoming::Profile(Box::new(profile)),
        ChatEvent::Other { event, params } => other(&event, &params),
        _ => Incoming::Silent,
    }
}

fn show(kind: Kind, text: String) -> Incoming {
    Incoming::Show(Shown { kind, text })
}

fn other(event: &str, params: &Map<String, Value>) -> Incoming {
    match event {
        "x.msg.react" => reaction(params),
        "x.call.inv" => call(params),
        "x.grp.inv" => {
            let name = params.get("groupInvitation").and_then(|invitation| {
                invitation.get("groupProfile")?.get("displayName")?.as_str().map(|name| short(name, NAME))
            });
            let group = name.map_or_else(|| "a group".to_owned(), |name| format!("the group {name}"));
            show(Kind::Group, format!("[an invitation to {group}; groups cannot be joined here yet]"))
        }
        "x.file.cancel" => show(Kind::Deleted, "(cancelled a file)".to_owned()),
        // A contact that an app knows from a group as well.
        "x.grp.direct.inv" => Incoming::Silent,
        event if SILENT.contains(&event) || event.starts_with("x.call.") => Incoming::Silent,
        event => show(
            Kind::Unknown,
            format!("[something that this version does not know: {}]", short(event, NAME)),
        ),
    }
}

fn reaction(params: &Map<String, Value>) -> Incoming {
    let emoji = params.get("reaction").and_then(|reaction| reaction.get("emoji")).and_then(Value::as_str);
    let emoji = emoji.map_or_else(|| "something".to_owned(), |emoji| short(emoji, REACTION));
    let is_added = params.get("add").and_then(Value::as_bool).unwrap_or(true);
    let text = if is_added { format!("(reacted {emoji})") } else { format!("(took {emoji} back)") };
    show(Kind::Reaction, text)
}

/// A call is ended at once: it would ring until the caller gives up.
fn call(params: &Map<String, Value>) -> Incoming {
    let media = params.get("invitation").and_then(|invitation| {
        invitation.get("callType")?.get("media")?.as_str().filter(|media| matches!(*media, "audio" | "video"))
    });
    let kind = media.map_or_else(|| "call".to_owned(), |media| format!("{media} call"));
    let shown =
        Shown { kind: Kind::Call, text: format!("[{kind}; calls cannot be taken here, so it was ended]") };
    match params.get("callId") {
        Some(id @ Value::String(_)) => {
            let params = Map::from_iter([("callId".to_owned(), id.clone())]);
            let end = ChatEvent::Other { event: "x.call.end".to_owned(), params };
            Incoming::Answer(shown, Box::new(end))
        }
        _ => Incoming::Show(shown),
    }
}

fn in_words(container: &MessageContainer) -> Shown {
    let content = &container.content;
    let text = content.text.as_deref().unwrap_or_default();
    let (kind, words) = match (&content.kind, container.file()) {
        (ContentKind::File, Some(file)) => {
            (Kind::File, labelled(&format!("file {}, {}", short(&file.name, NAME), size(file.size)), text))
        }
        (ContentKind::Image, Some(file)) => {
            (Kind::File, labelled(&format!("image, {}", size(file.size)), text))
        }
        (ContentKind::File | ContentKind::Image | ContentKind::Video | ContentKind::Voice, _) => {
            (Kind::File, content.display_text())
        }
        (ContentKind::Other(name), _) if text.is_empty() => {
            (Kind::Unknown, format!("[{}]", short(name, NAME)))
        }
        (ContentKind::Text | ContentKind::Link | ContentKind::Chat, _) if text.is_empty() => {
            (Kind::Text, "[an empty message]".to_owned())
        }
        _ => (Kind::Text, content.display_text()),
    };
    match &container.quote {
        Some(quote) => Shown { kind, text: format!("{}\n{words}", quoted(quote)) },
        None => Shown { kind, text: words },
    }
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
    use serde_json::json;
    use smp_protocol::chat::decode_messages;

    use super::*;

    fn message(event: &str, params: Value) -> Vec<u8> {
        json!({ "v": "1-17", "msgId": "WEo4Snk1TUpxcEpOejNkbg==", "event": event, "params": params })
            .to_string()
            .into_bytes()
    }

    fn incoming(event: &str, params: Value) -> Incoming {
        read(decode_messages(&message(event, params)).remove(0).unwrap())
    }

    #[track_caller]
    fn shows(event: &str, params: Value, kind: Kind, text: &str) {
        match incoming(event, params) {
            Incoming::Show(shown) | Incoming::Answer(shown, _) => {
                assert_eq!((shown.kind, shown.text.as_str()), (kind, text))
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_apps_send_is_said_in_words() {
        let content = |kind: &str, text: &str| json!({ "content": { "type": kind, "text": text } });
        shows("x.msg.new", content("text", "hello"), Kind::Text, "hello");
        shows("x.msg.new", content("text", ""), Kind::Text, "[an empty message]");
        shows("x.msg.new", content("poll", "which?"), Kind::Text, "which?");
        shows("x.msg.new", content("poll", ""), Kind::Unknown, "[poll]");
        shows("x.msg.new", json!({ "content": { "type": "poll" } }), Kind::Unknown, "[poll]");
        let file = json!({ "fileName": "report.pdf", "fileSize": 300_000 });
        shows(
            "x.msg.new",
            json!({ "content": { "type": "file", "text": "" }, "file": file }),
            Kind::File,
            "[file report.pdf, 300 KB]",
        );
        shows(
            "x.msg.new",
            json!({ "content": { "type": "image", "text": "us", "image": "data:" }, "file": file }),
            Kind::File,
            "[image, 300 KB] us",
        );
        shows(
            "x.msg.new",
            json!({ "content": { "type": "voice", "text": "", "duration": 10 }, "file": file }),
            Kind::File,
            "[voice message 0:10]",
        );
        let quote = json!({ "content": { "type": "text", "text": "yes" }, "quote": {
            "content": { "type": "text", "text": "shall we?\nnow?" },
            "msgRef": { "msgId": "WEo4Snk1TUpxcEpOejNkbg==", "sent": true, "sentAt": "2026-11-29T20:00:00Z" } } });
        shows("x.msg.new", quote, Kind::Text, "> shall we?\n> now?\nyes");
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
        shows(
            "x.new.thing",
            json!({}),
            Kind::Unknown,
            "[something that this version does not know: x.new.thing]",
        );
        for silent in
            ["x.info.probe", "x.info.probe.check", "x.msg.file.descr", "x.call.offer", "x.call.end", "x.ok"]
        {
            assert_eq!(incoming(silent, json!({})), Incoming::Silent, "{silent}");
        }
        assert_eq!(incoming("x.direct.del", json!({})), Incoming::Ended);
    }

    #[test]
    fn a_call_is_ended() {
        let params = json!({ "callId": "vK7A", "invitation": { "callType": { "media": "video" } } });
        let Incoming::Answer(shown, answer) = incoming("x.call.inv", params) else { panic!() };
        assert_eq!(shown.text, "[video call; calls cannot be taken here, so it was ended]");
        let sent: Value = serde_json::from_slice(&ChatMessage::new(None, *answer).encode()).unwrap();
        assert_eq!((&sent["event"], &sent["params"]), (&json!("x.call.end"), &json!({ "callId": "vK7A" })));
        assert!(matches!(incoming("x.call.inv", json!({})), Incoming::Show(_)));
    }

    #[test]
    fn what_is_being_typed_is_not_shown_yet() {
        let live = json!({ "content": { "type": "text", "text": "typ" }, "live": true });
        assert!(matches!(incoming("x.msg.new", live), Incoming::Live { shown, .. } if shown.text == "typ"));
        let id = "WEo4Snk1TUpxcEpOejNkbg==";
        let live = json!({ "msgId": id, "content": { "type": "text", "text": "typing" }, "live": true });
        assert!(
            matches!(incoming("x.msg.update", live), Incoming::Live { shown, .. } if shown.text == "typing")
        );
        let last = json!({ "msgId": id, "content": { "type": "text", "text": "typing done" } });
        let Incoming::Changed { complete, edited, .. } = incoming("x.msg.update", last) else { panic!() };
        assert_eq!((complete.text.as_str(), edited.text.as_str()), ("typing done", "(edited) typing done"));
    }

    #[test]
    fn what_a_stranger_chose_is_bounded() {
        let long = "x".repeat(10_000);
        let file = json!({ "content": { "type": "file", "text": "" }, "file": { "fileName": long, "fileSize": u64::MAX } });
        let Incoming::Show(shown) = incoming("x.msg.new", file) else { panic!() };
        assert!(shown.text.len() < 200, "{}", shown.text);
        assert_eq!(
            [size(0), size(999), size(1000), size(999_499), size(1_000_000)],
            ["0 bytes", "999 bytes", "1.0 KB", "999 KB", "1.0 MB"]
        );
    }
}
