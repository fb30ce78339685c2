//! Two people talk, each command a process of its own.

use crate::common::{Person, TestRelay, connected};

/// The texts that `smp --json listen` with these arguments shows.
fn listen(person: &Person, args: &[&str]) -> Vec<String> {
    let lines = person.ok(&[&["--json", "listen"], args].concat());
    let objects: Vec<_> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    crate::common::texts(objects.iter())
}

#[test]
fn messages_wait_for_recipients_and_for_relays() {
    let folder = tempfile::tempdir().unwrap();
    let mut relay = TestRelay::start(&folder.path().join("relay"));
    let (alice, bob) = connected(folder.path(), &relay);

    let mut listener = alice.listen();
    bob.ok(&["send", "alice", "hello", "there"]);
    let message = listener.until("message");
    assert_eq!(message["text"], "hello there");
    assert!(message["id"].is_string(), "{message}");
    // After a kill it might be shown again.
    listener.interrupt();

    // The recipient is off.
    bob.ok(&["send", "alice", "you are off"]);
    assert_eq!(listen(&alice, &["--count", "1"]), ["you are off"]);

    // The relay is off: the message is kept, and the exit code tells.
    relay.down();
    for text in ["one", "two"] {
        let output = bob.run(&["send", "--timeout", "1", "alice", text]);
        assert_eq!(output.status.code(), Some(3), "{output:?}");
    }
    relay.up();
    bob.ok(&["send", "alice", "three"]);
    assert_eq!(listen(&alice, &["--count", "3"]), ["one", "two", "three"]);

    // Nothing is shown twice.
    assert!(listen(&alice, &["--for", "1"]).is_empty());
}

#[test]
fn short_links_are_made_and_joined() {
    let folder = tempfile::tempdir().unwrap();
    let relay = TestRelay::start(&folder.path().join("relay"));
    let alice = Person::create("alice", folder.path().join("alice"), &relay);
    let bob = Person::create("bob", folder.path().join("bob"), &relay);
    let link = alice.invite_with(&["invite"]);
    assert!(link.starts_with("simplex:/i#") && link.len() < 200, "{link}");
    let mut listener = alice.listen();
    bob.ok(&["join", &link]);
    listener.until("connected");
    bob.ok(&["send", "alice", "by short link"]);
    assert_eq!(listener.until("message")["text"], "by short link");
}

#[test]
fn what_people_paste_is_understood() {
    let folder = tempfile::tempdir().unwrap();
    let relay = TestRelay::start(&folder.path().join("relay"));
    let alice = Person::new(folder.path().join("alice"));
    // As `smp-server init` prints it, and as a program that adds slashes makes of it.
    alice.ok(&["init", "--name", "alice", "--relay", &format!("    {}/", relay.address)]);
    let bob = Person::create("bob", folder.path().join("bob"), &relay);
    for options in [[].as_slice(), &["--full"]] {
        let link = alice.invite_with(&[&["invite"], options].concat());
        let wrapped: Vec<&str> =
            link.as_bytes().chunks(76).map(|line| std::str::from_utf8(line).unwrap()).collect();
        let mail = format!("Hello,\r\n\r\n  {}\r\n\r\nsee you.", wrapped.join("\r\n  "));
        let joined = bob.run(&["join", "--timeout", "0", &mail]);
        assert_eq!(joined.status.code(), Some(3), "{joined:?}");
        // It is known as the same one, however it is written.
        let (_, sentence) = bob.refused(&["join", &format!("({})", link.replace("simplex:/", "Simplex://"))]);
        assert!(sentence.contains("joined this already"), "{sentence}");
    }
    let (first, second) = (alice.invite("a"), alice.invite("b"));
    let (_, sentence) = bob.refused(&["join", &format!("{first} or {second}")]);
    assert!(sentence.contains("they differ"), "{sentence}");
}

#[test]
fn both_see_the_same_security_code() {
    let folder = tempfile::tempdir().unwrap();
    let relay = TestRelay::start(&folder.path().join("relay"));
    let (alice, bob) = connected(folder.path(), &relay);
    let code = alice.ok(&["verify", "bob"]);
    assert_eq!(code, bob.ok(&["verify", "alice"]));
    for part in ["12345", "abc", &code[..code.len() - 10]] {
        let (_, sentence) = alice.refused(&["verify", "bob", part]);
        assert!(sentence.contains("not a whole security code"), "{sentence}");
    }
    let other = code.replace('1', "2");
    let (_, sentence) = alice.refused(&["verify", "bob", &other]);
    assert!(sentence.contains("differ"), "{sentence}");
    alice.ok(&["verify", "bob", code.trim()]);
    assert!(alice.ok(&["contacts"]).contains("verified"));
}

#[test]
fn a_listener_killed_at_any_moment_shows_every_message() {
    let folder = tempfile::tempdir().unwrap();
    let relay = TestRelay::start(&folder.path().join("relay"));
    let (alice, bob) = connected(folder.path(), &relay);
    let mut shown = Vec::new();
    for round in 0..5 {
        for part in 0..3 {
            bob.ok(&["send", "alice", &format!("{round} {part}")]);
        }
        let mut listener = alice.listen();
        shown.push(listener.until("message")["text"].as_str().unwrap().to_owned());
        shown.extend(listener.kill());
    }
    while shown.last().is_some_and(|text| text != "4 2") {
        shown.extend(listen(&alice, &["--count", "1"]));
    }
    // A text is marked as shown after it is printed, so a kill in between may show it once more, never not at all.
    shown.dedup();
    let all: Vec<String> =
        (0..5).flat_map(|round| (0..3).map(move |part| format!("{round} {part}"))).collect();
    assert_eq!(shown, all);
}

#[test]
fn a_removed_contact_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let relay = TestRelay::start(&folder.path().join("relay"));
    let (alice, bob) = connected(folder.path(), &relay);
    alice.ok(&["remove", "bob"]);
    assert_eq!(alice.ok(&["contacts"]), "");
    let (_, sentence) = alice.refused(&["send", "bob", "hello"]);
    assert!(sentence.contains("no contacts"), "{sentence}");
    drop(bob);
}

#[test]
fn the_demonstration_ends_well_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let demo = std::process::Command::new(env!("CARGO_BIN_EXE_smp"))
        .args(["demo", "--messages", "2"])
        .env("TMPDIR", folder.path())
        .output()
        .unwrap();
    assert!(demo.status.success(), "{demo:?}");
    assert!(String::from_utf8(demo.stdout).unwrap().contains("4 of 4 messages arrived"));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}
