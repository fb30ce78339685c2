//! Contact addresses, groups and channels, given to `smp join`.

use crate::common::{Person, TestRelay};
use smp_agent::{Agent, AgentConfig, Event, Events, RelayAddress};
use smp_protocol::chat::{
    ChatEvent, ChatMessage, ContactRequest, MessageContent, Profile, SharedMessageId, decode_messages,
};

/// Somebody with a contact address: lets in whoever asks, and returns what it learned from the request and after it.
async fn let_in(agent: &Agent, events: &mut Events) -> [ChatEvent; 2] {
    let mut learned = Vec::new();
    let own = ChatMessage::new(None, ChatEvent::Info(Profile::new("owner"))).encode();
    while learned.len() < 2 {
        let delivery = events.next().await.unwrap().unwrap();
        match &delivery.event {
            Event::Request { connection, info, .. } => {
                agent.connection(*connection).accept(&own).await.unwrap();
                learned.push(info.clone());
            }
            Event::Info { info, .. } => learned.push(info.clone()),
            _ => {}
        }
        delivery.done().await.unwrap();
    }
    let event = |info: &Vec<u8>| decode_messages(info).remove(0).unwrap().event;
    [event(&learned[0]), event(&learned[1])]
}

#[test]
fn the_owner_of_an_address_is_asked_as_by_an_app() {
    let folder = tempfile::tempdir().unwrap();
    let relay = TestRelay::start(&folder.path().join("relay"));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let address: RelayAddress = relay.address.parse().unwrap();
    let config = AgentConfig::new(folder.path().join("owner"), [address]);
    let (agent, mut events) = runtime.block_on(Agent::open(config)).unwrap();
    let (_, link) = runtime.block_on(agent.create_address(b"", None)).unwrap();
    for (name, link) in [("bob", link.full.to_string()), ("carol", link.short.unwrap().to_string())] {
        let person = Person::create(name, folder.path().join(name), &relay);
        let joining = std::thread::spawn(move || person.ok(&["join", &link]));
        let [request, info] = runtime.block_on(let_in(&agent, &mut events));
        let ChatEvent::Contact(request) = request else { panic!("{request:?}") };
        assert_eq!(request.profile.display_name, name);
        assert!(request.request_id.is_some());
        let ChatEvent::Info(profile) = info else { panic!("{info:?}") };
        assert_eq!(profile, request.profile);
        assert_eq!(joining.join().unwrap().trim(), "owner");
    }
}

#[test]
fn links_of_groups_and_channels_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let relay = TestRelay::start(&folder.path().join("relay"));
    let bob = Person::create("bob", folder.path().join("bob"), &relay);
    let short = |kind: &str| {
        format!(
            "https://smp.example.com/{kind}#BQjZ9hlPBPHyGSPVlKc4vVLDsR1XyZxFOYTgvQ3VNLE?c=EhgdZkY4xKHpGibAR92_J7111VfepfhyTCECvsTJboI"
        )
    };
    let queue = "smp%3A%2F%2FEhgdZkY4xKHpGibAR92_J7111VfepfhyTCECvsTJboI%40smp.example.com%2Fu2dS9sG8nMNURyZwqASV4yROM28Er0luVTx5X1CsMrU%3D%23%2F%3Fv%3D1-4%26dh%3DMCowBQYDK2VuAyEAeS0NnPg3GOmYhA4QmzVb2nRTsiC8C1aQMQ4GLYgJ2R0%253D";
    let data = "%7B%22groupLinkId%22%3A%22abc%3D%22%2C%22type%22%3A%22group%22%7D";
    let full = format!("simplex:/contact#/?v=2-7&smp={queue}&data={data}");
    for (link, what) in [
        (short("g"), "a group"),
        (short("c"), "a channel"),
        (short("r"), "a relay of groups"),
        (format!(" see {} ", short("G")), "a group"),
        (full, "a group"),
    ] {
        let (code, sentence) = bob.refused(&["join", &link]);
        assert_eq!(code, 1);
        assert!(sentence.contains(what) && sentence.contains("not there yet"), "{link}: {sentence}");
    }
    assert_eq!(bob.ok(&["--json", "contacts"]), "");
}

/// The objects of a command with `--json`.
fn objects(lines: &str) -> Vec<serde_json::Value> {
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn people_ask_by_an_address_and_are_accepted_or_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let relay = TestRelay::start(&folder.path().join("relay"));
    let person = |name: &str| Person::create(name, folder.path().join(name), &relay);
    let (alice, bob, carol) = (person("alice"), person("bob"), person("carol"));
    let (_, sentence) = alice.refused(&["address", "show"]);
    assert!(sentence.contains("smp address create"), "{sentence}");
    let picture = folder.path().join("code.png");
    let link = alice.invite_with(&["address", "create"]);
    assert!(link.starts_with("simplex:/a#"), "{link}");
    // There is one only.
    assert_eq!(alice.invite_with(&["address", "create"]), link);
    let full = alice.invite_with(&["address", "show", "--full"]);
    assert!(full.starts_with("simplex:/contact#/?"), "{full}");
    alice.ok(&["address", "show", "--qr", picture.to_str().unwrap()]);
    assert!(std::fs::metadata(&picture).unwrap().len() > 0);

    let mut hers = alice.listen();
    for (who, link) in [(&bob, &link), (&carol, &full)] {
        let output = who.run(&["join", link, "--timeout", "0"]);
        assert_eq!(output.status.code(), Some(3), "{output:?}");
    }
    let mut his = bob.listen();
    let mut asked: Vec<String> = Vec::new();
    let carols = carol.listen();
    while asked.len() < 2 {
        let request = hers.until("request");
        assert_eq!(request["accepted"], false);
        asked.push(request["contact"].as_str().unwrap().to_owned());
    }
    asked.sort();
    assert_eq!(asked, ["bob", "carol"]);
    let listed = objects(&alice.ok(&["--json", "contacts"]));
    assert!(listed.iter().all(|contact| contact["status"] == "requested"), "{listed:?}");
    let shown = objects(&alice.ok(&["--json", "address", "show"]));
    assert_eq!(shown[0]["requests"].as_array().unwrap().len(), 2, "{shown:?}");
    let (_, sentence) = alice.refused(&["send", "bob", "not yet"]);
    assert!(sentence.contains("smp accept"), "{sentence}");

    assert!(alice.ok(&["refuse", "carol"]).contains("refused"));
    let (_, sentence) = alice.refused(&["accept", "carol"]);
    assert!(sentence.contains("carol"), "{sentence}");
    alice.ok(&["accept", "bob"]);
    hers.until("connected");
    his.until("connected");
    let (_, sentence) = alice.refused(&["accept", "bob"]);
    assert!(sentence.contains("connected already"), "{sentence}");

    // Contacts stay; nobody else can ask.
    alice.ok(&["address", "delete"]);
    alice.refused(&["address", "delete"]);
    alice.ok(&["send", "bob", "welcome"]);
    assert_eq!(his.until("message")["text"], "welcome");
    drop(carols);
}

#[test]
fn a_request_waits_over_a_kill_and_everybody_is_let_in_where_that_is_wanted() {
    let folder = tempfile::tempdir().unwrap();
    let relay = TestRelay::start(&folder.path().join("relay"));
    let person = |name: &str| Person::create(name, folder.path().join(name), &relay);
    let (alice, bob, carol) = (person("alice"), person("bob"), person("carol"));
    let link = alice.invite_with(&["address", "create"]);
    bob.run(&["join", &link, "--timeout", "0"]);
    let mut hers = alice.listen();
    let his = bob.listen();
    hers.until("request");
    hers.kill();
    let listed = alice.ok(&["contacts"]);
    assert!(listed.contains("asks to connect"), "{listed}");
    alice.ok(&["address", "auto-accept", "on"]);
    let mut hers = alice.listen();
    // A request from before still waits for an answer.
    let carols = std::thread::spawn(move || carol.ok(&["join", &link, "--timeout", "60"]));
    assert_eq!(hers.until("request")["accepted"], true);
    assert_eq!(hers.until("connected")["contact"], "carol");
    assert_eq!(carols.join().unwrap().trim(), "alice");
    let listed = objects(&alice.ok(&["--json", "contacts"]));
    assert_eq!(listed[0]["status"], "requested", "{listed:?}");
    // Also when nobody else can ask any more.
    alice.ok(&["address", "delete"]);
    alice.ok(&["accept", "bob"]);
    assert_eq!(hers.until("connected")["contact"], "bob");
    drop(his);
}

#[test]
fn a_message_that_came_with_a_request_is_shown_and_kept() {
    let folder = tempfile::tempdir().unwrap();
    let relay = TestRelay::start(&folder.path().join("relay"));
    let alice = Person::create("alice", folder.path().join("alice"), &relay);
    let link = alice.invite_with(&["address", "create"]);
    let mut hers = alice.listen();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let address: RelayAddress = relay.address.parse().unwrap();
    let config = AgentConfig::new(folder.path().join("dave"), [address]);
    let (agent, _events) = runtime.block_on(Agent::open(config)).unwrap();
    let mut request = ContactRequest::new(Profile::new("dave"));
    request.message = Some((SharedMessageId::from_bytes([7; 12]), MessageContent::text("we met in Berlin")));
    let request = ChatMessage::new(None, ChatEvent::Contact(request)).encode();
    let own = ChatMessage::new(None, ChatEvent::Info(Profile::new("dave"))).encode();
    runtime.block_on(agent.ask(&link, &own, &request)).unwrap();
    assert_eq!(hers.until("request")["contact"], "dave");
    assert_eq!(hers.until("message")["text"], "we met in Berlin");
    let history = objects(&alice.ok(&["--json", "history", "dave"]));
    assert_eq!((history.len(), &history[0]["text"]), (1, &"we met in Berlin".into()));
}

#[test]
fn a_greeting_goes_with_the_request() {
    let folder = tempfile::tempdir().unwrap();
    let relay = TestRelay::start(&folder.path().join("relay"));
    let owner = Person::create("owner", folder.path().join("owner"), &relay);
    let address = owner.invite_with(&["address", "create"]);
    let bob = Person::create("bob", folder.path().join("bob"), &relay);
    let (code, sentence) = bob.refused(&["join", "--greeting", &"x".repeat(501), &address]);
    assert!(code == 1 && sentence.contains("1 to 500"), "{sentence}");
    let (code, sentence) = bob.refused(&["join", "--greeting", "hi", &owner.invite("x")]);
    assert!(code == 1 && sentence.contains("this is an invitation"), "{sentence}");
    bob.run(&["join", "--timeout", "1", "--greeting", "we met at the fair", &address]);
    let mut listener = owner.listen();
    assert_eq!(listener.until("message")["text"], "we met at the fair");
    owner.ok(&["accept", "bob"]);
    let mut his = bob.listen();
    his.until("connected");
    owner.ok(&["send", "bob", "I remember"]);
    his.until("message");
    drop((listener, his));
    for (person, contact) in [(&owner, "bob"), (&bob, "owner")] {
        let history = person.ok(&["--json", "history", contact]);
        let texts = history
            .lines()
            .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["text"].clone());
        assert_eq!(texts.collect::<Vec<_>>(), ["we met at the fair", "I remember"]);
    }
}
