use proptest::prelude::*;
use serde_json::json;

use super::*;

fn parsed(text: &str) -> Command {
    Command::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[test]
fn all_spellings_of_a_command_are_one() {
    for (spellings, command) in [
        (&["/v", "/version", " /v "][..], Command::Version),
        (&["/u", "/user"], Command::ActiveUser),
        (&["/show_address", "/sa"], Command::ShowAddress { user: None }),
        (&["/_connect 1", "/_connect 1 incognito=off"], Command::Invite { user: Some(1) }),
        (&["/chats", "/chats all"], Command::Chats { count: u32::MAX }),
    ] {
        for text in spellings {
            assert_eq!(parsed(text), command, "{text}");
        }
    }
}

#[test]
fn messages_are_sent_with_all_that_belongs_to_them() {
    let text = r#"/_send @4 live=on ttl=60 sign=on json [{"quotedItemId":7,"msgContent":{"type":"text","text":"a  b"},"mentions":{}}]"#;
    let Command::Send { chat, live, ttl, messages } = parsed(text) else { panic!() };
    assert_eq!((chat, live, ttl), (ChatRef::Contact(Address::Number(4)), true, Some(60)));
    assert_eq!(messages[0].quoted_item_id, Some(7));
    assert_eq!(messages[0].msg_content, json!({ "type": "text", "text": "a  b" }));
    for (chat, name) in [
        ("@alice", "alice"),
        ("@'anna maria'", "anna maria"),
        ("@anna maria", "anna maria"),
        ("@anna 4 you  sign=off", "anna 4 you"),
        ("@'2000'", "2000"),
        ("@4you", "4you"),
    ] {
        let text = format!(r#"/_send {chat} json [{{"msgContent":{{"type":"text","text":"hi"}}}}]"#);
        let Command::Send { chat, .. } = parsed(&text) else { panic!() };
        assert_eq!(chat, ChatRef::Contact(Address::Name(name.into())));
    }
    for (text, name) in [("@alice hello there", "alice"), ("@'anna maria' hello there", "anna maria")] {
        let Command::Send { chat, messages, .. } = parsed(text) else { panic!() };
        assert_eq!(chat, ChatRef::Contact(Address::Name(name.into())));
        assert_eq!(messages[0].msg_content["text"], "hello there");
    }
    let anna = ChatRef::Contact(Address::Name("anna maria".into()));
    let Command::React { chat, item, .. } = parsed(r#"/_reaction @anna maria 5 on {"type":"emoji"}"#) else {
        panic!()
    };
    assert_eq!((chat, item), (anna.clone(), 5));
    let Command::DeleteItems { chat, items, .. } = parsed("/_delete item @anna maria 5,6 broadcast") else {
        panic!()
    };
    assert_eq!((chat, items), (anna, vec![5, 6]));
}

#[test]
fn settings_of_every_interface_are_understood() {
    let settings = |json: &str| {
        let Command::AddressSettings { settings, .. } = parsed(&format!("/_address_settings 1 {json}"))
        else {
            panic!()
        };
        settings
    };
    let newest = settings(
        r#"{"businessAddress":false,"autoAccept":{"acceptIncognito":false},"autoReply":{"type":"text","text":"hi"}}"#,
    );
    assert_eq!(newest, settings(r#"{"autoAccept":{"autoReply":{"type":"text","text":"hi"}}}"#));
    assert!(newest.auto_accept.is_some() && newest.auto_reply.is_some());
    let python =
        settings(r#"{"autoAccept": {"autoAccept": true, "acceptIncognito": false, "autoReply": null}}"#);
    assert!(python.auto_accept.is_some() && python.auto_reply.is_none());
    assert!(settings(r#"{"autoAccept": null}"#).auto_accept.is_none());
    assert!(settings(r#"{"autoAccept": {"autoAccept": false}}"#).auto_accept.is_none());
}

#[test]
fn pages_changes_and_links_are_read() {
    assert_eq!(
        parsed("/_get chat @3 before=9 count=20 search=a b"),
        Command::GetChat {
            chat: ChatRef::Contact(Address::Number(3)),
            page: ChatPage { page: Page::Before(9), count: 20, search: Some("a b".into()) },
        }
    );
    assert_eq!(
        parsed("/_delete item @3 1,2 broadcast"),
        Command::DeleteItems {
            chat: ChatRef::Contact(Address::Number(3)),
            items: vec![1, 2],
            mode: DeleteMode::Broadcast
        }
    );
    assert_eq!(
        parsed("/_delete @3 full notify=off"),
        Command::DeleteChat {
            chat: ChatRef::Contact(Address::Number(3)),
            messages_only: false,
            notify: false
        }
    );
    assert_eq!(
        parsed(r#"/_reaction @3 5 on {"type":"emoji","emoji":"👍"}"#),
        Command::React {
            chat: ChatRef::Contact(Address::Number(3)),
            item: 5,
            on: true,
            reaction: json!({ "type": "emoji", "emoji": "👍" })
        }
    );
    assert_eq!(
        parsed("/_connect plan 1 simplex:/i#abc"),
        Command::ConnectPlan { user: 1, link: "simplex:/i#abc".into() }
    );
    assert_eq!(
        parsed("/_connect 1 incognito=off simplex:/contact#/x https://r/a#y"),
        Command::Connect { user: Some(1), link: "simplex:/contact#/x https://r/a#y".into() }
    );
    assert_eq!(parsed("/_ack 7"), Command::Acknowledge { number: 7 });
    assert_eq!(parsed("/_ack on"), Command::Acknowledges { on: true });
    assert_eq!(parsed("/_members #5"), Command::OfGroup { group: 5 });
    assert_eq!(parsed("/freceive 5 encrypt=on /tmp/x"), Command::OfFile { file: 5, receives: true });
}

#[test]
fn older_spellings_are_understood() {
    let text = r#"/_update item @3 5 json {"type":"text","text":"a"}"#;
    let newer = r#"/_update item @3 5 json {"msgContent":{"type":"text","text":"a"},"mentions":{}}"#;
    assert_eq!(parsed(text), parsed(newer));
    assert_eq!(parsed("/_get chats pcc=off"), Command::GetChats { user: None, pending: false, count: PAGE });
    let reply = Some(json!({ "type": "text", "text": "hi you" }));
    for text in [
        "/auto_accept on hi you",
        "/auto_accept on text hi you",
        r#"/auto_accept on json {"type":"text","text":"hi you"}"#,
    ] {
        assert_eq!(parsed(text), Command::AutoAccept { user: None, on: true, reply: reply.clone() });
    }
    assert_eq!(parsed("/_clear chat @3"), parsed("/_delete @3 messages notify=off"));
}

#[test]
fn words_about_one_contact_are_read() {
    let chat = ChatRef::Contact(Address::Number(3));
    assert_eq!(
        parsed(r#"/_set prefs @3 {"reactions":{"allow":"no"}}"#),
        Command::SetPreferences {
            chat: chat.clone(),
            preferences: json!({ "reactions": { "allow": "no" } })
        }
    );
    let alias = |alias: &str| Command::SetAlias { chat: chat.clone(), alias: alias.into() };
    assert_eq!(parsed("/_set alias @3 Bob from work "), alias("Bob from work"));
    assert_eq!(parsed("/_set alias @3"), alias(""));
    let custom = |data| Command::SetCustom { chat: chat.clone(), data };
    assert_eq!(parsed(r#"/_set custom @3 {"a": 1}"#), custom(Some(json!({ "a": 1 }))));
    assert_eq!(parsed("/_set custom @3"), custom(None));
    assert_eq!(parsed("/_info @3"), Command::Info { chat: chat.clone() });
    assert_eq!(parsed("/_get code @3"), Command::Code { chat: chat.clone() });
    let verify = |code: Option<&str>| Command::Verify { chat: chat.clone(), code: code.map(str::to_owned) };
    assert_eq!(parsed("/_verify code @3 123 456"), verify(Some("123 456")));
    assert_eq!(parsed("/_verify code @3"), verify(None));
    assert_eq!(parsed("/_auto_accept 1 on"), Command::AutoAccept { user: Some(1), on: true, reply: None });
}

/// Each command about groups of `bots/api/COMMANDS.md`, and each of something else that is not here.
#[test]
fn what_is_not_here_says_so() {
    for text in [
        "/_add #5 1 member",
        "/_join #5",
        "/_accept member #5 1 member",
        "/_member role #5 1 admin",
        "/_block #5 1,2 blocked=on",
        "/_remove #5 1 messages=on",
        "/_leave #5",
        "/_members #5",
        "/_get relays #5",
        "/_add relays #5 1,2",
        "/_relay allow #5",
        r#"/_group_profile #5 {"displayName":"x"}"#,
        "/_verify domain #5",
        "/_create link #5 member",
        "/_set link role #5 member",
        "/_delete link #5",
        "/_get link #5",
        "/_delete member item #5 1",
        "/_share chat content #5 @1",
    ] {
        assert_eq!(parsed(text), Command::OfGroup { group: 5 }, "{text}");
    }
    for text in [
        r#"/_group 1 {"displayName":"x"}"#,
        r#"/_public group 1 2,3 {"displayName":"x"}"#,
        "/_share address @1",
        "/_service_response 1 abc {}",
        "/_stop",
        "/crc xrcp:/",
        "/verify remote ctrl 123",
        "/_files_folder /tmp",
        "/_hide user 1 \"x\"",
    ] {
        let command = parsed(text);
        assert!(matches!(command, Command::Absent { .. }), "{text}: {command:?}");
    }
    // Nobody is shown a profile that was to be hidden.
    for text in [
        "/_connect 1 incognito=on",
        "/_connect 1 incognito=on simplex:/i#abc",
        "/connect incognito=on simplex:/i#abc",
        "/_accept incognito=on 5",
        "/auto_accept on incognito=on",
        "/_auto_accept 1 on incognito=on hi",
    ] {
        assert_eq!(parsed(text), Command::Incognito { on: true }, "{text}");
    }
    assert_eq!(parsed("/_delete user 1 del_smp=on"), Command::DeleteUser { user: 1 });
    let accept = Command::AcceptFromGroups { user: 1, on: false };
    assert_eq!(parsed("/_set accept member contacts 1 off"), accept);
    assert_eq!(parsed("/_set accept group invitations 1 off"), accept);
    assert_eq!(parsed("/_groups 1 @3 search"), Command::Groups { user: Some(1) });
}

#[test]
fn an_unknown_command_is_answered_as_by_the_app() {
    for text in ["", "/nonsense", "/_get", "hello"] {
        assert_eq!(Command::parse(text).unwrap_err().to_string(), "Failed reading: empty", "{text}");
    }
    for text in [
        "/_user",
        "/_user x",
        "/_user -1",
        "/_send @1 json",
        "/_send @ json []",
        "/_send @anna maria",
        "/_send @anna",
        "/v 1",
        "/_address 1 pq_ratchet=x",
    ] {
        assert!(Command::parse(text).is_err(), "{text}");
    }
}

proptest! {
    #[test]
    fn no_text_is_a_panic(text in any::<String>(), word in 0..WORDS.len()) {
        let _ = Command::parse(&text);
        let _ = Command::parse(&format!("{} {text}", WORDS[word]));
    }
}

const WORDS: [&str; 12] = [
    "/_set",
    "/_set prefs @1",
    "/_verify code",
    "/_send @1",
    "/_send",
    "/_get chat",
    "/_delete item @1",
    "/_connect plan 1",
    "/_address_settings 1",
    "/_update item @1 2",
    "@",
    "/_ack",
];
