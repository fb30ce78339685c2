//! Chat messages in the form in which SimpleX applications send them, and in ours.

#![allow(clippy::unwrap_used)]

use serde_json::{Value, json};
use smp_protocol::chat::{
    ChatEncodeError, ChatError, ChatEvent, ChatMessage, ContactRequest, ContentKind, MAX_MESSAGE_LENGTH,
    MessageContainer, MessageContent, MessageReference, Profile, Quote, Reaction, SharedMessageId,
    decode_messages,
};

fn read(message: &Value) -> ChatMessage {
    let mut messages = decode_messages(message.to_string().as_bytes());
    assert_eq!(messages.len(), 1);
    messages.remove(0).unwrap()
}

/// Reads a message and writes it again: nothing is lost.
fn read_and_write(message: &Value) -> ChatMessage {
    let read = read(message);
    assert_eq!(serde_json::from_slice::<Value>(&read.encode()).unwrap(), *message);
    read
}

fn id(bytes: &[u8]) -> SharedMessageId {
    SharedMessageId::from_bytes(bytes)
}

#[test]
fn what_we_send() {
    let message = ChatMessage::new(
        Some(id(b"\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b")),
        ChatEvent::MessageNew(MessageContainer::text("hello \"you\"\n")),
    );
    let expected = json!({
        "v": "1-9",
        "msgId": "AAECAwQFBgcICQoL",
        "event": "x.msg.new",
        "params": {"content": {"type": "text", "text": "hello \"you\"\n"}}
    });
    let body = message.encode();
    assert_eq!(serde_json::from_slice::<Value>(&body).unwrap(), expected);
    assert!(body.starts_with(b"{") && !body.contains(&b'\n'));
    let info = ChatMessage::new(None, ChatEvent::Info(Profile::new("alice")));
    let expected = json!({"v": "1-9", "event": "x.info", "params": {"profile": {"displayName": "alice", "fullName": ""}}});
    assert_eq!(serde_json::from_slice::<Value>(&info.encode()).unwrap(), expected);
}

#[test]
fn profiles() {
    let message = read_and_write(&json!({
        "v": "1-16",
        "event": "x.info",
        "params": {"profile": {
            "displayName": "bob",
            "fullName": "Bob B.",
            "shortDescr": "about me",
            "image": "data:image/jpg;base64,AAAA",
            "contactLink": "https://simplex.chat/contact#/?v=2-7",
            "preferences": {"voice": {"allow": "yes"}}
        }}
    }));
    assert_eq!((message.versions.min().0, message.versions.max().0), (1, 16));
    let ChatEvent::Info(profile) = message.event else { panic!() };
    assert_eq!((profile.display_name.as_str(), profile.full_name.as_str()), ("bob", "Bob B."));
    assert_eq!(profile.other["preferences"]["voice"]["allow"], "yes");
    // Only the name is needed.
    let message =
        read(&json!({"event": "x.info", "params": {"profile": {"displayName": "c", "image": null}}}));
    assert_eq!(message.event, ChatEvent::Info(Profile::new("c")));
    assert_eq!(message.versions.to_string(), "1");
}

#[test]
fn contact_requests() {
    let message = read_and_write(&json!({
        "v": "1-17",
        "event": "x.contact",
        "params": {
            "profile": {"displayName": "bob", "fullName": ""},
            "contactReqId": "AQID",
            "msgId": "BAUG",
            "content": {"type": "text", "text": "it is me"},
            "welcomeMsgId": "AAAA"
        }
    }));
    let ChatEvent::Contact(request) = &message.event else { panic!() };
    assert_eq!(request.request_id, Some(id(&[1, 2, 3])));
    assert_eq!(request.message, Some((id(&[4, 5, 6]), MessageContent::text("it is me"))));
    assert!(message.event.notifies());
    let message =
        read(&json!({"event": "x.contact", "params": {"profile": {"displayName": "d", "fullName": ""}}}));
    assert_eq!(message.event, ChatEvent::Contact(ContactRequest::new(Profile::new("d"))));
}

#[test]
fn a_reply_with_a_quote() {
    let message = read_and_write(&json!({
        "v": "1-9",
        "msgId": "AQID",
        "event": "x.msg.new",
        "params": {
            "content": {"type": "text", "text": "yes"},
            "quote": {
                "msgRef": {"msgId": "BAUG", "sentAt": "2024-05-06T07:08:09.123456789Z", "sent": true},
                "content": {"type": "text", "text": "tea?"}
            },
            "ttl": 86400,
            "live": true
        }
    }));
    let ChatEvent::MessageNew(container) = message.event else { panic!() };
    let Some(Quote { message: MessageReference { message_id, sent_at, sent, .. }, content, .. }) =
        container.quote
    else {
        panic!()
    };
    assert_eq!((message_id, sent, content), (Some(id(&[4, 5, 6])), true, MessageContent::text("tea?")));
    assert_eq!((sent_at.year(), sent_at.nanosecond()), (2024, 123_456_789));
    assert_eq!((container.ttl, container.live), (Some(86400), true));
}

#[test]
fn a_damaged_quote_does_not_cost_the_message() {
    for quote in
        [json!(1), json!({}), json!({"msgRef": {"sentAt": "yesterday", "sent": true}, "content": {}})]
    {
        let message = read_and_write(&json!({
            "v": "1", "event": "x.msg.new", "params": {"content": {"type": "text", "text": "yes"}, "quote": quote}
        }));
        let ChatEvent::MessageNew(container) = message.event else { panic!() };
        assert_eq!((container.content, container.quote), (MessageContent::text("yes"), None));
    }
}

#[test]
fn forwards_and_files() {
    for forward in [json!(true), json!({"group": "somewhere"})] {
        let message = read_and_write(&json!({
            "v": "1-17",
            "event": "x.msg.new",
            "params": {"content": {"type": "text", "text": "news"}, "forward": forward}
        }));
        let ChatEvent::MessageNew(container) = message.event else { panic!() };
        assert!(container.forwarded);
        assert_eq!(container.content.display_text(), "news");
    }
    let message = read_and_write(&json!({
        "v": "1-9",
        "event": "x.msg.new",
        "params": {
            "content": {"type": "image", "text": "a walk", "image": "data:image/jpg;base64,AAAA"},
            "file": {"fileName": "walk.jpg", "fileSize": 123_456}
        }
    }));
    let ChatEvent::MessageNew(container) = message.event else { panic!() };
    assert_eq!(container.content.kind, ContentKind::Image);
    assert_eq!(container.content.display_text(), "[image] a walk");
    let file = container.file().unwrap();
    assert_eq!((file.name.as_str(), file.size), ("walk.jpg", 123_456));
}

#[test]
fn updates_and_deletions() {
    let message = read_and_write(&json!({
        "v": "1-9",
        "event": "x.msg.update",
        "params": {"msgId": "AQID", "content": {"type": "text", "text": "no"}, "live": true, "mentions": {"a": {}}}
    }));
    let ChatEvent::MessageUpdate { message_id, content, live, other, .. } = message.event else { panic!() };
    assert_eq!((message_id, content, live), (id(&[1, 2, 3]), MessageContent::text("no"), true));
    assert!(other.contains_key("mentions"));
    let message = read_and_write(&json!({"v": "1-9", "event": "x.msg.del", "params": {"msgId": "AQID"}}));
    assert!(
        matches!(message.event, ChatEvent::MessageDelete { message_id, .. } if message_id == id(&[1, 2, 3]))
    );
    assert_eq!(read_and_write(&json!({"v": "1", "event": "x.ok", "params": {}})).event, ChatEvent::Ok);
    let message = read_and_write(&json!({"v": "1-2", "event": "x.direct.del", "params": {}}));
    assert_eq!(message.event, ChatEvent::DirectDelete);
}

#[test]
fn reactions() {
    let message = read_and_write(&json!({
        "v": "1-17", "msgId": "AQID", "event": "x.msg.react",
        "params": {"msgId": "BAUG", "reaction": {"type": "emoji", "emoji": "👍"}, "add": true, "memberId": "AAAA"}
    }));
    let ChatEvent::Reaction { message_id, reaction, add, other } = message.event else { panic!() };
    assert_eq!((message_id, add, other.len()), (id(&[4, 5, 6]), true, 1));
    assert_eq!((reaction.as_emoji(), &reaction), (Some("👍"), &Reaction::emoji("👍")));
    let message = read_and_write(&json!({
        "v": "1-17", "event": "x.msg.react", "params": {"msgId": "BAUG", "reaction": {"type": "sticker"}, "add": false}
    }));
    assert!(matches!(message.event, ChatEvent::Reaction { reaction, .. } if reaction.as_emoji().is_none()));
}

#[test]
fn parameters_of_another_shape_are_kept_as_they_came() {
    read_and_write(&json!({
        "v": "1-18", "event": "x.msg.new",
        "params": {"content": {"type": "text", "text": "yes"}, "ttl": -1, "live": "now", "forward": "far", "quote": 7, "poll": [1]}
    }));
    read_and_write(&json!({
        "v": "1-18", "event": "x.msg.new",
        "params": {
            "content": {"type": "text", "text": "yes"}, "live": false, "forward": false, "ttl": null,
            "quote": {
                "content": {"type": "text", "text": "tea?"}, "new": 1,
                "msgRef": {"sentAt": "2024-05-06T07:08:09.1Z", "sent": true, "new": {"a": null}, "memberId": 1}
            }
        }
    }));
}

#[test]
fn unknown_events_are_kept() {
    let message = read_and_write(&json!({
        "v": "1-18", "msgId": "AQID", "event": "x.grp.inv", "params": {"groupInvitation": {"a": [1, 2.5, null]}}
    }));
    assert_eq!(message.event.name(), "x.grp.inv");
    assert!(matches!(message.event, ChatEvent::Other { .. }) && !message.event.notifies());
}

#[test]
fn damaged_messages() {
    for bad in [
        r#"{"event":"x.ok"}"#,
        r#"{"params":{}}"#,
        r#"{"v":"2-1","event":"x.ok","params":{}}"#,
        r#"{"msgId":"!","event":"x.ok","params":{}}"#,
        r#"{"event":"x.info","params":{}}"#,
        r#"{"event":"x.info","params":{"profile":{}}}"#,
        r#"{"event":"x.msg.new","params":{}}"#,
        r#"{"event":"x.msg.update","params":{"content":{"type":"text","text":"a"}}}"#,
        r#"{"event":"x.msg.del","params":{}}"#,
        r#"{"event":"x.msg.react","params":{"msgId":"AQID","add":true}}"#,
        r#"{"event":"x.msg.react","params":{"msgId":"AQID","reaction":{"type":"emoji"}}}"#,
        r#"{"event":"x.msg.react","params":{"msgId":"AQID","add":true,"reaction":{}}}"#,
        r#"{"event":"x.ok","params":{}} "x""#,
        "{",
    ] {
        let read = decode_messages(bad.as_bytes());
        assert!(matches!(read.as_slice(), [Err(ChatError::Invalid(_))]), "{bad}: {read:?}");
    }
    // Errors do not repeat what somebody has written.
    let read = decode_messages(br#"{"event":"x.info","params":{"profile":{"displayName":["secret"]}}}"#);
    assert!(!format!("{read:?}").contains("secret"));
    let deep = format!("{}{}", "{\"event\":".repeat(10_000), "}".repeat(10_000));
    assert!(decode_messages(deep.as_bytes())[0].is_err());
}

#[test]
fn long_messages_are_not_encoded() {
    let message =
        |length| ChatMessage::new(None, ChatEvent::MessageNew(MessageContainer::text("a".repeat(length))));
    let overhead = message(0).encode().len();
    let longest = MAX_MESSAGE_LENGTH - overhead;
    assert_eq!(message(longest).encode_limited(MAX_MESSAGE_LENGTH).unwrap().len(), MAX_MESSAGE_LENGTH);
    assert_eq!(
        message(longest + 1).encode_limited(MAX_MESSAGE_LENGTH),
        Err(ChatEncodeError::TooLong { length: MAX_MESSAGE_LENGTH + 1, limit: MAX_MESSAGE_LENGTH })
    );
}
