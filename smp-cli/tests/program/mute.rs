//! Contacts who are muted, and messages that disappear because one side said so.

use std::io::Read as _;
use std::process::Stdio;
use std::time::Duration;

use crate::common::{Person, TestRelay, connected};
use serde_json::Value;

fn objects(person: &Person, args: &[&str]) -> Vec<Value> {
    let lines = person.ok(&[&["--json"], args].concat());
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Everything that `smp listen` has shown when a text is there.
fn shown_until(person: &Person, text: &str) -> String {
    let mut listener = person.command(&["listen"]).stdout(Stdio::piped()).spawn().unwrap();
    while person.ok(&["search", text]).is_empty() {
        assert_eq!(listener.try_wait().unwrap(), None, "it has ended");
        std::thread::sleep(Duration::from_millis(50));
    }
    let process = nix::unistd::Pid::from_raw(listener.id().try_into().unwrap());
    nix::sys::signal::kill(process, nix::sys::signal::Signal::SIGINT).unwrap();
    let mut shown = String::new();
    listener.stdout.take().unwrap().read_to_string(&mut shown).unwrap();
    listener.wait().unwrap();
    shown
}

#[test]
fn a_muted_contact_makes_no_line_and_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let relay = TestRelay::start(&folder.path().join("relay"));
    let (alice, bob) = connected(folder.path(), &relay);
    let carol = Person::new(folder.path().join("carol"));
    carol.ok(&["init", "--no-history", "--name", "carol", "--relay", &relay.address]);
    let link = carol.invite("bob");
    let mut listener = carol.listen();
    bob.ok(&["join", &link, "carol"]);
    listener.until("connected");
    drop(listener);
    assert!(alice.ok(&["mute", "bob"]).contains("bob is muted"));
    carol.ok(&["mute", "bob"]);
    assert!(alice.ok(&["contacts"]).contains("connected, muted"));
    for person in [("alice", &alice), ("carol", &carol)] {
        let (name, person) = person;
        bob.ok(&["send", name, "quiet"]);
        let mut listener = person.listen();
        let message = listener.until("message");
        assert_eq!((&message["text"], &message["muted"]), (&"quiet".into(), &true.into()));
        drop(listener);
        bob.ok(&["send", name, "quieter"]);
        let shown = shown_until(person, "quieter");
        assert!(!shown.contains("quieter"), "{shown}");
        // Shown when somebody looks: once, if no history is kept.
        assert!(person.ok(&["history", "bob"]).contains("quieter"));
        assert_eq!(person.ok(&["history", "bob"]).contains("quieter"), name == "alice");
        person.ok(&["mute", "bob", "off"]);
        bob.ok(&["send", name, "loud"]);
        let shown = person.ok(&["listen", "--count", "1", "--for", "60"]);
        assert!(shown.contains("loud") && !shown.contains("quiet"), "{shown}");
    }
    let (code, sentence) = alice.refused(&["mute", "bbo"]);
    assert!(code == 1 && sentence.contains("bob"), "{sentence}");
}

#[test]
fn messages_disappear_as_one_side_wishes() {
    let folder = tempfile::tempdir().unwrap();
    let relay = TestRelay::start(&folder.path().join("relay"));
    let (alice, bob) = connected(folder.path(), &relay);
    assert!(alice.ok(&["disappear", "bob"]).contains("stay until they are deleted"));
    assert_eq!(
        alice.ok(&["disappear", "bob", "1h"]),
        "Messages with bob disappear 1 hour after they were read or sent.\n"
    );
    let mut listener = bob.listen();
    assert_eq!(listener.until("disappearing")["after"], 3600);
    alice.ok(&["send", "bob", "for an hour"]);
    listener.until("message");
    drop(listener);
    bob.ok(&["send", "alice", "so is this"]);
    for (person, contact) in [(&alice, "bob"), (&bob, "alice")] {
        let mut listener = person.listen();
        if contact == "bob" {
            listener.until("message");
        }
        drop(listener);
        let kept = objects(person, &["history", contact]);
        assert!(kept.len() == 2 && kept.iter().all(|item| item["disappears_after"] == 3600), "{kept:?}");
    }
    // The last word counts, whichever side it is of.
    bob.ok(&["disappear", "alice", "off"]);
    assert_eq!(alice.listen().until("disappearing")["after"], Value::Null);
    alice.ok(&["send", "bob", "for good"]);
    assert_eq!(objects(&alice, &["history", "bob"])[2]["disappears_after"], Value::Null);
    let (code, sentence) = alice.refused(&["disappear", "bob", "soon"]);
    assert!(code == 2 && sentence.contains("5m, 1h, 7d"), "{sentence}");
}

#[test]
fn a_security_code_is_compared_by_its_picture() {
    let folder = tempfile::tempdir().unwrap();
    let relay = TestRelay::start(&folder.path().join("relay"));
    let (alice, bob) = connected(folder.path(), &relay);
    let picture = folder.path().join("code.png");
    let picture = picture.to_str().unwrap();
    // In a pipe the digits are all there is.
    assert_eq!(alice.ok(&["verify", "bob", "--qr", picture]).lines().count(), 1);
    assert!(bob.ok(&["verify", "alice", picture]).contains("alice is verified"));
    bob.ok(&["invite", "carol", "--qr", picture]);
    let (_, sentence) = bob.refused(&["verify", "alice", picture]);
    assert!(sentence.contains("is not a security code"), "{sentence}");
}
