//! Chat messages of SimpleX applications, as `protocol-spec/vectors/chat_messages.json` has them.

#![allow(clippy::unwrap_used)]

mod common;

use serde_json::Value;
use smp_protocol::chat::{ChatError, ChatEvent, ChatMessage, decode_messages};

use common::{bytes, run, text};

#[test]
fn every_message_is_read_and_written_back_whole() {
    run("chat_messages.json", |kind, case| match kind {
        "body" => read_body(case),
        "message" | "connection_info" | "contact_request" => read_one(case),
        other => panic!("unknown kind {other}"),
    });
}

fn read_one(case: &Value) {
    let (name, json) = (text(&case["name"]), &case["json"]);
    let read = decode_messages(json.to_string().as_bytes());
    let [Ok(message)] = read.as_slice() else { panic!("{name}: {read:?}") };
    assert_eq!(message.event.name(), text(&case["event"]), "{name}");
    assert_eq!(written(message), *json, "{name}");
    // Groups send requests of their own.
    if case["kind"] == "contact_request" && text(&case["event"]) == "x.contact" {
        assert!(matches!(message.event, ChatEvent::Contact(_)), "{name}");
    }
}

fn written(message: &ChatMessage) -> Value {
    serde_json::from_slice(&message.encode()).unwrap()
}

/// Compressed bodies and arrays hold messages like any; what is forwarded or signed in a group is told from what is damaged.
fn read_body(case: &Value) {
    let (name, body) = (text(&case["name"]), bytes(&case["body"]));
    let read = decode_messages(&body);
    assert!(!read.is_empty(), "{name}");
    for message in read {
        match (body[0], message) {
            (b'X' | b'[', Ok(message)) => assert!(message.event.name().starts_with("x."), "{name}"),
            (b'=' | b'/', Err(ChatError::UnsupportedForm('>' | '/'))) => {}
            (form, message) => panic!("{name}, form {form:#x}: {message:?}"),
        }
    }
}
