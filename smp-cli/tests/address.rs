//! Contact addresses, groups and channels, given to `smp join`.

#![allow(
    clippy::disallowed_methods,
    reason = "tests are programs of their own, with the time and chance of this machine"
)]
#![allow(clippy::unwrap_used)]

mod common;

use common::{Person, TestRelay};
use smp_agent::{Agent, AgentConfig, Event, Events, RelayAddress};
use smp_protocol::chat::{ChatEvent, ChatMessage, Profile, decode_messages};

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
