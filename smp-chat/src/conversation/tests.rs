use proptest::prelude::*;
use serde_json::{Value, json};
use smp_protocol::chat::{ChatEvent, ChatMessage, MessageContainer, SharedMessageId, decode_messages};

use super::*;
use crate::words::Line;

/// A conversation, with the lines that it showed and what it answered.
#[derive(Default)]
struct Seen {
    conversation: Conversation,
    lines: Vec<String>,
    answers: Vec<ChatEvent>,
}

impl Seen {
    fn take(&mut self, number: i64, message: &ChatMessage) -> Outcome {
        let order = Order { number, part: 0 };
        let outcome = self.conversation.receive(message.clone(), order, number * 1000);
        for effect in &outcome.effects {
            match effect {
                Effect::Show(Line { text, .. }, at) => {
                    assert!(outcome.changed.contains(at));
                    self.lines.push(text.clone());
                }
                Effect::Answer(event) => self.answers.push((**event).clone()),
                _ => {}
            }
        }
        outcome
    }

    fn json(&mut self, number: i64, message: Value) -> Outcome {
        self.take(number, &read(&message))
    }
}

fn read(message: &Value) -> ChatMessage {
    decode_messages(message.to_string().as_bytes()).remove(0).unwrap()
}

fn new(id: u8, text: &str) -> Value {
    json!({ "v": "1-17", "msgId": shared(id).to_string(), "event": "x.msg.new",
            "params": { "content": { "type": "text", "text": text } } })
}

fn about(event: &str, id: u8, mut params: Value) -> Value {
    params["msgId"] = shared(id).to_string().into();
    json!({ "v": "1-17", "msgId": "WEo4Snk1TUpxcEpOejNkbg==", "event": event, "params": params })
}

fn update(id: u8, text: &str, live: bool) -> Value {
    about("x.msg.update", id, json!({ "content": { "type": "text", "text": text }, "live": live }))
}

fn reaction(id: u8, emoji: &str, add: bool) -> Value {
    about("x.msg.react", id, json!({ "reaction": { "type": "emoji", "emoji": emoji }, "add": add }))
}

fn shared(id: u8) -> SharedMessageId {
    SharedMessageId::from_bytes([id; 12])
}

#[test]
fn edits_reactions_and_deletions_find_their_message() {
    let mut seen = Seen::default();
    seen.json(1, new(1, "hello"));
    seen.json(2, new(2, "more"));
    seen.json(3, update(1, "hello!", false));
    seen.json(4, reaction(2, "👍", true));
    seen.json(5, reaction(2, "👍", false));
    seen.json(6, about("x.msg.del", 2, json!({})));
    seen.json(7, update(2, "again", false));
    assert_eq!(
        seen.lines,
        [
            "hello",
            "more",
            "(edited) hello!",
            "(reacted 👍 to “more”)",
            "(took 👍 back)",
            "(deleted a message)"
        ]
    );
    let [first, second] = seen.conversation.items.as_slice() else { panic!() };
    assert_eq!(first.line().unwrap().text, "hello!");
    assert!(first.is_edited() && first.is_visible());
    assert!(
        second.is_deleted && second.event.is_none() && second.is_visible() && second.given().count() == 0
    );
}

#[test]
fn events_that_come_first_wait_for_their_message() {
    let mut seen = Seen::default();
    seen.json(4, reaction(1, "👍", true));
    seen.json(5, about("x.msg.del", 2, json!({})));
    seen.json(
        6,
        about(
            "x.msg.file.descr",
            3,
            json!({ "fileDescr": { "fileDescrText": "key", "fileDescrPartNo": 1 } }),
        ),
    );
    assert!(seen.lines.is_empty() && !seen.conversation.items.iter().any(Item::is_visible));
    for (number, text) in [(1, "one"), (2, "two"), (3, "three")] {
        seen.json(number, new(number as u8, text));
    }
    assert_eq!(seen.lines, ["one", "three"]);
    let items = &seen.conversation.items;
    assert_eq!(items.len(), 3);
    assert_eq!((items[0].given().count(), items[2].file_parts[&1].as_str()), (1, "key"));
    // An edit alone is a message.
    seen.json(7, update(9, "unheard of", false));
    assert_eq!(seen.lines[2..], ["(edited) unheard of"]);
}

#[test]
fn a_text_that_is_typed_is_shown_once_and_whole() {
    let mut seen = Seen::default();
    let mut live = new(1, "typ");
    live["params"]["live"] = true.into();
    seen.json(1, live.clone());
    seen.json(2, update(1, "typing", true));
    assert!(seen.lines.is_empty() && !seen.conversation.items[0].is_visible());
    seen.json(3, update(1, "typing done", false));
    assert_eq!(seen.lines, ["typing done"]);
    assert!(!seen.conversation.items[0].is_edited());
    seen.json(4, update(1, "typed", false));
    assert!(seen.conversation.items[0].is_edited());
    // One that is never completed is not lost.
    live["msgId"] = shared(2).to_string().into();
    seen.json(5, live);
    seen.json(6, new(3, "whole"));
    seen.json(7, update(2, "typ late", false));
    assert_eq!(seen.lines[1..], ["(edited) typed", "typ …", "whole", "(edited) typ late"]);
}

#[test]
fn nobody_changes_messages_of_the_other_side() {
    let mut seen = Seen::default();
    seen.conversation.items.push(Item::of_ours(shared(1), MessageContainer::text("ours"), 0));
    seen.json(1, update(1, "theirs", false));
    seen.json(2, about("x.msg.del", 1, json!({})));
    seen.json(3, reaction(1, "👍", true));
    let ours = &seen.conversation.items[0];
    assert_eq!(
        (ours.line().unwrap().text.as_str(), ours.is_deleted, ours.given().count()),
        ("ours", false, 1)
    );
    assert_eq!(seen.lines.last().unwrap(), "(reacted 👍 to “ours”)");
    // One with an ID that is taken is another message.
    seen.json(4, new(5, "a"));
    seen.json(5, new(5, "b"));
    let items = &seen.conversation.items;
    assert_eq!(items.last().unwrap().shared_id, None);
    assert_eq!(seen.lines[seen.lines.len() - 2..], ["a", "b"]);
}

#[test]
fn a_call_is_ended_and_stays_known() {
    let mut seen = Seen::default();
    let call = json!({ "v": "1-17", "msgId": shared(1).to_string(), "event": "x.call.inv", "params": { "callId": "vK7A",
        "invitation": { "callType": { "media": "audio", "capabilities": { "encryption": true } } } } });
    for _ in 0..2 {
        seen.json(1, call.clone());
    }
    assert_eq!(seen.lines, ["[audio call; calls cannot be taken here, so it was ended]"]);
    // If the process ended before it was sent it has to be sent again.
    assert_eq!(seen.answers.len(), 2);
    let sent: Value =
        serde_json::from_slice(&ChatMessage::new(None, seen.answers.remove(0)).encode()).unwrap();
    assert_eq!((&sent["event"], &sent["params"]), (&json!("x.call.end"), &json!({ "callId": "vK7A" })));
    let ChatEvent::Other { params, .. } = seen.conversation.items[0].event.clone().unwrap() else { panic!() };
    assert_eq!(json!(params), call["params"]);
    // Without a number there is nothing to end.
    seen.json(2, json!({ "v": "1", "event": "x.call.inv", "params": {} }));
    assert_eq!((seen.lines.len(), seen.answers.len()), (2, 1));
}

#[test]
fn reactions_and_descriptions_are_bounded() {
    let mut seen = Seen::default();
    for number in 0..200 {
        seen.json(number, reaction(1, &number.to_string(), true));
        let part = json!({ "fileDescr": { "fileDescrText": "x", "fileDescrPartNo": number } });
        seen.json(number, about("x.msg.file.descr", 1, part));
    }
    let item = &seen.conversation.items[0];
    assert_eq!((item.reactions.len(), item.file_parts.len()), (MAX_REACTIONS, MAX_FILE_PARTS));
}

#[test]
fn messages_of_ours_are_changed_only_by_us() {
    let mut item = Item::of_ours(shared(1), MessageContainer::text("helo"), 5);
    assert_eq!(item.edit("hello").unwrap().name(), "x.msg.update");
    assert_eq!((item.line().unwrap().text.as_str(), item.is_edited()), ("hello", true));
    item.react("👍", true).unwrap();
    item.react("👍", false).unwrap();
    item.react("👎", true).unwrap();
    assert_eq!(item.given().count(), 1);
    for (delivery, known) in [
        (Delivery::Queued, Delivery::Queued),
        (Delivery::Received, Delivery::Received),
        (Delivery::Sent, Delivery::Received),
    ] {
        item.advance(delivery);
        assert_eq!(item.delivery, known);
    }
    assert_eq!(item.take_back().unwrap().name(), "x.msg.del");
    assert_eq!(
        (item.edit("x").unwrap_err(), item.quote().unwrap_err()),
        (Refusal::Deleted, Refusal::Deleted)
    );
    let mut theirs = Item::unknown(Side::Theirs, Some(shared(2)), 0);
    assert_eq!(theirs.take_back().unwrap_err(), Refusal::NotOurs);
    assert_eq!(theirs.react("👍", true).unwrap_err(), Refusal::NoText);
}

/// Events about three messages, as somebody could send them.
fn script() -> impl Strategy<Value = Vec<Value>> {
    let event = (0..3_u8, 0..8, "[a-c]{0,3}", any::<bool>()).prop_map(|(id, what, text, flag)| match what {
        0..=2 => update(id, &text, flag),
        3 => about("x.msg.del", id, json!({})),
        4 | 5 => reaction(id, if text.len() > 1 { "👍" } else { "👎" }, flag),
        6 => about("x.file.cancel", id, json!({})),
        _ => about(
            "x.msg.file.descr",
            id,
            json!({ "fileDescr": { "fileDescrText": "key", "fileDescrPartNo": 1 } }),
        ),
    });
    (proptest::collection::vec(event, 0..12), any::<[bool; 3]>(), any::<[Option<u8>; 3]>()).prop_map(
        |(events, live, ttl)| {
            let messages = (0..3_u8).zip(live).zip(ttl).map(|((id, live), ttl)| {
                let mut message = new(id, "first");
                message["params"]["live"] = live.into();
                message["params"]["ttl"] = json!(ttl);
                message
            });
            messages.chain(events).collect()
        },
    )
}

/// The part that is the same in the end, whatever the order was.
fn outcome(conversation: &Conversation) -> Vec<Item> {
    let mut items = conversation.items.clone();
    items.sort_by_key(|item| item.shared_id.as_ref().map(|id| id.as_bytes().to_vec()));
    for item in &mut items {
        // When it was shown depends on it.
        item.is_announced = false;
        item.reactions.sort_by_key(|given| given.reaction.as_emoji().map(str::to_owned));
    }
    items
}

proptest! {
    #[test]
    fn any_order_and_any_repetition_end_alike(
        script in script(),
        keys in proptest::collection::vec(any::<u32>(), 40),
        again in proptest::collection::vec(any::<prop::sample::Index>(), 0..8),
    ) {
        let numbered: Vec<(i64, ChatMessage)> = (1..).zip(script.iter().map(read)).collect();
        let mut in_order = Seen::default();
        for (number, message) in &numbered {
            in_order.take(*number, message);
        }
        let mut shuffled = numbered.clone();
        shuffled.extend(again.iter().map(|index| index.get(&numbered).clone()));
        let mut keyed: Vec<_> = keys.iter().cycle().zip(shuffled).collect();
        keyed.sort_by_key(|(key, _)| **key);
        let mut mixed = Seen::default();
        for (_, (number, message)) in &keyed {
            mixed.take(*number, message);
        }
        prop_assert_eq!(outcome(&in_order.conversation), outcome(&mixed.conversation));
        for seen in [&in_order, &mixed] {
            for item in &seen.conversation.items {
                // Nothing that can be read was kept from being shown, but for what is still being typed.
                prop_assert!(item.event.is_none() || item.is_announced || item.is_live());
            }
        }
        // A second time changes nothing and shows nothing.
        let (before, lines) = (mixed.conversation.clone(), mixed.lines.len());
        for (number, message) in &numbered {
            mixed.take(*number, message);
        }
        prop_assert_eq!(&before.items, &mixed.conversation.items);
        prop_assert_eq!(lines, mixed.lines.len());
    }
}
