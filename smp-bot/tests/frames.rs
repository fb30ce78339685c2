//! Answers and events beside those that were recorded of the app and of what SDKs need.

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::panic,
    reason = "tests are programs of their own, with the time and chance of this machine"
)]

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use smp_bot::types::{
    AddressSettings, AutoAccept, Chat, ChatError, ChatInfo, ChatItem, ChatStats, ConnectionLinks,
    ContactAddress, ItemInChat, Profile, Shared, StoreError, User, UserInfo, View,
};
use smp_bot::{Command, Response, answer, event, read_request};
use smp_chat::conversation::Delivery;
use smp_chat::profile::ours;
use smp_chat::{Book, KeptItem, Status, compose};
use smp_protocol::chat::{self, ChatMessage, decode_messages};

/// All recorded frames, with the files that they are in.
fn recorded() -> Vec<(String, bool, Value)> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/frames");
    let mut frames = Vec::new();
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_none_or(|end| end != "jsonl") {
            continue;
        }
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        for line in std::fs::read_to_string(&path).unwrap().lines() {
            let line: Value = serde_json::from_str(line).unwrap();
            frames.push((name.clone(), line["dir"] == "client>server", line["frame"].clone()));
        }
    }
    assert!(frames.len() > 100);
    frames
}

/// One of each answer and event that was recorded, made here.
async fn made() -> BTreeMap<&'static str, Response> {
    let folder = tempfile::tempdir().unwrap();
    let book = Book::open(&folder.path().join("chat.db"), None, true).await.unwrap();
    let contact = book.add(7, None, Status::Connected, None).await.unwrap();
    book.set_by_address(&contact).await.unwrap();
    book.set_profile(&contact, &chat::Profile::new("alice")).await.unwrap();
    let hello = json!({ "v": "1-17", "msgId": "QkFTRTY0", "event": "x.msg.new", "params": { "content": { "type": "text", "text": "hello" } } });
    let read = |message: Value| -> Vec<(i64, ChatMessage)> {
        (0..).zip(decode_messages(message.to_string().as_bytes()).into_iter().map(Result::unwrap)).collect()
    };
    book.receive(&contact, 1, 1000, read(hello)).await.unwrap();
    let came = book.history(&contact, None, 1, 0).await.unwrap().remove(0);
    let quote = came.item.quote().unwrap();
    let answer = compose::messages("hello", Some(quote), None, true, &mut rand::rng()).unwrap().remove(0);
    let number = book.write(&contact, &answer, 2000).await.unwrap();
    book.handed_over(number, 1).await.unwrap();
    book.delivered(&contact, 1, Delivery::Received, 3000).await.unwrap();
    let sent = book.item(&contact, number).await.unwrap();

    let own = ours("Echo Bot", None);
    let (user, contact) =
        (Shared::new(User::of(&own, true)), book.by_number(contact.id).await.unwrap().unwrap());
    let profile = book.profile(&contact).await.unwrap();
    let view = View { contact: &contact, profile: profile.as_ref(), own: &own };
    let seen = Shared::new(view.contact());
    let info = || ChatInfo::Direct { contact: seen.clone() };
    let item = |kept: &KeptItem| ItemInChat {
        chat_info: info(),
        chat_item: ChatItem::of(kept, Some(came.number), 3000),
    };
    let links = ConnectionLinks {
        conn_full_link: "simplex:/contact#".into(),
        conn_short_link: Some("simplex:/a#".into()),
    };
    let settings = AddressSettings {
        auto_accept: Some(AutoAccept::default()),
        auto_reply: Some(json!({ "type": "text", "text": "hi" })),
        ..Default::default()
    };
    let address = || Box::new(ContactAddress::new(links.clone(), settings.clone()));
    let chat = Chat {
        chat_info: info(),
        chat_items: vec![ChatItem::of(&came, None, 3000)],
        chat_stats: ChatStats::default(),
    };
    BTreeMap::from([
        ("chatCmdError", Response::error(StoreError::UserContactLinkNotFound)),
        ("unknownCommand", Response::error(ChatError::command(Command::parse("").unwrap_err().to_string()))),
        ("versionInfo", Response::version("7.0.0.0", "0.1.0")),
        ("activeUser", Response::ActiveUser { user: user.clone() }),
        ("usersList", Response::UsersList { users: vec![UserInfo { user: user.clone(), unread_count: 0 }] }),
        ("userProfileNoChange", Response::UserProfileNoChange { user: user.clone() }),
        (
            "userProfileUpdated",
            Response::UserProfileUpdated {
                user: user.clone(),
                from_profile: Profile::from(&own),
                to_profile: Profile::from(&own),
                update_summary: json!({ "updateSuccesses": 0, "updateFailures": 0, "changedContacts": [] }),
            },
        ),
        ("userContactLink", Response::UserContactLink { user: user.clone(), contact_link: address() }),
        (
            "userContactLinkUpdated",
            Response::UserContactLinkUpdated { user: user.clone(), contact_link: address() },
        ),
        (
            "userContactLinkCreated",
            Response::UserContactLinkCreated {
                user: user.clone(),
                conn_req_contact: links.conn_full_link.clone(),
                conn_link_contact: links,
            },
        ),
        ("chats", Response::Chats { chats: vec![chat] }),
        (
            "newChatItems",
            Response::NewChatItems { user: user.clone(), chat_items: vec![item(&came), item(&sent)] },
        ),
        (
            "chatItemsStatusesUpdated",
            Response::ChatItemsStatusesUpdated { user: user.clone(), chat_items: vec![item(&sent)] },
        ),
        (
            "acceptingContactRequest",
            Response::AcceptingContactRequest { user: user.clone(), contact: seen.clone() },
        ),
        ("contactSndReady", Response::ContactSndReady { user: user.clone(), contact: seen.clone() }),
        ("contactConnected", Response::ContactConnected { user: user.clone(), contact: seen.clone() }),
        (
            "contactUpdated",
            Response::ContactUpdated { user, from_contact: seen.clone(), to_contact: seen.clone() },
        ),
    ])
}

/// The paths to all values, with their kinds; those of the elements of a list are one.
fn paths(value: &Value, at: &str, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(object) => {
            for (key, value) in object {
                paths(value, &format!("{at}.{key}"), found);
            }
        }
        Value::Array(array) => {
            found.insert(format!("{at}[]"));
            for value in array {
                paths(value, &format!("{at}[]"), found);
            }
        }
        Value::String(_) => drop(found.insert(format!("{at} text"))),
        Value::Number(_) => drop(found.insert(format!("{at} number"))),
        Value::Bool(_) => drop(found.insert(format!("{at} flag"))),
        Value::Null => {}
    }
}

fn all_paths(value: &Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    paths(value, "", &mut found);
    found
}

#[test]
fn every_recorded_command_is_understood() {
    let mut count = 0;
    for (file, is_command, frame) in recorded() {
        if !is_command {
            continue;
        }
        let request = read_request(&frame.to_string()).unwrap();
        let command = Command::parse(&request.command);
        assert!(command.is_ok(), "{file}: {}: {command:?}", request.command);
        let response = Response::CmdOk { user: None };
        let answer: Value = serde_json::from_str(&answer(Some(&request.correlation), &response)).unwrap();
        assert_eq!(answer["corrId"], frame["corrId"]);
        count += 1;
    }
    assert!(count > 40, "{count}");
}

#[tokio::test]
async fn everything_is_there_that_the_strictest_sdk_needs() {
    let minimal = include_str!("frames/minimal-frames-simploxide-client-0.14.0.json");
    let minimal: Value = serde_json::from_str(minimal).unwrap();
    let made = made().await;
    for (command, answers) in minimal.as_object().unwrap() {
        for (kind, needed) in answers.as_object().unwrap() {
            let ours = serde_json::to_value(&made[kind.as_str()]).unwrap();
            let missing: Vec<_> = all_paths(needed).difference(&all_paths(&ours)).cloned().collect();
            assert!(missing.is_empty(), "{command} {kind}: {missing:?}");
        }
    }
}

/// Fields of the app's frames that are not here: what nobody has here, or what is left out where it is not known.
const NOT_HERE: [&str; 5] = [
    // Relays are told apart by nobody here.
    ".sentViaProxy ",
    // Texts are not taken apart for people.
    ".formattedText",
    // The agent has them; a bot does not need them.
    ".pqSndEnabled ",
    ".pqRcvEnabled ",
    // The migrations of a database that is not here.
    "Migrations[]",
];

#[tokio::test]
async fn everything_is_there_that_the_app_sends() {
    let made = made().await;
    let mut kinds = BTreeSet::new();
    let mut missing = BTreeSet::new();
    for (file, is_command, frame) in recorded() {
        if is_command || !file.contains("simplex-chat-6.5.5") {
            continue;
        }
        let mut kind = frame["resp"]["type"].as_str().unwrap();
        if frame["resp"]["chatError"]["errorType"].is_object() {
            kind = "unknownCommand";
        }
        let response = made.get(kind).unwrap_or_else(|| panic!("{file}: {kind}"));
        kinds.insert(kind.to_owned());
        let ours: Value = match &frame["corrId"] {
            Value::Null => serde_json::from_str(&event(None, response)).unwrap(),
            _ => serde_json::from_str(&answer(Some("1"), response)).unwrap(),
        };
        let ours = all_paths(&ours);
        for path in all_paths(&frame).difference(&ours) {
            let is_known = NOT_HERE.iter().any(|known| path.contains(known))
                || is_feature_item(&frame)
                || is_of_data(path);
            if !is_known {
                missing.insert(format!("{kind}{path}"));
            }
        }
    }
    assert!(kinds.len() > 10, "{kinds:?}");
    assert!(missing.is_empty(), "{missing:#?}");
}

/// Items of the app about preferences: no message of anybody.
fn is_feature_item(frame: &Value) -> bool {
    let items = frame["resp"]["chatItems"].as_array().into_iter().flatten();
    let mut kinds = items.map(|item| item["chatItem"]["content"]["type"].as_str().unwrap_or_default());
    kinds.any(|kind| !kind.ends_with("MsgContent"))
}

/// Parts of a profile, which are as its owner has given them, and of what was done with it.
fn is_of_data(path: &str) -> bool {
    path.contains(".preferences.")
        || ["noteFolder", "peerType", "image", "shortDescr"].iter().any(|data| path.contains(data))
        || path.contains("rofile.contactLink")
        || path.contains("changedContacts[].")
}

/// The part of JSON Schema that the schema of frames is made of.
fn fits(value: &Value, schema: &Value, root: &Value) -> Result<(), String> {
    if let Some(name) = schema["$ref"].as_str() {
        let part = root.pointer(name.trim_start_matches('#')).ok_or_else(|| format!("no {name}"))?;
        fits(value, part, root)?;
    }
    for (keyword, is_one) in [("oneOf", true), ("anyOf", false)] {
        if let Some(choices) = schema[keyword].as_array() {
            let fitting = choices.iter().filter(|choice| fits(value, choice, root).is_ok()).count();
            if fitting == 0 || (is_one && fitting > 1) {
                return Err(format!("{keyword}: {fitting} fit {value}"));
            }
        }
    }
    if !schema["const"].is_null() && schema["const"] != *value {
        return Err(format!("{value} is not {}", schema["const"]));
    }
    let kinds: Vec<&str> = match &schema["type"] {
        Value::String(kind) => vec![kind],
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    if !kinds.is_empty() && !kinds.contains(&kind) {
        return Err(format!("{value} is no {kinds:?}"));
    }
    for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if value.get(name).is_none() {
            return Err(format!("no {name}"));
        }
    }
    for (name, part) in schema["properties"].as_object().into_iter().flatten() {
        if let Some(value) = value.get(name) {
            fits(value, part, root).map_err(|error| format!("{name}: {error}"))?;
        }
    }
    for value in value.as_array().into_iter().flatten().filter(|_| schema["items"].is_object()) {
        fits(value, &schema["items"], root)?;
    }
    Ok(())
}

/// The schema in the documentation is written anew with `SMP_WRITE_SCHEMA=1`.
#[tokio::test]
async fn frames_are_as_the_schema_says_that_programs_are_given() {
    let schema = smp_bot::schema();
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/bot-api.schema.json");
    if std::env::var_os("SMP_WRITE_SCHEMA").is_some() {
        std::fs::write(path, format!("{}\n", serde_json::to_string_pretty(&schema).unwrap())).unwrap();
    }
    let kept: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    assert!(
        kept == schema,
        "docs/bot-api.schema.json is of another version: SMP_WRITE_SCHEMA=1 cargo test -p smp-bot"
    );
    for (kind, response) in made().await {
        for frame in [answer(Some("1"), &response), event(Some(7), &response)] {
            let frame = serde_json::from_str(&frame).unwrap();
            fits(&frame, &schema, &schema).unwrap_or_else(|error| panic!("{kind}: {error}"));
        }
    }
    // Other frames do not fit.
    for frame in
        [json!({}), json!({ "resp": { "type": "nonsense" } }), json!({ "resp": { "type": "activeUser" } })]
    {
        assert!(fits(&frame, &schema, &schema).is_err(), "{frame}");
    }
}
