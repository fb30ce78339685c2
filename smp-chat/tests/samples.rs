//! Every message of the recorded conversations (`protocol-spec/vectors/chat_messages.json`), in words and written back.

#![allow(clippy::unwrap_used)]

use serde_json::Value;
use smp_chat::conversation::Order;
use smp_chat::{Conversation, words};
use smp_protocol::chat::{ChatError, ChatMessage, decode_messages};
use smp_vectors::{bytes, cases, text};

const FILE: &str = "chat_messages.json";

/// All messages, with how each is called, and what it was if it was JSON.
fn messages() -> Vec<(String, Result<ChatMessage, ChatError>, Option<Value>)> {
    let read = |case: &Value| {
        let name = text(&case["name"]).to_owned();
        if text(&case["kind"]) == "body" {
            let read = decode_messages(&bytes(&case["body"]));
            return read.into_iter().map(|message| (name.clone(), message, None)).collect::<Vec<_>>();
        }
        let read = decode_messages(case["json"].to_string().as_bytes());
        read.into_iter().map(|message| (name.clone(), message, Some(case["json"].clone()))).collect()
    };
    cases(FILE).iter().flat_map(read).collect()
}

/// Nobody wants to read these.
const SILENT: [&str; 9] = [
    "x.info.probe",
    "x.info.probe.check",
    "x.info.probe.ok",
    "x.msg.file.descr",
    "x.call.offer",
    "x.call.answer",
    "x.call.extra",
    "x.call.end",
    "x.grp.acpt",
];

#[test]
fn each_is_said_in_words_and_written_back_whole() {
    let mut said = 0;
    for (name, message, json) in messages() {
        // Signed and forwarded messages of groups.
        let Ok(message) = message else { continue };
        if let Some(json) = json {
            assert_eq!(serde_json::from_slice::<Value>(&message.encode()).unwrap(), json, "{name}");
        }
        match words::alone(&message) {
            Some(line) => {
                said += 1;
                assert!(
                    !line.text.trim().is_empty() && !line.text.contains("does not know"),
                    "{name}: {line:?}"
                );
            }
            None => assert!(SILENT.contains(&message.event.name()), "{name}: {}", message.event.name()),
        }
    }
    println!("{said} messages in words");
    assert!(said > 100, "{said}");
}

#[test]
fn a_conversation_takes_them_all_and_none_twice() {
    let mut conversation = Conversation::default();
    let mut effects = 0;
    for round in 0..2 {
        for (number, (name, message, _)) in (1..).zip(messages()) {
            let Ok(message) = message else { continue };
            let before = conversation.clone();
            let outcome = conversation.receive(message, Order { number, part: 0 }, number * 1000);
            if round == 0 {
                effects += outcome.effects.len();
            } else {
                let shown = outcome
                    .effects
                    .iter()
                    .any(|effect| matches!(effect, smp_chat::conversation::Effect::Show(..)));
                assert!(!shown, "{name} is shown twice");
                assert_eq!(before.items, conversation.items, "{name}");
            }
        }
    }
    assert!(effects > 100, "{effects}");
}
